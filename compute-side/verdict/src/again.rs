//! Which settled tasks are computed again.

use quern_primitives::{
    ids::{Digest, JobId, TaskIndex},
    verdict::Ground,
};
use sha2::{Digest as _, Sha256};

/// Begins what is hashed, so that no other draw from the same seed comes out alike.
const DOMAIN: &[u8] = b"quern/re-execution/1";

/// How many blocks behind the one in which verdicts were seen to be counted bring what their draw follows from.
pub const SEED_BLOCKS: u32 = 2;

/// What a draw follows from: SHA-256 over `quern/re-execution-seed/1`, the hash of the block in which the verdicts
/// were seen to be counted, and of each of the next two what its author could not choose, the 32 bytes that the verifiable
/// random function gave it for its slot.
///
/// Who makes a block can choose its hash, by the transactions and their order, but does not know what others' functions
/// give; and of its own it can choose nothing but to make no block. So it takes three blocks in a row to choose a
/// draw, and until the last of them was made nobody knows it who does not make all of these.
#[must_use]
pub fn seed(counted: &[u8; 32], next: &[[u8; 32]; SEED_BLOCKS as usize]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(b"quern/re-execution-seed/1");
    hasher.update(counted);
    for output in next {
        hasher.update(output);
    }
    Digest(hasher.finalize().into())
}

/// Whether a settled task is computed again, where so many of a thousand are: whether the first 8 bytes,
/// little endian, of SHA-256 over `quern/re-execution/1`, the seed, the job and the task (4 bytes, little
/// endian) are below that share of 2^64. What a referee computed is not computed again.
///
/// The [seed] is one that nobody knew when the verdicts were written, and that anybody can look up later.
#[must_use]
pub fn is_re_executed(
    seed: &Digest,
    job: &JobId,
    task: TaskIndex,
    ground: Ground,
    permille: u16,
) -> bool {
    ground != Ground::Referee && is_drawn(seed, job, task, permille)
}

fn is_drawn(seed: &Digest, job: &JobId, task: TaskIndex, permille: u16) -> bool {
    let (drawn, _) = draw(seed, job, task);
    // Products of 64 bits and 10, and of 16 bits and 64, fit.
    u128::from(drawn).saturating_mul(1_000) < u128::from(permille).saturating_mul(1 << 64)
}

/// Which of so many others computes a drawn task beside who coordinates its job, counted from 0: the second 8
/// bytes, little endian, of the hash by which it was drawn, modulo how many there are. None if there is no other.
///
/// Like the draw it follows from what nobody knew when the verdicts were written, so nobody could choose whom a lie
/// falls to.
#[must_use]
pub fn re_executed_by(seed: &Digest, job: &JobId, task: TaskIndex, others: u32) -> Option<u32> {
    let (_, drawn) = draw(seed, job, task);
    let place = drawn.checked_rem(u64::from(others))?;
    u32::try_from(place).ok()
}

