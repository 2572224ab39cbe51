//! What is needed to hand a job's tasks to devices: the checked manifest, the job's key, and the
//! words of an answer composed from both.

mod incoming;

use crate::{
    core::{Acknowledged, JobPlan, PlannedAssignment, WorkPlan},
    daemon::Shared,
    store::StoreError,
    vault::{Item, Vault},
};
use incoming::Incoming;
use quern_primitives::{
    DeviceId, Digest, JobId, TaskIndex,
    job::Submission,
    log::{Acknowledgement, Acknowledgements},
};
use quern_protocol::{
    Assignment, Benchmark, Discard, DiscardReason, ReplicaId, Response, SealedKey, ShardFacts,
    TaskLimits, Work, limits,
};
use quern_shards::{
    keys::{Courier, HandOver, JobKey, ShardKey, UnwrapError},
    manifest::{ShardEntry, ValidatedManifest},
    question::Allowed,
};
use quern_verdict::receipt_digest;
use std::{collections::BTreeSet, io, sync::OnceLock};

/// A job's manifest and key, once both are here.
pub(crate) struct JobContext {
    pub(crate) manifest: ValidatedManifest,
    pub(crate) key: JobKey,
    pub(crate) incoming: Incoming,
    /// What a run may use before it is ended.
    allowed: Allowed,
    /// What receipts must state of each task, once it was handed out or looked at: 40 bytes a task, so that
    /// no key is unwrapped for a report on the task that owns the core.
    questions: Box<[OnceLock<Digest>]>,
    /// The program's length, once it was asked for.
    program_bytes: OnceLock<u32>,
    /// What the job's lanes follow from, once it is known.
    lane_seed: OnceLock<Digest>,
}

impl JobContext {
    /// Of a job whose manifest and key are here; its files are looked for in the vault.
    pub(crate) fn new(
        manifest: ValidatedManifest,
        key: JobKey,
        submission: &Submission,
        vault: &Vault,
    ) -> Self {
        let incoming = Incoming::new(manifest.job(), manifest.tasks(), vault);
        let questions = manifest.shards().iter().map(|_| OnceLock::new());
        Self {
            questions: questions.collect(),
            manifest,
            key,
            incoming,
            allowed: Allowed::by(submission),
            program_bytes: OnceLock::new(),
            lane_seed: OnceLock::new(),
        }
    }

    /// What the core must know of the job. Shards that come from now on it hears of apart.
    pub(crate) fn plan(
        &self,
        seed: [u8; 32],
        settled: BTreeSet<TaskIndex>,
        vault: &Vault,
    ) -> JobPlan {
        self.learn_lanes(seed);
        JobPlan {
            input_roots: self.input_roots(),
            missing: self.incoming.missing(),
            settled,
            seed,
            fetch_bytes_max: self.fetch_bytes_max(vault),
            trust_seed: self.key.trust_seed(&self.manifest.job()),
        }
    }

    /// Takes down what the job's lanes follow from.
    pub(crate) fn learn_lanes(&self, seed: [u8; 32]) {
        self.lane_seed.get_or_init(|| Digest(seed));
    }

    /// What the job's lanes follow from, once it is known.
    pub(crate) fn lane_seed(&self) -> Option<Digest> {
        self.lane_seed.get().copied()
    }

    /// The chunk root of each sealed shard, in task order.
    pub(crate) fn input_roots(&self) -> Vec<Digest> {
        let shards = self.manifest.shards().iter();
        shards.map(|shard| shard.chunk_root).collect()
    }

    /// What receipts must state that a task was asked; none if there is no such task.
    pub(crate) fn question(&self, task: TaskIndex) -> Option<Digest> {
        let kept = self.questions.get(task as usize)?;
        if let Some(question) = kept.get() {
            return Some(*question);
        }
        let question = self.manifest.question(&self.key, task, &self.allowed)?;
        Some(*kept.get_or_init(|| question))
    }

    /// Keeps what receipts must state of a task whose shard's key is at hand.
    fn note_question(&self, task: TaskIndex, key: &ShardKey) {
        if let Some(kept) = self.questions.get(task as usize) {
            kept.get_or_init(|| self.manifest.question_under(key, task, &self.allowed));
        }
    }

