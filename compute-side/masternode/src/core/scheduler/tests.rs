//! When devices are ranked, and whose numbers are used again.

use super::*;
use quern_grid::needs::Profile;
use quern_primitives::{ids::SealingKey, job::ByteLevel};

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

/// A device of an account that has the same name says hello. Returns its account's number.
fn greet(scheduler: &mut Scheduler, n: u8, now: Tick) -> Option<u32> {
    let (account, key) = (AccountId::new([n; 32]), SealingKey([1; 32]));
    let device = Device::new(account, key, Region::Europe, Hardware::Desktop);
    let profile = Profile {
        classes: vec![Class::Pinned],
        ..Profile::default()
    };
    let admitted = scheduler.admit(now, DeviceId([n; 32]), &device, &profile);
    let (account, _) = scheduler.fleet.account(admitted.ok()?)?;
    Some(account)
}

#[test]
fn an_account_s_number_is_used_again_only_when_no_job_remembers_it() {
    let settings = FleetSettings {
        devices_max: 2,
        ..FleetSettings::default()
    };
    let mut scheduler = Scheduler::new(Tuning::default(), settings);
    let first = greet(&mut scheduler, 1, Tick(0));
    let job = JobId([7; 32]);
    let terms = JobTerms {
        level: ByteLevel::Balanced,
        needs: Needs::default(),
        replicas: 1,
        work: 1_000,
        bytes: TaskBytes::default(),
        seed: [0; 32],
    };
    scheduler.add_job(job, terms);
    scheduler.dispatch.push(job, 0, Tick(0));
    scheduler.changed(Tick(0));
    assert!(scheduler.rank_if_due(Tick(0)));
    let number = scheduler.fleet.number(&DeviceId([1; 32])).unwrap();
    assert!(scheduler.take(number, 0, Tick(0), |_| false).is_ok());
    let mut others = BTreeSet::new();
    for n in 1..=4 {
        others.extend(greet(&mut scheduler, n, Tick(0)).filter(|it| Some(*it) != first));
        assert!(scheduler.forget(&DeviceId([n; 32])));
    }
    assert_eq!(others.len(), 3);
    // There may be four accounts, and the first computes a task.
    let fifth = greet(&mut scheduler, 5, Tick(1)).unwrap();
    assert!(others.contains(&fifth));
    assert_eq!(greet(&mut scheduler, 1, Tick(1)), first);
    // Tasks are not looked through at every hello.
    scheduler.forget(&DeviceId([5; 32]));
    for n in 6..=7 {
        assert!(greet(&mut scheduler, n, Tick(1)).is_some());
        scheduler.forget(&DeviceId([n; 32]));
    }
    assert_eq!(greet(&mut scheduler, 8, Tick(60_000)), None);
    assert!(greet(&mut scheduler, 8, Tick(60_001)).is_some());
}
