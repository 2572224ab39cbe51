//! Benchmarks: one at a time, when no task runs.
//!
//! A task that becomes ready while a benchmark waits is not put into the sandbox's queue before it,
//! or a busy device would never come to run one. Tasks that are in the queue already run first, and
//! between two tasks there is at most one benchmark.

use super::{Core, event::Effect, task::Stage};
use quern_primitives::ids::DeviceId;
use quern_protocol::{Benchmark, BenchmarkAnswer, ReplicaId};

/// The benchmark that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    masternode: DeviceId,
    /// The connection over which it came. Its time is taken over that one, and over another it has no
    /// answer.
    connection: u64,
    number: u64,
}

impl Core {
    /// Takes a benchmark, in place of one that has not started. A machine that is not offered takes
    /// none: its masternode sends another when it is.
    pub(super) fn on_benchmark(&mut self, masternode: DeviceId, benchmark: Benchmark) {
        if !self.takes_none()
            && let Some(session) = self.sessions.get_mut(&masternode)
        {
            session.benchmark = Some(benchmark);
        }
    }

    /// Starts a benchmark if one waits and nothing runs.
    pub(super) fn start_benchmark(&mut self) {
        let is_busy = self.tasks.iter().any(|task| task.stage == Stage::Queued);
        if is_busy || self.benchmarking.is_some() {
            return;
        }
        let waiting = self.sessions.iter_mut().find_map(|(masternode, session)| {
            let connection = session.open_connection()?;
            let benchmark = session.benchmark.take()?;
            Some((*masternode, connection, benchmark))
        });
        if let Some((masternode, connection, benchmark)) = waiting {
            self.benchmarking = Some(Running {
                masternode,
                connection,
                number: benchmark.number,
            });
            let benchmark = Box::new(benchmark);
            self.effects.push(Effect::Benchmark { benchmark });
        }
    }

    /// Puts tasks that are ready into the sandbox's queue.
    pub(super) fn run_prepared(&mut self) {
        let has_waiting = self
            .sessions
            .values()
            .any(|session| session.benchmark.is_some());
        if has_waiting && self.benchmarking.is_none() {
            return;
        }
        let prepared: Vec<ReplicaId> = self
            .tasks
            .iter()
            .filter(|task| task.stage == Stage::Prepared)
            .map(|task| task.id)
            .collect();
        for id in prepared {
            // Behind those that are in the queue already, which may have been assigned later.
            if let Some(place) = self.tasks.iter().position(|task| task.id == id) {
                let mut task = self.tasks.remove(place);
                task.stage = Stage::Queued;
                self.tasks.push(task);
                self.effects.push(Effect::Run { id });
            }
        }
    }

    pub(super) fn on_benchmarked(&mut self, output: Option<[u8; 8]>) {
        let (Some(running), Some(output)) = (self.benchmarking.take(), output) else {
            return;
        };
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

    /// Drops the benchmarks that have not started.
    pub(super) fn drop_benchmarks(&mut self) {
        for session in self.sessions.values_mut() {
            session.benchmark = None;
        }
    }

    /// Stops the one that runs. It still ends with [`super::Event::Benchmarked`].
    pub(super) fn stop_benchmark(&mut self) {
        if self.benchmarking.is_some() {
            self.effects.push(Effect::StopBenchmark);
        }
    }
}
