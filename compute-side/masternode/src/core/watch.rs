//! Watching a replica that is out: when it is delayed, stale, and over.
//!
//! A device tells with every heartbeat what it does with each replica. Without a step forward for the
//! time T1 a replica is *delayed*: its device is asked again, and one that does not name it in two heartbeats
//! has lost it, as after a message that did not come: it is given out anew, without blame. After T2 it is
//! *stale*: another device gets the task as well, a fast or trusted one. Its own device is not blamed for
//! that, for T1 and T2 follow from what tasks of the job usually take, and this one may be larger. Only when
//! even a task that uses all its fuel would be done on the slowest useful device, over the slowest useful line, and
//! what its device had before, its time is over: after a restart, which knows of nothing before it, without that.

#[cfg(test)]
mod model;

use super::Tick;
use quern_grid::Timeouts;
use quern_protocol::Stage;

/// A device that takes so many times as long as it should is too slow for its tasks, or stuck. T2 may be
/// shorter: then a task gets another device as well that a little patience would have brought.
const TIMES_TOO_SLOW: u64 = 4;

/// What the look at a replica finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Nothing new: its time comes later.
    None,
    /// No step forward for T1.
    Delayed,
    /// Out for T2.
    Stale,
    /// Its time is over.
    Over,
}

/// How far a replica's time has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Nothing,
    Delayed,
    Stale,
}

/// The times of a replica that is out.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// When it should be answered; better known once it runs.
    pub expected: Tick,
    /// When its time is over.
    pub until: Tick,
    /// When it is to be looked at next.
    pub next: Tick,
    /// How long it should run.
    takes_ms: u64,
    delayed_ms: u64,
    stale_at: Tick,
    /// From when on its device counts as too slow, or stuck, if it is stale by then.
    too_slow_at: Tick,
    reached: Reached,
    /// The furthest that its device told of.
    stage: Option<Stage>,
    /// Since when its device, which was asked about it, does not name it.
    unnamed_since: Option<Tick>,
}

/// How far a stage is, counted from the first.
fn place_of(stage: Stage) -> u8 {
    match stage {
        Stage::Fetching => 0,
        Stage::Ready => 1,
        Stage::Running => 2,
        Stage::Delivering => 3,
    }
}

impl Watch {
    /// How long a device that was asked about a replica names it in none of its exchanges until it has lost it, in
    /// milliseconds: two heartbeats. One that was on its way when the device was asked is older.
    pub const UNNAMED_MS: u64 = 10_000;

    /// From now on; it should run for so long, once its device has computed what it holds already. Both in
    /// milliseconds.
    pub fn start(now: Tick, backlog_ms: u64, takes_ms: u64, timeouts: Timeouts) -> Self {
        let over_ms = timeouts.over_ms;
        let expected_ms = backlog_ms.saturating_add(takes_ms);
        let too_slow_ms = expected_ms.saturating_mul(TIMES_TOO_SLOW);
        let mut watch = Self {
            expected: now.plus_ms(expected_ms.min(over_ms)),
            until: now.plus_ms(over_ms),
            next: now,
            takes_ms,
            delayed_ms: timeouts.delayed_ms.min(over_ms),
            stale_at: now.plus_ms(timeouts.stale_ms.min(over_ms)),
            too_slow_at: now.plus_ms(too_slow_ms),
            reached: Reached::Nothing,
            stage: None,
            unnamed_since: None,
        };
        watch.next = watch.next_after(now);
        watch
    }

    /// Its device's line takes so long for it, in milliseconds, before the device counts as too slow. When it
    /// should be answered stays as it is: what the device holds next is computed no later for it.
    pub(super) fn over_a_line(mut self, line_ms: u64) -> Self {
        let line_ms = line_ms.saturating_mul(TIMES_TOO_SLOW);
        self.too_slow_at = self.too_slow_at.plus_ms(line_ms);
        self
    }

    /// Of a replica that was out before a restart: nobody knows since when, so it gets its time anew.
    pub(super) fn after_restart(now: Tick, over_ms: u64) -> Self {
        Self::only_over(now, over_ms)
    }

    /// Of a replica that is not computed: nothing is found of it but that its time is over, after so long.
    pub(super) fn only_over(now: Tick, over_ms: u64) -> Self {
        let timeouts = Timeouts {
            delayed_ms: over_ms,
            stale_ms: over_ms,
            over_ms,
        };
        Self::start(now, 0, over_ms, timeouts)
    }

