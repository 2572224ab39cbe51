//! Batches, cancelled jobs and programs that fail.

use super::{
    ledger::COORDINATOR,
    world::{Habit, JOB, MAJORITY, World, settings},
};
use crate::core::{Effect, Event, Tick};
use quern_job_rules::tasks;
use quern_jobs_api::{JobStatus, Phase, WaitingFor};
use quern_primitives::{
    job::{Agreement, JobEnd, JobState},
    limits,
    receipt::Exit,
};
use quern_protocol::DiscardReason;

/// A job of one replica a task, of which so many are computed by one device.
fn computed(tasks: u32, done: usize) -> World {
    let mut world = World::new(tasks, Agreement::Single, &[1]);
    for _ in 0..done {
        world.ask(0, 1);
        world.report(0);
    }
    world
}

/// What the owner is told of the job since it is closed.
fn closed(world: &World) -> JobStatus {
    let told = world.effects.iter().filter_map(|effect| match effect {
        Effect::Closed { status, .. } => Some((**status).clone()),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "a job is closed once");
    assert_eq!(told[0].phase, Phase::Closed);
    told[0].clone()
}

#[test]
fn a_closed_job_is_forgotten_and_its_status_stays_true_after_a_restart() {
    let mut world = computed(3, 2);
    world.ask(0, 1);
    world.ledger.job.state = JobState::Expired;
    world.next_block();
    assert_eq!(world.core.status(JOB), None);
    let status = closed(&world);
    assert_eq!((status.decided, status.devices), (2, 0));
    world.next_block();
    closed(&world);
    assert_eq!(
        world.core.status(JOB),
        None,
        "the chain may tell of it again"
    );
    let (job, plan) = (world.ledger.job.clone(), world.plan());
    let mut core = world.new_core();
    let replayed = core.replay(world.now, JOB, job, Some(plan), world.disk.clone());
    assert_eq!(replayed, Some(status));
    assert_eq!(core.status(JOB), None);
}

#[test]
fn results_are_kept_until_the_verdict_is_on_disk() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    world.disk_is_quick = false;
    (0..3).for_each(|worker| world.report(worker));
    let kept = |world: &World| {
        let kept = world.effects.iter().filter_map(|effect| match effect {
            Effect::KeepOutputs { accepted, .. } => Some(accepted.len()),
            _ => None,
        });
        kept.collect::<Vec<_>>()
    };
    world.write(3);
    assert!(kept(&world).is_empty(), "the reports alone are on disk");
    world.write(usize::MAX);
    assert_eq!(kept(&world), [3]);
}

#[test]
fn a_verdict_waits_for_others_but_not_long() {
    let mut world = computed(3, 1);
    assert_eq!(world.settles(), 0);
    world.wait(6_000);
    assert_eq!(world.settles(), 1);
    assert_eq!(world.ledger.job.settled_tasks, 1);
}

#[test]
fn the_last_verdicts_are_settled_at_once() {
    let mut world = computed(3, 3);
    assert_eq!(world.settles(), 1);
    world.next_block();
    assert_eq!(
        world.ledger.job.state,
        JobState::Completed {
            end: JobEnd::AllSettled
        }
    );
    assert_eq!(closed(&world).settled, 3);
    world.check_money();
}

#[test]
fn a_job_that_waits_for_its_last_batch_is_left_alone_until_it_is_final() {
    let mut world = World::new(3, Agreement::Single, &[1]);
    world.ledger.waits = true;
    for _ in 0..3 {
        world.ask(0, 1);
        world.report(0);
    }
    assert_eq!(world.settles(), 1);
    world.next_block();
    let (coordinator, end) = (COORDINATOR, JobEnd::AllSettled);
    assert_eq!(
        world.ledger.job.state,
        JobState::Settling {
            coordinator,
            end,
            cancelled: None
        }
    );
    let told = world.core.status(JOB).unwrap();
    assert_eq!(told.phase, Phase::Settling);
    assert_eq!(told.waiting_for, Some(WaitingFor::Finality));
    world.wait(100_000);
    assert_eq!(world.settles(), 1, "nothing is sent again");
    world.ledger.finalise();
    world.next_block();
    assert_eq!(world.ledger.job.state, JobState::Completed { end });
    assert_eq!(closed(&world).settled, 3);
    world.check_money();
}

