//! Tasks that are computed again, beside all else that this masternode does: what devices differ on by another
//! one of the job's group, if there is one, and all else here.
//!
//! Each runs on a thread of its own, with a stack as the worker's has it, and so many at a time as the
//! operator allows. The core is told what came out, unless it has stopped waiting meanwhile.

use super::{Command, Grid, Shared};
use crate::{
    config::Config,
    core::{Event, NoReferee, Purpose, Truth},
    referee::{Brief, Referee, RefereeError},
};
use quern_ledger::ChainError;
use quern_primitives::{BlockNumber, Digest, JobId, TaskIndex, receipt::Answer};
use quern_sandbox::Cancel;
use quern_verdict::{SEED_BLOCKS, seed};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// Stack of a thread that runs a program, as workers have it.
const RUN_STACK_BYTES: usize = 4 * 1024 * 1024;

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// How often the chain is asked for what draws follow from. What was to be drawn by it is forgotten then.
const SEED_TRIES: u32 = 150;

/// Where tasks are computed, for the jobs that are coordinated here and for others.
pub(crate) struct Room {
    referee: Arc<Referee>,
    /// A permit for each that may be computed at a time.
    places: Arc<Semaphore>,
    is_on: bool,
}

/// What the core wants computed again.
pub(super) struct Recomputations {
    room: Arc<Room>,
    wanted: BTreeMap<(JobId, TaskIndex), Wanted>,
    /// Counts them.
    last: u64,
}

/// One of them.
struct Wanted {
    number: u64,
    cancel: Cancel,
}

/// A task to be computed.
pub(crate) struct Errand {
    pub(crate) job: JobId,
    pub(crate) task: TaskIndex,
    pub(crate) purpose: Purpose,
    /// Of a check, the answer that was accepted: the result is kept if another one comes out.
    pub(crate) accepted: Option<Answer>,
    /// How long it may take.
    pub(crate) time_ms: u64,
    pub(crate) cancel: Cancel,
}

impl Room {
    /// As the settings have it.
    pub(super) fn new(shared: &Shared, config: &Config) -> Self {
        let parallel = config.referee_parallel();
        let memory_mib = config.referee_memory_mib();
        if parallel == 0 {
            tracing::info!(
                "referee_parallel is 0: this masternode computes no tasks itself; what devices differ on others \
                 of a job's group compute, or it is put to the vote, and nothing that was settled is computed \
                 again"
            );
        }
        Self {
            referee: Arc::new(Referee::new(
                shared.node.clone(),
                shared.genesis,
                shared.vault.clone(),
                memory_mib,
            )),
            places: Arc::new(Semaphore::new(parallel as usize)),
            is_on: parallel > 0,
        }
    }

    /// Whether any task is computed here.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Computes a task on a thread of its own, when there is a place.
    pub(crate) async fn compute(
        &self,
        shared: &Arc<Shared>,
        errand: Errand,
    ) -> Result<Truth, RefereeError> {
        if !self.is_on {
            return Err(RefereeError::SwitchedOff);
        }
        // The places are never closed.
        let _place = self.places.clone().acquire_owned().await;
        compute(shared, self.referee.clone(), errand).await
    }
}

impl Recomputations {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            room,
            wanted: BTreeMap::new(),
            last: 0,
        }
    }

    /// Whether this one is still waited for; then it is not any more.
    fn take(&mut self, job: JobId, task: TaskIndex, number: u64) -> bool {
        let wanted = self.wanted.get(&(job, task));
        let is_meant = wanted.is_some_and(|wanted| wanted.number == number);
        if is_meant {
            self.wanted.remove(&(job, task));
        }
        is_meant
    }
}

impl Drop for Recomputations {
    /// The masternode stops.
    fn drop(&mut self) {
        self.wanted.values().for_each(|it| it.cancel.cancel());
    }
}

