//! Which results are made canonical.

use super::*;
use wasmparser::Parser;

/// The instructions whose results are made canonical, in their order, of all functions of a module.
fn canonical(text: &str) -> Vec<String> {
    by(Walk::new(), text)
}

fn by(mut walk: Walk, text: &str) -> Vec<String> {
    let program = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(&program) {
        let payload = payload.unwrap();
        let places = walk.next(&payload).unwrap();
        let Payload::CodeSectionEntry(body) = payload else {
            assert!(places.all.is_empty());
            continue;
        };
        let mut left = places.all.iter().peekable();
        let mut operators = body.get_operators_reader().unwrap();
        while !operators.eof() {
            let operator = operators.read().unwrap();
            let end = operators.original_position();
            if let Some(place) = left.next_if(|place| place.end == end) {
                let Effect::Computes { gives, .. } = effect(&operator) else {
                    panic!("{operator:?}");
                };
                assert_eq!(place.shape, gives);
                names.push(format!("{operator:?}"));
            }
        }
        assert_eq!(left.next(), None, "each is behind an instruction");
    }
    names
}

/// Of one function with floats and vectors, each as a parameter (0 to 4: f32, f64, v128, v128, i32) and a variable
/// (5 to 8: f32, f64, v128, v128), a memory and a global.
fn of(body: &str) -> Vec<String> {
    canonical(&format!(
        r#"(module (memory 1) (global $g (mut f64) (f64.const 0))
            (func $take (param f64))
            (func $give (result f64) (f64.const 0))
            (func (param f32 f64 v128 v128 i32) (local f32 f64 v128 v128) {body}))"#
    ))
}

const PRODUCT: &str = "(f64.mul (local.get 1) (local.get 1))";
const VECTOR: &str = "(f64x2.mul (local.get 2) (local.get 2))";
const NOTHING: [&str; 0] = [];

#[test]
fn an_expression_is_made_canonical_once_at_its_end() {
    let sum = format!("(f64.add {PRODUCT} (local.get 1))");
    let whole = format!("(f64.div {sum} (f64.sqrt {sum}))");
    assert_eq!(
        of(&format!("(f64.store (i32.const 0) {whole})")),
        ["F64Div"]
    );
    let narrow = format!("(f32.demote_f64 {whole})");
    assert_eq!(
        of(&format!("(f32.store (i32.const 0) {narrow})")),
        ["F32DemoteF64"]
    );
}

#[test]
fn what_nothing_but_arithmetic_and_comparisons_takes_is_left_as_it_is() {
    for body in [
        format!("(drop {PRODUCT})"),
        format!("(drop (f64.lt {PRODUCT} {PRODUCT}))"),
        format!("(drop (i32.trunc_f64_s {PRODUCT}))"),
        format!("(drop (i64.trunc_sat_f64_u {PRODUCT}))"),
        format!("(drop (f64.neg (f64.abs {PRODUCT})))"),
        format!("(drop (f64.copysign {PRODUCT} (local.get 1)))"),
        format!("(drop (f64x2.ge {VECTOR} {VECTOR}))"),
        format!("(drop (i32x4.trunc_sat_f64x2_s_zero {VECTOR}))"),
        format!("(drop (i32x4.relaxed_trunc_f64x2_u_zero {VECTOR}))"),
        format!("(drop (f64x2.relaxed_madd {VECTOR} {VECTOR} (f64x2.abs {VECTOR})))"),
        format!("(drop (f64x2.pmin {VECTOR} {VECTOR}))"),
        format!("(drop (f64x2.promote_low_f32x4 (f32x4.demote_f64x2_zero {VECTOR})))"),
        format!("(local.set 6 {PRODUCT}) (drop (f64.add (local.get 6) (local.get 6)))"),
        format!("(local.set 6 {PRODUCT})"),
    ] {
        assert_eq!(of(&body), NOTHING, "{body}");
    }
}

