//! What the scheduler tells of a task: where it stands, the rule that keeps each device from it, and
//! what happens next.

mod jobs;
mod lanes;

use super::world::{DEADLINE, Habit, JOB, MAJORITY, World};
use crate::core::{Challenge, Event};
use quern_jobs_api::{
    Lateness, REASON_DEVICES_MAX, Reason, ReplicaStage, Rule, Sample, StepKind, TaskExplanation,
    TaskStage,
};
use quern_primitives::{
    amount::BYTECHIP,
    ids::{AccountId, DeviceId, JobId, TaskIndex},
    job::{Agreement, Preferences},
};
use quern_protocol::{
    BenchmarkAnswer, Exchange, HandBackReason, Hello, State, Unavailable, limits,
};
use std::ops::Range;

const SILENCE_S: u64 = limits::SILENCE_MAX.as_secs();

fn explained(world: &World, task: TaskIndex) -> TaskExplanation {
    world.core.explain_task(world.now, JOB, task).unwrap()
}

fn rules(reasons: &[Reason]) -> Vec<Rule> {
    reasons.iter().map(|reason| reason.rule).collect()
}

/// The devices that a rule keeps from something, by their numbers in the world.
fn kept(world: &World, reasons: &[Reason], rule: Rule) -> Vec<usize> {
    let reason = reasons.iter().find(|reason| reason.rule == rule).unwrap();
    let number = |id: &DeviceId| {
        let mut workers = world.workers.iter();
        workers.position(|worker| worker.id() == *id).unwrap()
    };
    let mut kept: Vec<_> = reason.device_ids.iter().map(number).collect();
    kept.sort_unstable();
    kept
}

fn steps(told: &TaskExplanation) -> Vec<(StepKind, u64)> {
    told.next.iter().map(|it| (it.step, it.in_s)).collect()
}

/// Has a device compute a benchmark in so long.
fn benchmark(world: &mut World, worker: usize, ms: u64) {
    world.feed(Event::Challenge(Challenge {
        input: [1; 16],
        output: [2; 8],
        fuel: 1_000_000_000,
    }));
    world.ask(worker, 1);
    let plan = world.workers[worker].answers.last().unwrap().benchmark;
    world.wait(ms);
    let benchmark = Some(BenchmarkAnswer {
        number: plan.unwrap().number,
        output: [2; 8],
    });
    world.send(
        worker,
        Exchange {
            benchmark,
            ..Exchange::default()
        },
    );
}

#[test]
fn a_task_of_a_job_that_is_not_uploaded_waits_for_that() {
    let mut world = World::new(2, MAJORITY, &[]);
    world.begin_without_plan();
    let told = explained(&world, 1);
    assert_eq!((told.stage, told.missing), (TaskStage::NotUploaded, 3));
    assert_eq!(rules(&told.reasons), [Rule::Upload]);
    assert!(told.replicas.is_empty() && told.next.is_empty());
}

#[test]
fn a_job_or_a_task_that_is_not_known_is_not_explained() {
    let world = World::new(2, Agreement::Single, &[]);
    let explain = |job, task| world.core.explain_task(world.now, job, task);
    assert_eq!(explain(JOB, 2), None);
    assert_eq!(explain(JobId([66; 32]), 0), None);
}

#[test]
fn a_task_that_waits_has_its_turn_in_its_queue() {
    let world = World::new(3, Agreement::Single, &[]);
    let told = explained(&world, 1);
    assert_eq!((told.stage, told.missing), (TaskStage::Untouched, 1));
    let open = ReplicaStage::Open {
        pool: 1,
        turn: 2,
        of: 3,
        since_s: 0,
        rescue: false,
    };
    assert_eq!(told.replicas[0].state, open);
    assert_eq!(rules(&told.reasons), [Rule::NoDevices]);
}

