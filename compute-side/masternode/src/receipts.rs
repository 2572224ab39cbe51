//! Receipt files and results, found in a job's log.
//!
//! The log is read once, and then only what was added to it; what stays in memory is where each
//! thing stands. So a result of many pieces costs as many reads as it has pieces.

use crate::core::{Entry, OutputPlace, REFEREE_REPLICA};
use codec::Encode;
use quern_job_rules::tasks;
use quern_jobs_api::{ApiError, TaskReceipts, TaskResult};
use quern_primitives::{
    Digest, GenesisHash, JobId, TaskIndex,
    batch::Batch,
    ids::{BatchSequence, ReplicaIndex},
    merkle::Tree,
    receipt::{Exit, SignedReceipt},
    verdict::{Finding, ReceiptFile, Verdict},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Jobs whose places are kept: those asked for last. A job of the most tasks, each with three
/// replicas, takes about 6.5 MB.
const OUTCOMES_MAX: usize = 8;

/// Entries read from a log at a time.
const ENTRIES_AT_ONCE: usize = 4_096;

/// A place in a job's log.
type Position = u32;

/// A job's log.
pub(crate) trait Log {
    /// The entry at a place.
    fn entry(&self, at: Position) -> Result<Option<Entry>, ApiError>;

    /// The entries from a place on, in order, at most `most`.
    fn entries(&self, from: Position, most: usize) -> Result<Vec<Entry>, ApiError>;
}

/// Where a job's log says what of its results.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The first place that was not read.
    unread: Position,
    verdicts: BTreeMap<TaskIndex, Position>,
    /// The first task of which it was accepted that the program fails, with which the job ends.
    failing: Option<TaskIndex>,
    /// The tasks that have a result, in the order in which they were decided.
    decided: Vec<TaskIndex>,
    receipts: BTreeMap<(TaskIndex, ReplicaIndex), Position>,
    /// Tasks that were computed here.
    refereed: BTreeMap<TaskIndex, Position>,
    /// The batch that each task is settled with.
    batches: BTreeMap<TaskIndex, Position>,
    /// The batch that was last asked for.
    last_batch: Option<Proofs>,
}

/// What proves the verdicts of a batch.
struct Proofs {
    at: Position,
    sequence: BatchSequence,
    verdicts_root: Digest,
    tasks: Vec<TaskIndex>,
    tree: Tree,
}

impl Outcome {
    /// Takes in what was added to the log.
    pub(crate) fn catch_up(&mut self, log: &impl Log) -> Result<(), ApiError> {
        loop {
            let entries = log.entries(self.unread, ENTRIES_AT_ONCE)?;
            for entry in &entries {
                self.note(entry);
            }
            if entries.len() < ENTRIES_AT_ONCE {
                return Ok(());
            }
        }
    }

    fn note(&mut self, entry: &Entry) {
        let at = self.unread;
        self.unread += 1;
        match entry {
            Entry::Reported { receipt, .. } => {
                let receipt = &receipt.payload;
                self.receipts.insert((receipt.task, receipt.replica), at);
            }
            Entry::Judged { verdict } => {
                let is_first = self.verdicts.insert(verdict.task, at).is_none();
                match verdict.answer.exit {
                    Exit::Success if is_first => self.decided.push(verdict.task),
                    Exit::Success => {}
                    _ => {
                        self.failing.get_or_insert(verdict.task);
                    }
                }
            }
            Entry::Batched { batch } => {
                for task in tasks_of(batch) {
                    self.batches.insert(task, at);
                }
            }
            Entry::Refereed { task, .. } => {
                self.refereed.insert(*task, at);
            }
            Entry::Assigned { .. }
            | Entry::Trusted { .. }
            | Entry::Unrefereed { .. }
            | Entry::Contradicted { .. }
            | Entry::Released { .. }
            | Entry::Added { .. }
            | Entry::Undecided { .. }
            | Entry::Unopened { .. } => {}
        }
    }

