//! What keeps a job waiting.

use super::{first_line, next};
use crate::{
    context::Context,
    grid::words,
    output::{Output, fields, patiently},
    units::{counted, counted_as, grouped},
};
use quern_jobs_api::{JobExplanation, JobsApiClient as _, Phase};
use quern_owner::{ApiFailure, Masternode};
use quern_primitives::JobId;
use serde::Serialize;

/// Pools that are named to people; programs are told all of them.
const POOLS_SHOWN: usize = 5;

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Explained(JobExplanation);

pub(super) async fn run(
    context: &Context,
    masternode: &Masternode,
    job: JobId,
) -> anyhow::Result<()> {
    let asked = patiently("asking the scheduler", masternode.client().explain_job(job));
    context.show(&Explained(asked.await.map_err(ApiFailure::from)?))
}

impl Explained {
    /// How it stands when nothing keeps it waiting.
    fn moves(&self) -> String {
        match self.0.status.phase {
            Phase::Closed => "waits for nothing: it is over".into(),
            Phase::Settling => "waits for its settlement on the chain".into(),
            Phase::Uploading | Phase::Computing => format!(
                "waits for nothing: {} being computed, {} open",
                counted(self.0.running, "replica"),
                grouped(self.open())
            ),
        }
    }

    /// That nothing is given out any more, and what the tasks that are answered wait for.
    fn settlement(&self) -> String {
        let status = &self.0.status;
        let answered = match status.decided == status.tasks {
            true => counted_as(
                status.tasks,
                "task is answered, the only one",
                "tasks are answered, all of them",
            ),
            false => format!(
                "{} answered, and nothing more is given out",
                are(status.decided, "task")
            ),
        };
        let waits = match status.decided.saturating_sub(status.settled) {
            _ if status.decided == 0 => "there is nothing to settle".to_owned(),
            0 => "what is settled is paid when its batch is final".to_owned(),
            left => counted_as(
                left,
                "of them awaits settlement",
                "of them await settlement",
            ),
        };
        format!("{answered}; {waits}")
    }

    /// What it asks of devices, and how it is given out; only what means something as it stands now.
    fn dealing(&self) -> Vec<(&'static str, String)> {
        let explanation = &self.0;
        match explanation.status.phase {
            Phase::Closed => vec![],
            Phase::Settling => vec![("settlement", self.settlement())],
            Phase::Uploading => vec![(
                "devices",
                format!(
                    "looked for when the upload is here; {} connected",
                    are(explanation.connected_accounts, "account")
                ),
            )],
            Phase::Computing => vec![
                (
                    "devices",
                    format!(
                        "{} what it asks for; {} connected",
                        counted_as(
                            explanation.target_devices,
                            "ranked device meets",
                            "ranked devices meet"
                        ),
                        are(explanation.connected_accounts, "account")
                    ),
                ),
                ("replicas running", grouped(explanation.running)),
                (
                    "replicas open",
                    format!("{} ({})", grouped(self.open()), self.pools()),
                ),
            ],
        }
    }

    /// Replicas that wait for a device, in all pools.
    fn open(&self) -> u32 {
        let open = self.0.open.iter();
        open.fold(0, |sum: u32, open| sum.saturating_add(*open))
    }

    /// The pools that have open replicas.
    fn pools(&self) -> String {
        let pools = (1..).zip(&self.0.open).filter(|(_, open)| **open > 0);
        let words: Vec<_> = pools
            .take(POOLS_SHOWN)
            .map(|(pool, open)| format!("{} in pool {pool}", grouped(*open)))
            .collect();
        match words.is_empty() {
            true => format!("in {}", counted(self.0.open.len(), "pool")),
            false => format!("{}, of {} pools", words.join(", "), self.0.open.len()),
        }
    }
}

/// So many of something, and the verb: `1 account is`.
fn are(number: u32, thing: &str) -> String {
    counted_as(number, &format!("{thing} is"), &format!("{thing}s are"))
}

