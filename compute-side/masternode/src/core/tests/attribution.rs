//! Whose fault it is: the device's, the program's, the input's, or nobody's.

mod facts;
mod histories;
mod scene;

use super::{
    worker::{found, truth},
    world::{Habit, JOB, MAJORITY, Refereeing, World},
};
use crate::core::{End, Entry, Event, NoReferee};
use quern_primitives::{
    device::History,
    job::{Agreement, JobEnd, JobState},
    receipt::Exit,
    verdict::Finding,
};
use quern_protocol::HandBackReason;

/// After so long without a trusted device it counts that there is none, in milliseconds.
const ARRIVAL_MS: u64 = 30_000;

/// So long a task is kept for a trusted device, in milliseconds; and so long a device waits after three
/// faults.
const TEN_MINUTES_MS: u64 = 600_000;

/// A new trusted device, which the next ranking knows.
fn join_trusted(world: &mut World, account: u8, habit: Habit) -> usize {
    let worker = world.join_as(account, habit, |worker| worker.trusted = true);
    world.wait(1_000);
    worker
}

/// Everybody is here again after a restart, and ranked.
fn restart(world: &mut World) {
    world.restart();
    world.disk_is_quick = true;
    (0..world.workers.len()).for_each(|worker| world.hello(worker));
    world.wait(1_000);
}

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

/// How often a job ended because an input opens nowhere: once, or not yet.
fn unopened(world: &World) -> usize {
    let is_unopened = |end: &End| matches!(end, End::Unopened { .. });
    world.count(|entry| matches!(entry, Entry::Ended { end } if is_unopened(end)))
}

fn ended(world: &World, end: JobEnd) -> bool {
    world.ledger.job.state == JobState::Completed { end }
}

/// Neither the masternode nor the chain remembers a fault of anybody.
fn expect_nobody_blamed(world: &World) {
    for worker in &world.workers {
        let explained = world.core.explain_device(world.now, &worker.id());
        let faults = explained.map(|it| it.state.faulty_tasks);
        assert_eq!(faults, Some(0));
    }
    let changes = world.ledger.batches.iter().flat_map(|it| &it.devices);
    for it in changes {
        let change = it.change;
        assert_eq!(
            (change.failed, change.delayed, change.incorrect),
            (0, 0, 0),
            "{it:?}"
        );
    }
}

/// What was earned is paid, and all else is back with the owner.
fn expect_rest_returned(world: &World, paid_accounts: usize) {
    let escrow = world.ledger.job.escrow;
    assert_eq!(world.ledger.paid.len(), paid_accounts);
    assert_eq!(escrow.held, 0);
    assert_eq!(
        escrow.paid + escrow.network + escrow.refunded,
        escrow.deposited
    );
    world.check_money();
}

#[test]
fn a_failure_is_tried_on_the_trusted_device_before_anybody_is_blamed() {
    let mut world = World::new(1, Agreement::Single, &[]);
    let liar = world.join(1, Habit::Traps);
    let other = world.join(2, Habit::Honest);
    let trusted = join_trusted(&mut world, 3, Habit::Honest);
    world.ask(liar, 1);
    world.report(liar);
    world.ask(other, 1);
    assert_eq!(
        world.workers[other].in_hand,
        [],
        "the trusted one comes first"
    );
    world.ask(trusted, 1);
    assert_eq!(world.workers[trusted].in_hand.len(), 1);
    assert_eq!(findings(&world), []);
    expect_nobody_blamed(&world);
    // One against one: who decides is another account, now that the trusted one has had it.
    world.report(trusted);
    assert_eq!(world.workers[other].in_hand.len(), 1);
    expect_nobody_blamed(&world);
    world.report(other);
    assert_eq!(
        findings(&world),
        [Finding::Incorrect, Finding::Accepted, Finding::Accepted]
    );
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    world.check_money();
}

