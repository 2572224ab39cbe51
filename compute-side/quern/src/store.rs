//! `quern store`: folders that strangers' machines keep, and give back.

mod get;
mod lasting;
mod put;
mod status;

use crate::context::Context;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use quern_custody_rules::pay;
use quern_primitives::{
    Amount,
    custody::{Contract, Terms},
    ids::ContractId,
};
use quern_shards::stored::PieceList;
use std::path::PathBuf;

/// What can be done with stored folders.
#[derive(Subcommand, Debug)]
pub(crate) enum StoreCommand {
    /// Seal a folder, open a contract and hand its pieces to those who keep them
    Put(Box<put::PutArgs>),
    /// Go on with a folder whose pieces were not all handed in
    Resume(put::ResumeArgs),
    /// Your contracts
    List,
    /// How it stands with a stored folder: pieces, who keeps them, what was proved, money
    Status(StoreName),
    /// Fetch a stored folder and restore it
    Get(get::GetArgs),
    /// Have a folder kept for longer
    Renew(lasting::RenewArgs),
    /// Have a folder kept no longer than the notice asks for; what is left of the deposit comes back then
    Drop(lasting::DropArgs),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct StoreName {
    /// The contract: 64 hexadecimal digits, or the first few of one opened from here
    #[arg(value_name = "CONTRACT")]
    contract: String,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Put(args) => put::put(context, args).await,
        StoreCommand::Resume(args) => put::resume(context, args).await,
        StoreCommand::List => status::list(context).await,
        StoreCommand::Status(name) => status::status(context, name).await,
        StoreCommand::Get(args) => get::get(context, args).await,
        StoreCommand::Renew(args) => lasting::renew(context, args).await,
        StoreCommand::Drop(args) => lasting::drop(context, args).await,
    }
}

/// Where a stored folder's key and list are, on this machine.
fn stores(context: &Context) -> anyhow::Result<PathBuf> {
    Ok(context.stores()?)
}

/// An open contract, as the chain has it.
async fn open_contract(
    chain: &quern_ledger::Chain,
    contract: ContractId,
) -> anyhow::Result<Contract> {
    let found = chain.at_finalised().await?.contract(contract).await?;
    found.with_context(|| {
        format!("the chain knows no open contract {contract}; `quern store list` shows yours")
    })
}

/// What all pieces cost for a period, kept by as many devices as are to.
fn price_of_period(terms: &Terms, list: &PieceList) -> anyhow::Result<Amount> {
    let copies = Amount::from(list.plan().layout().copies());
    let prices = list.entries().iter().map(|entry| {
        let price = pay::price(terms, entry.bytes)?;
        price.checked_mul(copies)
    });
    let mut sum = Some(0);
    for price in prices {
        sum = sum
            .zip(price)
            .and_then(|(sum, price)| Amount::checked_add(sum, price));
    }
    sum.context("the folder costs more than can exist; store less")
}
