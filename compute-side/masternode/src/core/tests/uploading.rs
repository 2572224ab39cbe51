//! Shards that come one after the other: each task is given out as soon as its own shard is here.

use super::world::{JOB, MAJORITY, World};
use crate::core::{Effect, Entry, Event, Line};
use quern_jobs_api::{JobStatus, Phase, Rule, TaskStage, WaitingFor};
use quern_primitives::{
    ids::TaskIndex,
    job::{Agreement, JobState},
};

/// The tasks that a device has in hand.
fn in_hand(world: &World, worker: usize) -> Vec<TaskIndex> {
    let names = world.workers[worker].names();
    names.iter().map(|id| id.task).collect()
}

/// How many replicas were given out.
fn given(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Assigned { .. }))
}

fn status(world: &World) -> JobStatus {
    world.core.status(JOB).unwrap()
}

/// Where a task stands, and the rules that keep it waiting.
fn explained(world: &World, task: TaskIndex) -> (TaskStage, Vec<Rule>) {
    let told = world.core.explain_task(world.now, JOB, task).unwrap();
    let rules = told.reasons.iter().map(|reason| reason.rule);
    (told.stage, rules.collect())
}

#[test]
fn a_task_is_given_out_while_the_shards_of_others_are_missing() {
    let mut world = World::new(4, Agreement::Single, &[1]).lacking([0, 1, 3]);
    world.ask(0, 2);
    assert_eq!(in_hand(&world, 0), [2]);
    world.report(0);
    world.ask(0, 2);
    assert!(in_hand(&world, 0).is_empty());
    assert_eq!((given(&world), status(&world).decided), (1, 1));
}

#[test]
fn a_device_that_waits_gets_a_task_as_soon_as_its_shard_has_come() {
    let mut world = World::new(3, Agreement::Single, &[1]).lacking(0..3);
    world.ask(0, 2);
    assert!(in_hand(&world, 0).is_empty());
    world.come([1]);
    assert_eq!(in_hand(&world, 0), [1]);
    world.ask(0, 1);
    world.come([0]);
    assert_eq!(in_hand(&world, 0), [1, 0]);
}

#[test]
fn every_replica_of_a_task_waits_for_its_shard() {
    let mut world = World::new(2, MAJORITY, &[1, 2, 3]).lacking([1]);
    for worker in 0..3 {
        world.ask(worker, 2);
        assert_eq!(in_hand(&world, worker), [0]);
        world.report(worker);
    }
    for worker in 0..3 {
        // The first answer confirms the report.
        world.ask(worker, 1);
        world.ask(worker, 1);
        assert!(in_hand(&world, worker).is_empty());
    }
    world.come([1]);
    (0..3).for_each(|worker| assert_eq!(in_hand(&world, worker), [1]));
}

#[test]
fn a_shard_that_is_told_of_twice_or_belongs_to_no_task_adds_nothing() {
    let mut world = World::new(2, Agreement::Single, &[1]).lacking([1]);
    world.come([1]);
    world.come([1, 0, 7]);
    for _ in 0..3 {
        world.ask(0, 2);
        world.report(0);
        world.come([0, 1]);
    }
    assert_eq!((given(&world), status(&world).decided), (2, 2));
}

#[test]
fn a_shard_that_comes_before_the_job_starts_is_not_missing_when_it_starts() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.missing = [0, 1].into();
    world.begin_without_plan();
    world.hello(0);
    world.come([1]);
    assert_eq!(status(&world).phase, Phase::Uploading);
    let plan = world.plan();
    world.feed(Event::Uploaded { job: JOB, plan });
    world.ask(0, 2);
    assert_eq!(in_hand(&world, 0), [1]);
}

#[test]
fn after_a_restart_what_is_missing_is_what_the_disk_says() {
    let mut world = World::new(4, Agreement::Single, &[1]).lacking([1, 2, 3]);
    world.come([1]);
    world.ask(0, 2);
    assert_eq!(in_hand(&world, 0), [0, 1]);
    // One comes, and the masternode goes down before it hears of it.
    world.missing.remove(&2);
    world.restart();
    assert_eq!(status(&world).not_uploaded, 1);
    world.hello(0);
    world.report(0);
    world.ask(0, 2);
    assert_eq!(in_hand(&world, 0), [2]);
    world.report(0);
    // The first answer confirms the report.
    world.ask(0, 2);
    world.ask(0, 2);
    world.come([3]);
    assert_eq!(in_hand(&world, 0), [3]);
    world.report(0);
    assert_eq!(status(&world).decided, 4);
}

#[test]
fn a_shard_that_is_lost_keeps_its_task_from_others_until_it_comes_again() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    world.ask(0, 1);
    world.missing.insert(0);
    world.restart();
    for worker in 0..3 {
        world.hello(worker);
        world.ask(worker, 1);
    }
    let (stage, rules) = explained(&world, 0);
    assert_eq!((stage, rules[0]), (TaskStage::Open, Rule::Upload));
    // Who has it needs it no more.
    world.report(0);
    assert_eq!(status(&world).replicas, 1);
    assert!(in_hand(&world, 1).is_empty() && in_hand(&world, 2).is_empty());
    world.come([0]);
    for worker in 1..3 {
        assert_eq!(in_hand(&world, worker), [0]);
        world.report(worker);
    }
    assert_eq!((given(&world), status(&world).decided), (3, 1));
}

#[test]
fn a_job_that_is_uploaded_and_computed_at_once_tells_both() {
    let mut world = World::new(3, Agreement::Single, &[1]).lacking([1, 2]);
    let told = |world: &World| {
        let status = status(world);
        let counts = [status.not_uploaded, status.waiting, status.decided];
        (status.phase, counts, status.waiting_for)
    };
    let computing =
        |counts: [u32; 3], waiting_for: Option<WaitingFor>| (Phase::Computing, counts, waiting_for);
    assert_eq!(told(&world), computing([2, 3, 0], None));
    world.ask(0, 1);
    assert_eq!(told(&world), computing([2, 2, 0], None));
    assert_eq!(
        explained(&world, 1),
        (TaskStage::NotUploaded, vec![Rule::Upload])
    );
    // All that is here is decided.
    world.report(0);
    let upload = Some(WaitingFor::Upload);
    assert_eq!(told(&world), computing([2, 2, 1], upload));
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(job.reasons[0].rule, Rule::Upload);
    world.come([1]);
    assert_eq!(told(&world), computing([1, 2, 1], None));
    assert_eq!(explained(&world, 1).0, TaskStage::Untouched);
}

#[test]
fn a_shard_of_a_job_that_was_cancelled_is_given_to_nobody() {
    let mut world = World::new(2, Agreement::Single, &[1]).lacking([1]);
    world.cancel();
    world.ask(0, 2);
    world.come([1]);
    assert!(in_hand(&world, 0).is_empty());
    assert_eq!(given(&world), 0);
}

#[test]
fn a_closed_job_waits_for_no_shard() {
    let mut world = World::new(2, Agreement::Single, &[1]).lacking([1]);
    world.ledger.job.state = JobState::Expired;
    world.next_block();
    let told = world.effects.iter().filter_map(|effect| match effect {
        Effect::Closed { status, .. } => Some(status.not_uploaded),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [0]);
    let (job, plan) = (world.ledger.job.clone(), world.plan());
    let mut core = world.new_core();
    let replayed = core.replay(world.now, JOB, job, Some(plan), Vec::<Line>::new());
    assert_eq!(replayed.unwrap().not_uploaded, 0);
}
