//! Where a task and its replicas are, what keeps it waiting, and what happens next.

use super::{first_line, next};
use crate::{
    context::Context,
    grid::words,
    output::{Output, fields, patiently, table},
    units::{Size, counted, grouped},
};
use quern_jobs_api::{
    JobsApiClient as _, Lateness, ReplicaExplanation, ReplicaStage, TaskExplanation, TaskStage,
};
use quern_owner::{ApiFailure, Masternode};
use quern_primitives::{
    JobId, TaskIndex,
    amount::display,
    receipt::Exit,
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
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

impl Explained {
    /// Where the task stands.
    fn stage(&self) -> String {
        let missing = || counted(self.0.missing, "replica");
        let batch = || match self.0.batch {
            Some(batch) => format!("in batch {batch}"),
            None => "in a batch".into(),
        };
        match self.0.stage {
            TaskStage::NotUploaded => "not uploaded yet".into(),
            TaskStage::Untouched => format!("nothing is given out yet of its {}", missing()),
            TaskStage::Open => format!("before the judge, {} not answered yet", missing()),
            TaskStage::Decided => "decided, in no batch yet".into(),
            TaskStage::Batched => format!("decided, {} on its way to the chain", batch()),
            TaskStage::Settled => format!("settled {}", batch()),
            TaskStage::EndsJob => "it cannot be settled, and ends its job".into(),
        }
    }
}

impl Output for Explained {
    fn people(&self) -> String {
        let (explanation, stage) = (&self.0, self.stage());
        let mut pairs = vec![
            ("job", explanation.job.to_string()),
            ("task", explanation.task.to_string()),
            ("stage", stage.clone()),
        ];
        if explanation.verdict.is_none() {
            let bounty = display(explanation.bounty_max);
            pairs.push((
                "bounty",
                format!("{bounty} at the most, for those who agree"),
            ));
        }
        let expected = explanation.expected_ms;
        pairs.extend(expected.map(|ms| ("expected", expected_in_words(ms))));
        pairs.extend(explanation.verdict.iter().map(|it| ("answer", answer(it))));
        let mut parts = vec![
            first_line(explanation.reasons.first(), || {
                format!("waits for nothing: {stage}")
            }),
            fields(&pairs),
        ];
        if !explanation.replicas.is_empty() {
            let rows: Vec<_> = explanation.replicas.iter().map(row).collect();
            parts.push(table(&[">replica", "stage", "for", "due", "device"], &rows));
        }
        if let Some(verdict) = &explanation.verdict {
            let rows: Vec<_> = verdict.replicas.iter().map(found).collect();
            parts.push(table(&[">replica", "found", ">pay", "device"], &rows));
        }
        if !explanation.reasons.is_empty() {
            parts.push(words::reasons(&explanation.reasons));
        }
        parts.extend(words::sample(&explanation.devices));
        parts.extend(words::advice(&explanation.reasons));
        parts.extend(next(&explanation.next));
        parts.join("\n\n")
    }
}

/// How long a replica should take.
fn expected_in_words(ms: u64) -> String {
    let span = match ms {
        0..1_000 => "less than a second".to_owned(),
        _ => words::span(ms.div_ceil(1_000)),
    };
    format!("{span} on a device of the usual speed")
}

/// What was accepted, and for how much.
fn answer(verdict: &Verdict) -> String {
    match verdict.answer.exit {
        Exit::Success => format!(
            "accepted: {}, {} fuel, {}; {}",
            Size(verdict.answer.result_bytes),
            grouped(verdict.answer.fuel),
            display(verdict.price),
            words::ground(verdict.ground)
        ),
        _ if verdict.ground == Ground::Referee => {
            "a referee and a device found that the program fails on it".into()
        }
        _ => "the devices agree that the program fails on it".into(),
    }
}

/// What a replica's device was found to have done, in columns.
fn found(found: &ReplicaFinding) -> Vec<String> {
    let finding = match found.finding {
        Finding::Accepted => "accepted",
        Finding::Incorrect => "incorrect",
        Finding::Failed => "failed",
        Finding::Delayed => "late",
    };
    vec![
        found.replica.to_string(),
        finding.to_owned(),
        display(found.pay),
        found.device.to_string(),
    ]
}

/// Where a replica is, in columns.
fn row(replica: &ReplicaExplanation) -> Vec<String> {
    let nothing = String::new;
    let mut row = vec![replica.replica.to_string()];
    row.extend(match replica.state {
        ReplicaStage::Open {
            pool,
            turn,
            of,
            since_s,
            rescue,
        } => [
            format!(
                "turn {turn} of {of} in pool {pool}{}",
                if rescue { ", for the fast first" } else { "" }
            ),
            words::span(since_s),
            nothing(),
            nothing(),
        ],
        ReplicaStage::Running {
            device,
            since_s,
            due_in_s,
            backup,
            lateness,
        } => [
            format!(
                "{}{}",
                if backup { "backup" } else { "running" },
                match lateness {
                    Lateness::OnTime => "",
                    Lateness::Delayed => ", asked again",
                    Lateness::Stale => ", stale",
                }
            ),
            since_s.map_or_else(|| words::UNKNOWN.into(), words::span),
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
        ReplicaStage::Committed { device, asked } => [
            match asked {
                true => "committed, to be revealed",
                false => "committed, waits for others to commit",
            }
            .to_owned(),
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
    use quern_jobs_api::{Reason, Rule, Sample, Step, StepKind};
    use quern_primitives::{AccountId, DeviceId, Digest, receipt::Answer};

    fn explained(stage: TaskStage) -> Explained {
        Explained(TaskExplanation {
            job: JobId([1; 32]),
            task: 6,
            bounty_max: 14_000_000,
            expected_ms: Some(12_400),
            stage,
            missing: 0,
            replicas: vec![],
            verdict: None,
            batch: None,
            reasons: vec![],
            devices: Sample::default(),
            next: vec![],
        })
    }

    fn verdict(exit: Exit) -> Verdict {
        let found = |replica, finding, pay| ReplicaFinding {
            replica,
            device: DeviceId([5; 32]),
            account: AccountId::new([3; 32]),
            finding,
            receipt: None,
            pay,
        };
        Verdict {
            job: JobId([1; 32]),
            task: 6,
            answer: Answer {
                result_commitment: Digest([1; 32]),
                result_bytes: 12,
                fuel: 345,
                exit,
            },
            ground: Ground::Majority,
            price: 100,
            replicas: vec![
                found(0, Finding::Accepted, 70),
                found(1, Finding::Incorrect, 0),
                found(2, Finding::Delayed, 0),
            ],
        }
    }

    #[test]
    fn each_replica_says_where_it_is_and_when_it_is_due() {
        let replica = |replica, state| ReplicaExplanation { replica, state };
        let running = |since_s, due_in_s, backup, lateness| ReplicaStage::Running {
            device: DeviceId([2; 32]),
            since_s,
            due_in_s,
            backup,
            lateness,
        };
        let open = |rescue| ReplicaStage::Open {
            pool: 2,
            turn: 3,
            of: 120,
            since_s: 130,
            rescue,
        };
        let device = DeviceId([5; 32]);
        let committed = |asked| ReplicaStage::Committed { device, asked };
        let mut explained = explained(TaskStage::Open);
        explained.0.missing = 5;
        explained.0.replicas = vec![
            replica(0, open(false)),
            replica(1, running(Some(40), 20, false, Lateness::OnTime)),
            replica(2, running(Some(40), -5, true, Lateness::Delayed)),
            replica(3, running(None, -5, false, Lateness::Stale)),
            replica(4, ReplicaStage::Answered { device }),
            replica(5, open(true)),
            replica(6, ReplicaStage::Resting),
            replica(7, committed(false)),
            replica(8, committed(true)),
        ];
        let text = explained.people();
        let is_told = |words: &str| {
            let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            text.lines().any(|line| squeezed(line).starts_with(words))
        };
        for words in [
            "waits for nothing: before the judge, 5 replicas not answered yet",
            "0 turn 3 of 120 in pool 2 2 min 10 s",
            "1 running 40 s in 20 s 0x0202",
            "2 backup, asked again 40 s 5 s ago 0x0202",
            "3 running, stale - 5 s ago 0x0202",
            "4 answered 0x0505",
            "5 turn 3 of 120 in pool 2, for the fast first",
            "6 rests",
            "7 committed, waits for others to commit 0x0505",
            "8 committed, to be revealed 0x0505",
            "bounty 0.014 BC at the most, for those who agree",
            "expected 13 s on a device of the usual speed",
        ] {
            assert!(is_told(words), "{words}\n{text}");
        }
        let json = serde_json::to_value(&explained).unwrap();
        assert_eq!(json["replicas"][1]["stage"], "running");
        assert_eq!(json["replicas"][2]["lateness"], "delayed");
        assert_eq!(json["task"], 6);
    }

    #[test]
    fn the_first_line_is_the_reason_and_what_happens_next_stands_last() {
        let mut explained = explained(TaskStage::Untouched);
        explained.0.missing = 1;
        explained.0.reasons = vec![Reason {
            rule: Rule::Lane,
            words: "what is open is drawn for\u{1b}[2J other accounts".into(),
            devices: Some(5),
            device_ids: vec![DeviceId([2; 32]); 4],
            next: Some("nothing: it passes by itself".into()),
        }];
        let step = |step, in_s, replica, words: &str| Step {
            step,
            in_s,
            replica,
            words: words.into(),
        };
        explained.0.next = vec![
            step(
                StepKind::AskedAgain,
                12,
                Some(1),
                "its device is asked again",
            ),
            step(StepKind::Ranked, 90, None, "devices are ranked again"),
        ];
        let text = explained.people();
        assert!(
            text.starts_with("waits: what is open is drawn for [2J other accounts\n"),
            "{text}"
        );
        assert!(text.contains("nothing is given out yet of its 1 replica"));
        assert!(text.contains("0x020202020202… +2"), "{text}");
        assert!(
            text.contains("lane  nothing: it passes by itself"),
            "{text}"
        );
        let last: Vec<_> = text.lines().rev().take(2).collect();
        assert_eq!(
            last,
            [
                "in 1 min 30 s  devices are ranked again",
                "in 12 s        its device is asked again (replica 1)"
            ]
        );
        let json = serde_json::to_value(&explained).unwrap();
        assert_eq!(json["reasons"][0]["rule"], "lane");
        assert_eq!(json["next"][0]["step"], "asked_again");
    }

    #[test]
    fn a_task_with_its_verdict_says_who_was_found_to_have_done_what() {
        let mut settled = explained(TaskStage::Settled);
        settled.0.verdict = Some(verdict(Exit::Success));
        settled.0.batch = Some(4);
        let text = settled.people();
        assert!(
            text.starts_with("waits for nothing: settled in batch 4\n"),
            "{text}"
        );
        for words in [
            "accepted: 12 bytes, 345 fuel",
            "because more than half of the accounts gave it",
            "incorrect",
            "late",
            "0x0505",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        let json = serde_json::to_value(&settled).unwrap();
        assert!(!text.contains("at the most"), "{text}");
        assert_eq!(json["batch"], 4);
        assert_eq!(json["stage"], "settled");
        let mut ends = explained(TaskStage::EndsJob);
        ends.0.verdict = Some(verdict(Exit::Trap));
        let text = ends.people();
        assert!(text.contains("agree that the program fails"), "{text}");
        for (stage, words) in [
            (TaskStage::NotUploaded, "not uploaded yet"),
            (TaskStage::Decided, "decided, in no batch yet"),
            (
                TaskStage::Batched,
                "decided, in a batch on its way to the chain",
            ),
        ] {
            let text = explained(stage).people();
            assert!(text.contains(words), "{words}\n{text}");
        }
    }
}
