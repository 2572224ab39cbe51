//! What the masternode finds out by itself: what benchmarks come to, and what a job's lanes follow
//! from.

use super::{Command, Shared};
use crate::{
    benchmark::Benchmark,
    core::Challenge,
    group::{SettledError, settled_before},
};
use quern_ledger::ChainError;
use quern_primitives::{JobId, TaskIndex, job::Job};
use sha2::{Digest as _, Sha256};
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

/// What a job's lanes follow from: the block in which its coordinator was drawn, which nobody knew
/// when the job was committed.
async fn seed_of(shared: &Shared, id: JobId, job: &Job) -> Result<[u8; 32], ChainError> {
    let drawn_in = job.submitted_at.saturating_add(1);
    let hash = shared.chain.block_hash(drawn_in).await?;
    Ok(lane_seed(hash, id))
}

/// The seed by that block's hash: SHA-256 over `quern/lanes/1`, the hash and the job.
fn lane_seed(block_hash: [u8; 32], id: JobId) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"quern/lanes/1");
    hasher.update(block_hash);
    hasher.update(id.0);
    hasher.finalize().into()
}

/// What a job begins with here: what its lanes follow from, and the tasks that were settled before.
pub(crate) async fn beginning_of(
    shared: &Shared,
    id: JobId,
    job: &Job,
) -> Result<([u8; 32], BTreeSet<TaskIndex>), SettledError> {
    let seed = seed_of(shared, id, job).await?;
    Ok((seed, settled_before(shared, id, job).await?))
}

/// The same, asked again until the chain answers.
pub(super) async fn beginning_at_last(
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The auditors' guide computes the same by other means.
    #[test]
    fn the_seed_of_lanes_is_a_digest_of_the_block_s_hash_and_the_job() {
        let mut job = [0; 32];
        job[0] = 1;
        let seed = lane_seed([7; 32], JobId(job));
        let digits: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digits,
            "f15bbf232633769dcc22b06b950c80edb32375c6c9067e3e50d9cb93954d52fe"
        );
    }
}
