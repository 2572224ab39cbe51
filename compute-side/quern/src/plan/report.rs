//! What a plan answers.

use super::{PlanInputError, complement, curve::tabled};
use crate::{
    job::asked_in_words,
    output::{Output, fields, table},
    units::{counted, grouped},
};
use quern_grid::replication::{CurvePoint, DeviceGroup, FailureProbability, Plan};
use quern_primitives::{device::Class, job::Preferences};
use serde::{Serialize, Serializer};
use std::{fmt, path::PathBuf};

/// What holds for every P here.
pub(super) const ASSUMPTIONS: &str = "\
P is the probability that some task fails on all of its devices. It holds if devices fail as often
as given and independently of each other, the most reliable of them serve this job, and no two
replicas of a task are on devices of one account.";

/// What goes beside that for the devices of a grid.
const LIVE_IN_WORDS: &str = "\
The devices are taken to fail as often as they had a fault in their last 20 tasks; those that had
none, with half of the least share above zero: one task in 40. They take tasks as they ask for them,
so that the most reliable serve the job is what there is at best.";

/// A plan and the curve it is on.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    tasks: u64,
    /// None if there is any number of them.
    devices: Option<u64>,
    /// None if the replicas were given.
    accepted_failure: Option<Failure>,
    /// Replicas for each task on average, r.
    factor: f64,
    replicas: u64,
    failure: Failure,
    devices_at_work: u64,
    tasks_per_device_max: u64,
    /// Replicas that a task can have.
    factor_max: u64,
    /// What they reach.
    least_failure: Failure,
    curve: Vec<Row>,
    svg: Option<PathBuf>,
    /// Whose devices they are; none if they were given.
    live: Option<Live>,
}

/// The grid that was planned with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Live {
    /// The masternode whose devices they are.
    pub(super) masternode: String,
    /// Of how many it is the one that is worst for the job.
    pub(super) masternodes: usize,
    /// What the job asks of devices.
    pub(super) preferences: Preferences,
    /// The class that they compute.
    pub(super) class: Class,
}

impl Live {
    /// What the job asks for, in words; nothing if any device will do.
    fn asks_in_words(&self) -> Option<String> {
        let class = match self.class {
            Class::Pinned => None,
            Class::Portable => Some("of the class portable".to_owned()),
        };
        let parts = asked_in_words(&self.preferences).into_iter().chain(class);
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// A point of the curve.
#[derive(Debug, Serialize)]
struct Row {
    factor: f64,
    replicas: u64,
    failure: Failure,
}

/// A failure probability: in percent for people, a plain number in JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure(pub(super) FailureProbability);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.get())
    }
}

/// What a number of replicas achieves.
pub(super) fn planned(
    plan: &Plan,
    replicas: u64,
    accepted: Option<FailureProbability>,
    points: Option<u64>,
) -> Result<Planned, PlanInputError> {
    let devices = plan.fleet().devices();
    Ok(Planned {
        tasks: plan.tasks(),
        devices: (devices < DeviceGroup::ANY_NUMBER).then_some(devices),
        accepted_failure: accepted.map(Failure),
        factor: plan.factor(replicas),
        replicas,
        failure: Failure(plan.failure(replicas)?),
        devices_at_work: replicas.min(devices),
        tasks_per_device_max: replicas.div_ceil(devices),
        factor_max: plan.factor_max(),
        least_failure: Failure(plan.least_failure()),
        curve: tabled(plan, replicas, points)?
            .into_iter()
            .map(row)
            .collect(),
        svg: None,
        live: None,
    })
}

fn row(point: CurvePoint) -> Row {
    let CurvePoint {
        factor,
        replicas,
        failure,
    } = point;
    Row {
        factor,
        replicas,
        failure: Failure(failure),
    }
}

impl Planned {
    /// The same, with the picture that was made of it.
    pub(super) fn saved_as(self, svg: Option<PathBuf>) -> Self {
        Self { svg, ..self }
    }

    /// The same, with the grid that it was planned with.
    pub(super) fn of_grid(self, live: Option<Live>) -> Self {
        Self { live, ..self }
    }

    fn accepted_in_words(&self) -> Option<String> {
        let accepted = self.accepted_failure?;
        let confidence = complement(accepted.0).map(|it| format!(", a confidence of {it}"));
        Some(format!("{accepted}{}", confidence.unwrap_or_default()))
    }

    fn curve_in_words(&self) -> String {
        let rows = self.curve.iter().map(|row| {
            let mark = match (row.replicas == self.replicas, self.accepted_failure) {
                (true, Some(accepted)) => format!("← the least r with at most {accepted}"),
                (true, None) => "← as asked".into(),
                (false, _) => String::new(),
            };
            vec![
                factor_in_words(row.replicas, self.tasks),
                grouped(row.replicas),
                row.failure.to_string(),
                mark,
            ]
        });
        table(&["r", ">replicas", ">P(r)", ""], &rows.collect::<Vec<_>>())
    }
}

