//! What is told of accepted answers that a job's masternodes found to be wrong.

use crate::{
    output::patiently,
    units::{counted, counted_as, grouped},
};
use quern_ledger::Chain;
use quern_owner::{CorrectError, Corrected, Corrections, FolderError, JobFolder, Outcome, correct};
use quern_primitives::JobId;
use serde::Serialize;

/// Tasks that people are told of one by one.
const TOLD_MAX: usize = 8;

/// What came of asking for them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Asked {
    /// What the masternodes say, and what was replaced; none if they could not be asked.
    corrections: Option<Corrections>,
    /// Why not.
    uncorrected: Option<String>,
}

impl Asked {
    /// Replaces what was found to be wrong of the results in a job's folder. With `waits` it goes on until all
    /// that was drawn of the job is computed again, or the job is closed.
    pub(super) async fn of(
        chain: &Chain,
        folder: &JobFolder,
        waits: bool,
    ) -> Result<Self, FolderError> {
        let asked = correct(chain, folder, waits);
        let what = "waiting for settled tasks to be computed again";
        match patiently(what, asked).await {
            Ok(corrections) => Ok(Self {
                corrections: Some(corrections),
                uncorrected: None,
            }),
            Err(CorrectError::Folder(error)) => Err(error),
            // The accepted results are here, whether or not anybody says more of them.
            Err(error) => Ok(Self {
                corrections: None,
                uncorrected: Some(format!("{:#}", anyhow::Error::from(error))),
            }),
        }
    }

    /// Whether any result is another one now.
    pub(super) fn has_replaced(&self) -> bool {
        let corrections = self.corrections.as_ref();
        corrections.is_some_and(Corrections::has_replaced)
    }

    /// For people, a line each; none if there is nothing to say.
    pub(crate) fn lines(&self, job: JobId) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.uncorrected {
            lines.push(format!(
                "! it is not known whether a masternode found an accepted answer to be wrong: {why}"
            ));
        }
        let Some(told) = &self.corrections else {
            return lines;
        };
        let some = told.corrected.iter().take(TOLD_MAX);
        lines.extend(some.map(|it| corrected_in_words(it, told.masternodes)));
        if let Some(more @ 1..) = told.corrected.len().checked_sub(TOLD_MAX) {
            lines.push(format!(
                "! and of {} more; --json names each",
                grouped(more)
            ));
        }
        if !told.corrected.is_empty() {
            lines.push(format!(
                "what was paid for a wrong answer stays paid; `quern audit job {job} --re-execute N` shows who is right, where the shards were kept"
            ));
        }
        if let Some(first) = told.not_believed.first() {
            lines.push(format!(
                "! {} not believed, and changed nothing; the first is masternode {}'s, of task {}: {}",
                counted_as(told.not_believed.len(), "correction is", "corrections are"),
                first.told_by,
                first.task,
                first.why
            ));
        }
        if !told.unheard.is_empty() {
            let unheard: Vec<_> = told.unheard.iter().map(ToString::to_string).collect();
            lines.push(format!(
                "! of the job's {} {} did not say whether it found an accepted answer to be wrong: {}; `quern job result {job}` asks again",
                in_words(told.masternodes),
                unheard.len(),
                unheard.join(", ")
            ));
        }
        if told.may_come {
            lines.push(format!(
                "settled tasks are still being computed again; `quern job result {job}` asks again whether an answer was wrong"
            ));
        }
        lines
    }
}

/// So many masternodes.
fn in_words(masternodes: usize) -> String {
    counted(masternodes, "masternode")
}

