//! `quern explain`: why a job, a task or a device waits, by the scheduler's own rules.

mod device;
mod job;
mod task;

use crate::{
    context::Context,
    device::DeviceArgs,
    grid::words,
    masternodes::MasternodeArgs,
    output::{Output, patiently, table},
    units::counted_as,
};
use clap::{Args, Subcommand};
use quern_jobs_api::{Impasse, Reader, Reason, Rule, Step};
use quern_owner::Masternode;
use quern_primitives::{
    AccountId, JobId, TaskIndex,
    job::{JobEnd, JobState},
};
use serde::Serialize;

/// What can be explained.
#[derive(Subcommand, Debug)]
pub(crate) enum ExplainCommand {
    /// What keeps a job waiting
    Job(JobArgs),
    /// Where a task and its replicas are, what keeps it waiting, and what happens next
    Task(TaskArgs),
    /// What keeps a device from work, and what each job would give it
    Device(DeviceExplainArgs),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct JobArgs {
    /// The job: its 64 digits, or the first few if it was submitted from here
    job: String,
    #[command(flatten)]
    masternode: MasternodeArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct TaskArgs {
    #[command(flatten)]
    job: JobArgs,
    /// The task, counted from 0
    task: TaskIndex,
}

#[derive(Args, Debug)]
pub(crate) struct DeviceExplainArgs {
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    masternode: MasternodeArgs,
}

/// Nobody can explain it.
#[derive(Debug, thiserror::Error)]
enum ExplainError {
    /// The chain does not know the job.
    #[error(
        "the chain knows no job {job}; `quern job list` shows yours, and --node names a node of another chain"
    )]
    NoSuchJob { job: JobId },
    /// The job does not have the task.
    #[error("the job has no task {task}; it has {tasks}, counted from 0")]
    NoSuchTask { task: TaskIndex, tasks: u32 },
    /// The job's coordinator is gone.
    #[error(
        "the chain does not say where the job's coordinator {account} is; name its address with --masternode"
    )]
    Nowhere { account: AccountId },
    /// No masternode knows the device.
    #[error(
        "{}; its worker must run and be connected: `quern-worker run`",
        counted_as(*asked, "masternode answers, and does not know the device", "masternodes answer, and none of them knows the device")
    )]
    UnknownDevice { asked: usize },
    /// No masternode answered.
    #[error("none of the masternodes answers; try again in a moment")]
    Silent,
}

/// A job that no scheduler has: it is new, or over.
#[derive(Debug, Serialize)]
struct Unscheduled {
    job: JobId,
    /// The task that was asked about, of which no scheduler knows more.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskIndex>,
    #[serde(flatten)]
    state: JobState,
    reasons: Vec<Reason>,
    /// The task for which it ended, if it could not go on and its coordinator still tells why.
    impasse: Option<Impasse>,
    /// What its owner can do, if it waits for nothing.
    advice: Option<String>,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &ExplainCommand) -> anyhow::Result<()> {
    match command {
        ExplainCommand::Job(args) => match scheduler(context, args, None).await? {
            Scheduler::At(masternode, job) => job::run(context, &masternode, job).await,
            Scheduler::Nowhere(unscheduled) => context.show(&unscheduled),
        },
        ExplainCommand::Task(args) => match scheduler(context, &args.job, Some(args.task)).await? {
            Scheduler::At(masternode, job) => task::run(context, &masternode, job, args.task).await,
            Scheduler::Nowhere(unscheduled) => context.show(&unscheduled),
        },
        ExplainCommand::Device(args) => {
            let device = crate::device::named(&args.device)?;
            device::run(context, &args.masternode, device).await
        }
    }
}

/// Who can explain a job.
enum Scheduler {
    At(Masternode, JobId),
    Nowhere(Unscheduled),
}

/// The masternode that is named, else the coordinator of the job, which must have the task.
async fn scheduler(
    context: &Context,
    args: &JobArgs,
    task: Option<TaskIndex>,
) -> anyhow::Result<Scheduler> {
    let job = context.job(&args.job)?;
    patiently("asking the chain", async {
        if let Some(masternode) = args.masternode.connect().await? {
            return Ok(Scheduler::At(masternode, job));
        }
        let chain = context.chain().await?;
        let state = chain.at_finalised().await?;
        let known = state.job(job).await?;
        let known = known.ok_or(ExplainError::NoSuchJob { job })?;
        let tasks = known.submission.tasks;
        if let Some(task) = task.filter(|task| *task >= tasks) {
            return Err(ExplainError::NoSuchTask { task, tasks }.into());
        }
        let Some(account) = known.state.coordinator().cloned() else {
            let impasse = crate::job::impasse_of(&chain, job, &known.state).await;
            let unscheduled = Unscheduled::new((job, task), known.state, impasse);
            return Ok(Scheduler::Nowhere(unscheduled));
        };
        let views = state.masternodes().await?;
        let view = views.into_iter().find(|view| view.account == account);
        let view = view.ok_or(ExplainError::Nowhere { account })?;
        let url = String::from_utf8_lossy(&view.jobs_api);
        anyhow::Ok(Scheduler::At(Masternode::connect(&url).await?, job))
    })
    .await
}

