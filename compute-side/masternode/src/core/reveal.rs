//! Commit, then reveal.
//!
//! Where several devices compute the same, each says first what it commits itself to, which tells nobody
//! what came out. When as many have as the case waits for, and that is on disk, they are asked to reveal
//! it; so whoever copies another's answer has to know it before anybody has said it. It is asked for as
//! well when the others have had their time, or nothing of the job is given out any more: nobody is waited
//! for in vain, and nobody who has computed goes unpaid for it. A device that is asked and does not reveal
//! is late; what does not open its commitment is a failure of its device.
//!
//! A device that has committed itself holds the replica still, but not in its hand: it may have others to
//! compute. To the queues the replica is answered.

use super::{
    Core, Effect, Entry, ReleaseCause, Tick,
    job::{ActiveJob, Pledging},
};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    log::SignedCommitment,
};
use quern_protocol::{DiscardReason, ReplicaId};

impl Core {
    /// A device commits itself.
    pub(super) fn commit(
        &mut self,
        now: Tick,
        device: DeviceId,
        signed: SignedCommitment,
        out: &mut Vec<Effect>,
    ) {
        let said = signed.payload;
        let id = ReplicaId {
            job: said.job,
            task: said.task,
            replica: said.replica,
        };
        let admitted = match self.jobs.get(&id.job) {
            None => Err(DiscardReason::JobOver),
            Some(active) => active.admit_commitment(&signed, device, &self.settings.genesis),
        };
        let persisted = self.persisted;
        match admitted {
            Ok(Pledging::Reported(place)) => {
                self.devices.acknowledge_again(device, place, id, persisted);
            }
            Ok(Pledging::Again { is_asked: true }) => self.devices.ask_to_reveal(device, id),
            Ok(Pledging::Again { is_asked: false }) => {}
            Err(reason) => {
                self.devices.take_from(&device, id, reason);
                if reason.is_fault() {
                    self.release_at(now, id, device, ReleaseCause::Failed, out);
                }
            }
            Ok(Pledging::New) => {
                self.devices.put_down(&device, id);
                let entry = Entry::Committed { commitment: signed };
                let (ticket, _) = self.append(id.job, entry, None, out);
                if let Some(active) = self.jobs.get_mut(&id.job) {
                    active.committed(ticket, &said, now);
                }
                self.scheduler.dispatch.finish(id);
                self.committing.push_back((ticket, id.job, id.task));
                out.push(Effect::Changed { job: id.job });
            }
        }
    }

    /// Asks for what was committed, of the tasks of which a commitment is on disk since this was last
    /// called.
    pub(super) fn ask_for_reveals(&mut self, now: Tick) {
        let persisted = self.persisted;
        while let Some((_, id, task)) = self
            .committing
            .pop_front_if(|(ticket, ..)| *ticket <= persisted)
        {
            let active = self.jobs.get(&id);
            let is_time = active
                .is_some_and(|active| active.has_enough(task, persisted) || self.is_last(active));
            if is_time {
                self.ask_to_reveal(now, id, task);
            }
        }
    }

    /// Whether nobody else can commit to anything of a job, because nothing of it is given out any more,
    /// though what is answered may still be settled.
    fn is_last(&self, active: &ActiveJob) -> bool {
        let margin = self.settings.deadline_margin_blocks;
        active.job.state.goes_on() && !active.takes_work(self.block, margin)
    }

    /// Asks those who have committed themselves to what comes out of a task, and wait.
    pub(super) fn ask_to_reveal(&mut self, now: Tick, job: JobId, task: TaskIndex) {
        let active = self.jobs.get_mut(&job);
        let asked = active.map(|active| active.ask_to_reveal(task, now));
        for (replica, device) in asked.into_iter().flatten() {
            self.devices
                .ask_to_reveal(device, ReplicaId { job, task, replica });
        }
    }

    /// Asks for all that was committed of jobs of which nothing is given out any more.
    pub(super) fn ask_for_the_last(&mut self, now: Tick) {
        let last = self.jobs.iter().filter(|(_, active)| self.is_last(active));
        let waiting: Vec<_> = last
            .flat_map(|(id, active)| {
                active
                    .with_waiting()
                    .into_iter()
                    .map(move |task| (*id, task))
            })
            .collect();
        for (id, task) in waiting {
            self.ask_to_reveal(now, id, task);
        }
    }
}
