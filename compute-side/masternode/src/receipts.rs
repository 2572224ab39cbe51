//! Receipt files and results, found in a job's log; and how much of the log is told.
//!
//! The log is read once, and then only what was added to it; what stays in memory is where each
//! thing stands. So a result of many pieces costs as many reads as it has pieces.
//!
//! Anybody may have the log. But who computes a task must not read what others have answered to it, nor
//! whether it is believed alone. So a block is told only when every task of which it says something has its
//! verdict, or the job is over.

mod corrections;
mod shown;

use crate::core::{Entry, Note, Noted, OutputPlace, REFEREE_REPLICA, name_of};
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
/// replicas, takes about 8 MB.
const OUTCOMES_MAX: usize = 8;

/// A place in a job's log: a block, and where in its bytes an entry begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The block's index.
    pub(crate) block: u32,
    /// The entry's first byte.
    pub(crate) byte: u32,
}

/// A job's log, and the notes beside it.
pub(crate) trait Log {
    /// The entry at a place.
    fn entry(&self, at: Position) -> Result<Option<Entry>, ApiError>;

    /// The entries of a block, in order, each with its place; none if there is no such block yet.
    fn block(&self, index: u32) -> Result<Option<Vec<(Position, Entry)>>, ApiError>;

    /// The notes from the one with this number on.
    fn notes(&self, from: u64) -> Result<Vec<Noted>, ApiError>;

    /// The note with this number, if there is one.
    fn note(&self, number: u64) -> Result<Option<Note>, ApiError>;
}

