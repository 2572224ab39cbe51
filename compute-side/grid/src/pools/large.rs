//! Accounts that have a large part of a job's devices.
//!
//! How large it is follows from a sample of the target subset that is spread evenly over the ranking. So it
//! takes no longer where a million devices are ranked, and it is exact where there are fewer than 4096.
//!
//! How far off it may be. One of each s places is looked at, so of L places in a row L/s are, rounded up or
//! down. Say that an account's devices stand in r stretches and those of all accounts in R, that the account
//! has a share p of all, and a share q of the m devices that are looked at. Then its number among these differs
//! from one in s of its own by less than r, and m from one in s of all by less than R; so
//! |q - p| < (r + p R) / m.
//!
//! That says much where stretches are few. Where a device's place has nothing to do with its account, the m
//! are drawn at random and none of them twice. Then by Bernstein's inequality an account's number among them
//! differs from p m by more than √(2 x p m) + 2 x / 3 with a chance of 2 e^-x at the most. Of an account that is
//! just large the usual difference is 6 of 32. Whoever stood on just the places that are looked at would seem
//! far larger; for that an account would have to choose its places in the ranking.

#[cfg(test)]
mod model;

use super::Target;
use crate::{needs::Needs, ranking::Ranking};
use std::collections::{BTreeMap, BTreeSet};

/// An account is large if fewer than so many of its size would have all devices: two for each of the 32
/// lanes that a task may have at the most. Nothing depends on how much smaller another one is.
pub const PARTS_MAX: u32 = 64;

/// Devices that are looked at, at the least, and about twice as many at the most. Of an account that is
/// just large there are 32 among them.
const SAMPLE_MIN: u32 = 2_048;

impl Target {
    /// Finds the accounts that have a large part of the devices in the target subset. `account_of` gives a
    /// device's account, each by its number.
    pub fn find_large(
        &mut self,
        ranking: &Ranking,
        needs: &Needs,
        account_of: impl Fn(u32) -> Option<u32>,
    ) {
        let step = (self.devices / SAMPLE_MIN).max(1);
        let sampled = ranking.every(step as usize, self.ranks(ranking));
        let suitable = sampled.filter(|(_, device)| needs.are_met_by(device.traits));
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for account in suitable.filter_map(|(number, _)| account_of(number)) {
            *counts.entry(account).or_default() += 1;
        }
        let all: u32 = counts.values().sum();
        let parts = counts
            .into_iter()
            .map(|(account, count)| (account, all / count));
        self.large = parts.filter(|(_, parts)| *parts < PARTS_MAX).collect();
    }

    /// How many accounts of this one's size would have all devices of the target subset, rounded down;
    /// [`PARTS_MAX`] of one that is not large.
    pub fn parts_of(&self, account: u32) -> u32 {
        let place = self.large.binary_search_by_key(&account, |(of, _)| *of);
        let found = place.ok().and_then(|place| self.large.get(place));
        found.map_or(PARTS_MAX, |(_, parts)| *parts)
    }

    /// The large accounts, by number.
    pub(crate) fn large(&self) -> impl Iterator<Item = u32> + '_ {
        self.large.iter().map(|(account, _)| *account)
    }

    /// These accounts are gone, and others may have their numbers.
    pub(crate) fn forget_accounts(&mut self, accounts: &BTreeSet<u32>) {
        self.large
            .retain(|(account, _)| !accounts.contains(account));
    }

    /// The same with these large accounts, of which so many of each one's size would have all devices.
    #[cfg(test)]
    pub(crate) fn with_large(self, large: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let large: BTreeMap<u32, u32> = large.into_iter().collect();
        Self {
            large: large.into_iter().collect(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Score, needs::Profile, pools::PoolLimits, ranking::Abilities};
    use quern_primitives::{device::Class, job::ByteLevel};
    use std::cell::Cell;

    /// So many devices, all alike.
    fn ranking(devices: u32) -> Ranking {
        let profile = Profile {
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        let device = Abilities {
            traits: profile.pack(),
            capacity: Score::from_millionths(1_000_000),
            speed: 1,
        };
        Ranking::new((0..devices).map(|_| device))
    }

    /// Those devices in pools of this size, for a job of this level.
    fn target(ranking: &Ranking, level: ByteLevel, size_min: u32) -> Target {
        let limits = PoolLimits {
            capacity_min: 0,
            size_min,
            merge_top: true,
        };
        Target::of_level(ranking, &Needs::default(), level, &limits)
    }

    #[test]
    fn accounts_with_more_than_a_64th_of_the_devices_are_large_and_no_others() {
        let ranking = ranking(256);
        let mut target = target(&ranking, ByteLevel::High, u32::MAX);
        // Account 0 has a hundred, 1 has five, 2 has four, and every other one has one.
        let account_of = |number| match number {
            0..100 => 0,
            100..105 => 1,
            105..109 => 2,
            other => other,
        };
        target.find_large(&ranking, &Needs::default(), |number| {
            Some(account_of(number))
        });
        assert_eq!(target.large().collect::<Vec<_>>(), [0, 1]);
        let parts = [0, 1, 2, 200, u32::MAX].map(|account| target.parts_of(account));
        assert_eq!(parts, [2, 51, PARTS_MAX, PARTS_MAX, PARTS_MAX]);
        // Another account may have the number now.
        target.forget_accounts(&BTreeSet::from([0, 7]));
        assert_eq!(target.large().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn devices_of_pools_that_take_no_part_do_not_count() {
        let ranking = ranking(40);
        let mut low = target(&ranking, ByteLevel::Low, 20);
        let upper_is_of_one = |number: u32| Some(if number < 20 { 0 } else { number });
        low.find_large(&ranking, &Needs::default(), upper_is_of_one);
        assert_eq!(low.parts_of(0), PARTS_MAX);
        // Each of twenty has a twentieth.
        assert_eq!(low.parts_of(20), 20);
    }

    #[test]
    fn of_very_many_devices_some_thousand_are_looked_at() {
        let ranking = ranking(100_000);
        let mut target = target(&ranking, ByteLevel::High, u32::MAX);
        let looked_at = Cell::new(0);
        target.find_large(&ranking, &Needs::default(), |number| {
            looked_at.set(looked_at.get() + 1);
            Some(if number < 30_000 { 0 } else { number })
        });
        assert!((2_048..4_096).contains(&looked_at.get()), "{looked_at:?}");
        assert_eq!(target.large().collect::<Vec<_>>(), [0]);
        assert_eq!(target.parts_of(0), 3);
    }
}
