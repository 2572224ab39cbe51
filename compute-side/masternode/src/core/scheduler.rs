//! The core and the scheduler: which devices are known and ranked, which jobs are queued, and who
//! gets what next.
//!
//! Devices are ranked at least every 30 seconds, and a second after the last time at the soonest when
//! one came, went, or was found at fault. A ranking makes no job's pools anew: that is done for those
//! alone of which a device asks for something, or somebody how they stand, and never for all at once
//! where it takes long ([`Dispatch::take_unless`]). Only which trusted devices there are, a job with a task
//! in doubt is told at once.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use super::{Core, Tick, bonds, job::ActiveJob};
use quern_grid::{
    Asker, Claimed, Dispatch, Ending, Faults, Fleet, FleetFull, FleetSettings, Given, Holder,
    JobTerms, TaskBytes, Tuning, Withheld,
    measure::Connection,
    needs::{Allowed, Cover, Memory, Needs},
    pools::Target,
};
use quern_primitives::{
    amount::Amount,
    device::{Class, Device, Hardware, History, Line, Region},
    ids::{AccountId, BlockNumber, DeviceId, JobId, ReplicaIndex, TaskIndex},
    job::{Job, Preferences},
    verdict::{Finding, ReplicaFinding},
};
use quern_protocol::ReplicaId;
use std::collections::BTreeSet;

/// How often devices are ranked at the least, in milliseconds.
const RANK_EVERY_MS: u64 = 30_000;

/// How soon after a ranking the next may follow, in milliseconds.
const RANK_AGAIN_MS: u64 = 1_000;

/// How soon after accounts were forgotten others may be, in milliseconds: all tasks are looked at.
const FORGET_ACCOUNTS_AGAIN_MS: u64 = 60_000;

/// Devices, their ranking, and the queues of all jobs.
pub(super) struct Scheduler {
    pub(super) dispatch: Dispatch,
    pub(super) fleet: Fleet,
    /// The block from which on nobody stands higher for the last lottery any more.
    lottery_ends_at: Option<BlockNumber>,
    last_ranked: Option<Tick>,
    /// When accounts were last forgotten for others to have their numbers.
    accounts_forgotten: Option<Tick>,
    /// When devices are ranked next; never while none is known.
    due: Option<Tick>,
    /// How often a device was tried for work.
    #[cfg(test)]
    pub(super) pulls: usize,
    /// How often a job's pools were found anew.
    #[cfg(test)]
    pub(super) retargets: usize,
}

impl Scheduler {
    pub(super) fn new(tuning: Tuning, settings: FleetSettings) -> Self {
        Self {
            dispatch: Dispatch::new(tuning),
            fleet: Fleet::new(settings),
            lottery_ends_at: None,
            last_ranked: None,
            accounts_forgotten: None,
            due: None,
            #[cfg(test)]
            pulls: 0,
            #[cfg(test)]
            retargets: 0,
        }
    }

