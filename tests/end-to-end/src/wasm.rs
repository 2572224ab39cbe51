//! Programs that do wrong, written by hand, and one that does right.

/// A text, not a program.
pub const NO_PROGRAM: &[u8] = b"#!/bin/sh\necho this is no WebAssembly\n";

/// Asks for a function that the sandbox does not have.
pub const IMPORTS_WHAT_IS_NOT_THERE: &str = r#"
    (import "env" "open_a_window" (func $open (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (drop (call $open (i32.const 0))))"#;

/// Never ends.
pub const LOOPS_FOR_EVER: &str = r#"
    (memory (export "memory") 1)
    (func (export "_start") (loop $again (br $again)))"#;

/// Asks for all the memory that an address of 32 bits reaches, page by page; fails if it is not
/// given, as an allocator does.
pub const ASKS_FOR_ALL_MEMORY: &str = r#"
    (memory (export "memory") 1)
    (func (export "_start")
        (loop $more
            (if (i32.eq (memory.grow (i32.const 256)) (i32.const -1)) (then (unreachable)))
            (br $more)))"#;

/// Prints without end.
pub const PRINTS_WITHOUT_END: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\00\10\00\00")
    (func (export "_start")
        (loop $again
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br $again)))"#;

/// Prints what it reads.
pub const COPIES: &str = r#"
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 16))
        (loop $again
            (i32.store (i32.const 4) (i32.const 4096))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $again)))))"#;

/// Prints what it reads at once, but traps if that begins with a `t`.
pub const TRAPS_ON_T: &str = r#"
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 16))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (if (i32.eq (i32.load8_u (i32.const 16)) (i32.const 116)) (then (unreachable)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#;

/// Counts down from a number, which takes its time, and then prints what it reads.
pub fn counts_and_copies(from: u32) -> String {
    let head = r#"(import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (local $left i32)"#;
    let tail = r"
        (loop $count
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $count (local.get $left)))
        (i32.store (i32.const 0) (i32.const 16))
        (loop $again
            (i32.store (i32.const 4) (i32.const 4096))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $again)))))";
    format!("{head}\n        (local.set $left (i32.const {from})){tail}")
}

/// The program of a body in WebAssembly's text format.
pub fn assemble(body: &str) -> anyhow::Result<Vec<u8>> {
    Ok(wat::parse_str(format!("(module {body})"))?)
}
