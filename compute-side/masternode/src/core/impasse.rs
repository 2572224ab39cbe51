//! Why a job cannot go on.

use quern_jobs_api as api;
use quern_primitives::{ids::TaskIndex, job::Failure, receipt::Exit};

/// What is wrong with a task that cannot be settled, which ends its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Impasse {
    /// The devices agree that the program fails on it, and how.
    Program(Exit),
    /// No answer has a majority, and none would get one from as many devices as a task may have.
    Undecided,
    /// What it reads opens on no device: its input or its key is wrong.
    Unopened,
}

impl Impasse {
    /// What the chain is told. It has no word for what opens nowhere, and is told that the task is
    /// undecided, which is as true: there is no answer and none will come. And the same follows from
    /// it: nobody is paid or blamed for the task, what was settled stays paid, and everything else goes
    /// back to the owner.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Program(exit) => Failure::Program(exit),
            Self::Undecided | Self::Unopened => Failure::Undecided,
        }
    }

    /// What its owner is told, who has to know which of the two it is: while the job is open, and when
    /// it is over.
    pub(super) fn told(self, task: TaskIndex) -> api::Impasse {
        let why = match self {
            Self::Program(exit) => api::Trouble::ProgramFails { exit },
            Self::Undecided => api::Trouble::Undecided,
            Self::Unopened => api::Trouble::Unopened,
        };
        api::Impasse { task, why }
    }

    /// What is wrong with the task, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Program(_) => "the devices agree that the program fails on it",
            Self::Undecided => {
                "no answer has a majority, and none would get one from as many devices as a task \
                 may have"
            }
            Self::Unopened => {
                "what it reads opens on no device: its input or the job's key is wrong"
            }
        }
    }
}
