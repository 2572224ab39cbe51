//! What says which device is believed alone with which task, where agreement is adaptive: a seed that
//! follows from the job's key.
//!
//! A device that knew beforehand that it is believed alone would know when to lie. So the seed is nothing
//! that the chain or the network tells: coordinator and owner have the job's key and make it from that,
//! and devices have neither. It opens nothing, so the owner may give it to an auditor once the job is over.

use super::JobKey;
use crate::derive::{derive, same_bytes};
use quern_primitives::JobId;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What is drawn from who of a job's devices is believed alone.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TrustSeed([u8; 32]);

impl TrustSeed {
    /// The seed with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to draw from; never for a device as long as the job is open.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Takes the same time wherever the seeds differ.
impl PartialEq for TrustSeed {
    fn eq(&self, other: &Self) -> bool {
        same_bytes(&self.0, &other.0)
    }
}

impl Eq for TrustSeed {}

impl fmt::Debug for TrustSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustSeed(not shown)")
    }
}

impl JobKey {
    /// What is drawn from who of this job's devices is believed alone. It tells nothing of the key.
    pub fn trust_seed(&self, job: &JobId) -> TrustSeed {
        TrustSeed(*derive(
            self.expose(),
            "quern/job-key/1/trust-seed",
            &[&job.0],
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([0x22; 32]);

    /// Computed by another implementation of HKDF, from the places and keys of `docs/format.md`.
    #[test]
    fn the_seed_is_the_one_that_another_implementation_computes() {
        let expected = [
            0x2b, 0xd7, 0x76, 0x46, 0x4a, 0x25, 0x1f, 0xb6, 0x6f, 0x02, 0xe7, 0xdd, 0x75, 0xc7,
            0x72, 0x81, 0x43, 0xbb, 0x4c, 0x05, 0x7d, 0x1d, 0xc8, 0x82, 0xe7, 0x6b, 0xba, 0x8d,
            0x23, 0x92, 0x64, 0xa4,
        ];
        let seed = JobKey::from_bytes([0x77; 32]).trust_seed(&JOB);
        assert_eq!(*seed.expose(), expected);
    }

    #[test]
    fn a_seed_is_for_one_key_and_job_and_is_neither_key_nor_commitment() {
        let key = JobKey::from_bytes([0x77; 32]);
        let seed = key.trust_seed(&JOB);
        assert_eq!(seed, TrustSeed::from_bytes(*seed.expose()));
        assert_ne!(key.trust_seed(&JobId([9; 32])), seed);
        assert_ne!(JobKey::from_bytes([0x78; 32]).trust_seed(&JOB), seed);
        assert_ne!(seed.expose(), key.expose());
        assert_ne!(*seed.expose(), key.commitment(&JOB).0);
    }

    #[test]
    fn a_seed_does_not_print() {
        let seed = JobKey::from_bytes([0x77; 32]).trust_seed(&JOB);
        assert_eq!(format!("{seed:?}"), "TrustSeed(not shown)");
    }
}
