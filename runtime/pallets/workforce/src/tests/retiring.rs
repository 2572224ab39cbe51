//! Leaving: with what is bonded, and without what went wrong.

use super::*;
use quern_primitives::limits::REVIEW_PERIOD_BLOCKS as WEEK;

fn tasks(accepted: u32, failed: u32) -> RecordChange {
    RecordChange {
        accepted,
        failed,
        ..Default::default()
    }
}

/// Bonds for a device, registers it, and has so many of its tasks fail.
fn faulty(owner: u8, device: u8, failed: u32) {
    assert_ok!(bond(owner, MIN_BOND));
    assert_ok!(register(owner, device));
    Workforce::apply_record_change(&id(device), Class::Pinned, &tasks(0, failed));
}

fn device(device: u8) -> Device {
    Workforce::device(&id(device)).unwrap()
}

/// What waits, and the first block in which it can be withdrawn.
fn unbonding(owner: u8) -> Vec<(Amount, u32)> {
    let bond = Workforce::bond_of(&account(owner)).unwrap();
    bond.unbonding
        .iter()
        .map(|part| (part.amount, part.withdrawable_at))
        .collect()
}

#[test]
fn a_device_that_is_retired_takes_an_equal_share_of_the_bond_with_it() {
    on_new_chain(|| {
        assert_ok!(bond(1, 3 * MIN_BOND + 1));
        assert_ok!(register(1, 1));
        assert_ok!(register(1, 2));
        System::reset_events();
        assert_ok!(retire(1, 1));
        let share = 3 * MIN_BOND / 2;
        assert_eq!(unbonding(1), [(share, 1 + WEEK)]);
        let bond = Workforce::bond_of(&account(1)).unwrap();
        assert_eq!((bond.active, bond.devices), (share + 1, 1));
        let events: Vec<_> = System::events().into_iter().map(|it| it.event).collect();
        let unbonded = Event::Unbonded {
            account: account(1),
            amount: share,
            withdrawable_at: 1 + WEEK,
        };
        let retired = Event::DeviceRetired {
            device: id(1),
            account: account(1),
            record: Record::default(),
        };
        let expected: [RuntimeEvent; 2] = [unbonded.into(), retired.into()];
        assert_eq!(events, expected);
        assert!(Workforce::is_bonded(&account(1)), "the other one works on");
    });
}

#[test]
fn the_bond_of_a_retired_device_covers_no_other_key_for_a_week() {
    on_new_chain(|| {
        faulty(1, 1, 10);
        assert_ok!(retire(1, 1));
        for key in [1, 2] {
            assert_noop!(register(1, key), Error::<Test>::BondTooSmall);
        }
        System::set_block_number(WEEK);
        assert_noop!(withdraw(1), Error::<Test>::NothingToWithdraw);
        System::set_block_number(1 + WEEK);
        assert_ok!(withdraw(1));
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 2));
        assert_eq!(device(2).history, History::default());
    });
}

#[test]
fn a_key_that_is_registered_again_is_in_quarantine_still_whoever_registers_it() {
    on_new_chain(|| {
        faulty(1, 1, 11);
        System::set_block_number(7);
        assert_ok!(retire(1, 1));
        for owner in [1, 2] {
            assert_ok!(bond(owner, MIN_BOND));
            assert_ok!(register(owner, 1));
            let device = device(1);
            assert!(device.is_quarantined());
            assert_eq!((device.record.failed, device.last_task), (11, 1));
            assert_ok!(retire(owner, 1));
            no_longer_answers(1);
        }
    });
}

#[test]
fn who_leaves_before_faults_are_settled_finds_them_on_coming_back() {
    on_new_chain(|| {
        faulty(1, 1, 0);
        assert_ok!(retire(1, 1));
        System::set_block_number(5);
        Workforce::apply_record_change(&id(1), Class::Pinned, &tasks(0, 11));
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        assert!(device(1).is_quarantined());
        assert_eq!(device(1).last_task, 5);
    });
}

#[test]
fn good_work_is_remembered_as_well() {
    on_new_chain(|| {
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        Workforce::apply_record_change(&id(1), Class::Pinned, &tasks(30, 0));
        assert_ok!(retire(1, 1));
        no_longer_answers(1);
        assert_ok!(bond(2, MIN_BOND));
        assert_ok!(register(2, 1));
        let Record {
            accepted,
            accepted_in_a_row,
            ..
        } = device(1).record;
        assert_eq!((accepted, accepted_in_a_row), (30, 30));
    });
}

#[test]
fn a_review_is_remembered_so_that_leaving_brings_no_second_one_within_the_week() {
    on_new_chain(|| {
        faulty(1, 1, 11);
        assert_ok!(review(1, 1));
        assert_ok!(retire(1, 1));
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        Workforce::apply_record_change(&id(1), Class::Pinned, &tasks(0, 11));
        assert_noop!(review(1, 1), Error::<Test>::ReviewedLately);
        System::set_block_number(1 + WEEK);
        assert_ok!(review(1, 1));
    });
}

