//! What an owner is told of a job.

use super::{Core, job::ActiveJob};
use quern_jobs_api::{JobStatus, Phase, WaitingFor};
use quern_primitives::ids::JobId;
use std::collections::BTreeSet;

impl Core {
    /// How far a job is, if it is known here. A closed one is not.
    pub fn status(&self, id: JobId) -> Option<JobStatus> {
        self.jobs.get(&id).map(|job| self.status_of(job))
    }

    /// How many accounts have a device connected that the job could go to, counted up to as many as a
    /// task needs. One that is not queued could go to any.
    fn accounts_for(&self, job: &ActiveJob, needed: u32) -> u32 {
        let (dispatch, fleet) = (&self.scheduler.dispatch, &self.scheduler.fleet);
        match dispatch.accounts(job.id) {
            None => return self.devices.connected_accounts() as u32,
            // As a rule there are enough, and nobody has to look at the devices for it.
            Some(ranked) if ranked >= needed && dispatch.is_up_to_date(job.id) => return needed,
            Some(_) => {}
        }
        let mut accounts = BTreeSet::new();
        for (_, known) in self.devices.all().filter(|(_, known)| known.connected) {
            if accounts.len() >= needed as usize {
                break;
            }
            let (traits, rank) = (fleet.traits(known.number), fleet.rank_of(known.number));
            if dispatch.is_for(job.id, traits, rank) {
                accounts.insert(&known.account);
            }
        }
        accounts.len() as u32
    }

    /// How many accounts the job could go to, counted up to as many as it needs, and how many it needs for
    /// a task. Where one device may be believed, two are needed as soon as one was not.
    fn accounts_of(&self, job: &ActiveJob) -> (u32, u32) {
        let needed = u32::from(job.job.submission.agreement.replicas());
        let is_begun = job.counters.touched > job.counters.decided;
        let most = if is_begun { needed.max(2) } else { needed };
        let connected = self.accounts_for(job, most);
        match connected < most && job.wants_second() {
            true => (connected, most),
            false => (connected.min(needed), needed),
        }
    }

    pub(super) fn status_of(&self, job: &ActiveJob) -> JobStatus {
        let (tasks, counters) = (job.task_count(), &job.counters);
        let phase = match () {
            _ if !job.job.state.is_open() => Phase::Closed,
            _ if !job.job.state.goes_on() => Phase::Settling,
            _ if !job.has_plan() => Phase::Uploading,
            _ if counters.decided == tasks || job.failed.is_some() => Phase::Settling,
            _ => Phase::Computing,
        };
        let not_uploaded = match phase {
            // Nothing is waited for any more.
            Phase::Closed => 0,
            Phase::Uploading | Phase::Computing | Phase::Settling => job.to_come(),
        };
        let (connected, needed) = self.accounts_of(job);
        let waiting_for = match phase {
            Phase::Uploading => Some(WaitingFor::Upload),
            // All that is here is decided.
            Phase::Computing if counters.decided.saturating_add(not_uploaded) >= tasks => {
                Some(WaitingFor::Upload)
            }
            Phase::Computing if self.devices.connected_accounts() == 0 => Some(WaitingFor::Devices),
            Phase::Computing if connected < needed => {
                Some(WaitingFor::Accounts { connected, needed })
            }
            Phase::Settling if job.job.state.goes_on() => Some(WaitingFor::Chain),
            Phase::Settling => Some(WaitingFor::Finality),
            Phase::Computing | Phase::Closed => None,
        };
        let devices = match phase {
            Phase::Closed => 0,
            Phase::Uploading | Phase::Computing | Phase::Settling => job.devices(),
        };
        JobStatus {
            job: job.id,
            phase,
            tasks,
            not_uploaded,
            waiting: tasks.saturating_sub(counters.touched),
            running: counters.touched.saturating_sub(counters.decided),
            decided: counters.decided,
            settled: job.job.settled_tasks,
            replicas: counters.replicas,
            incorrect: counters.incorrect,
            refereed: counters.refereed,
            voted: counters.voted,
            contradicted: counters.contradicted,
            fuel: counters.fuel,
            spent: counters.spent,
            devices,
            waiting_for,
            impasse: job.failed.map(|(_, task, why)| why.told(task)),
        }
    }
}
