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
//! - Or no trusted device could try it, and one account more cannot open it than must agree on an
//!   answer, three at the least; or one fewer, if nobody else is here who could have it, or has taken it
//!   within ten minutes. Otherwise two who say so at once would end a job while all others are busy. And
//!   not once three tasks of the job have their verdict: its key is right then.
//! - Or as many accounts cannot open it as a task may have replicas, whoever answered.
//!
//! Before a job ends so the masternode, which has the key, is asked as [referee](super::referee) to compute the
//! task. If it can, the input opens: what comes out is the answer, and who said otherwise has failed on the
//! task. If only the program fails there, others try the task, and the job does not end for its input.
//!
//! In the first two cases nobody is believed while a device has the task that may still open it, and
//! meanwhile nobody but trusted devices gets it, except for the one account more.
//!
//! Who says so [pauses](super::pause), and the job's log names the device. If it says so of several tasks
//! that nobody has judged, it gets nothing more of the job for a while.
//!
//! Where the job ends nobody is blamed: a fault on a device's record needs a verdict, and the task will have
//! none.

#[cfg(test)]
mod model;

use super::{Core, Effect, End, Tick, device::Known, impasse::Impasse, job::ActiveJob};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
};
use std::{collections::BTreeMap, ops::Bound};

/// Accounts without which nothing that ends a job is believed.
const ACCOUNTS_MIN: usize = 2;

/// So many accounts are believed whatever others say; more are not remembered.
pub(super) const ACCOUNTS_MAX: usize = REPLICAS_PER_TASK_MAX as usize;

/// So many verdicts of a job show that its key is right.
const VERDICTS_MIN: u32 = 3;

/// How long a task is open for one account more, in milliseconds: ten minutes.
const OTHERS_MS_MAX: u64 = 10 * 60_000;

/// Devices that are looked at to find one of another account. Where more are connected and none is found,
/// there is taken to be one.
const OTHERS_LOOKED_AT_MAX: usize = 256;

/// Tasks of a job that are weighed again at a time.
const WEIGHED_MAX: usize = 64;

/// By whom it is shown that a task's input opens nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpensNowhere {
    /// It is not.
    NotShown,
    /// By just enough accounts, unless somebody of another account could try it.
    ByFew,
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
        matches!(self, Self::ByFew | Self::ByAccounts | Self::ByTrusted)
    }
}

/// Tasks before the judge whose input a device could not open.
#[derive(Default)]
pub(super) struct Unopened {
    /// Each with since when it is open for one account more, if it is.
    tasks: BTreeMap<TaskIndex, Option<Tick>>,
    /// The one that was weighed last.
    last: Option<TaskIndex>,
}

impl Unopened {
    pub(super) fn insert(&mut self, task: TaskIndex) {
        self.tasks.entry(task).or_default();
    }

    pub(super) fn remove(&mut self, task: TaskIndex) {
        self.tasks.remove(&task);
    }

    /// A task is open for one account more. False once it has been for long enough.
    fn is_open_for_one_more(&mut self, task: TaskIndex, now: Tick) -> bool {
        let Some(since) = self.tasks.get_mut(&task) else {
            return false;
        };
        now < since.get_or_insert(now).plus_ms(OTHERS_MS_MAX)
    }

