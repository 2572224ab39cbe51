//! Tasks of which a log says that no referee's word can be had. That is its writer's word, so a member that
//! certifies what follows from it has to have seen it itself.
//!
//! An honest coordinator asks each of the others before it gives up, by a request that it signs. So a member
//! that was never asked knows that not everybody was, unless the job was so near its end that nobody is asked
//! any more. One that has computed the task knows what comes out, and certifies nothing else.

use codec::{Decode, Encode};
use quern_primitives::{
    ids::{BatchSequence, BlockNumber, TaskIndex},
    job::{Job, JobState},
    receipt::Answer,
};
use std::collections::BTreeMap;

/// In so many blocks before a job's last one its coordinator asks nobody any more, so that what is decided is
/// still settled.
pub const CLOSING_BLOCKS: BlockNumber = 10;

/// What a member of a job's group saw itself of a referee being asked about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Asking {
    /// It was asked, and gave no word.
    #[codec(index = 0)]
    Asked,
    /// It was asked, and this is what came out.
    #[codec(index = 1)]
    Told(Answer),
    /// When it read that there is no word, the job was near its end.
    #[codec(index = 2)]
    Closing,
}

/// Why a member does not certify what follows from a task without a referee's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnrefereedFault {
    /// It was not asked.
    #[error(
        "the log says that no referee can be had for task {task}, and this masternode was not asked"
    )]
    NotAsked {
        /// The task.
        task: TaskIndex,
    },
    /// It was asked, and computed something else than is accepted.
    #[error(
        "the log says that no referee can be had for task {task}, of which this masternode gave its word, and another answer came out here"
    )]
    Contradicted {
        /// The task.
        task: TaskIndex,
    },
}

/// A task without a referee's word, and the answer that was accepted, if one was.
pub type Unrefereed = (TaskIndex, Option<Answer>);

/// Whether a member may certify what follows from a task, by what it saw; of a job in which several referees have
/// to say the same, or one is enough.
pub fn check_unrefereed(
    (task, accepted): Unrefereed,
    seen: Option<Asking>,
    are_several: bool,
) -> Result<(), UnrefereedFault> {
    match (seen, accepted) {
        (None, _) => Err(UnrefereedFault::NotAsked { task }),
        (Some(Asking::Asked | Asking::Closing), _) => Ok(()),
        (Some(Asking::Told(own)), Some(accepted)) if own == accepted => Ok(()),
        // Its word alone is not enough, and others may have said something else, or nothing.
        (Some(Asking::Told(_)), None) if are_several => Ok(()),
        (Some(Asking::Told(_)), _) => Err(UnrefereedFault::Contradicted { task }),
    }
}

/// Whether a job is so near its end at a height that nobody is asked any more.
pub fn is_closing(job: &Job, at: BlockNumber) -> bool {
    let last = match job.state {
        JobState::Cancelling { until, .. } => until,
        _ => job.submission.deadline,
    };
    at.saturating_add(CLOSING_BLOCKS) >= last
}

/// Those of a log, in batches and in none yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct WithoutReferee {
    open: BTreeMap<TaskIndex, Option<Answer>>,
    batched: BTreeMap<BatchSequence, Vec<Unrefereed>>,
}

impl WithoutReferee {
    pub(crate) fn note(&mut self, task: TaskIndex) {
        self.open.insert(task, None);
    }

    /// A task has its verdict.
    pub(crate) fn judge(&mut self, task: TaskIndex, answer: Answer) {
        if let Some(accepted) = self.open.get_mut(&task) {
            *accepted = Some(answer);
        }
    }

    /// These tasks are in a batch.
    pub(crate) fn batch(
        &mut self,
        sequence: BatchSequence,
        tasks: impl IntoIterator<Item = TaskIndex>,
    ) {
        let own = tasks.into_iter().filter_map(|task| {
            let accepted = self.open.remove(&task)?;
            Some((task, accepted))
        });
        let own: Vec<_> = own.collect();
        if !own.is_empty() {
            self.batched.insert(sequence, own);
        }
    }

    pub(crate) fn of_batch(&self, sequence: BatchSequence) -> &[Unrefereed] {
        self.batched.get(&sequence).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn of_task(&self, task: TaskIndex) -> Option<Unrefereed> {
        self.open.get(&task).map(|accepted| (task, *accepted))
    }
}