impl Grid {
    pub(super) fn recompute(&mut self, errand: Errand) {
        let (job, task, purpose) = (errand.job, errand.task, errand.purpose);
        self.stop_recomputing(job, task);
        let it = &mut self.recomputations;
        it.last += 1;
        let (number, cancel) = (it.last, errand.cancel.clone());
        let wanted = Wanted {
            number,
            cancel: cancel.clone(),
        };
        it.wanted.insert((job, task), wanted);
        let (shared, room) = (self.shared.clone(), it.room.clone());
        tokio::spawn(async move {
            let outcome = match purpose {
                Purpose::Referee => crate::group::referee(&shared, &room, errand).await,
                Purpose::Check => room.compute(&shared, errand).await,
            };
            if cancel.is_cancelled() {
                return;
            }
            let command = Command::Recomputed {
                job,
                task,
                number,
                outcome: Box::new(told(job, task, outcome)),
            };
            // An error says that the masternode stops.
            drop(shared.commands.send(command).await);
        });
    }

    pub(super) fn stop_recomputing(&mut self, job: JobId, task: TaskIndex) {
        if let Some(wanted) = self.recomputations.wanted.remove(&(job, task)) {
            wanted.cancel.cancel();
        }
    }

    pub(super) fn recomputed(
        &mut self,
        job: JobId,
        task: TaskIndex,
        number: u64,
        outcome: Box<Result<Truth, NoReferee>>,
    ) {
        if self.recomputations.take(job, task, number) {
            self.step(Event::Recomputed { job, task, outcome });
        }
    }

    /// Has that read which draws of what was counted in a block follow from.
    pub(super) fn read_seed(&self, block: BlockNumber) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            if let Some(seed) = seed_at_last(&shared, block).await {
                let command = Command::Seed { block, seed };
                // An error says that the masternode stops.
                drop(shared.commands.send(command).await);
            }
        });
    }
}

/// What is told of a task, and written to the log if it was to be computed here and was not.
fn told(
    job: JobId,
    task: TaskIndex,
    outcome: Result<Truth, RefereeError>,
) -> Result<Truth, NoReferee> {
    outcome.map_err(|error| {
        let why = NoReferee::from(&error);
        // That nothing is computed here was said at the start.
        if why != NoReferee::None {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%job, task, error, "a task is not computed here");
        }
        why
    })
}

/// Computes a task on a thread of its own.
async fn compute(
    shared: &Arc<Shared>,
    referee: Arc<Referee>,
    errand: Errand,
) -> Result<Truth, RefereeError> {
    let (job, task) = (errand.job, errand.task);
    let context = shared.context(job).ok_or(RefereeError::NotOpen)?;
    let known = shared.job(job).ok_or(RefereeError::NotOpen)?;
    let (tell, told) = oneshot::channel();
    let work = move || {
        let brief = Brief {
            context: &context,
            submission: &known.submission,
            task,
            purpose: errand.purpose,
            accepted: errand.accepted,
            time_ms: errand.time_ms,
        };
        // A fault of the engine may cost an answer, but not the masternode.
        let run = || referee.compute(&brief, &errand.cancel);
        let outcome = catch_unwind(AssertUnwindSafe(run));
        // Who asked may have gone.
        drop(tell.send(outcome.unwrap_or(Err(RefereeError::Thread))));
    };
    let thread = thread::Builder::new().name("referee".into());
    let started = thread.stack_size(RUN_STACK_BYTES).spawn(work);
    started.map_err(|_| RefereeError::Thread)?;
    told.await.unwrap_or(Err(RefereeError::Thread))
}

/// What draws of what was counted in a block follow from, asked for again until the chain answers, for some minutes.
async fn seed_at_last(shared: &Shared, block: BlockNumber) -> Option<Digest> {
    for _ in 0..SEED_TRIES {
        match seed_of(shared, block).await {
            Ok(seed) => return Some(seed),
            Err(error) => report(block, &error),
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// What draws of what was counted in a block follow from; all blocks that it takes are finalised.
async fn seed_of(shared: &Shared, counted: BlockNumber) -> Result<Digest, ChainError> {
    let hash = shared.chain.block_hash(counted).await?;
    let mut next = [[0; 32]; SEED_BLOCKS as usize];
    for (output, block) in next.iter_mut().zip(counted.saturating_add(1)..) {
        // Of a chain on which slots have no random function the draw follows from the hash alone.
        *output = shared.chain.random_output(block).await?.unwrap_or_default();
    }
    Ok(seed(&hash, &next))
}

fn report(block: BlockNumber, error: &ChainError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(
        block,
        error,
        "cannot read what draws follow from; trying again"
    );
}
