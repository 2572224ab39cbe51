//! Every limit is an outcome, met at the same place each time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use proptest::prelude::*;
use quern_sandbox::{Cancel, Class, Engine, Exit, Limits, RunError, TrapKind, prices};
use std::time::Duration;
use support::{compile, engine, invocation, limits, module, run, wasm};

const ENDLESS: &str = r#"(func (export "_start") (loop $on (br $on)))"#;

/// Adds up the numbers below a bound, and prints the sum.
fn counting(bound: u32) -> String {
    module(&format!(
        r#"(func (export "_start") (local $i i32) (local $sum i32)
            (loop $next
                (local.set $sum (i32.add (local.get $sum) (local.get $i)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (i32.const {bound}))))
            (i32.store (i32.const 0) (local.get $sum))
            (call $print (i32.const 0) (i32.const 4)))"#
    ))
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let outcome = run(
        &module(ENDLESS),
        &Limits {
            fuel: 1_000_000,
            ..limits()
        },
    );
    assert_eq!(outcome.exit, Exit::OutOfFuel);
    assert_eq!(outcome.fuel_used, 1_000_000);
    assert!(outcome.exit.settled().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn fuel_is_exact_a_program_that_needs_n_ends_with_n_and_not_with_less(bound in 1u32..2_000, short in 1u64..50) {
        let program = compile(&counting(bound));
        let with = |fuel| program.run(&invocation(b""), &Limits { fuel, ..limits() }, &Cancel::new()).unwrap();
        let free = with(limits().fuel);
        prop_assert_eq!(free.exit, Exit::Success);
        let sum = (0..bound).fold(0u32, u32::wrapping_add);
        prop_assert_eq!(&free.output, &sum.to_le_bytes());

        let exact = with(free.fuel_used);
        prop_assert_eq!(&exact, &free);
        let less = with(free.fuel_used - short);
        prop_assert_eq!(less.exit, Exit::OutOfFuel);
        prop_assert_eq!(less.fuel_used, free.fuel_used - short);
    }
}

#[test]
fn fuel_is_as_exact_where_a_run_uses_many_slices_of_it_as_where_it_uses_one() {
    let used = |bound| run(&counting(bound), &limits()).fuel_used;
    // Each round costs the same, so what a long run uses follows from two short ones.
    let (one, two) = (used(1), used(2));
    for bound in [100_000, 1_234_567] {
        let needed = one + (two - one) * u64::from(bound - 1);
        let program = compile(&counting(bound));
        // A slice is a million.
        for short in [0, 1, 2, 999_999, 1_000_000, 1_000_001] {
            let fuel = needed - short;
            let limits = Limits { fuel, ..limits() };
            let outcome = program
                .run(&invocation(b""), &limits, &Cancel::new())
                .unwrap();
            let exit = if short == 0 {
                Exit::Success
            } else {
                Exit::OutOfFuel
            };
            assert_eq!((outcome.exit, outcome.fuel_used), (exit, fuel), "{short}");
        }
    }
}

#[test]
fn a_program_that_ends_between_two_looks_at_the_fuel_is_still_out_of_it() {
    // A long straight run of instructions: the engine looks at its head only.
    let body = "(drop (i32.const 0))".repeat(1_000);
    let program = compile(&format!(r#"(module (func (export "_start") {body}))"#));
    let with = |fuel| {
        program
            .run(
                &invocation(b""),
                &Limits { fuel, ..limits() },
                &Cancel::new(),
            )
            .unwrap()
    };
    let needed = with(limits().fuel).fuel_used;
    assert!(needed >= 1_000);
    assert_eq!(with(needed).exit, Exit::Success);
    assert_eq!(with(needed - 1).exit, Exit::OutOfFuel);
    assert_eq!(with(0).exit, Exit::OutOfFuel);
}

#[test]
fn copying_in_bulk_costs_fuel_by_its_length() {
    let filling = |bytes: u32| {
        let body = format!(
            r#"(module (memory 64) (func (export "_start") (local $bytes i32)
                (local.set $bytes (i32.const {bytes}))
                (memory.fill (i32.const 0) (i32.const 7) (local.get $bytes))))"#
        );
        let outcome = run(&body, &limits());
        assert_eq!(outcome.exit, Exit::Success);
        outcome.fuel_used
    };
    let per_mib = filling(2 << 20) - filling(1 << 20);
    assert_eq!(per_mib, 1_024 * prices::BULK_KIB_FUEL);
}

