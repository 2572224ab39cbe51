//! What the masternode finds out by itself: what benchmarks come to, and what a job's lanes follow
//! from.

use super::{Command, Shared};
use crate::{
    benchmark::Benchmark,
    core::{Challenge, Engines},
    group::{SettledError, settled_before},
};
use quern_ledger::ChainError;
use quern_primitives::{Digest, JobId, TaskIndex, device::Class, job::Job};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Benchmarks that are kept ready for devices.
pub(super) const BENCHMARKS_READY: usize = 4;

/// How long to wait before the benchmark is run again after it could not be.
const BENCHMARK_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// The engines of this version of the software, which its workers run.
pub(super) fn engines() -> Engines {
    let engine = |class| Digest(quern_sandbox::engine_digest(class));
    Engines {
        pinned: engine(Class::Pinned),
        portable: engine(Class::Portable),
    }
}

/// The benchmark, if this machine can run it: it is of the class in which every machine runs the
/// same code, and this one may be of another kind.
pub(super) fn benchmark() -> Option<Arc<Benchmark>> {
    match Benchmark::new() {
        Ok(benchmark) => Some(Arc::new(benchmark)),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                "no benchmark here; the speed of processors stays unknown"
            );
            None
        }
    }
}

/// Computes benchmarks for devices until the masternode stops: one in the place of each that was given
/// out, for each is given to one device only. That takes half of a core at the most, however many
/// devices come at once.
pub(super) async fn compute_benchmarks(shared: Arc<Shared>) {
    let Some(benchmark) = shared.benchmark.clone() else {
        return;
    };
    while let Ok(wanted) = shared.benchmarks_wanted.acquire().await {
        wanted.forget();
        let (began, benchmark) = (Instant::now(), benchmark.clone());
        let run = tokio::task::spawn_blocking(move || benchmark.run()).await;
        match run {
            Ok(Ok(run)) => {
                let challenge = Challenge {
                    input: run.input,
                    output: run.output,
                    fuel: run.fuel,
                };
                let command = Command::Challenge(challenge);
                if shared.commands.send(command).await.is_err() {
                    return;
                }
                tokio::time::sleep(began.elapsed()).await;
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "cannot run the benchmark; processors stay unknown"
                );
                shared.benchmarks_wanted.add_permits(1);
                tokio::time::sleep(BENCHMARK_PAUSE).await;
            }
            Err(_) => return,
        }
    }
}

/// What a job's lanes follow from, as the chain notes it with the job's group: in the block after the one in
/// which that is drawn, which is waited for. Of a job that is over nothing is given out, in whatever lane.
async fn seed_of(shared: &Shared, id: JobId) -> Result<[u8; 32], ChainError> {
    loop {
        if let Some(seed) = seed_now(shared, id).await? {
            return Ok(seed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same, if that block is final.
pub(crate) async fn seed_now(shared: &Shared, id: JobId) -> Result<Option<[u8; 32]>, ChainError> {
    let state = shared.chain.at_finalised().await?;
    let group = state.group(id).await?;
    if let Some(seed) = group.and_then(|group| group.lane_seed) {
        return Ok(Some(seed.0));
    }
    let job = state.job(id).await?;
    let is_over = job.is_none_or(|job| !job.state.is_open());
    Ok(is_over.then_some([0; 32]))
}

/// What a job begins with here: what its lanes follow from, and the tasks that were settled before.
async fn beginning_of(
    shared: &Shared,
    id: JobId,
    job: &Job,
) -> Result<([u8; 32], BTreeSet<TaskIndex>), SettledError> {
    let seed = seed_of(shared, id).await?;
    Ok((seed, settled_before(shared, id, job).await?))
}

/// The same, asked again until the chain answers.
pub(crate) async fn beginning_at_last(
    shared: &Shared,
    id: JobId,
    job: &Job,
) -> ([u8; 32], BTreeSet<TaskIndex>) {
    loop {
        match beginning_of(shared, id, job).await {
            Ok(beginning) => return beginning,
            Err(error) => {
                tracing::warn!(
                    job = %id,
                    error = &error as &dyn std::error::Error,
                    "cannot read what a job begins with; trying again"
                );
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
