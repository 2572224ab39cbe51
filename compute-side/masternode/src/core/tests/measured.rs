//! What is measured of a device, and what one that is not honest makes of that.

mod benchmarks;
mod histories;

use super::{
    worker::PORTABLE_ENGINE,
    world::{Habit, MAJORITY, World},
};
use crate::core::{BenchmarkPlan, Challenge, Event, Measured};
use quern_primitives::{
    device::Class,
    job::{Agreement, Preferences},
};
use quern_protocol::{BenchmarkAnswer, Exchange, Hello, Machine, State, limits};

const OUTPUT: [u8; 8] = [2; 8];

/// A world in which there is nothing to compute but benchmarks.
fn idle(accounts: &[u8]) -> World {
    World::new(1, MAJORITY, accounts).lacking([0])
}

fn challenge(world: &mut World, input: u8) {
    world.feed(Event::Challenge(Challenge {
        input: [input; 16],
        output: OUTPUT,
        fuel: 1_000_000_000,
    }));
}

/// The benchmarks that a device was given.
fn given(world: &World, worker: usize) -> Vec<BenchmarkPlan> {
    let answers = world.workers[worker].answers.iter();
    answers.filter_map(|answer| answer.benchmark).collect()
}

fn answer(world: &mut World, worker: usize, number: u64, output: [u8; 8]) {
    let exchange = Exchange {
        benchmark: Some(BenchmarkAnswer { number, output }),
        ..Exchange::default()
    };
    world.send(worker, exchange);
}

/// A device is given a benchmark, and answers it after so long.
fn benchmark(world: &mut World, worker: usize, ms: u64) {
    challenge(world, 1);
    world.ask(worker, 1);
    let plan = *given(world, worker).last().unwrap();
    world.wait(ms);
    answer(world, worker, plan.number, OUTPUT);
}

/// What anybody sees of what was measured of a device.
fn seen(world: &World, worker: usize) -> quern_jobs_api::Measured {
    let id = world.workers[worker].id();
    let devices = world.core.grid_devices(world.now, 0, 10);
    let found = devices.iter().find(|state| state.device == id);
    found.unwrap().measured
}

fn rate(world: &World, worker: usize) -> Option<u32> {
    seen(world, worker).processor_rate
}

fn latency(world: &mut World, ms: u64) {
    let device = world.workers[0].id();
    let measured = Measured::RoundTrip { ms };
    world.feed(Event::Measured { device, measured });
}

/// A device tells how much of a thread's time its tasks may have.
fn share(world: &mut World, permille: u16, want: u8) {
    let state = State {
        task_cpu_permille: Some(permille),
        ..State::default()
    };
    let exchange = Exchange {
        state: Some(state),
        want,
        ..Exchange::default()
    };
    world.send(0, exchange);
}

/// A minute passes for a device that gives signs of life.
fn minute(world: &mut World) {
    for _ in 0..60 {
        world.wait(1_000);
        world.ask(0, 0);
    }
}

#[test]
fn a_device_is_measured_in_whatever_class_it_has() {
    let mut world = idle(&[]);
    world.join_as(1, Habit::Honest, |worker| {
        worker.engines = vec![(Class::Portable, PORTABLE_ENGINE)];
    });
    benchmark(&mut world, 0, 100);
    assert_eq!(rate(&world, 0), Some(10_000_000));
}

#[test]
fn the_way_to_a_device_and_back_is_not_computing() {
    // Up to a third of what it computes.
    for way_ms in [5, 30] {
        let mut world = idle(&[1]);
        latency(&mut world, way_ms);
        benchmark(&mut world, 0, 100 + way_ms);
        assert_eq!(rate(&world, 0), Some(10_000_000), "{way_ms}");
    }
}

#[test]
fn a_device_that_is_slow_to_answer_pings_seems_a_third_faster_and_no_more() {
    let mut world = idle(&[1]);
    // It seems to be a minute away, and computes for 200 milliseconds.
    latency(&mut world, 60_000);
    benchmark(&mut world, 0, 200);
    assert_eq!(rate(&world, 0), Some(1_000_000_000 / 150));
}

#[test]
fn a_device_that_is_silent_after_its_welcome_gains_nothing() {
    let mut world = idle(&[1]);
    world.wait(4_000);
    benchmark(&mut world, 0, 200);
    assert_eq!(rate(&world, 0), Some(1_000_000_000 / 200));
    assert_eq!(seen(&world, 0).latency_ms, None, "nobody has pinged it");
}

#[test]
fn an_input_that_one_device_has_is_given_to_no_other() {
    let mut world = idle(&[1, 2]);
    challenge(&mut world, 1);
    world.ask(0, 1);
    world.ask(1, 1);
    let inputs = |world: &World, worker| -> Vec<_> {
        let given = given(world, worker);
        given.iter().map(|plan| plan.input[0]).collect()
    };
    assert_eq!((inputs(&world, 0), inputs(&world, 1)), (vec![1], vec![]));
    challenge(&mut world, 2);
    world.ask(1, 1);
    assert_eq!(inputs(&world, 1), [2]);
}

#[test]
fn a_device_that_comes_again_gets_neither_the_same_input_nor_another_at_once() {
    let mut world = idle(&[1]);
    challenge(&mut world, 1);
    world.ask(0, 1);
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    world.hello(0);
    challenge(&mut world, 2);
    world.ask(0, 1);
    assert_eq!(given(&world, 0).len(), 1);
    minute(&mut world);
    world.ask(0, 1);
    assert_eq!(given(&world, 0)[1].input, [2; 16]);
}

