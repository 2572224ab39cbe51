//! `quern treasury`: what the treasurer does about dollars that come in and go out.

use crate::{
    context::Context,
    output::{Output, fields, patiently, submit, table},
    units::{Dollars, Reference},
};
use clap::{Args, Subcommand};
use quern_ledger::{Call, Payout, Purchase, Settled, Transfer};
use quern_primitives::{
    AccountId, Amount, BlockNumber, Digest,
    amount::{BYTECHIP, as_string, display},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Digits of a destination's digest that a table shows.
const DIGITS_SHOWN: usize = 12;

/// What can be done about dollars.
#[derive(Subcommand, Debug)]
pub(crate) enum TreasuryCommand {
    /// Who the treasurer is, the rate, and the payouts that wait for an answer
    Show(ShowArgs),
    /// Record that somebody's dollars have arrived, for which they get ByteChips at the rate; the
    /// treasurer
    Record(RecordArgs),
    /// Mark a payout as made once its dollars are sent, and its ByteChips are burnt; the treasurer
    Pay(PayArgs),
    /// Refuse a payout that cannot be made, and its ByteChips go back; the treasurer
    Return(OfPayout),
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Only payouts that go there: the text as the account told it beside the chain
    #[arg(long, value_name = "TEXT")]
    destination: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    /// Who paid: an address, the name of a key, or a development account
    #[arg(value_name = "ACCOUNT")]
    buyer: String,
    /// What has arrived, in US dollars
    #[arg(long)]
    dollars: Dollars,
    /// The payment's reference, such as a bank's transaction id; each is taken once
    #[arg(long)]
    reference: Reference,
}

#[derive(Args, Debug)]
pub(crate) struct OfPayout {
    /// The payout's number, as `quern treasury show` tells it
    payout: u64,
}

#[derive(Args, Debug)]
pub(crate) struct PayArgs {
    #[command(flatten)]
    payout: OfPayout,
    /// The reference of the transfer that sent the dollars; each is taken once
    #[arg(long)]
    reference: Reference,
}

/// Why the treasurer's part is not done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum TreasuryError {
    /// The chain has none.
    #[error(
        "the chain has no treasurer; the council names one with `quern council propose set-treasurer`"
    )]
    NoTreasurer,
    /// Somebody else is.
    #[error("{account} is not the treasurer, who is {treasurer}; --account NAME signs as another")]
    NotTheTreasurer {
        account: AccountId,
        treasurer: AccountId,
    },
    /// The payment was recorded before.
    #[error(
        "the payment `{reference}` is recorded already: {paid} of {buyer} in block {block}; was it a payment of its own, record it under the reference that it has"
    )]
    Recorded {
        reference: String,
        paid: Dollars,
        buyer: AccountId,
        block: BlockNumber,
    },
    /// The transfer was another payout's.
    #[error(
        "the transfer `{reference}` stands for payout {payout} since block {block}; give that of this payout's own transfer"
    )]
    Used {
        reference: String,
        payout: u64,
        block: BlockNumber,
    },
    /// Nothing waits for an answer.
    #[error(
        "no payout {payout} is open: it was answered, or never asked for; `quern treasury show` lists those that are"
    )]
    NotOpen { payout: u64 },
    /// The purchase is in the block, but not in its state.
    #[error("block {block} does not tell of the purchase; see `quern wallet history {buyer}`")]
    NoPurchase {
        block: BlockNumber,
        buyer: AccountId,
    },
}

/// A payout that waits for the treasurer.
#[derive(Debug, Serialize)]
struct Open {
    payout: u64,
    account: AccountId,
    #[serde(with = "as_string")]
    amount: Amount,
    /// What that is worth in US cents, at the rate of the block.
    cents: u64,
    destination_digest: Digest,
    requested_at: BlockNumber,
}

/// How the treasury stands.
#[derive(Debug, Serialize)]
struct Treasury {
    block: BlockNumber,
    treasurer: Option<AccountId>,
    bytechips_per_dollar: u32,
    /// What is held for all open payouts together.
    #[serde(with = "as_string")]
    held: Amount,
    /// Where the payouts go that are told; none if all are.
    destination_digest: Option<Digest>,
    /// In the order of their numbers.
    payouts: Vec<Open>,
}

