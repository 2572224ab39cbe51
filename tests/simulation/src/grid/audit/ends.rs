//! What a task may end with: who must have said so, and who is paid.

use super::{Audit, Books, Disk, Names, Violation, Work};
use quern_masternode::core::{Entry, Note};
use quern_primitives::{
    ids::{AccountId, DeviceId, JobId, ReplicaIndex, TaskIndex},
    limits,
    receipt::{Answer, Exit},
    verdict::Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that must agree on what ends a job, also where one is believed otherwise: that a program
/// fails, or that an input opens nowhere.
const FAILURE_QUORUM_MIN: usize = 2;

/// So many accounts that cannot open an input are believed although others answered.
const UNOPENED_MAX: usize = limits::REPLICAS_PER_TASK_MAX as usize;

impl Audit {
    /// Something is noted beside a job's log.
    pub(in crate::grid) fn note(
        &mut self,
        names: &Names,
        work: &Work,
        note: &Note,
    ) -> Result<(), Violation> {
        let Note::Contradicted {
            task,
            accepted,
            report,
            kept,
            receipts,
            ..
        } = note
        else {
            return Ok(());
        };
        let (truth, job) = (work.truth(*task), names.job(&work.id));
        if *accepted == truth {
            return Err(Violation::ContradictedTruth { job, task: *task });
        }
        // Its owner gets what comes out, if anything does.
        let said = &report.payload;
        let is_right = (said.job, said.task, said.answer) == (work.id, *task, truth);
        if !is_right || kept.is_some() != (truth.exit == Exit::Success) {
            return Err(Violation::CorrectedFalsely { job, task: *task });
        }
        let devices = receipts.iter().map(|(device, _)| *device);
        self.contradicted.extend(devices);
        Ok(())
    }

    /// Every acknowledged report on a job that was settled as a whole is in a verdict.
    pub(in crate::grid) fn check_acknowledged(
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
}

/// A wrong answer is accepted only if more than half of those who answered gave it, and as many as the
/// owner asked for; and that the program fails, which it does not, only where the referee could not be had.
pub(super) fn check_answer(
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
    let is_believed = verdict.answer.exit == Exit::Success || books.unrefereed.contains(&task);
    if is_believed && votes >= quorum && votes * 2 > answers.len() {
        return Ok(());
    }
    Err(Violation::WrongAnswer {
        job: names.job(&work.id),
        task,
        votes,
        heard: answers.len(),
    })
}

/// Of a task's pay nobody gets two shares, under whatever names, and only who gave the accepted answer
/// gets one.
pub(super) fn check_shares(
    names: &Names,
    work: &Work,
    books: &Books,
    verdict: &Verdict,
) -> Result<(), Violation> {
    let task = verdict.task;
    let all = books.heard.range((task, 0)..=(task, ReplicaIndex::MAX));
    let gave: Vec<(DeviceId, &AccountId)> = all
        .filter(|(_, heard)| heard.answer == verdict.answer)
        .map(|(_, heard)| (heard.device, &heard.account))
        .collect();
    let mut paid = BTreeSet::new();
    for found in verdict.replicas.iter().filter(|found| found.pay > 0) {
        if !gave.contains(&(found.device, &found.account)) {
            return Err(Violation::PaidUnearned {
                job: names.job(&work.id),
                task,
                device: names.device(&found.device),
            });
        }
        if !paid.insert(&found.account) {
            return Err(Violation::PaidTwice {
                job: names.job(&work.id),
                task,
                account: names.account(&found.account),
            });
        }
    }
    Ok(())
}

/// That an input opens nowhere ends a job only if a trusted device and another account say so, or as
/// many accounts as must agree on an answer, and nobody has answered.
pub(super) fn check_unopened(
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
