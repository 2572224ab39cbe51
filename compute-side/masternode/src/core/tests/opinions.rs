//! A trusted device is heard before somebody is blamed by those who have the task already.

mod histories;

use super::world::{Habit, JOB, MAJORITY, World};
use crate::core::Entry;
use quern_jobs_api::{Rule, StepKind};
use quern_primitives::{
    job::Agreement,
    limits::{ESCALATION_REPLICAS_MAX, TASK_FUEL_MAX},
    verdict::Finding,
};
use quern_protocol::HandBackReason;

/// So long a case waits for a trusted device, in milliseconds.
const FIVE_MINUTES_MS: u64 = 300_000;

/// What the verdicts found, faults first.
fn findings(world: &World) -> Vec<Finding> {
    let judged = world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(&verdict.replicas),
        _ => None,
    });
    let mut found: Vec<_> = judged.flatten().map(|found| found.finding).collect();
    found.sort_by_key(|finding| *finding == Finding::Accepted);
    found
}

fn added(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Added { replicas: 1, .. }))
}

/// A task that three devices have at once, an honest one and two that lie alike, and all have answered; a
/// trusted device is idle, whose number is returned.
fn outvoted() -> (World, usize) {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.join(2, Habit::Lies(99));
    world.join(4, Habit::Lies(99));
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].in_hand.len(), 1);
    });
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    (0..3).for_each(|worker| world.report(worker));
    (world, trusted)
}

#[test]
fn two_that_lie_alike_blame_nobody_before_an_idle_trusted_device_is_heard() {
    let (mut world, trusted) = outvoted();
    assert_eq!((findings(&world), added(&world)), (vec![], 1));
    let told = world.core.explain_task(world.now, JOB, 0).unwrap();
    assert!(told.reasons.iter().any(|it| it.rule == Rule::SecondOpinion));
    let decided = |it: &&quern_jobs_api::Step| it.step == StepKind::DecidedWithoutRest;
    assert_eq!(told.next.iter().find(decided).unwrap().in_s, 300);
    let other = world.join(5, Habit::Honest);
    world.ask(other, 1);
    assert_eq!(
        world.workers[other].in_hand,
        [],
        "it is for the trusted one"
    );
    world.ask(trusted, 1);
    world.report(trusted);
    // Two against two: one more account decides.
    assert_eq!(findings(&world), []);
    assert_eq!(world.workers[other].in_hand.len(), 1);
    world.report(other);
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, wrong, right, right, right]);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn a_trusted_device_that_stays_busy_keeps_nobody_from_a_verdict_for_more_than_five_minutes() {
    let (mut world, _) = outvoted();
    world.wait_all_alive(FIVE_MINUTES_MS - 1_000);
    assert_eq!(findings(&world), []);
    world.wait_all_alive(2_000);
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, right, right]);
}

#[test]
fn a_job_that_gives_nothing_out_any_more_waits_for_no_opinion() {
    let (mut world, _) = outvoted();
    world.cancel();
    world.wait_all_alive(1_000);
    assert_eq!(findings(&world).len(), 3);
}

#[test]
fn who_could_not_open_a_task_is_not_blamed_for_it_before_a_trusted_device_has_tried() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    let trusted = world.join_as(4, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    world.hand_back(0, HandBackReason::BadInput);
    world.report(1);
    world.report(2);
    let patience_ms = world.settings.certain_ms;
    world.wait_all_alive(patience_ms + 2_000);
    assert_eq!((findings(&world), added(&world)), (vec![], 0));
    world.ask(trusted, 1);
    world.report(trusted);
    let (failed, right) = (Finding::Failed, Finding::Accepted);
    assert_eq!(findings(&world), [failed, right, right, right]);
}

#[test]
fn what_a_trusted_device_is_asked_is_for_nobody_else_however_much_is_in_doubt_before() {
    let mut world = World::new(20, MAJORITY, &[1]);
    let liars = [2, 4].map(|account| world.join(account, Habit::Lies(99)));
    let others = [6, 7].map(|account| world.join(account, Habit::Honest));
    let doubter = world.join(5, Habit::Honest);
    let colluder = world.join(5, Habit::Lies(99));
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    for worker in [0, liars[0], liars[1]] {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].names()[0].task, 0);
    }
    // The trusted one is busy, and as much is in doubt as it can take.
    for worker in [trusted, others[0], others[1], doubter] {
        world.ask(worker, 2);
        assert_eq!(world.workers[worker].in_hand.len(), 2);
    }
    world.hand_back(doubter, HandBackReason::BadInput);
    for worker in [0, liars[0], liars[1]] {
        world.report(worker);
    }
    assert_eq!((findings(&world), added(&world)), (vec![], 1));
    world.ask(colluder, 2);
    let names = world.workers[colluder].names();
    assert!(names.iter().all(|it| it.task != 0), "{names:?}");
    world.report(trusted);
    world.ask(trusted, 1);
    assert_eq!(world.workers[trusted].names()[0].task, 0);
}

/// A device takes a task.
fn takes(world: &mut World, account: u8, habit: Habit) -> usize {
    let worker = world.join(account, habit);
    world.ask(worker, 1);
    assert_eq!(world.workers[worker].in_hand.len(), 1, "account {account}");
    worker
}

#[test]
fn five_that_have_voted_are_not_made_six_for_a_trusted_device() {
    let mut world = World::new(1, Agreement::Unanimous, &[]);
    let first = [(1, Habit::Honest), (2, Habit::Lies(99))];
    let first = first.map(|(account, habit)| takes(&mut world, account, habit));
    first.into_iter().for_each(|worker| world.report(worker));
    let third = takes(&mut world, 4, Habit::Lies(98));
    world.report(third);
    let last = [5, 6].map(|account| takes(&mut world, account, Habit::Lies(99)));
    world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    last.into_iter().for_each(|worker| world.report(worker));
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, wrong, right, right, right]);
    let added = world.log().filter_map(|entry| match entry {
        Entry::Added { replicas, .. } => Some(*replicas),
        _ => None,
    });
    assert_eq!(added.sum::<u8>(), ESCALATION_REPLICAS_MAX - 2);
}

#[test]
fn no_case_waits_for_a_trusted_device_that_cannot_begin_for_long() {
    let mut world = World::new(20, MAJORITY, &[]);
    // More than half an hour for a device of which nothing is known.
    world.ledger.job.submission.fuel_per_task_max = TASK_FUEL_MAX;
    world.begin_anew();
    world.join(1, Habit::Honest);
    let liars = [2, 4].map(|account| world.join(account, Habit::Lies(99)));
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    for worker in [0, liars[0], liars[1]] {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].names()[0].task, 0);
    }
    world.ask(trusted, 2);
    assert_eq!(world.workers[trusted].in_hand.len(), 2);
    for worker in [0, liars[0], liars[1]] {
        world.report(worker);
    }
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, right, right]);
}
