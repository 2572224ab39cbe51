//! The Jobs API's server.
//!
//! Who uploads and who fetches results must show the token that follows from the job's key. It is
//! known here since the owner delegated the key, and remembered beyond the end of the job.

mod corrections;
mod desk;
mod grid;
mod group;
mod log;
mod statuses;
mod storage;
mod upload;

use crate::{
    core::OutputPlace,
    daemon::{Answered, Command, Question, Reply, Shared},
    group::Members,
    keepers::Keepers,
    receipts::Outcome,
    store::JobLog,
    vault::{GetError, Item, not_stored},
};
use desk::Desks;
use group::GroupDesk;
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionMessage,
    core::{RpcResult, SubscriptionResult, async_trait},
    server::{PingConfig, Server, ServerHandle},
};
use log::Readers;
use quern_jobs_api::{
    About, ApiError, Asking, Blob, Corrections, DelegatedKey, DeviceExplanation, DeviceState,
    GridState, GroupApiServer as _, JobExplanation, JobStatus, JobsApiServer, LogPage,
    MESSAGE_BYTES_MAX, Matching, Offer, OwnerToken, PIECE_BYTES_MAX, Phase, STATUS_AGE_MAX,
    StorageApiServer as _, TaskExplanation, TaskReceipts, TaskResult, WaitingFor,
};
use quern_primitives::{
    BlockNumber, DeviceId, JobId, TaskIndex, ids::ReplicaIndex, job::Job, verdict::ReceiptFile,
};
use quern_shards::keys;
use statuses::Statuses;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use storage::StorageDesk;
use tokio::sync::oneshot;

/// Rows of one answer.
const PAGE: usize = 4_096;

/// Connections of owners at a time.
const CONNECTIONS_MAX: u32 = 256;

/// Jobs that one connection watches at a time: 2,048 watchers in all.
const SUBSCRIPTIONS_MAX: u32 = 8;

/// How often a connection is asked whether somebody is there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// A connection over which nothing came for so long, not even the answer to a ping, is closed: two
/// pings and a margin.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A running server.
pub(crate) struct Running {
    handle: ServerHandle,
    address: SocketAddr,
}

impl Running {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn stop(&self) {
        // An error says that it has stopped.
        let _ = self.handle.stop();
    }
}

/// Starts the server.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    (members, keepers): (Members, Keepers),
    listen: SocketAddr,
) -> anyhow::Result<Running> {
    let pings = PingConfig::new()
        .ping_interval(PING_INTERVAL)
        .inactive_limit(SILENCE_MAX);
    let server = Server::builder()
        .max_request_body_size(MESSAGE_BYTES_MAX)
        .max_response_body_size(MESSAGE_BYTES_MAX)
        .max_connections(CONNECTIONS_MAX)
        .max_subscriptions_per_connection(SUBSCRIPTIONS_MAX)
        .enable_ws_ping(pings)
        .build(listen)
        .await?;
    let address = server.local_addr()?;
    let members = Arc::new(members);
    let between = GroupDesk::new(members.clone());
    let api = Api {
        shared,
        members,
        desks: Desks::default(),
        statuses: Statuses::default(),
        readers: Readers::default(),
    };
    let mut methods = api.into_rpc();
    methods.merge(between.into_rpc())?;
    methods.merge(StorageDesk::new(keepers).into_rpc())?;
    let handle = server.start(methods);
    Ok(Running { handle, address })
}

#[derive(Clone)]
struct Api {
    shared: Arc<Shared>,
    members: Arc<Members>,
    desks: Desks,
    statuses: Statuses,
    readers: Readers,
}

impl Api {
    /// The job, if this masternode coordinates it or may have to, and it is open. The chain is asked when the last
    /// block known here does not have it, so that an owner need not wait for the next one.
    async fn open_job(&self, id: JobId) -> Result<Job, ApiError> {
        self.open_job_as_of(id).await.map(|(_, job)| job)
    }