#[test]
fn copying_without_end_runs_out_of_fuel_in_a_bounded_number_of_bytes() {
    let outcome = run(
        r#"(module (memory 64) (func (export "_start") (local $bytes i32)
            (local.set $bytes (i32.const 0x400000))
            (loop $on (memory.fill (i32.const 0) (i32.const 7) (local.get $bytes)) (br $on))))"#,
        &Limits {
            fuel: 1 << 24,
            ..limits()
        },
    );
    assert_eq!(outcome.exit, Exit::OutOfFuel);
}

#[test]
fn printing_without_end_meets_the_output_limit() {
    let text = module(
        r#"(func (export "_start") (loop $on (call $print (i32.const 0) (i32.const 1000)) (br $on)))"#,
    );
    let outcome = run(
        &text,
        &Limits {
            output_bytes_max: 10_500,
            ..limits()
        },
    );
    assert_eq!(outcome.exit, Exit::OutputLimit);
    assert_eq!(outcome.output.len(), 10_000);
}

#[test]
fn the_last_byte_of_the_output_limit_may_be_written() {
    let text = module(r#"(func (export "_start") (call $print (i32.const 0) (i32.const 1000)))"#);
    let with = |output_bytes_max| {
        run(
            &text,
            &Limits {
                output_bytes_max,
                ..limits()
            },
        )
        .exit
    };
    assert_eq!(with(1_000), Exit::Success);
    assert_eq!(with(999), Exit::OutputLimit);
}

/// Grows by a number of pages and leaves with what `memory.grow` said.
fn growing(pages: u32) -> String {
    module(&format!(
        r#"(func (export "_start") (call $proc_exit (memory.grow (i32.const {pages}))))"#
    ))
}

#[test]
fn memory_beyond_the_limit_is_refused_and_the_program_may_cope_with_it() {
    let three_pages = Limits {
        memory_bytes_max: 3 * 65_536,
        ..limits()
    };
    let granted = run(&growing(2), &three_pages);
    assert_eq!(
        (granted.exit, granted.memory_bytes),
        (Exit::Code(1), 3 * 65_536)
    );
    let refused = run(&growing(3), &three_pages);
    assert_eq!(
        (refused.exit, refused.memory_bytes),
        (Exit::Code(-1), 65_536)
    );
    // 100 GB and more than an address can name.
    assert_eq!(run(&growing(u32::MAX), &three_pages).exit, Exit::Code(-1));
}

#[test]
fn a_program_that_traps_after_it_was_refused_memory_met_the_memory_limit() {
    let text = |pages| {
        module(&format!(
            r#"(func (export "_start")
                (if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable)))"#
        ))
    };
    for pages in [20, 65_535, u32::MAX] {
        let outcome = run(
            &text(pages),
            &Limits {
                memory_bytes_max: 10 * 65_536,
                ..limits()
            },
        );
        assert_eq!(outcome.exit, Exit::MemoryLimit, "{pages}");
    }
}

#[test]
fn a_program_that_starts_with_more_than_its_limit_does_not_start() {
    let text = r#"(module (memory 20) (func (export "_start")))"#;
    let outcome = run(
        text,
        &Limits {
            memory_bytes_max: 19 * 65_536,
            ..limits()
        },
    );
    assert_eq!((outcome.exit, outcome.fuel_used), (Exit::MemoryLimit, 0));
}

