//! What is kept of a job: the lines of its log, which anybody may read, and notes beside them, which
//! nobody else does.
//!
//! The log says everything that decides about money, and a restart takes that from nowhere else. A note
//! holds what must survive too and is not for everybody, or proves nothing to anybody: that a device is
//! believed alone, which it must not know while it computes; where the referee's result lies, or why there
//! is none; that an answer which was settled came out otherwise here, and where the owner finds what did. No
//! fact is in both.

use super::NoReferee;
use codec::{Decode, Encode};
use quern_primitives::{
    ids::{DeviceId, Digest, NodeKey, ReplicaIndex, TaskIndex},
    log::SignedRefereeReport,
    receipt::Answer,
};

pub use quern_joblog::{End, Entry, OutputPlace, RefereeWord, ReleaseCause};

/// What a restart has to know of a job beside its log.
// Those that are large are few.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Note {
    /// The device that was just given a replica is believed alone.
    #[codec(index = 0)]
    Trusted {
        /// The task.
        task: TaskIndex,
        /// The replica.
        replica: ReplicaIndex,
        /// The device.
        device: DeviceId,
        /// How many answers of it were accepted in a row.
        accepted_in_a_row: u32,
    },
    /// Where the result is that the referee sealed, whose word comes next in the log.
    #[codec(index = 1)]
    Sealed {
        /// The task.
        task: TaskIndex,
        /// The chunk root of the sealed result.
        output_root: Digest,
        /// Where the sealed result is.
        output: OutputPlace,
    },
    /// Why there is no referee's word on a task, which the log says next.
    #[codec(index = 2)]
    Unrefereed {
        /// The task.
        task: TaskIndex,
        /// Why.
        why: NoReferee,
    },
    /// A task whose answer was accepted and settled was computed again, and another answer came out.
    #[codec(index = 3)]
    Contradicted {
        /// The task.
        task: TaskIndex,
        /// The accepted answer.
        accepted: Answer,
        /// What comes out, signed by this masternode.
        report: SignedRefereeReport,
        /// The network key that signs it.
        node: NodeKey,
        /// The result that comes out, sealed under that key's [name](name_of); none if the program fails, or
        /// there is no room for it.
        kept: Option<KeptResult>,
        /// Who gave the accepted answer, each with the digest of its receipt.
        receipts: Vec<(DeviceId, Digest)>,
    },
}

/// A sealed result that this masternode computed and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeptResult {
    /// The chunk root of the sealed result.
    pub output_root: Digest,
    /// Where the sealed result is.
    pub output: OutputPlace,
}

/// A note, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// It comes behind so many entries of the log.
    pub behind: u64,
    /// How many notes of the job come before it.
    pub number: u64,
    /// The note.
    pub note: Note,
}

/// What is kept of a job, in the order in which it was written.
// Most lines are entries.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Of the log.
    Entry(Entry),
    /// Beside it.
    Note(Note),
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        Self::Entry(entry)
    }
}

/// The log of a job with the notes beside it, both in order.
pub fn in_order(
    log: impl IntoIterator<Item = Entry>,
    notes: impl IntoIterator<Item = Noted>,
) -> impl Iterator<Item = Line> {
    let mut notes = notes.into_iter().peekable();
    let mut log = (0u64..).zip(log).peekable();
    std::iter::from_fn(move || {
        let next = log.peek().map(|(position, _)| *position);
        let is_due = |noted: &Noted| next.is_none_or(|position| noted.behind <= position);
        match notes.next_if(is_due) {
            Some(noted) => Some(Line::Note(noted.note)),
            None => log.next().map(|(_, entry)| Line::Entry(entry)),
        }
    })
}

/// Under whose name a referee seals a result: that of its masternode on the network.
pub fn name_of(referee: &NodeKey) -> DeviceId {
    DeviceId(referee.0)
}

/// Whether a device gets nothing else for a while after it lost a replica for this.
pub(super) fn pauses(cause: ReleaseCause) -> bool {
    cause.is_hand_back() || cause.is_failure()
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_where_they_were_written() {
        let entry = |first| Entry::Queued { first, tasks: 1 };
        let noted = |behind, number| Noted {
            behind,
            number,
            note: Note::Sealed {
                task: number as TaskIndex,
                output_root: Digest::default(),
                output: OutputPlace::Inline { bytes: 1 },
            },
        };
        let lines = in_order(
            (0..3).map(entry),
            [noted(0, 0), noted(2, 1), noted(2, 2), noted(3, 3)],
        );
        let told: Vec<_> = lines
            .map(|line| match line {
                Line::Entry(Entry::Queued { first, .. }) => format!("entry {first}"),
                Line::Note(Note::Sealed { task, .. }) => format!("note {task}"),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            "note 0", "entry 0", "entry 1", "note 1", "note 2", "entry 2", "note 3",
        ];
        assert_eq!(told, expected);
    }
}
