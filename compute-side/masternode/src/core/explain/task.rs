//! Where one task stands, what keeps it waiting, and what happens next.

use super::why::{ByRule, Why, step};
use crate::core::{Core, Tick, bonds, job::ActiveJob, watch::Lapse};
use quern_grid::dispatch::ReplicaState;
use quern_job_rules::tasks;
use quern_jobs_api::{
    Lateness, Reader, ReplicaExplanation, ReplicaStage, Rule, Sample, Step, StepKind,
    TaskExplanation, TaskStage, WaitingFor,
};
use quern_primitives::{
    batch::Batch,
    ids::{JobId, TaskIndex},
};
use quern_protocol::ReplicaId;
use std::collections::BTreeSet;

impl Core {
    /// Where a task stands, what keeps it waiting, and what happens next. None if job or task are not
    /// known here. The verdict of a task whose batch is composed is in the job's log alone.
    pub fn explain_task(&self, now: Tick, id: JobId, task: TaskIndex) -> Option<TaskExplanation> {
        let active = self.jobs.get(&id)?;
        let (is_touched, is_closed) = active.stage(task)?;
        let stage = match (is_touched, active.lacks(task)) {
            (true, _) => TaskStage::Open,
            (false, false) => TaskStage::Untouched,
            (false, true) => TaskStage::NotUploaded,
        };
        let mut told = TaskExplanation {
            job: id,
            task,
            bounty_max: bonds::bounty_max(&active.job),
            expected_ms: self
                .scheduler
                .dispatch
                .expected_ms(id)
                .filter(|_| !is_closed),
            stage,
            missing: 0,
            replicas: vec![],
            verdict: None,
            batch: None,
            reasons: vec![],
            devices: Sample::default(),
            next: vec![],
        };
        match is_closed {
            true => self.tell_verdict(now, active, &mut told),
            false => {
                self.tell_replicas(now, active, &mut told);
                self.tell_reasons(now, active, &mut told);
            }
        }
        told.next.sort_by_key(|step| step.in_s);
        // What comes first to a replica is what counts; and once a task has one more replica it gets
        // no other for those that are stale later.
        let mut seen = BTreeSet::new();
        told.next.retain(|step| {
            let replica = step.replica.filter(|_| step.step != StepKind::Rescued);
            seen.insert((step.step, replica))
        });
        Some(told)
    }

    /// Where each replica of a task without a verdict stands, and what comes to it.
    fn tell_replicas(&self, now: Tick, active: &ActiveJob, told: &mut TaskExplanation) {
        let (job, task) = (told.job, told.task);
        let states = self.scheduler.dispatch.replicas(job, task);
        let first = active.job.submission.agreement.replicas();
        let open = active.open(task);
        let replicas = open.map_or(first, |open| open.case.replicas());
        let answered = open.map_or(0, |open| open.reported.len() as u32);
        told.missing = u32::from(replicas).saturating_sub(answered);
        for replica in 0..replicas {
            let id = ReplicaId { job, task, replica };
            let state = states.get(usize::from(replica)).copied();
            if let Some(state) = self.replica_stage(now, active, id, state) {
                told.replicas.push(ReplicaExplanation { replica, state });
            }
            told.next.extend(self.steps_of(now, active, id));
        }
    }

