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
                Entry::Assigned { .. }
                | Entry::Released { .. }
                | Entry::Added { .. }
                | Entry::Undecided { .. } => {}
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
        let accepted = verdict
            .replicas
            .iter()
            .find(|found| found.finding == Finding::Accepted)?;
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
    pub(crate) fn output(
        &self,
        task: TaskIndex,
    ) -> Result<(ReplicaIndex, DeviceId, OutputPlace), ApiError> {
        let verdict = self
            .verdicts
            .get(&task)
            .ok_or(ApiError::NotDecided { task })?;
        let result = self
            .result(task, verdict)
            .ok_or(ApiError::NotDecided { task })?;
        let (_, output) = self
            .receipts
            .get(&(task, result.replica))
            .ok_or(ApiError::NotDecided { task })?;
        Ok((result.replica, result.device, *output))
    }

    /// The file that proves what a replica was found to be worth.
    pub(crate) fn receipt_file(
        &self,
        genesis: GenesisHash,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> Result<ReceiptFile, ApiError> {
        let verdict = self
            .verdicts
            .get(&task)
            .ok_or(ApiError::NotDecided { task })?;
        let (receipt, _) = self
            .receipts
            .get(&(task, replica))
            .ok_or(ApiError::NotDecided { task })?;
        let (batch, settled) = self
            .batches
            .iter()
            .find_map(|batch| {
                let tasks: Vec<_> = tasks::validate(&batch.tasks, u32::MAX)
                    .ok()?
                    .iter()
                    .collect();
                tasks.contains(&task).then_some((batch, tasks))
            })
            .ok_or(ApiError::NotSettled { task })?;
        let tree = Tree::new(
            settled
                .iter()
                .filter_map(|task| Some(self.verdicts.get(task)?.encode())),
        );
        let place = settled
            .iter()
            .position(|settled| *settled == task)
            .unwrap_or_default();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{
        Digest, JobId, ProgramHash,
        batch::LogRange,
        device::Class,
        ids::AccountId,
        payload::DeviceKey,
        receipt::{Exit, Receipt},
        verdict::ReplicaFinding,
    };

    const GENESIS: GenesisHash = GenesisHash([9; 32]);
    const JOB: JobId = JobId([1; 32]);

    fn receipt(task: TaskIndex, replica: ReplicaIndex) -> SignedReceipt {
        let key = DeviceKey::from_seed(&[replica + 1; 32]);
        let receipt = Receipt {
            job: JOB,
            task,
            replica,
            device: key.id(),
            program: ProgramHash([2; 32]),
            input_root: Digest([3; 32]),
            result_commitment: Digest([task as u8; 32]),
            output_root: Digest([replica; 32]),
            result_bytes: 5,
            fuel: 6,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: Digest([4; 32]),
            log_position: 0,
        };
        key.sign(receipt, &GENESIS)
    }

    fn reported(task: TaskIndex, replica: ReplicaIndex) -> Entry {
        let output = OutputPlace::Inline { bytes: 33 };
        Entry::Reported {
            receipt: receipt(task, replica),
            output,
        }
    }

    /// Replica 0 is wrong, replica 1 is right.
    fn verdict(task: TaskIndex) -> Verdict {
        let finding = |replica, finding| ReplicaFinding {
            replica,
            device: receipt(task, replica).payload.device,
            account: AccountId::new([replica; 32]),
            finding,
            receipt: None,
            pay: 0,
        };
        let answer = receipt(task, 1).payload.answer();
        let replicas = vec![
            finding(0, Finding::Incorrect),
            finding(1, Finding::Accepted),
        ];
        Verdict {
            job: JOB,
            task,
            answer,
            price: 10,
            replicas,
        }
    }

    fn batched(sequence: u32, settled: &[TaskIndex]) -> Entry {
        let leaves = settled.iter().map(|task| verdict(*task).encode());
        let batch = Batch {
            job: JOB,
            sequence,
            log: LogRange { first: 0, last: 1 },
            verdicts_root: Tree::new(leaves).root(),
            tasks: tasks::collect(settled.iter().copied()).unwrap(),
            spent: 0,
            payouts: vec![].try_into().unwrap(),
            devices: vec![].try_into().unwrap(),
        };
        Entry::Batched { batch }
    }

    /// Tasks 0 to 3 are reported; 0 to 2 are decided; 1 and 2 are settled, by the second batch.
    fn outcome() -> Outcome {
        let mut log: Vec<_> = (0..4)
            .flat_map(|task| [reported(task, 0), reported(task, 1)])
            .collect();
        log.extend((0..3).map(|task| Entry::Judged {
            verdict: verdict(task),
        }));
        log.push(batched(1, &[1, 2]));
        Outcome::of(log)
    }

    #[test]
    fn results_are_those_of_the_accepted_replica_of_decided_tasks() {
        let results = outcome().results(1, 10);
        assert_eq!(
            results.iter().map(|result| result.task).collect::<Vec<_>>(),
            [1, 2]
        );
        assert!(
            results
                .iter()
                .all(|result| result.replica == 1 && result.sealed_bytes == 33)
        );
        assert_eq!(outcome().results(0, 2).len(), 2);
    }

    #[test]
    fn nothing_is_told_of_a_task_before_it_is_decided() {
        let undecided = ApiError::NotDecided { task: 3 };
        assert_eq!(outcome().output(3).unwrap_err(), undecided);
        assert_eq!(
            outcome().receipt_file(GENESIS, 3, 0).unwrap_err(),
            undecided
        );
        assert!(outcome().results(3, 10).is_empty());
    }

    #[test]
    fn a_receipt_file_proves_its_verdict_under_the_root_of_its_batch() {
        for (task, replica) in [(1, 0), (1, 1), (2, 1)] {
            let file = outcome().receipt_file(GENESIS, task, replica).unwrap();
            assert_eq!((file.batch, &file.verdict), (1, &verdict(task)));
            assert_eq!(file.receipt, receipt(task, replica));
            assert!(
                file.proof
                    .holds(&file.verdicts_root, &file.verdict.encode())
            );
        }
    }

    #[test]
    fn a_decided_task_in_no_batch_has_no_receipt_file_yet() {
        let error = outcome().receipt_file(GENESIS, 0, 1).unwrap_err();
        assert_eq!(error, ApiError::NotSettled { task: 0 });
    }
}
