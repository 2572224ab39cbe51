//! Batches that the chain has counted and that are not final: the more there are of a job, the longer its
//! verdicts wait for others.

use super::world::World;
use quern_primitives::{job::Agreement, limits};

/// A job with one verdict that waits, of which so many batches are pending.
fn pending(batches: u32) -> World {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ledger.waits = true;
    world.ledger.job.pending_batches = batches;
    world.next_block();
    world.ask(0, 1);
    world.report(0);
    world
}

#[test]
fn a_verdict_waits_twice_as_long_with_each_32_batches_that_are_pending() {
    let waits = [(0, 6), (31, 6), (32, 12), (63, 12), (64, 24), (255, 768)];
    for (batches, seconds) in waits {
        let mut world = pending(batches);
        world.wait(seconds * 1_000 - 1);
        assert_eq!(world.settles(), 0, "{batches} are pending");
        world.wait(1);
        assert_eq!(world.settles(), 1, "{batches} are pending");
    }
}

#[test]
fn verdicts_wait_while_as_many_batches_are_pending_as_may() {
    let mut world = pending(limits::PENDING_BATCHES_PER_JOB_MAX);
    // Longer than any number of pending batches has it wait.
    world.wait(10_000_000);
    assert_eq!(world.settles(), 0);
    // With room for it, it has waited long enough.
    world.ledger.job.pending_batches -= 1;
    world.next_block();
    assert_eq!(world.settles(), 1);
}
