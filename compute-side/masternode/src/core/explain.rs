//! What the scheduler tells of itself: how devices, jobs and tasks stand, and the rules that keep each
//! waiting.
//!
//! No rule stands here a second time. Whether a device may have work is asked of [`Fleet`] and of its
//! telemetry, whether it would get a certain job or task of [`Dispatch`], and when something comes by
//! itself of what brings it about.
//!
//! [`Fleet`]: quern_grid::Fleet
//! [`Dispatch`]: quern_grid::Dispatch

mod sample;
mod state;
mod task;
mod why;

use super::{Core, Tick, bonds, device::Known, job::ActiveJob};
use quern_grid::{Withheld, needs::Lack};
use quern_jobs_api::{
    DeviceExplanation, EXPLAINED_JOBS_MAX, JobExplanation, JobForDevice, Phase, Reader, Reason,
    Sample, StepKind, WaitingFor,
};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    job::JobState,
};
use why::{ByRule, Why, step};

impl Core {
    /// Where a job stands, and what keeps it waiting. None if it is not known here, or over.
    pub fn explain_job(&self, now: Tick, id: JobId) -> Option<JobExplanation> {
        let active = self.jobs.get(&id)?;
        let status = self.status_of(active);
        let counts = self.scheduler.dispatch.counts(id);
        let is_computing = status.phase == Phase::Computing;
        let is_told = is_computing || status.impasse.is_some();
        let stopped = self.why_nothing_starts(active).filter(|_| is_told);
        let stopped = stopped.or(status.waiting_for.map(Why::Waits));
        let is_open = counts.open.iter().any(|open| *open > 0);
        // Where accounts are missing, the devices that are here may lack something.
        let is_for_devices = match stopped {
            None | Some(Why::Waits(WaitingFor::Accounts { .. })) => is_open,
            Some(_) => false,
        };
        let (mut reasons, devices) = match is_for_devices {
            true => self.what_keeps_devices(now, id, None),
            false => (vec![], Sample::default()),
        };
        reasons.extend(stopped.map(|why| why.reason(Reader::Owner)));
        let jobs = self.scheduler.dispatch.jobs_before(id);
        if is_open && stopped.is_none() && jobs > 0 {
            let before = Why::JobsBefore { jobs }.reason(Reader::Owner);
            // What keeps a job from its start says more than what keeps each device from it.
            let place = if counts.running == 0 {
                0
            } else {
                reasons.len()
            };
            reasons.insert(place, before);
        }
        let tasks = active.certain.tasks().count();
        if tasks > 0 {
            reasons.push(Why::CertainOfJob { tasks }.reason(Reader::Owner));
        }
        let decided = active.certain.idle().next();
        let next = decided.map(|(since, _)| {
            let at = since.plus_ms(self.settings.certain_ms);
            let mut step = step(now, at, StepKind::DecidedWithoutRest, None);
            if tasks > 1 {
                step.words =
                    "the first of them is decided without the replicas that nobody has".into();
            }
            step
        });
        Some(JobExplanation {
            target_devices: counts.devices,
            connected_accounts: self.devices.connected_accounts() as u32,
            open: counts.open.iter().map(|open| *open as u32).collect(),
            running: counts.running as u32,
            status,
            reasons,
            devices,
            next: next.into_iter().collect(),
        })
    }

    /// How a device stands with every queued job. None if it is not known here.
    pub fn explain_device(&self, now: Tick, device: &DeviceId) -> Option<DeviceExplanation> {
        let fleet = &self.scheduler.fleet;
        let number = fleet.number(device)?;
        let state = self.device_state(now, number)?;
        let known = self.devices.get(device);
        let mut reasons = self.what_bars(now, number, known);
        if self.has_not_answered(now, number, known) {
            reasons.push(Why::BenchmarkOwed);
        }
        if let Some(known) = known {
            reasons.extend(known.telemetry.bad.iter().copied().map(Why::NotBelieved));
        }
        let backlog_ms = known.map_or(0, |known| self.backlog_ms(now, known));
        let served = self.served_next(now, *device, number, backlog_ms);
        let queued = self.scheduler.dispatch.jobs();
        let jobs = queued
            .take(EXPLAINED_JOBS_MAX)
            .map(|job| {
                let withheld = self.scheduler.explain(job, number, backlog_ms, now);
                let why = self.kept_from(now, job, Some(*device), withheld, known);
                let why = why.or_else(|| comes_first(served, job));
                let reason = why.map(|why| why.reason(Reader::Worker));
                JobForDevice { job, reason }
            })
            .collect();
        let waits = fleet
            .faults(number)
            .and_then(|faults| faults.waits_until(now));
        let ranked = self.scheduler.next_wakeup().filter(|_| state.connected);
        let awaits = known.and_then(|known| self.awaits_verdicts(device, known));
        let answer_ends = awaits.and_then(|_| self.answers.next_end_of(device));
        let steps = [
            (waits, StepKind::WaitEnds),
            (self.pauses.until(device, now), StepKind::PauseEnds),
            (answer_ends, StepKind::AnswerEnds),
            (ranked, StepKind::Ranked),
        ];
        let mut next: Vec<_> = steps
            .into_iter()
            .filter_map(|(at, kind)| Some(step(now, at?, kind, None)))
            .collect();
        next.sort_by_key(|step| step.in_s);
        Some(DeviceExplanation {
            state,
            jobs,
            queued_jobs: self.scheduler.dispatch.len() as u32,
            reasons: reasons.iter().map(|it| it.reason(Reader::Worker)).collect(),
            next,
        })
    }