#[test]
fn what_anything_else_takes_is_made_canonical() {
    for body in [
        format!("(f64.store (i32.const 0) {PRODUCT})"),
        format!("(global.set $g {PRODUCT})"),
        format!("(call $take {PRODUCT})"),
        format!("(drop (i64.reinterpret_f64 {PRODUCT}))"),
        format!("(drop (f64.copysign (local.get 1) {PRODUCT}))"),
        format!("(drop (f64x2.splat {PRODUCT}))"),
        format!("(drop (f64x2.replace_lane 0 (local.get 2) {PRODUCT}))"),
        format!("(local.set 6 {PRODUCT}) (global.set $g (local.get 6))"),
        format!("(global.set $g (local.tee 6 {PRODUCT}))"),
        format!("(drop (local.tee 6 {PRODUCT})) (global.set $g (local.get 6))"),
        format!("(global.set $g (f64.neg {PRODUCT}))"),
        format!("(global.set $g (f64.copysign {PRODUCT} (local.get 1)))"),
    ] {
        assert_eq!(of(&body), ["F64Mul"], "{body}");
    }
    for body in [
        format!("(v128.store (i32.const 0) {VECTOR})"),
        format!("(drop (f64x2.extract_lane 1 {VECTOR}))"),
        format!("(drop (v128.not {VECTOR}))"),
        format!("(drop (v128.any_true {VECTOR}))"),
        format!("(drop (v128.bitselect {VECTOR} (local.get 2) (local.get 3)))"),
        format!("(drop (i64x2.relaxed_laneselect {VECTOR} (local.get 2) (local.get 3)))"),
        format!("(drop (i8x16.swizzle {VECTOR} (local.get 2)))"),
        format!("(v128.store (i32.const 0) (f64x2.pmax {VECTOR} (local.get 2)))"),
    ] {
        assert_eq!(of(&body), ["F64x2Mul"], "{body}");
    }
}

#[test]
fn a_vector_of_another_shape_is_seen() {
    for body in [
        format!("(drop (f32x4.add {VECTOR} (local.get 2)))"),
        format!("(drop (f32x4.neg {VECTOR}))"),
        format!("(drop (f32x4.pmin {VECTOR} (local.get 2)))"),
        format!("(drop (f32x4.eq {VECTOR} (local.get 2)))"),
        format!("(drop (f64x2.promote_low_f32x4 {VECTOR}))"),
        format!("(local.set 7 {VECTOR}) (drop (f32x4.sqrt (local.get 7)))"),
        format!("(drop (f32x4.sqrt (f64x2.abs {VECTOR})))"),
        format!("(drop (f32x4.sqrt (select {VECTOR} (f32x4.abs (local.get 2)) (local.get 4))))"),
    ] {
        assert_eq!(of(&body), ["F64x2Mul"], "{body}");
    }
}

#[test]
fn what_was_only_moved_is_never_touched() {
    for body in [
        "(f64.store (i32.const 0) (f64.load (i32.const 8)))",
        "(local.set 6 (local.get 1)) (global.set $g (f64.neg (local.get 6)))",
        "(global.set $g (f64.const nan:0x4000000000001))",
        "(global.set $g (call $give))",
        "(global.set $g (f64.convert_i32_s (local.get 4)))",
        "(v128.store (i32.const 0) (f64x2.pmin (local.get 2) (local.get 3)))",
        "(global.set $g (select (local.get 1) (global.get $g) (local.get 4)))",
        "(global.set $g (f64.reinterpret_i64 (i64.const 1)))",
    ] {
        assert_eq!(of(body), NOTHING, "{body}");
    }
}

#[test]
fn what_is_selected_is_seen_where_the_choice_is() {
    let choice = format!("(select {PRODUCT} (f64.add (local.get 1) (local.get 1)) (local.get 4))");
    assert_eq!(
        of(&format!("(global.set $g {choice})")),
        ["F64Mul", "F64Add"]
    );
    assert_eq!(
        of(&format!("(global.set $g (f64.sqrt {choice}))")),
        ["F64Sqrt"]
    );
    let vectors = format!("(select (result v128) {VECTOR} (local.get 2) (local.get 4))");
    assert_eq!(
        of(&format!("(v128.store (i32.const 0) {vectors})")),
        ["F64x2Mul"]
    );
    assert_eq!(of(&format!("(drop (f64x2.sqrt {vectors}))")), NOTHING);
}

#[test]
fn the_result_of_a_block_is_seen_where_it_is_taken() {
    let block = format!(
        "(block (result f64)
            (br_if 0 {PRODUCT} (local.get 4))
            (f64.sqrt)
            (if (local.get 4) (then (br 1 (f64.floor (local.get 1)))))
            (if (result f64) (local.get 4) (then (f64.ceil (local.get 1))) (else (f64.load (i32.const 0))))
            (f64.add))"
    );
    assert_eq!(
        of(&format!("(global.set $g {block})")),
        ["F64Mul", "F64Floor", "F64Add"]
    );
    assert_eq!(of(&format!("(drop {block})")), NOTHING);
    assert_eq!(of(&format!("(drop (f64.neg {block}))")), NOTHING);
}