    /// The same, with the block of which that was read.
    async fn open_job_as_of(&self, id: JobId) -> Result<(BlockNumber, Job), ApiError> {
        let known = self.shared.job_as_of(id);
        let (at, job) = match known {
            Some(known) => known,
            None => {
                let state = self
                    .shared
                    .chain
                    .at_finalised()
                    .await
                    .map_err(|_| ApiError::Starting)?;
                let job = state.job(id).await.map_err(|_| ApiError::Starting)?;
                let job = job.ok_or(ApiError::NotCoordinator)?;
                (state.block().number, job)
            }
        };
        if !job.state.goes_on() {
            return Err(ApiError::Closed);
        }
        match job.state.coordinator() {
            Some(coordinator) if *coordinator == self.shared.account.id() => Ok((at, job)),
            // Whose turn comes later keeps all that it needs for that, and to check what it certifies.
            Some(_) if self.members.is_member(id).await => Ok((at, job)),
            _ => Err(ApiError::NotCoordinator),
        }
    }

    /// Runs what reads or writes files beside the tasks that must not wait.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || work(&shared))
            .await
            .map_err(|_| ApiError::Storage)?
    }

    /// Does what writes a job's files to its end: the going of whoever asked interrupts nothing.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::spawn(work).await.map_err(|_| ApiError::Storage)?
    }

    /// Whether a token follows from a job's key.
    async fn owned(&self, job: JobId, token: OwnerToken) -> Result<(), ApiError> {
        self.blocking(move |shared| check_owner(shared, job, token))
            .await
    }

    /// How far a job is, as it was [`STATUS_AGE_MAX`] ago at the longest.
    async fn ask_status(&self, job: JobId) -> Result<Arc<JobStatus>, ApiError> {
        // The core knows no job that is not known here.
        if self.shared.job(job).is_none() {
            return Err(ApiError::NotCoordinator);
        }
        let shared = self.shared.clone();
        let put = async move {
            let (answer, answered) = oneshot::channel();
            let question = Question::Status(job);
            let command = Command::Ask { question, answer };
            // An error says that the masternode stops; then nobody answers either.
            drop(shared.commands.send(command).await);
            match answered.await.ok()? {
                Answered {
                    reply: Reply::Status(status),
                    took,
                } => Some((status, took)),
                _ => None,
            }
        };
        match self.statuses.ask(job, put).await? {
            Some(status) => Ok(status),
            None => self.closed_status(job).await.map(Arc::new),
        }
    }

    /// A status, with what its next batch waits for of the job's other masternodes.
    fn with_words(&self, status: &JobStatus) -> JobStatus {
        let mut told = status.clone();
        if matches!(told.waiting_for, None | Some(WaitingFor::Chain))
            && let Some((here, needed)) = self.shared.peers.waits_for(told.job)
        {
            told.waiting_for = Some(WaitingFor::Certificates { here, needed });
        }
        told
    }

    /// What is remembered of a job that is over here.
    async fn closed_status(&self, job: JobId) -> Result<JobStatus, ApiError> {
        self.blocking(move |shared| {
            let closed = shared.store.closed(job).map_err(|_| ApiError::Storage)?;
            closed.ok_or(ApiError::NotCoordinator)
        })
        .await
    }

    /// Answers from what the log says of a job's results: to anybody, or to the owner alone.
    async fn outcome<T: Send + 'static>(
        &self,
        job: JobId,
        to: Audience,
        question: impl FnOnce(&mut Outcome, &JobLog, &Shared) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.blocking(move |shared| {
            if shared.job(job).is_none() {
                return Err(ApiError::NotCoordinator);
            }
            if let Audience::Owner(token) = to {
                check_owner(shared, job, token)?;
            }
            let log = shared.store.read_log(job).map_err(|_| ApiError::Storage)?;
            let ask = |outcome: &mut Outcome, log: &JobLog| question(outcome, log, shared);
            shared.outcomes.ask(job, &log, ask)
        })
        .await
    }
}

/// Who is answered.
enum Audience {
    /// Whoever asks.
    Anybody,
    /// Who shows the right token.
    Owner(OwnerToken),
}

