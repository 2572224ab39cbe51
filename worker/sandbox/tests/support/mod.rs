//! What the tests of this room share: engines, which are made once, and short ways to run text.

// Each test program uses its own part.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::panic)]

use quern_sandbox::{Cancel, Class, Engine, Invocation, Limits, Outcome, Program};
use std::{sync::LazyLock, time::Duration};

pub const SEED: [u8; 32] = [7; 32];

pub fn engine(class: Class) -> &'static Engine {
    static PINNED: LazyLock<Engine> = LazyLock::new(|| Engine::new(Class::Pinned).unwrap());
    static PORTABLE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Class::Portable).unwrap());
    match class {
        Class::Pinned => &PINNED,
        Class::Portable => &PORTABLE,
    }
}

/// Limits far beyond what the tests' programs need.
pub fn limits() -> Limits {
    Limits {
        fuel: 1_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        output_bytes_max: 1024 * 1024,
        wall_time: Duration::from_secs(600),
    }
}

pub fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub fn compile(text: &str) -> Program {
    engine(Class::Pinned).compile(&wasm(text)).unwrap()
}

pub fn invocation(input: &[u8]) -> Invocation {
    Invocation::new(input.to_vec(), SEED)
}

/// One run in the pinned class, without input.
pub fn run(text: &str, limits: &Limits) -> Outcome {
    compile(text)
        .run(&invocation(b""), limits, &Cancel::new())
        .unwrap()
}

/// A module whose `_start` is `body`, with a page of memory and the functions that bodies here use.
pub fn module(body: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
            (memory (export "memory") 1)
            (table 4 funcref)
            (type $nothing (func))
            ;; Writes the bytes at an address to standard output, by way of a buffer at 65,000.
            (func $print (param $address i32) (param $bytes i32)
                (i32.store (i32.const 65000) (local.get $address))
                (i32.store (i32.const 65004) (local.get $bytes))
                (drop (call $fd_write (i32.const 1) (i32.const 65000) (i32.const 1) (i32.const 65008))))
            {body})"#
    )
}
