//! Which trusted devices a job's tasks in doubt wait for.
//!
//! To wait for a device that may take nothing is to wait for nobody. So a job's queue is told of those
//! trusted devices alone that may be given something of the job within a minute, as far as is known then:
//! when the first of its tasks comes in doubt, and after each ranking, so every half a minute at least.

use super::{Core, Tick, device::Known};
use quern_grid::Holder;
use quern_primitives::ids::{DeviceId, JobId, TaskIndex};
use quern_protocol::ReplicaId;

/// A device that will be given nothing for longer is not waited for, in milliseconds: a minute.
const SOON_MS: u64 = 60_000;

/// Trusted devices that a job's queue is told of, best first. To be asked about a task it is enough
/// that one of them could have it.
const TRUSTED_MAX: usize = 1_024;

impl Core {
    /// Whether something keeps a connected device from all work, or from that of a job, for so long at the
    /// least, whatever it holds. What may pass at any moment counts as lasting, but for a benchmark, which
    /// takes some seconds.
    pub(super) fn is_kept_for(
        &self,
        now: Tick,
        ms: u64,
        (device, known): (&DeviceId, &Known),
        job: JobId,
    ) -> bool {
        let then = now.plus_ms(ms);
        self.scheduler.fleet.in_hand_max(known.number, then) == 0
            || self.pauses.until(device, then).is_some()
            || self.pauses.is_unjudged(device, job, then)
            || self.awaits_verdicts(device, known).is_some()
            || known.telemetry.was_never_free(now)
    }

    /// Whether a device that is here may be given something of a job within a minute.
    fn is_able_soon(&self, now: Tick, device: &DeviceId, job: JobId) -> bool {
        let known = self.devices.get(device).filter(|known| known.connected);
        let Some(known) = known else {
            return false;
        };
        if self.is_kept_for(now, SOON_MS, (device, known), job) {
            return false;
        }
        let soon = now.plus_ms(SOON_MS);
        let most = self.scheduler.fleet.in_hand_max(known.number, soon);
        let is_held_then = |id: &&ReplicaId| {
            let job = self.jobs.get(&id.job);
            let holding = job.and_then(|job| job.holding(id.task, id.replica));
            holding.is_some_and(|holding| soon < holding.watch.expected)
        };
        known.in_hand.iter().filter(is_held_then).count() < usize::from(most)
    }

    /// Trusted devices of the last ranking that a job's tasks in doubt may wait for.
    fn trusted_for(&self, now: Tick, id: JobId) -> Vec<Holder> {
        let (scheduler, fleet) = (&self.scheduler, &self.scheduler.fleet);
        let Some(terms) = scheduler.dispatch.terms_of(id) else {
            return vec![];
        };
        let counts = |number: &u32| {
            let traits = fleet.traits(*number);
            // Since the ranking its number may have become another device's.
            let is_wanted = traits.is_trusted() && terms.needs.are_met_by(traits);
            let device = fleet.device(*number).filter(|_| is_wanted);
            device.is_some_and(|device| self.is_able_soon(now, &device, id))
        };
        let trusted = scheduler.trusted().filter(counts);
        let holders = trusted.filter_map(|number| scheduler.holder(number));
        holders.take(TRUSTED_MAX).collect()
    }

    /// Tells a job's queue which trusted devices could have a task in doubt, if one is.
    pub(super) fn tell_trusted(&mut self, now: Tick, id: JobId) {
        if self.scheduler.dispatch.is_in_doubt(id) {
            let trusted = self.trusted_for(now, id);
            self.scheduler.dispatch.set_trusted(id, trusted);
        }
    }

    /// Devices were ranked: tells all jobs.
    pub(super) fn tell_all_trusted(&mut self, now: Tick) {
        let jobs: Vec<_> = self.scheduler.dispatch.jobs().collect();
        jobs.into_iter().for_each(|job| self.tell_trusted(now, job));
    }

    /// A device failed on a task, or two answers of it differ.
    pub(super) fn doubt(&mut self, now: Tick, id: JobId, task: TaskIndex) {
        let is_first = !self.scheduler.dispatch.is_in_doubt(id);
        self.scheduler.dispatch.doubt(id, task, now);
        // A job with a task in doubt is told at each ranking.
        if is_first {
            self.tell_trusted(now, id);
        }
    }

    /// Whether the council has verified a device that is known.
    pub(super) fn is_trusted(&self, device: &DeviceId) -> bool {
        let fleet = &self.scheduler.fleet;
        let number = fleet.number(device);
        number.is_some_and(|number| fleet.traits(number).is_trusted())
    }
}
