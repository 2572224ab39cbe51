//! Open disputes, and what was proved.

use super::{JobArgs, ListArgs, OpenArgs, words};
use crate::{
    context::Context,
    output::{Output, fields, patiently, table},
    units::span_of_blocks,
};
use quern_dispute_rules::{
    open::{ConvictionView, DisputeId, DisputeView, Matter},
    ruling::Place,
};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    amount::{as_string, display},
    ids::BatchSequence,
};
use serde::Serialize;

/// There is no such dispute.
#[derive(Debug, thiserror::Error)]
#[error(
    "no dispute {dispute} is open: it was decided, or never begun; `quern dispute list` has those that are, and `quern dispute proved JOB` what came of others"
)]
pub(super) struct NotOpen {
    pub(super) dispute: DisputeId,
}

/// An open dispute.
#[derive(Debug, Serialize)]
pub(super) struct Open {
    dispute: DisputeId,
    job: JobId,
    batch: BatchSequence,
    disputer: AccountId,
    #[serde(with = "as_string")]
    bond: Amount,
    /// `adding` or `asked`.
    matter: &'static str,
    /// What it waits for.
    waits_for: String,
    /// Verdicts added so far.
    verdicts: u32,
    /// The last height, by the chain's clock of finality, at which it can be answered or added to.
    until: BlockNumber,
    /// Whether that is past: anybody may end it.
    expired: bool,
    #[serde(skip)]
    left: BlockNumber,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Listed(Vec<Open>);

/// One thing that was proved.
#[derive(Debug, Serialize)]
struct Proved {
    /// `batch`, `signer`, `receipt`, `replica` or `report`.
    place: &'static str,
    /// Of what it was proved.
    of: String,
    offence: &'static str,
}

#[derive(Debug, Serialize)]
struct ProvedOf {
    job: JobId,
    proved: Vec<Proved>,
}

pub(super) async fn list(context: &Context, args: &ListArgs) -> anyhow::Result<()> {
    let job = args
        .job
        .as_deref()
        .map(|job| context.job(job))
        .transpose()?;
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        anyhow::Ok((state.finality().await?.clock, state.disputes(job).await?))
    });
    let (clock, disputes) = asked.await?;
    let open = disputes.into_iter().map(|view| Open::new(view, clock));
    context.show(&Listed(open.collect()))
}

pub(super) async fn show(context: &Context, args: &OpenArgs) -> anyhow::Result<()> {
    let dispute = args.dispute;
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        anyhow::Ok((state.finality().await?.clock, state.dispute(dispute).await?))
    });
    let (clock, view) = asked.await?;
    context.show(&Open::new(view.ok_or(NotOpen { dispute })?, clock))
}

pub(super) async fn proved(context: &Context, args: &JobArgs) -> anyhow::Result<()> {
    let job = context.job(&args.job)?;
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        anyhow::Ok(state.convictions(job).await?)
    });
    let proved = asked.await?.iter().map(Proved::new).collect();
    context.show(&ProvedOf { job, proved })
}

impl Open {
    pub(super) fn new(view: DisputeView, clock: BlockNumber) -> Self {
        let DisputeView {
            id,
            dispute,
            verdicts,
        } = view;
        Self {
            dispute: id,
            job: dispute.batch.job,
            batch: dispute.batch.sequence,
            disputer: dispute.disputer,
            bond: dispute.bond,
            matter: match dispute.matter {
                Matter::Adding => "adding",
                Matter::Asked(_) => "asked",
            },
            waits_for: words::matter(&dispute.matter),
            verdicts,
            until: dispute.until,
            expired: clock > dispute.until,
            left: dispute.until.saturating_sub(clock),
        }
    }

    fn time(&self) -> String {
        match self.expired {
            true => "over".into(),
            false => span_of_blocks(self.left.into()),
        }
    }
}

impl Proved {
    fn new(view: &ConvictionView) -> Self {
        Self {
            place: match view.place {
                Place::Batch(_) => "batch",
                Place::Signer(_) => "signer",
                Place::Receipt(_) => "receipt",
                Place::Replica(..) => "replica",
                Place::Report(..) => "report",
            },
            of: words::place(&view.place),
            offence: words::offence(view.offence),
        }
    }
}

