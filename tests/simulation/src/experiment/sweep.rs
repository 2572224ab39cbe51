//! Which of many settings gives the shortest makespan.
//!
//! Every setting runs on the same grids with the same luck, so two of them are compared run by run.
//! Those whose mean difference to the best is within two of its standard errors cannot be told from
//! it, and today's setting stays if it is among them.

use super::{
    case::{Case, in_a_column},
    summary::{Summary, mean_and_deviation, standard_errors},
    thousands,
};
use quern_simulation::makespan::Outcome;
use std::collections::BTreeSet;

/// What [`Found::lines`] are.
pub(super) const HEAD: &str = "sweep,first,second,runs,mean,executions_per_task,\
                               asked_again_per_task,as_good_as_the_best\n";

/// Two numbers that are set.
pub(super) type At = (u64, u64);

/// Settings to be compared.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// As files have it.
    pub(super) name: String,
    /// What stands over it.
    pub(super) heading: String,
    /// What the two numbers are called.
    pub(super) axes: [&'static str; 2],
    /// What a setting is chosen for that the makespan does not tell; then it tells only what that
    /// costs.
    pub(super) buys: Option<&'static str>,
    /// The setting of today.
    pub(super) today: At,
    /// The runs of each setting, as many for each and in the same order.
    pub(super) settings: Vec<(At, Vec<Case>)>,
}

/// What came of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Found {
    sweep: Sweep,
    /// For each setting.
    summaries: Vec<Summary>,
    /// Whether it cannot be told from the best.
    is_as_good: Vec<bool>,
    best: usize,
}

impl Sweep {
    pub(super) fn cases(&self) -> Vec<Case> {
        let all = self.settings.iter().flat_map(|(_, cases)| cases);
        all.cloned().collect()
    }

    /// Compares the settings by what came of [`Sweep::cases`]; nothing if there is nothing to compare.
    pub(super) fn compare(self, outcomes: &[Outcome]) -> Option<Found> {
        let mut rest = outcomes;
        let mut summaries = Vec::new();
        let mut ratios: Vec<Vec<f64>> = Vec::new();
        for (_, cases) in &self.settings {
            let (mine, others) = rest.split_at_checked(cases.len())?;
            rest = others;
            summaries.push(Summary::of(mine));
            ratios.push(mine.iter().map(Outcome::ratio).collect());
        }
        let means = summaries.iter().enumerate();
        let (best, _) = means.min_by(|(_, one), (_, other)| one.mean.total_cmp(&other.mean))?;
        let of_best = ratios.get(best)?;
        let is_as_good = ratios
            .iter()
            .map(|mine| is_as_good(mine, of_best))
            .collect();
        Some(Found {
            sweep: self,
            summaries,
            is_as_good,
            best,
        })
    }
}

/// Whether runs cannot be told from those of the best setting.
fn is_as_good(mine: &[f64], of_best: &[f64]) -> bool {
    let pairs = mine.iter().zip(of_best);
    let differences: Vec<f64> = pairs.map(|(mine, best)| mine - best).collect();
    mean_and_deviation(&differences).0 <= standard_errors(&differences)
}

impl Found {
    fn at(&self, setting: usize) -> At {
        self.sweep.settings[setting].0
    }

    fn in_words(&self, (first, second): At) -> String {
        let [one, other] = self.sweep.axes;
        let (first, second) = (thousands(first), thousands(second));
        format!("{one} {first} and {other} {second}")
    }

    /// The setting that the defaults should have.
    pub(super) fn chosen(&self) -> At {
        let mut settings = self.sweep.settings.iter().zip(&self.is_as_good);
        let stays = settings.any(|((at, _), is_as_good)| *at == self.sweep.today && *is_as_good);
        match stays {
            true => self.sweep.today,
            false => self.at(self.best),
        }
    }

    /// What is to be done about it.
    fn advice(&self) -> String {
        let today = self.in_words(self.sweep.today);
        if let Some(buys) = self.sweep.buys {
            let mut settings = self.sweep.settings.iter().zip(&self.summaries);
            let found = settings.find(|((at, _), _)| *at == self.sweep.today);
            let mean = found.map_or(0.0, |(_, summary)| summary.mean);
            return format!("Today's, {today}, take {mean:.4} of it, and stay: {buys}.");
        }
        match self.chosen() {
            chosen if chosen == self.sweep.today && self.at(self.best) == chosen => {
                "The best are today's settings, which stay.".to_owned()
            }
            chosen if chosen == self.sweep.today => {
                format!("Today's, {today}, are among those, and stay.")
            }
            chosen => {
                let words = self.in_words(chosen);
                format!("Today's, {today}, are not among those: set {words}.")
            }
        }
    }

    /// What was found, in sentences.
    pub(super) fn conclusion(&self) -> String {
        let best = &self.summaries[self.best];
        let others = self.is_as_good.iter().filter(|it| **it).count() - 1;
        let advice = self.advice();
        format!(
            "{} give the shortest makespan: {:.4} of the fluid bound on average over {} runs, with \
             {:.3} executions and {:.3} devices asked again for each task. {} of {} other settings \
             cannot be told from it. {advice}",
            self.in_words(self.at(self.best)),
            best.mean,
            best.runs,
            best.executions_per_task,
            best.asked_again_per_task,
            others,
            self.summaries.len() - 1,
        )
    }

