//! Batches: many verdicts settled by one transaction. The chain checks that a batch fits its job
//! and pays per worker account, so its cost grows with distinct workers, not with tasks.

use crate::{
    amount::Amount,
    device::RecordChange,
    ids::{AccountId, BatchSequence, BlockNumber, DeviceId, Digest, JobId, TaskIndex},
    limits::{DEVICES_PER_BATCH_MAX, PAYEES_PER_BATCH_MAX, TASK_BITMAP_BYTES_MAX},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Which tasks a batch settles: bit `i` (least significant bit of each byte first) stands for task
/// `first + i`. `first` is a multiple of 8, the first and last bytes are not zero.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct TaskSet {
    /// The task of the lowest bit.
    pub first: TaskIndex,
    /// One bit a task.
    pub bits: BoundedVec<u8, ConstU32<TASK_BITMAP_BYTES_MAX>>,
}

/// One worker account's pay in a batch.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Payout {
    /// Who is paid.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
}

/// One device's record change in a batch.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct DeviceChange {
    /// The device.
    pub device: DeviceId,
    /// What is added to its record.
    pub change: RecordChange,
}

/// A stretch of a job log, from its first block to its last.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct LogRange {
    /// The first position.
    pub first: u64,
    /// The last position, not before the first.
    pub last: u64,
}

/// What a coordinator settles with one transaction.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Batch {
    /// The job.
    pub job: JobId,
    /// Follows the job's last batch without a gap.
    pub sequence: BatchSequence,
    /// The stretch of the job log that these verdicts rest on.
    pub log: LogRange,
    /// Merkle root over the encoded verdicts, in task order.
    pub verdicts_root: Digest,
    /// The tasks settled, none of them before.
    pub tasks: TaskSet,
    /// Sum of the verdicts' prices.
    pub spent: Amount,
    /// Pay per worker account: accounts ascending, amounts above zero.
    pub payouts: BoundedVec<Payout, ConstU32<PAYEES_PER_BATCH_MAX>>,
    /// Changes of the devices' records: devices ascending.
    pub devices: BoundedVec<DeviceChange, ConstU32<DEVICES_PER_BATCH_MAX>>,
}

/// What the chain keeps of a settled batch.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct BatchRecord {
    /// Merkle root over the encoded verdicts, in task order.
    pub verdicts_root: Digest,
    /// The stretch of the job log that the verdicts rest on.
    pub log: LogRange,
    /// Tasks settled.
    pub tasks: u32,
    /// Sum of the verdicts' prices.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub spent: Amount,
    /// What workers got.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub paid: Amount,
    /// The block that settled it.
    pub settled_at: BlockNumber,
}
