//! A replica's times counted from its whole story: when it was given, when its device last told of
//! something new, and what was found of it before.

mod facts;

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Story {
    given_at: Tick,
    timeouts: Timeouts,
    takes_ms: u64,
    /// When it should be answered, but for its time being over.
    expected: Tick,
    /// When its device last told of a stage that is later than all before, or when it was given.
    stepped_at: Tick,
    /// Of which stages it told, in the order in which they follow each other.
    told: [bool; 4],
    /// Whether it was found delayed since then.
    is_delayed: bool,
    is_stale: bool,
}

impl Story {
    fn over_at(&self) -> Tick {
        self.given_at.plus_ms(self.timeouts.over_ms)
    }

    /// T2 after it was given, unless that was found already.
    fn stale_at(&self) -> Option<Tick> {
        let at = self.given_at.plus_ms(self.timeouts.stale_ms);
        Some(at).filter(|_| !self.is_stale)
    }

    /// T1 after the last step, unless that was found already, or it is stale.
    fn delayed_at(&self) -> Option<Tick> {
        let at = self.stepped_at.plus_ms(self.timeouts.delayed_ms);
        Some(at).filter(|_| !self.is_delayed && !self.is_stale)
    }

    /// The first time at which there is something to be found.
    fn next(&self) -> Tick {
        let others = self.stale_at().into_iter().chain(self.delayed_at());
        others.fold(self.over_at(), Tick::min)
    }

    fn progressed(&mut self, stage: Stage, now: Tick) {
        let place = stage as usize;
        let was_here = self.told[place..].contains(&true);
        self.told[place] = true;
        if !was_here {
            self.stepped_at = now;
            self.is_delayed = false;
            if stage == Stage::Running {
                self.expected = now.plus_ms(self.takes_ms);
            }
        }
    }

    fn look(&mut self, now: Tick) -> Lapse {
        let has_come = |at: Option<Tick>| at.is_some_and(|at| at <= now);
        if self.over_at() <= now {
            return Lapse::Over;
        }
        if has_come(self.stale_at()) {
            self.is_stale = true;
            return Lapse::Stale;
        }
        if has_come(self.delayed_at()) {
            self.is_delayed = true;
            return Lapse::Delayed;
        }
        Lapse::None
    }

    fn found(&self) -> Lapse {
        match (self.is_stale, self.is_delayed) {
            (true, _) => Lapse::Stale,
            (false, true) => Lapse::Delayed,
            (false, false) => Lapse::None,
        }
    }

    /// What is found when there is something to be found, up to the end.
    fn ahead(mut self) -> Vec<(Tick, Lapse)> {
        let mut ahead: Vec<(Tick, Lapse)> = vec![];
        while !ahead.iter().any(|(_, lapse)| *lapse == Lapse::Over) {
            let at = self.next();
            ahead.push((at, self.look(at)));
        }
        ahead
    }
}

fn stage() -> impl Strategy<Value = Stage> {
    prop::sample::select(vec![
        Stage::Fetching,
        Stage::Ready,
        Stage::Running,
        Stage::Delivering,
    ])
}

fn ms() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..100, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn compare(watch: &Watch, story: &Story) -> Result<(), TestCaseError> {
    prop_assert_eq!(watch.until, story.over_at());
    prop_assert_eq!(watch.expected, story.expected.min(story.over_at()));
    prop_assert_eq!(watch.next, story.next());
    prop_assert_eq!(watch.found(), story.found());
    prop_assert_eq!(watch.ahead(), story.ahead());
    Ok(())
}

proptest! {
    /// Looks come when there is something to be found, or later; steps come at any time.
    #[test]
    fn a_replica_lapses_as_its_whole_story_tells(
        given_at in prop_oneof![4 => 0u64..1_000, 1 => u64::MAX - 200..=u64::MAX],
        (delayed_ms, stale_ms, over_ms) in (ms(), ms(), ms()),
        (backlog_ms, takes_ms) in (ms(), ms()),
        happenings in prop::collection::vec((prop::option::of(stage()), 0u64..30), 0..60),
    ) {
        let (mut now, timeouts) = (Tick(given_at), Timeouts { delayed_ms, stale_ms, over_ms });
        let mut watch = Watch::start(now, backlog_ms, takes_ms, timeouts);
        let mut story = Story {
            given_at: now,
            timeouts,
            takes_ms,
            expected: now.plus_ms(backlog_ms).plus_ms(takes_ms),
            stepped_at: now,
            told: [false; 4],
            is_delayed: false,
            is_stale: false,
        };
        for (told, later_ms) in happenings {
            compare(&watch, &story)?;
            if let Some(stage) = told {
                watch.progressed(stage, now);
                story.progressed(stage, now);
                compare(&watch, &story)?;
            }
            now = now.plus_ms(later_ms);
            while watch.next <= now {
                let lapse = watch.look(now);
                prop_assert_eq!(lapse, story.look(now));
                prop_assert_ne!(lapse, Lapse::None);
                if lapse == Lapse::Over {
                    return Ok(());
                }
                compare(&watch, &story)?;
            }
            prop_assert_eq!(story.look(now), Lapse::None);
        }
    }

    /// There are four stages, so T1 begins anew four times at the most and the end is shifted once.
    #[test]
    fn whatever_a_device_tells_it_steps_forward_four_times_at_the_most(
        told in prop::collection::vec((stage(), 0u64..30), 0..60),
    ) {
        let timeouts = Timeouts { delayed_ms: 1_000, stale_ms: u64::MAX, over_ms: u64::MAX };
        let (mut now, mut watch) = (Tick(0), Watch::start(Tick(0), 0, 50, timeouts));
        let (mut steps, mut shifts) = (0, 0);
        for (stage, later_ms) in told {
            now = now.plus_ms(later_ms + 1);
            let before = (watch.next, watch.expected);
            watch.progressed(stage, now);
            steps += u32::from(watch.next != before.0);
            shifts += u32::from(watch.expected != before.1);
        }
        prop_assert!(steps <= 4 && shifts <= 1, "{steps} steps, {shifts} shifts");
    }

    #[test]
    fn after_a_restart_a_replica_is_only_ever_over(
        now in any::<u64>(),
        over_ms in ms(),
        told in prop::option::of(stage()),
    ) {
        let mut watch = Watch::after_restart(Tick(now), over_ms);
        let over_at = Tick(now).plus_ms(over_ms);
        if let Some(stage) = told {
            watch.progressed(stage, Tick(now));
        }
        prop_assert_eq!((watch.expected, watch.next, watch.until), (over_at, over_at, over_at));
        prop_assert_eq!(watch.look(over_at), Lapse::Over);
    }
}
