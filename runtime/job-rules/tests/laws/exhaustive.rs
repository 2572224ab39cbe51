//! Every remainder there is, with the terms of a new chain and with all others that the council may set: for all
//! splits, payouts + shares + refunds = escrow.
//!
//! Why finitely many numbers are enough. Write what is spent as `s = 10 q + r` with `r < 10`. Then
//! exactly
//!
//! ```text
//! workers' part  floor(7 s / 10)              = 7 q + floor(7 r / 10)
//! network        s - floor(7 s / 10)          = 3 q + (r - floor(7 r / 10))
//! operators      floor(2 s / 10)              = 2 q + floor(2 r / 10)
//! ```
//!
//! so all that is ever rounded depends on `r` alone, and everything else is linear in `q`: there are
//! ten classes. An equal share among `a` devices rounds by the workers' part modulo `a`; from `s` to
//! `s + 10 a` that part grows by `7 a`, so the class repeats after `10 a`, at most 150, numbers. All
//! numbers up to 2^16 hold every class of every `a` from 1 to 15 many times; that the formulas hold
//! for them is tried one by one. What is left is that nothing overflows, wraps or loses a digit where
//! `q` is large: the linear law itself is tried for every class beside numbers next to all powers of
//! two and of ten up to the largest amount, against arithmetic of 256 bits. How the operators' part is
//! shared has its own file, [`operators`](crate::operators); here it is a part of what must add up.

use crate::{
    operators::{group, operator},
    plain_submission, reference,
};
use quern_job_rules::{
    life::{self, Event, Moves},
    operators::OperatorPay,
    pay::{self, Tariff},
    quote, settlement,
    split::Split,
    tasks,
};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, LogRange, Payout},
    ids::{AccountId, Digest, JobId},
    job::{Agreement, ByteLevel, Job, Prices, Submission},
    limits::REPLICAS_PER_TASK_MAX,
    params::{Parameter, Params, SHARES_PERMILLE_MAX, Terms},
};
use sp_core::U256;
use std::collections::BTreeMap;

pub(crate) const SMALL: Amount = 1 << 16;

/// Numbers next to every power of two and of ten, and to the largest.
pub(crate) fn edges() -> Vec<Amount> {
    let powers_of_two = (0..u128::BITS).map(|power| 1u128 << power);
    let powers_of_ten = (0..=38).map(|power| 10u128.pow(power));
    let around = |number: Amount| {
        let below = (1..=20).filter_map(move |step| number.checked_sub(step));
        let above = (0..=20).filter_map(move |step| number.checked_add(step));
        below.chain(above)
    };
    let largest = (0..=150).map(|step| Amount::MAX - step);
    powers_of_two
        .chain(powers_of_ten)
        .flat_map(around)
        .chain(largest)
        .collect()
}

/// What a split must be, said by inequalities and not by division.
fn check_split(spent: Amount, workers: Amount) {
    let split = Split::of(spent, workers, Terms::FIRST).unwrap();
    let (operators, treasury) = (split.operators(), split.treasury());
    assert_eq!((split.spent(), split.workers()), (spent, workers));
    let [spent, workers, operators, treasury] =
        [spent, workers, operators, treasury].map(U256::from);
    assert_eq!(workers + operators + treasury, spent, "of {spent}");
    assert!(operators * 5 <= spent, "operators of {spent}");
    assert!(spent < operators * 5 + 5, "operators of {spent}");
    assert!(treasury * 10 >= spent, "the treasury's part of {spent}");
}

fn check_bounty(spent: Amount) {
    let bounty = U256::from(pay::bounty(spent, Terms::FIRST));
    let seven = U256::from(spent) * 7;
    assert!(bounty * 10 <= seven && seven < bounty * 10 + 10, "{spent}");
}

/// Equal shares of what is spent: each as large as it can be, the rest the treasury's.
fn check_shares(spent: Amount) {
    let bounty = pay::bounty(spent, Terms::FIRST);
    for agreeing in 1..=REPLICAS_PER_TASK_MAX {
        let each = pay::pays(spent, agreeing, Terms::FIRST);
        let given = each * Amount::from(agreeing);
        let rest = bounty - given;
        assert!(rest < agreeing.into(), "{spent} among {agreeing}");
        check_split(spent, given);
    }
    assert_eq!(pay::pays(spent, 0, Terms::FIRST), 0);
}

