//! Storing a folder, and going on with one of which not all was handed in.

use super::{StoreName, price_of_period, stores};
use crate::{
    context::Context,
    output::{Output, byte_bar, can_confirm, confirm, count_bar, fields, spinner, submit, tell},
    units::{BLOCK_SECONDS, Size, Span, counted, span_of_blocks},
};
use anyhow::{Context as _, ensure};
use clap::Args;
use quern_ledger::{Account, Call, Chain, CustodyCall, SubmitError};
use quern_owner::store::{Keepers, StoreFolder, pack};
use quern_primitives::{
    Amount,
    amount::{as_string, display},
    custody::Terms,
    ids::ContractId,
};
use quern_shards::stored::{Layout, PieceList};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// How often it is looked how many devices keep the pieces.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Args, Clone, Debug)]
pub(crate) struct PutArgs {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Have each piece kept by so many devices, of different accounts where there are [default: 2]
    #[arg(long, value_name = "N", conflicts_with = "code")]
    copies: Option<u8>,
    /// Instead of copies: of so many shards and further pieces, such as 4+2, any as many as there are shards give all
    #[arg(long, value_name = "K+M")]
    code: Option<Code>,
    /// For how long, such as 7d
    #[arg(long = "for", value_name = "SPAN")]
    for_span: Span,
    /// Do not ask before money goes into the deposit
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    name: StoreName,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Args, Clone, Copy, Debug)]
struct WaitArgs {
    /// Wait until as many devices keep each piece as are to
    #[arg(long)]
    wait: bool,
    /// Keep the sealed pieces here when they were handed in
    #[arg(long)]
    keep_pieces: bool,
}

/// Shards and parity of a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    shards: u8,
    parity: u8,
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('+').and_then(|(shards, parity)| {
            Some(Self {
                shards: shards.parse().ok()?,
                parity: parity.parse().ok()?,
            })
        });
        numbers.ok_or_else(|| format!("`{text}` is no code; write it as 4+2"))
    }
}

/// What a folder costs.
#[derive(Clone, Copy, Debug, Serialize)]
struct Offer {
    /// The folder, packed.
    bytes: u64,
    pieces: u32,
    /// All that is kept, over all devices.
    kept_bytes: u64,
    copies: u8,
    periods: u32,
    period_s: u64,
    #[serde(with = "as_string")]
    per_period: Amount,
    #[serde(with = "as_string")]
    deposit: Amount,
}

