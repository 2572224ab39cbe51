//! The scheduler at work: who is asked, who is not, and who is asked as well.

use super::world::{Habit, JOB, MAJORITY, World, settings};
use crate::core::{Challenge, Entry, Event, ReleaseCause, Tick};
use quern_jobs_api::{Asking, Dealing, TaskStage, WaitingFor};
use quern_primitives::{
    device::Class,
    ids::JobId,
    job::{Agreement, Preferences},
    params::Terms,
    verdict::Finding,
};
use quern_protocol::{
    BenchmarkAnswer, DiscardReason, Exchange, Progress, Stage, State, Unavailable, limits,
};

const CHALLENGE: Challenge = Challenge {
    input: [1; 16],
    output: [2; 8],
    fuel: 1_000_000_000,
};

fn state(unavailable: &[Unavailable]) -> Exchange {
    let state = State {
        unavailable: unavailable.to_vec(),
        ..State::default()
    };
    Exchange {
        state: Some(state),
        want: 2,
        ..Exchange::default()
    }
}

/// Has a device compute a benchmark in so long.
pub(super) fn benchmark(world: &mut World, worker: usize, ms: u64) {
    world.feed(Event::Challenge(CHALLENGE));
    world.ask(worker, 1);
    let plan = world.workers[worker].answers.last().unwrap().benchmark;
    world.wait(ms);
    let answer = BenchmarkAnswer {
        number: plan.unwrap().number,
        output: CHALLENGE.output,
    };
    world.send(
        worker,
        Exchange {
            benchmark: Some(answer),
            ..Exchange::default()
        },
    );
}

fn rate(world: &World, worker: usize) -> Option<u32> {
    let device = world.workers[worker].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    explained.state.measured.processor_rate
}

fn rules(reasons: &[quern_jobs_api::Reason]) -> Vec<String> {
    let rules = reasons.iter().map(|reason| reason.rule.to_string());
    rules.collect()
}

fn added(world: &World) -> usize {
    let is_added = |entry: &&Entry| matches!(entry, Entry::Added { .. });
    world.log().filter(is_added).count()
}

#[test]
fn a_task_whose_device_is_stale_is_given_to_another_one_as_well() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    // Where no speed is known, nobody knows how long a task should take.
    benchmark(&mut world, 0, 100);
    world.ask(0, 1);
    let stale_ms = world.settings.tuning.stale_ms_min;
    let over_ms = world.settings.replica_ms(&world.ledger.job.submission);
    assert!(stale_ms < over_ms);
    world.wait_alive(stale_ms - 1_000, &[0]);
    assert_eq!(
        added(&world),
        0,
        "a task of a moment is stale after the least time"
    );
    world.wait_alive(1_000, &[0]);
    assert_eq!(added(&world), 1, "and no later");
    // The other one was silent for long.
    world.hello(1);
    benchmark(&mut world, 1, 100);
    world.ask(1, 1);
    let given = world.workers[1].names();
    assert_eq!((given.len(), given[0].replica), (1, 1));
    world.report(1);
    world.ask(0, 0);
    let slow = &world.workers[0];
    assert_eq!(slow.discarded.last().unwrap().1, DiscardReason::Decided);
    assert!(slow.in_hand.is_empty());
    world.wait_alive(10_000, &[0, 1]);
    assert_eq!(world.ledger.paid.len(), 1, "only who answered is paid");
    world.check_money();
}

#[test]
fn a_replica_without_a_step_forward_has_its_device_asked_again() {
    let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
    benchmark(&mut world, 0, 100);
    world.ask(0, 1);
    let given = world.workers[0].names()[0];
    let tell = |stage| Exchange {
        progress: vec![Progress { id: given, stage }],
        want: 1,
        ..Exchange::default()
    };
    world.send(0, tell(Stage::Running));
    world.wait(world.settings.tuning.delayed_ms_min - 1_000);
    // The same again is no step forward.
    world.send(0, tell(Stage::Running));
    let answers = world.workers[0].answers.len();
    world.wait(500);
    assert_eq!(world.workers[0].answers.len(), answers, "it is held open");
    world.wait(500);
    assert!(world.workers[0].answers.len() > answers);
}