#[test]
fn verdicts_that_are_not_on_disk_are_not_settled() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.disk_is_quick = false;
    world.report(0);
    world.wait(10_000);
    assert_eq!(world.settles(), 0);
    world.write(usize::MAX);
    assert_eq!(world.settles(), 0, "the batch itself is not on disk");
    world.write(usize::MAX);
    assert_eq!(world.settles(), 1);
}

#[test]
fn a_batch_is_sent_again_until_the_chain_counts_it_and_never_pays_twice() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ledger.takes = false;
    world.ask(0, 2);
    world.report(0);
    world.wait(30_000);
    world.wait(30_000);
    assert_eq!(world.settles(), 3);
    world.ledger.takes = true;
    world.wait(30_000);
    let paid = world.ledger.paid.clone();
    world.wait(30_000);
    assert_eq!(world.settles(), 5, "the core has not heard that it counts");
    assert_eq!(world.ledger.paid, paid);
    world.next_block();
    world.wait(30_000);
    assert_eq!(world.settles(), 5);
    assert_eq!(world.ledger.batches.len(), 1);
    world.check_money();
}

#[test]
fn a_batch_refused_is_tried_again_soon() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ledger.takes = false;
    world.ask(0, 1);
    world.report(0);
    world.feed(Event::NotSettled { job: JOB });
    world.ledger.takes = true;
    world.wait(2_000);
    assert_eq!(world.ledger.batches.len(), 1);
}

/// The sequence numbers of the batches sent, in order.
fn sequences(world: &World) -> Vec<u32> {
    let sent = world.effects.iter().filter_map(|effect| match effect {
        Effect::Settle { batch } => Some(batch.sequence),
        _ => None,
    });
    sent.collect()
}

/// A job of eight tasks, all computed, at most two to a batch and three batches on their way.
fn batches_of_two(takes: bool) -> World {
    let mut settings = settings();
    settings.settle.verdicts_max = 2;
    settings.settle.in_flight_max = 3;
    let mut world = World::with(settings, 8, Agreement::Single, &[1]);
    world.ledger.takes = takes;
    for _ in 0..4 {
        world.ask(0, 2);
        world.report(0);
    }
    world
}

