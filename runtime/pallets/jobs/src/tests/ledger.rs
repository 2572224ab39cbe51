//! The chain's money and jobs, written apart: what is accepted, and where every unit is afterwards.

use super::*;
use proptest::prelude::*;
use quern_primitives::{
    AccountId, Amount, JobId,
    batch::Batch,
    job::Submission,
    limits::{JOB_LIFETIME_BLOCKS_MIN, JOBS_AWAITING_PER_OWNER_MAX},
};
use std::collections::{BTreeMap, BTreeSet};

/// What the second owner has: enough for two of the larger jobs, not for three.
pub(super) const LITTLE_MONEY: Amount = 10 * TASK_CAP + 7;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    Waiting,
    Running(AccountId),
    Cancelling(AccountId, u32),
    /// Waits for its last batch; whether it would go on if one fell, and until when if it was
    /// cancelled.
    Settling(AccountId, bool, Option<u32>),
    Over,
}

/// A batch that is not final.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) sequence: u32,
    due: u32,
    by: AccountId,
    certified_by: Vec<usize>,
    batch: Batch,
    tasks: BTreeSet<u32>,
}

pub(super) struct Told {
    pub(super) id: JobId,
    pub(super) owner: AccountId,
    deadline: u32,
    open_tasks: BTreeSet<u32>,
    pot: Amount,
    pub(super) batches: u32,
    pub(super) pending: Vec<Waiting>,
    phase: Phase,
    /// Its masternodes in the order of the draw, whose turn it is, and who has no say.
    pub(super) order: Vec<AccountId>,
    turn: usize,
    out: BTreeSet<usize>,
    since: u32,
}

impl Told {
    /// Those who have a say: the first of them, as many as have to certify, or everyone.
    pub(super) fn certifying(&self, everyone: bool) -> Vec<usize> {
        let voices = (0..self.order.len()).filter(|place| !self.out.contains(place));
        let mut voices: Vec<usize> = voices.collect();
        if !everyone {
            voices.truncate(voices.len() / 2 + 1);
        }
        voices
    }

    /// Until when something may be settled, if it was cancelled.
    fn cancelled(&self) -> Option<u32> {
        match self.phase {
            Phase::Cancelling(_, until) => Some(until),
            Phase::Settling(.., cancelled) => cancelled,
            Phase::Waiting | Phase::Running(_) | Phase::Over => None,
        }
    }

    fn set_aside(&self) -> Amount {
        self.pending.iter().map(|waiting| waiting.batch.spent).sum()
    }
}

