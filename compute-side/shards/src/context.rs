//! What a sealed thing is bound to. It opens as itself only: not for another chain, job, program
//! or place.

use quern_primitives::{
    DeviceId, GenesisHash, JobId, ProgramHash, TaskIndex,
    ids::ReplicaIndex,
    limits::{RESULT_BYTES_MAX, SHARD_BYTES_MAX},
};
use std::fmt;

/// Where a shard belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardContext {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job.
    pub job: JobId,
    /// The program that reads it.
    pub program: ProgramHash,
    /// Its place among the job's shards, which is its task's index.
    pub index: TaskIndex,
    /// The job's number of shards.
    pub count: u32,
    /// Its plaintext's length, at most [`SHARD_BYTES_MAX`].
    pub plaintext_bytes: u64,
}

/// Where a replica's result belongs. Its length is not known beforehand; the seal tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultContext {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job.
    pub job: JobId,
    /// The program that made it.
    pub program: ProgramHash,
    /// The task.
    pub task: TaskIndex,
    /// The job's number of tasks.
    pub tasks: u32,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device that ran the replica.
    pub device: DeviceId,
}

/// The kinds of sealed things, told apart in the header so that none can stand for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A shard of a job's input.
    Shard,
    /// The result of one replica.
    Result,
    /// A job's manifest.
    Manifest,
}

impl Kind {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Shard => 1,
            Self::Result => 2,
            Self::Manifest => 3,
        }
    }

    /// The most plaintext bytes a sealed thing of this kind may hold.
    pub(crate) fn plaintext_bytes_max(self) -> u64 {
        match self {
            Self::Shard => SHARD_BYTES_MAX.into(),
            Self::Result => RESULT_BYTES_MAX.into(),
            Self::Manifest => crate::manifest::MANIFEST_BYTES_MAX,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shard => "shard",
            Self::Result => "result",
            Self::Manifest => "manifest",
        })
    }
}

/// All that any kind of sealed thing is bound to, in the order of the header. What a kind does not
/// have is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) replica: ReplicaIndex,
    pub(crate) genesis: GenesisHash,
    pub(crate) job: JobId,
    pub(crate) program: ProgramHash,
    pub(crate) device: DeviceId,
    pub(crate) index: u32,
    pub(crate) count: u32,
}

impl From<&ShardContext> for Subject {
    fn from(context: &ShardContext) -> Self {
        Self {
            kind: Kind::Shard,
            replica: 0,
            genesis: context.genesis,
            job: context.job,
            program: context.program,
            device: DeviceId::default(),
            index: context.index,
            count: context.count,
        }
    }
}

impl From<&ResultContext> for Subject {
    fn from(context: &ResultContext) -> Self {
        Self {
            kind: Kind::Result,
            replica: context.replica,
            genesis: context.genesis,
            job: context.job,
            program: context.program,
            device: context.device,
            index: context.task,
            count: context.tasks,
        }
    }
}

impl Subject {
    /// The one manifest of a job.
    pub(crate) fn manifest(genesis: GenesisHash, job: JobId, program: ProgramHash) -> Self {
        Self {
            kind: Kind::Manifest,
            replica: 0,
            genesis,
            job,
            program,
            device: DeviceId::default(),
            index: 0,
            count: 1,
        }
    }
}
