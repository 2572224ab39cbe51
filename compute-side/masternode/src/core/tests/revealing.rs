//! Commit, then reveal: who is asked when, and what becomes of those who do not open what they committed
//! themselves to.

use super::{
    worker::{Worker, name},
    world::{Habit, JOB, MAJORITY, World},
};
use crate::core::{Entry, ReleaseCause, Token};
use quern_jobs_api::{ReplicaStage, Rule, StepKind};
use quern_primitives::{
    ids::RevealSalt,
    job::{Agreement, JobState},
    log::SignedCommitment,
    verdict::Finding,
};
use quern_protocol::{DiscardReason, Exchange, ReplicaId, Report};

impl World {
    /// The commitments to these reports that are not given and are to be.
    pub(super) fn commitments(&self, worker: usize, reports: &[Report]) -> Vec<SignedCommitment> {
        let worker = &self.workers[worker];
        let missing = |report: &Report| {
            let id = name(report);
            let active = self.core.jobs.get(&id.job)?;
            let holding = active.holding(id.task, id.replica)?;
            let is_due = active.job.submission.agreement.commits()
                && holding.device == worker.id()
                && holding.pledge.is_none();
            let to = report.receipt.payload.commitment();
            is_due.then(|| worker.commit(id, holding.log_position, to))
        };
        reports.iter().filter_map(missing).collect()
    }

    /// The device computes what it has and commits itself to it.
    pub(super) fn commit(&mut self, worker: usize) -> Token {
        self.workers[worker].compute();
        let commitments = self.commitments(worker, &self.workers[worker].reports);
        self.send(
            worker,
            Exchange {
                commitments,
                ..Exchange::default()
            },
        )
    }
}

/// Milliseconds that a device has to reveal.
const REVEAL_MS: u64 = 30_000;

/// The replica that a device has: in its hand, or computed.
fn id(world: &World, worker: usize) -> ReplicaId {
    let worker = &world.workers[worker];
    let computed = worker.reports.iter().map(name);
    worker.names().into_iter().chain(computed).next().unwrap()
}

/// A job of one task, and a device for each account, which commit themselves and wait; those of the first
/// replicas have them in hand.
fn committing(agreement: Agreement, accounts: &[u8]) -> World {
    let mut world = World::new(1, agreement, accounts);
    world.reveals_unasked = false;
    for worker in 0..accounts.len() {
        world.ask(worker, 1);
    }
    world
}

fn asked(world: &World) -> Vec<usize> {
    let workers = world.workers.iter().enumerate();
    let asked = workers.filter(|(_, worker)| !worker.asked.is_empty());
    asked.map(|(number, _)| number).collect()
}

fn released(world: &World, wanted: ReleaseCause) -> usize {
    world.count(|entry| matches!(entry, Entry::Released { cause, .. } if *cause == wanted))
}

fn committed(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Committed { .. }))
}

fn commits(world: &mut World, worker: usize, commitment: SignedCommitment) {
    let exchange = Exchange {
        commitments: vec![commitment],
        ..Exchange::default()
    };
    world.send(worker, exchange);
}

/// The verdict on the task, by worker.
fn found(world: &World) -> Vec<(usize, Finding)> {
    let verdict = world.log().find_map(|entry| match entry {
        Entry::Judged { verdict } => Some(verdict),
        _ => None,
    });
    let number = |device| {
        let place = |worker: &Worker| worker.id() == device;
        world.workers.iter().position(place).unwrap()
    };
    let findings = verdict.unwrap().replicas.iter();
    let found = findings.map(|found| (number(found.device), found.finding));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(worker, _)| *worker);
    found
}

