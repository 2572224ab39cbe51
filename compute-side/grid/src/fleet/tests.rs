//! What the ranking makes of devices as they come and go.

use super::*;
use quern_primitives::device::Class;

fn device(n: u8) -> DeviceId {
    DeviceId([n; 32])
}

fn account(n: u8) -> AccountId {
    AccountId::new([n; 32])
}

fn profile() -> Profile {
    Profile {
        classes: vec![Class::Pinned],
        ..Profile::default()
    }
}

fn rate(rate: f64) -> Readings {
    Readings {
        processor_rate: Some(rate),
        ..Readings::default()
    }
}

/// Devices 1 to n of accounts 1 to n, each faster than the one before.
fn fleet(n: u8) -> Fleet {
    let mut fleet = Fleet::new(FleetSettings::default());
    for it in 1..=n {
        let number = fleet.admit(device(it), &account(it), &profile()).unwrap();
        fleet.update(number, Tick(0), &rate(1_000_000.0 * f64::from(it)));
    }
    fleet.rank(Tick(0));
    fleet
}

fn order(fleet: &Fleet) -> Vec<u8> {
    let name = |number: &u32| fleet.device(*number).unwrap().0[0];
    fleet.ranking().devices().iter().map(name).collect()
}

#[test]
fn faster_devices_stand_higher_and_equal_ones_by_their_id() {
    assert_eq!(order(&fleet(3)), [3, 2, 1]);
    let mut equal = Fleet::default();
    for n in [5, 1, 9, 3] {
        equal.admit(device(n), &account(n), &profile()).unwrap();
    }
    equal.rank(Tick(0));
    assert_eq!(order(&equal), [1, 3, 5, 9]);
}

#[test]
fn a_flagged_device_is_not_ranked_until_its_flag_is_lowered() {
    let mut fleet = fleet(3);
    let number = fleet.number(&device(2)).unwrap();
    fleet.set_flags(number, [(Flag::Disconnected, true)]);
    fleet.rank(Tick(1));
    assert_eq!(order(&fleet), [3, 1]);
    assert_eq!(fleet.report(number, Tick(1)).unwrap().byte_rank, 0);
    assert_eq!(fleet.in_hand_max(number, Tick(1)), 0);
    fleet.set_flags(number, [(Flag::Disconnected, false)]);
    fleet.rank(Tick(2));
    assert_eq!(fleet.report(number, Tick(2)).unwrap().byte_rank, 2);
}

#[test]
fn a_device_that_waits_after_faults_is_ranked_again_when_its_time_is_over() {
    let mut fleet = fleet(2);
    let number = fleet.number(&device(2)).unwrap();
    (0..3).for_each(|_| fleet.note(number, Tick(0), Ending::FAILED));
    fleet.rank(Tick(599_999));
    assert_eq!(order(&fleet), [1]);
    assert!(fleet.flags(number, Tick(599_999)).has(Flag::Waiting));
    fleet.rank(Tick(600_000));
    assert_eq!(order(&fleet).len(), 2);
    assert_eq!(fleet.in_hand_max(number, Tick(600_000)), 1);
}

#[test]
fn a_review_brings_back_a_device_with_repeated_failures() {
    let mut fleet = fleet(2);
    let number = fleet.number(&device(2)).unwrap();
    (0..11).for_each(|_| fleet.note(number, Tick(0), Ending::INCORRECT));
    fleet.rank(Tick(u64::MAX));
    assert_eq!(order(&fleet), [1]);
    fleet.review(number);
    fleet.rank(Tick(u64::MAX));
    assert_eq!(order(&fleet), [2, 1]);
}

#[test]
fn a_winner_of_the_lottery_stands_higher_for_a_day() {
    let mut fleet = fleet(200);
    let draw = Draw {
        seed: [1; 32],
        day: 1,
    };
    let winners = fleet.draw_lottery(Tick(0), &draw, |_| 12.0);
    assert!(
        !winners.is_empty() && winners.len() < 30,
        "{}",
        winners.len()
    );
    fleet.rank(Tick(0));
    let before = 200 - usize::from(winners[0].0[0]);
    let place = |fleet: &Fleet| {
        let found = order(fleet).iter().position(|n| *n == winners[0].0[0]);
        found.unwrap()
    };
    assert!(place(&fleet) < before || before == 0);
    fleet.rank(Tick(WON_FOR_MS));
    assert_eq!(place(&fleet), before);
}

#[test]
fn a_forgotten_device_leaves_its_number_and_nothing_else() {
    let mut fleet = fleet(3);
    let number = fleet.number(&device(2)).unwrap();
    fleet.note(number, Tick(0), Ending::FAILED);
    fleet.forget(&device(2));
    fleet.rank(Tick(0));
    assert_eq!(order(&fleet), [3, 1]);
    assert_eq!((fleet.len(), fleet.accounts()), (2, 2));
    let again = fleet.admit(device(7), &account(1), &profile()).unwrap();
    assert_eq!(again, number);
    let report = fleet.report(again, Tick(0)).unwrap();
    assert_eq!(report.fault_rate, FaultRate::default());
    assert_eq!(report.score.points(), 750.0);
    assert_eq!((fleet.len(), fleet.accounts()), (3, 2));
    fleet.rank(Tick(0));
    assert_eq!(order(&fleet).len(), 3);
}

#[test]
fn an_account_keeps_its_number_while_it_has_no_device() {
    let mut fleet = fleet(2);
    let of = |fleet: &Fleet, n: u8| fleet.account(fleet.number(&device(n)).unwrap()).unwrap().0;
    let before = of(&fleet, 1);
    fleet.forget(&device(1));
    fleet.admit(device(7), &account(7), &profile()).unwrap();
    assert_ne!(of(&fleet, 7), before);
    fleet.admit(device(8), &account(1), &profile()).unwrap();
    assert_eq!(of(&fleet, 8), before);
}

#[test]
fn a_device_that_changes_hands_is_its_new_account_s() {
    let mut fleet = fleet(2);
    let number = fleet.number(&device(1)).unwrap();
    fleet.admit(device(1), &account(9), &profile()).unwrap();
    assert_eq!(fleet.account(number).unwrap().1, &account(9));
    assert_eq!(fleet.accounts(), 2);
}
