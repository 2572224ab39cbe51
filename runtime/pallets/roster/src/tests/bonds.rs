//! What operators put up, take back and lose.

use super::*;
use frame_support::traits::fungible::{Inspect as _, hold::Inspect as _};
use sp_runtime::{BuildStorage, TokenError};

fn held(number: u8) -> Amount {
    Balances::balance_on_hold(&HoldReason::Bond.into(), &account(number))
}

fn go_to(block: u32) {
    System::set_block_number(block);
}

#[test]
fn what_is_bonded_is_held_and_makes_a_reachable_masternode_one_that_gets_jobs() {
    with_masternodes(&[1, 2], || {
        assert_ok!(publish(1));
        assert_eq!(Roster::bonded_masternodes(), []);
        assert_ok!(Roster::bond(signed(1), MIN_BOND - 1));
        assert_eq!(Roster::bonded_masternodes(), []);
        assert_ok!(Roster::bond(signed(1), 1));
        let event = Event::Bonded {
            account: account(1),
            amount: 1,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(Roster::bonded_masternodes(), accounts(&[1]));
        assert_eq!((held(1), Roster::total_bonded()), (MIN_BOND, MIN_BOND));
        // A bond alone does not make one that can be reached.
        assert_ok!(Roster::bond(signed(2), MIN_BOND));
        assert_eq!(Roster::bonded_masternodes(), accounts(&[1]));
        assert_ok!(publish(2));
        assert_eq!(Roster::bonded_masternodes(), accounts(&[1, 2]));
    });
}

#[test]
fn an_operator_bonds_before_the_council_adds_its_masternode() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::bond(signed(2), MIN_BOND));
        assert_ok!(Roster::add_masternode(council(), account(2)));
        assert_ok!(publish(2));
        assert_eq!(Roster::bonded_masternodes(), accounts(&[2]));
    });
}

#[test]
fn who_unbonds_gets_no_more_jobs_at_once_and_its_money_after_the_delay() {
    with_masternodes(&[1], || {
        assert_ok!(publish(1));
        assert_ok!(Roster::bond(signed(1), MIN_BOND));
        assert_ok!(Roster::unbond(signed(1), 1));
        let event = Event::Unbonded {
            account: account(1),
            amount: 1,
            withdrawable_at: 1 + DELAY,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(Roster::bonded_masternodes(), []);
        assert_eq!(held(1), MIN_BOND);
        go_to(DELAY);
        assert_noop!(
            Roster::withdraw_unbonded(signed(1)),
            Error::<Test>::NothingToWithdraw
        );
        go_to(DELAY + 1);
        assert_ok!(Roster::withdraw_unbonded(signed(1)));
        assert_eq!(held(1), MIN_BOND - 1);
        assert_eq!(Roster::total_bonded(), MIN_BOND - 1);
    });
}

#[test]
fn what_is_settled_and_not_final_keeps_as_much_of_the_bond() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::bond(signed(1), MIN_BOND));
        assert_ok!(Roster::unbond(signed(1), 7));
        go_to(1 + DELAY);
        NeededOfEach::set(&(MIN_BOND - 6));
        assert_noop!(
            Roster::withdraw_unbonded(signed(1)),
            Error::<Test>::BondNeeded
        );
        assert_eq!(held(1), MIN_BOND, "all of it still answers");
        NeededOfEach::set(&(MIN_BOND - 7));
        assert_ok!(Roster::withdraw_unbonded(signed(1)));
        assert_eq!(held(1), MIN_BOND - 7);
    });
}

#[test]
fn a_removed_masternode_takes_its_bond_back_and_nothing_is_left_of_it() {
    with_masternodes(&[1, 2], || {
        assert_ok!(Roster::bond(signed(2), MIN_BOND));
        assert_ok!(Roster::remove_masternode(council(), account(2)));
        assert_ok!(Roster::unbond(signed(2), MIN_BOND));
        go_to(1 + DELAY);
        assert_ok!(Roster::withdraw_unbonded(signed(2)));
        assert_eq!(Roster::bond_of(&account(2)), None);
        assert_eq!(Balances::balance(&account(2)), ENDOWMENT);
    });
}

#[test]
fn amounts_that_nobody_has_are_refused_with_the_reason() {
    with_masternodes(&[1], || {
        assert_noop!(Roster::bond(signed(1), 0), Error::<Test>::ZeroAmount);
        assert_noop!(Roster::unbond(signed(1), 0), Error::<Test>::ZeroAmount);
        assert_noop!(
            Roster::bond(signed(1), ENDOWMENT),
            TokenError::FundsUnavailable
        );
        assert_ok!(Roster::bond(signed(1), 2));
        assert_ok!(Roster::unbond(signed(1), 1));
        assert_noop!(Roster::unbond(signed(1), 2), Error::<Test>::MoreThanBonded);
    });
}

