//! What became of a device's last tasks, as the chain remembers it.

use super::RecordChange;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The last 20 tasks of a device, newest in the lowest bit: which failed, which were late, which
/// were answered wrongly. At the beginning, and after a review, all of them count as accepted. The
/// fault rate follows from it.
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
pub struct History {
    /// Tasks that failed on the device for its own fault.
    pub failed: u32,
    /// Tasks it was late with.
    pub delayed: u32,
    /// Tasks it answered wrongly.
    pub incorrect: u32,
}

impl History {
    /// Tasks that are remembered.
    pub const TASKS: u32 = 20;

    const MASK: u32 = (1 << Self::TASKS) - 1;

    /// A fault rate of one: three shares, of twenty tasks each.
    const ALL_SIXTIETHS: u32 = 3 * Self::TASKS;

    /// Adds a batch's tasks as if they had ended in this order: the incorrect ones, the failed, the
    /// delayed, then the accepted. A batch tells numbers and no order, so one is fixed here, and
    /// anybody who reads the batches can compute the same history.
    pub fn add(&mut self, change: &RecordChange) {
        let newest = self.make_room(change.incorrect);
        self.incorrect |= newest;
        let newest = self.make_room(change.failed);
        self.failed |= newest;
        let newest = self.make_room(change.delayed);
        self.delayed |= newest;
        self.make_room(change.accepted);
    }

    /// Makes room for so many newer tasks, and tells which bits are theirs.
    fn make_room(&mut self, tasks: u32) -> u32 {
        let tasks = tasks.min(Self::TASKS);
        for vector in [&mut self.failed, &mut self.delayed, &mut self.incorrect] {
            // What is pushed beyond the twentieth bit is forgotten.
            *vector = (*vector << tasks) & Self::MASK;
        }
        !(u32::MAX << tasks)
    }

    /// The fault rate, in sixtieths: the mean of the shares that failed, were late and were wrong.
    pub fn rate_sixtieths(&self) -> u8 {
        let vectors = [self.failed, self.delayed, self.incorrect];
        let faults: u32 = vectors
            .iter()
            .map(|vector| (vector & Self::MASK).count_ones())
            .sum();
        // At most three times twenty.
        u8::try_from(faults).unwrap_or(u8::MAX)
    }

    /// Of the last [`TASKS`](Self::TASKS) tasks, those with any fault.
    pub fn faulty_tasks(&self) -> u32 {
        ((self.failed | self.delayed | self.incorrect) & Self::MASK).count_ones()
    }

    /// Whether failures are repeated: a fault rate above one half, or a fault in more than half of
    /// the last tasks. By the rate alone a device that fails every task would stand at one third.
    pub fn is_repeated(&self) -> bool {
        u32::from(self.rate_sixtieths()).saturating_mul(2) > Self::ALL_SIXTIETHS
            || self.faulty_tasks().saturating_mul(2) > Self::TASKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Class, Record};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Ending {
        Accepted,
        Failed,
        Delayed,
        Incorrect,
    }

    /// Every task there ever was, one by one, newest last.
    #[derive(Default)]
    struct Tasks(Vec<Ending>);

    impl Tasks {
        fn add(&mut self, change: &RecordChange) {
            let ordered = [
                (Ending::Incorrect, change.incorrect),
                (Ending::Failed, change.failed),
                (Ending::Delayed, change.delayed),
                (Ending::Accepted, change.accepted),
            ];
            for (ending, tasks) in ordered {
                (0..tasks).for_each(|_| self.0.push(ending));
            }
        }

        fn vector(&self, of: Ending) -> u32 {
            let last = self.0.iter().rev().take(20).enumerate();
            last.filter(|(_, ending)| **ending == of)
                .map(|(age, _)| 1u32 << age)
                .sum()
        }

        fn faults(&self) -> usize {
            let last = self.0.iter().rev().take(20);
            last.filter(|ending| **ending != Ending::Accepted).count()
        }
    }

    fn change() -> impl Strategy<Value = RecordChange> {
        // None of a kind and a few are what batches have; more than are remembered must work too.
        let tasks = prop_oneof![3 => Just(0u32), 3 => 0..4u32, 1 => 0..50u32];
        prop::collection::vec(tasks, 4).prop_map(|tasks| RecordChange {
            accepted: tasks[0],
            failed: tasks[1],
            delayed: tasks[2],
            incorrect: tasks[3],
        })
    }

