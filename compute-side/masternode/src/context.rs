//! What is needed to hand a job's tasks to devices: the checked manifest, the job's key, and the
//! words of an answer composed from both.

use crate::{
    core::{PlannedAssignment, WorkPlan},
    daemon::Shared,
    vault::{Item, Vault},
};
use quern_primitives::{DeviceId, TaskIndex};
use quern_protocol::{
    Assignment, Benchmark, Discard, DiscardReason, Response, SealedKey, ShardFacts, TaskLimits,
    Work, limits,
};
use quern_shards::{
    keys::{Courier, HandOver, JobKey, UnwrapError},
    manifest::ValidatedManifest,
};
use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

/// A job's manifest and key, once both are here.
pub(crate) struct JobContext {
    pub(crate) manifest: ValidatedManifest,
    pub(crate) key: JobKey,
    /// Shards that are not here yet.
    missing: Mutex<BTreeSet<TaskIndex>>,
    /// The program's length, once it was asked for.
    program_bytes: OnceLock<u32>,
}

impl JobContext {
    /// Of a job whose manifest and key are here; its files are looked for in the vault.
    pub(crate) fn new(manifest: ValidatedManifest, key: JobKey, vault: &Vault) -> Self {
        let job = manifest.job();
        let missing = (0..manifest.tasks()).filter(|task| !vault.has(job, Item::Shard(*task)));
        let missing = Mutex::new(missing.collect());
        Self {
            manifest,
            key,
            missing,
            program_bytes: OnceLock::new(),
        }
    }

    /// The length of the program, which is here before any task is handed out.
    fn program_bytes(&self, vault: &Vault) -> Option<u32> {
        if let Some(bytes) = self.program_bytes.get() {
            return Some(*bytes);
        }
        let held = vault.held(self.manifest.job(), Item::Program);
        let bytes = u32::try_from(held).ok()?;
        Some(*self.program_bytes.get_or_init(|| bytes))
    }

    /// A shard was received and checked.
    pub(crate) fn received(&self, task: TaskIndex) {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&task);
    }

    /// Whether every shard is here.
    pub(crate) fn has_all_shards(&self) -> bool {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
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
    let mut work = Work {
        acknowledged: plan.acknowledged,
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
    let purpose = HandOver {
        genesis: shared.genesis,
        job,
        index: task,
        device,
    };
    let sealed = courier.hand_over(&key, &purpose);
    let sealed_bytes = shard.sealed_bytes();
    let inline_shard = if sealed_bytes <= limits::INLINE_SHARD_BYTES_MAX as u64 {
        let bytes = shared.vault.read_all(job, Item::Shard(task));
        Some(bytes.map_err(ComposeError::Shard)?)
    } else {
        None
    };
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
        limits: TaskLimits {
            fuel: submission.fuel_per_task_max,
            memory_bytes: submission.memory_bytes_max,
            result_bytes: submission.result_bytes_max,
            time_ms: planned.time_ms,
        },
        class: submission.class,
        log_position: planned.log_position,
        inline_shard,
    })
}
