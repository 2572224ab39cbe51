//! Why an event cannot happen to a job.

use core::fmt;
use quern_primitives::ids::{BlockNumber, TaskIndex};

/// Why an event cannot happen to a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeError {
    /// The job is over.
    Over,
    /// Nothing more of the job is settled, and nothing of it is held beside what is pending.
    Closed,
    /// The job has no such pending batch.
    NotPending,
    /// It has a coordinator already.
    AlreadyDrawn,
    /// It has no coordinator yet.
    NotDrawn,
    /// The one who settles is not its coordinator.
    NotCoordinator,
    /// The one who cancels is not its owner.
    NotOwner,
    /// The owner has cancelled it already.
    AlreadyCancelled,
    /// The last block in which this was possible is past.
    TooLate {
        /// That block.
        until: BlockNumber,
    },
    /// There is no refund yet.
    TooEarly {
        /// The last block in which there is none.
        until: BlockNumber,
    },
    /// The job has no such task.
    NoSuchTask {
        /// The task.
        task: TaskIndex,
    },
    /// The task that is said to be at fault is settled.
    TaskSettled {
        /// The task.
        task: TaskIndex,
    },
    /// A program that succeeds does not fail.
    ExitIsSuccess,
    /// More would be settled than is left of the job.
    MoreThanLeft,
}

impl fmt::Display for LifeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("the job is over; nothing more can happen to it"),
            Self::Closed => f.write_str(
                "nothing more of the job is settled; it is over when its last batch is final",
            ),
            Self::NotPending => f.write_str(
                "the job has no such pending batch; it is final, struck, or not settled",
            ),
            Self::AlreadyDrawn => f.write_str("the job has its coordinator already"),
            Self::NotDrawn => {
                f.write_str("the job has no coordinator yet; wait for the next block")
            }
            Self::NotCoordinator => {
                f.write_str("only the job's coordinator may settle or close it")
            }
            Self::NotOwner => f.write_str("only the job's owner may cancel it"),
            Self::AlreadyCancelled => {
                f.write_str("the job is cancelled already; wait for the refund")
            }
            Self::TooLate { until } => {
                write!(
                    f,
                    "block {until} was the last for this; call the refund instead"
                )
            }
            Self::TooEarly { until } => {
                write!(
                    f,
                    "the refund is possible after block {until}; wait until then"
                )
            }
            Self::NoSuchTask { task } => write!(f, "the job has no task {task}"),
            Self::TaskSettled { task } => {
                write!(f, "task {task} is settled already; name one that is not")
            }
            Self::ExitIsSuccess => {
                f.write_str("a successful exit is no failure; settle the task instead")
            }
            Self::MoreThanLeft => {
                f.write_str("the batch takes more tasks or money than are left of the job")
            }
        }
    }
}

impl core::error::Error for LifeError {}
