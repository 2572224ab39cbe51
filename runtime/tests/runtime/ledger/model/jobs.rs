//! Jobs: submission, escrow, settlement, and the ways a job ends.

use super::{
    Answer, Fee, Ledger, Refusal, Sender,
    groups::{self, Group},
    money::Purpose,
    need,
    params::Numbers,
};
use quern_primitives::{
    AccountId, Amount, DeviceId, JobId, TaskIndex,
    batch::{Batch, Certified, TaskSet},
    ids::BatchSequence,
    job::{Agreement, ByteLevel, Failure, JobEnd, Prices, Submission, job_id},
    receipt::Exit,
};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks that a coordinator has after the owner cancelled: ten minutes.
pub(crate) const GRACE: u32 = 300;
/// Blocks from submission to the nearest and to the furthest deadline: half a minute, 90 days.
pub(crate) const LIFETIME_LEAST: u32 = 15;
pub(crate) const LIFETIME_MOST: u32 = 90 * 24 * 3_600 / 2;
/// Jobs of one owner that may wait for a coordinator.
const OWN_WAITING_MAX: usize = 16;
/// Replicas of a task that can be in anybody's record.
const REPLICAS_MAX: u64 = 15;
const MEBI: u64 = 1_024 * 1_024;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Submit(Box<Submission>),
    Settle(Box<Certified>),
    CloseFailed {
        job: JobId,
        task: TaskIndex,
        why: Failure,
    },
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
            Self::Settle(_) => "jobs.settle",
            Self::CloseFailed { .. } => "jobs.close_failed",
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
    Running { coordinator: AccountId },
    Cancelling { coordinator: AccountId, until: u32 },
    Settling { coordinator: AccountId, end: JobEnd },
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

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending { due: u32 },
    Final { at: u32 },
    Struck { at: u32 },
}

