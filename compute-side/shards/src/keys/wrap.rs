//! Shard keys under the job's key, as the manifest carries them.

use super::{JobKey, ShardKey, write_hex};
use crate::{derive::derive, rand_core::CryptoRng};
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, Nonce, Tag},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_primitives::{JobId, TaskIndex};
use std::fmt;
use zeroize::Zeroize;

/// Bytes of a wrapped key: nonce, encrypted key, tag.
pub const WRAPPED_KEY_BYTES: usize = NONCE_BYTES + 32 + 16;

const NONCE_BYTES: usize = 12;

/// A shard's key, encrypted under the job's.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
pub struct WrappedKey(pub [u8; WRAPPED_KEY_BYTES]);

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// Why a shard's key was not unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// Wrapped under another key, for another job or shard, or altered.
    #[error(
        "the key of shard {index} was not wrapped for this place under this job key; fetch the manifest anew"
    )]
    NotAuthentic {
        /// The shard.
        index: TaskIndex,
    },
}

/// Wraps a shard's key for its place in its job.
///
/// The nonce is random: a job has at most 65,536 shards, so that even wrapping all of them 65,536
/// times leaves a chance below 2^-32 that two of its 96-bit nonces are equal.
pub fn wrap(
    job_key: &JobKey,
    job: &JobId,
    index: TaskIndex,
    shard_key: &ShardKey,
    rng: &mut impl CryptoRng,
) -> WrappedKey {
    let mut wrapped = [0; WRAPPED_KEY_BYTES];
    let (nonce, body) = wrapped.split_at_mut(NONCE_BYTES);
    let (key, place_of_tag) = body.split_at_mut(32);
    rng.fill_bytes(nonce);
    key.copy_from_slice(shard_key.expose());
    let tag = cipher(job_key, job)
        .encrypt_inout_detached(&as_nonce(nonce), &index.to_le_bytes(), key.into())
        .expect("32 bytes are within GCM's limit");
    place_of_tag.copy_from_slice(&tag);
    WrappedKey(wrapped)
}

/// Unwraps a shard's key that was wrapped for this place.
pub fn unwrap(
    job_key: &JobKey,
    job: &JobId,
    index: TaskIndex,
    wrapped: &WrappedKey,
) -> Result<ShardKey, UnwrapError> {
    let (nonce, body) = wrapped.0.split_at(NONCE_BYTES);
    let (encrypted, tag) = body.split_at(32);
    let mut key = [0; 32];
    key.copy_from_slice(encrypted);
    let mut expected_tag = Tag::<Aes256Gcm>::default();
    expected_tag.copy_from_slice(tag);
    cipher(job_key, job)
        .decrypt_inout_detached(
            &as_nonce(nonce),
            &index.to_le_bytes(),
            key.as_mut_slice().into(),
            &expected_tag,
        )
        .map_err(|_| UnwrapError::NotAuthentic { index })?;
    let shard_key = ShardKey::from_bytes(key);
    key.zeroize();
    Ok(shard_key)
}

fn cipher(job_key: &JobKey, job: &JobId) -> Aes256Gcm {
    let key = derive(job_key.expose(), "quern/job-key/1/wrap", &[&job.0]);
    Aes256Gcm::new((&*key).into())
}

fn as_nonce(bytes: &[u8]) -> Nonce<Aes256Gcm> {
    let mut nonce = Nonce::<Aes256Gcm>::default();
    nonce.copy_from_slice(bytes);
    nonce
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wrapped_key_unwraps_at_its_place_under_its_job_key_only(seed: u64, index: u32) {
            let mut rng = SeededRng::new(seed);
            let (job_key, other) = (JobKey::random(&mut rng), JobKey::random(&mut rng));
            let (job, elsewhere) = (JobId([1; 32]), JobId([2; 32]));
            let key = ShardKey::random(&mut rng);
            let wrapped = wrap(&job_key, &job, index, &key, &mut rng);
            prop_assert_eq!(unwrap(&job_key, &job, index, &wrapped).unwrap(), key);
            let next = index.wrapping_add(1);
            for (job_key, job, index) in
                [(&other, &job, index), (&job_key, &elsewhere, index), (&job_key, &job, next)]
            {
                let refused = unwrap(job_key, job, index, &wrapped);
                prop_assert_eq!(refused, Err(UnwrapError::NotAuthentic { index }));
            }
        }

        #[test]
        fn an_altered_wrapped_key_does_not_unwrap(seed: u64, bit in 0..8 * WRAPPED_KEY_BYTES) {
            let mut rng = SeededRng::new(seed);
            let (job_key, job) = (JobKey::random(&mut rng), JobId([1; 32]));
            let mut wrapped = wrap(&job_key, &job, 5, &ShardKey::random(&mut rng), &mut rng);
            wrapped.0[bit / 8] ^= 1 << (bit % 8);
            let refused = unwrap(&job_key, &job, 5, &wrapped);
            prop_assert_eq!(refused, Err(UnwrapError::NotAuthentic { index: 5 }));
        }
    }

    #[test]
    fn wrapping_twice_gives_two_texts() {
        let mut rng = SeededRng::new(1);
        let (job_key, job) = (JobKey::random(&mut rng), JobId([1; 32]));
        let key = ShardKey::random(&mut rng);
        let first = wrap(&job_key, &job, 0, &key, &mut rng);
        assert_ne!(first, wrap(&job_key, &job, 0, &key, &mut rng));
    }
}