#[test]
fn memory_is_paid_by_the_page() {
    let fuel = |text: &str| run(text, &limits()).fuel_used;
    let pages = |count| format!(r#"(module (memory {count}) (func (export "_start")))"#);
    assert_eq!(
        fuel(&pages(8)) - fuel(&pages(1)),
        7 * prices::MEMORY_PAGE_FUEL
    );
    assert_eq!(
        fuel(&growing(8)) - fuel(&growing(1)),
        7 * prices::MEMORY_PAGE_FUEL
    );
}

#[test]
fn limits_no_task_may_have_are_refused() {
    let program = compile(&module(ENDLESS));
    let asked = Limits {
        memory_bytes_max: u64::MAX,
        ..limits()
    };
    let error = program
        .run(&invocation(b""), &asked, &Cancel::new())
        .unwrap_err();
    let RunError::Limit(limit) = error else {
        panic!("{error}")
    };
    assert_eq!((limit.name, limit.max), ("memory bytes", 1 << 32));
}

/// Calls itself without end, with `locals` more local variables in its frame.
fn recursing(locals: usize) -> String {
    let locals = "i64 ".repeat(locals);
    module(&format!(
        r#"(func $deeper (param $depth i32) (local {locals})
            (i32.store (i32.const 0) (local.get $depth))
            (call $deeper (i32.add (local.get $depth) (i32.const 1))))
        (func (export "_start") (call $deeper (i32.const 0)))"#
    ))
}

#[test]
fn endless_recursion_overflows_the_stack_at_the_same_call_in_both_classes() {
    for locals in [0, 10, 1_000] {
        let program = wasm(&recursing(locals));
        let outcomes = [Class::Pinned, Class::Portable].map(|class| {
            let program = engine(class).compile(&program).unwrap();
            program
                .run(&invocation(b""), &limits(), &Cancel::new())
                .unwrap()
        });
        assert_eq!(
            outcomes[0].exit,
            Exit::Trap(TrapKind::StackOverflow),
            "{locals}"
        );
        assert_eq!(outcomes[0], outcomes[1]);
    }
}

/// Calls itself without end with `floats` computed values that are there before and after, each of which is seen
/// and so made canonical in the portable class.
fn recursing_on_floats(ty: &str, floats: usize) -> String {
    let list = |of: &dyn Fn(usize) -> String| (0..floats).map(of).collect::<String>();
    let set =
        list(&|index| format!("(local.set $v{index} ({ty}.add (local.get $x) (local.get $x)))"));
    let keep = list(&|index| {
        let again = format!(
            "({ty}.mul (local.get $v{index}) (local.get $v{}))",
            (index + 1) % floats
        );
        format!("(local.set $v{index} {again})")
    });
    let store = list(&|index| {
        let kind = if ty.contains('x') { "v128" } else { ty };
        format!(
            "({kind}.store (i32.const {}) (local.get $v{index}))",
            16 * index
        )
    });
    let kind = if ty.contains('x') { "v128" } else { ty };
    let locals = list(&|index| format!("(local $v{index} {kind})"));
    module(&format!(
        r#"(func $deeper (param $x {kind}) (result {kind}) {locals}
            {set} {keep} {store}
            (call $deeper (local.get $v0)) {store} {keep} {store} (local.get $v0) {ty}.add)
        (func (export "_start") (drop (call $deeper ({kind}.load (i32.const 0)))))"#
    ))
}

#[test]
fn endless_recursion_on_floats_overflows_the_counted_stack_before_the_machine_s() {
    for ty in ["f32", "f64", "f32x4", "f64x2"] {
        for floats in [1, 4, 12] {
            let program = wasm(&recursing_on_floats(ty, floats));
            for class in [Class::Pinned, Class::Portable] {
                let program = engine(class).compile(&program).unwrap();
                let outcome = program.run(&invocation(b""), &limits(), &Cancel::new());
                let exit = outcome.unwrap().exit;
                assert_eq!(
                    exit,
                    Exit::Trap(TrapKind::StackOverflow),
                    "{class:?} {ty} {floats}"
                );
            }
        }
    }
}

