//! How tasks are dealt and watched. What the defaults should be the simulator finds: the policy by
//! `quern-simulate experiment`, which compares all of them, and the pools' C_min and s_min and the
//! timeouts T1 and T2, with what these are at the least, by `quern-simulate tune`, which also says what
//! the wait for a lane, a large account and second opinions cost. Both write what they find into
//! `docs/experiments/distribution.md`, and tests hold the defaults to what the page says: that no policy is
//! less far behind in its worst column; that under neither policy with pools another C_min and s_min end jobs
//! sooner beyond chance; and that other T1 and T2, or others at the least, do so by 1 % at the most, or by
//! chance, and of these none costs less. The published design stays selectable.

#[cfg(test)]
mod model;

use crate::pools::PoolLimits;

/// How tasks are dealt to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Capacity pools as published: tasks are dealt to pools in equal numbers, and a device whose
    /// pool has none left inherits from the pool below.
    Pools,
    /// The same, with a top pool under its limits merged into the one below.
    MergedPools,
    /// One queue for all devices of the job, first come first served.
    OneQueue,
}

/// The scheduler's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How tasks are dealt.
    pub policy: Policy,
    /// Least summed capacity of a pool, in points.
    pub pool_capacity_min: u64,
    /// Least size of a pool.
    pub pool_size_min: u32,
    /// Whether a device is passed over for a task that the others will have done sooner.
    pub spares_the_slow: bool,
    /// Whether idle devices compute the slowest tasks of a job that has nothing else left.
    pub backs_up: bool,
    /// Backups of one task at a time.
    pub backups_max: u8,
    /// T1 in hundredths of a task's expected time, which has its way over its device's line in it: without a
    /// sign of progress for so long the device is asked again, and the task is delayed.
    pub delayed_percent: u32,
    /// T2 in hundredths of a task's expected time: after so long it is stale.
    pub stale_percent: u32,
    /// T1 at the least, in milliseconds: below it is noise of network and start. It comes after half of the time
    /// that a replica may be out all the same.
    pub delayed_ms_min: u64,
    /// T2 at the least, in milliseconds. It comes after two thirds of that time all the same, unless the task should
    /// not be done before.
    pub stale_ms_min: u64,
    /// How long a replica waits for a device of its lane, or for a fast one, before any may have it, in
    /// milliseconds: from when a slower one passed it, and where it waits for its lane from when it was
    /// passed in vain.
    pub lane_ms: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            policy: Policy::OneQueue,
            pool_capacity_min: 4_000,
            pool_size_min: 8,
            spares_the_slow: true,
            backs_up: true,
            backups_max: 2,
            delayed_percent: 200,
            stale_percent: 350,
            delayed_ms_min: 15_000,
            stale_ms_min: 25_000,
            lane_ms: 10_000,
        }
    }
}

impl Tuning {
    /// The published design, without the rules of ours that can be left out: lanes, doubts, and pools that
    /// open when nobody finds anything in turn, stay.
    pub fn published() -> Self {
        Self {
            policy: Policy::Pools,
            spares_the_slow: false,
            backs_up: false,
            ..Self::default()
        }
    }

    /// When a pool is large enough.
    pub fn pool_limits(&self) -> PoolLimits {
        match self.policy {
            Policy::Pools | Policy::MergedPools => PoolLimits {
                capacity_min: self.pool_capacity_min,
                size_min: self.pool_size_min.max(1),
                merge_top: self.policy == Policy::MergedPools,
            },
            // No pool is ever large enough, so there is one.
            Policy::OneQueue => PoolLimits {
                capacity_min: u64::MAX,
                size_min: u32::MAX,
                merge_top: true,
            },
        }
    }

    /// When a task is delayed and stale that is expected to take so long, once its device has done what it has
    /// before it, where a replica may be out for so long by itself. What is before it gives it as much time more,
    /// and no more than that again. The device is asked again before half of that time is over. Stale it is a third
    /// of it before the end at the latest, soon enough for another to be of use, but for this not before it should
    /// be done.
    pub fn timeouts(&self, backlog_ms: u64, takes_ms: u64, replica_ms: u64) -> Timeouts {
        let expected_ms = backlog_ms.saturating_add(takes_ms);
        let over_ms = replica_ms.saturating_add(backlog_ms.min(replica_ms));
        let part = |percent: u32| expected_ms.saturating_mul(percent.into()) / 100;
        let delayed_ms = part(self.delayed_percent).max(self.delayed_ms_min);
        let stale_ms = part(self.stale_percent)
            .max(self.stale_ms_min)
            .max(delayed_ms);
        let in_time_ms = (over_ms - over_ms / 3).max(expected_ms).min(over_ms);
        Timeouts {
            delayed_ms: delayed_ms.min(over_ms / 2),
            stale_ms: stale_ms.min(in_time_ms),
            over_ms,
        }
    }
}

/// The timeouts of a task that a device was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// T1: without a sign of progress for so long it is delayed.
    pub delayed_ms: u64,
    /// T2: after so long it is stale.
    pub stale_ms: u64,
    /// After so long it is taken back.
    pub over_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_follow_from_the_expected_time_and_never_cross() {
        let tuning = Tuning::default();
        let of = |ms, replica_ms| {
            let found = tuning.timeouts(0, ms, replica_ms);
            (found.delayed_ms, found.stale_ms, found.over_ms)
        };
        assert_eq!(of(0, 90_000), (15_000, 25_000, 90_000));
        assert_eq!(of(60_000, 600_000), (120_000, 210_000, 600_000));
        // Stale soon enough to be of use, and not before it should be done.
        assert_eq!(of(60_000, 120_000), (60_000, 80_000, 120_000));
        assert_eq!(of(60_000, 75_000), (37_500, 60_000, 75_000));
        // Whatever is expected, it is over.
        assert_eq!(of(u64::MAX, 90_000), (45_000, 90_000, 90_000));
        let odd = Tuning {
            delayed_percent: 900,
            ..tuning
        };
        let odd = odd.timeouts(0, 60_000, 1_200_000);
        assert_eq!((odd.delayed_ms, odd.stale_ms), (540_000, 540_000));
    }

    #[test]
    fn what_a_device_has_before_a_task_gives_it_as_much_time_more_and_twice_its_time_at_the_most() {
        let over = |backlog_ms| {
            let tuning = Tuning::default();
            tuning.timeouts(backlog_ms, 1_000, 90_000).over_ms
        };
        assert_eq!([0, 30_000, 90_000].map(over), [90_000, 120_000, 180_000]);
        assert_eq!([90_001, u64::MAX].map(over), [180_000; 2]);
    }
}
