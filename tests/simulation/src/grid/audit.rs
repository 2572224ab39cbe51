//! Holds what the masternode does against what it must never do.
//!
//! Most of it is read off the jobs' logs as they grow: who has what, who answered, what was decided.
//! Nothing here is taken from the masternode's own memory.

use super::{
    asks::{Facts, lacking},
    disk::Disk,
    violation::Violation,
    words::Names,
    work::Work,
};
use quern_masternode::core::{Entry, ReleaseCause};
use quern_primitives::{
    batch::Batch,
    ids::{AccountId, BatchSequence, DeviceId, JobId, ReplicaIndex, TaskIndex},
    limits,
    receipt::{Answer, Exit},
    verdict::Verdict,
};
use quern_protocol::{ReplicaId, limits::TASKS_IN_HAND_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that must agree on what ends a job, also where one is believed otherwise: that a program
/// fails, or that an input opens nowhere.
const FAILURE_QUORUM_MIN: usize = 2;

/// So many accounts that cannot open an input are believed although others answered.
const UNOPENED_MAX: usize = limits::REPLICAS_PER_TASK_MAX as usize;

/// Who answered for a replica, and what.
struct Heard {
    device: DeviceId,
    account: AccountId,
    answer: Answer,
    /// The place of the report in the log.
    position: u64,
}

/// A job, as its log has it.
#[derive(Default)]
struct Books {
    held: BTreeMap<(TaskIndex, ReplicaIndex), (DeviceId, AccountId)>,
    heard: BTreeMap<(TaskIndex, ReplicaIndex), Heard>,
    /// Accounts that could not open a task's input, each with whether a trusted device of it could not.
    unopened: BTreeMap<TaskIndex, BTreeMap<AccountId, bool>>,
    /// Tasks with an end, and its place in the log.
    ended: BTreeMap<TaskIndex, u64>,
    /// The place of each batch.
    batches: Vec<u64>,
}

impl Books {
    /// Who has a replica of the task, or answered for one.
    fn accounts(&self, task: TaskIndex) -> impl Iterator<Item = (ReplicaIndex, &AccountId)> {
        let all = (task, 0)..=(task, ReplicaIndex::MAX);
        let held = self.held.range(all.clone());
        let held = held.map(|((_, replica), (_, account))| (*replica, account));
        let heard = self.heard.range(all);
        held.chain(heard.map(|((_, replica), heard)| (*replica, &heard.account)))
    }
}

/// The books of all jobs.
#[derive(Default)]
pub(super) struct Audit {
    /// What the chain says of each device.
    devices: BTreeMap<DeviceId, Facts>,
    jobs: BTreeMap<JobId, Books>,
    /// Replicas that each device holds.
    in_hand: BTreeMap<DeviceId, u32>,
    acknowledged: BTreeSet<(DeviceId, ReplicaId)>,
    /// Wrong answers that had a majority.
    pub(super) wrong_answers: u64,
}

impl Audit {
    /// The chain says this of a device.
    pub(super) fn know(&mut self, device: DeviceId, facts: Facts) {
        self.devices.insert(device, facts);
    }

    /// An entry is appended at this place of a job's log.
    pub(super) fn append(
        &mut self,
        names: &Names,
        work: &Work,
        position: u64,
        entry: &Entry,
    ) -> Result<(), Violation> {
        self.check(names, work, entry)?;
        if let Entry::Judged { verdict } = entry
            && verdict.answer != work.truth(verdict.task)
        {
            self.wrong_answers += 1;
        }
        self.enter(work.id, position, entry);
        Ok(())
    }

    /// The masternode died: what counts is what is written.
    pub(super) fn begin_anew(&mut self, disk: &Disk) {
        self.jobs.clear();
        self.in_hand.clear();
        for (job, log) in disk.logs() {
            for (position, entry) in (0u64..).zip(log) {
                self.enter(job, position, entry);
            }
            if disk.closed.contains(&job) {
                self.close(job);
            }
        }
    }

    /// A job is over: nobody holds anything of it.
    pub(super) fn close(&mut self, job: JobId) {
        if let Some(books) = self.jobs.get_mut(&job) {
            let held = std::mem::take(&mut books.held);
            held.into_values()
                .for_each(|(device, _)| self.has_less(device));
        }
    }

    /// A report is acknowledged.
    pub(super) fn acknowledge(
        &mut self,
        names: &Names,
        disk: &Disk,
        device: DeviceId,
        id: ReplicaId,
    ) -> Result<(), Violation> {
        let books = self.jobs.get(&id.job);
        let heard = books.and_then(|books| books.heard.get(&(id.task, id.replica)));
        let is_written =
            heard.is_some_and(|heard| heard.device == device && disk.has(id.job, heard.position));
        if !is_written {
            return Err(Violation::AcknowledgedUnwritten {
                job: names.job(&id.job),
                task: id.task,
                replica: id.replica,
                device: names.device(&device),
            });
        }
        self.acknowledged.insert((device, id));
        Ok(())
    }

    /// A batch is sent.
    pub(super) fn send(&self, names: &Names, disk: &Disk, batch: &Batch) -> Result<(), Violation> {
        let books = self.jobs.get(&batch.job);
        let position = books.and_then(|books| books.batches.get(batch.sequence as usize));
        let written = position.and_then(|at| disk.written(batch.job).get(*at as usize));
        match written {
            Some(Entry::Batched { batch: written }) if written == batch => Ok(()),
            _ => Err(Violation::SentUnwritten {
                job: names.job(&batch.job),
                sequence: batch.sequence,
            }),
        }
    }

    /// Something is done that relies on a task's end.
    pub(super) fn rely_on_end(
        &self,
        names: &Names,
        disk: &Disk,
        job: JobId,
        task: TaskIndex,
    ) -> Result<(), Violation> {
        let ended = self.jobs.get(&job).and_then(|books| books.ended.get(&task));
        if ended.is_some_and(|position| disk.has(job, *position)) {
            return Ok(());
        }
        let job = names.job(&job);
        Err(Violation::EndUnwritten { job, task })
    }

    /// Every acknowledged report on a job that was settled as a whole is in a verdict.
    pub(super) fn check_acknowledged(
        &self,
        names: &Names,
        disk: &Disk,
        job: JobId,
    ) -> Result<(), Violation> {
        let mut counted = BTreeSet::new();
        for entry in disk.written(job) {
            if let Entry::Judged { verdict } = entry {
                let answered = verdict.replicas.iter().filter(|it| it.receipt.is_some());
                counted.extend(answered.map(|it| (it.device, verdict.task, it.replica)));
            }
        }
        let ours = self.acknowledged.iter().filter(|(_, id)| id.job == job);
        for (device, id) in ours {
            if !counted.contains(&(*device, id.task, id.replica)) {
                return Err(Violation::AcknowledgedLost {
                    job: names.job(&job),
                    task: id.task,
                    replica: id.replica,
                    device: names.device(device),
                });
            }
        }
        Ok(())
    }

    fn check(&self, names: &Names, work: &Work, entry: &Entry) -> Result<(), Violation> {
        let job = names.job(&work.id);
        let empty = Books::default();
        let books = self.jobs.get(&work.id).unwrap_or(&empty);
        match entry {
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                ..
            } => self.check_given(names, work, (*task, *replica), device, account),
            Entry::Reported { receipt, .. } => {
                let payload = &receipt.payload;
                let (task, replica, device) = (payload.task, payload.replica, payload.device);
                let holder = books.held.get(&(task, replica));
                if holder.is_some_and(|(holder, _)| *holder == device) {
                    return Ok(());
                }
                Err(Violation::ReportUnheld {
                    job,
                    task,
                    replica,
                    device: names.device(&device),
                })
            }
            Entry::Judged { verdict } if !books.ended.contains_key(&verdict.task) => {
                check_answer(names, work, books, verdict)
            }
            Entry::Judged {
                verdict: Verdict { task, .. },
            }
            | Entry::Undecided { task }
            | Entry::Unopened { task }
                if books.ended.contains_key(task) =>
            {
                Err(Violation::DecidedTwice { job, task: *task })
            }
            Entry::Unopened { task } => check_unopened(names, work, books, *task),
            Entry::Batched { batch } if batch.sequence as usize != books.batches.len() => {
                Err(Violation::BatchOutOfOrder {
                    job,
                    sequence: batch.sequence,
                    expected: books.batches.len() as BatchSequence,
                })
            }
            _ => Ok(()),
        }
    }

    fn check_given(
        &self,
        names: &Names,
        work: &Work,
        (task, replica): (TaskIndex, ReplicaIndex),
        device: &DeviceId,
        account: &AccountId,
    ) -> Result<(), Violation> {
        let job = names.job(&work.id);
        let number = names.device(device);
        let facts = self.devices.get(device);
        let asked = facts.and_then(|facts| lacking(&work.submission.preferences, facts));
        if let Some(asked) = asked {
            return Err(Violation::Unasked {
                job,
                task,
                device: number,
                asked,
            });
        }
        if let Some(books) = self.jobs.get(&work.id) {
            if books.ended.contains_key(&task) {
                return Err(Violation::DecidedTaskGiven {
                    job,
                    task,
                    device: number,
                });
            }
            for (other, of) in books.accounts(task) {
                if other == replica {
                    return Err(Violation::GivenTwice { job, task, replica });
                }
                if of == account {
                    return Err(Violation::TwoReplicas {
                        job,
                        task,
                        account: names.account(account),
                        first: other,
                        second: replica,
                    });
                }
            }
        }
        let held = self.in_hand.get(device).copied().unwrap_or(0);
        if held as usize >= TASKS_IN_HAND_MAX {
            return Err(Violation::TooManyGiven {
                device: number,
                held,
            });
        }
        Ok(())
    }

    fn enter(&mut self, job: JobId, position: u64, entry: &Entry) {
        let books = self.jobs.entry(job).or_default();
        match entry {
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                ..
            } => {
                let holder = (*device, account.clone());
                books.held.insert((*task, *replica), holder);
                *self.in_hand.entry(*device).or_default() += 1;
            }
            Entry::Released {
                task,
                replica,
                cause,
                ..
            } => {
                let holder = books.held.get(&(*task, *replica));
                if let (ReleaseCause::BadInput { trusted }, Some((_, account))) = (cause, holder) {
                    let accounts = books.unopened.entry(*task).or_default();
                    *accounts.entry(account.clone()).or_default() |= trusted;
                }
                self.let_go(job, *task, *replica);
            }
            Entry::Reported { receipt, .. } => {
                let payload = &receipt.payload;
                let replica = (payload.task, payload.replica);
                let holder = books.held.get(&replica);
                if let Some((device, account)) = holder.cloned() {
                    let heard = Heard {
                        device,
                        account,
                        answer: payload.answer(),
                        position,
                    };
                    books.heard.insert(replica, heard);
                }
                self.let_go(job, payload.task, payload.replica);
            }
            Entry::Judged { verdict } => {
                books.ended.insert(verdict.task, position);
                self.end(job, verdict.task, verdict.answer.exit == Exit::Success);
            }
            Entry::Undecided { task } | Entry::Unopened { task } => {
                books.ended.insert(*task, position);
                self.end(job, *task, false);
            }
            Entry::Batched { .. } => books.batches.push(position),
            // It gives nobody anything yet.
            _ => {}
        }
    }

    /// A task has its end: nobody holds a replica of it any more; nor of its job, if it cannot go on.
    fn end(&mut self, job: JobId, task: TaskIndex, goes_on: bool) {
        if !goes_on {
            return self.close(job);
        }
        let Some(books) = self.jobs.get(&job) else {
            return;
        };
        let all = books.held.range((task, 0)..=(task, ReplicaIndex::MAX));
        let held: Vec<ReplicaIndex> = all.map(|((_, replica), _)| *replica).collect();
        held.into_iter()
            .for_each(|replica| self.let_go(job, task, replica));
    }

    fn let_go(&mut self, job: JobId, task: TaskIndex, replica: ReplicaIndex) {
        let books = self.jobs.get_mut(&job);
        if let Some((device, _)) = books.and_then(|books| books.held.remove(&(task, replica))) {
            self.has_less(device);
        }
    }

    fn has_less(&mut self, device: DeviceId) {
        if let Some(held) = self.in_hand.get_mut(&device) {
            *held = held.saturating_sub(1);
        }
    }
}

