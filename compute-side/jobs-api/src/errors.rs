//! What the Jobs API answers instead of a result.

use crate::grouped;
use jsonrpsee::types::ErrorObjectOwned;
use quern_primitives::ids::TaskIndex;
use serde::{Deserialize, Serialize};

/// Why a request is refused. Travels as the `data` of the JSON-RPC error, so that programs need
/// not read the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum ApiError {
    /// The chain has not told this masternode to coordinate the job.
    #[error(
        "this masternode does not coordinate the job; ask the chain who does, or wait for the block that draws the coordinator"
    )]
    NotCoordinator,
    /// The job is over, and what was kept of it is erased.
    #[error(
        "the job is over: it takes nothing more and waits for nothing; `quern job show` says how it ended, and `quern job result` fetches its results while they are kept"
    )]
    Closed,
    /// A piece does not follow what is here.
    #[error("expected the piece that starts at byte {expected}; resume from there")]
    OutOfOrder {
        /// Where the next piece must start.
        expected: u64,
    },
    /// A piece is longer than a piece may be, or goes beyond the end.
    #[error("the piece ends beyond {} bytes", grouped(*limit))]
    TooLong {
        /// The length that would have been right.
        limit: u64,
    },
    /// The job's key must come first.
    #[error(
        "the job's key is not here; hand it over before anything else: `quern job resume` does all of it in order"
    )]
    KeyMissing,
    /// The token is not the one that follows from the job's key.
    #[error(
        "only who has the job's key may do this; run the command on the machine that submitted the job"
    )]
    NotOwner,
    /// The manifest must come first.
    #[error("upload the manifest before the shards")]
    ManifestMissing,
    /// The bytes are not the ones whose digest is on the chain.
    #[error("the manifest is not the submitted one; it was dropped, upload it again")]
    WrongManifest,
    /// The bytes are not the ones whose digest is on the chain.
    #[error("the program is not the submitted one; it was dropped, upload it again")]
    WrongProgram,
    /// The program cannot run here.
    #[error("the program cannot run: {reason}")]
    BadProgram {
        /// What the sandbox says of it.
        reason: String,
    },
    /// The bytes are not the ones whose root is on the chain.
    #[error("shard {task} is not the submitted one; it was dropped, upload it again")]
    WrongShard {
        /// The shard's task.
        task: TaskIndex,
    },
    /// There is no such task.
    #[error(
        "the job has no task {task}; tasks count from 0, and `quern job show` says how many it has"
    )]
    NoSuchTask {
        /// The task asked for.
        task: TaskIndex,
    },
    /// The key does not open, or is not the submitted job's.
    #[error("the key does not open the job; seal it to the coordinator's current key")]
    WrongKey,
    /// The task has no verdict yet.
    #[error(
        "task {task} has no accepted answer yet; ask again when it has one: `quern job watch` follows the job"
    )]
    NotDecided {
        /// The task.
        task: TaskIndex,
    },
    /// It is accepted that the program fails at a task, so neither that one has a result, nor any task
    /// that was not decided before: the job ends with it.
    #[error(
        "the program fails at task {task}, and the job ends with that; `quern job show` says how, mend the program or raise its limits"
    )]
    ProgramFailed {
        /// The task at which it fails, which need not be the one asked for.
        task: TaskIndex,
    },
    /// The accepted answer was not found to be wrong, or the program fails on the task.
    #[error(
        "there is no other result of task {task} than the accepted one; the job's corrections name the tasks that have one"
    )]
    NotCorrected {
        /// The task.
        task: TaskIndex,
    },
    /// The verdict is not settled yet.
    #[error("task {task} is not settled yet; wait for its batch")]
    NotSettled {
        /// The task.
        task: TaskIndex,
    },
    /// Bytes beyond the end were asked for.
    #[error("there are no bytes at that offset; fetch the result again from its start")]
    NoSuchBytes,
    /// The jobs' files would take more of the disk than the masternode's operator gives them.
    #[error(
        "the masternode has no room for {} more bytes; jobs that end make room: go on later with `quern job resume`, or take the job back with `quern job cancel`",
        grouped(*bytes)
    )]
    NoRoom {
        /// Bytes that would be needed for what is to be uploaded.
        bytes: u64,
    },
    /// The device never said hello here, or long ago.
    #[error(
        "this masternode does not know the device; its worker must run and be connected here: `quern-worker run`"
    )]
    UnknownDevice,
    /// As many questions about the grid or its jobs wait for an answer as may, over the connection or in
    /// all.
    #[error(
        "as many questions wait for an answer as may; ask again in a moment, or when yours are answered"
    )]
    Busy,
    /// The masternode's disk is full or broken.
    #[error("the masternode cannot store more; try again later")]
    Storage,
    /// The masternode has not caught up with the chain.
    #[error("the masternode is starting; try again in a moment")]
    Starting,
}

impl ApiError {
    /// The JSON-RPC error code, one for each variant.
    pub fn code(&self) -> i32 {
        match self {
            Self::NotCoordinator => 1001,
            Self::Closed => 1002,
            Self::OutOfOrder { .. } => 1003,
            Self::TooLong { .. } => 1004,
            Self::ManifestMissing => 1005,
            Self::WrongManifest => 1006,
            Self::WrongProgram => 1007,
            Self::BadProgram { .. } => 1008,
            Self::WrongShard { .. } => 1009,
            Self::NoSuchTask { .. } => 1010,
            Self::WrongKey => 1011,
            Self::NotDecided { .. } => 1012,
            Self::NotSettled { .. } => 1013,
            Self::NoSuchBytes => 1014,
            Self::Storage => 1015,
            Self::Starting => 1016,
            Self::ProgramFailed { .. } => 1017,
            Self::KeyMissing => 1018,
            Self::NotOwner => 1019,
            Self::NoRoom { .. } => 1020,
            Self::UnknownDevice => 1021,
            Self::Busy => 1022,
            Self::NotCorrected { .. } => 1023,
        }
    }
}

impl From<ApiError> for ErrorObjectOwned {
    fn from(error: ApiError) -> Self {
        ErrorObjectOwned::owned(error.code(), error.to_string(), Some(error))
    }
}