/// A payment that was recorded.
#[derive(Debug, Serialize)]
struct Recorded {
    reference: String,
    buyer: AccountId,
    cents: u64,
    /// What was minted for it.
    #[serde(with = "as_string")]
    amount: Amount,
    block: BlockNumber,
    transaction: String,
}

/// What the treasurer answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The dollars are sent; the ByteChips are burnt.
    Paid,
    /// The ByteChips went back.
    Returned,
}

/// A payout that was answered.
#[derive(Debug, Serialize)]
struct Answered {
    answer: Answer,
    payout: u64,
    account: AccountId,
    #[serde(with = "as_string")]
    amount: Amount,
    /// That of the transfer, if there was one.
    reference: Option<String>,
    block: BlockNumber,
    transaction: String,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &TreasuryCommand) -> anyhow::Result<()> {
    match command {
        TreasuryCommand::Show(args) => show(context, args).await,
        TreasuryCommand::Record(args) => record(context, args).await,
        TreasuryCommand::Pay(args) => {
            answer(context, args.payout.payout, Some(&args.reference)).await
        }
        TreasuryCommand::Return(of) => answer(context, of.payout, None).await,
    }
}

async fn show(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        let (treasurer, rate) = (
            state.treasurer().await?,
            state.bytechips_per_dollar().await?,
        );
        let (held, payouts) = (state.totals().await?.payouts, state.payouts().await?);
        anyhow::Ok((state.block().number, treasurer, rate, held, payouts))
    });
    let (block, treasurer, bytechips_per_dollar, held, payouts) = asked.await?;
    let wanted = args.destination.as_deref().map(digest);
    let payouts = payouts.into_iter().filter(|payout| {
        let there = |wanted: Digest| payout.destination == wanted;
        wanted.is_none_or(there)
    });
    context.show(&Treasury {
        block,
        treasurer,
        bytechips_per_dollar,
        held,
        destination_digest: wanted,
        payouts: payouts
            .map(|payout| Open::new(payout, bytechips_per_dollar))
            .collect(),
    })
}

async fn record(context: &Context, args: &RecordArgs) -> anyhow::Result<()> {
    let account = context.account()?;
    let buyer = context.account_id(Some(&args.buyer))?;
    let (Reference(reference), cents) = (args.reference.clone(), args.dollars.cents);
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    check_treasurer(state.treasurer().await?, account.id())?;
    check_payment(&reference, state.purchase(&reference).await?)?;
    let call = Call::RecordPurchase {
        reference: reference.clone().into_bytes(),
        buyer: buyer.clone(),
        cents,
    };
    let settled = submit(&chain, &account, &call, "recording the payment").await?;
    let block = settled.block.number;
    let purchase = chain.at(settled.block).await?.purchase(&reference).await?;
    let Some(purchase) = purchase else {
        return Err(TreasuryError::NoPurchase { block, buyer }.into());
    };
    context.show(&Recorded {
        reference,
        buyer,
        cents,
        amount: purchase.amount,
        block,
        transaction: written(&settled),
    })
}

/// Answers a payout: it is made, by the transfer of this reference, or it is refused.
async fn answer(
    context: &Context,
    number: u64,
    transfer: Option<&Reference>,
) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    check_treasurer(state.treasurer().await?, account.id())?;
    let payout = state.payout(number).await?;
    let payout = payout.ok_or(TreasuryError::NotOpen { payout: number })?;
    let (answer, call, what) = match transfer {
        Some(Reference(reference)) => {
            check_transfer(reference, state.transfer(reference).await?)?;
            let call = Call::CompletePayout {
                payout: number,
                reference: reference.clone().into_bytes(),
            };
            (Answer::Paid, call, "marking the payout as made")
        }
        None => {
            let call = Call::ReturnPayout(number);
            (Answer::Returned, call, "returning the payout")
        }
    };
    let settled = submit(&chain, &account, &call, what).await?;
    context.show(&Answered {
        answer,
        payout: number,
        account: payout.account,
        amount: payout.amount,
        reference: transfer.map(|Reference(reference)| reference.clone()),
        block: settled.block.number,
        transaction: written(&settled),
    })
}

/// Says in words what the chain would only refuse: only the treasurer may.
fn check_treasurer(treasurer: Option<AccountId>, account: AccountId) -> Result<(), TreasuryError> {
    match treasurer {
        None => Err(TreasuryError::NoTreasurer),
        Some(treasurer) if treasurer == account => Ok(()),
        Some(treasurer) => Err(TreasuryError::NotTheTreasurer { account, treasurer }),
    }
}

