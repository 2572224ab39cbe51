//! Why a job ended that cannot go on, as its coordinator tells it.

use quern_primitives::{ids::TaskIndex, receipt::Exit};
use serde::{Deserialize, Serialize};

/// A task that cannot be settled, which ends its job. The chain is told less: it has one word for what
/// is undecided and for what opens nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impasse {
    /// The task.
    pub task: TaskIndex,
    /// What is wrong with it.
    #[serde(flatten)]
    pub why: Trouble,
}

/// What is wrong with a task that cannot be settled. In JSON its name is in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Trouble {
    /// The devices agree that the program fails on it.
    ProgramFails {
        /// How.
        exit: Exit,
    },
    /// No answer has a majority, and none would get one from as many devices as a task may have.
    Undecided,
    /// What it reads opens on no device: its input or its key is wrong.
    Unopened,
    /// Something that this version does not know by name.
    #[serde(other)]
    Other,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::tests::told;
    use serde_json::json;

    #[test]
    fn an_impasse_names_the_task_and_what_is_wrong_with_it() {
        let why = Trouble::Unopened;
        let unopened = told(&Impasse { task: 3, why });
        assert_eq!(unopened, json!({ "task": 3, "why": "unopened" }));
        let exit = Exit::Code(7);
        let fails = told(&Impasse {
            task: 0,
            why: Trouble::ProgramFails { exit },
        });
        let wanted = json!({ "task": 0, "why": "program_fails", "exit": { "code": 7 } });
        assert_eq!(fails, wanted);
    }

    #[test]
    fn what_a_later_version_calls_wrong_is_read() {
        let later = json!({ "task": 3, "why": "a_later_reason", "more": 1 });
        let later: Impasse = serde_json::from_value(later).unwrap();
        let why = Trouble::Other;
        assert_eq!(later, Impasse { task: 3, why });
    }
}