#[test]
fn nobody_is_asked_before_enough_have_committed_themselves() {
    let mut world = committing(MAJORITY, &[1, 2, 3]);
    for worker in 0..2 {
        world.commit(worker);
        world.ask(worker, 0);
        assert_eq!(asked(&world), [] as [usize; 0]);
    }
    world.commit(2);
    (0..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    assert_eq!(asked(&world), [0, 1, 2]);
    (0..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    let accepted = [0, 1, 2].map(|worker| (worker, Finding::Accepted));
    assert_eq!(found(&world), accepted);
    assert_eq!(committed(&world), 3);
    // And acknowledged.
    (0..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    assert!(world.workers.iter().all(|worker| worker.reports.is_empty()));
}

#[test]
fn nobody_is_asked_before_the_commitments_are_on_disk() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.disk_is_quick = false;
    (0..2).for_each(|worker| {
        world.commit(worker);
    });
    (0..2).for_each(|worker| {
        world.ask(worker, 0);
    });
    assert_eq!(asked(&world), [] as [usize; 0]);
    world.write(usize::MAX);
    (0..2).for_each(|worker| {
        world.ask(worker, 0);
    });
    assert_eq!(asked(&world), [0, 1]);
}

#[test]
fn an_exchange_that_waits_is_answered_when_it_is_time_to_reveal() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.commit(0);
    let answers = world.workers[0].answers.len();
    let waiting = || Exchange {
        waits: true,
        ..Exchange::default()
    };
    world.send(0, waiting());
    assert_eq!(world.workers[0].answers.len(), answers, "it is held open");
    // A newer one takes its place.
    world.send(0, waiting());
    assert_eq!(world.workers[0].answers.len(), answers + 1);
    world.commit(1);
    assert_eq!(world.workers[0].answers.len(), answers + 2);
    assert_eq!(world.workers[0].asked, [id(&world, 0)]);
}

#[test]
fn what_is_committed_is_not_in_hand() {
    let mut world = World::new(4, Agreement::Unanimous, &[1, 2]);
    world.reveals_unasked = false;
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand.len(), 2);
    world.commit(0);
    world.ask(0, 2);
    assert_eq!(world.workers[0].in_hand.len(), 2, "two more");
}

#[test]
fn where_one_device_is_asked_nothing_is_committed() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.report(0);
    assert_eq!(committed(&world), 0);
    assert_eq!(found(&world), [(0, Finding::Accepted)]);
}

#[test]
fn a_report_without_a_commitment_is_a_failure() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.compute(0);
    let name = id(&world, 0);
    let reports = world.workers[0].reports.clone();
    let exchange = Exchange {
        reports,
        ..Exchange::default()
    };
    world.send(0, exchange);
    let invalid = (name, DiscardReason::Invalid);
    assert_eq!(world.workers[0].discarded, [invalid]);
    assert_eq!(released(&world, ReleaseCause::Failed), 1);
}

#[test]
fn what_does_not_open_its_commitment_is_a_failure_and_others_get_the_task() {
    let mut world = committing(Agreement::Unanimous, &[1, 2, 3]);
    (0..2).for_each(|worker| {
        world.commit(worker);
    });
    let name = id(&world, 0);
    // Two-faced: it signs the same answer with another salt.
    let report = world.workers[0].reports[0].clone();
    let mut receipt = report.receipt.payload;
    receipt.salt = RevealSalt([91; 32]);
    let output = world.workers[0].output();
    let report = world.workers[0].sign(receipt, output);
    let exchange = Exchange {
        reports: vec![report],
        ..Exchange::default()
    };
    world.send(0, exchange);
    let invalid = (name, DiscardReason::Invalid);
    assert!(world.workers[0].discarded.contains(&invalid));
    assert_eq!(released(&world, ReleaseCause::Failed), 1);
    let device = world.workers[0].id();
    assert!(world.core.pauses.until(&device, world.now).is_some());
    world.ask(2, 1);
    assert_eq!(world.workers[2].in_hand.len(), 1);
    world.commit(2);
    (1..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    (1..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    let expected = [
        (0, Finding::Failed),
        (1, Finding::Accepted),
        (2, Finding::Accepted),
    ];
    assert_eq!(found(&world), expected);
}

#[test]
fn a_copied_commitment_opens_for_nobody() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.commit(0);
    let copied = world.workers[0].reports[0].receipt.payload.commitment();
    let original = world.workers[0].commit(id(&world, 0), 0, copied);
    // Another's signature is no use.
    commits(&mut world, 1, original);
    assert_eq!(committed(&world), 1);
    let given = world.workers[1].in_hand[0];
    let own = world.workers[1].commit(given.id, given.log_position, copied);
    commits(&mut world, 1, own);
    assert_eq!(committed(&world), 2);
    // It even learns what came out, and with which salt: the commitment names its device.
    world.compute(1);
    (0..2).for_each(|worker| {
        world.ask(worker, 0);
    });
    (0..2).for_each(|worker| {
        world.ask(worker, 0);
    });
    let invalid = (given.id, DiscardReason::Invalid);
    assert!(world.workers[1].discarded.contains(&invalid));
    assert_eq!(released(&world, ReleaseCause::Failed), 1);
}

#[test]
fn a_device_commits_itself_once_for_a_replica() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    let given = world.workers[0].in_hand[0];
    world.commit(0);
    let same = world.workers[0].reports[0].receipt.payload.commitment();
    for (commitment, count) in [(same, 0), ([5; 32].into(), 1)] {
        let again = world.workers[0].commit(given.id, given.log_position, commitment);
        commits(&mut world, 0, again);
        assert_eq!(released(&world, ReleaseCause::Failed), count);
    }
    assert_eq!(committed(&world), 1);
}

