//! What a ranking costs, and what nobody gets by an earlier one.

use super::world::{Habit, JOB, MAJORITY, World};
use crate::core::Event;
use quern_jobs_api::WaitingFor;
use quern_primitives::{
    device::History,
    job::{Agreement, Preferences},
};
use quern_protocol::{Exchange, Refusal, State, Unavailable};

/// Devices are ranked so often, and nobody asks for anything.
fn rank(world: &mut World, times: usize) {
    for _ in 0..times {
        world.hello(0);
        world.wait(1_000);
    }
}

/// So many devices are ranked, it is made to believe, that it is no job's turn for minutes.
fn nobodys_turn(world: &mut World) {
    world.core.scheduler.dispatch.ranked(u32::MAX);
}

#[test]
fn a_job_that_nobody_asks_costs_a_ranking_nothing_and_one_that_is_asked_costs_it_once() {
    let mut world = World::new(8, Agreement::Single, &[1, 2, 3]);
    let retargets = |world: &World| world.core.scheduler.retargets;
    let before = retargets(&world);
    rank(&mut world, 5);
    assert_eq!(retargets(&world) - before, 0);
    assert!(!world.core.scheduler.dispatch.is_up_to_date(JOB));
    for worker in 0..3 {
        world.ask(worker, 2);
        assert_eq!(world.workers[worker].in_hand.len(), 2);
        assert_eq!(retargets(&world) - before, 1);
    }
    rank(&mut world, 5);
    for _ in 0..3 {
        world.core.catch_up_jobs(world.now, None);
        assert_eq!(retargets(&world) - before, 2);
    }
}

#[test]
fn a_job_without_anything_open_costs_nothing_whoever_asks() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]).lacking([0]);
    let before = world.core.scheduler.retargets;
    rank(&mut world, 2);
    world.ask(0, 1);
    assert_eq!(world.core.scheduler.retargets, before);
    world.come([0]);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    assert_eq!(world.core.scheduler.retargets, before + 1);
}

#[test]
fn by_devices_of_an_earlier_ranking_nobody_gets_what_is_not_for_it_now() {
    let preferences = Preferences {
        trusted: true,
        ..Preferences::default()
    };
    let mut world = World::with_preferences(preferences, &[]);
    let workers = [1, 2, 3, 4, 5];
    let workers = workers
        .map(|account| world.join_as(account, Habit::Honest, |worker| worker.trusted = true));
    world.wait(1_000);
    // It has its first turn.
    world.core.catch_up_jobs(world.now, Some(JOB));
    nobodys_turn(&mut world);
    let before = world.core.scheduler.retargets;
    let [flagged, faulty, distrusted, unbonded, other] = workers;
    let state = State {
        unavailable: vec![Unavailable::InUse],
        ..State::default()
    };
    world.send(
        flagged,
        Exchange {
            state: Some(state),
            want: 1,
            ..Exchange::default()
        },
    );
    world.workers[faulty].history = History {
        failed: 0x7ff,
        ..History::default()
    };
    world.recheck(world.view(faulty));
    world.workers[distrusted].trusted = false;
    world.recheck(world.view(distrusted));
    let device = world.workers[unbonded].id();
    let refusal = Refusal::NotBonded;
    world.feed(Event::Barred { device, refusal });
    for worker in workers {
        world.ask(worker, 1);
        let given = usize::from(worker == other);
        assert_eq!(world.workers[worker].in_hand.len(), given, "{worker}");
    }
    assert_eq!(world.core.scheduler.retargets, before);
}

#[test]
fn a_job_whose_devices_have_left_says_so_whoever_asked_before() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    world.wait(1_000);
    world.core.catch_up_jobs(world.now, Some(JOB));
    let waits_for = |world: &World| world.core.status(JOB).unwrap().waiting_for;
    assert_eq!(waits_for(&world), None);
    let device = world.workers[2].id();
    world.feed(Event::Gone { device });
    world.wait(1_000);
    let too_few = WaitingFor::Accounts {
        connected: 2,
        needed: 3,
    };
    assert_eq!(waits_for(&world), Some(too_few));
}

#[test]
fn a_trusted_device_that_comes_is_known_of_at_once_where_a_task_is_in_doubt() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.workers[0].habit = Habit::Traps;
    world.report(0);
    // It has its first turn.
    rank(&mut world, 1);
    world.core.catch_up_jobs(world.now, Some(JOB));
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    nobodys_turn(&mut world);
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand, []);
    world.ask(trusted, 1);
    assert_eq!(world.workers[trusted].in_hand.len(), 1);
}
