//! Questions about the grid and its jobs that the core answers, to whoever asks the Jobs API.

use crate::core::{Core, Tick};
use quern_jobs_api::{
    Asking, DeviceExplanation, DeviceState, GRID_DEVICES_MAX, GridState, JobExplanation, JobStatus,
    LastDraw, Matching, TaskExplanation,
};
use quern_primitives::{DeviceId, JobId, TaskIndex};
use std::time::{Duration, Instant};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Question {
    /// What keeps a job waiting.
    Job(JobId),
    /// What keeps a task waiting.
    Task(JobId, TaskIndex),
    /// What keeps a device from work.
    Device(DeviceId),
    /// The grid at a glance.
    Grid,
    /// Devices from a position in the list of all on.
    Devices {
        /// The position, from 0.
        first: u32,
    },
    /// How many devices that meet what a job would ask for have which fault rate.
    Rates(Asking),
    /// How many devices meet what a job would ask for.
    Matching(Asking),
    /// How far a job is.
    Status(JobId),
    /// Whether an accepted answer of a job may still be found to be wrong.
    Corrections(JobId),
}

/// What the core answers. What it does not know is none.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// To [`Question::Job`].
    Job(Option<Box<JobExplanation>>),
    /// To [`Question::Task`].
    Task(Option<Box<TaskExplanation>>),
    /// To [`Question::Device`].
    Device(Option<Box<DeviceExplanation>>),
    /// To [`Question::Grid`].
    Grid(Box<GridState>),
    /// To [`Question::Devices`].
    Devices(Vec<DeviceState>),
    /// To [`Question::Rates`].
    Rates(Vec<u32>),
    /// To [`Question::Matching`].
    Matching(Matching),
    /// To [`Question::Status`].
    Status(Option<Box<JobStatus>>),
    /// To [`Question::Corrections`].
    Corrections(bool),
}

/// An answer, and how long the core took for it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) took: Duration,
}

/// Puts a question to the core, and adds what it is not told of the last lottery.
pub(crate) fn answer(
    core: &mut Core,
    last_draw: Option<LastDraw>,
    now: Tick,
    question: &Question,
) -> Answered {
    let begun = Instant::now();
    match question {
        Question::Status(job) => core.catch_up_jobs(now, Some(*job)),
        // Which of the others come first, or all of them.
        Question::Job(_)
        | Question::Task(..)
        | Question::Device(_)
        | Question::Grid
        | Question::Devices { .. } => core.catch_up_jobs(now, None),
        Question::Rates(_) | Question::Matching(_) | Question::Corrections(_) => {}
    }
    let reply = reply(core, last_draw, now, question);
    Answered {
        reply,
        took: begun.elapsed(),
    }
}

fn reply(core: &Core, last_draw: Option<LastDraw>, now: Tick, question: &Question) -> Reply {
    match question {
        Question::Job(job) => Reply::Job(core.explain_job(now, *job).map(Box::new)),
        Question::Task(job, task) => Reply::Task(core.explain_task(now, *job, *task).map(Box::new)),
        Question::Device(device) => Reply::Device(core.explain_device(now, device).map(Box::new)),
        Question::Grid => Reply::Grid(Box::new(GridState {
            last_draw,
            ..core.grid_state(now)
        })),
        Question::Devices { first } => {
            Reply::Devices(core.grid_devices(now, *first, GRID_DEVICES_MAX))
        }
        Question::Rates(asking) => Reply::Rates(core.grid_rates(asking)),
        Question::Matching(asking) => Reply::Matching(core.grid_matching(asking)),
        Question::Status(job) => Reply::Status(core.status(*job).map(Box::new)),
        Question::Corrections(job) => Reply::Corrections(core.may_be_contradicted(*job)),
    }
}
