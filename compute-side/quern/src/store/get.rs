//! Fetching a stored folder.

use super::{StoreName, open_contract, status::bytes, stores};
use crate::{
    context::Context,
    output::{Output, byte_bar, tell},
};
use anyhow::Context as _;
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;
use quern_owner::{
    archive::Existing,
    store::{Keepers, KeepersError, StoreFolder, restore},
};
use quern_primitives::ids::ContractId;
use quern_shards::stored::PieceList;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Stripes of which pieces are fetched at a time: a masternode brings each from a device first, which takes it a while.
const STRIPES_AT_A_TIME: usize = 8;

#[derive(Args, Clone, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    name: StoreName,
    /// Where the folder's content goes; made if it is not there
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Replace files that are there already
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Serialize)]
struct Restored {
    contract: ContractId,
    into: PathBuf,
    entries: u64,
    bytes: u64,
    /// Pieces that were fetched, of all that there are.
    fetched: u32,
    pieces: u32,
}

impl Output for Restored {
    fn people(&self) -> String {
        format!(
            "restored {} files and folders, {}, into {}, of {} of {} pieces",
            self.entries,
            bytes(self.bytes),
            self.into.display(),
            self.fetched,
            self.pieces
        )
    }
}

/// Fetches as many pieces of each stripe as give all, and restores the folder.
pub(crate) async fn get(context: &Context, args: &GetArgs) -> anyhow::Result<()> {
    let contract = context.contract(&args.name.contract)?;
    let store = StoreFolder::find(&stores(context)?, contract).with_context(|| {
        format!("the key of {contract} is not on this machine, and without it nobody can read the folder")
    })?;
    let chain = context.chain().await?;
    let found = open_contract(&chain, contract).await?;
    let keepers = Keepers::of(&chain, contract).await?;
    let list = store.list()?;
    list.check_root(&found.offer.pieces_root)?;
    let folder = store.path().join("fetched");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let fetched = fetch(&keepers, &store, &list, &folder).await?;
    let (genesis, key) = (chain.genesis(), store.key()?);
    let existing = match args.replace {
        true => Existing::Replaced,
        false => Existing::Kept,
    };
    let (from, into) = (folder.clone(), args.into.clone());
    let (scratch, all) = (store.path().join("scratch"), list.clone());
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let made = scratch.clone();
    let restored = tokio::task::spawn_blocking(move || {
        restore(
            (genesis, contract),
            &all,
            &key,
            from.as_path(),
            (&made, &into),
            existing,
        )
    })
    .await?;
    // What is left of it is small, and of no use.
    drop(fs::remove_dir_all(&scratch));
    let facts = restored?;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    context.show(&Restored {
        contract,
        into: args.into.clone(),
        entries: facts.entries,
        bytes: facts.content_bytes,
        fetched,
        pieces: list.plan().pieces(),
    })
}

/// What pieces are fetched with.
struct Fetching<'a> {
    keepers: &'a Keepers,
    store: &'a StoreFolder,
    list: &'a PieceList,
    /// Where they go.
    folder: &'a Path,
    bar: ProgressBar,
}

/// Fetches of each stripe as many pieces as there are shards. Returns how many came.
async fn fetch(
    keepers: &Keepers,
    store: &StoreFolder,
    list: &PieceList,
    folder: &Path,
) -> anyhow::Result<u32> {
    let plan = list.plan();
    let bar = byte_bar("fetching");
    let needed: u64 = (0..plan.stripes())
        .flat_map(|stripe| plan.shards_of(stripe))
        .filter_map(|shard| plan.piece_bytes(plan.piece_of(shard)))
        .sum();
    bar.set_length(needed);
    let fetching = Fetching {
        keepers,
        store,
        list,
        folder,
        bar,
    };
    let stripes = (0..plan.stripes()).map(|stripe| fetching.stripe(stripe));
    let mut coming = stream::iter(stripes).buffer_unordered(STRIPES_AT_A_TIME);
    let mut fetched = 0u32;
    while let Some(pieces) = coming.try_next().await? {
        fetched = fetched.saturating_add(pieces);
    }
    drop(coming);
    fetching.bar.finish_and_clear();
    Ok(fetched)
}

impl Fetching<'_> {
    /// Fetches as many pieces of a stripe as it has shards, those first that need no mending. Returns how many came.
    async fn stripe(&self, stripe: u32) -> anyhow::Result<u32> {
        let plan = self.list.plan();
        let wanted = plan.shards_of(stripe).len();
        let (mut here, mut fetched, mut why) = (0, 0u32, Vec::new());
        for piece in plan.pieces_of(stripe) {
            if here == wanted {
                break;
            }
            let Some(entry) = self.list.entries().get(piece as usize) else {
                continue;
            };
            let into = self.folder.join(piece.to_string());
            let own = self.store.piece(piece);
            if own.is_file() && !into.is_file() {
                fs::copy(&own, &into).with_context(|| format!("cannot copy {}", own.display()))?;
            }
            if into.is_file() {
                self.bar.inc(entry.bytes);
                here += 1;
                continue;
            }
            let read = self.keepers.read(entry, &into, |bytes| self.bar.inc(bytes));
            match read.await {
                Ok(()) => {
                    fetched = fetched.saturating_add(1);
                    here += 1;
                }
                Err(error @ KeepersError::NoPiece { .. }) => {
                    tell(&format!("{error}"));
                    why.push(error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        anyhow::ensure!(
            here == wanted,
            "of stripe {stripe} only {here} of {wanted} pieces can be had now; what was fetched stays, run the command again later ({})",
            why.join("; ")
        );
        Ok(fetched)
    }
}