/// Whether a token follows from the job's key.
fn check_owner(shared: &Shared, job: JobId, shown: OwnerToken) -> Result<(), ApiError> {
    let known = shared.store.token(job).map_err(|_| ApiError::Storage)?;
    let known = known.ok_or(ApiError::KeyMissing)?;
    // Compared in constant time.
    match known == keys::OwnerToken::from_bytes(shown.0.0) {
        true => Ok(()),
        false => Err(ApiError::NotOwner),
    }
}

/// A piece of a sealed result from a byte on.
async fn read_sealed(
    api: &Api,
    job: JobId,
    (result, place): (TaskResult, OutputPlace),
    offset: u64,
) -> Result<Vec<u8>, ApiError> {
    let (task, replica, device) = (result.task, result.replica, result.device);
    match place {
        OutputPlace::Inline { .. } => {
            let read = api.blocking(move |shared| {
                let output = shared.store.output(job, task, replica, device);
                output.map_err(|_| ApiError::Storage)
            });
            let output = read.await?.ok_or(ApiError::NotDecided { task })?;
            let start = usize::try_from(offset).map_err(|_| ApiError::NoSuchBytes)?;
            let rest = output.get(start..).ok_or(ApiError::NoSuchBytes)?;
            Ok(rest[..rest.len().min(PIECE_BYTES_MAX)].to_vec())
        }
        OutputPlace::File { bytes } => {
            let end = bytes.min(offset.saturating_add(PIECE_BYTES_MAX as u64));
            let item = Item::Result(task, replica, device);
            // From the end on there is nothing.
            let piece = api.shared.vault.read(job, item, offset.min(end)..end).await;
            piece.map_err(|error| match error {
                GetError::Store(error) => not_stored(job, &error),
                _ => ApiError::NoSuchBytes,
            })
        }
    }
}

#[async_trait]
impl JobsApiServer for Api {
    async fn about(&self) -> RpcResult<About> {
        let (answer, devices) = oneshot::channel();
        drop(self.shared.commands.send(Command::Devices { answer }).await);
        Ok(About {
            software: concat!("quern-masternode ", env!("CARGO_PKG_VERSION")).into(),
            genesis: self.shared.genesis,
            account: self.shared.account.id(),
            devices: devices.await.map_err(|_| ApiError::Starting)?,
        })
    }

    async fn offer(&self, job: JobId, first: TaskIndex) -> RpcResult<Offer> {
        Ok(upload::offer(self, job, first).await?)
    }

    async fn put_manifest(
        &self,
        job: JobId,
        token: OwnerToken,
        offset: u64,
        piece: Blob,
    ) -> RpcResult<u64> {
        Ok(upload::put_manifest(self, job, token, offset, piece).await?)
    }

    async fn put_program(
        &self,
        job: JobId,
        token: OwnerToken,
        offset: u64,
        piece: Blob,
    ) -> RpcResult<u64> {
        Ok(upload::put_program(self, job, token, offset, piece).await?)
    }

    async fn put_shard(
        &self,
        job: JobId,
        token: OwnerToken,
        task: TaskIndex,
        offset: u64,
        piece: Blob,
    ) -> RpcResult<u64> {
        Ok(upload::put_shard(self, job, token, task, offset, piece).await?)
    }

    async fn delegate_key(&self, job: JobId, key: DelegatedKey) -> RpcResult<()> {
        Ok(upload::delegate_key(self, job, key).await?)
    }

    async fn status(&self, job: JobId) -> RpcResult<JobStatus> {
        let _place = self.statuses.place()?;
        let status = self.ask_status(job).await?;
        Ok(self.with_words(&status))
    }

    async fn watch(&self, pending: PendingSubscriptionSink, job: JobId) -> SubscriptionResult {
        let mut changes = self.shared.changes_of(job);
        let first = match self.ask_status(job).await {
            Ok(status) => status,
            Err(error) => {
                pending.reject(error).await;
                return Ok(());
            }
        };
        let sink = pending.accept().await?;
        let mut last = first;
        sink.send(SubscriptionMessage::from_json(&self.with_words(&last))?)
            .await?;
        // A change that came before may not be in what was told again.
        changes.mark_changed();
        while last.phase != Phase::Closed {
            tokio::select! {
                changed = changes.changed() => changed?,
                () = sink.closed() => return Ok(()),
            }
            // By then nothing is told again that is from before the change.
            tokio::time::sleep(STATUS_AGE_MAX).await;
            let status = self.ask_status(job).await?;
            if status != last {
                sink.send(SubscriptionMessage::from_json(&self.with_words(&status))?)
                    .await?;
                last = status;
            }
        }
        Ok(())
    }

