//! What must not be among the jobs' files any more: results that were not accepted, which go when their task is
//! decided, and what is looked for at the start and every hour.
//!
//! All that is written of a job is written after the store knows the job, and the store forgets it last. So what is of a
//! job that the store does not know was left by a crash, or came while its job was being erased. Inputs are of no use
//! either once the chain has closed the job and nothing opens its manifest any more.

use super::{Grid, Shared};
use crate::vault::Item;
use quern_primitives::{DeviceId, JobId, TaskIndex, ids::ReplicaIndex};
use std::sync::Arc;

impl Grid {
    /// Erases the other results of a task that were delivered in pieces.
    pub(super) fn keep_result(
        &self,
        job: JobId,
        task: TaskIndex,
        kept: Option<(ReplicaIndex, DeviceId)>,
    ) {
        let vault = self.shared.vault.clone();
        tokio::spawn(async move {
            if let Err(error) = vault.keep_result(job, task, kept).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%job, task, error, "cannot erase results that were not accepted");
            }
        });
    }
}

/// Sweeps until the masternode stops.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let tended = shared.vault.tend(|job, item| may_be(&shared, job, item));
    tokio::select! {
        () = tended => {}
        () = shared.commands.closed() => {}
    }
}

/// Whether an item may be here. Of what the store does not answer, it may.
fn may_be(shared: &Shared, job: JobId, item: Item) -> bool {
    match shared.store.record(job) {
        // The owner's token is written before its job is.
        Ok(None) => !matches!(shared.store.token(job), Ok(None)),
        Ok(Some(record)) => {
            let is_needed = record.job.state.is_open() || shared.context(job).is_some();
            is_needed || !item.is_input()
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%job, error, "cannot look whether a job's files are still needed");
            true
        }
    }
}
