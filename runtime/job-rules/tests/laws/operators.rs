//! The operators' part among the masternodes of a batch: every group there can be, every one that settled, every
//! choice of those who certified and of those who are out by then; and every remainder.
//!
//! How much each gets depends on how many answer for the batch alone, and there are seven of them at the most.
//! A part rounds by what is shared modulo their number, so all classes there are repeat after 420 units; the
//! division is tried for all numbers up to 2^16, and next to all powers of two and of ten.

use crate::exhaustive::{SMALL, edges};
use proptest::prelude::*;
use quern_job_rules::operators::{OperatorPay, answers, part};
use quern_primitives::{
    amount::Amount,
    batch::{PendingBatch, Shares, TaskSet},
    group::{Group, Member},
    ids::{AccountId, NodeKey},
    limits::GROUP_MEMBERS_MAX,
};
use sp_core::U256;
use std::collections::{BTreeMap, BTreeSet};

const MOST: u8 = GROUP_MEMBERS_MAX as u8;

pub(crate) fn operator(place: u8) -> AccountId {
    AccountId::new([200 + place; 32])
}

/// So many members, of which those in `out` have no say any more; sets are bits, the first member's the lowest.
pub(crate) fn group(members: u8, out: u8) -> Group {
    let members = (0..members).map(|place| Member {
        account: operator(place),
        node: NodeKey([place; 32]),
        is_out: out >> place & 1 == 1,
    });
    Group {
        members: members.collect::<Vec<_>>().try_into().unwrap(),
        turn: 0,
        since: 0,
        lane_seed: None,
    }
}

fn places(set: u8) -> Vec<u8> {
    (0..8).filter(|place| set >> place & 1 == 1).collect()
}

fn batch(by: u8, certified_by: u8, split: Shares) -> PendingBatch {
    PendingBatch {
        due: 0,
        coordinator: operator(by),
        certified_by: places(certified_by).try_into().unwrap(),
        tasks: TaskSet {
            first: 0,
            bits: Default::default(),
        },
        payouts: Default::default(),
        devices: Default::default(),
        split,
    }
}

/// What each account has to get, told with sets and by taking a unit after the other from what is shared.
fn expected(by: u8, certified_by: u8, out: u8, operators: Amount) -> BTreeMap<AccountId, Amount> {
    let answering: BTreeSet<u8> = places(certified_by | 1 << by).into_iter().collect();
    let all = answering.len() as Amount;
    let (mut each, mut left) = (0, operators);
    while left >= all {
        each += 1;
        left -= all;
    }
    let paid = answering.into_iter().filter(|place| out >> place & 1 == 0);
    paid.map(|place| (operator(place), each)).collect()
}

#[test]
fn in_every_group_exactly_those_who_answer_and_are_not_out_get_equal_parts() {
    let mut cases = 0u32;
    for members in 1..=MOST {
        let all = (1u16 << members) as u8;
        // Of seven members the sets end with 127, and nothing is cut off.
        for out in 0..all {
            let group = group(members, out);
            for by in 0..members {
                for certified_by in 1..all {
                    let operators = [0, 1, 6, 7, 60, 419][(cases % 6) as usize];
                    let split = Shares {
                        workers: 7,
                        operators,
                        treasury: 3,
                    };
                    let batch = batch(by, certified_by, split);
                    let pay = OperatorPay::of(&group, &batch).unwrap();
                    let paid: BTreeMap<AccountId, Amount> = pay
                        .payees()
                        .iter()
                        .map(|account| ((*account).clone(), pay.each()))
                        .collect();
                    assert_eq!(paid.len(), pay.payees().len(), "each once");
                    assert_eq!(paid, expected(by, certified_by, out, operators));
                    let given: Amount = paid.values().sum();
                    let shares = pay.shares();
                    assert_eq!((shares.workers, shares.operators), (7, given));
                    assert_eq!(shares.treasury, 3 + operators - given);
                    for place in 0..members {
                        let account = operator(place);
                        let to = paid.get(&account).copied().unwrap_or(0);
                        assert_eq!(pay.to(&account), to);
                    }
                    cases += 1;
                }
            }
        }
    }
    // Of n members 2^n times n times 2^n - 1.
    assert_eq!(
        cases,
        (1..=7u32).map(|n| n * (1 << n) * ((1 << n) - 1)).sum()
    );
}

