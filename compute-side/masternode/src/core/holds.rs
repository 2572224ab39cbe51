//! What devices hold, as those ask who hand shards, programs and places for results out.

use super::{Core, PlannedAssignment};
use quern_primitives::ids::{DeviceId, JobId, ProgramHash, TaskIndex};
use quern_protocol::ReplicaId;

impl Core {
    /// Whether a device may read a job's shard for a task, because it holds a replica of it.
    pub fn holds(&self, device: &DeviceId, job: JobId, task: TaskIndex) -> bool {
        self.jobs
            .get(&job)
            .is_some_and(|job| job.is_held_by(task, device))
    }

    /// Whether a device may deliver a result for a replica.
    pub fn holds_replica(&self, device: &DeviceId, id: ReplicaId) -> bool {
        self.jobs
            .get(&id.job)
            .and_then(|job| job.holding(id.task, id.replica))
            .is_some_and(|holding| holding.device == *device)
    }

    /// The place in the log of the entry with which a device's report for a replica was taken, if it was.
    pub fn reported_at(&self, device: &DeviceId, id: ReplicaId) -> Option<u64> {
        let active = self.jobs.get(&id.job)?;
        let (_, position) = active.reported_with(id.task, id.replica, device)?;
        Some(position)
    }

    /// What a device was given, if it still holds it.
    pub fn given(&self, device: &DeviceId, id: ReplicaId) -> Option<PlannedAssignment> {
        let holding = self.jobs.get(&id.job)?.holding(id.task, id.replica)?;
        (holding.device == *device).then_some(PlannedAssignment {
            id,
            log_position: holding.log_position,
            time_ms: 0,
        })
    }

    /// A job that runs this program and of which the device holds a replica.
    pub fn program_of(&self, device: &DeviceId, program: &ProgramHash) -> Option<JobId> {
        let known = self.devices.get(device)?;
        known.in_hand.iter().map(|id| id.job).find(|job| {
            self.jobs
                .get(job)
                .is_some_and(|job| job.job.submission.program == *program)
        })
    }
}
