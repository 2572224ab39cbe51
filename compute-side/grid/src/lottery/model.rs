//! The draw as the published formula has it.

use super::*;
use proptest::prelude::*;

/// l(h) = c h² e^(-βh).
fn published(hours: f64) -> f64 {
    0.002_565_64 * hours.powi(2) * (-0.166_666_67 * hours).exp()
}

/// The first 53 bits, the first byte being the lowest, of a hash of the draw's name, its seed, its day
/// and the device; as a fraction.
fn drawn(draw: &Draw, device: &DeviceId) -> f64 {
    let day = draw.day.to_le_bytes();
    let text = [b"quern/lottery/1".as_slice(), &draw.seed, &day, &device.0].concat();
    let digest: [u8; 32] = Sha256::digest(text).into();
    let first = digest.iter().take(8).rev();
    let number = first.fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    (number >> 11) as f64 * 2_f64.powi(-53)
}

proptest! {
    #[test]
    fn a_chance_is_the_published_formula(
        hours in prop_oneof![0.0..48.0f64, 0.0..10_000.0f64, Just(0.0), Just(12.0)],
    ) {
        let expected = published(hours);
        prop_assert!((chance(hours) - expected).abs() <= 1e-12 * expected + 1e-300, "{expected}");
    }

    /// Blocks of two seconds; about half of the devices have had no task for half a day.
    #[test]
    fn a_device_wins_that_draws_less_than_its_chance(
        seed in any::<[u8; 32]>(),
        day in prop_oneof![8 => 1u32..99_000, 1 => any::<u32>(), 1 => Just(0)],
        idle in prop_oneof![6 => 18_000u32..25_200, 4 => 0u32..100_000, 1 => any::<u32>()],
        later in prop_oneof![9 => Just(0), 1 => any::<u32>()],
        first in prop_oneof![any::<[u8; 32]>(), Just([0; 32]), Just([u8::MAX; 32])],
    ) {
        let draw = Draw::new(seed, day);
        let block = (43_200 * u64::from(day)).min(u32::MAX.into()) as u32;
        let last_task = block.saturating_sub(idle).saturating_add(later);
        let hours = f64::from(block.saturating_sub(last_task)) / 1_800.0;
        for n in 0..100 {
            let mut device = DeviceId(first);
            device.0[31] ^= n;
            let lot = draw.lot(&device, last_task);
            prop_assert_eq!(lot.is_none(), last_task == 0);
            let Some(lot) = lot else { continue };
            let (drawn, chance) = (drawn(&draw, &device), published(hours));
            prop_assert!((lot.hours - hours).abs() <= 1e-9 * (1.0 + hours));
            prop_assert_eq!(lot.drawn, drawn);
            prop_assert!((0.0..1.0).contains(&drawn));
            // Where they are as near to each other as that, the last digits decide.
            if (drawn - chance).abs() > 1e-12 {
                prop_assert_eq!(lot.wins(), drawn < chance);
            }
        }
    }
}
