//! What a condition of a grid costs that no setting of the scheduler changes.

use super::{
    case::{Case, in_a_column},
    summary::{Summary, mean_and_deviation},
    thousands,
};
use quern_simulation::makespan::Outcome;

/// Something that may be the matter with a grid.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// As files have it.
    pub(super) name: &'static str,
    /// What stands over it.
    pub(super) heading: &'static str,
    /// What has to be known of it.
    pub(super) words: &'static str,
    /// The runs without it and those with it, as many and with the same seeds in the same order.
    pub(super) cases: [Vec<Case>; 2],
}

impl Condition {
    pub(super) fn cases(&self) -> Vec<Case> {
        self.cases.iter().flatten().cloned().collect()
    }

    /// What came of each of [`Condition::cases`], apart without it and with it.
    fn apart<'a>(&self, outcomes: &'a [Outcome]) -> [&'a [Outcome]; 2] {
        let without = self.cases.first().map_or(0, Vec::len);
        let (without, with) = outcomes.split_at(without.min(outcomes.len()));
        [without, with]
    }

    /// What it costs, by what came of [`Condition::cases`].
    pub(super) fn in_words(&self, outcomes: &[Outcome]) -> String {
        let [without, with] = self.apart(outcomes);
        let pairs = without.iter().zip(with);
        let times: Vec<f64> = pairs
            .map(|(without, with)| with.ratio() / without.ratio())
            .collect();
        let (mean, deviation) = mean_and_deviation(&times);
        let mut text = format!(
            "### {}\n\n{} A job takes {mean:.3} ± {deviation:.3} times as long in the second row as in the \
             first.\n\n\
             | grid | makespan | executions for each task |\n| --- | ---: | ---: |\n",
            self.heading, self.words,
        );
        for (cases, outcomes) in self.cases.iter().zip([without, with]) {
            let Some(case) = cases.first() else {
                continue;
            };
            let summary = Summary::of(outcomes);
            let (devices, kind) = (thousands(case.devices.into()), case.kind.in_words());
            let (makespan, executions) = (summary.in_words(), summary.executions_per_task);
            text.push_str(&format!(
                "| {devices} devices{kind} | {makespan} | {executions:.3} |\n"
            ));
        }
        text.push('\n');
        text
    }

    /// A line without it and one with it, in the columns of the sweeps: instead of two settings how many
    /// devices there are and whether it is so, and nothing of what is best.
    pub(super) fn lines(&self, outcomes: &[Outcome]) -> String {
        let mut text = String::new();
        let both = self.cases.iter().zip(self.apart(outcomes));
        for (is_so, (cases, outcomes)) in (0u8..).zip(both) {
            let devices = cases.first().map_or(0, |case| case.devices);
            let Summary {
                runs,
                mean,
                executions_per_task,
                asked_again_per_task,
                ..
            } = Summary::of(outcomes);
            let name = in_a_column(self.name);
            text.push_str(&format!("{name},{devices},{is_so},{runs},{mean:.6},"));
            text.push_str(&format!(
                "{executions_per_task:.6},{asked_again_per_task:.6},,\n"
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::case::{GridKind, TASK_S};
    use quern_simulation::makespan::Contestant;

    #[test]
    fn a_condition_is_told_by_how_much_longer_runs_of_the_same_luck_take() {
        let case = |kind, seed| Case {
            devices: 1_020,
            faults_percent: 0,
            kind,
            task_s: TASK_S,
            policy: "default".into(),
            contestant: Contestant::Random,
            seed,
        };
        let cases = |kind| [0, 1].map(|seed| case(kind, seed)).to_vec();
        let condition = Condition {
            name: "one large account",
            heading: "One account",
            words: "It is so.",
            cases: [cases(GridKind::Thrice), cases(GridKind::Firm)],
        };
        let outcome = |makespan_s| Outcome {
            makespan_s,
            bound_s: 10.0,
            executions_per_task: 3.0,
            asked_again_per_task: 0.0,
            history: 0,
        };
        // Three halves in either pair, though the pairs differ.
        let outcomes = [20.0, 40.0, 30.0, 60.0].map(outcome);
        let text = condition.in_words(&outcomes);
        for words in [
            "### One account\n\nIt is so. A job takes 1.500 ± 0.000 times as long in the second row",
            "| 1,020 devices, each of an account of its own | 3.000 ± 1.414 (4.000) | 3.000 |",
            "| 1,020 devices, half of them of one account | 4.500 ± 2.121 (6.000) | 3.000 |",
        ] {
            assert!(text.contains(words), "{text}");
        }
        let lines = "one-large-account,1020,0,2,3.000000,3.000000,0.000000,,\n\
                     one-large-account,1020,1,2,4.500000,3.000000,0.000000,,\n";
        assert_eq!(condition.lines(&outcomes), lines);
    }
}