    /// The device tells what it does with it. Only a later stage than any before is a step forward: one
    /// that goes back and forth stands still. When it begins to run, what was thought of its device's
    /// backlog matters no more; kept, such errors would add up from task to task.
    pub fn progressed(&mut self, stage: Stage, now: Tick) {
        self.unnamed_since = None;
        if self.stage.map(place_of) >= Some(place_of(stage)) {
            return;
        }
        self.stage = Some(stage);
        if stage == Stage::Running {
            self.expected = now.plus_ms(self.takes_ms).min(self.until);
        }
        if self.reached == Reached::Delayed {
            self.reached = Reached::Nothing;
        }
        self.next = self.next_after(now);
    }

    /// Looks at it when [`Watch::next`] has come.
    pub fn look(&mut self, now: Tick) -> Lapse {
        let lapse = match self.reached {
            _ if self.until <= now => Lapse::Over,
            Reached::Nothing | Reached::Delayed if self.stale_at <= now => Lapse::Stale,
            Reached::Nothing if self.next <= now => Lapse::Delayed,
            _ => Lapse::None,
        };
        match lapse {
            Lapse::Delayed => self.reached = Reached::Delayed,
            Lapse::Stale => self.reached = Reached::Stale,
            Lapse::None | Lapse::Over => {}
        }
        self.next = self.next_after(now);
        lapse
    }

    /// Its device tells what it has in hand, and does not name it. Says whether it has lost it.
    pub fn unnamed(&mut self, now: Tick) -> bool {
        if self.reached == Reached::Nothing {
            return false;
        }
        let since = *self.unnamed_since.get_or_insert(now);
        since.plus_ms(Self::UNNAMED_MS) <= now
    }

    /// What was found of it and still holds.
    pub(super) fn found(&self) -> Lapse {
        match self.reached {
            Reached::Nothing => Lapse::None,
            Reached::Delayed => Lapse::Delayed,
            Reached::Stale => Lapse::Stale,
        }
    }

    /// Whether its device is too slow for it, or stuck: it is stale, and takes several times as long as it
    /// should.
    pub(super) fn is_too_slow(&self, now: Tick) -> bool {
        self.reached == Reached::Stale && self.too_slow_at <= now
    }

    /// What the looks at it will find, and when, if its device tells nothing new.
    pub(super) fn ahead(mut self) -> Vec<(Tick, Lapse)> {
        let mut ahead = Vec::new();
        let is_over = |ahead: &[(Tick, Lapse)]| ahead.last().is_some_and(|it| it.1 == Lapse::Over);
        // Each of the three is found once at the most.
        while ahead.len() < 3 && !is_over(&ahead) {
            let at = self.next;
            ahead.push((at, self.look(at)));
        }
        ahead
    }

    fn next_after(&self, now: Tick) -> Tick {
        let next = match self.reached {
            Reached::Nothing => now.plus_ms(self.delayed_ms).min(self.stale_at),
            Reached::Delayed => self.stale_at,
            Reached::Stale => self.until,
        };
        next.min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        delayed_ms: 10,
        stale_ms: 40,
        over_ms: 200,
    };

    fn watch() -> Watch {
        Watch::start(Tick(100), 0, 5, TIMEOUTS)
    }

    fn lapses(watch: &mut Watch) -> Vec<(u64, Lapse)> {
        let mut lapses = Vec::new();
        loop {
            let now = watch.next;
            let lapse = watch.look(now);
            lapses.push((now.0, lapse));
            if lapse == Lapse::Over {
                return lapses;
            }
        }
    }

    /// The same in seconds.
    const LONG: Timeouts = Timeouts {
        delayed_ms: 10_000,
        stale_ms: 40_000,
        over_ms: 200_000,
    };

    #[test]
    fn who_is_stale_is_too_slow_only_after_four_times_what_it_should_take() {
        for (takes_s, too_slow_from_s) in [(5, 140), (10, 140), (20, 180), (60, 301)] {
            let mut watch = Watch::start(Tick(100_000), 0, takes_s * 1_000, LONG);
            let mut first = None;
            for now_s in 100..=300 {
                watch.look(Tick(now_s * 1_000));
                let is_it = watch.is_too_slow(Tick(now_s * 1_000));
                first = first.or(is_it.then_some(now_s));
            }
            assert_eq!(first.unwrap_or(301), too_slow_from_s, "{takes_s}");
        }
    }

    #[test]
    fn a_line_gives_its_device_as_many_times_as_long_until_it_is_too_slow() {
        let mut watch = Watch::start(Tick(100_000), 0, 5_000, LONG).over_a_line(20_000);
        assert_eq!(watch.expected, Tick(105_000));
        watch.look(Tick(140_000));
        watch.look(Tick(199_999));
        assert!(!watch.is_too_slow(Tick(199_999)));
        assert!(watch.is_too_slow(Tick(200_000)));
    }