    async fn results(
        &self,
        job: JobId,
        token: OwnerToken,
        first: u32,
    ) -> RpcResult<Vec<TaskResult>> {
        let results = self.outcome(job, Audience::Owner(token), move |outcome, log, _| {
            outcome.results(log, first, PAGE)
        });
        Ok(results.await?)
    }

    async fn read_result(
        &self,
        job: JobId,
        token: OwnerToken,
        task: TaskIndex,
        offset: u64,
    ) -> RpcResult<Blob> {
        let found = self.outcome(job, Audience::Owner(token), move |outcome, log, _| {
            outcome.result(log, task)
        });
        Ok(Blob(read_sealed(self, job, found.await?, offset).await?))
    }

    async fn corrections(
        &self,
        job: JobId,
        token: OwnerToken,
        first: u32,
    ) -> RpcResult<Corrections> {
        Ok(corrections::told(self, job, token, first).await?)
    }

    async fn read_correction(
        &self,
        job: JobId,
        token: OwnerToken,
        task: TaskIndex,
        offset: u64,
    ) -> RpcResult<Blob> {
        let found = self.outcome(job, Audience::Owner(token), move |outcome, log, _| {
            outcome.corrected(log, task)
        });
        Ok(Blob(read_sealed(self, job, found.await?, offset).await?))
    }

    async fn receipts(&self, job: JobId, first: TaskIndex) -> RpcResult<Vec<TaskReceipts>> {
        let receipts = self.outcome(job, Audience::Anybody, move |outcome, log, _| {
            outcome.receipts(log, first, PAGE)
        });
        Ok(receipts.await?)
    }

    async fn receipt(
        &self,
        job: JobId,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> RpcResult<ReceiptFile> {
        let file = self.outcome(job, Audience::Anybody, move |outcome, log, shared| {
            outcome.receipt_file(log, shared.genesis, task, replica)
        });
        Ok(file.await?)
    }

    async fn log(&self, over: &Extensions, job: JobId, from: u64) -> RpcResult<LogPage> {
        Ok(log::page(self, over, job, from).await?)
    }

    async fn copied_log(
        &self,
        over: &Extensions,
        job: JobId,
        place: u8,
        from: u64,
    ) -> RpcResult<LogPage> {
        Ok(log::copied_page(self, over, (job, place), from).await?)
    }

    async fn explain_job(&self, over: &Extensions, job: JobId) -> RpcResult<JobExplanation> {
        Ok(grid::explain_job(self, over, job).await?)
    }

    async fn explain_task(
        &self,
        over: &Extensions,
        job: JobId,
        task: TaskIndex,
    ) -> RpcResult<TaskExplanation> {
        Ok(grid::explain_task(self, over, job, task).await?)
    }

    async fn explain_device(
        &self,
        over: &Extensions,
        device: DeviceId,
    ) -> RpcResult<DeviceExplanation> {
        Ok(grid::explain_device(self, over, device).await?)
    }

    async fn grid_state(&self, over: &Extensions) -> RpcResult<GridState> {
        Ok(grid::grid_state(self, over).await?)
    }

    async fn grid_devices(&self, over: &Extensions, first: u32) -> RpcResult<Vec<DeviceState>> {
        Ok(grid::grid_devices(self, over, first).await?)
    }

    async fn grid_rates(&self, over: &Extensions, asking: Asking) -> RpcResult<Vec<u32>> {
        Ok(grid::grid_rates(self, over, asking).await?)
    }

    async fn grid_matching(&self, over: &Extensions, asking: Asking) -> RpcResult<Matching> {
        Ok(grid::grid_matching(self, over, asking).await?)
    }
}
