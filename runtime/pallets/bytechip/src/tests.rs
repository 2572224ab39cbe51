mod model;

use crate::{mock::*, *};
use frame_support::{
    assert_noop, assert_ok,
    traits::{
        fungible::{Balanced, hold::Inspect as _},
        tokens::{Fortitude, Precision},
    },
};
use quern_primitives::amount::BYTECHIP;
use sp_runtime::{ArithmeticError, DispatchError, TokenError};

fn council() -> RuntimeOrigin {
    RuntimeOrigin::root()
}

fn treasurer() -> RuntimeOrigin {
    signed(TREASURER)
}

fn signed(number: u8) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(number))
}

fn reference(text: &str) -> Reference {
    text.as_bytes().to_vec().try_into().unwrap()
}

fn buy(number: u8, cents: u64, name: &str) -> DispatchResult {
    Bytechip::record_purchase(treasurer(), reference(name), account(number), cents)
}

fn request(number: u8, amount: Amount) -> DispatchResult {
    Bytechip::request_payout(signed(number), amount, destination(number))
}

fn destination(number: u8) -> Digest {
    Digest([number; 32])
}

fn complete(id: PayoutId, name: &str) -> DispatchResult {
    Bytechip::complete_payout(treasurer(), id, reference(name))
}

fn free(number: u8) -> Amount {
    Balances::balance(&account(number))
}

fn held(number: u8) -> Amount {
    Balances::balance_on_hold(&HoldReason::Payout.into(), &account(number))
}

fn last_event() -> RuntimeEvent {
    System::events().pop().unwrap().event
}

#[test]
fn a_chain_starts_with_its_rate_and_knows_what_existed_then() {
    on_new_chain(|| {
        assert_eq!(Bytechip::bytechips_per_dollar(), 200);
        assert_eq!(Bytechip::genesis_issuance(), 3 * ENDOWMENT);
        assert_eq!(
            (Bytechip::minted(), Bytechip::burnt(), Bytechip::held()),
            (0, 0, 0)
        );
    });
}

#[test]
#[should_panic(expected = "no ByteChips for a dollar")]
fn a_genesis_without_a_rate_is_refused() {
    use sp_runtime::BuildStorage;
    let bytechip = GenesisConfig {
        bytechips_per_dollar: 0,
        ..Default::default()
    };
    let _ = RuntimeGenesisConfig {
        bytechip,
        ..Default::default()
    }
    .build_storage();
}

#[test]
fn a_purchase_mints_at_the_rate_even_to_a_new_account() {
    on_new_chain(|| {
        System::set_block_number(7);
        assert_ok!(buy(9, 1_050, "wire 1"));
        let amount = 2_100 * BYTECHIP;
        assert_eq!(free(9), amount);
        assert_eq!(Bytechip::minted(), amount);
        let purchase = Purchase {
            buyer: account(9),
            cents: 1_050,
            amount,
            recorded_at: 7,
        };
        assert_eq!(Purchases::<Test>::get(reference("wire 1")), Some(purchase));
        let (reference, buyer) = (reference("wire 1"), account(9));
        let event = Event::PurchaseRecorded {
            reference,
            buyer,
            cents: 1_050,
            amount,
        };
        assert_eq!(last_event(), event.into());
    });
}

#[test]
fn a_second_purchase_with_one_reference_is_refused() {
    on_new_chain(|| {
        assert_ok!(buy(1, 100, "wire 1"));
        assert_noop!(buy(1, 100, "wire 1"), Error::<Test>::ReferenceAlreadyUsed);
        assert_noop!(buy(2, 500, "wire 1"), Error::<Test>::ReferenceAlreadyUsed);
        assert_ok!(buy(1, 100, "wire 2"));
        assert_eq!(free(1), ENDOWMENT + 400 * BYTECHIP);
    });
}

#[test]
fn a_purchase_of_nothing_or_without_a_reference_is_refused() {
    on_new_chain(|| {
        assert_noop!(buy(1, 0, "wire 1"), Error::<Test>::ZeroAmount);
        assert_noop!(buy(1, 100, ""), Error::<Test>::EmptyReference);
    });
}

#[test]
fn a_purchase_beyond_what_the_ledger_can_count_is_refused() {
    on_new_chain(|| {
        Minted::<Test>::put(Amount::MAX);
        assert_noop!(buy(1, 1, "wire 1"), ArithmeticError::Overflow);
        Minted::<Test>::put(0);
        let _rest = Balances::issue(Amount::MAX - 3 * ENDOWMENT);
        assert_noop!(buy(1, 1, "wire 1"), ArithmeticError::Overflow);
    });
}