impl Output for Explained {
    fn people(&self) -> String {
        let (explanation, status) = (&self.0, &self.0.status);
        let mut facts = vec![
            ("job", status.job.to_string()),
            (
                "tasks",
                format!(
                    "{} of {} decided, {} settled, {} running, {} waiting{}",
                    grouped(status.decided),
                    grouped(status.tasks),
                    grouped(status.settled),
                    grouped(status.running),
                    grouped(status.waiting),
                    match status.not_uploaded {
                        0 => String::new(),
                        shards => format!(" ({} not uploaded)", grouped(shards)),
                    }
                ),
            ),
        ];
        facts.extend(self.dealing());
        let mut parts = vec![
            first_line(explanation.reasons.first(), || self.moves()),
            fields(&facts),
        ];
        if !explanation.reasons.is_empty() {
            parts.push(words::reasons(&explanation.reasons));
        }
        parts.extend(words::sample(&explanation.devices));
        parts.extend(words::advice(&explanation.reasons));
        parts.extend(next(&explanation.next));
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_jobs_api::{JobStatus, Reason, Rule, Sample, Step, StepKind};
    use quern_primitives::DeviceId;

    fn explained(reasons: Vec<Reason>) -> Explained {
        Explained(JobExplanation {
            status: JobStatus {
                job: JobId([1; 32]),
                phase: Phase::Computing,
                tasks: 10,
                not_uploaded: 0,
                waiting: 7,
                running: 2,
                decided: 1,
                settled: 0,
                replicas: 5,
                incorrect: 0,
                refereed: 0,
                voted: 0,
                contradicted: 0,
                fuel: 5,
                spent: 7,
                devices: 2,
                waiting_for: None,
                impasse: None,
            },
            target_devices: 4,
            connected_accounts: 1,
            open: vec![0, 5, 2],
            running: 6,
            reasons,
            devices: Sample {
                looked_at: 256,
                connected: 4_000,
            },
            next: vec![],
        })
    }

    #[test]
    fn the_first_line_is_the_answer_and_the_rules_stand_below() {
        let reasons = vec![
            Reason {
                rule: Rule::Accounts,
                words: "devices of 1 account are connected,\u{1b}[2J 3 are needed".into(),
                devices: None,
                device_ids: vec![],
                next: Some("wait for\u{1b} more".into()),
            },
            Reason {
                rule: Rule::Region,
                words: "they stand elsewhere".into(),
                devices: Some(3),
                device_ids: vec![DeviceId([2; 32])],
                next: Some("ask for more regions: --region".into()),
            },
        ];
        let mut explained = explained(reasons);
        explained.0.next = vec![Step {
            step: StepKind::DecidedWithoutRest,
            in_s: 30,
            replica: None,
            words: "the task is decided".into(),
        }];
        let text = explained.people();
        assert!(
            text.starts_with("waits: devices of 1 account are connected, "),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'));
        for words in [
            "1 of 10 decided, 0 settled, 2 running, 7 waiting",
            "4 ranked devices meet what it asks for; 1 account is connected",
            "7 (5 in pool 2, 2 in pool 3, of 3 pools)",
            "region          3  they stand elsewhere",
            "0x020202020202… +2",
            "256 of the 4,000 connected devices were looked at",
            "accounts  wait for  more",
            "region    ask for more regions: --region",
            "in 30 s  the task is decided",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        let json = serde_json::to_value(&explained).unwrap();
        assert_eq!(json["reasons"][1]["rule"], "region");
        assert_eq!(json["reasons"][1]["next"], "ask for more regions: --region");
        assert_eq!(json["status"]["tasks"], 10);
        assert_eq!(json["devices"]["looked_at"], 256);
        assert_eq!(json["next"][0]["in_s"], 30);
    }

    #[test]
    fn a_job_that_settles_says_that_settlement_is_awaited_and_nothing_of_devices() {
        let mut settling = explained(vec![]);
        let status = &mut settling.0.status;
        status.phase = Phase::Settling;
        (status.decided, status.settled) = (10, 4);
        (status.waiting, status.running) = (0, 0);
        (settling.0.target_devices, settling.0.running) = (0, 0);
        (settling.0.open, settling.0.devices) = (vec![], Sample::default());
        let text = settling.people();
        assert!(
            text.contains("10 tasks are answered, all of them; 6 of them await settlement"),
            "{text}"
        );
        for words in ["device", "replicas open", "replicas running"] {
            assert!(!text.contains(words), "{words}\n{text}");
        }
        settling.0.status.settled = 10;
        let text = settling.people();
        assert!(text.contains("paid when its batch is final"), "{text}");
        // Of one that cannot go on some tasks have no answer.
        (settling.0.status.decided, settling.0.status.settled) = (1, 0);
        let text = settling.people();
        assert!(
            text.contains(
                "1 task is answered, and nothing more is given out; 1 of them awaits settlement"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_job_that_moves_says_so() {
        let mut moving = explained(vec![]);
        let text = moving.people();
        assert!(
            text.starts_with("waits for nothing: 6 replicas being computed, 7 open"),
            "{text}"
        );
        assert!(
            !text.contains("what it says") && !text.contains("what you can do"),
            "{text}"
        );
        moving.0.devices = Sample::default();
        assert!(!moving.people().contains("looked at"));
        moving.0.open = vec![0];
        assert!(moving.people().contains("0 (in 1 pool)"));
        moving.0.status.not_uploaded = 3;
        assert!(moving.people().contains("7 waiting (3 not uploaded)"));
        moving.0.status.phase = Phase::Uploading;
        let text = moving.people();
        assert!(
            text.contains("looked for when the upload is here; 1 account is connected"),
            "{text}"
        );
        moving.0.status.phase = Phase::Closed;
        assert!(moving.people().starts_with("waits for nothing: it is over"));
    }
}
