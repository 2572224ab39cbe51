//! Why a job cannot go on.

use quern_primitives::{job::Failure, receipt::Exit};

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
}