impl Offer {
    fn people(&self) -> String {
        let period = span_of_blocks(self.period_s.checked_div(BLOCK_SECONDS).unwrap_or(0));
        fields(&[
            (
                "pieces",
                format!(
                    "{} of {}, each for {}",
                    self.pieces,
                    Size(self.bytes),
                    counted(self.copies, "device")
                ),
            ),
            ("kept in all", Size(self.kept_bytes).to_string()),
            ("for", format!("{} periods of {period}", self.periods)),
            (
                "costs a period",
                format!("{} at most, for what is proved", display(self.per_period)),
            ),
            (
                "deposit",
                format!("{}; what is not paid comes back", display(self.deposit)),
            ),
        ])
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Stored {
    contract: ContractId,
    folder: PathBuf,
    #[serde(flatten)]
    offer: Option<Offer>,
    /// The block in which the contract was opened; not there if it was open before.
    block: Option<u32>,
    pieces: u32,
    /// Pieces that as many devices keep as are to.
    kept: u32,
    /// Masternodes that do not look after it, and why.
    missed: Vec<String>,
}

impl Output for Stored {
    fn people(&self) -> String {
        let contract = self.contract;
        let mut lines = vec![match self.kept == self.pieces {
            true => format!("stored as {contract}: all {} pieces are kept", self.pieces),
            false => format!(
                "stored as {contract}: {} of {} pieces are kept by as many devices as are to; `quern store status {contract}` says how it goes on",
                self.kept, self.pieces
            ),
        }];
        lines.push(format!(
            "the key is in {}; without it nobody can read the folder, so keep a copy of it elsewhere",
            self.folder.display()
        ));
        lines.extend(self.missed.iter().map(|it| format!("not reached: {it}")));
        lines.join("\n")
    }
}

/// Packs, prices, opens the contract, and hands in.
pub(crate) async fn put(context: &Context, args: &PutArgs) -> anyhow::Result<()> {
    ensure!(
        args.folder.is_dir(),
        "{} is no folder; name one",
        args.folder.display()
    );
    can_confirm(args.yes)?;
    let owner = context.account()?;
    let chain = context.chain().await?;
    let terms = chain.at_finalised().await?.storage_terms().await?;
    let layout = match args.code {
        Some(Code { shards, parity }) => Layout::Coded { shards, parity },
        None => Layout::Mirrored {
            copies: args.copies.unwrap_or(2),
        },
    };
    let store = sealed(context, &chain, &owner, (&args.folder, layout)).await?;
    let agreed = agreed(context, (&chain, &owner), &store, args, &terms).await;
    let (offer, call) = match agreed {
        Ok(agreed) => agreed,
        Err(error) => {
            // Nobody has anything of it.
            store.discard();
            return Err(error);
        }
    };
    let settled = match submit(&chain, &owner, &call, "opening the contract").await {
        Ok(settled) => settled,
        Err(error @ (SubmitError::Refused { .. } | SubmitError::NotTaken { .. })) => {
            store.discard();
            return Err(error.into());
        }
        // The contract may be there, and nothing but this folder has its key.
        Err(error) => {
            let contract = store.contract();
            return Err(error).with_context(|| {
                format!("the contract may be open; `quern store resume {contract}` hands the folder in if it is")
            });
        }
    };
    let block = settled.block.number;
    hand_in(
        context,
        &chain,
        &store,
        (Some(offer), Some(block)),
        args.wait,
    )
    .await
}

/// Hands in what is not there yet.
pub(crate) async fn resume(context: &Context, args: &ResumeArgs) -> anyhow::Result<()> {
    let contract = context.contract(&args.name.contract)?;
    let store = StoreFolder::find(&stores(context)?, contract)?;
    let chain = context.chain().await?;
    hand_in(context, &chain, &store, (None, None), args.wait).await
}

/// Packs and seals a folder.
async fn sealed(
    context: &Context,
    chain: &Chain,
    owner: &Account,
    (folder, layout): (&Path, Layout),
) -> anyhow::Result<StoreFolder> {
    let (stores, genesis) = (stores(context)?, chain.genesis());
    let (owner, folder) = (owner.id(), folder.to_owned());
    let bar = byte_bar("sealing");
    let drawn = bar.clone();
    let packed = tokio::task::spawn_blocking(move || {
        pack(
            &stores,
            (genesis, &owner),
            &folder,
            layout,
            |done, total| {
                drawn.set_length(total);
                drawn.set_position(done);
            },
        )
    })
    .await?;
    bar.finish_and_clear();
    Ok(packed?)
}

/// Asks whether it shall be stored for what it costs. Returns that, and the call that opens the contract.
async fn agreed(
    context: &Context,
    (chain, owner): (&Chain, &Account),
    store: &StoreFolder,
    args: &PutArgs,
    terms: &Terms,
) -> anyhow::Result<(Offer, Call)> {
    let list = store.list()?;
    let plan = list.plan();
    let periods = args
        .for_span
        .blocks()
        .div_ceil(u64::from(terms.period_blocks.max(1)));
    let periods = u32::try_from(periods).context("that is longer than anything is kept")?;
    ensure!(periods > 0, "name a span longer than nothing with --for");
    let per_period = price_of_period(terms, &list)?;
    let deposit = per_period.checked_mul(periods.into());
    let deposit =
        deposit.context("that costs more than can exist; store less, or for a shorter time")?;
    let offer = Offer {
        bytes: plan.piece_bytes(0).unwrap_or_default(),
        pieces: plan.pieces(),
        kept_bytes: plan.kept_bytes(),
        copies: plan.layout().copies(),
        periods,
        period_s: u64::from(terms.period_blocks).saturating_mul(BLOCK_SECONDS),
        per_period,
        deposit,
    };
    let free = chain.at_finalised().await?.wallet(&owner.id()).await?.free;
    ensure!(
        free >= deposit,
        "the deposit is {}, and the account has {} free; buy some with `quern wallet buy`, or store it for a shorter time",
        display(deposit),
        display(free)
    );
    if !context.is_json() {
        tell(&offer.people());
    }
    if !args.yes {
        confirm("Store the folder?", "not stored, and nothing spent")?;
    }
    let call = Call::Custody(Box::new(CustodyCall::Open {
        offer: list.offer(store.salt()?, periods),
        terms: *terms,
        deposit,
    }));
    Ok((offer, call))
}

async fn hand_in(
    context: &Context,
    chain: &Chain,
    store: &StoreFolder,
    (offer, block): (Option<Offer>, Option<u32>),
    wait: WaitArgs,
) -> anyhow::Result<()> {
    let contract = store.contract();
    let waiting = spinner("waiting for the contract's masternodes");
    let found = Keepers::of(chain, contract).await;
    waiting.finish_and_clear();
    let mut keepers = found?;
    let bar = byte_bar("uploading");
    let handed_in = keepers
        // Who goes on hands the pieces to each that is there: the first may have them and be of no use.
        .hand_in(store, offer.is_none(), |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
    bar.finish_and_clear();
    handed_in.with_context(|| {
        format!("not all pieces were handed in; `quern store resume {contract}` goes on")
    })?;
    let list = store.list()?;
    let pieces = list.plan().pieces();
    let kept = match wait.wait {
        true => kept_by_all(chain, contract, &list).await?,
        false => kept(chain, contract, &list).await?,
    };
    if kept == pieces && !wait.keep_pieces {
        (0..pieces).try_for_each(|piece| store.drop_piece(piece))?;
    }
    let missed = keepers.missed().iter();
    context.show(&Stored {
        contract,
        folder: store.path().to_owned(),
        offer,
        block,
        pieces,
        kept,
        missed: missed
            .map(|(account, why)| format!("{account}: {why}"))
            .collect(),
    })
}

/// How many pieces are held by as many devices as are to, as the chain says: these have signed for them.
async fn kept(chain: &Chain, contract: ContractId, list: &PieceList) -> anyhow::Result<u32> {
    let copies = usize::from(list.plan().layout().copies());
    let holdings = chain.at_finalised().await?.holdings_of(contract).await?;
    let mut holders: BTreeMap<u32, usize> = BTreeMap::new();
    for (held, holding) in holdings {
        let entry = list.entries().get(held.piece as usize);
        let is_it = entry.is_some_and(|entry| entry.chunk_root == holding.chunk_root);
        if is_it && holding.until.is_none() {
            *holders.entry(held.piece).or_default() += 1;
        }
    }
    let kept = holders.values().filter(|holders| **holders >= copies);
    Ok(u32::try_from(kept.count())?)
}

/// Waits until all are.
async fn kept_by_all(chain: &Chain, contract: ContractId, list: &PieceList) -> anyhow::Result<u32> {
    let pieces = list.plan().pieces();
    let bar = count_bar("pieces kept");
    bar.set_length(pieces.into());
    loop {
        let kept = kept(chain, contract, list).await?;
        bar.set_position(kept.into());
        if kept >= pieces {
            bar.finish_and_clear();
            return Ok(kept);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_two_numbers_with_a_plus_between() {
        let (shards, parity) = (4, 2);
        assert_eq!("4+2".parse(), Ok(Code { shards, parity }));
        for wrong in ["4", "4-2", "+", "4+", "x+2", "4+2+1", "400+2"] {
            assert!(
                wrong.parse::<Code>().unwrap_err().contains("4+2"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_stored_says_where_the_key_is_and_what_is_still_to_come() {
        let stored = Stored {
            contract: ContractId([1; 32]),
            folder: "/a".into(),
            offer: None,
            block: None,
            pieces: 3,
            kept: 2,
            missed: vec!["5Xy: it does not answer".into()],
        };
        let text = stored.people();
        for words in ["2 of 3 pieces", "quern store status", "/a", "5Xy"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let whole = Stored { kept: 3, ..stored };
        assert!(whole.people().contains("all 3 pieces"));
    }
}