    /// The results of decided tasks in the order in which they were decided, from the one at `first`
    /// on, counted from 0, at most `most`. It is the order of the log, so it never changes.
    pub(crate) fn results(
        &self,
        log: &impl Log,
        first: u32,
        most: usize,
    ) -> Result<Vec<TaskResult>, ApiError> {
        let decided = self.decided.iter().skip(first as usize).take(most);
        decided.map(|task| Ok(self.result(log, *task)?.0)).collect()
    }

    /// The replica that stands for a task, the first whose answer was accepted, and where its sealed
    /// result is. Where no device gave the accepted answer it is the referee's. A task that has no
    /// verdict gets none once the program fails at another one, so it is told at which.
    pub(crate) fn result(
        &self,
        log: &impl Log,
        task: TaskIndex,
    ) -> Result<(TaskResult, OutputPlace), ApiError> {
        let verdict = match (self.verdict(log, task), self.failing) {
            (Err(ApiError::NotDecided { .. }), Some(task)) => {
                return Err(ApiError::ProgramFailed { task });
            }
            (verdict, _) => verdict?,
        };
        if verdict.answer.exit != Exit::Success {
            return Err(ApiError::ProgramFailed { task });
        }
        let accepted = verdict
            .replicas
            .iter()
            .find(|found| found.finding == Finding::Accepted);
        let Some(accepted) = accepted else {
            return self.refereed(log, &verdict);
        };
        let (receipt, output) = self.receipt(log, task, accepted.replica)?;
        let result = TaskResult {
            task,
            replica: accepted.replica,
            device: accepted.device,
            result_bytes: receipt.payload.result_bytes,
            sealed_bytes: output.bytes(),
            output_root: receipt.payload.output_root,
            result_commitment: receipt.payload.result_commitment,
        };
        Ok((result, output))
    }

    /// The result that the referee sealed.
    fn refereed(
        &self,
        log: &impl Log,
        verdict: &Verdict,
    ) -> Result<(TaskResult, OutputPlace), ApiError> {
        let task = verdict.task;
        let at = self.refereed.get(&task);
        match at.map(|at| log.entry(*at)).transpose()?.flatten() {
            Some(Entry::Refereed {
                answer,
                referee,
                output_root,
                output,
                ..
            }) if answer == verdict.answer => {
                let result = TaskResult {
                    task,
                    replica: REFEREE_REPLICA,
                    device: referee,
                    result_bytes: answer.result_bytes,
                    sealed_bytes: output.bytes(),
                    output_root,
                    result_commitment: answer.result_commitment,
                };
                Ok((result, output))
            }
            _ => Err(ApiError::NotDecided { task }),
        }
    }

    /// A task's verdict, and the batch that it is in, if it is in one.
    pub(crate) fn decision(
        &self,
        log: &impl Log,
        task: TaskIndex,
    ) -> Result<(Verdict, Option<BatchSequence>), ApiError> {
        let verdict = self.verdict(log, task)?;
        let at = self.batches.get(&task);
        let batch = match at.map(|at| log.entry(*at)).transpose()?.flatten() {
            Some(Entry::Batched { batch }) => Some(batch.sequence),
            _ => None,
        };
        Ok((verdict, batch))
    }

    /// The replicas that have a receipt, of settled tasks from `first` on, at most `most` tasks.
    pub(crate) fn receipts(
        &self,
        log: &impl Log,
        first: TaskIndex,
        most: usize,
    ) -> Result<Vec<TaskReceipts>, ApiError> {
        let settled = self.batches.range(first..).take(most);
        settled
            .map(|(task, _)| {
                let verdict = self.verdict(log, *task)?;
                let named = verdict.replicas.iter();
                let replicas = named
                    .filter(|found| found.receipt.is_some())
                    .map(|found| found.replica)
                    .collect();
                Ok(TaskReceipts {
                    task: *task,
                    replicas,
                })
            })
            .collect()
    }

