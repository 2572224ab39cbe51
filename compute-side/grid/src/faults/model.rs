//! Tasks that ended on a device as a list, and the faults in a row as another, counted anew each time.

use super::*;
use proptest::prelude::*;

const MINUTE: u64 = 60_000;

/// The last twenty tasks of a device; where there were fewer, nothing is known against the others.
pub(crate) type Twenty = [Ending; 20];

/// How tasks ended, as far as that is remembered, and what came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The newest last.
    tasks: Vec<Ending>,
    /// The faults since a task was completed, each with until when it has the device wait, if it does.
    row: Vec<Option<Tick>>,
    /// How often it has had to wait since it last was without a fault.
    waits: u32,
}

impl History {
    fn last(&self) -> Twenty {
        let mut last = [Ending::COMPLETED; 20];
        for (place, ending) in last.iter_mut().zip(self.tasks.iter().rev()) {
            *place = *ending;
        }
        last
    }

    /// Ten minutes from the third fault in a row on, twice as long from each that follows before the
    /// device is without a fault again, a day at most.
    fn fault(&mut self, now: Tick) {
        let is_third = self.row.len() >= 2;
        let until = is_third.then(|| {
            let wait_ms = 2_u64.saturating_pow(self.waits).saturating_mul(10 * MINUTE);
            now.plus_ms(wait_ms.min(24 * 60 * MINUTE))
        });
        self.waits += u32::from(is_third);
        self.row.push(until);
    }

    pub(crate) fn note(&mut self, now: Tick, ending: Ending) {
        self.tasks.push(ending);
        if ending != Ending::COMPLETED {
            return self.fault(now);
        }
        self.row.clear();
        if self.faulty_tasks() == 0 {
            self.waits = 0;
        }
    }

    /// Another memory has these twenty tasks, the newest first.
    pub(crate) fn told(&mut self, now: Tick, tasks: &Twenty) {
        let from_the_oldest = tasks.iter().rev().copied();
        let before = self.faulty_tasks();
        if before == 0 && self.row.is_empty() {
            *self = Self::default();
            return from_the_oldest.for_each(|ending| self.note(now, ending));
        }
        self.tasks = from_the_oldest.collect();
        let after = self.faulty_tasks();
        // As many are forgotten as there are fewer now, and there are no more than there are at all.
        let forgotten = before.saturating_sub(after);
        let kept = self.row.len().saturating_sub(forgotten).min(after);
        self.row.drain(..self.row.len() - kept);
        let at_the_end = tasks.iter().take_while(|it| **it != Ending::COMPLETED);
        let more = at_the_end.count().saturating_sub(kept);
        for _ in 0..more.min(after.saturating_sub(before)) {
            self.fault(now);
        }
        if after == 0 {
            self.waits = 0;
        }
    }

    pub(crate) fn faulty_tasks(&self) -> usize {
        let is_faulty = |it: &Ending| it.failed || it.delayed || it.incorrect;
        self.last().into_iter().filter(is_faulty).count()
    }

    /// So many sixtieths: of three vectors of twenty, the places that hold a fault.
    pub(crate) fn sixtieths(&self) -> usize {
        let count = |is: fn(&Ending) -> bool| self.last().into_iter().filter(is).count();
        count(|it| it.failed) + count(|it| it.delayed) + count(|it| it.incorrect)
    }

    /// R = (mean F + mean D + mean I) / 3.
    fn rate(&self) -> f64 {
        let mean = |is: fn(&Ending) -> bool| {
            let count = self.last().into_iter().filter(is).count();
            count as f64 / 20.0
        };
        (mean(|it| it.failed) + mean(|it| it.delayed) + mean(|it| it.incorrect)) / 3.0
    }

    pub(crate) fn is_repeated(&self) -> bool {
        self.rate() > 0.5 || self.faulty_tasks() > 10
    }

    /// Until when it gets nothing, for the newest of three faults in a row or more.
    pub(crate) fn waits_until(&self) -> Option<Tick> {
        let newest = self.row.last().filter(|_| self.row.len() >= 3);
        newest.copied().flatten()
    }

    pub(crate) fn is_waiting(&self, now: Tick) -> bool {
        self.waits_until().is_some_and(|until| now < until)
    }

