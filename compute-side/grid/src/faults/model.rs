//! Everything that ever ended on a device, and what follows from it counted anew each time.

use super::*;
use proptest::prelude::*;

const MINUTE: u64 = 60_000;

/// How tasks ended since the last review, the newest last, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Vec<(Tick, Ending)>);

/// The last twenty; where there are fewer, nothing is known against the others.
fn last(history: &[(Tick, Ending)]) -> [Ending; 20] {
    let mut last = [Ending::COMPLETED; 20];
    for (place, (_, ending)) in last.iter_mut().zip(history.iter().rev()) {
        *place = *ending;
    }
    last
}

fn faulty(history: &[(Tick, Ending)]) -> usize {
    let is_faulty = |it: &Ending| it.failed || it.delayed || it.incorrect;
    last(history).into_iter().filter(is_faulty).count()
}

fn in_a_row(history: &[(Tick, Ending)]) -> usize {
    let is_faulty = |it: &&(Tick, Ending)| it.1 != Ending::COMPLETED;
    history.iter().rev().take_while(is_faulty).count()
}

impl History {
    pub(crate) fn note(&mut self, now: Tick, ending: Ending) {
        self.0.push((now, ending));
    }

    pub(crate) fn faulty_tasks(&self) -> usize {
        faulty(&self.0)
    }

    /// So many sixtieths: of three vectors of twenty, the places that hold a fault.
    pub(crate) fn sixtieths(&self) -> usize {
        let count = |is: fn(&Ending) -> bool| last(&self.0).into_iter().filter(is).count();
        count(|it| it.failed) + count(|it| it.delayed) + count(|it| it.incorrect)
    }

    /// R = (mean F + mean D + mean I) / 3.
    fn rate(&self) -> f64 {
        let mean = |is: fn(&Ending) -> bool| {
            let count = last(&self.0).into_iter().filter(is).count();
            count as f64 / 20.0
        };
        (mean(|it| it.failed) + mean(|it| it.delayed) + mean(|it| it.incorrect)) / 3.0
    }

    pub(crate) fn is_repeated(&self) -> bool {
        self.rate() > 0.5 || self.faulty_tasks() > 10
    }

    /// Until when it gets nothing: ten minutes from the third fault in a row, twice as long from each
    /// that follows before the device is without a fault again, a day at most.
    pub(crate) fn waits_until(&self) -> Option<Tick> {
        let (mut until, mut waits) = (None, 0);
        for length in 1..=self.0.len() {
            let past = &self.0[..length];
            let (now, _) = past[length - 1];
            match in_a_row(past) {
                0 => {
                    until = None;
                    waits = if faulty(past) == 0 { 0 } else { waits };
                }
                1 | 2 => {}
                _ => {
                    let twice = 2_u64.saturating_pow(waits);
                    let wait_ms = twice.saturating_mul(10 * MINUTE).min(24 * 60 * MINUTE);
                    until = Some(now.plus_ms(wait_ms));
                    waits += 1;
                }
            }
        }
        until
    }

    pub(crate) fn is_waiting(&self, now: Tick) -> bool {
        self.waits_until().is_some_and(|until| now < until)
    }

    /// Two; one after a fault; none while it waits.
    pub(crate) fn in_hand_max(&self, now: Tick) -> u8 {
        match in_a_row(&self.0) {
            0 => 2,
            _ if self.is_waiting(now) => 0,
            _ => 1,
        }
    }
}

/// As tasks end: mostly as they should.
pub(crate) fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        6 => Just(Ending::COMPLETED),
        2 => Just(Ending::FAILED),
        1 => Just(Ending::DELAYED),
        1 => Just(Ending::INCORRECT),
        1 => any::<(bool, bool, bool)>().prop_map(|(failed, delayed, incorrect)| Ending {
            failed,
            delayed,
            incorrect,
        }),
    ]
}

proptest! {
    /// Several tasks after each other end alike, so that there are rows of faults and none for long.
    #[test]
    fn what_follows_from_the_faults_is_what_counting_all_of_them_finds(
        rows in prop::collection::vec((
            ending(),
            1usize..25,
            prop_oneof![
                8 => 0..20 * MINUTE,
                2 => Just(0),
                1 => 0..48 * 60 * MINUTE,
                1 => Just(u64::MAX),
            ],
            prop::bool::weighted(0.05),
        ), 0..8),
    ) {
        let (mut faults, mut history, mut now) = (Faults::default(), History::default(), Tick(0));
        for (ending, times, apart_ms, is_reviewed) in rows {
            if is_reviewed {
                faults.review();
                history = History::default();
                prop_assert_eq!(faults, Faults::default());
            }
            for _ in 0..times {
                faults.note(now, ending);
                history.note(now, ending);
                prop_assert_eq!(usize::from(faults.rate().sixtieths()), history.sixtieths());
                prop_assert!((faults.rate().as_fraction() - history.rate()).abs() < 1e-12);
                prop_assert_eq!(faults.faulty_tasks() as usize, history.faulty_tasks());
                prop_assert_eq!(faults.is_repeated(), history.is_repeated());
                prop_assert_eq!(usize::from(faults.in_a_row()), in_a_row(&history.0));
                let until = history.waits_until();
                for then in [now, now.plus_ms(apart_ms), until.unwrap_or(now)] {
                    let waits = until.filter(|until| then < *until);
                    prop_assert_eq!(faults.waits_until(then), waits);
                    prop_assert_eq!(faults.in_hand_max(then), history.in_hand_max(then));
                }
                now = now.plus_ms(apart_ms);
            }
        }
    }

    #[test]
    fn a_rate_pushes_by_the_whole_part_of_its_share(i in any::<u32>(), sixtieths in any::<u8>()) {
        let rate = FaultRate::from_sixtieths(sixtieths);
        let whole = u64::from(i) * u64::from(sixtieths.min(60));
        prop_assert_eq!(u64::from(rate.of(i)), whole / 60);
        prop_assert!(rate.of(i) <= i);
    }
}
