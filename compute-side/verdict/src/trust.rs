//! Whose word alone is enough where agreement is adaptive.

use quern_primitives::{
    ids::{DeviceId, TaskIndex},
    limits::TRUSTED_ROW_MIN,
};
use sha2::{Digest as _, Sha256};

/// Begins what is hashed, so that no other draw from the same seed comes out alike.
const DOMAIN: &[u8] = b"quern/trusted-alone/1";

/// Whether a device is believed alone with a task: never below [`TRUSTED_ROW_MIN`] answers `accepted`
/// in a row, and with n of them with probability 1 - 1/n.
///
/// The draw is the first 8 bytes, little endian, of SHA-256 over `quern/trusted-alone/1`, the seed, the
/// task (4 bytes, little endian) and the device. The device is not believed if that number is below
/// 2^64 / n. Who knows the seed knows what comes out, and a device that knows that it is believed alone
/// knows when to lie. So the seed is one that coordinator and owner have and devices have not: it follows
/// from the job's key (`quern_shards::keys::TrustSeed`). The owner can draw again what was drawn, and so
/// can whom the owner gives the seed; for anybody else it is the coordinator's word.
#[must_use]
pub fn is_trusted_alone(
    seed: &[u8; 32],
    task: TaskIndex,
    device: &DeviceId,
    accepted: u32,
) -> bool {
    accepted >= TRUSTED_ROW_MIN && !falls_below(draw(seed, task, device), accepted)
}

/// Whether a number drawn from all of 64 bits is below 2^64 / n.
fn falls_below(drawn: u64, n: u32) -> bool {
    // A product of 64 and 32 bits fits.
    u128::from(drawn).saturating_mul(n.into()) <= u128::from(u64::MAX)
}

fn draw(seed: &[u8; 32], task: TaskIndex, device: &DeviceId) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(seed);
    hasher.update(task.to_le_bytes());
    hasher.update(device.0);
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([7; 32]);

    fn believed(n: u32, tasks: u32) -> u32 {
        let alone = (0..tasks).filter(|task| is_trusted_alone(&[1; 32], *task, &DEVICE, n));
        alone.count() as u32
    }

    #[test]
    fn nobody_is_believed_before_ten_in_a_row() {
        for n in 0..TRUSTED_ROW_MIN {
            assert_eq!(believed(n, 1_000), 0, "{n}");
        }
    }

    #[test]
    fn with_n_in_a_row_one_answer_in_n_is_looked_at() {
        for n in [10, 11, 25, 100] {
            let tasks = 100_000u32;
            let looked_at = f64::from(tasks - believed(n, tasks));
            let p = 1.0 / f64::from(n);
            let sigma = (f64::from(tasks) * p * (1.0 - p)).sqrt();
            let expected = f64::from(tasks) * p;
            assert!(
                (looked_at - expected).abs() < 4.0 * sigma,
                "{n}: {looked_at}"
            );
        }
    }

    #[test]
    fn the_bound_is_a_nth_of_all_numbers_to_the_last_one() {
        // 2^64 / 10 = 1844674407370955161.6
        assert!(falls_below(1_844_674_407_370_955_161, 10));
        assert!(!falls_below(1_844_674_407_370_955_162, 10));
        assert!(falls_below(0, u32::MAX));
        assert!(!falls_below(u64::MAX, u32::MAX));
        assert!(!falls_below(1 << 60, 16));
        assert!(falls_below((1 << 60) - 1, 16));
    }

    #[test]
    fn seed_task_and_device_all_decide() {
        let others = [
            draw(&[2; 32], 3, &DEVICE),
            draw(&[1; 32], 4, &DEVICE),
            draw(&[1; 32], 3, &DeviceId([8; 32])),
        ];
        let drawn = draw(&[1; 32], 3, &DEVICE);
        assert!(others.iter().all(|other| *other != drawn));
        assert_eq!(draw(&[1; 32], 3, &DEVICE), drawn);
    }

    #[test]
    fn a_longer_row_never_takes_the_belief_away() {
        for task in 0..200 {
            let mut was = false;
            for n in [0, 9, 10, 11, 50, 1_000, u32::MAX] {
                let is = is_trusted_alone(&[5; 32], task, &DEVICE, n);
                assert!(is || !was);
                was = is;
            }
        }
    }
}