#[test]
fn what_blocks_take_or_give_several_of_or_a_function_returns_is_seen() {
    let several = format!(
        "(block (result f64 f64) {PRODUCT} (f64.sqrt (local.get 1))) drop drop
         {PRODUCT} (block (param f64) drop)
         (f64.floor (local.get 1)) (loop (param f64) (br_if 0 (f64.ceil (local.get 1)) (local.get 4)) drop drop)"
    );
    let seen = of(&several);
    assert_eq!(seen, ["F64Mul", "F64Sqrt", "F64Mul", "F64Floor", "F64Ceil"]);
    let returned = "(module (func (param f64) (result f64)
        (if (i32.const 1) (then (return (f64.sqrt (local.get 0)))))
        (drop (br_if 0 (f64.floor (local.get 0)) (i32.const 1)))
        (drop (block (result f64) (br_table 0 1 0 (f64.trunc (local.get 0)) (i32.const 1))))
        (f64.ceil (local.get 0))))";
    assert_eq!(
        canonical(returned),
        ["F64Sqrt", "F64Floor", "F64Trunc", "F64Ceil"]
    );
}

#[test]
fn a_variable_of_a_loop_that_nobody_sees_is_left_as_it_is() {
    let summing = |end: &str| {
        format!(
            "(loop (local.set 6 (f64.add (local.get 6) {PRODUCT}))
                (br_if 0 (f64.lt (local.get 6) (local.get 1))))
            {end}"
        )
    };
    assert_eq!(of(&summing("")), NOTHING);
    // Another variable that it is copied to, and back.
    let copied =
        "(if (local.get 4) (then (local.set 1 (local.get 6)) (local.set 6 (local.get 1))))";
    assert_eq!(of(&summing(copied)), NOTHING);
    let seen = format!("{copied} (if (local.get 4) (then (global.set $g (local.get 1))))");
    assert_eq!(of(&summing(&seen)), ["F64Add"]);
    assert_eq!(of(&summing("(global.set $g (local.get 6))")), ["F64Add"]);
}

#[test]
fn between_two_labels_a_variable_is_what_was_last_put_into_it() {
    // One variable for three things, of which only the second is seen.
    let reused = |between: &str| {
        format!(
            "(local.set 6 {PRODUCT}) (drop (f64.sqrt (local.get 6))) {between}
            (local.set 6 (f64.add (local.get 1) (local.get 1))) (global.set $g (local.get 6))
            (local.set 6 (f64.floor (local.get 1))) (drop (f64.sqrt (local.get 6)))"
        )
    };
    assert_eq!(of(&reused("")), ["F64Add"]);
    assert_eq!(of(&reused("(block (drop (call $give)))")), ["F64Add"]);
    // Where control leaves, the first is still there, and the third at the end.
    let leaving = format!(
        "(block {} (if (local.get 4) (then (unreachable))))
            (global.set $g (local.get 6))",
        reused("(br_if 0 (local.get 4))")
    );
    assert_eq!(of(&leaving), ["F64Mul", "F64Add", "F64Floor"]);
    let overwritten = format!(
        "(local.set 6 {PRODUCT}) (local.set 6 (local.get 1)) (block (br_if 0 (local.get 4)))
        (global.set $g (local.get 6))"
    );
    assert_eq!(of(&overwritten), NOTHING);
}

#[test]
fn a_variable_is_what_was_put_into_it_on_the_ways_that_lead_to_where_it_is_read() {
    let arms = format!(
        "(local.set 6 {PRODUCT})
        (if (local.get 4)
            (then (local.set 6 (f64.sqrt (local.get 1))) (drop (f64.abs (local.get 6))))
            (else (global.set $g (local.get 6))))"
    );
    assert_eq!(of(&arms), ["F64Mul"]);
    let behind =
        format!("{arms} (local.set 6 (f64.neg (local.get 6))) (global.set $g (local.get 6))");
    assert_eq!(of(&behind), ["F64Mul", "F64Sqrt"]);
    let head = format!(
        "(local.set 6 (f64.ceil (local.get 1)))
        (loop (global.set $g (local.get 6)) (local.set 6 {PRODUCT}) (br_if 0 (local.get 4))
            (local.set 6 (f64.floor (local.get 1))))"
    );
    assert_eq!(of(&head), ["F64Ceil", "F64Mul"]);
    let nested = format!(
        "(loop (loop (global.set $g (local.get 6)) (br_if 0 (local.get 4)))
            (local.set 6 {PRODUCT}) (block (br_if 0 (local.get 4)) (br 1)))"
    );
    assert_eq!(of(&nested), ["F64Mul"]);
}

