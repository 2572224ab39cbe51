//! What comes to a device over a slow line is not late while it comes.

use super::world::{Habit, JOB, World};
use crate::core::{Entry, Event, JobPlan, Measured};
use quern_primitives::job::Agreement;

const MIB: u64 = 1 << 20;

/// A job of one task, for which a device fetches so much, and two devices whose lines are so fast to them.
fn world(fetch_bytes_max: u64, mbps: [u64; 2]) -> World {
    let mut world = World::new(1, Agreement::Single, &[]);
    // What counts is what the plan says is fetched, not what the job says of all its input.
    world.ledger.job.submission.input_bytes = 64 * MIB;
    // Little enough to compute that only the line matters.
    world.ledger.job.submission.fuel_per_task_max = 1;
    world.begin_without_plan();
    let plan = JobPlan {
        fetch_bytes_max,
        ..world.plan()
    };
    world.feed(Event::Uploaded { job: JOB, plan });
    for (account, mbps) in [1, 2].into_iter().zip(mbps) {
        let worker = world.join(account, Habit::Honest);
        let device = world.workers[worker].id();
        // A second's worth of it.
        let measured = Measured::Down {
            bytes: mbps * 125_000,
            ms: 1_000,
        };
        world.feed(Event::Measured { device, measured });
    }
    world
}

/// How long the first device may have the task until another one gets it as well.
fn stale_after_s(mut world: World) -> u64 {
    let added = |world: &World| {
        let mut log = world.log();
        log.any(|entry| matches!(entry, Entry::Added { .. }))
    };
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    let mut waited_s = 0;
    while !added(&world) {
        world.wait_alive(1_000, &[0]);
        waited_s += 1;
        assert!(waited_s < 200, "nobody else gets it");
    }
    waited_s
}

#[test]
fn a_task_is_stale_after_three_and_a_half_times_what_its_line_and_its_device_take() {
    // 16 MiB over 8 Mbit/s are 16.8 seconds, and 12 over 5 Mbit/s 20.1.
    assert_eq!(stale_after_s(world(16 * MIB, [8, 8])), 59);
    assert_eq!(stale_after_s(world(12 * MIB, [5, 5])), 71);
    // What is fast enough is stale at the least time of all.
    assert_eq!(stale_after_s(world(16 * MIB, [800, 800])), 25);
}

#[test]
fn a_task_that_takes_its_line_long_is_stale_before_its_device_is_over_and_not_before_it_should_be_there()
 {
    // A replica may be out for a minute and for 32 MiB over 5 Mbit/s, 53.7 seconds; it is stale after two thirds.
    assert_eq!(stale_after_s(world(32 * MIB, [5, 5])), 76);
    // With as large a program these are 107 seconds, in which nobody expects it.
    assert_eq!(stale_after_s(world(64 * MIB, [5, 5])), 108);
}

#[test]
fn who_takes_its_time_on_the_line_gets_no_more_of_it_than_the_slowest_useful_one() {
    assert_eq!(stale_after_s(world(12 * MIB, [1, 1])), 71);
}

#[test]
fn results_count_as_long_as_those_that_were_accepted() {
    let with_results_of = |result_bytes| {
        let mut world = World::new(4, Agreement::Single, &[]);
        world.ledger.job.submission.result_bytes_max = 32 << 20;
        world.begin_anew();
        for account in [1, 2] {
            world.join_as(account, Habit::Honest, |worker| {
                worker.result_bytes = result_bytes
            });
        }
        for _ in 0..3 {
            world.ask(0, 1);
            world.report(0);
        }
        stale_after_s(world)
    };
    assert_eq!(with_results_of(3), 25);
    // 12 MiB over a line back that nobody measured are 20.1 seconds, beside what it computes.
    assert_eq!(with_results_of(12 * MIB), 72);
}

#[test]
fn a_replica_may_be_out_for_as_long_as_the_slowest_useful_line_takes() {
    let mut world = world(32 * MIB, [8, 8]);
    let of = |world: &World| world.settings.replica_ms(&world.ledger.job.submission);
    let with_little = of(&world);
    world.ledger.job.submission.result_bytes_max = 32 << 20;
    assert_eq!(of(&world) - with_little, 53_687 - 1);
    world.ledger.job.submission.input_bytes = u64::MAX;
    assert_eq!(of(&world) - with_little, 53_687 - 1, "no shard is larger");
}

#[test]
fn a_device_is_told_how_long_it_may_run_whatever_its_line_takes() {
    for input_bytes in [0, 32 * MIB] {
        let mut world = world(input_bytes, [5, 5]);
        world.ask(0, 1);
        let may_run_ms = world.settings.computing_ms(1);
        assert_eq!(world.workers[0].in_hand[0].time_ms, may_run_ms);
    }
}

#[test]
fn what_a_line_still_takes_is_no_work_that_a_device_has_before_it() {
    let mut world = world(32 * MIB, [5, 5]);
    world.ask(0, 1);
    let device = world.workers[0].id();
    let known = world.core.devices.get(&device).unwrap();
    assert_eq!(known.in_hand.len(), 1);
    assert!(world.core.backlog_ms(world.now, known) < 1_000);
}
