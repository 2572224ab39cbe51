//! What is known of a connection wherever one of its requests is looked at: whether the device was let
//! in over it, and how far away it is.

use crate::limits::PINGS;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

/// Stands for a ping that has not come back.
const NONE_US: u32 = u32::MAX;

/// How a connection stands. Clones are about the same connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    is_admitted: AtomicBool,
    /// Pings that came back.
    pings: AtomicU32,
    /// The last of them, in microseconds.
    round_trips_us: [AtomicU32; PINGS],
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            is_admitted: AtomicBool::new(false),
            pings: AtomicU32::new(0),
            round_trips_us: [const { AtomicU32::new(NONE_US) }; PINGS],
        }
    }
}

impl Standing {
    /// The device was let in.
    pub(super) fn admit(&self) {
        self.0.is_admitted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.0.is_admitted.load(Ordering::Relaxed)
    }

    /// A ping came back, after so long. Only the server's own task says so.
    pub(super) fn pinged(&self, round_trip: Duration) {
        let place = self.0.pings.fetch_add(1, Ordering::Relaxed) as usize % PINGS;
        let us = u32::try_from(round_trip.as_micros()).unwrap_or(NONE_US);
        let us = us.min(NONE_US - 1);
        if let Some(oldest) = self.0.round_trips_us.get(place) {
            oldest.store(us, Ordering::Relaxed);
        }
    }

    /// The least of the last round trips; none before the first.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let all = self.0.round_trips_us.iter();
        let least = all.map(|us| us.load(Ordering::Relaxed)).min()?;
        (least < NONE_US).then(|| Duration::from_micros(least.into()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pinged(standing: &Standing, ms: &[u64]) -> Option<Duration> {
        for ms in ms {
            standing.pinged(Duration::from_millis(*ms));
        }
        standing.round_trip()
    }

    #[test]
    fn the_quickest_of_the_last_pings_counts_and_older_ones_do_not() {
        let standing = Standing::default();
        assert_eq!(standing.round_trip(), None);
        assert_eq!(pinged(&standing, &[90]).unwrap().as_millis(), 90);
        assert_eq!(pinged(&standing, &[20, 4_000]).unwrap().as_millis(), 20);
        // The second is the oldest that is left, and then it is not.
        assert_eq!(pinged(&standing, &[70; PINGS - 2]).unwrap().as_millis(), 20);
        assert_eq!(pinged(&standing, &[80]).unwrap().as_millis(), 70);
    }

    #[test]
    fn a_round_trip_of_hours_is_one_all_the_same() {
        let standing = Standing::default();
        let longest = Duration::from_micros(u64::from(NONE_US) - 1);
        standing.pinged(Duration::from_secs(1 << 40));
        assert_eq!(standing.round_trip(), Some(longest));
    }

    #[test]
    fn clones_are_about_the_same_connection() {
        let standing = Standing::default();
        let other = standing.clone();
        standing.admit();
        standing.pinged(Duration::from_millis(3));
        assert!(other.is_admitted());
        assert_eq!(other.round_trip(), standing.round_trip());
    }
}
