//! The queues of all jobs, each as lists.

use super::{listed::Job, turns::Past, *};

/// All jobs, in the order in which they are served.
#[derive(Clone, Debug)]
pub(super) struct Model {
    tuning: Tuning,
    jobs: Vec<Job>,
    past: Past,
}

impl Model {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            jobs: vec![],
            past: Past::default(),
        }
    }

    /// Behind all of its priority.
    pub(super) fn add_job(&mut self, id: JobId, terms: JobTerms, target: Target, accounts: u32) {
        if self.job(id).is_some() {
            return;
        }
        let is_before = |job: &&Job| priority(job.level()) <= priority(terms.level);
        let place = self.jobs.iter().filter(is_before).count();
        let job = Job::new(id, terms, target, accounts);
        self.jobs.insert(place, job);
        self.past.queued(id);
    }

    pub(super) fn remove_job(&mut self, id: JobId) {
        self.jobs.retain(|job| job.id() != id);
    }

    /// As if there were this job alone.
    pub(super) fn only(mut self, id: JobId) -> Self {
        self.jobs.retain(|job| job.id() == id);
        self
    }

    pub(super) fn job(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id() == id)
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.jobs.iter().map(Job::id)
    }

    pub(super) fn ranked(&mut self, devices: u32) {
        self.past.ranked(devices);
    }

    pub(super) fn is_up_to_date(&self, id: JobId) -> bool {
        self.jobs().any(|job| job == id) && self.past.is_up_to_date(id)
    }

    /// Somebody asks for something of a job: its devices are found in the last ranking, if they are from an
    /// earlier one and, where jobs take turns, its turn has come.
    pub(super) fn catch_up(
        &mut self,
        id: JobId,
        now: Tick,
        find: &mut impl FnMut(JobId) -> Option<(Target, u32)>,
    ) {
        let takes_turns = self.tuning.policy == Policy::OneQueue;
        let is_its = !takes_turns || self.past.is_turn_of(id, self.jobs.len(), now);
        let Some(job) = self.jobs.iter_mut().find(|job| job.id() == id) else {
            return;
        };
        if is_its
            && !self.past.is_up_to_date(id)
            && let Some((target, accounts)) = find(id)
        {
            job.retarget(target, accounts);
            self.past.found(id, now);
        }
    }

    /// Nobody is barred, and jobs keep the devices that they have.
    pub(super) fn take(&mut self, asker: &Asker<'_>, now: Tick) -> Result<Given, Vec<Withheld>> {
        self.take_unless(asker, now, &[], |_| None)
    }

    /// Of the first job that has something for the device; then of the first that it can back up.
    /// Otherwise the reasons of the first job that has something open, or else of the first that might have
    /// been backed up by a faster one.
    pub(super) fn take_unless(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        barred: &[JobId],
        mut find: impl FnMut(JobId) -> Option<(Target, u32)>,
    ) -> Result<Given, Vec<Withheld>> {
        let (mut why, mut is_behind) = (vec![Withheld::NoJob], false);
        for place in 0..self.jobs.len() {
            let id = self.jobs[place].id();
            if !barred.contains(&id) {
                if self.jobs[place].has_open_for(asker) {
                    self.catch_up(id, now, &mut find);
                }
                match self.jobs[place].take(asker, now, &self.tuning, is_behind) {
                    Ok(given) => return Ok(given),
                    Err(reasons) => {
                        if why == [Withheld::NoJob] || why == [Withheld::NothingOpen] {
                            why = reasons;
                        }
                    }
                }
            }
            is_behind |= self.jobs[place].is_served(now, &self.tuning);
        }
        for place in 0..self.jobs.len() {
            let id = self.jobs[place].id();
            if !self.tuning.backs_up || barred.contains(&id) {
                continue;
            }
            if self.jobs[place].only_runs_for(asker) {
                self.catch_up(id, now, &mut find);
            }
            match self.jobs[place].back_up(asker, now, &self.tuning) {
                Ok(given) => return Ok(given),
                Err(reason) if why == [Withheld::NothingOpen] => why = vec![reason],
                Err(_) => {}
            }
        }
        Err(why)
    }

    pub(super) fn forget_device(&mut self, device: u32) {
        self.jobs
            .iter_mut()
            .for_each(|job| job.forget_device(device));
    }
}
