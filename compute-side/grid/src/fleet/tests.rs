//! What the ranking makes of devices as they come and go.

mod model;

use super::*;
use crate::{TaskBytes, Tuning, needs::Needs};
use proptest::prelude::*;
use quern_primitives::{
    device::{Class, History},
    job::ByteLevel,
};

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
    let name = |number: u32| fleet.device(number).unwrap().0[0];
    fleet.ranking().devices().map(name).collect()
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
fn faults_in_a_row_that_the_chain_never_counted_keep_nobody_out_once_that_is_told() {
    let mut fleet = fleet(2);
    let number = fleet.number(&device(2)).unwrap();
    (0..3).for_each(|_| fleet.note(number, Tick(0), Ending::FAILED));
    fleet.rank(Tick(0));
    assert_eq!(order(&fleet), [1]);
    let told = fleet.faults(number).unwrap();
    let told = told.corrected(Tick(0), &History::default());
    fleet.restore_faults(number, Tick(0), told);
    fleet.rank(Tick(0));
    assert_eq!(order(&fleet), [2, 1]);
    assert_eq!(fleet.in_hand_max(number, Tick(0)), 2);
}

#[test]
fn a_device_that_had_three_faults_in_a_row_elsewhere_waits_from_its_coming_on() {
    let mut fleet = fleet(2);
    let number = fleet.number(&device(2)).unwrap();
    let now = Tick(7_000);
    let three = History {
        failed: 0b111,
        ..History::default()
    };
    fleet.restore_faults(number, now, Faults::restored(now, &three));
    fleet.rank(now);
    assert_eq!(order(&fleet), [1]);
    assert!(fleet.flags(number, now).has(Flag::Waiting));
    let later = now.plus_ms(600_000);
    fleet.rank(later);
    assert_eq!(order(&fleet).len(), 2);
    assert_eq!(fleet.in_hand_max(number, later), 1);
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
fn a_review_is_news_once_and_what_was_first_told_of_it_is_none() {
    let mut fleet = fleet(1);
    let number = fleet.number(&device(1)).unwrap();
    let faulty = |fleet: &Fleet| fleet.faults(number).unwrap().faulty_tasks();
    fleet.note(number, Tick(0), Ending::FAILED);
    assert!(!fleet.reviewed(number, 30));
    assert!(!fleet.reviewed(number, 30) && !fleet.reviewed(number, 20));
    assert_eq!(faulty(&fleet), 1);
    assert!(fleet.reviewed(number, 31));
    assert_eq!(faulty(&fleet), 0);
    assert!(!fleet.reviewed(number, 31) && !fleet.reviewed(number + 1, 99));
    // Another device has its number.
    fleet.forget(&device(1));
    assert_eq!(fleet.admit(device(2), &account(2), &profile()), Ok(number));
    assert!(!fleet.reviewed(number, 99));
}

#[test]
fn a_winner_of_the_lottery_stands_higher_until_others_win() {
    let mut fleet = fleet(200);
    let place = |fleet: &Fleet, n: u8| order(fleet).iter().position(|it| *it == n);
    assert_eq!(place(&fleet, 10), Some(190));
    fleet.lift([device(10), device(201)].into());
    fleet.rank(Tick(0));
    assert_eq!(place(&fleet, 10), Some(90));
    let number = fleet.number(&device(10)).unwrap();
    assert!(fleet.report(number, Tick(0)).unwrap().is_lifted);
    fleet.lift(BTreeSet::new());
    fleet.rank(Tick(1));
    assert_eq!(place(&fleet, 10), Some(190));
}

#[test]
fn a_winner_that_comes_later_stands_higher_as_well() {
    let mut fleet = fleet(200);
    fleet.lift([device(0)].into());
    let number = fleet.admit(device(0), &account(0), &profile()).unwrap();
    fleet.update(number, Tick(0), &rate(500_000.0));
    fleet.rank(Tick(0));
    assert_eq!(fleet.rank_of(number), Some(100));
    fleet.forget(&device(0));
    let again = fleet.admit(device(0), &account(0), &profile()).unwrap();
    assert!(fleet.report(again, Tick(0)).unwrap().is_lifted);
    fleet.forget(&device(0));
    let other = fleet.admit(device(201), &account(0), &profile()).unwrap();
    assert_eq!(other, again, "the number is used again");
    assert!(!fleet.report(other, Tick(0)).unwrap().is_lifted);
}

/// Room for so many devices, and so many in it.
fn room_for(devices_max: usize, devices: u8) -> Fleet {
    let mut fleet = Fleet::new(FleetSettings {
        devices_max,
        ..FleetSettings::default()
    });
    for n in 1..=devices {
        fleet.admit(device(n), &account(n), &profile()).unwrap();
    }
    fleet
}

fn disconnect(fleet: &mut Fleet, n: u8, is_away: bool) {
    let number = fleet.number(&device(n)).unwrap();
    fleet.set_flags(number, [(Flag::Disconnected, is_away)]);
}

#[test]
fn where_there_is_no_room_the_device_goes_that_is_away_longest() {
    let mut fleet = room_for(3, 3);
    assert!(fleet.admit(device(4), &account(4), &profile()).is_err());
    assert_eq!(fleet.in_the_way_of(&device(4)), None, "all are connected");
    disconnect(&mut fleet, 2, true);
    disconnect(&mut fleet, 1, true);
    // Said again, it is no later departure.
    disconnect(&mut fleet, 2, true);
    assert_eq!(fleet.in_the_way_of(&device(4)), Some(device(2)));
    assert_eq!(fleet.in_the_way_of(&device(3)), None, "it is known");
    disconnect(&mut fleet, 2, false);
    assert_eq!(fleet.in_the_way_of(&device(4)), Some(device(1)));
    fleet.forget(&device(1));
    assert_eq!(fleet.in_the_way_of(&device(4)), None, "there is room");
    fleet.admit(device(4), &account(4), &profile()).unwrap();
    assert_eq!(
        fleet.in_the_way_of(&device(5)),
        None,
        "its place is not away"
    );
    assert_eq!(fleet.len(), 3);
}

#[test]
fn of_all_2_to_the_32_devices_that_may_be_claimed_none_is_taken_in_without_room_and_the_known_stay()
{
    let mut fleet = room_for(3, 3);
    for n in 1..=3 {
        let number = fleet.number(&device(n)).unwrap();
        fleet.update(number, Tick(0), &rate(1_000_000.0 * f64::from(n)));
    }
    fleet.rank(Tick(0));
    // One in four million of them.
    for claimed in (0..=u32::MAX).step_by(1 << 22) {
        let mut id = DeviceId([200; 32]);
        id.0[..4].copy_from_slice(&claimed.to_be_bytes());
        let account = AccountId::new(id.0);
        assert_eq!(fleet.admit(id, &account, &profile()), Err(FleetFull));
        assert_eq!(fleet.recall(id, &account), Err(FleetFull));
        assert_eq!((fleet.number(&id), fleet.in_the_way_of(&id)), (None, None));
    }
    fleet.rank(Tick(1));
    assert_eq!(order(&fleet), [3, 2, 1]);
    assert_eq!((fleet.len(), fleet.accounts()), (3, 3));
    assert!(FleetFull.to_string().contains("try another masternode"));
    let without_limit = FleetSettings {
        devices_max: usize::MAX,
        ..FleetSettings::default()
    };
    assert_eq!(Fleet::new(without_limit).room(), DEVICES_MAX);
}

#[test]
fn a_device_of_which_only_a_log_knows_is_away_since_it_was_read() {
    let mut fleet = room_for(2, 0);
    fleet.recall(device(1), &account(1)).unwrap();
    fleet.recall(device(2), &account(2)).unwrap();
    assert_eq!(fleet.in_the_way_of(&device(3)), Some(device(1)));
    assert!(fleet.recall(device(3), &account(3)).is_err());
}

proptest! {
    /// Against a list of who is away, in order.
    #[test]
    fn devices_that_come_and_go_are_known_within_the_limit_and_leave_in_their_order(
        steps in prop::collection::vec((0u8..12, 0u8..3), 1..200)
    ) {
        let (mut fleet, mut away) = (room_for(5, 0), Vec::new());
        for (n, what) in steps {
            let is_known = fleet.number(&device(n)).is_some();
            match what {
                0 => {
                    let gone = fleet.in_the_way_of(&device(n));
                    let is_full = !is_known && fleet.len() == 5;
                    prop_assert_eq!(gone, away.first().copied().filter(|_| is_full).map(device));
                    if let Some(gone) = gone {
                        fleet.forget(&gone);
                        away.remove(0);
                    }
                    // No queue knows any of them.
                    if let Some(accounts) = fleet.accounts_in_the_way() {
                        fleet.forget_accounts(&accounts);
                    }
                    let admitted = fleet.admit(device(n), &account(n), &profile());
                    prop_assert_eq!(admitted.is_err(), is_full && gone.is_none());
                    if admitted.is_ok() {
                        disconnect(&mut fleet, n, false);
                        away.retain(|it| *it != n);
                    }
                }
                1 if is_known => {
                    disconnect(&mut fleet, n, true);
                    if !away.contains(&n) {
                        away.push(n);
                    }
                }
                2 => {
                    fleet.forget(&device(n));
                    away.retain(|it| *it != n);
                }
                _ => {}
            }
            prop_assert!(fleet.len() <= 5);
        }
    }
}

#[test]
fn a_device_that_owes_a_benchmark_is_slow_until_it_has_answered_one() {
    let mut fleet = fleet(20);
    let fast = fleet.number(&device(20)).unwrap();
    let points = |fleet: &Fleet| fleet.processor(&device(20)).points();
    assert_eq!((fleet.speed(fast), points(&fleet)), (20_000_000, 500.0));
    let new = fleet.admit(device(99), &account(99), &profile()).unwrap();
    assert_eq!(fleet.speed(new), 0, "one that was never asked is not known");
    assert_eq!(fleet.processor(&device(99)).points(), 250.0);
    assert_eq!(
        fleet.processor(&device(100)).points(),
        250.0,
        "nor one that never came"
    );
    fleet.owes_benchmark(fast);
    fleet.rank(Tick(1));
    // Of the nineteen whose speed is known, the second slowest.
    assert!((1_800_000..=2_000_000).contains(&fleet.speed(fast)));
    assert_eq!((points(&fleet), order(&fleet).last()), (1.0, Some(&20)));
    // What is not believed is no answer.
    fleet.update(fast, Tick(2), &rate(f64::NAN));
    assert!(fleet.speed(fast) < 3_000_000);
    fleet.update(fast, Tick(3), &rate(10_000_000.0));
    assert_eq!((fleet.speed(fast), points(&fleet)), (10_000_000, 250.0));
    fleet.owes_benchmark(fast);
    fleet.forget(&device(20));
    let other = fleet.admit(device(98), &account(98), &profile()).unwrap();
    assert_eq!((other, fleet.speed(other)), (fast, 0));
}

#[test]
fn the_trusted_of_a_ranking_are_told_best_first_as_long_as_they_are_what_they_were() {
    let mut fleet = fleet(6);
    let trusted = Profile {
        is_trusted: true,
        ..profile()
    };
    for n in [2, 5, 3] {
        fleet.admit(device(n), &account(n), &trusted).unwrap();
    }
    let told = |fleet: &Fleet| -> Vec<DeviceId> {
        let trusted = fleet.ranking().trusted();
        trusted.filter_map(|number| fleet.device(number)).collect()
    };
    fleet.rank(Tick(1));
    assert_eq!(told(&fleet), [5, 3, 2].map(device));
    // One is trusted no more, and another one gets the number of one that is forgotten.
    fleet.admit(device(3), &account(3), &profile()).unwrap();
    fleet.forget(&device(5));
    fleet.admit(device(9), &account(9), &trusted).unwrap();
    assert_eq!(told(&fleet), [2].map(device));
    fleet.rank(Tick(2));
    assert_eq!(told(&fleet), [9, 2].map(device));
}

#[test]
fn a_device_that_is_excused_from_a_benchmark_is_as_fast_as_it_was() {
    let mut fleet = fleet(20);
    let fast = fleet.number(&device(20)).unwrap();
    fleet.owes_benchmark(fast);
    assert!(fleet.owes(fast));
    fleet.excuse(fast, Some(20_000_000));
    assert!(!fleet.owes(fast));
    assert_eq!(fleet.speed(fast), 20_000_000);
    assert_eq!(fleet.processor(&device(20)).points(), 500.0);
    fleet.owes_benchmark(fast);
    fleet.excuse(fast, None);
    assert_eq!(fleet.speed(fast), 0, "as one that was never measured");
    assert_eq!(fleet.processor(&device(20)).points(), 250.0);
}

#[test]
fn a_score_falls_when_the_speeds_that_it_follows_from_are_an_hour_old() {
    let mut fleet = fleet(1);
    let number = fleet.number(&device(1)).unwrap();
    let transfers = Readings {
        down_mbps: Some(200.0),
        up_mbps: Some(120.0),
        ..Readings::default()
    };
    fleet.update(number, Tick(0), &transfers);
    let speed = |fleet: &Fleet, ms| {
        let report = fleet.report(number, Tick(ms)).unwrap();
        assert_eq!(report.score, report.parts.total());
        report.parts.network_speed.points().round()
    };
    assert_eq!(speed(&fleet, 3_599_999), 700.0);
    assert_eq!(speed(&fleet, 3_600_000), 100.0, "as it is shown");
    let before = fleet.ranking().abilities_of(number).capacity;
    fleet.tell(number, Tick(3_600_000), &Readings::default());
    let after = fleet.ranking().abilities_of(number).capacity;
    assert!(
        after < before,
        "and as it is ranked, once it tells of itself"
    );
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
fn a_job_of_several_replicas_is_told_which_accounts_have_a_large_part_of_its_devices() {
    let mut fleet = Fleet::default();
    for n in 1..=70 {
        let of = if n <= 35 { account(1) } else { account(n) };
        fleet.admit(device(n), &of, &profile()).unwrap();
    }
    fleet.rank(Tick(0));
    let number = |n: u8| fleet.account(fleet.number(&device(n)).unwrap()).unwrap().0;
    let parts = |replicas| {
        let terms = JobTerms {
            level: ByteLevel::High,
            needs: Needs::default(),
            replicas,
            work: 1,
            bytes: TaskBytes::default(),
            seed: [0; 32],
        };
        let limits = Tuning::default().pool_limits();
        let (target, accounts) = fleet.target_for(&terms, &limits);
        assert_eq!((target.devices, accounts), (70, 36));
        [1, 70].map(|n| target.parts_of(number(n)))
    };
    assert_eq!(parts(3), [2, 64]);
    // Where one answer decides nothing hangs on it.
    assert_eq!(parts(1), [64, 64]);
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
fn accounts_are_twice_as_many_as_devices_at_most_and_numbers_of_forgotten_ones_are_used_again() {
    let mut fleet = room_for(2, 0);
    let come = |fleet: &mut Fleet, n: u8| {
        let number = fleet.admit(device(n), &account(n), &profile()).ok()?;
        Some(fleet.account(number).unwrap().0)
    };
    for n in 0..4 {
        assert_eq!(fleet.accounts_in_the_way(), None);
        assert_eq!(come(&mut fleet, n), Some(n.into()));
        if n < 3 {
            fleet.forget(&device(n));
        }
    }
    assert_eq!(fleet.accounts_in_the_way(), Some([0, 1, 2].into()));
    assert_eq!(come(&mut fleet, 9), None);
    // One that has a number comes all the same, and one that has a device is not forgotten.
    assert_eq!(come(&mut fleet, 2), Some(2));
    fleet.forget(&device(2));
    fleet.forget_accounts(&[1, 3, 77].into());
    fleet.forget_accounts(&[1].into());
    assert_eq!(fleet.accounts_in_the_way(), None);
    assert_eq!(come(&mut fleet, 9), Some(1));
    assert_eq!(fleet.accounts_in_the_way(), Some([0, 2].into()));
    fleet.forget(&device(3));
    assert_eq!(come(&mut fleet, 3), Some(3));
    assert_eq!(fleet.accounts(), 2);
}

#[test]
fn a_device_that_changes_hands_is_its_new_account_s() {
    let mut fleet = fleet(2);
    let number = fleet.number(&device(1)).unwrap();
    fleet.admit(device(1), &account(9), &profile()).unwrap();
    assert_eq!(fleet.account(number).unwrap().1, &account(9));
    assert_eq!(fleet.accounts(), 2);
}

#[test]
fn all_devices_are_listed_from_any_position_on_the_ranked_ones_first() {
    let mut fleet = fleet(4);
    let number = |fleet: &Fleet, n| fleet.number(&device(n)).unwrap();
    let (second, third) = (number(&fleet, 2), number(&fleet, 3));
    fleet.set_flags(second, [(Flag::Disconnected, true)]);
    fleet.rank(Tick(1));
    let listed = |fleet: &Fleet, first| -> Vec<u8> {
        let ranking = fleet.ranking();
        let name = |number| fleet.device(number).unwrap().0[0];
        ranking.listed(first).map(name).collect()
    };
    assert_eq!(listed(&fleet, 0), [4, 3, 1, 2]);
    assert_eq!(listed(&fleet, 3), [2]);
    // Whoever is not ranked stands behind those who were not before.
    let first = number(&fleet, 1);
    fleet.set_flags(first, [(Flag::Disconnected, true)]);
    fleet.rank(Tick(2));
    assert_eq!(listed(&fleet, 0), [4, 3, 1, 2]);
    fleet.rank(Tick(3));
    assert_eq!(listed(&fleet, 0), [4, 3, 1, 2]);
    fleet.set_flags(first, [(Flag::Disconnected, false)]);
    fleet.rank(Tick(4));
    assert!(listed(&fleet, u32::MAX).is_empty());
    assert_eq!(fleet.ranking().position_of(second), Some(3));
    fleet.forget(&device(3));
    assert_eq!(listed(&fleet, 1), [1, 2]);
    assert_eq!(
        fleet.ranking().position_of(third),
        Some(1),
        "until it is ranked"
    );
}

#[test]
fn faulty_tasks_are_told_of_ranked_devices_that_a_job_would_have_whatever_the_kinds_of_fault() {
    let mut fleet = fleet(3);
    let worker = fleet.number(&device(1)).unwrap();
    let late_and_wrong = Ending {
        delayed: true,
        ..Ending::INCORRECT
    };
    for ending in [Ending::FAILED, Ending::COMPLETED, late_and_wrong] {
        fleet.note(worker, Tick(0), ending);
    }
    fleet.rank(Tick(0));
    let faulty = |fleet: &Fleet, class| -> Vec<u8> {
        let needs = Needs {
            class,
            ..Needs::default()
        };
        fleet.ranking().faulty_tasks(&needs).collect()
    };
    assert_eq!(faulty(&fleet, Class::Pinned), [0, 0, 2]);
    assert!(faulty(&fleet, Class::Portable).is_empty());
    let report = fleet.report(worker, Tick(0)).unwrap();
    assert_eq!(report.fault_rate.sixtieths(), 3);
}
