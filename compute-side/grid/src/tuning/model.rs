//! The timeouts as shares of the expected time.

use super::*;
use proptest::prelude::*;

fn percent() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0u32..1_000, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn least_ms() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..1_000_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

proptest! {
    /// T1 = max(a t, least T1), T2 = max(b t, least T2, T1), at the end of time at the latest.
    #[test]
    fn timeouts_are_shares_of_the_expected_time_and_no_less_than_their_least(
        expected_ms in prop_oneof![8 => 0u64..10_000_000, 1 => any::<u64>(), 1 => Just(u64::MAX)],
        (delayed_percent, stale_percent) in (percent(), percent()),
        (delayed_ms_min, stale_ms_min) in (least_ms(), least_ms()),
    ) {
        let tuning = Tuning {
            delayed_percent,
            stale_percent,
            delayed_ms_min,
            stale_ms_min,
            ..Tuning::default()
        };
        let found = tuning.timeouts(expected_ms);
        // A share of more hundredths than can be told is one of as many as can.
        let share = |percent: u32| {
            let hundredths = expected_ms as f64 * f64::from(percent);
            hundredths.min(u64::MAX as f64) / 100.0
        };
        let delayed_ms = share(delayed_percent).max(delayed_ms_min as f64);
        let stale_ms = share(stale_percent).max(stale_ms_min as f64).max(delayed_ms);
        let is = |found: u64, expected: f64| {
            (found as f64 - expected).abs() <= 1.0 + 1e-12 * expected
        };
        prop_assert!(is(found.delayed_ms, delayed_ms), "{found:?} {delayed_ms}");
        prop_assert!(is(found.stale_ms, stale_ms), "{found:?} {stale_ms}");
        prop_assert!(found.delayed_ms <= found.stale_ms);
        prop_assert!(found.delayed_ms >= delayed_ms_min && found.stale_ms >= stale_ms_min);
    }
}