    /// Those whose turn it is to be weighed again, at most [`WEIGHED_MAX`]: one after the other, and then
    /// from the first on.
    fn turn(&mut self) -> Vec<TaskIndex> {
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.tasks.range((from, Bound::Unbounded));
        let most = WEIGHED_MAX.min(self.tasks.len());
        let turn = next.chain(&self.tasks).map(|(task, _)| *task);
        let turn: Vec<_> = turn.take(most).collect();
        self.last = turn.last().copied().or(self.last);
        turn
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
        let few = quorum.max(ACCOUNTS_MIN);
        match () {
            // The referee has opened it.
            () if open.referee.is_some() => OpensNowhere::NotShown,
            () if accounts >= ACCOUNTS_MAX => OpensNowhere::ByAll,
            () if accounts < ACCOUNTS_MIN || !open.reported.is_empty() => OpensNowhere::NotShown,
            () if open.is_unopened_by_trusted => OpensNowhere::ByTrusted,
            () if self.counters.decided >= VERDICTS_MIN => OpensNowhere::NotShown,
            () if accounts > few => OpensNowhere::ByAccounts,
            () if accounts == few => OpensNowhere::ByFew,
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
        let is_for_opinion = self.keeps_for_opinion(active, task);
        let wants_more = shown == OpensNowhere::ByFew && !is_out;
        let wants_more = wants_more && self.one_more_could_try(now, active, task);
        let wants_more = wants_more
            && self
                .jobs
                .get_mut(&id)
                .is_some_and(|job| job.unopened.is_open_for_one_more(task, now));
        let dispatch = &mut self.scheduler.dispatch;
        let is_reserved = is_for_opinion || (shown.reserves() && !wants_more);
        if dispatch.reserve(id, task, is_reserved) {
            self.waking.changed_for_all();
        }
        let ends = match shown {
            OpensNowhere::NotShown => false,
            OpensNowhere::ByFew | OpensNowhere::ByAccounts => {
                !is_out && !wants_more && !dispatch.waits_for_trusted(id, task, now)
            }
            OpensNowhere::ByTrusted => !is_out,
            OpensNowhere::ByAll => true,
        };
        if ends {
            self.end_unopened(now, id, task, out);
        }
    }

    /// Ends a job because a task's input opens nowhere, once the referee could not open it either.
    fn end_unopened(&mut self, now: Tick, id: JobId, task: TaskIndex, out: &mut Vec<Effect>) {
        let open = self.jobs.get(&id).and_then(|job| job.open(task));
        match open.is_some_and(|open| open.was_referee_asked()) {
            false => self.ask_referee(now, id, task, out),
            true => self.stuck(id, task, Impasse::Unopened, End::Unopened { task }, out),
        }
    }

    /// Whether a device is here that could have a task which devices could not open, of an account of
    /// which none has said so.
    pub(super) fn one_more_could_try(
        &self,
        now: Tick,
        active: &ActiveJob,
        task: TaskIndex,
    ) -> bool {
        let Some(open) = active.open(task) else {
            return false;
        };
        let (dispatch, fleet) = (&self.scheduler.dispatch, &self.scheduler.fleet);
        let could_try = |it: &(&DeviceId, &Known)| {
            let (device, known) = *it;
            let number = known.number;
            !open.unopened.contains(&known.account)
                && !open.excluded.iter().any(|(excluded, _)| excluded == device)
                && !self.is_kept_for(now, OTHERS_MS_MAX, (device, known), active.id)
                && dispatch.is_for(active.id, fleet.traits(number), fleet.rank_of(number))
        };
        let connected = self.devices.all().filter(|(_, known)| known.connected);
        let mut looked_at = connected.take(OTHERS_LOOKED_AT_MAX);
        let is_sample = self.devices.connected_devices() as usize > OTHERS_LOOKED_AT_MAX;
        looked_at.any(|it| could_try(&it)) || is_sample
    }

    /// Weighs again what depends on who is here and on how long it is waited for: some tasks of each job
    /// at a time.
    pub(super) fn weigh_inputs(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let has_some = |(_, job): &(&JobId, &ActiveJob)| !job.unopened.tasks.is_empty();
        let jobs = self.jobs.iter().filter(has_some);
        let jobs: Vec<_> = jobs.map(|(id, _)| *id).collect();
        for id in jobs {
            let turn = self.jobs.get_mut(&id).map(|job| job.unopened.turn());
            for task in turn.into_iter().flatten() {
                self.weigh_input(now, id, task, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_its_turn_and_never_more_than_some_at_a_time() {
        let mut unopened = Unopened::default();
        assert_eq!(unopened.turn(), [] as [TaskIndex; 0]);
        (0..150).for_each(|task| unopened.insert(task));
        let turns: Vec<_> = (0..7).flat_map(|_| unopened.turn()).collect();
        assert_eq!(turns.len(), 7 * WEIGHED_MAX);
        let expected: Vec<_> = (0..150).cycle().take(turns.len()).collect();
        assert_eq!(turns, expected);
        (2..150).for_each(|task| unopened.remove(task));
        assert_eq!(unopened.turn(), [0, 1], "once each");
    }
}