impl Output for Planned {
    fn people(&self) -> String {
        let devices = match self.devices {
            Some(devices) => grouped(devices),
            None => "any number".into(),
        };
        let at_work = match self.tasks_per_device_max {
            0 | 1 => format!("{}, each with one task", grouped(self.devices_at_work)),
            most => format!("all, each with up to {}", counted(most, "task")),
        };
        let mut pairs = vec![
            ("tasks", grouped(self.tasks)),
            ("devices", devices),
            ("r", factor_in_words(self.replicas, self.tasks)),
            ("replicas", grouped(self.replicas)),
            ("P(r)", self.failure.to_string()),
            ("devices at work", at_work),
            (
                "least P",
                format!("{}, with r = {}", self.least_failure, self.factor_max),
            ),
        ];
        if let Some(accepted) = self.accepted_in_words() {
            pairs.insert(2, ("accepted P", accepted));
        }
        if let Some(live) = &self.live {
            if let Some(asks) = live.asks_in_words() {
                pairs.insert(2, ("asked for", asks));
            }
            let at = match live.masternodes {
                1 => live.masternode.clone(),
                several => format!("{}, the worst of {several}", live.masternode),
            };
            pairs.insert(2, ("ranked at", at));
        }
        let mut parts = vec![fields(&pairs), self.curve_in_words(), ASSUMPTIONS.into()];
        if self.live.is_some() {
            parts.push(LIVE_IN_WORDS.into());
        }
        if let Some(svg) = &self.svg {
            parts.push(format!("✓ the curve is in {}", svg.display()));
        }
        parts.join("\n\n")
    }
}

/// The devices of a plan, counted.
pub(super) fn devices_in_words(plan: &Plan) -> String {
    match plan.fleet().devices() {
        DeviceGroup::ANY_NUMBER.. => "any number of devices".into(),
        devices => counted(devices, "device"),
    }
}

/// The replicas for each task in decimals, rounded up so far behind the point that the same number
/// of replicas follows from it.
pub(crate) fn factor_in_words(replicas: u64, tasks: u64) -> String {
    let mut places = 0;
    let mut scale = 1u128;
    // A step of the last place is then less than one replica, unless it all goes up evenly.
    while scale < tasks.into() && !(u128::from(replicas) * scale).is_multiple_of(tasks.into()) {
        places += 1;
        scale *= 10;
    }
    let scaled = (u128::from(replicas) * scale).div_ceil(u128::from(tasks).max(1));
    let (whole, part) = (scaled / scale, scaled % scale);
    match places {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:0places$}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_grid::replication::Fleet;

    fn p(value: f64) -> FailureProbability {
        FailureProbability::new(value).unwrap()
    }

    #[test]
    fn a_plan_says_r_replicas_and_what_they_achieve() {
        let plan = Plan::new(10_000, Fleet::alike(p(0.000_5)), 15).unwrap();
        let planned = planned(&plan, 19_985, Some(p(0.01)), None).unwrap();
        let text = planned.people();
        for words in [
            "1.9985",
            "19,985",
            "accepted P       1 %, a confidence of 99 %",
            "any number",
            "each with one task",
            "← the least r with at most 1 %",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        let json = serde_json::to_value(&planned).unwrap();
        assert_eq!(json["factor"], 1.9985);
        assert_eq!(json["accepted_failure"], 0.01);
        assert_eq!(json["devices"], serde_json::Value::Null);
        assert_eq!(json["curve"][0]["replicas"], 10_000);
    }

    #[test]
    fn devices_with_several_tasks_are_said_to_have_them() {
        let group = DeviceGroup {
            devices: 10,
            failure: p(0.1),
        };
        let plan = Plan::new(100, Fleet::of_groups([group]).unwrap(), 15).unwrap();
        let text = planned(&plan, 205, None, None).unwrap().people();
        assert!(text.contains("all, each with up to 21 tasks"), "{text}");
        assert!(
            text.contains("← as asked") && text.contains("with r = 10"),
            "{text}"
        );
    }

    #[test]
    fn r_has_as_many_decimals_as_tell_one_replica_from_the_next() {
        for (replicas, tasks, text) in [
            (19_985, 10_000, "1.9985"),
            (20_000, 10_000, "2"),
            (4, 3, "1.4"),
            (24_810, 5_000, "4.962"),
            (7, 1, "7"),
        ] {
            assert_eq!(factor_in_words(replicas, tasks), text);
        }
    }

    proptest! {
        #[test]
        fn r_as_it_is_written_means_the_same_replicas(
            tasks in 1u64..2_000_000,
            share in 0.0..=1.0f64,
        ) {
            let plan = Plan::new(tasks, Fleet::alike(p(0.1)), 15).unwrap();
            let replicas = tasks + (tasks as f64 * 14.0 * share) as u64;
            let written: f64 = factor_in_words(replicas, tasks).parse().unwrap();
            // What is rounded up beyond the most there can be is no number of replicas.
            prop_assume!(written <= 15.0);
            prop_assert_eq!(plan.replicas(written), Ok(replicas));
        }
    }
}
