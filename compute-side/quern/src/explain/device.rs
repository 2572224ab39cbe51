//! What keeps a device from work, and what each job would give it.

use super::{ExplainError, first_line, next};
use crate::{
    context::Context,
    grid::words,
    masternodes::{Answer, MasternodeArgs, ask_each},
    output::{Output, patiently, table},
};
use quern_jobs_api::{ApiError, DeviceExplanation, JobForDevice, JobsApiClient as _, Reason, Rule};
use quern_owner::ApiFailure;
use quern_primitives::DeviceId;
use serde::Serialize;

/// Rules of reasons that are only notes: a figure that the device told was left out, or it counts as
/// slow, and it works all the same.
const NOTE_RULES: [Rule; 2] = [Rule::ReadingNotBelieved, Rule::BenchmarkOwed];

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Explained {
    explanation: DeviceExplanation,
    #[serde(skip)]
    url: String,
}

pub(super) async fn run(
    context: &Context,
    args: &MasternodeArgs,
    device: DeviceId,
) -> anyhow::Result<()> {
    let asked = patiently("asking the masternodes", async {
        let masternodes = args.reach_some(context).await?;
        let answers = ask_each(masternodes.reached, |masternode| async move {
            let told = masternode.client().explain_device(device).await;
            told.map_err(ApiFailure::from)
        });
        anyhow::Ok(answers.await)
    });
    context.show(&who_knows(asked.await?)?)
}

/// The answer of a masternode that the device is connected to, else of one that knows it.
fn who_knows(answers: Vec<Answer<DeviceExplanation>>) -> Result<Explained, ExplainError> {
    let (mut asked, mut known) = (0, None::<Explained>);
    for Answer { url, answer } in answers {
        match answer {
            Ok(explanation) => {
                asked += 1;
                let is_better = match &known {
                    None => true,
                    Some(known) => {
                        explanation.state.connected && !known.explanation.state.connected
                    }
                };
                if is_better {
                    known = Some(Explained { explanation, url });
                }
            }
            Err(ApiFailure::Refused(ApiError::UnknownDevice)) => asked += 1,
            Err(_) => {}
        }
    }
    known.ok_or(match asked {
        0 => ExplainError::Silent,
        asked => ExplainError::UnknownDevice { asked },
    })
}

impl Explained {
    /// The answer in a line.
    fn answer(&self) -> String {
        let explanation = &self.explanation;
        let blocks = |reason: &&Reason| !NOTE_RULES.contains(&reason.rule);
        let blocking = explanation.reasons.iter().find(blocks);
        first_line(blocking, || {
            let jobs = &explanation.jobs;
            match jobs.iter().find(|job| job.reason.is_none()) {
                Some(job) => format!("would get a task now, of the job {}", job.job),
                // The job that is served first says most.
                None => match jobs.first().and_then(|job| job.reason.as_ref()) {
                    Some(reason) => format!("waits: {}", words::plain(&reason.words)),
                    None => "waits: no job has anything to compute".into(),
                },
            }
        })
    }
}

