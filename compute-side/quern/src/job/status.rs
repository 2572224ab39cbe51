//! Where a job stands, on the chain and at its coordinator.

use super::{
    JobName,
    confidence::{agreement_in_words, referees_in_words},
    follow,
    impasse::end_in_words,
};
use crate::{
    context::Context,
    output::{Output, fields, patiently},
    units::{counted, counted_as, grouped},
};
use clap::Args;
use quern_jobs_api::JobStatus;
use quern_owner::{Coordinator, CoordinatorError};
use quern_primitives::{
    AccountId, BlockNumber, Digest, JobId,
    amount::display,
    ids::BatchSequence,
    job::{Escrow, Job, JobEnd, JobState},
    receipt::Exit,
    view::FinalityView,
};
use quern_shards::keys::JobKey;
use serde::Serialize;

/// Why a job's trust seed is not told.
#[derive(Debug, thiserror::Error)]
enum TrustSeedError {
    /// A device that had it could lie where it is believed alone.
    #[error(
        "job {job} is open, and a device that had its trust seed could choose when to lie; ask again when the job is over"
    )]
    Open {
        /// The job.
        job: JobId,
    },
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    name: JobName,
    /// Tell the job's trust seed too, for an auditor; only where it was submitted, when it is over
    #[arg(long)]
    trust_seed: bool,
}

/// A job as the chain and its coordinator know it.
#[derive(Debug, Serialize)]
struct Shown {
    job: JobId,
    #[serde(flatten)]
    chain: Job,
    /// If it is cancelled and open: the first block in which the rest can be returned.
    refund_from: Option<BlockNumber>,
    /// What the coordinator says.
    at_coordinator: Option<JobStatus>,
    /// The batches that are not final yet, and when each is due by the chain's clock of finality.
    pending: Vec<(BatchSequence, BlockNumber)>,
    /// That clock, and its window.
    finality: FinalityView,
    /// Why the coordinator says nothing.
    coordinator_silent: Option<String>,
    /// From which it is drawn which device is believed alone, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_seed: Option<Digest>,
}

pub(crate) async fn run(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let job = context.job(&args.name.job)?;
    // That it is not here is said before anybody is asked.
    let key = match args.trust_seed {
        true => Some(context.job_folder(job)?.key()?),
        false => None,
    };
    let asked = patiently("asking the chain and the coordinator", ask(context, job));
    let mut shown = asked.await?;
    if let Some(key) = key {
        shown.trust_seed = Some(trust_seed(&key, job, &shown.chain.state)?);
    }
    context.show(&shown)
}

/// The trust seed of a job that is over.
fn trust_seed(key: &JobKey, job: JobId, state: &JobState) -> Result<Digest, TrustSeedError> {
    match state.is_open() {
        true => Err(TrustSeedError::Open { job }),
        false => Ok(Digest(*key.trust_seed(&job).expose())),
    }
}

async fn ask(context: &Context, job: JobId) -> anyhow::Result<Shown> {
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let known = state.job(job).await?;
    let known = known.ok_or(CoordinatorError::NoSuchJob { job })?;
    let (pending, finality) = (state.pending_of(job).await?, state.finality().await?);
    let (mut at_coordinator, mut coordinator_silent) = (None, None);
    // A job that has no coordinator yet is not waited for.
    if known.state != JobState::Submitted {
        let status = match Coordinator::of(&chain, job).await {
            Ok(coordinator) => coordinator.status().await.map_err(CoordinatorError::from),
            Err(error) => Err(error),
        };
        match status {
            Ok(status) => at_coordinator = Some(status),
            Err(error) => coordinator_silent = Some(error.to_string()),
        }
    }
    Ok(Shown {
        job,
        refund_from: refund_from(&known.state),
        chain: known,
        pending,
        finality,
        at_coordinator,
        coordinator_silent,
        trust_seed: None,
    })
}

