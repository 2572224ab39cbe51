//! The share of the processor that a machine's owner leaves to tasks, in processor time that real programs
//! use.

#![cfg(unix)]

use super::*;
use crate::machine::Processor;
use nix::time::{ClockId, clock_gettime};
use quern_primitives::{device::Class, limits::TASK_FUEL_MAX};
use quern_sandbox::{Cancel, Exit, Invocation, Limits, Program};
use std::thread;

const ENDLESS: &str = r#"(module (func (export "_start") (loop $on (br $on))))"#;

/// Counts down from a hundred million.
const COUNTING: &str = r#"(module (func (export "_start") (local $left i32)
    (local.set $left (i32.const 100000000))
    (loop $next
        (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;

/// More than any run uses beside its share: what it runs before its first rest, and what it takes to make room
/// for the program. Much less than what a run here uses that never rests.
const BESIDE: Duration = Duration::from_millis(150);

/// Processor time that this thread has used.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// The engines of a machine with so many threads, whose owner has these preferences.
fn engines(preferences: &str, threads: u32) -> Engines {
    let engines = Engines::default();
    let processor = Processor {
        threads: Some(threads),
        ..Processor::default()
    };
    let machine = Machine {
        processor,
        ..Machine::default()
    };
    let availability: Availability = toml::from_str(preferences).unwrap();
    set_pace(engines.pace(), &availability, &machine);
    engines
}

fn program(engines: &Engines, text: &str) -> Program {
    let engine = engines.engine(Class::Portable).unwrap();
    engine.compile(&wat::parse_str(text).unwrap()).unwrap()
}

/// Runs a program until it ends or has run for so long, its rests left out. Says how, and what processor time
/// that took.
fn run(program: &Program, runs_ms: u64) -> (Exit, Duration) {
    let limits = Limits {
        fuel: TASK_FUEL_MAX,
        memory_bytes_max: 1 << 20,
        output_bytes_max: 1 << 10,
        wall_time: Duration::from_millis(runs_ms),
    };
    let before = used();
    let invocation = Invocation::new(b"".to_vec(), [0; 32]);
    let outcome = program.run(&invocation, &limits, &Cancel::new()).unwrap();
    (outcome.exit, used() - before)
}

/// Where others have the processor too, a program only uses less of it.
fn expect_share(used: Duration, passed: Duration, percent: u32) {
    let most = passed * percent / 100 + BESIDE;
    assert!(
        used <= most,
        "{used:?} of {passed:?}, and not {percent} % of it"
    );
}

#[test]
fn a_task_uses_no_more_of_the_processor_than_its_owner_s_share() {
    for (preferences, threads, percent) in [
        ("cpu_percent = 25", 1, 25),
        ("cpu_percent = 25", 2, 50),
        ("cpu_percent = 10", 2, 20),
    ] {
        let endless = program(&engines(preferences, threads), ENDLESS);
        let began = Instant::now();
        let (exit, used) = run(&endless, 400);
        assert_eq!(exit, Exit::WallTime);
        expect_share(used, began.elapsed(), percent);
        assert!(began.elapsed() >= Duration::from_millis(400) * 100 / percent);
        assert!(!used.is_zero());
    }
}

#[test]
fn two_programs_at_the_same_time_have_one_share_together() {
    let endless = program(&engines("cpu_percent = 25", 1), ENDLESS);
    let began = Instant::now();
    let used: Duration = thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| run(&endless, 200)));
        runs.map(|it| it.join().unwrap().1).iter().sum()
    });
    expect_share(used, began.elapsed(), 25);
    assert!(!used.is_zero());
}

#[test]
fn a_task_at_a_share_of_the_processor_comes_to_its_end() {
    let engines = engines("cpu_percent = 25", 1);
    let counting = program(&engines, COUNTING);
    let began = Instant::now();
    let (exit, used) = run(&counting, 600_000);
    assert_eq!(exit, Exit::Success);
    expect_share(used, began.elapsed(), 25);
}

#[test]
fn another_share_holds_for_what_runs_from_then_on() {
    let engines = engines("cpu_percent = 100", 1);
    let endless = program(&engines, ENDLESS);
    assert_eq!(run(&endless, 20).0, Exit::WallTime);
    let fewer: Availability = toml::from_str("cpu_percent = 20").unwrap();
    set_pace(engines.pace(), &fewer, &Machine::default());
    let began = Instant::now();
    let (_, used) = run(&endless, 300);
    expect_share(used, began.elapsed(), 20);
}
