//! Crashes between any two entries, lies, silence and a chain that does not answer: whatever comes,
//! each task is settled once and each acknowledged report counts.

use super::world::{Habit, JOB, MAJORITY, World, settings};
use crate::core::{Entry, Event};
use proptest::prelude::*;
use quern_primitives::job::{Agreement, JobEnd, JobState};
use quern_protocol::{HandBackReason, ReplicaId};
use std::collections::BTreeSet;

const TASKS: u32 = 5;
/// Rounds after which a world with enough honest devices must be through.
const ROUNDS_MAX: u32 = 200;

/// One thing that happens, to the device `who` where it is about one.
fn happen(world: &mut World, what: u8, who: usize, much: usize) {
    match what {
        0..=4 => {
            world.ask(who, 2);
        }
        5..=8 => world.report(who),
        9 => world.compute(who),
        10 => world.hello(who),
        11 => {
            world.workers[who].in_hand.clear();
            world.hello(who);
        }
        12 => {
            let device = world.workers[who].id();
            world.feed(Event::Gone { device });
        }
        13 => world.hand_back(who, HandBackReason::Stopping),
        14 => world.wait(much as u64 * 1_000),
        15..=18 => world.write(much),
        19 => world.next_block(),
        20 => world.ledger.takes = !world.ledger.takes,
        22 => world.ledger.loses = much % 4,
        21 => world.feed(Event::NotSettled { job: JOB }),
        // Also shards that are here already, and those of tasks that there are not.
        25 | 26 => world.come([who as u32]),
        27 => {
            // It comes while the masternode is down.
            world.missing.pop_first();
            world.restart();
        }
        _ => world.restart(),
    }
}

/// Everybody works and the disk writes, until the job is over.
fn finish(world: &mut World) {
    (world.ledger.takes, world.ledger.loses) = (true, 0);
    world.come(0..TASKS);
    for account in 20..25 {
        world.join(account, Habit::Honest);
    }
    for round in 0..ROUNDS_MAX {
        world.write(usize::MAX);
        world.next_block();
        if !world.ledger.job.state.is_open() {
            world.write(usize::MAX);
            return;
        }
        for worker in 0..world.workers.len() {
            if round % 3 == 0 {
                world.hello(worker);
            }
            world.report(worker);
            world.ask(worker, 2);
        }
        world.wait(1_000);
    }
}

/// Whether a device's replica is in a verdict.
fn is_judged(world: &World, device: [u8; 32], id: &ReplicaId) -> bool {
    world.disk.iter().any(|entry| {
        let Entry::Judged { verdict } = entry else {
            return false;
        };
        verdict.task == id.task
            && verdict
                .replicas
                .iter()
                .any(|found| found.replica == id.replica && found.device.0 == device)
    })
}

fn check_end(world: &World) {
    let end = JobEnd::AllSettled;
    assert_eq!(
        world.ledger.job.state,
        JobState::Completed { end },
        "every task is settled"
    );
    assert_eq!(world.ledger.job.settled_tasks, TASKS);
    world.check_money();
    let mut decided = BTreeSet::new();
    for entry in &world.disk {
        if let Entry::Judged { verdict } = entry {
            assert!(decided.insert(verdict.task), "a task has two verdicts");
        }
    }
    for worker in &world.workers {
        for id in &worker.acknowledged {
            assert!(
                is_judged(world, worker.id().0, id),
                "{id:?} was acknowledged and is lost"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_crashes_every_task_is_settled_once_and_every_acknowledged_report_counts(
        story in prop::collection::vec((0u8..28, 0usize..7, 1usize..20), 0..150),
        missing in prop::collection::btree_set(0..TASKS, 0..=TASKS as usize),
        single: bool,
        verdicts_max in 1usize..6,
        in_flight_max in 1usize..4,
    ) {
        let agreement = if single { Agreement::Single } else { MAJORITY };
        let mut settings = settings();
        settings.settle.verdicts_max = verdicts_max;
        settings.settle.in_flight_max = in_flight_max;
        let mut world = World::with(settings, TASKS, agreement, &[1, 2, 2, 3, 4, 5]);
        world.join(6, Habit::Lies(200));
        let mut world = world.lacking(missing);
        world.disk_is_quick = false;
        for (what, who, much) in story {
            happen(&mut world, what, who, much);
        }
        finish(&mut world);
        check_end(&world);
    }
}