#[test]
fn devices_of_an_account_that_has_a_replica_are_kept_from_that_very_task() {
    let mut world = World::new(2, MAJORITY, &[1, 1, 2]);
    world.ask(0, 1);
    let told = explained(&world, 0);
    assert_eq!((told.stage, told.missing), (TaskStage::Open, 3));
    assert_eq!(
        rules(&told.reasons),
        [Rule::Account, Rule::NotAsked, Rule::Running]
    );
    assert_eq!(told.reasons[0].devices, Some(2));
    assert_eq!(kept(&world, &told.reasons, Rule::Account), [0, 1]);
    assert_eq!(kept(&world, &told.reasons, Rule::NotAsked), [2]);
    assert_eq!(kept(&world, &told.reasons, Rule::Running), [0]);
    assert!(steps(&told).iter().any(|it| it.0 == StepKind::Ranked));
    // Of the next task they may have a replica, the other one gets one of the first before.
    let told = explained(&world, 1);
    assert_eq!(rules(&told.reasons), [Rule::NotAsked, Rule::OthersFirst]);
    assert_eq!(kept(&world, &told.reasons, Rule::OthersFirst), [2]);
}

#[test]
fn a_device_that_is_away_is_told_so() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    let device = world.workers[0].id();
    let told = |world: &World| {
        let told = world.core.explain_device(world.now, &device).unwrap();
        rules(&told.reasons)
    };
    assert!(!told(&world).contains(&Rule::Disconnected));
    world.wait((SILENCE_S + 1) * 1_000);
    assert!(told(&world).contains(&Rule::Disconnected));
    world.hello(0);
    assert!(!told(&world).contains(&Rule::Disconnected));
}

#[test]
fn a_device_that_lost_a_task_for_a_fault_is_kept_from_it() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::BadInput);
    // It pauses first.
    world.wait(1_000);
    let told = explained(&world, 0);
    assert_eq!(
        rules(&told.reasons),
        [Rule::FailedBefore, Rule::NotAsked, Rule::Unopened],
        "{told:?}"
    );
    assert_eq!(kept(&world, &told.reasons, Rule::FailedBefore), [0]);
    let state = told.replicas[0].state;
    assert!(matches!(state, ReplicaStage::Open { rescue: true, .. }));
}

#[test]
fn a_task_in_doubt_is_for_trusted_devices_and_is_told_until_when() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    let trusted = world.join_as(3, Habit::Honest, |worker| worker.trusted = true);
    world.wait(1_000);
    world.ask(0, 1);
    world.hand_back(0, HandBackReason::BadInput);
    let told = explained(&world, 0);
    assert_eq!(kept(&world, &told.reasons, Rule::KeptForTrusted), [1]);
    assert_eq!(kept(&world, &told.reasons, Rule::NotAsked), [trusted]);
    assert!(steps(&told).contains(&(StepKind::UntrustedToo, 600)));
}

#[test]
fn a_device_with_two_in_hand_or_in_use_is_kept_from_every_task() {
    let mut world = World::new(5, Agreement::Single, &[1, 2]);
    world.ask(0, 2);
    let state = State {
        unavailable: vec![Unavailable::InUse],
        ..State::default()
    };
    world.send(
        1,
        Exchange {
            state: Some(state),
            ..Exchange::default()
        },
    );
    let told = explained(&world, 4);
    assert_eq!(rules(&told.reasons), [Rule::InUse, Rule::HandsFull]);
    assert_eq!(kept(&world, &told.reasons, Rule::HandsFull), [0]);
    let full = &told.reasons[1].words;
    assert!(full.contains("holds 2 tasks, as many as it may"), "{full}");
    assert_eq!(kept(&world, &told.reasons, Rule::InUse), [1]);
}

#[test]
fn a_device_that_lacks_what_the_job_asks_for_is_named() {
    let preferences = Preferences {
        trusted: true,
        ..Preferences::default()
    };
    let world = World::with_preferences(preferences, &[1, 2]);
    let told = explained(&world, 3);
    assert_eq!(rules(&told.reasons), [Rule::Trusted]);
    assert_eq!(kept(&world, &told.reasons, Rule::Trusted), [0, 1]);
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(kept(&world, &job.reasons, Rule::Trusted), [0, 1]);
}