#[test]
fn recursion_within_the_stack_gives_back_what_it_took() {
    // A hundred times as many calls as fit at once, but never more than a hundred deep.
    let text = module(
        r#"(func $down (param $depth i32) (result i32)
            (if (i32.eqz (local.get $depth)) (then (return (i32.const 1))))
            (i32.add (i32.const 1) (call $down (i32.sub (local.get $depth) (i32.const 1)))))
        (func (export "_start") (local $round i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (call $down (i32.const 99))))
                (local.set $round (i32.add (local.get $round) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $round) (i32.const 10000))))
            (i32.store (i32.const 0) (local.get $sum))
            (call $print (i32.const 0) (i32.const 4)))"#,
    );
    let outcome = run(&text, &limits());
    assert_eq!(outcome.exit, Exit::Success);
    assert_eq!(outcome.output, 1_000_000u32.to_le_bytes());
}

#[test]
fn a_frame_larger_than_the_stack_overflows_it_at_once() {
    let locals = "v128 ".repeat(40_000);
    let keep = (0..40_000)
        .step_by(100)
        .map(|local| format!("(drop (local.get {local}))"))
        .collect::<String>();
    let text = module(&format!(
        r#"(func $wide (local {locals}) (call $print (i32.const 0) (i32.const 1)) {keep})
        (func (export "_start") (call $wide) (call $wide))"#
    ));
    let outcome = run(&text, &limits());
    assert_eq!(outcome.exit, Exit::Success);
    let locals = "v128 ".repeat(49_000);
    let text = module(&format!(
        r#"(func $wide (param i32) (local {locals}) (call $wide (i32.const 1)))
        (func (export "_start") (call $wide (i32.const 0)))"#
    ));
    assert_eq!(
        run(&text, &limits()).exit,
        Exit::Trap(TrapKind::StackOverflow)
    );
}

#[test]
fn a_run_that_takes_too_long_here_settles_nothing() {
    let outcome = run(
        &module(ENDLESS),
        &Limits {
            fuel: 10_000_000_000_000,
            wall_time: Duration::from_millis(30),
            ..limits()
        },
    );
    assert_eq!(outcome.exit, Exit::WallTime);
    assert_eq!(outcome.exit.settled(), None);
}

#[test]
fn a_program_that_calls_the_host_all_the_time_is_stopped_all_the_same() {
    let text = module(
        r#"(func (export "_start") (loop $on
            (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
            (br $on)))"#,
    );
    let outcome = run(
        &text,
        &Limits {
            fuel: 10_000_000_000_000,
            wall_time: Duration::from_millis(30),
            ..limits()
        },
    );
    assert_eq!(outcome.exit, Exit::WallTime);
}

#[test]
fn a_cancelled_run_stops_and_settles_nothing() {
    let program = compile(&module(ENDLESS));
    let cancel = Cancel::new();
    let endless = Limits {
        fuel: 10_000_000_000_000,
        ..limits()
    };
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| program.run(&invocation(b""), &endless, &cancel).unwrap());
        cancel.cancel();
        run.join().unwrap()
    });
    assert_eq!(outcome.exit, Exit::Cancelled);
    assert_eq!(outcome.exit.settled(), None);
    // One cancelled before it started does not start.
    let outcome = program.run(&invocation(b""), &endless, &cancel).unwrap();
    assert_eq!((outcome.exit, outcome.fuel_used), (Exit::Cancelled, 0));
}

