//! How fast devices are, counted so that one more or less takes no time.
//!
//! No speed is kept but the step in which it lies. From 8 on a step is what has the same first four
//! binary digits, and so speeds of one step differ by less than an eighth of the least; below that it is
//! what has as many digits. Devices compute millions in a millisecond, so nothing hangs on those few.

#[cfg(test)]
pub(super) mod model;

use crate::{needs::Needs, ranking::Ranking};
use std::ops::Range;

/// Speeds by size, in 8 steps to each doubling, and below 8 in one.
#[derive(Clone, Debug)]
pub(crate) struct Speeds {
    pub(super) count: u32,
    pub(super) measured: u32,
    pub(super) sum: u64,
    steps: [u32; 33 * 8],
}

impl Default for Speeds {
    fn default() -> Self {
        Self {
            count: 0,
            measured: 0,
            sum: 0,
            steps: [0; 33 * 8],
        }
    }
}

impl Speeds {
    /// Those of the devices of these ranks that meet a job's needs.
    pub(super) fn of(ranking: &Ranking, needs: &Needs, ranks: Range<usize>) -> Self {
        let mut speeds = Self::default();
        let devices = ranking.abilities().skip(ranks.start).take(ranks.len());
        devices
            .filter(|device| needs.are_met_by(device.traits))
            .for_each(|device| speeds.add(device.speed));
        speeds
    }

    /// One device less, that was added.
    pub(crate) fn remove(&mut self, speed: u32) {
        self.count -= 1;
        self.measured -= u32::from(speed > 0);
        self.sum -= u64::from(speed);
        self.steps[Self::step(speed)] -= 1;
    }

    /// Takes away some of those that were added.
    pub(crate) fn subtract(&mut self, others: &Self) {
        self.count -= others.count;
        self.measured -= others.measured;
        self.sum -= others.sum;
        for (steps, others) in self.steps.iter_mut().zip(&others.steps) {
            *steps -= others;
        }
    }

    /// One more device, whose speed is 0 if it is not known.
    #[inline]
    pub(crate) fn add(&mut self, speed: u32) {
        self.count += 1;
        self.measured += u32::from(speed > 0);
        self.sum += u64::from(speed);
        self.steps[Self::step(speed)] += 1;
    }

    fn step(speed: u32) -> usize {
        let doublings = u32::BITS - speed.leading_zeros();
        let fraction = match doublings {
            0..4 => 0,
            _ => speed >> (doublings - 4) & 7,
        };
        (8 * doublings + fraction) as usize
    }

    /// The speed that one device in ten exceeds, rounded down to the least one of its step; 0 if there is no
    /// device. If all were sorted, the fastest first, it would be the one behind the first tenth, rounded
    /// down; who is not known stands last. So more than one in ten are at least as fast as what is told,
    /// and no more than one in ten are faster than it by an eighth or more (twice as fast, where it is
    /// below 8).
    pub(super) fn exceeded_by_one_in_ten(&self) -> u32 {
        let mut left = self.count / 10;
        let from_the_fastest = self.steps.iter().enumerate().rev();
        for (step, count) in from_the_fastest {
            if *count > left {
                return Self::least_of(step);
            }
            left -= count;
        }
        0
    }

    /// The speed that nine in ten of those exceed whose speed is known, rounded down in the same way. If they
    /// were sorted, the slowest first, it would be the one behind the first tenth. 0 if none is known.
    pub(crate) fn exceeded_by_nine_in_ten(&self) -> u32 {
        let mut left = self.measured / 10;
        // Those that are not known are in the first step.
        for (step, count) in self.steps.iter().enumerate().skip(1) {
            if *count > left {
                return Self::least_of(step);
            }
            left -= count;
        }
        0
    }

    fn least_of(step: usize) -> u32 {
        let (doublings, fraction) = (step as u32 / 8, step as u32 % 8);
        match doublings {
            0 => 0,
            1..4 => 1 << (doublings - 1),
            _ => (8 + fraction) << (doublings - 4),
        }
    }
}