#[test]
fn batches_follow_each_other_without_waiting_for_the_chain_up_to_the_limit() {
    let mut world = batches_of_two(true);
    assert_eq!(sequences(&world), [0, 1, 2]);
    assert_eq!(world.ledger.job.settled_tasks, 6);
    world.next_block();
    assert_eq!(sequences(&world), [0, 1, 2, 3]);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn a_verdict_that_found_no_room_in_a_batch_has_waited_all_the_same() {
    let mut settings = settings();
    settings.settle.verdicts_max = 2;
    settings.settle.in_flight_max = 1;
    let mut world = World::with(settings, 9, Agreement::Single, &[1]);
    for wanted in [2, 2, 1] {
        world.ask(0, wanted);
        world.report(0);
    }
    assert_eq!(sequences(&world), [0]);
    world.wait(5_900);
    world.next_block();
    assert_eq!(sequences(&world), [0, 1], "two of the three are a batch");
    world.wait(200);
    world.next_block();
    assert_eq!(sequences(&world), [0, 1, 2], "the third is 6 seconds old");
    let batches = world.ledger.batches.iter();
    let tasks = batches.map(|batch| tasks::count(&batch.tasks.bits));
    assert_eq!(tasks.collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn a_whole_job_of_full_batches_is_on_its_way_at_a_time() {
    let full = limits::TASKS_PER_JOB_MAX / limits::VERDICTS_PER_BATCH_MAX;
    assert_eq!(settings().settle.in_flight_max, full as usize);
}

#[test]
fn batches_behind_one_that_got_lost_are_sent_again_in_order() {
    let mut world = batches_of_two(false);
    world.ledger.takes = true;
    world.ledger.loses = 1;
    world.wait(30_000);
    assert_eq!(
        world.ledger.job.settled_tasks, 0,
        "the chain takes none out of order"
    );
    world.feed(Event::NotSettled { job: JOB });
    world.wait(1_000);
    assert_eq!(sequences(&world), [0, 1, 2, 0, 1, 2]);
    world.wait(1_000);
    assert_eq!(sequences(&world), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    assert_eq!(world.ledger.job.settled_tasks, 6);
    world.next_block();
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn batches_that_wait_for_the_chain_get_more_time_with_each_that_it_counts() {
    let mut world = batches_of_two(false);
    world.wait(29_000);
    world.ledger.takes = true;
    let first = world.effects.iter().find_map(|effect| match effect {
        Effect::Settle { batch } => Some((**batch).clone()),
        _ => None,
    });
    assert!(world.ledger.settle(world.block, &first.unwrap()));
    world.next_block();
    world.wait(29_000);
    assert_eq!(sequences(&world), [0, 1, 2, 3]);
    world.wait(1_000);
    assert_eq!(sequences(&world), [0, 1, 2, 3, 1, 2, 3]);
}

#[test]
fn batches_on_their_way_when_the_masternode_dies_are_each_counted_once() {
    for counted in 0..=3 {
        let mut world = batches_of_two(false);
        world.ledger.takes = true;
        let sent: Vec<_> = world
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Settle { batch } => Some((**batch).clone()),
                _ => None,
            })
            .collect();
        for batch in &sent[..counted] {
            assert!(world.ledger.settle(world.block, batch));
        }
        world.restart();
        world.hello(0);
        for _ in 0..3 {
            world.next_block();
        }
        assert!(!world.ledger.job.state.is_open(), "{counted} were counted");
        assert_eq!(world.ledger.batches.len(), 4);
        world.check_money();
    }
}

#[test]
fn a_batch_that_was_counted_while_the_masternode_was_away_is_not_sent_again() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.report(0);
    world.wait(6_000);
    assert_eq!(world.ledger.batches.len(), 1);
    world.restart();
    world.wait(60_000);
    assert_eq!(world.settles(), 1);
    world.hello(0);
    world.ask(0, 1);
    world.report(0);
    assert_eq!(world.ledger.batches.len(), 2);
    world.check_money();
}

#[test]
fn a_node_that_lags_behind_does_not_make_a_batch_be_numbered_anew() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    let old = (world.block, world.ledger.job.clone());
    world.ask(0, 1);
    world.report(0);
    world.wait(6_000);
    world.next_block();
    world.feed(Event::Finalised {
        block: old.0 - 1,
        jobs: vec![(JOB, old.1)],
    });
    world.ask(0, 1);
    world.report(0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    world.check_money();
}

#[test]
fn an_old_copy_of_the_job_in_a_new_block_is_no_news() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    let old = world.ledger.job.clone();
    world.ask(0, 1);
    world.report(0);
    world.wait(6_000);
    world.next_block();
    assert_eq!(world.ledger.job.next_batch, 1);
    world.feed(Event::Finalised {
        block: world.block,
        jobs: vec![(JOB, old)],
    });
    world.ask(0, 1);
    world.report(0);
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(world.ledger.batches.len(), 2);
    world.check_money();
}

#[test]
fn batches_that_a_killed_validator_has_forgotten_are_sent_again_and_paid_once() {
    let mut world = batches_of_two(false);
    world.ledger.waits = true;
    let forgotten = world.ledger.clone();
    world.ledger.takes = true;
    world.wait(30_000);
    assert_eq!(world.ledger.job.settled_tasks, 6);
    world.next_block();
    world.ledger = forgotten;
    world.ledger.takes = true;
    let before = world.settles();
    for _ in 0..2 {
        world.next_block();
        world.wait(1_000);
        assert_eq!(world.ledger.batches.len(), 0, "it may be an old copy");
    }
    world.next_block();
    world.wait(1_000);
    assert!(world.settles() > before);
    for _ in 0..4 {
        world.next_block();
        world.wait(1_000);
        world.ledger.finalise();
    }
    world.next_block();
    assert!(!world.ledger.job.state.is_open());
    assert_eq!(world.ledger.batches.len(), 4);
    world.check_money();
}

#[test]
fn a_job_that_closes_while_a_batch_is_out_is_left_alone() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ledger.takes = false;
    world.ask(0, 2);
    world.report(0);
    assert_eq!(world.settles(), 1);
    world.ledger.job.state = JobState::Expired;
    world.next_block();
    world.wait(60_000);
    assert_eq!(world.settles(), 1);
    world.restart();
    world.wait(60_000);
    assert_eq!(world.settles(), 1, "nor after a restart");
}

#[test]
fn a_closed_job_takes_its_tasks_back_and_says_nothing_more() {
    let mut world = World::new(3, Agreement::Single, &[1]);
    world.ask(0, 2);
    world.ledger.job.state = JobState::Expired;
    world.next_block();
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    assert_eq!(world.workers[0].discarded.len(), 2);
    let entries = world.log().count();
    world.hello(0);
    world.wait(600_000);
    assert_eq!(world.log().count(), entries);
    assert_eq!(world.core.next_wakeup().map(|tick| tick > Tick(0)), None);
}

