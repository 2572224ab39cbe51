//! The timeouts as shares of the expected time.

use super::*;
use proptest::prelude::*;

fn percent() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0u32..1_000, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn expected_ms() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..10_000_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn least_ms() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..1_000_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

proptest! {
    /// With b what is before it, t what it takes and r how long it may be out by itself, it is over after o = r +
    /// min(b, r). T1 = max(T1 % (b + t), least T1), but o / 2 at the most; T2 = max(T2 % (b + t), least T2, T1), but
    /// at the most 2/3 o, or b + t if that is later, and o in any case.
    #[test]
    fn timeouts_are_shares_of_the_expected_time_and_no_less_than_their_least_but_in_time(
        (backlog_ms, takes_ms, replica_ms) in (expected_ms(), expected_ms(), least_ms()),
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
        let found = tuning.timeouts(backlog_ms, takes_ms, replica_ms);
        let expected_ms = (backlog_ms as f64 + takes_ms as f64).min(u64::MAX as f64);
        // A share of more hundredths than can be told is one of as many as can.
        let share = |percent: u32| {
            let hundredths = expected_ms * f64::from(percent);
            hundredths.min(u64::MAX as f64) / 100.0
        };
        let delayed_ms = share(delayed_percent).max(delayed_ms_min as f64);
        let stale_ms = share(stale_percent).max(stale_ms_min as f64).max(delayed_ms);
        let over_ms = replica_ms as f64 + backlog_ms.min(replica_ms) as f64;
        let over_ms = over_ms.min(u64::MAX as f64);
        let in_time_ms = (over_ms * 2.0 / 3.0).max(expected_ms).min(over_ms);
        let (delayed_ms, stale_ms) = (delayed_ms.min(over_ms / 2.0), stale_ms.min(in_time_ms));
        let is = |found: u64, expected: f64| {
            (found as f64 - expected).abs() <= 1.0 + 1e-12 * expected
        };
        prop_assert!(is(found.delayed_ms, delayed_ms), "{found:?} {delayed_ms}");
        prop_assert!(is(found.stale_ms, stale_ms), "{found:?} {stale_ms}");
        prop_assert!(is(found.over_ms, over_ms), "{found:?} {over_ms}");
        prop_assert!(found.delayed_ms <= found.stale_ms && found.stale_ms <= found.over_ms);
        // However slow a device is or says that it is, it has a task no longer.
        prop_assert!(found.over_ms / 2 <= replica_ms);
        // As far as hundredths of it can be told.
        let should_be_done = takes_ms.saturating_add(backlog_ms).min(u64::MAX / 100);
        let should_be_done = should_be_done.min(found.over_ms);
        prop_assert!(found.stale_ms >= should_be_done || stale_percent < 100);
    }
}
