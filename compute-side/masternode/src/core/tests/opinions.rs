//! A trusted device is heard before somebody is blamed by those who have the task already.

use super::world::{Habit, JOB, MAJORITY, World};
use crate::core::{Entry, Tick};
use proptest::prelude::*;
use quern_jobs_api::{Rule, StepKind};
use quern_primitives::{limits::TASK_FUEL_MAX, verdict::Finding};
use quern_protocol::HandBackReason;

/// So long a case waits for a trusted device, in milliseconds.
const FIVE_MINUTES_MS: u64 = 300_000;

/// What the verdicts found, faults first.
fn findings(world: &World) -> Vec<Finding> {
    let judged = world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(&verdict.replicas),
        _ => None,
    });
    let mut found: Vec<_> = judged.flatten().map(|found| found.finding).collect();
    found.sort_by_key(|finding| *finding == Finding::Accepted);
    found
}

fn added(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Added { replicas: 1, .. }))
}

/// A task that three devices have at once, an honest one and two that lie alike, and all have answered; a
/// trusted device is idle, whose number is returned.
fn outvoted() -> (World, usize) {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.join(2, Habit::Lies(99));
    world.join(4, Habit::Lies(99));
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].in_hand.len(), 1);
    });
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    (0..3).for_each(|worker| world.report(worker));
    (world, trusted)
}

#[test]
fn two_that_lie_alike_blame_nobody_before_an_idle_trusted_device_is_heard() {
    let (mut world, trusted) = outvoted();
    assert_eq!((findings(&world), added(&world)), (vec![], 1));
    let told = world.core.explain_task(world.now, JOB, 0).unwrap();
    assert!(told.reasons.iter().any(|it| it.rule == Rule::SecondOpinion));
    let decided = |it: &&quern_jobs_api::Step| it.step == StepKind::DecidedWithoutRest;
    assert_eq!(told.next.iter().find(decided).unwrap().in_s, 300);
    let other = world.join(5, Habit::Honest);
    world.ask(other, 1);
    assert_eq!(
        world.workers[other].in_hand,
        [],
        "it is for the trusted one"
    );
    world.ask(trusted, 1);
    world.report(trusted);
    // Two against two: one more account decides.
    assert_eq!(findings(&world), []);
    assert_eq!(world.workers[other].in_hand.len(), 1);
    world.report(other);
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, wrong, right, right, right]);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn a_trusted_device_that_stays_busy_keeps_nobody_from_a_verdict_for_more_than_five_minutes() {
    let (mut world, _) = outvoted();
    world.wait_all_alive(FIVE_MINUTES_MS - 1_000);
    assert_eq!(findings(&world), []);
    world.wait_all_alive(2_000);
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, right, right]);
}

#[test]
fn a_job_that_gives_nothing_out_any_more_waits_for_no_opinion() {
    let (mut world, _) = outvoted();
    world.cancel();
    world.wait_all_alive(1_000);
    assert_eq!(findings(&world).len(), 3);
}

#[test]
fn who_could_not_open_a_task_is_not_blamed_for_it_before_a_trusted_device_has_tried() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    let trusted = world.join_as(4, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    world.hand_back(0, HandBackReason::BadInput);
    world.report(1);
    world.report(2);
    let patience_ms = world.settings.certain_ms;
    world.wait_all_alive(patience_ms + 2_000);
    assert_eq!((findings(&world), added(&world)), (vec![], 0));
    world.ask(trusted, 1);
    world.report(trusted);
    let (failed, right) = (Finding::Failed, Finding::Accepted);
    assert_eq!(findings(&world), [failed, right, right, right]);
}

#[test]
fn what_a_trusted_device_is_asked_is_for_nobody_else_however_much_is_in_doubt_before() {
    let mut world = World::new(20, MAJORITY, &[1]);
    let liars = [2, 4].map(|account| world.join(account, Habit::Lies(99)));
    let others = [6, 7].map(|account| world.join(account, Habit::Honest));
    let doubter = world.join(5, Habit::Honest);
    let colluder = world.join(5, Habit::Lies(99));
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    for worker in [0, liars[0], liars[1]] {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].names()[0].task, 0);
    }
    // The trusted one is busy, and as much is in doubt as it can take.
    for worker in [trusted, others[0], others[1], doubter] {
        world.ask(worker, 2);
        assert_eq!(world.workers[worker].in_hand.len(), 2);
    }
    world.hand_back(doubter, HandBackReason::BadInput);
    for worker in [0, liars[0], liars[1]] {
        world.report(worker);
    }
    assert_eq!((findings(&world), added(&world)), (vec![], 1));
    world.ask(colluder, 2);
    let names = world.workers[colluder].names();
    assert!(names.iter().all(|it| it.task != 0), "{names:?}");
    world.report(trusted);
    world.ask(trusted, 1);
    assert_eq!(world.workers[trusted].names()[0].task, 0);
}

