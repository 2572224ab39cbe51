//! Tasks whose answer is sure before every replica was heard.
//!
//! Two of three accounts agree, and the third has gone: whatever it said, the answer would be the
//! same. The others must not go unpaid, nor the job stand still, because nobody else may have the
//! last replica. So it is waited for while a device has it, and then a little longer for another to
//! take it; the case is decided without it afterwards.

use super::{Core, Effect, ReleaseCause, Tick, job::ActiveJob};
use quern_primitives::{
    ids::{BlockNumber, ReplicaIndex, TaskIndex},
    job::JobState,
};
use quern_verdict::{Decision, Hearing};

/// How long the rest of a task is waited for.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// So long once no device has it.
    Ms(u64),
    /// Not at all, even while a device has it.
    Ended,
}

impl ActiveJob {
    /// The task's answer is sure. What is missing is waited for from now on, if it was not before.
    pub(super) fn becomes_certain(&mut self, task: TaskIndex, now: Tick) {
        let is_out = self.is_out(task);
        self.certain.begin(task, now, is_out);
    }

    /// A device that had a replica of the task will not have it again, so another gets its time. One
    /// that gives back may take again, and does not prolong the wait.
    pub(super) fn waits_anew(&mut self, task: TaskIndex, cause: ReleaseCause) {
        if cause.excludes() {
            self.certain.end(task);
        }
    }

    /// When a task is decided without the replicas that nobody has, if they are waited for.
    pub(super) fn certain_at(&self, task: TaskIndex, patience_ms: u64) -> Option<Tick> {
        let since = self.certain.idle_since(task)?;
        Some(since.plus_ms(patience_ms))
    }

    /// When the next task is decided so, or without a [second opinion](super::opinion).
    pub(super) fn next_certain(&self, patience_ms: u64) -> Option<Tick> {
        let idle = self.certain.idle().next();
        let certain = idle.map(|(since, _)| since.plus_ms(patience_ms));
        [certain, self.opinions.next()].into_iter().flatten().min()
    }

    /// The tasks that have waited so long for a replica that nobody has; all of them if nobody can
    /// be waited for any more.
    fn waited_enough(&self, now: Tick, patience: Patience) -> Vec<TaskIndex> {
        match patience {
            Patience::Ended => self.certain.tasks().collect(),
            Patience::Ms(ms) => {
                let idle = self.certain.idle();
                let enough = idle.take_while(|(since, _)| since.plus_ms(ms) <= now);
                enough.map(|(_, task)| task).collect()
            }
        }
    }

    /// The block after which nothing can be settled.
    fn last_block(&self) -> BlockNumber {
        match self.job.state {
            JobState::Cancelling { until, .. } => until,
            _ => self.job.submission.deadline,
        }
    }

    /// Whether what is not decided now may not get into a block any more before the job ends.
    pub(super) fn is_closing(&self, block: BlockNumber, margin_blocks: BlockNumber) -> bool {
        let closing = margin_blocks.saturating_mul(4) / 5;
        block.saturating_add(closing) >= self.last_block()
    }

    /// Whether a device has a replica of the task.
    pub(super) fn is_out(&self, task: TaskIndex) -> bool {
        self.held
            .range((task, 0)..=(task, ReplicaIndex::MAX))
            .next()
            .is_some()
    }

    /// What the judge says if nobody else is heard.
    pub(super) fn decision_of_those_heard(&self, task: TaskIndex) -> Option<Decision> {
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
        let goes_on = |job: &ActiveJob| job.failed.is_none() && job.job.state.goes_on();
        for (id, job) in self.jobs.iter().filter(|(_, job)| goes_on(job)) {
            let patience = if job.is_closing(block, margin) {
                // What is decided must still get into a block.
                Patience::Ended
            } else if job.takes_work(block, margin) {
                Patience::Ms(self.settings.certain_ms)
            } else {
                // Nobody can take a replica of a job that hands out nothing any more.
                Patience::Ms(0)
            };
            let tasks = job.waited_enough(now, patience).into_iter();
            due.extend(tasks.filter_map(|task| {
                let decision = job.decision_of_those_heard(task)?;
                Some((*id, task, decision))
            }));
        }
        for (id, task, decision) in due {
            self.conclude(now, id, task, decision, out);
        }
        self.decide_without_opinion(now, out);
    }
}
