//! Why jobs ended.

use super::{asks::lacking, world::World};
use quern_primitives::{
    ids::{AccountId, JobId},
    job::{JobEnd, JobState, Submission},
    limits::REPLICAS_PER_TASK_MAX,
};
use std::collections::BTreeSet;

/// Why a job ended as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Every task is settled.
    Settled,
    /// Its owner cancelled it.
    Cancelled,
    /// Devices agreed that its program fails, which none does here: some collude.
    ProgramFailed,
    /// No answer to a task would get a majority, or its input was said to open nowhere: some devices
    /// lie or fail.
    Undecided,
    /// The deadline passed, and there were fewer accounts that could have its tasks than one task may
    /// need.
    FewAccounts {
        /// How many.
        accounts: usize,
    },
    /// There is no such reason.
    Unexplained,
}

impl World<'_> {
    /// Why a job ended.
    pub(super) fn cause(&self, id: &JobId, state: &JobState) -> Cause {
        let faults = &self.config.faults;
        let some_collude = faults.colluding > 0;
        let others = faults.lying + faults.shifting + faults.failing + faults.refusing;
        let some_lie = some_collude || others > 0;
        match state {
            JobState::Completed { end } => match end {
                JobEnd::AllSettled => Cause::Settled,
                JobEnd::ProgramFailed { .. } if some_collude => Cause::ProgramFailed,
                JobEnd::Undecided { .. } if some_lie => Cause::Undecided,
                JobEnd::OwnerCancelled => self.cancelled_or_not(id),
                JobEnd::DeadlinePassed => self.late(id),
                JobEnd::ProgramFailed { .. } | JobEnd::Undecided { .. } => Cause::Unexplained,
            },
            JobState::Cancelled => self.cancelled_or_not(id),
            JobState::Expired => self.late(id),
            JobState::Submitted | JobState::Running { .. } | JobState::Settling { .. } => {
                Cause::Unexplained
            }
        }
    }

    fn cancelled_or_not(&self, id: &JobId) -> Cause {
        match self.cancelled.contains(id) {
            true => Cause::Cancelled,
            false => Cause::Unexplained,
        }
    }

    /// The deadline passed.
    fn late(&self, id: &JobId) -> Cause {
        let work = self.works.get(id);
        let accounts = work.map_or(0, |work| self.accounts_for(&work.submission).len());
        match accounts < usize::from(REPLICAS_PER_TASK_MAX) {
            _ if self.cancelled.contains(id) => Cause::Cancelled,
            true => Cause::FewAccounts { accounts },
            false => Cause::Unexplained,
        }
    }

    /// Accounts with a device that may have a job's tasks by what the chain says of it now.
    fn accounts_for(&self, submission: &Submission) -> BTreeSet<&AccountId> {
        let able = self.machines.iter().filter(|machine| {
            let view = self.chain.view(&machine.id);
            let is_served = view.is_some_and(|view| !view.banned && !view.quarantined);
            let facts = &machine.facts;
            let is_able = lacking(&submission.preferences, facts).is_none();
            is_served && is_able && facts.has_memory_for(submission)
        });
        able.map(|machine| &machine.facts.account).collect()
    }
}