    /// When devices are to be ranked again.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.due
    }

    /// Whole seconds since devices were ranked; none if they were not yet.
    pub(super) fn ranked_s_ago(&self, now: Tick) -> Option<u64> {
        self.last_ranked.map(|last| now.since(last) / 1_000)
    }

    /// Something changed that the ranking depends on.
    pub(super) fn changed(&mut self, now: Tick) {
        let soonest = self
            .last_ranked
            .map_or(now, |last| last.plus_ms(RANK_AGAIN_MS).max(now));
        self.due = Some(self.due.map_or(soonest, |due| due.min(soonest)));
    }

    /// Ranks the devices if it is time to.
    pub(super) fn rank_if_due(&mut self, now: Tick) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.fleet.rank(now);
        self.last_ranked = Some(now);
        self.due = (!self.fleet.is_empty()).then(|| now.plus_ms(RANK_EVERY_MS));
        let ranking = self.fleet.ranking();
        self.dispatch.ranked(ranking.len());
        true
    }

    /// The queues, the devices, and what finds a job's pools in the last ranking.
    fn split(
        &mut self,
    ) -> (
        &mut Dispatch,
        &Fleet,
        impl FnMut(&JobTerms) -> Option<(Target, u32)>,
    ) {
        let (dispatch, fleet) = (&mut self.dispatch, &self.fleet);
        let limits = dispatch.tuning().pool_limits();
        #[cfg(test)]
        let retargets = &mut self.retargets;
        let find = move |terms: &JobTerms| {
            #[cfg(test)]
            {
                *retargets += 1;
            }
            Some(fleet.target_for(terms, &limits))
        };
        (dispatch, fleet, find)
    }

    /// Finds a job's pools in the last ranking, before it is told how the job stands.
    fn catch_up(&mut self, job: JobId, now: Tick) {
        let (dispatch, _, find) = self.split();
        dispatch.catch_up(job, now, find);
    }

    /// The trusted devices of the last ranking, best first, by their numbers.
    pub(super) fn trusted(&self) -> impl Iterator<Item = u32> + '_ {
        self.fleet.ranking().trusted()
    }

    /// Queues a job, without a task yet.
    pub(super) fn add_job(&mut self, id: JobId, terms: JobTerms) {
        let limits = self.dispatch.tuning().pool_limits();
        let (target, accounts) = self.fleet.target_for(&terms, &limits);
        self.dispatch.add_job(id, terms, target, accounts);
    }

    /// Gives a certain replica to a device, as it was before a restart.
    pub(super) fn claim(
        &mut self,
        id: ReplicaId,
        device: DeviceId,
        account: &AccountId,
        claimed: Claimed,
    ) {
        let Some(holder) = self.recall(device, account) else {
            // Nobody else may have the task without knowing who had it.
            return self.dispatch.close(id.job, id.task);
        };
        self.dispatch.claim(id, holder, claimed);
    }

    /// Keeps a device from having a task, as it was before a restart.
    pub(super) fn exclude(
        &mut self,
        job: JobId,
        task: TaskIndex,
        device: DeviceId,
        account: &AccountId,
    ) {
        if let Some(holder) = self.recall(device, account) {
            self.dispatch.exclude(job, task, holder.device);
        }
    }

    /// A device that was here before a restart, with its account.
    fn recall(&mut self, device: DeviceId, account: &AccountId) -> Option<Holder> {
        let number = self.fleet.recall(device, account).ok()?;
        self.holder(number)
    }

    /// A device by its number, with its account.
    pub(super) fn holder(&self, device: u32) -> Option<Holder> {
        let (account, _) = self.fleet.account(device)?;
        Some(Holder { account, device })
    }

    /// Takes in a device that said hello, with its last tasks as the chain has them and what it has not
    /// counted.
    pub(super) fn admit(
        &mut self,
        now: Tick,
        id: DeviceId,
        device: &Device,
        profile: &quern_grid::needs::Profile,
    ) -> Result<u32, FleetFull> {
        self.forget_accounts(now);
        let number = self.fleet.admit(id, &device.account, profile)?;
        self.fleet.reviewed(number, device.last_review);
        self.remember(now, number, &device.history);
        Ok(number)
    }

    /// Where an account that comes would find no number, forgets those that have no device, unless a job
    /// remembers them.
    fn forget_accounts(&mut self, now: Tick) {
        let is_soon = |last: Tick| now.since(last) < FORGET_ACCOUNTS_AGAIN_MS;
        if self.accounts_forgotten.is_some_and(is_soon) {
            return;
        }
        if let Some(mut accounts) = self.fleet.accounts_in_the_way() {
            self.accounts_forgotten = Some(now);
            self.dispatch.forget_accounts(&mut accounts);
            self.fleet.forget_accounts(&accounts);
        }
    }

    /// What became of a device's last tasks as far as it is remembered, if anything is.
    pub(super) fn remembered(&self, device: &DeviceId) -> Option<History> {
        let number = self.fleet.number(device)?;
        let faults = self.fleet.faults(number)?;
        (*faults != Faults::default()).then_some(faults.tasks())
    }

    /// Takes over what became of a device's last tasks, here and elsewhere. For faults that were not known
    /// here it may have to wait from now on.
    pub(super) fn remember(&mut self, now: Tick, number: u32, history: &History) {
        let Some(known) = self.fleet.faults(number).copied() else {
            return;
        };
        let corrected = known.corrected(now, history);
        if corrected != known {
            self.fleet.restore_faults(number, now, corrected);
            self.changed(now);
        }
    }

    /// Forgets a device for good. False if it was not known.
    pub(super) fn forget(&mut self, device: &DeviceId) -> bool {
        let Some(number) = self.fleet.number(device) else {
            return false;
        };
        self.fleet.forget(device);
        // The number may be another device's from now on.
        self.dispatch.forget_device(number);
        true
    }

    /// Takes over who won a lottery, until this block.
    pub(super) fn lift(&mut self, winners: BTreeSet<DeviceId>, ends_at: BlockNumber) {
        self.fleet.lift(winners);
        self.lottery_ends_at = Some(ends_at);
    }

    /// Nobody stands higher any more if the last lottery's day is over.
    pub(super) fn end_lottery(&mut self, now: Tick, block: BlockNumber) {
        if self.lottery_ends_at.is_some_and(|end| end <= block) {
            self.lottery_ends_at = None;
            self.fleet.lift(BTreeSet::new());
            self.changed(now);
        }
    }

    /// Gives the next replica to a device, or says why it gets none; nothing of jobs that it is barred
    /// from.
    pub(super) fn take(
        &mut self,
        number: u32,
        backlog_ms: u64,
        now: Tick,
        is_barred: impl Fn(JobId) -> bool,
    ) -> Result<Given, Withheld> {
        #[cfg(test)]
        {
            self.pulls += 1;
        }
        let (dispatch, fleet, find) = self.split();
        let asker = asker(fleet, number, backlog_ms).ok_or(Withheld::NoJob)?;
        dispatch.take_unless(&asker, now, is_barred, find)
    }

    /// The job of which a device would get something next, nothing of those that it is barred from.
    pub(super) fn next_job(
        &self,
        number: u32,
        backlog_ms: u64,
        now: Tick,
        is_barred: impl Fn(JobId) -> bool,
    ) -> Option<JobId> {
        let asker = asker(&self.fleet, number, backlog_ms)?;
        self.dispatch.next_job(&asker, now, is_barred)
    }

    /// Why a device would get nothing of a job by itself; nothing if it would.
    pub(super) fn explain(
        &self,
        job: JobId,
        number: u32,
        backlog_ms: u64,
        now: Tick,
    ) -> Option<Withheld> {
        match asker(&self.fleet, number, backlog_ms) {
            Some(asker) => self.dispatch.explain(job, &asker, now),
            None => Some(Withheld::NoJob),
        }
    }

    /// Why a device would not get an open replica of a task next, if there were no other job; nothing if it
    /// would.
    pub(super) fn explain_task(
        &self,
        job: JobId,
        task: TaskIndex,
        number: u32,
        backlog_ms: u64,
        now: Tick,
    ) -> Option<Withheld> {
        match asker(&self.fleet, number, backlog_ms) {
            Some(asker) => self.dispatch.explain_task(job, task, &asker, now),
            None => Some(Withheld::NoJob),
        }
    }

    /// A replica was taken back: it is open again. With `fault` its device will not get the task
    /// again.
    pub(super) fn release(&mut self, id: ReplicaId, fault: bool, now: Tick) {
        self.dispatch.release(id, fault, now);
    }

    /// Remembers what a verdict on a result says of the devices. Only here is a device blamed: others
    /// have shown by then that the task can be done, and how.
    pub(super) fn note(&mut self, now: Tick, findings: &[ReplicaFinding]) {
        let mut faults = false;
        for found in findings {
            let Some(number) = self.fleet.number(&found.device) else {
                continue;
            };
            let ending = match found.finding {
                Finding::Accepted => Ending::COMPLETED,
                Finding::Incorrect => Ending::INCORRECT,
                Finding::Failed => Ending::FAILED,
                Finding::Delayed => Ending::DELAYED,
            };
            faults |= ending != Ending::COMPLETED;
            self.fleet.note(number, now, ending);
        }
        if faults {
            self.changed(now);
        }
    }
}

