//! The speeds of the last ten minutes from a list of all transfers.

use super::*;
use proptest::prelude::*;

/// A transfer to a device: in which half minute it counts, and its speed in megabits a second.
type Transfer = (u64, f64);

/// Of each half minute that has a transfer, of the twenty up to the newest there ever was: the mean
/// speed of its transfers, and how many they are.
fn means(transfers: &[Transfer], newest: u64) -> Vec<(f64, usize)> {
    let mut means = vec![];
    for then in newest.saturating_sub(19)..=newest {
        let of_then = transfers.iter().filter(|(at, _)| *at == then);
        let speeds: Vec<f64> = of_then.map(|(_, mbps)| *mbps).collect();
        if !speeds.is_empty() {
            let sum: f64 = speeds.iter().sum();
            means.push((sum / speeds.len() as f64, speeds.len()));
        }
    }
    means
}

/// Standard deviation over mean.
fn variation(means: &[(f64, usize)]) -> f64 {
    let count = means.len() as f64;
    let mean = means.iter().map(|(speed, _)| speed).sum::<f64>() / count;
    let squares = means.iter().map(|(speed, _)| (speed - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt() / mean
}

proptest! {
    #[test]
    fn the_variation_is_that_of_the_half_minutes_of_the_last_ten(
        transfers in prop::collection::vec((
            prop_oneof![
                2 => 0u64..10_000,
                6 => 10_000u64..100_000,
                2 => 100_000u64..700_000,
                1 => Just(30_000),
            ],
            prop_oneof![8 => Just(0u64), 1 => 0u64..700_000, 1 => Just(u64::MAX)],
            prop_oneof![
                8 => (1u16..=256).prop_map(f64::from),
                4 => 0.001..4_000_000.0f64,
                1 => prop::sample::select(vec![0.0, -1.0, 4_000_001.0, f64::NAN, f64::INFINITY]),
            ],
        ), 0..60),
        is_at_the_end: bool,
    ) {
        let mut vitals = Vitals::default();
        let (mut list, mut newest, mut clock): (Vec<Transfer>, _, _) = (vec![], 0u64, 0u64);
        if is_at_the_end {
            clock = 30_000 * u64::from(u32::MAX) - 500_000;
        }
        for (passed_ms, back_ms, mbps) in transfers {
            clock = clock.saturating_add(passed_ms);
            let now = clock.saturating_sub(back_ms);
            let told = Readings { down_mbps: Some(mbps), ..Readings::default() };
            vitals.update(Tick(now), &told);
            // None goes further than the last half minute that can be told.
            let half_minute = (now / 30_000).min(u32::MAX.into());
            list.retain(|(then, _)| half_minute.saturating_sub(*then) < 20);
            // No speed is no transfer, and neither is what is not believed.
            if mbps > 0.0 && mbps <= 4_000_000.0 {
                // A clock that jumps back counts into the newest half minute.
                newest = half_minute.max(newest);
                list.push((newest, mbps));
            }
            let means = means(&list, newest);
            let Some(found) = vitals.speed_variation() else {
                prop_assert!(means.len() < 2, "{means:?}");
                continue;
            };
            prop_assert!(means.len() >= 2, "{found}");
            // Each speed is cut to seven binary digits behind its first, once for each transfer.
            let most = means.iter().map(|(_, transfers)| *transfers).max().unwrap_or(1);
            let cut = most as f64 / 128.0;
            let expected = variation(&means);
            let bound = cut * (1.0 + 2.0 * expected) / (1.0 - cut).max(0.1);
            prop_assert!(
                (f64::from(found) - expected).abs() <= bound + 1e-4 * (1.0 + expected),
                "{found} {expected} {means:?}"
            );
        }
    }
}
