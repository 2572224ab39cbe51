//! The curve P(r), in a table and as a picture.

use super::{
    PlanInputError,
    report::{devices_in_words, factor_in_words},
};
use crate::units::counted;
use quern_chart::{Axis, Chart, ChartError, Limit, Mark, Point, Scale, Series};
use quern_grid::replication::{CurveError, CurvePoint, FailureProbability, Plan};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Points of a drawn curve, about; its kinks at whole numbers of r are always among them.
const DRAWN_POINTS: u64 = 400;

/// How far below what is accepted a picture goes on.
const DEPTH: f64 = 1e-3;

/// A picture of curves.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    /// What was planned, in a line.
    pub(super) subtitle: String,
    /// The curves with their names.
    pub(super) curves: Vec<(String, Vec<CurvePoint>)>,
    pub(super) accepted: Option<FailureProbability>,
    /// What was chosen, on the first curve, and how many replicas that is, in words.
    pub(super) chosen: CurvePoint,
    pub(super) chosen_factor: String,
}

/// A picture is not saved.
#[derive(Debug, thiserror::Error)]
pub(super) enum SavePictureError {
    /// It cannot be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// It cannot be written.
    #[error("cannot write the picture to {path}; name a file in a folder that you may write to")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Where a curve ends that shall show this number of replicas and what follows: at a whole number
/// of r behind it, not before 3.
pub(super) fn end(plan: &Plan, replicas: u64) -> u64 {
    let behind = replicas.div_ceil(plan.tasks()) + 1;
    behind.max(3).min(plan.factor_max()) * plan.tasks()
}

/// The points of a table, with the chosen number of replicas among them.
pub(super) fn tabled(
    plan: &Plan,
    replicas: u64,
    points: Option<u64>,
) -> Result<Vec<CurvePoint>, CurveError> {
    let (from, to) = (plan.tasks(), end(plan, replicas));
    let whole = to / plan.tasks() - 1;
    let in_each = match whole {
        0..=3 => 4,
        4..=6 => 2,
        _ => 1,
    };
    let points = points.unwrap_or((whole * in_each + 1).max(2));
    let mut curve = plan.curve(from, to, points)?;
    curve.extend(plan.curve(replicas, replicas, 2)?);
    curve.sort_by_key(|point| point.replicas);
    curve.dedup_by_key(|point| point.replicas);
    Ok(curve)
}

/// The points of a picture.
fn drawn(plan: &Plan, replicas: u64) -> Result<Vec<CurvePoint>, CurveError> {
    let (first, last) = (1, end(plan, replicas) / plan.tasks());
    let in_each = (DRAWN_POINTS / (last - first).max(1)).max(2);
    let mut curve = plan.curve(replicas, replicas, 2)?;
    for whole in first..last {
        let (from, to) = (whole * plan.tasks(), (whole + 1) * plan.tasks());
        curve.extend(plan.curve(from, to, in_each)?);
    }
    curve.sort_by_key(|point| point.replicas);
    curve.dedup_by_key(|point| point.replicas);
    Ok(curve)
}

impl Picture {
    /// The picture of a plan and what was chosen.
    pub(super) fn of_plan(
        plan: &Plan,
        replicas: u64,
        accepted: Option<FailureProbability>,
    ) -> Result<Self, PlanInputError> {
        let groups: Vec<_> = plan.fleet().groups().collect();
        let (tasks, devices) = (counted(plan.tasks(), "task"), devices_in_words(plan));
        let which = match groups.as_slice() {
            [alike] => format!("{devices} that fail with {} each", alike.failure),
            several => format!(
                "{devices} with {} different failure probabilities",
                several.len()
            ),
        };
        Ok(Self {
            subtitle: format!("{tasks} on {which}"),
            curves: vec![("P(r)".into(), drawn(plan, replicas)?)],
            accepted,
            chosen: CurvePoint {
                replicas,
                factor: plan.factor(replicas),
                failure: plan.failure(replicas)?,
            },
            chosen_factor: factor_in_words(replicas, plan.tasks()),
        })
    }

