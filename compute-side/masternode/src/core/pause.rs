//! Devices that pause because they gave tasks back or failed on them.
//!
//! A device that gives a task back, or comes back without it, is not at fault; whether one is that failed
//! on a task the task's verdict will say. But each time costs two entries of the job's log and the task's
//! time, and there may be thousands of tasks. So it gets nothing for a while: a second, then twice as long
//! each time, up to five minutes, until an answer of it is accepted, or a job on which it failed ends without
//! a verdict on that. One of which an accepted answer [turned out to be wrong](super::samples) gets nothing
//! for a day, and one that was stale on three decided tasks in a row, or silent, [waits as after
//! faults](super::stalls). A restart forgets these pauses. And of a job on which a device has several
//! [failures](super::failures) that nobody has judged it gets nothing.

#[cfg(test)]
mod model;

use super::{
    Core, Entry, Tick,
    failures::{Cleared, Failures},
    stalls::Stalls,
};
use quern_primitives::ids::{DeviceId, JobId};
use std::collections::{BTreeMap, BTreeSet};

/// The first pause, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// The longest pause, in milliseconds.
const PAUSE_MS_MAX: u64 = 5 * 60_000;

/// How long a device gets nothing of which an answer was accepted and turned out to be wrong, in
/// milliseconds: a day.
const CONTRADICTED_MS: u64 = 24 * 60 * 60_000;

/// Such devices that are remembered, at most; the first to be let go gives way.
const CONTRADICTED_MAX: usize = 4_096;

/// So often the pause is doubled: more would be longer than the longest.
const DOUBLINGS_MAX: u32 = 9;

/// Who gave tasks back or failed since an answer of it was accepted. Of devices that are not remembered
/// nothing is known here, so there are never more of them; and of those that are away and whose pause is over
/// nothing [stands here](super::kept).
#[derive(Default)]
pub(super) struct Pauses {
    of: BTreeMap<DeviceId, Pause>,
    /// When each pause ends that has not been seen to end. Two of a device may end at the same time.
    pub(super) ends: BTreeSet<(Tick, DeviceId, PauseKind)>,
    failures: Failures,
    /// Devices of which an accepted answer turned out to be wrong, with until when each gets nothing. They
    /// stay when a device is forgotten: its key may come back.
    contradicted: BTreeMap<DeviceId, Tick>,
    pub(super) stalls: Stalls,
}

/// Why a device gets nothing for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PauseKind {
    /// It gave a task back, or failed on one.
    Back,
    /// It was stale, or silent, on several decided tasks in a row.
    Stalled,
    /// An accepted answer of it turned out to be wrong.
    Contradicted,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Tick,
    /// How many there were, this one included.
    times: u32,
}

impl Pauses {
    /// A device gave a task back or failed on it.
    pub(super) fn begin(&mut self, now: Tick, device: DeviceId) {
        let times = self.of.get(&device).map_or(0, |pause| pause.times);
        self.accepted(&device);
        let ms = (PAUSE_MS << times.min(DOUBLINGS_MAX)).min(PAUSE_MS_MAX);
        let pause = Pause {
            until: now.plus_ms(ms),
            times: times.saturating_add(1),
        };
        self.of.insert(device, pause);
        self.ends.insert((pause.until, device, PauseKind::Back));
    }

    /// Takes note of an entry of a job's log, for the failures that nobody has judged. Returns the devices
    /// that may get something now that they might not before.
    pub(super) fn note(&mut self, now: Tick, job: JobId, entry: &Entry) -> BTreeSet<DeviceId> {
        let cleared = self.failures.note(now, job, entry);
        self.clear(cleared)
    }

    /// A job is over. Returns the same.
    pub(super) fn forget_job(&mut self, job: JobId) -> BTreeSet<DeviceId> {
        let cleared = self.failures.forget_job(job);
        self.clear(cleared)
    }

    /// Where nothing of a job counts any more, nobody pauses for it.
    fn clear(&mut self, cleared: Cleared) -> BTreeSet<DeviceId> {
        if cleared.is_over {
            for device in &cleared.devices {
                self.accepted(device);
            }
        }
        cleared.devices
    }

