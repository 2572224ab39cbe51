//! Watching a replica that is out: when it is delayed, stale, and over.
//!
//! A device tells with every heartbeat what it does with each replica. Without a step forward for the
//! time T1 a replica is *delayed*: its device is asked again. After T2 it is *stale*: another device
//! gets the task as well, a fast or trusted one. Its own device is not blamed for that, for T1 and T2
//! follow from what tasks of the job usually take, and this one may be larger. Only when even a task
//! that uses all its fuel would be done on the slowest useful device its time is over.

use super::Tick;
use quern_grid::Timeouts;
use quern_protocol::Stage;

/// What the look at a replica finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
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
pub(super) struct Watch {
    /// When it should be answered.
    pub(super) expected: Tick,
    /// When its time is over.
    pub(super) until: Tick,
    /// When it is to be looked at next.
    pub(super) next: Tick,
    delayed_ms: u64,
    stale_at: Tick,
    reached: Reached,
    stage: Option<Stage>,
}

impl Watch {
    /// From now on; over after so long.
    pub(super) fn start(now: Tick, expected_ms: u64, timeouts: Timeouts, over_ms: u64) -> Self {
        let mut watch = Self {
            expected: now.plus_ms(expected_ms.min(over_ms)),
            until: now.plus_ms(over_ms),
            next: now,
            delayed_ms: timeouts.delayed_ms.min(over_ms),
            stale_at: now.plus_ms(timeouts.stale_ms.min(over_ms)),
            reached: Reached::Nothing,
            stage: None,
        };
        watch.next = watch.next_after(now);
        watch
    }

    /// Of a replica that was out before a restart: nobody knows since when, so it gets its time anew.
    pub(super) fn after_restart(now: Tick, over_ms: u64) -> Self {
        let timeouts = Timeouts {
            delayed_ms: over_ms,
            stale_ms: over_ms,
        };
        Self::start(now, over_ms, timeouts, over_ms)
    }

    /// The device tells what it does with it. Only another stage than before is a step forward.
    pub(super) fn progressed(&mut self, stage: Stage, now: Tick) {
        if self.stage == Some(stage) {
            return;
        }
        self.stage = Some(stage);
        if self.reached == Reached::Delayed {
            self.reached = Reached::Nothing;
        }
        self.next = self.next_after(now);
    }

    /// Looks at it when [`Watch::next`] has come.
    pub(super) fn look(&mut self, now: Tick) -> Lapse {
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
    };

    fn watch() -> Watch {
        Watch::start(Tick(100), 5, TIMEOUTS, 200)
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
    fn no_timeout_is_later_than_its_end() {
        let mut watch = Watch::start(Tick(0), 1_000, TIMEOUTS, 20);
        assert_eq!(watch.expected, Tick(20));
        assert_eq!(
            lapses(&mut watch),
            [(10, Lapse::Delayed), (20, Lapse::Over)]
        );
        let mut restarted = Watch::after_restart(Tick(7), 50);
        assert_eq!(lapses(&mut restarted), [(57, Lapse::Over)]);
    }
}
