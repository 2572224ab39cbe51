//! Benchmarks: one at a time, at once or not at all.
//!
//! A masternode takes the time of a benchmark from when it sends it. So with each exchange it is told
//! whether the sandbox has anything to do, for whichever masternode, and one that comes all the same
//! when there is something to do is declined. So is one that is stopped because the machine's owner
//! wants it back, or the worker ends. What is declined is not held against the device, a few times a
//! day.

use super::{
    Core,
    event::Effect,
    task::{Stage, Task},
};
use quern_primitives::ids::DeviceId;
use quern_protocol::{Benchmark, BenchmarkAnswer};

/// The benchmark that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    masternode: DeviceId,
    /// The connection over which it came. Its time is taken over that one, and over another it has no
    /// answer.
    connection: u64,
    number: u64,
    /// It was stopped, and its masternode is told that it has no answer.
    is_declined: bool,
}

impl Core {
    /// Whether a benchmark could not begin at once. A task whose program and shard are being fetched
    /// may run any moment.
    pub(super) fn is_busy(&self) -> bool {
        let computes = |task: &Task| task.stage != Stage::Delivering;
        self.takes_none() || self.benchmarking.is_some() || self.tasks.iter().any(computes)
    }

    /// Starts a benchmark, or declines it if that cannot be at once.
    pub(super) fn on_benchmark(&mut self, masternode: DeviceId, benchmark: Benchmark) {
        let is_busy = self.is_busy();
        let Some(session) = self.sessions.get_mut(&masternode) else {
            return;
        };
        let Some(connection) = session.open_connection() else {
            return;
        };
        if is_busy {
            session.unavailable_for = Some(benchmark.number);
            return;
        }
        self.benchmarking = Some(Running {
            masternode,
            connection,
            number: benchmark.number,
            is_declined: false,
        });
        let benchmark = Box::new(benchmark);
        self.effects.push(Effect::Benchmark { benchmark });
    }

    pub(super) fn on_benchmarked(&mut self, output: Option<[u8; 8]>) {
        let (Some(running), Some(output)) = (self.benchmarking.take(), output) else {
            return;
        };
        if running.is_declined {
            return;
        }
        if let Some(session) = self
            .sessions
            .get_mut(&running.masternode)
            .filter(|session| session.link.is(running.connection))
        {
            session.benchmark_answer = Some(BenchmarkAnswer {
                number: running.number,
                output,
            });
        }
    }

    /// Stops the one that runs, and has its masternode told at once. It still ends with
    /// [`super::Event::Benchmarked`].
    pub(super) fn stop_benchmark(&mut self) {
        let Some(running) = &mut self.benchmarking else {
            return;
        };
        self.effects.push(Effect::StopBenchmark);
        if std::mem::replace(&mut running.is_declined, true) {
            return;
        }
        if let Some(session) = self
            .sessions
            .get_mut(&running.masternode)
            .filter(|session| session.link.is(running.connection))
        {
            session.unavailable_for = Some(running.number);
        }
    }
}
