//! Random calls against a ledger written apart: whether each call is accepted, and where every unit
//! of money is afterwards, must be the same.

use super::*;
use crate::mock::RuntimeOrigin;
use frame_support::traits::fungible::Mutate;
use proptest::prelude::*;
use quern_primitives::{
    AccountId, Amount, JobId,
    batch::{Batch, Payout, TaskSet},
    job::{Failure, Submission},
    limits::{JOB_LIFETIME_BLOCKS_MIN, JOBS_AWAITING_PER_OWNER_MAX},
    receipt::Exit,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the second owner has: enough for two of the larger jobs, not for three.
const LITTLE_MONEY: Amount = 10 * TASK_CAP + 7;

/// Steps of a run: enough for jobs to reach their deadlines.
const STEPS: usize = 60;

/// A call, sensible or not. Jobs are named by their place among those submitted.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        poor: bool,
        salt: u16,
        tasks: u32,
        deadline_in: u32,
        stingy: bool,
    },
    Blocks(u32),
    Settle {
        job: usize,
        stranger: bool,
        sequence_off: bool,
        uncertified: bool,
        tasks: BTreeSet<u32>,
        spent_permille: u32,
        pay_permille: [u32; 2],
    },
    Fail {
        job: usize,
        stranger: bool,
        task: u32,
        fails: bool,
    },
    Cancel {
        job: usize,
        stranger: bool,
    },
    Refund {
        job: usize,
    },
    Clock(u32),
    Finalise {
        job: usize,
        sequence: u32,
    },
    Strike {
        job: usize,
        pick: usize,
    },
    TakeOver {
        job: usize,
        place: usize,
    },
    Ban(bool),
    EmptyRoster(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let rarely = || prop::bool::weighted(0.08);
    let deadline_in = prop_oneof![8 => 13u32..26, 1 => 0u32..13];
    let submit = (any::<bool>(), 0u16..12, 2u32..9, deadline_in, rarely()).prop_map(
        |(poor, salt, tasks, deadline_in, stingy)| Step::Submit {
            poor,
            salt,
            tasks,
            deadline_in,
            stingy,
        },
    );
    let settle = (
        0usize..6,
        rarely(),
        rarely(),
        rarely(),
        prop_oneof![
            12 => prop::collection::btree_set(0u32..6, 1..3),
            1 => prop::collection::btree_set(0u32..9, 0..6),
        ],
        prop_oneof![12 => 0u32..=1_000, 1 => 1_000u32..1_100],
        prop_oneof![12 => [1u32..=350, 1u32..=350], 1 => [0u32..500, 0u32..500]],
    )
        .prop_map(
            |(job, stranger, sequence_off, uncertified, tasks, spent_permille, pay_permille)| {
                Step::Settle {
                    job,
                    stranger,
                    sequence_off,
                    uncertified,
                    tasks,
                    spent_permille,
                    pay_permille,
                }
            },
        );
    let fail = (0usize..6, rarely(), 0u32..6, prop::bool::weighted(0.9)).prop_map(
        |(job, stranger, task, fails)| Step::Fail {
            job,
            stranger,
            task,
            fails,
        },
    );
    prop_oneof![
        6 => submit,
        8 => (1u32..10).prop_map(Step::Blocks),
        24 => settle,
        4 => fail,
        3 => (0usize..6, rarely()).prop_map(|(job, stranger)| Step::Cancel { job, stranger }),
        8 => (0usize..6).prop_map(|job| Step::Refund { job }),
        6 => prop_oneof![4 => 1u32..20, 1 => 20u32..2 * WINDOW].prop_map(Step::Clock),
        3 => (0usize..6, 0u32..4).prop_map(|(job, sequence)| Step::Finalise { job, sequence }),
        2 => (0usize..6, 0usize..4).prop_map(|(job, pick)| Step::Strike { job, pick }),
        6 => (0usize..6, 0usize..4).prop_map(|(job, place)| Step::TakeOver { job, place }),
        1 => prop::bool::weighted(0.3).prop_map(Step::Ban),
        1 => prop::bool::weighted(0.2).prop_map(Step::EmptyRoster),
    ]
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Waiting,
    Running(AccountId),
    Cancelling(AccountId, u32),
    /// Waits for its last batch; whether it would go on if one fell.
    Settling(AccountId, bool),
    Over,
}