#[test]
fn a_commitment_to_something_else_than_was_given_is_a_failure() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    let given = world.workers[0].in_hand[0];
    let elsewhere = world.workers[0].commit(given.id, given.log_position + 1, [5; 32].into());
    commits(&mut world, 0, elsewhere);
    assert_eq!(released(&world, ReleaseCause::Failed), 1);
    assert_eq!(committed(&world), 0);
}

#[test]
fn whoever_is_asked_and_does_not_reveal_is_late() {
    let mut world = committing(Agreement::Unanimous, &[1, 2, 3]);
    (0..2).for_each(|worker| {
        world.commit(worker);
    });
    let name = id(&world, 0);
    world.ask(1, 0);
    world.ask(1, 0);
    // It lives, and says nothing of it.
    for _ in 0..REVEAL_MS / 1_000 {
        world.wait(1_000);
        (0..3).for_each(|worker| {
            world.send(worker, Exchange::default());
        });
    }
    world.wait(1_000);
    assert_eq!(released(&world, ReleaseCause::Late), 1);
    world.ask(0, 0);
    let late = (name, DiscardReason::NotAssigned);
    assert!(world.workers[0].discarded.contains(&late));
    world.ask(2, 1);
    assert_eq!(world.workers[2].in_hand.len(), 1, "others get the task");
}

#[test]
fn nobody_is_waited_for_for_ever() {
    let mut world = committing(Agreement::Unanimous, &[1]);
    let ms = world.settings.replica_ms(&world.ledger.job.submission);
    world.commit(0);
    world.wait_alive(ms - 1_000, &[0]);
    assert_eq!(asked(&world), [] as [usize; 0]);
    world.wait_alive(4_000, &[0]);
    assert_eq!(asked(&world), [0]);
    let reported = world.count(|entry| matches!(entry, Entry::Revealed { .. }));
    assert_eq!(reported, 1);
}

#[test]
fn those_who_have_waited_as_long_are_asked_together() {
    let mut world = committing(MAJORITY, &[1, 2]);
    let ms = world.settings.replica_ms(&world.ledger.job.submission);
    (0..2).for_each(|worker| {
        world.commit(worker);
    });
    world.wait_alive(ms + 4_000, &[0, 1]);
    assert_eq!(asked(&world), [0, 1]);
    assert_eq!(released(&world, ReleaseCause::Late), 0);
}

#[test]
fn what_was_committed_is_asked_for_when_nothing_is_given_out_any_more() {
    let mut world = committing(Agreement::Unanimous, &[1]);
    world.commit(0);
    world.cancel();
    world.ask(0, 0);
    assert_eq!(asked(&world), [0]);
}

#[test]
fn a_restart_forgets_nothing_that_was_committed() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.commit(0);
    world.restart();
    (0..2).for_each(|worker| world.hello(worker));
    // The device says again what it committed itself to.
    let given = world.workers[0].reports[0].clone();
    let position = given.receipt.payload.log_position;
    let to = given.receipt.payload.commitment();
    let name = id(&world, 0);
    let again = world.workers[0].commit(name, position, to);
    commits(&mut world, 0, again);
    assert_eq!((committed(&world), asked(&world)), (1, vec![]));
    world.commit(1);
    world.restart();
    (0..2).for_each(|worker| world.hello(worker));
    let again = [0, 1].map(|worker| {
        let payload = world.workers[worker].reports[0].receipt.payload.clone();
        let (name, to) = (id(&world, worker), payload.commitment());
        world.workers[worker].commit(name, payload.log_position, to)
    });
    for (worker, again) in again.iter().enumerate() {
        commits(&mut world, worker, *again);
    }
    assert_eq!(asked(&world), [0, 1]);
    // The second reveals, and with its next exchange hears that this is on disk; what was reported before a
    // crash is acknowledged, whatever the device says first.
    world.ask(1, 0);
    world.ask(1, 0);
    assert_eq!(world.workers[1].acknowledged.len(), 1);
    world.restart();
    (0..2).for_each(|worker| world.hello(worker));
    commits(&mut world, 1, again[1]);
    assert_eq!(world.workers[1].acknowledged.len(), 2);
    world.ask(0, 0);
    assert_eq!(found(&world).len(), 2);
}

