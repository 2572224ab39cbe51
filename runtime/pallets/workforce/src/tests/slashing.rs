use super::*;
use quern_primitives::amount::BYTECHIP;
use sp_runtime::ArithmeticError;

/// Takes so much from the bond of account 1 for its device 1: to account 9, and burnt.
fn slash(paid: Amount, burnt: Amount) -> Result<Amount, DispatchError> {
    Workforce::slash(&account(1), &id(1), paid, burnt, &account(9))
}

fn bond_of_one() -> Bond<u32> {
    Workforce::bond_of(&account(1)).unwrap_or_default()
}

#[test]
fn a_slash_pays_the_winner_burns_the_rest_and_the_device_gets_nothing_more() {
    on_new_chain(|| {
        assert_ok!(bond(1, 2 * MIN_BOND));
        assert_ok!(register(1, 1));
        let issuance = Balances::total_issuance();
        assert_eq!(slash(4 * BYTECHIP, 6 * BYTECHIP), Ok(6 * BYTECHIP));
        let event = Event::BondSlashed {
            account: account(1),
            device: id(1),
            winner: account(9),
            paid: 4 * BYTECHIP,
            burnt: 6 * BYTECHIP,
        };
        assert_eq!(last_event(), event.into());
        assert_eq!(free(9), 4 * BYTECHIP);
        assert_eq!(Balances::total_issuance(), issuance - 6 * BYTECHIP);
        assert_eq!(Workforce::total_bonded(), MIN_BOND);
        let device = Workforce::device(&id(1)).unwrap();
        assert!(device.is_quarantined() && device.is_convicted());
        assert_eq!(device.record.convicted, 1);
        // The rest of the bond covers the device, which gets nothing all the same.
        assert!(Workforce::is_bonded(&account(1)));
    });
}

#[test]
fn a_slash_takes_what_is_on_its_way_out_too_and_never_more_than_there_is() {
    on_new_chain(|| {
        assert_ok!(bond(1, 3 * MIN_BOND));
        assert_ok!(register(1, 1));
        assert_ok!(unbond(1, MIN_BOND));
        System::set_block_number(2);
        assert_ok!(unbond(1, MIN_BOND));
        assert_eq!(Workforce::slashable(&account(1)), 3 * MIN_BOND);
        assert_noop!(slash(0, 3 * MIN_BOND + 1), ArithmeticError::Underflow);
        assert_noop!(slash(1, Amount::MAX), ArithmeticError::Overflow);
        // The active part first, then what would be free last.
        assert_ok!(slash(0, MIN_BOND + 1));
        let left = bond_of_one();
        let parts: Vec<_> = left.unbonding.iter().map(|part| part.amount).collect();
        assert_eq!((left.active, parts), (0, vec![MIN_BOND, MIN_BOND - 1]));
        assert_ok!(slash(2 * MIN_BOND - 1, 0));
        assert_eq!(bond_of_one().held(), Some(0));
        assert_eq!((held(1), Workforce::total_bonded()), (0, 0));
        assert!(!Workforce::is_bonded(&account(1)));
        // An account that has nothing more still has its device.
        assert_eq!(bond_of_one().devices, 1);
    });
}

#[test]
fn where_nothing_is_left_of_a_bond_a_proved_lie_convicts_all_the_same() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        assert_ok!(Workforce::fine(
            &account(1),
            &id(1),
            0,
            MIN_BOND,
            &account(9)
        ));
        assert!(!Workforce::device(&id(1)).unwrap().is_convicted());
        assert_eq!(slash(0, 0), Ok(0));
        assert!(Workforce::device(&id(1)).unwrap().is_convicted());
    });
}

#[test]
fn a_convicted_device_is_so_for_whoever_registers_it_and_no_review_helps() {
    on_new_chain(|| {
        assert_ok!(bond(1, 2 * MIN_BOND));
        assert_ok!(bond(2, MIN_BOND));
        assert_ok!(register(1, 1));
        assert_ok!(retire(1, 1));
        assert_ok!(slash(0, MIN_BOND));
        no_longer_answers(1);
        assert_ok!(register(2, 1));
        let is_convicted = || Workforce::device(&id(1)).unwrap().is_convicted();
        assert!(is_convicted());
        assert_noop!(
            Workforce::review(signed(2), id(1)),
            Error::<Test>::DeviceConvicted
        );
        assert_ok!(Workforce::review(RuntimeOrigin::root(), id(1)));
        assert!(is_convicted());
    });
}

#[test]
fn a_fine_takes_as_much_and_convicts_nobody() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        let issued = Balances::total_issuance();
        let fined = Workforce::fine(&account(1), &id(1), 1, MIN_BOND - 1, &account(9));
        assert_eq!(fined, Ok(MIN_BOND - 1));
        assert_eq!(Workforce::slashable(&account(1)), 0);
        let device = Workforce::device(&id(1)).unwrap();
        assert!(!device.is_convicted());
        assert_eq!(free(9), 1);
        assert_eq!(Workforce::total_bonded(), 0);
        assert_eq!(Balances::total_issuance(), issued - (MIN_BOND - 1));
    });
}
