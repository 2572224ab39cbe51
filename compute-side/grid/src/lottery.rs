//! The repechage lottery: once a day every device draws that has had a task, and those that have had
//! none for about half a day win most often. Winners stand higher in the ranking until the next draw,
//! so that a device at its end gets a chance to show what it can do.
//!
//! A day is [`DAY_BLOCKS`] blocks, counted from the chain's first ([`Calendar`]). What a device draws follows
//! from the state of the chain in the day's first block and from nothing else: the seed from its
//! randomness, the hours from when the chain says that the device last had a task. So whoever reads
//! that state draws again, for all registered devices, and finds the same winners.

#[cfg(test)]
mod model;

use quern_primitives::{
    ids::{BlockNumber, DeviceId},
    limits::DAY_BLOCKS,
};
use sha2::{Digest as _, Sha256};
use std::num::NonZero;

/// Places that a winner is lifted.
pub const LIFT: u32 = 100;

/// The factor of the chance.
const FACTOR: f64 = 0.002_565_64;

/// How fast the chance fades, by hour.
const FADING: f64 = 0.166_666_67;

/// Hours of a day.
const DAY_HOURS: f64 = 24.0;

/// Which blocks are of which day. Every grid has the [`Calendar::default`]; only tests, which do not wait for
/// a day, have one of shorter days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    day_blocks: NonZero<BlockNumber>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self::GRIDS
    }
}

impl Calendar {
    /// That of every grid, of days of [`DAY_BLOCKS`].
    pub const GRIDS: Self = Self::of_days(NonZero::new(DAY_BLOCKS).unwrap());

    /// A calendar whose days have so many blocks. They have 24 hours all the same: an hour is shorter.
    pub const fn of_days(day_blocks: NonZero<BlockNumber>) -> Self {
        Self { day_blocks }
    }

    /// The day that a block is of. On the first, day 0, nobody draws: no device has had a task before it.
    pub fn day_of(self, block: BlockNumber) -> u32 {
        block / self.day_blocks
    }

    /// A day's first block, whose state it is drawn from.
    pub fn first_block_of(self, day: u32) -> BlockNumber {
        day.saturating_mul(self.day_blocks.get())
    }
}

/// The day that a block is of, in every grid's calendar.
pub fn day_of(block: BlockNumber) -> u32 {
    Calendar::GRIDS.day_of(block)
}

/// A day's first block in every grid's calendar.
pub fn first_block_of(day: u32) -> BlockNumber {
    Calendar::GRIDS.first_block_of(day)
}

/// A day's draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// From the chain's randomness, as of the day's first block.
    pub seed: [u8; 32],
    /// The day it is for, so that one seed serves once.
    pub day: u32,
    /// Which blocks that day has.
    pub calendar: Calendar,
}

/// What a device drew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lot {
    /// For how many hours it had had no task.
    pub hours: f64,
    /// The chance to win that it had by that, see [`chance`].
    pub chance: f64,
    /// What it drew, at least 0 and below 1.
    pub drawn: f64,
}

impl Lot {
    /// Whether it wins: it drew less than its chance.
    pub fn wins(&self) -> bool {
        self.drawn < self.chance
    }
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
    /// That of a day of every grid.
    pub const fn new(seed: [u8; 32], day: u32) -> Self {
        let calendar = Calendar::GRIDS;
        Self {
            seed,
            day,
            calendar,
        }
    }

    /// The block whose state it is drawn from: the day's first.
    pub fn block(&self) -> BlockNumber {
        self.calendar.first_block_of(self.day)
    }

    /// The block from which on its winners stand no higher any more: the next day's first.
    pub fn ends_at(&self) -> BlockNumber {
        self.block().saturating_add(self.calendar.day_blocks.get())
    }

    /// What a device draws of which the chain, as of [`Draw::block`], says when it last had a task. One
    /// that never had any (0) does not draw: it stands where its score puts it.
    pub fn lot(&self, device: &DeviceId, last_task: BlockNumber) -> Option<Lot> {
        if last_task == 0 {
            return None;
        }
        let idle = self.block().saturating_sub(last_task);
        let hours = f64::from(idle) * DAY_HOURS / f64::from(self.calendar.day_blocks.get());
        Some(Lot {
            hours,
            chance: chance(hours),
            drawn: self.number(device),
        })
    }

