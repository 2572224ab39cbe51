//! What is remembered of a device's last tasks: as the chain has them, with what it has not counted.

use super::world::{DEADLINE, Habit, MAJORITY, World};
use quern_job_rules::life;
use quern_jobs_api::{DeviceExplanation, Rule};

/// Ten faults among the last tasks, and the newest accepted.
const TEN: u32 = 0x3ff << 1;

fn explained(world: &World, worker: usize) -> DeviceExplanation {
    let device = world.workers[worker].id();
    world.core.explain_device(world.now, &device).unwrap()
}

fn faulty_tasks(world: &World, worker: usize) -> u32 {
    explained(world, worker).state.faulty_tasks
}

fn in_hand_max(world: &World, worker: usize) -> u32 {
    explained(world, worker).state.in_hand_max
}

fn is_in_quarantine(world: &World, worker: usize) -> bool {
    let mut reasons = explained(world, worker).reasons.into_iter();
    reasons.any(|reason| reason.rule == Rule::RepeatedFailures)
}

/// Two honest devices and a third that lies about the first task, which is decided. The chain
/// remembers these failures of the third.
fn with_a_liar(failed: u32) -> World {
    let mut world = World::new(4, MAJORITY, &[1, 2]);
    world.ledger.takes = false;
    world.join_as(3, Habit::Lies(99), |worker| worker.history.failed = failed);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..3).for_each(|worker| world.report(worker));
    world
}

#[test]
fn faults_of_a_job_that_ends_before_they_are_settled_keep_nobody_out() {
    let mut world = with_a_liar(TEN);
    assert!(is_in_quarantine(&world, 2));
    world.recheck(world.view(2));
    assert!(is_in_quarantine(&world, 2), "they may yet be settled");
    world.block = DEADLINE;
    assert!(world.ledger.apply(DEADLINE + 1, life::Event::Refunded));
    world.next_block();
    world.recheck(world.view(2));
    assert_eq!(
        (is_in_quarantine(&world, 2), faulty_tasks(&world, 2)),
        (false, 10)
    );
    assert_eq!(in_hand_max(&world, 2), 2, "nor in a row");
}

#[test]
fn a_fault_counts_once_before_and_after_the_chain_has_counted_it() {
    let mut world = with_a_liar(0);
    world.ledger.takes = true;
    assert_eq!(faulty_tasks(&world, 2), 1);
    world.recheck(world.view(2));
    assert_eq!(faulty_tasks(&world, 2), 1);
    // The chain has counted something else in a block that this masternode has not seen.
    let mut other = world.view(2);
    other.device.last_task = world.block + 1;
    world.recheck(other);
    assert_eq!((faulty_tasks(&world, 2), in_hand_max(&world, 2)), (1, 1));
    world.wait(world.settings.settle.wait_ms);
    assert_eq!(world.ledger.batches.len(), 1);
    // The chain has counted it in a block that this masternode has not seen.
    let mut settled = world.view(2);
    settled.device.history.incorrect = 1;
    settled.device.last_task = world.block + 1;
    for _ in 0..2 {
        world.recheck(settled.clone());
        assert_eq!((faulty_tasks(&world, 2), in_hand_max(&world, 2)), (1, 1));
        world.next_block();
    }
    // A batch tells numbers and no order; that of the chain holds.
    settled.device.history.incorrect = 0b100;
    world.recheck(settled);
    assert_eq!((faulty_tasks(&world, 2), in_hand_max(&world, 2)), (1, 1));
}

#[test]
fn faults_found_by_other_masternodes_reach_a_device_that_is_known_here() {
    for is_rechecked in [true, false] {
        let mut world = with_a_liar(0);
        assert_eq!(faulty_tasks(&world, 2), 1);
        world.workers[2].history.failed = TEN;
        if is_rechecked {
            world.recheck(world.view(2));
        } else {
            world.hello(2);
        }
        assert_eq!(faulty_tasks(&world, 2), 11, "with the one of here");
        assert!(is_in_quarantine(&world, 2));
        assert_eq!(in_hand_max(&world, 2), 0);
        // The honest ones have no fault anywhere.
        world.recheck(world.view(0));
        assert_eq!((faulty_tasks(&world, 0), in_hand_max(&world, 0)), (0, 2));
    }
}

#[test]
fn a_fault_that_is_not_settled_is_remembered_after_a_restart() {
    let mut world = with_a_liar(TEN);
    world.restart();
    world.hello(2);
    assert_eq!(faulty_tasks(&world, 2), 11);
    assert!(is_in_quarantine(&world, 2));
}