impl Output for Shown {
    fn people(&self) -> String {
        let (job, submission) = (&self.chain, &self.chain.submission);
        let at_coordinator = self.at_coordinator.as_ref();
        let impasse = at_coordinator.and_then(|status| status.impasse.as_ref());
        let mut pairs = vec![
            ("job", self.job.to_string()),
            ("owner", job.owner.to_string()),
            ("state", end_in_words(&job.state, impasse)),
            (
                "tasks",
                format!("{} of {} settled", job.settled_tasks, submission.tasks),
            ),
            ("replicas", agreement_in_words(submission.agreement)),
            (
                "referees",
                referees_in_words(submission.agreement, submission.referees),
            ),
            ("program", submission.program.to_string()),
            (
                "blocks",
                format!(
                    "submitted in {}, deadline {}",
                    job.submitted_at, submission.deadline
                ),
            ),
            ("money", escrow_in_words(&job.escrow)),
        ];
        if let Some(coordinator) = job.state.coordinator() {
            pairs.push(("coordinator", AccountId::to_string(coordinator)));
        }
        if let (Some((next, due)), Some((_, last))) = (self.pending.first(), self.pending.last()) {
            pairs.push((
                "pending",
                format!(
                    "{}; batch {next} is paid when height {due} is final, the last one when {last} is; the chain's clock of finality is at {}",
                    counted_as(self.chain.pending_batches, "batch", "batches"),
                    self.finality.clock
                ),
            ));
        }
        if let Some(from) = self.refund_from {
            pairs.push(("next", refund_in_words(self.job, from)));
        }
        match (at_coordinator, &self.coordinator_silent) {
            (Some(status), _) => {
                // Of a job that is over the state has said why it could not go on.
                let more = match status.impasse.is_some() && !job.state.is_open() {
                    true => String::new(),
                    false => format!("; {}", follow::in_words(status)),
                };
                pairs.push((
                    "progress",
                    format!(
                        "{} decided, {} running, {} waiting{more}",
                        grouped(status.decided),
                        grouped(status.running),
                        grouped(status.waiting)
                    ),
                ));
                pairs.extend(differed_in_words(status).map(|words| ("differed", words)));
            }
            (None, Some(silent)) => pairs.push(("progress", silent.clone())),
            (None, None) => {}
        }
        pairs.extend(self.trust_seed.map(|seed| ("trust seed", seed.to_string())));
        fields(&pairs)
    }
}

