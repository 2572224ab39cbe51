//! An outcome is a function of program, invocation, limits and class.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use proptest::prelude::*;
use quern_sandbox::{Cancel, Class, Exit, Outcome};
use support::{engine, invocation, limits, module, wasm};

fn run(class: Class, program: &[u8], input: &[u8]) -> Outcome {
    let program = engine(class).compile(program).unwrap();
    let first = program
        .run(&invocation(input), &limits(), &Cancel::new())
        .unwrap();
    let second = program
        .run(&invocation(input), &limits(), &Cancel::new())
        .unwrap();
    assert_eq!(first, second);
    first
}

const ONE: [&str; 7] = ["sqrt", "floor", "nearest", "trunc", "ceil", "abs", "neg"];
// Not copysign, which makes a bit of a NaN visible in a number.
const TWO: [&str; 6] = ["add", "sub", "mul", "div", "min", "max"];

/// An expression of floats over two local variables, `a` and `b`.
fn float() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("(local.get $a)".to_owned()),
        Just("(local.get $b)".to_owned()),
        Just("(f64.const nan)".to_owned()),
        Just("(f64.const -nan:0x4000000000001)".to_owned()),
        Just("(f64.const inf)".to_owned()),
        Just("(f64.const -0)".to_owned()),
        any::<i32>().prop_map(|value| format!("(f64.const {value})")),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            (prop::sample::select(&ONE[..]), inner.clone())
                .prop_map(|(op, x)| format!("(f64.{op} {x})")),
            (prop::sample::select(&TWO[..]), inner.clone(), inner.clone())
                .prop_map(|(op, x, y)| format!("(f64.{op} {x} {y})")),
            inner
                .clone()
                .prop_map(|x| format!("(f64.promote_f32 (f32.demote_f64 {x}))")),
            (inner.clone(), inner).prop_map(|(x, y)| format!(
                "(f64x2.extract_lane 0 (f64x2.mul (f64x2.splat {x}) (f64x2.splat {y})))"
            )),
        ]
    })
}

/// Reads two floats and prints the bits of an expression of them.
fn computing(float: &str) -> String {
    module(&format!(
        r#"(func (export "_start") (local $a f64) (local $b f64)
            (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 16))
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (local.set $a (f64.load (i32.const 16)))
            (local.set $b (f64.load (i32.const 24)))
            (f64.store (i32.const 32) {float})
            (call $print (i32.const 32) (i32.const 8)))"#
    ))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Only the bits of NaNs may differ between the classes, and the fuel of making those canonical.
    #[test]
    fn the_classes_differ_in_nothing_but_the_bits_of_nans_and_the_fuel_of_making_those_one(float in float(), a: u64, b: u64) {
        let program = wasm(&computing(&float));
        let input = [a.to_le_bytes(), b.to_le_bytes()].concat();
        let [pinned, portable] = [Class::Pinned, Class::Portable].map(|class| run(class, &program, &input));
        prop_assert_eq!(pinned.exit, Exit::Success);
        let [x, y] = [&pinned, &portable].map(|outcome| f64::from_le_bytes(outcome.output[..].try_into().unwrap()));
        prop_assert!(x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()), "{} {}", x, y);
        let more = portable.fuel_used.checked_sub(pinned.fuel_used);
        prop_assert!(more.is_some_and(|more| more % CANONICAL_FUEL == 0), "{:?}", more);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// In the portable class not even those: what is computed from given bits is one NaN.
    #[test]
    fn a_computed_nan_has_one_pattern_in_the_portable_class(float in float(), a: u64, b: u64) {
        let program = wasm(&computing(&format!("(f64.add {float} {float})")));
        let input = [a.to_le_bytes(), b.to_le_bytes()].concat();
        let output = run(Class::Portable, &program, &input).output;
        let bits = u64::from_le_bytes(output[..].try_into().unwrap());
        prop_assert!(!f64::from_bits(bits).is_nan() || bits == CANONICAL_NAN, "{:x}", bits);
    }
}

const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// What it costs to make a value canonical: as many instructions.
const CANONICAL_FUEL: u64 = 6;

#[test]
fn making_a_value_canonical_costs_fuel_each_time_and_all_else_costs_the_same_in_both_classes() {
    let loops = |body: &str| {
        module(&format!(
            r#"(func (export "_start") (local $n i32) (local $sum f64) (local $v v128)
                (loop $next
                    {body}
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $n) (i32.const 1000)))))"#
        ))
    };
    let sum = "(f64.add (local.get $sum) (f64.mul (local.get $sum) (f64.const 3)))";
    for (body, times) in [
        (
            "(i64.store (i32.const 0) (i64.load (i32.const 8)))".to_owned(),
            0,
        ),
        (
            "(f64.store (i32.const 0) (f64.load (i32.const 8)))".to_owned(),
            0,
        ),
        (format!("(local.set $sum {sum})"), 0),
        (
            format!("(f64.store (i32.const 0) (f64.mul {sum} {sum}))"),
            1,
        ),
        (
            "(v128.store (i32.const 0) (local.tee $v (f32x4.add (local.get $v) (local.get $v))))"
                .to_owned(),
            1,
        ),
    ] {
        let program = wasm(&loops(&body));
        let [pinned, portable] =
            [Class::Pinned, Class::Portable].map(|class| run(class, &program, b""));
        let more = 1_000 * times * CANONICAL_FUEL;
        assert_eq!(portable.fuel_used, pinned.fuel_used + more, "{body}");
    }
}

