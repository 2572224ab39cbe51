//! The Jobs API: what owners say to the coordinator of their job, over JSON-RPC (HTTP or
//! WebSocket).
//!
//! An upload is taken, and results are given, only against an [`OwnerToken`]: it follows from the
//! job's key, so who shows it is the owner, or has the key from the owner. The key itself comes
//! first, sealed to the coordinator, and is checked against the commitment on the chain, which nobody
//! else can meet; that is why handing it over needs no token. Everything else that is uploaded is
//! checked against digests on the chain as well, and what is downloaded is sealed.
//!
//! How far a job is, the receipts of its settled tasks and the job's log are told to anybody who asks:
//! whoever wants to hold a coordinator to the rules needs nobody's leave for it, and no key, result or
//! data is in any of them. So is how
//! the masternode's grid is and why something in it waits (see [`GridState`] and what stands beside
//! it): devices and their accounts, machines, scores and faults, but nothing of what is computed and
//! no key. Such an answer may be a second old, and of the questions over one connection few may wait
//! for theirs at a time ([`ApiError::Busy`]).
//!
//! ```text
//! jobs_offer(job, first)                         what is here already; uploads resume from it
//! jobs_delegateKey(job, key)                     the job's key, sealed to the coordinator
//! jobs_putManifest(job, token, offset, …)        │
//! jobs_putProgram(job, token, offset, …)         │ in pieces of at most PIECE_BYTES_MAX, in order
//! jobs_putShard(job, token, task, offset, …)     │ with key, manifest and program the job starts, and
//!                                                │ each task is given out once its own shard is here
//! jobs_status(job), jobs_watch(job)
//! jobs_results(job, token, first)                which replica's sealed result stands for each task,
//!                                                as tasks are decided
//! jobs_readResult(job, token, task, offset)      its bytes
//! jobs_corrections(job, token, first)            tasks whose accepted answer was found to be wrong
//! jobs_readCorrection(job, token, task, offset)  the bytes of what came out instead, sealed
//! jobs_receipts(job, first)                      which replicas of settled tasks have a receipt
//! jobs_receipt(job, task, replica)               a file that `quern verify` checks
//! jobs_log(job, from)                            blocks of the job's log, signed by its coordinator
//! jobs_copiedLog(job, place, from)               blocks of the copy that another one of its group keeps
//!
//! jobs_explainJob(job), jobs_explainTask(job, task), jobs_explainDevice(device)
//!                                                what keeps it waiting, and what happens next
//! jobs_gridState()                               the grid at a glance
//! jobs_gridDevices(first)                        its devices, by rank
//! jobs_gridRates(asking)                         how often those fail that meet what a job asks for
//! jobs_gridMatching(asking)                      how many of them meet what a job asks for
//! ```
//!
//! What the masternodes of a job say to each other is beside it: see [`GroupApiServer`]; and so is what is said about
//! data that are kept: see [`StorageApiServer`].

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonrpsee::{core::RpcResult, core::SubscriptionResult, proc_macros::rpc};
use quern_primitives::{
    amount::Amount,
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId, ReplicaIndex, TaskIndex},
    verdict::ReceiptFile,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod advice;
mod corrections;
mod errors;
mod explain;
mod grid;
mod group;
mod impasse;
mod log;
mod numbers;
mod storage;

pub use advice::Reader;
pub use corrections::{CORRECTIONS_MAX, Correction, Corrections, Word};
pub use errors::ApiError;
pub use explain::{
    DeviceExplanation, EXPLAINED_DEVICES_MAX, EXPLAINED_JOBS_MAX, JobExplanation, JobForDevice,
    Lateness, REASON_DEVICES_MAX, Reason, ReplicaExplanation, ReplicaStage, Rule, Sample, Step,
    StepKind, TaskExplanation, TaskStage,
};
pub use grid::{
    Asking, Claimed, DEVICE_POOLS_MAX, Dealing, DevicePool, DeviceState, FAULT_RATES,
    GRID_DEVICES_MAX, GRID_JOBS_MAX, GridState, JobInGrid, LastDraw, MachineFacts, Matching,
    Measured, PoolsAtLeast, Recomputations, Scheduling, ScoreParts,
};
pub use group::{
    FollowedUpTo, GroupApiClient, GroupApiServer, GroupError, REFEREE_MS_MAX, RefereeRequest,
    Refereeing, WitnessRequest, Witnessing,
};
pub use impasse::{Impasse, Trouble};
pub use log::{LOG_PAGE_BLOCKS_MAX, LOG_PAGE_BYTES_MAX, LogPage};
pub use numbers::{counted, counted_as, grouped};
pub use storage::{
    OFFERED_PIECES_MAX, StorageApiClient, StorageApiServer, StorageError, StorageOffer,
    StorageStatus,
};

