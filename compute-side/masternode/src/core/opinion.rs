//! A second opinion before a device is blamed.
//!
//! Often all replicas of a task are out when the first two answers of it differ, and the case is decided
//! by who has the task already: two that lie alike then outvote an honest device. So a case that is
//! decided, and would find a device incorrect or failed, waits if no trusted device has answered and one
//! that is here could have the task: it gets one more replica, which is for that one before others. What
//! it answers is heard like any other answer. If the one more is not heard within five minutes the case is
//! decided as it stands, so a busy device keeps nobody from pay for long; nor does a job wait that gives
//! nothing out any more.
//!
//! It is asked for once in a case. A restart forgets that it is waited for, and decides what is decided.

use super::{Core, Effect, Tick, job::ActiveJob};
use quern_primitives::{
    ids::{AccountId, DeviceId, JobId, ReplicaIndex, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
    verdict::Finding,
};
use quern_verdict::Decision;
use std::collections::{BTreeMap, BTreeSet};

/// How long a case waits for a trusted device, in milliseconds: five minutes.
const WAITS_MS: u64 = 5 * 60_000;

/// Tasks on which a trusted device is to be heard.
#[derive(Default)]
pub(super) struct Opinions {
    /// Until when each waits, or waited.
    until: BTreeMap<TaskIndex, Tick>,
    /// The next to be decided as it stands first, of those that were not yet.
    due: BTreeSet<(Tick, TaskIndex)>,
}

impl Opinions {
    fn ask(&mut self, task: TaskIndex, until: Tick) {
        self.end(task);
        self.until.insert(task, until);
        self.due.insert((until, task));
    }

    /// A task has its verdict, or will have none.
    pub(super) fn end(&mut self, task: TaskIndex) {
        if let Some(until) = self.until.remove(&task) {
            self.due.remove(&(until, task));
        }
    }

    /// Until when a task waits, or waited.
    pub(super) fn until(&self, task: TaskIndex) -> Option<Tick> {
        self.until.get(&task).copied()
    }

    /// When the next task is decided as it stands.
    pub(super) fn next(&self) -> Option<Tick> {
        self.due.first().map(|(until, _)| *until)
    }

    /// The tasks that are to be decided as they stand, once each.
    fn take_due(&mut self, now: Tick) -> Vec<TaskIndex> {
        let mut tasks = Vec::new();
        while self.next().is_some_and(|until| until <= now) {
            tasks.extend(self.due.pop_first().map(|(_, task)| task));
        }
        tasks
    }
}

impl ActiveJob {
    /// Of a task's replicas, how many have no answer, and how many of these no device has.
    fn unheard(&self, task: TaskIndex) -> (usize, usize) {
        let Some(open) = self.open(task) else {
            return (0, 0);
        };
        let unheard = usize::from(open.case.replicas()).saturating_sub(open.reported.len());
        let held = self.held.range((task, 0)..=(task, ReplicaIndex::MAX));
        (unheard, unheard.saturating_sub(held.count()))
    }
}

/// Whether a decision finds a device at fault for what it did, and not only for being slow.
fn blames(decision: &Decision) -> bool {
    let is_blamed = |finding| matches!(finding, Finding::Incorrect | Finding::Failed);
    decision.findings.iter().any(|it| is_blamed(it.finding))
}

impl Core {
    /// Decides a case, unless a trusted device is to be heard before.
    pub(super) fn conclude(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        decision: Decision,
        out: &mut Vec<Effect>,
    ) {
        if !blames(&decision) || !self.waits_for_opinion(now, id, task, out) {
            self.decided(now, id, task, decision, out);
        } else if let Some(active) = self.jobs.get_mut(&id) {
            // What is missing is waited for here.
            active.certain.end(task);
        }
    }

    /// Whether a trusted device is to be heard on a task, which is asked if it was not.
    fn waits_for_opinion(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        out: &mut Vec<Effect>,
    ) -> bool {
        let margin = self.settings.deadline_margin_blocks;
        let goes_on = |job: &&ActiveJob| job.takes_work(self.block, margin) && !job.lacks(task);
        let Some(active) = self.jobs.get(&id).filter(goes_on) else {
            return false;
        };
        if self.was_heard_by_trusted(active, task) {
            return false;
        }
        let (unheard, open) = active.unheard(task);
        if let Some(until) = active.opinions.until(task) {
            return now < until && unheard > 0;
        }
        let is_computed = self.is_computed_by_trusted(active, task);
        if !is_computed {
            if !self.trusted_could_have(active, task) {
                return false;
            }
            if open == 0 && !self.add_for_trusted(now, id, task, out) {
                return false;
            }
            self.scheduler.doubt(id, task, now);
        }
        if let Some(active) = self.jobs.get_mut(&id) {
            active.opinions.ask(task, now.plus_ms(WAITS_MS));
        }
        out.push(Effect::Changed { job: id });
        true
    }

    /// Opens one more replica of a task. False if it has as many as it may.
    fn add_for_trusted(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        out: &mut Vec<Effect>,
    ) -> bool {
        let open = self.jobs.get(&id).and_then(|job| job.open(task));
        let replicas = open.map(|open| open.case.replicas());
        if replicas.is_none_or(|replicas| replicas >= REPLICAS_PER_TASK_MAX) {
            return false;
        }
        self.add_replicas(now, id, task, 1, out);
        true
    }

    fn is_trusted(&self, device: &DeviceId) -> bool {
        let fleet = &self.scheduler.fleet;
        let number = fleet.number(device);
        number.is_some_and(|number| fleet.traits(number).is_trusted())
    }

    /// Whether a trusted device has answered a task.
    fn was_heard_by_trusted(&self, active: &ActiveJob, task: TaskIndex) -> bool {
        let open = active.open(task);
        let mut heard = open.into_iter().flat_map(|open| open.reported.values());
        heard.any(|reporter| self.is_trusted(&reporter.device))
    }

    /// Whether a trusted device computes a task.
    fn is_computed_by_trusted(&self, active: &ActiveJob, task: TaskIndex) -> bool {
        let mut held = active.held.range((task, 0)..=(task, ReplicaIndex::MAX));
        held.any(|(_, holding)| self.is_trusted(&holding.device))
    }

    /// Whether a trusted device is here that could have a task: it meets the job's needs and has not lost
    /// the task before, and its account has no replica of it.
    fn trusted_could_have(&self, active: &ActiveJob, task: TaskIndex) -> bool {
        let (dispatch, fleet) = (&self.scheduler.dispatch, &self.scheduler.fleet);
        let (Some(open), Some(terms)) = (active.open(task), dispatch.terms_of(active.id)) else {
            return false;
        };
        let has_replica = |account: &AccountId| {
            let mut held = active.held.range((task, 0)..=(task, ReplicaIndex::MAX));
            let mut reported = open.reported.values();
            reported.any(|it| it.account == *account) || held.any(|(_, it)| it.account == *account)
        };
        let could_have = |number: u32| {
            let device = fleet.device(number)?;
            let known = self.devices.get(&device).filter(|known| known.connected)?;
            let traits = fleet.traits(number);
            let is_wanted = traits.is_trusted() && terms.needs.are_met_by(traits);
            let lost_it = open.excluded.iter().any(|(lost, _)| *lost == device);
            (is_wanted && !lost_it && !has_replica(&known.account)).then_some(())
        };
        let mut trusted = self.scheduler.trusted();
        trusted.any(|number| could_have(number).is_some())
    }

    /// Decides as they stand the cases that have waited long enough; all those of a job that gives
    /// nothing out any more.
    pub(super) fn decide_without_opinion(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let (block, margin) = (self.block, self.settings.deadline_margin_blocks);
        let waits = |(_, job): &(&JobId, &ActiveJob)| job.opinions.next().is_some();
        let jobs = self.jobs.iter().filter(waits);
        let jobs: Vec<_> = jobs.map(|(id, _)| *id).collect();
        for id in jobs {
            let due = self.jobs.get_mut(&id).map(|job| {
                let is_waited_for = job.takes_work(block, margin);
                let until = if is_waited_for { now } else { Tick(u64::MAX) };
                job.opinions.take_due(until)
            });
            for task in due.into_iter().flatten() {
                let active = self.jobs.get(&id).filter(|job| job.failed.is_none());
                let decision = active.and_then(|job| job.decision_of_those_heard(task));
                if let Some(decision) = decision {
                    self.decided(now, id, task, decision, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_and_then_still_known_to_have_been_asked_for() {
        let mut opinions = Opinions::default();
        for (task, until) in [(7, 20), (8, 10), (9, 30)] {
            opinions.ask(task, Tick(until));
        }
        opinions.end(9);
        assert_eq!(opinions.next(), Some(Tick(10)));
        assert_eq!(opinions.take_due(Tick(9)), [] as [TaskIndex; 0]);
        assert_eq!(opinions.take_due(Tick(20)), [8, 7]);
        assert_eq!(opinions.next(), None);
        assert_eq!(opinions.until(7), Some(Tick(20)));
        opinions.end(7);
        assert_eq!(opinions.until(7), None);
    }
}
