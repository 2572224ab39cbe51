//! `quern wallet`: an account's money.

mod history;
mod treasurer;

use crate::{
    context::Context,
    output::{Output, fields, patiently, submit},
    units::{Dollars, Price, Reference, span_of_blocks},
};
use clap::{Args, Subcommand, ValueEnum};
use quern_ledger::{Call, Chain};
use quern_primitives::{
    AccountId, Amount, BlockNumber,
    amount::{as_string, display},
    view::WalletView,
};
use serde::Serialize;

/// What can be done with money.
#[derive(Subcommand, Debug)]
pub(crate) enum WalletCommand {
    /// What an account has
    Balance(OfArgs),
    /// What went in and out of an account
    History(history::HistoryArgs),
    /// Buy ByteChips; on a development chain the payment is recorded at once
    Buy(BuyArgs),
    /// Ask for ByteChips to be paid out; on a development chain that is answered at once
    Payout(PayoutArgs),
    /// Send ByteChips to another account
    Send(SendArgs),
}

#[derive(Args, Debug)]
pub(crate) struct OfArgs {
    /// Whose: an address or the name of a key [default: the account that signs]
    #[arg(value_name = "ACCOUNT")]
    of: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct BuyArgs {
    /// What is paid, in US dollars
    #[arg(long)]
    dollars: Dollars,
    /// The payment's reference, such as a bank's transaction id; each is taken once [default: a random one]
    #[arg(long)]
    reference: Option<Reference>,
}

#[derive(Args, Debug)]
pub(crate) struct PayoutArgs {
    /// How much, in ByteChips
    amount: Price,
    /// Where the money should go; the chain keeps its digest, the treasurer is told beside the chain
    #[arg(long)]
    destination: String,
    /// On a development chain: what the treasurer answers
    #[arg(long, value_enum, default_value = "complete")]
    answer: Answer,
}

/// What the treasurer makes of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The transfer is made; the ByteChips are burnt
    Complete,
    /// The ByteChips go back
    Return,
    /// Nothing yet; they stay held
    None,
}

#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// To whom: an address, the name of a key, or a development account
    to: String,
    /// How much, in ByteChips
    amount: Price,
}

/// The account does not have what it would give away.
#[derive(Debug, thiserror::Error)]
#[error("the account has {} to spend, not {}; buy more with `quern wallet buy`", display(*free), display(*asked))]
struct BalanceError {
    free: Amount,
    asked: Amount,
}

#[derive(Debug, Serialize)]
struct Balance {
    account: AccountId,
    #[serde(flatten)]
    wallet: WalletView,
    /// As of when.
    block: BlockNumber,
}

#[derive(Debug, Serialize)]
struct Sent {
    to: AccountId,
    #[serde(with = "as_string")]
    amount: Amount,
    block: BlockNumber,
    transaction: String,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &WalletCommand) -> anyhow::Result<()> {
    match command {
        WalletCommand::Balance(args) => {
            let account = context.account_id(args.of.as_deref())?;
            let asked = patiently("asking the chain", async {
                let state = context.chain().await?.at_finalised().await?;
                anyhow::Ok((state.block().number, state.wallet(&account).await?))
            });
            let (block, wallet) = asked.await?;
            context.show(&Balance {
                account,
                wallet,
                block,
            })
        }
        WalletCommand::History(args) => history::run(context, args).await,
        WalletCommand::Buy(args) => treasurer::buy(context, args).await,
        WalletCommand::Payout(args) => treasurer::payout(context, args).await,
        WalletCommand::Send(args) => send(context, args).await,
    }
}

async fn send(context: &Context, args: &SendArgs) -> anyhow::Result<()> {
    let (from, to) = (context.account()?, context.account_id(Some(&args.to))?);
    let chain = context.chain().await?;
    let amount = args.amount.0;
    check_balance(&chain, &from.id(), amount).await?;
    let call = Call::Transfer {
        to: to.clone(),
        amount,
    };
    let settled = submit(&chain, &from, &call, "sending").await?;
    let transaction = format!("0x{}", hex::encode(settled.transaction));
    context.show(&Sent {
        to,
        amount,
        block: settled.block.number,
        transaction,
    })
}

/// Says in words what the chain would only refuse.
async fn check_balance(chain: &Chain, account: &AccountId, asked: Amount) -> anyhow::Result<()> {
    let free = chain.at_finalised().await?.wallet(account).await?.free;
    if free < asked {
        return Err(BalanceError { free, asked }.into());
    }
    Ok(())
}

/// What an account will get of batches that are not final yet.
fn pending(wallet: &WalletView) -> String {
    let amount = display(wallet.pending);
    match wallet.pending_partly {
        true => format!("{amount} or more, of batches that are not final yet"),
        false => format!("{amount}, of batches that are not final yet"),
    }
}

/// What is on its way out of a bond, and when it can be withdrawn.
pub(crate) fn unbonding(wallet: &WalletView, now: BlockNumber) -> String {
    if wallet.unbonding.is_empty() {
        return display(0);
    }
    // What can be withdrawn in a block can be asked for in the one before.
    let next = now.saturating_add(1);
    let parts = wallet.unbonding.iter().map(|part| {
        let amount = display(part.amount);
        match part.withdrawable_at.checked_sub(next) {
            None | Some(0) => format!("{amount} to be had with `quern device withdraw`"),
            Some(blocks) => format!(
                "{amount} until block {} ({})",
                part.withdrawable_at,
                span_of_blocks(blocks.into())
            ),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

impl Output for Balance {
    fn people(&self) -> String {
        fields(&[
            ("account", self.account.to_string()),
            ("to spend", display(self.wallet.free)),
            ("in escrow", display(self.wallet.escrow)),
            ("to come", pending(&self.wallet)),
            ("bonded", display(self.wallet.bond_active)),
            ("unbonding", unbonding(&self.wallet, self.block)),
            ("for a masternode", display(self.wallet.masternode_bond)),
            ("for disputes", display(self.wallet.disputes)),
            ("for payouts", display(self.wallet.payouts)),
            ("for contracts", display(self.wallet.contracts)),
            ("for challenges", display(self.wallet.challenges)),
        ])
    }
}

impl Output for Sent {
    fn people(&self) -> String {
        format!(
            "{} sent to {} in block {}",
            display(self.amount),
            self.to,
            self.block
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{amount::BYTECHIP, view::UnbondingView};

    #[test]
    fn a_balance_says_when_what_is_unbonding_is_free() {
        let part = |bytechips: Amount, withdrawable_at| UnbondingView {
            amount: bytechips * BYTECHIP,
            withdrawable_at,
        };
        let wallet = WalletView {
            unbonding: vec![part(2, 101), part(3, 1_901)],
            ..WalletView::default()
        };
        assert_eq!(
            unbonding(&wallet, 100),
            "2 BC to be had with `quern device withdraw`, 3 BC until block 1901 (about 1 h 0 min)"
        );
        assert_eq!(unbonding(&WalletView::default(), 100), "0 BC");
    }
}
