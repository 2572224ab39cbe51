//! Devices that the chain names no more, and those that find no room.

use super::{
    worker::ENGINE,
    world::{Habit, World, settings},
};
use crate::core::{Entry, Event, ReleaseCause, Settings};
use quern_grid::FleetSettings;
use quern_primitives::{device::Class, job::Agreement};
use quern_protocol::{HandBackReason, limits};

fn retire(world: &mut World, worker: usize) {
    let device = world.workers[worker].id();
    world.feed(Event::Retired { device });
}

fn is_known(world: &World, worker: usize) -> bool {
    let device = world.workers[worker].id();
    world.core.explain_device(world.now, &device).is_some()
}

fn barred(world: &World) -> usize {
    let cause = ReleaseCause::Barred;
    world.count(|entry| matches!(entry, Entry::Released { cause: it, .. } if *it == cause))
}

/// A world with room for so few devices.
fn with_room_for(devices_max: usize, accounts: &[u8]) -> World {
    let fleet = FleetSettings {
        devices_max,
        ..FleetSettings::default()
    };
    let settings = Settings {
        fleet,
        ..settings()
    };
    World::with(settings, 4, Agreement::Single, accounts)
}

#[test]
fn a_retired_device_is_forgotten_and_what_it_held_is_for_others() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.ask(1, 1);
    retire(&mut world, 0);
    assert_eq!((barred(&world), is_known(&world, 0)), (1, false));
    assert_eq!(world.workers[1].in_hand.len(), 1);
    assert_eq!(world.core.grid_devices(world.now, 0, 9).len(), 1);
    // Said again, or of one that was never here, it changes nothing.
    retire(&mut world, 0);
    world.report(1);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn a_device_that_is_away_when_it_is_retired_is_forgotten_as_well() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    world.wait(limits::SILENCE_MAX.as_millis() as u64);
    assert!(is_known(&world, 0), "it may come back");
    retire(&mut world, 0);
    assert!(!is_known(&world, 0));
}

#[test]
fn a_device_registered_anew_may_have_the_task_that_its_key_before_failed_on() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::TooSlow);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    retire(&mut world, 0);
    let anew = world.join(1, Habit::Honest);
    world.ask(anew, 1);
    // It may be kept for a fast device for some seconds.
    for _ in 0..10 {
        if world.workers[anew].in_hand.is_empty() {
            world.wait(5_000);
            world.ask(anew, 1);
        }
    }
    assert_eq!(world.workers[anew].in_hand.len(), 1);
}

#[test]
fn where_there_is_no_room_the_device_goes_that_is_away_longest_and_its_tasks_go_on() {
    let mut world = with_room_for(2, &[1, 2]);
    world.ask(0, 1);
    for worker in [0, 1] {
        let device = world.workers[worker].id();
        world.feed(Event::Gone { device });
    }
    let next = world.join(3, Habit::Honest);
    assert_eq!((barred(&world), is_known(&world, 0)), (1, false));
    assert!(is_known(&world, 1) && is_known(&world, next));
    world.ask(next, 1);
    assert_eq!(world.workers[next].in_hand.len(), 1);
    // Its time to be missed passes, and concerns nobody else.
    let silence = limits::SILENCE_MAX.as_millis() as u64;
    world.wait(silence / 2);
    world.ask(next, 0);
    world.wait(silence / 2);
    let explained = world
        .core
        .explain_device(world.now, &world.workers[next].id());
    assert!(explained.is_some_and(|it| it.state.connected && it.state.flags.is_empty()));
}

#[test]
fn nobody_goes_for_another_one_while_all_are_connected_or_it_could_not_be_served() {
    let mut world = with_room_for(1, &[1]);
    let refused = world.join(2, Habit::Honest);
    assert!(is_known(&world, 0) && !is_known(&world, refused));
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    world.workers[refused].engines.clear();
    world.hello(refused);
    assert!(is_known(&world, 0), "the other runs none of the engines");
    world.workers[refused].engines.push((Class::Pinned, ENGINE));
    world.hello(refused);
    assert!(!is_known(&world, 0) && is_known(&world, refused));
}

#[test]
fn identities_that_change_every_minute_find_no_more_room_and_crowd_out_nobody_who_is_here() {
    let mut world = with_room_for(4, &[1, 2]);
    let honest = [0, 1].map(|worker| world.workers[worker].id());
    for account in 10..40 {
        // It takes a task with it, and comes back under another name and for another account.
        let passing = world.join(account, Habit::Honest);
        assert!(world.core.is_known(&world.workers[passing].id()));
        world.ask(passing, 1);
        let device = world.workers[passing].id();
        world.feed(Event::Gone { device });
        for _ in 0..12 {
            world.wait(5_000);
            (0..2).for_each(|worker| {
                world.ask(worker, 0);
            });
        }
        assert!(world.core.known_devices() <= 4);
        assert!(honest.iter().all(|device| world.core.is_here(device)));
    }
    for _ in 0..40 {
        for worker in 0..2 {
            world.ask(worker, 1);
            if !world.workers[worker].in_hand.is_empty() {
                world.report(worker);
            }
        }
        world.wait(5_000);
    }
    world.next_block();
    assert!(
        !world.ledger.job.state.is_open(),
        "the honest ones did it all"
    );
    world.check_money();
}
