//! How long a piece takes here.

use crate::limits::{
    CLAIM_MS_MAX, CLAIM_MS_MIN, COMPARE_MS_MAX, COMPARE_MS_MIN, LOOK_AGAIN_MS_MAX,
    LOOK_AGAIN_MS_MIN, PACE_MS_UNKNOWN, PACES_MAX,
};
use std::collections::VecDeque;

/// The last times of a piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(VecDeque<u64>);

impl Pace {
    /// One more piece took so long.
    pub(crate) fn took(&mut self, ms: u64) {
        if self.0.len() >= PACES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(ms.max(1));
    }

    /// The median.
    pub(crate) fn ms(&self) -> u64 {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let middle = sorted.get(sorted.len() / 2);
        middle.copied().unwrap_or(PACE_MS_UNKNOWN)
    }

    /// How long a claim is to last: who is late by half is not taken for gone.
    pub(crate) fn claim_ms(&self) -> u64 {
        let ms = self.ms().saturating_mul(3);
        ms.clamp(CLAIM_MS_MIN, CLAIM_MS_MAX)
    }

    pub(crate) fn look_again_ms(&self) -> u64 {
        (self.ms() / 10).clamp(LOOK_AGAIN_MS_MIN, LOOK_AGAIN_MS_MAX)
    }

    pub(crate) fn compare_ms(&self) -> u64 {
        (self.ms() / 2).clamp(COMPARE_MS_MIN, COMPARE_MS_MAX)
    }

    /// For so long, from the beginning of a piece, less is lost than won by who lets go.
    pub(crate) fn let_go_ms(&self) -> u64 {
        self.ms() / 2
    }

    /// Nobody has been here for so long who has a piece: it is as good as lost.
    pub(crate) fn hearsay_ms(&self) -> u64 {
        self.ms().saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_last_times_counts_and_not_the_slowest() {
        let mut pace = Pace::default();
        assert_eq!(pace.ms(), PACE_MS_UNKNOWN);
        for ms in [100, 9_000, 110, 120] {
            pace.took(ms);
        }
        assert_eq!(pace.ms(), 120);
        (0..15).for_each(|_| pace.took(500));
        assert_eq!(pace.ms(), 500);
        assert_eq!(pace.claim_ms(), 1_500);
        pace.took(0);
        assert!(pace.look_again_ms() > 0);
    }
}