/// What became of a task whose accepted answer is wrong, and on whose word.
fn corrected_in_words(corrected: &Corrected, masternodes: usize) -> String {
    let outcome = match &corrected.outcome {
        Outcome::Replaced {
            replaced: Some(replaced),
        } => format!(
            "its result is replaced, and the accepted one is in {}",
            replaced.display()
        ),
        Outcome::Replaced { replaced: None } => "its result is replaced".to_owned(),
        Outcome::Same => "its result is the same, and differs in the fuel alone".to_owned(),
        Outcome::Missing => {
            "the masternode had no room for the right result, so the accepted one stays".to_owned()
        }
        Outcome::Fails { exit } => format!(
            "the program fails on it ({}), so the accepted result stays",
            super::status::exit_in_words(exit)
        ),
    };
    let by: Vec<_> = corrected
        .on_word_of
        .iter()
        .map(ToString::to_string)
        .collect();
    let devices: Vec<_> = corrected.devices.iter().map(ToString::to_string).collect();
    format!(
        "! the accepted answer to task {} is wrong, on the word of {} of the job's {} ({}): {outcome}; devices that gave it: {}",
        corrected.task,
        corrected.on_word_of.len(),
        in_words(masternodes),
        by.join(", "),
        devices.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_owner::{NotBelieved, Refused};
    use quern_primitives::{
        AccountId, DeviceId, Digest, TaskIndex,
        receipt::{Answer, Exit},
    };

    const JOB: JobId = JobId([2; 32]);

    fn corrected(task: TaskIndex, outcome: Outcome) -> Corrected {
        Corrected {
            task,
            outcome,
            devices: vec![DeviceId([5; 32]), DeviceId([6; 32])],
            on_word_of: vec![AccountId::new([1; 32])],
            answer: Answer {
                result_commitment: Digest([1; 32]),
                result_bytes: 2,
                fuel: 3,
                exit: Exit::Success,
            },
        }
    }

    fn asked(corrections: Corrections) -> Asked {
        Asked {
            corrections: Some(corrections),
            uncorrected: None,
        }
    }

    fn lines(outcome: Outcome) -> Vec<String> {
        let corrections = Corrections {
            corrected: vec![corrected(3, outcome)],
            masternodes: 4,
            ..Corrections::default()
        };
        asked(corrections).lines(JOB)
    }

    #[test]
    fn an_owner_is_told_what_was_replaced_on_whose_word_and_where_the_accepted_result_is() {
        let replaced = Some("jobs/02/replaced/3".into());
        let told = lines(Outcome::Replaced { replaced });
        let words = told.join("\n");
        let by = AccountId::new([1; 32]).to_string();
        let device = DeviceId([6; 32]).to_string();
        for word in [
            "! the accepted answer to task 3 is wrong, on the word of 1 of the job's 4 masternodes",
            by.as_str(),
            "the accepted one is in jobs/02/replaced/3",
            device.as_str(),
            "what was paid for a wrong answer stays paid; `quern audit job 0x02",
        ] {
            assert!(words.contains(word), "{word}: {words}");
        }
        let exit = Exit::Trap;
        let words = lines(Outcome::Fails { exit }).join("\n");
        assert!(
            words.contains("(it traps), so the accepted result stays"),
            "{words}"
        );
    }

    #[test]
    fn where_all_was_computed_again_and_nothing_was_wrong_nothing_is_said() {
        assert!(Asked::default().lines(JOB).is_empty());
        assert!(asked(Corrections::default()).lines(JOB).is_empty());
    }

    #[test]
    fn an_owner_is_told_what_is_not_known_and_what_is_not_believed() {
        let unknown = Asked {
            corrections: None,
            uncorrected: Some("the node is silent".into()),
        };
        let words = unknown.lines(JOB).join("\n");
        assert!(
            words.contains("not known") && words.contains("the node is silent"),
            "{words}"
        );
        let refused = Refused {
            task: 7,
            told_by: AccountId::new([1; 32]),
            why: NotBelieved::NoWord,
        };
        let corrections = Corrections {
            not_believed: vec![refused],
            may_come: true,
            ..Corrections::default()
        };
        let words = asked(corrections).lines(JOB).join("\n");
        assert!(words.contains("! 1 correction is not believed"), "{words}");
        assert!(
            words.contains("of task 7: it tells nobody's word"),
            "{words}"
        );
        assert!(words.contains("still being computed again"), "{words}");
        let unheard = Corrections {
            unheard: vec![AccountId::new([1; 32])],
            masternodes: 3,
            may_come: true,
            ..Corrections::default()
        };
        let words = asked(unheard).lines(JOB).join("\n");
        let by = AccountId::new([1; 32]).to_string();
        for word in [
            "of the job's 3 masternodes 1 did not say whether",
            by.as_str(),
            "still being computed again",
        ] {
            assert!(words.contains(word), "{word}: {words}");
        }
    }

    #[test]
    fn of_many_tasks_some_are_named_and_the_others_counted() {
        let corrections = Corrections {
            corrected: (0..20).map(|task| corrected(task, Outcome::Same)).collect(),
            ..Corrections::default()
        };
        let told = asked(corrections).lines(JOB);
        assert_eq!(told.len(), TOLD_MAX + 2);
        assert_eq!(told[TOLD_MAX], "! and of 12 more; --json names each");
    }
}
