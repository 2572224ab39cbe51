//! A run that has a part of a thread only comes to the same, and only later.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use quern_sandbox::{Cancel, Class, Engine, Exit, Limits, Outcome, Pace};
use std::time::{Duration, Instant};
use support::{compile, invocation, limits, module, wasm};

/// Mixes what it reads fifty million times over, which takes several looks at the clock, and prints
/// what comes of it.
const MIXING: &str = r#"(func (export "_start") (local $left i32) (local $mixed i64)
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 8))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $mixed (i64.load (i32.const 16)))
    (local.set $left (i32.const 50000000))
    (loop $next
        (local.set $mixed (i64.add (i64.const 1) (i64.rotl
            (i64.mul (local.get $mixed) (i64.const 0x5851f42d4c957f2d)) (i64.const 31))))
        (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i64.store (i32.const 16) (local.get $mixed))
    (call $print (i32.const 16) (i32.const 8)))"#;

const ENDLESS: &str = r#"(func (export "_start") (loop $on (br $on)))"#;

/// Runs text without input at a pace of so many hundredths of a thread.
fn run_at(percent: u8, text: &str, limits: &Limits) -> Outcome {
    let pace = Pace::default();
    pace.set_percent(percent);
    let engine = Engine::paced(Class::Pinned, pace).unwrap();
    let program = engine.compile(&wasm(text)).unwrap();
    program
        .run(&invocation(b"8 bytes."), limits, &Cancel::new())
        .unwrap()
}

#[test]
fn a_run_at_a_part_of_a_thread_has_the_outcome_and_the_fuel_of_one_at_the_whole() {
    let text = module(MIXING);
    let whole = compile(&text)
        .run(&invocation(b"8 bytes."), &limits(), &Cancel::new())
        .unwrap();
    assert_eq!(whole.exit, Exit::Success);
    assert_eq!(run_at(20, &text, &limits()), whole);
    // Also where a limit ends it.
    let short = Limits {
        fuel: whole.fuel_used - 1,
        ..limits()
    };
    let ended = run_at(20, &text, &short);
    assert_eq!(
        (ended.exit, ended.fuel_used),
        (Exit::OutOfFuel, whole.fuel_used - 1)
    );
}

#[test]
fn rests_do_not_count_as_the_time_a_run_may_take() {
    let limits = Limits {
        fuel: 10_000_000_000_000,
        wall_time: Duration::from_millis(100),
        ..limits()
    };
    let began = Instant::now();
    let outcome = run_at(25, &module(ENDLESS), &limits);
    assert_eq!(outcome.exit, Exit::WallTime);
    // A hundred milliseconds are run, and rested for three times as long.
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
}