#[test]
fn only_the_treasurer_moves_money_in_and_out() {
    on_new_chain(|| {
        assert_ok!(request(1, BYTECHIP));
        for origin in [signed(1), council(), RuntimeOrigin::none()] {
            let refused = match origin.clone().into() {
                Ok(frame_system::RawOrigin::Signed(_)) => Error::<Test>::NotTreasurer.into(),
                _ => DispatchError::BadOrigin,
            };
            let wire = reference("wire 1");
            let bought = || Bytechip::record_purchase(origin.clone(), wire.clone(), account(1), 1);
            assert_noop!(bought(), refused);
            assert_noop!(
                Bytechip::complete_payout(origin.clone(), 0, wire.clone()),
                refused
            );
            assert_noop!(Bytechip::return_payout(origin.clone(), 0), refused);
        }
    });
}

#[test]
fn without_a_treasurer_nobody_can_buy() {
    on_new_chain(|| {
        Treasurer::<Test>::kill();
        assert_noop!(buy(1, 100, "wire 1"), Error::<Test>::NotTreasurer);
    });
}

#[test]
fn the_council_names_a_treasurer_in_place_of_the_one_before() {
    on_new_chain(|| {
        assert_noop!(
            Bytechip::set_treasurer(treasurer(), account(2)),
            DispatchError::BadOrigin
        );
        assert_ok!(Bytechip::set_treasurer(council(), account(2)));
        assert_eq!(
            last_event(),
            Event::TreasurerNamed {
                treasurer: account(2)
            }
            .into()
        );
        assert_noop!(buy(1, 100, "wire 1"), Error::<Test>::NotTreasurer);
        assert_ok!(Bytechip::record_purchase(
            signed(2),
            reference("wire 1"),
            account(1),
            100
        ));
    });
}

#[test]
fn a_new_rate_holds_for_later_purchases_only() {
    on_new_chain(|| {
        assert_ok!(buy(9, 100, "wire 1"));
        assert_noop!(
            Bytechip::set_rate(treasurer(), 100),
            DispatchError::BadOrigin
        );
        assert_noop!(Bytechip::set_rate(council(), 0), Error::<Test>::ZeroRate);
        assert_ok!(Bytechip::set_rate(council(), 100));
        assert_eq!(
            last_event(),
            Event::RateSet {
                bytechips_per_dollar: 100
            }
            .into()
        );
        assert_ok!(buy(9, 100, "wire 2"));
        assert_eq!(free(9), 300 * BYTECHIP);
    });
}

