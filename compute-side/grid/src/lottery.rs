//! The repechage lottery: once a day every device draws, and those that have had no task for about
//! half a day win most often. Winners stand higher in the ranking for a day, so that a device at
//! its end gets a chance to show what it can do.
//!
//! The seed comes from the chain's randomness, and the hours from the chain's record of each
//! device, so anybody can draw again and find the same winners.

use quern_primitives::ids::DeviceId;
use sha2::{Digest as _, Sha256};

/// Places that a winner is lifted.
pub const LIFT: u32 = 100;

/// How long a winner stays lifted, in milliseconds: a day.
pub const WON_FOR_MS: u64 = 24 * 60 * 60_000;

/// The factor of the chance.
const FACTOR: f64 = 0.002_565_64;

/// How fast the chance fades, by hour.
const FADING: f64 = 0.166_666_67;

/// What a draw hangs on, beside the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// From the chain's randomness.
    pub seed: [u8; 32],
    /// The day it is for, so that one seed serves once.
    pub day: u32,
}

/// The chance to win, `c h² e^(-βh)`, after so many hours without a task: 5 % at its highest, after
/// twelve.
pub fn chance(hours: f64) -> f64 {
    // Not a number, or a clock that ran backwards, wins nothing.
    if !(hours > 0.0 && hours.is_finite()) {
        return 0.0;
    }
    // In this order nothing overflows on its way to zero.
    FACTOR * (hours * libm::exp(-FADING * hours)) * hours
}

impl Draw {
    /// Whether a device wins that has had no task for so many hours.
    pub fn wins(&self, device: &DeviceId, hours: f64) -> bool {
        let mut hasher = Sha256::new();
        hasher.update(b"quern/lottery/1");
        hasher.update(self.seed);
        hasher.update(self.day.to_le_bytes());
        hasher.update(device.0);
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        // 53 bits are what a float holds exactly.
        let drawn = (u64::from_le_bytes(first) >> 11) as f64 / (1u64 << 53) as f64;
        drawn < chance(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DRAW: Draw = Draw {
        seed: [7; 32],
        day: 3,
    };

    fn device(n: u32) -> DeviceId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_le_bytes());
        DeviceId(id)
    }

    #[test]
    fn the_check_values_of_the_white_paper_are_met() {
        assert!((chance(1.0) - 0.002_171_8).abs() < 5e-8);
        assert!((chance(24.0) - 0.027_067_0).abs() < 5e-8);
        assert!((chance(12.0) - 0.05).abs() < 5e-7);
    }

    #[test]
    fn no_time_is_as_good_as_twelve_hours() {
        (0..4_800).for_each(|n| assert!(chance(f64::from(n) / 100.0) <= chance(12.0)));
    }

    #[test]
    fn a_draw_is_the_same_for_whoever_draws_and_another_every_day() {
        let winners = |draw: &Draw| -> Vec<u32> {
            let won = |n: &u32| draw.wins(&device(*n), 12.0);
            (0..20_000).filter(won).collect()
        };
        let today = winners(&DRAW);
        assert_eq!(winners(&DRAW), today);
        assert_ne!(winners(&Draw { day: 4, ..DRAW }), today);
        // 1,000 are expected, with a standard deviation of 31.
        assert!((870..1_130).contains(&today.len()), "{}", today.len());
    }

    #[test]
    fn nobody_wins_by_a_clock_that_jumps() {
        for hours in [f64::NAN, -12.0, f64::NEG_INFINITY, f64::INFINITY, 0.0] {
            assert_eq!(chance(hours), 0.0);
            assert!(!DRAW.wins(&device(1), hours));
        }
    }

    proptest! {
        #[test]
        fn a_chance_is_a_probability(hours in any::<f64>()) {
            prop_assert!((0.0..=0.050_001).contains(&chance(hours)));
        }
    }
}