/// A wrong answer is accepted only if more than half of those who answered gave it, and as many as the
/// owner asked for.
fn check_answer(
    names: &Names,
    work: &Work,
    books: &Books,
    verdict: &Verdict,
) -> Result<(), Violation> {
    let task = verdict.task;
    if verdict.answer == work.truth(task) {
        return Ok(());
    }
    let all = books.heard.range((task, 0)..=(task, ReplicaIndex::MAX));
    let answers: BTreeMap<&AccountId, &Answer> = all
        .map(|(_, heard)| (&heard.account, &heard.answer))
        .collect();
    let votes = answers
        .values()
        .filter(|it| ***it == verdict.answer)
        .count();
    let quorum = usize::from(work.submission.agreement.quorum());
    let quorum = match verdict.answer.exit {
        Exit::Success => quorum,
        _ => quorum.max(FAILURE_QUORUM_MIN),
    };
    if votes >= quorum && votes * 2 > answers.len() {
        return Ok(());
    }
    Err(Violation::WrongAnswer {
        job: names.job(&work.id),
        task,
        votes,
        heard: answers.len(),
    })
}

/// That an input opens nowhere ends a job only if a trusted device and another account say so, or as
/// many accounts as must agree on an answer, and nobody has answered.
fn check_unopened(
    names: &Names,
    work: &Work,
    books: &Books,
    task: TaskIndex,
) -> Result<(), Violation> {
    let empty = BTreeMap::new();
    let unopened = books.unopened.get(&task).unwrap_or(&empty);
    let (accounts, trusted) = (unopened.len(), unopened.values().any(|trusted| *trusted));
    let all = (task, 0)..=(task, ReplicaIndex::MAX);
    let answered = books.heard.range(all).count();
    let quorum = usize::from(work.submission.agreement.quorum());
    let is_enough = accounts >= FAILURE_QUORUM_MIN && (trusted || accounts >= quorum);
    if accounts >= UNOPENED_MAX || (is_enough && answered == 0) {
        return Ok(());
    }
    Err(Violation::EndUnfounded {
        job: names.job(&work.id),
        task,
        accounts,
        answered,
    })
}

#[cfg(test)]
mod tests;