#[test]
fn a_device_with_another_share_of_its_processor_is_measured_anew_when_it_is_idle() {
    let mut world = World::new(4, Agreement::Single, &[1]);
    share(&mut world, 1_000, 0);
    benchmark(&mut world, 0, 100);
    assert_eq!(rate(&world, 0), Some(10_000_000));
    minute(&mut world);
    challenge(&mut world, 2);
    world.ask(0, 1);
    assert_eq!(world.workers[0].in_hand.len(), 1, "it is measured");
    share(&mut world, 250, 1);
    assert_eq!(given(&world, 0).len(), 1, "it has a task to compute");
    world.report(0);
    world.ask(0, 1);
    let plan = given(&world, 0)[1];
    assert_eq!(rate(&world, 0), None, "the old rate is no longer so");
    world.wait(400);
    answer(&mut world, 0, plan.number, OUTPUT);
    assert_eq!(rate(&world, 0), Some(2_500_000));
    // The same again is no change.
    minute(&mut world);
    challenge(&mut world, 3);
    share(&mut world, 250, 1);
    assert_eq!(given(&world, 0).len(), 2);
}

#[test]
fn what_comes_of_a_benchmark_that_ran_while_the_share_changed_tells_nothing() {
    let mut world = idle(&[1]);
    share(&mut world, 1_000, 0);
    challenge(&mut world, 1);
    world.ask(0, 1);
    let plan = given(&world, 0)[0];
    world.wait(100);
    share(&mut world, 10, 0);
    answer(&mut world, 0, plan.number, OUTPUT);
    assert_eq!(rate(&world, 0), None);
    minute(&mut world);
    challenge(&mut world, 2);
    world.ask(0, 1);
    assert_eq!(given(&world, 0).len(), 2);
}

#[test]
fn who_does_not_answer_rightly_has_no_rate_any_more() {
    for wrong in [None, Some([9; 8])] {
        let mut world = idle(&[1]);
        share(&mut world, 1_000, 0);
        benchmark(&mut world, 0, 100);
        minute(&mut world);
        assert_eq!(rate(&world, 0), Some(10_000_000));
        challenge(&mut world, 2);
        share(&mut world, 100, 1);
        let plan = given(&world, 0)[1];
        if let Some(output) = wrong {
            answer(&mut world, 0, plan.number, output);
        }
        assert_eq!(rate(&world, 0), None);
        minute(&mut world);
        let device = world.workers[0].id();
        world.feed(Event::Gone { device });
        world.hello(0);
        assert_eq!(rate(&world, 0), None, "nor when it comes again");
    }
}

/// The points of a device's processor.
fn points(world: &World, worker: usize) -> f64 {
    let id = world.workers[worker].id();
    let explained = world.core.explain_device(world.now, &id).unwrap();
    explained.state.parts.processor
}

#[test]
fn who_owes_a_benchmark_counts_least_and_who_was_never_asked_as_usual() {
    let mut world = idle(&[1, 2]);
    assert_eq!(points(&world, 0), 250.0);
    challenge(&mut world, 1);
    world.ask(0, 1);
    assert_eq!((points(&world, 0), points(&world, 1)), (1.0, 250.0));
    minute(&mut world);
    let device = world.workers[0].id();
    world.feed(Event::Gone { device });
    world.hello(0);
    assert_eq!(points(&world, 0), 1.0, "nor is it forgotten by going");
    challenge(&mut world, 2);
    world.ask(0, 1);
    let plan = given(&world, 0)[1];
    world.wait(100);
    answer(&mut world, 0, plan.number, OUTPUT);
    assert_eq!(points(&world, 0), 125.0);
}

#[test]
fn a_device_that_was_silent_is_still_as_fast_as_it_was_and_one_never_measured_as_usual() {
    let preferences = Preferences {
        processor_points_min: 100,
        ..Preferences::default()
    };
    for (ms, suits) in [(None, true), (Some(100), true), (Some(1_000), false)] {
        let mut world = World::with_preferences(preferences, &[1]);
        if let Some(ms) = ms {
            benchmark(&mut world, 0, ms);
        }
        let device = world.workers[0].id();
        world.feed(Event::Gone { device });
        world.wait(limits::SILENCE_MAX.as_millis() as u64 + 1_000);
        assert!(!world.core.is_here(&device));
        world.hello(0);
        world.ask(0, 1);
        assert_eq!(!world.workers[0].in_hand.is_empty(), suits, "{ms:?}");
    }
}

#[test]
fn a_device_that_changes_all_the_time_gets_benchmarks_after_one_minute_two_and_four() {
    let mut world = idle(&[1]);
    (0..9).for_each(|input| challenge(&mut world, input));
    let mut given_at = vec![];
    for second in 0..500 {
        share(&mut world, 100 + second, 1);
        if given(&world, 0).len() > given_at.len() {
            given_at.push(second);
        }
        world.wait(1_000);
    }
    assert_eq!(given_at, [0, 60, 180, 420]);
}

#[test]
fn another_machine_is_measured_anew_and_the_same_one_is_not() {
    let mut world = idle(&[1]);
    let comes_on = |world: &mut World, cores| {
        let hello = Hello {
            engines: world.workers[0].engines.clone(),
            machine: Machine {
                cores: Some(cores),
                ..Machine::default()
            },
            ..Hello::default()
        };
        let (view, bond) = (Box::new(world.view(0)), world.bond);
        world.feed(Event::Hello {
            at: world.block,
            view,
            bond,
            hello,
        });
        world.ask(0, 1);
        given(world, 0).len()
    };
    comes_on(&mut world, 8);
    benchmark(&mut world, 0, 100);
    minute(&mut world);
    challenge(&mut world, 2);
    assert_eq!(comes_on(&mut world, 8), 1);
    assert_eq!(comes_on(&mut world, 2), 2);
}
