//! Devices that come, take, forget, fall silent and go.

use super::{
    worker::{ENGINE, PORTABLE_ENGINE},
    world::{DEADLINE, Habit, JOB, MAJORITY, World},
};
use crate::core::{Entry, Event, ReleaseCause};
use quern_primitives::{device::Class, ids::Digest, job::Agreement};
use quern_protocol::{DiscardReason, HandBackReason, Refusal, ReplicaId, limits};

fn released(world: &World, wanted: ReleaseCause) -> usize {
    world.count(|entry| matches!(entry, Entry::Released { cause, .. } if *cause == wanted))
}

#[test]
fn a_task_goes_to_three_accounts_and_never_twice_to_one() {
    let mut world = World::new(1, MAJORITY, &[1, 1, 2, 3]);
    (0..4).for_each(|worker| {
        world.ask(worker, 2);
    });
    let given: Vec<_> = world
        .workers
        .iter()
        .map(|worker| worker.in_hand.len())
        .collect();
    assert_eq!(given, [1, 0, 1, 1]);
}

#[test]
fn a_device_never_has_more_than_two_in_hand() {
    let mut world = World::new(9, Agreement::Single, &[1]);
    (0..3).for_each(|_| {
        world.ask(0, 2);
    });
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

#[test]
fn a_device_that_asks_before_its_hello_is_refused() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.restart();
    world.ask(0, 1);
    assert_eq!(world.workers[0].refusals, [Refusal::NoHello]);
}

#[test]
fn a_device_that_forgot_its_task_gives_it_back_at_once() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.workers[0].in_hand.clear();
    world.hello(0);
    assert_eq!(released(&world, ReleaseCause::Forgotten), 1);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty(), "it pauses");
    world.wait(1_000);
    assert_eq!(
        world.workers[0].in_hand.len(),
        1,
        "nobody is to blame; it may try again"
    );
}

#[test]
fn a_silent_device_loses_its_task_to_another_and_is_found_late() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.ask(1, 1);
    let silence = limits::SILENCE_MAX.as_millis() as u64;
    world.wait(silence - 1_000);
    world.ask(1, 1);
    assert_eq!(released(&world, ReleaseCause::Late), 0);
    world.wait(1_000);
    assert_eq!(released(&world, ReleaseCause::Late), 1);
    assert_eq!(
        world.workers[1].in_hand.len(),
        1,
        "the exchange held open is answered"
    );
    world.report(1);
    world.hello(0);
    world.compute(0);
    world.ask(0, 1);
    let id = ReplicaId {
        job: JOB,
        task: 0,
        replica: 0,
    };
    assert!(world.workers[0].acknowledged.is_empty());
    assert!(
        world.workers[0]
            .discarded
            .contains(&(id, DiscardReason::NotAssigned))
    );
    assert_eq!(
        world.ledger.batches[0]
            .devices
            .iter()
            .filter(|d| d.change.delayed == 1)
            .count(),
        1
    );
    assert_eq!(world.ledger.paid.len(), 1);
}

#[test]
fn a_replica_over_its_time_goes_to_another_though_its_device_lives() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    let time_ms = world.workers[0].in_hand[0].time_ms;
    for _ in 0..=time_ms / 5_000 {
        world.wait(5_000);
        world.ask(0, 0);
        world.ask(1, 1);
    }
    assert_eq!(released(&world, ReleaseCause::Late), 1);
    assert_eq!(world.workers[1].in_hand.len(), 1);
    assert!(
        world.workers[0].in_hand.is_empty(),
        "the device is told to drop it"
    );
}

#[test]
fn a_task_handed_back_goes_on_and_nobody_is_blamed() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::Stopping);
    world.ask(1, 1);
    world.report(1);
    assert_eq!(world.ledger.batches[0].devices.len(), 1);
}

#[test]
fn a_task_handed_back_for_bad_input_does_not_come_back_to_its_device_even_after_a_restart() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::BadInput);
    world.restart();
    world.hello(0);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    world.hello(1);
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand.len(), 1);
}

#[test]
fn a_barred_device_loses_its_tasks_and_its_exchanges_are_refused() {
    let mut world = World::new(3, Agreement::Single, &[1]);
    world.ask(0, 2);
    world.ask(0, 1);
    let device = world.workers[0].id();
    world.feed(Event::Barred {
        device,
        refusal: Refusal::Banned,
    });
    assert_eq!(released(&world, ReleaseCause::Barred), 2);
    assert_eq!(world.workers[0].refusals, [Refusal::Banned]);
    assert_eq!(world.core.connected_devices().count(), 0);
}

#[test]
fn a_restart_leaves_a_task_with_the_device_that_still_holds_it() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.restart();
    world.hello(0);
    world.report(0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(world.workers[0].discarded, []);
}

/// The first hello of a device that names these engines.
fn hello_with(world: &mut World, engines: Vec<(Class, Digest)>) -> usize {
    let worker = world.join(7, Habit::Honest);
    let device = world.workers[worker].id();
    world.feed(Event::Gone { device });
    world.workers[worker].engines = engines;
    world.hello(worker);
    worker
}