#[test]
fn without_a_trusted_device_that_could_have_it_another_account_decides() {
    // None; one of the account that failed; one that has gone; and one that takes nothing.
    for case in 0..4 {
        let mut world = World::new(1, Agreement::Single, &[]);
        let liar = world.join(1, Habit::Traps);
        let other = world.join(2, Habit::Honest);
        let account = if case == 1 { 1 } else { 3 };
        let trusted = (case > 0).then(|| join_trusted(&mut world, account, Habit::Honest));
        world.ask(liar, 1);
        world.report(liar);
        if case == 2 {
            let device = world.workers[trusted.unwrap()].id();
            world.feed(Event::Gone { device });
            world.wait(1_000);
        }
        if case == 3 {
            world.ask(other, 1);
            assert_eq!(world.workers[other].in_hand, []);
            world.wait_all_alive(TEN_MINUTES_MS);
        }
        world.ask(other, 1);
        assert_eq!(world.workers[other].in_hand.len(), 1, "case {case}");
    }
}

#[test]
fn a_program_that_fails_on_the_trusted_device_too_ends_the_job_and_blames_nobody() {
    let mut world = World::new(2, Agreement::Single, &[1, 2]);
    let broken = world.join(4, Habit::Honest);
    let trusted = join_trusted(&mut world, 3, Habit::Traps);
    world.ask(0, 1);
    world.report(0);
    // The first who has the second task cannot open it; whether it could be opened is soon known.
    world.ask(broken, 1);
    world.hand_back(broken, HandBackReason::BadInput);
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand, []);
    world.ask(trusted, 1);
    world.report(trusted);
    assert!(
        world.ledger.job.state.is_open(),
        "not on one machine's word"
    );
    assert_eq!(world.workers[1].in_hand.len(), 1);
    world.workers[1].habit = Habit::Traps;
    world.report(1);
    world.next_block();
    let exit = Exit::Trap;
    assert!(ended(&world, JobEnd::ProgramFailed { task: 1, exit }));
    expect_nobody_blamed(&world);
    expect_rest_returned(&world, 1);
}

#[test]
fn where_two_answers_differ_the_trusted_device_is_asked_before_an_honest_one_is_outvoted() {
    for dies in [false, true] {
        let mut world = World::new(1, MAJORITY, &[]);
        let honest = world.join(1, Habit::Honest);
        let liar = world.join(2, Habit::Lies(99));
        let colluder = world.join(4, Habit::Lies(99));
        let trusted = join_trusted(&mut world, 3, Habit::Honest);
        for worker in [liar, honest] {
            world.ask(worker, 1);
            world.report(worker);
        }
        if dies {
            restart(&mut world);
        }
        world.ask(colluder, 1);
        assert_eq!(world.workers[colluder].in_hand, []);
        world.ask(trusted, 1);
        world.report(trusted);
        assert_eq!(
            findings(&world),
            [Finding::Incorrect, Finding::Accepted, Finding::Accepted]
        );
    }
}

#[test]
fn what_is_added_because_answers_differ_is_for_the_trusted_device_first() {
    let mut world = World::new(1, MAJORITY, &[1]);
    world.join(2, Habit::Lies(98));
    world.join(4, Habit::Lies(99));
    let other = world.join(5, Habit::Honest);
    let trusted = join_trusted(&mut world, 3, Habit::Honest);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..3).for_each(|worker| world.report(worker));
    world.ask(other, 1);
    assert_eq!(world.workers[other].in_hand, []);
    world.ask(trusted, 1);
    assert_eq!(world.workers[trusted].in_hand.len(), 1);
    assert_eq!(findings(&world), []);
}

#[test]
fn whenever_the_masternode_dies_what_failed_is_tried_on_the_trusted_device_next() {
    for written in 0..3 {
        let mut world = World::new(1, Agreement::Single, &[]);
        let first = world.join(1, Habit::Traps);
        let other = world.join(2, Habit::Honest);
        let trusted = join_trusted(&mut world, 3, Habit::Traps);
        world.ask(first, 1);
        world.disk_is_quick = false;
        world.report(first);
        world.write(written);
        restart(&mut world);
        world.ask(first, 0);
        world.ask(other, 1);
        assert_eq!(world.workers[other].in_hand, [], "{written} were written");
        world.ask(trusted, 1);
        world.report(trusted);
        world.next_block();
        let (task, exit) = (0, Exit::Trap);
        assert!(ended(&world, JobEnd::ProgramFailed { task, exit }));
        expect_nobody_blamed(&world);
    }
}