#[test]
fn every_small_amount_splits_into_all_of_its_parts() {
    for spent in 0..=SMALL {
        check_bounty(spent);
        check_shares(spent);
        let most = pay::bounty(spent, Terms::FIRST);
        check_split(spent, most);
        check_split(spent, 0);
        assert!(Split::of(spent, most + 1, Terms::FIRST).is_err());
    }
}

/// Plain sums do for small amounts, and there are 65 million of these.
#[test]
fn every_thousandth_of_every_small_amount_may_be_the_workers_up_to_seven_tenths() {
    for spent in 0..=SMALL {
        let operators = spent / 5;
        for permille in 0..=1_000 {
            let workers = spent * permille / 1_000;
            let split = Split::of(spent, workers, Terms::FIRST);
            let is_within = workers * 10 <= spent * 7;
            assert_eq!(split.is_ok(), is_within, "{permille} of {spent}");
            let Ok(split) = split else { continue };
            let parts = (split.workers(), split.operators(), split.treasury());
            let rest = spent - workers - operators;
            assert_eq!(parts, (workers, operators, rest), "{permille} of {spent}");
        }
    }
}

#[test]
fn amounts_next_to_every_power_split_like_small_ones() {
    let edges = edges();
    assert!(edges.contains(&Amount::MAX) && edges.contains(&(1 << 127)));
    for spent in edges {
        check_bounty(spent);
        check_shares(spent);
        let most = pay::bounty(spent, Terms::FIRST);
        check_split(spent, most);
        let too_much = Split::of(spent, most.saturating_add(1), Terms::FIRST);
        assert!(too_much.is_err());
        assert_eq!(most, reference::seven_tenths(spent));
    }
}

/// `split(10 k + s) = k (7, 2, 1) + split(s)` for every class of `s`, however large `k` is.
#[test]
fn what_is_rounded_depends_on_the_class_alone() {
    let most = (Amount::MAX - 10 * 15) / 10;
    let times: Vec<Amount> = edges().into_iter().filter(|times| *times <= most).collect();
    assert!(times.len() > 4_000);
    for small in 0..10 * 15 {
        let workers = pay::bounty(small, Terms::FIRST);
        let least = Split::of(small, workers, Terms::FIRST).unwrap();
        for times in &times {
            let split = Split::of(10 * times + small, 7 * times + workers, Terms::FIRST).unwrap();
            assert_eq!(split.operators(), 2 * times + least.operators());
            assert_eq!(split.treasury(), times + least.treasury());
        }
    }
}

/// The same for all shares of workers and operators that the council may set together: what is rounded depends on
/// the spent amount modulo a thousand, so these are all classes there are.
#[test]
fn every_share_that_the_council_may_set_splits_every_class_into_all_of_its_parts() {
    let (workers, operators) = (
        Parameter::WorkersShare.row(),
        Parameter::OperatorsShare.row(),
    );
    let mut pairs = 0u32;
    for w in workers.least..=workers.most {
        for o in operators.least..=operators.most.min(SHARES_PERMILLE_MAX - w) {
            let terms = Terms {
                workers_permille: w as u16,
                operators_permille: o as u16,
                ..Terms::FIRST
            };
            for spent in 0..1_000 {
                let bounty = pay::bounty(spent, terms);
                assert_eq!(bounty, spent * w / 1_000, "{w} and {o} of {spent}");
                let split = Split::of(spent, bounty, terms).unwrap();
                let parts = (split.workers(), split.operators(), split.treasury());
                let part = spent * o / 1_000;
                let rest = spent - bounty - part;
                assert_eq!(parts, (bounty, part, rest), "{w} and {o} of {spent}");
            }
            // And each thousand more of it is the shares themselves, up to the largest amounts.
            for times in [1, 999, (Amount::MAX - 999) / 1_000] {
                for class in [0, 1, 499, 999] {
                    let bounty = pay::bounty(class, terms);
                    let least = Split::of(class, bounty, terms).unwrap();
                    let (spent, bounty) = (1_000 * times + class, w * times + bounty);
                    assert_eq!(pay::bounty(spent, terms), bounty);
                    let split = Split::of(spent, bounty, terms).unwrap();
                    assert_eq!(split.operators(), o * times + least.operators());
                    let rest = (1_000 - w - o) * times + least.treasury();
                    assert_eq!(split.treasury(), rest);
                }
            }
            pairs += 1;
        }
    }
    assert_eq!(pairs, 79_326);
}

fn prices(gigafuel: Amount, task_min: Amount, replica_permille: u32, level: u32) -> Prices {
    Prices {
        gigafuel,
        task_min,
        replica_permille,
        low_permille: level,
        high_permille: level,
    }
}

