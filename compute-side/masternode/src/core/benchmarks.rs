//! The benchmarks that devices are sent, and what is remembered of them while a device is away.
//!
//! Each costs the masternode one of its own, so a device that changes all the time, or comes again and
//! again, gets the next after a minute, and each further one after twice as long, up to six hours. Of
//! the few that are ready those come first that were never measured.
//!
//! A device that declines one owes nothing for it, a few times in six hours, and one whose connection ends
//! while it computes counts as declining: over another it has no answer. And one that has something
//! to do is sent none. Who is slow would gain by either, so who declines more often owes it, and who was
//! not free for an hour gets no more tasks until it is. An honest device loses little by that: it still
//! has what it computes. A restart forgets all of it, as it does what was measured.

#[cfg(test)]
mod model;

use super::{Tick, telemetry::Challenge};
use quern_grid::Moment;
use std::collections::VecDeque;

/// How long what happened counts, in milliseconds: six hours.
const WINDOW_MS: u64 = 6 * 3_600_000;

/// The least time from a device's first benchmark to the next, in milliseconds.
const PAUSE_MS: u64 = 60_000;

/// So often the pause is doubled: more would be longer than [`WINDOW_MS`].
const DOUBLINGS_MAX: u32 = 9;

/// Benchmarks that a device may decline in any [`WINDOW_MS`] without owing one. A person comes back to a
/// machine within the third of a second that one takes, or a task of another masternode arrives, less
/// often than that.
const DECLINES_MAX: usize = 3;

/// Computed benchmarks that are kept until they are given out.
const CHALLENGES_MAX: usize = 16;

/// So long after a device that was never measured found no benchmark ready, others get none, in
/// milliseconds: it asks again within that.
const FIRST_MS: u64 = 10_000;

/// Benchmarks that the masternode has computed and nobody has got.
#[derive(Default)]
pub(super) struct Challenges {
    ready: VecDeque<Challenge>,
    /// Whether any was ever computed: a masternode that has no benchmark's program measures nobody.
    are_made: bool,
    given: u64,
    /// When a device that was never measured last found none.
    missed_at: Option<Tick>,
}

impl Challenges {
    pub(super) fn add(&mut self, challenge: Challenge) {
        if self.ready.len() >= CHALLENGES_MAX {
            self.ready.pop_front();
        }
        self.ready.push_back(challenge);
        self.are_made = true;
    }

    /// Whether devices are measured here.
    pub(super) fn are_made(&self) -> bool {
        self.are_made
    }

    /// Whether there is one.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes one out, with its number, for a device that was never measured or for another.
    pub(super) fn take(&mut self, now: Tick, is_first: bool) -> Option<(u64, Challenge)> {
        let is_kept = |at: Tick| now.since(at) < FIRST_MS;
        if !is_first && self.missed_at.is_some_and(is_kept) {
            return None;
        }
        let Some(challenge) = self.ready.pop_front() else {
            if is_first {
                self.missed_at = Some(now);
            }
            return None;
        };
        self.given = self.given.saturating_add(1);
        Some((self.given, challenge))
    }
}

/// What is remembered of devices' benchmarks, by their numbers: of each that is known, whether it is here or
/// not, and so in few bytes.
#[derive(Default)]
pub(super) struct Benchmarks {
    of: Vec<Past>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Past {
    /// When the last one was sent.
    last: Moment,
    /// How many were sent, each within [`WINDOW_MS`] of the one before.
    times: u8,
    /// When those were declined for which it owes nothing: the last ones.
    excused: [Moment; DECLINES_MAX],
    /// Since when one is ready and due, and could not be sent.
    busy_since: Moment,
}

// There may be millions of them.
const _: () = assert!(size_of::<Past>() == 26);

/// Whether what happened then counts.
fn counts(at: Moment, now: Tick) -> bool {
    at.tick().is_some_and(|at| now.since(at) < WINDOW_MS)
}

impl Benchmarks {
    /// There is a device of this number.
    pub(super) fn know(&mut self, number: u32) {
        let length = number as usize + 1;
        if self.of.len() < length {
            self.of.resize(length, Past::default());
        }
    }

    /// A device is sent one.
    pub(super) fn sent(&mut self, now: Tick, number: u32) {
        let Some(past) = self.of.get_mut(number as usize) else {
            return;
        };
        past.times = match counts(past.last, now) {
            true => past.times.saturating_add(1),
            false => 1,
        };
        past.last = Moment::at(now);
        past.busy_since = Moment::default();
    }

    /// From when on a device may be sent the next.
    pub(super) fn rests_until(&self, number: u32) -> Tick {
        let past = self.of.get(number as usize).copied().unwrap_or_default();
        let doublings = u32::from(past.times).saturating_sub(1).min(DOUBLINGS_MAX);
        let pause_ms = (PAUSE_MS << doublings).min(WINDOW_MS);
        let last = past.last.tick();
        last.map_or_else(Tick::default, |last| last.plus_ms(pause_ms))
    }

    /// A device declined one. True if it owes nothing for that.
    pub(super) fn declined(&mut self, now: Tick, number: u32) -> bool {
        let past = self.of.get_mut(number as usize);
        // One that counts no more makes room.
        let free = past.and_then(|past| past.excused.iter_mut().find(|at| !counts(**at, now)));
        match free {
            Some(free) => {
                *free = Moment::at(now);
                true
            }
            None => false,
        }
    }

