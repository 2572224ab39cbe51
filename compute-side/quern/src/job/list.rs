//! The jobs of an account.

use super::status::state_in_short;
use crate::{
    context::Context,
    output::{Output, patiently, table},
    units::{counted, grouped},
};
use clap::Args;
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    amount::{as_string, display},
    job::{Job, JobState},
};
use serde::Serialize;

/// Jobs asked for at once.
const PAGE: u32 = 256;

#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// Whose jobs: an address or the name of a key [default: the account that signs]
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<String>,
    /// Only jobs that are not over
    #[arg(long)]
    open: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Listed(Vec<Row>);

#[derive(Debug, Serialize)]
struct Row {
    job: JobId,
    #[serde(flatten)]
    state: JobState,
    submitted_at: BlockNumber,
    deadline: BlockNumber,
    tasks: u32,
    settled_tasks: u32,
    #[serde(with = "as_string")]
    deposited: Amount,
    #[serde(with = "as_string")]
    refunded: Amount,
}

pub(crate) async fn run(context: &Context, args: &ListArgs) -> anyhow::Result<()> {
    let owner = context.account_id(args.owner.as_deref())?;
    let mut rows = patiently("asking the chain", rows_of(context, &owner)).await?;
    rows.retain(|row| !args.open || row.state.is_open());
    rows.sort_by_key(|row| (row.submitted_at, row.job));
    context.show(&Listed(rows))
}

async fn rows_of(context: &Context, owner: &AccountId) -> anyhow::Result<Vec<Row>> {
    let state = context.chain().await?.at_finalised().await?;
    let (mut rows, mut last) = (Vec::new(), None);
    loop {
        let page = state.jobs_of(owner, last, PAGE).await?;
        let Some((job, _)) = page.last() else { break };
        last = Some(*job);
        rows.extend(page.into_iter().map(row));
    }
    Ok(rows)
}

fn row((job, known): (JobId, Job)) -> Row {
    Row {
        job,
        submitted_at: known.submitted_at,
        deadline: known.submission.deadline,
        tasks: known.submission.tasks,
        settled_tasks: known.settled_tasks,
        deposited: known.escrow.deposited,
        refunded: known.escrow.refunded,
        state: known.state,
    }
}

impl Output for Listed {
    fn people(&self) -> String {
        if self.0.is_empty() {
            return "no jobs".into();
        }
        let rows: Vec<_> = self
            .0
            .iter()
            .map(|row| {
                vec![
                    row.job.to_string(),
                    row.submitted_at.to_string(),
                    format!("{}/{}", grouped(row.settled_tasks), grouped(row.tasks)),
                    display(row.deposited),
                    display(row.refunded),
                    state_in_short(&row.state),
                ]
            })
            .collect();
        let head = ["job", ">block", ">settled", ">escrow", ">returned", "state"];
        let open = self.0.iter().filter(|row| row.state.is_open()).count();
        format!(
            "{}\n\n{}, {open} of them open; `quern job show JOB` tells all of one",
            table(&head, &rows),
            counted(self.0.len(), "job")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{amount::BYTECHIP, job::JobEnd};

    fn row(number: u8, state: JobState) -> Row {
        Row {
            job: JobId([number; 32]),
            state,
            submitted_at: 1_234,
            deadline: 4_834,
            tasks: 1_000,
            settled_tasks: 998,
            deposited: 1_250 * BYTECHIP,
            refunded: 3 * BYTECHIP / 2,
        }
    }

    #[test]
    fn jobs_are_a_line_each_and_those_that_are_open_are_counted() {
        let end = JobEnd::Undecided { task: 998 };
        let jobs = Listed(vec![
            row(1, JobState::Completed { end }),
            row(2, JobState::Submitted),
        ]);
        let text = jobs.people();
        assert!(
            text.contains("998/1,000  1250 BC    1.5 BC  no answer to 998"),
            "{text}"
        );
        assert!(text.contains("2 jobs, 1 of them open"), "{text}");
        assert_eq!(Listed(vec![]).people(), "no jobs");
    }
}
