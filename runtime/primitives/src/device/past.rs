//! What is remembered of a device, whether it is registered or not.

use super::{Class, Device, History, Record, RecordChange};
use crate::{ids::BlockNumber, limits::REVIEW_PERIOD_BLOCKS};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What became of a device's tasks, and when. It stays when the device is retired, and is the
/// device's again if it is registered once more, by whatever account.
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
pub struct Past {
    /// What became of its replicas.
    pub record: Record,
    /// What became of its last tasks, since it was last reviewed.
    pub history: History,
    /// The block of the last batch that named it; 0 if none has.
    pub last_task: BlockNumber,
    /// The block in which it was last reviewed; 0 if it never was.
    pub last_review: BlockNumber,
}

impl Past {
    /// Takes note of what a batch of a job of this class, settled in block `now`, says of the device. A
    /// change that says nothing is none.
    pub fn note(&mut self, change: &RecordChange, class: Class, now: BlockNumber) {
        if change.is_empty() {
            return;
        }
        self.record.add(change, class);
        self.history.add(change);
        self.last_task = now;
    }
}

impl Device {
    /// What is remembered of it when it is retired.
    pub fn past(&self) -> Past {
        Past {
            record: self.record,
            history: self.history,
            last_task: self.last_task,
            last_review: self.last_review,
        }
    }

    /// Takes over what is remembered of it from before it was retired.
    pub fn resume(&mut self, past: Past) {
        Past {
            record: self.record,
            history: self.history,
            last_task: self.last_task,
            last_review: self.last_review,
        } = past;
    }

    /// Takes note of what a batch says of it, see [`Past::note`].
    pub fn note(&mut self, change: &RecordChange, class: Class, now: BlockNumber) {
        let mut past = self.past();
        past.note(change, class, now);
        self.resume(past);
    }

    /// The first block in which the bond that covered it may cover another, if it is retired in
    /// block `now`: a week after its own account could next have had it reviewed. So who registers
    /// fresh keys with one bond never has more clean histories than weekly reviews give.
    pub fn bond_free_at(&self, now: BlockNumber) -> BlockNumber {
        let reviewable = self.reviewable_from().max(now);
        reviewable.saturating_add(REVIEW_PERIOD_BLOCKS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    fn fresh() -> Device {
        Device::new(
            AccountId::new([1; 32]),
            Default::default(),
            Default::default(),
            Default::default(),
        )
    }

    /// When the clean histories of a liar begin who has one bond. Each time its device is in
    /// quarantine it has it reviewed as soon as that may be, or retires it and registers a fresh key
    /// as soon as the bond is free.
    fn begins(reviews: &[bool]) -> Vec<BlockNumber> {
        let (mut now, mut device) = (1, fresh());
        let mut begun = vec![now];
        for is_reviewed in reviews {
            if *is_reviewed {
                now = device.reviewable_from().max(now);
                device.review(now);
            } else {
                now = device.bond_free_at(now);
                device = fresh();
            }
            begun.push(now);
        }
        begun
    }

    #[test]
    fn what_is_remembered_is_what_the_device_had_and_nothing_else_changes() {
        let change = RecordChange {
            accepted: 3,
            incorrect: 11,
            ..Default::default()
        };
        let mut device = fresh();
        device.review(5);
        device.note(&change, Class::Portable, 9);
        let past = device.past();
        assert_eq!((past.record.incorrect, past.last_task), (11, 9));
        let accepted = [Class::Pinned, Class::Portable].map(|it| past.record.accepted_in(it));
        assert_eq!(accepted, [0, 3]);
        assert_eq!((past.history.faulty_tasks(), past.last_review), (11, 5));
        let mut again = fresh();
        again.resume(past);
        assert_eq!(again, device);

        let mut told = past;
        told.note(&RecordChange::default(), Class::Pinned, 10);
        assert_eq!(told, past, "a change that says nothing is none");
        told.note(&change, Class::Pinned, 10);
        device.note(&change, Class::Pinned, 10);
        assert_eq!(told, device.past());
    }

    #[test]
    fn a_bond_is_free_a_week_after_a_review_could_be_and_within_two_weeks_always() {
        let mut device = fresh();
        assert_eq!(device.bond_free_at(7), 7 + REVIEW_PERIOD_BLOCKS);
        device.review(100);
        assert_eq!(device.bond_free_at(100), 100 + 2 * REVIEW_PERIOD_BLOCKS);
        let later = 100 + REVIEW_PERIOD_BLOCKS;
        assert_eq!(device.bond_free_at(later), later + REVIEW_PERIOD_BLOCKS);
        assert_eq!(device.bond_free_at(BlockNumber::MAX), BlockNumber::MAX);
    }

    proptest! {
        #[test]
        fn fresh_keys_bring_no_clean_history_sooner_than_reviews_do(
            reviews in prop::collection::vec(any::<bool>(), 0..40)
        ) {
            let stays = begins(&vec![true; reviews.len()]);
            for (begun, with_reviews) in begins(&reviews).into_iter().zip(stays) {
                prop_assert!(begun >= with_reviews, "{reviews:?}");
            }
        }
    }
}