/// Bytes of one uploaded or downloaded piece.
pub const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one request or answer: a piece in base64 and its frame.
pub const MESSAGE_BYTES_MAX: u32 = 2 * 1024 * 1024;

/// Bytes of a sealed manifest: 65,536 shards of about 200 bytes each, and arguments.
pub const MANIFEST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes, as base64 in JSON.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Shows a job's coordinator that who asks has the job's key. It follows from key, chain, job and
/// coordinator (`quern_shards::keys::JobKey::owner_token`), and opens nothing. Two tokens are
/// compared there, in constant time, and not here.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerToken(pub Digest);

impl std::fmt::Debug for OwnerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerToken(not shown)")
    }
}

/// Who answers, and for which chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Name and version of the software.
    pub software: String,
    /// The chain.
    pub genesis: GenesisHash,
    /// The operator.
    pub account: AccountId,
    /// Devices connected and admitted.
    pub devices: u32,
}

/// What the masternode holds of a job's upload, in bytes from the start without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Of the sealed manifest.
    pub manifest_bytes: u64,
    /// Of the program.
    pub program_bytes: u64,
    /// Of each shard; shards that are not named have none. Empty until key and manifest are here.
    pub shards: Vec<ShardOffer>,
    /// Whether every shard is here.
    pub shards_complete: bool,
    /// Whether the job's key is here.
    pub key: bool,
}

/// What the masternode holds of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardOffer {
    /// The task that works on it.
    pub task: TaskIndex,
    /// Bytes from the start. All of them only if the shard is checked and kept, so that who has sent all
    /// need send no more; of one whose check a restart interrupted it is none, though a piece that does not
    /// follow what is there is refused with where it ends.
    pub bytes: u64,
}

/// Where a job stands at its coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Something is missing that every task needs: key, manifest or program.
    Uploading,
    /// Tasks are queued or running, and shards of others may still come.
    Computing,
    /// Every task has its verdict, or no more will get one; batches are on their way to the chain, or
    /// wait to be final.
    Settling,
    /// The chain closed the job.
    Closed,
}

/// A masternode tells a job's status again for so long, to all who ask for it or watch the job: what is
/// told is at most so old.
pub const STATUS_AGE_MAX: Duration = Duration::from_millis(200);

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// The job.
    pub job: JobId,
    /// Where it stands.
    pub phase: Phase,
    /// Tasks in all.
    pub tasks: u32,
    /// Tasks whose shard is not here and is waited for; all that have no replica started, until key,
    /// manifest and program are here.
    #[serde(default)]
    pub not_uploaded: u32,
    /// Tasks with no replica started, those whose shard is not here among them.
    pub waiting: u32,
    /// Tasks with a replica started and no verdict.
    pub running: u32,
    /// Tasks with a verdict.
    pub decided: u32,
    /// Tasks whose verdict is settled on the chain, in a finalised block.
    pub settled: u32,
    /// Replicas finished, wrong ones included.
    pub replicas: u32,
    /// Answers that differed from the accepted one.
    pub incorrect: u32,
    /// Verdicts that the referee decided, because answers differed.
    #[serde(default)]
    pub refereed: u32,
    /// Verdicts that were voted, because answers differed and no referee decided: they are as certain as
    /// a majority is, and no more.
    #[serde(default)]
    pub voted: u32,
    /// Settled tasks that were computed again with another answer, found before the job was closed.
    #[serde(default)]
    pub contradicted: u32,
    /// Fuel used by accepted answers.
    pub fuel: u64,
    /// Sum of the verdicts' prices.
    #[serde(with = "quern_primitives::amount::as_string")]
    pub spent: Amount,
    /// Devices that hold a replica of the job now.
    pub devices: u32,
    /// Why nothing moves, when nothing does.
    pub waiting_for: Option<WaitingFor>,
    /// The task that cannot be settled and ends the job, if there is one. It is told when the job is
    /// over as well.
    #[serde(default)]
    pub impasse: Option<Impasse>,
}

