//! Following a job until it is over.

use super::{JobName, status};
use crate::{
    context::Context,
    output::{Output, Rendering, count_bar, tell},
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
    /// It was cancelled, and its coordinator's time is over.
    #[error(
        "the job was cancelled, and its coordinator could settle until block {until}, which has passed ({ago} ago); `quern job refund {job}` returns what is left"
    )]
    GraceOver {
        job: JobId,
        until: BlockNumber,
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

/// That a job is cancelled, and from when on its rest can be returned.
#[derive(Debug, Serialize)]
struct Cancelled {
    job: JobId,
    refund_from: BlockNumber,
}

/// What is heard of a job that is followed.
enum News<'a> {
    /// Its coordinator tells how far it is.
    Status(&'a JobStatus),
    /// It is cancelled; told once.
    Cancelled(&'a Cancelled),
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
            let rendering = context.rendering();
            follow(&chain, job, |news| match news {
                News::Status(status) => rendering.show_line(&Update { status }),
                News::Cancelled(cancelled) => rendering.show_line(cancelled),
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
    let over = follow(chain, job, |news| {
        match news {
            News::Status(status) => {
                bar.set_length(status.tasks.into());
                bar.set_position(status.decided.into());
                bar.set_message(in_words(status));
            }
            News::Cancelled(cancelled) => bar.suspend(|| tell(&cancelled.people())),
        }
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
    mut hear: impl FnMut(News<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Job> {
    let mut blocks = chain.finalised().await.map_err(FollowError::from)?;
    let (mut tries, mut cancelled) = (0, None);
    loop {
        let known = look(chain, job).await?;
        if !known.state.is_open() {
            return Ok(known);
        }
        hear_of_cancelling(job, &known, &mut cancelled, &mut hear)?;
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
                        hear(News::Status(&status))?;
                    }
                    Some(Err(_)) | None => break,
                },
                block = blocks.next() => {
                    block.map_err(FollowError::from)?;
                    let known = look(chain, job).await?;
                    if !known.state.is_open() {
                        return Ok(known);
                    }
                    hear_of_cancelling(job, &known, &mut cancelled, &mut hear)?;
                }
            }
        }
        // A coordinator that has closed the job says no more; the chain's word comes with a block.
        blocks.next().await.map_err(FollowError::from)?;
    }
}

/// Tells of the cancelling of an open job, once.
fn hear_of_cancelling(
    job: JobId,
    known: &Job,
    told: &mut Option<Cancelled>,
    hear: &mut impl FnMut(News<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match status::refund_from(&known.state) {
        Some(refund_from) if told.is_none() => {
            hear(News::Cancelled(told.insert(Cancelled { job, refund_from })))
        }
        _ => Ok(()),
    }
}

/// The job as the chain has it; an error if it is open and will not be done any more.
async fn look(chain: &Chain, job: JobId) -> Result<Job, FollowError> {
    let state = chain.at_finalised().await?;
    let known = state
        .job(job)
        .await?
        .ok_or(FollowError::NoSuchJob { job })?;
    let (deadline, now) = (known.submission.deadline, state.block().number);
    check_time(job, &known.state, deadline, now)?;
    Ok(known)
}

/// Whether an open job may still be settled.
fn check_time(
    job: JobId,
    state: &JobState,
    deadline: BlockNumber,
    now: BlockNumber,
) -> Result<(), FollowError> {
    let ago = |last: BlockNumber| span_of_blocks(now.saturating_sub(last).into());
    match *state {
        JobState::Settling { until, .. } if now > until => Err(FollowError::GraceOver {
            job,
            until,
            ago: ago(until),
        }),
        _ if state.is_open() && now > deadline => Err(FollowError::DeadlinePassed {
            job,
            deadline,
            ago: ago(deadline),
        }),
        _ => Ok(()),
    }
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

impl Output for Cancelled {
    fn people(&self) -> String {
        let next = status::refund_in_words(self.job, self.refund_from);
        format!("the job is cancelled; {next}")
    }
}

impl Output for Ended<'_> {
    fn people(&self) -> String {
        let state = status::state_in_words(self.state);
        format!("{state}\n{}", status::escrow_in_words(&self.escrow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::AccountId;

    #[test]
    fn a_job_past_its_time_is_not_followed_but_its_refund_is_named() {
        let (job, coordinator) = (JobId([2; 32]), AccountId::new([1; 32]));
        let until = 120;
        let settling = JobState::Settling { coordinator, until };
        assert!(check_time(job, &settling, 1_000, 120).is_ok());
        let told = check_time(job, &settling, 1_000, 121).map_err(|error| error.to_string());
        assert!(told.is_err_and(
            |text| text.contains("until block 120") && text.contains("quern job refund 0x02")
        ));
        assert!(check_time(job, &JobState::Submitted, 1_000, 1_000).is_ok());
        let told = check_time(job, &JobState::Submitted, 1_000, 1_001);
        assert!(matches!(told, Err(FollowError::DeadlinePassed { .. })));
        assert!(check_time(job, &JobState::Expired, 1_000, 1_001).is_ok());
    }
}
