//! Where devices differ the referee decides, and without one the vote.

use super::{
    worker::truth,
    world::{Habit, JOB, MAJORITY, REFEREE, Refereeing, World},
};
use crate::core::{Effect, Entry, NoReferee, Purpose, REFEREE_REPLICA, Truth};
use quern_jobs_api::{Rule, StepKind};
use quern_primitives::{
    job::{Agreement, JobEnd, JobState},
    receipt::Exit,
    verdict::{Finding, Ground, Verdict},
};

/// How long the referee's word is waited for on the jobs here, in seconds.
const WAIT_S: u64 = 62 + 600;

fn verdicts(world: &World) -> Vec<Verdict> {
    let judged = world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(verdict.clone()),
        _ => None,
    });
    judged.collect()
}

/// The only verdict.
fn verdict(world: &World) -> Verdict {
    let mut verdicts = verdicts(world);
    assert_eq!(verdicts.len(), 1);
    verdicts.remove(0)
}

/// What was found, faults last.
fn findings(verdict: &Verdict) -> Vec<Finding> {
    let found = verdict.replicas.iter();
    let mut found: Vec<_> = found.map(|found| found.finding).collect();
    found.sort_by_key(|finding| *finding != Finding::Accepted);
    found
}

fn refereed(world: &World) -> usize {
    world.count(|entry| matches!(entry, Entry::Refereed { .. }))
}

fn unrefereed(world: &World) -> Vec<NoReferee> {
    let whys = world.log().filter_map(|entry| match entry {
        Entry::Unrefereed { why, .. } => Some(*why),
        _ => None,
    });
    whys.collect()
}

fn ended(world: &World, end: JobEnd) -> bool {
    world.ledger.job.state == JobState::Completed { end }
}

/// A device takes a task and answers it.
fn answers(world: &mut World, account: u8, habit: Habit) {
    let worker = world.join(account, habit);
    world.ask(worker, 1);
    assert_eq!(world.workers[worker].in_hand.len(), 1, "account {account}");
    world.report(worker);
}

/// A task whose two devices have answered so.
fn split(referee: Refereeing, habits: [Habit; 2]) -> World {
    let mut world = World::new(1, Agreement::Unanimous, &[]);
    world.referee = referee;
    for (account, habit) in (1..).zip(habits) {
        let worker = world.join(account, habit);
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].in_hand.len(), 1);
    }
    (0..2).for_each(|worker| world.report(worker));
    world
}

const ONE_LIES: [Habit; 2] = [Habit::Honest, Habit::Lies(99)];

#[test]
fn two_that_agree_need_no_referee() {
    let world = split(Refereeing::Truthful, [Habit::Honest; 2]);
    let verdict = verdict(&world);
    assert_eq!(verdict.ground, Ground::Unanimous);
    assert_eq!(findings(&verdict), [Finding::Accepted; 2]);
    assert_eq!(refereed(&world), 0);
}

#[test]
fn a_split_goes_to_the_referee_and_one_honest_device_is_enough() {
    let mut world = split(Refereeing::Truthful, ONE_LIES);
    let verdict = verdict(&world);
    assert_eq!(verdict.ground, Ground::Referee);
    assert_eq!(verdict.answer, truth(0).answer);
    assert_eq!(findings(&verdict), [Finding::Accepted, Finding::Incorrect]);
    assert!(verdict.price > 0);
    let added = world.count(|entry| matches!(entry, Entry::Added { .. }));
    assert_eq!(added, 0, "nobody else is asked");
    let kept = Effect::KeepOutputs {
        job: JOB,
        task: 0,
        accepted: verdict
            .replicas
            .iter()
            .filter(|found| found.device == world.workers[0].id())
            .map(|found| (found.replica, found.device))
            .collect(),
    };
    assert!(world.effects.contains(&kept), "the device's result stays");
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    assert_eq!(world.ledger.paid.len(), 1);
    world.check_money();
}

#[test]
fn a_split_is_told_and_counted() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    let asked: Vec<_> = world.asked.iter().copied().collect();
    assert_eq!(asked, [(JOB, 0, Purpose::Referee)], "it is asked once");
    let told = world.core.explain_task(world.now, JOB, 0).unwrap();
    let reason = told.reasons.iter().find(|it| it.rule == Rule::Referee);
    assert!(reason.unwrap().words.contains("waits for the referee"));
    let given_up = |it: &&quern_jobs_api::Step| it.step == StepKind::RefereeGivenUp;
    assert_eq!(told.next.iter().find(given_up).unwrap().in_s, WAIT_S);
    let recomputations = world.core.grid_state(world.now).recomputations;
    assert_eq!((recomputations.waiting, recomputations.refereed), (1, 0));
    assert!(world.answer_asked());
    assert_eq!(world.core.status(JOB).unwrap().refereed, 1);
    let recomputations = world.core.grid_state(world.now).recomputations;
    assert_eq!((recomputations.waiting, recomputations.refereed), (0, 1));
}

