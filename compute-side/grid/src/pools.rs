//! Target subset and capacity pools of a job, from one ranking.
//!
//! The target subset are the ranked devices that meet the job's needs. It is scanned from the
//! bottom: a device joins the current pool while that pool's summed capacity is below the least
//! capacity or its size below the least size; otherwise it opens a new pool above, linked to the one
//! below. A top pool left under either limit is merged into the one below it (ours), unless the
//! published design is wanted to the letter.
//!
//! A pool is a stretch of the ranking, so a job's pools are remembered as the ranks at which they
//! begin, and a device's pool is found from its rank: nothing is kept for each device.
//!
//! A job's level says which of its pools take part (ours, where the published design only says that it
//! does): all of a high one; of a balanced one all but the lowest, where there are three or more; of a
//! low one the lower half, rounded up. Where there is one pool, it takes part whatever the level.
//!
//! The least capacity is to be below the median capacity times the least size. In a grid of which little
//! is measured it is made smaller, until it is ([`PoolLimits::within`]).

mod large;
mod speeds;

pub use large::PARTS_MAX;
pub(crate) use speeds::Speeds;

use crate::{
    Score,
    needs::Needs,
    ranking::{Rank, Ranking},
};
use quern_primitives::job::ByteLevel;
use std::{collections::BTreeSet, ops::Range};

/// Accounts of a target subset that are counted: eight for each of the 32 lanes that a task may have at
/// the most. Nothing depends on whether there are more.
pub const ACCOUNTS_COUNTED_MAX: u32 = 8 * 32;

/// Which pool of a job, numbered from the top.
pub type PoolNumber = u32;

/// When a pool is large enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Least summed capacity, in points. It counts for no more than [`PoolLimits::within`] says.
    pub capacity_min: u64,
    /// Least size.
    pub size_min: u32,
    /// Whether a top pool under either limit is merged into the one below.
    pub merge_top: bool,
}

impl PoolLimits {
    /// The same for a grid in which devices have this median capacity: the least capacity is the largest
    /// whole number of points below the median times the least size, or what it was if that is less.
    /// Where nobody has a point it is zero.
    #[must_use]
    pub fn within(self, median: Score) -> Self {
        let millionths = u64::from(median.millionths()).saturating_mul(self.size_min.into());
        let most = millionths.saturating_sub(1) / 1_000_000;
        Self {
            capacity_min: self.capacity_min.min(most),
            ..self
        }
    }
}

/// The devices of a job, and their pools. Those of pools that do not take part do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Devices in the target subset.
    pub devices: u32,
    /// The speeds of those whose speed is known together, in fuel per millisecond.
    pub speed: u64,
    /// How many of them have a known speed.
    pub measured: u32,
    /// The speed that one device in ten exceeds, to an eighth; one whose speed is not known exceeds none.
    pub speed_of_the_fast: u32,
    /// The rank at which each pool begins, from the top; a pool ends where the next begins.
    begins: Vec<Rank>,
    /// Pools at the top that do not take part.
    idle_above: u32,
    /// Pools at the bottom that do not.
    idle_below: u32,
    /// The large accounts by number, each with how many of its size would have all devices.
    large: Vec<(u32, u32)>,
}

impl Target {
    /// The devices of a ranking that meet a job's needs, in pools that all take part. The limits are those
    /// [within](PoolLimits::within) its median.
    pub fn of(ranking: &Ranking, needs: &Needs, limits: &PoolLimits) -> Self {
        let (mut target, speeds) = Self::with_speeds(ranking, needs, limits);
        target.take_over(&speeds);
        target
    }

