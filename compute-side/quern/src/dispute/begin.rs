//! Showing the chain a lie.

use super::{FileArgs, file::EvidenceFile};
use crate::{
    context::Context,
    output::{Output, can_confirm, confirm, count_bar, fields, patiently, submit, tell},
};
use quern_dispute_rules::{
    Evidence,
    open::{ConvictionView, DisputeId, DisputeView},
};
use quern_ledger::{Account, Call, Chain, ChainError, State};
use quern_primitives::{
    AccountId, Amount, BlockNumber, GenesisHash, JobId,
    amount::{as_string, display},
    ids::BatchSequence,
    params::Unit,
};
use quern_recheck::{Losing, check_evidence};
use serde::Serialize;

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// The bond cannot be held.
    #[error("a dispute takes a bond of {}, and the account has {} to spend; buy more with `quern wallet buy`", display(*bond), display(*free))]
    Balance { bond: Amount, free: Amount },
    /// There is nothing to add up.
    #[error(
        "the evidence is that a batch does not add up, and the file has none of its verdicts; write it with them"
    )]
    NoVerdicts,
    /// It would be shown in vain.
    #[error("the evidence is not shown{}", if *.0 == Losing::Unfounded { "; --anyway shows it all the same" } else { "" })]
    Losing(#[source] Losing),
}

/// What is put up, before it is taken.
#[derive(Debug, Serialize)]
struct Quote {
    job: JobId,
    batch: Option<BatchSequence>,
    evidence: &'static str,
    #[serde(with = "as_string")]
    bond: Amount,
    /// Thousandths of what the loser loses that are the winner's.
    winners_permille: u16,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The lie is proved, and the bond is back.
    Proved,
    /// The coordinator has to answer.
    Open,
    /// Nothing was wrong, and the bond is lost.
    Lost,
}

#[derive(Debug, Serialize)]
pub(crate) struct Filed {
    #[serde(flatten)]
    quote: Quote,
    outcome: Outcome,
    /// Its number, while it is open.
    dispute: Option<DisputeId>,
    block: BlockNumber,
    transaction: String,
}

/// What the chain says of a job's disputes.
struct Before {
    open: Vec<DisputeId>,
    proved: usize,
}

pub(super) async fn file(context: &Context, args: &FileArgs) -> anyhow::Result<()> {
    can_confirm(args.yes)?;
    let account = context.account()?;
    let chain = context.chain().await?;
    let file = EvidenceFile::read(&args.evidence, chain.genesis())?;
    if !args.anyway {
        may_win(&chain, &file).await?.map_err(FileError::Losing)?;
    }
    let filed = show_chain(context, &chain, &account, &file, args.yes).await?;
    context.show(&filed)
}

/// Whether the evidence in a file wins, or may, by the chain's rules and what it says now.
pub(crate) async fn may_win(
    chain: &Chain,
    file: &EvidenceFile,
) -> anyhow::Result<Result<(), Losing>> {
    let asked = patiently("asking the chain", async {
        may_win_by(&chain.at_finalised().await?, chain.genesis(), file).await
    });
    asked.await
}

/// The same, by what the chain says as of this block.
pub(crate) async fn may_win_by(
    state: &State,
    genesis: GenesisHash,
    file: &EvidenceFile,
) -> anyhow::Result<Result<(), Losing>> {
    let (evidence, steps) = (file.evidence()?, file.steps()?);
    if matches!(evidence, Evidence::Payouts { .. }) && steps.is_empty() {
        return Err(FileError::NoVerdicts.into());
    }
    let subject = evidence.subject();
    let facts = state.court_facts(&subject, genesis).await?;
    let proved = state.convictions(subject.job).await?;
    Ok(check_evidence(&evidence, &steps, facts.as_ref(), &proved))
}

/// Shows the chain what is in a file. Unless it is said beforehand, whoever has the terminal is asked before
/// the bond is taken.
pub(crate) async fn show_chain(
    context: &Context,
    chain: &Chain,
    account: &Account,
    file: &EvidenceFile,
    yes: bool,
) -> anyhow::Result<Filed> {
    let (evidence, steps) = (file.evidence()?, file.steps()?);
    let is_sum = matches!(evidence, Evidence::Payouts { .. });
    if is_sum && steps.is_empty() {
        return Err(FileError::NoVerdicts.into());
    }
    let state = chain.at_finalised().await?;
    let params = state.params().await?;
    let (bond, free) = (params.dispute_bond, state.wallet(&account.id()).await?.free);
    if free <= bond {
        return Err(FileError::Balance { bond, free }.into());
    }
    let subject = evidence.subject();
    let quote = Quote {
        job: subject.job,
        batch: subject.batch,
        evidence: file.says()?,
        bond,
        winners_permille: params.winner_permille,
    };
    if !context.is_json() {
        tell(&quote.people());
    }
    if !yes {
        confirm(
            "Put up the bond and show the chain?",
            "not shown, and no bond taken",
        )?;
    }
    let before = Before::of(&state, subject.job).await?;
    let call = Call::Dispute(Box::new(evidence));
    let mut settled = submit(chain, account, &call, "showing the chain").await?;
    let state = chain.at(settled.block).await?;
    let mut dispute = before.begun(&state, subject.job, &account.id()).await?;
    if let (true, Some(number)) = (is_sum, dispute) {
        settled = add_up(chain, account, number, steps)
            .await?
            .unwrap_or(settled);
        let state = chain.at(settled.block).await?;
        dispute = state.dispute(number).await?.map(|view| view.id);
    }
    let proved = chain
        .at(settled.block)
        .await?
        .convictions(subject.job)
        .await?;
    Ok(Filed {
        quote,
        outcome: before.outcome(dispute, &proved),
        dispute,
        block: settled.block.number,
        transaction: format!("0x{}", hex::encode(settled.transaction)),
    })
}