#[test]
fn a_replica_that_its_device_does_not_know_of_is_given_out_anew_once_it_was_asked() {
    // With T2 at its least another device would have it before.
    let mut patient = settings();
    patient.tuning.stale_ms_min = 60_000;
    let mut world = World::with(patient, 2, Agreement::Single, &[1, 2, 3]);
    benchmark(&mut world, 0, 100);
    benchmark(&mut world, 1, 100);
    world.ask(0, 1);
    world.ask(1, 1);
    let (lost, kept) = (world.workers[0].names()[0], world.workers[1].names()[0]);
    let released = |world: &World| {
        let released = world.log().filter_map(|entry| match entry {
            Entry::Released { task, cause, .. } => Some((*task, *cause)),
            _ => None,
        });
        released.collect::<Vec<_>>()
    };
    // The message with the one never came. Both have full hands, and tell of them as often as is usual.
    let progress = vec![Progress {
        id: kept,
        stage: Stage::Running,
    }];
    let names_it = Exchange {
        progress,
        ..Exchange::default()
    };
    let beat = |world: &mut World| {
        world.wait(5_000);
        world.send(0, Exchange::default());
        world.send(1, names_it.clone());
    };
    let beats = world.settings.tuning.delayed_ms_min / 5_000;
    (0..beats + 1).for_each(|_| beat(&mut world));
    assert_eq!(released(&world), [], "it may be on its way");
    (0..3).for_each(|_| beat(&mut world));
    let forgotten = (lost.task, ReleaseCause::Forgotten);
    assert_eq!(released(&world), [forgotten], "and the other is kept");
    assert!(world.now < Tick(world.settings.tuning.stale_ms_min));
    // It goes to whoever asks next.
    world.hello(2);
    world.ask(2, 1);
    assert_eq!(world.workers[2].names(), [lost]);
}

#[test]
fn near_the_end_an_idle_device_that_is_faster_computes_what_a_slow_one_has() {
    let mut world = World::new(1, Agreement::Single, &[1, 2, 3]);
    benchmark(&mut world, 0, 10_000);
    benchmark(&mut world, 1, 100);
    assert_eq!(
        (rate(&world, 0), rate(&world, 1)),
        (Some(100_000), Some(10_000_000))
    );
    // The fast one is busy with something else when the task is given out.
    world.send(1, state(&[Unavailable::InUse]));
    world.wait(2_000);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    world.send(1, state(&[]));
    assert_eq!(world.workers[1].in_hand.len(), 1);
    assert_eq!(added(&world), 1);
    world.report(1);
    world.ask(0, 0);
    assert_eq!(
        world.workers[0].discarded.last().unwrap().1,
        DiscardReason::Decided
    );
}

/// The first device takes the only task that there is and does nothing, for longer than one may be silent; it
/// is heard all the while, or not at all. The second one computes the task again meanwhile.
fn overtake(world: &mut World, is_heard: bool) {
    world.hello(0);
    world.wait(2_000);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    for _ in 0..=limits::SILENCE_MAX.as_secs() {
        world.wait(1_000);
        world.ask(1, 1);
        world.report(1);
        if is_heard {
            world.ask(0, 0);
        }
    }
    // No exchange of the second one is held open any more in which it wants a task.
    world.wait_alive(5_000, &[1]);
}

fn rests(world: &World) -> bool {
    let device = world.workers[0].id();
    world.core.pauses.until(&device, world.now).is_some()
}

