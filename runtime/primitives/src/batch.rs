//! Batches: many verdicts settled by one transaction. The chain checks that a batch fits its job
//! and pays per worker account, so its cost grows with distinct workers, not with tasks.

use crate::{
    amount::Amount,
    device::RecordChange,
    ids::{AccountId, BatchSequence, BlockNumber, DeviceId, Digest, JobId, TaskIndex},
    job::Failure,
    limits::{
        DEVICES_PER_BATCH_MAX, GROUP_MEMBERS_MAX, PAYEES_PER_BATCH_MAX, TASK_BITMAP_BYTES_MAX,
    },
    log::Certificate,
    payload::NodeSignature,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sha2::{Digest as _, Sha256};
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

impl Batch {
    /// What certificates name a batch by: SHA-256 of its encoding.
    pub fn digest(&self) -> Digest {
        Digest(self.using_encoded(|encoded| Sha256::digest(encoded).into()))
    }
}

/// Places in a job's group, ascending.
pub type Places = BoundedVec<u8, ConstU32<GROUP_MEMBERS_MAX>>;

/// Places in a job's group, ascending, and what the member at each signed.
pub type Words = BoundedVec<(u8, NodeSignature), ConstU32<GROUP_MEMBERS_MAX>>;

/// A batch with the words of those who answer for it. With one transaction of this kind a coordinator
/// settles.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Certified {
    /// The batch.
    pub batch: Batch,
    /// The place of the last block of the job's log that it rests on.
    pub index: u64,
    /// That block's hash.
    pub head: Digest,
    /// Places in the group, ascending, and each member's signature over [`Certified::certificate`].
    pub certificates: Words,
}

impl Certified {
    /// What each of its certificates signs.
    pub fn certificate(&self) -> Certificate {
        Certificate::of(&self.batch, self.index, self.head)
    }

    /// Who signed, by their places in the group.
    pub fn places(&self) -> Places {
        let places = self.certificates.iter().map(|(place, _)| *place);
        // Both lists have one limit.
        BoundedVec::truncate_from(places.collect())
    }
}

/// What a certificate of a job's end begins its digest with. An encoded batch begins with its job's name.
const END_DOMAIN: [u8; 11] = *b"quern/end/1";

/// The end of a job that cannot go on, with the words of those who answer for it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct CertifiedEnd {
    /// The job.
    pub job: JobId,
    /// The task that cannot be settled.
    pub task: TaskIndex,
    /// What is wrong with it.
    pub why: Failure,
    /// The place of the last block of the job's log, which shows it.
    pub index: u64,
    /// That block's hash.
    pub head: Digest,
    /// Places in the group, ascending, and each member's signature over [`CertifiedEnd::certificate`].
    pub certificates: Words,
}

impl CertifiedEnd {
    /// What each of its certificates signs: as of a batch, with the number of the one that would be next.
    pub fn certificate(&self, next_batch: BatchSequence) -> Certificate {
        let end = (END_DOMAIN, self.job, self.task, self.why);
        Certificate {
            job: self.job,
            sequence: next_batch,
            index: self.index,
            head: self.head,
            batch: Digest(end.using_encoded(|encoded| Sha256::digest(encoded).into())),
        }
    }
}

/// Where a settled batch stands.
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
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "state", rename_all = "snake_case")
)]
pub enum BatchState {
    /// It may still be disputed, and nobody has its money.
    Pending {
        /// The height that must be final, by the chain's own clock, before it is.
        due: BlockNumber,
    },
    /// It is paid, and stays.
    Final {
        /// The block that made it so.
        at: BlockNumber,
    },
    /// It was proved wrong, or rested on one that was: its tasks are unsettled again, and its money
    /// went back to what is held.
    Struck {
        /// The block that struck it.
        at: BlockNumber,
    },
}

/// A settled batch that is not final yet: all that is needed to pay it, or to take it back.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct PendingBatch {
    /// The height that must be final, by the chain's own clock, before it is.
    pub due: BlockNumber,
    /// Who settled it.
    pub coordinator: AccountId,
    /// Who certified it, by their places in the job's group, ascending. They and who settled it share the
    /// operators' part.
    pub certified_by: Places,
    /// The tasks it settles.
    pub tasks: TaskSet,
    /// Pay per worker account: accounts ascending, amounts above zero.
    pub payouts: BoundedVec<Payout, ConstU32<PAYEES_PER_BATCH_MAX>>,
    /// Changes of the devices' records: devices ascending.
    pub devices: BoundedVec<DeviceChange, ConstU32<DEVICES_PER_BATCH_MAX>>,
    /// What it spends, and on whom.
    pub split: Shares,
}

