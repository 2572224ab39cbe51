//! Jobs: submission, escrow, settlement, and the ways a job ends.

use super::{
    Answer, Fee, Ledger, Refusal, Sender,
    batches::{Fate, Settled, finalise, settle},
    groups::{self, Group},
    money::Purpose,
    need,
    params::Numbers,
};
use crate::ledger::told::Told;
use quern_primitives::{
    AccountId, Amount, DeviceId, JobId, TaskIndex,
    batch::{Certified, CertifiedEnd},
    ids::BatchSequence,
    job::{Agreement, ByteLevel, Failure, JobEnd, Prices, Submission, job_id},
    receipt::Exit,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Blocks that a coordinator has after the owner cancelled: ten minutes.
pub(crate) const GRACE: u32 = 300;
/// Blocks from submission to the nearest and to the furthest deadline: half a minute, 90 days.
pub(crate) const LIFETIME_LEAST: u32 = 15;
pub(crate) const LIFETIME_MOST: u32 = 90 * 24 * 3_600 / 2;
/// Jobs of one owner that may wait for a coordinator.
const OWN_WAITING_MAX: usize = 16;
const MEBI: u64 = 1_024 * 1_024;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Submit(Box<Submission>),
    /// With what its coordinator has of it, if anybody can show that.
    Settle(Box<Certified>, Option<Rc<Told>>),
    CloseFailed(Box<CertifiedEnd>),
    Cancel(JobId),
    Refund(JobId),
    SetPrices(Prices),
    Finalise(JobId, BatchSequence),
    TakeOver(JobId),
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "jobs.submit",
            Self::Settle(..) => "jobs.settle",
            Self::CloseFailed(_) => "jobs.close_failed",
            Self::Cancel(_) => "jobs.cancel",
            Self::Refund(_) => "jobs.refund",
            Self::SetPrices(_) => "jobs.set_prices",
            Self::Finalise(..) => "jobs.finalise",
            Self::TakeOver(_) => "jobs.take_over",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Running {
        coordinator: AccountId,
    },
    Cancelling {
        coordinator: AccountId,
        until: u32,
    },
    Settling {
        coordinator: AccountId,
        end: JobEnd,
        /// Until when something might be settled again, if it was cancelled before.
        cancelled: Option<u32>,
    },
    Over(JobEnd),
}

/// Where a job's money went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pots {
    pub(crate) deposited: Amount,
    pub(crate) workers: Amount,
    pub(crate) network: Amount,
    pub(crate) owner: Amount,
    /// Set aside for batches that are not final.
    pub(crate) pending: Amount,
}

impl Pots {
    pub(crate) fn held(&self) -> Amount {
        self.deposited - self.workers - self.network - self.owner - self.pending
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) owner: AccountId,
    pub(crate) submission: Submission,
    pub(crate) prices: Prices,
    /// What the council had set when it was submitted.
    pub(crate) terms: Numbers,
    /// The most that one task may cost.
    pub(crate) cap: Amount,
    pub(crate) submitted_at: u32,
    pub(crate) phase: Phase,
    pub(crate) pots: Pots,
    pub(crate) done: BTreeSet<TaskIndex>,
    pub(crate) batches: Vec<Settled>,
    /// Its masternodes, from the draw to its end.
    pub(crate) group: Option<Group>,
}

impl Job {
    pub(crate) fn coordinator(&self) -> Option<&AccountId> {
        match &self.phase {
            Phase::Running { coordinator }
            | Phase::Cancelling { coordinator, .. }
            | Phase::Settling { coordinator, .. } => Some(coordinator),
            Phase::Waiting | Phase::Over(_) => None,
        }
    }

    /// Until when something may be settled of a job that was cancelled and is open.
    pub(crate) fn cancelled(&self) -> Option<u32> {
        match self.phase {
            Phase::Cancelling { until, .. } => Some(until),
            Phase::Settling { cancelled, .. } => cancelled,
            Phase::Waiting | Phase::Running { .. } | Phase::Over(_) => None,
        }
    }

    /// The batches that are not final, the oldest first, and when each is due.
    pub(crate) fn pending(&self) -> Vec<(usize, u32)> {
        let all = self.batches.iter().enumerate();
        let due = all.filter_map(|(place, settled)| match settled.fate {
            Fate::Pending { due } => Some((place, due)),
            Fate::Final { .. } | Fate::Struck { .. } => None,
        });
        due.collect()
    }