    /// Where a replica stands. Who holds or answered it is what the job's log says; where it waits is
    /// what its queue says, if it is queued.
    fn replica_stage(
        &self,
        now: Tick,
        active: &ActiveJob,
        id: ReplicaId,
        state: Option<ReplicaState>,
    ) -> Option<ReplicaStage> {
        let for_s = |since| now.since(since) / 1_000;
        let open = active.open(id.task);
        if let Some(reporter) = open.and_then(|open| open.reported.get(&id.replica)) {
            let device = reporter.device;
            return Some(ReplicaStage::Answered { device });
        }
        if let Some(holding) = active.holding(id.task, id.replica) {
            let device = holding.device;
            if let Some(pledge) = holding.pledge {
                let asked = pledge.is_asked;
                return Some(ReplicaStage::Committed { device, asked });
            }
            let (since, backup) = match state {
                Some(ReplicaState::Running {
                    since, is_backup, ..
                }) => (Some(since), is_backup),
                _ => (None, false),
            };
            return Some(ReplicaStage::Running {
                device,
                since_s: since.map(for_s),
                due_in_s: due_in_s(now, holding.watch.expected),
                backup,
                lateness: match holding.watch.found() {
                    Lapse::None => Lateness::OnTime,
                    Lapse::Delayed => Lateness::Delayed,
                    Lapse::Stale | Lapse::Over => Lateness::Stale,
                },
            });
        }
        match state? {
            ReplicaState::Open { pool, since } => {
                let dispatch = &self.scheduler.dispatch;
                let queued = dispatch.queued(id, now)?;
                Some(ReplicaStage::Open {
                    pool: pool + 1,
                    turn: queued.turn as u32,
                    of: queued.of as u32,
                    since_s: for_s(since),
                    rescue: queued.is_rescue,
                })
            }
            ReplicaState::Resting => Some(ReplicaStage::Resting),
            ReplicaState::Running { .. } | ReplicaState::Answered { .. } => None,
        }
    }

    /// What comes to a replica by itself.
    fn steps_of(&self, now: Tick, active: &ActiveJob, id: ReplicaId) -> Vec<Step> {
        let dispatch = &self.scheduler.dispatch;
        let mut coming = Vec::new();
        if let Some(holding) = active.holding(id.task, id.replica) {
            for (at, lapse) in holding.watch.ahead() {
                match lapse {
                    Lapse::Delayed => coming.push((at, StepKind::AskedAgain)),
                    Lapse::Stale if dispatch.wants_rescue(id.job, id.task) => {
                        coming.push((at, StepKind::Rescued));
                    }
                    Lapse::Over if holding.waits_to_reveal() => {
                        coming.push((at, StepKind::AskedToReveal));
                    }
                    Lapse::Over => coming.push((at, StepKind::TakenBack)),
                    Lapse::Stale | Lapse::None => {}
                }
            }
            // One that stays away loses what it holds before.
            let gone = self.devices.get(&holding.device);
            let is_in_hand = holding.pledge.is_none();
            let gone = gone.filter(|known| is_in_hand && !known.connected);
            coming.extend(gone.map(|known| (known.silent_at(), StepKind::TakenBack)));
        }
        if let Some(queued) = dispatch.queued(id, now) {
            let to_all = queued.open_to_all_at;
            coming.extend(to_all.map(|at| (at, StepKind::OpenToAll)));
            let kept = queued.kept_until;
            coming.extend(kept.map(|at| (at, StepKind::UntrustedToo)));
            // What is past has come.
            coming.retain(|(at, _)| *at > now);
        }
        let rests = self.resting.rests_until(id);
        coming.extend(rests.map(|at| (at, StepKind::Woken)));
        let steps = coming.into_iter();
        steps
            .map(|(at, kind)| step(now, at, kind, Some(id.replica)))
            .collect()
    }

    /// What keeps a task without a verdict waiting.
    fn tell_reasons(&self, now: Tick, active: &ActiveJob, told: &mut TaskExplanation) {
        let stopped = match active.lacks(told.task) {
            false => self.why_nothing_starts(active),
            true => Some(Why::Waits(WaitingFor::Upload)),
        };
        told.reasons
            .extend(stopped.map(|why| why.reason(Reader::Owner)));
        if active.certain.contains(told.task) {
            told.reasons.push(Why::Certain.reason(Reader::Owner));
        }
        let decided = active.certain_at(told.task, self.settings.certain_ms);
        let kind = StepKind::DecidedWithoutRest;
        told.next
            .extend(decided.map(|at| step(now, at, kind, None)));
        let opinion = active.opinions.until(told.task);
        if let Some(until) = opinion.filter(|until| now < *until) {
            told.reasons.push(Why::SecondOpinion.reason(Reader::Owner));
            told.next.push(step(now, until, kind, None));
        }
        if let Some(until) = self.referee.until(told.job, told.task) {
            told.reasons.push(Why::Referee.reason(Reader::Owner));
            let kind = StepKind::RefereeGivenUp;
            told.next.push(step(now, until, kind, None));
        } else if self.referee.will_be_asked(told.job, told.task) {
            told.reasons.push(Why::Referee.reason(Reader::Owner));
        }
        let is_open = |it: &ReplicaExplanation| matches!(it.state, ReplicaStage::Open { .. });
        if stopped.is_none() && told.replicas.iter().any(is_open) {
            self.tell_devices(now, told);
        }
        let open = active.open(told.task);
        let accounts = open.map_or(0, |open| open.unopened.len());
        if accounts > 0 {
            told.reasons
                .push(Why::Unopened { accounts }.reason(Reader::Owner));
        }
        let mut running = ByRule::default();
        for it in &told.replicas {
            match it.state {
                ReplicaStage::Running { device, .. } => running.add(&Why::Running, device),
                ReplicaStage::Committed { device, asked } => {
                    running.add(&Why::Committed { asked }, device);
                }
                _ => {}
            }
        }
        told.reasons.extend(running.reasons());
        let mut states = told.replicas.iter().map(|it| it.state);
        if states.any(|state| state == ReplicaStage::Resting) {
            told.reasons.push(Why::Resting.reason(Reader::Owner));
        }
    }

