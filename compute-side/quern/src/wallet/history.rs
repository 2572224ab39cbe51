//! What went in and out of an account, from the events of finalised blocks.

mod entries;

use crate::{
    context::Context,
    output::{Output, count_bar, table},
};
use clap::Args;
use entries::{Entry, entries};
use quern_ledger::{ChainError, ChainEvent};
use quern_primitives::{AccountId, BlockNumber, amount::display};
use serde::Serialize;

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// Whose: an address or the name of a key [default: the account that signs]
    #[arg(value_name = "ACCOUNT")]
    of: Option<String>,
    /// How many of the last blocks to read
    #[arg(long, default_value_t = 1_000)]
    blocks: BlockNumber,
}

#[derive(Debug, Serialize)]
struct History {
    account: AccountId,
    first_block: BlockNumber,
    last_block: BlockNumber,
    /// Whether more blocks were wanted, and the node keeps nothing of those before the first.
    discarded: bool,
    entries: Vec<Dated>,
}

#[derive(Debug, Serialize)]
struct Dated {
    block: BlockNumber,
    #[serde(flatten)]
    entry: Entry,
}

pub(crate) async fn run(context: &Context, args: &HistoryArgs) -> anyhow::Result<()> {
    let account = context.account_id(args.of.as_deref())?;
    let chain = context.chain().await?;
    let last_block = chain.at_finalised().await?.block().number;
    // The first block is what the chain was made with and has no events.
    let wanted_from = last_block
        .saturating_sub(args.blocks.saturating_sub(1))
        .max(1);
    let bar = count_bar("blocks");
    bar.set_length(u64::from(last_block.saturating_sub(wanted_from)) + 1);
    let mut history = History {
        account,
        first_block: last_block,
        last_block,
        discarded: false,
        entries: vec![],
    };
    let read = async |block: BlockNumber| -> Result<Vec<ChainEvent>, ChainError> {
        let events = chain.at_height(block).await?.events().await?;
        bar.inc(1);
        Ok(events)
    };
    history.read(wanted_from, read).await?;
    bar.finish_and_clear();
    context.show(&history)
}

impl History {
    /// Reads the events of blocks back to the one that is wanted first, or as far as the node keeps
    /// them: it keeps those of the newest.
    async fn read(
        &mut self,
        wanted_from: BlockNumber,
        events: impl AsyncFn(BlockNumber) -> Result<Vec<ChainEvent>, ChainError>,
    ) -> Result<(), ChainError> {
        for block in (wanted_from..=self.last_block).rev() {
            let events = match events(block).await {
                Err(ChainError::Discarded { .. }) if block < self.last_block => {
                    self.discarded = true;
                    break;
                }
                events => events?,
            };
            self.first_block = block;
            let found = entries(&self.account, &events).into_iter().rev();
            let dated = found.map(|entry| Dated { block, entry });
            self.entries.extend(dated);
        }
        self.entries.reverse();
        Ok(())
    }
}

impl Output for History {
    fn people(&self) -> String {
        let (first, last) = (self.first_block, self.last_block);
        let mut of = format!("of blocks {first} to {last}");
        if self.discarded {
            of.push_str(
                "; the node has discarded those before, ask one that runs with `--state-pruning archive`",
            );
        }
        if self.entries.is_empty() {
            return format!("nothing went in or out in the events {of}");
        }
        let row = |dated: &Dated| {
            let entry = &dated.entry;
            // What stays the account's has no sign.
            let sign = match (entry.from, entry.to) {
                (None, _) => "+",
                (_, None) => "-",
                (Some(_), Some(_)) => "",
            };
            vec![
                dated.block.to_string(),
                entry.what.words().to_owned(),
                format!("{sign}{}", display(entry.amount)),
                entry.with.clone().unwrap_or_default(),
                entry.job.map(|job| job.to_string()).unwrap_or_default(),
                entry
                    .batch
                    .map(|batch| batch.to_string())
                    .unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.entries.iter().map(row).collect();
        let head = [">block", "what", ">amount", "with", "job", ">batch"];
        format!("{}\n({of})", table(&head, &rows))
    }
}

#[cfg(test)]
mod tests;