#[test]
fn where_nobody_is_right_the_referee_s_answer_stands_and_nobody_is_paid() {
    let mut world = split(Refereeing::Truthful, [Habit::Lies(98), Habit::Lies(99)]);
    let verdict = verdict(&world);
    assert_eq!(verdict.ground, Ground::Referee);
    assert_eq!(verdict.answer, truth(0).answer);
    assert_eq!(findings(&verdict), [Finding::Incorrect; 2]);
    assert_eq!(verdict.price, 0);
    let kept = Effect::KeepOutputs {
        job: JOB,
        task: 0,
        accepted: vec![(REFEREE_REPLICA, REFEREE)],
    };
    assert!(world.effects.contains(&kept), "the referee's result stays");
    let sealed = world.effects.iter().any(|effect| match effect {
        Effect::Append { entry, output, .. } => {
            matches!(&**entry, Entry::Refereed { .. }) && output.is_some()
        }
        _ => false,
    });
    assert!(sealed, "it is written with the entry");
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    assert!(world.ledger.paid.is_empty());
    let escrow = world.ledger.job.escrow;
    assert_eq!(escrow.refunded, escrow.deposited);
    world.check_money();
}

/// The referee's word that the program fails on task 0.
fn failure() -> Truth {
    let mut failure = truth(0);
    failure.answer.exit = Exit::Trap;
    failure
}

#[test]
fn that_the_program_fails_is_not_believed_on_the_referee_s_word_alone() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    world.asked.clear();
    world.tell_referee(JOB, 0, Ok(failure()));
    assert_eq!((refereed(&world), verdicts(&world).len()), (1, 0));
    assert!(world.asked.is_empty(), "it is asked once");
    let added = world.count(|entry| matches!(entry, Entry::Added { .. }));
    assert_eq!(added, 1, "it is voted");
    // What was written counts the same after a restart.
    world.restart();
    (0..2).for_each(|worker| world.hello(worker));
    assert_eq!((world.asked.len(), verdicts(&world).len()), (0, 0));
    answers(&mut world, 3, Habit::Honest);
    let verdict = verdict(&world);
    assert_eq!(verdict.ground, Ground::Vote);
    assert_eq!(verdict.answer, truth(0).answer);
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    world.check_money();
}

#[test]
fn where_a_device_says_it_too_the_referee_s_word_that_the_program_fails_decides() {
    let mut world = split(Refereeing::Slow, [Habit::Honest, Habit::Traps]);
    world.asked.clear();
    let said = world.log().find_map(|entry| match entry {
        Entry::Reported { receipt, .. } if receipt.payload.exit == Exit::Trap => {
            Some(receipt.payload.answer())
        }
        _ => None,
    });
    let same = Truth {
        answer: said.unwrap(),
        ..truth(0)
    };
    world.tell_referee(JOB, 0, Ok(same));
    let verdict = verdict(&world);
    assert_eq!((verdict.ground, verdict.price), (Ground::Referee, 0));
    assert_eq!(verdict.answer.exit, Exit::Trap);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task: 0, exit }));
}

#[test]
fn a_case_that_nothing_decides_ends_though_the_referee_says_that_the_program_fails() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    world.asked.clear();
    world.tell_referee(JOB, 0, Ok(failure()));
    answers(&mut world, 3, Habit::Lies(97));
    let fourth = world.join(4, Habit::Lies(96));
    world.ask(fourth, 1);
    answers(&mut world, 5, Habit::Lies(95));
    world.report(fourth);
    assert!(world.asked.is_empty(), "it is not asked again");
    assert_eq!(verdicts(&world), []);
    world.next_block();
    assert!(ended(&world, JobEnd::Undecided { task: 0 }));
}

#[test]
fn without_a_referee_a_third_account_decides() {
    let mut world = split(Refereeing::Unavailable, ONE_LIES);
    assert_eq!(unrefereed(&world), [NoReferee::None]);
    assert_eq!(verdicts(&world), []);
    answers(&mut world, 3, Habit::Honest);
    let verdict = verdict(&world);
    assert_eq!(verdict.ground, Ground::Vote);
    let (right, wrong) = (Finding::Accepted, Finding::Incorrect);
    assert_eq!(findings(&verdict), [right, right, wrong]);
    assert_eq!(unrefereed(&world).len(), 1, "it is asked once");
}

#[test]
fn without_a_referee_five_are_heard_and_no_more() {
    let mut world = split(Refereeing::Unavailable, ONE_LIES);
    answers(&mut world, 3, Habit::Lies(97));
    let fourth = world.join(4, Habit::Lies(96));
    world.ask(fourth, 1);
    answers(&mut world, 5, Habit::Lies(95));
    assert_eq!(verdicts(&world), []);
    world.report(fourth);
    assert_eq!(verdicts(&world), []);
    world.next_block();
    assert!(ended(&world, JobEnd::Undecided { task: 0 }));
    assert!(world.ledger.paid.is_empty());
}