/// Each part is as large as it can be, said by inequalities and not by division.
fn check_part(operators: Amount) {
    for answering in 1..=usize::from(MOST) {
        let each = U256::from(part(operators, answering));
        let (all, shared) = (U256::from(answering), U256::from(operators));
        assert!(each * all <= shared, "{operators} among {answering}");
        assert!(shared < each * all + all, "{operators} among {answering}");
    }
}

#[test]
fn every_small_amount_and_those_next_to_every_power_are_shared_to_the_last_unit_that_divides() {
    for operators in (0..=SMALL).chain(edges()) {
        check_part(operators);
        let split = Shares {
            workers: 0,
            operators,
            treasury: 0,
        };
        for members in 1..=MOST {
            let (group, everyone) = (group(members, 0), u8::MAX >> (8 - members));
            let pay = OperatorPay::of(&group, &batch(0, everyone, split)).unwrap();
            let given = U256::from(pay.each()) * U256::from(members);
            let Shares {
                operators: paid,
                treasury,
                ..
            } = pay.shares();
            assert_eq!(U256::from(paid), given);
            assert_eq!(paid + treasury, operators);
            assert!(treasury < members.into(), "{operators} among {members}");
        }
    }
}

proptest! {
    #[test]
    fn what_operators_do_not_get_of_any_amounts_is_the_treasurys(
        members in 1u8..=MOST, out: u8, by in 0u8..MOST, certified_by: u8,
        workers: u128, operators: u128, treasury: u128,
    ) {
        let split = Shares { workers, operators, treasury };
        let (group, batch) = (group(members, out), batch(by, certified_by >> 1, split));
        let pay = OperatorPay::of(&group, &batch);
        prop_assert_eq!(pay.is_some(), split.spent().is_some());
        let Some(pay) = pay else { return Ok(()) };
        let shares = pay.shares();
        prop_assert_eq!(shares.spent(), split.spent());
        prop_assert_eq!(shares.workers, workers);
        prop_assert!(shares.treasury >= treasury);
        prop_assert_eq!(shares.operators, pay.each() * pay.payees().len() as u128);
        let members = group.members.iter().zip(0u8..);
        let paid: Vec<_> = members
            .filter(|(member, place)| answers(&batch, *place, member) && !member.is_out)
            .map(|(member, _)| &member.account)
            .collect();
        prop_assert_eq!(pay.payees(), &paid[..]);
    }

    #[test]
    fn nobody_gets_more_because_another_is_out_or_certified_as_well(
        members in 1u8..=MOST, out: u8, more: u8, by in 0u8..MOST, certified_by: u8,
        operators in 0..=u128::MAX / 2,
    ) {
        let by = by % members;
        let split = Shares { workers: 0, operators, treasury: 0 };
        let certified_by = certified_by >> (8 - members);
        let (few, all) = (batch(by, certified_by, split), batch(by, certified_by | more >> (8 - members), split));
        let [present, fewer] = [out, out | more].map(|out| group(members, out));
        let at_first = OperatorPay::of(&present, &few).unwrap();
        let with_more_out = OperatorPay::of(&fewer, &few).unwrap();
        let with_more_words = OperatorPay::of(&present, &all).unwrap();
        for place in (0..members).filter(|place| few.certified_by.contains(place) || *place == by) {
            let account = operator(place);
            prop_assert!(with_more_out.to(&account) <= at_first.to(&account));
            prop_assert!(with_more_words.to(&account) <= at_first.to(&account));
        }
    }
}
