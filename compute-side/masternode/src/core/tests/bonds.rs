//! Jobs whose tasks are worth more than is bonded for a device.

use super::world::{Habit, JOB, MAJORITY, World};
use crate::core::Bond;
use quern_job_rules::pay::Tariff;
use quern_jobs_api::{Asking, Rule};
use quern_primitives::{
    amount::BYTECHIP, device::Class, job::Agreement, limits::TASK_FUEL_MAX, params::Terms,
};

/// A job whose tasks may burn as much fuel as there is, and devices of these accounts, for which as
/// much is bonded as the chain demands.
fn dear(agreement: Agreement, accounts: &[u8]) -> World {
    let mut world = World::new(4, agreement, &[]);
    world.ledger.job.submission.fuel_per_task_max = TASK_FUEL_MAX;
    world.bond = bytechips(10, 1);
    world.begin_anew();
    accounts.iter().for_each(|account| {
        world.join(*account, Habit::Honest);
    });
    world
}

fn bytechips(active: u128, devices: u32) -> Bond {
    Bond {
        active: active * BYTECHIP,
        devices,
    }
}

/// That a bond keeps a device from the job, in words; none if nothing does.
fn words(world: &World, worker: usize) -> Option<String> {
    let device = world.workers[worker].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    let reason = explained.jobs[0].reason.as_ref()?;
    assert_eq!(reason.rule, Rule::Bond);
    Some(reason.words.clone())
}

#[test]
fn a_device_with_too_small_a_bond_gets_nothing_and_is_told_what_is_missing_until_more_is_bonded() {
    let mut world = dear(Agreement::Single, &[1]);
    world.ask(0, 2);
    assert!(world.workers[0].in_hand.is_empty());
    // Seven tenths of 100 BC for each of two tasks, and at most a thirty-second more.
    let told = words(&world, 0).unwrap();
    for part in ["142 BC must be bonded", "`quern device bond 132`"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(job.reasons[0].rule, Rule::Bond);
    assert!(job.reasons[0].words.contains("142 BC"));
    assert_eq!(job.target_devices, 0);

    world.bond = bytechips(141, 1);
    world.recheck(world.view(0));
    assert!(world.workers[0].in_hand.is_empty(), "still too little");
    world.bond = bytechips(142, 1);
    world.recheck(world.view(0));
    assert_eq!(
        world.workers[0].in_hand.len(),
        2,
        "the exchange held open is answered"
    );
    assert_eq!(words(&world, 0), None);
}

#[test]
fn a_bond_is_shared_by_all_devices_of_its_account() {
    let mut world = dear(Agreement::Single, &[1]);
    world.bond = bytechips(283, 2);
    world.recheck(world.view(0));
    world.ask(0, 2);
    assert!(world.workers[0].in_hand.is_empty());
    let told = words(&world, 0).unwrap();
    assert!(
        told.contains("141.5 BC for each of its 2 devices, `quern device bond 1`"),
        "{told}"
    );
    // One of them is retired.
    world.bond = bytechips(283, 1);
    world.recheck(world.view(0));
    assert_eq!(world.workers[0].in_hand.len(), 2);
    // What is unbonded later takes nothing back, and nothing more is given.
    world.bond = bytechips(10, 1);
    world.recheck(world.view(0));
    world.report(0);
    world.ask(0, 2);
    assert!(world.workers[0].in_hand.is_empty());
    assert!(words(&world, 0).is_some());
}

#[test]
fn where_several_must_agree_each_is_paid_a_share_and_needs_a_bond_for_that() {
    let mut world = dear(MAJORITY, &[1, 2, 3]);
    // 220 BC a task, seven tenths of that for two, and two tasks each: 154 BC.
    world.bond = bytechips(153, 1);
    for worker in 0..3 {
        world.recheck(world.view(worker));
        world.ask(worker, 1);
        assert!(world.workers[worker].in_hand.is_empty());
    }
    world.bond = bytechips(157, 1);
    for worker in 0..3 {
        world.recheck(world.view(worker));
        assert_eq!(world.workers[worker].in_hand.len(), 1);
    }
}

#[test]
fn a_device_that_comes_back_after_bonding_gets_what_it_was_kept_from() {
    let mut world = dear(Agreement::Single, &[1]);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    world.bond = bytechips(1_000, 1);
    world.hello(0);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
}

#[test]
fn an_owner_is_told_how_many_devices_have_too_small_a_bond() {
    let world = dear(Agreement::Single, &[1, 2]);
    let matching = |task| {
        world.core.grid_matching(&Asking {
            preferences: world.ledger.job.submission.preferences,
            class: Class::Pinned,
            agreement: Agreement::Single,
            task,
            memory_bytes: 0,
            terms: Terms::FIRST,
        })
    };
    let task = Tariff::of_job(&world.ledger.job).unwrap().task_cap();
    assert_eq!(task, 100 * BYTECHIP);
    let dear = matching(task);
    assert_eq!((dear.devices, dear.accounts, dear.of), (0, 0, 2));
    assert_eq!((dear.short_of_bond, dear.bond), (2, 142 * BYTECHIP));
    let cheap = matching(BYTECHIP);
    assert_eq!((cheap.devices, cheap.short_of_bond), (2, 0));
    assert_eq!(cheap.bond, 2 * BYTECHIP);
    // Where the price is not known yet, any bond will do.
    assert_eq!((matching(0).devices, matching(0).bond), (2, 0));
}