#[test]
fn a_device_of_another_lane_waits_until_the_replica_is_for_all() {
    let accounts: Vec<u8> = (1..=24).collect();
    let mut world = World::new(1, MAJORITY, &accounts);
    // There are lanes once so many accounts are ranked.
    world.wait(1_000);
    let told = explained(&world, 0);
    assert_eq!(rules(&told.reasons), [Rule::NotAsked]);
    let reason = &told.reasons[0];
    assert_eq!(reason.devices, Some(24));
    assert_eq!(reason.device_ids.len(), REASON_DEVICES_MAX);
    world.ask(0, 1);
    let told = explained(&world, 0);
    let others = kept(&world, &told.reasons, Rule::Lane);
    // Three lanes open when three accounts come in vain.
    for other in &others[..3] {
        let told = explained(&world, 0);
        assert!(steps(&told).iter().all(|it| it.0 != StepKind::OpenToAll));
        world.ask(*other, 1);
        assert!(world.workers[*other].in_hand.is_empty());
    }
    let told = explained(&world, 0);
    let lane_s = world.settings.tuning.lane_ms / 1_000;
    let to_all = |it: &&(StepKind, u64)| **it == (StepKind::OpenToAll, lane_s);
    assert_eq!(steps(&told).iter().filter(to_all).count(), 2, "{told:?}");
}

#[test]
fn slow_devices_are_spared_while_the_others_have_it_sooner() {
    let mut world = World::new(1, Agreement::Single, &[1, 2, 3]);
    benchmark(&mut world, 0, 1_000);
    benchmark(&mut world, 1, 50);
    world.wait(1_500);
    world.core.catch_up_jobs(world.now, Some(JOB));
    let told = explained(&world, 0);
    let slow = kept(&world, &told.reasons, Rule::OthersSooner);
    assert!(slow.contains(&0) && !slow.contains(&1), "{told:?}");
    let lane_s = world.settings.tuning.lane_ms / 1_000;
    let slow_too = |it: &(StepKind, u64)| it.0 == StepKind::SlowToo && it.1 <= lane_s;
    assert!(steps(&told).iter().any(slow_too), "{told:?}");
    // A fast one has it. The slow one is not to compute it again.
    world.ask(1, 1);
    assert_eq!(world.workers[1].in_hand.len(), 1);
    let slow = world.workers[0].id();
    let told = world.core.explain_device(world.now, &slow).unwrap();
    let reason = told.jobs[0].reason.as_ref().unwrap();
    assert_eq!(reason.rule, Rule::FasterFirst, "{reason:?}");
}

#[test]
fn a_device_that_waits_after_faults_is_told_until_when() {
    let mut world = World::new(20, MAJORITY, &[1, 2, 3]);
    world.workers[2].habit = Habit::Lies(99);
    for _ in 0..3 {
        (0..3).for_each(|worker| {
            world.ask(worker, 1);
        });
        (0..3).for_each(|worker| world.report(worker));
    }
    let told = explained(&world, 10);
    assert_eq!(
        rules(&told.reasons),
        [Rule::OthersFirst, Rule::WaitingAfterFaults],
        "{told:?}"
    );
    assert_eq!(kept(&world, &told.reasons, Rule::WaitingAfterFaults), [2]);
    let device = world.workers[2].id();
    let device = world.core.explain_device(world.now, &device).unwrap();
    let waits = device.next.iter().find(|it| it.step == StepKind::WaitEnds);
    assert_eq!(waits.unwrap().in_s, 600);
}

#[test]
fn a_device_that_may_hold_one_task_after_a_fault_is_told_so() {
    let mut world = World::new(20, MAJORITY, &[1, 2, 3]);
    world.workers[2].habit = Habit::Lies(99);
    (0..3).for_each(|worker| {
        world.ask(worker, 1);
    });
    (0..3).for_each(|worker| world.report(worker));
    world.ask(2, 2);
    assert_eq!(world.workers[2].in_hand.len(), 1);
    let device = world.workers[2].id();
    let device = world.core.explain_device(world.now, &device).unwrap();
    assert_eq!(device.reasons[0].rule, Rule::HandsFull);
    let words = &device.reasons[0].words;
    assert!(
        words.contains("holds one task, and after a fault"),
        "{words}"
    );
}