/// What is kept of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) certified: Certified,
    pub(crate) batch: Batch,
    pub(crate) tasks: u32,
    pub(crate) paid: Amount,
    pub(crate) at: u32,
    pub(crate) by: AccountId,
    pub(crate) fate: Fate,
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

    pub(super) fn existing(&mut self, id: &JobId) -> Result<&mut Job, Refusal> {
        self.touched.insert(*id);
        let job = self.jobs.get_mut(id);
        job.ok_or(Refusal::Named("NoSuchJob"))
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    match call {
        Call::Submit(submission) => submit(ledger, sender.account()?, submission)?,
        Call::Settle(certified) => settle(ledger, &sender.account()?, certified)?,
        Call::TakeOver(id) => groups::take_over(ledger, sender.account()?, id)?,
        Call::CloseFailed { job, task, why } => {
            close_failed(ledger, &sender.account()?, job, *task, *why)?;
        }
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
    let replicas = wanted.agreement.replicas();
    need(ledger.params.protect(cap, replicas), "TaskWorthTooMuch")?;
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

/// The tasks that a set names, one by one.
pub(crate) fn named(set: &TaskSet, of_job: u32) -> Result<BTreeSet<TaskIndex>, Refusal> {
    need(!set.bits.is_empty(), "TaskSetEmpty")?;
    let outer = [set.bits[0], set.bits[set.bits.len() - 1]];
    let is_shortest = set.first.is_multiple_of(8) && !outer.contains(&0);
    need(is_shortest, "TaskSetNotShortest")?;
    let mut tasks = BTreeSet::new();
    for (place, byte) in set.bits.iter().enumerate() {
        for bit in (0..8u64).filter(|bit| (byte >> bit) & 1 == 1) {
            let task = u64::from(set.first) + 8 * place as u64 + bit;
            need(task < u64::from(of_job), "NoSuchTask")?;
            tasks.insert(u32::try_from(task).unwrap());
        }
    }
    need(tasks.len() <= 4_096, "TaskSetTooLarge")?;
    Ok(tasks)
}

/// What a batch pays to workers, if its lists are in order and within their bounds.
fn check_lists(batch: &Batch, terms: &Numbers, tasks: usize) -> Result<Amount, Refusal> {
    let payees: Vec<_> = batch.payouts.iter().map(|payout| &payout.account).collect();
    let ascending = payees.windows(2).all(|pair| pair[0] < pair[1]);
    need(ascending, "PayoutsUnsorted")?;
    let none_is_zero = batch.payouts.iter().all(|payout| payout.amount > 0);
    need(none_is_zero, "PayoutZero")?;
    let paid = batch
        .payouts
        .iter()
        .try_fold(0u128, |sum, payout| sum.checked_add(payout.amount));
    // What is spent is bounded by the cap here, so a thousand times it can be counted.
    let most = terms.workers * batch.spent;
    let fits = paid.is_some_and(|paid| paid <= batch.spent && 1_000 * paid <= most);
    need(fits, "WorkersOverShare")?;
    let devices: Vec<_> = batch.devices.iter().map(|change| change.device).collect();
    let ascending = devices.windows(2).all(|pair| pair[0] < pair[1]);
    need(ascending, "DevicesUnsorted")?;
    let counts = batch.devices.iter().map(|device| {
        let change = device.change;
        let four = [
            change.accepted,
            change.failed,
            change.delayed,
            change.incorrect,
        ];
        four.map(u64::from).iter().sum::<u64>()
    });
    let counts: Vec<u64> = counts.collect();
    need(!counts.contains(&0), "DeviceUnchanged")?;
    let most = REPLICAS_MAX * tasks as u64;
    need(counts.iter().sum::<u64>() <= most, "TooManyFindings")?;
    Ok(paid.unwrap_or(0))
}

fn settle(ledger: &mut Ledger, by: &AccountId, certified: &Certified) -> Result<(), Refusal> {
    let (now, clock, genesis) = (ledger.now, ledger.finality.clock(), ledger.genesis);
    let batch = &certified.batch;
    let job = ledger.jobs.existing(&batch.job)?;
    let due = clock + u32::try_from(job.terms.window).unwrap();
    may_settle(job, by, now)?;
    let follows = batch.sequence as usize == job.batches.len();
    need(follows, "WrongSequence")?;
    need(batch.log.first <= batch.log.last, "LogReversed")?;
    let tasks = named(&batch.tasks, job.submission.tasks)?;
    need(batch.spent <= job.cap * tasks.len() as Amount, "OverCap")?;
    need(batch.spent <= job.pots.held(), "OverEscrow")?;
    let paid = check_lists(batch, &job.terms, tasks.len())?;
    need(job.done.is_disjoint(&tasks), "TaskSettled")?;
    let is_masternode = ledger.roster.masternodes.contains(by);
    need(is_masternode, "CoordinatorRemoved")?;
    let group = job.group.as_mut().ok_or(Refusal::Named("NotDrawn"))?;
    group.check(&genesis, certified)?;
    group.since = clock;

    job.done.extend(&tasks);
    job.pots.pending += batch.spent;
    job.batches.push(Settled {
        certified: certified.clone(),
        batch: batch.clone(),
        tasks: u32::try_from(tasks.len()).unwrap(),
        paid,
        at: now,
        by: by.clone(),
        fate: Fate::Pending { due },
    });
    if job.done.len() == job.submission.tasks as usize {
        job.phase = Phase::Settling {
            coordinator: by.clone(),
            end: JobEnd::AllSettled,
        };
    }
    Ok(())
}

/// Makes a batch final that is due and the oldest of its job.
fn finalise(ledger: &mut Ledger, id: &JobId, place: usize) -> Result<(), Refusal> {
    let clock = ledger.finality.clock();
    let job = ledger.jobs.jobs.get(id);
    let pending = job.map(Job::pending).unwrap_or_default();
    let is_pending = pending.iter().any(|(pending, _)| *pending == place);
    need(is_pending, "BatchNotPending")?;
    let (oldest, due) = pending[0];
    need(oldest == place, "EarlierPending")?;
    need(due <= clock, "BatchNotDue")?;
    let is_disputed = ledger.disputes.keep_open(id, place);
    need(!is_disputed, "BatchDisputed")?;
    pay(ledger, id, place);
    Ok(())
}

/// At the end of a block the chain makes final all that is due. In which order is its own to say, as
/// long as it is that of each job.
pub(crate) fn finalise_due(
    ledger: &mut Ledger,
    order: &[(JobId, BatchSequence)],
) -> Result<(), String> {
    for (id, sequence) in order {
        finalise(ledger, id, *sequence as usize)
            .map_err(|refusal| format!("batch {sequence} of {id} became final: {refusal:?}"))?;
    }
    let clock = ledger.finality.clock();
    for (id, job) in &ledger.jobs.jobs {
        let due =
            |(place, due): &&(usize, u32)| *due <= clock && !ledger.disputes.keep_open(id, *place);
        if let Some((place, due)) = job.pending().first().filter(due) {
            return Err(format!("batch {place} of {id} is due at {due} and pending"));
        }
    }
    Ok(())
}

/// A batch is final: everybody gets what is set aside for them.
fn pay(ledger: &mut Ledger, id: &JobId, place: usize) {
    let now = ledger.now;
    let job = ledger.jobs.existing(id).expect("it has a batch");
    let (owner, terms) = (job.owner.clone(), job.terms);
    let Settled {
        batch, paid, by, ..
    } = job.batches[place].clone();
    job.batches[place].fate = Fate::Final { at: now };
    job.pots.pending -= batch.spent;
    job.pots.workers += paid;
    job.pots.network += batch.spent - paid;
    let end_of = match job.phase {
        Phase::Settling { end, .. } if job.pending().is_empty() => Some(end),
        _ => None,
    };
    let money = &mut ledger.money;
    money.take_held(&owner, Purpose::Escrow, batch.spent);
    for payout in &batch.payouts {
        money.give(&payout.account, payout.amount);
    }
    let for_coordinator = terms.operators * batch.spent / 1_000;
    money.give(&by, for_coordinator);
    let rest = batch.spent - paid - for_coordinator;
    money.give(&ledger.treasury_account, rest);
    for device in &batch.devices {
        ledger
            .workforce
            .settled(&device.device, &device.change, now);
    }
    if let Some(because) = end_of {
        end(ledger, id, because);
    }
}

/// A pending batch is proved wrong: it falls, and all later ones of its job with it. Who answers for it
/// has no say any more. The job goes on with the next of its masternodes, if there is one in time, and
/// ends otherwise.
pub(crate) fn strike(ledger: &mut Ledger, id: &JobId, place: usize) {
    let (now, clock) = (ledger.now, ledger.finality.clock());
    let bonded = ledger.roster.bonded(ledger.params.masternode_bond);
    let job = ledger.jobs.existing(id).expect("it has a batch");
    let group = job.group.as_mut().expect("it was drawn");
    group.turn_out(&job.batches[place]);
    let next = group.next(&bonded);
    for fallen in &mut job.batches[place..] {
        if let Fate::Pending { .. } = fallen.fate {
            fallen.fate = Fate::Struck { at: now };
            job.pots.pending -= fallen.batch.spent;
            let tasks = named(&fallen.batch.tasks, job.submission.tasks).expect("it was settled");
            job.done.retain(|task| !tasks.contains(task));
        }
    }
    let in_time = match (&job.phase, job.until()) {
        (_, Some(until)) => now <= until,
        (Phase::Settling { end, .. }, None) => {
            let goes_on = matches!(
                end,
                JobEnd::AllSettled | JobEnd::ProgramFailed { .. } | JobEnd::Undecided { .. }
            );
            goes_on && now <= job.submission.deadline
        }
        (_, None) => false,
    };
    let group = job.group.as_mut().expect("it was drawn");
    let next = next.filter(|_| in_time);
    let next = next.map(|place| group.begin(place, clock));
    match (job.phase.clone(), next) {
        (Phase::Cancelling { until, .. }, Some(coordinator)) => {
            job.phase = Phase::Cancelling { coordinator, until };
        }
        (_, Some(coordinator)) => job.phase = Phase::Running { coordinator },
        (
            Phase::Settling {
                end: because @ (JobEnd::OwnerCancelled | JobEnd::DeadlinePassed),
                ..
            },
            None,
        ) => close(ledger, id, because, true),
        (_, None) => close(ledger, id, JobEnd::BatchStruck, true),
    }
}

fn close_failed(
    ledger: &mut Ledger,
    by: &AccountId,
    id: &JobId,
    task: TaskIndex,
    why: Failure,
) -> Result<(), Refusal> {
    let now = ledger.now;
    let job = ledger.jobs.existing(id)?;
    may_settle(job, by, now)?;
    let fails = why != Failure::Program(Exit::Success);
    need(fails, "ExitIsSuccess")?;
    need(task < job.submission.tasks, "NoSuchTask")?;
    need(!job.done.contains(&task), "TaskSettled")?;
    let is_masternode = ledger.roster.masternodes.contains(by);
    need(is_masternode, "CoordinatorRemoved")?;
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
            (job.submission.deadline, end)
        }
        Phase::Over(_) => return Err(Refusal::Named("JobOver")),
    };
    need(now > until, "TooEarly")?;
    close(ledger, id, because, true);
    Ok(())
}

/// Nothing more of a job is settled. What is held goes back now if it is to, and at the end.
fn close(ledger: &mut Ledger, id: &JobId, because: JobEnd, now: bool) {
    let job = ledger.jobs.jobs.get_mut(id).expect("it was open");
    match job.coordinator().cloned() {
        Some(coordinator) if !job.pending().is_empty() => {
            job.phase = Phase::Settling {
                coordinator,
                end: because,
            };
            if now {
                give_back(ledger, id);
            }
        }
        _ => end(ledger, id, because),
    }
}

/// A job is over, and what is left of it goes back to its owner.
fn end(ledger: &mut Ledger, id: &JobId, because: JobEnd) {
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