    /// A device asks for work, and could not be sent one that is due, or that is not so. Returns since
    /// when it could not.
    pub(super) fn heard(&mut self, now: Tick, number: u32, puts_off: bool) -> Option<Tick> {
        let past = self.of.get_mut(number as usize)?;
        if !puts_off {
            past.busy_since = Moment::default();
            return None;
        }
        let since = past.busy_since.tick().unwrap_or(now);
        past.busy_since = Moment::at(since);
        Some(since)
    }

    /// A device is forgotten itself. Its number may be another's.
    pub(super) fn forget(&mut self, number: u32) {
        if let Some(past) = self.of.get_mut(number as usize) {
            *past = Past::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEVICE: u32 = 1;
    const MINUTE: u64 = 60_000;

    /// Of the devices 0 and 1.
    fn benchmarks() -> Benchmarks {
        let mut benchmarks = Benchmarks::default();
        benchmarks.know(DEVICE);
        benchmarks
    }

    fn challenge(input: u8) -> Challenge {
        Challenge {
            input: [input; 16],
            output: [0; 8],
            fuel: 1,
        }
    }

    #[test]
    fn the_pause_doubles_up_to_six_hours_and_begins_anew_after_six_without_one() {
        let mut benchmarks = benchmarks();
        let mut pauses = vec![];
        let mut now = Tick::default();
        for _ in 0..11 {
            benchmarks.sent(now, DEVICE);
            let until = benchmarks.rests_until(DEVICE);
            pauses.push(until.since(now) / MINUTE);
            now = until;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 1]);
    }

    #[test]
    fn three_may_be_declined_in_six_hours() {
        let mut benchmarks = benchmarks();
        let excused = [0, 1, 2, 3].map(|hour| {
            let now = Tick(hour * 60 * MINUTE);
            benchmarks.declined(now, DEVICE)
        });
        assert_eq!(excused, [true, true, true, false]);
        assert!(benchmarks.declined(Tick(WINDOW_MS), DEVICE));
    }

    #[test]
    fn whenever_the_first_was_declined_no_more_than_three_are_free_in_six_hours() {
        let mut benchmarks = benchmarks();
        let excused = [0, 358, 359, 360, 361, 717, 718].map(|minute| {
            let now = Tick(minute * MINUTE);
            benchmarks.declined(now, DEVICE)
        });
        assert_eq!(excused, [true, true, true, true, false, false, true]);
    }

    #[test]
    fn what_was_declined_counts_longer_than_that_it_was_sent() {
        let mut benchmarks = benchmarks();
        benchmarks.sent(Tick(0), DEVICE);
        for _ in 0..3 {
            assert!(benchmarks.declined(Tick(MINUTE - 1), DEVICE));
        }
        benchmarks.sent(Tick(WINDOW_MS), DEVICE);
        assert!(!benchmarks.declined(Tick(WINDOW_MS), DEVICE));
    }

    #[test]
    fn a_device_that_is_forgotten_leaves_nothing_to_the_next_of_its_number() {
        let mut benchmarks = benchmarks();
        benchmarks.sent(Tick(5), DEVICE);
        assert!((0..3).all(|_| benchmarks.declined(Tick(5), DEVICE)));
        assert_eq!(benchmarks.heard(Tick(6), DEVICE, true), Some(Tick(6)));
        benchmarks.forget(DEVICE);
        assert_eq!(benchmarks.of, [Past::default(); 2]);
        benchmarks.know(0);
        assert_eq!(benchmarks.of.len(), 2, "there were two already");
    }

    #[test]
    fn who_was_never_measured_comes_first() {
        let mut challenges = Challenges::default();
        assert_eq!(challenges.take(Tick(0), true), None);
        challenges.add(challenge(1));
        assert_eq!(challenges.take(Tick(FIRST_MS - 1), false), None);
        let given = challenges.take(Tick(FIRST_MS - 1), true);
        assert_eq!(given, Some((1, challenge(1))));
        // For one that does not come again nobody else waits long.
        challenges.add(challenge(2));
        let given = challenges.take(Tick(FIRST_MS), false);
        assert_eq!(given, Some((2, challenge(2))));
        assert_eq!(challenges.take(Tick(FIRST_MS), false), None);
        challenges.add(challenge(3));
        assert!(challenges.take(Tick(FIRST_MS), false).is_some());
    }

    proptest! {
        /// However a device comes and asks: the first eight pauses take more than four hours.
        #[test]
        fn a_device_has_at_most_nine_benchmarks_in_six_hours(
            waits in prop::collection::vec(0..40 * MINUTE, 1..200)
        ) {
            let mut benchmarks = benchmarks();
            let (mut now, mut sent) = (Tick::default(), Vec::new());
            for ms in waits {
                now = now.plus_ms(ms);
                if benchmarks.rests_until(DEVICE) <= now {
                    benchmarks.sent(now, DEVICE);
                    sent.push(now);
                }
            }
            for first in &sent {
                let within = |at: &&Tick| *at >= first && at.since(*first) < WINDOW_MS;
                prop_assert!(sent.iter().filter(within).count() <= 9);
            }
        }
    }
}