/// Why a job does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// The owner has not uploaded everything, and all that can be done of the rest is done.
    Upload,
    /// No admitted device is connected.
    Devices,
    /// The connected devices that the job could go to belong to fewer accounts than a task needs
    /// replicas.
    Accounts {
        /// Accounts with such a device.
        connected: u32,
        /// Accounts needed.
        needed: u32,
    },
    /// The chain has not finalised the last batch.
    Chain,
    /// The masternodes of the job's group have not all looked at the next batch that have to.
    Certificates {
        /// Certificates that are here.
        here: u32,
        /// Certificates that the batch needs.
        needed: u32,
    },
    /// All is settled; the job is over, and paid, when its last batch is final. Results do not wait
    /// for it.
    Finality,
}

/// The sealed result that stands for a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task.
    pub task: TaskIndex,
    /// The replica whose sealed result this is; its key follows from shard key, replica and device.
    pub replica: ReplicaIndex,
    /// The device that sealed it.
    pub device: DeviceId,
    /// Plaintext bytes.
    pub result_bytes: u64,
    /// Sealed bytes.
    pub sealed_bytes: u64,
    /// Chunk root of the sealed bytes, as signed in the receipt.
    pub output_root: Digest,
    /// Keyed hash of the plaintext, as signed in the receipt.
    pub result_commitment: Digest,
}

/// The replicas of a settled task that have a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReceipts {
    /// The task.
    pub task: TaskIndex,
    /// The replicas, ascending.
    pub replicas: Vec<ReplicaIndex>,
}

/// A job's key sealed to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedKey {
    /// The HPKE encapsulated key, 32 bytes.
    pub encapsulated: Blob,
    /// The sealed key and its tag, 48 bytes.
    pub ciphertext: Blob,
}

/// The methods. Errors are [`ApiError`]s: their code and data are stable, their text says what to
/// do.
#[rpc(client, server, namespace = "jobs")]
pub trait JobsApi {
    /// Who answers, and for which chain.
    #[method(name = "about")]
    async fn about(&self) -> RpcResult<About>;

    /// What is here of a job's upload. Shards are listed from `first` on, at most 4,096.
    #[method(name = "offer")]
    async fn offer(&self, job: JobId, first: TaskIndex) -> RpcResult<Offer>;

    /// The job's key, sealed to the coordinator. It comes first.
    #[method(name = "delegateKey")]
    async fn delegate_key(&self, job: JobId, key: DelegatedKey) -> RpcResult<()>;

    /// A piece of the sealed manifest. Answers with the bytes held.
    #[method(name = "putManifest")]
    async fn put_manifest(
        &self,
        job: JobId,
        token: OwnerToken,
        offset: u64,
        piece: Blob,
    ) -> RpcResult<u64>;

    /// A piece of the program. Answers with the bytes held.
    #[method(name = "putProgram")]
    async fn put_program(
        &self,
        job: JobId,
        token: OwnerToken,
        offset: u64,
        piece: Blob,
    ) -> RpcResult<u64>;

    /// A piece of a sealed shard. Answers with the bytes held.
    #[method(name = "putShard")]
    async fn put_shard(
        &self,
        job: JobId,
        token: OwnerToken,
        task: TaskIndex,
        offset: u64,
        piece: Blob,
    ) -> RpcResult<u64>;

    /// How far a job is, or was [`STATUS_AGE_MAX`] ago at the longest.
    #[method(name = "status")]
    async fn status(&self, job: JobId) -> RpcResult<JobStatus>;

    /// How far a job is, whenever that changes, until it is closed; at most every [`STATUS_AGE_MAX`].
    #[subscription(name = "watch" => "watchUpdate", unsubscribe = "unwatch", item = JobStatus)]
    async fn watch(&self, job: JobId) -> SubscriptionResult;

    /// The results of decided tasks in the order in which they were decided, from the one at `first`
    /// on, counted from 0, at most 4,096. The order stays as it is, so that whoever was told of so
    /// many while the job runs asks for the rest. Of a task that is not decided nothing is told.
    #[method(name = "results")]
    async fn results(
        &self,
        job: JobId,
        token: OwnerToken,
        first: u32,
    ) -> RpcResult<Vec<TaskResult>>;

    /// Bytes of the sealed result that stands for a task.
    #[method(name = "readResult")]
    async fn read_result(
        &self,
        job: JobId,
        token: OwnerToken,
        task: TaskIndex,
        offset: u64,
    ) -> RpcResult<Blob>;

    /// The tasks whose accepted and settled answer was found to be wrong since, in the order in which that was
    /// found, from the one at `first` on, counted from 0, at most [`CORRECTIONS_MAX`]; and whether more may
    /// come. The order stays as it is.
    #[method(name = "corrections")]
    async fn corrections(
        &self,
        job: JobId,
        token: OwnerToken,
        first: u32,
    ) -> RpcResult<Corrections>;

