//! What was settled, as the receipts prove it against the batches on the chain.

use super::{
    flow::{Handed, known},
    insisting::insisting,
    watch::Acknowledged,
};
use anyhow::{Context as _, ensure};
use quern_end_to_end::Bench;
use quern_jobs_api::JobsApiClient as _;
use quern_ledger::{Chain, State};
use quern_owner::{
    ApiFailure, Coordinator, verify_agreement, verify_batch, verify_file, verify_price,
    verify_program, verify_standing,
};
use quern_primitives::{
    AccountId, Amount, DeviceId,
    ids::{BatchSequence, ReplicaId, TaskIndex},
    job::Job,
    verdict::ReceiptFile,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the settled verdicts of all jobs say.
#[derive(Default)]
pub(super) struct Settled {
    /// Who gets how much.
    pays: BTreeMap<AccountId, Amount>,
    /// The receipts that verdicts name: whose, and of what.
    receipts: BTreeSet<(DeviceId, ReplicaId)>,
}

/// Reads the verdicts of all jobs. Fails unless each is proved to be in a batch that the chain has settled,
/// each task is in one batch, and what each batch spends is the sum of its verdicts' prices.
pub(super) async fn of_all(chain: &Chain, jobs: &[Handed]) -> anyhow::Result<Settled> {
    let mut settled = Settled::default();
    for job in jobs {
        let id = job.folder.job();
        let of_job = settled.add(chain, job).await;
        of_job.with_context(|| format!("job {id}"))?;
    }
    Ok(settled)
}

/// What the verdicts of a batch come to.
#[derive(Default)]
struct Sum {
    tasks: u32,
    spent: Amount,
}

impl Settled {
    async fn add(&mut self, chain: &Chain, job: &Handed) -> anyhow::Result<()> {
        let state = chain.at_finalised().await?;
        let known = known(chain, job).await?;
        let files = insisting("fetching receipts", async || fetched(chain, job).await).await?;
        ensure!(
            files.keys().copied().eq(0..job.tasks()),
            "other tasks are settled: {:?}",
            files.keys()
        );
        let mut batches: BTreeMap<BatchSequence, Sum> = BTreeMap::new();
        let mut paid: Amount = 0;
        for (task, files) in &files {
            let first = files.first().with_context(|| format!("task {task}"))?;
            let verdict = &first.verdict;
            for file in files {
                let (one, other) = ((&file.verdict, file.batch), (verdict, first.batch));
                ensure!(one == other, "task {task} has two verdicts");
                holds(&state, &known, file)
                    .await
                    .with_context(|| format!("task {task}"))?;
                let receipt = &file.receipt.payload;
                let id = ReplicaId {
                    job: receipt.job,
                    task: receipt.task,
                    replica: receipt.replica,
                };
                self.receipts.insert((receipt.device, id));
            }
            let batch = batches.entry(first.batch).or_default();
            batch.tasks += 1;
            batch.spent += verdict.price;
            for found in &verdict.replicas {
                paid += found.pay;
                *self.pays.entry(found.account.clone()).or_default() += found.pay;
            }
        }
        ensure!(
            batches.keys().copied().eq(0..known.next_batch),
            "the chain has {} batches, and receipts are of {:?}",
            known.next_batch,
            batches.keys()
        );
        for (sequence, sum) in batches {
            let record = state.batch(job.folder.job(), sequence).await?;
            let record = record.with_context(|| format!("batch {sequence}"))?;
            ensure!(
                (record.tasks, record.spent) == (sum.tasks, sum.spent) && record.is_final(),
                "batch {sequence} is another one: {record:?}"
            );
        }
        ensure!(
            paid == known.escrow.paid,
            "the verdicts pay {paid}, and the chain paid {}",
            known.escrow.paid
        );
        Ok(())
    }

    /// Fails unless every answer of which its worker was told that it is kept has a receipt in a batch.
    pub(super) fn has_all(
        &self,
        bench: &Bench,
        acknowledged: &BTreeSet<Acknowledged>,
    ) -> anyhow::Result<()> {
        ensure!(!acknowledged.is_empty(), "nothing was acknowledged");
        for Acknowledged { worker, id } in acknowledged {
            let worker = bench.grid.workers.get(*worker);
            let worker = worker.context("there is no such worker")?;
            ensure!(
                self.receipts.contains(&(worker.device, *id)),
                "{id:?} was acknowledged to {} and is in no batch",
                worker.part.name()
            );
        }
        Ok(())
    }

    /// Fails unless each worker's account has what it had, and what the verdicts say.
    pub(super) async fn paid_exactly(
        &self,
        bench: &Bench,
        before: &[Amount],
    ) -> anyhow::Result<()> {
        let after = bench.workers_money().await?;
        for (worker, (before, after)) in bench.grid.workers.iter().zip(before.iter().zip(&after)) {
            let pay = self.pays.get(&worker.account).copied().unwrap_or(0);
            ensure!(
                before.checked_add(pay) == Some(*after),
                "{} had {before}, earned {pay}, and has {after}",
                worker.part.name()
            );
        }
        let known: BTreeSet<_> = bench.grid.workers.iter().map(|it| &it.account).collect();
        let others = self
            .pays
            .iter()
            .find(|(account, _)| !known.contains(account));
        ensure!(others.is_none(), "somebody else is paid: {others:?}");
        Ok(())
    }
}

/// The receipts of a job by task.
async fn fetched(
    chain: &Chain,
    job: &Handed,
) -> anyhow::Result<BTreeMap<TaskIndex, Vec<ReceiptFile>>> {
    let id = job.folder.job();
    let coordinator = Coordinator::of(chain, id).await?;
    let (client, mut files) = (coordinator.client(), BTreeMap::new());
    let mut next = 0;
    loop {
        let page = client.receipts(id, next).await.map_err(ApiFailure::from)?;
        let Some(last) = page.last() else {
            return Ok(files);
        };
        next = last.task + 1;
        for settled in page {
            let mut of_task = Vec::new();
            for replica in settled.replicas {
                let file = client.receipt(id, settled.task, replica).await;
                of_task.push(file.map_err(ApiFailure::from)?);
            }
            let before = files.insert(settled.task, of_task);
            ensure!(before.is_none(), "task {} is told twice", settled.task);
        }
    }
}

/// Fails unless all that can be checked of a receipt holds.
async fn holds(state: &State, job: &Job, file: &ReceiptFile) -> anyhow::Result<()> {
    let batch = state.batch(file.receipt.payload.job, file.batch).await?;
    let mut checks = verify_file(file);
    checks.extend([
        verify_batch(file, batch.as_ref()),
        verify_standing(batch.as_ref()),
        verify_agreement(file, Some(job)),
        verify_program(file, Some(job)),
        verify_price(file, Some(job)),
    ]);
    for check in checks {
        let replica = file.receipt.payload.replica;
        let words = check.check.words();
        ensure!(
            check.holds,
            "of replica {replica} it does not hold that {words}"
        );
    }
    Ok(())
}
