//! What a task is asked beside its input: arguments, and limits at which it ends.
//!
//! A program's answer follows from program, input and engine, which receipts name, and from these. A device
//! states them in its receipt as a commitment, so that who was asked something else is told from who gives a
//! wrong answer, and so that a coordinator cannot ask devices something else than the owner did without their
//! receipts saying so to whoever has the job's key.

use crate::{
    derive::derive,
    keys::{JobKey, ShardKey},
    manifest::ValidatedManifest,
};
use hkdf::hmac::{Hmac, KeyInit, Mac};
use quern_primitives::{Digest, JobId, TaskIndex, job::Submission};
use sha2::Sha256;

/// What a run may use before it is ended, as far as its answer hangs on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Fuel.
    pub fuel: u64,
    /// Memory.
    pub memory_bytes: u64,
    /// Plaintext bytes of the result.
    pub result_bytes: u32,
}

impl Allowed {
    /// What a job's tasks may use.
    pub fn by(submission: &Submission) -> Self {
        Self {
            fuel: submission.fuel_per_task_max,
            memory_bytes: submission.memory_bytes_max,
            result_bytes: submission.result_bytes_max,
        }
    }
}

impl ValidatedManifest {
    /// What receipts must state that a task was asked, which whoever has the job's key can tell; none if there
    /// is no such task.
    pub fn question(&self, key: &JobKey, task: TaskIndex, allowed: &Allowed) -> Option<Digest> {
        let key = self.shard_key(key, task)?.ok()?;
        Some(self.question_under(&key, task, allowed))
    }

    /// The same of a task whose shard's key is at hand.
    pub fn question_under(&self, key: &ShardKey, task: TaskIndex, allowed: &Allowed) -> Digest {
        let place = (&self.job(), task);
        question_commitment(key, place, self.arguments(task), allowed)
    }
}

/// A keyed hash of a task's arguments, in their order, and limits: HMAC-SHA256 under a key that follows from
/// the shard's key, job and task. It is over fuel, memory and result bytes, and over each argument behind its
/// length, all numbers in 8 bytes with the lowest first.
pub fn question_commitment<A: AsRef<[u8]>>(
    shard_key: &ShardKey,
    (job, task): (&JobId, TaskIndex),
    arguments: impl IntoIterator<Item = A>,
    allowed: &Allowed,
) -> Digest {
    let label = "quern/shard-key/1/question";
    let key = derive(shard_key.expose(), label, &[&job.0, &task.to_le_bytes()]);
    let mut hasher =
        <Hmac<Sha256>>::new_from_slice(&key[..]).expect("HMAC takes a key of any length");
    for number in [
        allowed.fuel,
        allowed.memory_bytes,
        allowed.result_bytes.into(),
    ] {
        hasher.update(&number.to_le_bytes());
    }
    for argument in arguments {
        let argument = argument.as_ref();
        hasher.update(&(argument.len() as u64).to_le_bytes());
        hasher.update(argument);
    }
    Digest(hasher.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALLOWED: Allowed = Allowed {
        fuel: 1,
        memory_bytes: 2,
        result_bytes: 3,
    };

    fn asked(key: u8, job: u8, task: TaskIndex, arguments: &[&[u8]], allowed: Allowed) -> Digest {
        let key = ShardKey::from_bytes([key; 32]);
        question_commitment(&key, (&JobId([job; 32]), task), arguments, &allowed)
    }

    #[test]
    fn a_question_is_another_for_every_key_job_task_argument_and_limit() {
        let arguments: &[&[u8]] = &[b"ab", b"c"];
        let all = [
            asked(1, 1, 1, arguments, ALLOWED),
            asked(2, 1, 1, arguments, ALLOWED),
            asked(1, 2, 1, arguments, ALLOWED),
            asked(1, 1, 2, arguments, ALLOWED),
            asked(1, 1, 1, &[b"a", b"bc"], ALLOWED),
            asked(1, 1, 1, &[b"c", b"ab"], ALLOWED),
            asked(1, 1, 1, &[b"abc"], ALLOWED),
            asked(1, 1, 1, &[b"ab", b"c", b""], ALLOWED),
            asked(1, 1, 1, &[], ALLOWED),
            asked(1, 1, 1, arguments, Allowed { fuel: 9, ..ALLOWED }),
            asked(
                1,
                1,
                1,
                arguments,
                Allowed {
                    memory_bytes: 9,
                    ..ALLOWED
                },
            ),
            asked(
                1,
                1,
                1,
                arguments,
                Allowed {
                    result_bytes: 9,
                    ..ALLOWED
                },
            ),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(asked(1, 1, 1, arguments, ALLOWED), all[0]);
    }

    #[test]
    fn a_question_is_what_the_format_says() {
        use hkdf::hmac::Mac as _;
        let key = ShardKey::from_bytes([1; 32]);
        let (job, task) = (JobId([1; 32]), 1u32);
        let label = "quern/shard-key/1/question";
        let derived = derive(key.expose(), label, &[&job.0, &task.to_le_bytes()]);
        let mut text = Vec::new();
        for number in [1u64, 2, 3, 2] {
            text.extend(number.to_le_bytes());
        }
        text.extend(b"ab");
        let mut hasher = <Hmac<Sha256>>::new_from_slice(&derived[..]).expect("a key");
        hasher.update(&text);
        let expected: [u8; 32] = hasher.finalize().into_bytes().into();
        assert_eq!(asked(1, 1, 1, &[b"ab"], ALLOWED), Digest(expected));
    }
}
