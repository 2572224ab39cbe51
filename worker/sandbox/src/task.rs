//! A task of a job as every machine runs it: the device that is given it, and whoever computes it
//! again. What decides the answer beside program and shard stands here, once.

use crate::{
    invocation::{Invocation, InvocationError},
    limits::Limits,
    outcome::{Exit, Outcome},
};
use bytes::Bytes;
use quern_primitives::{
    ids::{JobId, TaskIndex},
    receipt::Exit as SettledExit,
};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskAnswer {
    /// How the program ended.
    pub exit: SettledExit,
    /// Fuel it used.
    pub fuel: u64,
    /// The result. What a failed program wrote is none: all machines agree on nothing.
    pub result: Vec<u8>,
}

/// The seed of all randomness a task's program draws: SHA-256 over a tag, the job and the task
/// (4 bytes, little-endian), so that all who compute it draw the same.
pub fn run_seed(job: &JobId, task: TaskIndex) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"quern/run-seed/1");
    hasher.update(job.0);
    hasher.update(task.to_le_bytes());
    hasher.finalize().into()
}

impl Invocation {
    /// The run of a job's task on its shard, with the arguments that the job's manifest names: an
    /// empty environment, and the seed that follows from job and task.
    pub fn of_task<T: Into<Vec<u8>>>(
        job: &JobId,
        task: TaskIndex,
        shard: impl Into<Bytes>,
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvocationError> {
        Self::new(shard, run_seed(job, task)).with_arguments(arguments)
    }
}

impl Limits {
    /// What a task may use whose job allows this, on a machine that waits so many milliseconds.
    pub fn of_task(fuel: u64, memory_bytes: u64, result_bytes: u32, time_ms: u64) -> Self {
        Self {
            fuel,
            memory_bytes_max: memory_bytes,
            output_bytes_max: result_bytes.into(),
            wall_time: Duration::from_millis(time_ms),
        }
    }
}

impl Outcome {
    /// The answer to a task, unless the run ended for this machine's sake; then how it ended.
    pub fn into_answer(self) -> Result<TaskAnswer, Exit> {
        let exit = self.exit.settled().ok_or(self.exit)?;
        let result = match exit {
            SettledExit::Success => self.output,
            _ => Vec::new(),
        };
        Ok(TaskAnswer {
            exit,
            fuel: self.fuel_used,
            result,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([3; 32]);

    fn outcome(exit: Exit) -> Outcome {
        Outcome {
            exit,
            fuel_used: 7,
            output: b"so far".to_vec(),
            diagnostics: vec![],
            memory_bytes: 0,
        }
    }

    #[test]
    fn all_who_compute_a_task_draw_the_same_and_other_tasks_draw_otherwise() {
        let none: [Vec<u8>; 0] = [];
        let run = |task| Invocation::of_task(&JOB, task, Bytes::new(), none.clone()).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).seed(), run(2).seed());
        assert_eq!(run(1).seed(), &run_seed(&JOB, 1));
        assert!(run(1).environment().is_empty());
    }

    #[test]
    fn what_a_failed_program_wrote_is_no_result() {
        let answer = outcome(Exit::Success).into_answer().unwrap();
        assert_eq!((answer.fuel, answer.result.as_slice()), (7, &b"so far"[..]));
        let answer = outcome(Exit::Code(3)).into_answer().unwrap();
        assert_eq!(answer.exit, SettledExit::Code(3));
        assert!(answer.result.is_empty());
    }

    #[test]
    fn what_ended_for_the_machine_s_sake_is_nobody_s_answer() {
        for exit in [Exit::WallTime, Exit::Cancelled] {
            assert_eq!(outcome(exit).into_answer(), Err(exit));
        }
    }
}
