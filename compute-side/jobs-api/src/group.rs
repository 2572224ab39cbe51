//! What the masternodes of a job's group say to each other, at the address at which owners reach them.
//!
//! ```text
//! group_append(job, blocks)                      the coordinator hands on its log, block by block
//! group_certify(job, sequence, index, head)      it asks for the member's word on a batch
//! group_certifyEnd(job, sequence, index, head)   and on that the job cannot go on
//! group_referee(request, signature)              it has a task computed on which devices differ
//! group_refereed(request, signature, offset)     and fetches the sealed result, piece by piece
//! group_witness(request, signature)              who accuses a device asks whether a member computes the same
//! ```
//!
//! Who has a task computed shows by its signature that it coordinates the job: a device that knew early what
//! comes out need not compute it. Who asks for a witness shows that it is of the group, and is told of settled
//! tasks alone. For all else nobody says who it is, because nothing depends on it. A block
//! is taken if the network key that the chain drew as the job's coordinator has signed it, whoever brings it; and a member's word is about what
//! it found in its own copy of the log, is meant for the chain, and gives nobody anything who has not the
//! log. A member tells others of its copy what speaks of settled tasks alone, until the job is over
//! (`jobs_copiedLog`): in all of it a device could read what others answered.

use crate::Blob;
use codec::Encode;
use jsonrpsee::{core::RpcResult, proc_macros::rpc, types::ErrorObjectOwned};
use quern_primitives::{
    Digest, JobId, TaskIndex,
    ids::{AccountId, BatchSequence, NodeKey},
    payload::SignedPayload,
};
use serde::{Deserialize, Serialize};

/// How far a member has its copy of a job's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedUpTo {
    /// The index of the block that it wants next: all before it are on its disk.
    pub next: u64,
}

/// What a coordinator signs with its network key to have a task computed by another member of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Serialize, Deserialize)]
pub struct RefereeRequest {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The member's network key: what it is asked no other one is asked by this.
    pub referee: NodeKey,
    /// How long it may take, in milliseconds, at most [`REFEREE_MS_MAX`].
    pub time_ms: u64,
}

impl SignedPayload for RefereeRequest {
    const DOMAIN: &'static str = "quern/referee-request/1";
}

/// What a member of a group signs with its network key to learn what another one computes where a device gave
/// another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Serialize, Deserialize)]
pub struct WitnessRequest {
    /// The job.
    pub job: JobId,
    /// The task, which a pending batch settles.
    pub task: TaskIndex,
    /// The network key of who asks.
    pub asker: NodeKey,
    /// The network key of the member that is asked.
    pub witness: NodeKey,
}

impl SignedPayload for WitnessRequest {
    const DOMAIN: &'static str = "quern/witness-request/1";
}

/// How far a task is that a member computes as a witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Witnessing {
    /// It waits for its turn or is computed; ask again.
    Computing,
    /// It was computed.
    Computed {
        /// The signed report, in SCALE.
        report: Blob,
    },
}

/// How long a referee may take at the most, in milliseconds: a day.
pub const REFEREE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// How far a task is that a member computes as its referee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Refereeing {
    /// It waits for its turn or is computed; ask again.
    Computing,
    /// It was computed.
    Computed {
        /// The signed report, in SCALE.
        report: Blob,
        /// The chunk root of the sealed result.
        output_root: Digest,
        /// The sealed result's length.
        bytes: u64,
    },
}

