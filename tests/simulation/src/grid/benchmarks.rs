//! The benchmarks that the masternode computes for devices: one at a time, at the rate of one that runs.

use super::{office::AtOffice, violation::Violation, work::benchmark_output, world::World};
use crate::population::DESKTOP_SPEED;
use quern_masternode::core::{Challenge, Event};
use rand::RngExt as _;

/// Benchmarks that are kept ready for devices.
pub(super) const BENCHMARKS_READY: u32 = 4;

/// How long a desktop takes for a benchmark, and the masternode, which rests as long after each, in
/// milliseconds.
const BENCHMARK_MS: u64 = 333;

/// What a benchmark burns.
const BENCHMARK_FUEL: u64 = DESKTOP_SPEED as u64 * BENCHMARK_MS;

impl World<'_> {
    /// The masternode computes so many more, after those that it is yet to compute.
    pub(super) fn plan_benchmarks(&mut self, count: u32) {
        let now = self.clock.now().0;
        for _ in 0..count {
            let done_at = self.office.benchmarks_at.max(now) + BENCHMARK_MS;
            self.office.benchmarks_at = done_at + BENCHMARK_MS;
            self.plan_at_office(done_at - now, AtOffice::Computed);
        }
    }

    pub(super) fn computed_benchmark(&mut self) -> Result<(), Violation> {
        let mut input = [0; 16];
        input[..8].copy_from_slice(&self.chance.random::<u64>().to_le_bytes());
        self.office_step(Event::Challenge(Challenge {
            input,
            output: benchmark_output(&input),
            fuel: BENCHMARK_FUEL,
        }))
    }
}
