//! What owners and workers are told: what they can do about what waits, why a job ended, and which
//! devices count for one.

use super::world::{Habit, JOB, World, settings};
use crate::core::{Effect, Event, Settings};
use quern_grid::Tuning;
use quern_jobs_api::{Asking, Impasse, JobStatus, Matching, Phase, Reader, Rule, Trouble};
use quern_primitives::{
    device::Class,
    job::{Agreement, Preferences},
    params::Terms,
};
use quern_protocol::HandBackReason;
use std::collections::BTreeSet;

/// What is wrong with the job's only task.
const UNOPENED: Impasse = Impasse {
    task: 0,
    why: Trouble::Unopened,
};

/// A job of one task whose input neither a device nor a trusted one can open. The chain takes that in,
/// or not yet.
fn shut(takes: bool) -> World {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ledger.takes = takes;
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    for worker in [0, trusted] {
        world.ask(worker, 1);
        world.hand_back(worker, HandBackReason::BadInput);
    }
    world
}

fn closed(world: &World) -> Option<JobStatus> {
    world.effects.iter().find_map(|effect| match effect {
        Effect::Closed { status, .. } => Some((**status).clone()),
        _ => None,
    })
}

#[test]
fn an_owner_is_told_that_the_input_opens_nowhere_while_the_job_ends_and_ever_after() {
    let mut world = shut(true);
    let status = world.core.status(JOB).unwrap();
    assert_eq!(
        (status.phase, status.impasse),
        (Phase::Settling, Some(UNOPENED))
    );
    let explained = world.core.explain_job(world.now, JOB).unwrap();
    let reason = &explained.reasons[0];
    assert_eq!(reason.rule, Rule::Failed);
    for words in ["task 0", "opens on no device", "the job ends"] {
        assert!(reason.words.contains(words), "{words}: {}", reason.words);
    }
    assert_eq!(reason.next.as_deref(), Rule::Failed.next(Reader::Owner));

    world.next_block();
    assert_eq!(world.core.status(JOB), None, "it is forgotten");
    let told = closed(&world).unwrap();
    assert_eq!((told.phase, told.impasse), (Phase::Closed, Some(UNOPENED)));
    // One that was down when the job ended has the reason in the job's log.
    let (job, plan) = (world.ledger.job.clone(), world.plan());
    let mut core = world.new_core();
    let replayed = core.replay(world.now, JOB, job, Some(plan), world.disk.clone());
    assert_eq!(replayed, Some(told));
}

#[test]
fn a_masternode_that_dies_meanwhile_tells_the_same_reason() {
    let mut world = shut(false);
    world.restart();
    let status = world.core.status(JOB).unwrap();
    assert_eq!(status.impasse, Some(UNOPENED));
    let running = World::new(1, Agreement::Single, &[1]);
    assert_eq!(running.core.status(JOB).unwrap().impasse, None);
}

#[test]
fn owner_and_worker_are_each_told_what_they_can_do_about_the_same_rule() {
    let preferences = Preferences {
        trusted: true,
        ..Preferences::default()
    };
    let world = World::with_preferences(preferences, &[1]);
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(job.reasons[0].rule, Rule::Trusted);
    let owner = job.reasons[0].next.clone().unwrap();
    assert!(owner.contains("--trusted"), "{owner}");
    let device = world.workers[0].id();
    let device = world.core.explain_device(world.now, &device).unwrap();
    let reason = device.jobs[0].reason.clone().unwrap();
    assert_eq!(reason.rule, Rule::Trusted);
    let worker = reason.next.unwrap();
    assert!(worker.contains("council"), "{worker}");
}

#[test]
fn a_device_that_gets_nothing_before_somebody_does_something_counts_for_no_job() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    let matching = |world: &World| {
        let asking = Asking {
            preferences: Preferences::default(),
            class: Class::Pinned,
            agreement: Agreement::Single,
            task: 0,
            memory_bytes: 0,
            terms: Terms::FIRST,
        };
        world.core.grid_matching(&asking)
    };
    let of_two = |devices| Matching {
        devices,
        accounts: devices,
        of: 2,
        ..Matching::default()
    };
    assert_eq!(matching(&world), of_two(2));
    let mut view = world.view(0);
    view.quarantined = true;
    view.device.history.failed = 0x7ff;
    world.recheck(view);
    assert_eq!(matching(&world), of_two(1));
    world.recheck(world.view(0));
    assert_eq!(matching(&world), of_two(2));
}

#[test]
fn devices_of_a_grid_with_pools_are_told_with_the_pool_they_stand_in() {
    let settings = Settings {
        tuning: Tuning::published(),
        ..settings()
    };
    let accounts: Vec<u8> = (1..=24).collect();
    let mut world = World::with(settings, 4, Agreement::Single, &accounts);
    world.wait(1_000);
    world.core.catch_up_jobs(world.now, None);
    let devices = world.core.grid_devices(world.now, 0, 30);
    assert_eq!(devices.len(), accounts.len());
    let stands = devices.iter().filter_map(|device| device.pools.first());
    let stands: Vec<_> = stands.collect();
    let pools = stands[0].pools;
    assert!(pools > 2, "{stands:?}");
    assert!(stands.iter().all(|it| it.job == JOB && it.pools == pools));
    let seen: BTreeSet<u32> = stands.iter().map(|it| it.pool).collect();
    // The lowest pool has no part in a job of this level.
    assert!(seen.into_iter().eq(1..pools), "{stands:?}");
    assert!(stands.len() < devices.len());
    // The best stand in the first.
    assert!(stands.is_sorted_by_key(|it| it.pool), "{stands:?}");
    // Who has gone stands in none.
    let gone = world.workers[0].id();
    world.feed(Event::Gone { device: gone });
    world.wait(1_000);
    let devices = world.core.grid_devices(world.now, 0, 30);
    let found = devices.iter().find(|it| it.device == gone).unwrap();
    assert_eq!(found.pools, []);
}