    #[test]
    fn a_silent_replica_is_delayed_then_stale_then_over() {
        let expected = [
            (110, Lapse::Delayed),
            (140, Lapse::Stale),
            (300, Lapse::Over),
        ];
        assert_eq!(lapses(&mut watch()), expected);
    }

    #[test]
    fn a_step_forward_gives_it_t1_anew_but_not_t2() {
        let mut watch = watch();
        watch.progressed(Stage::Fetching, Tick(105));
        assert_eq!(watch.next, Tick(115));
        watch.progressed(Stage::Fetching, Tick(110));
        assert_eq!(watch.next, Tick(115), "the same again is no step");
        assert_eq!(watch.look(Tick(115)), Lapse::Delayed);
        assert_eq!(watch.reached, Reached::Delayed);
        watch.progressed(Stage::Running, Tick(120));
        assert_eq!(watch.reached, Reached::Nothing);
        let expected = [
            (130, Lapse::Delayed),
            (140, Lapse::Stale),
            (300, Lapse::Over),
        ];
        assert_eq!(lapses(&mut watch), expected);
    }

    #[test]
    fn going_back_and_forth_is_no_step_forward_and_shifts_no_end() {
        let mut watch = watch();
        watch.progressed(Stage::Ready, Tick(101));
        watch.progressed(Stage::Running, Tick(102));
        let (next, expected) = (watch.next, watch.expected);
        for (at, stage) in [
            (104, Stage::Fetching),
            (106, Stage::Ready),
            (108, Stage::Running),
        ] {
            watch.progressed(stage, Tick(at));
            assert_eq!((watch.next, watch.expected), (next, expected), "{stage:?}");
        }
        assert_eq!(watch.look(Tick(112)), Lapse::Delayed);
        watch.progressed(Stage::Ready, Tick(113));
        assert_eq!(watch.found(), Lapse::Delayed);
        watch.progressed(Stage::Delivering, Tick(114));
        assert_eq!(watch.found(), Lapse::None);
    }

    #[test]
    fn when_it_runs_its_end_is_expected_from_then_on() {
        let mut watch = Watch::start(Tick(100), 20, 5, TIMEOUTS);
        assert_eq!(watch.expected, Tick(125));
        watch.progressed(Stage::Ready, Tick(110));
        assert_eq!(watch.expected, Tick(125));
        watch.progressed(Stage::Running, Tick(150));
        watch.progressed(Stage::Running, Tick(153));
        assert_eq!(watch.expected, Tick(155));
        let mut late = Watch::start(Tick(100), 20, 5, TIMEOUTS);
        late.progressed(Stage::Running, Tick(298));
        assert_eq!(late.expected, late.until);
    }

    #[test]
    fn what_lies_ahead_is_what_the_looks_will_find() {
        let ahead = |watch: &Watch| -> Vec<(u64, Lapse)> {
            let ahead = watch.ahead().into_iter();
            ahead.map(|(at, lapse)| (at.0, lapse)).collect()
        };
        let mut watch = watch();
        assert_eq!(watch.found(), Lapse::None);
        let mut looked_at = watch;
        assert_eq!(ahead(&watch), lapses(&mut looked_at));
        assert_eq!(watch.look(Tick(110)), Lapse::Delayed);
        assert_eq!(watch.found(), Lapse::Delayed);
        assert_eq!(ahead(&watch), [(140, Lapse::Stale), (300, Lapse::Over)]);
        watch.progressed(Stage::Running, Tick(120));
        assert_eq!(watch.found(), Lapse::None);
        assert_eq!(ahead(&watch)[0], (130, Lapse::Delayed));
        assert_eq!(watch.look(Tick(145)), Lapse::Stale);
        assert_eq!(watch.found(), Lapse::Stale);
        assert_eq!(ahead(&watch), [(300, Lapse::Over)]);
    }

    #[test]
    fn no_timeout_is_later_than_its_end() {
        let over_at_once = Timeouts {
            over_ms: 20,
            ..TIMEOUTS
        };
        let mut watch = Watch::start(Tick(0), 500, 500, over_at_once);
        assert_eq!(watch.expected, Tick(20));
        assert_eq!(
            lapses(&mut watch),
            [(10, Lapse::Delayed), (20, Lapse::Over)]
        );
        let mut restarted = Watch::after_restart(Tick(7), 50);
        assert_eq!(lapses(&mut restarted), [(57, Lapse::Over)]);
    }
}
