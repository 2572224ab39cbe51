//! Failures that nobody has judged.
//!
//! A device that cannot open what it was given, whose answer does not hold, or on which the program fails,
//! puts its task in doubt, and a trusted device is to try it. Whether the device is at fault only the
//! task's verdict says, and that can take long; meanwhile it could put one task after the other in doubt.
//! So a device with three such tasks gets no others until one of them has its verdict, or for an hour from
//! the first. The hour is for tasks that nobody ever judges, as when nothing else may have them or their
//! job ends: no job keeps a device from others for long.
//!
//! That is counted from the jobs' logs, also after a restart, from which on the hour counts anew.

use super::{Entry, Tick};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    receipt::Exit,
};
use std::collections::{BTreeMap, BTreeSet};

/// With so many tasks on which it failed and that are not judged a device gets no other.
const UNJUDGED_MAX: usize = 3;

/// How long a failure counts that nobody judges, in milliseconds: an hour.
const COUNTS_MS: u64 = 60 * 60_000;

/// Tasks on which devices failed and that are not judged: never more than the logs of an hour name. Who
/// has [`UNJUDGED_MAX`] gets nothing that it could fail on.
#[derive(Default)]
pub(super) struct Failures {
    /// Of each device, with until when each counts.
    of: BTreeMap<DeviceId, BTreeMap<(JobId, TaskIndex), Tick>>,
    /// The same, the next to end first.
    ends: BTreeSet<(Tick, DeviceId, (JobId, TaskIndex))>,
}

impl Failures {
    /// Takes note of an entry of a job's log.
    pub(super) fn note(&mut self, now: Tick, job: JobId, entry: &Entry) {
        match entry {
            Entry::Released {
                task,
                device,
                cause,
                ..
            } if cause.is_failure() => self.add(now, *device, (job, *task)),
            Entry::Reported { receipt, .. } if receipt.payload.exit != Exit::Success => {
                let payload = &receipt.payload;
                self.add(now, payload.device, (job, payload.task));
            }
            Entry::Judged { verdict } if verdict.answer.exit == Exit::Success => {
                for found in &verdict.replicas {
                    self.remove(found.device, (job, verdict.task));
                }
            }
            // The program fails, and not the devices.
            Entry::Judged { .. } => self.forget_job(job),
            _ => {}
        }
    }

    fn add(&mut self, now: Tick, device: DeviceId, task: (JobId, TaskIndex)) {
        self.remove(device, task);
        let until = now.plus_ms(COUNTS_MS);
        self.of.entry(device).or_default().insert(task, until);
        self.ends.insert((until, device, task));
    }

    fn remove(&mut self, device: DeviceId, task: (JobId, TaskIndex)) {
        let Some(tasks) = self.of.get_mut(&device) else {
            return;
        };
        if let Some(until) = tasks.remove(&task) {
            self.ends.remove(&(until, device, task));
        }
        if tasks.is_empty() {
            self.of.remove(&device);
        }
    }

    fn forget_job(&mut self, job: JobId) {
        let of_job = self.ends.iter().filter(|(_, _, task)| task.0 == job);
        for (_, device, task) in of_job.copied().collect::<Vec<_>>() {
            self.remove(device, task);
        }
    }

    /// A device is forgotten itself.
    pub(super) fn forget(&mut self, device: &DeviceId) {
        for (task, until) in self.of.remove(device).into_iter().flatten() {
            self.ends.remove(&(until, *device, task));
        }
    }

    /// Until when a device gets nothing unless some of its tasks are judged before, if it has that many.
    pub(super) fn until(&self, device: &DeviceId, now: Tick) -> Option<Tick> {
        let tasks = self.of.get(device)?.values().copied();
        let mut ends: Vec<_> = tasks.filter(|until| now < *until).collect();
        ends.sort_unstable();
        let first = ends.len().checked_sub(UNJUDGED_MAX)?;
        ends.get(first).copied()
    }

    /// When the next failure counts no more.
    pub(super) fn next_end(&self) -> Option<Tick> {
        self.ends.first().map(|(until, ..)| *until)
    }

    /// A device of which a failure counts no more.
    pub(super) fn take_ended(&mut self, now: Tick) -> Option<DeviceId> {
        let (_, device, task) = self.ends.first().copied().filter(|it| it.0 <= now)?;
        self.remove(device, task);
        Some(device)
    }
}