/// A job of two tasks of which the first is done. The second could not be opened by a device, and a
/// trusted one has it, whose number is returned.
fn shut() -> (World, usize) {
    let mut world = World::new(2, Agreement::Single, &[1, 2]);
    let trusted = join_trusted(&mut world, 3, Habit::Honest);
    world.ask(0, 1);
    world.report(0);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::BadInput);
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand, [], "the trusted one comes first");
    world.ask(trusted, 1);
    assert_eq!(world.workers[trusted].in_hand.len(), 1);
    assert_eq!(unopened(&world), 0);
    (world, trusted)
}

#[test]
fn an_input_that_the_trusted_device_cannot_open_either_ends_the_job_and_blames_nobody() {
    let (mut world, trusted) = shut();
    world.hand_back(trusted, HandBackReason::BadInput);
    assert_eq!(unopened(&world), 1);
    assert_eq!(world.ledger.job.settled_tasks, 1);
    world.next_block();
    assert!(ended(&world, JobEnd::Undecided { task: 1 }));
    assert_eq!(world.workers[1].in_hand, []);
    expect_nobody_blamed(&world);
    expect_rest_returned(&world, 1);
    world.next_block();
    assert_eq!(world.core.status(JOB), None, "the core hears of it");
}

#[test]
fn an_input_that_the_masternode_opens_ends_no_job_and_who_could_not_has_failed() {
    let (mut world, trusted) = shut();
    world.referee = Refereeing::Truthful;
    world.hand_back(trusted, HandBackReason::BadInput);
    assert_eq!(unopened(&world), 0);
    assert_eq!(
        findings(&world),
        [Finding::Failed, Finding::Failed, Finding::Accepted]
    );
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    world.check_money();
}

#[test]
fn the_masternode_is_asked_once_whether_an_input_opens() {
    let (mut world, trusted) = shut();
    world.referee = Refereeing::Slow;
    world.hand_back(trusted, HandBackReason::BadInput);
    world.wait_all_alive(60_000);
    assert_eq!((world.asked.len(), unopened(&world)), (1, 0));
    world.asked.clear();
    world.tell_referee(JOB, 1, Err(NoReferee::Data));
    assert_eq!((world.asked.len(), unopened(&world)), (0, 1));
}

#[test]
fn where_the_program_fails_on_the_masternode_alone_its_input_opens_and_others_try_it() {
    let (mut world, trusted) = shut();
    world.referee = Refereeing::Slow;
    world.hand_back(trusted, HandBackReason::BadInput);
    world.asked.clear();
    let mut answer = truth(1).answer();
    answer.exit = Exit::Trap;
    let failure = found(1, answer);
    world.tell_referee(JOB, 1, Ok(failure));
    world.wait_all_alive(60_000);
    assert_eq!((world.asked.len(), unopened(&world)), (0, 0));
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand.len(), 1);
}

#[test]
fn an_input_that_the_trusted_device_opens_is_its_first_device_s_fault() {
    let (mut world, trusted) = shut();
    world.report(trusted);
    assert_eq!(unopened(&world), 0);
    assert_eq!(
        findings(&world),
        [Finding::Failed, Finding::Accepted, Finding::Accepted]
    );
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
    world.check_money();
}

#[test]
fn a_job_whose_input_opens_nowhere_ends_whenever_the_masternode_dies() {
    for written in 0..4 {
        let (mut world, trusted) = shut();
        world.disk_is_quick = false;
        world.hand_back(trusted, HandBackReason::BadInput);
        world.write(written);
        restart(&mut world);
        if unopened(&world) == 0 {
            // What the device said is lost. It gets the task again, and nobody else does.
            world.ask(1, 1);
            assert_eq!(world.workers[1].in_hand, []);
            world.ask(trusted, 1);
            world.hand_back(trusted, HandBackReason::BadInput);
        }
        assert_eq!(unopened(&world), 1, "{written} were written");
        (0..3).for_each(|_| world.next_block());
        assert!(ended(&world, JobEnd::Undecided { task: 1 }));
        expect_rest_returned(&world, 1);
    }
}