/// A price is exact or refused: it overflows when, and only when, its numerator is no amount.
#[test]
fn prices_next_to_every_power_are_exact_or_refused() {
    let mut refused = 0;
    for gigafuel in edges().into_iter().filter(|price| *price < 1 << 127) {
        for fuel in [1, 999_999_999, 1 << 31, 10_000_000_000_000, u64::MAX] {
            for (level, replicas) in [(1, 1), (100, 3), (1_000, 7), (10_000, 15)] {
                let submission = Submission {
                    fuel_per_task_max: fuel,
                    level: ByteLevel::High,
                    agreement: Agreement::Majority { replicas },
                    ..plain_submission()
                };
                let prices = prices(gigafuel, 0, 1_000, level);
                let numerator = U256::from(gigafuel)
                    * U256::from(fuel)
                    * U256::from(level)
                    * U256::from(1_000 * u32::from(replicas));
                let tariff = Tariff::of_submission(&prices, Terms::FIRST, &submission);
                if numerator > U256::from(Amount::MAX) {
                    assert!(tariff.is_err(), "{gigafuel} {fuel} {level} {replicas}");
                    refused += 1;
                    continue;
                }
                let exact = numerator / U256::from(10u128.pow(15));
                let tariff = tariff.unwrap();
                assert_eq!(U256::from(tariff.task_cap()), exact);
                assert_eq!(tariff.price(u64::MAX), tariff.task_cap());
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}

const OWNER: AccountId = AccountId::new([1; 32]);

/// Masternodes of the job, of which the first coordinates, two others certify, and one of these is out when the
/// batches become final.
const MEMBERS: u8 = 4;
const CERTIFIED_BY: [u8; 2] = [1, 3];
const OUT: u8 = 0b1000;

/// What was found of a task: its price, and how many agreed.
#[derive(Clone, Copy, Debug)]
struct Found {
    price: Amount,
    agreeing: u8,
}

/// Where a job's money went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sums {
    workers: BTreeMap<AccountId, Amount>,
    operators: BTreeMap<AccountId, Amount>,
    treasury: Amount,
    owner: Amount,
}

impl Sums {
    fn add(&mut self, batch: &Batch, pay: &OperatorPay<'_>, moves: &Moves) {
        for payout in &batch.payouts {
            *self.workers.entry(payout.account.clone()).or_default() += payout.amount;
        }
        for account in pay.payees() {
            *self.operators.entry((*account).clone()).or_default() += pay.each();
        }
        self.treasury += moves.treasury;
        self.owner += moves.owner;
    }

    fn network(&self) -> Amount {
        self.operators.values().sum::<Amount>() + self.treasury
    }

    /// All that was paid to anybody, account by account.
    fn all(&self) -> Amount {
        self.workers.values().sum::<Amount>() + self.network() + self.owner
    }
}

fn running(tasks: u32) -> Job {
    let submission = Submission {
        tasks,
        ..plain_submission()
    };
    let prices = pay::PRICES_AT_GENESIS;
    let quote = quote::quote(&submission, &prices, &Params::FIRST, 0).unwrap();
    let job = life::open(OWNER, submission, prices, Terms::FIRST, &quote, 0);
    let drawn = Event::Drawn {
        coordinator: operator(0),
    };
    life::apply(&job, 1, drawn).unwrap().job
}

/// The batch of these tasks. Neighbouring tasks share devices' accounts, so payouts are sums.
fn batch_of(of: &[u32], found: &[Found], sequence: u32) -> Batch {
    let mut payouts: BTreeMap<AccountId, Amount> = BTreeMap::new();
    let mut spent = 0;
    for task in of {
        let Found { price, agreeing } = found[*task as usize];
        spent += price;
        for replica in 0..agreeing {
            let account = AccountId::new([10 + (*task as u8 + replica) % 17; 32]);
            *payouts.entry(account).or_default() += pay::pays(price, agreeing, Terms::FIRST);
        }
    }
    let payouts = payouts.into_iter().filter(|(_, amount)| *amount > 0);
    let payouts = payouts.map(|(account, amount)| Payout { account, amount });
    Batch {
        job: JobId([9; 32]),
        sequence,
        log: LogRange::default(),
        verdicts_root: Digest::default(),
        tasks: tasks::collect(of.iter().copied()).unwrap(),
        spent,
        payouts: payouts.collect::<Vec<_>>().try_into().unwrap(),
        devices: Default::default(),
    }
}

/// Settles a job in these batches. After each, a refund at that point must give back all the rest.
fn settle_all(found: &[Found], batches: &[Vec<u32>]) -> Sums {
    let mut job = running(found.len() as u32);
    let deposited = job.escrow.deposited;
    let mut settled = vec![0; tasks::bitmap_bytes(found.len() as u32) as usize];
    let (mut sums, group, by) = (Sums::default(), group(MEMBERS, OUT), operator(0));
    for (sequence, of) in (0..).zip(batches) {
        let refunded = life::apply(&job, job.submission.deadline + 1, Event::Refunded);
        let refunded = refunded.unwrap().moves.owner;
        assert_eq!(sums.all() + refunded, deposited, "refunded before {of:?}");
        let batch = batch_of(of, found, sequence);
        let valid = settlement::validate(&job, &settled, &batch, &by, 2).unwrap();
        let settlement = life::apply(&job, 2, valid.event(&by)).unwrap();
        valid.tasks().add_to(&mut settled);
        assert_eq!(settlement.job.escrow.pending, batch.spent);
        let certified_by = CERTIFIED_BY.to_vec().try_into().unwrap();
        let pending = valid.pending(&by, certified_by, 0);
        let pay = OperatorPay::of(&group, &pending).unwrap();
        let shares = pay.shares();
        let last = life::apply(&settlement.job, 2, Event::Finalised { shares }).unwrap();
        sums.add(&batch, &pay, &last.moves);
        job = last.job;
    }
    assert_eq!((job.escrow.held, job.escrow.pending), (0, 0));
    assert_eq!(sums.all(), deposited, "{found:?} in {batches:?}");
    sums
}

/// Every way to settle so many tasks: every partition into batches, in every order of the batches.
fn ways(tasks: u32) -> Vec<Vec<Vec<u32>>> {
    let all = tasks.pow(tasks);
    let mut ways = Vec::new();
    for number in 0..all {
        let mut batches = vec![Vec::new(); tasks as usize];
        for task in 0..tasks {
            batches[(number / tasks.pow(task) % tasks) as usize].push(task);
        }
        let used = batches.iter().take_while(|batch| !batch.is_empty()).count();
        batches.truncate(used);
        // Gaps between the used ones would tell the same way twice.
        if batches.iter().map(Vec::len).sum::<usize>() == tasks as usize {
            ways.push(batches);
        }
    }
    ways
}

/// However the verdicts of a job are ordered and cut into batches, each worker account, the owner and
/// the network get the same; of the network's part each of the three masternodes that answer has a fifteenth of
/// what each batch spends, rounded, so it moves by less than a unit a batch.
fn check_every_way(found: &[Found], ways: &[Vec<Vec<u32>>]) {
    let at_once: Vec<u32> = (0..found.len() as u32).collect();
    let expected = settle_all(found, &[at_once]);
    for way in ways {
        let sums = settle_all(found, way);
        assert_eq!(sums.workers, expected.workers, "{found:?} in {way:?}");
        assert_eq!(sums.network(), expected.network(), "{found:?} in {way:?}");
        assert_eq!(sums.owner, expected.owner, "{found:?} in {way:?}");
        let paid: Vec<_> = sums.operators.keys().cloned().collect();
        assert_eq!(paid, [operator(0), operator(1)], "{found:?} in {way:?}");
        for (account, amount) in &sums.operators {
            let moved = amount.abs_diff(expected.operators[account]);
            assert!(moved < way.len() as Amount, "{found:?} in {way:?}");
        }
    }
}

#[test]
fn three_tasks_of_every_class_pay_the_same_in_every_way() {
    let ways = ways(3);
    assert_eq!(ways.len(), 13);
    for number in 0..1_000u32 {
        let found: Vec<Found> = (0..3u32)
            .map(|task| Found {
                price: (number / 10u32.pow(task) % 10).into(),
                agreeing: (1 + (number + 7 * task) % 15) as u8,
            })
            .collect();
        check_every_way(&found, &ways);
    }
}

#[test]
fn five_tasks_of_real_prices_pay_the_same_in_every_way() {
    let ways = ways(5);
    assert_eq!(ways.len(), 541);
    let cap = Tariff::of_job(&running(5)).unwrap().task_cap();
    for first in [0, 1, 7, 9_999, cap / 3, cap - 1, cap] {
        let found: Vec<Found> = (0..5u8)
            .map(|task| Found {
                price: first.saturating_sub(Amount::from(task) * 3),
                agreeing: [0, 1, 2, 3, 15][usize::from(task)],
            })
            .collect();
        check_every_way(&found, &ways);
    }
}
