use super::*;

#[test]
fn a_bond_is_held_in_the_workers_account_and_grows() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_eq!(
            last_event(),
            Event::Bonded {
                account: account(1),
                amount: MIN_BOND
            }
            .into()
        );
        assert_ok!(bond(1, 5));
        assert_eq!((free(1), held(1)), (ENDOWMENT - MIN_BOND - 5, MIN_BOND + 5));
        assert_eq!(
            Workforce::bond_of(&account(1)).unwrap().active,
            MIN_BOND + 5
        );
        assert_eq!(Workforce::total_bonded(), MIN_BOND + 5);
    });
}

#[test]
fn a_bond_of_nothing_or_of_more_than_is_free_is_refused() {
    on_new_chain(|| {
        assert_noop!(bond(1, 0), Error::<Test>::ZeroAmount);
        assert_noop!(bond(1, ENDOWMENT), TokenError::FundsUnavailable);
        assert_noop!(bond(1, Amount::MAX), TokenError::FundsUnavailable);
        assert_noop!(bond(9, 1), TokenError::FundsUnavailable);
    });
}

#[test]
fn an_account_is_bonded_when_its_bond_covers_its_devices_and_at_least_one() {
    on_new_chain(|| {
        assert!(!Workforce::is_bonded(&account(1)));
        assert_ok!(bond(1, MIN_BOND - 1));
        assert!(!Workforce::is_bonded(&account(1)));
        assert_ok!(bond(1, 1));
        assert!(Workforce::is_bonded(&account(1)));
        assert_ok!(register(1, 1));
        assert!(Workforce::is_bonded(&account(1)));
    });
}

#[test]
fn who_has_bonded_too_little_when_more_is_demanded_keeps_the_devices_and_is_not_bonded() {
    on_new_chain(|| {
        assert_ok!(bond(1, 2 * MIN_BOND));
        assert_ok!(register(1, 1));
        assert_ok!(register(1, 2));
        MinBond::set(&(3 * MIN_BOND));
        assert!(!Workforce::is_bonded(&account(1)));
        assert_noop!(register(1, 3), Error::<Test>::BondTooSmall);
        assert_noop!(unbond(1, 1), Error::<Test>::BondNeeded);
        // What covers a device leaves with it.
        assert_ok!(retire(1, 2));
        assert_eq!(Workforce::bond_of(&account(1)).unwrap().active, MIN_BOND);
        assert_ok!(bond(1, 2 * MIN_BOND));
        assert!(Workforce::is_bonded(&account(1)));
        // And where less is demanded, the rest can be taken out.
        MinBond::set(&MIN_BOND);
        assert_ok!(unbond(1, 2 * MIN_BOND));
    });
}

#[test]
fn an_unbonded_amount_stays_held_for_the_delay_and_is_then_withdrawn() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_noop!(withdraw(1), Error::<Test>::NothingToWithdraw);
        assert_ok!(unbond(1, MIN_BOND));
        let withdrawable_at = 1 + DELAY;
        let account = account(1);
        let event = Event::Unbonded {
            account: account.clone(),
            amount: MIN_BOND,
            withdrawable_at,
        };
        assert_eq!(last_event(), event.into());
        assert!(!Workforce::is_bonded(&account));
        System::set_block_number(withdrawable_at - 1);
        assert_noop!(withdraw(1), Error::<Test>::NothingToWithdraw);
        assert_eq!(held(1), MIN_BOND);
        System::set_block_number(withdrawable_at);
        assert_ok!(withdraw(1));
        let event = Event::UnbondedWithdrawn {
            account: account.clone(),
            amount: MIN_BOND,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(
            (free(1), held(1), Workforce::total_bonded()),
            (ENDOWMENT, 0, 0)
        );
        assert_eq!(Workforce::bond_of(&account), None);
    });
}

#[test]
fn withdrawing_leaves_what_is_not_due_yet() {
    on_new_chain(|| {
        assert_ok!(bond(1, 100));
        assert_ok!(unbond(1, 10));
        System::set_block_number(5);
        assert_ok!(unbond(1, 20));
        System::set_block_number(1 + DELAY);
        assert_ok!(withdraw(1));
        assert_eq!(held(1), 90);
        assert_noop!(withdraw(1), Error::<Test>::NothingToWithdraw);
        System::set_block_number(5 + DELAY);
        assert_ok!(withdraw(1));
        assert_eq!(held(1), 70);
    });
}

#[test]
fn amounts_unbonded_in_one_block_wait_together() {
    on_new_chain(|| {
        assert_ok!(bond(1, 1_000));
        for _ in 0..2 * UNBONDINGS_PER_ACCOUNT_MAX {
            assert_ok!(unbond(1, 1));
        }
        let unbonding = Workforce::bond_of(&account(1)).unwrap().unbonding;
        let together = Unbonding {
            amount: 64,
            withdrawable_at: 1 + DELAY,
        };
        assert_eq!(unbonding.into_inner(), [together]);
    });
}

#[test]
fn only_so_many_amounts_wait_at_once() {
    on_new_chain(|| {
        assert_ok!(bond(1, 1_000));
        // Some are due by the last block; each keeps its place until it is withdrawn.
        for block in 1..=UNBONDINGS_PER_ACCOUNT_MAX {
            System::set_block_number(block);
            assert_ok!(unbond(1, 1));
        }
        System::set_block_number(UNBONDINGS_PER_ACCOUNT_MAX + 1);
        assert_noop!(unbond(1, 1), Error::<Test>::TooManyUnbondings);
        assert_ok!(withdraw(1));
        assert_ok!(unbond(1, 1));
    });
}

#[test]
fn nobody_unbonds_nothing_or_more_than_is_bonded() {
    on_new_chain(|| {
        assert_noop!(unbond(1, 1), Error::<Test>::MoreThanBonded);
        assert_ok!(bond(1, 100));
        assert_noop!(unbond(1, 0), Error::<Test>::ZeroAmount);
        assert_noop!(unbond(1, 101), Error::<Test>::MoreThanBonded);
        assert_ok!(unbond(1, 60));
        assert_noop!(unbond(1, 41), Error::<Test>::MoreThanBonded);
    });
}

#[test]
fn the_bond_that_devices_need_cannot_be_unbonded() {
    on_new_chain(|| {
        assert_ok!(bond(1, 2 * MIN_BOND + 7));
        assert_ok!(register(1, 1));
        assert_ok!(register(1, 2));
        assert_noop!(unbond(1, 8), Error::<Test>::BondNeeded);
        assert_ok!(unbond(1, 7));
        assert_noop!(unbond(1, 1), Error::<Test>::BondNeeded);
        // A device that goes takes its share with it; the other one's stays needed.
        assert_ok!(retire(1, 1));
        assert_noop!(unbond(1, 1), Error::<Test>::BondNeeded);
    });
}

#[test]
fn what_is_unbonding_covers_no_device() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(unbond(1, 1));
        assert_noop!(register(1, 1), Error::<Test>::BondTooSmall);
        assert_ok!(bond(1, 1));
        assert_ok!(register(1, 1));
    });
}