#[test]
fn a_variable_that_is_followed_no_further_may_be_all_that_is_ever_put_into_it() {
    let body = format!(
        "(local.set 6 {PRODUCT})
        (loop (drop (f64.sqrt (local.get 6))) (br_if 0 (local.get 4)))
        (local.set 6 (f64.floor (local.get 1))) (global.set $g (local.get 6))"
    );
    let text = format!(
        "(module (global $g (mut f64) (f64.const 0))
        (func (param f64 f64 f32 f64 i32) (local f32 f64) {body}))"
    );
    assert_eq!(canonical(&text), ["F64Floor"]);
    assert_eq!(by(Walk::with_steps(0), &text), ["F64Mul", "F64Floor"]);
}

/// As many variables and conditions as go into one function. Each variable is read behind all conditions, so to
/// follow each to where it was written would take their product in steps.
#[test]
fn the_longest_function_is_walked_through_at_once() {
    let (variables, conditions) = (20_000, 40_000);
    let set: String = (1..=variables)
        .map(|index| format!("(local.set {index} (f64.sqrt (local.get {index})))"))
        .collect();
    let when: String = (0..conditions)
        .map(|_| "(if (local.get 0) (then (local.set 1 (local.get 2))))")
        .collect();
    let seen: String = (1..=variables)
        .map(|index| format!("(global.set 0 (local.get {index}))"))
        .collect();
    let text = format!(
        "(module (global (mut f64) (f64.const 0)) (func (param i32) (local {}) {set} {when} {seen}))",
        "f64 ".repeat(variables)
    );
    assert_eq!(canonical(&text).len(), variables);
}

#[test]
fn code_that_is_never_reached_is_walked_through() {
    for body in [
        "unreachable f64.mul f64.sqrt global.set $g",
        "(block (result f64) (br 0 (f64.const 0)) f64.add i32.const 1 select f64.copysign) drop",
        "(block (br 0) (block (result f64) (f64.sqrt (local.get 1))) (global.set $g))",
        "return (if (result f64) (then unreachable f64.add) (else unreachable f64.sub)) drop",
        "(loop (result f64) (br 0) f64.neg local.tee 6) drop",
        "(block (result f64) unreachable (br_if 0) drop (br_table 0 0)) drop",
        "(block (result f64 f64) unreachable) drop drop",
    ] {
        of(body);
    }
    // What is behind it is as if it were not there.
    let behind = format!(
        "(local.set 6 {PRODUCT})
        (block (if (local.get 4) (then (local.set 6 (local.get 1)) (br 1))) (br 0) (local.set 6))
        (global.set $g (local.get 6))"
    );
    assert_eq!(of(&behind), ["F64Mul"]);
}

#[test]
fn a_function_with_all_the_variables_that_there_may_be_has_no_room_for_those_that_are_added() {
    let places = |locals: u32, body: &str| {
        let text = format!(
            "(module (memory 1) (func (param f64 f32 v128) (local {}) {body}))",
            "i32 ".repeat(locals as usize - 3)
        );
        let program = wat::parse_str(text).unwrap();
        let mut walk = Walk::new();
        let payloads = Parser::new(0).parse_all(&program);
        payloads
            .map(|payload| {
                walk.next(&payload.unwrap())
                    .map(|places| places.added.len())
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|added| added.into_iter().max())
    };
    let storing = "(f64.store (i32.const 0) (f64.sqrt (local.get 0)))
        (f32.store (i32.const 0) (f32.sqrt (local.get 1)))
        (v128.store (i32.const 0) (f64x2.sqrt (local.get 2)))
        (v128.store (i32.const 0) (f32x4.sqrt (local.get 2)))";
    assert_eq!(places(FUNCTION_LOCALS_MAX - 3, storing).unwrap(), Some(3));
    assert!(matches!(
        places(FUNCTION_LOCALS_MAX - 2, storing),
        Err(ProgramError::TooMany { count: 50_001, .. })
    ));
    assert_eq!(places(FUNCTION_LOCALS_MAX, "").unwrap(), Some(0));
    // One more is no program.
    assert!(matches!(
        places(FUNCTION_LOCALS_MAX + 1, ""),
        Err(ProgramError::Invalid { .. })
    ));
}
