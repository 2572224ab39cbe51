//! What a user may hand in by mistake, and what the error says to do.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use quern_sandbox::{
    Class, FUNCTION_BYTES_MAX, GLOBALS_MAX, LooksLike, PROGRAM_BYTES_MAX, ProgramError,
    RESULTS_MAX, inspect,
};
use support::{engine, wasm};

/// The error of a program given as text; compiling must find the same.
fn refusal(text: &str) -> ProgramError {
    refusal_of(&wasm(text))
}

fn refusal_of(program: &[u8]) -> ProgramError {
    let error = inspect(program).unwrap_err();
    let compiled = engine(Class::Pinned).compile(program).unwrap_err();
    assert_eq!(error.to_string(), compiled.to_string());
    error
}

#[test]
fn what_is_no_webassembly_is_called_by_what_it_is() {
    for (bytes, expected) in [
        (&b""[..], LooksLike::Nothing),
        (b"\x7fELF\x02\x01\x01", LooksLike::Executable),
        (b"#!/bin/sh\necho\n", LooksLike::Script),
        (b"  (module)", LooksLike::Text),
        (b"PK\x03\x04....", LooksLike::Archive),
        (b"hello", LooksLike::Unknown),
    ] {
        match refusal_of(bytes) {
            ProgramError::NotWebAssembly { looks_like } => assert_eq!(looks_like, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_component_is_told_from_a_module() {
    let error = refusal("(component)");
    assert!(matches!(error, ProgramError::Component), "{error}");
    assert!(error.to_string().contains("wasm32-wasip1"));
}

/// Without names, so that every byte matters.
const PLAIN: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (table 2 funcref) (global (mut i64) (i64.const 5))
    (elem (i32.const 0) 1) (data (i32.const 0) "data")
    (func (export "_start") (local i32)
        (block (loop (br_if 1 (i32.eqz (call 0 (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))) (br 0)))
        (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
        (call_indirect (i32.const 0))))"#;

#[test]
fn a_program_cut_off_or_altered_is_refused_and_never_a_panic() {
    let whole = wasm(PLAIN);
    let valid = (0..whole.len()).filter(|end| inspect(&whole[..*end]).is_ok());
    // Without its data, which come last, it is another valid program.
    assert_eq!(valid.count(), 1);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut altered = whole.clone();
            altered[at] ^= 1 << bit;
            // Many alterations give another valid program; then it must compile.
            if inspect(&altered).is_ok() {
                for class in [Class::Pinned, Class::Portable] {
                    engine(class).compile(&altered).unwrap();
                }
            }
        }
    }
}

/// One whose NaNs are made canonical in the portable class.
const FLOATS: &str = r#"(module (memory 1)
    (func (export "_start") (local f64 f64 v128 i32)
        (local.set 0 (select (f64.sqrt (local.get 0)) (f64.neg (f64.mul (local.get 0) (local.get 1))) (local.get 3)))
        (block (result f64) (br_if 0 (f64.add (local.get 0) (local.get 1)) (local.get 3)) (f64.floor) (br 0) (f64.mul))
        (f64.copysign (local.tee 1 (f64.div (local.get 0) (local.get 1)))) (local.set 0)
        (loop (local.set 2 (f64x2.max (local.get 2) (f64x2.splat (local.get 0)))) (br_if 0 (local.get 3)))
        (v128.store (local.get 3) (local.get 2))))"#;

#[test]
fn a_program_of_floats_that_was_altered_is_refused_or_compiles_in_both_classes() {
    let whole = wasm(FLOATS);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut altered = whole.clone();
            altered[at] ^= 1 << bit;
            if inspect(&altered).is_ok() {
                for class in [Class::Pinned, Class::Portable] {
                    engine(class).compile(&altered).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_missing_import_is_named_and_what_there_is_is_listed() {
    let error = refusal(
        r#"(module (import "wasi_snapshot_preview1" "fd_frobnicate" (func)) (func (export "_start")))"#,
    );
    let ProgramError::MissingImport {
        kind,
        module,
        name,
        available,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (*kind, &**module, &**name),
        ("function", "wasi_snapshot_preview1", "fd_frobnicate")
    );
    assert_eq!(available.len(), 46);
    assert!(
        error
            .to_string()
            .contains("`wasi_snapshot_preview1.fd_frobnicate`")
    );
    assert!(error.to_string().contains("fd_write"));

    let error = refusal(r#"(module (import "env" "sqrtf" (func)) (func (export "_start")))"#);
    assert!(error.to_string().contains("link the library"), "{error}");
    let error = refusal(r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#);
    assert!(
        matches!(error, ProgramError::MissingImport { kind: "memory", .. }),
        "{error}"
    );
}

#[test]
fn an_import_under_a_wrong_type_is_told_with_the_right_one() {
    let error = refusal(
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))
            (memory (export "memory") 1) (func (export "_start")))"#,
    );
    let ProgramError::ImportSignature {
        name,
        expected,
        found,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (*name, &**expected, &**found),
        ("fd_close", "(i32) -> (i32)", "(i64) -> (i32)")
    );
}

#[test]
fn a_program_that_asks_for_100_gb_is_told_the_figures() {
    // 100 GB are more pages than a 32-bit memory can count, so both ways to ask are tried.
    for memory in ["(memory i64 1525879)", "(memory i64 281474976710656)"] {
        let error = refusal(&format!(r#"(module {memory} (func (export "_start")))"#));
        let ProgramError::MemoryTooLarge { asked, max } = error else {
            panic!("{error}")
        };
        assert!(asked >= 100_000_000_000, "{asked}");
        assert_eq!(max, 1 << 32);
    }
    // The text format refuses more than 65,536 pages of a 32-bit memory, so this one is patched.
    let small = wasm(r#"(module (memory 65536) (func (export "_start")))"#);
    let at = small
        .windows(3)
        .position(|window| window == [0x80, 0x80, 0x04])
        .unwrap();
    let mut large = small;
    large[at..at + 3].copy_from_slice(&[0x80, 0x80, 0x60]);
    let error = refusal_of(&large);
    let ProgramError::MemoryTooLarge { asked, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(asked, 0x60 * (1 << 14) * 65_536);
}

#[test]
fn a_64_bit_memory_is_refused_with_a_target_that_works() {
    let error = refusal(r#"(module (memory i64 1) (func (export "_start")))"#);
    assert!(matches!(error, ProgramError::Memory64), "{error}");
}

#[test]
fn a_program_without_start_is_refused_and_a_library_is_called_one() {
    let error = refusal("(module)");
    assert!(
        matches!(error, ProgramError::NoStart { reactor: false }),
        "{error}"
    );
    let error = refusal(r#"(module (func (export "_initialize")))"#);
    assert!(
        matches!(error, ProgramError::NoStart { reactor: true }),
        "{error}"
    );
    let error = refusal(r#"(module (func (export "_start") (param i32)))"#);
    let ProgramError::StartSignature { found } = error else {
        panic!("{error}")
    };
    assert_eq!(found, "(i32) -> ()");
}

#[test]
fn a_program_that_hides_its_memory_from_wasi_is_refused() {
    let error = refusal(
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
            (memory 1) (func (export "_start")))"#,
    );
    assert!(matches!(error, ProgramError::NoMemory), "{error}");
}

#[test]
fn names_that_the_sandbox_uses_are_refused() {
    let error = refusal(r#"(module (func (export "_start") (export "quern:stack")))"#);
    assert!(
        matches!(error, ProgramError::ReservedExport { .. }),
        "{error}"
    );
}

#[test]
fn threads_exceptions_garbage_collection_and_tail_calls_are_off() {
    for extra in [
        "(memory 1 1 shared)",
        "(tag)",
        "(type (struct))",
        "(func $f (return_call $f))",
        "(memory 1) (memory 1)",
        "(func (param externref))",
    ] {
        let error = refusal(&format!(r#"(module {extra} (func (export "_start")))"#));
        assert!(
            matches!(error, ProgramError::Invalid { .. }),
            "{extra}: {error}"
        );
    }
}

#[test]
fn bounds_are_named_with_what_passed_them() {
    let many = "(global i32 (i32.const 0))".repeat(GLOBALS_MAX as usize + 1);
    let error = refusal(&format!(r#"(module {many} (func (export "_start")))"#));
    let ProgramError::TooMany {
        what: "globals",
        count,
        max,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((count, max), (10_001, 10_000));

    let error = refusal(r#"(module (table 131073 funcref) (func (export "_start")))"#);
    assert!(
        matches!(
            error,
            ProgramError::TooMany {
                what: "elements in one table",
                ..
            }
        ),
        "{error}"
    );

    let long = "nop ".repeat(FUNCTION_BYTES_MAX);
    let error = refusal(&format!(r#"(module (func (export "_start") {long}))"#));
    assert!(
        matches!(
            error,
            ProgramError::TooMany {
                what: "bytes in one function",
                ..
            }
        ),
        "{error}"
    );

    let locals = "(local ".to_owned() + &"i32 ".repeat(45_000) + ")";
    let many = format!("(func {locals})").repeat(90);
    let error = refusal(&format!(r#"(module {many} (func (export "_start")))"#));
    assert!(
        matches!(
            error,
            ProgramError::TooMany {
                what: "local variables",
                ..
            }
        ),
        "{error}"
    );

    // By a few bytes a program could have whoever checks it keep as many values again and again.
    let results = "i32 ".repeat(RESULTS_MAX as usize + 1);
    let error = refusal(&format!(
        r#"(module (type (func (result {results}))) (func (export "_start")))"#
    ));
    assert!(
        matches!(
            error,
            ProgramError::TooMany {
                what: "results of a function or block",
                count: 17,
                max: 16,
            }
        ),
        "{error}"
    );

    let mut padded = wasm(r#"(module (func (export "_start")))"#);
    padded.resize(PROGRAM_BYTES_MAX + 1, 0);
    let error = refusal_of(&padded);
    assert!(matches!(error, ProgramError::TooLarge { .. }), "{error}");
}

#[test]
fn facts_say_what_a_program_needs_before_it_is_compiled() {
    let facts = inspect(&wasm(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 3 10) (func (export "_start")) (func))"#,
    ))
    .unwrap();
    assert_eq!(facts.memory_bytes_min, 3 * 65_536);
    assert_eq!(facts.memory_bytes_max, Some(10 * 65_536));
    assert_eq!(facts.functions, 2);
    assert_eq!(facts.imports, ["fd_write", "proc_exit"]);
}
