//! Why jobs ended.

use super::{asks::lacking, work::Flaw, world::World};
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
    /// Devices agreed that its program fails, which it does, or some collude.
    ProgramFailed,
    /// No answer to a task would get a majority, or its input was said to open nowhere: it does not, or
    /// some devices lie or fail.
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
        let some_collude = faults.colluding > 0 || faults.rushing > 0;
        let others = faults.lying + faults.shifting + faults.failing + faults.refusing;
        let others = others + faults.two_faced + faults.copying + faults.lazy + faults.selective;
        let some_lie = some_collude || others + faults.erring > 0;
        let flaw = self.works.get(id).and_then(|work| work.flaw);
        let traps = flaw == Some(Flaw::Traps);
        let never_opens = matches!(flaw, Some(Flaw::NeverOpens | Flaw::LastNeverOpens));
        match state {
            JobState::Completed { end } => match end {
                JobEnd::AllSettled => Cause::Settled,
                JobEnd::ProgramFailed { .. } if some_collude || traps => Cause::ProgramFailed,
                JobEnd::Undecided { .. } if some_lie || never_opens => Cause::Undecided,
                JobEnd::OwnerCancelled => self.cancelled_or_not(id),
                JobEnd::DeadlinePassed => self.late(id),
                JobEnd::ProgramFailed { .. } | JobEnd::Undecided { .. } | JobEnd::BatchStruck => {
                    Cause::Unexplained
                }
            },
            JobState::Cancelled => self.cancelled_or_not(id),
            JobState::Expired => self.late(id),
            JobState::Submitted
            | JobState::Running { .. }
            | JobState::Cancelling { .. }
            | JobState::Settling { .. } => Cause::Unexplained,
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
        // Where most of a job opens, very many must say that a task does not.
        let is_last = work.is_some_and(|work| work.flaw == Some(Flaw::LastNeverOpens));
        let accounts = work.map_or(0, |work| self.accounts_for(&work.submission).len());
        match accounts < usize::from(REPLICAS_PER_TASK_MAX) {
            _ if self.cancelled.contains(id) => Cause::Cancelled,
            _ if is_last => Cause::Undecided,
            true => Cause::FewAccounts { accounts },
            false => Cause::Unexplained,
        }
    }

    /// Accounts with a device that may have a job's tasks by what the chain says of it now.
    fn accounts_for(&self, submission: &Submission) -> BTreeSet<&AccountId> {
        let able = self.machines.iter().filter(|machine| {
            let view = self.chain.view(&machine.id);
            // One that the masternode found to have lied gets nothing for longer than these grids last.
            let is_shut_out = self.audit.contradicted.contains(&machine.id);
            let is_served = view.is_some_and(|view| !view.banned && !view.quarantined);
            let facts = &machine.facts;
            let is_able = lacking(&submission.preferences, facts).is_none();
            is_served && !is_shut_out && is_able && facts.has_memory_for(submission)
        });
        able.map(|machine| &machine.facts.account).collect()
    }
}