    /// Why nothing of a job is given out at all.
    fn why_nothing_starts(&self, active: &ActiveJob) -> Option<Why> {
        let margin = self.settings.deadline_margin_blocks;
        if active.takes_work(self.block, margin) {
            return None;
        }
        Some(match (&active.failed, &active.job.state) {
            (Some((_, task, why)), _) => Why::JobFailed {
                task: *task,
                why: *why,
            },
            (None, JobState::Cancelling { until, .. }) => Why::Cancelled { until: *until },
            (None, JobState::Settling { .. }) => Why::Waits(WaitingFor::Finality),
            (None, _) => Why::Deadline {
                block: self.block,
                margin,
                deadline: active.job.submission.deadline,
            },
        })
    }

    /// What keeps a device from any work; nothing if nothing does.
    fn what_bars(&self, now: Tick, number: u32, known: Option<&Known>) -> Vec<Why> {
        let fleet = &self.scheduler.fleet;
        let mut why: Vec<_> = fleet.flags(number, now).iter().map(Why::Flagged).collect();
        let Some(known) = known else {
            return why;
        };
        let device = fleet.device(number);
        // One that is flagged may hold nothing.
        let in_hand_max = device.map_or(0, |device| self.in_hand_max(now, &device));
        if why.is_empty() && known.in_hand.len() >= usize::from(in_hand_max) {
            why.push(Why::HandsFull { most: in_hand_max });
        }
        let is_paused = |device| self.pauses.until(&device, now).is_some();
        let is_contradicted = |device| self.pauses.contradicted_until(&device, now).is_some();
        if device.is_some_and(is_contradicted) {
            why.push(Why::Contradicted);
        } else if device.is_some_and(is_paused) {
            why.push(Why::Pausing);
        }
        let answers = device.and_then(|device| self.awaits_verdicts(&device, known));
        why.extend(answers.map(|answers| Why::AwaitsVerdicts { answers }));
        if known.telemetry.computes_benchmark(now) {
            why.push(Why::Benchmarked);
        } else if known.telemetry.was_never_free(now) {
            why.push(Why::NeverFree);
        }
        why
    }

    /// What keeps a connected device from a job that has open replicas, or from a task that has some;
    /// nothing if nothing does.
    fn what_keeps(
        &self,
        now: Tick,
        known: &Known,
        id: JobId,
        task: Option<TaskIndex>,
    ) -> Option<Why> {
        let number = known.number;
        if let Some(why) = self.what_bars(now, number, Some(known)).first() {
            return Some(*why);
        }
        let (scheduler, backlog_ms) = (&self.scheduler, self.backlog_ms(now, known));
        let withheld = match task {
            Some(task) => scheduler.explain_task(id, task, number, backlog_ms, now),
            None => scheduler.explain(id, number, backlog_ms, now),
        };
        let device = scheduler.fleet.device(number);
        let why = self.kept_from(now, id, device, withheld, None);
        why.or_else(|| {
            let served = self.served_next(now, device?, number, backlog_ms);
            comes_first(served, id)
        })
    }

    /// The job of which a device would get something next, if it asked now: so what the chain said of it is new
    /// enough for every job.
    fn served_next(
        &self,
        now: Tick,
        device: DeviceId,
        number: u32,
        backlog_ms: u64,
    ) -> Option<JobId> {
        let is_barred = |job| self.pauses.is_unjudged(&device, job, now);
        let scheduler = &self.scheduler;
        scheduler.next_job(number, backlog_ms, now, is_barred)
    }

    /// What keeps a device from a job or a task of it: that it failed on several of its tasks, or what the
    /// queues say. With the amounts of its account if it is told of one device.
    fn kept_from(
        &self,
        now: Tick,
        id: JobId,
        device: Option<DeviceId>,
        withheld: Option<Withheld>,
        known: Option<&Known>,
    ) -> Option<Why> {
        match withheld {
            Some(why @ (Withheld::NoJob | Withheld::Lacks(_))) => {
                Some(self.kept_by(id, why, known))
            }
            _ if device.is_some_and(|it| self.pauses.is_unjudged(&it, id, now)) => {
                Some(Why::Unjudged)
            }
            withheld => withheld.map(|it| self.kept_by(id, it, known)),
        }
    }

    /// Why the queues give a device nothing of a job, with the amounts if its bond is too small; those
    /// of its account, if it is told of one device.
    fn kept_by(&self, id: JobId, withheld: Withheld, known: Option<&Known>) -> Why {
        match (withheld, self.jobs.get(&id)) {
            (Withheld::Lacks(Lack::Bond), Some(active)) => Why::BondTooSmall {
                needed: bonds::needed(bonds::gain_of(&active.job)),
                bond: known.map(|known| known.telemetry.bond),
            },
            _ => Why::Withheld(withheld),
        }
    }

    /// What keeps connected devices from a job that has open replicas, or from a task that has some,
    /// each device under one rule; the rule that keeps most of them first, and how many were looked at.
    /// What nothing keeps from a job is left out, what nothing keeps from a task is told.
    fn what_keeps_devices(
        &self,
        now: Tick,
        id: JobId,
        task: Option<TaskIndex>,
    ) -> (Vec<Reason>, Sample) {
        let sample = self.sample_for(id);
        let mut rules = ByRule::default();
        for (device, known) in &sample {
            let why = self.what_keeps(now, known, id, task);
            if let Some(why) = why.or(task.map(|_| Why::NotAsked)) {
                rules.add(&why, *device);
            }
        }
        let sample = Sample {
            looked_at: sample.len() as u32,
            connected: self.devices.connected_devices(),
        };
        (rules.reasons(), sample)
    }
}

/// That a device would get something of another job before.
fn comes_first(served: Option<JobId>, job: JobId) -> Option<Why> {
    let is_other = served.is_some_and(|served| served != job);
    is_other.then_some(Why::Withheld(Withheld::OthersComeFirst))
}
