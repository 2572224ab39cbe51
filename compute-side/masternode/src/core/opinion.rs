//! A second opinion before a device is blamed.
//!
//! Often all replicas of a task are out when the first two answers of it differ, and the case is decided
//! by who has the task already: two that lie alike then outvote an honest device. So a case that is
//! decided, and would find a device incorrect or failed, waits if no trusted device has answered and one
//! could have the task that [may be given something](super::trusted) within a minute: it gets one more
//! replica, and meanwhile all that is open of it is reserved for trusted devices, which get it before what
//! is only in doubt. What one answers is heard like any other answer. If none is heard within five minutes,
//! or no trusted device has the task or could have it any more, the case is decided as it stands, so a busy
//! device keeps nobody from pay for long; nor does a job wait that gives nothing out any more.
//!
//! It is asked for once in a case. Where no referee could be had and devices vote, no replica comes to those
//! that may vote, and what they have decided stands: a sixth could only undo it. A restart forgets that it is waited for, and decides what is decided.

use super::{Core, Effect, Tick, job::ActiveJob};
use quern_primitives::{
    ids::{JobId, ReplicaIndex, TaskIndex},
    limits::{ESCALATION_REPLICAS_MAX, REPLICAS_PER_TASK_MAX},
    verdict::{Finding, Ground},
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

    /// Whether a task waits for a trusted device. It may have been heard already.
    pub(super) fn waits(&self, task: TaskIndex) -> bool {
        let until = self.until(task);
        until.is_some_and(|until| self.due.contains(&(until, task)))
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

/// Replicas that a task may have where its case is decided on this ground.
fn replicas_max(ground: Ground) -> ReplicaIndex {
    match ground {
        Ground::Vote => ESCALATION_REPLICAS_MAX,
        Ground::Unanimous | Ground::Majority | Ground::Trusted | Ground::Referee => {
            REPLICAS_PER_TASK_MAX
        }
    }
}

/// Whether as many devices have voted as may.
fn is_vote_over(decision: &Decision) -> bool {
    let voted = decision.findings.iter().filter(|it| it.receipt.is_some());
    decision.ground == Ground::Vote && voted.count() >= usize::from(ESCALATION_REPLICAS_MAX)
}

impl Core {
    /// Decides a case, unless a trusted device is to be heard before. Where the referee has spoken, or all
    /// have voted, there is nothing more to hear.
    pub(super) fn conclude(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        decision: Decision,
        out: &mut Vec<Effect>,
    ) {
        let is_over = decision.ground == Ground::Referee || is_vote_over(&decision);
        let most = replicas_max(decision.ground);
        if is_over || !blames(&decision) || !self.waits_for_opinion(now, id, task, most, out) {
            self.decided(now, id, task, decision, out);
        } else if let Some(active) = self.jobs.get_mut(&id) {
            // What is missing is waited for here.
            active.certain.end(task);
        }
    }

    /// Whether a trusted device is to be heard on a task that may have so many replicas, which is asked if
    /// it was not.
    fn waits_for_opinion(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        most: ReplicaIndex,
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
        let is_computed = self.is_computed_by_trusted(active, task);
        let may_come = is_computed || self.scheduler.dispatch.is_for_trusted(id, task);
        if let Some(until) = active.opinions.until(task) {
            return now < until && unheard > 0 && may_come;
        }
        if !may_come
            || (open == 0 && !is_computed && !self.add_for_trusted(now, id, task, most, out))
        {
            return false;
        }
        if let Some(active) = self.jobs.get_mut(&id) {
            active.opinions.ask(task, now.plus_ms(WAITS_MS));
        }
        self.scheduler.dispatch.reserve(id, task, true);
        out.push(Effect::Changed { job: id });
        true
    }

    /// Opens one more replica of a task. False if it has as many as it may.
    fn add_for_trusted(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        most: ReplicaIndex,
        out: &mut Vec<Effect>,
    ) -> bool {
        let open = self.jobs.get(&id).and_then(|job| job.open(task));
        let replicas = open.map(|open| open.case.replicas());
        if replicas.is_none_or(|replicas| replicas >= most) {
            return false;
        }
        self.add_replicas(now, id, task, 1, out);
        true
    }

    /// Whether a trusted device is to be heard on a task and was not.
    pub(super) fn keeps_for_opinion(&self, active: &ActiveJob, task: TaskIndex) -> bool {
        active.opinions.waits(task) && !self.was_heard_by_trusted(active, task)
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
                match decision {
                    Some(decision) => self.decided(now, id, task, decision, out),
                    // What is reserved of it is for others again.
                    None => self.weigh_input(now, id, task, out),
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
        assert!([7, 8].iter().all(|task| opinions.waits(*task)) && !opinions.waits(9));
        assert_eq!(opinions.take_due(Tick(9)), [] as [TaskIndex; 0]);
        assert_eq!(opinions.take_due(Tick(20)), [8, 7]);
        assert_eq!(opinions.next(), None);
        assert_eq!(opinions.until(7), Some(Tick(20)));
        assert!(!opinions.waits(7));
        opinions.end(7);
        assert_eq!(opinions.until(7), None);
    }
}