/// A batch that is not final.
#[derive(Clone, Debug)]
struct Waiting {
    sequence: u32,
    due: u32,
    by: AccountId,
    certified_by: Vec<usize>,
    batch: Batch,
    tasks: BTreeSet<u32>,
}

struct Told {
    id: JobId,
    owner: AccountId,
    deadline: u32,
    open_tasks: BTreeSet<u32>,
    pot: Amount,
    batches: u32,
    pending: Vec<Waiting>,
    phase: Phase,
    /// Its masternodes in the order of the draw, whose turn it is, and who has no say.
    order: Vec<AccountId>,
    turn: usize,
    out: BTreeSet<usize>,
    since: u32,
}

impl Told {
    /// The first of those who have a say, as many as certify.
    fn certifying(&self) -> Vec<usize> {
        let voices = (0..self.order.len()).filter(|place| !self.out.contains(place));
        let voices: Vec<usize> = voices.collect();
        let most = voices.len() / 2 + 1;
        voices.into_iter().take(most).collect()
    }

    fn set_aside(&self) -> Amount {
        self.pending.iter().map(|waiting| waiting.batch.spent).sum()
    }
}

/// The chain as told by the steps so far.
struct Ledger {
    now: u32,
    free: BTreeMap<AccountId, Amount>,
    jobs: Vec<Told>,
    clock: u32,
    banned: bool,
    roster_empty: bool,
}

impl Ledger {
    fn new() -> Self {
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

    fn submit(&mut self, owner: &AccountId, submission: &Submission) -> bool {
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
    fn begin_block(&mut self) {
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

    fn settle(&mut self, at: usize, by: &AccountId, batch: &Batch, tasks: &BTreeSet<u32>) -> bool {
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
            certified_by: job.certifying(),
            batch: batch.clone(),
            tasks: tasks.clone(),
        });
        job.batches += 1;
        job.open_tasks = &job.open_tasks - tasks;
        if job.open_tasks.is_empty() {
            job.phase = Phase::Settling(by.clone(), true);
        }
        true
    }

    /// The oldest batch of a job is final, if it is due.
    fn finalise(&mut self, at: usize, sequence: u32) -> bool {
        let clock = self.clock;
        let Some(job) = self.jobs.get_mut(at) else {
            return false;
        };
        let oldest = job.pending.first();
        if oldest.is_none_or(|it| it.sequence != sequence || it.due > clock) {
            return false;
        }
        let Waiting { by, batch, .. } = job.pending.remove(0);
        let paid: Amount = batch.payouts.iter().map(|payout| payout.amount).sum();
        for payout in &batch.payouts {
            self.give(&payout.account, payout.amount);
        }
        let for_coordinator = batch.spent / 5;
        self.give(&by, for_coordinator);
        self.give(
            &TreasuryAccount::get(),
            batch.spent - paid - for_coordinator,
        );
        let job = &self.jobs[at];
        if matches!(job.phase, Phase::Settling(..)) && job.pending.is_empty() {
            self.end(at);
        }
        true
    }

    /// The clock goes on, and a block ends.
    fn clock_to(&mut self, height: u32) {
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
    fn strike(&mut self, at: usize, sequence: u32) -> bool {
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
            Phase::Settling(_, timely) => timely && now <= job.deadline,
            _ => now <= job.deadline,
        };
        match (next.filter(|_| goes_on), job.phase.clone()) {
            (Some(next), Phase::Cancelling(_, until)) => {
                job.phase = Phase::Cancelling(job.order[next].clone(), until);
                (job.turn, job.since) = (next, clock);
            }
            (Some(next), _) => {
                job.phase = Phase::Running(job.order[next].clone());
                (job.turn, job.since) = (next, clock);
            }
            (None, _) => self.close(at, false, true),
        }
        true
    }

    /// The next member waits a stall for the one whose turn it is, and each later one for those between.
    fn take_over(&mut self, at: usize, place: usize) -> bool {
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
            Phase::Running(by) | Phase::Cancelling(by, _) | Phase::Settling(by, _) => Some(by),
            Phase::Waiting | Phase::Over => None,
        };
        let waiting = coordinator.cloned().filter(|_| !job.pending.is_empty());
        if now || waiting.is_none() {
            self.end(at);
        }
        if let Some(coordinator) = waiting {
            self.jobs[at].phase = Phase::Settling(coordinator, timely);
        }
    }

