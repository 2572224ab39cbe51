//! A group as a picture.

use super::{case::TASKS_PER_DEVICE, distribution::Group, summary::Summary};
use quern_chart::{Axis, Chart, ChartError, Limit, Point, Scale, Series};

/// How much of the room between two levels of faults the policies of one take.
const GROUP_WIDTH: f64 = 0.7;

/// The policies side by side at each level of faults.
pub(super) fn svg(group: &Group) -> Result<String, ChartError> {
    let equal = match group.kind.conditions().task_spread > 0.0 {
        true => "uneven",
        false => "equal",
    };
    let levels = &group.faults;
    let gaps = levels.windows(2).map(|pair| pair[1] - pair[0]);
    let gap = f64::from(gaps.min().unwrap_or(1));
    let last = group.rows.len().saturating_sub(1).max(1) as f64;
    let series = group.rows.iter().enumerate().map(|(index, row)| {
        let aside = GROUP_WIDTH * gap * (index as f64 / last - 0.5);
        let point = |(level, cell): (&u32, &Summary)| Point {
            x: f64::from(*level) + aside,
            y: cell.mean,
            spread: Some((cell.best, cell.worst)),
        };
        Series {
            name: row.policy.into(),
            points: levels.iter().zip(&row.cells).map(point).collect(),
        }
    });
    let tasks = format!("{TASKS_PER_DEVICE} {equal} tasks for each device");
    let bars = "means, with bars from the best to the worst run";
    let subtitle = match group.kind.conditions().devices_differ {
        false => format!("{tasks}; {bars}"),
        true => format!("{tasks}, which differ in everything and stall at times; {bars}"),
    };
    let chart = Chart {
        title: format!("How long a job takes: {}", group.title()),
        subtitle,
        x: Axis {
            title: "executions that go wrong, in percent of all".into(),
            scale: Scale::Linear,
            floor: None,
            label: |percent| format!("{} %", rounded(percent)),
        },
        y: Axis {
            title: "makespan in multiples of the fluid bound (logarithmic)".into(),
            scale: Scale::Log,
            floor: None,
            label: |times| format!("{} ×", rounded(times)),
        },
        series: series.collect(),
        limit: Some(Limit {
            y: 1.0,
            label: vec!["the fluid".into(), "bound".into()],
        }),
        marks: vec![],
    };
    chart.svg()
}

/// Without what binary fractions add.
fn rounded(value: f64) -> String {
    // A zero of either sign is one zero.
    format!("{}", (value * 1e6).round() / 1e6 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{case::GridKind, distribution::Row};

    #[test]
    fn a_picture_names_every_policy_also_at_a_single_level_of_faults() {
        let summary = Summary {
            runs: 3,
            mean: 1.5,
            deviation: 0.1,
            best: 1.25,
            worst: 12.0,
            executions_per_task: 1.0,
            asked_again_per_task: 0.0,
        };
        for faults in [vec![5], vec![0, 5, 20]] {
            let row = |policy| Row {
                policy,
                cells: vec![summary; faults.len()],
                ratios: vec![],
            };
            let group = Group {
                devices: 10_000,
                kind: GridKind::Lifelike,
                rows: vec![row("default"), row("random")],
                faults: faults.clone(),
            };
            let svg = svg(&group).unwrap();
            for words in ["10,000 devices", "default", "random", "the fluid", "5 %"] {
                assert!(svg.contains(words), "{words} at {faults:?}");
            }
        }
    }
}
