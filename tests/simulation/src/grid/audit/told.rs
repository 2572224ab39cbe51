//! Whether what keeps a device from work, as it is told, agrees with the jobs' logs. Each of these says what
//! must be so, at the least, where its rule is told.

use super::{Audit, Books, Heard, lanes};
use crate::grid::{asks::lacking, work::Work};
use quern_jobs_api::Rule;
use quern_primitives::{
    ids::{AccountId, DeviceId, TaskIndex},
    receipt::Exit,
};
use std::collections::BTreeSet;

/// So many answers without a verdict, with what it holds, a device has at the least that is kept for them.
const ANSWERS_MIN: usize = 32;

/// On so many tasks of a job without a verdict a device failed that gets nothing of it for that.
pub(super) const FAILURES_MIN: usize = 3;

impl Books {
    /// Tasks on which a device of an account failed, or that were taken back from the account.
    fn lost_by(&self, device: &DeviceId, account: &AccountId) -> BTreeSet<TaskIndex> {
        let lost = self.lost.iter().filter(|(_, of)| of == account);
        let is_failure = |heard: &Heard| heard.answer.exit != Exit::Success;
        let heard = self.heard.iter();
        let failed = heard.filter(|(_, it)| it.device == *device && is_failure(it));
        let lost = lost.map(|(task, _)| *task);
        lost.chain(failed.map(|((task, _), _)| *task)).collect()
    }

    /// The same without those that have an end.
    fn unjudged_by(&self, device: &DeviceId, account: &AccountId) -> usize {
        let lost = self.lost_by(device, account);
        let is_open = |task: &&TaskIndex| !self.ended.contains_key(*task);
        lost.iter().filter(is_open).count()
    }

    /// How many answers of a device are to tasks without an end.
    fn answers_of(&self, device: &DeviceId) -> usize {
        let is_open = |task: &TaskIndex| !self.ended.contains_key(task);
        let heard = self.heard.iter();
        let answers = heard.filter(|((task, _), it)| it.device == *device && is_open(task));
        answers.count()
    }
}

impl Audit {
    /// Whether a rule that keeps a device from any work may be told, by the logs.
    pub(in crate::grid) fn may_bar(&self, device: &DeviceId, rule: Rule) -> bool {
        let held = self.in_hand.get(device).copied().unwrap_or(0);
        match rule {
            Rule::HandsFull => held > 0,
            Rule::Pausing => self.devices.get(device).is_some_and(|facts| {
                let mut jobs = self.jobs.values();
                jobs.any(|books| !books.lost_by(device, &facts.account).is_empty())
            }),
            Rule::AwaitingVerdicts => {
                let answers = self.jobs.values().map(|books| books.answers_of(device));
                answers.sum::<usize>() + held as usize >= ANSWERS_MIN
            }
            _ => true,
        }
    }

    /// Whether a rule that keeps a device from a job may be told, by the logs.
    pub(in crate::grid) fn may_keep(&self, work: &Work, device: &DeviceId, rule: Rule) -> bool {
        let (Some(books), Some(facts)) = (self.jobs.get(&work.id), self.devices.get(device)) else {
            return true;
        };
        let submission = &work.submission;
        match rule {
            Rule::Unjudged => books.unjudged_by(device, &facts.account) >= FAILURES_MIN,
            Rule::KeptForTrusted => {
                let mut doubted = books.doubted.keys();
                doubted.any(|task| !books.ended.contains_key(task))
            }
            Rule::Lane => {
                let able = self.devices.values();
                let able = able.filter(|it| lacking(&submission.preferences, it).is_none());
                let accounts: BTreeSet<&AccountId> = able.map(|it| &it.account).collect();
                lanes::count(submission.agreement.replicas(), accounts.len()).is_some()
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{
        asks::{Asked, Facts},
        config::Config,
    };
    use quern_masternode::core::{Entry, ReleaseCause};
    use quern_primitives::{
        device::{Hardware, Region},
        ids::{Digest, JobId},
    };

    const DEVICE: DeviceId = DeviceId([1; 32]);

    fn facts() -> Facts {
        Facts {
            account: AccountId::new([2; 32]),
            is_trusted: false,
            region: Region::Unknown,
            hardware: Hardware::Unknown,
            is_covered: true,
            memory_mib: 1_024,
        }
    }

    /// A device has a task of a job and says that it does not open.
    fn refuse(audit: &mut Audit, job: JobId, task: TaskIndex) {
        let (replica, device) = (0, DEVICE);
        let given = Entry::Assigned {
            task,
            replica,
            device,
            account: facts().account,
            engine: Digest::default(),
        };
        let back = Entry::Released {
            task,
            replica,
            device,
            cause: ReleaseCause::BadInput { trusted: false },
        };
        for entry in [given, back] {
            audit.enter(job, 0, &entry);
        }
    }

    #[test]
    fn what_is_told_of_failures_is_seen_in_the_log_of_that_job_and_of_no_other() {
        let [work, other] = [0, 1].map(|it| Work::new(&Config::default(), it, Asked::default()));
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        assert!(!audit.may_bar(&DEVICE, Rule::Pausing));
        for task in 0..3 {
            refuse(&mut audit, work.id, task);
            assert_eq!(audit.may_keep(&work, &DEVICE, Rule::Unjudged), task == 2);
        }
        refuse(&mut audit, other.id, 0);
        assert!(audit.may_keep(&work, &DEVICE, Rule::Unjudged));
        assert!(!audit.may_keep(&other, &DEVICE, Rule::Unjudged));
        assert!(audit.may_keep(&other, &DEVICE, Rule::KeptForTrusted));
        assert!(audit.may_bar(&DEVICE, Rule::Pausing));
        // The other job ends: nobody is kept from anything for it.
        audit.enter(other.id, 1, &Entry::Unopened { task: 0 });
        assert!(!audit.may_keep(&other, &DEVICE, Rule::KeptForTrusted));
    }

    #[test]
    fn answers_without_an_end_and_what_is_held_are_counted_and_one_account_has_no_lanes() {
        let work = Work::new(&Config::default(), 0, Asked::default());
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        let books = audit.jobs.entry(work.id).or_default();
        for task in 0..ANSWERS_MIN as TaskIndex {
            let heard = Heard {
                device: DEVICE,
                account: facts().account,
                answer: work.truth(task),
                position: 0,
            };
            books.heard.insert((task, 0), heard);
        }
        assert!(audit.may_bar(&DEVICE, Rule::AwaitingVerdicts));
        let books = audit.jobs.entry(work.id).or_default();
        books.ended.insert(0, 0);
        assert!(!audit.may_bar(&DEVICE, Rule::AwaitingVerdicts));
        assert!(!audit.may_bar(&DEVICE, Rule::HandsFull));
        audit.in_hand.insert(DEVICE, 1);
        assert!(audit.may_bar(&DEVICE, Rule::AwaitingVerdicts));
        assert!(audit.may_bar(&DEVICE, Rule::HandsFull));
        assert!(!audit.may_keep(&work, &DEVICE, Rule::Lane));
    }
}
