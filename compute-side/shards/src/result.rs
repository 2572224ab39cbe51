//! Results: sealed by the device under a key that is its replica's own, and committed to so that
//! replicas can be compared without being opened.
//!
//! Why a key per replica, and who can open a result, is decided in
//! `docs/adr/0002-result-keys.md`.

use crate::{
    context::ResultContext,
    derive::{DerivedKey, derive, same_bytes},
    keys::ShardKey,
    seal::{Expected, ExpectedLength, OpenError, SealError, SealSalt, open_subject, seal_subject},
};
use hkdf::hmac::{Hmac, KeyInit, Mac};
use quern_primitives::{Digest, JobId, TaskIndex};
use sha2::Sha256;

/// A sealed result with the two digests that its receipt names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedResult {
    /// Header and segments.
    pub bytes: Vec<u8>,
    /// The root over the chunks of `bytes`.
    pub chunk_root: Digest,
    /// The commitment to the plaintext, see [`result_commitment`].
    pub commitment: Digest,
}

/// Why a result does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenResultError {
    /// It does not open at all.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It opens, and is another result than the one committed to.
    #[error("the result is not the one its receipt commits to; fetch it from another replica")]
    NotCommitted {
        /// The commitment in the receipt or verdict.
        expected: Digest,
        /// The commitment to what was sealed.
        found: Digest,
    },
}

/// A keyed hash of a task's result: HMAC-SHA256 under a key that follows from the shard's key, job
/// and task. All replicas of a task have the same key, so equal results have equal commitments;
/// without the key nobody can try guesses against it.
pub fn result_commitment(
    shard_key: &ShardKey,
    job: &JobId,
    task: TaskIndex,
    plaintext: &[u8],
) -> Digest {
    let mut hasher = ResultHasher::new(shard_key, job, task);
    hasher.update(plaintext);
    hasher.finish()
}

/// [`result_commitment`] over a result that comes in stretches.
#[derive(Clone)]
pub struct ResultHasher(Hmac<Sha256>);

impl ResultHasher {
    /// A hasher for the result of one task.
    pub fn new(shard_key: &ShardKey, job: &JobId, task: TaskIndex) -> Self {
        let label = "quern/shard-key/1/result-commitment";
        let key = derive(shard_key.expose(), label, &[&job.0, &task.to_le_bytes()]);
        Self(Hmac::new_from_slice(&key[..]).expect("HMAC takes a key of any length"))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, plaintext: &[u8]) {
        self.0.update(plaintext);
    }

    /// The commitment to all bytes taken.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into_bytes().into())
    }
}

/// Seals a replica's result. Sealing the same result again gives the same bytes; sealing another
/// one under the same context is safe too, because the salt follows from the plaintext.
pub fn seal_result(
    shard_key: &ShardKey,
    context: &ResultContext,
    plaintext: &[u8],
) -> Result<SealedResult, SealError> {
    let commitment = result_commitment(shard_key, &context.job, context.task, plaintext);
    let key = result_key(shard_key, context);
    let sealed = seal_subject(&key, salt(&key, &commitment), context.into(), plaintext)?;
    Ok(SealedResult {
        bytes: sealed.bytes,
        chunk_root: sealed.chunk_root,
        commitment,
    })
}

/// Opens a replica's result and checks that it is the one committed to: for a device's claim the
/// commitment in its receipt, for the owner the one in the verdict.
pub fn open_result(
    shard_key: &ShardKey,
    context: &ResultContext,
    commitment: &Digest,
    sealed: &[u8],
) -> Result<Vec<u8>, OpenResultError> {
    let length = ExpectedLength::AnyOfItsKind;
    let expected = Expected {
        subject: context.into(),
        length,
    };
    let plaintext = open_subject(&result_key(shard_key, context), &expected, sealed)?;
    let found = result_commitment(shard_key, &context.job, context.task, &plaintext);
    if same_bytes(&found.0, &commitment.0) {
        Ok(plaintext)
    } else {
        Err(OpenResultError::NotCommitted {
            expected: *commitment,
            found,
        })
    }
}

/// The key of one replica's result: another for every job, task, replica and device.
fn result_key(shard_key: &ShardKey, context: &ResultContext) -> DerivedKey {
    let fields: [&[u8]; 4] = [
        &context.job.0,
        &context.task.to_le_bytes(),
        &[context.replica],
        &context.device.0,
    ];
    derive(shard_key.expose(), "quern/shard-key/1/result", &fields)
}

