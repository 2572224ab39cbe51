//! Devices that answer more than anybody judges.

use super::world::{DEADLINE, Habit, MAJORITY, World};
use crate::core::{Entry, answers::ANSWERS_MIN};
use quern_job_rules::life;
use quern_jobs_api::{DeviceExplanation, Rule, StepKind};
use quern_primitives::job::Agreement;

/// So long an answer counts that nobody judges, in milliseconds.
const TEN_MINUTES_MS: u64 = 600_000;

/// Takes two tasks and answers them at once, until it gets none. Returns how many it answered.
fn rush(world: &mut World, worker: usize) -> usize {
    let mut answered = 0;
    loop {
        world.ask(worker, 2);
        let given = world.workers[worker].in_hand.len();
        if given == 0 {
            return answered;
        }
        answered += given;
        world.report(worker);
    }
}

fn explained(world: &World, worker: usize) -> DeviceExplanation {
    let device = world.workers[worker].id();
    world.core.explain_device(world.now, &device).unwrap()
}

fn awaits_verdicts(world: &World, worker: usize) -> bool {
    let mut reasons = explained(world, worker).reasons.into_iter();
    reasons.any(|reason| reason.rule == Rule::AwaitingVerdicts)
}

fn judged(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Judged { .. }))
}

#[test]
fn one_that_answers_at_once_gets_no_more_until_others_have_answered_the_same() {
    let mut world = World::new(200, MAJORITY, &[1]);
    assert_eq!(rush(&mut world, 0), ANSWERS_MIN);
    let told = explained(&world, 0);
    assert_eq!(told.reasons[0].rule, Rule::AwaitingVerdicts);
    assert!(told.reasons[0].words.starts_with("32 answers"));
    let ends = told.next.iter().find(|it| it.step == StepKind::AnswerEnds);
    assert_eq!(ends.unwrap().in_s, 600);
    world.ask(0, 2);
    for account in [2, 3] {
        let other = world.join(account, Habit::Honest);
        world.ask(other, 1);
        world.report(other);
    }
    assert_eq!(judged(&world), 1);
    // The exchange held open is answered as soon as there is a verdict.
    assert_eq!(world.workers[0].in_hand.len(), 2);
    assert!(!awaits_verdicts(&world, 0));
    world.report(0);
    // One was accepted: it may have four more, and one is judged.
    assert_eq!(rush(&mut world, 0) + 2, 5);
}

#[test]
fn an_answer_counts_for_ten_minutes_also_after_a_restart() {
    let mut world = World::new(200, MAJORITY, &[1]);
    rush(&mut world, 0);
    world.restart();
    world.hello(0);
    assert_eq!(rush(&mut world, 0), 0);
    assert!(awaits_verdicts(&world, 0));
    world.wait_all_alive(TEN_MINUTES_MS - 1_000);
    assert_eq!(rush(&mut world, 0), 0);
    world.wait(1_000);
    assert_eq!(world.workers[0].in_hand.len(), 2);
    world.report(0);
    assert_eq!(rush(&mut world, 0) + 2, ANSWERS_MIN);
}

#[test]
fn where_one_answer_decides_and_where_a_device_is_trusted_nothing_is_waited_for() {
    let mut world = World::new(200, Agreement::Single, &[1]);
    assert_eq!(rush(&mut world, 0), 200);
    let mut world = World::new(200, MAJORITY, &[]);
    let trusted = world.join_as(1, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    assert_eq!(rush(&mut world, trusted), 200);
}

#[test]
fn a_job_that_is_over_keeps_nobody_waiting() {
    let mut world = World::new(200, MAJORITY, &[1]);
    rush(&mut world, 0);
    assert!(awaits_verdicts(&world, 0));
    world.block = DEADLINE;
    assert!(world.ledger.apply(DEADLINE + 1, life::Event::Refunded));
    world.next_block();
    assert!(!awaits_verdicts(&world, 0));
}
