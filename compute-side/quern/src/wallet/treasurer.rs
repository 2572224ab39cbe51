//! Money that comes in and goes out. Both pass the treasurer, who is a person on a real chain, and a
//! well-known account on a development chain.

use super::{Answer, BuyArgs, PayoutArgs, check_balance};
use crate::{
    context::Context,
    output::{Output, fields, submit},
    units::{Dollars, Reference},
};
use codec::Decode;
use quern_ledger::{Call, Chain, State};
use quern_local_grid::{OPERATOR, development_account};
use quern_primitives::{
    AccountId, Amount, BlockNumber, Digest,
    amount::{as_string, display},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Why money does not come in or go out by this command.
#[derive(Debug, thiserror::Error)]
enum TreasurerError {
    /// This is a real chain.
    #[error(
        "only the treasurer records purchases on this chain, with `quern treasury record`: pay them the dollars, and name your account {account} and the payment's reference"
    )]
    NotHere { account: AccountId },
    /// The request is in the block, but not its event.
    #[error("block {block} does not tell the payout's number; see `quern wallet history`")]
    NoNumber { block: BlockNumber },
}

#[derive(Debug, Serialize)]
struct Bought {
    account: AccountId,
    cents: u64,
    bytechips_per_dollar: u32,
    reference: String,
    #[serde(with = "as_string")]
    free: Amount,
    block: BlockNumber,
}

#[derive(Debug, Serialize)]
struct PaidOut {
    payout: u64,
    account: AccountId,
    #[serde(with = "as_string")]
    amount: Amount,
    destination_digest: Digest,
    /// What the treasurer answered, if this is a development chain.
    answer: Answer,
    block: BlockNumber,
}

/// Records a purchase as the treasurer of a development chain.
pub(super) async fn buy(context: &Context, args: &BuyArgs) -> anyhow::Result<()> {
    let buyer = context.account_id(None)?;
    let random = || {
        let digits = hex::encode(rand::random::<[u8; 8]>());
        Reference(format!("quern-dev-{digits}"))
    };
    let Reference(reference) = args.reference.clone().unwrap_or_else(random);
    let chain = context.chain().await?;
    if !chain.is_development().await? {
        return Err(TreasurerError::NotHere { account: buyer }.into());
    }
    let call = Call::RecordPurchase {
        reference: reference.clone().into_bytes(),
        buyer: buyer.clone(),
        cents: args.dollars.cents,
    };
    let treasurer = development_account(OPERATOR)?;
    let settled = submit(&chain, &treasurer, &call, "recording the payment").await?;
    let state = chain.at(settled.block).await?;
    context.show(&Bought {
        cents: args.dollars.cents,
        bytechips_per_dollar: state.bytechips_per_dollar().await?,
        reference,
        free: state.wallet(&buyer).await?.free,
        account: buyer,
        block: settled.block.number,
    })
}

/// Asks for a payout, and answers it as the treasurer of a development chain.
pub(super) async fn payout(context: &Context, args: &PayoutArgs) -> anyhow::Result<()> {
    let (account, amount) = (context.account()?, args.amount.0);
    let destination = Digest(Sha256::digest(&args.destination).into());
    let chain = context.chain().await?;
    check_balance(&chain, &account.id(), amount).await?;
    let call = Call::RequestPayout {
        amount,
        destination,
    };
    let asked = submit(&chain, &account, &call, "asking for the payout").await?;
    let mut block = asked.block;
    let payout = requested(&chain.at(block).await?, &account.id()).await?;
    let mut answer = Answer::None;
    if chain.is_development().await? && args.answer != Answer::None {
        answer = args.answer;
        block = settle(&chain, payout, answer).await?;
    }
    let account = account.id();
    let (destination_digest, block) = (destination, block.number);
    context.show(&PaidOut {
        payout,
        account,
        amount,
        destination_digest,
        answer,
        block,
    })
}

async fn settle(
    chain: &Chain,
    payout: u64,
    answer: Answer,
) -> anyhow::Result<quern_ledger::FinalisedBlock> {
    let reference = format!("quern-dev-payout-{payout}").into_bytes();
    let call = match answer {
        Answer::Return => Call::ReturnPayout(payout),
        Answer::Complete | Answer::None => Call::CompletePayout { payout, reference },
    };
    let treasurer = development_account(OPERATOR)?;
    let settled = submit(chain, &treasurer, &call, "answering it as the treasurer").await?;
    Ok(settled.block)
}

/// The number of the payout that an account asked for in a block.
async fn requested(state: &State, account: &AccountId) -> anyhow::Result<u64> {
    let of_account = state.events().await?.into_iter().rev().find_map(|event| {
        let is_request = event.pallet == "Bytechip" && event.name == "PayoutRequested";
        let (payout, asker) = <(u64, AccountId)>::decode(&mut &event.bytes[..]).ok()?;
        (is_request && asker == *account).then_some(payout)
    });
    Ok(of_account.ok_or(TreasurerError::NoNumber {
        block: state.block().number,
    })?)
}

impl Output for Bought {
    fn people(&self) -> String {
        let paid = Dollars { cents: self.cents };
        fields(&[
            ("account", self.account.to_string()),
            (
                "paid",
                format!("{paid} at {} BC a dollar", self.bytechips_per_dollar),
            ),
            ("reference", self.reference.clone()),
            ("to spend", display(self.free)),
            ("block", self.block.to_string()),
        ])
    }
}

impl Output for PaidOut {
    fn people(&self) -> String {
        let answer = match self.answer {
            Answer::Complete => "the treasurer made the transfer; the ByteChips are burnt",
            Answer::Return => "the treasurer sent the ByteChips back",
            Answer::None => "held until the treasurer answers; tell them where the money should go",
        };
        fields(&[
            ("payout", self.payout.to_string()),
            ("amount", display(self.amount)),
            ("state", answer.to_owned()),
            ("block", self.block.to_string()),
        ])
    }
}
