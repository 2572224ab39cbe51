//! What the chain says, which a log is held to.

use quern_primitives::{
    device::Class,
    ids::{AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, NodeKey},
    job::Job,
};

/// So many blocks the height to which an assignment refers may be behind the highest that any before it
/// refers to: a coordinator looks its devices up one after the other, and gives them work in any order. Who
/// was looked up longer ago gets nothing.
pub const HEIGHT_LAG_MAX: BlockNumber = 300;

/// A device as the chain had it at a height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The account that is paid for it.
    pub account: AccountId,
    /// Whether a masternode may give it work.
    pub may_work: bool,
    /// Its answers accepted in a row.
    pub accepted_in_a_row: u32,
}

/// What the chain says of a job, and of who takes part. Whoever asks reads it from finalised blocks,
/// with proofs if it believes no node.
pub trait ChainFacts {
    /// The chain.
    fn genesis(&self) -> GenesisHash;

    /// The job's name.
    fn job_id(&self) -> JobId;

    /// The job; only what it was submitted with is looked at.
    fn job(&self) -> &Job;

    /// Who coordinates the job at a height, and the network key it had published.
    fn coordinator(&self, at: BlockNumber) -> Option<(AccountId, NodeKey)>;

    /// Whether the masternode with this key may say what a task's result is.
    fn may_referee(&self, node: &NodeKey) -> bool;

    /// A device at a height; `None` if it was not registered then, or the height is not finalised.
    fn device(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts>;

    /// The grid's engine for a class.
    fn engine(&self, class: Class) -> Digest;
}