impl Core {
    /// Somebody wants to know how a job stands, or all of those that are queued: its pools are found in
    /// the last ranking, as if a device asked for something of it. Asked for before what explains, for
    /// that changes nothing.
    pub fn catch_up_jobs(&mut self, now: Tick, job: Option<JobId>) {
        let jobs = match job {
            Some(job) => vec![job],
            None => self.scheduler.dispatch.jobs().collect(),
        };
        for job in jobs {
            self.scheduler.catch_up(job, now);
        }
    }
}

fn asker(fleet: &Fleet, number: u32, backlog_ms: u64) -> Option<Asker<'_>> {
    let (account, account_id) = fleet.account(number)?;
    Some(Asker {
        device: number,
        account,
        account_id,
        traits: fleet.traits(number),
        rank: fleet.rank_of(number),
        speed: fleet.speed(number),
        line: fleet.line(number),
        backlog_ms,
    })
}

/// What the scheduler must know of a job of which a device fetches so many bytes for a task. A device has the
/// program after its first task of the job, but it counts in each. Results count once it is known how large
/// they are.
pub(super) fn terms(job: &Job, seed: [u8; 32], fetch_bytes_max: u64) -> JobTerms {
    let submission = &job.submission;
    let memory = Memory::for_task(submission.memory_bytes_max);
    let gain = bonds::gain_of(job);
    JobTerms {
        level: submission.level,
        needs: needs(&submission.preferences, submission.class, memory, gain),
        replicas: submission.agreement.replicas(),
        work: submission.fuel_per_task_max,
        bytes: TaskBytes {
            down: fetch_bytes_max,
            up: 0,
        },
        seed,
    }
}

