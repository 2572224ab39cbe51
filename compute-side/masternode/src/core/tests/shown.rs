//! Devices that show that they have the shards of what they were given, and such that do not.

use super::{
    scheduling::benchmark,
    worker::name,
    world::{Habit, JOB, MAJORITY, World},
};
use crate::core::{Entry, Event, ReleaseCause, ReportFacts, Shown, Token};
use quern_primitives::job::Agreement;
use quern_protocol::{DiscardReason, Exchange, Progress, ReplicaId, Stage};
use std::collections::BTreeMap;

impl World {
    /// What there is to what the device shows with an exchange: of what it has in hand, and of what it commits itself to
    /// and reports.
    pub(super) fn shown(
        &self,
        worker: usize,
        exchange: &Exchange,
    ) -> BTreeMap<(ReplicaId, u64), Shown> {
        let worker = &self.workers[worker];
        let Some(shown) = worker.shows else {
            return BTreeMap::new();
        };
        let in_hand = worker.in_hand.iter().map(|it| (it.id, it.log_position));
        let reports = exchange.reports.iter().map(|report| {
            let log_position = report.receipt.payload.log_position;
            (name(report), log_position)
        });
        let commitments = exchange.commitments.iter().map(|it| {
            let said = &it.payload;
            let id = ReplicaId {
                job: said.job,
                task: said.task,
                replica: said.replica,
            };
            (id, said.log_position)
        });
        let all = in_hand.chain(reports).chain(commitments);
        all.map(|assignment| (assignment, shown)).collect()
    }
}

/// A job of one task, which a device has that shows this of its shard; another one is there.
fn given(agreement: Agreement, shows: Option<Shown>) -> World {
    let mut world = World::new(1, agreement, &[]);
    world.join_as(1, Habit::Honest, |worker| worker.shows = shows);
    world.join(2, Habit::Honest);
    // Where no speed is known, nobody knows how long a task should take.
    benchmark(&mut world, 0, 100);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    world
}

fn tells(world: &World, stage: Stage) -> Exchange {
    let id = world.workers[0].names()[0];
    Exchange {
        progress: vec![Progress { id, stage }],
        want: 1,
        ..Exchange::default()
    }
}

fn taken(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Committed { .. } | Entry::Revealed { .. }))
}

fn failed(world: &World) -> usize {
    world.count(|entry| {
        matches!(
            entry,
            Entry::Released {
                cause: ReleaseCause::Failed,
                ..
            }
        )
    })
}

fn awaits(world: &World) -> bool {
    let worker = &world.workers[0];
    let given = &worker.in_hand[0];
    world
        .core
        .awaits_shown(&worker.id(), given.id, given.log_position)
}

#[test]
fn until_a_device_has_shown_its_shard_it_is_fetching_whatever_it_tells() {
    let is_asked_again = |shows: Option<Shown>| {
        let mut world = given(Agreement::Single, None);
        let delayed_ms = world.settings.tuning.delayed_ms_min;
        world.send(0, tells(&world, Stage::Fetching));
        world.wait(delayed_ms - 1_000);
        world.workers[0].shows = shows;
        world.send(0, tells(&world, Stage::Running));
        let answers = world.workers[0].answers.len();
        world.wait(500);
        assert_eq!(world.workers[0].answers.len(), answers, "it is held open");
        world.wait(500);
        world.workers[0].answers.len() > answers
    };
    assert!(is_asked_again(None), "no step forward");
    assert!(!is_asked_again(Some(Shown::Right)));
    assert!(!is_asked_again(Some(Shown::Unreadable)));
}

#[test]
fn a_task_whose_device_shows_nothing_is_given_to_another_after_t2() {
    let mut world = given(Agreement::Single, None);
    let added = |world: &World| world.count(|entry| matches!(entry, Entry::Added { .. }));
    let seconds = world.settings.tuning.stale_ms_min / 1_000;
    for second in 1..=seconds {
        assert_eq!(added(&world), 0, "after {second} seconds");
        world.wait(1_000);
        world.send(0, tells(&world, Stage::Running));
    }
    assert_eq!(added(&world), 1);
    assert!(awaits(&world));
    assert_eq!(failed(&world), 0, "it may be on its way");
    world.hello(1);
    benchmark(&mut world, 1, 100);
    world.ask(1, 1);
    let (first, second) = (&world.workers[0], &world.workers[1]);
    assert_eq!(second.names()[0].task, first.names()[0].task);
    world.report(1);
    world.ask(0, 0);
    world.wait_alive(10_000, &[0, 1]);
    assert_eq!(world.ledger.paid.len(), 1, "only who answered is paid");
    world.check_money();
}