/// Where a job's log says what of its results.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The first block that was not read.
    unread: u32,
    /// The first note that was not read.
    unread_note: u64,
    /// Tasks of which something is said and that have no verdict, with the block that says it first.
    open: BTreeMap<TaskIndex, u32>,
    verdicts: BTreeMap<TaskIndex, Position>,
    /// The first task of which it was accepted that the program fails, with which the job ends.
    failing: Option<TaskIndex>,
    /// The tasks that have a result, in the order in which they were decided.
    decided: Vec<TaskIndex>,
    receipts: BTreeMap<(TaskIndex, ReplicaIndex), Position>,
    /// Tasks that were computed here.
    refereed: BTreeMap<TaskIndex, Position>,
    /// Where the result of each is.
    sealed: BTreeMap<TaskIndex, (Digest, OutputPlace)>,
    /// The numbers of the notes that say that an accepted answer is wrong, in order.
    contradicted: Vec<u64>,
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
        while let Some(entries) = log.block(self.unread)? {
            for (at, entry) in &entries {
                self.note(*at, entry);
                self.open_or_close(entry);
            }
            self.unread += 1;
        }
        for noted in log.notes(self.unread_note)? {
            self.unread_note += 1;
            match noted.note {
                Note::Sealed {
                    task,
                    output_root,
                    output,
                } => {
                    self.sealed.insert(task, (output_root, output));
                }
                Note::Contradicted { .. } => self.contradicted.push(noted.number),
                Note::Trusted { .. } | Note::Unrefereed { .. } => {}
            }
        }
        Ok(())
    }

    /// How many blocks may be told to anybody; all of them of a job that is over.
    pub(crate) fn told(&self, is_over: bool) -> u64 {
        let open = self.open.values().min().filter(|_| !is_over);
        open.copied().unwrap_or(self.unread).into()
    }

    /// Takes note of which tasks have no verdict.
    fn open_or_close(&mut self, entry: &Entry) {
        match entry {
            Entry::Judged { verdict } => drop(self.open.remove(&verdict.task)),
            // Nobody is heard any more.
            Entry::Ended { .. } => self.open.clear(),
            _ => {
                if let Some(task) = entry.task() {
                    self.open.entry(task).or_insert(self.unread);
                }
            }
        }
    }

    fn note(&mut self, at: Position, entry: &Entry) {
        match entry {
            Entry::Revealed { receipt, .. } => {
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
            Entry::Opened { .. }
            | Entry::Queued { .. }
            | Entry::Assigned { .. }
            | Entry::Committed { .. }
            | Entry::Released { .. }
            | Entry::Added { .. }
            | Entry::Ended { .. } => {}
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
        let truth = match at.map(|at| log.entry(*at)).transpose()?.flatten() {
            Some(Entry::Refereed { word, .. }) => word.truth(),
            _ => None,
        };
        match (truth, self.sealed.get(&task).copied()) {
            (Some(truth), Some((output_root, output)))
                if truth.report.payload.answer == verdict.answer =>
            {
                let answer = truth.report.payload.answer;
                let result = TaskResult {
                    task,
                    replica: REFEREE_REPLICA,
                    device: name_of(&truth.node),
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
        let batch = self.proving(log, task)?;
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

    /// The proofs of the batch that a task is settled with. They are kept until another batch is asked for.
    fn proving(&mut self, log: &impl Log, task: TaskIndex) -> Result<&Proofs, ApiError> {
        let not_settled = ApiError::NotSettled { task };
        let at = *self.batches.get(&task).ok_or(not_settled.clone())?;
        if self.last_batch.as_ref().is_none_or(|last| last.at != at) {
            self.last_batch = Some(self.proofs(log, at, &not_settled)?);
        }
        self.last_batch.as_ref().ok_or(not_settled)
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
            Some(Entry::Revealed { receipt, output }) => Ok((receipt, output)),
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
    use crate::core::{End, RefereeWord};
    use quern_dispute_rules::{Question, Reply};
    use quern_primitives::{
        ProgramHash,
        batch::LogRange,
        device::Class,
        ids::AccountId,
        log::{Acknowledgement, RefereeReport, RefereeStatement},
        payload::{DeviceKey, NodeSecret},
        receipt::{Answer, Receipt},
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
            question: Digest([46; 32]),
            result_commitment: Digest([task as u8; 32]),
            output_root: Digest([replica; 32]),
            result_bytes: 5,
            fuel: 6,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: Digest([4; 32]),
            log_position: 0,
            salt: [90; 32].into(),
        };
        key.sign(receipt, &GENESIS)
    }

    fn reported(task: TaskIndex, replica: ReplicaIndex) -> Entry {
        let output = OutputPlace::Inline { bytes: 33 };
        Entry::Revealed {
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

    /// Entries of a block of the logs of these tests.
    const IN_A_BLOCK: usize = 4;

    /// A log that counts how many of its entries were read.
    struct Counted {
        entries: Vec<Entry>,
        notes: Vec<Noted>,
        read: Cell<usize>,
    }

    impl Log for Counted {
        fn entry(&self, at: Position) -> Result<Option<Entry>, ApiError> {
            self.read.set(self.read.get() + 1);
            let place = at.block as usize * IN_A_BLOCK + at.byte as usize;
            Ok(self.entries.get(place).cloned())
        }

        fn block(&self, index: u32) -> Result<Option<Vec<(Position, Entry)>>, ApiError> {
            let entries = self.entries.chunks(IN_A_BLOCK).nth(index as usize);
            let entries = entries.map(|entries| {
                self.read.set(self.read.get() + entries.len());
                let placed = (0..).zip(entries);
                placed
                    .map(|(byte, entry)| (Position { block: index, byte }, entry.clone()))
                    .collect()
            });
            Ok(entries)
        }

        fn notes(&self, from: u64) -> Result<Vec<Noted>, ApiError> {
            Ok(self.notes.iter().skip(from as usize).cloned().collect())
        }

        fn note(&self, number: u64) -> Result<Option<Note>, ApiError> {
            let noted = self.notes.get(number as usize);
            Ok(noted.map(|noted| noted.note.clone()))
        }
    }

    fn counted(entries: Vec<Entry>) -> Counted {
        let read = Cell::new(0);
        Counted {
            entries,
            notes: vec![],
            read,
        }
    }

    impl Counted {
        /// Adds entries behind what a block has, which stays as it is.
        fn add(&mut self, entries: impl IntoIterator<Item = Entry>) {
            let batch = || Entry::Queued { first: 0, tasks: 1 };
            while !self.entries.len().is_multiple_of(IN_A_BLOCK) {
                self.entries.push(batch());
            }
            self.entries.extend(entries);
        }
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
    fn what_a_dispute_asks_for_is_shown_and_nothing_that_is_in_no_or_another_batch() {
        let (outcome, log) = outcome();
        let shown = |batch, question| outcome.reply(&log, batch, &question).unwrap();
        let Some(Reply::Verdict(leaf)) = shown(1, Question::Verdict { task: 2 }) else {
            panic!("the verdict is in the log");
        };
        assert_eq!((leaf.verdict(), leaf.place), (Some(verdict(2)), 1));
        for (batch, task) in [(1, 0), (1, 3), (0, 2)] {
            assert_eq!(shown(batch, Question::Verdict { task }), None);
        }
        let receipt = |byte| Question::Receipt {
            receipt: Digest([byte; 32]),
        };
        let named = Reply::Receipt(Box::new(self::receipt(1, 0)));
        assert_eq!(shown(1, receipt(5)), Some(named));
        assert_eq!(shown(1, receipt(6)), None);
        assert_eq!(shown(0, receipt(5)), None);
        let acknowledgement = |byte| Acknowledgement {
            job: JOB,
            task: 1,
            replica: 0,
            device: self::receipt(1, 0).payload.device,
            receipt: Digest([byte; 32]),
            position: 9,
        };
        let omitted = |byte| Question::Omission {
            acknowledgement: acknowledgement(byte),
        };
        assert!(matches!(shown(1, omitted(5)), Some(Reply::Verdict(_))));
        assert_eq!(shown(1, omitted(6)), None);
    }

    #[test]
    fn a_device_is_shown_the_verdicts_of_the_batch_it_asks_about_and_their_proofs() {
        let (mut outcome, log) = outcome();
        let shown = outcome.shown(&log, 1, &[0, 1, 2, 3, 77]).unwrap();
        let tasks: Vec<_> = shown.iter().map(|shown| shown.verdict.task).collect();
        assert_eq!(tasks, [1, 2]);
        let leaves = [1, 2].map(|task| verdict(task).encode());
        let root = Tree::new(leaves).root();
        for shown in &shown {
            assert_eq!(shown.verdict, verdict(shown.verdict.task));
            assert!(shown.proof.holds(&root, &shown.verdict.encode()));
        }
        assert!(outcome.shown(&log, 0, &[1, 2]).unwrap().is_empty());
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
        log.add([judged(3, Exit::Trap), judged(0, Exit::Success)]);
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
        log.add([judged(fails)]);
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
        let node = NodeSecret::from_seed(&[7; 32]);
        let referee = name_of(&node.public());
        let mut judged = verdict(4);
        judged.ground = Ground::Referee;
        judged.answer.result_commitment = Digest([88; 32]);
        let found = judged.replicas.iter_mut();
        found.for_each(|found| found.finding = Finding::Incorrect);
        let refereed = |commitment| {
            let report = RefereeReport {
                job: JOB,
                task: 4,
                question: Digest([46; 32]),
                answer: Answer {
                    result_commitment: Digest(commitment),
                    ..judged.answer
                },
            };
            let word = RefereeWord::Computed {
                report: node.sign(report, &GENESIS),
                node: node.public(),
            };
            Entry::Refereed { task: 4, word }
        };
        let told = |commitment, is_noted: bool| {
            let entries = vec![
                reported(4, 0),
                reported(4, 1),
                refereed(commitment),
                Entry::Judged {
                    verdict: judged.clone(),
                },
            ];
            let sealed = Noted {
                behind: 2,
                number: 0,
                note: Note::Sealed {
                    task: 4,
                    output_root: Digest([6; 32]),
                    output: OutputPlace::File { bytes: 44 },
                },
            };
            let (mut outcome, mut log) = (Outcome::default(), counted(entries));
            log.notes.extend(is_noted.then_some(sealed));
            outcome.catch_up(&log).unwrap();
            outcome.result(&log, 4)
        };
        let (result, output) = told([88; 32], true).unwrap();
        assert_eq!((result.replica, result.device), (REFEREE_REPLICA, referee));
        assert_eq!((result.sealed_bytes, output.bytes()), (44, 44));
        assert_eq!(result.output_root, Digest([6; 32]));
        assert_eq!(result.result_commitment, judged.answer.result_commitment);
        let undecided = ApiError::NotDecided { task: 4 };
        assert_eq!(told([1; 32], true).unwrap_err(), undecided);
        assert_eq!(told([88; 32], false).unwrap_err(), undecided);
    }

    #[test]
    fn of_several_referees_those_are_shown_who_agree_and_the_result_is_the_first_one_s() {
        let mut judged = verdict(4);
        judged.ground = Ground::Referee;
        let found = judged.replicas.iter_mut();
        found.for_each(|found| found.finding = Finding::Incorrect);
        let says = |seed: u8, fuel| {
            let node = NodeSecret::from_seed(&[seed; 32]);
            let report = RefereeReport {
                job: JOB,
                task: 4,
                question: Digest([46; 32]),
                answer: Answer {
                    fuel: judged.answer.fuel + fuel,
                    ..judged.answer
                },
            };
            RefereeStatement {
                report: node.sign(report, &GENESIS),
                node: node.public(),
            }
        };
        let (first, other, unlike) = (says(7, 0), says(8, 0), says(9, 1));
        let word = RefereeWord::Several {
            statements: vec![unlike, first, other].try_into().unwrap(),
        };
        let entries = vec![
            reported(4, 0),
            Entry::Refereed { task: 4, word },
            Entry::Judged {
                verdict: judged.clone(),
            },
        ];
        let (mut outcome, mut log) = (Outcome::default(), counted(entries));
        log.notes.push(Noted {
            behind: 1,
            number: 0,
            note: Note::Sealed {
                task: 4,
                output_root: Digest([6; 32]),
                output: OutputPlace::File { bytes: 44 },
            },
        });
        outcome.catch_up(&log).unwrap();
        let asked = |answer| {
            let question = Question::Report { task: 4, answer };
            outcome.reply(&log, 1, &question).unwrap()
        };
        let signed = [first, other].map(|it| (it.node, it.report.signature));
        let shown = Reply::reports(first.report.payload, signed.into());
        assert_eq!(asked(judged.answer), Some(shown));
        assert_eq!(asked(unlike.report.payload.answer), None);
        let (result, _) = outcome.result(&log, 4).unwrap();
        assert_eq!(result.device, name_of(&first.node));
    }

    #[test]
    fn a_block_is_told_when_all_that_it_speaks_of_has_its_verdict_or_the_job_is_over() {
        let judged = |task| Entry::Judged {
            verdict: verdict(task),
        };
        // Two blocks; the second task is reported in the first one, and judged in the third.
        let entries = vec![
            Entry::Queued { first: 0, tasks: 9 },
            reported(0, 0),
            reported(1, 0),
            judged(0),
            reported(2, 0),
            judged(2),
        ];
        let (mut outcome, mut log) = (Outcome::default(), counted(entries));
        outcome.catch_up(&log).unwrap();
        assert_eq!((outcome.told(false), outcome.told(true)), (0, 2));
        log.add([judged(1), reported(3, 0)]);
        outcome.catch_up(&log).unwrap();
        assert_eq!(outcome.told(false), 2, "the third speaks of another one");
        log.add([Entry::Ended { end: End::Closed }]);
        outcome.catch_up(&log).unwrap();
        assert_eq!(outcome.told(false), 4);
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
        log.add([reported(100, 1), Entry::Judged { verdict }]);
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
