//! What an owner is told of accepted answers that were found to be wrong, from the notes beside a job's log.

use super::{Log, Outcome};
use crate::core::{Note, OutputPlace, REFEREE_REPLICA, name_of};
use quern_jobs_api::{ApiError, Correction, TaskResult, Word};
use quern_primitives::TaskIndex;

impl Outcome {
    /// The corrections in the order in which they were found, from the one at `first` on, counted from 0, at
    /// most `most`. Each has the word of who found it, and no other.
    pub(crate) fn corrections(
        &self,
        log: &impl Log,
        first: u32,
        most: usize,
    ) -> Result<Vec<Correction>, ApiError> {
        let numbers = self.contradicted.iter().skip(first as usize).take(most);
        let mut corrections = Vec::new();
        for number in numbers {
            // All of them are there: it was read before, and none is ever taken away.
            if let Some(note) = log.note(*number)? {
                corrections.extend(correction(&note));
            }
        }
        Ok(corrections)
    }

    /// The right result of a task whose accepted answer was found to be wrong, and where it is.
    pub(crate) fn corrected(
        &self,
        log: &impl Log,
        task: TaskIndex,
    ) -> Result<(TaskResult, OutputPlace), ApiError> {
        // The last that was found, where a task was settled again.
        for number in self.contradicted.iter().rev() {
            let Some(note) = log.note(*number)? else {
                continue;
            };
            if let Note::Contradicted { task: of, .. } = &note
                && *of == task
            {
                return right(&note).ok_or(ApiError::NotCorrected { task });
            }
        }
        Err(ApiError::NotCorrected { task })
    }
}

/// What a note says, as an owner is told it.
fn correction(note: &Note) -> Option<Correction> {
    let Note::Contradicted {
        task,
        accepted,
        report,
        node,
        receipts,
        ..
    } = note
    else {
        return None;
    };
    Some(Correction {
        task: *task,
        accepted: *accepted,
        devices: receipts.iter().map(|(device, _)| *device).collect(),
        words: vec![Word {
            node: *node,
            report: *report,
        }],
        result: right(note).map(|(result, _)| result),
    })
}

/// The result that a note says is kept, and where.
fn right(note: &Note) -> Option<(TaskResult, OutputPlace)> {
    let Note::Contradicted {
        task,
        report,
        node,
        kept: Some(kept),
        ..
    } = note
    else {
        return None;
    };
    let answer = &report.payload.answer;
    let result = TaskResult {
        task: *task,
        replica: REFEREE_REPLICA,
        device: name_of(node),
        result_bytes: answer.result_bytes,
        sealed_bytes: kept.output.bytes(),
        output_root: kept.output_root,
        result_commitment: answer.result_commitment,
    };
    Some((result, kept.output))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        core::{Entry, KeptResult, Noted},
        receipts::Position,
    };
    use quern_primitives::{
        DeviceId, Digest, GenesisHash, JobId,
        log::RefereeReport,
        payload::NodeSecret,
        receipt::{Answer, Exit},
    };

    const GENESIS: GenesisHash = GenesisHash([9; 32]);

    /// A log of which only the notes are asked for.
    struct Notes(Vec<Noted>);

    impl Log for Notes {
        fn entry(&self, _: Position) -> Result<Option<Entry>, ApiError> {
            Ok(None)
        }

        fn block(&self, _: u32) -> Result<Option<Vec<(Position, Entry)>>, ApiError> {
            Ok(None)
        }

        fn notes(&self, from: u64) -> Result<Vec<Noted>, ApiError> {
            Ok(self.0.iter().skip(from as usize).cloned().collect())
        }

        fn note(&self, number: u64) -> Result<Option<Note>, ApiError> {
            let noted = self.0.get(number as usize);
            Ok(noted.map(|noted| noted.note.clone()))
        }
    }

    fn answer(result: u8, exit: Exit) -> Answer {
        Answer {
            result_commitment: Digest([result; 32]),
            result_bytes: 5,
            fuel: 6,
            exit,
        }
    }

    fn node() -> NodeSecret {
        NodeSecret::from_seed(&[4; 32])
    }

    /// Answer 1 was accepted of a task, and this one comes out.
    fn contradicted(task: TaskIndex, found: Answer) -> Note {
        let report = RefereeReport {
            job: JobId([1; 32]),
            task,
            question: Digest([46; 32]),
            answer: found,
        };
        Note::Contradicted {
            task,
            accepted: answer(1, Exit::Success),
            report: node().sign(report, &GENESIS),
            node: node().public(),
            kept: (found.exit == Exit::Success).then_some(KeptResult {
                output_root: Digest([6; 32]),
                output: OutputPlace::File { bytes: 221 },
            }),
            receipts: vec![(DeviceId([8; 32]), Digest([7; 32]))],
        }
    }

    /// What is told beside these notes.
    fn outcome(notes: impl IntoIterator<Item = Note>) -> (Outcome, Notes) {
        let noted = (0..).zip(notes).map(|(number, note)| Noted {
            behind: 0,
            number,
            note,
        });
        let (mut outcome, log) = (Outcome::default(), Notes(noted.collect()));
        outcome.catch_up(&log).unwrap();
        (outcome, log)
    }

    fn other_note() -> Note {
        Note::Sealed {
            task: 2,
            output_root: Digest([0; 32]),
            output: OutputPlace::Inline { bytes: 1 },
        }
    }

    #[test]
    fn an_owner_is_told_who_was_wrong_on_whose_word_and_where_the_right_result_is() {
        let found = answer(2, Exit::Success);
        let (outcome, log) = outcome([other_note(), contradicted(3, found)]);
        let told = outcome.corrections(&log, 0, 9).unwrap();
        let [correction] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(
            (correction.task, &correction.devices[..]),
            (3, &[DeviceId([8; 32])][..])
        );
        assert_eq!(correction.accepted, answer(1, Exit::Success));
        let [word] = &correction.words[..] else {
            panic!("{correction:?}");
        };
        assert!(word.report.is_signed_by(&word.node, &GENESIS));
        let result = correction.result.clone().unwrap();
        assert_eq!(result.result_commitment, found.result_commitment);
        assert_eq!(
            (result.device, result.replica),
            (name_of(&word.node), REFEREE_REPLICA)
        );
        let place = OutputPlace::File { bytes: 221 };
        assert_eq!(outcome.corrected(&log, 3), Ok((result, place)));
    }

    #[test]
    fn corrections_are_told_from_a_number_on_and_of_other_tasks_there_is_none() {
        let found = answer(2, Exit::Success);
        let notes = [contradicted(3, found), other_note(), contradicted(0, found)];
        let (outcome, log) = outcome(notes);
        let tasks = |first, most| -> Vec<TaskIndex> {
            let told = outcome.corrections(&log, first, most).unwrap();
            told.iter().map(|it| it.task).collect()
        };
        assert_eq!(tasks(0, 9), [3, 0]);
        assert_eq!(tasks(0, 1), [3]);
        assert_eq!(tasks(1, 9), [0]);
        assert_eq!(tasks(2, 9), [] as [TaskIndex; 0]);
        let none = ApiError::NotCorrected { task: 2 };
        assert_eq!(outcome.corrected(&log, 2), Err(none));
    }

    #[test]
    fn of_a_program_that_fails_there_is_a_correction_and_no_result() {
        let (outcome, log) = outcome([contradicted(3, answer(2, Exit::Trap))]);
        let told = outcome.corrections(&log, 0, 9).unwrap();
        assert_eq!(told[0].result, None);
        let none = ApiError::NotCorrected { task: 3 };
        assert_eq!(outcome.corrected(&log, 3), Err(none));
    }
}