    fn fail(&mut self, at: usize, by: &AccountId, task: u32, fails: bool) -> bool {
        let Some(job) = self.jobs.get(at) else {
            return false;
        };
        let may = fails && self.acting(job).as_ref() == Some(by) && job.open_tasks.contains(&task);
        if may {
            self.close(at, true, false);
        }
        may
    }

    fn cancel(&mut self, at: usize, by: &AccountId) -> bool {
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

    fn refund(&mut self, at: usize) -> bool {
        let Some(job) = self.jobs.get(at) else {
            return false;
        };
        let may = match job.phase {
            Phase::Waiting | Phase::Running(_) => self.now > job.deadline,
            Phase::Cancelling(_, until) => self.now > until,
            Phase::Settling(..) => self.now > job.deadline && job.pot > 0,
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
    fn check(&self) -> Result<(), TestCaseError> {
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

/// What became of a run, to see that the steps reach what they are meant to.
#[derive(Default)]
struct Reached {
    accepted: BTreeMap<&'static str, u32>,
}

fn run(steps: Vec<Step>, reached: &mut Reached) -> Result<(), TestCaseError> {
    genesis().execute_with(|| {
        Balances::set_balance(&OTHER_OWNER, LITTLE_MONEY);
        let mut ledger = Ledger::new();
        for step in steps {
            let (name, said, expected) = take(&mut ledger, step.clone());
            prop_assert_eq!(said, expected, "in block {}: {:?}", ledger.now, step);
            *reached.accepted.entry(name).or_default() += u32::from(said);
            ledger.check()?;
        }
        Ok(())
    })
}

/// Takes one step on both sides: its name, whether the chain accepted it, whether the ledger did.
fn take(ledger: &mut Ledger, step: Step) -> (&'static str, bool, bool) {
    let origin = |account: &AccountId| RuntimeOrigin::signed(account.clone());
    let at = |ledger: &Ledger, job: usize| job % ledger.jobs.len().max(1);
    let id = |ledger: &Ledger, at: usize| ledger.jobs.get(at).map_or(JobId([0; 32]), |job| job.id);
    let coordinator = |ledger: &Ledger, at: usize, stranger: bool| {
        let known = ledger
            .jobs
            .get(at)
            .and_then(|told| job(told.id).state.coordinator().cloned());
        known.filter(|_| !stranger).unwrap_or(STRANGER)
    };
    match step {
        Step::Submit {
            poor,
            salt,
            tasks,
            deadline_in,
            stingy,
        } => {
            let owner = if poor { OTHER_OWNER } else { OWNER };
            let submission = Submission {
                tasks,
                deadline: ledger.now + deadline_in,
                price_max: TASK_CAP * Amount::from(tasks) - Amount::from(stingy),
                ..salted(salt)
            };
            let expected = ledger.submit(&owner, &submission);
            (
                "submit",
                Jobs::submit(origin(&owner), submission).is_ok(),
                expected,
            )
        }
        Step::Blocks(count) => {
            for _ in 0..count {
                next_block();
                ledger.begin_block();
            }
            ("blocks", true, true)
        }
        Step::Settle {
            job,
            stranger,
            sequence_off,
            uncertified,
            tasks,
            spent_permille,
            pay_permille,
        } => {
            let at = at(ledger, job);
            let by = coordinator(ledger, at, stranger);
            let told = ledger.jobs.get(at);
            let sequence = told.map_or(0, |job| job.batches) + u32::from(sequence_off);
            let spent = TASK_CAP * tasks.len() as Amount * Amount::from(spent_permille) / 1_000;
            let payouts = WORKERS
                .into_iter()
                .zip(pay_permille)
                .map(|(account, permille)| Payout {
                    account,
                    amount: spent * Amount::from(permille) / 1_000,
                });
            let set = quern_job_rules::tasks::collect(tasks.iter().copied()).unwrap_or(TaskSet {
                first: 0,
                bits: Default::default(),
            });
            let batch = Batch {
                tasks: set,
                spent,
                payouts: payouts.collect::<Vec<_>>().try_into().unwrap(),
                ..batch(id(ledger, at), sequence, [0])
            };
            let mut certified = certified(batch.clone());
            if uncertified {
                certified.certificates.pop();
            }
            let said = Jobs::settle(origin(&by), certified).is_ok();
            let expected = !uncertified && ledger.settle(at, &by, &batch, &tasks);
            ("settle", said, expected)
        }
        Step::Fail {
            job,
            stranger,
            task,
            fails,
        } => {
            let at = at(ledger, job);
            let by = coordinator(ledger, at, stranger);
            let exit = if fails {
                Exit::OutOfFuel
            } else {
                Exit::Success
            };
            let said =
                Jobs::close_failed(origin(&by), id(ledger, at), task, Failure::Program(exit))
                    .is_ok();
            ("fail", said, ledger.fail(at, &by, task, fails))
        }
        Step::Cancel { job, stranger } => {
            let at = at(ledger, job);
            let owner = ledger.jobs.get(at).map(|job| job.owner.clone());
            let by = owner.filter(|_| !stranger).unwrap_or(STRANGER);
            let said = Jobs::cancel(origin(&by), id(ledger, at)).is_ok();
            ("cancel", said, ledger.cancel(at, &by))
        }
        Step::Refund { job } => {
            let at = at(ledger, job);
            let said = Jobs::refund(origin(&STRANGER), id(ledger, at)).is_ok();
            ("refund", said, ledger.refund(at))
        }
        Step::Clock(later) => {
            let height = ledger.clock + later;
            clock_to(height);
            ledger.clock_to(height);
            ("clock", true, true)
        }
        Step::Finalise { job, sequence } => {
            let at = at(ledger, job);
            let said = Jobs::finalise(origin(&STRANGER), id(ledger, at), sequence).is_ok();
            ("finalise", said, ledger.finalise(at, sequence))
        }
        Step::TakeOver { job, place } => {
            let at = at(ledger, job);
            let by = ledger.jobs.get(at).and_then(|job| job.order.get(place));
            let by = by.cloned().unwrap_or(STRANGER);
            let said = Jobs::take_over(origin(&by), id(ledger, at)).is_ok();
            ("take over", said, ledger.take_over(at, place))
        }
        Step::Strike { job, pick } => {
            let at = at(ledger, job);
            let pending = ledger.jobs.get(at).map(|job| &job.pending[..]);
            let pending = pending.unwrap_or_default();
            let picked = pending.get(pick % pending.len().max(1));
            let sequence = picked.map_or(7, |it| it.sequence);
            let said = Jobs::strike(id(ledger, at), sequence).is_ok();
            ("strike", said, ledger.strike(at, sequence))
        }
        Step::Ban(banned) => {
            Banned::set(&if banned { vec![OWNER] } else { vec![] });
            ledger.banned = banned;
            ("ban", true, true)
        }
        Step::EmptyRoster(empty) => {
            MasternodeList::set(&if empty { vec![] } else { MASTERNODES.to_vec() });
            ledger.roster_empty = empty;
            ("roster", true, true)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_leave_every_unit_where_the_ledger_says(
        steps in prop::collection::vec(step(), STEPS),
    ) {
        run(steps, &mut Reached::default())?;
    }
}

/// The random calls above are worth what they reach.
#[test]
fn random_calls_are_often_accepted() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut reached = Reached::default();
    for _ in 0..60 {
        let steps = prop::collection::vec(step(), STEPS)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        run(steps, &mut reached).unwrap();
    }
    let names = [
        "submit",
        "settle",
        "fail",
        "cancel",
        "refund",
        "strike",
        "take over",
    ];
    for name in names {
        let accepted = reached.accepted.get(name).copied().unwrap_or(0);
        assert!(
            accepted >= 10,
            "{name} was accepted {accepted} times: {:?}",
            reached.accepted
        );
    }
}