#[test]
fn who_falls_silent_with_three_tasks_that_others_do_before_that_is_found_rests() {
    let other = |number: u8| JobId([100 + number; 32]);
    for is_heard in [false, true] {
        let mut world = World::new(1, Agreement::Single, &[1, 2]);
        benchmark(&mut world, 0, 100);
        benchmark(&mut world, 1, 100);
        overtake(&mut world, is_heard);
        for number in 0..2 {
            assert!(!rests(&world), "{is_heard} {number}");
            world.add_job(other(number));
            overtake(&mut world, is_heard);
        }
        // No verdict names it: the task was never taken from it before.
        let entries = world.log().chain(world.others.iter().map(|(_, it)| it));
        let released = entries.filter(|entry| matches!(entry, Entry::Released { .. }));
        assert_eq!(released.count(), 0);
        assert_eq!(rests(&world), !is_heard);

        world.add_job(other(2));
        world.hello(0);
        world.wait(2_000);
        world.ask(0, 1);
        assert_eq!(world.workers[0].in_hand.len(), usize::from(is_heard));
        let device = world.workers[0].id();
        let told = world.core.explain_device(world.now, &device).unwrap();
        let is_told = rules(&told.reasons).contains(&"pausing".to_owned());
        assert_eq!(is_told, !is_heard);
        if is_heard {
            continue;
        }
        world.wait_alive(10 * 60_000, &[0, 1]);
        world.ask(0, 1);
        assert_eq!(world.workers[0].in_hand.len(), 1, "it may try again");
        world.report(0);
        assert!(!rests(&world));
    }
}

#[test]
fn who_is_heard_and_never_answers_rests_after_three_tasks_that_another_is_given_at_t2() {
    let mut world = World::new(1, Agreement::Single, &[1, 2]);
    benchmark(&mut world, 0, 100);
    benchmark(&mut world, 1, 100);
    let stale_ms = world.settings.tuning.stale_ms_min;
    for number in 0..3 {
        assert!(!rests(&world), "{number}");
        if number > 0 {
            world.add_job(JobId([100 + number; 32]));
        }
        world.ask(0, 1);
        assert_eq!(world.workers[0].in_hand.len(), 1, "{number}");
        world.wait_alive(stale_ms + 1_000, &[0, 1]);
        world.ask(1, 1);
        world.report(1);
        world.ask(0, 0);
    }
    assert!(rests(&world));
}

#[test]
fn only_the_right_answer_to_a_benchmark_tells_how_fast_a_processor_is() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    world.feed(Event::Challenge(CHALLENGE));
    world.ask(0, 1);
    let plan = world.workers[0].answers.last().unwrap().benchmark.unwrap();
    assert_eq!((plan.input, plan.fuel), (CHALLENGE.input, CHALLENGE.fuel));
    assert!(
        world.workers[0].in_hand.is_empty(),
        "nothing else meanwhile"
    );
    world.wait(50);
    let answer = |number, output, want| Exchange {
        benchmark: Some(BenchmarkAnswer { number, output }),
        want,
        ..Exchange::default()
    };
    world.send(0, answer(plan.number + 1, CHALLENGE.output, 0));
    assert_eq!(rate(&world, 0), None, "it was not asked that");
    world.send(0, answer(plan.number, [9; 8], 1));
    assert_eq!(rate(&world, 0), None);
    assert_eq!(
        world.workers[0].in_hand.len(),
        1,
        "it gets work all the same"
    );
}

#[test]
fn a_machine_that_is_not_offered_gets_nothing_and_is_told_why() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    world.send(0, state(&[Unavailable::OutsideHours, Unavailable::InUse]));
    assert!(world.workers[0].in_hand.is_empty());
    let device = world.workers[0].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    assert_eq!(rules(&explained.reasons), ["outside_hours", "in_use"]);
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(rules(&job.reasons), ["outside_hours"]);
    assert_eq!(job.reasons[0].devices, Some(1));
    let task = world.core.explain_task(world.now, JOB, 3).unwrap();
    assert_eq!((task.stage, task.replicas.len()), (TaskStage::Untouched, 1));
    assert_eq!(world.core.explain_task(world.now, JOB, 4), None);
    world.send(0, state(&[]));
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