    /// Its pools, which all take part, and the speeds of all its devices.
    fn with_speeds(ranking: &Ranking, needs: &Needs, limits: &PoolLimits) -> (Self, Speeds) {
        let limits = limits.within(ranking.median());
        let mut speeds = Speeds::default();
        let (mut begins, mut size, mut capacity) = (Vec::new(), 0u32, 0u64);
        let capacity_min = limits.capacity_min.saturating_mul(1_000_000);
        let is_small = |size: u32, capacity: u64| size < limits.size_min || capacity < capacity_min;
        for (rank, device) in ranking.abilities().enumerate().rev() {
            if !needs.are_met_by(device.traits) {
                continue;
            }
            speeds.add(device.speed);
            match begins.last_mut() {
                Some(begin) if is_small(size, capacity) => *begin = rank as Rank,
                _ => {
                    begins.push(rank as Rank);
                    (size, capacity) = (0, 0);
                }
            }
            size += 1;
            capacity += u64::from(device.capacity.millionths());
        }
        if limits.merge_top && begins.len() > 1 && is_small(size, capacity) {
            let top = begins.pop();
            begins
                .last_mut()
                .zip(top)
                .into_iter()
                .for_each(|(begin, top)| *begin = top);
        }
        begins.reverse();
        let target = Self {
            begins,
            ..Self::default()
        };
        (target, speeds)
    }

    /// The same for a job of this level, which says which of the pools take part.
    pub fn of_level(
        ranking: &Ranking,
        needs: &Needs,
        level: ByteLevel,
        limits: &PoolLimits,
    ) -> Self {
        let (mut target, mut speeds) = Self::with_speeds(ranking, needs, limits);
        let pools = target.pools();
        (target.idle_above, target.idle_below) = match level {
            ByteLevel::High => (0, 0),
            ByteLevel::Balanced => (0, u32::from(pools >= 3)),
            ByteLevel::Low => (pools / 2, 0),
        };
        let begin = target.begins.first().map_or(0, |begin| *begin as usize);
        let ranks = target.ranks(ranking);
        let idle = [begin..ranks.start, ranks.end..ranking.len() as usize];
        // The fewer of them are looked at twice: those that take part, or those that do not.
        match idle.iter().map(Range::len).sum::<usize>() < ranks.len() {
            true => idle
                .into_iter()
                .for_each(|idle| speeds.subtract(&Speeds::of(ranking, needs, idle))),
            false => speeds = Speeds::of(ranking, needs, ranks),
        }
        target.take_over(&speeds);
        target
    }

    fn take_over(&mut self, speeds: &Speeds) {
        self.devices = speeds.count;
        self.speed = speeds.sum;
        self.measured = speeds.measured;
        self.speed_of_the_fast = speeds.exceeded_by_one_in_ten();
    }

    /// The ranks of the pools that take part.
    fn ranks(&self, ranking: &Ranking) -> Range<usize> {
        let begin_of = |pool: PoolNumber| {
            let begin = self.begins.get(pool as usize).copied();
            begin.unwrap_or(ranking.len()) as usize
        };
        let pools = self.taking_part();
        begin_of(pools.start)..begin_of(pools.end)
    }

    /// How many accounts have a device in the target subset, counted up to [`ACCOUNTS_COUNTED_MAX`].
    /// `account_of` gives a device's account, each by its number; no more than `most` are looked for.
    pub fn accounts(
        &self,
        ranking: &Ranking,
        needs: &Needs,
        account_of: impl Fn(u32) -> Option<u32>,
        most: u32,
    ) -> u32 {
        let most = most.min(ACCOUNTS_COUNTED_MAX) as usize;
        let mut accounts = BTreeSet::new();
        let ranks = self.ranks(ranking);
        let devices = ranking.devices().zip(ranking.abilities());
        for (number, device) in devices.skip(ranks.start).take(ranks.len()) {
            if accounts.len() >= most {
                break;
            }
            if needs.are_met_by(device.traits) {
                accounts.extend(account_of(number));
            }
        }
        accounts.len() as u32
    }

    /// The pools that take part. Where nobody meets the job's needs there is one, for who comes.
    pub fn taking_part(&self) -> Range<PoolNumber> {
        let end = self.pools().max(1).saturating_sub(self.idle_below);
        self.idle_above.min(end)..end
    }

    /// Whether a device at this rank takes part.
    pub fn has_part(&self, rank: Option<Rank>) -> bool {
        self.taking_part().contains(&self.pool_of(rank))
    }

