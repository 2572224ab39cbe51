//! What is told of the queues: nothing here changes them.

use super::{Asker, Dispatch, Withheld};
use crate::{Tick, pools::PoolNumber};
use quern_primitives::ids::{JobId, ReplicaId, TaskIndex};

/// Jobs looked at for the one of which a device gets something next.
const NEXT_OF_MAX: usize = 16;

/// Where one replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// It waits for a device.
    Open {
        /// In this pool's queue.
        pool: PoolNumber,
        /// Since then.
        since: Tick,
    },
    /// A device computes it.
    Running {
        /// Which.
        device: u32,
        /// Since then.
        since: Tick,
        /// It should be answered then.
        end: Tick,
        /// Whether it is a backup.
        is_backup: bool,
    },
    /// A device answered it.
    Answered {
        /// Which.
        device: u32,
    },
    /// It could not be handed out, and nobody gets it for a while.
    Resting,
}

/// Where an open replica waits for a device, beside what [`ReplicaState::Open`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its turn in its pool's queue, counted from 1.
    pub turn: usize,
    /// Replicas in that queue.
    pub of: usize,
    /// Whether a fast or trusted device shall have it.
    pub is_rescue: bool,
    /// From when on any device may have it; none while that is not known, because no slower device has
    /// passed what the fast shall have, or it was not passed in vain where there are lanes; or while it
    /// is kept for a trusted device.
    pub open_to_all_at: Option<Tick>,
    /// Until when it is for trusted devices alone, because its task is in doubt and one of them could
    /// have it.
    pub kept_until: Option<Tick>,
}

/// Open and running replicas of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Open replicas in each pool, from the top.
    pub open: Vec<usize>,
    /// Replicas that are computed.
    pub running: usize,
    /// Devices in the target subset whose pool takes part.
    pub devices: u32,
}

impl Dispatch {
    /// Why a device would get nothing of a job now, as if there were no other; nothing if it would.
    pub fn explain(&self, job: JobId, asker: &Asker<'_>, now: Tick) -> Option<Withheld> {
        match self.jobs.get(&job) {
            Some(job) => job.explain(asker, now, &self.tuning),
            None => Some(Withheld::NoJob),
        }
    }

    /// Why a device would not get an open replica of a task next, as if there were no other job; nothing if it
    /// would.
    pub fn explain_task(
        &self,
        job: JobId,
        task: TaskIndex,
        asker: &Asker<'_>,
        now: Tick,
    ) -> Option<Withheld> {
        let Some(queue) = self.jobs.get(&job) else {
            return Some(Withheld::NoJob);
        };
        queue.explain_task(task, asker, now, &self.tuning)
    }

    /// The job of which a device that is barred from some would get something next; none if of none of the first
    /// 16 from which it is not.
    pub fn next_job(
        &self,
        asker: &Asker<'_>,
        now: Tick,
        is_barred: impl Fn(JobId) -> bool,
    ) -> Option<JobId> {
        let tuning = &self.tuning;
        let jobs = self.jobs().filter(|id| !is_barred(*id));
        let mut jobs = jobs.filter_map(|id| Some((id, self.jobs.get(&id)?)));
        let first: Vec<_> = jobs.by_ref().take(NEXT_OF_MAX).collect();
        let are_all = jobs.next().is_none();
        let mut open = first.iter();
        let has_open = open.find(|(_, job)| job.search(asker, now, tuning).found.is_ok());
        // What runs is computed again once no job has anything open for it.
        let runs_long = || {
            let mut near_end = first.iter().filter(|_| tuning.backs_up && are_all);
            near_end.find(|(_, job)| job.slow_one(asker, now, tuning).is_ok())
        };
        has_open.or_else(runs_long).map(|(id, _)| *id)
    }

    /// How many jobs that are served before this one have something open, and devices for it; none if it is not
    /// queued.
    pub fn jobs_before(&self, id: JobId) -> usize {
        let before = self.jobs().take_while(|it| *it != id);
        let before = before.filter_map(|it| self.jobs.get(&it));
        let have_open = before.filter(|job| job.open > 0 && job.known.target.devices > 0);
        match self.has_job(id) {
            true => have_open.count(),
            false => 0,
        }
    }

    /// How long a device of the usual speed is expected to take for a replica of a job, in milliseconds;
    /// none if the job is not queued.
    pub fn expected_ms(&self, job: JobId) -> Option<u64> {
        self.jobs.get(&job).map(|job| job.takes_ms(0))
    }

    /// Where an open replica waits for a device; nothing if it is not open.
    pub fn queued(&self, id: ReplicaId, now: Tick) -> Option<Queued> {
        let job = self.jobs.get(&id.job)?;
        job.queued(id.task, id.replica, now, &self.tuning)
    }

    /// Whether a task gets one more replica when a device of it is stale.
    pub fn wants_rescue(&self, job: JobId, task: TaskIndex) -> bool {
        let job = self.jobs.get(&job);
        job.is_some_and(|job| job.wants_rescue(task))
    }

    /// Until when slow devices are spared a job's tasks, if nobody takes anything of it before; none
    /// if they are not spared.
    pub fn spares_until(&self, job: JobId) -> Option<Tick> {
        self.jobs.get(&job)?.spares_until(&self.tuning)
    }

    /// Where the replicas of a task stand that has no verdict.
    pub fn replicas(&self, job: JobId, task: TaskIndex) -> Vec<ReplicaState> {
        self.jobs.get(&job).map_or(vec![], |job| job.replicas(task))
    }

    /// How many accounts have a device in a job's target subset, as it was last told; none if the job is
    /// not queued.
    pub fn accounts(&self, job: JobId) -> Option<u32> {
        self.jobs.get(&job).map(|job| job.accounts)
    }

    /// How far a job is.
    pub fn counts(&self, job: JobId) -> JobCounts {
        self.jobs
            .get(&job)
            .map_or(JobCounts::default(), |job| JobCounts {
                open: job.open_by_pool(),
                running: job.running_count(),
                devices: job.known.target.devices,
            })
    }
}
