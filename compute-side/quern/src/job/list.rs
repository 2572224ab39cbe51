//! The jobs of an account.

use super::status::state_in_words;
use crate::{
    context::Context,
    output::{Output, patiently, table},
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
                    format!("{}/{}", row.settled_tasks, row.tasks),
                    display(row.deposited),
                    display(row.refunded),
                    state_in_words(&row.state),
                ]
            })
            .collect();
        table(
            &["job", "block", "settled", "escrow", "returned", "state"],
            &rows,
        )
    }
}