/// How many answers were not agreed on at once, and what became of them; none if all were.
fn differed_in_words(status: &JobStatus) -> Option<String> {
    let told = [
        (status.refereed, "decided by a referee"),
        (
            status.voted,
            "decided by vote, as no referee could, and so no more certain than by a majority",
        ),
        (
            status.contradicted,
            "computed again with another answer than the accepted one",
        ),
    ];
    let told = told.into_iter().filter(|(tasks, _)| *tasks > 0);
    let told: Vec<_> = told
        .map(|(tasks, what)| format!("{} {what}", counted(tasks, "task")))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// A job's state in words, as far as the chain knows it.
pub(super) fn state_in_words(state: &JobState) -> String {
    match state {
        JobState::Submitted => "submitted; a coordinator is being drawn".into(),
        JobState::Running { .. } => "running".into(),
        JobState::Cancelling { until, .. } => {
            format!("cancelled; what was finished, and what is sure by the answers that came, is settled until block {until}")
        }
        JobState::Settling { end, .. } => match end {
            JobEnd::AllSettled => {
                "settling: every task is settled, and paid when its batch is final".into()
            }
            JobEnd::ProgramFailed { task, exit } => format!(
                "settling: the devices agree that the program fails, first at task {task} ({}); what was settled is paid when it is final",
                exit_in_words(exit)
            ),
            JobEnd::Undecided { task } => format!(
                "settling: no answer to task {task} has a majority, or its input opens on no device; what was settled is paid when it is final"
            ),
            JobEnd::OwnerCancelled | JobEnd::DeadlinePassed | JobEnd::BatchStruck => {
                "settling: it has ended; what was settled is paid when it is final".into()
            }
        },
        JobState::Completed { end } => match end {
            JobEnd::AllSettled => "completed: every task is settled".into(),
            JobEnd::BatchStruck => "completed: a batch of it was proved wrong, and no masternode was left to go on; what of it was not final is back. Submit it as a new job".into(),
            JobEnd::ProgramFailed { task, exit } => format!(
                "completed: the devices agree that the program fails, first at task {task} ({})",
                exit_in_words(exit)
            ),
            JobEnd::Undecided { task } => format!(
                "completed: no answer to task {task} has a majority, or its input opens on no device; see to it that the program gives the same output each time, or prepare the input anew, and submit it as a new job. What was settled is paid, the rest is back"
            ),
            JobEnd::OwnerCancelled => "completed: cancelled by its owner".into(),
            JobEnd::DeadlinePassed => "completed: the deadline passed".into(),
        },
        JobState::Cancelled => "cancelled by its owner".into(),
        JobState::Expired => "expired: the deadline passed first".into(),
    }
}

/// A job's state in a few words, for a column.
pub(super) fn state_in_short(state: &JobState) -> String {
    match state {
        JobState::Submitted => "submitted".into(),
        JobState::Running { .. } => "running".into(),
        JobState::Cancelling { until, .. } => format!("cancelled, settles to {until}"),
        JobState::Settling { .. } => "settling".into(),
        JobState::Completed { end } => match end {
            JobEnd::AllSettled => "done".into(),
            JobEnd::BatchStruck => "batch struck".into(),
            JobEnd::ProgramFailed { task, .. } => format!("program fails at {task}"),
            JobEnd::Undecided { task } => format!("no answer to {task}"),
            JobEnd::OwnerCancelled => "cancelled".into(),
            JobEnd::DeadlinePassed => "deadline passed".into(),
        },
        JobState::Cancelled => "cancelled".into(),
        JobState::Expired => "expired".into(),
    }
}

/// The first block in which what is left of a cancelled job can be returned, while it is open.
pub(crate) fn refund_from(state: &JobState) -> Option<BlockNumber> {
    match state {
        JobState::Cancelling { until, .. } => Some(until.saturating_add(1)),
        _ => None,
    }
}

/// What the owner of a cancelled job has to do.
pub(crate) fn refund_in_words(job: JobId, from: BlockNumber) -> String {
    format!(
        "`quern job refund {job}` from block {from} returns what is left, unless all is settled before"
    )
}

/// A job's money in words.
pub(crate) fn escrow_in_words(escrow: &Escrow) -> String {
    format!(
        "{} deposited = {} to workers + {} to the network + {} returned + {} pending + {} held",
        display(escrow.deposited),
        display(escrow.paid),
        display(escrow.network),
        display(escrow.refunded),
        display(escrow.pending),
        display(escrow.held)
    )
}

pub(super) fn exit_in_words(exit: &Exit) -> String {
    match exit {
        Exit::Success => "it ends well".into(),
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Trap => "it traps".into(),
        Exit::OutOfFuel => "it uses up its fuel; raise --fuel".into(),
        Exit::OutOfMemory => "it uses up its memory; raise --memory".into(),
        Exit::OutputTooLong => "it writes too much; raise --result-max".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_seed_is_told_of_no_job_that_is_open() {
        let (key, job) = (JobKey::from_bytes([7; 32]), JobId([1; 32]));
        let end = JobEnd::AllSettled;
        let told = trust_seed(&key, job, &JobState::Completed { end });
        assert_eq!(told.unwrap().0, *key.trust_seed(&job).expose());
        let open = trust_seed(&key, job, &JobState::Submitted);
        assert!(open.unwrap_err().to_string().contains("ask again"));
    }

    #[test]
    fn a_task_without_a_majority_is_named() {
        let end = JobEnd::Undecided { task: 3 };
        let words = state_in_words(&JobState::Completed { end });
        assert!(words.contains("task 3"), "{words}");
    }

    #[test]
    fn an_owner_is_told_how_many_answers_were_not_agreed_on() {
        let mut status = follow::tests::status();
        assert_eq!(differed_in_words(&status), None);
        status.voted = 1;
        let words = differed_in_words(&status).unwrap_or_default();
        assert!(
            words.starts_with("1 task decided by vote, as no referee"),
            "{words}"
        );
        (status.refereed, status.contradicted) = (3, 2);
        let words = differed_in_words(&status).unwrap_or_default();
        assert!(words.starts_with("3 tasks decided by a referee; 1 task decided by vote"));
        assert!(words.contains("2 tasks computed again"), "{words}");
    }

    #[test]
    fn a_cancelled_job_says_from_when_on_the_rest_comes_back() {
        let cancelling = JobState::Cancelling {
            coordinator: AccountId::new([1; 32]),
            until: 120,
        };
        // The last block for the coordinator is the one before the first for the refund.
        assert_eq!(refund_from(&cancelling), Some(121));
        let words = refund_in_words(JobId([2; 32]), 121);
        assert!(words.contains("`quern job refund 0x02"), "{words}");
        assert!(words.contains("from block 121"), "{words}");
        assert_eq!(refund_from(&JobState::Submitted), None);
        assert_eq!(refund_from(&JobState::Cancelled), None);
    }

    #[test]
    fn a_failing_program_says_what_to_change() {
        let end = JobEnd::ProgramFailed {
            task: 3,
            exit: Exit::OutOfFuel,
        };
        let words = state_in_words(&JobState::Completed { end });
        assert!(
            words.contains("task 3") && words.contains("--fuel"),
            "{words}"
        );
    }
}
