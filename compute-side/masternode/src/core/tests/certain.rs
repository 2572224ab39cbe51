//! Tasks whose answer is sure before everybody was heard.

use super::world::{DEADLINE, JOB, MAJORITY, World};
use crate::core::{Entry, Settings};
use quern_primitives::verdict::Finding;
use quern_protocol::{HandBackReason, limits};

const SILENCE_MS: u64 = limits::SILENCE_MAX.as_millis() as u64;

fn findings(world: &World) -> Vec<Finding> {
    let mut judged = world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(&verdict.replicas),
        _ => None,
    });
    let found = judged.next().into_iter().flatten();
    found.map(|found| found.finding).collect()
}

#[test]
fn two_who_agree_are_paid_though_the_third_account_is_gone() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.report(0);
    world.report(1);
    let patience = world.settings.certain_ms;
    world.wait_alive(SILENCE_MS + patience - 2_000, &[0, 1]);
    assert_eq!(findings(&world), [], "somebody else may still take it up");
    world.wait_alive(4_000, &[0, 1]);
    assert_eq!(
        findings(&world),
        [Finding::Accepted, Finding::Accepted, Finding::Delayed]
    );
    world.wait_alive(10_000, &[0, 1]);
    assert_eq!(world.ledger.paid.len(), 2);
    world.check_money();
}

#[test]
fn a_third_device_that_works_on_is_waited_for() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.report(0);
    world.report(1);
    let patience = world.settings.certain_ms;
    world.wait_alive(patience + 10_000, &[0, 1, 2]);
    assert_eq!(findings(&world), []);
    world.report(2);
    assert_eq!(findings(&world), [Finding::Accepted; 3]);
}

#[test]
fn a_third_who_holds_on_or_keeps_giving_back_cannot_keep_two_from_their_pay() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.report(0);
    world.report(1);
    let patience = world.settings.certain_ms;
    for _ in 0..patience / 1_000 + 2 {
        world.hand_back(2, HandBackReason::Stopping);
        world.wait_alive(1_000, &[0, 1]);
        world.ask(2, 1);
    }
    world.wait_alive(2_000, &[0, 1]);
    world.hand_back(2, HandBackReason::Stopping);
    world.wait_alive(2_000, &[0, 1]);
    assert_eq!(findings(&world), [Finding::Accepted; 2]);

    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.report(0);
    world.report(1);
    world.block = DEADLINE - world.settings.deadline_margin_blocks;
    world.next_block();
    world.wait_alive(2_000, &[0, 1, 2]);
    assert_eq!(findings(&world), [], "the third may still make it");
    world.next_block();
    world.wait_alive(2_000, &[0, 1, 2]);
    assert_eq!(findings(&world), [Finding::Accepted; 2]);
}

#[test]
fn what_is_sure_when_the_owner_cancels_is_decided_without_those_who_never_began() {
    let mut world = World::new(1, MAJORITY, &[1, 2]);
    (0..2).for_each(|worker| {
        world.ask(worker, 1);
        world.report(worker);
    });
    assert_eq!(findings(&world), []);
    world.cancel();
    world.wait_alive(2_000, &[0, 1]);
    assert_eq!(findings(&world), [Finding::Accepted; 2]);
}

#[test]
fn a_restart_does_not_forget_that_an_answer_is_sure() {
    let mut world = World::new(1, MAJORITY, &[1, 2]);
    (0..2).for_each(|worker| {
        world.ask(worker, 1);
        world.report(worker);
    });
    world.restart();
    (0..2).for_each(|worker| world.hello(worker));
    let patience = world.settings.certain_ms;
    world.wait_alive(patience + 2_000, &[0, 1]);
    assert_eq!(findings(&world), [Finding::Accepted; 2]);
}

#[test]
fn members_take_a_job_to_be_near_its_end_two_blocks_before_its_coordinator_does() {
    let world = World::new(1, MAJORITY, &[1, 2]);
    let active = world.core.jobs.get(&JOB).unwrap();
    let margin = world.settings.deadline_margin_blocks;
    let is_closing = |block: &u32| active.is_closing(*block, margin);
    let first = (0..=DEADLINE).find(is_closing).unwrap();
    assert!(is_closing(&DEADLINE));
    // What is written without a referee is read a little later, of a state that is a little older.
    assert!(quern_recheck::is_closing(&active.job, first - 2));
}

#[test]
fn who_is_asked_last_to_compute_a_task_has_longer_for_it_than_members_count_on_at_the_least() {
    let world = World::new(1, MAJORITY, &[1, 2]);
    for fuel_max in [0, 1_000_000_000, u64::MAX] {
        let settings = Settings {
            referee_wait_ms: 0,
            ..world.settings
        };
        // A third of the time is left then.
        let left = settings.recomputing_ms(fuel_max) / 3;
        assert!(Settings::referee_ms_min(fuel_max) < left);
    }
}