#[test]
fn a_referee_that_takes_too_long_is_not_waited_for_and_heard_no_more() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    world.wait_all_alive((WAIT_S - 1) * 1_000);
    assert!(unrefereed(&world).is_empty());
    world.wait_all_alive(2_000);
    assert_eq!(unrefereed(&world), [NoReferee::Late]);
    assert!(world.asked.is_empty(), "it is told to stop");
    world.tell_referee(JOB, 0, Ok(truth(0)));
    assert_eq!(refereed(&world), 0);
    answers(&mut world, 3, Habit::Lies(99));
    assert_eq!(verdict(&world).ground, Ground::Vote);
}

#[test]
fn the_core_wakes_when_the_referee_is_waited_for_no_more() {
    let mut world = World::new(1, Agreement::Unanimous, &[]);
    world.referee = Refereeing::Slow;
    for (account, habit) in (1..).zip(ONE_LIES) {
        let worker = world.join(account, habit);
        world.ask(worker, 1);
    }
    (0..2).for_each(|worker| world.report(worker));
    let asked = world.now;
    let mut wakes = 0;
    while unrefereed(&world).is_empty() {
        let wakeup = world.core.next_wakeup().unwrap();
        world.wait(wakeup.since(world.now).max(1));
        wakes += 1;
        assert!(wakes < 10_000);
    }
    // It looks at what is due twice a second.
    let late_ms = world.now.since(asked) - WAIT_S * 1_000;
    assert!(late_ms <= 500, "{late_ms}");
}

#[test]
fn whenever_the_masternode_dies_between_question_and_verdict_the_referee_decides() {
    for written in 0..4 {
        let mut world = split(Refereeing::Slow, ONE_LIES);
        world.disk_is_quick = false;
        world.answer_asked();
        world.write(written);
        world.restart();
        world.referee = Refereeing::Truthful;
        world.disk_is_quick = true;
        (0..2).for_each(|worker| world.hello(worker));
        (0..3).for_each(|_| world.next_block());
        assert_eq!(refereed(&world), 1, "{written} were written");
        assert_eq!(verdict(&world).ground, Ground::Referee);
        assert!(ended(&world, JobEnd::AllSettled));
        world.check_money();
    }
}

#[test]
fn that_there_is_no_referee_is_remembered_over_a_restart() {
    let mut world = split(Refereeing::Unavailable, ONE_LIES);
    world.restart();
    world.referee = Refereeing::Truthful;
    (0..2).for_each(|worker| world.hello(worker));
    assert_eq!((refereed(&world), unrefereed(&world).len()), (0, 1));
    answers(&mut world, 3, Habit::Honest);
    assert_eq!(verdict(&world).ground, Ground::Vote);
}

#[test]
fn a_referee_s_answer_after_the_job_has_ended_is_dropped() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    world.ledger.job.state = JobState::Expired;
    world.next_block();
    let stops = Effect::StopRecomputing { job: JOB, task: 0 };
    assert!(world.effects.contains(&stops));
    let entries = world.log().count();
    world.tell_referee(JOB, 0, Ok(truth(0)));
    world.tell_referee(JOB, 0, Err(NoReferee::Machine));
    assert_eq!(world.log().count(), entries);
    assert!(world.core.status(JOB).is_none());
}

#[test]
fn what_a_majority_cannot_decide_the_referee_decides_before_the_job_is_given_up() {
    let mut world = World::new(1, MAJORITY, &[]);
    world.referee = Refereeing::Truthful;
    for number in 0..3 {
        answers(&mut world, 20 + number, Habit::Lies(100 + number));
    }
    assert_eq!(refereed(&world), 0, "two more may decide it");
    for number in 3..9 {
        answers(&mut world, 20 + number, Habit::Lies(100 + number));
    }
    let verdict = verdict(&world);
    assert_eq!(verdict.ground, Ground::Referee);
    assert_eq!(findings(&verdict), [Finding::Incorrect; 9]);
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
}

#[test]
fn a_split_of_a_majority_asks_for_more_devices_and_for_no_referee() {
    let mut world = World::new(1, MAJORITY, &[]);
    world.referee = Refereeing::Slow;
    answers(&mut world, 1, Habit::Honest);
    answers(&mut world, 2, Habit::Lies(99));
    answers(&mut world, 3, Habit::Lies(98));
    assert!(world.asked.is_empty());
    answers(&mut world, 4, Habit::Honest);
    answers(&mut world, 5, Habit::Honest);
    assert_eq!(verdict(&world).ground, Ground::Majority);
}
