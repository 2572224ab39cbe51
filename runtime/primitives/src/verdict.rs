//! Verdicts: the outcome of one task. The leaves of a batch's tree.

use crate::{
    amount::Amount,
    ids::{AccountId, DeviceId, Digest, JobId, ReplicaIndex, TaskIndex},
    merkle::Proof,
    receipt::{Answer, SignedReceipt},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Why a verdict's answer is the accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Ground {
    /// Several accounts answered, and all alike.
    Unanimous,
    /// More than half of those who answered gave it, as the job's agreement asks for.
    Majority,
    /// One device gave it and is believed: its job wants one, or its record is long enough.
    Trusted,
    /// A referee computed it, whatever the devices answered; that the program fails, only if one of them
    /// said so too.
    Referee,
    /// The first answers differed and no referee could be had, or one alone said that the program fails,
    /// so more were asked: more than half of at least three accounts gave it.
    Vote,
}

/// What one replica's device is found to have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Finding {
    /// Gave the accepted answer.
    Accepted,
    /// Gave another answer.
    Incorrect,
    /// Failed for its own fault.
    Failed,
    /// Was too late.
    Delayed,
}

/// One replica in a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct ReplicaFinding {
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device that had it.
    pub device: DeviceId,
    /// The account that is paid for it.
    pub account: AccountId,
    /// What the device is found to have done.
    pub finding: Finding,
    /// SHA-256 of the encoded signed receipt, if the device gave one.
    pub receipt: Option<Digest>,
    /// What it is paid.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub pay: Amount,
}

/// The outcome of one task: the accepted answer, who gave it, who did not.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Verdict {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The accepted answer.
    pub answer: Answer,
    /// Why it is accepted.
    pub ground: Ground,
    /// What the owner pays for the task; zero when the accepted answer is that the program fails, or
    /// when no device gave it.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub price: Amount,
    /// Every replica, in replica order; at most [`crate::limits::REPLICAS_PER_TASK_MAX`].
    pub replicas: Vec<ReplicaFinding>,
}

/// Everything needed to check one payment: the receipt, the verdict, and the proof that the verdict
/// is in a batch. Checked against the batch's root, which is on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct ReceiptFile {
    /// The chain.
    pub genesis: crate::ids::GenesisHash,
    /// The device's signed receipt.
    pub receipt: SignedReceipt,
    /// The task's verdict.
    pub verdict: Verdict,
    /// The batch that settled it.
    pub batch: crate::ids::BatchSequence,
    /// The root the batch published.
    pub verdicts_root: Digest,
    /// That the verdict is under the root.
    pub proof: Proof,
}
