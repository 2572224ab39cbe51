//! What keeps a task waiting, and where its replicas are.

use super::first_line;
use crate::{
    context::Context,
    grid::words,
    output::{Output, fields, patiently, table},
};
use quern_jobs_api::{
    JobsApiClient as _, ReplicaExplanation, ReplicaStage, TaskExplanation, TaskStage,
};
use quern_owner::{ApiFailure, Masternode};
use quern_primitives::{JobId, TaskIndex};
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Explained(TaskExplanation);

pub(super) async fn run(
    context: &Context,
    masternode: &Masternode,
    job: JobId,
    task: TaskIndex,
) -> anyhow::Result<()> {
    let asked = patiently(
        "asking the scheduler",
        masternode.client().explain_task(job, task),
    );
    context.show(&Explained(asked.await.map_err(ApiFailure::from)?))
}

impl Output for Explained {
    fn people(&self) -> String {
        let explanation = &self.0;
        let stage = match explanation.stage {
            TaskStage::Untouched => "no replica of it was given out yet",
            TaskStage::Open => "it has no verdict yet",
            TaskStage::Closed => "it has its verdict",
        };
        let mut parts = vec![
            first_line(explanation.reasons.first(), || {
                format!("waits for nothing: {stage}")
            }),
            fields(&[
                ("job", explanation.job.to_string()),
                ("task", explanation.task.to_string()),
                ("stage", stage.to_owned()),
            ]),
        ];
        if !explanation.replicas.is_empty() {
            let rows: Vec<_> = explanation.replicas.iter().map(row).collect();
            parts.push(table(&["replica", "stage", "for", "due", "device"], &rows));
        }
        if !explanation.reasons.is_empty() {
            parts.push(words::reasons(&explanation.reasons));
        }
        parts.join("\n\n")
    }
}

/// Where a replica is, in columns.
fn row(replica: &ReplicaExplanation) -> Vec<String> {
    let nothing = String::new;
    let mut row = vec![replica.replica.to_string()];
    row.extend(match replica.state {
        ReplicaStage::Open { pool, since_s } => [
            format!("open in pool {pool}"),
            words::span(since_s),
            nothing(),
            nothing(),
        ],
        ReplicaStage::Running {
            device,
            since_s,
            due_in_s,
            backup,
        } => [
            if backup { "backup" } else { "running" }.to_owned(),
            words::span(since_s),
            match u64::try_from(due_in_s) {
                Ok(left) => format!("in {}", words::span(left)),
                Err(_) => format!("{} ago", words::span(due_in_s.unsigned_abs())),
            },
            device.to_string(),
        ],
        ReplicaStage::Answered { device } => [
            "answered".to_owned(),
            nothing(),
            nothing(),
            device.to_string(),
        ],
        ReplicaStage::Resting => [
            "rests: it could not be handed out".to_owned(),
            nothing(),
            nothing(),
            nothing(),
        ],
    });
    row
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_jobs_api::Reason;
    use quern_primitives::DeviceId;

    fn explained(stage: TaskStage, reasons: Vec<Reason>) -> Explained {
        let replica = |replica, state| ReplicaExplanation { replica, state };
        let running = |due_in_s, backup| ReplicaStage::Running {
            device: DeviceId([2; 32]),
            since_s: 40,
            due_in_s,
            backup,
        };
        let open = ReplicaStage::Open {
            pool: 2,
            since_s: 130,
        };
        let device = DeviceId([5; 32]);
        Explained(TaskExplanation {
            job: JobId([1; 32]),
            task: 6,
            stage,
            replicas: vec![
                replica(0, open),
                replica(1, running(20, false)),
                replica(2, running(-5, true)),
                replica(3, ReplicaStage::Answered { device }),
            ],
            reasons,
        })
    }

    #[test]
    fn each_replica_says_where_it_is_and_when_it_is_due() {
        let reason = Reason {
            rule: "other_lane".into(),
            words: "the open replicas are drawn for other accounts".into(),
            devices: None,
        };
        let explained = explained(TaskStage::Open, vec![reason]);
        let text = explained.people();
        assert!(
            text.starts_with("waits: the open replicas are drawn"),
            "{text}"
        );
        for words in [
            "0        open in pool 2  2 min 10 s",
            "1        running         40 s        in 20 s  0x0202",
            "2        backup          40 s        5 s ago",
            "3        answered",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        let json = serde_json::to_value(&explained).unwrap();
        assert_eq!(json["replicas"][1]["stage"], "running");
        assert_eq!(json["task"], 6);
    }

    #[test]
    fn a_task_with_its_verdict_waits_for_nothing() {
        let text = explained(TaskStage::Closed, vec![]).people();
        assert!(
            text.starts_with("waits for nothing: it has its verdict"),
            "{text}"
        );
    }
}
