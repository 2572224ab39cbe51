//! What a job's log begins and ends with, and what it says of tasks that can be given out.

use super::world::{Habit, JOB, MAJORITY, Refereeing, World};
use crate::core::{End, Entry, Note};
use quern_primitives::{
    job::{Agreement, JobState},
    receipt::Exit,
};

/// The runs of tasks of which the log says that they can be given out.
fn queued(world: &World) -> Vec<(u32, u32)> {
    let queued = world.log().filter_map(|entry| match entry {
        Entry::Queued { first, tasks } => Some((*first, *tasks)),
        _ => None,
    });
    queued.collect()
}

/// Why the job ended, each time that the log says so.
fn ends(world: &World) -> Vec<End> {
    let ends = world.log().filter_map(|entry| match entry {
        Entry::Ended { end } => Some(*end),
        _ => None,
    });
    ends.collect()
}

fn opened(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Opened { .. }))
}

#[test]
fn a_log_begins_with_who_writes_it_and_with_what_can_be_given_out() {
    let world = World::new(3, MAJORITY, &[1]);
    let entries: Vec<_> = world.log().cloned().collect();
    let [
        Entry::Opened {
            coordinator,
            node,
            at,
        },
        Entry::Queued { first: 0, tasks: 3 },
    ] = &entries[..]
    else {
        panic!("{entries:?}");
    };
    assert_eq!(Some(coordinator), world.ledger.job.state.coordinator());
    assert_eq!((*node, *at), (world.settings.node, world.block));
}

#[test]
fn each_task_is_said_once_to_be_ready_whenever_its_shard_comes() {
    let world = World::new(6, Agreement::Single, &[1]);
    let mut world = world.lacking([1, 2, 4]);
    assert_eq!(queued(&world), [(0, 1), (3, 1), (5, 1)]);
    world.come([4, 1]);
    world.come([4]);
    // A shard that is lost and comes again is no news.
    world.missing.insert(5);
    world.restart();
    world.come([5, 2]);
    let expected = [(0, 1), (3, 1), (5, 1), (4, 1), (1, 1), (2, 1)];
    assert_eq!(queued(&world), expected);
    assert_eq!(opened(&world), 1);
}

#[test]
fn what_a_crash_left_out_of_the_log_is_said_after_the_restart() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.disk_is_quick = false;
    world.report(0);
    // The receipt and the verdict, and not that the job is done.
    world.write(2);
    world.restart();
    assert_eq!(ends(&world), []);
    world.disk_is_quick = true;
    world.wait(1);
    assert_eq!(ends(&world), [End::Done]);
    world.restart();
    world.wait(1);
    assert_eq!(ends(&world), [End::Done], "once");
}

#[test]
fn a_key_that_was_changed_is_said_before_anything_else_is() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    let before = world.log().count();
    world.settings.node.0[0] ^= 1;
    world.restart();
    world.hello(0);
    world.ask(0, 1);
    let entry = world.log().nth(before).cloned();
    let node = world.settings.node;
    assert!(matches!(entry, Some(Entry::Opened { node: it, .. }) if it == node));
    assert_eq!(opened(&world), 2);
}

#[test]
fn a_job_ends_in_its_log_as_it_ends() {
    let mut done = World::new(1, Agreement::Single, &[1]);
    done.ask(0, 1);
    done.report(0);
    done.next_block();
    assert_eq!(ends(&done), [End::Done]);

    let mut closed = World::new(1, Agreement::Single, &[1]);
    closed.ledger.job.state = JobState::Expired;
    closed.next_block();
    assert_eq!(ends(&closed), [End::Closed]);

    let mut fails = World::new(1, Agreement::Unanimous, &[]);
    fails.referee = Refereeing::Unavailable;
    for account in [1, 2] {
        let worker = fails.join(account, Habit::Traps);
        fails.ask(worker, 1);
        fails.report(worker);
    }
    assert_eq!(ends(&fails), [End::Program { task: 0 }]);
    let judged = fails.count(|entry| match entry {
        Entry::Judged { verdict } => verdict.answer.exit == Exit::Trap,
        _ => false,
    });
    assert_eq!(judged, 1);
}

#[test]
fn after_the_end_there_is_nothing_but_batches() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ask(0, 2);
    world.report(0);
    world.ask(0, 2);
    world.report(0);
    world.next_block();
    world.hello(0);
    world.wait(600_000);
    let entries: Vec<_> = world.log().cloned().collect();
    let end = entries
        .iter()
        .position(|entry| matches!(entry, Entry::Ended { .. }));
    let after = &entries[end.unwrap() + 1..];
    assert!(!after.is_empty());
    let is_batch = |entry: &Entry| matches!(entry, Entry::Batched { .. });
    assert!(after.iter().all(is_batch), "{after:?}");
}

#[test]
fn what_a_device_must_not_know_while_it_computes_is_in_no_log() {
    let mut world = World::new(1, Agreement::Adaptive, &[]);
    world.join_as(1, Habit::Honest, |it| it.accepted_in_a_row = 1_000_000);
    let before = world.log().count();
    world.ask(0, 1);
    // That it is believed is noted, and where it stands beside the log.
    let noted = &world.notes[0];
    assert!(matches!(noted.note, Note::Trusted { task: 0, .. }));
    assert_eq!(noted.behind, before as u64 + 1);
    let entries: Vec<_> = world.log().skip(before).collect();
    assert!(
        matches!(entries[..], [Entry::Assigned { .. }]),
        "{entries:?}"
    );
    world.restart();
    world.hello(0);
    world.report(0);
    let is_judged = |entry: &Entry| matches!(entry, Entry::Judged { .. });
    assert_eq!(world.count(is_judged), 1, "it is believed after a restart");
    assert_eq!(JOB, world.core.status(JOB).unwrap().job);
}
