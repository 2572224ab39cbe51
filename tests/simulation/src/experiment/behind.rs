//! Whether the default is worth its trouble: nowhere behind the best of the simpler policies, nor behind
//! one with pools.

use super::{
    distribution::{DEFAULT, Group},
    losses::{Longer, PUBLISHED},
};
use std::fmt;

/// The policies with pools, as contestants are called.
pub(super) const POOLED: [&str; 2] = [PUBLISHED, "merged pools, backups"];

/// Of another policy's makespan the default may take so much at the most, in each column: of the mean of
/// the best simpler one; and of that of one with pools, where the runs tell them apart.
const RATIO_MAX: f64 = 1.02;

/// In some columns of the tables the default takes longer than it may. Everything is written by then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the default takes more than {most} times what another policy takes: {}; all is written down, and \
     what the scheduler does is to be mended, or another default chosen",
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
    /// Than which policy it takes longer.
    other: &'static str,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            grid,
            faults_percent,
            ratio,
            other,
        } = self;
        write!(
            f,
            "{ratio:.3} times what {other} takes with {grid} and {faults_percent} % faults"
        )
    }
}

fn in_words(columns: &[Column]) -> String {
    let all: Vec<String> = columns.iter().map(Column::to_string).collect();
    all.join(", ")
}

/// Fails if the default is behind in any column of any grid.
pub(super) fn check(groups: &[Group]) -> Result<(), BehindError> {
    let columns: Vec<Column> = groups.iter().flat_map(behind_in).collect();
    match columns.is_empty() {
        true => Ok(()),
        false => Err(BehindError { columns }),
    }
}

/// Where the default is behind on one grid.
fn behind_in(group: &Group) -> Vec<Column> {
    let mut columns = Vec::new();
    for (column, faults_percent) in group.faults.iter().enumerate() {
        let best = group.to_best_simpler(column);
        let best = best.filter(|ratio| {
            // What is no number is not within it.
            let is_within = *ratio <= RATIO_MAX;
            !is_within
        });
        let best = best.map(|ratio| (ratio, "the best simpler policy"));
        let pooled = POOLED
            .into_iter()
            .filter_map(|other| Some((longer_than(group, other, column)?, other)));
        columns.extend(best.into_iter().chain(pooled).map(|(ratio, other)| Column {
            grid: group.title(),
            faults_percent: *faults_percent,
            ratio,
            other,
        }));
    }
    columns
}

/// How many times as long as another policy the default takes on average, run by run; none where that is
/// as much as it may, or may be chance.
fn longer_than(group: &Group, other: &str, column: usize) -> Option<f64> {
    let of = |policy| group.ratios(policy)?.get(column);
    let longer = Longer::of(of(DEFAULT)?, of(other)?);
    let ratio = 1.0 + longer.mean / 100.0;
    (longer.is_loss() && ratio > RATIO_MAX).then_some(ratio)
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

    fn group_of(rows: Vec<Row>) -> Group {
        Group {
            devices: 1_000,
            kind: GridKind::Alike,
            faults: vec![0, 20],
            rows,
        }
    }

    fn group(default: [f64; 2]) -> Group {
        group_of(vec![
            row("default", default),
            row("random", [3.0, 3.0]),
            row("one plain queue", [2.0, 4.0]),
        ])
    }

    #[test]
    fn a_column_in_which_the_default_is_more_than_two_percent_behind_is_named() {
        assert_eq!(check(&[group([2.03, 3.05])]), Ok(()));
        assert_eq!(check(&[]), Ok(()));
        let error = check(&[group([2.0, 3.0]), group([2.05, 3.09])]).unwrap_err();
        let words = error.to_string();
        for told in [
            "more than 1.02 times",
            ": 1.025 times what the best simpler policy takes with 1,000 devices and 0 % faults, 1.030 \
             times what the best simpler policy takes with 1,000 devices and 20 % faults;",
        ] {
            assert!(words.contains(told), "{words}");
        }
        assert_eq!(error.columns.len(), 2);
    }

    #[test]
    fn so_is_one_in_which_pools_are_faster_in_nearly_every_run() {
        let runs = |policy, ratios: [[f64; 3]; 2]| Row {
            policy,
            cells: vec![],
            ratios: ratios.map(Vec::from).to_vec(),
        };
        let merged = |ratios| {
            let default = runs("default", [[1.1, 1.2, 1.3], [1.5, 1.5, 1.5]]);
            check(&[group_of(vec![default, runs(POOLED[1], ratios)])])
        };
        // Within two percent, and more in one run that is less in another.
        assert_eq!(
            merged([[1.09, 1.19, 1.29], [1.2, 1.5, 1.6]]),
            Ok(()),
            "these cannot be told apart"
        );
        let error = merged([[1.0, 1.1, 1.2], [1.5, 1.5, 1.5]]).unwrap_err();
        let words = error.to_string();
        let told =
            ": 1.091 times what merged pools, backups takes with 1,000 devices and 0 % faults;";
        assert!(words.contains(told), "{words}");
    }
}
