//! Devices that are believed alone, where the owner wants as few replicas as their records allow.
//!
//! Of such a job a task has one replica at first. Whether the device that gets it is believed alone is
//! drawn when it gets it, from a seed that no device has, the task, the device and how many answers of it
//! were accepted in a row; if so, that is noted beside the log, which the device may read. If not, the task gets its second replica at once, so
//! that both are computed at the same time, and the case goes on as one where both must agree. A device
//! that gives the task back takes nothing with it: for the next one it is drawn anew.

use super::{Core, Effect, Note, Tick, job::ActiveJob};
use quern_primitives::{
    device::RecordChange,
    ids::{DeviceId, ReplicaIndex, TaskIndex},
    job::Agreement,
    verdict::{Finding, ReplicaFinding},
};
use quern_protocol::ReplicaId;
use quern_verdict::is_trusted_alone;

impl ActiveJob {
    /// The word of the device that has a replica is enough, once it is heard.
    pub(super) fn trusts(&mut self, task: TaskIndex, replica: ReplicaIndex) {
        if let Some(open) = self.open_mut(task) {
            open.believed = Some(replica);
        }
    }
}

impl Core {
    /// A replica was given to a device: draws whether the device is believed alone.
    pub(super) fn weigh_trust(
        &mut self,
        now: Tick,
        id: ReplicaId,
        device: DeviceId,
        out: &mut Vec<Effect>,
    ) {
        let Some(active) = self.jobs.get(&id.job) else {
            return;
        };
        // Once another one has the task as well, both are heard.
        let is_alone = active
            .open(id.task)
            .is_some_and(|open| open.case.replicas() == 1);
        if active.job.submission.agreement != Agreement::Adaptive || !is_alone {
            return;
        }
        let accepted_in_a_row = self.accepted_in_a_row(&device);
        let is_trusted = active.trust_seed().is_some_and(|seed| {
            is_trusted_alone(seed.expose(), id.task, &device, accepted_in_a_row)
        });
        if !is_trusted {
            return self.add_replicas(now, id.job, id.task, 1, out);
        }
        let note = Note::Trusted {
            task: id.task,
            replica: id.replica,
            device,
            accepted_in_a_row,
        };
        self.note(id.job, note, None, out);
        if let Some(active) = self.jobs.get_mut(&id.job) {
            active.trusts(id.task, id.replica);
        }
    }

    /// Of devices that a verdict finds at fault no answers are accepted in a row any more, until the chain
    /// says otherwise.
    pub(super) fn end_rows(&mut self, findings: &[ReplicaFinding]) {
        let at_fault = findings.iter().filter(|it| it.finding != Finding::Accepted);
        for found in at_fault {
            if let Some(known) = self.devices.get_mut(&found.device) {
                known.accepted_in_a_row = 0;
            }
        }
    }

    /// How many answers of a device were accepted in a row: as the chain last had it, and none if this
    /// masternode knows of a fault since.
    pub(super) fn accepted_in_a_row(&self, device: &DeviceId) -> u32 {
        let known = self.devices.get(device);
        let counted = known.map_or(0, |known| known.accepted_in_a_row);
        match self.uncounted.of(*device).any(RecordChange::has_fault) {
            true => 0,
            false => counted,
        }
    }
}
