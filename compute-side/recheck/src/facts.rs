//! What the chain says, which a log is held to.

use quern_joblog::{Entry, SignedBlock};
use quern_primitives::{
    device::Class,
    ids::{AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, NodeKey, TaskIndex},
    job::Job,
};
use std::collections::{BTreeMap, BTreeSet};

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

    /// Whether the masternode with this key may say what a task's result is in the log that another one, or
    /// the same, writes. A writer may only in a group of its own: what it gives out it does not judge.
    fn may_referee(&self, node: &NodeKey, writer: &NodeKey) -> bool;

    /// How many masternodes the job's group has beside the one that writes a log, those that have no say any
    /// more among them; `None` where that is not looked at.
    fn others(&self) -> Option<usize>;

    /// A device at a height; `None` if it was not registered then, or the height is not finalised.
    fn device(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts>;

    /// The grid's engine for a class.
    fn engine(&self, class: Class) -> Digest;

    /// What the lanes of the job's tasks follow from; `None` where that is not known, and not looked at.
    fn lane_seed(&self) -> Option<Digest>;

    /// The commitment to what a task asks beside its input, which receipts state. None who does not have the
    /// job's key knows it.
    fn question(&self, _task: TaskIndex) -> Option<Digest> {
        None
    }
}

/// What a block of a log has looked up on the chain, so that whoever reads the chain can do so before the
/// block is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Heights, each with the devices that were given work as they were then, and with the accounts that
    /// the log names for them.
    pub devices: BTreeMap<BlockNumber, BTreeMap<DeviceId, AccountId>>,
    /// Heights at which somebody begins to coordinate.
    pub coordinators: BTreeSet<BlockNumber>,
}

impl Wanted {
    /// What a block has looked up.
    pub fn by(block: &SignedBlock) -> Self {
        let mut wanted = Self::default();
        for entry in &block.entries {
            match entry {
                Entry::Opened { at, .. } => {
                    wanted.coordinators.insert(*at);
                }
                Entry::Assigned {
                    device,
                    account,
                    at,
                    ..
                } => {
                    let at_height = wanted.devices.entry(*at).or_default();
                    at_height.insert(*device, account.clone());
                }
                _ => {}
            }
        }
        wanted
    }
}
