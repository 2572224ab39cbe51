//! When the core is woken for jobs, and who holds what of them: the world compares what is kept in order
//! with what a run over everything finds, after each event.

use super::world::{Habit, JOB, MAJORITY, World};
use crate::core::Event;
use proptest::prelude::*;
use quern_primitives::{ids::JobId, job::Agreement};
use quern_protocol::{HandBackReason, limits};

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Asks(usize),
    Reports(usize),
    HandsBack(usize),
    Goes(usize),
    Time(u64),
    Block,
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    let worker = 0..4usize;
    prop_oneof![
        4 => worker.clone().prop_map(Happens::Asks),
        4 => worker.clone().prop_map(Happens::Reports),
        1 => worker.clone().prop_map(Happens::HandsBack),
        1 => worker.prop_map(Happens::Goes),
        2 => (1..40_000u64).prop_map(Happens::Time),
        1 => Just(Happens::Block),
        1 => Just(Happens::Restart),
    ]
}

fn happen(world: &mut World, happens: Happens) {
    match happens {
        Happens::Asks(worker) => {
            world.ask(worker, 2);
        }
        Happens::Reports(worker) => world.report(worker),
        Happens::HandsBack(worker) => world.hand_back(worker, HandBackReason::Stopping),
        Happens::Goes(worker) => {
            let device = world.workers[worker].id();
            world.feed(Event::Gone { device });
        }
        Happens::Time(ms) => world.wait(ms),
        Happens::Block => world.next_block(),
        Happens::Restart => {
            world.restart();
            (0..world.workers.len()).for_each(|worker| world.hello(worker));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn times_and_holders_are_what_a_run_over_everything_finds(
        happening in proptest::collection::vec(happens(), 1..60),
        liar in any::<bool>(),
    ) {
        let mut world = World::new(6, MAJORITY, &[1, 2, 3, 4]);
        if liar {
            world.workers[3].habit = Habit::Lies(99);
        }
        for it in happening {
            happen(&mut world, it);
        }
    }
}

#[test]
fn an_event_costs_a_look_at_the_job_that_it_touches_however_many_there_are() {
    let mut world = World::new(4, MAJORITY, &[1, 2, 3]);
    let (block, job) = (world.block, world.ledger.job.clone());
    let others = (1..=1_000u32).map(|n| {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_le_bytes());
        (JobId(id), job.clone())
    });
    let jobs = others.collect();
    world.feed(Event::Finalised { block, jobs });
    assert_eq!(world.core.jobs.keys().count(), 1_001);
    let before = world.core.jobs.looks;
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    world.report(0);
    world.wait(1_000);
    let looks = world.core.jobs.looks - before;
    assert!((1..50).contains(&looks), "{looks} looks");
    assert!(world.core.next_wakeup().is_some());
}

#[test]
fn a_device_counts_once_however_much_it_holds_and_no_more_once_it_holds_nothing() {
    let mut world = World::new(6, Agreement::Single, &[1, 2]);
    let holders = |world: &World| world.core.status(JOB).unwrap().devices;
    assert_eq!(holders(&world), 0);
    world.ask(0, 2);
    assert_eq!((world.workers[0].in_hand.len(), holders(&world)), (2, 1));
    world.ask(1, 1);
    assert_eq!(holders(&world), 2);
    world.report(0);
    assert_eq!(holders(&world), 1);
    world.hand_back(1, HandBackReason::Stopping);
    assert_eq!(holders(&world), 0);
}

#[test]
fn a_task_that_is_sure_wakes_the_core_when_nobody_has_the_rest_of_it() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.report(0);
    world.report(1);
    let patience = world.settings.certain_ms;
    let idle = |world: &World| world.core.jobs.get(&JOB).unwrap().next_certain(patience);
    assert_eq!(idle(&world), None, "the third has it");
    let device = world.workers[2].id();
    world.feed(Event::Gone { device });
    let silence = limits::SILENCE_MAX.as_millis() as u64;
    for _ in 0..silence / 1_000 + 2 {
        world.wait(1_000);
        (0..2).for_each(|worker| {
            world.ask(worker, 0);
        });
    }
    let next = idle(&world);
    assert!(next.is_some());
    assert!(world.core.next_wakeup() <= next);
}
