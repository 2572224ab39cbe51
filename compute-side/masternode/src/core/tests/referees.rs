//! Where devices differ the referee decides, and without one the vote.

use super::{
    worker::{found, truth},
    world::{DEADLINE, Habit, JOB, MAJORITY, REFEREE, Refereeing, World},
};
use crate::core::{Effect, Entry, NoReferee, Note, Purpose, REFEREE_REPLICA, RefereeWord, Truth};
use quern_jobs_api::{Rule, StepKind};
use quern_primitives::{
    ids::{Digest, NodeKey, TaskIndex},
    job::{Agreement, JobEnd, JobState},
    log::RefereeStatement,
    receipt::{Answer, Exit},
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
    let is_word = |word: &RefereeWord| matches!(word, RefereeWord::Computed { .. });
    world.count(|entry| matches!(entry, Entry::Refereed { word, .. } if is_word(word)))
}

fn unrefereed(world: &World) -> Vec<NoReferee> {
    let whys = world.noted().filter_map(|note| match note {
        Note::Unrefereed { why, .. } => Some(*why),
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
    assert_eq!(verdict.answer, truth(0).answer());
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
    assert_eq!(verdict.answer, truth(0).answer());
    assert_eq!(findings(&verdict), [Finding::Incorrect; 2]);
    assert_eq!(verdict.price, 0);
    let kept = Effect::KeepOutputs {
        job: JOB,
        task: 0,
        accepted: vec![(REFEREE_REPLICA, REFEREE)],
    };
    assert!(world.effects.contains(&kept), "the referee's result stays");
    let sealed = world.effects.iter().any(|effect| match effect {
        Effect::Note { noted, output, .. } => {
            matches!(noted.note, Note::Sealed { .. }) && output.is_some()
        }
        _ => false,
    });
    assert!(sealed, "it is written before the entry");
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    assert!(world.ledger.paid.is_empty());
    let escrow = world.ledger.job.escrow;
    assert_eq!(escrow.refunded, escrow.deposited);
    world.check_money();
}

/// The referee's word that the program fails on task 0.
fn failure() -> Truth {
    let exit = Exit::Trap;
    found(
        0,
        Answer {
            exit,
            ..truth(0).answer()
        },
    )
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
    assert_eq!(verdict.answer, truth(0).answer());
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    world.check_money();
}

#[test]
fn where_a_device_says_it_too_the_referee_s_word_that_the_program_fails_decides() {
    let mut world = split(Refereeing::Slow, [Habit::Honest, Habit::Traps]);
    world.asked.clear();
    let said = world.log().find_map(|entry| match entry {
        Entry::Revealed { receipt, .. } if receipt.payload.exit == Exit::Trap => {
            Some(receipt.payload.answer())
        }
        _ => None,
    });
    let same = found(0, said.unwrap());
    world.tell_referee(JOB, 0, Ok(same));
    let verdict = verdict(&world);
    assert_eq!((verdict.ground, verdict.price), (Ground::Referee, 0));
    assert_eq!(verdict.answer.exit, Exit::Trap);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task: 0, exit }));
}

/// The referee's word that the program fails on a task, as devices say that it does.
fn trapped(task: TaskIndex) -> Truth {
    let answer = Answer {
        result_commitment: Digest([0; 32]),
        result_bytes: 0,
        exit: Exit::Trap,
        ..truth(task).answer()
    };
    found(task, answer)
}

const BOTH_TRAP: [Habit; 2] = [Habit::Traps, Habit::Traps];

#[test]
fn two_that_say_that_the_program_fails_end_no_job_whose_program_does_not() {
    let mut world = split(Refereeing::Truthful, BOTH_TRAP);
    let verdict = verdict(&world);
    assert_eq!((verdict.ground, verdict.price), (Ground::Referee, 0));
    assert_eq!(verdict.answer, truth(0).answer());
    assert_eq!(findings(&verdict), [Finding::Incorrect; 2]);
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    let told = world.ledger.batches.iter().flat_map(|it| &it.devices);
    let incorrect: Vec<_> = told.map(|it| it.change.incorrect).collect();
    assert_eq!(incorrect, [1, 1], "the chain remembers who lied");
    world.check_money();
}

#[test]
fn a_program_that_fails_on_the_referee_too_ends_the_job_and_nobody_is_at_fault() {
    let mut world = split(Refereeing::Slow, BOTH_TRAP);
    assert_eq!(verdicts(&world), []);
    world.asked.clear();
    world.tell_referee(JOB, 0, Ok(trapped(0)));
    let verdict = verdict(&world);
    assert_eq!((verdict.ground, verdict.price), (Ground::Referee, 0));
    assert_eq!(findings(&verdict), [Finding::Accepted; 2]);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task: 0, exit }));
}

#[test]
fn without_a_referee_two_are_believed_that_the_program_fails() {
    let mut world = split(Refereeing::Unavailable, BOTH_TRAP);
    assert_eq!(unrefereed(&world), [NoReferee::None]);
    assert_eq!(verdict(&world).ground, Ground::Unanimous);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task: 0, exit }));
}

/// A job of three tasks of which two accounts each say that the program fails on it.
fn all_fail() -> World {
    let mut world = World::new(3, Agreement::Unanimous, &[]);
    world.referee = Refereeing::Slow;
    for account in 1..=6 {
        world.join(account, Habit::Traps);
    }
    for worker in 0..6 {
        world.ask(worker, 1);
        assert_eq!(world.workers[worker].in_hand.len(), 1, "worker {worker}");
    }
    (0..6).for_each(|worker| world.report(worker));
    world
}