    /// How fast a device computes of which nothing is known: as fast as the others, or, if nothing
    /// is known of any, as fast as a slow desktop.
    pub fn usual_speed(&self) -> u64 {
        match self.measured {
            0 => SPEED_GUESSED,
            measured => (self.speed / u64::from(measured)).max(1),
        }
    }

    /// The speeds of all its devices together, in fuel per millisecond.
    pub fn speed_of_all(&self) -> u64 {
        let others = u64::from(self.devices.saturating_sub(self.measured));
        self.speed
            .saturating_add(others.saturating_mul(self.usual_speed()))
    }

    /// How many pools there are.
    pub fn pools(&self) -> u32 {
        self.begins.len() as u32
    }

    /// The pool of a device at this rank. One that is not ranked, or stands above all who were when
    /// the pools were made, is in the lowest or in the top pool.
    pub fn pool_of(&self, rank: Option<Rank>) -> PoolNumber {
        let Some(rank) = rank else {
            return self.pools().saturating_sub(1);
        };
        let above = self.begins.partition_point(|begin| *begin <= rank);
        above.saturating_sub(1) as PoolNumber
    }
}

/// In fuel per millisecond.
const SPEED_GUESSED: u64 = 5_000_000;

#[cfg(test)]
mod tests {
    use super::{speeds::model as sorted, *};
    use crate::{Tuning, needs::Profile, ranking::Abilities, tuning::Policy};
    use proptest::prelude::*;
    use quern_primitives::device::{Class, Region};

    fn ranking(points: &[u32]) -> Ranking {
        let traits = Profile {
            classes: vec![Class::Pinned],
            ..Profile::default()
        };
        let abilities = |points: &u32| Abilities {
            traits: traits.pack(),
            capacity: Score::from_millionths(points.saturating_mul(1_000_000)),
            speed: *points,
        };
        Ranking::new(points.iter().map(abilities))
    }

    fn limits(capacity_min: u64, size_min: u32, merge_top: bool) -> PoolLimits {
        PoolLimits {
            capacity_min,
            size_min,
            merge_top,
        }
    }

    /// The scan as described, with each pool as the list of its ranks.
    fn scan(ranking: &Ranking, needs: &Needs, limits: &PoolLimits) -> Vec<Vec<Rank>> {
        let mut pools: Vec<Vec<Rank>> = Vec::new();
        let devices: Vec<Abilities> = ranking.abilities().collect();
        let mut scores: Vec<u64> = devices
            .iter()
            .map(|device| device.capacity.millionths().into())
            .collect();
        scores.sort_unstable();
        let median = match scores.len() {
            0 => 0,
            count => scores[(count - 1) / 2],
        };
        // The largest that is below the median times the least size.
        let within = (0..=limits.capacity_min)
            .rev()
            .find(|least| least * 1_000_000 < median * u64::from(limits.size_min));
        let capacity_min = within.unwrap_or_default();
        let is_small = |pool: &[Rank]| {
            let capacity = |rank: &Rank| u64::from(devices[*rank as usize].capacity.millionths());
            pool.iter().map(capacity).sum::<u64>() < capacity_min * 1_000_000
                || (pool.len() as u32) < limits.size_min
        };
        for rank in (0..ranking.len()).rev() {
            if needs.lacking_in(devices[rank as usize].traits).is_some() {
                continue;
            }
            match pools.last_mut().filter(|pool| is_small(pool)) {
                Some(pool) => pool.push(rank),
                None => pools.push(vec![rank]),
            }
        }
        if limits.merge_top && pools.len() > 1 && pools.last().is_some_and(|top| is_small(top)) {
            let top = pools.pop().unwrap_or_default();
            pools.last_mut().unwrap().extend(top);
        }
        pools.reverse();
        pools
    }

