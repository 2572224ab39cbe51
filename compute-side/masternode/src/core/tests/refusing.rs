//! Devices that say of tasks that they cannot be done: how far they get with it.

use super::world::{Habit, JOB, World};
use crate::core::{End, Entry, ReleaseCause};
use quern_jobs_api::{DeviceExplanation, Rule, StepKind};
use quern_primitives::{ids::JobId, job::Agreement, verdict::Finding};
use quern_protocol::HandBackReason;

/// So long a task is open for one account more, in milliseconds.
const TEN_MINUTES_MS: u64 = 600_000;

fn refused(world: &World) -> usize {
    let is_refused = |cause: &ReleaseCause| matches!(cause, ReleaseCause::BadInput { .. });
    world.count(|entry| matches!(entry, Entry::Released { cause, .. } if is_refused(cause)))
}

fn unopened(world: &World) -> usize {
    let is_unopened = |end: &End| matches!(end, End::Unopened { .. });
    world.count(|entry| matches!(entry, Entry::Ended { end } if is_unopened(end)))
}

fn explained(world: &World, worker: usize) -> DeviceExplanation {
    let device = world.workers[worker].id();
    world.core.explain_device(world.now, &device).unwrap()
}

fn pause_ends_in_s(told: &DeviceExplanation) -> Option<u64> {
    let mut steps = told.next.iter();
    let ends = steps.find(|it| it.step == StepKind::PauseEnds)?;
    Some(ends.in_s)
}

/// Whether that keeps a device from a job that nobody has judged its failures.
fn is_unjudged(world: &World, worker: usize) -> bool {
    let told = explained(world, worker).jobs.into_iter();
    let mut reasons = told.filter_map(|it| it.reason);
    reasons.any(|reason| reason.rule == Rule::Unjudged)
}

/// Takes so many tasks and says of each that it does not open.
fn refuse(world: &mut World, worker: usize, want: u8) {
    world.ask(worker, want);
    world.hand_back(worker, HandBackReason::BadInput);
}

#[test]
fn one_that_refuses_every_task_stops_no_honest_device_while_the_trusted_one_is_busy() {
    let mut world = World::new(1_000, Agreement::Single, &[1]);
    let liar = world.join(2, Habit::Honest);
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    world.ask(trusted, 2);
    assert_eq!(world.workers[trusted].in_hand.len(), 2);
    for _ in 0..50 {
        refuse(&mut world, liar, 2);
        world.ask(0, 2);
        assert_eq!(world.workers[0].in_hand.len(), 2);
        world.report(0);
        world.wait_all_alive(1_000);
    }
    // Two, and two more while that were not three.
    assert_eq!(refused(&world), 4);
    assert!(is_unjudged(&world, liar));
    // The trusted one has done what it holds, and gets what is in doubt before all else.
    for _ in 0..8 {
        world.report(trusted);
        world.ask(trusted, 2);
    }
    let failed = world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(&verdict.replicas),
        _ => None,
    });
    let failed = failed.flatten().filter(|it| it.finding == Finding::Failed);
    assert_eq!(failed.count(), 4);
    assert!(!is_unjudged(&world, liar), "all are judged");
}

#[test]
fn failures_that_nobody_judges_keep_a_device_from_a_job_for_an_hour() {
    let mut world = World::new(9, Agreement::Single, &[1]);
    refuse(&mut world, 0, 2);
    assert!(!is_unjudged(&world, 0));
    world.wait_all_alive(10_000);
    refuse(&mut world, 0, 2);
    assert_eq!(refused(&world), 4);
    assert!(is_unjudged(&world, 0));
    assert_eq!(pause_ends_in_s(&explained(&world, 0)), Some(8));
    world.wait_all_alive(3_589_000);
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand, []);
    world.wait(1_000);
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

#[test]
fn a_restart_does_not_forget_who_failed_on_tasks_that_are_not_judged() {
    let mut world = World::new(9, Agreement::Single, &[1]);
    refuse(&mut world, 0, 2);
    world.wait_all_alive(10_000);
    refuse(&mut world, 0, 2);
    world.restart();
    world.hello(0);
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand, []);
    assert!(is_unjudged(&world, 0));
}

const OTHER: JobId = JobId([5; 32]);
const DEVICES: usize = 20;

/// A job that opens nowhere, as the devices of 20 accounts said thrice each.
fn bad_job() -> World {
    let accounts: Vec<u8> = (1..=DEVICES as u8).collect();
    let mut world = World::new(100, Agreement::Single, &accounts);
    for pause_ms in [1_000, 2_000, 4_000] {
        (0..DEVICES).for_each(|worker| refuse(&mut world, worker, 1));
        world.wait_all_alive(pause_ms);
    }
    assert_eq!((refused(&world), unopened(&world)), (3 * DEVICES, 0));
    (0..DEVICES).for_each(|worker| assert!(is_unjudged(&world, worker)));
    world
}

/// Everybody asks, and gets a task of the other job at once.
fn expect_all_get_the_other(world: &mut World) {
    world.add_job(OTHER);
    for worker in 0..DEVICES {
        world.ask(worker, 1);
        let given: Vec<_> = world.workers[worker].names();
        assert!(given.len() == 1 && given[0].job == OTHER, "{given:?}");
    }
}

