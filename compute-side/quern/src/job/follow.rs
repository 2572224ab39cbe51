//! Following a job until it is over.

use super::{
    JobName,
    download::{Download, Downloaded},
    elsewhere::{BucketArgs, Destination, FileName},
    impasse::{self, end_in_words, impasse_of},
    status,
};
use crate::{
    context::Context,
    output::{Output, Rendering, count_bar, tell},
    units::{counted, grouped, span_of_blocks},
};
use clap::Args;
use indicatif::ProgressBar;
use quern_jobs_api::{Impasse, JobStatus, WaitingFor};
use quern_ledger::{Chain, ChainError};
use quern_owner::{CollectProgress, Coordinator, CoordinatorError, Members};
use quern_primitives::{
    BlockNumber, JobId,
    job::{Job, JobState},
};
use serde::Serialize;
use std::{
    cell::{Cell, RefCell},
    process::ExitCode,
    time::Duration,
};
use tokio::sync::watch;

/// Tries to reach a coordinator before its silence is an error.
const TRIES_MAX: u32 = 30;

/// Time between two tries.
const TRY_PAUSE: Duration = Duration::from_secs(1);

/// Why a job is no longer followed.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The chain does not know it.
    #[error(
        "the chain knows no job {job}; `quern job list` shows yours, and --node names a node of another chain"
    )]
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

#[derive(Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    name: JobName,
    /// Where the result goes: a file, an object of a bucket of yours (s3://BUCKET/KEY), or a URL that takes it by PUT; it
    /// is put together while the job runs
    #[arg(long, short, value_name = "FILE", value_parser = FileName::parser())]
    output: Option<FileName>,
    #[command(flatten)]
    buckets: BucketArgs,
}

/// How far a job is.
#[derive(Debug, Serialize)]
struct Update<'a> {
    #[serde(flatten)]
    status: &'a JobStatus,
    /// Results that are here; none if the job was not submitted from here.
    downloaded: Option<u32>,
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
    /// The task for which it ended, if it could not go on and its coordinator still tells why.
    impasse: Option<Impasse>,
    escrow: quern_primitives::job::Escrow,
    #[serde(flatten)]
    download: Downloaded,
}

/// A job that was followed until nothing more of it is settled. Results do not wait for the payment
/// to be final.
pub(crate) struct Followed {
    pub(crate) job: Job,
    pub(crate) impasse: Option<Impasse>,
    pub(crate) download: Downloaded,
}

/// Follows a job: with a bar for people, with a JSON document a line for programs.
pub(crate) async fn run(context: &Context, args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let job = context.job(&args.name.job)?;
    // Where a job was not submitted there is no key that opens its results.
    let folder = match args.output {
        Some(_) => Some(context.job_folder(job)?),
        None => context.job_folder(job).ok(),
    };
    let output = match &args.output {
        Some(name) => Some(Destination::of(name, &args.buckets).await?),
        None => None,
    };
    let chain = context.chain().await?;
    let download = folder.map(|folder| Download::new(&chain, folder, output));
    let download = download.transpose()?;
    let over = match context.rendering() {
        Rendering::People => bar_only(&chain, job, download, &count_bar("tasks")).await?,
        Rendering::Json => {
            let rendering = context.rendering();
            let here = download.as_ref().map(|it| it.progress().downloaded);
            let here = Cell::new(here);
            let hear = |news: News<'_>| match news {
                News::Status(status) => rendering.show_line(&Update {
                    status,
                    downloaded: here.get(),
                }),
                News::Cancelled(cancelled) => rendering.show_line(cancelled),
            };
            let progress = |now: CollectProgress| here.set(Some(now.downloaded));
            follow_and_download(&chain, job, download, hear, progress).await?
        }
    };
    let over = corrected(&chain, over).await?;
    context.rendering().show_line(&Ended {
        job,
        state: &over.job.state,
        impasse: over.impasse,
        escrow: over.job.escrow,
        download: over.download,
    })?;
    Ok(super::exit_code(&over.job.state))
}

/// Follows a job with a bar on standard error, until its results are right as far as its masternodes know.
pub(crate) async fn with_bar(
    chain: &Chain,
    job: JobId,
    download: Option<Download>,
    bar: &ProgressBar,
) -> anyhow::Result<Followed> {
    let over = bar_only(chain, job, download, bar).await?;
    corrected(chain, over).await
}

