//! Replicas taken back: from devices that keep giving back, and because the masternode could not hand
//! them out.

use super::world::{JOB, MAJORITY, World};
use crate::core::{Entry, Event, PlannedAssignment, ReleaseCause};
use quern_jobs_api::{Rule, StepKind};
use quern_primitives::job::Agreement;
use quern_protocol::HandBackReason;

fn released(world: &World, wanted: ReleaseCause) -> usize {
    world.count(|entry| matches!(entry, Entry::Released { cause, .. } if *cause == wanted))
}

/// The masternode says that it could not hand out what it gave to a device.
fn withhold(world: &mut World, worker: usize, given: PlannedAssignment) {
    let device = world.workers[worker].id();
    world.workers[worker]
        .in_hand
        .retain(|held| held.id != given.id);
    world.feed(Event::Withheld {
        device,
        id: given.id,
        log_position: given.log_position,
    });
}

/// A task given back twice by the first device, before and after a restart.
fn given_back_twice() -> World {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    for reason in [HandBackReason::Stopping, HandBackReason::NoRoom] {
        world.ask(0, 1);
        assert_eq!(world.workers[0].in_hand.len(), 1);
        world.hand_back(0, reason);
        world.restart();
        world.hello(0);
    }
    world
}

#[test]
fn a_device_that_gives_a_task_back_three_times_does_not_get_it_again_even_after_a_restart() {
    let mut world = given_back_twice();
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    world.hand_back(0, HandBackReason::Stopping);
    assert_eq!(released(&world, ReleaseCause::HandedBack), 2);
    assert_eq!(released(&world, ReleaseCause::HandedBackOften), 1);
    for _ in 0..2 {
        world.ask(0, 1);
        assert!(world.workers[0].in_hand.is_empty());
        world.restart();
        world.hello(0);
    }
    world.hello(1);
    world.ask(1, 1);
    world.report(1);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    let devices = &world.ledger.batches[0].devices;
    assert_eq!(devices.len(), 1, "nobody is blamed");
}

#[test]
fn a_task_forgotten_counts_like_one_given_back() {
    let mut world = given_back_twice();
    world.ask(0, 1);
    world.workers[0].in_hand.clear();
    world.hello(0);
    assert_eq!(released(&world, ReleaseCause::HandedBackOften), 1);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
}

#[test]
fn what_one_device_gives_back_counts_for_no_other_device_and_no_other_task() {
    let mut world = World::new(2, Agreement::Single, &[1, 2]);
    for _ in 0..2 {
        world.ask(0, 1);
        assert_eq!(world.workers[0].in_hand[0].id.task, 0);
        world.hand_back(0, HandBackReason::Stopping);
        world.ask(1, 1);
        assert_eq!(world.workers[1].in_hand[0].id.task, 0);
        world.hand_back(1, HandBackReason::Stopping);
        // Both pause.
        world.wait(2_000);
    }
    assert_eq!(released(&world, ReleaseCause::HandedBackOften), 0);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::Stopping);
    assert_eq!(released(&world, ReleaseCause::HandedBackOften), 1);
    world.wait(4_000);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand[0].id.task, 1);
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand[0].id.task, 0);
}

#[test]
fn a_device_pauses_twice_as_long_each_time_it_gives_a_task_back_until_an_answer_is_accepted() {
    let mut world = World::new(9, Agreement::Single, &[1]);
    let device = world.workers[0].id();
    world.ask(0, 1);
    for pause_s in [1, 2, 4, 8] {
        world.hand_back(0, HandBackReason::NoRoom);
        let told = world.core.explain_device(world.now, &device).unwrap();
        assert_eq!(told.reasons[0].rule, Rule::Pausing);
        let ends = told.next.iter().find(|it| it.step == StepKind::PauseEnds);
        assert_eq!(ends.unwrap().in_s, pause_s);
        world.wait(1_000 * pause_s - 1);
        world.ask(0, 1);
        assert!(world.workers[0].in_hand.is_empty(), "{pause_s}");
        world.wait(1);
        assert_eq!(world.workers[0].in_hand.len(), 1, "{pause_s}");
    }
    world.report(0);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::NoRoom);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    world.wait(1_000);
    assert_eq!(world.workers[0].in_hand.len(), 1, "a second again");
}

#[test]
fn a_device_that_takes_and_gives_back_all_the_time_costs_few_entries_of_the_log() {
    let mut world = World::new(200, Agreement::Single, &[1]);
    for _ in 0..2 * 3_600 {
        world.ask(0, 2);
        world.hand_back(0, HandBackReason::Stopping);
        world.wait(500);
    }
    let device = world.workers[0].id();
    assert!(world.core.is_here(&device));
    // Within an hour: two after each pause, of which soon none is shorter than five minutes.
    let times = world.count(|entry| matches!(entry, Entry::Released { .. }));
    assert!((20..=40).contains(&times), "{times}");
}

#[test]
fn what_cannot_be_handed_out_rests_twice_as_long_each_time_and_nobody_is_blamed() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    for (failure, rest_ms) in [1_000, 2_000, 4_000, 8_000].into_iter().enumerate() {
        let given = world.workers[0].in_hand[0];
        withhold(&mut world, 0, given);
        assert_eq!(released(&world, ReleaseCause::Withheld), failure + 1);
        world.ask(0, 1);
        world.wait(rest_ms - 1);
        assert!(world.workers[0].in_hand.is_empty(), "{rest_ms}");
        world.ask(0, 1);
        assert!(world.workers[0].in_hand.is_empty(), "{rest_ms}");
        world.wait(1);
        assert_eq!(world.workers[0].in_hand.len(), 1, "{rest_ms}");
    }
    world.report(0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    let change = &world.ledger.batches[0].devices[0].change;
    assert_eq!((change.accepted, change.failed, change.delayed), (1, 0, 0));
}

#[test]
fn the_core_wakes_for_a_replica_that_has_rested() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    let given = world.workers[0].in_hand[0];
    withhold(&mut world, 0, given);
    let wakeup = world.core.next_wakeup().unwrap();
    assert_eq!(wakeup.0, world.now.0 + 1_000);
}

#[test]
fn other_tasks_of_the_job_go_on_while_one_rests() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ask(0, 1);
    let given = world.workers[0].in_hand[0];
    withhold(&mut world, 0, given);
    world.ask(0, 2);
    let tasks: Vec<_> = world.workers[0]
        .in_hand
        .iter()
        .map(|given| given.id.task)
        .collect();
    assert_eq!(tasks, [1]);
}

#[test]
fn a_failure_to_hand_out_that_is_told_late_takes_nothing_from_who_got_the_replica_since() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    let first = world.workers[0].in_hand[0];
    world.hand_back(0, HandBackReason::Stopping);
    world.wait(1_000);
    world.ask(0, 1);
    let device = world.workers[0].id();
    world.feed(Event::Withheld {
        device,
        id: first.id,
        log_position: first.log_position,
    });
    assert_eq!(released(&world, ReleaseCause::Withheld), 0);
    assert!(world.core.holds(&device, JOB, 0));
}

#[test]
fn a_replica_that_rests_is_open_again_after_a_restart() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.ask(0, 1);
    let given = world.workers[0].in_hand[0];
    withhold(&mut world, 0, given);
    world.restart();
    world.hello(0);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    assert_eq!(released(&world, ReleaseCause::Forgotten), 0);
}