#[test]
fn the_bond_of_a_device_reviewed_lately_is_free_a_week_after_the_next_review() {
    on_new_chain(|| {
        faulty(1, 1, 11);
        System::set_block_number(100);
        assert_ok!(review(1, 1));
        System::set_block_number(200);
        assert_ok!(retire(1, 1));
        assert_eq!(unbonding(1), [(MIN_BOND, 100 + 2 * WEEK)]);
        // What is unbonded meanwhile is free sooner, and before it in the list.
        assert_ok!(bond(1, 5));
        assert_ok!(unbond(1, 5));
        let expected = [(5, 200 + DELAY), (MIN_BOND, 100 + 2 * WEEK)];
        assert_eq!(unbonding(1), expected);
        Workforce::do_try_state().unwrap();
        System::set_block_number(200 + DELAY);
        assert_ok!(withdraw(1));
        assert_eq!(unbonding(1), [(MIN_BOND, 100 + 2 * WEEK)]);
    });
}

#[test]
fn the_owner_of_a_broken_machine_has_all_money_back_in_two_weeks() {
    on_new_chain(|| {
        faulty(1, 1, 11);
        assert_ok!(review(1, 1));
        Workforce::apply_record_change(&id(1), Class::Pinned, &tasks(0, 20));
        assert!(device(1).is_quarantined());
        assert_noop!(review(1, 1), Error::<Test>::ReviewedLately);
        assert_ok!(retire(1, 1));
        // Whatever is still settled keeps nothing back.
        Workforce::apply_record_change(&id(1), Class::Pinned, &tasks(0, 20));
        System::set_block_number(1 + 2 * WEEK);
        assert_ok!(withdraw(1));
        assert_eq!((free(1), held(1)), (ENDOWMENT, 0));
        assert_eq!(Workforce::bond_of(&account(1)), None);
    });
}

#[test]
fn devices_retired_in_one_block_wait_together_and_one_that_finds_no_place_stays() {
    on_new_chain(|| {
        assert_ok!(bond(1, 3 * MIN_BOND + 100));
        for device in 1..=3 {
            assert_ok!(register(1, device));
        }
        assert_ok!(retire(1, 1));
        assert_ok!(retire(1, 2));
        assert_eq!(unbonding(1).len(), 1);
        for _ in 1..UNBONDINGS_PER_ACCOUNT_MAX {
            System::set_block_number(System::block_number() + 1);
            assert_ok!(unbond(1, 1));
        }
        assert_noop!(retire(1, 3), Error::<Test>::TooManyUnbondings);
        System::set_block_number(System::block_number() + DELAY);
        assert_ok!(withdraw(1));
        assert_ok!(retire(1, 3));
    });
}

#[test]
fn who_retires_a_device_answers_for_it_as_long_as_what_covered_it_is_held() {
    on_new_chain(|| {
        faulty(1, 1, 0);
        assert_eq!(Workforce::answers_for(&id(1)), Some(account(1)));
        System::set_block_number(7);
        assert_ok!(retire(1, 1));
        assert_eq!(Workforce::answers_for(&id(1)), Some(account(1)));
        let (_, free) = unbonding(1)[0];
        System::set_block_number(free - 1);
        assert_eq!(Workforce::answers_for(&id(1)), Some(account(1)));
        let share = Workforce::slashable(&account(1));
        assert_ok!(Workforce::slash(&account(1), &id(1), 0, share, &account(9)));
        let past = Workforce::past_of(&id(1)).unwrap();
        assert_eq!(past.record.convicted, 1);
        System::set_block_number(free);
        assert_eq!(Workforce::answers_for(&id(1)), None);
        assert_eq!(Workforce::answers_for(&id(2)), None);
    });
}

#[test]
fn whoever_registers_a_device_again_answers_for_it_once_nobody_else_does() {
    on_new_chain(|| {
        faulty(1, 1, 0);
        assert_ok!(retire(1, 1));
        assert_ok!(bond(2, MIN_BOND));
        assert_noop!(register(2, 1), Error::<Test>::StillAnswered);
        let (_, free) = unbonding(1)[0];
        System::set_block_number(free - 1);
        assert_noop!(register(2, 1), Error::<Test>::StillAnswered);
        // Its own account may come back to it at any time, and is asked for a bond anew.
        assert_ok!(bond(1, MIN_BOND));
        assert_ok!(register(1, 1));
        assert_ok!(retire(1, 1));
        no_longer_answers(1);
        assert_ok!(register(2, 1));
        assert_eq!(Workforce::answers_for(&id(1)), Some(account(2)));
        assert_ok!(retire(2, 1));
        assert_eq!(Workforce::answers_for(&id(1)), Some(account(2)));
    });
}