#[test]
fn one_machine_alone_ends_no_job_even_if_it_is_trusted() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    let trusted = join_trusted(&mut world, 3, Habit::Honest);
    world.ask(trusted, 1);
    world.hand_back(trusted, HandBackReason::BadInput);
    world.wait_all_alive(ARRIVAL_MS);
    assert_eq!(unopened(&world), 0);
    world.ask(0, 1);
    world.report(0);
    assert_eq!(findings(&world), [Finding::Failed, Finding::Accepted]);
    world.next_block();
    assert!(ended(&world, JobEnd::AllSettled));
}

/// A task that three untrusted devices have, of which two could not open it; a fourth one asks for work
/// and gets nothing until the third is heard.
fn half_shut(dies: bool) -> World {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3, 4]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.hand_back(0, HandBackReason::BadInput);
    world.hand_back(1, HandBackReason::BadInput);
    if dies {
        restart(&mut world);
    }
    world.wait_all_alive(ARRIVAL_MS);
    assert_eq!(unopened(&world), 0, "the third may prove them wrong");
    world.ask(3, 1);
    assert_eq!(world.workers[3].in_hand, []);
    world
}

#[test]
fn without_a_trusted_device_as_many_accounts_as_must_agree_end_the_job() {
    for dies in [false, true] {
        let mut world = half_shut(dies);
        world.hand_back(2, HandBackReason::BadInput);
        assert_eq!(unopened(&world), 1);
        world.next_block();
        assert!(ended(&world, JobEnd::Undecided { task: 0 }));
        assert_eq!(world.workers[3].in_hand, []);
        expect_nobody_blamed(&world);
        expect_rest_returned(&world, 0);
    }
}

#[test]
fn who_opens_what_others_could_not_proves_them_wrong() {
    for dies in [false, true] {
        let mut world = half_shut(dies);
        world.report(2);
        assert_eq!(world.workers[3].in_hand.len(), 1, "it goes on at once");
        world.report(3);
        let last = world.join(5, Habit::Honest);
        world.ask(last, 1);
        world.report(last);
        let found = findings(&world);
        assert_eq!(found[..2], [Finding::Failed; 2]);
        assert_eq!(found[2..], [Finding::Accepted; 3]);
        world.next_block();
        assert!(ended(&world, JobEnd::AllSettled));
        world.check_money();
    }
}

#[test]
fn two_accounts_that_cannot_open_a_task_are_not_believed_at_once_where_a_trusted_device_may_come() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    for worker in 0..2 {
        world.ask(worker, 1);
        world.hand_back(worker, HandBackReason::BadInput);
    }
    world.wait_all_alive(ARRIVAL_MS - 1_000);
    assert_eq!(unopened(&world), 0);
    let trusted = join_trusted(&mut world, 3, Habit::Honest);
    world.wait_all_alive(ARRIVAL_MS);
    assert_eq!(unopened(&world), 0, "it is here, and may yet take the task");
    world.ask(trusted, 1);
    world.report(trusted);
    assert_eq!(
        findings(&world),
        [Finding::Failed, Finding::Failed, Finding::Accepted]
    );
}

#[test]
fn a_device_with_three_faults_in_a_row_waits_from_its_hello_on_whoever_saw_them() {
    let mut world = World::new(4, Agreement::Single, &[]);
    let with = |failed| History {
        failed,
        ..History::default()
    };
    let two = world.join_as(1, Habit::Honest, |worker| worker.history = with(0b11));
    let three = world.join_as(2, Habit::Honest, |worker| worker.history = with(0b111));
    world.wait_all_alive(TEN_MINUTES_MS / 2);
    world.restart();
    for worker in [two, three] {
        world.hello(worker);
    }
    world.ask(two, 2);
    assert_eq!(world.workers[two].in_hand.len(), 1, "one at a time");
    world.wait_all_alive(TEN_MINUTES_MS - 1_000);
    world.ask(three, 2);
    assert_eq!(world.workers[three].in_hand, []);
    world.wait_all_alive(1_000);
    world.ask(three, 2);
    assert_eq!(world.workers[three].in_hand.len(), 1);
}
