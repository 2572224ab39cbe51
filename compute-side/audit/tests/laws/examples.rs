//! Each law by an example in which it does not hold.

use crate::{
    told::{Told, Transaction, block},
    world::{TREASURY, World, account},
};
use codec::Encode;
use quern_audit::{DIFFERENCES_MAX, Difference, Place, Replay, Side, TotalName};
use quern_primitives::{JobId, job::JobEnd};

const AT: Place = Place {
    block: 1,
    transaction: Some(0),
};

const NOTHING: [Difference; 0] = [];

/// The name of the first job of a world.
const JOB: JobId = JobId([100; 32]);

/// What is found in one block of one transaction, in a world where nothing has happened.
fn found(told: Vec<Told>, settles: Vec<(JobId, u32, u32, Vec<u8>)>) -> Vec<Difference> {
    let mut replay = Replay::begin(World::new().snapshot(0));
    replay.take(&block(1, &[Transaction { told, settles }]));
    replay.differences().to_vec()
}

fn submitted(amount: u128) -> [Told; 2] {
    let fields = (JOB, account(0), amount).encode();
    [
        Told::Held("Jobs", 0, amount),
        Told::Said("Jobs", "JobSubmitted", fields),
    ]
}

/// A batch of one task that pays seven units to a worker and three to operators and treasury.
fn batch(sequence: u32) -> [Told; 5] {
    let [settled] = settled(sequence);
    let finalised = (JOB, sequence, 1_u32, 7_u128, 2_u128, 1_u128);
    [
        settled,
        Told::OnHold(0, 1, 7),
        Told::Said("Jobs", "BatchFinalised", finalised.encode()),
        Told::OnHold(0, 2, 2),
        Told::OnHold(0, TREASURY, 1),
    ]
}

/// That batch, before it is final.
fn settled(sequence: u32) -> [Told; 1] {
    let fields = (
        JOB, sequence, 1_u32, 10_u128, 7_u128, 2_u128, 1_u128, 99_u32,
    );
    [Told::Said("Jobs", "BatchSettled", fields.encode())]
}

fn struck(sequence: u32) -> [Told; 1] {
    let fields = (JOB, sequence, 1_u32, 10_u128).encode();
    [Told::Said("Jobs", "BatchStruck", fields)]
}

fn ended(refunded: u128) -> [Told; 2] {
    let fields = (JOB, JobEnd::AllSettled, refunded).encode();
    [
        Told::Released("Jobs", 0, refunded),
        Told::Said("Jobs", "JobEnded", fields),
    ]
}

fn told(parts: &[&[Told]]) -> Vec<Told> {
    parts.concat()
}

/// The call that settles a task in a batch.
fn task(sequence: u32, task: u32) -> (JobId, u32, u32, Vec<u8>) {
    (JOB, sequence, task / 8 * 8, vec![1 << (task % 8)])
}

#[test]
fn a_job_from_beginning_to_end_is_as_it_should_be() {
    let whole = told(&[&submitted(50), &batch(0), &batch(1), &ended(30)]);
    assert_eq!(found(whole, vec![task(0, 3), task(1, 9)]), NOTHING);
}

/// A batch of a job of fifty units that pays seven to a worker and three to the network, with these payments to
/// operators and treasury.
fn paying(operators: u128, treasury: u128, payments: &[Told]) -> Vec<Difference> {
    let finalised = (JOB, 0_u32, 1_u32, 7_u128, operators, treasury);
    let said = [
        Told::OnHold(0, 1, 7),
        Told::Said("Jobs", "BatchFinalised", finalised.encode()),
    ];
    let whole = told(&[&submitted(50), &settled(0), &said, payments, &ended(40)]);
    found(whole, vec![task(0, 3)])
}

#[test]
fn what_is_for_operators_is_paid_in_equal_parts_or_differs() {
    let two = [
        Told::OnHold(0, 2, 1),
        Told::OnHold(0, 3, 1),
        Told::OnHold(0, TREASURY, 1),
    ];
    assert_eq!(paying(2, 1, &two), NOTHING);
    // One of them has no say any more, and its part is the treasury's.
    let one = [Told::OnHold(0, 2, 1), Told::OnHold(0, TREASURY, 2)];
    assert_eq!(paying(1, 2, &one), NOTHING);
    // All of it for one of two, and what is left of another sum.
    let twice = [
        Told::OnHold(0, 2, 1),
        Told::OnHold(0, 2, 1),
        Told::OnHold(0, TREASURY, 1),
    ];
    let unequal = [Told::OnHold(0, 2, 1), Told::OnHold(0, 3, 2)];
    let left_out = [Told::OnHold(0, 2, 1), Told::OnHold(0, TREASURY, 1)];
    for (operators, treasury, payments) in [
        (2, 1, &twice[..]),
        (3, 0, &unequal[..]),
        (2, 1, &left_out[..]),
    ] {
        let differences = paying(operators, treasury, payments);
        assert!(!differences.is_empty(), "{payments:?}");
    }
}