impl Unscheduled {
    fn new(
        (job, task): (JobId, Option<TaskIndex>),
        state: JobState,
        impasse: Option<Impasse>,
    ) -> Self {
        let rule = Rule::CoordinatorNotDrawn;
        let reasons = match state.is_open() {
            true => vec![Reason {
                rule,
                words: "its coordinator is drawn in the block after its submission, among the masternodes".into(),
                devices: None,
                device_ids: vec![],
                next: rule.next(Reader::Owner).map(str::to_owned),
            }],
            false => vec![],
        };
        let advice = match &state {
            JobState::Submitted
            | JobState::Running { .. }
            | JobState::Cancelling { .. }
            | JobState::Settling { .. } => None,
            JobState::Completed {
                end: JobEnd::AllSettled,
            } if task.is_some() => Some(format!(
                "no scheduler keeps the tasks of a job that is over: `quern job receipts {job}` saves what was \
                 found of each, in which batch and who was paid, and `quern verify FILE` checks it"
            )),
            JobState::Completed {
                end: JobEnd::AllSettled,
            } => Some(format!(
                "`quern job result {job} --output FILE` fetches its results while its coordinator \
                 keeps them, `quern job receipts {job}` what was paid for them"
            )),
            JobState::Completed { .. } | JobState::Cancelled | JobState::Expired => Some(format!(
                "`quern job show {job}` says what was paid and what came back; `quern job submit` \
                 hands it in again"
            )),
        };
        Self {
            job,
            task,
            state,
            reasons,
            impasse,
            advice,
        }
    }
}

/// What happens next, a line each; nothing if nothing does.
fn next(steps: &[Step]) -> Option<String> {
    let row = |step: &Step| {
        let what = words::plain(&step.words);
        let what = match step.replica {
            Some(replica) => format!("{what} (replica {replica})"),
            None => what,
        };
        vec![format!("in {}", words::span(step.in_s)), what]
    };
    let rows: Vec<_> = steps.iter().map(row).collect();
    (!rows.is_empty()).then(|| table(&["next", "what happens"], &rows))
}

/// The answer in a line: what something waits for, or else how it stands.
fn first_line(reason: Option<&Reason>, otherwise: impl FnOnce() -> String) -> String {
    match reason {
        Some(reason) => format!("waits: {}", words::plain(&reason.words)),
        None => otherwise(),
    }
}

impl Output for Unscheduled {
    fn people(&self) -> String {
        let state = crate::job::end_in_words(&self.state, self.impasse.as_ref());
        let line = first_line(self.reasons.first(), || {
            format!("waits for nothing: {state}")
        });
        let mut lines = vec![line, format!("job  {}", self.job)];
        lines.extend(self.task.map(|task| format!("task {task}")));
        lines.extend(self.reasons.iter().filter_map(|reason| reason.next.clone()));
        lines.extend(self.advice.clone());
        lines.join("\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_jobs_api::Trouble;

    #[test]
    fn a_job_without_a_scheduler_says_why() {
        let job = JobId([1; 32]);
        let unscheduled = |state| Unscheduled::new((job, None), state, None);
        let submitted = unscheduled(JobState::Submitted);
        let text = submitted.people();
        assert!(
            text.starts_with("waits: its coordinator is drawn"),
            "{text}"
        );
        assert!(text.ends_with("`quern job cancel`"), "{text}");
        let json = serde_json::to_value(&submitted).unwrap();
        assert_eq!(json["state"], "submitted");
        assert_eq!(json["reasons"][0]["rule"], "coordinator_not_drawn");
        let next = json["reasons"][0]["next"].as_str();
        assert!(next.is_some_and(|next| next.starts_with("wait for the next block")));
        let end = JobEnd::AllSettled;
        let over = unscheduled(JobState::Completed { end }).people();
        assert!(over.starts_with("waits for nothing: completed"), "{over}");
        let result = format!("\n`quern job result {job} --output FILE` fetches");
        assert!(over.contains(&result), "{over}");
        let expired = unscheduled(JobState::Expired);
        assert!(expired.people().contains("quern job submit"));
        let json = serde_json::to_value(&expired).unwrap();
        assert_eq!(json["state"], "expired");
        assert_eq!(json["reasons"], serde_json::json!([]));
        let advice = json["advice"].as_str();
        assert!(advice.is_some_and(|advice| advice.contains("quern job show")));
    }

    #[test]
    fn a_task_of_a_job_that_is_over_is_named_with_where_its_receipt_is() {
        let (job, end) = (JobId([1; 32]), JobEnd::AllSettled);
        let over = Unscheduled::new((job, Some(7)), JobState::Completed { end }, None);
        let text = over.people();
        assert!(text.contains("\ntask 7\n"), "{text}");
        let receipts = format!("`quern job receipts {job}` saves what was found");
        assert!(text.contains(&receipts), "{text}");
        assert_eq!(serde_json::to_value(&over).unwrap()["task"], 7);
    }

    #[test]
    fn a_job_that_ended_because_its_input_opens_nowhere_says_just_that() {
        let end = JobEnd::Undecided { task: 3 };
        let state = JobState::Completed { end };
        let (task, why) = (3, Trouble::Unopened);
        let job = (JobId([1; 32]), None);
        let over = Unscheduled::new(job, state, Some(Impasse { task, why }));
        let text = over.people();
        let line = text.lines().next().unwrap();
        assert!(
            line.contains("the input of task 3 opens on no device"),
            "{text}"
        );
        assert!(!line.contains("majority"), "{text}");
        let json = serde_json::to_value(&over).unwrap();
        assert_eq!(json["impasse"]["why"], "unopened");
        assert_eq!(json["impasse"]["task"], 3);
    }
}
