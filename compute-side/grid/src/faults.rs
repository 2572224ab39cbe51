//! What went wrong on a device lately, and what follows from it.
//!
//! Of the last [`WINDOW`] tasks it is remembered which failed, which were delayed and which were
//! answered incorrectly. The fault rate is the mean of the three shares, from 0 to 1, as the
//! published design has it. By that mean alone a device that fails every task stands at 1/3, so two
//! rules of ours go beside it: more than half of the last tasks with any fault is as bad as a rate
//! above one half, and faults in a row cost the device tasks at once. After how many tasks a device is
//! out by these rules [`out`] says.

#[cfg(test)]
pub(crate) mod model;
pub mod out;

use crate::{Moment, Tick};
use quern_primitives::device::History;

/// Tasks that are remembered.
pub const WINDOW: u32 = History::TASKS;

/// Faults in a row after which a device has to wait.
const IN_A_ROW: u8 = 3;

/// The first wait, in milliseconds: ten minutes. Each further one is twice as long.
const WAIT_MS: u64 = 10 * 60_000;

/// The longest wait, in milliseconds: a day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60_000;

/// Tasks a device holds at most: one running, one being fetched.
pub const IN_HAND_MAX: u8 = 2;

const MASK: u32 = (1 << WINDOW) - 1;

/// How a task ended on a device, as far as the device is to blame for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// It failed, or was never finished.
    pub failed: bool,
    /// It was late.
    pub delayed: bool,
    /// It was answered, and wrongly.
    pub incorrect: bool,
}

impl Ending {
    /// As it should be.
    pub const COMPLETED: Self = Self {
        failed: false,
        delayed: false,
        incorrect: false,
    };
    /// It failed.
    pub const FAILED: Self = Self {
        failed: true,
        ..Self::COMPLETED
    };
    /// It was late.
    pub const DELAYED: Self = Self {
        delayed: true,
        ..Self::COMPLETED
    };
    /// It was answered wrongly.
    pub const INCORRECT: Self = Self {
        incorrect: true,
        ..Self::COMPLETED
    };

    fn is_fault(self) -> bool {
        self != Self::COMPLETED
    }
}

/// A fault rate: so many sixtieths. Exact, because it is a mean of three shares of twenty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultRate(u8);

impl FaultRate {
    /// What a rate is divided by.
    pub const WHOLE: u8 = 3 * WINDOW as u8;

    /// A rate of so many sixtieths; more than all is taken as all.
    pub fn from_sixtieths(sixtieths: u8) -> Self {
        Self(sixtieths.min(Self::WHOLE))
    }

    /// In sixtieths.
    pub fn sixtieths(self) -> u8 {
        self.0
    }

    /// From 0 to 1.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    /// `floor(i R)`.
    pub(crate) fn of(self, i: u32) -> u32 {
        (u64::from(i) * u64::from(self.0) / u64::from(Self::WHOLE)) as u32
    }
}

/// What went wrong on a device lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The last tasks.
    tasks: History,
    in_a_row: u8,
    /// How often it has had to wait since it last was without a fault.
    waits: u8,
    /// None if it has not to wait.
    waits_until: Moment,
}

impl Faults {
    /// Takes note of how a task ended.
    pub fn note(&mut self, now: Tick, ending: Ending) {
        let push = |tasks: &mut u32, bit: bool| *tasks = (*tasks << 1 | u32::from(bit)) & MASK;
        push(&mut self.tasks.failed, ending.failed);
        push(&mut self.tasks.delayed, ending.delayed);
        push(&mut self.tasks.incorrect, ending.incorrect);
        if !ending.is_fault() {
            self.in_a_row = 0;
            self.waits_until = Moment::default();
            if self.faulty_tasks() == 0 {
                self.waits = 0;
            }
            return;
        }
        self.one_more_in_a_row(now);
    }

