//! Replicas taken back unfinished: whether their device may have the task again, and when others may.
//!
//! A device that gives a task back, or comes back without it, is not at fault. But each time costs two
//! entries of the job's log and the task's time, so it may do so only so often with one task; from
//! then on the task is for others. How often it did is what the log says, also after a restart. And it
//! [pauses](super::pause) after each, as it does after a task on which it failed.
//!
//! What the masternode itself cannot hand out, because the file of a shard is damaged, say, is
//! nobody's fault. The replica rests for a while before anybody gets it, twice as long after each such
//! failure of its task: a damaged file then costs no more than a few entries an hour, and a task
//! goes on by itself once the file is restored. The job is not ended for it: its other tasks can be
//! computed and settled, and the chain ends it at its deadline.

#[cfg(test)]
mod model;

use super::{Core, Effect, Entry, ReleaseCause, Tick, line::pauses};
use quern_primitives::ids::{DeviceId, JobId, TaskIndex};
use quern_protocol::ReplicaId;
use std::collections::{BTreeMap, BTreeSet};

/// So often a device may give one task back or forget it; with the last time it is for others.
const HAND_BACKS_MAX: u8 = 3;

/// How long a replica rests after the first failure to hand its task out, in milliseconds.
const REST_MS: u64 = 1_000;

/// So often the rest is doubled: the longest is 1,024 seconds, 17 minutes.
const REST_DOUBLINGS_MAX: u32 = 10;

/// How often devices gave tasks back that are not decided, as the jobs' logs say.
#[derive(Default)]
pub(super) struct HandBacks(BTreeMap<(JobId, TaskIndex), BTreeMap<DeviceId, u8>>);

impl HandBacks {
    /// Takes note of an entry of a job's log.
    pub(super) fn note(&mut self, job: JobId, entry: &Entry) {
        match entry {
            Entry::Released {
                task,
                device,
                cause: ReleaseCause::HandedBack | ReleaseCause::Forgotten,
                ..
            } => {
                let devices = self.0.entry((job, *task)).or_default();
                let times = devices.entry(*device).or_default();
                *times = times.saturating_add(1);
            }
            Entry::Judged { verdict } => drop(self.0.remove(&(job, verdict.task))),
            Entry::Ended { end } => {
                if let Some(task) = end.task() {
                    self.0.remove(&(job, task));
                }
            }
            _ => {}
        }
    }

    /// The job is over.
    pub(super) fn forget(&mut self, job: JobId) {
        self.0.retain(|(known, _), _| *known != job);
    }

    /// Why a device loses a replica, given what it did with the task before.
    fn weigh(&self, id: ReplicaId, device: &DeviceId, cause: ReleaseCause) -> ReleaseCause {
        let before = self
            .0
            .get(&(id.job, id.task))
            .and_then(|devices| devices.get(device))
            .copied()
            .unwrap_or(0);
        match cause {
            ReleaseCause::HandedBack | ReleaseCause::Forgotten
                if before.saturating_add(1) >= HAND_BACKS_MAX =>
            {
                ReleaseCause::HandedBackOften
            }
            _ => cause,
        }
    }
}

/// Replicas that rest because they could not be handed out. A restart wakes them.
#[derive(Default)]
pub(super) struct Resting {
    until: BTreeSet<(Tick, ReplicaId)>,
    failures: BTreeMap<(JobId, TaskIndex), u32>,
}

impl Resting {
    fn rest(&mut self, now: Tick, id: ReplicaId) {
        let failures = self.failures.entry((id.job, id.task)).or_default();
        let doublings = (*failures).min(REST_DOUBLINGS_MAX);
        *failures = failures.saturating_add(1);
        self.until.insert((now.plus_ms(REST_MS << doublings), id));
    }

    /// When a replica has rested, if it rests.
    pub(super) fn rests_until(&self, id: ReplicaId) -> Option<Tick> {
        let mut resting = self.until.iter();
        resting.find(|(_, it)| *it == id).map(|(until, _)| *until)
    }

    /// When the next replica has rested.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.until.first().map(|(until, _)| *until)
    }

    /// A replica that has rested.
    fn take_rested(&mut self, now: Tick) -> Option<ReplicaId> {
        if self.next_wakeup()? > now {
            return None;
        }
        self.until.pop_first().map(|(_, id)| id)
    }

    /// The job is over.
    pub(super) fn forget(&mut self, job: JobId) {
        self.until.retain(|(_, id)| id.job != job);
        self.failures.retain(|(known, _), _| *known != job);
    }
}

impl Core {
    pub(super) fn release(
        &mut self,
        id: ReplicaId,
        device: DeviceId,
        cause: ReleaseCause,
        out: &mut Vec<Effect>,
    ) {
        let now = self
            .devices
            .get(&device)
            .map_or(Tick::default(), |known| known.last_heard);
        self.release_at(now, id, device, cause, out);
    }

    /// Takes an unfinished replica back and opens it for others.
    pub(super) fn release_at(
        &mut self,
        now: Tick,
        id: ReplicaId,
        device: DeviceId,
        cause: ReleaseCause,
        out: &mut Vec<Effect>,
    ) {
        if let Some(known) = self.devices.get_mut(&device) {
            known.in_hand.retain(|held| *held != id);
        }
        let held = self
            .jobs
            .get(&id.job)
            .and_then(|job| job.holding(id.task, id.replica))
            .filter(|holding| holding.device == device);
        let Some(holding) = held else {
            return;
        };
        let is_committed = holding.pledge.is_some();
        let cause = self.hand_backs.weigh(id, &device, cause);
        let entry = Entry::Released {
            task: id.task,
            replica: id.replica,
            device,
            cause,
        };
        self.append(id.job, entry, None, out);
        if pauses(cause) {
            self.take_back(&device);
            self.pauses.begin(now, device);
        }
        if let Some(active) = self.jobs.get_mut(&id.job) {
            active.released(id.task, id.replica, cause);
            // Whoever gives back does not prolong the wait for a task that is sure, however often.
            if cause != ReleaseCause::HandedBackOften {
                active.waits_anew(id.task, cause);
            }
        }
        if cause.is_failure() {
            self.doubt(now, id.job, id.task);
        }
        if is_committed {
            // To the queues it was answered.
            let dispatch = &mut self.scheduler.dispatch;
            dispatch.retract(id, cause.excludes(), now);
            self.waking.opened(1);
        } else if cause == ReleaseCause::Withheld {
            self.scheduler.dispatch.rest(id);
            self.resting.rest(now, id);
        } else {
            self.scheduler.release(id, cause.excludes(), now);
            self.waking.opened(1);
        }
        out.push(Effect::Changed { job: id.job });
        self.judge(now, id.job, id.task, out);
        self.weigh_input(now, id.job, id.task, out);
    }

    /// A replica could not be handed out after it was given to a device, at this place of the log.
    pub(super) fn withheld(
        &mut self,
        now: Tick,
        device: DeviceId,
        id: ReplicaId,
        log_position: u64,
        out: &mut Vec<Effect>,
    ) {
        // The device may have lost it meanwhile, and even have got it a second time.
        let is_meant = self
            .jobs
            .get(&id.job)
            .and_then(|job| job.holding(id.task, id.replica))
            .is_some_and(|holding| holding.log_position == log_position);
        if is_meant {
            self.release_at(now, id, device, ReleaseCause::Withheld, out);
        }
    }

    /// Opens the replicas again that have rested.
    pub(super) fn open_rested(&mut self, now: Tick) {
        while let Some(id) = self.resting.take_rested(now) {
            self.scheduler.dispatch.wake(id, now);
            self.waking.opened(1);
        }
    }
}