#[test]
fn a_task_is_told_with_its_bounty_and_how_long_it_is_expected_to_take() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    let told = explained(&world, 0);
    // Two billion units of fuel at 0.01 BC for each billion, of which seven tenths are the workers'.
    assert_eq!(told.bounty_max, BYTECHIP / 100 * 2 / 10 * 7);
    assert_eq!(told.expected_ms, Some(400), "as on a slow desktop");
    benchmark(&mut world, 0, 50);
    world.wait(1_500);
    world.core.catch_up_jobs(world.now, Some(JOB));
    assert_eq!(explained(&world, 0).expected_ms, Some(100));
    world.ask(0, 1);
    world.report(0);
    let told = explained(&world, 0);
    assert_eq!((told.stage, told.expected_ms), (TaskStage::Decided, None));
}

#[test]
fn all_devices_are_looked_at_if_there_are_few_and_it_is_said_how_many() {
    let accounts: Vec<u8> = (1..=9).collect();
    let world = World::new(1, MAJORITY, &accounts);
    let told = explained(&world, 0);
    let sample = Sample {
        looked_at: 9,
        connected: 9,
    };
    assert_eq!((told.devices, told.reasons[0].devices), (sample, Some(9)));
    let told = explained(&World::new(1, MAJORITY, &[]), 0);
    assert_eq!(told.devices, Sample::default());
}