    #[test]
    fn pools_are_filled_from_the_bottom() {
        // From the bottom: 10 + 20 + 30 reach 50 points; 40 + 50 do, with two devices; 60 is left.
        let ranking = ranking(&[60, 50, 40, 30, 20, 10]);
        let target = Target::of(&ranking, &Needs::default(), &limits(50, 2, false));
        assert_eq!(target.pools(), 3);
        let pools: Vec<_> = (0..6).map(|rank| target.pool_of(Some(rank))).collect();
        assert_eq!(pools, [0, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn a_top_pool_that_is_too_small_is_merged_into_the_one_below_it() {
        let ranking = ranking(&[60, 50, 40, 30, 20, 10]);
        let target = Target::of(&ranking, &Needs::default(), &limits(50, 2, true));
        let pools: Vec<_> = (0..6).map(|rank| target.pool_of(Some(rank))).collect();
        assert_eq!(pools, [0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn the_least_capacity_is_below_the_median_times_the_least_size_where_nothing_is_measured() {
        // Eight devices of which nothing is known have 6,000 points.
        let usual = limits(8_000, 8, true);
        let unknown = ranking(&[750; 64]);
        assert_eq!(unknown.median(), Score::from_millionths(750_000_000));
        let within = usual.within(unknown.median());
        assert_eq!((within.capacity_min, within.size_min), (5_999, 8));
        let target = Target::of(&unknown, &Needs::default(), &usual);
        assert_eq!(target.pools(), 8, "of eight devices each");
        // The default is below that already, and makes as many.
        let default = Tuning {
            policy: Policy::MergedPools,
            ..Tuning::default()
        };
        let default = default.pool_limits();
        assert_eq!(default.within(unknown.median()), default);
        let target = Target::of(&unknown, &Needs::default(), &default);
        assert_eq!(target.pools(), 8);
        // It is only ever made smaller, and of one queue for all nothing changes.
        let strong = Score::from_millionths(1_500_000_000);
        assert_eq!(usual.within(strong), usual);
        assert_eq!(usual.within(Score::default()).capacity_min, 0);
        let one = Tuning::default().pool_limits();
        assert_eq!(Target::of(&unknown, &Needs::default(), &one).pools(), 1);
        let median = ranking(&[9, 1, 5, 3]).median();
        assert_eq!(median, Score::from_millionths(3_000_000));
    }

    #[test]
    fn a_device_that_came_after_the_ranking_is_in_the_lowest_pool() {
        let target = Target::of(&ranking(&[3, 2, 1]), &Needs::default(), &limits(0, 1, true));
        assert_eq!((target.pools(), target.pool_of(None)), (3, 2));
    }

    #[test]
    fn a_job_that_nobody_can_do_has_no_pool() {
        let needs = Needs {
            trusted: true,
            ..Needs::default()
        };
        let target = Target::of(&ranking(&[1, 2]), &needs, &limits(1, 1, true));
        assert_eq!(target, Target::default());
        assert_eq!(target.pool_of(Some(0)), 0);
    }

    #[test]
    fn the_speed_of_the_fast_is_one_that_a_tenth_exceeds() {
        let points: Vec<u32> = (1..=100).map(|n| n * 100).collect();
        let target = Target::of(&ranking(&points), &Needs::default(), &limits(0, 1, true));
        assert_eq!((target.devices, target.speed), (100, 505_000));
        assert!(
            (8_000..=9_000).contains(&target.speed_of_the_fast),
            "{target:?}"
        );
    }

    #[test]
    fn a_level_says_which_pools_take_part() {
        let part = |pools: u32, level| {
            let points: Vec<u32> = (1..=pools).rev().collect();
            let limits = limits(0, 1, false);
            Target::of_level(&ranking(&points), &Needs::default(), level, &limits).taking_part()
        };
        for pools in 1..6 {
            assert_eq!(part(pools, ByteLevel::High), 0..pools);
        }
        let balanced: Vec<_> = (1..6)
            .map(|pools| part(pools, ByteLevel::Balanced))
            .collect();
        assert_eq!(balanced, [0..1, 0..2, 0..2, 0..3, 0..4]);
        let low: Vec<_> = (1..6).map(|pools| part(pools, ByteLevel::Low)).collect();
        assert_eq!(low, [0..1, 1..2, 1..3, 2..4, 2..5]);
        // Where nobody is, whoever comes takes part.
        assert_eq!(part(0, ByteLevel::Low), 0..1);
    }

    #[test]
    fn accounts_are_those_of_devices_that_take_part_each_counted_once_and_not_without_end() {
        let points: Vec<u32> = (0..400).rev().collect();
        let ranking = ranking(&points);
        let whole = limits(u64::MAX, u32::MAX, true);
        let needs = Needs::default();
        let target = Target::of(&ranking, &needs, &whole);
        let count = |account_of: fn(u32) -> u32, most| {
            target.accounts(&ranking, &needs, |number| Some(account_of(number)), most)
        };
        assert_eq!(count(|number| number % 3, 400), 3);
        assert_eq!(count(|number| number, 400), ACCOUNTS_COUNTED_MAX);
        assert_eq!(count(|number| number, 7), 7);
        // The lower of two pools has the devices 200 and up.
        let halves = limits(0, 200, false);
        let low = Target::of_level(&ranking, &needs, ByteLevel::Low, &halves);
        let lower = |number| Some(if number < 200 { number } else { 1_000 });
        assert_eq!(low.accounts(&ranking, &needs, lower, 400), 1);
    }

    proptest! {
        #[test]
        fn pools_are_those_of_the_published_scan(
            devices in prop::collection::vec((0u32..2_700, 0u8..4), 0..200),
            capacity_min in 0u64..5_000,
            size_min in 0u32..6,
            merge_top: bool,
            all_regions: bool,
            level in prop::sample::select(vec![
                ByteLevel::Low,
                ByteLevel::Balanced,
                ByteLevel::High,
            ]),
        ) {
            let kinds = [Region::Unknown, Region::Americas, Region::Europe, Region::AsiaPacific];
            let ranking = Ranking::new(devices.iter().map(|(points, region)| {
                let profile = Profile {
                    classes: vec![Class::Pinned],
                    region: kinds[usize::from(*region)],
                    ..Profile::default()
                };
                Abilities {
                    traits: profile.pack(),
                    capacity: Score::from_millionths(points * 1_000_000),
                    speed: *points,
                }
            }));
            let mut needs = Needs::default();
            if !all_regions {
                needs.regions = crate::needs::Allowed::only([Region::Europe, Region::Unknown]);
            }
            let limits = PoolLimits { capacity_min, size_min, merge_top };
            let target = Target::of(&ranking, &needs, &limits);
            let pools = scan(&ranking, &needs, &limits);
            prop_assert_eq!(target.pools() as usize, pools.len());
            prop_assert_eq!(target.devices as usize, pools.iter().map(Vec::len).sum::<usize>());
            for (number, pool) in (0..).zip(&pools) {
                for rank in pool {
                    prop_assert_eq!(target.pool_of(Some(*rank)), number);
                }
            }
            // Of a level: the devices of the pools that take part, and no others, count.
            let has_part = |number: usize| match level {
                ByteLevel::High => true,
                ByteLevel::Balanced => pools.len() < 3 || number + 1 < pools.len(),
                ByteLevel::Low => number >= pools.len() / 2,
            };
            let narrowed = Target::of_level(&ranking, &needs, level, &limits);
            let mut speeds: Vec<u32> = vec![];
            for (number, pool) in pools.iter().enumerate() {
                for rank in pool {
                    prop_assert_eq!(narrowed.pool_of(Some(*rank)) as usize, number);
                    prop_assert_eq!(narrowed.has_part(Some(*rank)), has_part(number));
                    if has_part(number) {
                        speeds.push(devices[*rank as usize].0);
                    }
                }
            }
            let sum: u64 = speeds.iter().map(|speed| u64::from(*speed)).sum();
            let measured = speeds.iter().filter(|speed| **speed > 0).count();
            prop_assert_eq!((narrowed.devices as usize, narrowed.speed), (speeds.len(), sum));
            prop_assert_eq!(narrowed.measured as usize, measured);
            prop_assert_eq!(narrowed.speed_of_the_fast, sorted::exceeded_by_one_in_ten(&speeds));
        }
    }
}
