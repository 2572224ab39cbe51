//! How contracts are prolonged, ended and closed, and what goes back.

use super::*;
use crate::{Contracts, ContractsOf, Event, Groups, Holders, Lengths, OpenContracts, Remains};
use frame_support::{assert_noop, assert_ok};

#[test]
fn an_owner_puts_the_end_off_and_adds_money() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        assert_ok!(Custody::renew(signed(&OWNER), id, 10, 5_000));
        assert_eq!(Custody::escrow_of(&OWNER), DEPOSIT + 5_000);
        let contract = Custody::contract(&id).unwrap();
        assert_eq!(contract.ends, PERIODS + 11);
        assert_eq!(contract.escrow.deposited, DEPOSIT + 5_000);
        let reserved = u128::from(PERIODS + 10) * price(2);
        assert_eq!(contract.escrow.reserved, reserved);
        let event = Event::ContractRenewed {
            contract: id,
            deposit: 5_000,
            ends: PERIODS + 11,
        };
        assert_eq!(events().last(), Some(&event));
        // Who held it to the end goes on.
        period(PERIODS + 10);
        for_a_fee(challenge(&OWNER, &place));
        assert_eq!(answer_all(&place, 0), 4);
    });
}

#[test]
fn only_the_owner_prolongs_or_ends_and_only_what_is_not_over() {
    on_new_chain(|| {
        let id = opened();
        let renew =
            |by: &AccountId, periods, deposit| Custody::renew(signed(by), id, periods, deposit);
        assert_noop!(renew(&OTHER_OWNER, 1, 1), Refusal::NotOwner);
        assert_noop!(renew(&OWNER, 0, 0), Refusal::NothingAdded);
        assert_noop!(renew(&OWNER, u32::MAX, 0), Refusal::PeriodsOutOfBounds);
        assert_noop!(renew(&OWNER, 0, ENDOWMENT), Refusal::BalanceBelowDeposit);
        let end = |by: &AccountId| Custody::end(signed(by), id);
        assert_noop!(end(&OTHER_OWNER), Refusal::NotOwner);
        assert_ok!(end(&OWNER));
        assert_noop!(end(&OWNER), Refusal::ContractEnding);
        period(3);
        assert_noop!(renew(&OWNER, 1, 1), Refusal::ContractEnding);
        let nowhere = Custody::end(signed(&OWNER), id_of(&OWNER, 9));
        assert_noop!(nowhere, Refusal::NoSuchContract);
    });
}

#[test]
fn a_contract_that_is_ended_reserves_the_notice_alone() {
    on_new_chain(|| {
        let id = opened();
        taken(id, 2, 0);
        period(5);
        assert_ok!(Custody::end(signed(&OWNER), id));
        let contract = Custody::contract(&id).unwrap();
        // The two whole periods behind this one.
        assert_eq!(contract.ends, 8);
        assert_eq!(contract.escrow.reserved, 7 * price(2));
        let event = Event::ContractEnded {
            contract: id,
            ends: 8,
        };
        assert_eq!(events().last(), Some(&event));
    });
}

#[test]
fn what_nobody_held_anything_of_is_closed_at_its_end_and_the_money_goes_back() {
    on_new_chain(|| {
        let id = opened();
        period(PERIODS);
        refused(close(id), Refusal::TooEarly);
        period(PERIODS + 1);
        free_of_charge(close(id));
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert_eq!(Custody::contract(&id), None);
        assert!(!ContractsOf::<Test>::contains_key(&OWNER, id));
        assert!(!OpenContracts::<Test>::contains_key(&OWNER));
        assert!(!Groups::<Test>::contains_key(id));
        assert!(Lengths::<Test>::get().is_empty());
        let event = Event::ContractClosed {
            contract: id,
            refunded: DEPOSIT,
        };
        assert_eq!(events().last(), Some(&event));
        let totals = Custody::totals();
        assert_eq!((totals.deposited, totals.refunded), (DEPOSIT, DEPOSIT));
        // Nothing is left of it, so the salt is free.
        assert_ok!(Custody::open(signed(&OWNER), offer(0), TERMS, DEPOSIT));
    });
}

