//! Following a job until it is over.

use super::{JobName, status};
use crate::{
    context::Context,
    output::{Output, Rendering, count_bar},
    units::span_of_blocks,
};
use quern_jobs_api::{JobStatus, WaitingFor};
use quern_ledger::{Chain, ChainError};
use quern_owner::{Coordinator, CoordinatorError};
use quern_primitives::{
    BlockNumber, JobId,
    job::{Job, JobState},
};
use serde::Serialize;
use std::{process::ExitCode, time::Duration};

/// Tries to reach a coordinator before its silence is an error.
const TRIES_MAX: u32 = 30;

/// Time between two tries.
const TRY_PAUSE: Duration = Duration::from_secs(1);

/// Why a job is no longer followed.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The chain does not know it.
    #[error("the chain knows no job {job}")]
    NoSuchJob { job: JobId },
    /// It will not be done any more.
    #[error(
        "the deadline, block {deadline}, has passed ({ago} ago) and the job is not done; `quern job refund {job}` returns what is left"
    )]
    DeadlinePassed {
        job: JobId,
        deadline: BlockNumber,
        ago: String,
    },
    /// Its coordinator is silent.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The node is silent.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// How far a job is.
#[derive(Debug, Serialize)]
struct Update<'a> {
    #[serde(flatten)]
    status: &'a JobStatus,
}

/// How a job ended.
#[derive(Debug, Serialize)]
struct Ended<'a> {
    job: JobId,
    #[serde(flatten)]
    state: &'a JobState,
    escrow: quern_primitives::job::Escrow,
}

/// Follows a job: with a bar for people, with a JSON document a line for programs.
pub(crate) async fn run(context: &Context, name: &JobName) -> anyhow::Result<ExitCode> {
    let job = context.job(&name.job)?;
    let chain = context.chain().await?;
    let over = match context.rendering() {
        Rendering::People => with_bar(&chain, job).await?,
        Rendering::Json => {
            follow(&chain, job, |status| {
                context.rendering().show_line(&Update { status })
            })
            .await?
        }
    };
    context.rendering().show_line(&Ended {
        job,
        state: &over.state,
        escrow: over.escrow,
    })?;
    Ok(super::exit_code(&over.state))
}

/// Follows a job with a bar on standard error. Returns it as the chain closed it.
pub(crate) async fn with_bar(chain: &Chain, job: JobId) -> anyhow::Result<Job> {
    let bar = count_bar("tasks");
    let over = follow(chain, job, |status| {
        bar.set_length(status.tasks.into());
        bar.set_position(status.decided.into());
        bar.set_message(in_words(status));
        Ok(())
    })
    .await;
    bar.finish_and_clear();
    over
}

/// Follows a job until the chain says that it is over. A coordinator that restarts is waited for.
async fn follow(
    chain: &Chain,
    job: JobId,
    mut hear: impl FnMut(&JobStatus) -> anyhow::Result<()>,
) -> anyhow::Result<Job> {
    let mut blocks = chain.finalised().await.map_err(FollowError::from)?;
    let mut tries = 0;
    loop {
        if let Some(over) = over(chain, job).await? {
            return Ok(over);
        }
        let updates = match Coordinator::of(chain, job).await {
            Ok(coordinator) => match coordinator.watch().await {
                Ok(updates) => Ok((coordinator, updates)),
                Err(error) => Err(CoordinatorError::from(error)),
            },
            Err(error) => Err(error),
        };
        let (_coordinator, mut updates) = match updates {
            Ok(updates) => updates,
            Err(CoordinatorError::Over { .. }) => continue,
            Err(error) if tries == TRIES_MAX => return Err(FollowError::from(error).into()),
            Err(_) => {
                tries += 1;
                tokio::time::sleep(TRY_PAUSE).await;
                continue;
            }
        };
        loop {
            tokio::select! {
                update = updates.next() => match update {
                    Some(Ok(status)) => {
                        tries = 0;
                        hear(&status)?;
                    }
                    Some(Err(_)) | None => break,
                },
                block = blocks.next() => {
                    block.map_err(FollowError::from)?;
                    if let Some(over) = over(chain, job).await? {
                        return Ok(over);
                    }
                }
            }
        }
        // A coordinator that has closed the job says no more; the chain's word comes with a block.
        blocks.next().await.map_err(FollowError::from)?;
    }
}

/// The job, if the chain has closed it.
async fn over(chain: &Chain, job: JobId) -> Result<Option<Job>, FollowError> {
    let state = chain.at_finalised().await?;
    let known = state
        .job(job)
        .await?
        .ok_or(FollowError::NoSuchJob { job })?;
    let (now, deadline) = (state.block().number, known.submission.deadline);
    if !known.state.is_open() {
        return Ok(Some(known));
    }
    if now > deadline {
        let ago = span_of_blocks((now - deadline).into());
        return Err(FollowError::DeadlinePassed { job, deadline, ago });
    }
    Ok(None)
}

/// What moves, or why nothing does.
pub(crate) fn in_words(status: &JobStatus) -> String {
    match status.waiting_for {
        Some(WaitingFor::Upload) => "waiting for the upload: `quern job resume`".into(),
        Some(WaitingFor::Devices) => "waiting: no device is connected".into(),
        Some(WaitingFor::Accounts { connected, needed }) => {
            format!("waiting: devices of {connected} accounts are connected, {needed} are needed")
        }
        Some(WaitingFor::Chain) => "waiting for the chain to settle".into(),
        None => format!(
            "{} replicas, {} wrong, {} settled, {} devices",
            status.replicas, status.incorrect, status.settled, status.devices
        ),
    }
}

impl Output for Update<'_> {
    fn people(&self) -> String {
        format!(
            "{}/{} tasks, {}",
            self.status.decided,
            self.status.tasks,
            in_words(self.status)
        )
    }
}

impl Output for Ended<'_> {
    fn people(&self) -> String {
        let state = status::state_in_words(self.state);
        format!("{state}\n{}", status::escrow_in_words(&self.escrow))
    }
}