    /// What a device fetches for a task at the most: the program and the largest sealed shard.
    fn fetch_bytes_max(&self, vault: &Vault) -> u64 {
        let shards = self.manifest.shards().iter().map(ShardEntry::sealed_bytes);
        let program_bytes = self.program_bytes(vault).unwrap_or(0);
        shards
            .max()
            .unwrap_or(0)
            .saturating_add(program_bytes.into())
    }

    /// The length of the program, which is here before any task is handed out.
    fn program_bytes(&self, vault: &Vault) -> Option<u32> {
        if let Some(bytes) = self.program_bytes.get() {
            return Some(*bytes);
        }
        let held = vault.held(self.manifest.job(), Item::Program);
        let bytes = u32::try_from(held).ok().filter(|bytes| *bytes > 0)?;
        Some(*self.program_bytes.get_or_init(|| bytes))
    }
}

/// Why a replica cannot be handed out.
#[derive(Debug, thiserror::Error)]
enum ComposeError {
    /// The job's manifest or key is not here.
    #[error("the job is not open here; if it closed just now, nothing is wrong")]
    NotOpen,
    /// There is no such task.
    #[error("the job's manifest names no such task")]
    NoSuchTask,
    /// The shard's key is not the one that was wrapped.
    #[error("the shard's key does not unwrap; its owner sealed the manifest wrongly")]
    Key(#[source] UnwrapError),
    /// The shard's file is gone or damaged.
    #[error("the sealed shard cannot be read; restore its file")]
    Shard(#[source] io::Error),
    /// The program's file is gone.
    #[error("the program cannot be found; restore its file")]
    Program,
}

/// The answer to an exchange: the plan, with keys sealed to the device and small shards inside; and
/// what of the plan cannot be handed out. The device is told to drop that, and the core must be told
/// that nobody has it.
pub(crate) fn compose(
    shared: &Shared,
    device: DeviceId,
    courier: &Courier,
    plan: WorkPlan,
) -> (Response, Vec<PlannedAssignment>) {
    let told = plan.acknowledged.iter();
    let words = told.filter_map(|told| acknowledgement(shared, device, told));
    let words: Vec<Acknowledgement> = words.collect();
    let mut work = Work {
        acknowledged: Acknowledgements::sign(&words, &shared.node, &shared.genesis),
        reveals: plan.reveals,
        discard: plan.discard,
        assignments: Vec::with_capacity(plan.assignments.len()),
        benchmark: plan
            .benchmark
            .zip(shared.benchmark.as_ref())
            .map(|(plan, benchmark)| Benchmark {
                number: plan.number,
                program: benchmark.module().to_vec(),
                input: plan.input,
                fuel: plan.fuel,
            }),
        ask_again_ms: plan.ask_again_ms,
    };
    let mut withheld = Vec::new();
    for planned in plan.assignments {
        match assignment(shared, device, courier, &planned) {
            Ok(assignment) => work.assignments.push(assignment),
            Err(error) => {
                let (id, error) = (planned.id, &error as &dyn std::error::Error);
                tracing::error!(job = %id.job, task = id.task, error, "cannot hand a task out; it rests for a while");
                work.discard.push(Discard {
                    id,
                    reason: DiscardReason::NotAssigned,
                });
                withheld.push(planned);
            }
        }
    }
    (Response::Work(work), withheld)
}

/// This masternode's word that it has taken a device's report. Of one that the device was told of before, or
/// that a restart came after, the log says what was taken. What cannot be read there is not acknowledged;
/// the device says it again.
fn acknowledgement(
    shared: &Shared,
    device: DeviceId,
    told: &Acknowledged,
) -> Option<Acknowledgement> {
    let ReplicaId { job, task, replica } = told.id;
    let look = || -> Result<_, StoreError> {
        let log = shared.store.read_log(job)?;
        let receipt = log.receipt_at(told.position)?;
        Ok(receipt.as_ref().map(receipt_digest))
    };
    let receipt = match told.receipt {
        Some(receipt) => Some(receipt),
        None => look().unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(%job, task, error, "cannot read the receipt of a task");
            None
        }),
    };
    Some(Acknowledgement {
        job,
        task,
        replica,
        device,
        receipt: receipt?,
        position: told.position,
    })
}