#[test]
fn a_cancelled_job_settles_what_was_finished_and_hands_out_nothing() {
    let mut world = computed(3, 1);
    world.cancel();
    assert_eq!(world.ledger.job.settled_tasks, 1);
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    world.check_money();
}

#[test]
fn a_task_that_is_out_when_the_job_is_cancelled_may_still_be_finished() {
    let mut world = World::new(3, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.cancel();
    world.report(0);
    assert_eq!(world.ledger.job.settled_tasks, 1);
}

/// A job of two tasks: the first is computed by three that agree; on the second all differ, and the
/// last of them, whose number is returned, has not reported yet. Three replicas that differ ask for
/// two more, these for four, and these would ask for more than a task may have.
fn torn() -> (World, usize) {
    let mut world = World::new(2, MAJORITY, &[1, 2, 3]);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
        world.report(worker);
    });
    let most = 3 + 2 + 4;
    let mut last = 0;
    for number in 0..most {
        last = world.join(20 + number, Habit::Lies(100 + number));
        world.ask(last, 1);
        assert_eq!(world.workers[last].in_hand.len(), 1, "replica {number}");
        if number + 1 < most {
            world.report(last);
        }
    }
    (world, last)
}

fn is_undecided(world: &World) -> bool {
    let end = JobEnd::Undecided { task: 1 };
    world.ledger.job.state == JobState::Completed { end }
}

#[test]
fn a_task_without_a_majority_ends_the_job_after_what_is_decided_is_settled() {
    let (mut world, last) = torn();
    assert_eq!(world.settles(), 0, "the first verdict waits for others");
    world.report(last);
    assert_eq!(world.ledger.job.settled_tasks, 1);
    world.next_block();
    assert!(is_undecided(&world));
    world.next_block();
    assert_eq!(closed(&world).settled, 1);
    assert_eq!(
        world.ledger.paid.len(),
        3,
        "those who agreed on the first task"
    );
    let escrow = world.ledger.job.escrow;
    assert_eq!(
        escrow.refunded + escrow.paid + escrow.network,
        escrow.deposited
    );
    assert!(
        world
            .ledger
            .batches
            .iter()
            .all(|batch| batch.devices.len() == 3),
        "nobody is blamed, since nobody knows who is wrong"
    );
    world.check_money();
}

#[test]
fn a_job_without_a_majority_ends_whenever_the_masternode_dies() {
    for written in 0..4 {
        let (mut world, last) = torn();
        world.disk_is_quick = false;
        world.report(last);
        world.write(written);
        world.restart();
        world.disk_is_quick = true;
        world.hello(last);
        world.ask(last, 0);
        world.next_block();
        world.next_block();
        assert!(is_undecided(&world), "{written} entries were written");
        world.check_money();
    }
}

#[test]
fn replicas_that_are_out_when_a_task_turns_out_undecidable_are_dropped() {
    let (mut world, last) = torn();
    let other = world.join(50, Habit::Honest);
    world.ask(other, 1);
    assert_eq!(
        world.workers[other].in_hand,
        [],
        "both tasks have all their replicas out"
    );
    world.report(last);
    world.ask(other, 1);
    assert!(world.workers[other].in_hand.is_empty());
    let kept = Effect::KeepOutputs {
        job: JOB,
        task: 1,
        accepted: vec![],
    };
    assert!(
        world.effects.contains(&kept),
        "nobody may download any of the answers"
    );
}

#[test]
fn a_program_that_fails_ends_the_job_and_pays_nobody() {
    let mut world = World::new(3, MAJORITY, &[]);
    for account in 1..=4 {
        world.join(account, Habit::Traps);
    }
    (0..4).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..3).for_each(|worker| world.report(worker));
    world.next_block();
    let end = JobEnd::ProgramFailed {
        task: 0,
        exit: Exit::Trap,
    };
    assert_eq!(world.ledger.job.state, JobState::Completed { end });
    assert!(world.ledger.paid.is_empty());
    assert_eq!(
        world.ledger.job.escrow.refunded,
        world.ledger.job.escrow.deposited
    );
    world.ask(3, 1);
    assert_eq!(world.workers[3].discarded[0].1, DiscardReason::JobOver);
    assert!(world.workers[3].in_hand.is_empty());
}