#[test]
fn what_is_struck_is_held_again_and_its_tasks_are_unsettled() {
    let whole = told(&[
        &submitted(50),
        &settled(0),
        &settled(1),
        &struck(0),
        &struck(1),
        &batch(2),
        &ended(40),
    ]);
    // The same task once more, in a batch that stands.
    let tasks = vec![task(0, 3), task(1, 9), task(2, 3)];
    assert_eq!(found(whole, tasks), NOTHING);
}

#[test]
fn what_is_not_pending_is_neither_final_nor_struck() {
    let not_pending = Difference::NotPending {
        at: AT,
        job: JOB,
        batch: 0,
    };
    let again = told(&[&submitted(50), &batch(0), &struck(0)]);
    let never = told(&[&submitted(50), &batch(0)[1..]]);
    assert!(found(never, vec![]).contains(&not_pending));
    assert_eq!(found(again, vec![task(0, 3)]), [not_pending]);
}

#[test]
fn a_job_that_is_over_has_nothing_pending() {
    let early = told(&[&submitted(50), &settled(0), &ended(40)]);
    let held = Difference::StillHeld {
        at: AT,
        job: JOB,
        held: 10,
    };
    let differences = found(early, vec![task(0, 3)]);
    assert!(differences.contains(&held), "{differences:?}");
}

#[test]
fn a_task_is_settled_once_and_batches_follow_each_other() {
    let twice = told(&[&submitted(50), &batch(0), &batch(1)]);
    let difference = Difference::SettledTwice {
        at: AT,
        job: JOB,
        batch: 1,
        task: 3,
    };
    assert_eq!(found(twice, vec![task(0, 3), task(1, 3)]), [difference]);
    let skipped = told(&[&submitted(50), &batch(0), &batch(2)]);
    let difference = Difference::Sequence {
        at: AT,
        job: JOB,
        expected: 1,
        found: 2,
    };
    assert_eq!(found(skipped, vec![task(0, 3), task(2, 4)]), [difference]);
}

#[test]
fn a_batch_whose_tasks_are_not_to_be_seen_is_told() {
    let batches = told(&[&submitted(50), &batch(0)]);
    let unknown = |found| Difference::TasksUnknown {
        at: AT,
        job: JOB,
        batch: 0,
        tasks: 1,
        found,
    };
    assert_eq!(found(batches.clone(), vec![]), [unknown(0)]);
    // A call that was tried twice is one; two that differ are not.
    assert_eq!(
        found(batches.clone(), vec![task(0, 3), task(0, 3)]),
        NOTHING
    );
    let two = found(batches, vec![task(0, 3), task(0, 4)]);
    assert_eq!(two, [unknown(2)]);
}

#[test]
fn a_job_that_is_over_holds_nothing_and_pays_nothing() {
    let rest = told(&[&submitted(50), &ended(20)]);
    let differences = found(rest, vec![]);
    let held = Difference::StillHeld {
        at: AT,
        job: JOB,
        held: 30,
    };
    assert!(differences.contains(&held), "{differences:?}");
    let after = told(&[&submitted(50), &ended(50), &batch(0)]);
    let differences = found(after, vec![task(0, 3)]);
    let over = Difference::JobOver { at: AT, job: JOB };
    assert!(differences.contains(&over), "{differences:?}");
}