/// Replaces those results of a job that its masternodes find to be wrong, some of which come after its settlement.
async fn corrected(chain: &Chain, mut over: Followed) -> anyhow::Result<Followed> {
    over.download.correct(chain).await?;
    Ok(over)
}

/// Follows a job with a bar on standard error.
async fn bar_only(
    chain: &Chain,
    job: JobId,
    download: Option<Download>,
    bar: &ProgressBar,
) -> anyhow::Result<Followed> {
    let here = download.as_ref().map_or(0, |it| it.progress().downloaded);
    let (here, words) = (Cell::new(here), RefCell::new(String::new()));
    let draw = || {
        let words = words.borrow().clone();
        bar.set_message(match here.get() {
            0 => words,
            results => format!("{words}, {results} downloaded"),
        });
    };
    let hear = |news: News<'_>| {
        match news {
            News::Status(status) => {
                bar.set_length(status.tasks.into());
                bar.set_position(status.decided.into());
                words.replace(in_words(status));
                draw();
            }
            News::Cancelled(cancelled) => bar.suspend(|| tell(&cancelled.people())),
        }
        Ok(())
    };
    let progress = |now: CollectProgress| {
        here.set(now.downloaded);
        draw();
    };
    let over = follow_and_download(chain, job, download, hear, progress).await;
    bar.finish_and_clear();
    over
}

