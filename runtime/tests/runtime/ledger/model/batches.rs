//! Batches: how one is settled, is final and pays, or is struck.

use super::{
    Ledger, Refusal,
    jobs::{Job, Phase, close, end, may_settle},
    money::Purpose,
    need,
    params::Numbers,
};
use crate::ledger::told::Told;
use quern_primitives::{
    AccountId, Amount, JobId, TaskIndex,
    batch::{Batch, Certified, TaskSet},
    ids::BatchSequence,
    job::JobEnd,
};
use std::{collections::BTreeSet, rc::Rc};

/// Replicas of a task that can be in anybody's record.
const REPLICAS_MAX: u64 = 15;

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
    /// What somebody can show of it; none if nobody can.
    pub(crate) told: Option<Rc<Told>>,
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
    let replicas = REPLICAS_MAX * tasks as u64;
    need(payees.len() as u64 <= replicas, "TooManyPayees")?;
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
    need(counts.iter().sum::<u64>() <= replicas, "TooManyFindings")?;
    Ok(paid.unwrap_or(0))
}

pub(super) fn settle(
    ledger: &mut Ledger,
    by: &AccountId,
    (certified, told): (&Certified, Option<&Rc<Told>>),
) -> Result<(), Refusal> {
    let (now, clock, genesis) = (ledger.now, ledger.finality.clock(), ledger.genesis);
    let batch = &certified.batch;
    let (open, bonded) = (ledger.jobs.open_of(by), ledger.roster.held(by));
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
    group.check(&genesis, certified.certificate(), &certified.certificates)?;
    let needed = |open: Amount| (open * ledger.params.per_exposure).div_ceil(1_000);
    let is_covered = batch.spent == 0 || needed(open + batch.spent) <= bonded;
    need(is_covered, "ExposureAboveBond")?;
    group.since = clock;
    if open + batch.spent <= bonded {
        ledger.roster.short.remove(by);
    }

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
        told: told.cloned(),
    });
    if job.done.len() == job.submission.tasks as usize {
        job.phase = Phase::Settling {
            coordinator: by.clone(),
            end: JobEnd::AllSettled,
            cancelled: job.cancelled(),
        };
    }
    Ok(())
}

/// Makes a batch final that is due and the oldest of its job.
pub(super) fn finalise(ledger: &mut Ledger, id: &JobId, place: usize) -> Result<(), Refusal> {
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

/// A batch is final: everybody gets what is set aside for them. Its masternodes have equal parts; the part of one
/// that has no say any more is the treasury's.
fn pay(ledger: &mut Ledger, id: &JobId, place: usize) {
    let now = ledger.now;
    let job = ledger.jobs.existing(id).expect("it has a batch");
    let (owner, terms) = (job.owner.clone(), job.terms);
    let Settled { batch, paid, .. } = job.batches[place].clone();
    let group = job.group.as_ref().expect("it was drawn");
    let answering = group.answering(&job.batches[place]);
    let each = terms.operators * batch.spent / 1_000 / answering.len() as Amount;
    let operators: Vec<AccountId> = answering
        .difference(&group.out)
        .map(|place| group.members[*place].0.clone())
        .collect();
    job.batches[place].fate = Fate::Final { at: now };
    job.pots.pending -= batch.spent;
    job.pots.workers += paid;
    job.pots.network += batch.spent - paid;
    let end_of = match job.phase {
        Phase::Settling { end, .. } if job.pending().is_empty() => Some(end),
        _ => None,
    };
    let class = job.submission.class;
    let money = &mut ledger.money;
    money.take_held(&owner, Purpose::Escrow, batch.spent);
    for payout in &batch.payouts {
        money.give(&payout.account, payout.amount);
    }
    for operator in &operators {
        money.give(operator, each);
    }
    let rest = batch.spent - paid - each * operators.len() as Amount;
    money.give(&ledger.treasury_account, rest);
    for device in &batch.devices {
        ledger
            .workforce
            .settled(&device.device, class, &device.change, now);
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
            let until = job.cancelled().unwrap_or(u32::MAX);
            goes_on && now <= job.submission.deadline.min(until)
        }
        (_, None) => false,
    };
    let group = job.group.as_mut().expect("it was drawn");
    let next = next.filter(|_| in_time);
    let next = next.map(|place| group.begin(place, clock));
    match (job.phase.clone(), next) {
        (_, Some(coordinator)) => {
            job.phase = match job.cancelled() {
                Some(until) => Phase::Cancelling { coordinator, until },
                None => Phase::Running { coordinator },
            };
        }
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