    /// The number that a device draws: the first 53 bits of a digest, which are what a float holds
    /// exactly, as a fraction.
    fn number(&self, device: &DeviceId) -> f64 {
        let mut hasher = Sha256::new();
        hasher.update(b"quern/lottery/1");
        hasher.update(self.seed);
        hasher.update(self.day.to_le_bytes());
        hasher.update(device.0);
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        (u64::from_le_bytes(first) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DRAW: Draw = Draw::new([7; 32], 3);

    /// Half a day before [`DRAW`].
    const NOON: BlockNumber = 3 * DAY_BLOCKS - DAY_BLOCKS / 2;

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
        let winners = |draw: &Draw, last_task: BlockNumber| -> Vec<u32> {
            let won = |n: &u32| {
                draw.lot(&device(*n), last_task)
                    .is_some_and(|lot| lot.wins())
            };
            (0..20_000).filter(won).collect()
        };
        let today = winners(&DRAW, NOON);
        assert_eq!(winners(&DRAW, NOON), today);
        let tomorrow = Draw { day: 4, ..DRAW };
        assert_ne!(winners(&tomorrow, NOON + DAY_BLOCKS), today);
        let other = Draw {
            seed: [8; 32],
            ..DRAW
        };
        assert_ne!(winners(&other, NOON), today);
        // 1,000 are expected, with a standard deviation of 31.
        assert!((870..1_130).contains(&today.len()), "{}", today.len());
    }

    #[test]
    fn hours_are_counted_from_the_last_task_to_the_day_s_first_block() {
        assert_eq!((DRAW.block(), DRAW.ends_at()), (129_600, 172_800));
        assert_eq!((day_of(129_599), day_of(129_600)), (2, 3));
        let lot = |last_task| DRAW.lot(&device(1), last_task);
        assert_eq!(lot(NOON).map(|lot| lot.hours), Some(12.0));
        assert_eq!(lot(129_600 - 1_800).map(|lot| lot.hours), Some(1.0));
        assert_eq!(lot(1).map(|lot| lot.drawn), lot(NOON).map(|lot| lot.drawn));
        assert_eq!(lot(0), None, "who never had a task does not draw");
        let later = lot(DRAW.block() + 1);
        assert!(later.is_some_and(|lot| lot.hours == 0.0 && !lot.wins()));
    }

    #[test]
    fn in_shorter_days_hours_are_shorter_and_all_else_is_the_same() {
        let calendar = Calendar::of_days(NonZero::new(48).unwrap());
        let short = Draw { calendar, ..DRAW };
        assert_eq!((short.block(), short.ends_at()), (144, 192));
        assert_eq!((calendar.day_of(143), calendar.day_of(144)), (2, 3));
        let (theirs, lot) = (DRAW.lot(&device(1), NOON), short.lot(&device(1), 120));
        assert_eq!(lot, theirs, "half a day before the draw");
    }

    /// Whoever draws by other means can check their numbers by these.
    #[test]
    fn the_number_that_a_device_draws_is_53_bits_of_a_digest() {
        let mut text = b"quern/lottery/1".to_vec();
        text.extend([7; 32]);
        text.extend([3, 0, 0, 0]);
        text.extend(device(1).0);
        let digest: [u8; 32] = Sha256::digest(&text).into();
        let [a, b, c, d, e, f, g, ..] = digest;
        let high = u64::from_le_bytes([a, b, c, d, e, f, g, digest[7]]) / 2_048;
        let drawn = DRAW.lot(&device(1), 1).map(|lot| lot.drawn);
        assert_eq!(drawn, Some(high as f64 / 9_007_199_254_740_992.0));
    }

    #[test]
    fn nobody_wins_by_a_clock_that_jumps() {
        for hours in [f64::NAN, -12.0, f64::NEG_INFINITY, f64::INFINITY, 0.0] {
            assert_eq!(chance(hours), 0.0);
        }
        let last = Draw {
            day: u32::MAX,
            ..DRAW
        };
        assert_eq!(last.block(), BlockNumber::MAX);
        assert!(last.lot(&device(1), 1).is_some_and(|lot| !lot.wins()));
    }

    proptest! {
        #[test]
        fn a_chance_is_a_probability(hours in any::<f64>()) {
            prop_assert!((0.0..=0.050_001).contains(&chance(hours)));
        }

        #[test]
        fn a_number_drawn_is_at_least_zero_and_below_one(seed: [u8; 32], day: u32, id: [u8; 32]) {
            let lot = Draw::new(seed, day).lot(&DeviceId(id), 1);
            prop_assert!(lot.is_some_and(|lot| (0.0..1.0).contains(&lot.drawn)));
        }
    }
}