/// What a job asks of devices of which a task needs so much memory, and by which one could gain so much
/// with wrong answers.
pub(super) fn needs(
    preferences: &Preferences,
    class: Class,
    memory: Memory,
    gain: Amount,
) -> Needs {
    let regions = REGIONS.into_iter();
    let regions = regions.filter(|it| preferences.regions.allows(*it));
    let hardware = HARDWARE.into_iter();
    let hardware = hardware.filter(|it| preferences.hardware.allows(*it));
    let lines = LINES.into_iter();
    let lines = lines.filter(|it| preferences.lines.allows(*it));
    Needs {
        hardware: Allowed::only(hardware),
        regions: Allowed::only(regions),
        connections: Allowed::only(lines.map(connection)),
        trusted: preferences.trusted,
        gpu: preferences.gpu,
        class,
        version_min: preferences.worker_version_min,
        processor_points_min: preferences.processor_points_min,
        cover: Cover::for_gain(gain),
        memory,
    }
}

const REGIONS: [Region; 4] = [
    Region::Unknown,
    Region::Americas,
    Region::Europe,
    Region::AsiaPacific,
];

const HARDWARE: [Hardware; 5] = [
    Hardware::Unknown,
    Hardware::Mobile,
    Hardware::Laptop,
    Hardware::Desktop,
    Hardware::Server,
];

const LINES: [Line; 7] = [
    Line::Unknown,
    Line::Fibre,
    Line::Cable,
    Line::Dsl,
    Line::Satellite,
    Line::Mobile,
    Line::Other,
];

/// The line as the scheduler has it.
pub(super) fn connection(line: Line) -> Option<Connection> {
    match line {
        Line::Unknown => None,
        Line::Fibre => Some(Connection::Fibre),
        Line::Cable => Some(Connection::Cable),
        Line::Dsl => Some(Connection::Dsl),
        Line::Satellite => Some(Connection::Satellite),
        Line::Mobile => Some(Connection::Mobile),
        Line::Other => Some(Connection::Other),
    }
}

impl ActiveJob {
    /// Queues tasks that have no verdict and whose shard is here, with the replicas that are not
    /// accounted for.
    pub(super) fn enqueue(
        &self,
        tasks: impl IntoIterator<Item = TaskIndex>,
        scheduler: &mut Scheduler,
        now: Tick,
    ) {
        let id = self.id;
        let first = self.job.submission.agreement.replicas();
        scheduler.dispatch.expect(id, self.to_come());
        for task in tasks {
            scheduler.dispatch.push(id, task, now);
            let Some(open) = self.open(task) else {
                continue;
            };
            let more = open.case.replicas().saturating_sub(first);
            scheduler.dispatch.add_replicas(id, task, more, now);
            for (replica, reporter) in &open.reported {
                let replica = self.replica(task, *replica);
                scheduler.claim(
                    replica,
                    reporter.device,
                    &reporter.account,
                    Claimed::Answered,
                );
            }
            for (device, account) in &open.excluded {
                scheduler.exclude(id, task, *device, account);
            }
            if open.is_doubted {
                scheduler.dispatch.doubt(id, task, now);
            }
            let is_reserved = self.opens_nowhere(task).reserves() || self.opinions.waits(task);
            scheduler.dispatch.reserve(id, task, is_reserved);
            let held = self.held.range((task, 0)..=(task, ReplicaIndex::MAX));
            for ((_, replica), holding) in held {
                let replica = self.replica(task, *replica);
                let claimed = match holding.pledge {
                    Some(_) => Claimed::Answered,
                    None => Claimed::Running { since: now },
                };
                scheduler.claim(replica, holding.device, &holding.account, claimed);
            }
        }
    }

    fn replica(&self, task: TaskIndex, replica: ReplicaIndex) -> ReplicaId {
        ReplicaId {
            job: self.id,
            task,
            replica,
        }
    }
}
