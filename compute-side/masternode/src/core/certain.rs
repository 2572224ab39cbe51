//! Tasks whose answer is sure before every replica was heard.
//!
//! Two of three accounts agree, and the third has gone: whatever it said, the answer would be the
//! same. The others must not go unpaid, nor the job stand still, because nobody else may have the
//! last replica. So it is waited for while a device has it, and then a little longer for another to
//! take it; the case is decided without it afterwards.

use super::{Core, Effect, Tick, job::ActiveJob};
use quern_primitives::ids::{ReplicaIndex, TaskIndex};
use quern_verdict::{Decision, Hearing};

impl ActiveJob {
    /// The task's answer is sure; what is missing is waited for from now on.
    pub(super) fn is_certain(&mut self, task: TaskIndex, now: Tick) {
        self.certain.insert(task, now);
    }

    /// When a task is decided without the replicas that nobody has, if any is waited for.
    pub(super) fn next_certain(&self, patience_ms: u64) -> Option<Tick> {
        let waited_for = self.certain.iter().filter(|(task, _)| !self.is_out(**task));
        waited_for
            .map(|(_, since)| since.plus_ms(patience_ms))
            .min()
    }

    /// The tasks that have waited so long for a replica that nobody has.
    fn waited_enough(&self, now: Tick, patience_ms: u64) -> Vec<TaskIndex> {
        let tasks = self.certain.iter();
        tasks
            .filter(|(task, since)| since.plus_ms(patience_ms) <= now && !self.is_out(**task))
            .map(|(task, _)| *task)
            .collect()
    }

    /// Whether a device has a replica of the task.
    fn is_out(&self, task: TaskIndex) -> bool {
        self.held
            .range((task, 0)..=(task, ReplicaIndex::MAX))
            .next()
            .is_some()
    }

    /// What the judge says if nobody else is heard.
    fn decision_of_those_heard(&self, task: TaskIndex) -> Option<Decision> {
        match self.open(task)?.case.hearing(0) {
            Hearing::Decided(decision) => Some(decision),
            _ => None,
        }
    }
}

impl Core {
    /// Decides the tasks whose missing replicas can change nothing and come from nobody.
    pub(super) fn decide_certain(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let (block, margin) = (self.block, self.settings.deadline_margin_blocks);
        let mut due = Vec::new();
        for (id, job) in self.jobs.iter().filter(|(_, job)| job.failed.is_none()) {
            // Nobody can take a replica of a job that hands out nothing any more.
            let patience_ms = match job.takes_work(block, margin) {
                true => self.settings.certain_ms,
                false => 0,
            };
            let tasks = job.waited_enough(now, patience_ms).into_iter();
            due.extend(tasks.filter_map(|task| {
                let decision = job.decision_of_those_heard(task)?;
                Some((*id, task, decision))
            }));
        }
        for (id, task, decision) in due {
            self.decided(now, id, task, decision, out);
        }
    }
}