#[test]
fn what_was_reported_is_acknowledged_after_a_restart_until_the_last_batch_is_final() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.ledger.waits = true;
    (0..2).for_each(|worker| {
        world.commit(worker);
    });
    let reports = [0, 1].map(|worker| world.workers[worker].reports[0].clone());
    // The first answer asks for the report, and the second one comes before that is on disk.
    for worker in [0, 0, 1, 1] {
        world.ask(worker, 0);
    }
    assert!(matches!(world.ledger.job.state, JobState::Settling { .. }));
    world.restart();
    for (worker, report) in reports.iter().enumerate() {
        assert!(world.workers[worker].acknowledged.is_empty());
        world.hello(worker);
        world.ask(worker, 0);
        assert_eq!(world.workers[worker].acknowledged, [name(report)]);
    }
    world.ledger.finalise();
    world.next_block();
    world.workers[0].reports = vec![reports[0].clone()];
    world.ask(0, 0);
    let over = (name(&reports[0]), DiscardReason::JobOver);
    assert_eq!(world.workers[0].discarded, [over], "nothing is left to say");
}

#[test]
fn what_is_lost_with_the_tail_of_the_log_is_committed_again() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.disk_is_quick = false;
    world.commit(0);
    world.waiting.clear();
    world.restart();
    world.disk_is_quick = true;
    (0..2).for_each(|worker| world.hello(worker));
    let reports = world.workers[0].reports.clone();
    let commitments = world.commitments(0, &reports);
    assert_eq!(commitments.len(), 1);
    commits(&mut world, 0, commitments[0]);
    assert_eq!(committed(&world), 1);
}

#[test]
fn a_device_that_comes_back_without_what_it_committed_itself_to_loses_it() {
    let mut world = committing(Agreement::Unanimous, &[1, 2, 3]);
    world.commit(0);
    world.workers[0].reports.clear();
    world.hello(0);
    assert_eq!(released(&world, ReleaseCause::Forgotten), 1);
    world.ask(2, 1);
    assert_eq!(world.workers[2].in_hand.len(), 1);
}

#[test]
fn a_device_that_is_believed_alone_is_asked_at_once_and_not_told_before() {
    let mut world = World::new(8, Agreement::Adaptive, &[]);
    world.reveals_unasked = false;
    world.join_as(1, Habit::Honest, |worker| {
        worker.accepted_in_a_row = u32::MAX
    });
    world.ask(0, 1);
    world.commit(0);
    world.ask(0, 0);
    assert_eq!(asked(&world), [0]);
}

#[test]
fn the_owner_is_told_that_others_are_to_commit() {
    let mut world = committing(Agreement::Unanimous, &[1, 2]);
    world.commit(0);
    let told = world.core.explain_task(world.now, JOB, 0).unwrap();
    let device = world.workers[0].id();
    let waits = ReplicaStage::Committed {
        device,
        asked: false,
    };
    assert_eq!(told.replicas[0].state, waits);
    let reason = told.reasons.iter().find(|it| it.rule == Rule::Commitments);
    assert!(reason.unwrap().words.contains("waits for others to commit"));
    let steps: Vec<_> = told.next.iter().map(|it| it.step).collect();
    assert!(steps.contains(&StepKind::AskedToReveal), "{steps:?}");
    world.commit(1);
    let told = world.core.explain_task(world.now, JOB, 0).unwrap();
    let asked = |it: &quern_jobs_api::ReplicaExplanation| {
        matches!(it.state, ReplicaStage::Committed { asked: true, .. })
    };
    assert!(told.replicas.iter().all(asked));
}
