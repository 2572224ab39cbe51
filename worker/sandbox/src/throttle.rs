//! How long runs rest so that they take no more than their part of a thread's time. Pure: time is an
//! argument, counted from any moment.

use std::time::Duration;

/// Hundredths of a whole thread.
pub(crate) const WHOLE_PERCENT: u8 = 100;

/// The longest stretch of running that counts. Runs are counted fifty times a second, and what
/// takes longer than this is no running: the machine slept, or others had its processors.
const STRETCH_MAX: Duration = Duration::from_secs(1);

/// Says when running may go on.
///
/// It is the generic cell rate algorithm (ITU-T I.371) without any tolerance for bursts: a stretch of
/// running takes its length, divided by the part, of the time there is, and the next may begin when
/// that has passed. So in any span of time the part of it is run and at most one stretch beyond, and
/// what was not run at one time is not made up for at another.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    free_at: Duration,
}

impl Throttle {
    /// Counts a stretch of running, at so many hundredths of a thread; there is at least one.
    pub(crate) fn ran(&mut self, from: Duration, to: Duration, percent: u8) {
        let ran = to.saturating_sub(from).min(STRETCH_MAX);
        let takes = ran * u32::from(WHOLE_PERCENT) / u32::from(percent.max(1));
        let began = to.saturating_sub(ran);
        self.free_at = self.free_at.max(began).saturating_add(takes);
    }

    /// How long nothing may run from now on.
    pub(crate) fn rest(&self, now: Duration) -> Duration {
        self.free_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Duration = Duration::from_secs(1_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How long to rest after one stretch.
    fn rest_after(ran: Duration, percent: u8) -> Duration {
        let mut throttle = Throttle::default();
        throttle.ran(START, START + ran, percent);
        throttle.rest(START + ran)
    }

    #[test]
    fn what_ran_is_a_part_of_what_passes() {
        assert_eq!(rest_after(millis(20), 50), millis(20));
        assert_eq!(rest_after(millis(20), 25), millis(60));
        assert_eq!(rest_after(millis(20), 1), millis(1_980));
        assert_eq!(rest_after(millis(20), 100), millis(0));
        assert_eq!(rest_after(millis(20), 0), rest_after(millis(20), 1));
    }

    #[test]
    fn time_that_passes_without_running_is_rest_and_none_is_saved_up() {
        let mut throttle = Throttle::default();
        throttle.ran(START, START + millis(20), 50);
        assert_eq!(throttle.rest(START + millis(30)), millis(10));
        assert_eq!(throttle.rest(START + millis(40)), millis(0));
        let later = START + Duration::from_secs(3_600);
        throttle.ran(later, later + millis(20), 50);
        assert_eq!(throttle.rest(later + millis(20)), millis(20));
    }

    #[test]
    fn two_runs_at_a_time_rest_for_both() {
        let mut throttle = Throttle::default();
        for _ in 0..2 {
            throttle.ran(START, START + millis(20), 50);
        }
        assert_eq!(throttle.rest(START + millis(20)), millis(60));
    }

    #[test]
    fn a_machine_that_slept_owes_no_more_than_for_one_long_stretch() {
        assert_eq!(
            rest_after(Duration::from_secs(8 * 3_600), 25),
            STRETCH_MAX * 3
        );
        // A clock that went back is no stretch at all.
        let mut throttle = Throttle::default();
        throttle.ran(START, START - millis(20), 50);
        assert_eq!(throttle.rest(START), millis(0));
    }

    proptest! {
        #[test]
        fn in_any_span_at_most_the_part_and_one_stretch_is_run(
            percent in 1u8..=100,
            stretches in prop::collection::vec((1u64..50, 0u64..200), 1..40),
        ) {
            let mut throttle = Throttle::default();
            let mut now = START;
            let mut begun = Vec::new();
            for (ran, idle) in &stretches {
                now += throttle.rest(now);
                begun.push((now, millis(*ran)));
                throttle.ran(now, now + millis(*ran), percent);
                now += millis(ran + idle);
            }
            for first in 0..begun.len() {
                for last in first..begun.len() {
                    let ran: Duration = begun[first..last].iter().map(|(_, ran)| *ran).sum();
                    let passed = begun[last].0 - begun[first].0;
                    // Each division may lose a part of a nanosecond.
                    let passed = passed.as_nanos() + (last - first) as u128;
                    prop_assert!(ran.as_nanos() * 100 <= passed * u128::from(percent));
                }
            }
        }
    }
}
