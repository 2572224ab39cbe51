//! Having a folder kept for longer, or no longer.

use super::{StoreName, open_contract, price_of_period, stores};
use crate::{
    context::Context,
    output::{Output, can_confirm, confirm, submit, tell},
    units::{Span, span_of_blocks},
};
use anyhow::{Context as _, ensure};
use clap::Args;
use quern_custody_rules::pay::period_at;
use quern_ledger::{Call, CustodyCall};
use quern_owner::store::{Keepers, StoreFolder};
use quern_primitives::{
    Amount,
    amount::{as_string, display},
    ids::{ContractId, Period},
};
use serde::Serialize;

#[derive(Args, Clone, Debug)]
pub(crate) struct RenewArgs {
    #[command(flatten)]
    name: StoreName,
    /// For how much longer, such as 7d
    #[arg(long = "for", value_name = "SPAN")]
    for_span: Span,
    /// Do not ask before money goes into the deposit
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct DropArgs {
    #[command(flatten)]
    name: StoreName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Serialize)]
struct Renewed {
    contract: ContractId,
    periods: u32,
    #[serde(with = "as_string")]
    deposit: Amount,
    ends: Period,
}

impl Output for Renewed {
    fn people(&self) -> String {
        format!(
            "{} is kept for {} periods longer, to period {}; {} more were deposited",
            self.contract,
            self.periods,
            self.ends,
            display(self.deposit)
        )
    }
}

/// Puts a contract's end off.
pub(crate) async fn renew(context: &Context, args: &RenewArgs) -> anyhow::Result<()> {
    can_confirm(args.yes)?;
    let contract = context.contract(&args.name.contract)?;
    let owner = context.account()?;
    let chain = context.chain().await?;
    let found = open_contract(&chain, contract).await?;
    let blocks = u64::from(found.terms.period_blocks.max(1));
    let periods = u32::try_from(args.for_span.blocks().div_ceil(blocks));
    let periods = periods.context("that is longer than anything is kept")?;
    ensure!(periods > 0, "name a span longer than nothing with --for");
    let list = match StoreFolder::find(&stores(context)?, contract) {
        Ok(store) => store.list()?,
        // Its key is elsewhere; what pieces it has its masternodes tell.
        Err(_) => Keepers::of(&chain, contract).await?.list(&found).await?,
    };
    list.check_root(&found.offer.pieces_root)?;
    let per_period = price_of_period(&found.terms, &list)?;
    let deposit = per_period.checked_mul(periods.into());
    let deposit = deposit.context("that costs more than can exist")?;
    if !args.yes {
        tell(&format!(
            "{} more, for {periods} periods, {}",
            display(deposit),
            span_of_blocks(u64::from(periods).saturating_mul(blocks))
        ));
        confirm("Keep it for longer?", "not renewed, and nothing spent")?;
    }
    let call = Call::Custody(Box::new(CustodyCall::Renew {
        contract,
        periods,
        deposit,
    }));
    submit(&chain, &owner, &call, "renewing the contract").await?;
    let ends = open_contract(&chain, contract).await?.ends;
    context.show(&Renewed {
        contract,
        periods,
        deposit,
        ends,
    })
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Dropped {
    /// It ends with its notice.
    Ending {
        contract: ContractId,
        ends: Period,
        periods_left: u32,
        blocks_left: u64,
    },
    /// It was over, and what was left of its deposit came back.
    Closed { contract: ContractId },
}

impl Output for Dropped {
    fn people(&self) -> String {
        match self {
            Self::Ending {
                contract,
                ends,
                periods_left,
                blocks_left,
            } => format!(
                "{contract} ends with period {ends}, in {periods_left} periods, {}; what is left of the deposit comes back when it is closed: `quern store drop {contract}` again, then",
                span_of_blocks(*blocks_left)
            ),
            Self::Closed { contract } => {
                format!("{contract} is closed, and what was left of its deposit is back")
            }
        }
    }
}

/// Ends a contract as soon as its notice allows; closes one that is over.
pub(crate) async fn drop(context: &Context, args: &DropArgs) -> anyhow::Result<()> {
    can_confirm(args.yes)?;
    let contract = context.contract(&args.name.contract)?;
    let owner = context.account()?;
    let chain = context.chain().await?;
    let found = open_contract(&chain, contract).await?;
    let clock = chain.at_finalised().await?.finality().await?.clock;
    if period_at(&found.terms, clock) >= found.ends {
        let call = Call::Custody(Box::new(CustodyCall::Close(contract)));
        submit(&chain, &owner, &call, "closing the contract").await?;
        return context.show(&Dropped::Closed { contract });
    }
    if !args.yes {
        confirm(
            "Have the folder kept no longer?",
            "it is kept as long as it was to be",
        )?;
    }
    let call = Call::Custody(Box::new(CustodyCall::End(contract)));
    submit(&chain, &owner, &call, "ending the contract").await?;
    let after = open_contract(&chain, contract).await?;
    let clock = chain.at_finalised().await?.finality().await?.clock;
    let left = after.ends.saturating_sub(period_at(&after.terms, clock));
    context.show(&Dropped::Ending {
        contract,
        ends: after.ends,
        periods_left: left,
        blocks_left: u64::from(left).saturating_mul(after.terms.period_blocks.into()),
    })
}
