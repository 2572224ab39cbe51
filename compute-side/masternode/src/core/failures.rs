//! Failures that nobody has judged.
//!
//! A device that cannot open what it was given, whose answer does not hold, or on which the program fails,
//! puts its task in doubt, and a trusted device is to try it. Whether the device is at fault only the
//! task's verdict says, and that can take long; meanwhile it could put one task after the other in doubt.
//! So a device with three such tasks of a job gets no others of it until one of them has its verdict, or
//! for an hour from the first. The hour is for tasks that nobody ever judges, as when nothing else may
//! have them.
//!
//! Often it is the job that is bad, and the devices are right: its key is wrong, or its program does not
//! compile. So its failures keep no device from other jobs, beyond the device's [pause](super::pause); and
//! when the job ends, in whatever way, those that have no verdict are forgotten, and the pauses with them.
//!
//! That is counted from the jobs' logs, also after a restart, from which on the hour counts anew.

use super::{Entry, Tick};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    receipt::Exit,
};
use std::collections::{BTreeMap, BTreeSet};

/// With so many tasks of a job on which it failed and that are not judged a device gets no other of it.
const UNJUDGED_MAX: usize = 3;

/// How long a failure counts that nobody judges, in milliseconds: an hour.
const COUNTS_MS: u64 = 60 * 60_000;

/// Tasks on which devices failed and that are not judged: never more than the logs of an hour name. Who
/// has [`UNJUDGED_MAX`] of a job gets nothing of it that it could fail on.
#[derive(Default)]
pub(super) struct Failures {
    /// Of each device and job, with until when each counts.
    of: BTreeMap<(DeviceId, JobId), BTreeMap<TaskIndex, Tick>>,
    /// The same, the next to end first.
    ends: BTreeSet<(Tick, DeviceId, JobId, TaskIndex)>,
    /// The same, by task.
    by_task: BTreeSet<(JobId, TaskIndex, DeviceId)>,
}

/// What follows for devices from an entry of a job's log, or from the job's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    /// Something that counted against these counts no more.
    pub(super) devices: BTreeSet<DeviceId>,
    /// Whether that is because nothing of the job counts any more.
    pub(super) is_over: bool,
}

impl Failures {
    /// Takes note of an entry of a job's log.
    pub(super) fn note(&mut self, now: Tick, job: JobId, entry: &Entry) -> Cleared {
        match entry {
            Entry::Released {
                task,
                device,
                cause,
                ..
            } if cause.is_failure() => self.add(now, *device, job, *task),
            Entry::Revealed { receipt, .. } if receipt.payload.exit != Exit::Success => {
                let payload = &receipt.payload;
                self.add(now, payload.device, job, payload.task);
            }
            Entry::Judged { verdict } if verdict.answer.exit == Exit::Success => {
                return Cleared {
                    devices: self.judged(job, verdict.task),
                    is_over: false,
                };
            }
            // The program fails, and not the devices; or nobody is blamed.
            Entry::Judged { .. } => return self.forget_job(job),
            Entry::Ended { end } if end.task().is_some() => return self.forget_job(job),
            Entry::Released { .. }
            | Entry::Committed { .. }
            | Entry::Revealed { .. }
            | Entry::Opened { .. }
            | Entry::Queued { .. }
            | Entry::Assigned { .. }
            | Entry::Added { .. }
            | Entry::Batched { .. }
            | Entry::Refereed { .. }
            | Entry::Ended { .. } => {}
        }
        Cleared::default()
    }

    fn add(&mut self, now: Tick, device: DeviceId, job: JobId, task: TaskIndex) {
        self.remove(device, job, task);
        let until = now.plus_ms(COUNTS_MS);
        let tasks = self.of.entry((device, job)).or_default();
        tasks.insert(task, until);
        self.ends.insert((until, device, job, task));
        self.by_task.insert((job, task, device));
    }

    /// A task has its verdict. Where very many had the task it does not name all who failed on it.
    fn judged(&mut self, job: JobId, task: TaskIndex) -> BTreeSet<DeviceId> {
        let [first, last] = [u8::MIN, u8::MAX].map(|byte| (job, task, DeviceId([byte; 32])));
        let failed = self.by_task.range(first..=last);
        let failed: BTreeSet<DeviceId> = failed.map(|(.., device)| *device).collect();
        for device in &failed {
            self.remove(*device, job, task);
        }
        failed
    }

    /// A failure counts no more.
    fn remove(&mut self, device: DeviceId, job: JobId, task: TaskIndex) {
        let Some(tasks) = self.of.get_mut(&(device, job)) else {
            return;
        };
        let until = tasks.remove(&task);
        if tasks.is_empty() {
            self.of.remove(&(device, job));
        }
        if let Some(until) = until {
            self.ends.remove(&(until, device, job, task));
            self.by_task.remove(&(job, task, device));
        }
    }

    /// A job is over: what is not judged of it never will be.
    pub(super) fn forget_job(&mut self, job: JobId) -> Cleared {
        let of_job = self.of.extract_if(.., |(_, known), _| *known == job);
        let mut devices = BTreeSet::new();
        for ((device, _), tasks) in of_job {
            devices.insert(device);
            for (task, until) in tasks {
                self.ends.remove(&(until, device, job, task));
                self.by_task.remove(&(job, task, device));
            }
        }
        Cleared {
            devices,
            is_over: true,
        }
    }

    /// A device is forgotten itself.
    pub(super) fn forget(&mut self, device: &DeviceId) {
        let of_device = (*device, JobId([0; 32]))..=(*device, JobId([u8::MAX; 32]));
        for ((_, job), tasks) in self.of.extract_if(of_device, |_, _| true) {
            for (task, until) in tasks {
                self.ends.remove(&(until, *device, job, task));
                self.by_task.remove(&(job, task, *device));
            }
        }
    }

    /// Whether a failure of a device is remembered.
    pub(super) fn has(&self, device: &DeviceId) -> bool {
        let of_device = (*device, JobId([0; 32]))..=(*device, JobId([u8::MAX; 32]));
        self.of.range(of_device).next().is_some()
    }

    /// Whether a device gets nothing of a job before some of its tasks are judged, or count no more.
    pub(super) fn is_unjudged(&self, device: &DeviceId, job: JobId, now: Tick) -> bool {
        let tasks = self.of.get(&(*device, job));
        let counting = tasks.map_or(0, |tasks| tasks.values().filter(|it| now < **it).count());
        counting >= UNJUDGED_MAX
    }

    /// Of how many jobs a device gets nothing so.
    pub(super) fn unjudged_jobs(&self, device: &DeviceId, now: Tick) -> usize {
        let of_device = (*device, JobId([0; 32]))..=(*device, JobId([u8::MAX; 32]));
        let jobs = self.of.range(of_device).map(|((_, job), _)| *job);
        jobs.filter(|job| self.is_unjudged(device, *job, now))
            .count()
    }

    /// When the next failure counts no more.
    pub(super) fn next_end(&self) -> Option<Tick> {
        self.ends.first().map(|(until, ..)| *until)
    }

    /// A device of which a failure counts no more.
    pub(super) fn take_ended(&mut self, now: Tick) -> Option<DeviceId> {
        let ended = self.ends.first().copied().filter(|it| it.0 <= now);
        let (_, device, job, task) = ended?;
        self.remove(device, job, task);
        Some(device)
    }
}