/// The key of one of many devices.
pub(super) fn key(number: u16) -> [u8; 32] {
    let mut key = [0; 32];
    key[30..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Many devices say hello that are like this one, but for their accounts, whether they are trusted, and
/// their keys, which are the lowest there are.
pub(super) fn crowd(world: &mut World, like: usize, numbers: Range<u16>, trusted: bool) {
    for number in numbers {
        let key = key(number);
        let mut view = world.view(like);
        (view.id, view.verified) = (DeviceId(key), trusted);
        view.device.account = AccountId::new(key);
        let hello = Hello {
            engines: world.workers[like].engines.clone(),
            ..Hello::default()
        };
        world.feed(Event::Hello {
            at: world.block,
            view: Box::new(view),
            bond: world.bond,
            hello,
        });
    }
    world.wait(1_500);
    world.core.catch_up_jobs(world.now, Some(JOB));
}

pub(super) fn of_trusted() -> Preferences {
    Preferences {
        trusted: true,
        ..Preferences::default()
    }
}

#[test]
fn of_many_devices_those_are_looked_at_that_the_job_could_go_to_whatever_keys_others_have() {
    let mut world = World::with_preferences(of_trusted(), &[]);
    let trusted: Vec<_> = [201, 202]
        .map(|account| world.join_as(account, Habit::Honest, |worker| worker.trusted = true))
        .into();
    crowd(&mut world, trusted[0], 1..301, false);
    for worker in &trusted {
        let state = State {
            unavailable: vec![Unavailable::InUse],
            ..State::default()
        };
        world.send(
            *worker,
            Exchange {
                state: Some(state),
                ..Exchange::default()
            },
        );
    }
    world.wait(1_500);
    world.core.catch_up_jobs(world.now, Some(JOB));
    let job = world.core.explain_job(world.now, JOB).unwrap();
    let task = explained(&world, 0);
    let sample = Sample {
        looked_at: 256,
        connected: 302,
    };
    for (devices, reasons) in [(job.devices, job.reasons), (task.devices, task.reasons)] {
        assert_eq!(devices, sample);
        assert_eq!(rules(&reasons), [Rule::Trusted, Rule::InUse]);
        assert_eq!(kept(&world, &reasons, Rule::InUse), trusted);
        assert_eq!(reasons[0].devices, Some(254));
    }
}

#[test]
fn of_many_devices_that_a_job_could_go_to_the_best_are_looked_at_and_some_others_for_contrast() {
    let mut world = World::with_preferences(of_trusted(), &[]);
    let first = world.join_as(201, Habit::Honest, |worker| worker.trusted = true);
    // Equals are ranked by their keys.
    crowd(&mut world, first, 1..101, false);
    crowd(&mut world, first, 101..401, true);
    let told = explained(&world, 0);
    assert_eq!(told.devices.looked_at, 256);
    assert_eq!(rules(&told.reasons), [Rule::NotAsked, Rule::Trusted]);
    let devices: Vec<_> = told.reasons.iter().map(|it| it.devices).collect();
    assert_eq!(devices, [Some(192), Some(64)]);
    let ranking = world.core.scheduler.fleet.ranking();
    let best = ranking.trusted().take(REASON_DEVICES_MAX);
    let best = best.map(|number| world.core.scheduler.fleet.device(number).unwrap());
    assert_eq!(told.reasons[0].device_ids, best.collect::<Vec<_>>());
}

#[test]
fn a_replica_that_is_out_is_asked_after_then_rescued_then_taken_back() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    world.ask(0, 1);
    // It says that it has it, and comes no further.
    world.ask(0, 0);
    let lateness = |told: &TaskExplanation| match told.replicas[0].state {
        ReplicaStage::Running { lateness, .. } => Some(lateness),
        _ => None,
    };
    let told = explained(&world, 0);
    assert_eq!(rules(&told.reasons), [Rule::Running]);
    assert_eq!(lateness(&told), Some(Lateness::OnTime));
    let over_s = world
        .settings
        .replica_ms(&world.ledger.job.submission)
        .div_ceil(1_000);
    let (asked, rescued, over) = (
        (StepKind::AskedAgain, 15),
        (StepKind::Rescued, 25),
        (StepKind::TakenBack, over_s),
    );
    assert_eq!(steps(&told), [asked, rescued, over]);

    world.wait_alive(15_000, &[0, 1]);
    let told = explained(&world, 0);
    assert_eq!(lateness(&told), Some(Lateness::Delayed));
    let (rescued, over) = ((StepKind::Rescued, 10), (StepKind::TakenBack, over_s - 15));
    assert_eq!(steps(&told), [rescued, over]);

    world.wait_alive(10_000, &[0, 1]);
    let told = explained(&world, 0);
    assert_eq!(lateness(&told), Some(Lateness::Stale));
    assert_eq!(told.missing, 2);
    let state = told.replicas[1].state;
    assert!(matches!(state, ReplicaStage::Open { rescue: true, .. }));
    assert_eq!(
        rules(&told.reasons),
        [Rule::Account, Rule::NotAsked, Rule::Running]
    );
    assert!(steps(&told).contains(&(StepKind::TakenBack, over_s - 25)));
    assert!(steps(&told).iter().all(|it| it.0 != StepKind::Rescued));
}

#[test]
fn a_device_that_is_gone_loses_its_replica_sooner() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    let told = explained(&world, 0);
    let back = |it: &&(StepKind, u64)| it.0 == StepKind::TakenBack;
    let steps = steps(&told);
    let back: Vec<_> = steps.iter().filter(back).collect();
    assert_eq!(back, [&(StepKind::TakenBack, SILENCE_S)]);
}

#[test]
fn what_cannot_be_handed_out_rests_and_is_told_until_when() {
    let mut world = World::new(1, Agreement::Single, &[1]);
    world.ask(0, 1);
    let given = world.workers[0].in_hand[0];
    let device = world.workers[0].id();
    world.workers[0].in_hand.clear();
    world.feed(Event::Withheld {
        device,
        id: given.id,
        log_position: given.log_position,
    });
    let told = explained(&world, 0);
    assert_eq!(told.replicas[0].state, ReplicaStage::Resting);
    assert_eq!(rules(&told.reasons), [Rule::Resting]);
    assert_eq!(steps(&told), [(StepKind::Woken, 1)]);
}

