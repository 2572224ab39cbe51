//! How tasks are dealt and watched. What the defaults should be the simulator finds: the policy by
//! `quern-simulate experiment`, which compares all of them, and the pools' C_min and s_min and the
//! timeouts T1 and T2, with what these are at the least, by `quern-simulate tune`, which also says what
//! the wait for a lane, a large account and second opinions cost. Both write what they find into
//! `docs/experiments/distribution.md`, and tests hold the defaults to what the page says: that no policy is
//! less far behind in its worst column; that under neither policy with pools another C_min and s_min end jobs
//! sooner beyond chance; and that other T1 and T2 do so by 1 % at the most, or by chance. T1 and T2 at the
//! least are one setting for tasks of every length, and need only be among the best for one of those that are
//! compared: with tasks of a second shorter ones end jobs sooner. They are kept by hand, as is T2, of which
//! a longer one would cost a little less; decision 8 says why. The published design stays selectable.

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
    /// T1 at the least, in milliseconds: below it is noise of network and start.
    pub delayed_ms_min: u64,
    /// T2 at the least, in milliseconds.
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
            delayed_percent: 125,
            stale_percent: 200,
            delayed_ms_min: 15_000,
            stale_ms_min: 60_000,
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

    /// When a task is delayed and when it is stale that is expected to take so long.
    pub fn timeouts(&self, expected_ms: u64) -> Timeouts {
        let part = |percent: u32| expected_ms.saturating_mul(percent.into()) / 100;
        let delayed_ms = part(self.delayed_percent).max(self.delayed_ms_min);
        Timeouts {
            delayed_ms,
            stale_ms: part(self.stale_percent)
                .max(self.stale_ms_min)
                .max(delayed_ms),
        }
    }
}

/// The two timeouts of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// T1: without a sign of progress for so long it is delayed.
    pub delayed_ms: u64,
    /// T2: after so long it is stale.
    pub stale_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_follow_from_the_expected_time_and_never_cross() {
        let tuning = Tuning::default();
        let of = |ms| tuning.timeouts(ms);
        assert_eq!((of(0).delayed_ms, of(0).stale_ms), (15_000, 60_000));
        assert_eq!(
            (of(60_000).delayed_ms, of(60_000).stale_ms),
            (75_000, 120_000)
        );
        let endless = of(u64::MAX);
        assert!(endless.stale_ms >= endless.delayed_ms);
        let odd = Tuning {
            delayed_percent: 900,
            ..tuning
        };
        let odd = odd.timeouts(60_000);
        assert!(odd.stale_ms >= odd.delayed_ms);
    }
}
