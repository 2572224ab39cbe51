//! Receipt files and results, from a job's log.

use crate::core::{Entry, OutputPlace};
use codec::Encode;
use quern_job_rules::tasks;
use quern_jobs_api::{ApiError, TaskResult};
use quern_primitives::{
    DeviceId, GenesisHash, TaskIndex,
    batch::Batch,
    ids::ReplicaIndex,
    merkle::Tree,
    receipt::SignedReceipt,
    verdict::{Finding, ReceiptFile, Verdict},
};
use std::collections::BTreeMap;

/// What a job's log says of its results.
#[derive(Default)]
pub(crate) struct Outcome {
    verdicts: BTreeMap<TaskIndex, Verdict>,
    receipts: BTreeMap<(TaskIndex, ReplicaIndex), (SignedReceipt, OutputPlace)>,
    batches: Vec<Batch>,
}

impl Outcome {
    pub(crate) fn of(log: Vec<Entry>) -> Self {
        let mut outcome = Self::default();
        for entry in log {
            match entry {
                Entry::Reported { receipt, output } => {
                    let key = (receipt.payload.task, receipt.payload.replica);
                    outcome.receipts.insert(key, (receipt, output));
                }
                Entry::Judged { verdict } => drop(outcome.verdicts.insert(verdict.task, verdict)),
                Entry::Batched { batch } => outcome.batches.push(batch),
                Entry::Assigned { .. } | Entry::Released { .. } | Entry::Added { .. } => {}
            }
        }
        outcome
    }

    /// The results of decided tasks from `first` on, at most `most`.
    pub(crate) fn results(&self, first: TaskIndex, most: usize) -> Vec<TaskResult> {
        self.verdicts
            .range(first..)
            .filter_map(|(task, verdict)| self.result(*task, verdict))
            .take(most)
            .collect()
    }

    /// The replica that stands for a task: the first whose answer was accepted.
    fn result(&self, task: TaskIndex, verdict: &Verdict) -> Option<TaskResult> {
        let accepted = verdict.replicas.iter().find(|found| found.finding == Finding::Accepted)?;
        let (receipt, output) = self.receipts.get(&(task, accepted.replica))?;
        Some(TaskResult {
            task,
            replica: accepted.replica,
            device: accepted.device,
            result_bytes: receipt.payload.result_bytes,
            sealed_bytes: output.bytes(),
            output_root: receipt.payload.output_root,
            result_commitment: receipt.payload.result_commitment,
        })
    }

    /// Where the sealed result of a task is.
    pub(crate) fn output(&self, task: TaskIndex) -> Result<(ReplicaIndex, DeviceId, OutputPlace), ApiError> {
        let verdict = self.verdicts.get(&task).ok_or(ApiError::NotDecided { task })?;
        let result = self.result(task, verdict).ok_or(ApiError::NotDecided { task })?;
        let (_, output) =
            self.receipts.get(&(task, result.replica)).ok_or(ApiError::NotDecided { task })?;
        Ok((result.replica, result.device, *output))
    }

    /// The file that proves what a replica was found to be worth.
    pub(crate) fn receipt_file(
        &self,
        genesis: GenesisHash,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> Result<ReceiptFile, ApiError> {
        let verdict = self.verdicts.get(&task).ok_or(ApiError::NotDecided { task })?;
        let (receipt, _) =
            self.receipts.get(&(task, replica)).ok_or(ApiError::NotDecided { task })?;
        let (batch, settled) = self
            .batches
            .iter()
            .find_map(|batch| {
                let tasks: Vec<_> = tasks::validate(&batch.tasks, u32::MAX).ok()?.iter().collect();
                tasks.contains(&task).then_some((batch, tasks))
            })
            .ok_or(ApiError::NotSettled { task })?;
        let tree = Tree::new(settled.iter().filter_map(|task| Some(self.verdicts.get(task)?.encode())));
        let place = settled.iter().position(|settled| *settled == task).unwrap_or_default();
        let proof = tree
            .proof(u32::try_from(place).unwrap_or(u32::MAX))
            .ok_or(ApiError::NotSettled { task })?;
        Ok(ReceiptFile {
            genesis,
            receipt: receipt.clone(),
            verdict: verdict.clone(),
            batch: batch.sequence,
            verdicts_root: batch.verdicts_root,
            proof,
        })
    }
}
