//! What the parts of the daemon share.

use super::{Command, showing::Turns};
use crate::{
    benchmark::Benchmark,
    checking::Sightings,
    config::Config,
    context::JobContext,
    group::{Awaited, Peers, Witnessed},
    locks::lock,
    receipts::Outcomes,
    settler::OpenJobs,
    store::Store,
    vault::Vault,
};
use quern_ledger::{Account, Chain};
use quern_primitives::{
    AccountId, BlockNumber, Digest, GenesisHash, JobId, job::Job, payload::NodeSecret,
};
use quern_shards::keys::SealingSecret;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, watch};

/// What the parts of the daemon share.
pub(crate) struct Shared {
    pub(crate) account: Account,
    /// The network key, with which logs, acknowledgements and what is computed here are signed.
    pub(crate) node: NodeSecret,
    pub(crate) genesis: GenesisHash,
    pub(crate) sealing: SealingSecret,
    pub(crate) chain: Chain,
    /// Held while a transaction is signed and sent, so that no two of them take one turn of the account.
    pub(crate) sending: Arc<AsyncMutex<()>>,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) benchmark: Option<Arc<Benchmark>>,
    /// A permit for each benchmark that is still to be computed for devices.
    pub(super) benchmarks_wanted: Semaphore,
    /// Where things stand in the logs that were asked for last.
    pub(crate) outcomes: Outcomes,
    /// Whose turn it is to have a log read.
    pub(super) showing: Turns,
    /// What the chain said of devices.
    pub(crate) sightings: Arc<Sightings>,
    /// The other masternodes of the jobs that are coordinated here.
    pub(crate) peers: Arc<Peers>,
    /// What they computed where this masternode found that an accepted answer is wrong.
    pub(crate) witnessed: Witnessed,
    /// Jobs that others coordinate of which something may still be drawn here.
    pub(crate) awaited: Awaited,
    pub(super) contexts: Mutex<BTreeMap<JobId, Arc<JobContext>>>,
    /// The jobs as the chain last had them, each with the block of which that was read.
    pub(super) jobs: Mutex<BTreeMap<JobId, (BlockNumber, Job)>>,
    /// Of each job that somebody watches, a count of its changes.
    pub(super) watched: Mutex<BTreeMap<JobId, watch::Sender<u64>>>,
}

impl Shared {
    /// What is needed to hand out a job's tasks, once its manifest and key are here.
    pub(crate) fn context(&self, job: JobId) -> Option<Arc<JobContext>> {
        lock(&self.contexts).get(&job).cloned()
    }

    /// The first one stays: what it knows of shards that came meanwhile, a later one may not.
    pub(crate) fn put_context(&self, job: JobId, context: JobContext) {
        lock(&self.contexts)
            .entry(job)
            .or_insert_with(|| Arc::new(context));
    }

    /// A job as the chain last had it.
    pub(crate) fn job(&self, job: JobId) -> Option<Job> {
        lock(&self.jobs).get(&job).map(|(_, job)| job.clone())
    }

    /// The same, with the block of which that was read.
    pub(crate) fn job_as_of(&self, job: JobId) -> Option<(BlockNumber, Job)> {
        lock(&self.jobs).get(&job).cloned()
    }

    /// The jobs that the chain has not closed.
    pub(crate) fn open_jobs(&self) -> BTreeSet<JobId> {
        lock(&self.jobs)
            .iter()
            .filter(|(_, (_, job))| job.state.is_open())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Those of them that this masternode coordinates.
    pub(crate) fn own_jobs(&self) -> BTreeSet<JobId> {
        self.going_on(|coordinator| *coordinator == self.account.id())
    }

    /// Those of them that another masternode coordinates, and of which something is here.
    pub(crate) fn others_jobs(&self) -> BTreeSet<JobId> {
        self.going_on(|coordinator| *coordinator != self.account.id())
    }

    fn going_on(&self, is_meant: impl Fn(&AccountId) -> bool) -> BTreeSet<JobId> {
        let jobs = lock(&self.jobs);
        let jobs = jobs.iter().filter(|(_, (_, job))| {
            job.state.goes_on() && job.state.coordinator().is_some_and(&is_meant)
        });
        jobs.map(|(id, _)| *id).collect()
    }

    /// Whether another masternode coordinates a job, as far as is known here.
    pub(crate) fn is_of_another(&self, job: JobId) -> bool {
        let job = self.job(job);
        let coordinator = job.as_ref().and_then(|job| job.state.coordinator());
        coordinator.is_some_and(|coordinator| *coordinator != self.account.id())
    }

    /// Takes over what the chain says of a job at a block.
    pub(crate) fn learn(&self, id: JobId, at: BlockNumber, job: Job) {
        lock(&self.jobs).insert(id, (at, job));
    }

    /// Takes over what somebody read of a job, unless a block has told of it, which may be newer.
    pub(crate) fn learn_of(&self, id: JobId, at: BlockNumber, job: Job) {
        lock(&self.jobs).entry(id).or_insert((at, job));
    }

    /// Forgets a job's key and manifest: nothing of it is handed out any more.
    pub(crate) fn drop_context(&self, id: JobId) {
        lock(&self.contexts).remove(&id);
    }

    /// Hears of each change of a job from now on.
    pub(crate) fn changes_of(&self, job: JobId) -> watch::Receiver<u64> {
        let mut watched = lock(&self.watched);
        // Those whose watchers have gone; there are never more than watchers at a time.
        watched.retain(|_, changes| changes.receiver_count() > 0);
        watched
            .entry(job)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Tells whoever watches the job to look again.
    pub(super) fn changed(&self, job: JobId) {
        if let Some(changes) = lock(&self.watched).get(&job) {
            changes.send_modify(|count| *count += 1);
        }
    }

    pub(crate) fn forget(&self, id: JobId) {
        lock(&self.jobs).remove(&id);
        lock(&self.contexts).remove(&id);
    }
}

impl OpenJobs for Shared {
    fn names(&self) -> BTreeSet<JobId> {
        let mut names = self.open_jobs();
        names.retain(|id| !self.is_of_another(*id));
        names
    }

    fn find(&self, job: JobId) -> Option<(Job, Vec<Digest>)> {
        Some((self.job(job)?, self.context(job)?.input_roots()))
    }

    fn lane_seed(&self, job: JobId) -> Option<Digest> {
        self.context(job)?.lane_seed()
    }
}

/// Opens the store, which tells the task that owns the core what is written.
pub(super) fn open_store(
    config: &Config,
    genesis: GenesisHash,
    node: NodeSecret,
    commands: &mpsc::Sender<Command>,
) -> anyhow::Result<Store> {
    let (written, broken) = (commands.clone(), commands.clone());
    let store = Store::open(
        &config.data_dir,
        genesis,
        node,
        // An error says that the masternode stops, and nobody waits any more.
        move |ticket| drop(written.blocking_send(Command::Persisted(ticket))),
        move |error| drop(broken.blocking_send(Command::Broken(error))),
    )?;
    Ok(store)
}
