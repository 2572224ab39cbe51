//! What a device lets one task have of its memory, and which jobs it then gets.

use super::world::World;
use quern_jobs_api::{Asking, DeviceExplanation, Matching, Rule};
use quern_primitives::{
    device::Class,
    job::{Agreement, Preferences},
    params::Terms,
};
use quern_protocol::{Exchange, State};

/// What a task of the world's job may need.
const NEEDED_MIB: u64 = 64;

/// A device tells how much memory it lets a task have, and asks for one.
fn ask(world: &mut World, worker: usize, task_memory_mib: Option<u64>) {
    let state = State {
        task_memory_mib,
        ..State::default()
    };
    let exchange = Exchange {
        state: Some(state),
        want: 1,
        ..Exchange::default()
    };
    world.send(worker, exchange);
}

fn matching(world: &World) -> Matching {
    world.core.grid_matching(&Asking {
        preferences: Preferences::default(),
        class: Class::Pinned,
        agreement: Agreement::Single,
        task: 0,
        memory_bytes: NEEDED_MIB << 20,
        terms: Terms::FIRST,
    })
}

fn explained(world: &World) -> DeviceExplanation {
    let device = world.workers[0].id();
    world.core.explain_device(world.now, &device).unwrap()
}

#[test]
fn a_device_gets_no_task_that_may_need_more_memory_than_it_allows() {
    let mut world = World::new(4, Agreement::Single, &[1, 2]);
    ask(&mut world, 0, Some(NEEDED_MIB - 1));
    assert!(world.workers[0].in_hand.is_empty());
    let found = matching(&world);
    assert_eq!((found.devices, found.short_of_memory, found.of), (1, 1, 2));
    let told = explained(&world);
    assert_eq!(told.jobs[0].reason.as_ref().unwrap().rule, Rule::Memory);
    assert_eq!(told.state.claimed.task_memory_mib, Some(NEEDED_MIB - 1));
    ask(&mut world, 0, Some(NEEDED_MIB));
    assert!(!world.workers[0].in_hand.is_empty());
    assert_eq!(matching(&world).short_of_memory, 0);
}

#[test]
fn a_device_that_does_not_tell_is_asked_for_any_task() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    assert_eq!(matching(&world).devices, 1);
    ask(&mut world, 0, None);
    assert_eq!(world.workers[0].in_hand.len(), 1);
}

#[test]
fn what_a_device_told_of_its_memory_is_known_when_it_comes_back() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    ask(&mut world, 0, Some(1));
    world.hello(0);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    let told = explained(&world);
    assert_eq!(told.jobs[0].reason.as_ref().unwrap().rule, Rule::Memory);
}
