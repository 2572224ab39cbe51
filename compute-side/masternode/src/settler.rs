//! Sends batches to the chain, one transaction at a time. Whether a batch was counted is learnt
//! from the chain's state, never from here; so a transaction that got lost, or was sent twice, does
//! no harm.

use crate::daemon::{Command, Shared};
use quern_ledger::{Call, SubmitError};
use quern_primitives::{JobId, TaskIndex, batch::Batch, job::Failure};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What to send.
pub(crate) enum Order {
    /// A batch.
    Settle(Box<Batch>),
    /// The end of a job that cannot go on.
    CloseFailed {
        /// The job.
        job: JobId,
        /// The task that cannot be settled.
        task: TaskIndex,
        /// What is wrong with it.
        why: Failure,
    },
}

/// Carries orders out until nobody can give more.
pub(crate) async fn settle(shared: Arc<Shared>, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        let (job, call) = match order {
            Order::Settle(batch) => (batch.job, Call::Settle(batch)),
            Order::CloseFailed { job, task, why } => (job, Call::CloseFailed { job, task, why }),
        };
        match shared.chain.submit(&shared.account, &call).await {
            Ok(settled) => tracing::info!(
                %job,
                block = settled.block.number,
                transaction = hex::encode(settled.transaction),
                "settled"
            ),
            Err(error) => {
                report(job, &error);
                // An error says that the masternode stops.
                drop(shared.commands.send(Command::NotSettled(job)).await);
            }
        }
    }
}

fn report(job: JobId, error: &SubmitError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(%job, error, "the chain did not take a settlement; it is tried again until the job is settled or over");
}