#[test]
fn a_sure_answer_waits_a_little_for_the_rest() {
    let mut world = World::new(1, MAJORITY, &[1, 2]);
    (0..2).for_each(|worker| {
        world.ask(worker, 1);
        world.report(worker);
    });
    let told = explained(&world, 0);
    assert_eq!((told.stage, told.missing), (TaskStage::Open, 1));
    let answered = |told: &TaskExplanation, device| {
        let states = told.replicas.iter().map(|it| it.state);
        let answered = ReplicaStage::Answered { device };
        states.filter(|state| *state == answered).count()
    };
    for worker in 0..2 {
        assert_eq!(answered(&told, world.workers[worker].id()), 1);
    }
    assert_eq!(rules(&told.reasons), [Rule::Certain, Rule::Account]);
    let patience_s = world.settings.certain_ms / 1_000;
    let decided = (StepKind::DecidedWithoutRest, patience_s);
    assert!(steps(&told).contains(&decided));
    // So it is told of the job.
    let told = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(
        rules(&told.reasons),
        [Rule::Account, Rule::Accounts, Rule::Certain]
    );
    let [step] = told.next.as_slice() else {
        panic!("{:?}", told.next);
    };
    assert_eq!((step.step, step.in_s), decided);
}

#[test]
fn a_decided_task_is_followed_into_its_batch_and_to_the_chain() {
    let mut world = World::new(3, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.report(0);
    world.ledger.takes = false;
    let told = explained(&world, 0);
    assert_eq!((told.stage, told.missing), (TaskStage::Decided, 0));
    assert_eq!(told.verdict.as_ref().unwrap().task, 0);
    assert_eq!(rules(&told.reasons), [Rule::Batch]);
    assert_eq!(steps(&told), [(StepKind::Batched, 6)]);

    world.wait(6_000);
    let told = explained(&world, 0);
    assert_eq!((told.stage, told.batch), (TaskStage::Batched, Some(0)));
    assert_eq!(rules(&told.reasons), [Rule::Chain]);
    assert_eq!(steps(&told), [(StepKind::SentAgain, 30)]);

    world.ledger.takes = true;
    world.wait(30_000);
    world.next_block();
    let told = explained(&world, 0);
    assert_eq!(told.stage, TaskStage::Settled);
    assert!(told.reasons.is_empty() && told.next.is_empty());
}

#[test]
fn a_task_that_ends_its_job_says_so_and_so_do_the_others() {
    let mut world = World::new(2, MAJORITY, &[1, 2, 3]);
    for worker in 0..3 {
        world.workers[worker].habit = Habit::Traps;
        world.ask(worker, 1);
    }
    (0..3).for_each(|worker| world.report(worker));
    let (failed, other) = (explained(&world, 0), explained(&world, 1));
    assert_eq!(failed.stage, TaskStage::EndsJob);
    assert_eq!(other.stage, TaskStage::Untouched);
    for told in [&failed, &other] {
        assert_eq!(rules(&told.reasons), [Rule::Failed]);
    }
    assert!(failed.reasons[0].words.contains("the program fails"));
    assert!(other.reasons[0].words.contains("task 0 of the job"));
}

#[test]
fn nothing_is_given_out_of_a_job_that_is_cancelled_or_near_its_deadline() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.cancel();
    let told = explained(&world, 1);
    assert_eq!(rules(&told.reasons), [Rule::Cancelled]);
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(rules(&job.reasons), [Rule::Cancelled]);
    // What is out may still be answered.
    let told = explained(&world, 0);
    assert_eq!(rules(&told.reasons), [Rule::Cancelled, Rule::Running]);
    let state = told.replicas[0].state;
    assert!(matches!(state, ReplicaStage::Running { since_s: None, .. }));
    assert!(steps(&told).iter().all(|it| it.0 != StepKind::Rescued));

    let mut world = World::new(2, Agreement::Single, &[1]);
    world.block = DEADLINE - world.settings.deadline_margin_blocks;
    world.next_block();
    let told = explained(&world, 0);
    assert_eq!(rules(&told.reasons), [Rule::Deadline]);
}