/// The chain as told by the steps so far.
pub(super) struct Ledger {
    pub(super) now: u32,
    free: BTreeMap<AccountId, Amount>,
    pub(super) jobs: Vec<Told>,
    pub(super) clock: u32,
    pub(super) banned: bool,
    pub(super) roster_empty: bool,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let free = BTreeMap::from([(OWNER, ENDOWMENT), (OTHER_OWNER, LITTLE_MONEY)]);
        Self {
            now: 1,
            free,
            jobs: Vec::new(),
            clock: 0,
            banned: false,
            roster_empty: false,
        }
    }

    fn give(&mut self, account: &AccountId, amount: Amount) {
        *self.free.entry(account.clone()).or_default() += amount;
    }

    pub(super) fn submit(&mut self, owner: &AccountId, submission: &Submission) -> bool {
        let cost = TASK_CAP * Amount::from(submission.tasks);
        let id = id_of(owner, submission);
        let waiting = self
            .jobs
            .iter()
            .filter(|job| job.owner == *owner && job.phase == Phase::Waiting)
            .count();
        let may = submission.deadline >= self.now + JOB_LIFETIME_BLOCKS_MIN
            && waiting < JOBS_AWAITING_PER_OWNER_MAX as usize
            && submission.price_max >= cost
            && self.jobs.iter().all(|job| job.id != id)
            && self.free[owner] > cost
            && !(self.banned && *owner == OWNER);
        if may {
            *self.free.get_mut(owner).unwrap() -= cost;
            self.jobs.push(Told {
                id,
                owner: owner.clone(),
                deadline: submission.deadline,
                open_tasks: (0..submission.tasks).collect(),
                pot: cost,
                batches: 0,
                pending: Vec::new(),
                phase: Phase::Waiting,
                order: Vec::new(),
                turn: 0,
                out: BTreeSet::new(),
                since: 0,
            });
        }
        may
    }

    /// A block began; the draws are the chain's to make, but not whether and among whom.
    pub(super) fn begin_block(&mut self) {
        self.now += 1;
        let clock = self.clock;
        let waiting = self
            .jobs
            .iter_mut()
            .filter(|job| job.phase == Phase::Waiting);
        for told in waiting {
            let drawn = job(told.id).state.coordinator().cloned();
            if self.roster_empty {
                assert_eq!(drawn, None);
            } else {
                let drawn = drawn.expect("a waiting job is drawn in the next block");
                let members = Jobs::group(&told.id).unwrap().members.into_iter();
                told.order = members.map(|member| member.account).collect();
                let all: BTreeSet<_> = told.order.iter().cloned().collect();
                assert_eq!(all, BTreeSet::from(MASTERNODES));
                assert_eq!(told.order.first(), Some(&drawn));
                told.since = clock;
                told.phase = Phase::Running(drawn);
            }
        }
    }

    /// The coordinator, if there is one that may act now.
    fn acting(&self, job: &Told) -> Option<AccountId> {
        let (coordinator, until) = match &job.phase {
            Phase::Running(coordinator) => (coordinator, job.deadline),
            Phase::Cancelling(coordinator, until) => (coordinator, *until),
            Phase::Waiting | Phase::Settling(..) | Phase::Over => return None,
        };
        (!self.roster_empty && self.now <= until).then(|| coordinator.clone())
    }

    pub(super) fn settle(
        &mut self,
        at: usize,
        by: &AccountId,
        batch: &Batch,
        tasks: &BTreeSet<u32>,
        everyone: bool,
    ) -> bool {
        let Some(job) = self.jobs.get(at) else {
            return false;
        };
        let paid: Amount = batch.payouts.iter().map(|payout| payout.amount).sum();
        let may = self.acting(job).as_ref() == Some(by)
            && batch.sequence == job.batches
            && !tasks.is_empty()
            && tasks.is_subset(&job.open_tasks)
            && batch.spent <= TASK_CAP * tasks.len() as Amount
            && batch.spent <= job.pot
            && batch.payouts.iter().all(|payout| payout.amount > 0)
            && 10 * paid <= 7 * batch.spent;
        if !may {
            return false;
        }
        let due = self.clock + WINDOW;
        let clock = self.clock;
        let job = &mut self.jobs[at];
        job.pot -= batch.spent;
        job.since = clock;
        job.pending.push(Waiting {
            sequence: job.batches,
            due,
            by: by.clone(),
            certified_by: job.certifying(everyone),
            batch: batch.clone(),
            tasks: tasks.clone(),
        });
        job.batches += 1;
        job.open_tasks = &job.open_tasks - tasks;
        if job.open_tasks.is_empty() {
            job.phase = Phase::Settling(by.clone(), true, job.cancelled());
        }
        true
    }

    /// The oldest batch of a job is final, if it is due.
    pub(super) fn finalise(&mut self, at: usize, sequence: u32) -> bool {
        let clock = self.clock;
        let Some(job) = self.jobs.get_mut(at) else {
            return false;
        };
        let oldest = job.pending.first();
        if oldest.is_none_or(|it| it.sequence != sequence || it.due > clock) {
            return false;
        }
        let waiting = job.pending.remove(0);
        let by = job.order.iter().position(|it| *it == waiting.by);
        let answering: BTreeSet<usize> = waiting.certified_by.into_iter().chain(by).collect();
        let each = waiting.batch.spent / 5 / answering.len() as Amount;
        let operators: Vec<AccountId> = (&answering - &job.out)
            .into_iter()
            .map(|place| job.order[place].clone())
            .collect();
        let mut rest = waiting.batch.spent;
        for payout in &waiting.batch.payouts {
            self.give(&payout.account, payout.amount);
            rest -= payout.amount;
        }
        for operator in &operators {
            self.give(operator, each);
            rest -= each;
        }
        self.give(&TreasuryAccount::get(), rest);
        let job = &self.jobs[at];
        if matches!(job.phase, Phase::Settling(..)) && job.pending.is_empty() {
            self.end(at);
        }
        true
    }

    /// The clock goes on, and a block ends.
    pub(super) fn clock_to(&mut self, height: u32) {
        self.clock = height;
        for at in 0..self.jobs.len() {
            while let Some(oldest) = self.jobs[at].pending.first() {
                let sequence = oldest.sequence;
                if !self.finalise(at, sequence) {
                    break;
                }
            }
        }
    }

    /// A batch falls, and all later ones with it.
    pub(super) fn strike(&mut self, at: usize, sequence: u32) -> bool {
        let (now, clock, is_empty) = (self.now, self.clock, self.roster_empty);
        let Some(job) = self.jobs.get_mut(at) else {
            return false;
        };
        let place = job.pending.iter().position(|it| it.sequence == sequence);
        let Some(place) = place else {
            return false;
        };
        let wrong = job.pending[place].clone();
        job.out.extend(wrong.certified_by);
        job.out
            .extend(job.order.iter().position(|it| *it == wrong.by));
        let mut later = job.turn + 1..job.order.len();
        let next = later.find(|it| !job.out.contains(it) && !is_empty);
        for fallen in job.pending.split_off(place) {
            job.pot += fallen.batch.spent;
            job.open_tasks.extend(fallen.tasks);
        }
        let goes_on = match job.phase {
            Phase::Cancelling(_, until) => now <= until,
            Phase::Settling(_, timely, cancelled) => {
                timely && now <= cancelled.unwrap_or(job.deadline)
            }
            _ => now <= job.deadline,
        };
        match (next.filter(|_| goes_on), job.cancelled()) {
            (Some(next), Some(until)) => {
                job.phase = Phase::Cancelling(job.order[next].clone(), until);
                (job.turn, job.since) = (next, clock);
            }
            (Some(next), None) => {
                job.phase = Phase::Running(job.order[next].clone());
                (job.turn, job.since) = (next, clock);
            }
            (None, _) => self.close(at, false, true),
        }
        true
    }

    /// A member is convicted of what strikes no batch: it has no say any more. If it coordinates, the next goes
    /// on, and if nobody can, it stays. Tells whether it is out by that.
    pub(super) fn turn_out(&mut self, at: usize, place: usize) -> bool {
        let (now, clock, is_empty) = (self.now, self.clock, self.roster_empty);
        let Some(job) = self.jobs.get_mut(at) else {
            return false;
        };
        if job.phase == Phase::Over || place >= job.order.len() || !job.out.insert(place) {
            return false;
        }
        let until = match job.phase {
            Phase::Running(_) => job.deadline,
            Phase::Cancelling(_, until) => until.min(job.deadline),
            Phase::Waiting | Phase::Settling(..) | Phase::Over => return true,
        };
        if place != job.turn {
            return true;
        }
        let mut later = place + 1..job.order.len();
        let next = later.find(|it| !job.out.contains(it) && !is_empty);
        let Some(next) = next.filter(|_| now <= until) else {
            job.out.remove(&place);
            return false;
        };
        let by = job.order[next].clone();
        match &mut job.phase {
            Phase::Running(coordinator) | Phase::Cancelling(coordinator, _) => *coordinator = by,
            Phase::Waiting | Phase::Settling(..) | Phase::Over => {}
        }
        (job.turn, job.since) = (next, clock);
        true
    }

    /// The next member waits a stall for the one whose turn it is, and each later one for those between.
    pub(super) fn take_over(&mut self, at: usize, place: usize) -> bool {
        let (now, clock, is_empty) = (self.now, self.clock, self.roster_empty);
        let Some(job) = self.jobs.get_mut(at) else {
            return false;
        };
        let goes_on = match job.phase {
            Phase::Running(_) => now <= job.deadline,
            Phase::Cancelling(_, until) => now <= until,
            Phase::Waiting | Phase::Settling(..) | Phase::Over => false,
        };
        let is_later = place > job.turn && place < job.order.len() && !job.out.contains(&place);
        if !goes_on || is_empty || !is_later {
            return false;
        }
        let before = (job.turn..place).filter(|it| !job.out.contains(it)).count() as u32;
        if clock < job.since + before * STALL {
            return false;
        }
        let by = job.order[place].clone();
        match &mut job.phase {
            Phase::Running(coordinator) | Phase::Cancelling(coordinator, _) => *coordinator = by,
            _ => {}
        }
        (job.turn, job.since) = (place, clock);
        true
    }

    /// Nothing more of a job is settled; what is held goes back now if it is to, and at the end.
    fn close(&mut self, at: usize, timely: bool, now: bool) {
        let job = &self.jobs[at];
        let coordinator = match &job.phase {
            Phase::Running(by) | Phase::Cancelling(by, _) | Phase::Settling(by, ..) => Some(by),
            Phase::Waiting | Phase::Over => None,
        };
        let waiting = coordinator.cloned().filter(|_| !job.pending.is_empty());
        let cancelled = job.cancelled();
        if now || waiting.is_none() {
            self.end(at);
        }
        if let Some(coordinator) = waiting {
            self.jobs[at].phase = Phase::Settling(coordinator, timely, cancelled);
        }
    }

    pub(super) fn fail(&mut self, at: usize, by: &AccountId, task: u32, fails: bool) -> bool {
        let Some(job) = self.jobs.get(at) else {
            return false;
        };
        let may = fails && self.acting(job).as_ref() == Some(by) && job.open_tasks.contains(&task);
        if may {
            self.close(at, true, false);
        }
        may
    }

    pub(super) fn cancel(&mut self, at: usize, by: &AccountId) -> bool {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(at) else {
            return false;
        };
        if job.owner != *by || now > job.deadline {
            return false;
        }
        match job.phase.clone() {
            Phase::Waiting => self.end(at),
            Phase::Running(coordinator) => {
                job.phase = Phase::Cancelling(coordinator, job.deadline.min(now + GRACE));
            }
            Phase::Cancelling(..) | Phase::Settling(..) | Phase::Over => return false,
        }
        true
    }

    pub(super) fn refund(&mut self, at: usize) -> bool {
        let Some(job) = self.jobs.get(at) else {
            return false;
        };
        let may = match job.phase {
            Phase::Waiting | Phase::Running(_) => self.now > job.deadline,
            Phase::Cancelling(_, until) => self.now > until,
            Phase::Settling(.., cancelled) => {
                self.now > cancelled.unwrap_or(job.deadline) && job.pot > 0
            }
            Phase::Over => false,
        };
        if may {
            self.close(at, false, true);
        }
        may
    }

    fn end(&mut self, at: usize) {
        let job = &mut self.jobs[at];
        job.phase = Phase::Over;
        let (owner, rest) = (job.owner.clone(), core::mem::take(&mut job.pot));
        self.give(&owner, rest);
    }

    /// Every account's free money, and every owner's escrow.
    pub(super) fn check(&self) -> Result<(), TestCaseError> {
        for (account, expected) in &self.free {
            prop_assert_eq!(free(account), *expected, "the free money of {:?}", account);
        }
        let mut escrow = 0;
        for owner in [OWNER, OTHER_OWNER] {
            let jobs = self.jobs.iter().filter(|job| job.owner == owner);
            let held: Amount = jobs.map(|job| job.pot + job.set_aside()).sum();
            prop_assert_eq!(Jobs::escrow_of(&owner), held, "the escrow of {:?}", owner);
            escrow += held;
        }
        let totals = Jobs::totals();
        prop_assert_eq!(totals.held + totals.pending, escrow);
        let pending: Amount = self.jobs.iter().map(Told::set_aside).sum();
        prop_assert_eq!(totals.pending, pending);
        let all: Amount = self.free.values().sum::<Amount>() + escrow;
        prop_assert_eq!(
            Balances::total_issuance(),
            all,
            "no unit appears or vanishes"
        );
        prop_assert_eq!(Jobs::do_try_state(), Ok(()));
        Ok(())
    }
}