#[test]
fn nans_that_were_computed_are_canonical_in_the_portable_class() {
    // Each of these gives a NaN with other bits on some processor: the sign of a default NaN, and
    // which payload survives, are where they differ.
    let payload = (0x7ff4_0000_0000_1234u64, 0xfff8_0000_0000_4321u64);
    for float in [
        "(f64.add (local.get $a) (local.get $b))",
        "(f64.mul (local.get $b) (local.get $a))",
        "(f64.sqrt (f64.const -1))",
        "(f64.div (f64.const 0) (f64.const 0))",
        "(f64.sub (f64.const inf) (f64.const inf))",
        "(f64.min (local.get $a) (f64.const 1))",
        "(f64.nearest (local.get $a))",
        "(f64.ceil (local.get $a))",
        "(f64.promote_f32 (f32.demote_f64 (local.get $a)))",
        "(f64x2.extract_lane 0 (f64x2.promote_low_f32x4 (f32x4.demote_f64x2_zero (f64x2.splat (local.get $a)))))",
        "(f64x2.extract_lane 0 (f64x2.relaxed_min (f64x2.splat (local.get $a)) (f64x2.splat (local.get $b))))",
        "(f64x2.extract_lane 0 (f64x2.relaxed_madd (f64x2.splat (local.get $a)) (f64x2.splat (local.get $b)) (f64x2.splat (local.get $a))))",
        "(f64x2.extract_lane 1 (f64x2.add (f64x2.splat (local.get $a)) (f64x2.splat (local.get $b))))",
    ] {
        let input = [payload.0.to_le_bytes(), payload.1.to_le_bytes()].concat();
        let outcome = run(Class::Portable, &wasm(&computing(float)), &input);
        assert_eq!(outcome.output, CANONICAL_NAN.to_le_bytes(), "{float}");
    }
}

#[test]
fn a_payload_that_is_only_moved_survives_in_both_classes() {
    // What programs do that keep something in the bits of a NaN: no arithmetic, so nothing is made
    // canonical. The second float is a number.
    for float in [
        "(local.get $a)",
        "(select (local.get $a) (local.get $b) (f64.eq (local.get $b) (local.get $b)))",
        "(if (result f64) (f64.eq (local.get $b) (local.get $b)) (then (local.get $a)) (else (local.get $b)))",
        "(f64.reinterpret_i64 (i64.reinterpret_f64 (local.get $a)))",
        "(f64.neg (f64.neg (local.get $a)))",
        "(f64.copysign (f64.abs (local.get $a)) (local.get $a))",
        "(f64x2.extract_lane 1 (f64x2.replace_lane 1 (f64x2.splat (local.get $b)) (local.get $a)))",
        "(f64x2.extract_lane 0 (f64x2.pmin (f64x2.splat (local.get $a)) (f64x2.splat (local.get $b))))",
    ] {
        let program = wasm(&computing(float));
        // Signalling, quiet and negative, and the least payload that there is.
        for bits in [
            0x7ff4_0000_0000_1234u64,
            0xfff8_0000_0000_4321,
            0x7ff0_0000_0000_0001,
        ] {
            let input = [bits.to_le_bytes(), 3.0f64.to_le_bytes()].concat();
            for class in [Class::Pinned, Class::Portable] {
                let outcome = run(class, &program, &input);
                assert_eq!(outcome.output, bits.to_le_bytes(), "{class:?}: {float}");
            }
        }
    }
}

#[test]
fn relaxed_simd_has_one_answer() {
    // Fused, so that the error of the product survives the sum: with a rounding between it is 0.
    let fused = "(f64x2.extract_lane 0 (f64x2.relaxed_madd
        (f64x2.splat (local.get $a)) (f64x2.splat (local.get $a)) (f64x2.splat (local.get $b))))";
    let a = 1.0 + f64::EPSILON;
    let input = [a.to_le_bytes(), (-(a * a)).to_le_bytes()].concat();
    for class in [Class::Pinned, Class::Portable] {
        let outcome = run(class, &wasm(&computing(fused)), &input);
        let answer = f64::from_le_bytes(outcome.output[..].try_into().unwrap());
        assert_eq!(answer, a.mul_add(a, -(a * a)));
        assert_ne!(answer, 0.0);
    }
}

#[test]
fn a_run_finds_nothing_of_the_run_before_it() {
    // Prints a byte of memory, a global and a table's null, after which it changes all three.
    let program = wasm(&module(
        r#"(global $seen (mut i32) (i32.const 0))
        (elem declare func $print)
        (func (export "_start")
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 40000)) (i32.add (global.get $seen)
                (i32.eqz (ref.is_null (table.get 0 (i32.const 0)))))))
            (i32.store (i32.const 40000) (i32.const 1))
            (global.set $seen (i32.const 1))
            (table.set 0 (i32.const 0) (ref.func $print))
            (drop (memory.grow (i32.const 5)))
            (i32.store (i32.const 300000) (i32.add (i32.const 1) (i32.load (i32.const 300000))))
            (i32.store (i32.const 4) (i32.load (i32.const 300000)))
            (call $print (i32.const 0) (i32.const 8)))"#,
    ));
    for _ in 0..20 {
        assert_eq!(
            run(Class::Pinned, &program, b"").output,
            [0, 0, 0, 0, 1, 0, 0, 0]
        );
    }
}

#[test]
fn threads_that_run_at_the_same_time_do_not_see_each_other() {
    let program = wasm(&computing("(f64.mul (local.get $a) (local.get $b))"));
    let program = engine(Class::Pinned).compile(&program).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let program = &program;
            scope.spawn(move || {
                for round in 0..200 {
                    let (a, b) = (f64::from(thread * 1_000 + round), 3.0f64);
                    let input = [a.to_le_bytes(), b.to_le_bytes()].concat();
                    let outcome = program
                        .run(&invocation(&input), &limits(), &Cancel::new())
                        .unwrap();
                    assert_eq!(outcome.output, (a * b).to_le_bytes());
                }
            });
        }
    });
}
