//! Follows the chain: at the start everything is taken from its state, later each finalised block.

use crate::{
    context::JobContext,
    core::{Core, Event, News, Settings, Tick},
    daemon::{Command, Shared, beginning_at_last, seed_now},
    group::{Counting, settled_before},
    store::JobRecord,
    vault::{GetError, Item},
};
use anyhow::Context as _;
use quern_depot::ListError;
use quern_jobs_api::JobStatus;
use quern_ledger::{ChainError, State, SubmitError};
use quern_primitives::{
    BlockNumber, JobId, TaskIndex,
    job::{Job, JobEnd, JobState, Submission},
};
use quern_shards::{
    keys::{Delegation, SealedKey, accept_delegation},
    manifest,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// How long accepted results and receipts stay after a job's end: a day of 2-second blocks.
const RETENTION_BLOCKS: BlockNumber = 24 * 3_600 / 2;

/// Blocks between two looks for closed jobs to erase.
const ERASE_BLOCKS: BlockNumber = 300;

/// How long a masternode that starts waits for a node that does not answer. One that is started again at
/// the same time takes seconds.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A node that does not answer while the masternode starts.
#[derive(Default)]
pub(crate) struct Silence {
    since: Option<Instant>,
}

impl Silence {
    /// Waits a while if all that is wrong is that the node does not answer, and has not for long. Else
    /// the error comes back.
    pub(crate) async fn bear(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if !is_silence(&error) || since.elapsed() > SILENCE_MAX {
            return Err(error);
        }
        tracing::warn!(
            error = format!("{error:#}"),
            "the chain does not answer while the masternode starts; trying again"
        );
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Whether the node does not answer, and nothing else is wrong.
fn is_silence(error: &anyhow::Error) -> bool {
    let is_silent =
        |error: &ChainError| matches!(error, ChainError::NoAnswer { .. } | ChainError::Closed);
    let mut causes = error.chain();
    causes.any(|cause| {
        cause.downcast_ref().is_some_and(is_silent)
            || matches!(cause.downcast_ref(), Some(SubmitError::Chain(error)) if is_silent(error))
    })
}

/// A core that is where chain and store say that things are, and the block. The node may be away
/// meanwhile; then all of it is taken up anew.
pub(crate) async fn take_up(
    shared: &Arc<Shared>,
    settings: Settings,
) -> anyhow::Result<(Core, BlockNumber)> {
    let mut silence = Silence::default();
    loop {
        let mut core = Core::new(settings);
        match reconcile(shared, &mut core).await {
            Ok(block) => return Ok((core, block)),
            Err(error) => silence.bear(error).await?,
        }
    }
}

/// Brings the core to where chain and store say that things are. Returns the block.
async fn reconcile(shared: &Arc<Shared>, core: &mut Core) -> anyhow::Result<BlockNumber> {
    let state = shared.chain.at_finalised().await?;
    let block = state.block().number;
    let open = state.jobs_coordinated_by(&shared.account.id()).await?;
    let mut remembered: BTreeMap<_, _> = shared.store.jobs()?.into_iter().collect();
    core.step(
        Tick(0),
        Event::Finalised {
            block,
            jobs: vec![],
        },
    );
    for (id, job) in open {
        let record = remembered.remove(&id);
        recover(shared, core, (block, id, job), record).await?;
    }
    for (id, record) in remembered {
        let is_over_here = shared.store.closed(id)?.is_some();
        if is_over_here && !record.job.state.is_open() {
            // Its results are still for its owner to fetch.
            shared.learn(id, block, record.job);
            erase_inputs(shared, id);
        } else if let Some(job) = state.job(id).await? {
            let has_log = shared.store.read_log(id)?.length()? > 0;
            if is_over_here || (!has_log && was_anothers(shared, &record.job)) {
                take_up_anothers(shared, (block, id, job), &record).await?;
                continue;
            }
            // It ended while this masternode was away, or another one goes on with it.
            recover(shared, core, (block, id, job), Some(record)).await?;
        }
    }
    Ok(block)
}

/// Whether a job, as it was last known here, was over or another masternode coordinated it.
fn was_anothers(shared: &Shared, job: &Job) -> bool {
    let me = shared.account.id();
    job.state.coordinator().is_none_or(|it| *it != me)
}

/// Takes up a job of whose group this masternode is and which it does not coordinate: for its turn, and to check
/// what is certified. The core knows nothing of it.
async fn take_up_anothers(
    shared: &Arc<Shared>,
    (block, id, job): (BlockNumber, JobId, Job),
    record: &JobRecord,
) -> anyhow::Result<()> {
    if !job.state.is_open() {
        shared.store.forget_key(id, &job)?;
        shared.learn(id, block, job);
        erase_inputs(shared, id);
        return Ok(());
    }
    let context = context_of(shared, id, &job, Some(record)).await;
    shared.learn(id, block, job);
    if let Some(context) = context {
        shared.put_context(id, context);
    }
    Ok(())
}

async fn recover(
    shared: &Arc<Shared>,
    core: &mut Core,
    (block, id, job): (BlockNumber, JobId, Job),
    record: Option<JobRecord>,
) -> anyhow::Result<()> {
    let lines = shared.store.lines(id)?;
    let written = lines.len();
    let context = context_of(shared, id, &job, record.as_ref()).await;
    let has_program = match &context {
        None => false,
        Some(context) => has_program(shared, id, context).await,
    };
    let seed = match &context {
        None => None,
        Some(_) => seed_now(shared, id).await?,
    };
    if let (Some(context), Some(seed)) = (&context, seed) {
        context.learn_lanes(seed);
    }
    let can_start = context.as_ref().filter(|_| has_program);
    let plan = match (can_start, seed) {
        (Some(context), Some(seed)) => {
            let settled = settled_before(shared, id, &job).await?;
            Some(context.plan(seed, settled))
        }
        // No other job waits for the block that notes it: this one starts when that is final.
        (Some(_), None) => {
            start_later(shared, id, &job);
            None
        }
        (None, _) => None,
    };
    let starts = plan.is_some();
    if let Some(context) = context {
        shared.put_context(id, context);
    }
    shared
        .store
        .remember_jobs(&[(id, &job)])
        .context("cannot remember a job")?;
    shared.learn(id, block, job.clone());
    let seen = as_seen_here(shared, job);
    match core.replay(Tick(0), id, seen, plan, lines) {
        Some(status) => {
            close(shared, id, &status);
            drop_inputs(shared, id);
        }
        None => tracing::info!(job = %id, lines = written, starts, "job is taken up again"),
    }
    Ok(())
}

/// Has a job start once the chain has noted what its lanes follow from.
fn start_later(shared: &Arc<Shared>, id: JobId, job: &Job) {
    let (shared, job) = (shared.clone(), job.clone());
    tokio::spawn(async move {
        let (seed, settled) = beginning_at_last(&shared, id, &job).await;
        let seeded = Command::Seeded {
            job: id,
            seed,
            settled,
        };
        // An error says that the masternode stops.
        drop(shared.commands.send(seeded).await);
    });
}

/// A job is over here: what its owner may still fetch stays, and what was needed to compute it until
/// [`drop_inputs`].
pub(crate) fn close(shared: &Shared, id: JobId, status: &JobStatus) {
    match shared.is_of_another(id) {
        true => {
            tracing::warn!(job = %id, decided = status.decided, settled = status.settled, "another masternode goes on with the job, because a batch was struck, nothing was settled for too long, or this masternode was convicted")
        }
        false => {
            tracing::info!(job = %id, decided = status.decided, settled = status.settled, "job is closed")
        }
    }
    if let Err(error) = shared.store.close_job(id, status) {
        let error = &error as &dyn std::error::Error;
        tracing::error!(job = %id, error, "cannot remember how a job ended");
    }
}

/// Nothing of a job is computed here any more: what was needed for it goes once the chain has closed it. Until
/// then this masternode may have to check and to compute what another one does.
pub(crate) fn drop_inputs(shared: &Shared, id: JobId) {
    if !shared.is_of_another(id) {
        shared.drop_context(id);
        erase_inputs(shared, id);
    }
}

/// Erases what a closed job was computed from, beside everything else: it may be many files.
fn erase_inputs(shared: &Shared, id: JobId) {
    let vault = shared.vault.clone();
    tokio::spawn(async move {
        if let Err(error) = vault.erase_inputs(id).await {
            // It is tried again by the next sweep.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job = %id, error, "cannot erase what a closed job was computed from");
        }
    });
}

/// A job's manifest and key, if both are here and can be read.
async fn context_of(
    shared: &Arc<Shared>,
    id: JobId,
    job: &Job,
    record: Option<&JobRecord>,
) -> Option<JobContext> {
    let key = record.and_then(|record| record.delegated_key)?;
    open_context(shared, id, job, key).await.unwrap_or_else(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::error!(job = %id, error, "a job's manifest cannot be read; the job waits for its owner, or for the next start");
        None
    })
}

/// Whether a job's program is here and can be looked for.
async fn has_program(shared: &Shared, id: JobId, context: &JobContext) -> bool {
    match context.program_bytes(&shared.vault).await {
        Ok(bytes) => bytes.is_some(),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(job = %id, error, "a job's program cannot be looked for; the job waits for its owner, or for the next start");
            false
        }
    }
}

/// Why it cannot be said whether a job's manifest is here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    /// The manifest.
    #[error("the sealed manifest cannot be read")]
    Manifest(#[source] GetError),
    /// Which shards are here.
    #[error("the job's shards cannot be listed")]
    Shards(#[from] ListError),
}

/// Opens a job's manifest with its delegated key, if both are here.
pub(crate) async fn open_context(
    shared: &Arc<Shared>,
    id: JobId,
    job: &Job,
    key: ([u8; 32], [u8; 48]),
) -> Result<Option<JobContext>, ContextError> {
    let bytes = match shared.vault.read_all(id, Item::Manifest).await {
        Err(GetError::Missing { .. }) => return Ok(None),
        bytes => bytes.map_err(ContextError::Manifest)?,
    };
    let kept = shared.vault.kept_shards(id).await?;
    let (shared, submission) = (shared.clone(), job.submission.clone());
    // The largest takes a while.
    let work = move || opened(&shared, id, &submission, key, (&bytes, &kept));
    Ok(tokio::task::spawn_blocking(work).await.unwrap_or_default())
}

/// What is opened of a job's manifest, with those of its shards that are here.
fn opened(
    shared: &Shared,
    id: JobId,
    submission: &Submission,
    (encapsulated, ciphertext): ([u8; 32], [u8; 48]),
    (bytes, kept): (&[u8], &BTreeSet<TaskIndex>),
) -> Option<JobContext> {
    let purpose = Delegation {
        genesis: shared.genesis,
        job: id,
        masternode: shared.account.id(),
    };
    let sealed = SealedKey {
        encapsulated,
        ciphertext,
    };
    let key = accept_delegation(
        &shared.sealing,
        &purpose,
        &submission.key_commitment,
        &sealed,
    )
    .ok()?;
    let manifest = manifest::open(shared.genesis, id, submission, &key, bytes).ok()?;
    Some(JobContext::new(manifest, key, submission, kept))
}

/// Tells the core of every finalised block, until the masternode stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut counting = Counting::default();
    loop {
        if let Err(error) = follow(&shared, &mut counting).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the chain does not answer; trying again");
        }
        if shared.commands.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(shared: &Arc<Shared>, counting: &mut Counting) -> Result<(), ChainError> {
    let mut blocks = shared.chain.finalised().await?;
    // The state at the start of the stream counts too: blocks may have passed before it.
    let mut state = shared.chain.at_finalised().await?;
    let mut erased = 0;
    loop {
        let block = state.block().number;
        let jobs = jobs_at(shared, counting, &state).await?;
        if shared
            .commands
            .send(Command::Finalised { block, jobs })
            .await
            .is_err()
        {
            return Ok(());
        }
        if block >= erased + ERASE_BLOCKS {
            erased = block;
            // A bucket takes its time, and blocks do not wait for it.
            tokio::spawn(erase_old(shared.clone(), block));
        }
        state = shared.chain.at(blocks.next().await?).await?;
    }
}

/// The jobs this masternode coordinates, and those it thought open that are not among them, as the chain has
/// them.
async fn jobs_at(
    shared: &Arc<Shared>,
    counting: &mut Counting,
    state: &State,
) -> Result<Vec<(JobId, Job)>, ChainError> {
    let mut jobs = state.jobs_coordinated_by(&shared.account.id()).await?;
    let coordinated: BTreeSet<JobId> = jobs.iter().map(|(id, _)| *id).collect();
    let mut others = BTreeSet::new();
    for id in shared.open_jobs() {
        if !coordinated.contains(&id)
            && let Some(job) = state.job(id).await?
        {
            if !shared.is_of_another(id) {
                jobs.push((id, job));
                continue;
            }
            counting.look(shared, state, id, &job).await?;
            if job.state.is_open() {
                others.insert(id);
            }
            learn_anothers(shared, state.block().number, id, job).await;
        }
    }
    counting.keep(&others, shared);
    Ok(jobs)
}

/// Takes over what the chain says of a job that another masternode coordinates. When it is over nothing is
/// kept on disk that opens it, and what it is computed from until the core has no use for it.
async fn learn_anothers(shared: &Shared, block: BlockNumber, id: JobId, job: Job) {
    let (is_open, goes_on) = (job.state.is_open(), job.state.goes_on());
    let went_on = shared.job(id).is_none_or(|known| known.state.goes_on());
    if !is_open && let Err(error) = shared.store.forget_key(id, &job) {
        let error = &error as &dyn std::error::Error;
        tracing::error!(job = %id, error, "cannot remember that a job is over");
    }
    shared.learn(id, block, job);
    let news = [
        (went_on && !goes_on).then_some(News::Settled),
        (!is_open).then_some(News::Closed),
    ];
    for news in news.into_iter().flatten() {
        // An error says that the masternode stops.
        drop(
            shared
                .commands
                .send(Command::Elsewhere { job: id, news })
                .await,
        );
    }
}

/// A job as the core has it. One that another masternode goes on with is over here: a batch of it was struck,
/// or this one was silent for too long or convicted.
pub(crate) fn as_seen_here(shared: &Shared, job: Job) -> Job {
    match job.state.coordinator() {
        Some(other) if *other != shared.account.id() => {
            let end = JobEnd::BatchStruck;
            Job {
                state: JobState::Completed { end },
                ..job
            }
        }
        _ => job,
    }
}

/// Erases what is kept of jobs that were closed long ago.
async fn erase_old(shared: Arc<Shared>, block: BlockNumber) {
    let Ok(jobs) = shared.store.jobs() else {
        return;
    };
    for (id, record) in jobs {
        if !record.job.state.is_open()
            && let Err(error) = erase_if_old(&shared, id, block).await
        {
            tracing::warn!(%id, error = format!("{error:#}"), "cannot erase a closed job");
        }
    }
}

/// Erases a closed job if its time is over. One that ended while this masternode was away counts from
/// the first look at it.
async fn erase_if_old(shared: &Shared, id: JobId, block: BlockNumber) -> anyhow::Result<()> {
    let closed_at = shared.store.closed_at(id, block)?;
    if block > closed_at.saturating_add(RETENTION_BLOCKS) {
        shared.forget(id);
        shared.vault.erase(id).await?;
        shared.store.erase(id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn silent() -> ChainError {
        ChainError::NoAnswer {
            what: "the last finalised block",
            source: "reset".into(),
        }
    }

    #[test]
    fn a_masternode_that_starts_waits_for_a_node_that_is_silent_and_for_nothing_else() {
        assert!(is_silence(&silent().into()));
        assert!(is_silence(&ChainError::Closed.into()));
        assert!(is_silence(&SubmitError::from(silent()).into()));
        let with_more = anyhow::Error::from(silent()).context("cannot read a job's seed");
        assert!(is_silence(&with_more));
        assert!(!is_silence(&ChainError::NoBlock { block: 7 }.into()));
        assert!(!is_silence(&anyhow!("the disk is full")));
    }
}
