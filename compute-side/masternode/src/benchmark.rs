//! The benchmark: a fixed program that devices run on an input nobody knew before. The masternode runs
//! it first, in the same sandbox, so it knows what comes out and how much fuel that takes.

use anyhow::{Context as _, ensure};
use quern_primitives::device::Class;
use quern_sandbox::{Cancel, Engine, Exit, Invocation, Limits, Program};
use rand::RngExt as _;
use std::time::Duration;

/// The program's text.
const TEXT: &str = include_str!("benchmark.wat");

/// More fuel than the program takes.
const FUEL_MAX: u64 = 10_000_000_000;

/// A run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What it read.
    pub(crate) input: [u8; 16],
    /// What it wrote.
    pub(crate) output: [u8; 8],
    /// What it burned.
    pub(crate) fuel: u64,
}

/// The module that devices get.
pub fn benchmark_module() -> anyhow::Result<Vec<u8>> {
    wat::parse_str(TEXT).context("the benchmark's text is wrong")
}

/// The program, ready to run.
pub(crate) struct Benchmark {
    module: Vec<u8>,
    program: Program,
}

impl Benchmark {
    /// Compiles it, in the class in which every machine of a grid runs the same code.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let module = benchmark_module()?;
        let program = Engine::new(Class::Pinned)?.compile(&module)?;
        Ok(Self { module, program })
    }

    /// The module, as devices get it.
    pub(crate) fn module(&self) -> &[u8] {
        &self.module
    }

    /// Runs it on a new input. It takes a core for about a third of a second.
    pub(crate) fn run(&self) -> anyhow::Result<Run> {
        self.run_on(rand::rng().random())
    }

    fn run_on(&self, input: [u8; 16]) -> anyhow::Result<Run> {
        let limits = Limits {
            fuel: FUEL_MAX,
            memory_bytes_max: 1 << 20,
            output_bytes_max: 64,
            wall_time: Duration::from_secs(600),
        };
        let invocation = Invocation::new(input.to_vec(), [0; 32]);
        let outcome = self.program.run(&invocation, &limits, &Cancel::new())?;
        ensure!(
            outcome.exit == Exit::Success,
            "the benchmark ended with {:?}",
            outcome.exit
        );
        let output = <[u8; 8]>::try_from(outcome.output.as_slice())
            .context("the benchmark wrote something else than 8 bytes")?;
        Ok(Run {
            input,
            output,
            fuel: outcome.fuel_used,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The same computation, in Rust.
    fn computed([a, b]: [u64; 2]) -> u64 {
        let (mut a, mut b) = (a, b);
        let mut table = vec![0_u64; 4_096];
        for _ in 0..60_000_000 {
            a = (a ^ a >> 29)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9)
                .wrapping_add(b);
            let at = (a >> 43 & 0xfff) as usize;
            b = (b.rotate_left(13) ^ table[at]).wrapping_add(a);
            table[at] = b;
        }
        a ^ b
    }

    #[test]
    fn the_program_computes_what_its_text_says_and_burns_the_same_on_every_input() {
        let benchmark = Benchmark::new().unwrap();
        let of = |a: u64, b: u64| {
            let mut input = [0; 16];
            input[..8].copy_from_slice(&a.to_le_bytes());
            input[8..].copy_from_slice(&b.to_le_bytes());
            benchmark.run_on(input).unwrap()
        };
        let (one, other) = (of(1, 2), of(u64::MAX, 77));
        assert_eq!(u64::from_le_bytes(one.output), computed([1, 2]));
        assert_eq!(u64::from_le_bytes(other.output), computed([u64::MAX, 77]));
        assert_eq!(one.fuel, other.fuel);
        assert!(one.fuel < FUEL_MAX);
        // So it does on a machine that has the other class alone.
        let portable = Engine::new(Class::Portable).unwrap();
        let portable = Benchmark {
            module: benchmark.module.clone(),
            program: portable.compile(benchmark.module()).unwrap(),
        };
        assert_eq!(portable.run_on(one.input).unwrap(), one);
        assert!(benchmark.module().len() <= quern_protocol::limits::BENCHMARK_BYTES_MAX);
    }
}