/// A payment's reference is taken once.
fn check_payment(reference: &str, recorded: Option<Purchase>) -> Result<(), TreasuryError> {
    recorded.map_or(Ok(()), |purchase| {
        Err(TreasuryError::Recorded {
            reference: reference.to_owned(),
            paid: Dollars {
                cents: purchase.cents,
            },
            buyer: purchase.buyer,
            block: purchase.recorded_at,
        })
    })
}

/// A transfer's reference is taken once too.
fn check_transfer(reference: &str, made: Option<Transfer>) -> Result<(), TreasuryError> {
    made.map_or(Ok(()), |transfer| {
        Err(TreasuryError::Used {
            reference: reference.to_owned(),
            payout: transfer.payout.number,
            block: transfer.completed_at,
        })
    })
}

/// The digest by which a payout names its destination.
fn digest(destination: &str) -> Digest {
    Digest(Sha256::digest(destination).into())
}

/// What an amount is worth at a rate of so many whole ByteChips for a dollar, rounded down to a
/// cent. The chain allows no rate of zero, at which nothing is worth anything.
fn worth(amount: Amount, bytechips_per_dollar: u32) -> Dollars {
    let cents = (amount / (BYTECHIP / 100)).checked_div(bytechips_per_dollar.into());
    Dollars {
        cents: u64::try_from(cents.unwrap_or(0)).unwrap_or(u64::MAX),
    }
}

/// A transaction's hash as it is shown.
fn written(settled: &Settled) -> String {
    format!("0x{}", hex::encode(settled.transaction))
}

impl Open {
    fn new(payout: Payout, bytechips_per_dollar: u32) -> Self {
        Self {
            payout: payout.number,
            account: payout.account,
            amount: payout.amount,
            cents: worth(payout.amount, bytechips_per_dollar).cents,
            destination_digest: payout.destination,
            requested_at: payout.requested_at,
        }
    }

    fn row(&self) -> Vec<String> {
        let destination: String = self
            .destination_digest
            .to_string()
            .chars()
            .take(DIGITS_SHOWN + "0x".len())
            .collect();
        vec![
            self.payout.to_string(),
            display(self.amount),
            Dollars { cents: self.cents }.to_string(),
            self.requested_at.to_string(),
            format!("{destination}…"),
            self.account.to_string(),
        ]
    }
}

impl Output for Treasury {
    fn people(&self) -> String {
        let treasurer = self.treasurer.as_ref();
        let about = fields(&[
            (
                "treasurer",
                treasurer.map_or_else(|| "none".to_owned(), AccountId::to_string),
            ),
            ("rate", format!("{} BC a dollar", self.bytechips_per_dollar)),
            (
                "held",
                format!("{} for all open payouts", display(self.held)),
            ),
            ("block", self.block.to_string()),
        ]);
        if self.payouts.is_empty() {
            let none = match self.destination_digest {
                None => "no payout is open",
                Some(_) => "no open payout goes there; is that the text to the letter?",
            };
            return format!("{about}\n\n{none}");
        }
        let rows: Vec<_> = self.payouts.iter().map(Open::row).collect();
        let head = [
            ">payout",
            ">amount",
            ">worth",
            ">asked in",
            "destination",
            "account",
        ];
        format!("{about}\n\n{}", table(&head, &rows))
    }
}

impl Output for Recorded {
    fn people(&self) -> String {
        let paid = Dollars { cents: self.cents };
        fields(&[
            ("account", self.buyer.to_string()),
            ("paid", paid.to_string()),
            ("got", display(self.amount)),
            ("reference", self.reference.clone()),
            ("block", self.block.to_string()),
        ])
    }
}

impl Output for Answered {
    fn people(&self) -> String {
        let state = match self.answer {
            Answer::Paid => "made; the ByteChips are burnt",
            Answer::Returned => "refused; the ByteChips went back",
        };
        let mut pairs = vec![
            ("payout", self.payout.to_string()),
            ("account", self.account.to_string()),
            ("amount", display(self.amount)),
            ("state", state.to_owned()),
        ];
        if let Some(reference) = &self.reference {
            pairs.push(("reference", reference.clone()));
        }
        pairs.push(("block", self.block.to_string()));
        fields(&pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