#[test]
fn a_bond_that_is_lost_is_told_of_by_who_kept_it_or_differs() {
    let lost = |pallet| {
        vec![
            Told::Held(pallet, 1, 9),
            Told::Lost(pallet, 1, 2, 3),
            Told::BurnedHeld(pallet, 1, 5),
        ]
    };
    let unexplained = |kind, amount| Difference::Unexplained {
        at: AT,
        kind,
        amount,
    };
    let both = [unexplained("slash_paid", 3), unexplained("slash_burnt", 5)];
    let (loser, winner) = (account(1), account(2));
    let said = [
        (
            "Workforce",
            "BondSlashed",
            (&loser, [1_u8; 32], &winner, 3_u128, 5_u128).encode(),
        ),
        (
            "Roster",
            "BondSlashed",
            (&loser, 8_u128, &winner, 5_u128).encode(),
        ),
        (
            "Disputes",
            "DisputeLost",
            (&loser, (JOB, 0_u32), (3_u128, 5_u128)).encode(),
        ),
    ];
    for (pallet, name, fields) in said {
        assert_eq!(found(lost(pallet), vec![]), both);
        let told = [lost(pallet), vec![Told::Said(pallet, name, fields)]].concat();
        assert_eq!(found(told, vec![]), NOTHING);
    }
}

#[test]
fn money_that_begins_or_moves_without_a_word_is_told() {
    let minted = found(vec![Told::Minted(1, 5)], vec![]);
    let unexplained = |kind, amount| Difference::Unexplained {
        at: AT,
        kind,
        amount,
    };
    assert_eq!(minted, [unexplained("minted", 5)]);
    let held = found(vec![Told::Held("Jobs", 1, 5)], vec![]);
    assert!(held.contains(&unexplained("escrow_held", 5)), "{held:?}");
    let escrow = Difference::Escrow {
        at: AT,
        account: account(1),
        held: 5,
        jobs: 0,
    };
    assert!(held.contains(&escrow), "{held:?}");
    let kept = found(vec![Told::Withdraw(1, 5), Told::Deposit(2, 4)], vec![]);
    let not_passed_on = Difference::NotPassedOn {
        at: AT,
        taken: 5,
        given: 4,
    };
    assert_eq!(kept[0], not_passed_on);
}

#[test]
fn what_is_not_there_cannot_be_spent() {
    let differences = found(vec![Told::Transfer(TREASURY, 1, 5)], vec![]);
    let overdrawn = Difference::Overdrawn {
        at: AT,
        account: account(TREASURY),
        side: Side::Free,
        has: 0,
        taken: 5,
    };
    assert_eq!(differences[0], overdrawn);
    let made = matches!(
        differences[1],
        Difference::Issuance {
            law: TotalName::Balances,
            ..
        }
    );
    assert!(made, "{differences:?}");
}

#[test]
fn a_chain_that_says_otherwise_is_told_both_numbers() {
    let snapshot = World::new().snapshot(0);
    let mut replay = Replay::begin(snapshot.clone());
    replay.take(&block(1, &[]));
    let mut other = snapshot;
    other.block = 1;
    other.totals.burnt = 7;
    replay.compare_totals(&other.totals);
    let burnt = Difference::Total {
        block: 1,
        name: TotalName::Burnt,
        replayed: 0,
        chain: 7,
    };
    assert_eq!(replay.differences(), [burnt]);
    other.accounts.get_mut(&account(2)).unwrap().free += 1;
    replay.compare(&other);
    let richer = Difference::Account {
        block: 1,
        account: account(2),
        side: Side::Free,
        replayed: 100_000,
        chain: 100_001,
    };
    assert!(replay.differences().contains(&richer));
}

#[test]
fn differences_beyond_those_that_are_kept_are_counted() {
    let many = vec![Told::Minted(1, 5); DIFFERENCES_MAX + 7];
    let mut replay = Replay::begin(World::new().snapshot(0));
    let transaction = Transaction {
        told: many,
        settles: vec![],
    };
    replay.take(&block(1, &[transaction]));
    assert_eq!(replay.differences().len(), DIFFERENCES_MAX);
    assert_eq!(replay.difference_count(), DIFFERENCES_MAX as u64 + 7);
}

#[test]
fn a_difference_is_words_for_people_and_digits_for_programs() {
    let difference = Difference::Overdrawn {
        at: AT,
        account: account(0),
        side: Side::Free,
        has: 1_500_000_000,
        taken: 2_000_000_000,
    };
    let words = difference.to_string();
    assert!(words.starts_with("block 1, transaction 0: 2 BC left the free money of"));
    let json = serde_json::to_value(&difference).unwrap();
    assert_eq!(json["difference"], "overdrawn");
    assert_eq!(json["has"], "1500000000");
    assert_eq!(json["at"]["transaction"], 0);
}
