//! Where the published design loses to something simpler.
//!
//! All policies run on the same grids with the same luck, so they are compared run by run.

use super::{
    distribution::{DEFAULT, Group, SIMPLER},
    summary::{mean_and_deviation, standard_errors},
};

/// What the published design is called as a contestant.
pub(super) const PUBLISHED: &str = "pools as published";

/// How much longer a policy takes than another one, run by run, in percent of the other's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Longer {
    pub(super) mean: f64,
    /// As many standard errors of the mean as two policies must differ by.
    errors: f64,
}

impl Longer {
    pub(super) fn of(policy: &[f64], other: &[f64]) -> Self {
        let pairs = policy.iter().zip(other);
        let percents: Vec<f64> = pairs
            .map(|(mine, its)| 100.0 * (mine / its - 1.0))
            .collect();
        Self {
            mean: mean_and_deviation(&percents).0,
            errors: standard_errors(&percents),
        }
    }

    /// Whether it takes longer by more than chance may make of it.
    pub(super) fn is_loss(self) -> bool {
        self.mean > self.errors
    }

    fn in_words(self) -> String {
        let words = format!("{:+.1} ± {:.1} %", self.mean, self.errors);
        match self.is_loss() {
            true => format!("**{words}**"),
            false => words,
        }
    }
}

/// What was found, in a table and in sentences; nothing where the published design did not run.
pub(super) fn in_words(groups: &[Group]) -> String {
    let others: Vec<&str> = SIMPLER.into_iter().chain([DEFAULT]).collect();
    let mut lost = vec![0; others.len()];
    let (mut rows, mut levels, mut runs) = (String::new(), 0, 0);
    for group in groups {
        let Some(published) = group.ratios(PUBLISHED) else {
            continue;
        };
        for (column, (percent, mine)) in group.faults.iter().zip(published).enumerate() {
            levels += 1;
            runs = runs.max(mine.len());
            rows.push_str(&format!("| {} | {percent} % |", group.title()));
            for (other, lost) in others.iter().zip(&mut lost) {
                let its = group.ratios(other).and_then(|levels| levels.get(column));
                let Some(longer) = its.map(|its| Longer::of(mine, its)) else {
                    rows.push_str(" – |");
                    continue;
                };
                *lost += usize::from(longer.is_loss());
                rows.push_str(&format!(" {} |", longer.in_words()));
            }
            rows.push('\n');
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let counts: Vec<String> = others
        .iter()
        .zip(&lost)
        .map(|(other, lost)| format!("to *{other}* on {lost}"))
        .collect();
    let counts = counts.join(", ");
    let (heads, rules) = (others.join(" | "), " ---: |".repeat(others.len()));
    format!(
        "How much longer {PUBLISHED} take than a simpler policy, in percent of its makespan: the mean \
         of {runs} runs ± two standard errors. In bold where they lose: where they take longer by \
         more than that.\n\n| grid | faults | {heads} |\n| --- | ---: |{rules}\n{rows}\nOf {levels} \
         grids and levels of faults they lose {counts}.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{case::GridKind, distribution::Row};

    fn group(rows: &[(&'static str, [f64; 3])]) -> Group {
        let row = |(policy, ratios): &(&'static str, [f64; 3])| Row {
            policy,
            cells: vec![],
            ratios: vec![ratios.to_vec()],
        };
        Group {
            devices: 1_000,
            kind: GridKind::Alike,
            faults: vec![5],
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn the_published_design_loses_where_it_takes_longer_in_nearly_every_run() {
        let rows = [
            (PUBLISHED, [2.0, 3.0, 4.0]),
            ("default", [1.0, 1.5, 2.0]),
            ("one plain queue", [2.0, 2.9, 4.1]),
            ("random", [4.0, 6.0, 8.0]),
        ];
        let words = in_words(&[group(&rows)]);
        let row =
            "| 1,000 devices | 5 % | +0.3 ± 3.4 % | -50.0 ± 0.0 % | – | **+100.0 ± 0.0 %** |\n";
        assert!(words.contains(row), "{words}");
        let counts = "Of 1 grids and levels of faults they lose to *one plain queue* on 0, to *random* \
                      on 0, to *equal split* on 0, to *default* on 1.\n";
        assert!(words.ends_with(counts), "{words}");
        assert!(words.contains("the mean of 3 runs"), "{words}");
    }

    #[test]
    fn nothing_is_said_where_it_did_not_run() {
        assert_eq!(in_words(&[group(&[("random", [1.0; 3])])]), "");
        assert_eq!(in_words(&[]), "");
    }
}