#[test]
fn a_requested_payout_is_held_until_it_is_answered() {
    on_new_chain(|| {
        System::set_block_number(7);
        let amount = 5 * BYTECHIP;
        assert_ok!(request(1, amount));
        let destination = destination(1);
        let account = account(1);
        let event = Event::PayoutRequested {
            id: 0,
            account: account.clone(),
            amount,
            destination,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!((free(1), held(1)), (ENDOWMENT - amount, amount));
        assert_eq!(Bytechip::held(), amount);
        let payout = Payout {
            account: account.clone(),
            amount,
            destination,
            requested_at: 7,
        };
        assert_eq!(Bytechip::payouts_of(&account), [(0, payout)]);
    });
}

#[test]
fn a_completed_payout_is_burnt_and_on_record() {
    on_new_chain(|| {
        let amount = 5 * BYTECHIP;
        assert_ok!(request(1, amount));
        assert_ok!(request(2, BYTECHIP));
        System::set_block_number(9);
        assert_ok!(complete(0, "wire 1"));
        let event = Event::PayoutCompleted {
            id: 0,
            account: account(1),
            amount,
            reference: reference("wire 1"),
        };
        assert_eq!(last_event(), event.into());
        assert_eq!((free(1), held(1)), (ENDOWMENT - amount, 0));
        assert_eq!((Bytechip::burnt(), Bytechip::held()), (amount, BYTECHIP));
        assert_eq!(Balances::total_issuance(), 3 * ENDOWMENT - amount);
        assert_eq!(Bytechip::payouts_of(&account(1)), []);
        let transfer = Transfers::<Test>::get(reference("wire 1")).unwrap();
        assert_eq!(
            (transfer.id, transfer.payout.amount, transfer.completed_at),
            (0, amount, 9)
        );
    });
}

#[test]
fn a_returned_payout_is_free_again() {
    on_new_chain(|| {
        assert_ok!(request(1, BYTECHIP));
        assert_ok!(Bytechip::return_payout(treasurer(), 0));
        let event = Event::PayoutReturned {
            id: 0,
            account: account(1),
            amount: BYTECHIP,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!((free(1), held(1), Bytechip::held()), (ENDOWMENT, 0, 0));
        assert_eq!(Balances::total_issuance(), 3 * ENDOWMENT);
    });
}

#[test]
fn a_payout_is_answered_once() {
    on_new_chain(|| {
        assert_ok!(request(1, BYTECHIP));
        assert_ok!(request(1, BYTECHIP));
        assert_ok!(complete(0, "wire 1"));
        assert_ok!(Bytechip::return_payout(treasurer(), 1));
        for id in 0..3 {
            assert_noop!(complete(id, "wire 2"), Error::<Test>::PayoutNotOpen);
            assert_noop!(
                Bytechip::return_payout(treasurer(), id),
                Error::<Test>::PayoutNotOpen
            );
        }
    });
}

#[test]
fn one_transfer_never_stands_for_two_payouts() {
    on_new_chain(|| {
        assert_ok!(request(1, BYTECHIP));
        assert_ok!(request(2, BYTECHIP));
        assert_noop!(complete(0, ""), Error::<Test>::EmptyReference);
        assert_ok!(complete(0, "wire 1"));
        assert_noop!(complete(1, "wire 1"), Error::<Test>::ReferenceAlreadyUsed);
        assert_ok!(complete(1, "wire 2"));
    });
}

#[test]
fn a_payment_in_and_a_transfer_out_may_share_a_reference() {
    on_new_chain(|| {
        assert_ok!(buy(1, 100, "0001"));
        assert_ok!(request(1, BYTECHIP));
        assert_ok!(complete(0, "0001"));
    });
}

#[test]
fn a_payout_of_nothing_or_of_more_than_is_free_is_refused() {
    on_new_chain(|| {
        assert_noop!(request(1, 0), Error::<Test>::ZeroAmount);
        assert_noop!(request(1, ENDOWMENT), TokenError::FundsUnavailable);
        assert_noop!(request(9, 1), TokenError::FundsUnavailable);
        assert_noop!(request(1, Amount::MAX), TokenError::FundsUnavailable);
        assert_ok!(request(1, ENDOWMENT - 1));
        assert_noop!(request(1, 1), TokenError::FundsUnavailable);
    });
}

#[test]
fn an_account_has_only_so_many_open_payouts() {
    on_new_chain(|| {
        for _ in 0..OPEN_PAYOUTS_PER_ACCOUNT_MAX {
            assert_ok!(request(1, 1));
        }
        assert_noop!(request(1, 1), Error::<Test>::TooManyOpenPayouts);
        assert_ok!(request(2, 1));
        assert_ok!(Bytechip::return_payout(treasurer(), 3));
        assert_ok!(request(1, 1));
    });
}

#[test]
fn a_frozen_account_does_not_keep_what_it_was_paid_for() {
    use frame_support::traits::{LockableCurrency, WithdrawReasons};
    on_new_chain(|| {
        assert_ok!(request(1, ENDOWMENT / 2));
        Balances::set_lock(*b"testlock", &account(1), ENDOWMENT, WithdrawReasons::all());
        assert_ok!(complete(0, "wire 1"));
        assert_eq!(held(1), 0);
    });
}

#[test]
fn fees_that_nobody_gets_are_burnt_and_counted() {
    use frame_support::traits::tokens::Preservation;
    on_new_chain(|| {
        let fee = Balances::withdraw(
            &account(1),
            BYTECHIP,
            Precision::Exact,
            Preservation::Preserve,
            Fortitude::Polite,
        );
        Bytechip::on_unbalanced(fee.unwrap());
        assert_eq!(Bytechip::burnt(), BYTECHIP);
        assert_eq!(Balances::total_issuance(), 3 * ENDOWMENT - BYTECHIP);
    });
}

#[test]
fn what_others_burn_of_lost_bonds_is_counted() {
    use frame_support::traits::{fungible::Mutate, tokens::Preservation};
    on_new_chain(|| {
        assert_ok!(Balances::burn_from(
            &account(1),
            BYTECHIP,
            Preservation::Preserve,
            Precision::Exact,
            Fortitude::Polite,
        ));
        assert!(Bytechip::do_try_state().is_err());
        assert_ok!(Bytechip::count_burnt(BYTECHIP));
        assert_eq!(Bytechip::burnt(), BYTECHIP);
        assert_noop!(
            Bytechip::count_burnt(Amount::MAX),
            ArithmeticError::Overflow
        );
    });
}
