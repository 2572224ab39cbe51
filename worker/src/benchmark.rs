//! Benchmarks: programs that a masternode sends to learn how fast the processor is.
//!
//! They run where tasks run, as tasks of the pinned class do where the machine has that, and else as those of
//! the portable class; and at the pace that the machine's owner allows, for that is what masternodes can count
//! on. A benchmark has no numbers with a point, so it burns and writes the same in both. Whatever else may run
//! programs here, see [`crate::bench::Executor`], has no part in it: nothing is sealed, signed or paid.

use crate::{
    limits::{BENCHMARK_MEMORY_BYTES, BENCHMARK_MS_MAX},
    programs::Engines,
};
use quern_primitives::device::Class;
use quern_protocol::Benchmark;
use quern_sandbox::{
    Cancel, EngineError, Exit, Invocation, Limits, Program, ProgramError, RunError,
};
use std::time::Duration;

/// Bytes of an answer.
const OUTPUT_BYTES: usize = 8;

/// Why there is nothing to answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("this machine runs programs of no class")]
    Engine(#[from] EngineError),
    #[error("its program cannot be run")]
    Program(#[from] ProgramError),
    #[error("this machine could not run it")]
    Run(#[from] RunError),
    #[error("its program {0}")]
    Ended(Exit),
    #[error("its program wrote {bytes} bytes and not {OUTPUT_BYTES}")]
    Output { bytes: usize },
}

/// Runs benchmarks.
pub(crate) struct Benchmarks {
    engines: Engines,
    /// The last one's program: a masternode sends the same again, with other inputs.
    compiled: Option<(Vec<u8>, Program)>,
    /// The log has said that there is no answer. A machine that has none has none every time.
    has_told: bool,
}

impl Benchmarks {
    pub(crate) fn new(engines: Engines) -> Self {
        Self {
            engines,
            compiled: None,
            has_told: false,
        }
    }

    /// Runs a benchmark on this thread. `None` if there is nothing to answer.
    pub(crate) fn run(
        &mut self,
        benchmark: &Benchmark,
        cancel: &Cancel,
    ) -> Option<[u8; OUTPUT_BYTES]> {
        if cancel.is_cancelled() {
            return None;
        }
        match self.try_run(benchmark, cancel) {
            Ok(output) => Some(output),
            Err(NoAnswer::Ended(Exit::Cancelled)) => None,
            Err(error) => {
                self.tell(&error);
                None
            }
        }
    }

    fn try_run(
        &mut self,
        benchmark: &Benchmark,
        cancel: &Cancel,
    ) -> Result<[u8; OUTPUT_BYTES], NoAnswer> {
        let program = self.program(&benchmark.program)?;
        let invocation = Invocation::new(benchmark.input.to_vec(), [0; 32]);
        let limits = Limits {
            fuel: benchmark.fuel,
            memory_bytes_max: BENCHMARK_MEMORY_BYTES,
            output_bytes_max: OUTPUT_BYTES as u64,
            wall_time: Duration::from_millis(BENCHMARK_MS_MAX),
        };
        let outcome = program.run(&invocation, &limits, cancel)?;
        if outcome.exit != Exit::Success {
            return Err(NoAnswer::Ended(outcome.exit));
        }
        let bytes = outcome.output.len();
        outcome
            .output
            .try_into()
            .map_err(|_| NoAnswer::Output { bytes })
    }

    fn program(&mut self, text: &[u8]) -> Result<Program, NoAnswer> {
        if let Some((known, program)) = &self.compiled
            && known == text
        {
            return Ok(program.clone());
        }
        let pinned = self.engines.engine(Class::Pinned);
        let engine = pinned.or_else(|_| self.engines.engine(Class::Portable))?;
        let program = engine.compile(text)?;
        self.compiled = Some((text.to_vec(), program.clone()));
        Ok(program)
    }

    fn tell(&mut self, error: &NoAnswer) {
        let source = std::error::Error::source(error).map(ToString::to_string);
        if self.has_told {
            tracing::debug!(%error, source, "a benchmark is not answered");
        } else {
            self.has_told = true;
            tracing::warn!(
                %error,
                source,
                "a benchmark is not answered; masternodes do not learn how fast this machine is"
            );
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Reads 16 bytes and writes so many of them.
    fn echo(bytes: usize) -> Vec<u8> {
        let text = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_read"
                    (func $read (param i32 i32 i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "_start")
                    (i32.store (i32.const 0) (i32.const 1024))
                    (i32.store (i32.const 4) (i32.const 16))
                    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (i32.store (i32.const 4) (i32.const {bytes}))
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
        );
        wat::parse_str(text).unwrap()
    }

    fn assembled(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    fn benchmark(program: Vec<u8>) -> Benchmark {
        Benchmark {
            number: 1,
            program,
            input: std::array::from_fn(|place| place as u8),
            fuel: 1_000_000,
        }
    }

    fn run(benchmarks: &mut Benchmarks, program: Vec<u8>) -> Option<[u8; 8]> {
        benchmarks.run(&benchmark(program), &Cancel::new())
    }

    #[test]
    fn the_answer_is_the_eight_bytes_that_were_written() {
        let mut benchmarks = Benchmarks::new(Engines::default());
        let answer = Some([0, 1, 2, 3, 4, 5, 6, 7]);
        // The second time with the program that is compiled already.
        for _ in 0..2 {
            assert_eq!(run(&mut benchmarks, echo(8)), answer);
        }
    }

    #[test]
    fn anything_but_eight_bytes_is_no_answer_and_does_not_hinder_the_next() {
        let mut benchmarks = Benchmarks::new(Engines::default());
        let endless = r#"(module (memory (export "memory") 1)
            (func (export "_start") (loop $more (br $more))))"#;
        let trap = r#"(module (memory (export "memory") 1)
            (func (export "_start") unreachable))"#;
        let large = r#"(module (memory (export "memory") 257) (func (export "_start")))"#;
        for program in [
            echo(0),
            echo(7),
            echo(9),
            assembled(endless),
            assembled(trap),
            assembled(large),
            b"no program".to_vec(),
        ] {
            assert_eq!(run(&mut benchmarks, program), None);
        }
        assert!(benchmarks.has_told);
        assert!(run(&mut benchmarks, echo(8)).is_some());
    }

    #[test]
    fn more_fuel_than_a_task_may_have_is_no_answer() {
        let mut benchmarks = Benchmarks::new(Engines::default());
        let greedy = Benchmark {
            fuel: u64::MAX,
            ..benchmark(echo(8))
        };
        assert_eq!(benchmarks.run(&greedy, &Cancel::new()), None);
    }

    #[test]
    fn a_benchmark_that_was_stopped_does_not_start() {
        let mut benchmarks = Benchmarks::new(Engines::default());
        let cancel = Cancel::new();
        cancel.cancel();
        assert_eq!(benchmarks.run(&benchmark(echo(8)), &cancel), None);
        assert!(!benchmarks.has_told);
    }
}