impl Output for Explained {
    fn people(&self) -> String {
        let explanation = &self.explanation;
        let state = &explanation.state;
        let mut head = vec![self.answer()];
        head.extend(words::flag_lines(state));
        let mut parts = vec![
            head.join("\n"),
            format!(
                "device {}\naccount {}\nat the masternode {}\n\n{}",
                state.device,
                state.account,
                self.url,
                words::device(state)
            ),
        ];
        if !explanation.jobs.is_empty() {
            let row = |job: &JobForDevice| {
                let why = match &job.reason {
                    Some(reason) => words::plain(&reason.words),
                    None => "would give it a task now".into(),
                };
                vec![words::short(&job.job), why]
            };
            let rows: Vec<_> = explanation.jobs.iter().map(row).collect();
            parts.push(table(&["job", "what it would give"], &rows));
            let (told, queued) = (rows.len(), explanation.queued_jobs);
            if told < queued as usize {
                parts.push(format!(
                    "these {told} of the {queued} queued jobs are served first"
                ));
            }
        }
        if !explanation.reasons.is_empty() {
            parts.push(words::reasons(&explanation.reasons));
        }
        let of_jobs = explanation
            .jobs
            .iter()
            .filter_map(|job| job.reason.as_ref());
        parts.extend(words::advice(explanation.reasons.iter().chain(of_jobs)));
        parts.extend(next(&explanation.next));
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::words::tests::known_device;
    use quern_jobs_api::{Step, StepKind};
    use quern_primitives::JobId;

    fn reason(words: &str) -> Reason {
        Reason {
            rule: Rule::Region,
            words: words.into(),
            devices: None,
            device_ids: vec![],
            next: Some("retire it and register it anew".into()),
        }
    }

    fn explanation(connected: bool) -> DeviceExplanation {
        let mut state = known_device();
        state.connected = connected;
        let job = |number: u8, reason| JobForDevice {
            job: JobId([number; 32]),
            reason,
        };
        DeviceExplanation {
            state,
            jobs: vec![
                job(1, Some(reason("it stands elsewhere"))),
                job(2, Some(reason("every task is given out"))),
            ],
            queued_jobs: 70,
            reasons: vec![],
            next: vec![],
        }
    }

    fn answer(url: &str, answer: Result<DeviceExplanation, ApiError>) -> Answer<DeviceExplanation> {
        Answer {
            url: url.into(),
            answer: answer.map_err(ApiFailure::Refused),
        }
    }

    #[test]
    fn a_device_says_what_it_waits_for_or_which_job_would_give_it_a_task() {
        let url = || "ws://here".to_owned();
        let waits = Explained {
            explanation: explanation(true),
            url: url(),
        };
        let text = waits.people();
        assert!(text.starts_with("waits: it stands elsewhere\n"), "{text}");
        assert!(
            text.contains("0x020202020202…  every task is given out"),
            "{text}"
        );
        assert!(text.contains("these 2 of the 70 queued jobs"), "{text}");
        // Two jobs keep it waiting by one rule, and what it can do about that is told once.
        let next = text.matches("region  retire it and register it anew");
        assert_eq!(next.count(), 1, "{text}");
        let mut free = explanation(true);
        free.jobs[1].reason = None;
        let notes = NOTE_RULES.map(|rule| Reason {
            rule,
            ..reason("its temperature is not believed")
        });
        free.reasons = notes.to_vec();
        let free = Explained {
            explanation: free,
            url: url(),
        };
        let text = free.people();
        assert!(
            text.starts_with("would get a task now, of the job 0x0202"),
            "{text}"
        );
        assert!(text.contains("is not believed"), "{text}");
        let mut hot = explanation(true);
        hot.reasons = vec![reason("its processor is too hot")];
        hot.next = vec![Step {
            step: StepKind::Ranked,
            in_s: 30,
            replica: None,
            words: "devices are ranked again".into(),
        }];
        hot.jobs = vec![];
        let hot = Explained {
            explanation: hot,
            url: url(),
        };
        let text = hot.people();
        assert!(text.starts_with("waits: its processor is too hot"));
        assert!(
            text.ends_with("in 30 s  devices are ranked again"),
            "{text}"
        );
        let json = serde_json::to_value(&hot).unwrap();
        assert_eq!(json["state"]["byte_rank"], 3);
        assert_eq!(json["jobs"], serde_json::json!([]));
    }

    #[test]
    fn the_masternode_that_it_is_connected_to_is_believed() {
        let known = who_knows(vec![
            answer("a", Err(ApiError::UnknownDevice)),
            answer("b", Ok(explanation(false))),
            answer("c", Ok(explanation(true))),
            answer("d", Ok(explanation(true))),
        ]);
        assert_eq!(known.unwrap().url, "c");
        let unknown = who_knows(vec![answer("a", Err(ApiError::UnknownDevice))]);
        assert!(matches!(
            unknown,
            Err(ExplainError::UnknownDevice { asked: 1 })
        ));
        let silent = who_knows(vec![answer("a", Err(ApiError::Starting))]);
        assert!(matches!(silent, Err(ExplainError::Silent)));
    }
}