#[test]
fn unbondings_beyond_the_limit_wait_until_others_are_withdrawn() {
    with_masternodes(&[1], || {
        MinBond::set(&1);
        assert_ok!(Roster::bond(signed(1), MIN_BOND));
        for block in 1..=UNBONDINGS_MAX {
            go_to(block);
            assert_ok!(Roster::unbond(signed(1), 1));
            // What is unbonded in one block waits together.
            assert_ok!(Roster::unbond(signed(1), 1));
        }
        go_to(UNBONDINGS_MAX + 1);
        assert_noop!(
            Roster::unbond(signed(1), 1),
            Error::<Test>::TooManyUnbondings
        );
        assert_ok!(Roster::withdraw_unbonded(signed(1)));
        assert_ok!(Roster::unbond(signed(1), 1));
    });
}

#[test]
fn a_raised_least_bond_leaves_out_who_holds_less_until_it_bonds_more() {
    with_masternodes(&[1], || {
        assert_ok!(publish(1));
        assert_ok!(Roster::bond(signed(1), MIN_BOND));
        MinBond::set(&(2 * MIN_BOND));
        assert_eq!(Roster::bonded_masternodes(), []);
        assert_ok!(Roster::bond(signed(1), MIN_BOND));
        assert_eq!(Roster::bonded_masternodes(), accounts(&[1]));
    });
}

#[test]
fn a_slash_takes_what_is_active_first_and_then_what_would_come_free_last() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::bond(signed(1), 100));
        assert_ok!(Roster::unbond(signed(1), 30));
        go_to(2);
        assert_ok!(Roster::unbond(signed(1), 20));
        let issuance = Balances::total_issuance();
        assert_eq!(Roster::slash(&account(1), 60, &account(3), 500), Ok(30));
        let event = Event::BondSlashed {
            account: account(1),
            amount: 60,
            winner: account(3),
            burnt: 30,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(Balances::balance(&account(3)), ENDOWMENT + 30);
        assert_eq!(Balances::total_issuance(), issuance - 30);
        let bond = Roster::bond_of(&account(1)).unwrap();
        assert_eq!(bond.active, 0);
        let parts: Vec<_> = bond.unbonding.iter().map(|part| part.amount).collect();
        assert_eq!(parts, [30, 10]);
        assert_eq!((held(1), Roster::total_bonded()), (40, 40));
    });
}

#[test]
fn a_slash_is_never_above_the_bond_and_leaves_the_rest_of_the_account_alone() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::bond(signed(1), 101));
        assert_ok!(Roster::unbond(signed(1), 50));
        assert_eq!(
            Roster::slash(&account(1), Amount::MAX, &account(3), 500),
            Ok(51)
        );
        assert_eq!(Roster::bond_of(&account(1)), None);
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT - 101);
        assert_eq!(Roster::slash(&account(1), 1, &account(3), 500), Ok(0));
        assert_eq!(Roster::slash(&account(7), 1, &account(3), 500), Ok(0));
    });
}

#[test]
fn a_slash_by_parts_pays_the_winner_first() {
    with_masternodes(&[1], || {
        assert_ok!(Roster::bond(signed(1), 10));
        assert_eq!(
            Roster::slash_parts(&account(1), 8, 8, &account(3)),
            Ok(2),
            "the bond has two left to burn"
        );
        assert_eq!(Balances::balance(&account(3)), ENDOWMENT + 8);
    });
}

#[test]
fn no_winners_part_is_all_burnt_and_more_than_all_of_it_is_all_of_it() {
    with_masternodes(&[1, 2], || {
        assert_ok!(Roster::bond(signed(1), 10));
        assert_ok!(Roster::bond(signed(2), 10));
        assert_eq!(Roster::slash(&account(1), 10, &account(3), 0), Ok(10));
        assert_eq!(Roster::slash(&account(2), 10, &account(3), 2_000), Ok(0));
        assert_eq!(Balances::balance(&account(3)), ENDOWMENT + 10);
    });
}

#[test]
fn the_genesis_bonds_what_it_says_for_each_masternode() {
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: vec![(account(1), ENDOWMENT), (account(2), ENDOWMENT)],
            ..Default::default()
        },
        roster: GenesisConfig {
            masternodes: accounts(&[1, 2]),
            bond: MIN_BOND,
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| {
        assert_eq!((held(1), held(2)), (MIN_BOND, MIN_BOND));
        assert!(Roster::is_bonded(&account(1)));
        assert_eq!(Roster::total_bonded(), 2 * MIN_BOND);
        Roster::do_try_state().unwrap();
    });
}

#[test]
#[should_panic(expected = "gives a masternode less than its bond")]
fn a_genesis_whose_masternodes_cannot_pay_their_bond_is_refused() {
    let config = RuntimeGenesisConfig {
        roster: GenesisConfig {
            masternodes: accounts(&[1]),
            bond: MIN_BOND,
        },
        ..Default::default()
    };
    config.build_storage().unwrap();
}