    /// The last block of its present phase; none when nothing more is settled.
    pub(crate) fn until(&self) -> Option<u32> {
        let deadline = self.submission.deadline;
        match self.phase {
            Phase::Waiting | Phase::Running { .. } => Some(deadline),
            Phase::Cancelling { until, .. } => Some(deadline.min(until)),
            Phase::Settling { .. } | Phase::Over(_) => None,
        }
    }

    pub(crate) fn open_tasks(&self) -> Vec<TaskIndex> {
        let all = 0..self.submission.tasks;
        all.filter(|task| !self.done.contains(task)).collect()
    }
}

/// All jobs there ever were.
pub(crate) struct JobBook {
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// In the order of their submission.
    pub(crate) order: Vec<JobId>,
    pub(crate) prices: Prices,
    /// Jobs that something happened to since this was last emptied.
    pub(crate) touched: BTreeSet<JobId>,
}

impl Default for JobBook {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            order: Vec::new(),
            prices: Prices {
                gigafuel: 10_000_000,
                task_min: 100_000,
                replica_permille: 600,
                low_permille: 800,
                high_permille: 1_300,
            },
            touched: BTreeSet::new(),
        }
    }
}

impl JobBook {
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        let all = self.jobs.iter();
        all.filter(|(_, job)| job.phase == Phase::Waiting)
    }

    /// All that owners have in escrow, and where the rest of it went.
    pub(crate) fn totals(&self) -> Pots {
        let mut sum = Pots::default();
        for job in self.jobs.values() {
            sum.deposited += job.pots.deposited;
            sum.workers += job.pots.workers;
            sum.network += job.pots.network;
            sum.owner += job.pots.owner;
            sum.pending += job.pots.pending;
        }
        sum
    }

    /// What an account has settled that is not final, in all jobs.
    pub(crate) fn open_of(&self, who: &AccountId) -> Amount {
        let all = self.jobs.values().flat_map(|job| &job.batches);
        let open = all.filter(|it| it.by == *who && matches!(it.fate, Fate::Pending { .. }));
        open.map(|it| it.batch.spent).sum()
    }

    pub(super) fn existing(&mut self, id: &JobId) -> Result<&mut Job, Refusal> {
        self.touched.insert(*id);
        let job = self.jobs.get_mut(id);
        job.ok_or(Refusal::Named("NoSuchJob"))
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    match call {
        Call::Submit(submission) => submit(ledger, sender.account()?, submission)?,
        Call::Settle(certified, told) => {
            settle(ledger, &sender.account()?, (certified, told.as_ref()))?;
        }
        Call::TakeOver(id) => groups::take_over(ledger, sender.account()?, id)?,
        Call::CloseFailed(end) => close_failed(ledger, &sender.account()?, end)?,
        Call::Cancel(id) => return cancel(ledger, &sender.account()?, id),
        Call::Refund(id) => {
            sender.account()?;
            refund(ledger, id)?;
        }
        Call::Finalise(id, sequence) => {
            sender.account()?;
            finalise(ledger, id, *sequence as usize)?;
        }
        Call::SetPrices(prices) => {
            sender.council()?;
            check_prices(prices)?;
            ledger.jobs.prices = *prices;
            return Ok(Fee::Charged);
        }
    }
    Ok(Fee::Waived)
}

/// The chain drew masternodes, with these network keys, for a job that waited.
pub(crate) fn drawn(ledger: &mut Ledger, id: JobId, members: Vec<(AccountId, DeviceId)>) {
    let clock = ledger.finality.clock();
    let job = ledger.jobs.existing(&id).expect("it waited");
    assert_eq!(job.phase, Phase::Waiting, "a coordinator is drawn once");
    let coordinator = members[0].0.clone();
    job.phase = Phase::Running { coordinator };
    job.group = Some(Group::new(members, clock));
}

/// The price of a task with this much fuel, as the price list reads.
pub(crate) fn price(prices: &Prices, submission: &Submission, fuel: u64) -> Amount {
    let by_fuel = prices.gigafuel * Amount::from(fuel);
    let least = prices.task_min * 1_000_000_000;
    let level = match submission.level {
        ByteLevel::Low => prices.low_permille,
        ByteLevel::Balanced => 1_000,
        ByteLevel::High => prices.high_permille,
    };
    let further = u32::from(submission.agreement.replicas()) - 1;
    let replicas = 1_000 + prices.replica_permille * further;
    by_fuel.max(least) * Amount::from(level) * Amount::from(replicas) / 10u128.pow(9 + 3 + 3)
}

