//! A stranger's program, which whoever computes a piece of the job looks at, and writes anew with what meters it, before
//! it is compiled.

use crate::{Decoder, memory, oracle};
use quern_sandbox::{Class, inspect, instrumented};
use wasmparser::{Validator, WasmFeatures};

pub(crate) const DECODERS: &[Decoder] = &[Decoder {
    name: "program",
    check: program,
    seeds: programs,
}];

/// Bytes that may be held for each byte of a program, beside what any decoder may: a call of two bytes leaves sixteen
/// values that are checked, and room for them doubles.
const VALUES_PER_BYTE: usize = 512;

/// Bytes that a program's check may hold whatever it is.
const HELD_ANYWAY: usize = 1 << 20;

/// Bytes that may be written for each byte of a program.
const WRITTEN_PER_BYTE: usize = 64;

/// Bytes that may be written whatever the program is: the functions and types that are added.
const WRITTEN_ANYWAY: usize = 4_096;

fn program(bytes: &[u8]) {
    let beside = bytes.len().saturating_mul(VALUES_PER_BYTE) + HELD_ANYWAY;
    let (inspected, held) = memory::most(|| inspect(bytes));
    oracle::held_no_more_than(held, bytes, beside);
    let facts = match inspected {
        Ok(facts) => facts,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "refused without a word");
            for class in [Class::Pinned, Class::Portable] {
                assert!(
                    instrumented(bytes, class).is_err(),
                    "what is refused is run"
                );
            }
            return;
        }
    };
    assert_eq!(facts.program_bytes, bytes.len() as u64);
    for class in [Class::Pinned, Class::Portable] {
        let (written, held) = memory::most(|| instrumented(bytes, class));
        oracle::held_no_more_than(held, bytes, beside);
        let written = written.expect("what is run can be metered");
        assert!(written.len() <= bytes.len() * WRITTEN_PER_BYTE + WRITTEN_ANYWAY);
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let fault = validator.validate_all(&written).err();
        assert!(fault.is_none(), "what is metered is no program: {fault:?}");
        assert_eq!(instrumented(bytes, class).as_ref().ok(), Some(&written));
    }
}

/// Programs with something of all that is looked at: calls and what they leave, blocks and branches, tables, memory,
/// floats whose bits may be seen, vectors.
const TEXTS: [&str; 5] = [
    r#"(module (func (export "_start")))"#,
    r#"(module
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1 4)
        (data (i32.const 8) "words")
        (global $count (mut i32) (i32.const 0))
        (func (export "_start")
            (loop $again
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (br_if $again (i32.lt_u (global.get $count) (i32.const 9))))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
            (call $exit (i32.const 0))))"#,
    r#"(module
        (type $two (func (param i32) (result i32 f64)))
        (table 2 funcref)
        (elem (i32.const 0) $leave $leave)
        (func $leave (type $two) (local.get 0) (f64.sqrt (f64.const 2)))
        (func $start (export "_start") (local f64 i64)
            (call_indirect (type $two) (i32.const 3) (i32.const 1))
            (local.set 0)
            (drop)
            (local.set 1 (i64.reinterpret_f64 (f64.mul (local.get 0) (f64.const nan))))
            (block $out (result i32)
                (block $in (br_table $in $in (i32.const 1)))
                (i32.const 7))
            (drop)))"#,
    r#"(module
        (memory 1)
        (func $fold (param f32) (result f32)
            (if (result f32) (f32.lt (local.get 0) (f32.const 1))
                (then (f32.ceil (local.get 0)))
                (else (call $fold (f32.div (local.get 0) (f32.const 3))))))
        (func (export "_start") (local v128)
            (f32.store (i32.const 0) (call $fold (f32.const 100)))
            (local.set 0 (f32x4.add (f32x4.splat (f32.const 1)) (v128.load (i32.const 16))))
            (v128.store (i32.const 32) (local.get 0))
            (drop (memory.grow (i32.const 1)))))"#,
    r#"(module
        (func $first)
        (start $first)
        (func (export "_start") (local i32)
            (block (result i32 i64) (i32.const 1) (i64.const 2) (br 0))
            (drop)
            (local.set 0)
            (if (local.get 0) (then (unreachable)))
            (return)))"#,
];

fn programs() -> Vec<Vec<u8>> {
    let parsed = TEXTS.iter().map(wat::parse_str);
    parsed.map(|program| program.expect("it is one")).collect()
}
