//! What of a job was settled, batch by batch, as the chain keeps it for good.

use super::JobName;
use crate::{
    context::Context,
    output::{Output, count_bar, fields, table},
    units::{counted, counted_as, grouped},
};
use clap::Args;
use quern_ledger::State;
use quern_owner::CoordinatorError;
use quern_primitives::{
    Amount, BlockNumber, JobId,
    amount::display,
    batch::{BatchRecord, BatchState},
    ids::BatchSequence,
    job::{Escrow, Job},
};
use serde::Serialize;
use std::{ops::Range, process::ExitCode};

#[derive(Args, Clone, Debug)]
pub(crate) struct BatchesArgs {
    #[command(flatten)]
    name: JobName,
    /// Begin with this batch; the first is 0
    #[arg(long, value_name = "BATCH", default_value_t = 0)]
    from: BatchSequence,
    /// List no more than this many batches
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    most: u32,
}

/// Why a job's batches are not listed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BatchesError {
    /// There is no such batch.
    #[error(
        "the job has {} so far, counted from 0; give a lower number with --from",
        counted_as(*settled, "batch", "batches")
    )]
    Behind { settled: u32 },
    /// The chain keeps each batch for good.
    #[error(
        "the node does not tell batch {batch}, which the job has; ask another node with --node"
    )]
    Missing { batch: BatchSequence },
}

/// A batch as the chain keeps it.
#[derive(Clone, Copy, Debug, Serialize)]
struct Row {
    batch: BatchSequence,
    #[serde(flatten)]
    record: BatchRecord,
}

/// A job's batches.
#[derive(Debug, Serialize)]
struct Listed {
    job: JobId,
    /// As of when.
    block: BlockNumber,
    /// The job's tasks.
    tasks: u32,
    /// Those of them that are settled.
    settled_tasks: u32,
    /// Batches that the job has.
    settled_batches: u32,
    /// Whether the batches' sums are what the chain says of the job; none if not all are listed.
    adds_up: Option<bool>,
    /// In their order.
    batches: Vec<Row>,
}

/// Lists the batches; fails if all are listed and do not add up to what the job says.
pub(super) async fn run(context: &Context, args: &BatchesArgs) -> anyhow::Result<ExitCode> {
    let job = context.job(&args.name.job)?;
    let state = context.chain().await?.at_finalised().await?;
    let known = state.job(job).await?;
    let known = known.ok_or(CoordinatorError::NoSuchJob { job })?;
    let asked = asked_for(args.from, args.most, known.next_batch)?;
    let batches = read(&state, job, asked).await?;
    let listed = Listed::new(job, state.block().number, &known, batches);
    context.show(&listed)?;
    Ok(match listed.adds_up {
        Some(false) => ExitCode::FAILURE,
        Some(true) | None => ExitCode::SUCCESS,
    })
}

/// The batches that are asked for, of so many that there are. Of a job that has none there are none
/// to be listed.
fn asked_for(
    from: BatchSequence,
    most: u32,
    settled: u32,
) -> Result<Range<BatchSequence>, BatchesError> {
    if from >= settled && from > 0 {
        return Err(BatchesError::Behind { settled });
    }
    Ok(from..settled.min(from.saturating_add(most)))
}

async fn read(state: &State, job: JobId, asked: Range<BatchSequence>) -> anyhow::Result<Vec<Row>> {
    let bar = count_bar("batches");
    bar.set_length(asked.len() as u64);
    let mut rows = Vec::new();
    for batch in asked {
        let record = state.batch(job, batch).await?;
        let record = record.ok_or(BatchesError::Missing { batch })?;
        rows.push(Row { batch, record });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows)
}

impl Listed {
    fn new(job: JobId, block: BlockNumber, known: &Job, batches: Vec<Row>) -> Self {
        let all = batches.len() == known.next_batch as usize;
        let adds_up = all.then(|| adds_up(&known.escrow, known.settled_tasks, &batches));
        Self {
            job,
            block,
            tasks: known.submission.tasks,
            settled_tasks: known.settled_tasks,
            settled_batches: known.next_batch,
            adds_up,
            batches,
        }
    }

    /// What came of comparing the sums, or why they were not compared.
    fn in_sum(&self) -> String {
        match (self.adds_up, self.batches.last()) {
            (Some(true), _) => {
                "✓ tasks, costs and pay add up to what the chain says of the job".into()
            }
            (Some(false), _) => {
                "✗ tasks, costs and pay DO NOT add up to what the chain says of the job".into()
            }
            (None, Some(last)) => format!(
                "{} of {} listed; for others use --from {} and --most",
                self.batches.len(),
                self.settled_batches,
                last.batch.saturating_add(1) % self.settled_batches.max(1)
            ),
            (None, None) => String::new(),
        }
    }
}

/// Whether all of a job's batches together, but for those that were struck, settled as many tasks as
/// the chain says that are settled, and whether those that are final cost and paid what left the
/// escrow, and the others cost what is set aside in it.
fn adds_up(escrow: &Escrow, settled_tasks: u32, batches: &[Row]) -> bool {
    let sum = |part: fn(&BatchRecord) -> Amount| {
        let mut parts = batches.iter().map(|row| part(&row.record));
        parts.try_fold(Amount::MIN, Amount::checked_add)
    };
    let spent = escrow.paid.checked_add(escrow.network);
    let stands = |batch: &BatchRecord| !matches!(batch.state, BatchState::Struck { .. });
    let settled = batches.iter().filter(|row| stands(&row.record));
    let settled = settled.fold(0u64, |sum, row| sum.saturating_add(row.record.tasks.into()));
    spent.is_some()
        && settled == u64::from(settled_tasks)
        && sum(|batch| if batch.is_final() { batch.paid } else { 0 }) == Some(escrow.paid)
        && sum(|batch| if batch.is_final() { batch.spent } else { 0 }) == spent
        && sum(|batch| match batch.state {
            BatchState::Pending { .. } => batch.spent,
            _ => 0,
        }) == Some(escrow.pending)
}

/// Where a batch stands, in a few words.
fn state_in_short(state: BatchState) -> String {
    match state {
        BatchState::Pending { due } => format!("due {due}"),
        BatchState::Final { .. } => "final".into(),
        BatchState::Struck { .. } => "struck".into(),
    }
}

impl Output for Listed {
    fn people(&self) -> String {
        let settled = format!(
            "{} of {}",
            grouped(self.settled_tasks),
            counted(self.tasks, "task")
        );
        let facts = fields(&[
            ("job", self.job.to_string()),
            ("settled", settled),
            ("batches", grouped(self.settled_batches)),
        ]);
        if self.batches.is_empty() {
            return facts;
        }
        let row = |Row { batch, record }: &Row| {
            vec![
                batch.to_string(),
                record.settled_at.to_string(),
                record.tasks.to_string(),
                display(record.spent),
                display(record.paid),
                state_in_short(record.state),
                record.verdicts_root.to_string(),
            ]
        };
        let rows: Vec<_> = self.batches.iter().map(row).collect();
        let head = [
            ">batch",
            ">block",
            ">tasks",
            ">cost",
            ">to workers",
            "paid",
            "root",
        ];
        format!("{facts}\n\n{}\n\n{}", table(&head, &rows), self.in_sum())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
