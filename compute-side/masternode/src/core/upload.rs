//! Shards that come one after the other.
//!
//! A job starts once its manifest, its key and its program are here, whichever of its shards are: each
//! task is queued when its own shard is checked and on disk, and the job's log says once of each that it was.
//! Which shards are missing is what the disk says, at each start of the masternode anew, and not the log. What is missing is work
//! to come: until the last shard is here, nobody takes the job to be near its end.

use super::{Core, Effect, JobPlan, Tick, job::ActiveJob, scheduler};
use quern_primitives::ids::{JobId, TaskIndex};

impl ActiveJob {
    /// Whether the shard of a task is not here, or something that every task of the job needs.
    pub(super) fn lacks(&self, task: TaskIndex) -> bool {
        !self.has_plan() || self.missing.contains(&task)
    }

    /// Tasks that are not queued because their shard is not here.
    pub(super) fn to_come(&self) -> u32 {
        match self.has_plan() {
            true => self.missing.len() as u32,
            false => self.task_count().saturating_sub(self.counters.touched),
        }
    }
}

impl Core {
    /// What every task of a job needs is here, and the job starts.
    pub(super) fn uploaded(&mut self, now: Tick, id: JobId, plan: JobPlan, out: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.start(plan) {
            job.close_settled();
            if job.takes_work(self.block, self.settings.deadline_margin_blocks) {
                self.enqueue(now, id);
                self.continue_log(id, out);
            }
            self.waking.changed_for_all();
            out.push(Effect::Changed { job: id });
        }
    }

    /// Shards of a job are here. What is known to be here, or is no shard of a job that has started,
    /// changes nothing: a job that starts later is told what is missing then.
    pub(super) fn shards(
        &mut self,
        now: Tick,
        id: JobId,
        tasks: &[TaskIndex],
        out: &mut Vec<Effect>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let came = tasks.iter().copied();
        let came: Vec<_> = came.filter(|task| job.missing.remove(task)).collect();
        if came.is_empty() {
            return;
        }
        // One that hands out nothing any more is not queued.
        if self.scheduler.dispatch.has_job(id) {
            let replicas = usize::from(job.job.submission.agreement.replicas());
            self.waking.opened(came.len().saturating_mul(replicas));
            job.enqueue(came.iter().copied(), &mut self.scheduler, now);
            self.tell_trusted(now, id);
            self.queue_in_log(id, came, out);
        }
        out.push(Effect::Changed { job: id });
    }

    /// Queues a job, with those of its tasks that have no verdict and whose shard is here.
    pub(super) fn enqueue(&mut self, now: Tick, id: JobId) {
        let Some(active) = self.jobs.get(&id) else {
            return;
        };
        let terms = scheduler::terms(&active.job, active.seed(), active.fetch_bytes_max());
        self.scheduler.add_job(id, terms);
        let tasks = active.unfinished().filter(|task| !active.lacks(*task));
        active.enqueue(tasks, &mut self.scheduler, now);
        self.tell_trusted(now, id);
    }
}