/// Why a member of a group does not take a block, or does not certify a batch or a job's end. Travels as the `data` of the
/// JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum GroupError {
    /// It has no say in the job.
    #[error("this masternode is not in the job's group, or has no say in it any more; ask another")]
    NotMember,
    /// It coordinates the job itself.
    #[error("this masternode coordinates the job itself; nobody hands it its own log")]
    Coordinates,
    /// It has the log, and not so far.
    #[error(
        "the log is here only up to block {next}; hand on the blocks from there on and ask again"
    )]
    Behind {
        /// The index of the block that comes next.
        next: u64,
    },
    /// A block does not follow what is here, or is not the coordinator's.
    #[error("the block is not the next one of {coordinator}'s log: {why}")]
    NotTheLog {
        /// Who coordinates the job.
        coordinator: AccountId,
        /// What is wrong with it.
        why: String,
    },
    /// What the member found in the log is not what the rules give.
    #[error("the log breaks a rule, and no batch of it is certified here: {why}")]
    Differs {
        /// What is wrong.
        why: String,
    },
    /// The batch stands elsewhere in the copy of the log, or another was certified.
    #[error("the batch does not rest on that block in the copy that is here; it is not certified")]
    OtherBatch,
    /// The copy of the log does not show that the job cannot go on.
    #[error("the copy of the log that is here does not bear out that the job cannot go on: {why}")]
    NotEnded {
        /// What is missing.
        why: String,
    },
    /// The end stands elsewhere in the copy of the log, or something else was certified under its number.
    #[error(
        "the end of the job does not rest on that block in the copy that is here, or something else was certified under its number; it is not certified"
    )]
    OtherEnd,
    /// Key and manifest are missing, without which not everything can be held to the rules.
    #[error(
        "the job's owner has not handed its key and manifest to this masternode; `quern job resume` does"
    )]
    KeyMissing,
    /// The chain does not tell what the log is held to.
    #[error("the chain does not tell what the log is held to yet; ask again in a moment: {why}")]
    Unread {
        /// What is missing.
        why: String,
    },
    /// The copies that are kept of the logs of jobs are as long as they may be.
    #[error("the copy of the job's log is as long as one may be; it is not followed any further")]
    TooLong,
    /// Others are answered first.
    #[error("as many questions are answered at a time as may be; ask again in a moment")]
    Busy,
    /// Only who coordinates the job may have its tasks computed, and only who is of its group those that are
    /// settled.
    #[error(
        "the request is not signed by who may have a task of the job computed, or is for another member"
    )]
    NotAsked,
    /// No batch that settles the task is pending.
    #[error(
        "no batch that settles the task is pending as this masternode's node has it; ask again in a moment"
    )]
    NotPending,
    /// The copy of the log does not show that the task waits for a referee.
    #[error(
        "the copy of the log that is here does not show that the task waits for a referee; hand on the log and ask again"
    )]
    NotAwaited,
    /// The log says that no referee can be had, and the member knows nothing of that, or better.
    #[error("what the log says of a referee is not certified here: {why}")]
    Unrefereed {
        /// What it knows.
        why: String,
    },
    /// The task's shard or the program is not here.
    #[error(
        "the job's owner has not uploaded the task's shard and the program to this masternode; `quern job resume` does"
    )]
    InputMissing,
    /// It computes no tasks.
    #[error("this masternode computes no tasks itself; ask another")]
    ComputesNothing,
    /// It could not compute the task.
    #[error("the task cannot be computed here: {why}")]
    NotComputed {
        /// What is missing or wrong.
        why: String,
    },
    /// The disk is full or broken.
    #[error("the masternode cannot store more; ask again later")]
    Storage,
    /// The node does not answer.
    #[error("the masternode has no news of the chain; ask again in a moment")]
    Starting,
}

impl GroupError {
    /// The JSON-RPC error code, one for each variant.
    pub fn code(&self) -> i32 {
        match self {
            Self::NotMember => 1101,
            Self::Coordinates => 1102,
            Self::Behind { .. } => 1103,
            Self::NotTheLog { .. } => 1104,
            Self::Differs { .. } => 1105,
            Self::OtherBatch => 1106,
            Self::KeyMissing => 1107,
            Self::Unread { .. } => 1108,
            Self::TooLong => 1109,
            Self::Busy => 1110,
            Self::Storage => 1111,
            Self::Starting => 1112,
            Self::NotEnded { .. } => 1113,
            Self::OtherEnd => 1114,
            Self::NotAsked => 1115,
            Self::NotAwaited => 1116,
            Self::ComputesNothing => 1117,
            Self::NotComputed { .. } => 1118,
            Self::InputMissing => 1119,
            Self::NotPending => 1120,
            Self::Unrefereed { .. } => 1121,
        }
    }
}