    /// An answer of a device was accepted: its next pause is a short one again.
    pub(super) fn accepted(&mut self, device: &DeviceId) {
        if let Some(pause) = self.of.remove(device) {
            self.ends.remove(&(pause.until, *device, PauseKind::Back));
        }
    }

    /// Lays a device by whose pause is over and of which no failure counts. Returns how often it paused since
    /// an answer of it was accepted, if it did.
    pub(super) fn lay_by(&mut self, now: Tick, device: &DeviceId) -> Option<u32> {
        let pause = self.of.get(device)?;
        // When a job ends on which it failed its next pause is a short one again.
        if now < pause.until || self.failures.has(device) {
            return None;
        }
        self.of.remove(device).map(|pause| pause.times)
    }

    /// Takes a device back that was laid by.
    pub(super) fn take_back(&mut self, device: DeviceId, times: u32) {
        let until = Tick::default();
        self.of.insert(device, Pause { until, times });
    }

    /// A device is forgotten itself.
    pub(super) fn forget(&mut self, device: &DeviceId) {
        self.accepted(device);
        self.stalls_no_more(device);
        self.failures.forget(device);
    }

    /// An answer of a device was accepted, and turned out to be wrong: it gets nothing for a day, whatever
    /// else is accepted of it.
    pub(super) fn contradicted(&mut self, now: Tick, device: DeviceId) {
        let until = now.plus_ms(CONTRADICTED_MS);
        if let Some(before) = self.contradicted.insert(device, until) {
            self.ends.remove(&(before, device, PauseKind::Contradicted));
        }
        self.ends.insert((until, device, PauseKind::Contradicted));
        if self.contradicted.len() > CONTRADICTED_MAX {
            let first = self.contradicted.iter().min_by_key(|(_, until)| **until);
            if let Some((first, until)) = first.map(|(first, until)| (*first, *until)) {
                self.contradicted.remove(&first);
                self.ends.remove(&(until, first, PauseKind::Contradicted));
            }
        }
    }

    /// Until when a device gets nothing because an accepted answer of it turned out to be wrong.
    pub(super) fn contradicted_until(&self, device: &DeviceId, now: Tick) -> Option<Tick> {
        let until = self.contradicted.get(device).copied();
        until.filter(|until| now < *until)
    }

    /// Until when a device gets nothing, if it pauses.
    pub(super) fn until(&self, device: &DeviceId, now: Tick) -> Option<Tick> {
        let pauses = self.of.get(device).map(|pause| pause.until);
        let pauses = pauses.filter(|until| now < *until);
        let stalls = self.stalls.until(device, now);
        pauses.max(stalls).max(self.contradicted_until(device, now))
    }

    /// Whether a device gets nothing of a job because nobody has judged its failures there.
    pub(super) fn is_unjudged(&self, device: &DeviceId, job: JobId, now: Tick) -> bool {
        self.failures.is_unjudged(device, job, now)
    }

    /// Of how many jobs a device gets nothing for that reason.
    pub(super) fn unjudged_jobs(&self, device: &DeviceId, now: Tick) -> usize {
        self.failures.unjudged_jobs(device, now)
    }

    /// When the next pause ends, or the next failure counts no more.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        let pause = self.ends.first().map(|(until, ..)| *until);
        let ends = [pause, self.failures.next_end()];
        ends.into_iter().flatten().min()
    }

    /// A device whose pause is over, or of which a failure counts no more.
    fn take_ended(&mut self, now: Tick) -> Option<DeviceId> {
        let Some(end) = self.ends.first().copied().filter(|it| it.0 <= now) else {
            return self.failures.take_ended(now);
        };
        self.ends.remove(&end);
        let (_, device, kind) = end;
        if kind == PauseKind::Contradicted {
            self.contradicted.remove(&device);
        }
        Some(device)
    }
}

impl Core {
    /// Looks at the exchanges again of devices whose pause is over.
    pub(super) fn end_pauses(&mut self, now: Tick) {
        while let Some(device) = self.pauses.take_ended(now) {
            self.devices.look_again(device);
            self.lay_by(now, &device);
        }
    }
}