    /// Two; one after a fault; none while it waits.
    pub(crate) fn in_hand_max(&self, now: Tick) -> u8 {
        match self.row.len() {
            0 => 2,
            _ if self.is_waiting(now) => 0,
            _ => 1,
        }
    }
}

/// Twenty tasks as the chain has them.
pub(crate) fn on_the_chain(tasks: &Twenty) -> quern_primitives::device::History {
    let bits = |is: fn(&Ending) -> bool| {
        let newest_first = (0_u32..).zip(tasks);
        let had = newest_first.filter(|(_, it)| is(it));
        had.map(|(age, _)| 1_u32 << age).sum::<u32>()
    };
    quern_primitives::device::History {
        failed: bits(|it| it.failed),
        delayed: bits(|it| it.delayed),
        incorrect: bits(|it| it.incorrect),
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

/// Twenty tasks, several after each other alike.
pub(crate) fn twenty() -> impl Strategy<Value = Twenty> {
    let row = prop_oneof![
        2 => Just((Ending::COMPLETED, 20usize)),
        3 => (Just(Ending::COMPLETED), 1usize..6),
        3 => (ending(), 1usize..6),
    ];
    prop::collection::vec(row, 1..6).prop_map(|rows| {
        let each = rows
            .into_iter()
            .flat_map(|(ending, times)| std::iter::repeat_n(ending, times));
        let mut tasks = [Ending::COMPLETED; 20];
        for (task, ending) in tasks.iter_mut().zip(each) {
            *task = ending;
        }
        tasks
    })
}

/// What becomes of a device's faults.
#[derive(Clone, Debug)]
enum Happens {
    /// So many tasks end alike.
    Ends(Ending, usize),
    /// Another memory is heard.
    Told(Twenty),
    /// The same is heard of what is known here, with the accepted tasks as the newest.
    Reordered,
    Reviewed,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        12 => (ending(), 1usize..25).prop_map(|(ending, times)| Happens::Ends(ending, times)),
        6 => (ending(), 1usize..5).prop_map(|(ending, times)| Happens::Ends(ending, times)),
        6 => twenty().prop_map(Happens::Told),
        2 => Just(Happens::Reordered),
        1 => Just(Happens::Reviewed),
    ]
}

proptest! {
    /// Several tasks after each other end alike, so that there are rows of faults and none for long.
    #[test]
    fn what_follows_from_the_faults_is_what_counting_all_of_them_finds(
        happenings in prop::collection::vec((
            happens(),
            prop_oneof![
                8 => 0..20 * MINUTE,
                2 => Just(0),
                1 => 0..48 * 60 * MINUTE,
                1 => Just(u64::MAX),
            ],
        ), 0..12),
    ) {
        let (mut faults, mut history, mut now) = (Faults::default(), History::default(), Tick(0));
        for (happens, apart_ms) in happenings {
            let mut times = 1;
            let mut ends = None;
            match happens {
                Happens::Ends(ending, of) => (ends, times) = (Some(ending), of),
                Happens::Told(tasks) => {
                    faults = faults.corrected(now, &on_the_chain(&tasks));
                    history.told(now, &tasks);
                }
                Happens::Reordered => {
                    let before = (faults.in_a_row(), faults.waits_until(now));
                    let mut tasks = history.last();
                    tasks.sort_by_key(|it| *it != Ending::COMPLETED);
                    faults = faults.corrected(now, &on_the_chain(&tasks));
                    history.told(now, &tasks);
                    // There may be more in a row than are remembered.
                    if usize::from(before.0) <= history.faulty_tasks() {
                        prop_assert_eq!((faults.in_a_row(), faults.waits_until(now)), before);
                    }
                }
                Happens::Reviewed => {
                    faults.review();
                    history = History::default();
                    prop_assert_eq!(faults, Faults::default());
                }
            }
            for _ in 0..times {
                if let Some(ending) = ends {
                    faults.note(now, ending);
                    history.note(now, ending);
                }
                prop_assert_eq!(usize::from(faults.rate().sixtieths()), history.sixtieths());
                prop_assert!((faults.rate().as_fraction() - history.rate()).abs() < 1e-12);
                prop_assert_eq!(faults.faulty_tasks() as usize, history.faulty_tasks());
                prop_assert_eq!(faults.is_repeated(), history.is_repeated());
                prop_assert_eq!(usize::from(faults.in_a_row()), history.row.len().min(255));
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