impl From<GroupError> for ErrorObjectOwned {
    fn from(error: GroupError) -> Self {
        ErrorObjectOwned::owned(error.code(), error.to_string(), Some(error))
    }
}

/// The methods. Errors are [`GroupError`]s.
#[rpc(client, server, namespace = "group")]
pub trait GroupApi {
    /// Takes blocks of a job's log, in order, each as its bytes: at most [`crate::LOG_PAGE_BLOCKS_MAX`] of
    /// them and [`crate::LOG_PAGE_BYTES_MAX`] bytes. They are on disk when this answers. What is here
    /// already is passed over; no blocks at all ask only how far the copy is.
    #[method(name = "append")]
    async fn append(&self, job: JobId, blocks: Vec<Blob>) -> RpcResult<FollowedUpTo>;

    /// The member's signature, of 64 bytes, over the batch of this number: that its own recheck of its own
    /// copy of the log holds up to the block with this index and hash, which has the batch.
    #[method(name = "certify")]
    async fn certify(
        &self,
        job: JobId,
        sequence: BatchSequence,
        index: u64,
        head: Digest,
    ) -> RpcResult<Blob>;

    /// The same over the end of a job that cannot go on: that the member's own recheck of its own copy of
    /// the log holds up to the block with this index and hash, its last, and shows the failure. The number
    /// is that of the batch that would be next.
    #[method(name = "certifyEnd")]
    async fn certify_end(
        &self,
        job: JobId,
        sequence: BatchSequence,
        index: u64,
        head: Digest,
    ) -> RpcResult<Blob>;

    /// Has a task computed of which the member's own copy of the log shows that it waits for a referee, and
    /// tells how far it is. Signed by the coordinator, with 64 bytes. What is not asked about for a minute is
    /// given up.
    #[method(name = "referee")]
    async fn referee(&self, request: RefereeRequest, signature: Blob) -> RpcResult<Refereeing>;

    /// The sealed result of a task that was computed so, from a byte on: at most
    /// [`crate::PIECE_BYTES_MAX`] bytes.
    #[method(name = "refereed")]
    async fn refereed(
        &self,
        request: RefereeRequest,
        signature: Blob,
        offset: u64,
    ) -> RpcResult<Blob>;

    /// Has a task computed that a pending batch settles, and tells how far it is, with the member's own signed
    /// report once that is there. Signed by another member of the group, with 64 bytes. What is not asked about
    /// for a minute is given up.
    #[method(name = "witness")]
    async fn witness(&self, request: WitnessRequest, signature: Blob) -> RpcResult<Witnessing>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> Vec<GroupError> {
        let why = "a word".to_owned();
        vec![
            GroupError::NotMember,
            GroupError::Coordinates,
            GroupError::Behind { next: u64::MAX },
            GroupError::NotTheLog {
                coordinator: AccountId::new([1; 32]),
                why: why.clone(),
            },
            GroupError::Differs { why: why.clone() },
            GroupError::OtherBatch,
            GroupError::NotEnded { why: why.clone() },
            GroupError::OtherEnd,
            GroupError::KeyMissing,
            GroupError::Unread { why: why.clone() },
            GroupError::TooLong,
            GroupError::Busy,
            GroupError::Storage,
            GroupError::Starting,
            GroupError::NotAsked,
            GroupError::NotAwaited,
            GroupError::InputMissing,
            GroupError::NotPending,
            GroupError::Unrefereed { why: why.clone() },
            GroupError::ComputesNothing,
            GroupError::NotComputed { why },
        ]
    }

    #[test]
    fn refusals_travel_as_what_they_are() {
        for error in all() {
            let sent = ErrorObjectOwned::from(error.clone());
            assert_eq!(sent.code(), error.code());
            let data = sent.data().unwrap().get();
            assert_eq!(serde_json::from_str::<GroupError>(data).unwrap(), error);
        }
    }

    #[test]
    fn each_refusal_has_a_code_of_its_own() {
        let codes: BTreeSet<_> = all().iter().map(GroupError::code).collect();
        assert_eq!(codes.len(), all().len());
    }
}