#[test]
fn what_a_device_no_longer_tells_is_not_known_any_more() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    let tell = |temperature| Exchange {
        state: Some(State {
            temperature_decicelsius: temperature,
            ..State::default()
        }),
        want: 2,
        ..Exchange::default()
    };
    world.send(0, tell(Some(950)));
    assert!(world.workers[0].in_hand.is_empty());
    let device = world.workers[0].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    assert_eq!(rules(&explained.reasons), ["too_hot"]);
    world.send(0, tell(None));
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

#[test]
fn a_device_in_quarantine_gets_nothing_until_it_is_reviewed() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    let view = |world: &World, quarantined, last_review| {
        let mut view = world.view(0);
        view.quarantined = quarantined;
        // Eleven faults, and the newest task accepted.
        view.device.history.failed = if quarantined { 0x7ff << 1 } else { 0 };
        view.device.last_review = last_review;
        view
    };
    world.recheck(view(&world, true, 0));
    world.ask(0, 2);
    assert!(world.workers[0].in_hand.is_empty());
    let device = world.workers[0].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    assert_eq!(rules(&explained.reasons), ["repeated_failures"]);
    world.recheck(view(&world, false, 30));
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

/// By what the chain has not counted it would be out of it; but its log is held to what the chain said.
#[test]
fn a_device_that_the_chain_has_in_quarantine_gets_nothing_whatever_it_did_since() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    let mut view = world.view(0);
    view.quarantined = true;
    // Ten faults, which are borne, and the newest task accepted.
    view.device.history.failed = 0x3ff << 1;
    world.recheck(view.clone());
    world.ask(0, 2);
    assert!(world.workers[0].in_hand.is_empty());
    let device = world.workers[0].id();
    let explained = world.core.explain_device(world.now, &device).unwrap();
    assert_eq!(rules(&explained.reasons), ["repeated_failures"]);
    view.quarantined = false;
    world.recheck(view);
    assert_eq!(world.workers[0].in_hand.len(), 2);
}

#[test]
fn a_job_for_verified_devices_waits_for_one_and_says_so() {
    let mut world = World::with_preferences(
        Preferences {
            trusted: true,
            ..Preferences::default()
        },
        &[1],
    );
    world.ask(0, 1);
    assert!(world.workers[0].in_hand.is_empty());
    let job = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(rules(&job.reasons), ["trusted", "accounts"]);
    let matching = |world: &World| {
        let asking = Asking {
            preferences: world.ledger.job.submission.preferences,
            class: Class::Pinned,
            agreement: Agreement::Single,
            task: 0,
            memory_bytes: 0,
            terms: Terms::FIRST,
        };
        world.core.grid_matching(&asking).devices
    };
    assert_eq!(matching(&world), 0);
    let mut view = world.view(0);
    view.verified = true;
    world.recheck(view);
    assert_eq!((world.workers[0].in_hand.len(), matching(&world)), (1, 1));
}

#[test]
fn a_device_that_answers_wrongly_has_less_in_hand_then_waits() {
    let mut world = World::new(20, MAJORITY, &[1, 2, 3]);
    world.workers[2].habit = Habit::Lies(99);
    let device = world.workers[2].id();
    let explain = |world: &World| world.core.explain_device(world.now, &device).unwrap();
    for _ in 0..3 {
        (0..3).for_each(|worker| {
            world.ask(worker, 1);
        });
        (0..3).for_each(|worker| world.report(worker));
    }
    let explained = explain(&world);
    assert_eq!(explained.state.faulty_tasks, 3);
    assert_eq!(rules(&explained.reasons)[0], "waiting_after_faults");
    let incorrect = world.log().filter(|entry| match entry {
        Entry::Judged { verdict } => verdict.replicas[2].finding == Finding::Incorrect,
        _ => false,
    });
    assert_eq!(incorrect.count(), 3);
    world.ask(2, 2);
    assert!(world.workers[2].in_hand.is_empty());
    world.wait_alive(10 * 60_000, &[0, 1, 2]);
    world.ask(2, 2);
    assert_eq!(
        world.workers[2].in_hand.len(),
        1,
        "one, until it completes one"
    );
}