fn check_prices(prices: &Prices) -> Result<(), Refusal> {
    let thousand_bytechips = 1_000_000_000_000;
    let (gigafuel, least) = (prices.gigafuel, prices.task_min);
    need(gigafuel <= thousand_bytechips, "GigafuelOutOfBounds")?;
    let in_bounds = (1_000..=thousand_bytechips).contains(&least);
    need(in_bounds, "TaskMinOutOfBounds")?;
    need(prices.replica_permille <= 1_000, "ReplicaOutOfBounds")?;
    let in_bounds = (100..=1_000).contains(&prices.low_permille);
    need(in_bounds, "LowOutOfBounds")?;
    let in_bounds = (1_000..=10_000).contains(&prices.high_permille);
    need(in_bounds, "HighOutOfBounds")
}

fn check_submission(wanted: &Submission, now: u32) -> Result<(), Refusal> {
    need(wanted.tasks > 0, "NoTasks")?;
    need(wanted.tasks <= 65_536, "TooManyTasks")?;
    need(wanted.input_bytes > 0, "NoInput")?;
    let input_most = u64::from(wanted.tasks) * 32 * MEBI;
    need(wanted.input_bytes <= input_most, "InputTooLarge")?;
    if let Agreement::Majority { replicas } = wanted.agreement {
        let can_decide = [3, 5, 7, 9, 11, 13, 15].contains(&replicas);
        need(can_decide, "AgreementUndecidable")?;
    }
    let fuel = wanted.fuel_per_task_max;
    need(fuel > 0, "NoFuel")?;
    need(fuel <= 10_000_000_000_000, "TooMuchFuel")?;
    need(wanted.memory_bytes_max > 0, "NoMemory")?;
    need(wanted.memory_bytes_max <= 4_096 * MEBI, "TooMuchMemory")?;
    let result = u64::from(wanted.result_bytes_max);
    need(result <= 64 * MEBI, "ResultTooLong")?;
    let devices = &wanted.preferences;
    need(devices.regions.is_valid(), "RegionUnknown")?;
    need(devices.hardware.is_valid(), "HardwareUnknown")?;
    need(devices.lines.is_valid(), "LineUnknown")?;
    let points = devices.processor_points_min;
    need(points <= 500, "TooManyProcessorPoints")?;
    let deadline = wanted.deadline;
    need(deadline > now, "DeadlinePassed")?;
    need(deadline >= now + LIFETIME_LEAST, "DeadlineTooNear")?;
    need(deadline <= now + LIFETIME_MOST, "DeadlineTooFar")
}

fn submit(ledger: &mut Ledger, owner: AccountId, wanted: &Submission) -> Result<(), Refusal> {
    need(!ledger.roster.banned.contains(&owner), "OwnerBanned")?;
    check_submission(wanted, ledger.now)?;
    let book = &mut ledger.jobs;
    let cap = price(&book.prices, wanted, wanted.fuel_per_task_max);
    // Of one it is that one, of two both.
    let deciding = wanted.agreement.replicas() / 2 + 1;
    need(ledger.params.protect(cap, deciding), "TaskWorthTooMuch")?;
    let total = cap * Amount::from(wanted.tasks);
    need(total <= wanted.price_max, "AbovePriceMax")?;
    let id = job_id(&ledger.genesis, &owner, &wanted.salt);
    need(!book.jobs.contains_key(&id), "JobExists")?;
    let own = book.waiting().filter(|(_, job)| job.owner == owner);
    need(own.count() < OWN_WAITING_MAX, "TooManyOwnAwaiting")?;
    let escrow = ledger.money.hold(&owner, Purpose::Escrow, total);
    escrow.map_err(|_| Refusal::Named("BalanceBelowQuote"))?;
    let job = Job {
        owner,
        submission: wanted.clone(),
        prices: book.prices,
        terms: ledger.params,
        cap,
        submitted_at: ledger.now,
        phase: Phase::Waiting,
        pots: Pots {
            deposited: total,
            ..Pots::default()
        },
        done: BTreeSet::new(),
        batches: Vec::new(),
        group: None,
    };
    book.jobs.insert(id, job);
    book.order.push(id);
    book.touched.insert(id);
    Ok(())
}

/// Whether this account may settle tasks of the job now, or close it.
pub(super) fn may_settle(job: &Job, by: &AccountId, now: u32) -> Result<(), Refusal> {
    need(job.phase != Phase::Waiting, "NotDrawn")?;
    let is_closed = matches!(job.phase, Phase::Settling { .. });
    need(!is_closed, "JobClosed")?;
    let until = job.until().ok_or(Refusal::Named("JobOver"))?;
    need(job.coordinator() == Some(by), "NotCoordinator")?;
    need(now <= until, "TooLate")
}

