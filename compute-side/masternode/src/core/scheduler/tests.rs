//! When devices are ranked.

use super::*;
use quern_grid::needs::Profile;

fn scheduler() -> Scheduler {
    Scheduler::new(Tuning::default(), FleetSettings::default())
}

/// A device comes. Returns its number.
fn come(scheduler: &mut Scheduler, n: u8, now: Tick) -> u32 {
    let (id, account) = (DeviceId([n; 32]), AccountId::new([n; 32]));
    let admitted = scheduler.fleet.admit(id, &account, &Profile::default());
    scheduler.changed(now);
    admitted.unwrap()
}

/// A verdict finds this of a device.
fn find(scheduler: &mut Scheduler, n: u8, finding: Finding, now: Tick) {
    let found = ReplicaFinding {
        replica: 0,
        device: DeviceId([n; 32]),
        account: AccountId::new([n; 32]),
        finding,
        receipt: None,
        pay: 0,
    };
    scheduler.note(now, &[found]);
}

/// When devices are ranked from one time until another if it is looked every tenth of a second, all in
/// milliseconds.
fn rankings(scheduler: &mut Scheduler, from: u64, until: u64) -> Vec<u64> {
    let looks = (from..=until).step_by(100);
    looks
        .filter(|ms| scheduler.rank_if_due(Tick(*ms)))
        .collect()
}

#[test]
fn devices_are_ranked_every_thirty_seconds_while_nothing_changes() {
    let mut scheduler = scheduler();
    assert!(rankings(&mut scheduler, 0, 100_000).is_empty());
    assert_eq!(scheduler.next_wakeup(), None, "nobody is known");
    come(&mut scheduler, 1, Tick(100_000));
    let ranked = rankings(&mut scheduler, 100_000, 200_000);
    assert_eq!(ranked, [100_000, 130_000, 160_000, 190_000]);
    assert_eq!(scheduler.next_wakeup(), Some(Tick(220_000)));
    scheduler.forget(&DeviceId([1; 32]));
    assert_eq!(rankings(&mut scheduler, 200_000, 400_000), [220_000]);
    assert_eq!(scheduler.next_wakeup(), None, "nobody is left");
}

#[test]
fn devices_are_ranked_at_once_after_a_change_and_together_after_several_within_a_second() {
    let mut scheduler = scheduler();
    let first = come(&mut scheduler, 1, Tick(0));
    assert!(scheduler.rank_if_due(Tick(0)));
    assert_eq!(scheduler.fleet.rank_of(first), Some(0));
    let second = come(&mut scheduler, 2, Tick(10_050));
    assert_eq!(scheduler.fleet.rank_of(second), None);
    assert_eq!(scheduler.next_wakeup(), Some(Tick(10_050)));
    assert!(scheduler.rank_if_due(Tick(10_050)));
    assert_eq!(scheduler.fleet.rank_of(second), Some(1));
    for n in 3..6 {
        come(&mut scheduler, n, Tick(10_100 + 100 * u64::from(n)));
    }
    // The first of them came so soon that the ranking waits until a second after the last one.
    assert_eq!(scheduler.next_wakeup(), Some(Tick(11_050)));
    let ranked = rankings(&mut scheduler, 10_150, 100_050);
    assert_eq!(ranked, [11_050, 41_050, 71_050]);
    assert_eq!(scheduler.fleet.ranking().len(), 5);
}

#[test]
fn devices_are_ranked_after_a_fault_and_not_after_an_accepted_answer() {
    let mut scheduler = scheduler();
    come(&mut scheduler, 1, Tick(0));
    assert!(scheduler.rank_if_due(Tick(0)));
    find(&mut scheduler, 1, Finding::Accepted, Tick(5_000));
    assert_eq!(scheduler.next_wakeup(), Some(Tick(30_000)));
    for finding in [Finding::Failed, Finding::Delayed, Finding::Incorrect] {
        find(&mut scheduler, 1, finding, Tick(5_000));
        assert_eq!(scheduler.next_wakeup(), Some(Tick(5_000)));
    }
    assert!(scheduler.rank_if_due(Tick(5_000)));
    // Of a device that is not known nothing is found.
    find(&mut scheduler, 9, Finding::Failed, Tick(7_000));
    assert_eq!(scheduler.next_wakeup(), Some(Tick(35_000)));
}