fn assignment(
    shared: &Shared,
    device: DeviceId,
    courier: &Courier,
    planned: &PlannedAssignment,
) -> Result<Assignment, ComposeError> {
    let (job, task) = (planned.id.job, planned.id.task);
    let context = shared.context(job).ok_or(ComposeError::NotOpen)?;
    let submission = shared.job(job).ok_or(ComposeError::NotOpen)?.submission;
    let manifest = &context.manifest;
    let shard = manifest.shard(task).ok_or(ComposeError::NoSuchTask)?;
    let key = manifest
        .shard_key(&context.key, task)
        .ok_or(ComposeError::NoSuchTask)?
        .map_err(ComposeError::Key)?;
    context.note_question(task, &key);
    let purpose = HandOver {
        genesis: shared.genesis,
        job,
        index: task,
        device,
    };
    let sealed = courier.hand_over(&key, &purpose);
    let sealed_bytes = shard.sealed_bytes();
    let inline_shard = inline_shard(&shared.vault, job, task, sealed_bytes)?;
    Ok(Assignment {
        id: planned.id,
        program: submission.program,
        program_bytes: context
            .program_bytes(&shared.vault)
            .ok_or(ComposeError::Program)?,
        arguments: manifest.arguments(task).map(<[u8]>::to_vec).collect(),
        shard: ShardFacts {
            root: shard.chunk_root,
            sealed_bytes,
            plaintext_bytes: shard.plaintext_bytes.into(),
            count: manifest.tasks(),
        },
        key: SealedKey {
            encapsulated: sealed.encapsulated,
            ciphertext: sealed.ciphertext,
        },
        limits: task_limits(&submission, planned.time_ms),
        class: submission.class,
        log_position: planned.log_position,
        commits: submission.agreement.commits(),
        inline_shard,
    })
}

/// What a task of a job may use, and how long it may take.
pub(crate) fn task_limits(submission: &Submission, time_ms: u64) -> TaskLimits {
    TaskLimits {
        fuel: submission.fuel_per_task_max,
        memory_bytes: submission.memory_bytes_max,
        result_bytes: submission.result_bytes_max,
        time_ms,
    }
}

/// A sealed shard of so many bytes, if it is small enough to be in the answer.
fn inline_shard(
    vault: &Vault,
    job: JobId,
    task: TaskIndex,
    sealed_bytes: u64,
) -> Result<Option<Vec<u8>>, ComposeError> {
    match usize::try_from(sealed_bytes) {
        Ok(bytes) if bytes <= limits::INLINE_SHARD_BYTES_MAX => vault
            .read_exactly(job, Item::Shard(task), bytes)
            .map(Some)
            .map_err(ComposeError::Shard),
        _ => Ok(None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::fs;

    const JOB: JobId = JobId([1; 32]);

    #[test]
    fn a_small_shard_is_in_the_answer_and_a_large_or_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), u64::MAX).unwrap();
        vault.append(JOB, Item::Shard(3), 0, 6, b"abcdef").unwrap();
        vault.keep(JOB, Item::Shard(3)).unwrap();
        let inline = |sealed_bytes| inline_shard(&vault, JOB, 3, sealed_bytes);
        assert_eq!(inline(6).unwrap().unwrap(), b"abcdef");
        let large = limits::INLINE_SHARD_BYTES_MAX as u64 + 1;
        assert_eq!(inline(large).unwrap(), None);

        let path = folder.path().join(hex::encode(JOB.0)).join("shards/3");
        fs::write(&path, b"abcde").unwrap();
        let why_not = || match inline(6) {
            Err(ComposeError::Shard(error)) => error.kind(),
            other => panic!("{other:?}"),
        };
        assert_eq!(why_not(), io::ErrorKind::UnexpectedEof);
        fs::remove_file(&path).unwrap();
        assert_eq!(why_not(), io::ErrorKind::NotFound);
    }
}