    /// The mean makespan of each setting; the best in bold, and in italics those that cannot be told
    /// from it.
    pub(super) fn table(&self) -> String {
        let all = || (0..self.summaries.len()).map(|setting| self.at(setting));
        let rows: BTreeSet<u64> = all().map(|(first, _)| first).collect();
        let columns: BTreeSet<u64> = all().map(|(_, second)| second).collect();
        let [one, other] = self.sweep.axes;
        let mut text = format!("| {one} \\ {other} |");
        for column in &columns {
            text.push_str(&format!(" {} |", thousands(*column)));
        }
        text.push_str(&format!("\n| ---: |{}\n", " ---: |".repeat(columns.len())));
        for row in &rows {
            text.push_str(&format!("| {} |", thousands(*row)));
            for column in &columns {
                text.push_str(&self.cell((*row, *column)));
            }
            text.push('\n');
        }
        text
    }

    fn cell(&self, at: At) -> String {
        let Some(setting) = (0..self.summaries.len()).find(|setting| self.at(*setting) == at)
        else {
            return " – |".into();
        };
        let mean = self.summaries[setting].mean;
        match self.is_as_good[setting] {
            _ if setting == self.best => format!(" **{mean:.4}** |"),
            true => format!(" *{mean:.4}* |"),
            false => format!(" {mean:.4} |"),
        }
    }

    /// A line for each setting, for programs.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        for (setting, summary) in self.summaries.iter().enumerate() {
            let (first, second) = self.at(setting);
            let Summary {
                runs,
                mean,
                executions_per_task,
                asked_again_per_task,
                ..
            } = summary;
            let as_good = self.is_as_good[setting];
            let name = in_a_column(&self.sweep.name);
            text.push_str(&format!("{name},{first},{second},{runs},{mean:.6},"));
            text.push_str(&format!(
                "{executions_per_task:.6},{asked_again_per_task:.6},{as_good}\n"
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

    fn found(today: At, makespans: &[(At, [f64; 3])]) -> Found {
        let case = |seed| Case {
            devices: 20,
            faults_percent: 0,
            kind: GridKind::Alike,
            task_s: TASK_S,
            policy: "random".into(),
            contestant: Contestant::Random,
            seed,
        };
        let outcome = |makespan_s| Outcome {
            makespan_s,
            bound_s: 1.0,
            executions_per_task: 1.0,
            asked_again_per_task: 0.0,
            history: 0,
        };
        let outcomes = makespans.iter().flat_map(|(_, all)| all.map(outcome));
        let outcomes: Vec<Outcome> = outcomes.collect();
        let settings = makespans
            .iter()
            .map(|(at, _)| (*at, [0, 1, 2].map(case).into()));
        let sweep = Sweep {
            name: "pools".into(),
            heading: "C_min and s_min".into(),
            axes: ["C_min", "s_min"],
            buys: None,
            today,
            settings: settings.collect(),
        };
        sweep.compare(&outcomes).unwrap()
    }

    /// The second is a little worse on average, but not in every run; the third is in every run.
    const MAKESPANS: [(At, [f64; 3]); 3] = [
        ((1_000, 4), [1.0, 2.0, 3.0]),
        ((2_000, 4), [1.2, 1.9, 3.1]),
        ((2_000, 8), [1.5, 2.5, 3.6]),
    ];

    #[test]
    fn settings_are_told_apart_run_by_run_however_much_runs_differ() {
        let found = found((1_000, 4), &MAKESPANS);
        assert_eq!(found.is_as_good, [true, true, false]);
        let table = "| C_min \\ s_min | 4 | 8 |\n\
                     | ---: | ---: | ---: |\n\
                     | 1,000 | **2.0000** | – |\n\
                     | 2,000 | *2.0667* | 2.5333 |\n";
        assert_eq!(found.table(), table);
        assert_eq!(found.lines().lines().count(), 3);
    }

    #[test]
    fn today_s_setting_stays_unless_the_best_is_told_from_it() {
        let chosen = |today| found(today, &MAKESPANS).chosen();
        assert_eq!(chosen((1_000, 4)), (1_000, 4));
        assert_eq!(chosen((2_000, 4)), (2_000, 4));
        assert_eq!(chosen((2_000, 8)), (1_000, 4));
        let words = |today| found(today, &MAKESPANS).conclusion();
        assert!(words((1_000, 4)).ends_with("today's settings, which stay."));
        assert!(words((2_000, 4)).ends_with("are among those, and stay."));
        assert!(words((2_000, 8)).ends_with(": set C_min 1,000 and s_min 4."));
    }

    #[test]
    fn a_setting_that_buys_something_else_stays_and_what_it_costs_is_told() {
        let mut found = found((2_000, 8), &MAKESPANS);
        found.sweep.buys = Some("they buy safety");
        let words = found.conclusion();
        let end = "Today's, C_min 2,000 and s_min 8, take 2.5333 of it, and stay: they buy safety.";
        assert!(words.ends_with(end), "{words}");
    }

    #[test]
    fn nothing_is_compared_with_runs_that_are_missing() {
        let sweep = found((1_000, 4), &MAKESPANS).sweep;
        assert!(sweep.compare(&[]).is_none());
    }
}
