//! Which device takes which replica next.
//!
//! Devices pull: a device takes the next open replica of its own pool's queue, first come first
//! served, and when that queue has none for it, of the pools below; where nobody finds anything so, of
//! the pools above too. The job's level says which pools take part; devices of the others get nothing
//! of it. Jobs are served by priority, then by arrival.
//! Two replicas of a task never go to devices of one account.
//!
//! Where a device fails on a task it may be the device, the program or the grid, and where two answers
//! of a task differ it may be either device; a trusted device is to show which: it gets what is open of
//! the task before anything else, whatever its pool, and nobody else gets it while there is a trusted
//! device that could have it. Where there is none, any other account gets it: a grid without trusted
//! devices goes on. So does one where more tasks are in doubt than its trusted devices can take.
//!
//! Three rules of ours go beside that:
//!
//! - **Lanes.** Which accounts may have which replica of a task, backups included, follows from a seed
//!   that is drawn after the job is committed. An account with a large part of the devices may have more.
//! - **The slow are spared.** A device gets no replica that the rest of the grid would have done
//!   sooner than this device. Near a job's end that keeps the last tasks off the slowest devices.
//! - **Backups.** When a job has nothing open any more and nothing is to come, an idle device computes
//!   again what it will have done in less than two thirds of the time that is left otherwise: what is
//!   overdue first, then what ends last. Devices that take more than twice as long as a fast one do so
//!   only when nobody takes anything any more; a task has two backups at the most.
//!
//! Nothing here knows of answers, money or programs. Accounts and devices are numbers that the
//! caller gives them.

mod anew;
mod job;
mod lane;
mod pool;
#[cfg(test)]
mod tests;
mod told;
mod withheld;

pub use told::{JobCounts, Queued, ReplicaState};
pub use withheld::Withheld;

use crate::{
    LineSpeed, TaskBytes, Tick, Tuning,
    needs::{Needs, Traits},
    pools::Target,
    ranking::Rank,
};
use anew::Rankings;
use job::JobQueue;
use quern_primitives::{
    ids::{AccountId, JobId, ReplicaId, ReplicaIndex, TaskIndex},
    job::ByteLevel,
};
use std::collections::BTreeMap;

/// What the scheduler must know of a job.
#[derive(Clone, Copy, Debug)]
pub struct JobTerms {
    /// Its priority. Which pools take part is for its [`Target`] to say.
    pub level: ByteLevel,
    /// What it asks of devices.
    pub needs: Needs,
    /// Replicas that each task starts with.
    pub replicas: ReplicaIndex,
    /// What one replica is expected to take, in fuel, until some tasks are decided.
    pub work: u64,
    /// What one replica brings over its device's line: from the device, until some tasks are decided.
    pub bytes: TaskBytes,
    /// Drawn after the job was committed.
    pub seed: [u8; 32],
}

/// Who holds or has finished a replica, or could have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The account's number.
    pub account: u32,
    /// The device's.
    pub device: u32,
}

/// What became of a replica that was given out before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Its device computes it.
    Running {
        /// Since then, as far as it is known.
        since: Tick,
    },
    /// Its device answered it.
    Answered,
}

/// A device that asks for work.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Its number.
    pub device: u32,
    /// Its account's number.
    pub account: u32,
    /// Its account.
    pub account_id: &'a AccountId,
    /// What it has.
    pub traits: Traits,
    /// Where it stands in the last ranking, if it does.
    pub rank: Option<Rank>,
    /// How fast it computes, in fuel per millisecond; 0 if that is not known.
    pub speed: u32,
    /// How fast its line is.
    pub line: LineSpeed,
    /// How long it will still compute what it holds already, in milliseconds.
    pub backlog_ms: u64,
}

impl Asker<'_> {
    /// Who will hold what it is given.
    fn holder(&self) -> Holder {
        Holder {
            account: self.account,
            device: self.device,
        }
    }
}

/// A replica given to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Which.
    pub id: ReplicaId,
    /// Whether it is a new replica of a task that somebody else computes already.
    pub is_backup: bool,
    /// In how many lanes it is the account's, the greatest number of which that holds; 1 if it was for all.
    pub lanes: u8,
    /// How long the device should compute it, in milliseconds.
    pub expected_ms: u64,
    /// How long its line should take for it, in milliseconds.
    pub line_ms: u64,
}