#[test]
fn devices_are_ranked_by_what_was_measured_and_winners_stand_higher() {
    let mut world = World::new(4, MAJORITY, &[1, 2, 3]);
    for (worker, ms) in [(0, 400), (1, 100), (2, 200)] {
        benchmark(&mut world, worker, ms);
    }
    world.wait_alive(2_000, &[0, 1, 2]);
    let ranks = |world: &World| -> Vec<u32> {
        let devices = world.core.grid_devices(world.now, 0, 10);
        let rank = |worker: usize| {
            let id = world.workers[worker].id();
            let found = devices.iter().find(|state| state.device == id);
            found.unwrap().byte_rank
        };
        (0..3).map(rank).collect()
    };
    (0..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    world.wait(1_000);
    assert_eq!(ranks(&world), [3, 1, 2]);
    let asking = |trusted| Asking {
        preferences: Preferences {
            trusted,
            ..Preferences::default()
        },
        class: Class::Pinned,
        agreement: Agreement::Single,
        task: 0,
        memory_bytes: 0,
        terms: Terms::FIRST,
    };
    assert_eq!(world.core.grid_rates(&asking(false))[0], 3);
    assert_eq!(world.core.grid_rates(&asking(true))[0], 0);
    let slowest = world.workers[0].id();
    world.feed(Event::Lottery {
        winners: [slowest].into(),
        ends_at: world.block + 2,
    });
    (0..3).for_each(|worker| {
        world.ask(worker, 0);
    });
    world.wait(1_000);
    assert_eq!(ranks(&world), [1, 2, 3]);
    world.next_block();
    world.wait(1_000);
    assert_eq!(ranks(&world), [1, 2, 3], "its day is not over");
    world.next_block();
    world.wait(1_000);
    assert_eq!(ranks(&world), [3, 1, 2]);
}

#[test]
fn a_job_without_devices_says_so() {
    let world = World::new(4, MAJORITY, &[]);
    let explained = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(rules(&explained.reasons), ["no_devices"]);
    let world = World::new(4, MAJORITY, &[1, 2]);
    let explained = world.core.explain_job(world.now, JOB).unwrap();
    assert_eq!(rules(&explained.reasons), ["accounts"]);
    let grid = world.core.grid_state(world.now);
    assert_eq!((grid.devices, grid.jobs.len()), (2, 1));
    let told = grid.scheduling;
    assert_eq!((told.dealing, told.pools), (Dealing::OneQueue, None));
}

#[test]
fn a_job_for_few_of_many_accounts_has_no_lanes_and_says_when_there_are_too_few() {
    let accounts: Vec<u8> = (1..=30).collect();
    let mut world = World::new(2, MAJORITY, &accounts);
    world.ledger.job.submission.preferences.trusted = true;
    world.begin_anew();
    for worker in 0..30 {
        world.workers[worker].trusted = worker < 2;
        world.hello(worker);
    }
    world.wait(1_000);
    let waits_for = |world: &World| world.core.status(JOB).unwrap().waiting_for;
    let too_few = WaitingFor::Accounts {
        connected: 2,
        needed: 3,
    };
    assert_eq!(waits_for(&world), Some(too_few));
    world.workers[2].trusted = true;
    world.hello(2);
    world.wait(1_000);
    assert_eq!(waits_for(&world), None);
    for worker in 0..3 {
        world.ask(worker, 2);
        assert_eq!(world.workers[worker].in_hand.len(), 2, "{worker}");
    }
}

#[test]
fn a_clock_that_jumps_takes_nothing_from_anybody_and_nothing_back() {
    let mut world = World::new(2, Agreement::Single, &[1]);
    world.ask(0, 1);
    world.now = Tick(0);
    world.feed(Event::Tick);
    world.report(0);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1);
    // A leap of a century: what is out is over, and the job goes on.
    world.now = Tick(u64::MAX / 2);
    world.feed(Event::Tick);
    assert!(
        world
            .log()
            .any(|entry| matches!(entry, Entry::Released { .. }))
    );
    world.hello(0);
    world.check_money();
}