/// The task that the referee computes.
fn only_asked(world: &World) -> TaskIndex {
    let asked: Vec<_> = world.asked.iter().copied().collect();
    let [(job, task, purpose)] = asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!((job, purpose), (JOB, Purpose::Referee));
    task
}

#[test]
fn of_the_tasks_on_which_the_program_is_said_to_fail_one_at_a_time_is_computed_again() {
    let mut world = all_fail();
    for done in 0..3 {
        let task = only_asked(&world);
        for other in (0..3).filter(|other| *other != task) {
            let told = world.core.explain_task(world.now, JOB, other).unwrap();
            let waits = told.reasons.iter().any(|it| it.rule == Rule::Referee);
            let is_judged = verdicts(&world).iter().any(|it| it.task == other);
            assert_eq!(waits, !is_judged, "task {other}");
        }
        assert!(world.answer_asked());
        assert_eq!(verdicts(&world).len(), done + 1);
    }
    assert!(world.asked.is_empty());
    assert_eq!(refereed(&world), 3);
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
}

#[test]
fn the_first_failure_that_is_confirmed_ends_the_job_and_nothing_more_is_computed() {
    let mut world = all_fail();
    let task = only_asked(&world);
    world.asked.clear();
    world.tell_referee(JOB, task, Ok(trapped(task)));
    assert!(world.asked.is_empty());
    assert_eq!(verdicts(&world).len(), 1);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task, exit }));
    world.wait(60_000);
    assert!(world.asked.is_empty());
}

#[test]
fn after_a_restart_the_referee_is_asked_of_one_failing_task_again() {
    let mut world = all_fail();
    world.asked.clear();
    world.restart();
    world.hello(0);
    only_asked(&world);
    for done in 1..=3 {
        assert!(world.answer_asked());
        assert_eq!(verdicts(&world).len(), done);
    }
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
    let told = world.core.status(JOB).unwrap();
    assert_eq!((told.voted, told.refereed), (1, 0));
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

/// The first block in which a job that is not cancelled is about to end.
fn closing_block(world: &World) -> u32 {
    DEADLINE - world.settings.deadline_margin_blocks * 4 / 5
}

#[test]
fn a_referee_is_waited_for_no_longer_than_what_is_decided_can_be_settled() {
    let mut world = split(Refereeing::Slow, BOTH_TRAP);
    world.block = closing_block(&world) - 2;
    world.next_block();
    assert_eq!((unrefereed(&world), world.asked.len()), (vec![], 1));
    world.next_block();
    assert_eq!(unrefereed(&world), [NoReferee::Late]);
    assert!(world.asked.is_empty(), "it is told to stop");
    assert_eq!(verdict(&world).ground, Ground::Unanimous);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task: 0, exit }));
}

#[test]
fn of_a_job_that_is_about_to_end_no_referee_is_asked() {
    let mut world = World::new(1, Agreement::Unanimous, &[]);
    world.referee = Refereeing::Slow;
    for account in [1, 2] {
        let worker = world.join(account, Habit::Traps);
        world.ask(worker, 1);
    }
    world.block = closing_block(&world) - 1;
    world.next_block();
    (0..2).for_each(|worker| world.report(worker));
    assert_eq!(unrefereed(&world), [NoReferee::Late]);
    assert!(world.asked.is_empty());
    assert_eq!(verdict(&world).ground, Ground::Unanimous);
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

/// What two others say who computed task 0 too.
fn others(answers: [Answer; 2]) -> Vec<RefereeStatement> {
    let others = (1u8..)
        .zip(answers)
        .map(|(number, answer)| RefereeStatement {
            report: found(0, answer).report,
            node: NodeKey([number; 32]),
        });
    others.collect()
}

fn other_answer() -> Answer {
    Answer {
        fuel: 7,
        ..truth(0).answer()
    }
}

#[test]
fn what_each_of_three_referees_says_is_written_and_what_two_say_decides() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    let mut told = truth(0);
    told.others = others([other_answer(), told.answer()]);
    world.tell_referee(JOB, 0, Ok(told.clone()));
    assert_eq!(verdict(&world).ground, Ground::Referee);
    assert_eq!(verdict(&world).answer, told.answer());
    let words = world.log().filter_map(|entry| match entry {
        Entry::Refereed { word, .. } => Some(word.clone()),
        _ => None,
    });
    let words: Vec<_> = words.collect();
    let [word] = words.as_slice() else {
        panic!("{words:?}");
    };
    assert_eq!(word.statements().len(), 3);
    assert_eq!(word.agreeing().len(), 2);
    assert_eq!(word.truth().unwrap().node, told.node);
    assert_eq!(world.core.status(JOB).unwrap().refereed, 1);
    let entries = world.log().count();
    world.restart();
    (0..2).for_each(|worker| world.hello(worker));
    assert_eq!((world.asked.len(), world.log().count()), (0, entries));
}

#[test]
fn referees_of_whom_no_two_say_the_same_are_as_none() {
    let mut world = split(Refereeing::Slow, ONE_LIES);
    let mut told = truth(0);
    told.others = others([other_answer(), truth(1).answer()]);
    world.tell_referee(JOB, 0, Ok(told));
    assert_eq!(unrefereed(&world), [NoReferee::Split]);
    assert_eq!(refereed(&world), 0);
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