/// The parts of what a batch spends.
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
pub struct Shares {
    /// To worker accounts together.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub workers: Amount,
    /// To the masternodes that settled and certified it, together.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub operators: Amount,
    /// To the treasury.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub treasury: Amount,
}

impl Shares {
    /// What the batch spends; none if it is more than can exist.
    pub fn spent(&self) -> Option<Amount> {
        self.workers
            .checked_add(self.operators)?
            .checked_add(self.treasury)
    }
}

/// What a masternode settled that can still be taken back, and what was taken of its bond meanwhile.
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
pub struct Exposure {
    /// What its pending batches spend together, in all jobs.
    pub open: Amount,
    /// What was taken of its bond since that last covered all of it.
    pub slashed: Amount,
}

/// Thousandths of a whole.
const THOUSAND: Amount = 1_000;

/// What a masternode must have bonded for what it has open, in thousandths of that. Never less than all of it:
/// what is below a thousand counts as a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BondPerExposure(pub u16);

impl BondPerExposure {
    fn permille(self) -> Amount {
        Amount::from(self.0).max(THOUSAND)
    }

    /// What must be bonded where so much is open, rounded up. What is more than any amount, nobody has bonded.
    pub fn needed(self, open: Amount) -> Amount {
        let (whole, part) = scaled(open, self.permille(), THOUSAND);
        whole.saturating_add(part.into())
    }

    /// The most that may be open where so much is bonded, rounded down.
    pub fn covered(self, bonded: Amount) -> Amount {
        scaled(bonded, THOUSAND, self.permille()).0
    }
}

/// An amount by a fraction of small numbers, rounded down, and whether something was left. Quotient and remainder
/// are apart, so that no step is larger than what comes out, or than the square of the numbers.
fn scaled(amount: Amount, by: Amount, of: Amount) -> (Amount, bool) {
    let [quotient, rest] =
        [amount.checked_div(of), amount.checked_rem(of)].map(Option::unwrap_or_default);
    let rest = rest.saturating_mul(by);
    let [more, part] = [rest.checked_div(of), rest.checked_rem(of)].map(Option::unwrap_or_default);
    (quotient.saturating_mul(by).saturating_add(more), part > 0)
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
    /// The place of the last block of that stretch in the log.
    #[cfg_attr(feature = "std", serde(rename = "log_block"))]
    pub block: u64,
    /// That block's hash, which more than half of the job's group certified.
    #[cfg_attr(feature = "std", serde(rename = "log_head"))]
    pub head: Digest,
    /// Tasks settled.
    pub tasks: u32,
    /// Sum of the verdicts' prices.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub spent: Amount,
    /// What of it is the workers'; they have it when the batch is final.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub paid: Amount,
    /// The block that settled it.
    pub settled_at: BlockNumber,
    /// Where it stands.
    #[cfg_attr(feature = "std", serde(flatten))]
    pub state: BatchState,
}

impl BatchRecord {
    /// Whether it is paid, and stays.
    pub fn is_final(&self) -> bool {
        matches!(self.state, BatchState::Final { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_needed_is_rounded_up_and_what_is_covered_down() {
        let half_more = BondPerExposure(1_500);
        assert_eq!([half_more.needed(4), half_more.needed(5)], [6, 8]);
        assert_eq!([half_more.covered(6), half_more.covered(8)], [4, 5]);
        assert_eq!([half_more.covered(7), half_more.covered(0)], [4, 0]);
    }

    proptest! {
        #[test]
        fn a_bond_covers_just_what_needs_no_more_than_it(
            permille: u16, open in 0..u128::MAX / 66, bonded: u128
        ) {
            let per_exposure = BondPerExposure(permille);
            let is_covered = open <= per_exposure.covered(bonded);
            prop_assert_eq!(is_covered, per_exposure.needed(open) <= bonded);
            prop_assert!(per_exposure.covered(bonded) <= bonded && per_exposure.needed(open) >= open);
        }

        #[test]
        fn what_is_more_than_any_amount_nobody_has(permille in 1_001u16.., bonded: u128) {
            let per_exposure = BondPerExposure(permille);
            prop_assert_eq!(per_exposure.needed(u128::MAX), u128::MAX);
            prop_assert!(per_exposure.covered(bonded) < u128::MAX);
        }
    }
}
