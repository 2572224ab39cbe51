//! Which settled tasks are computed again.

use quern_primitives::{
    ids::{Digest, JobId, TaskIndex},
    verdict::Ground,
};
use sha2::{Digest as _, Sha256};

/// Begins what is hashed, so that no other draw from the same seed comes out alike.
const DOMAIN: &[u8] = b"quern/re-execution/1";

/// Whether a settled task is computed again, where so many of a thousand are: whether the first 8 bytes,
/// little endian, of SHA-256 over `quern/re-execution/1`, the seed, the job and the task (4 bytes, little
/// endian) are below that share of 2^64. What a referee computed is not computed again.
///
/// The seed is one that nobody knew when the verdicts were written, and that anybody can look up later.
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
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(seed.0);
    hasher.update(job.0);
    hasher.update(task.to_le_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let drawn = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    // Products of 64 bits and 10, and of 16 bits and 64, fit.
    u128::from(drawn).saturating_mul(1_000) < u128::from(permille).saturating_mul(1 << 64)
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
