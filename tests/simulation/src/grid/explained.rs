//! Whether whoever waits is told why: a device that asked for work in vain, and a task that nobody
//! computes. What is told must agree with what the chain says of the device, and with the jobs' logs.

use super::{asks::lacking, violation::Violation, world::World};
use quern_jobs_api::{JobForDevice, Rule};
use quern_primitives::{
    ids::{DeviceId, JobId},
    job::JobState,
};

/// So often in a row a device must ask in vain without a rule that says why, or with one that has no
/// ground: what it asked for may have come in the same moment in which it was answered, and it gets that
/// next; or what is told follows from what is written in that moment.
const TIMES: u32 = 3;

/// For each explanation the masternode walks through its queues, so on large grids some devices are
/// looked at: one, and one for each time that so many devices are there.
const DEVICES_EACH: u32 = 100;

/// At one of so many steps open tasks are looked at, and of each job at most so many.
const STEPS: u64 = 61;
const TASKS: usize = 4;

impl World<'_> {
    /// A device asked for work, and got none.
    pub(super) fn check_refused(&mut self, id: DeviceId) -> Result<(), Violation> {
        let one_of = 1 + self.config.devices / DEVICES_EACH;
        let device = self.names.device(&id);
        if !device.is_multiple_of(one_of) {
            return Ok(());
        }
        let Some(violation) = self.unexplained(&id)? else {
            self.office.unexplained.remove(&id);
            self.counts.explained += 1;
            return Ok(());
        };
        let times = self.office.unexplained.entry(id).or_default();
        *times += 1;
        if *times < TIMES {
            return Ok(());
        }
        Err(violation)
    }

    /// That a job has something open and no rule keeps a device from it, or that the logs give no ground
    /// for what is told.
    fn unexplained(&self, id: &DeviceId) -> Result<Option<Violation>, Violation> {
        let now = self.audit.now();
        let core = self.office.core.as_ref();
        let Some((core, told)) = core.and_then(|core| Some((core, core.explain_device(now, id)?)))
        else {
            return Ok(None);
        };
        // Some of what is told of a device keeps it from nothing.
        let is_note = |rule| matches!(rule, Rule::ReadingNotBelieved | Rule::BenchmarkOwed);
        let is_barred = told.reasons.iter().any(|reason| !is_note(reason.rule));
        let has_open = |job: &JobId| {
            let told = core.explain_job(now, *job);
            told.is_some_and(|told| told.open.iter().any(|open| *open > 0))
        };
        let device = self.names.device(id);
        let unfounded = |rule: Rule| Violation::ToldUnfounded {
            device,
            rule: rule.to_string(),
        };
        let bars = told.reasons.iter().map(|reason| reason.rule);
        let mut bars = bars.filter(|rule| !self.audit.may_bar(id, *rule));
        let mut found = bars.next().map(unfounded);
        for JobForDevice { job, reason } in &told.jobs {
            match reason {
                Some(reason) => {
                    self.check_rule(job, id, reason.rule)?;
                    let work = self.works.get(job);
                    let is_unfounded = |work| !self.audit.may_keep(work, id, reason.rule);
                    let is_of_the_end =
                        matches!(reason.rule, Rule::NothingOpen | Rule::FasterFirst);
                    if work.is_some_and(is_unfounded) || (is_of_the_end && has_open(job)) {
                        found = Some(unfounded(reason.rule));
                    }
                }
                None if !is_barred && has_open(job) => {
                    let job = self.names.job(job);
                    found = Some(Violation::Unexplained { job, device });
                }
                None => {}
            }
        }
        // What comes first is told of, and nothing keeps the device from it.
        let comes_first = |it: &JobForDevice| it.reason.is_none();
        let has_others_first = told.jobs.iter().any(|it| {
            let reason = it.reason.as_ref();
            reason.is_some_and(|reason| reason.rule == Rule::OthersFirst)
        });
        if has_others_first && !told.jobs.iter().any(comes_first) {
            found = Some(unfounded(Rule::OthersFirst));
        }
        Ok(found)
    }

    /// A rule is told to keep a device from a job: it lacks what the rule says, if it is about what the
    /// chain knows; and if it lacks that, no other kind of rule is told.
    fn check_rule(&self, id: &JobId, device: &DeviceId, rule: Rule) -> Result<(), Violation> {
        let (Some(work), Some(facts)) = (self.works.get(id), self.audit.facts(device)) else {
            return Ok(());
        };
        let lacks = lacking(&work.submission.preferences, facts).is_some();
        let agrees = match rule {
            Rule::Trusted | Rule::Region | Rule::Hardware => lacks,
            // It may lack that too.
            Rule::Line
            | Rule::Gpu
            | Rule::Class
            | Rule::Version
            | Rule::Processor
            | Rule::Memory
            | Rule::Bond
            // Or nothing of the job is to be had by anybody.
            | Rule::NothingOpen
            | Rule::NoJob => true,
            _ => !lacks,
        };
        match agrees {
            true => Ok(()),
            false => Err(Violation::ExplainedOtherwise {
                job: self.names.job(id),
                device: self.names.device(device),
                rule: rule.to_string(),
            }),
        }
    }

    /// Now and then: each open task of a job of which nobody computes anything has a reason.
    pub(super) fn check_idle(&mut self) -> Result<(), Violation> {
        let Some(core) = &self.office.core else {
            return Ok(());
        };
        if !self.trace.steps().is_multiple_of(STEPS) {
            return Ok(());
        }
        let now = self.audit.now();
        for (id, work) in &self.works {
            let told = self.office.told.get(id).map(|job| &job.state);
            let runs = matches!(told, Some(JobState::Running { .. }));
            if !runs || self.disk.closed.contains(id) {
                continue;
            }
            for task in self.audit.idle_tasks(work).take(TASKS) {
                let told = core.explain_task(now, *id, task);
                if told.is_none_or(|told| told.reasons.is_empty()) {
                    let job = self.names.job(id);
                    return Err(Violation::Unreasoned { job, task });
                }
                self.counts.explained += 1;
            }
        }
        Ok(())
    }
}