    /// Bytes of the sealed result that came out when such a task was computed again.
    #[method(name = "readCorrection")]
    async fn read_correction(
        &self,
        job: JobId,
        token: OwnerToken,
        task: TaskIndex,
        offset: u64,
    ) -> RpcResult<Blob>;

    /// The receipts of settled tasks from `first` on, in task order, at most 4,096 tasks.
    #[method(name = "receipts")]
    async fn receipts(&self, job: JobId, first: TaskIndex) -> RpcResult<Vec<TaskReceipts>>;

    /// What `quern verify` checks: the receipt, its verdict and the proof into the settled batch.
    #[method(name = "receipt")]
    async fn receipt(
        &self,
        job: JobId,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> RpcResult<ReceiptFile>;

    /// The signed blocks of a job's log from the one with index `from` on, as far as they are on this
    /// masternode's disk: at most [`LOG_PAGE_BLOCKS_MAX`] of them and [`LOG_PAGE_BYTES_MAX`] bytes. None if
    /// there are no more by now.
    #[method(name = "log", with_extensions)]
    async fn log(&self, job: JobId, from: u64) -> RpcResult<LogPage>;

    /// The signed blocks of the copy that this masternode keeps of the log that the member at a place of the
    /// job's group writes, or wrote before others went on with the job: from the one with index `from` on, within
    /// the limits of [`log`](JobsApiServer::log). It ends before the first block that speaks of a task which is
    /// not settled, as long as the job is not over.
    #[method(name = "copiedLog", with_extensions)]
    async fn copied_log(&self, job: JobId, place: u8, from: u64) -> RpcResult<LogPage>;

    /// What keeps a job waiting that this masternode coordinates.
    #[method(name = "explainJob", with_extensions)]
    async fn explain_job(&self, job: JobId) -> RpcResult<JobExplanation>;

    /// Where a task of such a job stands, what keeps it waiting, and what happens next.
    #[method(name = "explainTask", with_extensions)]
    async fn explain_task(&self, job: JobId, task: TaskIndex) -> RpcResult<TaskExplanation>;

    /// What each job would give a device that this masternode knows, and what keeps it from work.
    #[method(name = "explainDevice", with_extensions)]
    async fn explain_device(&self, device: DeviceId) -> RpcResult<DeviceExplanation>;

    /// The grid at a glance.
    #[method(name = "gridState", with_extensions)]
    async fn grid_state(&self) -> RpcResult<GridState>;

    /// All devices that it knows: in the order of their ranks, those that have none behind the others.
    /// They are told from the position `first` on, counted from 0: at most [`GRID_DEVICES_MAX`], or as
    /// many as fit in an answer; none if there are none behind it.
    #[method(name = "gridDevices", with_extensions)]
    async fn grid_devices(&self, first: u32) -> RpcResult<Vec<DeviceState>>;

    /// How often the ranked devices fail that meet what a job would ask for: how many of them had 0, 1, 2
    /// and so on to 20 faulty tasks among their last 20, [`FAULT_RATES`] counts. A task is faulty that
    /// failed, was late or was answered wrongly.
    #[method(name = "gridRates", with_extensions)]
    async fn grid_rates(&self, asking: Asking) -> RpcResult<Vec<u32>>;

    /// How many of the connected devices meet what a job would ask for.
    #[method(name = "gridMatching", with_extensions)]
    async fn grid_matching(&self, asking: Asking) -> RpcResult<Matching>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_travels_as_hexadecimal_digits_and_does_not_print() {
        let token = OwnerToken(Digest([0xab; 32]));
        let text = serde_json::to_string(&token).unwrap();
        assert_eq!(text, format!("\"0x{}\"", "ab".repeat(32)));
        let read: OwnerToken = serde_json::from_str(&text).unwrap();
        assert_eq!(read.0, token.0);
        assert_eq!(format!("{token:?}"), "OwnerToken(not shown)");
        assert!(serde_json::from_str::<OwnerToken>("\"0xab\"").is_err());
    }

    #[test]
    fn a_status_that_says_nothing_of_shards_to_come_is_of_a_job_that_has_them_all() {
        let status = grid::tests::status();
        let mut told = serde_json::to_value(&status).unwrap();
        told.as_object_mut().unwrap().remove("not_uploaded");
        told.as_object_mut().unwrap().remove("impasse");
        let read: JobStatus = serde_json::from_value(told).unwrap();
        assert_eq!(read, status);
    }
}