/// The salt that follows from what is sealed, so that two results never share a key and nonce even
/// if a device runs a replica twice.
fn salt(key: &DerivedKey, commitment: &Digest) -> SealSalt {
    let long = derive(key, "quern/result-key/1/salt", &[&commitment.0]);
    let mut salt = SealSalt([0; 16]);
    salt.0.copy_from_slice(&long[..16]);
    salt
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::{patterned, result_context};
    use proptest::prelude::*;
    use quern_primitives::DeviceId;

    fn key() -> ShardKey {
        ShardKey::from_bytes([0x55; 32])
    }

    proptest! {
        #[test]
        fn a_result_opens_as_sealed(length in 0usize..200_000) {
            let plaintext = patterned(length);
            let sealed = seal_result(&key(), &result_context(), &plaintext).unwrap();
            let opened =
                open_result(&key(), &result_context(), &sealed.commitment, &sealed.bytes).unwrap();
            prop_assert_eq!(opened, plaintext);
            prop_assert_eq!(sealed.chunk_root, crate::chunks::chunk_root(&sealed.bytes));
        }
    }

    #[test]
    fn replicas_agree_on_the_commitment_and_share_no_ciphertext() {
        let result = b"the same answer";
        let contexts = [
            result_context(),
            ResultContext {
                replica: 2,
                ..result_context()
            },
            ResultContext {
                device: DeviceId([9; 32]),
                ..result_context()
            },
        ];
        let sealed = contexts.map(|context| seal_result(&key(), &context, result).unwrap());
        assert!(
            sealed
                .iter()
                .all(|one| one.commitment == sealed[0].commitment)
        );
        let body = |one: &SealedResult| one.bytes[crate::seal::HEADER_BYTES..].to_vec();
        assert_ne!(body(&sealed[0]), body(&sealed[1]));
        assert_ne!(body(&sealed[0]), body(&sealed[2]));
        assert_ne!(body(&sealed[1]), body(&sealed[2]));
    }

    #[test]
    fn a_replica_run_twice_repeats_its_bytes_or_shares_nothing_with_them() {
        let seal = |result: &[u8]| {
            seal_result(&key(), &result_context(), result)
                .unwrap()
                .bytes
        };
        let (first, again, other) = (
            seal(b"answer one"),
            seal(b"answer one"),
            seal(b"answer two"),
        );
        assert_eq!(first, again);
        // Under one key stream the common beginning would show.
        let body = crate::seal::HEADER_BYTES;
        assert_ne!(first[body..body + 7], other[body..body + 7]);
    }

    #[test]
    fn a_result_does_not_open_for_another_replica_or_commitment() {
        let sealed = seal_result(&key(), &result_context(), b"answer").unwrap();
        let open = |context: &ResultContext, commitment: &Digest| {
            open_result(&key(), context, commitment, &sealed.bytes)
        };
        let other_replica = ResultContext {
            replica: 2,
            ..result_context()
        };
        assert!(matches!(
            open(&other_replica, &sealed.commitment),
            Err(OpenResultError::Open(OpenError::OtherReplica {
                expected: 2,
                found: 1
            }))
        ));
        let other_device = ResultContext {
            device: DeviceId([9; 32]),
            ..result_context()
        };
        assert!(matches!(
            open(&other_device, &sealed.commitment),
            Err(OpenResultError::Open(OpenError::OtherDevice { .. }))
        ));
        assert!(matches!(
            open(&result_context(), &Digest([9; 32])),
            Err(OpenResultError::NotCommitted { found, .. }) if found == sealed.commitment
        ));
    }

    #[test]
    fn a_commitment_is_another_for_every_key_job_task_and_result() {
        let base = result_commitment(&key(), &JobId([1; 32]), 1, b"answer");
        let others = [
            result_commitment(
                &ShardKey::from_bytes([9; 32]),
                &JobId([1; 32]),
                1,
                b"answer",
            ),
            result_commitment(&key(), &JobId([9; 32]), 1, b"answer"),
            result_commitment(&key(), &JobId([1; 32]), 9, b"answer"),
            result_commitment(&key(), &JobId([1; 32]), 1, b"answer!"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
