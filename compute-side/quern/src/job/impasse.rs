//! Why a job ended that could not go on.
//!
//! The chain has one word for a task without a majority and for one whose input opens on no device. Which
//! of the two it was, and so what the owner has to mend, the job's coordinator knows as long as it keeps
//! anything of the job.

use super::status::{exit_in_words, state_in_words};
use quern_jobs_api::{Impasse, Trouble};
use quern_ledger::Chain;
use quern_owner::Coordinator;
use quern_primitives::{
    JobId,
    job::{JobEnd, JobState},
};

/// Why a job could not go on, of one that is over for that, if its coordinator still tells.
pub(crate) async fn impasse_of(chain: &Chain, job: JobId, state: &JobState) -> Option<Impasse> {
    let Some(JobEnd::Undecided { .. }) = state.end() else {
        return None;
    };
    let coordinator = Coordinator::of(chain, job).await.ok()?;
    coordinator.status().await.ok()?.impasse
}

/// What is wrong with the task, and what its owner has to do.
pub(crate) fn in_words(impasse: &Impasse) -> String {
    let task = impasse.task;
    match impasse.why {
        Trouble::ProgramFails { exit } => format!(
            "the devices agree that the program fails at task {task} ({}); mend that, and submit it as a new job",
            exit_in_words(&exit)
        ),
        Trouble::Undecided => format!(
            "no answer to task {task} has a majority, however many devices are asked; see to it that the program gives the same output each time, and submit it as a new job"
        ),
        Trouble::Unopened => format!(
            "the input of task {task} opens on no device, because what was uploaded does not belong to the job's key; prepare it anew and submit it as a new job: `quern job submit`"
        ),
        Trouble::Other => format!(
            "task {task} cannot be settled, for a reason that this version of quern does not know; update it"
        ),
    }
}

/// A job's state in words, with what its coordinator knows of its end beyond the chain.
pub(crate) fn end_in_words(state: &JobState, impasse: Option<&Impasse>) -> String {
    match (state.end(), impasse) {
        (Some(JobEnd::Undecided { .. }), Some(impasse)) if state.is_open() => format!(
            "settling: {}. What was settled is paid when it is final, and the rest goes back then",
            in_words(impasse)
        ),
        (Some(JobEnd::Undecided { .. }), Some(impasse)) => format!(
            "completed: {}. What was settled is paid, the rest is back",
            in_words(impasse)
        ),
        _ => state_in_words(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::receipt::Exit;

    #[test]
    fn each_impasse_names_its_task_and_says_what_to_do() {
        let exit = Exit::OutOfFuel;
        for (why, words) in [
            (Trouble::ProgramFails { exit }, "raise --fuel"),
            (Trouble::Undecided, "the same output each time"),
            (Trouble::Unopened, "quern job submit"),
            (Trouble::Other, "update it"),
        ] {
            let text = in_words(&Impasse { task: 3, why });
            assert!(text.contains("task 3") && text.contains(words), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_job_is_told_as_exactly_as_it_is_known() {
        let (task, why) = (3, Trouble::Unopened);
        let unopened = Impasse { task, why };
        let end = JobEnd::Undecided { task };
        let state = JobState::Completed { end };
        let known = end_in_words(&state, Some(&unopened));
        assert!(
            known.starts_with("completed: the input of task 3"),
            "{known}"
        );
        assert!(!known.contains("majority"), "{known}");
        let unknown = end_in_words(&state, None);
        assert!(unknown.contains("majority") && unknown.contains("input"));
        // What the chain says is not said otherwise by a coordinator.
        let done = JobState::Completed {
            end: JobEnd::AllSettled,
        };
        assert_eq!(end_in_words(&done, Some(&unopened)), state_in_words(&done));
    }
}