/// What follows from seed, job and task: one number for whether the task is drawn, one for who else computes it.
fn draw(seed: &Digest, job: &JobId, task: TaskIndex) -> (u64, u64) {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(seed.0);
    hasher.update(job.0);
    hasher.update(task.to_le_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = digest;
    let whether = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    (whether, u64::from_le_bytes([i, j, k, l, m, n, o, p]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([5; 32]);

    /// The same draw, with the share as a fraction of all there is.
    fn drawn(seed: [u8; 32], task: TaskIndex, permille: u16) -> bool {
        let mut bytes = b"quern/re-execution/1".to_vec();
        bytes.extend(seed);
        bytes.extend(JOB.0);
        bytes.extend(task.to_le_bytes());
        let digest = Sha256::digest(&bytes);
        let mut first = 0_u64;
        for byte in digest.iter().take(8).rev() {
            first = first << 8 | u64::from(*byte);
        }
        let bound = (u128::from(permille) << 64).div_ceil(1_000);
        u128::from(first) < bound
    }

    fn is_re_executed(seed: [u8; 32], task: TaskIndex, permille: u16) -> bool {
        super::is_re_executed(&Digest(seed), &JOB, task, Ground::Unanimous, permille)
    }

    /// Worked out with Python's `hashlib`.
    #[test]
    fn the_seed_is_a_digest_of_a_block_s_hash_and_of_what_the_next_two_bring() {
        let digits =
            |seed: Digest| -> String { seed.0.iter().map(|it| format!("{it:02x}")).collect() };
        assert_eq!(
            digits(seed(&[1; 32], &[[2; 32], [3; 32]])),
            "60a9bc8c7b9b3c062047defd4f4ae4a82d311a0623fca6d9c615813a2fda43f2"
        );
        assert_ne!(
            seed(&[1; 32], &[[2; 32], [3; 32]]),
            seed(&[1; 32], &[[3; 32], [2; 32]])
        );
    }

    #[test]
    fn the_draw_follows_the_formula_and_takes_its_share() {
        for permille in [0, 1, 10, 500, 999, 1_000] {
            let mut taken = 0;
            for task in 0..20_000u32 {
                let seed = [task.to_le_bytes()[1]; 32];
                let is_drawn = is_re_executed(seed, task, permille);
                assert_eq!(is_drawn, drawn(seed, task, permille));
                taken += u32::from(is_drawn);
            }
            let expected = u32::from(permille) * 20;
            let spread = 5 * (1 + expected.isqrt());
            assert!(taken.abs_diff(expected) <= spread, "{permille}: {taken}");
        }
        assert!((0..1_000).all(|task| is_re_executed([0; 32], task, 1_000)));
        assert!(!(0..1_000).any(|task| is_re_executed([0; 32], task, 0)));
    }

    #[test]
    fn each_drawn_task_falls_to_one_of_the_others_and_as_many_to_each() {
        let drawn = |others: u32| {
            let mut fallen = vec![0u32; others as usize];
            for task in 0..20_000u32 {
                let seed = Digest([task.to_le_bytes()[1]; 32]);
                // Those of which one in ten is drawn, so that both numbers are seen to be drawn apart.
                if super::is_re_executed(&seed, &JOB, task, Ground::Unanimous, 100) {
                    let place = re_executed_by(&seed, &JOB, task, others).unwrap_or(u32::MAX);
                    fallen[place as usize] += 1;
                }
            }
            fallen
        };
        assert_eq!(drawn(1).len(), 1);
        for others in [2, 3, 6] {
            let fallen = drawn(others);
            let expected = fallen.iter().sum::<u32>() / others;
            let spread = 5 * (1 + expected.isqrt());
            assert!(
                fallen.iter().all(|it| it.abs_diff(expected) <= spread),
                "{fallen:?}"
            );
        }
        assert_eq!(re_executed_by(&Digest([1; 32]), &JOB, 2, 0), None);
    }

    #[test]
    fn whom_a_task_falls_to_follows_the_formula() {
        for task in 0..1_000u32 {
            let mut bytes = b"quern/re-execution/1".to_vec();
            bytes.extend([7; 32]);
            bytes.extend(JOB.0);
            bytes.extend(task.to_le_bytes());
            let digest = Sha256::digest(&bytes);
            let mut second = 0_u64;
            for byte in digest.iter().skip(8).take(8).rev() {
                second = second << 8 | u64::from(*byte);
            }
            let by = re_executed_by(&Digest([7; 32]), &JOB, task, 5);
            assert_eq!(by, Some((second % 5) as u32));
        }
    }

    #[test]
    fn what_a_referee_computed_is_not_computed_again_and_all_else_may_be() {
        let all = |ground| super::is_re_executed(&Digest([1; 32]), &JOB, 2, ground, 1_000);
        assert!(!all(Ground::Referee));
        let others = [
            Ground::Unanimous,
            Ground::Majority,
            Ground::Trusted,
            Ground::Vote,
        ];
        assert!(others.into_iter().all(all));
    }
}
