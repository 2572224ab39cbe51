//! Whether the default is worth its trouble: nowhere behind the best of the simpler policies, close to the
//! fluid bound where devices differ in speed alone, and never as far behind the best of all as another policy
//! is at its worst.

use super::{
    case::GridKind,
    distribution::{DEFAULT, Group},
};
use std::fmt;

/// Of the mean of the best simpler policy the default may take so much at the most, in each column.
const RATIO_MAX: f64 = 1.02;

/// The column in which the default is held to the fluid bound: with so many devices that differ in speed alone
/// and so many percent of faults.
const BOUND_DEVICES: u32 = 1_000;
const BOUND_FAULTS_PERCENT: u32 = 5;

/// Of the fluid bound the default may take so much at the most there.
const BOUND_RATIO_MAX: f64 = 1.10;

/// In some columns of the tables the default takes longer than it may, or another policy would be the
/// better default. Everything is written by then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum BehindError {
    #[error(
        "the default takes more than {most} times what the best simpler policy takes: {}; all is written \
         down, and what the scheduler does is to be mended, or another default chosen",
        in_words(.columns),
        most = RATIO_MAX
    )]
    Simpler { columns: Vec<Column> },
    #[error(
        "the default takes {ratio:.3} times the fluid bound where devices differ in speed alone and \
         {BOUND_FAULTS_PERCENT} % of executions go wrong, and not {BOUND_RATIO_MAX:.2} at the most; all is \
         written down, and what the scheduler does is to be mended"
    )]
    Bound { ratio: f64 },
    #[error(
        "{} takes {} at the worst, the default {}; all is written down, and what the scheduler does is to \
         be mended, or another default chosen",
        .other.policy, .other.column, .default.column
    )]
    Another {
        default: Box<Worst>,
        other: Box<Worst>,
    },
}

/// A column, and how many times as long as the best of it a policy takes there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
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
            "{ratio:.3} times as long as the best with {grid} and {faults_percent} % faults"
        )
    }
}

fn in_words(columns: &[Column]) -> String {
    let all: Vec<String> = columns.iter().map(Column::to_string).collect();
    all.join(", ")
}

/// The column in which a policy is furthest behind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Worst {
    policy: &'static str,
    column: Column,
}

/// Fails if the default is behind the simpler ones in any column of any grid, too far above the fluid bound
/// where it is held to that, or another policy is never as far behind as the default is at its worst.
pub(super) fn check(groups: &[Group]) -> Result<(), BehindError> {
    let columns: Vec<Column> = groups.iter().flat_map(behind_in).collect();
    if !columns.is_empty() {
        return Err(BehindError::Simpler { columns });
    }
    if let Some(ratio) = groups.iter().find_map(above_bound) {
        return Err(BehindError::Bound { ratio });
    }
    let all = worst_of(groups);
    let Some(default) = all.iter().find(|it| it.policy == DEFAULT) else {
        return Ok(());
    };
    let is_less = |it: &&Worst| it.column.ratio < default.column.ratio;
    match all.iter().find(is_less) {
        None => Ok(()),
        Some(other) => Err(BehindError::Another {
            default: Box::new(default.clone()),
            other: Box::new(other.clone()),
        }),
    }
}

/// How many times the fluid bound the default takes on one grid, if it is held to that there and takes more.
fn above_bound(group: &Group) -> Option<f64> {
    if (group.devices, group.kind) != (BOUND_DEVICES, GridKind::Alike) {
        return None;
    }
    let mut columns = group.columns();
    let (column, _) = columns.find(|(_, faults)| *faults == BOUND_FAULTS_PERCENT)?;
    let ratio = group.mean(DEFAULT, column)?;
    // What is no number is not within it.
    let is_within = ratio <= BOUND_RATIO_MAX;
    (!is_within).then_some(ratio)
}

/// Where the default is behind the simpler ones on one grid.
fn behind_in(group: &Group) -> Vec<Column> {
    let columns = group.columns().filter_map(|(column, faults_percent)| {
        let ratio = group.to_best_simpler(DEFAULT, column)?;
        // What is no number is not within it.
        let is_within = ratio <= RATIO_MAX;
        (!is_within).then(|| Column {
            grid: group.title(),
            faults_percent,
            ratio,
        })
    });
    columns.collect()
}

/// Where each policy is furthest behind the best of a column, the best default first.
fn worst_of(groups: &[Group]) -> Vec<Worst> {
    let policies = groups.first().into_iter().flat_map(Group::policies);
    let mut all: Vec<Worst> = policies
        .filter_map(|policy| worst_column(groups, policy))
        .collect();
    all.sort_by(|a, b| a.column.ratio.total_cmp(&b.column.ratio));
    all
}