impl Output for Listed {
    fn people(&self) -> String {
        if self.0.is_empty() {
            return "no dispute is open".into();
        }
        let row = |open: &Open| {
            vec![
                open.dispute.to_string(),
                open.job.to_string(),
                open.batch.to_string(),
                display(open.bond),
                open.time(),
                open.waits_for.clone(),
            ]
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        table(
            &[
                ">dispute",
                "job",
                ">batch",
                ">bond",
                "time left",
                "waits for",
            ],
            &rows,
        )
    }
}

impl Output for Open {
    fn people(&self) -> String {
        let mut lines = vec![
            ("dispute", self.dispute.to_string()),
            ("job", self.job.to_string()),
            ("batch", self.batch.to_string()),
            ("begun by", self.disputer.to_string()),
            ("bond", display(self.bond)),
            ("waits for", self.waits_for.clone()),
        ];
        if self.matter == "adding" {
            lines.push(("added so far", format!("{} verdicts", self.verdicts)));
        }
        lines.push((
            "until",
            format!("height {} is final ({})", self.until, self.time()),
        ));
        let mut text = fields(&lines);
        if self.expired {
            text.push_str("\nits time is over; anybody ends it with `quern dispute expire`");
        }
        text
    }
}

impl Output for ProvedOf {
    fn people(&self) -> String {
        if self.proved.is_empty() {
            return format!("nothing was proved of job {}", self.job);
        }
        let row = |proved: &Proved| vec![proved.of.clone(), proved.offence.to_owned()];
        let rows: Vec<_> = self.proved.iter().map(row).collect();
        table(&["of", "what was proved"], &rows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_dispute_rules::{evidence::BatchName, open::Dispute, ruling::Offence};
    use quern_primitives::amount::BYTECHIP;

    fn view(matter: Matter) -> DisputeView {
        DisputeView {
            id: 4,
            dispute: Dispute {
                disputer: AccountId::new([1; 32]),
                bond: 5 * BYTECHIP,
                batch: BatchName {
                    job: JobId([7; 32]),
                    sequence: 3,
                },
                until: 400,
                matter,
            },
            verdicts: 256,
        }
    }

    #[test]
    fn an_open_dispute_says_what_it_waits_for_and_how_long() {
        let text = Open::new(view(Matter::Adding), 370).people();
        assert!(
            text.contains("about 1 min") || text.contains("about 60 s"),
            "{text}"
        );
        assert!(
            text.contains("256 verdicts") && text.contains("5 BC"),
            "{text}"
        );
        let over = Open::new(view(Matter::Adding), 401);
        assert!(over.expired && over.people().ends_with("`quern dispute expire`"));
        let json = serde_json::to_value(&over).unwrap();
        assert_eq!(json["bond"], "5000000000");
        assert_eq!(
            (&json["until"], &json["expired"]),
            (&400.into(), &true.into())
        );
        assert_eq!(Listed(vec![]).people(), "no dispute is open");
    }

    #[test]
    fn what_was_proved_is_told_in_words() {
        let place = Place::Batch(3);
        let offence = Offence::Payouts;
        let proved = vec![Proved::new(&ConvictionView { place, offence })];
        let job = JobId([7; 32]);
        let text = ProvedOf { job, proved }.people();
        assert!(
            text.contains("batch 3") && text.contains("what its verdicts make"),
            "{text}"
        );
    }

    #[test]
    fn a_false_report_is_told_of_its_task_and_of_who_signed_it() {
        let referee = AccountId::new([3; 32]);
        let view = ConvictionView {
            place: Place::Report(8, referee.clone()),
            offence: Offence::FalseReport,
        };
        let proved = Proved::new(&view);
        assert_eq!(proved.place, "report");
        let text = format!("{} {}", proved.of, proved.offence);
        assert!(
            text.contains(&format!("task 8, masternode {referee}"))
                && text.contains("a referee's report is not what most of the group computed"),
            "{text}"
        );
    }
}
