//! A replica that is out as a list of all that happened to it, in which everything is found anew each time:
//! also whether its device has lost it, and whether it is too slow.

use super::{ms, stage};
use crate::core::{
    Tick,
    watch::{Lapse, Watch},
};
use proptest::prelude::*;
use quern_grid::Timeouts;
use quern_protocol::Stage;

/// Two heartbeats.
const TEN_SECONDS_MS: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    /// Its device told how far it is.
    Told(Stage),
    /// Its device told what it has in hand, and did not name it.
    Unnamed,
    /// It was looked at.
    Looked,
}

/// How it began, and what happened, in order.
#[derive(Clone, Debug)]
struct Facts {
    given_at: Tick,
    /// How long its device still computes what it held before, and then this one.
    should_take_ms: [u64; 2],
    timeouts: Timeouts,
    all: Vec<(Tick, Fact)>,
}

impl Facts {
    fn over_at(&self) -> Tick {
        self.given_at.plus_ms(self.timeouts.over_ms)
    }

    fn stale_at(&self) -> Tick {
        self.given_at.plus_ms(self.timeouts.stale_ms)
    }

    /// The places of the first facts at which its device told of a stage later than all before.
    fn steps(&self, first: usize) -> Vec<usize> {
        let told = |fact: &Fact| match fact {
            Fact::Told(stage) => Some(*stage as u8),
            Fact::Unnamed | Fact::Looked => None,
        };
        let is_step = |place: &usize| {
            let before = self.all[..*place].iter().filter_map(|(_, it)| told(it));
            told(&self.all[*place].1).is_some_and(|stage| before.max() < Some(stage))
        };
        (0..first).filter(is_step).collect()
    }

    /// Where the first facts end that are there from the last step on, and when that was.
    fn last_step(&self, first: usize) -> (usize, Tick) {
        let last = self.steps(first).last().copied();
        last.map_or((0, self.given_at), |place| (place + 1, self.all[place].0))
    }

    /// Whether one of the first facts is a look in the time that is not over at which it was stale.
    fn is_stale(&self, first: usize) -> bool {
        let is_it = |(at, it): &(Tick, Fact)| {
            *it == Fact::Looked && self.stale_at() <= *at && *at < self.over_at()
        };
        self.all[..first].iter().any(is_it)
    }

    /// Whether one of the first facts is a look before that, T1 after the last step.
    fn is_delayed(&self, first: usize) -> bool {
        let (from, stepped_at) = self.last_step(first);
        let delayed_at = stepped_at.plus_ms(self.timeouts.delayed_ms);
        let is_it = |(at, it): &(Tick, Fact)| {
            let is_in_time = *at < self.stale_at() && *at < self.over_at();
            *it == Fact::Looked && delayed_at <= *at && is_in_time
        };
        self.all[from..first].iter().any(is_it)
    }

    /// What was found by the first facts and still holds.
    fn found_by(&self, first: usize) -> Lapse {
        match (self.is_stale(first), self.is_delayed(first)) {
            (true, _) => Lapse::Stale,
            (false, true) => Lapse::Delayed,
            (false, false) => Lapse::None,
        }
    }

    fn found(&self) -> Lapse {
        self.found_by(self.all.len())
    }

    /// What a look now finds that none before did.
    fn finds(&self, now: Tick) -> Lapse {
        let mut after = self.clone();
        after.all.push((now, Fact::Looked));
        match (after.found() == self.found(), self.over_at() <= now) {
            (_, true) => Lapse::Over,
            (true, false) => Lapse::None,
            (false, false) => after.found(),
        }
    }

    /// When it is looked at next: T1 after the last step unless it is delayed, T2 unless it is stale, or when
    /// its time is over.
    fn next(&self) -> Tick {
        let (_, stepped_at) = self.last_step(self.all.len());
        let delayed_at = stepped_at.plus_ms(self.timeouts.delayed_ms);
        let next = match self.found() {
            Lapse::None => delayed_at.min(self.stale_at()),
            Lapse::Delayed => self.stale_at(),
            _ => self.over_at(),
        };
        next.min(self.over_at())
    }

    /// When it should be answered: when it began to run, as far as it is known, and as long as it takes.
    fn expected(&self) -> Tick {
        let [backlog_ms, takes_ms] = self.should_take_ms;
        let is_running = |place: &usize| self.all[*place].1 == Fact::Told(Stage::Running);
        let runs = self.steps(self.all.len()).into_iter().find(is_running);
        let begins = match runs {
            Some(place) => self.all[place].0,
            None => self.given_at.plus_ms(backlog_ms),
        };
        begins.plus_ms(takes_ms).min(self.over_at())
    }

