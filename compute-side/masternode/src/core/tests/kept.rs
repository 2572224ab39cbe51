//! What is kept of devices that are away.

use super::world::{Habit, MAJORITY, World};
use crate::core::Event;
use quern_primitives::job::Agreement;
use quern_protocol::HandBackReason;

/// So long an answer counts that nobody judges, in milliseconds. A device that is not heard of for so long is
/// away.
const TEN_MINUTES_MS: u64 = 600_000;

fn goes(world: &mut World) {
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    world.wait(TEN_MINUTES_MS);
    assert!(!world.core.is_here(&device) && world.core.is_known(&device));
}

/// How many answers of the first device were accepted, if that stands under its name.
fn accepted(world: &World) -> Option<usize> {
    world.core.answers.accepted(&world.workers[0].id())
}

/// How much longer the first device pauses, in milliseconds.
fn pauses_ms(world: &World) -> Option<u64> {
    let until = world.core.pauses.until(&world.workers[0].id(), world.now);
    until.map(|until| until.since(world.now))
}

/// The first device takes a task and gives it back.
fn gives_back(world: &mut World) {
    // Devices are ranked meanwhile.
    world.wait(1_000);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    world.hand_back(0, HandBackReason::Stopping);
}

#[test]
fn what_was_accepted_of_a_device_counts_when_it_comes_back_and_is_laid_by_until_then() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    world.report(0);
    for account in [2, 3] {
        let other = world.join(account, Habit::Honest);
        world.ask(other, 1);
        world.report(other);
    }
    assert_eq!(accepted(&world), Some(1));
    goes(&mut world);
    assert_eq!(accepted(&world), None);
    world.hello(0);
    assert_eq!(accepted(&world), Some(1));
}

#[test]
fn an_answer_that_is_judged_while_its_device_is_away_counts_when_it_comes_back() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    world.report(0);
    goes(&mut world);
    assert_eq!(accepted(&world), None, "it counts no more");
    for account in [2, 3] {
        let other = world.join(account, Habit::Honest);
        world.ask(other, 1);
        world.report(other);
    }
    assert_eq!(accepted(&world), None, "it is away");
    world.hello(0);
    assert_eq!(accepted(&world), Some(1));
}

#[test]
fn a_device_that_comes_back_and_gives_a_task_back_again_pauses_for_longer() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    gives_back(&mut world);
    assert_eq!(pauses_ms(&world), Some(1_000));
    goes(&mut world);
    world.hello(0);
    assert_eq!(pauses_ms(&world), None);
    gives_back(&mut world);
    assert_eq!(pauses_ms(&world), Some(2_000));
}

#[test]
fn a_device_that_is_forgotten_while_it_is_away_comes_back_as_one_that_nobody_knew() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    gives_back(&mut world);
    goes(&mut world);
    let device = world.workers[0].id();
    world.feed(Event::Retired { device });
    world.hello(0);
    gives_back(&mut world);
    assert_eq!(pauses_ms(&world), Some(1_000));
}
