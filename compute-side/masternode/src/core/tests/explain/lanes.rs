//! In how many lanes the log says that replicas were given.

use super::{MAJORITY, World};
use crate::core::Entry;
use quern_primitives::lanes::{self, Draw, OPEN_TO_ALL};
use std::collections::BTreeMap;

#[test]
fn the_log_says_of_each_replica_in_how_many_lanes_it_was_given() {
    let accounts: Vec<u8> = (1..=24).collect();
    let mut world = World::new(8, MAJORITY, &accounts);
    world.wait(1_000);
    // Where hardly anybody asks, what waits is for all in the end.
    for _ in 0..3 {
        for worker in 0..2 {
            world.ask(worker, 2);
        }
        world.wait_all_alive(world.settings.tuning.lane_ms);
    }
    for worker in 0..accounts.len() {
        world.ask(worker, 2);
    }
    let seed = world.plan().seed;
    let mut given = BTreeMap::<_, usize>::new();
    for entry in world.log() {
        let Entry::Assigned {
            task,
            replica,
            account,
            lanes,
            ..
        } = entry
        else {
            continue;
        };
        assert!(lanes::can_be(*lanes, MAJORITY.replicas()), "{entry:?}");
        let draw = Draw::of(&seed, account);
        assert!(draw.is_for(*task, *replica, *lanes), "{entry:?}");
        *given.entry(*lanes > OPEN_TO_ALL).or_default() += 1;
    }
    let of = |kind: &bool| given.get(kind).copied().unwrap_or_default();
    assert!(of(&true) > 4, "hardly any was given in a lane: {given:?}");
    assert!(
        of(&false) > 0,
        "none was given when lanes had opened: {given:?}"
    );
}
