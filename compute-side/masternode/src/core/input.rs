//! Tasks whose input opens on no device.
//!
//! A device that cannot open what it was given gives the task back and says so. If that is its own
//! fault the task can be done elsewhere, and the verdict will say so of the device. But where the sealed
//! shard or its key is not the right one, no device can do anything with it: the task would go from
//! one to the next until the job's deadline. So the job ends as soon as it is shown that the input
//! opens nowhere:
//!
//! - A trusted device cannot open it, nor can a device of another account. What ends a job is never
//!   believed on one machine's word, as with a program that fails.
//! - Or no trusted device could try it, and as many accounts cannot open it as must agree on an
//!   answer, two at the least.
//! - Or as many accounts cannot open it as a task may have replicas, whoever answered.
//!
//! In the first two cases nobody is believed while a device has the task that may still open it, and
//! meanwhile nobody but trusted devices gets it.
//!
//! Nobody is blamed: a fault on a device's record needs a verdict, and the task will have none.

use super::{Core, Effect, Entry, Tick, impasse::Impasse, job::ActiveJob};
use quern_primitives::{
    ids::{JobId, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
};

/// Accounts without which nothing that ends a job is believed.
const ACCOUNTS_MIN: usize = 2;

/// So many accounts are believed whatever others say; more are not remembered.
pub(super) const ACCOUNTS_MAX: usize = REPLICAS_PER_TASK_MAX as usize;

/// By whom it is shown that a task's input opens nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpensNowhere {
    /// It is not.
    NotShown,
    /// By enough accounts, unless somebody opens it who has the task, or a trusted device.
    ByAccounts,
    /// By a trusted device, unless somebody opens it who has the task.
    ByTrusted,
    /// By so many that nothing speaks against it any more.
    ByAll,
}

impl OpensNowhere {
    /// Whether none but trusted devices are to get the task.
    pub(super) fn reserves(self) -> bool {
        matches!(self, Self::ByAccounts | Self::ByTrusted)
    }
}

impl ActiveJob {
    /// By whom it is shown that a task's input opens nowhere.
    pub(super) fn opens_nowhere(&self, task: TaskIndex) -> OpensNowhere {
        let Some(open) = self.open(task) else {
            return OpensNowhere::NotShown;
        };
        let accounts = open.unopened.len();
        let quorum = usize::from(self.job.submission.agreement.quorum());
        match () {
            () if accounts >= ACCOUNTS_MAX => OpensNowhere::ByAll,
            () if accounts < ACCOUNTS_MIN || !open.reported.is_empty() => OpensNowhere::NotShown,
            () if open.is_unopened_by_trusted => OpensNowhere::ByTrusted,
            () if accounts >= quorum => OpensNowhere::ByAccounts,
            () => OpensNowhere::NotShown,
        }
    }
}

impl Core {
    /// Does what follows for a task from what devices say of its input.
    pub(super) fn weigh_input(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        out: &mut Vec<Effect>,
    ) {
        // A job that was cancelled, or is near its deadline, ends soon anyway. And nobody can try what
        // is not here any more, until it comes again.
        let margin = self.settings.deadline_margin_blocks;
        let goes_on =
            |job: &&ActiveJob| job.takes_work(self.block, margin) && !job.missing.contains(&task);
        let Some(active) = self.jobs.get(&id).filter(goes_on) else {
            return;
        };
        let shown = active.opens_nowhere(task);
        let is_out = active.is_out(task);
        let dispatch = &mut self.scheduler.dispatch;
        self.news |= dispatch.reserve(id, task, shown.reserves());
        let ends = match shown {
            OpensNowhere::NotShown => false,
            OpensNowhere::ByAccounts => !is_out && !dispatch.waits_for_trusted(id, task, now),
            OpensNowhere::ByTrusted => !is_out,
            OpensNowhere::ByAll => true,
        };
        if ends {
            self.stuck(id, task, Impasse::Unopened, Entry::Unopened { task }, out);
        }
    }

    /// Weighs again what depends on who is here and on how long it is waited for.
    pub(super) fn weigh_inputs(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let of = |(id, job): (&JobId, &ActiveJob)| {
            let id = *id;
            job.unopened.clone().into_iter().map(move |task| (id, task))
        };
        let unopened: Vec<_> = self.jobs.iter().flat_map(of).collect();
        for (id, task) in unopened {
            self.weigh_input(now, id, task, out);
        }
    }
}
