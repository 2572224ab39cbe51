//! The part of a thread's time that runs may take.

use crate::{
    Cancel,
    throttle::{Throttle, WHOLE_PERCENT},
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

/// The longest wait before a run that rests looks whether its pace was changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How much of one thread's time the runs of an engine may take, all together. Clones are one handle,
/// and engines may share it. At first it is all of the time.
///
/// A run keeps to it by resting, some hundredths of a second at a time. Resting changes nothing of its
/// outcome, and does not count as its [`wall_time`](crate::Limits::wall_time).
#[derive(Clone, Debug)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Hundredths of a thread, from 1 to 100.
    percent: AtomicU8,
    throttle: Mutex<Throttle>,
    /// What the throttle's time is counted from.
    started: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(Shared {
            percent: AtomicU8::new(WHOLE_PERCENT),
            throttle: Mutex::default(),
            started: Instant::now(),
        }))
    }
}

impl Pace {
    /// Lets runs take so many hundredths of one thread's time, from 1 to 100; the nearer of these for
    /// what is outside. A run that is under way hears of it within a second.
    pub fn set_percent(&self, percent: u8) {
        let percent = percent.clamp(1, WHOLE_PERCENT);
        if self.0.percent.swap(percent, Ordering::Relaxed) != percent {
            // What is owed at the old pace may be far too much, or too little, at the new one.
            *self.throttle() = Throttle::default();
        }
    }

    /// Begins a run, when those before it have been rested for or it is cancelled.
    pub(crate) fn begin(&self, cancel: &Cancel) -> Stint {
        Stint {
            pace: self.clone(),
            since: self.wait(Instant::now(), cancel),
        }
    }

    fn percent(&self) -> u8 {
        self.0.percent.load(Ordering::Relaxed)
    }

    /// The throttle; it is whole even if a thread panicked while it had the lock.
    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        let locked = self.0.throttle.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.0.started)
    }

    fn ran(&self, from: Instant, to: Instant) {
        let percent = self.percent();
        if percent < WHOLE_PERCENT {
            let (from, to) = (self.tick(from), self.tick(to));
            self.throttle().ran(from, to, percent);
        }
    }

    /// Waits until running may go on, or is cancelled; returns when that is.
    fn wait(&self, mut now: Instant, cancel: &Cancel) -> Instant {
        while self.percent() < WHOLE_PERCENT {
            let rest = self.throttle().rest(self.tick(now));
            if rest.is_zero() || cancel.wait(rest.min(LOOK_EVERY)) {
                break;
            }
            now = Instant::now();
        }
        now
    }
}

/// One run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stint {
    pace: Pace,
    since: Instant,
}

impl Stint {
    /// Since when it has run without a rest.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Counts what ran until now, and rests for it unless it is cancelled; returns for how long.
    pub(crate) fn rest(&mut self, now: Instant, cancel: &Cancel) -> Duration {
        self.pace.ran(self.since, now);
        self.since = self.pace.wait(now, cancel);
        self.since.saturating_duration_since(now)
    }
}

impl Drop for Stint {
    fn drop(&mut self) {
        self.pace.ran(self.since, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for any machine to be heard on, and shorter than what the runs here would rest.
    const SOON: Duration = Duration::from_secs(60);

    fn pace(percent: u8) -> Pace {
        let pace = Pace::default();
        pace.set_percent(percent);
        pace
    }

    /// A pace at which a second was run in a hundredth of a thread: 99 seconds are owed.
    fn exhausted() -> Pace {
        let pace = pace(1);
        let now = Instant::now();
        pace.ran(now, now + Duration::from_secs(1));
        pace
    }

    #[test]
    fn a_whole_thread_never_rests() {
        let pace = pace(200);
        let mut stint = pace.begin(&Cancel::new());
        let later = stint.since() + Duration::from_secs(10);
        assert_eq!(stint.rest(later, &Cancel::new()), Duration::ZERO);
        assert_eq!(stint.since(), later);
        assert_eq!(pace.throttle().rest(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_run_rests_for_what_it_ran() {
        let mut stint = pace(50).begin(&Cancel::new());
        let later = stint.since() + Duration::from_millis(20);
        let rested = stint.rest(later, &Cancel::new());
        assert!(rested >= Duration::from_millis(20), "{rested:?}");
        assert_eq!(stint.since(), later + rested);
    }

    #[test]
    fn a_run_waits_until_the_one_before_was_rested_for() {
        let pace = pace(50);
        let first = pace.begin(&Cancel::new());
        let began = first.since();
        drop(first);
        pace.ran(began, began + Duration::from_millis(20));
        let second = pace.begin(&Cancel::new());
        assert!(second.since() >= began + Duration::from_millis(40));
    }

    #[test]
    fn a_run_that_rests_hears_that_it_is_cancelled() {
        let (pace, cancel) = (exhausted(), Cancel::new());
        let began = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| pace.begin(&cancel));
            cancel.cancel();
        });
        assert!(began.elapsed() < SOON);
    }

    #[test]
    fn a_run_that_rests_hears_of_another_pace() {
        for percent in [2, 100] {
            let pace = exhausted();
            let began = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| pace.begin(&Cancel::new()));
                pace.set_percent(percent);
            });
            assert!(began.elapsed() < SOON);
        }
    }
}