/// Follows a job, and downloads its results meanwhile, if that is wanted: what is decided as it is
/// decided, and the rest when it is over.
async fn follow_and_download(
    chain: &Chain,
    job: JobId,
    download: Option<Download>,
    mut hear: impl FnMut(News<'_>) -> anyhow::Result<()>,
    progress: impl Fn(CollectProgress),
) -> anyhow::Result<Followed> {
    let Some(mut download) = download else {
        let over = follow(chain, job, hear).await?;
        return Ok(Followed {
            impasse: impasse_of(chain, job, &over.state).await,
            job: over,
            download: Downloaded::default(),
        });
    };
    let (changed, changes) = watch::channel(());
    let following = async {
        // It goes with the end of the job: nothing changes any more then.
        let changed = changed;
        follow(chain, job, |news| {
            if let News::Status(_) = news {
                changed.send_replace(());
            }
            hear(news)
        })
        .await
    };
    let (over, ()) = tokio::join!(following, download.beside(chain, changes, &progress));
    let over = over.inspect_err(|_| download.tell_what_is_here())?;
    let impasse = impasse_of(chain, job, &over.state).await;
    let is_done = super::is_done(&over.state);
    let download = download.finish(chain, is_done, &progress).await?;
    Ok(Followed {
        job: over,
        impasse,
        download,
    })
}

/// Follows a job until the chain says that nothing more of it is settled. A coordinator that restarts is waited for.
async fn follow(
    chain: &Chain,
    job: JobId,
    mut hear: impl FnMut(News<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Job> {
    let mut blocks = chain.finalised().await.map_err(FollowError::from)?;
    let (mut tries, mut cancelled) = (0u32, None);
    loop {
        let known = look(chain, job).await?;
        if !known.state.goes_on() {
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
            // Another masternode of the job goes on with it after a while.
            Err(error) if tries >= TRIES_MAX && !may_go_on(chain, job).await => {
                return Err(FollowError::from(error).into());
            }
            Err(_) => {
                tries = tries.saturating_add(1);
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
                    if !known.state.goes_on() {
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

/// Whether the job may go on at another masternode.
async fn may_go_on(chain: &Chain, job: JobId) -> bool {
    Members::may_go_on(chain, job).await.unwrap_or(false)
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
        JobState::Cancelling { until, .. } if now > until => Err(FollowError::GraceOver {
            job,
            until,
            ago: ago(until),
        }),
        _ if state.goes_on() && now > deadline => Err(FollowError::DeadlinePassed {
            job,
            deadline,
            ago: ago(deadline),
        }),
        _ => Ok(()),
    }
}

/// What moves, or why nothing does.
pub(crate) fn in_words(status: &JobStatus) -> String {
    if let Some(impasse) = &status.impasse {
        return impasse::in_words(impasse);
    }
    match status.waiting_for {
        Some(WaitingFor::Upload) => {
            "waiting for the upload; `quern job resume` goes on with an interrupted one".into()
        }
        Some(WaitingFor::Devices) => "waiting: no device is connected".into(),
        Some(WaitingFor::Accounts { connected, needed }) => {
            let connected = counted(connected, "account");
            format!("waiting: devices of {connected} could have it, of {needed} needed")
        }
        Some(WaitingFor::Chain) => "waiting for the chain to settle".into(),
        Some(WaitingFor::Certificates { here, needed }) => {
            format!("waits for certificates: {here} of {needed}")
        }
        Some(WaitingFor::Finality) => "settled; paid when the last batch is final".into(),
        None => {
            let to_come = match status.not_uploaded {
                0 => String::new(),
                shards => format!("{} to upload, ", counted(shards, "shard")),
            };
            format!(
                "{to_come}{}, {} wrong, {} settled, {}",
                counted(status.replicas, "replica"),
                grouped(status.incorrect),
                grouped(status.settled),
                counted(status.devices, "device")
            )
        }
    }
}

impl Output for Update<'_> {
    fn people(&self) -> String {
        format!(
            "{}/{} tasks, {}",
            grouped(self.status.decided),
            grouped(self.status.tasks),
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
        let mut lines = vec![
            end_in_words(self.state, self.impasse.as_ref()),
            status::escrow_in_words(&self.escrow),
        ];
        lines.extend(self.download.in_words(self.job));
        lines.extend(self.download.corrections(self.job));
        lines.join("\n")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use quern_jobs_api::{Phase, Trouble};
    use quern_primitives::{
        AccountId,
        job::{Escrow, JobEnd},
    };

    /// Of a job that is computed while its last shard is uploaded.
    pub(crate) fn status() -> JobStatus {
        JobStatus {
            job: JobId([2; 32]),
            phase: Phase::Computing,
            tasks: 10,
            not_uploaded: 1,
            waiting: 5,
            running: 2,
            decided: 3,
            settled: 0,
            replicas: 9,
            incorrect: 0,
            refereed: 0,
            voted: 0,
            contradicted: 0,
            fuel: 5,
            spent: 7,
            devices: 2,
            waiting_for: None,
            impasse: None,
        }
    }

    #[test]
    fn a_job_that_is_uploaded_and_computed_at_once_tells_both() {
        let mut status = status();
        let words = in_words(&status);
        assert!(
            words.starts_with("1 shard to upload, 9 replicas, "),
            "{words}"
        );
        status.not_uploaded = 0;
        assert!(in_words(&status).starts_with("9 replicas, "));
        // That it ends, and why, comes before that the chain has not heard of it.
        status.phase = Phase::Settling;
        status.waiting_for = Some(WaitingFor::Chain);
        assert!(in_words(&status).contains("the chain"));
        let (task, why) = (4, Trouble::Unopened);
        status.impasse = Some(Impasse { task, why });
        assert!(in_words(&status).starts_with("the input of task 4 opens on no device"));
    }

    #[test]
    fn the_end_of_a_followed_job_says_why_it_could_not_go_on() {
        let (task, why) = (4, Trouble::Unopened);
        let end = JobEnd::Undecided { task };
        let ended = Ended {
            job: JobId([2; 32]),
            state: &JobState::Completed { end },
            impasse: Some(Impasse { task, why }),
            escrow: Escrow::default(),
            download: Downloaded::default(),
        };
        assert!(
            ended
                .people()
                .contains("the input of task 4 opens on no device")
        );
        let json = serde_json::to_value(&ended).unwrap_or_default();
        assert_eq!(json["impasse"]["why"], "unopened");
        assert_eq!(json["end"]["undecided"]["task"], 4);
    }

    #[test]
    fn a_job_past_its_time_is_not_followed_but_its_refund_is_named() {
        let (job, coordinator) = (JobId([2; 32]), AccountId::new([1; 32]));
        let until = 120;
        let cancelling = JobState::Cancelling { coordinator, until };
        assert!(check_time(job, &cancelling, 1_000, 120).is_ok());
        let told = check_time(job, &cancelling, 1_000, 121).map_err(|error| error.to_string());
        assert!(told.is_err_and(
            |text| text.contains("until block 120") && text.contains("quern job refund 0x02")
        ));
        assert!(check_time(job, &JobState::Submitted, 1_000, 1_000).is_ok());
        let told = check_time(job, &JobState::Submitted, 1_000, 1_001);
        assert!(matches!(told, Err(FollowError::DeadlinePassed { .. })));
        assert!(check_time(job, &JobState::Expired, 1_000, 1_001).is_ok());
        let (coordinator, end) = (AccountId::new([1; 32]), JobEnd::AllSettled);
        let settling = JobState::Settling {
            coordinator,
            end,
            cancelled: None,
        };
        assert!(check_time(job, &settling, 1_000, 1_001).is_ok());
    }
}