#[test]
fn a_contract_that_never_got_a_group_is_closed_as_well() {
    on_new_chain(|| {
        MasternodeList::set(&vec![]);
        let id = opened();
        period(PERIODS + 1);
        free_of_charge(close(id));
        assert!(crate::Awaiting::<Test>::get().is_empty());
        assert_eq!(free(&OWNER), ENDOWMENT);
    });
}

#[test]
fn what_was_proved_is_still_paid_before_a_contract_is_closed() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        // The last period is 40, and is paid until 63 others have begun.
        clock_to((PERIODS + 64) * 10 - 1);
        refused(close(id), Refusal::TooEarly);
        let done = proved(id, PERIODS, &[place]);
        let certificates = words(&done, &[0, 1]);
        let by = member(&id, 0);
        free_of_charge(Custody::prove(signed(&by), done, certificates));
        pass(1);
        free_of_charge(close(id));
        assert_eq!(free(&OWNER), ENDOWMENT - price(2));
    });
}

#[test]
fn a_contract_is_not_closed_while_a_challenge_is_open() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(PERIODS);
        for_a_fee(challenge(&OWNER, &place));
        period(PERIODS + 64);
        refused(close(id), Refusal::ChallengesOpen);
        refused(forget(&place), Refusal::ChallengeOpen);
        idle();
        free_of_charge(close(id));
    });
}

#[test]
fn what_is_left_of_a_contract_that_is_closed_is_forgotten_piece_by_piece() {
    on_new_chain(|| {
        let id = opened();
        let places = [taken(id, 2, 0), taken(id, 2, 1), taken(id, 0, 0)];
        for_a_fee(Custody::release(signed(&OWNER), places[2]));
        period(PERIODS + 64);
        free_of_charge(close(id));
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert_eq!(Remains::<Test>::get(id), Some(3));
        assert_eq!(Custody::holders(&id, 2), 2);
        Custody::do_try_state().unwrap();
        // As long as anything is left, the name is taken.
        let again = Custody::open(signed(&OWNER), offer(0), TERMS, DEPOSIT);
        assert_noop!(again, Refusal::ContractExists);
        for place in &places {
            free_of_charge(forget(place));
            assert_eq!(Custody::holding(place), None);
            Custody::do_try_state().unwrap();
            refused(forget(place), Refusal::NoSuchHolding);
        }
        assert_eq!(Remains::<Test>::get(id), None);
        assert_eq!(Holders::<Test>::iter().count(), 0);
        assert_ok!(Custody::open(signed(&OWNER), offer(0), TERMS, DEPOSIT));
    });
}

#[test]
fn a_holding_is_forgotten_when_nothing_of_it_can_be_paid_any_more() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        for_a_fee(Custody::release(signed(&account_of(0)), place));
        period(2);
        refused(forget(&place), Refusal::StillHeld);
        period(3);
        refused(forget(&place), Refusal::StillPayable);
        // The last period is 2.
        period(2 + 63);
        refused(forget(&place), Refusal::StillPayable);
        period(2 + 64);
        assert_eq!(escrow(id).reserved, 2 * price(2));
        free_of_charge(forget(&place));
        assert_eq!(escrow(id).reserved, 0);
        assert_eq!(events().last(), Some(&Event::HoldingForgotten { place }));
        assert!(Custody::held_by(&device(0), None, 9).is_empty());
        // Nobody holds anything of it, and it is over.
        free_of_charge(close(id));
        assert_eq!(Contracts::<Test>::iter().count(), 0);
    });
}

#[test]
fn totals_go_on_when_contracts_are_closed() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0, 1]);
        let by = member(&id, 0);
        free_of_charge(Custody::prove(signed(&by), done, certificates));
        period(PERIODS + 64);
        free_of_charge(close(id));
        let paid = parts(price(2)).0;
        let expected = Escrow {
            deposited: DEPOSIT,
            paid,
            network: price(2) - paid,
            refunded: DEPOSIT - price(2),
            ..Escrow::default()
        };
        assert_eq!(Custody::totals(), expected);
    });
}