    fn failed(tasks: u32) -> RecordChange {
        RecordChange {
            failed: tasks,
            ..Default::default()
        }
    }

    fn after(changes: &[RecordChange]) -> History {
        let mut history = History::default();
        changes.iter().for_each(|change| history.add(change));
        history
    }

    #[test]
    fn ten_faulty_tasks_of_twenty_are_borne_and_eleven_are_not() {
        assert!(!after(&[failed(10)]).is_repeated());
        assert!(after(&[failed(11)]).is_repeated());
        let every_task = after(&[failed(20)]);
        assert_eq!(every_task.rate_sixtieths(), 20);
        assert!(every_task.is_repeated());
    }

    #[test]
    fn a_batch_s_tasks_count_in_their_fixed_order_with_the_accepted_ones_last() {
        let mixed = RecordChange {
            accepted: 2,
            failed: 1,
            delayed: 1,
            incorrect: 1,
        };
        let expected = History {
            failed: 0b01000,
            delayed: 0b00100,
            incorrect: 0b10000,
        };
        assert_eq!(after(&[mixed]), expected);
    }

    #[test]
    fn numbers_beyond_any_batch_cost_no_time_and_wrap_nothing() {
        let all = RecordChange {
            accepted: 0,
            failed: u32::MAX,
            delayed: u32::MAX,
            incorrect: u32::MAX,
        };
        let history = after(&[all]);
        assert_eq!(history.delayed, History::MASK);
        assert_eq!((history.failed, history.incorrect), (0, 0));
        let forgotten = RecordChange {
            accepted: u32::MAX,
            ..Default::default()
        };
        assert_eq!(after(&[all, forgotten]), History::default());

        let mut record = Record::default();
        record.add(&forgotten, Class::Pinned);
        record.add(&forgotten, Class::Portable);
        assert_eq!(record.accepted_in_a_row, u32::MAX);
        let all_of = u64::from(u32::MAX);
        assert_eq!(
            (record.accepted, record.accepted_portable),
            (2 * all_of, all_of)
        );
        record.add(&all, Class::Pinned);
        assert_eq!(record.accepted_in_a_row, 0);
    }

    #[test]
    fn bits_beyond_the_twentieth_count_for_nothing() {
        let stray = History {
            failed: !History::MASK,
            delayed: !History::MASK,
            incorrect: !History::MASK,
        };
        assert_eq!((stray.rate_sixtieths(), stray.faulty_tasks()), (0, 0));
    }

    proptest! {
        #[test]
        fn a_history_is_the_last_twenty_of_all_tasks_pushed_one_by_one(
            changes in prop::collection::vec(change(), 0..20)
        ) {
            let (mut tasks, mut history, mut record) =
                (Tasks::default(), History::default(), Record::default());
            for change in changes {
                tasks.add(&change);
                history.add(&change);
                record.add(&change, Class::Pinned);
                let expected = History {
                    failed: tasks.vector(Ending::Failed),
                    delayed: tasks.vector(Ending::Delayed),
                    incorrect: tasks.vector(Ending::Incorrect),
                };
                prop_assert_eq!(history, expected);
                prop_assert_eq!(history.faulty_tasks() as usize, tasks.faults());
                prop_assert_eq!(history.is_repeated(), tasks.faults() > 10);
                let accepted = |ending: &&Ending| **ending == Ending::Accepted;
                let row = tasks.0.iter().rev().take_while(accepted).count();
                prop_assert_eq!(record.accepted_in_a_row as usize, row);
            }
        }

        #[test]
        fn the_rate_is_the_mean_of_three_shares_whatever_the_bits(
            failed: u32, delayed: u32, incorrect: u32
        ) {
            let history = History { failed, delayed, incorrect };
            let ones = |bits: u32| (0..20).filter(|age| bits >> age & 1 == 1).count();
            let faults = ones(failed) + ones(delayed) + ones(incorrect);
            prop_assert_eq!(usize::from(history.rate_sixtieths()), faults);
            let faulty = ones(failed | delayed | incorrect);
            prop_assert_eq!(history.is_repeated(), faults > 30 || faulty > 10);
        }
    }
}