    fn one_more_in_a_row(&mut self, now: Tick) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= IN_A_ROW {
            let wait = WAIT_MS
                .saturating_mul(1 << self.waits.min(10))
                .min(WAIT_MS_MAX);
            self.waits_until = Moment::at(now.plus_ms(wait));
            self.waits = self.waits.saturating_add(1);
        }
    }

    /// The fault rate.
    pub fn rate(&self) -> FaultRate {
        FaultRate(self.tasks.rate_sixtieths())
    }

    /// Of the last [`WINDOW`] tasks, those with any fault.
    pub fn faulty_tasks(&self) -> u32 {
        self.tasks.faulty_tasks()
    }

    /// Whether its failures are repeated: a rate above one half, or a fault in more than half of the
    /// last tasks.
    pub fn is_repeated(&self) -> bool {
        self.tasks.is_repeated()
    }

    /// Tasks it may hold now: two; one until it has completed one after a fault; none while it
    /// waits.
    pub fn in_hand_max(&self, now: Tick) -> u8 {
        match self.in_a_row {
            0 => IN_HAND_MAX,
            _ if self.waits_until(now).is_some() => 0,
            _ => 1,
        }
    }

    /// Until when it gets nothing, if it has to wait.
    pub fn waits_until(&self, now: Tick) -> Option<Tick> {
        self.waits_until.tick().filter(|until| now < *until)
    }

    /// Faults since it last completed a task.
    pub fn in_a_row(&self) -> u8 {
        self.in_a_row
    }

    /// As another memory has it, for a device that comes now. When those tasks ended is not told, so all
    /// are taken to have ended now: after faults at their end the device holds one task at a time, and
    /// after three in a row it waits from now on, the longer the more there are. What was before the
    /// last [`WINDOW`] tasks is not known.
    pub fn restored(now: Tick, tasks: &History) -> Self {
        let mut faults = Self::default();
        for age in (0..WINDOW).rev() {
            let had = |tasks: u32| tasks >> age & 1 == 1;
            let ending = Ending {
                failed: had(tasks.failed),
                delayed: had(tasks.delayed),
                incorrect: had(tasks.incorrect),
            };
            faults.note(now, ending);
        }
        faults
    }

    /// The last tasks, as they are remembered.
    pub fn tasks(&self) -> History {
        self.tasks
    }

    /// With the last tasks as another memory has them, which counts for more than this one: it knows of
    /// tasks done elsewhere, and which of those done here were settled. Where nothing is remembered here,
    /// all is [restored](Self::restored).
    ///
    /// Else the row of faults is that of here, which knows the order of its tasks, but for those that
    /// only one memory has. By how many it has more of them, at most, the row becomes as long as the one
    /// at the end of its tasks, and each of these has the device wait as if it had happened now. By how
    /// many it has fewer the row becomes shorter; with fewer than three the wait is over. What merely
    /// stands in another order there changes nothing.
    #[must_use]
    pub fn corrected(self, now: Tick, tasks: &History) -> Self {
        if self == Self::default() {
            return Self::restored(now, tasks);
        }
        let tasks = History {
            failed: tasks.failed & MASK,
            delayed: tasks.delayed & MASK,
            incorrect: tasks.incorrect & MASK,
        };
        // None is above the tasks that are remembered, so each fits.
        let byte = |tasks: u32| u8::try_from(tasks).unwrap_or(u8::MAX);
        let (here, there) = (byte(self.faulty_tasks()), byte(tasks.faulty_tasks()));
        let at_the_end = byte((tasks.failed | tasks.delayed | tasks.incorrect).trailing_ones());
        let fewer = here.saturating_sub(there);
        let row = self.in_a_row.saturating_sub(fewer).min(there);
        let mut corrected = Self {
            tasks,
            in_a_row: row,
            ..self
        };
        if row < IN_A_ROW {
            corrected.waits_until = Moment::default();
        }
        if there == 0 {
            corrected.waits = 0;
        }
        let newer = there
            .saturating_sub(here)
            .min(at_the_end.saturating_sub(row));
        (0..newer).for_each(|_| corrected.one_more_in_a_row(now));
        corrected
    }

    /// After a review everything is forgotten.
    pub fn review(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn tasks(failed: u32, delayed: u32, incorrect: u32) -> History {
        History {
            failed,
            delayed,
            incorrect,
        }
    }

    fn restored(now: Tick, failed: u32, delayed: u32, incorrect: u32) -> Faults {
        Faults::restored(now, &tasks(failed, delayed, incorrect))
    }

    fn after(endings: &[Ending]) -> Faults {
        let mut faults = Faults::default();
        endings
            .iter()
            .for_each(|ending| faults.note(Tick(0), *ending));
        faults
    }

    #[test]
    fn a_device_that_fails_every_task_has_a_rate_of_a_third_and_is_flagged_all_the_same() {
        let faults = after(&[Ending::FAILED; 20]);
        assert_eq!(faults.rate().as_fraction(), 1.0 / 3.0);
        assert!(faults.is_repeated());
    }

    #[test]
    fn ten_faulty_tasks_of_twenty_are_borne_and_eleven_are_not() {
        assert!(!after(&[Ending::DELAYED; 10]).is_repeated());
        assert!(after(&[Ending::DELAYED; 11]).is_repeated());
    }

    #[test]
    fn what_is_older_than_twenty_tasks_is_forgotten() {
        let mut faults = after(&[Ending::INCORRECT; 20]);
        (0..20).for_each(|_| faults.note(Tick(0), Ending::COMPLETED));
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn after_a_fault_a_device_holds_one_task_until_it_completes_one() {
        let mut faults = after(&[Ending::COMPLETED, Ending::FAILED]);
        assert_eq!(faults.in_hand_max(Tick(0)), 1);
        faults.note(Tick(0), Ending::COMPLETED);
        assert_eq!(faults.in_hand_max(Tick(0)), 2);
    }

    #[test]
    fn three_faults_in_a_row_cost_ten_minutes_and_each_further_one_twice_as_much_up_to_a_day() {
        const MINUTE: u64 = 60_000;
        let mut faults = after(&[Ending::FAILED; 3]);
        assert_eq!(faults.waits_until(Tick(0)), Some(Tick(10 * MINUTE)));
        assert_eq!(faults.in_hand_max(Tick(10 * MINUTE - 1)), 0);
        assert_eq!(faults.in_hand_max(Tick(10 * MINUTE)), 1);
        faults.note(Tick(0), Ending::FAILED);
        assert_eq!(faults.waits_until(Tick(0)), Some(Tick(20 * MINUTE)));
        (0..50).for_each(|_| faults.note(Tick(0), Ending::FAILED));
        assert_eq!(faults.waits_until(Tick(0)), Some(Tick(24 * 60 * MINUTE)));
        faults.note(Tick(0), Ending::COMPLETED);
        assert_eq!(faults.in_hand_max(Tick(0)), 2);
    }

    #[test]
    fn a_device_that_comes_with_faults_holds_one_task_or_waits_from_then_on() {
        const NOW: Tick = Tick(5_000);
        let minutes = |faults: &Faults| {
            let until = faults.waits_until(NOW)?;
            Some(until.since(NOW) / 60_000)
        };
        let good = restored(NOW, 0b110, 0b1000, 0);
        assert_eq!((good.in_hand_max(NOW), good.faulty_tasks()), (2, 3));
        let two = restored(NOW, 0b01, 0, 0b10);
        assert_eq!((two.in_hand_max(NOW), minutes(&two)), (1, None));
        // The same task may be late and wrong.
        let three = restored(NOW, 0b001, 0b010, 0b110);
        assert_eq!((three.in_a_row(), minutes(&three)), (3, Some(10)));
        assert_eq!(three.in_hand_max(NOW), 0);
        assert_eq!(three.in_hand_max(NOW.plus_ms(10 * 60_000)), 1);
        let four = restored(NOW, 0b1111, 0, 0);
        assert_eq!(minutes(&four), Some(20));
        // It has waited before, and completed a task since.
        let again = restored(NOW, 0b111_0111, 0, 0);
        assert_eq!(minutes(&again), Some(20));
        let always = restored(NOW, u32::MAX, u32::MAX, u32::MAX);
        assert_eq!(
            (always.rate().sixtieths(), minutes(&always)),
            (60, Some(1_440))
        );
        assert_eq!(restored(NOW, 0, 0, 0), Faults::default());
        assert_eq!(restored(NOW, 1 << WINDOW, 0, 0), Faults::default());
    }

    #[test]
    fn faults_that_another_memory_does_not_have_are_in_no_row_and_nobody_waits_for_them() {
        const NOW: Tick = Tick(1_000);
        let here = after(&[Ending::FAILED; 11]);
        assert!(here.is_repeated() && here.waits_until(NOW).is_some());
        assert_eq!(here.corrected(NOW, &tasks(0, 0, 0)), Faults::default());
        let one = here.corrected(NOW, &tasks(0b1, 0, 1 << WINDOW));
        assert!(!one.is_repeated());
        assert_eq!((one.faulty_tasks(), one.in_a_row()), (1, 1));
        assert_eq!((one.waits_until(NOW), one.in_hand_max(NOW)), (None, 1));
        // Two of five were never settled, and for three it goes on waiting.
        let five = after(&[Ending::FAILED; 5]);
        let three = five.corrected(NOW, &tasks(0b111, 0, 0));
        assert_eq!(three.in_a_row(), 3);
        assert_eq!(three.waits_until(NOW), five.waits_until(NOW));
        // One on top of ten that are older.
        let mut eleven = restored(Tick(0), 0x3ff << 1, 0, 0);
        eleven.note(Tick(0), Ending::INCORRECT);
        let ten = eleven.corrected(NOW, &tasks(0x3ff << 1, 0, 0));
        assert_eq!((ten.in_a_row(), ten.in_hand_max(NOW)), (0, 2));
    }

    #[test]
    fn faults_in_a_row_that_only_another_memory_has_count_as_if_they_had_happened_now() {
        const NOW: Tick = Tick(1_000);
        const MINUTE: u64 = 60_000;
        let until = |minutes| Some(NOW.plus_ms(minutes * MINUTE));
        let new = Faults::default().corrected(NOW, &tasks(0b111, 0, 0));
        assert_eq!(new, restored(NOW, 0b111, 0, 0));
        // Two elsewhere after one of here.
        let one = after(&[Ending::COMPLETED, Ending::FAILED]);
        let three = one.corrected(NOW, &tasks(0b001, 0b110, 0));
        assert_eq!((three.in_a_row(), three.waits_until(NOW)), (3, until(10)));
        let told_again = three.corrected(NOW.plus_ms(MINUTE), &tasks(0b001, 0b110, 0));
        assert_eq!(told_again, three);
        let four = three.corrected(NOW, &tasks(0b1001, 0b110, 0));
        assert_eq!((four.in_a_row(), four.waits_until(NOW)), (4, until(20)));
        // All of them elsewhere, and here it completed a task since its last fault.
        let good = after(&[Ending::FAILED, Ending::COMPLETED]);
        let elsewhere = good.corrected(NOW, &tasks(0x7ff, 0, 0));
        assert!(elsewhere.is_repeated());
        assert!(elsewhere.waits_until(NOW) > until(60));
        // Those that a completed task followed are in no row.
        let before = good.corrected(NOW, &tasks(0x3ff << 1, 0, 0));
        assert_eq!((before.in_a_row(), before.waits_until(NOW)), (0, None));
    }

    #[test]
    fn another_order_of_the_same_faults_changes_no_row() {
        const NOW: Tick = Tick(1_000);
        let (failed, completed) = (Ending::FAILED, Ending::COMPLETED);
        // A batch tells of what was accepted as the newest.
        let waits = after(&[completed, failed, failed, failed]);
        let told = waits.corrected(NOW, &tasks(0b1110, 0, 0));
        assert_eq!((told.in_a_row(), told.in_hand_max(NOW)), (3, 0));
        // Of two jobs the one is settled later whose task was accepted earlier.
        let works = after(&[failed, failed, failed, completed]);
        let told = works.corrected(NOW, &tasks(0b111, 0, 0));
        assert_eq!((told.in_a_row(), told.in_hand_max(NOW)), (0, 2));
    }

    #[test]
    fn a_review_forgets_everything() {
        let mut faults = after(&[Ending::FAILED; 20]);
        faults.review();
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn a_clock_at_its_end_wraps_nothing() {
        let mut faults = Faults::default();
        (0..5).for_each(|_| faults.note(Tick(u64::MAX - 1), Ending::FAILED));
        assert_eq!(faults.in_hand_max(Tick(u64::MAX - 1)), 0);
    }

    proptest! {
        #[test]
        fn what_is_restored_at_once_is_what_was_noted(
            now: u64, endings in prop::collection::vec(any::<(bool, bool, bool)>(), 0..=WINDOW as usize)
        ) {
            let mut noted = Faults::default();
            for (failed, delayed, incorrect) in endings {
                noted.note(Tick(now), Ending { failed, delayed, incorrect });
            }
            prop_assert_eq!(Faults::restored(Tick(now), &noted.tasks), noted);
        }

        /// The three vectors as the published design describes them.
        #[test]
        fn the_rate_is_the_mean_of_the_means_of_three_vectors(
            endings in prop::collection::vec(any::<(bool, bool, bool)>(), 0..60)
        ) {
            let mut faults = Faults::default();
            let mut vectors = [(); 3].map(|()| VecDeque::from([0.0; WINDOW as usize]));
            for (failed, delayed, incorrect) in endings {
                faults.note(Tick(0), Ending { failed, delayed, incorrect });
                for (vector, fault) in vectors.iter_mut().zip([failed, delayed, incorrect]) {
                    vector.pop_front();
                    vector.push_back(f64::from(u8::from(fault)));
                }
                let mean = |vector: &VecDeque<f64>| vector.iter().sum::<f64>() / vector.len() as f64;
                let rate = vectors.iter().map(mean).sum::<f64>() / 3.0;
                prop_assert!((faults.rate().as_fraction() - rate).abs() < 1e-12);
            }
        }
    }
}
