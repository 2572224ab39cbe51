//! A manifest that holds against its submission.

use super::{APPLICATION_NAME_BYTES_MAX, Assembly, Manifest, ShardEntry};
use crate::{
    context::{ResultContext, ShardContext},
    keys::{JobKey, ShardKey, UnwrapError, unwrap},
};
use quern_primitives::{
    DeviceId, Digest, GenesisHash, JobId, ProgramHash, TaskIndex,
    ids::ReplicaIndex,
    job::Submission,
    limits::{ARGUMENT_BYTES_MAX, ARGUMENTS_MAX, SHARD_BYTES_MAX, TASKS_PER_JOB_MAX},
};

/// How a manifest contradicts its submission or a limit. The submission cannot change, so the
/// owner's only mend is to submit anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Of a version that this program does not know.
    #[error("the manifest has version {found}, this program knows 1; update it")]
    UnknownVersion {
        /// Its version.
        found: u8,
    },
    /// Of another job.
    #[error("the manifest is job {found}'s, not {expected}'s; submit the job anew")]
    OtherJob {
        /// The job submitted.
        expected: JobId,
        /// The job in the manifest.
        found: JobId,
    },
    /// For another program.
    #[error("the manifest names program {found}, the submission {expected}; submit the job anew")]
    OtherProgram {
        /// The program submitted.
        expected: ProgramHash,
        /// The program in the manifest.
        found: ProgramHash,
    },
    /// More or fewer shards than tasks.
    #[error("the manifest has {found} shards for {expected} tasks; submit the job anew")]
    ShardCount {
        /// Tasks submitted.
        expected: u32,
        /// Shards in the manifest.
        found: usize,
    },
    /// The submission itself has no task, or too many.
    #[error("a job has from 1 to {max} tasks, not {found}; submit it anew in parts")]
    TaskCount {
        /// Tasks submitted.
        found: u32,
        /// Tasks allowed.
        max: u32,
    },
    /// A shard is longer than a shard may be.
    #[error("shard {index} has {found} bytes where {max} are allowed; cut smaller ones")]
    ShardTooLong {
        /// The shard.
        index: TaskIndex,
        /// Its plaintext's length.
        found: u32,
        /// The length allowed.
        max: u32,
    },
    /// The shards' lengths do not add up.
    #[error("the shards have {found} bytes, the submission says {expected}; submit the job anew")]
    InputBytes {
        /// Plaintext bytes submitted.
        expected: u64,
        /// Plaintext bytes of the manifest's shards.
        found: u64,
    },
    /// The shards' roots do not make the root submitted.
    #[error(
        "the shards have the root {found}, the submission says {expected}; submit the job anew"
    )]
    ShardsRoot {
        /// The root submitted.
        expected: Digest,
        /// The root of the manifest's shards.
        found: Digest,
    },
    /// Arguments for more or fewer tasks than there are.
    #[error("the manifest has arguments for {found} of {expected} tasks; give all or none")]
    TaskArguments {
        /// Tasks submitted.
        expected: u32,
        /// Tasks with arguments.
        found: usize,
    },
    /// A task has too many arguments.
    #[error("task {task} has {found} arguments where {max} are allowed; give fewer")]
    TooManyArguments {
        /// The task.
        task: TaskIndex,
        /// Its arguments, the job's included.
        found: usize,
        /// Arguments allowed.
        max: u32,
    },
    /// A task's arguments are too long together.
    #[error(
        "task {task} has {found} bytes of arguments where {max} are allowed; put them in its shard"
    )]
    ArgumentsTooLong {
        /// The task.
        task: TaskIndex,
        /// Bytes of its arguments, the job's included.
        found: usize,
        /// Bytes allowed.
        max: u32,
    },
    /// An argument has a zero byte inside, at which a program would stop reading it.
    #[error("an argument of task {task} has a zero byte inside; put binary data in its shard")]
    ZeroByteInArgument {
        /// The task; the first for an argument common to all.
        task: TaskIndex,
    },
    /// The assembling application's name is none.
    #[error(
        "an application's name has from 1 to {APPLICATION_NAME_BYTES_MAX} lower-case letters, \
         digits and hyphens; choose another"
    )]
    ApplicationName,
}

/// A manifest that was checked against its job's submission: every place and length in it is
/// within limits, and its shards are the ones whose root is on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedManifest {
    manifest: Manifest,
    genesis: GenesisHash,
    count: u32,
}

impl ValidatedManifest {
    /// Checks a manifest against the submission of its job.
    pub fn check(
        manifest: Manifest,
        genesis: GenesisHash,
        job: JobId,
        submission: &Submission,
    ) -> Result<Self, ManifestError> {
        if manifest.version != super::VERSION {
            return Err(ManifestError::UnknownVersion {
                found: manifest.version,
            });
        }
        if manifest.job != job {
            return Err(ManifestError::OtherJob {
                expected: job,
                found: manifest.job,
            });
        }
        let (expected, found) = (submission.program, manifest.program);
        if found != expected {
            return Err(ManifestError::OtherProgram { expected, found });
        }
        check_shards(&manifest, submission)?;
        check_arguments(&manifest, submission.tasks)?;
        check_assembly(&manifest.assembly)?;
        Ok(Self {
            manifest,
            genesis,
            count: submission.tasks,
        })
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.manifest.job
    }

