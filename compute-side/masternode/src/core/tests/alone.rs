//! Where records allow it one device is believed alone, and a second one is asked at once where not.

use super::world::{Habit, JOB, Refereeing, TRUST_SEED, World};
use crate::core::{Entry, Note};
use quern_jobs_api::WaitingFor;
use quern_primitives::{
    job::{Agreement, JobEnd, JobState},
    verdict::{Finding, Ground, Verdict},
};
use quern_protocol::HandBackReason;
use quern_verdict::is_trusted_alone;
use std::collections::BTreeSet;

/// So many accepted answers in a row that the draw leaves a device alone but once in a million.
const MANY: u32 = 1_000_000;

fn verdict(world: &World) -> Option<&Verdict> {
    let mut judged = world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(verdict),
        _ => None,
    });
    judged.next()
}

fn ground(world: &World) -> Option<Ground> {
    verdict(world).map(|verdict| verdict.ground)
}

fn added(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Added { .. }))
}

fn trusted(world: &World) -> usize {
    let notes = world.noted();
    notes
        .filter(|note| matches!(note, Note::Trusted { .. }))
        .count()
}

/// An adaptive job of one task, and a device that is believed.
fn seasoned(habit: Habit) -> World {
    let mut world = World::new(1, Agreement::Adaptive, &[]);
    world.referee = Refereeing::Truthful;
    world.join_as(1, habit, |worker| worker.accepted_in_a_row = MANY);
    world
}

#[test]
fn a_seasoned_device_is_believed_alone() {
    let mut world = seasoned(Habit::Honest);
    world.ask(0, 1);
    assert_eq!((trusted(&world), added(&world)), (1, 0));
    world.report(0);
    assert_eq!(ground(&world), Some(Ground::Trusted));
    world.next_block();
    let end = JobEnd::AllSettled;
    assert_eq!(world.ledger.job.state, JobState::Completed { end });
    assert_eq!(world.ledger.paid.len(), 1);
    world.check_money();
}

#[test]
fn who_is_believed_is_drawn_from_a_seed_that_no_device_has() {
    let (tasks, row) = (100, 10);
    let mut world = World::new(tasks, Agreement::Adaptive, &[]);
    world.join_as(1, Habit::Honest, |worker| worker.accepted_in_a_row = row);
    for _ in 0..tasks {
        world.ask(0, 1);
        world.report(0);
    }
    let device = world.workers[0].id();
    let given = world.log().filter_map(|entry| match entry {
        Entry::Assigned { task, .. } => Some(*task),
        _ => None,
    });
    let given: BTreeSet<_> = given.collect();
    let believed = world.noted().filter_map(|note| match note {
        Note::Trusted { task, .. } => Some(*task),
        _ => None,
    });
    let believed: BTreeSet<_> = believed.collect();
    let drawn = |seed: &[u8; 32]| -> BTreeSet<_> {
        let is_believed = |task: &u32| is_trusted_alone(seed, *task, &device, row);
        given.iter().copied().filter(is_believed).collect()
    };
    assert!(given.len() > 50, "{} were given out", given.len());
    assert_eq!(believed, drawn(&TRUST_SEED));
    assert_ne!(
        believed,
        drawn(&world.plan().seed),
        "the seed of its lanes is known to all"
    );
}

#[test]
fn an_unseasoned_device_gets_a_second_beside_it_before_it_has_answered() {
    let mut world = World::new(1, Agreement::Adaptive, &[1, 2]);
    world.ask(0, 1);
    assert_eq!((trusted(&world), added(&world)), (0, 1));
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand.len(), 1, "no time is lost");
    assert_eq!(added(&world), 1, "and no third one is asked");
    world.report(0);
    assert_eq!(ground(&world), None, "its word alone is not enough");
    world.report(1);
    assert_eq!(ground(&world), Some(Ground::Unanimous));
}

#[test]
fn a_job_whose_only_account_is_not_believed_waits_for_a_second_one() {
    let waits_for = |world: &World| world.core.status(JOB).unwrap().waiting_for;
    let mut world = World::new(1, Agreement::Adaptive, &[1]);
    world.wait(1_000);
    assert_eq!(waits_for(&world), None, "one may be enough");
    world.ask(0, 1);
    world.report(0);
    let too_few = WaitingFor::Accounts {
        connected: 1,
        needed: 2,
    };
    assert_eq!(waits_for(&world), Some(too_few));
    world.join(2, Habit::Honest);
    world.wait(1_000);
    assert_eq!(waits_for(&world), None);
    let mut world = seasoned(Habit::Honest);
    world.wait(1_000);
    world.ask(0, 1);
    assert_eq!(waits_for(&world), None, "it is believed");
}

#[test]
fn a_row_that_a_fault_has_ended_here_counts_no_more() {
    let mut world = World::new(1, Agreement::Adaptive, &[]);
    world.referee = Refereeing::Truthful;
    let liar = world.join(1, Habit::Lies(99));
    let other = world.join(2, Habit::Honest);
    let device = world.workers[liar].id();
    world.ask(liar, 1);
    world.ask(other, 1);
    world.workers[liar].accepted_in_a_row = MANY;
    let view = world.view(liar);
    world.recheck(view.clone());
    assert_eq!(world.core.accepted_in_a_row(&device), MANY);
    world.report(liar);
    world.report(other);
    assert_eq!(ground(&world), Some(Ground::Referee));
    assert_eq!(world.core.accepted_in_a_row(&device), 0);
    world.recheck(view.clone());
    assert_eq!(
        world.core.accepted_in_a_row(&device),
        0,
        "the chain has not counted the fault"
    );
    world.next_block();
    world.recheck(view);
    assert_eq!(world.core.accepted_in_a_row(&device), MANY, "it has now");
}

#[test]
fn a_task_that_a_seasoned_device_gives_back_is_drawn_anew_for_the_next() {
    let mut world = seasoned(Habit::Honest);
    world.ask(0, 1);
    assert_eq!(trusted(&world), 1);
    world.hand_back(0, HandBackReason::Stopping);
    let next = world.join(2, Habit::Honest);
    world.ask(next, 1);
    assert_eq!((trusted(&world), added(&world)), (1, 1));
    world.report(next);
    assert_eq!(ground(&world), None);
    let last = world.join(3, Habit::Honest);
    world.ask(last, 1);
    world.report(last);
    assert_eq!(ground(&world), Some(Ground::Unanimous));
}

#[test]
fn that_a_program_fails_is_believed_of_no_device_alone() {
    let mut world = seasoned(Habit::Traps);
    world.ask(0, 1);
    world.report(0);
    assert_eq!((ground(&world), added(&world)), (None, 1));
    let honest = world.join(2, Habit::Honest);
    world.ask(honest, 1);
    world.report(honest);
    assert_eq!(ground(&world), Some(Ground::Referee));
    let found = verdict(&world).unwrap().replicas.iter();
    let found: Vec<_> = found.map(|found| found.finding).collect();
    assert_eq!(found, [Finding::Incorrect, Finding::Accepted]);
}

#[test]
fn whom_the_log_calls_believed_is_believed_after_a_restart() {
    let mut world = seasoned(Habit::Honest);
    world.ask(0, 1);
    world.restart();
    world.workers[0].accepted_in_a_row = 0;
    world.hello(0);
    world.report(0);
    assert_eq!(ground(&world), Some(Ground::Trusted));
}