#[test]
fn a_device_that_is_barred_from_a_job_is_told_that_it_would_get_something_of_the_next() {
    let mut world = bad_job();
    world.add_job(OTHER);
    let jobs = explained(&world, 0).jobs.into_iter();
    let told: Vec<_> = jobs
        .map(|it| (it.job, it.reason.map(|it| it.rule)))
        .collect();
    assert_eq!(told, [(JOB, Some(Rule::Unjudged)), (OTHER, None)]);
}

#[test]
fn a_job_that_opens_nowhere_keeps_nobody_from_another_while_it_runs() {
    expect_all_get_the_other(&mut bad_job());
}

#[test]
fn when_a_job_has_ended_its_failures_count_against_nobody_also_after_a_restart() {
    for dies in [false, true] {
        let mut world = bad_job();
        world.wait_all_alive(30_000);
        assert_eq!(unopened(&world), 1);
        world.next_block();
        assert!(!world.ledger.job.state.is_open());
        if dies {
            world.restart();
            (0..DEVICES).for_each(|worker| world.hello(worker));
            world.wait(1_000);
        }
        for worker in &world.workers {
            let pauses = &world.core.pauses;
            assert_eq!(pauses.unjudged_jobs(&worker.id(), world.now), 0);
        }
        expect_all_get_the_other(&mut world);
    }
}

#[test]
fn who_fails_on_a_task_pauses_like_one_that_gives_it_back() {
    let mut world = World::new(9, Agreement::Single, &[1]);
    refuse(&mut world, 0, 1);
    let told = explained(&world, 0);
    assert_eq!(told.reasons[0].rule, Rule::Pausing);
    assert_eq!(pause_ends_in_s(&told), Some(1));
    world.wait(1_000);
    world.ask(0, 1);
    world.workers[0].habit = Habit::Traps;
    world.report(0);
    assert_eq!(pause_ends_in_s(&explained(&world, 0)), Some(2));
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand, []);
    world.wait(2_000);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
}

#[test]
fn two_accounts_end_no_job_while_others_are_busy_that_could_have_the_task() {
    let mut world = World::new(5, Agreement::Single, &[1, 2]);
    (0..2).for_each(|worker| {
        world.ask(worker, 2);
    });
    for account in [3, 4] {
        let liar = world.join(account, Habit::Honest);
        refuse(&mut world, liar, 1);
    }
    assert_eq!(refused(&world), 2);
    world.wait_all_alive(40_000);
    assert_eq!(unopened(&world), 0);
    (0..2).for_each(|worker| world.report(worker));
    world.ask(0, 1);
    world.wait_all_alive(12_000);
    world.ask(0, 1);
    world.report(0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    let change = |account: u8| {
        let liar = world.workers[usize::from(account) - 1].id();
        let told = world.ledger.batches.iter().flat_map(|it| &it.devices);
        let told: Vec<_> = told.filter(|it| it.device == liar).collect();
        (told.len(), told[0].change.failed)
    };
    assert_eq!((change(3), change(4)), ((1, 1), (1, 1)));
}

#[test]
fn one_that_never_takes_the_task_is_waited_for_ten_minutes() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    for account in [2, 3] {
        let worker = world.join(account, Habit::Honest);
        refuse(&mut world, worker, 1);
    }
    assert_eq!(refused(&world), 2);
    world.wait_all_alive(TEN_MINUTES_MS - 1_000);
    assert_eq!(unopened(&world), 0);
    world.wait_all_alive(2_000);
    assert_eq!(unopened(&world), 1);
}

#[test]
fn three_accounts_end_no_job_of_which_others_have_opened_tasks() {
    let mut world = World::new(12, Agreement::Single, &[1]);
    for _ in 0..5 {
        world.ask(0, 2);
        world.report(0);
    }
    for account in 2..=4 {
        let liar = world.join(account, Habit::Honest);
        refuse(&mut world, liar, 1);
    }
    world.wait_all_alive(40_000);
    assert_eq!((refused(&world), unopened(&world)), (3, 0));
    world.ask(0, 2);
    world.report(0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(world.ledger.job.settled_tasks, 12);
}

#[test]
fn nothing_is_kept_for_a_trusted_device_that_may_take_nothing() {
    let mut world = World::new(20, Agreement::Single, &[1]);
    let liar = world.join(2, Habit::Traps);
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    world.ask(liar, 1);
    let failed = world.workers[liar].names()[0].task;
    for pause_ms in [1_000, 2_000, 4_000] {
        refuse(&mut world, trusted, 1);
        world.wait_all_alive(pause_ms);
    }
    assert!(is_unjudged(&world, trusted));
    // Devices are ranked when one comes.
    let other = world.join(4, Habit::Honest);
    world.wait_all_alive(1_000);
    world.report(liar);
    // The other three first, as they are in doubt for longer.
    for worker in [0, other] {
        world.ask(worker, 2);
    }
    let names = world.workers[other].names();
    assert!(names.iter().any(|it| it.task == failed), "{names:?}");
}