    /// The program that every task runs.
    pub fn program(&self) -> ProgramHash {
        self.manifest.program
    }

    /// The number of tasks, which is that of shards.
    pub fn tasks(&self) -> u32 {
        self.count
    }

    /// The shards, in task order.
    pub fn shards(&self) -> &[ShardEntry] {
        &self.manifest.shards
    }

    /// One shard, if the job has such a task.
    pub fn shard(&self, task: TaskIndex) -> Option<&ShardEntry> {
        self.manifest.shards.get(task as usize)
    }

    /// What one task's program is given: the job's arguments and then the task's. Empty for a task
    /// that the job does not have.
    pub fn arguments(&self, task: TaskIndex) -> impl Iterator<Item = &[u8]> {
        let own = self.manifest.task_arguments.get(task as usize);
        let common = self.shard(task).map(|_| &self.manifest.arguments);
        common.into_iter().chain(own).flatten().map(Vec::as_slice)
    }

    /// How the results become one.
    pub fn assembly(&self) -> &Assembly {
        &self.manifest.assembly
    }

    /// What one shard is sealed for, if the job has such a task.
    pub fn shard_context(&self, task: TaskIndex) -> Option<ShardContext> {
        self.shard(task).map(|shard| ShardContext {
            genesis: self.genesis,
            job: self.manifest.job,
            program: self.manifest.program,
            index: task,
            count: self.count,
            plaintext_bytes: shard.plaintext_bytes.into(),
        })
    }

    /// What one replica's result is sealed for, if the job has such a task.
    pub fn result_context(
        &self,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: DeviceId,
    ) -> Option<ResultContext> {
        self.shard(task).map(|_| ResultContext {
            genesis: self.genesis,
            job: self.manifest.job,
            program: self.manifest.program,
            task,
            tasks: self.count,
            replica,
            device,
        })
    }

    /// One shard's key, unwrapped; `None` if the job has no such task.
    pub fn shard_key(
        &self,
        job_key: &JobKey,
        task: TaskIndex,
    ) -> Option<Result<ShardKey, UnwrapError>> {
        self.shard(task)
            .map(|shard| unwrap(job_key, &self.manifest.job, task, &shard.key))
    }
}

fn check_shards(manifest: &Manifest, submission: &Submission) -> Result<(), ManifestError> {
    let expected = submission.tasks;
    if expected == 0 || expected > TASKS_PER_JOB_MAX {
        return Err(ManifestError::TaskCount {
            found: expected,
            max: TASKS_PER_JOB_MAX,
        });
    }
    if manifest.shards.len() != expected as usize {
        return Err(ManifestError::ShardCount {
            expected,
            found: manifest.shards.len(),
        });
    }
    let too_long = |shard: &ShardEntry| shard.plaintext_bytes > SHARD_BYTES_MAX;
    if let Some((index, shard)) = (0..)
        .zip(&manifest.shards)
        .find(|(_, shard)| too_long(shard))
    {
        let (found, max) = (shard.plaintext_bytes, SHARD_BYTES_MAX);
        return Err(ManifestError::ShardTooLong { index, found, max });
    }
    let (expected, found) = (submission.input_bytes, manifest.input_bytes());
    if found != expected {
        return Err(ManifestError::InputBytes { expected, found });
    }
    let (expected, found) = (submission.shards_root, manifest.shards_root());
    if found != expected {
        return Err(ManifestError::ShardsRoot { expected, found });
    }
    Ok(())
}

fn check_arguments(manifest: &Manifest, tasks: u32) -> Result<(), ManifestError> {
    let own = &manifest.task_arguments;
    if own.is_empty() {
        return check_task_arguments(0, &manifest.arguments, &[]);
    }
    if own.len() != tasks as usize {
        return Err(ManifestError::TaskArguments {
            expected: tasks,
            found: own.len(),
        });
    }
    (0..)
        .zip(own)
        .try_for_each(|(task, own)| check_task_arguments(task, &manifest.arguments, own))
}

fn check_task_arguments(
    task: TaskIndex,
    common: &[Vec<u8>],
    own: &[Vec<u8>],
) -> Result<(), ManifestError> {
    let found = common.len() + own.len();
    if found > ARGUMENTS_MAX as usize {
        return Err(ManifestError::TooManyArguments {
            task,
            found,
            max: ARGUMENTS_MAX,
        });
    }
    let found = common.iter().chain(own).map(Vec::len).sum();
    if found > ARGUMENT_BYTES_MAX as usize {
        return Err(ManifestError::ArgumentsTooLong {
            task,
            found,
            max: ARGUMENT_BYTES_MAX,
        });
    }
    // The common ones are the same for every task; once is enough.
    let unseen = if task == 0 { common } else { &[] };
    if unseen
        .iter()
        .chain(own)
        .any(|argument| argument.contains(&0))
    {
        return Err(ManifestError::ZeroByteInArgument { task });
    }
    Ok(())
}

fn check_assembly(assembly: &Assembly) -> Result<(), ManifestError> {
    let Assembly::Application(name) = assembly else {
        return Ok(());
    };
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let length_fits = (1..=APPLICATION_NAME_BYTES_MAX).contains(&name.len());
    if length_fits && name.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(ManifestError::ApplicationName)
    }
}