fn close_failed(ledger: &mut Ledger, by: &AccountId, said: &CertifiedEnd) -> Result<(), Refusal> {
    let (now, genesis) = (ledger.now, ledger.genesis);
    let (id, task, why) = (&said.job, said.task, said.why);
    let job = ledger.jobs.existing(id)?;
    may_settle(job, by, now)?;
    let fails = why != Failure::Program(Exit::Success);
    need(fails, "ExitIsSuccess")?;
    need(task < job.submission.tasks, "NoSuchTask")?;
    need(!job.done.contains(&task), "TaskSettled")?;
    let next = u32::try_from(job.batches.len()).unwrap();
    let group = job.group.clone();
    let is_masternode = ledger.roster.masternodes.contains(by);
    need(is_masternode, "CoordinatorRemoved")?;
    let group = group.ok_or(Refusal::Named("NotDrawn"))?;
    group.check(&genesis, said.certificate(next), &said.certificates)?;
    let because = match why {
        Failure::Program(exit) => JobEnd::ProgramFailed { task, exit },
        Failure::Undecided => JobEnd::Undecided { task },
    };
    close(ledger, id, because, false);
    Ok(())
}

fn cancel(ledger: &mut Ledger, by: &AccountId, id: &JobId) -> Answer {
    let now = ledger.now;
    let job = ledger.jobs.existing(id)?;
    let is_over = matches!(job.phase, Phase::Over(_));
    need(!is_over, "JobOver")?;
    need(job.owner == *by, "NotOwner")?;
    let until = job.until().ok_or(Refusal::Named("JobClosed"))?;
    match job.phase.clone() {
        Phase::Cancelling { .. } => Err(Refusal::Named("AlreadyCancelled")),
        _ if now > until => Err(Refusal::Named("TooLate")),
        Phase::Running { coordinator } => {
            let until = (now + GRACE).min(until);
            job.phase = Phase::Cancelling { coordinator, until };
            Ok(Fee::Waived)
        }
        Phase::Waiting | Phase::Settling { .. } | Phase::Over(_) => {
            end(ledger, id, JobEnd::OwnerCancelled);
            Ok(Fee::Charged)
        }
    }
}

fn refund(ledger: &mut Ledger, id: &JobId) -> Result<(), Refusal> {
    let now = ledger.now;
    let job = ledger.jobs.existing(id)?;
    let (until, because) = match job.phase {
        Phase::Waiting | Phase::Running { .. } => (job.submission.deadline, JobEnd::DeadlinePassed),
        Phase::Cancelling { until, .. } => {
            (job.submission.deadline.min(until), JobEnd::OwnerCancelled)
        }
        Phase::Settling { end, .. } => {
            need(job.pots.held() > 0, "JobClosed")?;
            let until = job.cancelled().unwrap_or(u32::MAX);
            (job.submission.deadline.min(until), end)
        }
        Phase::Over(_) => return Err(Refusal::Named("JobOver")),
    };
    need(now > until, "TooEarly")?;
    close(ledger, id, because, true);
    Ok(())
}

/// Nothing more of a job is settled. What is held goes back now if it is to, and at the end.
pub(super) fn close(ledger: &mut Ledger, id: &JobId, because: JobEnd, now: bool) {
    let job = ledger.jobs.jobs.get_mut(id).expect("it was open");
    match job.coordinator().cloned() {
        Some(coordinator) if !job.pending().is_empty() => {
            job.phase = Phase::Settling {
                coordinator,
                end: because,
                cancelled: job.cancelled(),
            };
            if now {
                give_back(ledger, id);
            }
        }
        _ => end(ledger, id, because),
    }
}

/// A job is over, and what is left of it goes back to its owner.
pub(super) fn end(ledger: &mut Ledger, id: &JobId, because: JobEnd) {
    let job = ledger.jobs.jobs.get_mut(id).expect("it was open");
    job.phase = Phase::Over(because);
    job.group = None;
    give_back(ledger, id);
}

/// What is held of a job goes back to its owner.
fn give_back(ledger: &mut Ledger, id: &JobId) {
    let job = ledger.jobs.jobs.get_mut(id).expect("it was open");
    let rest = job.pots.held();
    job.pots.owner += rest;
    ledger.money.release(&job.owner, Purpose::Escrow, rest);
}
