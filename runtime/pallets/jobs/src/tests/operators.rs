//! What the masternodes of a job are paid: who settled a batch and who certified it, when it is final.

use super::*;
use crate::{Event, Totals};
use frame_support::assert_ok;
use quern_primitives::{
    AccountId, Amount, JobId,
    batch::{Batch, Payout},
    params::Params,
};

/// What is spent in [`odd`]: operators get 13 of it, the treasury 7, if all are paid.
const SPENT: Amount = 66;

/// A batch of one task whose operators' part divides by none of two to seven.
fn odd(id: JobId, sequence: u32) -> Batch {
    Batch {
        spent: SPENT,
        payouts: vec![payout(0, 46)].try_into().unwrap(),
        ..batch(id, sequence, [sequence])
    }
}

fn members(id: JobId) -> Vec<AccountId> {
    let members = Jobs::group(&id).unwrap().members.into_iter();
    members.map(|member| member.account).collect()
}

fn settled(by: &AccountId, id: JobId, sequence: u32, places: &[u8]) {
    let certified = certified_by(odd(id, sequence), places);
    free_of_charge(Jobs::settle(signed(by), certified));
}

/// What each of these accounts has, and then the treasury.
fn paid(accounts: &[AccountId]) -> Vec<Amount> {
    let treasury = TreasuryAccount::get();
    accounts.iter().chain([&treasury]).map(free).collect()
}

/// What operators and treasury got, by the last batch that became final.
fn said() -> (Amount, Amount) {
    let mut finalised = events().into_iter().filter_map(|event| match event {
        Event::BatchFinalised {
            operators,
            treasury,
            ..
        } => Some((operators, treasury)),
        _ => None,
    });
    finalised.next_back().unwrap()
}

#[test]
fn who_certified_gets_as_much_as_who_settled_and_the_treasury_what_does_not_divide() {
    for (places, expected) in [
        (&[0, 1][..], [6, 6, 0, 8]),
        (&[0, 2][..], [6, 0, 6, 8]),
        (&[0, 1, 2][..], [4, 4, 4, 8]),
        // Who settles may leave out its own word.
        (&[1, 2][..], [4, 4, 4, 8]),
    ] {
        on_new_chain(|| {
            let (id, coordinator) = running();
            settled(&coordinator, id, 0, places);
            let all = members(id);
            pass_window();
            assert_eq!(paid(&all), expected, "{places:?}");
            assert_eq!(said(), (12, 8));
            assert_eq!(expected.iter().sum::<Amount>(), SPENT - 46);
            assert_eq!(job(id).escrow.network, SPENT - 46);
            assert_eq!(Jobs::escrow_of(&OWNER), 10 * TASK_CAP - SPENT);
        });
    }
}

#[test]
fn in_a_group_of_one_the_coordinator_gets_all_that_operators_do() {
    on_new_chain(|| {
        CurrentParams::set(&Params {
            group_size: 1,
            ..PARAMS
        });
        let (id, coordinator) = running();
        settled(&coordinator, id, 0, &[0]);
        // Nobody else could settle, so it has its say, and is paid for what it settles.
        assert_ok!(Jobs::turn_out_member(&id, &coordinator));
        assert_eq!(Jobs::pending_to(&coordinator), (13, true));
        pass_window();
        assert_eq!(paid(&[coordinator]), [13, 7]);
    });
}

#[test]
fn who_is_out_when_a_batch_becomes_final_gets_nothing_and_nobody_more_by_that() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        settled(&coordinator, id, 0, &[0, 1, 2]);
        assert_ok!(Jobs::turn_out_member(&id, &all[1]));
        let pending = all.iter().map(|member| Jobs::pending_to(member).0);
        assert_eq!(pending.collect::<Vec<_>>(), [4, 0, 4]);
        pass_window();
        assert_eq!(paid(&all), [4, 0, 4, 12]);
        assert_eq!(said(), (8, 12));
        assert_eq!(job(id).escrow.network, SPENT - 46);
    });
}

#[test]
fn who_settled_and_is_out_by_then_gets_nothing() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        settled(&coordinator, id, 0, &[0, 1]);
        assert_ok!(Jobs::turn_out_member(&id, &coordinator));
        assert_eq!(job(id).state.coordinator(), Some(&all[1]));
        // What the next settles is its own, with who certifies that.
        settled(&all[1], id, 1, &[1, 2]);
        pass_window();
        assert_eq!(paid(&all), [0, 6 + 6, 6, (8 + 6) + 8]);
    });
}

#[test]
fn of_a_struck_batch_nobody_is_paid_and_who_stood_behind_it_gets_nothing_for_those_before() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        settled(&coordinator, id, 0, &[0, 1]);
        settled(&coordinator, id, 1, &[0, 2]);
        assert_ok!(Jobs::strike(id, 1));
        assert_eq!(Totals::<Test>::get().pending, SPENT);
        pass_window();
        assert_eq!(paid(&all), [0, 6, 0, 8 + 6]);
        assert_eq!(Jobs::escrow_of(&OWNER), 10 * TASK_CAP - SPENT);
        assert_eq!(free(&WORKERS[0]), 46);
    });
}

#[test]
fn who_is_no_masternode_any_more_and_has_no_bond_is_paid_for_what_it_certified() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        settled(&coordinator, id, 0, &[0, 1]);
        MasternodeList::set(&vec![all[2].clone()]);
        Unbonded::set(&all);
        Banned::set(&all);
        pass_window();
        assert_eq!(paid(&all), [6, 6, 0, 8]);
    });
}

#[test]
fn a_worker_and_an_owner_that_are_masternodes_have_both() {
    on_new_chain(|| {
        MasternodeList::set(&vec![OWNER, WORKERS[0].clone()]);
        let (id, coordinator) = running();
        let others = Payout {
            account: WORKERS[0].clone(),
            amount: 46,
        };
        assert_eq!(odd(id, 0).payouts.first(), Some(&others));
        settled(&coordinator, id, 0, &[0, 1]);
        assert_eq!(Jobs::pending_to(&WORKERS[0]), (46 + 6, true));
        pass_window();
        assert_eq!(free(&WORKERS[0]), 46 + 6);
        let kept = ENDOWMENT - 10 * TASK_CAP;
        assert_eq!(free(&OWNER), kept + 6);
        assert_eq!(free(&TreasuryAccount::get()), 8);
    });
}

#[test]
fn a_part_below_one_unit_is_the_treasurys() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        let little = Batch {
            spent: 10,
            payouts: Default::default(),
            ..batch(id, 0, [0])
        };
        let certified = certified_by(little, &[0, 1, 2]);
        free_of_charge(Jobs::settle(signed(&coordinator), certified));
        pass_window();
        assert_eq!(paid(&all), [0, 0, 0, 10]);
        assert_eq!(said(), (0, 10));
    });
}

#[test]
fn what_is_paid_for_making_a_batch_final_grows_with_those_who_certified_it() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(&coordinator, id, 0, &[0, 1]);
        settled(&coordinator, id, 1, &[0, 1, 2]);
        let weight = |sequence| {
            let batch = Jobs::pending_batch(&id, sequence).unwrap();
            crate::Pallet::<Test>::finalise_weight(&batch)
        };
        assert!(weight(0).all_lt(weight(1)));
        assert!(weight(1).all_lte(crate::Pallet::<Test>::finalise_weight_max()));
    });
}
