//! Whether the default is worth its trouble: nowhere behind the best of the simpler policies.

use super::distribution::Group;
use std::fmt;

/// Of the best simpler policy's mean makespan the default may take so much at the most, in each column.
const RATIO_MAX: f64 = 1.02;

/// In some columns of the tables the default takes longer than it may. Everything is written by then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the default takes more than {most} times what the best simpler policy takes: {}; all is written \
     down, and what the scheduler does is to be mended, or another default chosen",
    in_words(.columns),
    most = RATIO_MAX
)]
pub(super) struct BehindError {
    columns: Vec<Column>,
}

/// A column in which the default takes longer than it may.
#[derive(Clone, Debug, PartialEq)]
struct Column {
    grid: String,
    faults_percent: u32,
    ratio: f64,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            grid,
            faults_percent,
            ratio,
        } = self;
        write!(
            f,
            "{ratio:.3} times with {grid} and {faults_percent} % faults"
        )
    }
}

fn in_words(columns: &[Column]) -> String {
    let all: Vec<String> = columns.iter().map(Column::to_string).collect();
    all.join(", ")
}

/// Fails if the default is behind in any column of any grid.
pub(super) fn check(groups: &[Group]) -> Result<(), BehindError> {
    let columns = groups.iter().flat_map(|group| {
        let levels = group.faults.iter().enumerate();
        levels.filter_map(move |(column, faults_percent)| {
            let ratio = group.to_best_simpler(column)?;
            // What is no number is not within it.
            let is_within = ratio <= RATIO_MAX;
            (!is_within).then(|| Column {
                grid: group.title(),
                faults_percent: *faults_percent,
                ratio,
            })
        })
    });
    let columns: Vec<Column> = columns.collect();
    match columns.is_empty() {
        true => Ok(()),
        false => Err(BehindError { columns }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{case::GridKind, distribution::Row, summary::Summary};

    fn row(policy: &'static str, means: [f64; 2]) -> Row {
        Row {
            policy,
            cells: means.map(Summary::of_three).to_vec(),
            ratios: vec![],
        }
    }

    fn group(default: [f64; 2]) -> Group {
        let rows = vec![
            row("default", default),
            row("random", [3.0, 3.0]),
            row("one plain queue", [2.0, 4.0]),
            row("pools as published", [1.0, 1.0]),
        ];
        Group {
            devices: 1_000,
            kind: GridKind::Alike,
            faults: vec![0, 20],
            rows,
        }
    }

    #[test]
    fn a_column_in_which_the_default_is_more_than_two_percent_behind_is_named() {
        assert_eq!(check(&[group([2.03, 3.05])]), Ok(()));
        assert_eq!(check(&[]), Ok(()));
        let error = check(&[group([2.0, 3.0]), group([2.05, 3.09])]).unwrap_err();
        let words = error.to_string();
        for told in [
            "more than 1.02 times",
            ": 1.025 times with 1,000 devices and 0 % faults, 1.030 times with 1,000 devices and 20 % \
             faults;",
        ] {
            assert!(words.contains(told), "{words}");
        }
        assert_eq!(error.columns.len(), 2);
    }
}