/// Adds a batch's verdicts, step by step; gives the last.
async fn add_up(
    chain: &Chain,
    account: &Account,
    dispute: DisputeId,
    steps: Vec<quern_dispute_rules::sum::Step>,
) -> anyhow::Result<Option<quern_ledger::Settled>> {
    let bar = count_bar("steps");
    bar.set_length(steps.len() as u64);
    let mut last = None;
    for verdicts in steps {
        let call = Call::AddToDispute { dispute, verdicts };
        last = Some(chain.submit(account, &call).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(last)
}

impl Before {
    async fn of(state: &State, job: JobId) -> Result<Self, ChainError> {
        let open = state.disputes(Some(job)).await?;
        Ok(Self {
            open: open.into_iter().map(|view| view.id).collect(),
            proved: state.convictions(job).await?.len(),
        })
    }

    /// The dispute that an account has begun since.
    async fn begun(
        &self,
        state: &State,
        job: JobId,
        by: &AccountId,
    ) -> Result<Option<DisputeId>, ChainError> {
        Ok(self.begun_of(&state.disputes(Some(job)).await?, by))
    }

    fn begun_of(&self, open: &[DisputeView], by: &AccountId) -> Option<DisputeId> {
        let mut new = open.iter().rev();
        let new = new.find(|it| it.dispute.disputer == *by && !self.open.contains(&it.id));
        new.map(|view| view.id)
    }

    fn outcome(&self, open: Option<DisputeId>, proved: &[ConvictionView]) -> Outcome {
        match open {
            Some(_) => Outcome::Open,
            None if proved.len() > self.proved => Outcome::Proved,
            None => Outcome::Lost,
        }
    }
}

impl Output for Quote {
    fn people(&self) -> String {
        let batch = self.batch.map_or("none".into(), |batch| batch.to_string());
        let part = Unit::Permille.write(self.winners_permille.into());
        fields(&[
            ("job", self.job.to_string()),
            ("batch", batch),
            ("evidence", self.evidence.to_owned()),
            ("bond", display(self.bond)),
            (
                "if it is right",
                format!("the bond comes back, with {part} of what the guilty lose"),
            ),
            ("if it is wrong", "the bond is lost".to_owned()),
        ])
    }
}

impl Output for Filed {
    fn people(&self) -> String {
        let block = self.block;
        match (self.outcome, self.dispute) {
            (Outcome::Proved, _) => format!(
                "✓ proved in block {block}: {}; `quern dispute proved {}` has it",
                self.quote.evidence, self.quote.job
            ),
            (Outcome::Open, Some(dispute)) => format!(
                "dispute {dispute} is open since block {block}; `quern dispute show {dispute}` says what it waits for"
            ),
            (Outcome::Open | Outcome::Lost, _) => format!(
                "✗ nothing is wrong with it; the bond of {} is lost in block {block}",
                display(self.quote.bond)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_dispute_rules::{
        evidence::BatchName,
        open::{Dispute, Matter},
        ruling::{Offence, Place},
    };

    fn open(id: DisputeId, by: u8) -> DisputeView {
        DisputeView {
            id,
            dispute: Dispute {
                disputer: AccountId::new([by; 32]),
                bond: 5,
                batch: BatchName {
                    job: JobId([7; 32]),
                    sequence: 3,
                },
                until: 400,
                matter: Matter::Adding,
            },
            verdicts: 0,
        }
    }

    #[test]
    fn ones_own_dispute_is_the_newest_that_was_not_there() {
        let before = Before {
            open: vec![1, 2],
            proved: 0,
        };
        let one = AccountId::new([1; 32]);
        let there = [open(1, 1), open(2, 2), open(5, 1), open(6, 2)];
        assert_eq!(before.begun_of(&there, &one), Some(5));
        assert_eq!(before.begun_of(&there[..2], &one), None);
    }

    #[test]
    fn what_is_neither_open_nor_proved_is_lost() {
        let before = Before {
            open: vec![],
            proved: 1,
        };
        let proved = |count: u32| -> Vec<ConvictionView> {
            let one = |number| ConvictionView {
                place: Place::Batch(number),
                offence: Offence::Payouts,
            };
            (0..count).map(one).collect()
        };
        assert_eq!(before.outcome(Some(5), &proved(1)), Outcome::Open);
        assert_eq!(before.outcome(None, &proved(2)), Outcome::Proved);
        assert_eq!(before.outcome(None, &proved(1)), Outcome::Lost);
    }
}