#[test]
fn more_runs_than_places_are_told_to_wait() {
    // An engine of its own, whose places no other test takes.
    let program = Engine::new(Class::Pinned)
        .unwrap()
        .compile(&wasm(&module(ENDLESS)))
        .unwrap();
    let cancel = Cancel::new();
    let endless = Limits {
        fuel: 10_000_000_000_000,
        ..limits()
    };
    let busy = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..=quern_sandbox::RUNS_MAX)
            .map(|_| {
                scope.spawn(|| {
                    let result = program.run(&invocation(b""), &endless, &cancel);
                    // Whoever is refused ends the wait of all others.
                    if result.is_err() {
                        cancel.cancel()
                    }
                    result
                })
            })
            .collect();
        runs.into_iter()
            .filter_map(|run| run.join().unwrap().err())
            .collect::<Vec<_>>()
    });
    assert!(matches!(busy[..], [RunError::Busy { max: 32 }]), "{busy:?}");
}

#[test]
fn every_trap_is_told_by_its_kind() {
    for (body, kind) in [
        ("(unreachable)", TrapKind::Unreachable),
        (
            "(drop (i32.load (i32.const 65536)))",
            TrapKind::MemoryOutOfBounds,
        ),
        (
            "(i64.store offset=4294967295 (i32.const -1) (i64.const 0))",
            TrapKind::MemoryOutOfBounds,
        ),
        (
            "(memory.fill (i32.const 1) (i32.const 0) (i32.const 65536))",
            TrapKind::MemoryOutOfBounds,
        ),
        (
            "(drop (table.get 0 (i32.const 4)))",
            TrapKind::TableOutOfBounds,
        ),
        (
            "(call_indirect (type $nothing) (i32.const 9))",
            TrapKind::TableOutOfBounds,
        ),
        (
            "(call_indirect (type $nothing) (i32.const 0))",
            TrapKind::NullFunction,
        ),
        (
            "(call_indirect (type $nothing) (i32.const 1))",
            TrapKind::WrongSignature,
        ),
        (
            "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
            TrapKind::DivisionByZero,
        ),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
            TrapKind::IntegerOverflow,
        ),
        (
            "(drop (i32.trunc_f64_s (f64.const nan)))",
            TrapKind::BadConversion,
        ),
    ] {
        let text = module(&format!(
            r#"(elem (i32.const 1) func $print) (func (export "_start") {body})"#
        ));
        let [pinned, portable] = [Class::Pinned, Class::Portable].map(|class| {
            let program = engine(class).compile(&wasm(&text)).unwrap();
            program
                .run(&invocation(b""), &limits(), &Cancel::new())
                .unwrap()
        });
        assert_eq!(pinned.exit, Exit::Trap(kind), "{body}");
        assert_eq!(pinned, portable, "{body}");
    }
}

#[test]
fn segments_that_do_not_fit_trap_before_anything_runs() {
    let data = r#"(module (memory 1) (data (i32.const 65536) "x") (func (export "_start")))"#;
    assert_eq!(
        run(data, &limits()).exit,
        Exit::Trap(TrapKind::MemoryOutOfBounds)
    );
    let elements =
        r#"(module (table 1 funcref) (elem (i32.const 1) $f) (func $f (export "_start")))"#;
    assert_eq!(
        run(elements, &limits()).exit,
        Exit::Trap(TrapKind::TableOutOfBounds)
    );
}

#[test]
fn the_start_function_runs_first_and_under_the_same_limits() {
    let text = |start| {
        module(&format!(
            r#"(func $first {start})
            (start $first)
            (func (export "_start") (call $print (i32.const 0) (i32.const 1)))"#
        ))
    };
    let outcome = run(
        &text("(i32.store8 (i32.const 0) (i32.const 42))"),
        &limits(),
    );
    assert_eq!(
        (outcome.exit, &outcome.output[..]),
        (Exit::Success, &b"*"[..])
    );
    assert_eq!(
        run(&text("(loop $on (br $on))"), &limits()).exit,
        Exit::OutOfFuel
    );
    assert_eq!(
        run(&text("(call $first)"), &limits()).exit,
        Exit::Trap(TrapKind::StackOverflow)
    );
}
