//! The queues of all jobs, each as lists.

use super::{listed::Job, *};

/// All jobs, in the order in which they are served.
#[derive(Clone, Debug)]
pub(super) struct Model {
    tuning: Tuning,
    jobs: Vec<Job>,
}

impl Model {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            jobs: vec![],
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

    /// Of the first job that has something for the device; then of the first that it can back up.
    /// Otherwise the reasons of the first job that has something open, or else of the first that might have
    /// been backed up by a faster one.
    pub(super) fn take(&mut self, asker: &Asker<'_>, now: Tick) -> Result<Given, Vec<Withheld>> {
        let (mut why, mut is_behind) = (vec![Withheld::NoJob], false);
        for job in &mut self.jobs {
            match job.take(asker, now, &self.tuning, is_behind) {
                Ok(given) => return Ok(given),
                Err(reasons) => {
                    if why == [Withheld::NoJob] || why == [Withheld::NothingOpen] {
                        why = reasons;
                    }
                }
            }
            is_behind |= job.is_served(now, &self.tuning);
        }
        if self.tuning.backs_up {
            for job in &mut self.jobs {
                match job.back_up(asker, now, &self.tuning) {
                    Ok(given) => return Ok(given),
                    Err(reason) if why == [Withheld::NothingOpen] => why = vec![reason],
                    Err(_) => {}
                }
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