    /// Writes the picture to a file.
    pub(super) fn save(&self, path: &Path) -> Result<(), SavePictureError> {
        let svg = self.chart().svg()?;
        fs::write(path, svg).map_err(|source| SavePictureError::Write {
            path: path.to_owned(),
            source,
        })
    }

    fn chart(&self) -> Chart {
        let series = self.curves.iter().map(|(name, curve)| Series {
            name: name.clone(),
            points: curve.iter().map(point).collect(),
        });
        let lowest = self.accepted.unwrap_or(self.chosen.failure);
        let replicas = counted(self.chosen.replicas, "replica");
        Chart {
            title: "Probability that some task fails on all of its devices".into(),
            subtitle: self.subtitle.clone(),
            x: Axis {
                title: "r, replicas for each task on average".into(),
                scale: Scale::Linear,
                floor: None,
                label: |factor| format!("{}", (factor * 1e6).round() / 1e6),
            },
            y: Axis {
                title: "P(r), logarithmic".into(),
                scale: Scale::Log,
                floor: Some(lowest.get() * DEPTH).filter(|&floor| floor > 0.0),
                label: |failure| match FailureProbability::new(failure) {
                    Ok(failure) => failure.to_string(),
                    Err(_) => String::new(),
                },
            },
            series: series.collect(),
            limit: self.accepted.map(|accepted| Limit {
                y: accepted.get(),
                label: vec!["accepted".into(), accepted.to_string()],
            }),
            marks: vec![Mark {
                series: 0,
                x: self.chosen.factor,
                y: self.chosen.failure.get(),
                label: vec![
                    format!("r = {}", self.chosen_factor),
                    format!("{replicas}, P = {}", self.chosen.failure),
                ],
            }],
        }
    }
}

fn point(point: &CurvePoint) -> Point {
    Point {
        x: point.factor,
        y: point.failure.get(),
        spread: None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_grid::replication::Fleet;

    fn plan(tasks: u64, failure: f64) -> Plan {
        let fleet = Fleet::alike(FailureProbability::new(failure).unwrap());
        Plan::new(tasks, fleet, 15).unwrap()
    }

    #[test]
    fn a_table_has_round_numbers_and_what_was_chosen() {
        let curve = tabled(&plan(10_000, 0.000_5), 19_985, None).unwrap();
        let factors: Vec<_> = curve.iter().map(|point| point.factor).collect();
        assert_eq!(
            factors,
            [1.0, 1.25, 1.5, 1.75, 1.9985, 2.0, 2.25, 2.5, 2.75, 3.0]
        );
        let curve = tabled(&plan(10_000, 0.000_5), 19_985, Some(3)).unwrap();
        assert_eq!(curve.len(), 4);
        assert!(tabled(&plan(10, 0.1), 10, Some(1)).is_err());
        assert_eq!(tabled(&plan(1, 0.1), 15, None).unwrap().len(), 15);
    }

    #[test]
    fn a_picture_shows_what_was_chosen_and_what_is_accepted() {
        let accepted = FailureProbability::new(0.01).unwrap();
        let plan = plan(10_000, 0.000_5);
        let picture = Picture::of_plan(&plan, 19_985, Some(accepted)).unwrap();
        let svg = picture.chart().svg().unwrap();
        for words in ["r = 1.9985", "19,985 replicas", "accepted", "10,000 tasks"] {
            assert!(svg.contains(words), "{words}");
        }
    }

    #[test]
    fn curves_that_never_or_always_fail_are_drawn_or_said_to_be_empty() {
        let picture = |failure| {
            let plan = plan(10, failure);
            Picture::of_plan(&plan, 10, None).unwrap().chart().svg()
        };
        assert!(matches!(picture(0.0), Err(ChartError::Empty)));
        assert!(picture(1.0).is_ok());
    }
}
