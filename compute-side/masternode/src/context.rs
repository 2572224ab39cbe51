//! What is needed to hand a job's tasks to devices: the checked manifest, the job's key, and the
//! words of an answer composed from both.

mod incoming;

use crate::{
    core::{Acknowledged, JobPlan, PlannedAssignment, WorkPlan},
    daemon::Shared,
    store::StoreError,
    vault::{GetError, Item, StoreError as DepotError, Vault},
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
use std::{collections::BTreeSet, sync::OnceLock};

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
    /// The program's length, once it was found to be here.
    program_bytes: OnceLock<u32>,
    /// What the job's lanes follow from, once it is known.
    lane_seed: OnceLock<Digest>,
}

impl JobContext {
    /// Of a job whose manifest and key are here, and these of its shards.
    pub(crate) fn new(
        manifest: ValidatedManifest,
        key: JobKey,
        submission: &Submission,
        kept: &BTreeSet<TaskIndex>,
    ) -> Self {
        let incoming = Incoming::new(manifest.job(), manifest.tasks(), kept);
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

    /// What the core must know of the job, whose program was found to be here. Shards that come from now on it hears
    /// of apart.
    pub(crate) fn plan(&self, seed: [u8; 32], settled: BTreeSet<TaskIndex>) -> JobPlan {
        self.learn_lanes(seed);
        JobPlan {
            input_roots: self.input_roots(),
            missing: self.incoming.missing(),
            settled,
            seed,
            fetch_bytes_max: self.fetch_bytes_max(),
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
    fn fetch_bytes_max(&self) -> u64 {
        let shards = self.manifest.shards().iter().map(ShardEntry::sealed_bytes);
        let program_bytes = self.program_bytes.get().copied().unwrap_or(0);
        shards
            .max()
            .unwrap_or(0)
            .saturating_add(program_bytes.into())
    }

    /// The length of the program, if it is here, as it is before any task is handed out. The vault is asked until it is.
    pub(crate) async fn program_bytes(&self, vault: &Vault) -> Result<Option<u32>, DepotError> {
        if let Some(bytes) = self.program_bytes.get() {
            return Ok(Some(*bytes));
        }
        let length = vault.length(self.manifest.job(), Item::Program).await?;
        let bytes = length.and_then(|bytes| u32::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes > 0);
        Ok(bytes.map(|bytes| *self.program_bytes.get_or_init(|| bytes)))
    }

    /// Whether what is needed to compute a task is here.
    pub(crate) async fn has_input(
        &self,
        vault: &Vault,
        task: TaskIndex,
    ) -> Result<bool, DepotError> {
        let has_program = self.program_bytes(vault).await?.is_some();
        Ok(has_program && task < self.manifest.tasks() && !self.incoming.is_missing(task))
    }

    /// Bytes of an item of the job that devices fetch; none if it is not here.
    pub(crate) async fn fetched_bytes(
        &self,
        vault: &Vault,
        item: Item,
    ) -> Result<Option<u64>, DepotError> {
        match item {
            Item::Shard(task) => Ok(self.manifest.shard(task).map(ShardEntry::sealed_bytes)),
            Item::Program => Ok(self.program_bytes(vault).await?.map(u64::from)),
            Item::Manifest | Item::Result(..) => Ok(None),
        }
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
    Shard(#[source] GetError),
    /// The program's file is gone.
    #[error("the program cannot be found; restore its file")]
    Program,
    /// Whether the program's file is there cannot be said.
    #[error("the program cannot be looked for")]
    Depot(#[from] DepotError),
}

/// The answer to an exchange: the plan, with keys sealed to the device and small shards inside; and
/// what of the plan cannot be handed out. The device is told to drop that, and the core must be told
/// that nobody has it.
pub(crate) async fn compose(
    shared: &Shared,
    device: DeviceId,
    courier: &Courier,
    mut plan: WorkPlan,
) -> (Response, Vec<PlannedAssignment>) {
    let assignments = std::mem::take(&mut plan.assignments);
    let mut work = without_shards(shared, device, plan);
    let mut withheld = Vec::new();
    for planned in assignments {
        match assignment(shared, device, courier, &planned).await {
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

/// The same of a plan in which nothing is given out. It waits for nothing where nothing is acknowledged either.
pub(crate) fn without_shards(shared: &Shared, device: DeviceId, plan: WorkPlan) -> Work {
    let told = plan.acknowledged.iter();
    let words = told.filter_map(|told| acknowledgement(shared, device, told));
    let words: Vec<Acknowledgement> = words.collect();
    Work {
        acknowledged: Acknowledgements::sign(&words, &shared.node, &shared.genesis),
        reveals: plan.reveals,
        discard: plan.discard,
        assignments: vec![],
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
    }
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

async fn assignment(
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
    let sealed_bytes = shard.sealed_bytes();
    let inline_shard = inline_shard(&shared.vault, job, task, sealed_bytes).await?;
    let program_bytes = context.program_bytes(&shared.vault).await?;
    let program_bytes = program_bytes.ok_or(ComposeError::Program)?;
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
    Ok(Assignment {
        id: planned.id,
        program: submission.program,
        program_bytes,
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
async fn inline_shard(
    vault: &Vault,
    job: JobId,
    task: TaskIndex,
    sealed_bytes: u64,
) -> Result<Option<Vec<u8>>, ComposeError> {
    match sealed_bytes <= limits::INLINE_SHARD_BYTES_MAX as u64 {
        true => vault
            .read_exactly(job, Item::Shard(task), sealed_bytes)
            .await
            .map(Some)
            .map_err(ComposeError::Shard),
        false => Ok(None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::vault::{JOBS, tests::vault_in};
    use std::fs;

    const JOB: JobId = JobId([1; 32]);

    #[tokio::test]
    async fn a_small_shard_is_in_the_answer_and_a_large_or_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault_in(folder.path(), u64::MAX).await;
        let bytes = (&b"abcdef"[..]).into();
        vault.put(JOB, Item::Shard(3), bytes).await.unwrap();
        let inline = async |sealed_bytes| inline_shard(&vault, JOB, 3, sealed_bytes).await;
        assert_eq!(inline(6).await.unwrap().unwrap(), b"abcdef");
        let large = limits::INLINE_SHARD_BYTES_MAX as u64 + 1;
        assert_eq!(inline(large).await.unwrap(), None);

        let job = folder.path().join(JOBS).join(hex::encode(JOB.0));
        let path = job.join("shards/3");
        fs::write(&path, b"abcde").unwrap();
        let damaged = inline(6).await.unwrap_err();
        let is_short = matches!(damaged, ComposeError::Shard(GetError::Short { .. }));
        assert!(is_short, "{damaged:?}");
        fs::remove_file(&path).unwrap();
        let gone = inline(6).await.unwrap_err();
        let is_missing = matches!(gone, ComposeError::Shard(GetError::Missing { .. }));
        assert!(is_missing, "{gone:?}");
    }
}
