//! Random histories, and what happens to one of their movements.

use crate::{
    told::{Told, Transaction, block, fold},
    world::{Wish, World},
};
use proptest::prelude::*;
use quern_audit::{Difference, Replay, Snapshot};
use std::collections::BTreeSet;

/// A history in blocks of a few transactions, with what the world is like behind each.
fn history(wishes: &[Wish]) -> (Vec<Vec<Transaction>>, Vec<Snapshot>) {
    let mut world = World::new();
    let mut snapshots = vec![world.snapshot(0)];
    let mut blocks = Vec::new();
    for some in wishes.chunks(3) {
        let done = some.iter().filter_map(|wish| world.transact(*wish));
        blocks.push(done.collect());
        snapshots.push(world.snapshot(blocks.len() as u32));
    }
    (blocks, snapshots)
}

/// What does not fit in these blocks, compared at the end and, if that is wanted, behind each.
fn differences(
    blocks: &[Vec<Transaction>],
    snapshots: &[Snapshot],
    at_each: bool,
) -> Vec<Difference> {
    let mut replay = Replay::begin(snapshots[0].clone());
    for (place, transactions) in blocks.iter().enumerate() {
        replay.take(&block(place as u32 + 1, transactions));
        if at_each {
            replay.compare_totals(&snapshots[place + 1].totals);
            replay.compare(&snapshots[place + 1]);
        }
    }
    replay.compare(snapshots.last().unwrap());
    replay.differences().to_vec()
}

/// A thing to do to a history of money.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Another amount.
    Alter(u8),
    /// Another account.
    Redirect,
    Drop,
    Repeat,
    /// It and another change places.
    Swap(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (1..=u8::MAX).prop_map(Damage::Alter),
        Just(Damage::Redirect),
        Just(Damage::Drop),
        Just(Damage::Repeat),
        any::<prop::sample::Index>().prop_map(Damage::Swap),
    ]
}

/// Where the movements of money are: block, transaction, place in it.
fn movements(blocks: &mut [Vec<Transaction>]) -> Vec<(usize, usize, usize)> {
    let mut places = Vec::new();
    for (block, transactions) in blocks.iter_mut().enumerate() {
        for (transaction, done) in transactions.iter_mut().enumerate() {
            for (place, told) in done.told.iter_mut().enumerate() {
                if told.amount().is_some_and(|amount| *amount > 0) {
                    places.push((block, transaction, place));
                }
            }
        }
    }
    places
}

fn hurt(blocks: &mut [Vec<Transaction>], which: prop::sample::Index, damage: Damage) -> bool {
    let places = movements(blocks);
    if places.is_empty() {
        return false;
    }
    let (block, transaction, place) = places[which.index(places.len())];
    let told = &mut blocks[block][transaction].told;
    match damage {
        Damage::Alter(more) => *told[place].amount().unwrap() += u128::from(more),
        Damage::Redirect => {
            let who = told[place].who().unwrap();
            *who = (*who + 1) % 6;
        }
        Damage::Drop => {
            told.remove(place);
        }
        Damage::Repeat => {
            let again = told[place].clone();
            told.insert(place, again);
        }
        Damage::Swap(other) => {
            let (other_block, other_transaction, other_place) = places[other.index(places.len())];
            let one = told[place].clone();
            let there = &mut blocks[other_block][other_transaction].told[other_place];
            let two = std::mem::replace(there, one);
            blocks[block][transaction].told[place] = two;
        }
    }
    true
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    prop::collection::vec(any::<Wish>(), 1..60)
}

/// The laws are held to nothing if nothing happens.
#[test]
fn in_the_world_everything_happens_that_can() {
    // As good as random, and the same each time.
    let mut state: u64 = 1;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u32
    };
    let wishes: Vec<Wish> = (0..600)
        .map(|_| (draw() as u8, draw() as u8, draw() as u8, draw()))
        .collect();
    let (blocks, _) = history(&wishes);
    let mut happened = BTreeSet::new();
    for told in blocks.iter().flatten().flat_map(|it| &it.told) {
        happened.insert(match told {
            Told::Said(_, name, _) => (*name).to_owned(),
            moved => format!("{moved:?}").split('(').next().unwrap().to_owned(),
        });
    }
    let all = [
        "BatchFinalised",
        "BatchSettled",
        "BatchStruck",
        "BondSlashed",
        "BurnedHeld",
        "Deposit",
        "DisputeLost",
        "Held",
        "JobEnded",
        "JobSubmitted",
        "Lost",
        "Minted",
        "OnHold",
        "PayoutCompleted",
        "PayoutRequested",
        "PayoutReturned",
        "PeriodPaid",
        "PurchaseRecorded",
        "Released",
        "Reserved",
        "TransactionFeePaid",
        "Transfer",
        "Unreserved",
        "Withdraw",
    ];
    assert_eq!(happened, all.map(str::to_owned).into());
    let several = |done: &Transaction| done.settles.len() > 1;
    assert!(blocks.iter().flatten().any(several));
}

proptest! {
    #[test]
    fn a_lawful_history_never_differs(wishes in wishes()) {
        let (blocks, snapshots) = history(&wishes);
        let found = differences(&blocks, &snapshots, true);
        prop_assert!(found.is_empty(), "{:?}", found);
    }

    #[test]
    fn a_replay_may_begin_anywhere(wishes in wishes(), from in any::<prop::sample::Index>()) {
        let (blocks, snapshots) = history(&wishes);
        let from = from.index(snapshots.len());
        let mut replay = Replay::begin(snapshots[from].clone());
        for (place, transactions) in blocks.iter().enumerate().skip(from) {
            replay.take(&block(place as u32 + 1, transactions));
        }
        replay.compare(snapshots.last().unwrap());
        let found = replay.differences();
        prop_assert!(found.is_empty(), "{:?}", found);
        let last = snapshots.last().unwrap();
        prop_assert_eq!(&replay.snapshot().accounts, &last.accounts);
        prop_assert_eq!(&replay.snapshot().jobs, &last.jobs);
    }

    /// Found at the end by itself, without looking at the chain in between. What is not found leaves
    /// every unit of money where it was, and takes nothing from a purse that has it not.
    #[test]
    fn a_movement_that_is_hurt_is_found_or_changes_nothing(
        wishes in wishes(),
        which in any::<prop::sample::Index>(),
        damage in damage(),
    ) {
        let (blocks, snapshots) = history(&wishes);
        let mut hurt_blocks = blocks.clone();
        if hurt(&mut hurt_blocks, which, damage) {
            let found = differences(&hurt_blocks, &snapshots, false);
            let (was, is) = (fold(&blocks), fold(&hurt_blocks));
            prop_assert!(was.is_some(), "the world itself takes what is not there");
            prop_assert!(
                !found.is_empty() || was == is,
                "{:?} is not found: {:?} became {:?}", damage, was, is
            );
        }
    }

    #[test]
    fn a_missing_block_is_found(wishes in wishes(), which in any::<prop::sample::Index>()) {
        let (blocks, snapshots) = history(&wishes);
        let missing = which.index(blocks.len());
        let mut replay = Replay::begin(snapshots[0].clone());
        for (place, transactions) in blocks.iter().enumerate() {
            if place != missing {
                replay.take(&block(place as u32 + 1, transactions));
            }
        }
        replay.compare(snapshots.last().unwrap());
        prop_assert!(replay.difference_count() > 0);
    }
}