#[test]
fn a_device_of_another_engine_gets_nothing_and_holds_up_nobody() {
    let other = Digest([66; 32]);
    let wrong = [
        vec![(Class::Pinned, other)],
        vec![(Class::Pinned, ENGINE), (Class::Portable, other)],
        vec![(Class::Pinned, other), (Class::Pinned, ENGINE)],
        vec![],
    ];
    for engines in wrong {
        let mut world = World::new(1, Agreement::Single, &[1]);
        assert!(world.core.check_engines(&engines).is_err(), "{engines:?}");
        let worker = hello_with(&mut world, engines.clone());
        world.ask(worker, 2);
        assert!(world.workers[worker].in_hand.is_empty(), "{engines:?}");
        assert_eq!(world.workers[worker].refusals, [Refusal::NoHello]);
        world.ask(0, 1);
        world.report(0);
        world.next_block();
        assert!(!world.ledger.job.state.is_open(), "{engines:?}");
    }
}

#[test]
fn a_device_of_another_engine_is_told_which_one_is_wanted() {
    let world = World::new(1, Agreement::Single, &[]);
    let refusal = world
        .core
        .check_engines(&[(Class::Portable, ENGINE)])
        .unwrap_err();
    let wanted = PORTABLE_ENGINE;
    let class = Class::Portable;
    assert_eq!(refusal, Refusal::WrongEngine { class, wanted });
    let words = refusal.to_string();
    assert!(
        words.contains(&wanted.to_string()) && words.contains("update the worker"),
        "{words}"
    );
    let right = [(Class::Pinned, ENGINE), (Class::Portable, PORTABLE_ENGINE)];
    assert_eq!(world.core.check_engines(&right), Ok(()));
}

#[test]
fn a_device_that_comes_back_with_another_engine_loses_its_tasks_also_after_a_restart() {
    for restart in [false, true] {
        let mut world = World::new(1, Agreement::Single, &[1, 2]);
        world.ask(0, 1);
        if restart {
            world.restart();
            world.hello(1);
        }
        world.workers[0].engines = vec![(Class::Pinned, Digest([66; 32]))];
        world.hello(0);
        assert_eq!(released(&world, ReleaseCause::Barred), 1);
        world.ask(1, 1);
        assert_eq!(world.workers[1].in_hand.len(), 1);
    }
}

#[test]
fn a_device_of_the_other_class_gets_nothing_of_a_job() {
    let mut world = World::new(1, Agreement::Single, &[]);
    let portable = hello_with(&mut world, vec![(Class::Portable, PORTABLE_ENGINE)]);
    world.ask(portable, 1);
    assert!(world.workers[portable].in_hand.is_empty());
    assert_eq!(world.workers[portable].refusals, []);
}

#[test]
fn the_classes_of_a_device_s_hello_are_told_each_once() {
    let both = [(Class::Portable, PORTABLE_ENGINE), (Class::Pinned, ENGINE)];
    let cases = [
        (vec![both[1]], vec![Class::Pinned]),
        (vec![both[0]], vec![Class::Portable]),
        (both.to_vec(), vec![Class::Pinned, Class::Portable]),
        (vec![both[1], both[1]], vec![Class::Pinned]),
    ];
    for (engines, classes) in cases {
        let mut world = World::new(1, Agreement::Single, &[]);
        let worker = hello_with(&mut world, engines);
        let id = world.workers[worker].id();
        let told = world.core.grid_devices(world.now, 0, 10);
        let told = told.into_iter().find(|state| state.device == id);
        assert_eq!(told.map(|state| state.classes), Some(classes));
    }
}

#[test]
fn an_exchange_held_open_is_answered_when_its_time_is_over() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.ask(1, 1);
    assert!(world.workers[1].answers.is_empty());
    world.wait(limits::HOLD.as_millis() as u64 - 1);
    assert!(world.workers[1].answers.is_empty());
    world.wait(1);
    assert_eq!(world.workers[1].answers.len(), 1);
    assert!(world.workers[1].in_hand.is_empty());
}

#[test]
fn an_exchange_held_open_is_answered_when_work_comes() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.ask(1, 1);
    world.hand_back(0, HandBackReason::NoRoom);
    assert_eq!(world.workers[1].in_hand.len(), 1);
}

#[test]
fn a_job_near_its_deadline_hands_out_nothing() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.block = DEADLINE - 11;
    world.next_block();
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    world.restart();
    world.hello(0);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty(), "nor after a restart");
}

#[test]
fn a_liar_is_found_and_unpaid() {
    let mut world = World::new(1, MAJORITY, &[1, 2]);
    let liar = world.join(3, Habit::Lies(99));
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..3).for_each(|worker| world.report(worker));
    let change = world.ledger.batches[0]
        .devices
        .iter()
        .find(|d| d.device == world.workers[liar].id());
    assert_eq!(change.unwrap().change.incorrect, 1);
    assert!(!world.ledger.paid.contains_key(&world.workers[liar].account));
    assert_eq!(world.ledger.paid.len(), 2);
    world.check_money();
}
