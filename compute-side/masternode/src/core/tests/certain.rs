//! Tasks whose answer is sure before everybody was heard.

use super::world::{DEADLINE, MAJORITY, World};
use crate::core::Entry;
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