    /// Whether its device has lost it: since it last named it, it did not do so ten seconds ago or earlier,
    /// when it had been asked.
    fn is_lost(&self, now: Tick) -> bool {
        let named = |(_, it): &(Tick, Fact)| matches!(it, Fact::Told(_));
        let from = self.all.iter().rposition(named).map_or(0, |it| it + 1);
        let is_it = |place: &usize| {
            let (at, it) = self.all[*place];
            let was_asked = self.found_by(*place) != Lapse::None;
            it == Fact::Unnamed && was_asked && at.plus_ms(TEN_SECONDS_MS) <= now
        };
        self.found() != Lapse::None && (from..self.all.len()).any(|place| is_it(&place))
    }

    /// Whether it is stale and takes four times as long as it should.
    fn is_too_slow(&self, now: Tick) -> bool {
        let should_ms = self.should_take_ms.into_iter();
        let should_ms = should_ms.fold(0, u64::saturating_add);
        let at = self.given_at.plus_ms(should_ms.saturating_mul(4));
        self.found() == Lapse::Stale && at <= now
    }

    fn compare(&self, watch: &Watch, now: Tick) -> Result<(), TestCaseError> {
        prop_assert_eq!(watch.found(), self.found());
        prop_assert_eq!(watch.next, self.next());
        prop_assert_eq!(watch.until, self.over_at());
        prop_assert_eq!(watch.expected, self.expected());
        for then in [now, watch.next, self.stale_at(), Tick(u64::MAX)] {
            prop_assert_eq!(watch.is_too_slow(then), self.is_too_slow(then));
        }
        Ok(())
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Told(Stage),
    Unnamed,
    /// So long nothing happens but that it is looked at when it is time to.
    Passes(u64),
    /// The same until it is looked at next.
    UntilNext,
}

fn happens() -> impl Strategy<Value = Happens> {
    let passes_ms = prop_oneof![
        4 => 0u64..60,
        2 => Just(TEN_SECONDS_MS - 1),
        2 => Just(1),
        2 => Just(TEN_SECONDS_MS),
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ];
    prop_oneof![
        4 => stage().prop_map(Happens::Told),
        8 => Just(Happens::Unnamed),
        8 => passes_ms.prop_map(Happens::Passes),
        4 => Just(Happens::UntilNext),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn what_becomes_of_a_replica_is_what_the_list_of_all_that_happened_says(
        given_at in prop_oneof![2 => Just(0), 4 => 0u64..1_000, 1 => u64::MAX - 20_000..=u64::MAX],
        (delayed_ms, stale_ms, over_ms) in (ms(), long_ms(), long_ms()),
        should_take_ms in [ms(), ms()],
        happenings in prop::collection::vec(happens(), 0..40),
    ) {
        let (mut now, timeouts) = (Tick(given_at), Timeouts { delayed_ms, stale_ms, over_ms });
        let [backlog_ms, takes_ms] = should_take_ms;
        let mut watch = Watch::start(now, backlog_ms, takes_ms, timeouts);
        let all = vec![];
        let mut facts = Facts { given_at: now, should_take_ms, timeouts, all };
        for happening in happenings {
            facts.compare(&watch, now)?;
            let (fact, passes_ms) = match happening {
                Happens::Told(stage) => (Some(Fact::Told(stage)), 0),
                Happens::Unnamed => (Some(Fact::Unnamed), 0),
                Happens::Passes(ms) => (None, ms),
                Happens::UntilNext => (None, facts.next().since(now)),
            };
            facts.all.extend(fact.map(|fact| (now, fact)));
            match fact {
                Some(Fact::Told(stage)) => watch.progressed(stage, now),
                Some(Fact::Unnamed) => prop_assert_eq!(watch.unnamed(now), facts.is_lost(now)),
                Some(Fact::Looked) | None => {}
            }
            facts.compare(&watch, now)?;
            now = now.plus_ms(passes_ms);
            while watch.next <= now {
                let expected = facts.finds(now);
                prop_assert_eq!(watch.look(now), expected);
                prop_assert_ne!(expected, Lapse::None, "there is something to be found");
                if expected == Lapse::Over {
                    return Ok(());
                }
                facts.all.push((now, Fact::Looked));
            }
        }
    }
}

/// Long enough for a device to be found to have lost it.
fn long_ms() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..100, 4 => 0u64..40_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}