#[test]
fn no_case_waits_for_a_trusted_device_that_cannot_begin_for_long() {
    let mut world = World::new(20, MAJORITY, &[]);
    // More than half an hour for a device of which nothing is known.
    world.ledger.job.submission.fuel_per_task_max = TASK_FUEL_MAX;
    world.begin_anew();
    world.join(1, Habit::Honest);
    let liars = [2, 4].map(|account| world.join(account, Habit::Lies(99)));
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    for worker in [0, liars[0], liars[1]] {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].names()[0].task, 0);
    }
    world.ask(trusted, 2);
    assert_eq!(world.workers[trusted].in_hand.len(), 2);
    for worker in [0, liars[0], liars[1]] {
        world.report(worker);
    }
    let (wrong, right) = (Finding::Incorrect, Finding::Accepted);
    assert_eq!(findings(&world), [wrong, right, right]);
}

/// What may happen to the devices of a [`Story`], which are numbered, or to all.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Asks(usize),
    Reports(usize),
    CannotOpen(usize),
    /// The trusted one asks and does at once what it is given.
    TrustedWorks,
    Seconds(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let worker = 0..6usize;
    prop_oneof![
        5 => worker.clone().prop_map(Happens::Asks),
        5 => worker.clone().prop_map(Happens::Reports),
        1 => worker.prop_map(Happens::CannotOpen),
        1 => Just(Happens::TrustedWorks),
        2 => prop_oneof![1..9u64, 40..140u64].prop_map(Happens::Seconds),
    ]
}

/// Where the only task stood.
struct Before {
    entries: usize,
    /// Until when a trusted device is waited for, if one is and was not heard.
    waits_until: Option<Tick>,
}

/// One task, a trusted device that is always here, three honest ones, and three that lie alike.
struct Story {
    world: World,
    trusted: usize,
    /// When a trusted device was first waited for.
    asked: Option<Tick>,
}

impl Story {
    fn new() -> Self {
        let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
        for account in [4, 5, 6] {
            world.join(account, Habit::Lies(99));
        }
        let trusted = world.join_as(7, Habit::Honest, |worker| worker.trusted = true);
        world.wait(1_000);
        Self {
            world,
            trusted,
            asked: None,
        }
    }

    fn is_heard(&self) -> bool {
        let id = self.world.workers[self.trusted].id();
        let by = |entry: &Entry| match entry {
            Entry::Reported { receipt, .. } => Some(receipt.payload.device),
            _ => None,
        };
        self.world.count(|entry| by(entry) == Some(id)) > 0
    }

    fn now(&self) -> Before {
        let job = self.world.core.jobs.get(&JOB);
        let opinions = job.map(|job| &job.opinions).filter(|it| it.waits(0));
        let until = opinions.and_then(|it| it.until(0));
        Before {
            entries: self.world.log().count(),
            waits_until: until.filter(|_| !self.is_heard()),
        }
    }

    /// Lets something happen, and looks at what was written meanwhile.
    fn step(&mut self, happen: impl FnOnce(&mut World)) {
        let before = self.now();
        happen(&mut self.world);
        if !self.world.workers[self.trusted].in_hand.is_empty() {
            self.world.report(self.trusted);
        }
        if let (None, Some(until)) = (self.asked, self.now().waits_until) {
            self.asked = Some(Tick(until.0 - FIVE_MINUTES_MS));
        }
        let (now, is_heard) = (self.world.now, self.is_heard());
        let is_over = before.waits_until.is_none_or(|until| until <= now);
        let trusted = self.world.workers[self.trusted].id();
        for entry in self.world.log().skip(before.entries) {
            match entry {
                Entry::Assigned { device, .. } => {
                    let is_reserved = !is_over && !is_heard;
                    assert!(
                        !is_reserved || *device == trusted,
                        "it is for the trusted one"
                    );
                }
                Entry::Judged { verdict } => {
                    let is_blamed = |it| matches!(it, Finding::Incorrect | Finding::Failed);
                    let blames = verdict.replicas.iter().any(|it| is_blamed(it.finding));
                    let has_waited = self
                        .asked
                        .is_some_and(|at| now.since(at) >= FIVE_MINUTES_MS);
                    assert!(
                        !blames || is_heard || has_waited,
                        "blamed unheard: {verdict:?}"
                    );
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_nobody_is_blamed_unheard_nor_takes_what_the_trusted_one_is_asked(
        happenings in prop::collection::vec(happens(), 1..80),
    ) {
        let mut story = Story::new();
        let trusted = story.trusted;
        for happening in happenings {
            match happening {
                Happens::Asks(worker) => story.step(|world| {
                    world.ask(worker, 1);
                }),
                Happens::Reports(worker) => story.step(|world| world.report(worker)),
                Happens::CannotOpen(worker) => {
                    story.step(|world| world.hand_back(worker, HandBackReason::BadInput));
                }
                Happens::TrustedWorks => story.step(|world| {
                    world.ask(trusted, 1);
                }),
                Happens::Seconds(seconds) => {
                    (0..seconds).for_each(|_| story.step(|world| world.wait_all_alive(1_000)));
                }
            }
        }
    }
}