    /// What keeps each connected device from a task of which a replica is open, and when that may be
    /// otherwise.
    fn tell_devices(&self, now: Tick, told: &mut TaskExplanation) {
        let scheduler = &self.scheduler;
        let (reasons, devices) = self.what_keeps_devices(now, told.job, Some(told.task));
        told.devices = devices;
        let is_spared = reasons.iter().any(|it| it.rule == Rule::OthersSooner);
        let spared = scheduler.dispatch.spares_until(told.job);
        let spared = spared.filter(|_| is_spared);
        let slow_too = spared.map(|at| step(now, at, StepKind::SlowToo, None));
        let ranked = scheduler.next_wakeup();
        let ranked = ranked.map(|at| step(now, at, StepKind::Ranked, None));
        told.next.extend(slow_too.into_iter().chain(ranked));
        if reasons.is_empty() {
            told.reasons
                .push(Why::Waits(WaitingFor::Devices).reason(Reader::Owner));
        }
        told.reasons.extend(reasons);
    }

    /// How far the verdict of a task is that nobody is asked for any more.
    fn tell_verdict(&self, now: Tick, active: &ActiveJob, told: &mut TaskExplanation) {
        let task = told.task;
        let has_task = |batch: &&Batch| {
            let tasks = tasks::validate(&batch.tasks, active.task_count());
            tasks.is_ok_and(|tasks| tasks.iter().any(|it| it == task))
        };
        let failed = active.failed.filter(|(_, failed, _)| *failed == task);
        let mut unsettled = active.unsettled.iter().map(|waiting| &waiting.verdict);
        let mut batches = active.in_flight.iter().map(|(_, batch)| batch);
        if let Some((_, _, why)) = failed {
            told.stage = TaskStage::EndsJob;
            told.reasons.push(Why::EndsJob(why).reason(Reader::Owner));
        } else if let Some(verdict) = unsettled.find(|verdict| verdict.task == task) {
            told.stage = TaskStage::Decided;
            told.verdict = Some(verdict.clone());
            told.reasons.push(Why::InNoBatch.reason(Reader::Owner));
            let batched = active.next_batch_at(&self.settings.settle);
            let kind = StepKind::Batched;
            told.next
                .extend(batched.map(|at| step(now, at, kind, None)));
        } else if let Some(batch) = batches.find(has_task) {
            let sequence = batch.sequence;
            told.stage = TaskStage::Batched;
            told.batch = Some(sequence);
            told.reasons
                .push(Why::InBatch { sequence }.reason(Reader::Owner));
            if active.sent > 0 {
                let again = step(now, active.next_try, StepKind::SentAgain, None);
                told.next.push(again);
            }
        } else {
            told.stage = TaskStage::Settled;
        }
    }
}

/// Seconds until then; below 0 when it is past.
fn due_in_s(now: Tick, at: Tick) -> i64 {
    let (left, over) = (at.since(now) / 1_000, now.since(at) / 1_000);
    i64::try_from(left)
        .unwrap_or(i64::MAX)
        .saturating_sub_unsigned(over)
}
