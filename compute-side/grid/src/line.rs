//! How long a device's line takes for what a task brings to it and takes from it.
//!
//! A task's time has its transfer in it: its input comes over the device's line and its result goes back, and
//! over a slow line either can take longer than to compute. So what a device is expected to take, and T1 and
//! T2 with it, counts the line as it was measured by real transfers.

/// Bits a millisecond of the slowest line that is useful, 5 Mbit/s: a shard of 32 MiB takes it 54 seconds.
const SLOWEST: u64 = 5_000;

/// What a task brings over its device's line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskBytes {
    /// To the device.
    pub down: u64,
    /// From the device.
    pub up: u64,
}

/// How fast a device's line is each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSpeed {
    /// Bits a millisecond to the device, which are kilobits a second.
    down: u64,
    /// Bits a millisecond from the device.
    up: u64,
}

impl LineSpeed {
    /// The slowest line that is useful.
    pub const SLOWEST: Self = Self {
        down: SLOWEST,
        up: SLOWEST,
    };

    /// A line by what was measured of it each way, in kilobits a second. One that was not measured counts as the
    /// slowest that is useful, so that nothing is taken to be late that is on its way; and so does a slower one:
    /// who takes what is sent to it as slowly as it likes gains no time by that.
    pub fn measured(down_kbps: Option<u32>, up_kbps: Option<u32>) -> Self {
        let way = |kbps: Option<u32>| kbps.map_or(SLOWEST, |kbps| u64::from(kbps).max(SLOWEST));
        Self {
            down: way(down_kbps),
            up: way(up_kbps),
        }
    }

    /// How long it takes for a task, in milliseconds.
    pub fn takes_ms(self, bytes: TaskBytes) -> u64 {
        let way = |bytes: u64, bits_a_ms: u64| bytes.saturating_mul(8) / bits_a_ms.max(1);
        way(bytes.down, self.down).saturating_add(way(bytes.up, self.up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_line_takes_for_a_task_what_each_way_takes() {
        // 80 Mbit/s there are 10,000 bytes a millisecond, and 8 Mbit/s back 1,000.
        let line = LineSpeed::measured(Some(80_000), Some(8_000));
        let bytes = |down, up| TaskBytes { down, up };
        assert_eq!(line.takes_ms(bytes(5_000_000, 0)), 500);
        assert_eq!(line.takes_ms(bytes(0, 5_000_000)), 5_000);
        assert_eq!(line.takes_ms(bytes(5_000_000, 5_000_000)), 5_500);
        assert_eq!(line.takes_ms(TaskBytes::default()), 0);
    }

    #[test]
    fn a_line_that_nobody_measured_or_that_is_slower_is_the_slowest_that_is_useful() {
        assert_eq!(LineSpeed::measured(None, None), LineSpeed::SLOWEST);
        assert_eq!(LineSpeed::measured(Some(0), Some(8)), LineSpeed::SLOWEST);
        let shard = TaskBytes {
            down: 32 * MIB,
            up: 0,
        };
        assert_eq!(LineSpeed::SLOWEST.takes_ms(shard), 53_687);
        let half_known = LineSpeed::measured(Some(1_000_000), None);
        assert_eq!(half_known.takes_ms(shard), 268);
    }

    proptest! {
        /// Whatever was measured: the time is that of both ways, each its bits by its rate, rounded down.
        #[test]
        fn any_line_takes_its_bits_by_its_rate(
            kbps in (5_000..1_000_000u32, 5_000..1_000_000u32),
            bytes in (0..64 * MIB, 0..64 * MIB),
        ) {
            let line = LineSpeed::measured(Some(kbps.0), Some(kbps.1));
            let found = line.takes_ms(TaskBytes { down: bytes.0, up: bytes.1 });
            let way = |bytes: u64, kbps: u32| u128::from(bytes) * 8 / u128::from(kbps);
            prop_assert_eq!(u128::from(found), way(bytes.0, kbps.0) + way(bytes.1, kbps.1));
        }

        /// However slow or large, nothing overflows, and more bytes never take less.
        #[test]
        fn more_bytes_never_take_less(
            kbps in (any::<Option<u32>>(), any::<Option<u32>>()),
            down in any::<u64>(),
            up in any::<u64>(),
            less in 0..1_000_000u64,
        ) {
            let line = LineSpeed::measured(kbps.0, kbps.1);
            let all = line.takes_ms(TaskBytes { down, up });
            let fewer = TaskBytes { down: down.saturating_sub(less), up: up.saturating_sub(less) };
            prop_assert!(line.takes_ms(fewer) <= all);
        }
    }
}