#[test]
fn what_a_device_shows_wrongly_is_its_failure_and_the_task_goes_to_another() {
    let mut world = given(Agreement::Single, Some(Shown::Wrong));
    let id = world.workers[0].names()[0];
    world.ask(0, 1);
    assert_eq!(failed(&world), 1);
    let shower = &world.workers[0];
    assert_eq!(shower.discarded, [(id, DiscardReason::NotShown)]);
    assert!(shower.in_hand.is_empty(), "and it gets nothing else");
    benchmark(&mut world, 1, 100);
    world.ask(1, 1);
    assert_eq!(world.workers[1].names()[0].task, id.task);
}

#[test]
fn who_has_no_shard_and_answers_all_the_same_is_not_heard() {
    for agreement in [Agreement::Single, MAJORITY] {
        for shows in [None, Some(Shown::Wrong)] {
            let mut world = given(agreement, shows);
            world.report(0);
            world.ask(0, 0);
            assert_eq!((taken(&world), failed(&world)), (0, 1), "{shows:?}");
            let told = &world.workers[0].discarded;
            assert!(told.iter().any(|(_, why)| *why == DiscardReason::NotShown));
        }
    }
}

#[test]
fn what_is_shown_with_the_answer_comes_in_time() {
    for agreement in [Agreement::Single, MAJORITY] {
        let mut world = given(agreement, Some(Shown::Right));
        assert!(awaits(&world));
        world.report(0);
        assert!(taken(&world) > 0);
        assert_eq!(failed(&world), 0);
    }
}

#[test]
fn a_shard_that_cannot_be_read_here_is_no_fault_of_the_device() {
    let mut world = given(Agreement::Single, Some(Shown::Unreadable));
    world.ask(0, 0);
    assert!(!awaits(&world));
    world.report(0);
    assert_eq!((taken(&world), failed(&world)), (1, 0));
}

#[test]
fn what_was_shown_for_another_assignment_counts_for_nothing() {
    for shown in [Shown::Right, Shown::Wrong] {
        let mut world = given(Agreement::Single, None);
        let (device, given) = (world.workers[0].id(), world.workers[0].in_hand[0]);
        let of_another = (given.id, given.log_position + 1);
        world.feed(Event::Exchange {
            device,
            token: Token(1_000),
            exchange: Exchange::default(),
            facts: ReportFacts {
                shown: [(of_another, shown)].into(),
                ..ReportFacts::default()
            },
        });
        assert!(awaits(&world));
        assert_eq!(failed(&world), 0);
    }
}

#[test]
fn nobody_shows_for_another_device() {
    let mut world = given(Agreement::Single, None);
    let given = world.workers[0].in_hand[0];
    world.workers[1].in_hand.push(given);
    world.workers[1].shows = Some(Shown::Wrong);
    world.ask(1, 0);
    assert!(awaits(&world));
    assert_eq!(failed(&world), 0);
}

#[test]
fn after_a_restart_it_is_shown_again_but_for_what_was_committed() {
    let mut world = given(MAJORITY, Some(Shown::Right));
    world.ask(0, 0);
    assert!(!awaits(&world));
    world.restart();
    world.hello(0);
    assert!(awaits(&world));
    world.reveals_unasked = false;
    world.commit(0);
    assert_eq!(taken(&world), 1);
    world.restart();
    let id = crate::core::replica_of(&world.workers[0].reports[0].receipt);
    let holding = world.core.jobs.get(&JOB).unwrap();
    let holding = holding.holding(id.task, id.replica).unwrap();
    assert!(holding.is_shown && holding.pledge.is_some());
}