fn worst_column(groups: &[Group], policy: &'static str) -> Option<Worst> {
    let columns = groups.iter().flat_map(|group| {
        let of_column = move |(column, faults_percent)| Column {
            grid: group.title(),
            faults_percent,
            ratio: group.to_best(policy, column).unwrap_or(f64::INFINITY),
        };
        group.columns().map(of_column)
    });
    let column = columns.max_by(|a, b| a.ratio.total_cmp(&b.ratio))?;
    Some(Worst { policy, column })
}

/// How far behind the simpler ones, and behind all, each policy is at the worst, in a table.
pub(super) fn table(groups: &[Group]) -> String {
    let mut text = "| policy | times the best simpler one | times the shortest | where |\n\
                    | --- | ---: | ---: | --- |\n"
        .to_owned();
    for Worst { policy, column } in worst_of(groups) {
        let Column {
            grid,
            faults_percent,
            ratio,
        } = column;
        let to_simpler = worst_to_simpler(groups, policy);
        let to_simpler = to_simpler.map_or(String::new(), |ratio| format!("{ratio:.3}"));
        text.push_str(&format!(
            "| {policy} | {to_simpler} | {ratio:.3} | {grid}, {faults_percent} % faults |\n"
        ));
    }
    text
}

/// How many times as long as the best simpler policy of a column one takes at the most; none if they
/// nowhere ran beside each other.
fn worst_to_simpler(groups: &[Group], policy: &str) -> Option<f64> {
    let of_group = |group: &Group| {
        let columns = group.columns();
        let ratios = columns.filter_map(|(column, _)| group.to_best_simpler(policy, column));
        ratios.reduce(f64::max)
    };
    groups.iter().filter_map(of_group).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{distribution::Row, summary::Summary};

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
            ": 1.025 times as long as the best with 1,000 devices and 0 % faults, 1.030 times as long as \
             the best with 1,000 devices and 20 % faults;",
        ] {
            assert!(words.contains(told), "{words}");
        }
        let BehindError::Simpler { columns } = error else {
            panic!("{error:?}");
        };
        assert_eq!(columns.len(), 2);
    }

    #[test]
    fn a_default_that_takes_more_than_its_part_of_the_bound_is_told_where_devices_differ_in_speed_alone()
     {
        let with = |ratio: f64| {
            let rows = vec![row("default", [1.0, ratio]), row("random", [9.0, 9.0])];
            Group {
                faults: vec![0, 5],
                ..group_of(rows)
            }
        };
        assert_eq!(check(&[with(1.1)]), Ok(()));
        let words = check(&[with(1.101)]).unwrap_err().to_string();
        assert!(
            words.starts_with("the default takes 1.101 times the fluid bound"),
            "{words}"
        );
        assert!(words.contains("and not 1.10 at the most"), "{words}");
        // Elsewhere no policy is as near to it.
        let elsewhere = |change: fn(&mut Group)| {
            let mut group = with(3.0);
            change(&mut group);
            check(&[group])
        };
        assert_eq!(elsewhere(|it| it.kind = GridKind::Lifelike), Ok(()));
        assert_eq!(elsewhere(|it| it.devices = 10_000), Ok(()));
        assert_eq!(elsewhere(|it| it.faults = vec![0, 20]), Ok(()));
    }

    #[test]
    fn so_is_a_policy_that_is_never_as_far_behind_as_the_default_at_its_worst() {
        let with_pools = |default, pools| {
            let rows = vec![
                row("default", default),
                row("pools", pools),
                row("random", [9.0, 9.0]),
            ];
            [group_of(rows)]
        };
        // Each is behind in one column, and pools are further behind.
        let groups = with_pools([1.04, 1.0], [1.0, 1.2]);
        assert_eq!(check(&groups), Ok(()));
        assert_eq!(
            table(&groups),
            "| policy | times the best simpler one | times the shortest | where |\n\
             | --- | ---: | ---: | --- |\n\
             | default | 0.116 | 1.040 | 1,000 devices, 0 % faults |\n\
             | pools | 0.133 | 1.200 | 1,000 devices, 20 % faults |\n\
             | random | 1.000 | 9.000 | 1,000 devices, 20 % faults |\n"
        );
        let words = check(&with_pools([1.3, 1.0], [1.0, 1.2])).unwrap_err();
        let words = words.to_string();
        let told = "pools takes 1.200 times as long as the best with 1,000 devices and 20 % faults at the \
                    worst, the default 1.300 times as long as the best with 1,000 devices and 0 % faults;";
        assert!(words.contains(told), "{words}");
        // Who did not run somewhere is no default.
        let mut groups = with_pools([1.3, 1.0], [1.0, 1.2]).to_vec();
        groups.push(group([1.0, 1.0]));
        assert_eq!(check(&groups), Ok(()));
    }
}