    /// The file that proves what a replica was found to be worth.
    pub(crate) fn receipt_file(
        &mut self,
        log: &impl Log,
        genesis: GenesisHash,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> Result<ReceiptFile, ApiError> {
        let verdict = self.verdict(log, task)?;
        let (receipt, _) = self.receipt(log, task, replica)?;
        let not_settled = ApiError::NotSettled { task };
        let at = *self.batches.get(&task).ok_or(not_settled.clone())?;
        if self.last_batch.as_ref().is_none_or(|last| last.at != at) {
            self.last_batch = Some(self.proofs(log, at, &not_settled)?);
        }
        let batch = self.last_batch.as_ref().ok_or(not_settled.clone())?;
        let place = batch.tasks.binary_search(&task).ok();
        let proof = place
            .and_then(|place| batch.tree.proof(u32::try_from(place).ok()?))
            .ok_or(not_settled)?;
        Ok(ReceiptFile {
            genesis,
            receipt,
            verdict,
            batch: batch.sequence,
            verdicts_root: batch.verdicts_root,
            proof,
        })
    }

    fn proofs(
        &self,
        log: &impl Log,
        at: Position,
        not_settled: &ApiError,
    ) -> Result<Proofs, ApiError> {
        let Some(Entry::Batched { batch }) = log.entry(at)? else {
            return Err(not_settled.clone());
        };
        let tasks = tasks_of(&batch);
        let verdicts = tasks
            .iter()
            .map(|task| Ok(self.verdict(log, *task)?.encode()))
            .collect::<Result<Vec<_>, ApiError>>()?;
        Ok(Proofs {
            at,
            sequence: batch.sequence,
            verdicts_root: batch.verdicts_root,
            tasks,
            tree: Tree::new(verdicts),
        })
    }

    fn verdict(&self, log: &impl Log, task: TaskIndex) -> Result<Verdict, ApiError> {
        let at = self.verdicts.get(&task);
        match at.map(|at| log.entry(*at)).transpose()?.flatten() {
            Some(Entry::Judged { verdict }) => Ok(verdict),
            _ => Err(ApiError::NotDecided { task }),
        }
    }

    fn receipt(
        &self,
        log: &impl Log,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> Result<(SignedReceipt, OutputPlace), ApiError> {
        let at = self.receipts.get(&(task, replica));
        match at.map(|at| log.entry(*at)).transpose()?.flatten() {
            Some(Entry::Reported { receipt, output }) => Ok((receipt, output)),
            _ => Err(ApiError::NotDecided { task }),
        }
    }
}

/// The tasks of a batch, ascending; the masternode composed it, so it is valid.
fn tasks_of(batch: &Batch) -> Vec<TaskIndex> {
    tasks::validate(&batch.tasks, u32::MAX)
        .map(|tasks| tasks.iter().collect())
        .unwrap_or_default()
}

/// The outcomes of the jobs that were asked for last.
#[derive(Default)]
pub(crate) struct Outcomes(Mutex<VecDeque<(JobId, Arc<Mutex<Outcome>>)>>);

impl Outcomes {
    /// Answers from a job's outcome, with all that its log has by now.
    pub(crate) fn ask<L: Log, T>(
        &self,
        job: JobId,
        log: &L,
        question: impl FnOnce(&mut Outcome, &L) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let outcome = self.of(job);
        // A panic while the lock was held leaves places that are still right.
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.catch_up(log)?;
        question(&mut outcome, log)
    }

    fn of(&self, job: JobId) -> Arc<Mutex<Outcome>> {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = outcomes.iter().position(|(known, _)| *known == job);
        let outcome = known
            .and_then(|at| outcomes.remove(at))
            .map_or_else(Arc::default, |(_, outcome)| outcome);
        outcomes.push_front((job, outcome.clone()));
        outcomes.truncate(OUTCOMES_MAX);
        outcome
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{
        ProgramHash,
        batch::LogRange,
        device::Class,
        ids::AccountId,
        payload::DeviceKey,
        receipt::Receipt,
        verdict::{Ground, ReplicaFinding},
    };
    use std::cell::Cell;

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

    /// Replica 0 is wrong, replica 1 is right, replica 2 was late.
    fn verdict(task: TaskIndex) -> Verdict {
        let finding = |replica, finding| ReplicaFinding {
            replica,
            device: receipt(task, replica).payload.device,
            account: AccountId::new([replica; 32]),
            finding,
            receipt: (finding != Finding::Delayed).then_some(Digest([5; 32])),
            pay: 0,
        };
        let answer = receipt(task, 1).payload.answer();
        let replicas = vec![
            finding(0, Finding::Incorrect),
            finding(1, Finding::Accepted),
            finding(2, Finding::Delayed),
        ];
        Verdict {
            job: JOB,
            task,
            answer,
            ground: Ground::Majority,
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

    /// A log that counts how many of its entries were read.
    struct Counted {
        entries: Vec<Entry>,
        read: Cell<usize>,
    }

    impl Log for Counted {
        fn entry(&self, at: Position) -> Result<Option<Entry>, ApiError> {
            self.read.set(self.read.get() + 1);
            Ok(self.entries.get(at as usize).cloned())
        }

        fn entries(&self, from: Position, most: usize) -> Result<Vec<Entry>, ApiError> {
            let rest = self.entries.iter().skip(from as usize).take(most);
            let entries: Vec<_> = rest.cloned().collect();
            self.read.set(self.read.get() + entries.len());
            Ok(entries)
        }
    }

    fn counted(entries: Vec<Entry>) -> Counted {
        let read = Cell::new(0);
        Counted { entries, read }
    }

    /// Tasks 0 to 3 are reported; 0 to 2 are decided; 1 and 2 are settled, by the second batch.
    fn outcome() -> (Outcome, Counted) {
        let mut log: Vec<_> = (0..4)
            .flat_map(|task| [reported(task, 0), reported(task, 1)])
            .collect();
        log.extend((0..3).map(|task| Entry::Judged {
            verdict: verdict(task),
        }));
        log.push(batched(1, &[1, 2]));
        let log = counted(log);
        let mut outcome = Outcome::default();
        outcome.catch_up(&log).unwrap();
        (outcome, log)
    }

    #[test]
    fn results_are_those_of_the_accepted_replica_of_decided_tasks() {
        let (outcome, log) = outcome();
        let results = outcome.results(&log, 1, 10).unwrap();
        assert_eq!(
            results.iter().map(|result| result.task).collect::<Vec<_>>(),
            [1, 2]
        );
        assert!(
            results
                .iter()
                .all(|result| result.replica == 1 && result.sealed_bytes == 33)
        );
        assert_eq!(outcome.results(&log, 0, 2).unwrap().len(), 2);
    }

    #[test]
    fn results_are_told_in_the_order_of_their_verdicts_and_a_failed_program_has_none() {
        let judged = |task, exit| {
            let mut verdict = verdict(task);
            verdict.answer.exit = exit;
            Entry::Judged { verdict }
        };
        let mut entries: Vec<_> = [5, 0, 3].map(|task| reported(task, 1)).into();
        entries.push(judged(5, Exit::Success));
        let (mut outcome, mut log) = (Outcome::default(), counted(entries));
        let told = |outcome: &Outcome, log: &Counted, first| {
            let results = outcome.results(log, first, 10).unwrap();
            let tasks = results.iter().map(|result| result.task);
            tasks.collect::<Vec<_>>()
        };
        outcome.catch_up(&log).unwrap();
        assert_eq!(told(&outcome, &log, 0), [5]);
        log.entries
            .extend([judged(3, Exit::Trap), judged(0, Exit::Success)]);
        outcome.catch_up(&log).unwrap();
        assert_eq!(told(&outcome, &log, 0), [5, 0]);
        assert_eq!(told(&outcome, &log, 1), [0], "the rest, once 1 is known");
        assert!(told(&outcome, &log, 2).is_empty());
    }

    #[test]
    fn once_the_program_fails_at_a_task_those_that_were_not_decided_are_told_so() {
        let mut fails = verdict(1);
        fails.answer.exit = Exit::Trap;
        let judged = |verdict| Entry::Judged { verdict };
        let entries = vec![reported(2, 1), judged(verdict(2)), reported(1, 1)];
        let (mut outcome, mut log) = (Outcome::default(), counted(entries));
        outcome.catch_up(&log).unwrap();
        let undecided = ApiError::NotDecided { task: 0 };
        assert_eq!(outcome.result(&log, 0).unwrap_err(), undecided);
        log.entries.push(judged(fails));
        outcome.catch_up(&log).unwrap();
        // The first task was never decided, and never will be: the job ended with the second.
        let failed = ApiError::ProgramFailed { task: 1 };
        for task in [0, 1, 3] {
            assert_eq!(outcome.result(&log, task).unwrap_err(), failed, "{task}");
        }
        assert_eq!(outcome.result(&log, 2).unwrap().0.task, 2);
        let receipts = outcome.receipt_file(&log, GENESIS, 0, 0);
        assert_eq!(receipts.unwrap_err(), undecided);
    }

    #[test]
    fn where_no_device_gave_the_answer_the_referee_s_result_stands() {
        let referee = quern_primitives::DeviceId([7; 32]);
        let mut judged = verdict(4);
        judged.ground = Ground::Referee;
        judged.answer.result_commitment = Digest([88; 32]);
        let found = judged.replicas.iter_mut();
        found.for_each(|found| found.finding = Finding::Incorrect);
        let refereed = |commitment| Entry::Refereed {
            task: 4,
            answer: quern_primitives::receipt::Answer {
                result_commitment: Digest(commitment),
                ..judged.answer
            },
            referee,
            output_root: Digest([6; 32]),
            output: OutputPlace::File { bytes: 44 },
        };
        let told = |commitment| {
            let entries = vec![
                reported(4, 0),
                reported(4, 1),
                refereed(commitment),
                Entry::Judged {
                    verdict: judged.clone(),
                },
            ];
            let (mut outcome, log) = (Outcome::default(), counted(entries));
            outcome.catch_up(&log).unwrap();
            outcome.result(&log, 4)
        };
        let (result, output) = told([88; 32]).unwrap();
        assert_eq!((result.replica, result.device), (REFEREE_REPLICA, referee));
        assert_eq!((result.sealed_bytes, output.bytes()), (44, 44));
        assert_eq!(result.output_root, Digest([6; 32]));
        assert_eq!(result.result_commitment, judged.answer.result_commitment);
        let other = told([1; 32]).unwrap_err();
        assert_eq!(other, ApiError::NotDecided { task: 4 });
    }

    #[test]
    fn nothing_is_told_of_a_task_before_it_is_decided() {
        let (mut outcome, log) = outcome();
        let undecided = ApiError::NotDecided { task: 3 };
        assert_eq!(outcome.result(&log, 3).unwrap_err(), undecided);
        let file = outcome.receipt_file(&log, GENESIS, 3, 0);
        assert_eq!(file.unwrap_err(), undecided);
        assert_eq!(outcome.results(&log, 3, 10), Ok(vec![]));
    }

    #[test]
    fn a_receipt_file_proves_its_verdict_under_the_root_of_its_batch() {
        let (mut outcome, log) = outcome();
        for (task, replica) in [(1, 0), (1, 1), (2, 1)] {
            let file = outcome.receipt_file(&log, GENESIS, task, replica).unwrap();
            assert_eq!((file.batch, &file.verdict), (1, &verdict(task)));
            assert_eq!(file.receipt, receipt(task, replica));
            assert!(
                file.proof
                    .holds(&file.verdicts_root, &file.verdict.encode())
            );
        }
    }

    #[test]
    fn a_decision_names_its_batch_once_it_is_in_one() {
        let (outcome, log) = outcome();
        assert_eq!(outcome.decision(&log, 0), Ok((verdict(0), None)));
        assert_eq!(outcome.decision(&log, 2), Ok((verdict(2), Some(1))));
        let undecided = ApiError::NotDecided { task: 3 };
        assert_eq!(outcome.decision(&log, 3), Err(undecided));
    }

    #[test]
    fn the_receipts_are_those_of_settled_tasks_and_of_who_answered() {
        let (outcome, log) = outcome();
        let answered = |task| TaskReceipts {
            task,
            replicas: vec![0, 1],
        };
        let receipts = |first, most| outcome.receipts(&log, first, most);
        assert_eq!(receipts(0, 10), Ok(vec![answered(1), answered(2)]));
        assert_eq!(receipts(2, 10), Ok(vec![answered(2)]));
        assert_eq!(receipts(0, 1), Ok(vec![answered(1)]));
        assert_eq!(receipts(3, 10), Ok(vec![]));
    }

    #[test]
    fn a_decided_task_in_no_batch_has_no_receipt_file_yet() {
        let (mut outcome, log) = outcome();
        let error = outcome.receipt_file(&log, GENESIS, 0, 1).unwrap_err();
        assert_eq!(error, ApiError::NotSettled { task: 0 });
    }

    /// A log in which so many tasks are reported, decided and settled, 100 to a batch.
    fn long_log(tasks: u32) -> Counted {
        let mut entries = Vec::new();
        for first in (0..tasks).step_by(100) {
            let batch: Vec<_> = (first..first + 100).collect();
            for task in &batch {
                let verdict = verdict(*task);
                entries.extend([reported(*task, 0), reported(*task, 1)]);
                entries.push(Entry::Judged { verdict });
            }
            entries.push(batched(first / 100, &batch));
        }
        counted(entries)
    }

    #[test]
    fn a_job_of_twice_the_tasks_costs_twice_the_reads_to_download() {
        let reads = [300, 600].map(|tasks| {
            let (outcomes, log) = (Outcomes::default(), long_log(tasks));
            for task in 0..tasks {
                let ask = |outcome: &mut Outcome, log: &Counted| {
                    outcome.result(log, task)?;
                    outcome.receipt_file(log, GENESIS, task, 1)
                };
                let file = outcomes.ask(JOB, &log, ask).unwrap();
                assert!(
                    file.proof
                        .holds(&file.verdicts_root, &file.verdict.encode())
                );
            }
            log.read.get()
        });
        assert_eq!(reads[1], 2 * reads[0]);
        assert!(reads[0] < 300 * 10, "{} reads", reads[0]);
    }

    #[test]
    fn what_is_added_to_a_log_is_found_without_reading_it_again() {
        let (outcomes, mut log) = (Outcomes::default(), long_log(100));
        let ask =
            |log: &Counted, task| outcomes.ask(JOB, log, |outcome, log| outcome.result(log, task));
        assert_eq!(
            ask(&log, 100).unwrap_err(),
            ApiError::NotDecided { task: 100 }
        );
        log.read.set(0);
        let verdict = verdict(100);
        log.entries
            .extend([reported(100, 1), Entry::Judged { verdict }]);
        assert_eq!(ask(&log, 100).unwrap().0.task, 100);
        assert_eq!(
            log.read.get(),
            4,
            "two entries are new, and read once more for the answer"
        );
    }

    #[test]
    fn no_more_jobs_are_kept_in_memory_than_the_limit() {
        let (outcomes, log) = (Outcomes::default(), long_log(100));
        for job in 0..2 * OUTCOMES_MAX as u8 {
            let task = 7;
            let result = outcomes.ask(JobId([job; 32]), &log, |outcome, log| {
                outcome.result(log, task)
            });
            assert_eq!(result.unwrap().0.task, task);
        }
        assert_eq!(outcomes.0.lock().unwrap().len(), OUTCOMES_MAX);
    }
}