/// The queues of all jobs.
#[derive(Clone, Debug, Default)]
pub struct Dispatch {
    tuning: Tuning,
    jobs: BTreeMap<JobId, JobQueue>,
    /// Jobs by priority (lower is sooner), then by arrival.
    order: BTreeMap<(u8, u64), JobId>,
    arrivals: u64,
    rankings: Rankings,
}

impl Dispatch {
    /// Without a job.
    pub fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            ..Self::default()
        }
    }

    /// The settings.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Queues a job, behind all of its priority, without a task yet. Its pools are those of the last
    /// ranking, and `accounts` is how many accounts have a device in its target subset
    /// ([`Target::accounts`]). A job that is queued already stays as it is.
    pub fn add_job(&mut self, id: JobId, terms: JobTerms, target: Target, accounts: u32) {
        if self.jobs.contains_key(&id) {
            return;
        }
        self.order
            .insert((priority(terms.level), self.arrivals), id);
        self.arrivals += 1;
        let found = self.rankings.last();
        let backups_max = self.tuning.backups_max;
        let job = JobQueue::new(id, terms, target, accounts, found, backups_max);
        self.jobs.insert(id, job);
    }

    /// Forgets a job with all its tasks.
    pub fn remove_job(&mut self, id: JobId) {
        if self.jobs.remove(&id).is_some() {
            self.order.retain(|_, job| *job != id);
        }
    }

    /// How many jobs are queued.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether no job is queued.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether a job is queued.
    pub fn has_job(&self, id: JobId) -> bool {
        self.jobs.contains_key(&id)
    }

    /// What is known of a job.
    pub fn terms_of(&self, id: JobId) -> Option<&JobTerms> {
        self.jobs.get(&id).map(|job| &job.terms)
    }

    /// Takes over which devices of a job's target subset are trusted. Some of them are enough, if there
    /// are many: one is looked for that could have a task, and two tasks are kept for each. While none
    /// of its tasks is in doubt, nothing hangs on it.
    pub fn set_trusted(&mut self, id: JobId, trusted: Vec<Holder>) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.set_trusted(trusted);
        }
    }

    /// A job's pools.
    pub fn target(&self, id: JobId) -> Option<&Target> {
        self.jobs.get(&id).map(|job| &job.known.target)
    }

    /// Whether a device could have something of a job, by what it has and where it is ranked; whatever
    /// is open, and whoever else is sooner.
    pub fn is_for(&self, id: JobId, traits: Traits, rank: Option<Rank>) -> bool {
        let job = self.jobs.get(&id);
        job.is_some_and(|job| job.terms.needs.are_met_by(traits) && job.known.target.has_part(rank))
    }

    /// Whether a replica of any job is open.
    pub fn has_open(&self) -> bool {
        self.jobs.values().any(|job| job.open > 0)
    }

    /// The jobs that are queued, in the order in which they are served.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.order.values().copied()
    }

    /// Queues a task with its first replicas.
    pub fn push(&mut self, job: JobId, task: TaskIndex, now: Tick) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.push(task, job.terms.replicas, now);
        }
    }

    /// Says how many tasks of a job are queued later, because what they read is not here yet. They count
    /// as work that is left, so that a job is not taken to be near its end while it is uploaded.
    pub fn expect(&mut self, job: JobId, tasks: u32) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.expect(tasks);
        }
    }

    /// Adds replicas to a task that is queued. Returns those added.
    pub fn add_replicas(
        &mut self,
        job: JobId,
        task: TaskIndex,
        replicas: ReplicaIndex,
        now: Tick,
    ) -> Vec<ReplicaIndex> {
        let job = self.jobs.get_mut(&job);
        job.map_or(vec![], |job| job.add_replicas(task, replicas, now))
    }

    /// Adds one replica to a task whose device is stale, for a fast or trusted device to take, unless
    /// more are out or open already than the task still needs answers.
    pub fn rescue(&mut self, job: JobId, task: TaskIndex, now: Tick) -> Option<ReplicaIndex> {
        self.jobs.get_mut(&job)?.rescue(task, now)
    }

    /// Gives a certain open replica to a device, as it was before a restart. False when the replica is
    /// not open.
    pub fn claim(&mut self, id: ReplicaId, holder: Holder, claimed: Claimed) -> bool {
        let job = self.jobs.get_mut(&id.job);
        job.is_some_and(|job| job.claim(id.task, id.replica, holder, claimed))
    }

    /// A replica was answered.
    pub fn finish(&mut self, id: ReplicaId) {
        if let Some(job) = self.jobs.get_mut(&id.job) {
            job.finish(id.task, id.replica);
        }
    }

    /// An answer was accepted for a task of the job, of so much work in fuel, with a result of so many
    /// bytes. From three on their means are what a replica is expected to take and to bring from its device:
    /// what a single device says of itself is not.
    pub fn accept(&mut self, job: JobId, work: u64, result_bytes: u64) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.accept(work, result_bytes);
        }
    }

    /// Opens a replica again that was given out and not answered. With `fault` that device will not
    /// get the task again; and if nobody else has it or had it, a fast or trusted device shall.
    pub fn release(&mut self, id: ReplicaId, fault: bool, now: Tick) {
        if let Some(job) = self.jobs.get_mut(&id.job) {
            job.release(id.task, id.replica, fault, now);
        }
    }

    /// A replica was answered, and what was answered is not to be had: opens it again, as
    /// [`Dispatch::release`] does what runs.
    pub fn retract(&mut self, id: ReplicaId, fault: bool, now: Tick) {
        if let Some(job) = self.jobs.get_mut(&id.job) {
            job.retract(id.task, id.replica, fault, now);
        }
    }

    /// A replica could not be handed out: its device has it no more, and nobody else gets it until
    /// [`Dispatch::wake`].
    pub fn rest(&mut self, id: ReplicaId) {
        if let Some(job) = self.jobs.get_mut(&id.job) {
            job.rest(id.task, id.replica);
        }
    }

    /// Opens a replica that rested.
    pub fn wake(&mut self, id: ReplicaId, now: Tick) {
        if let Some(job) = self.jobs.get_mut(&id.job) {
            job.wake(id.task, id.replica, now);
        }
    }

    /// A device failed on a task, or two answers of it differ. What is open of it, now or later, is for
    /// trusted devices as long as one could have it: it is ranked, meets the job's needs and has not
    /// lost the task before, and its account has no replica of it. Where there is none, or none has
    /// taken the replica within ten minutes, any other account may have it: a grid without trusted
    /// devices goes on. No more tasks are kept than the trusted devices can take, two each and 128 at
    /// the most, those first that have waited for longest.
    pub fn doubt(&mut self, job: JobId, task: TaskIndex, now: Tick) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.doubt(task, now);
        }
    }

    /// Whether one of the trusted devices that a job was told of could have a task.
    pub fn is_for_trusted(&self, job: JobId, task: TaskIndex) -> bool {
        let job = self.jobs.get(&job);
        job.is_some_and(|job| job.is_for_trusted(task))
    }

    /// Whether a task of a job is in doubt.
    pub fn is_in_doubt(&self, id: JobId) -> bool {
        let job = self.jobs.get(&id);
        job.is_some_and(JobQueue::is_in_doubt)
    }

    /// Says whether what is open of a task in doubt is for trusted devices also where there is none:
    /// nobody else gets it then, and they get it before what is only in doubt. True if others may have it
    /// from now on who might not before.
    pub fn reserve(&mut self, job: JobId, task: TaskIndex, is_reserved: bool) -> bool {
        let job = self.jobs.get_mut(&job);
        job.is_some_and(|job| job.reserve(task, is_reserved))
    }

    /// Whether a trusted device may yet say something of a task in doubt: one computes it, or could
    /// have what is open of it, or it is in doubt for less than half a minute and one may come.
    pub fn waits_for_trusted(&self, job: JobId, task: TaskIndex, now: Tick) -> bool {
        let job = self.jobs.get(&job);
        job.is_some_and(|job| job.waits_for_trusted(task, now))
    }

    /// Keeps a device from having a task, as it was before a restart.
    pub fn exclude(&mut self, job: JobId, task: TaskIndex, device: u32) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.exclude(task, device);
        }
    }

    /// A device is gone for good, and its number may be another one's from now on: what that number is
    /// kept from is forgotten. What its account touched is not.
    pub fn forget_device(&mut self, device: u32) {
        for job in self.jobs.values_mut() {
            job.forget_device(device);
        }
    }

    /// Forgets a task: it has its verdict.
    pub fn close(&mut self, job: JobId, task: TaskIndex) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.close(task);
        }
    }
}

fn priority(level: ByteLevel) -> u8 {
    match level {
        ByteLevel::High => 0,
        ByteLevel::Balanced => 1,
        ByteLevel::Low => 2,
    }
}
