//! Blocks one after the other, with what moved money in them.

use crate::{
    Chain, Proven, ProvenError, Transaction,
    chain::{ChainError, FinalisedBlock, no_state},
    events::{ChainEvent, movements},
    slot,
};
use quern_audit::{Block, Entry};
use quern_light::{Header, keys};
use quern_primitives::BlockNumber;
use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};
use tokio::task::JoinHandle;

/// Blocks that are asked for at a time. Each takes a handful of answers, so that a node far away is kept
/// busy, and one that has other things to do is not flooded.
pub const BLOCKS_AT_A_TIME: usize = 8;

/// A block as it was read.
#[derive(Clone, Debug)]
pub struct BlockRead {
    /// The block.
    pub block: FinalisedBlock,
    /// When it was made, in milliseconds since the beginning of 1970; none if nothing in it moved money,
    /// because then nobody asks.
    pub time_ms: Option<u64>,
    /// What moved money in it.
    pub money: Block,
    /// Its transactions, those that the block itself carries among them; none if no transaction moved
    /// money.
    pub transactions: Vec<Transaction>,
}

/// How far a stream of blocks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Blocks that were given.
    pub done: u64,
    /// Blocks that are wanted.
    pub all: u64,
}

/// Blocks one after the other. Of those behind the one that comes next a few are asked for already.
/// Dropping it ends what is under way.
pub struct BlockStream {
    chain: Chain,
    last: BlockNumber,
    /// The first block that is not asked for; none when all are.
    next_asked: Option<BlockNumber>,
    asked: VecDeque<(BlockNumber, JoinHandle<Result<BlockRead, ChainError>>)>,
    progress: Progress,
    tell: Box<dyn FnMut(Progress) + Send>,
    /// By which the node proves what it says, if it is not believed.
    proven: Option<Arc<Proven>>,
}

/// What a node says happened is not what its proof says.
#[derive(Debug, thiserror::Error)]
enum Other {
    /// It says so of another block.
    #[error("it says so of another block than the one that is final there")]
    Block,
    /// It tells of other events.
    #[error("the state after the block has other events")]
    Events,
    /// It tells of other transactions.
    #[error("the block's header has other transactions")]
    Transactions,
}

impl Chain {
    /// What moved money in these blocks, in order. A block that cannot be read ends it with an error;
    /// [`ChainError::Discarded`] if the node has discarded its state, and then an archive node is to be
    /// asked. It goes on from a block of one's choice by asking for the blocks from that one on.
    pub fn blocks(&self, blocks: RangeInclusive<BlockNumber>) -> BlockStream {
        let (first, last) = blocks.into_inner();
        let all = match last.checked_sub(first) {
            Some(more) => u64::from(more) + 1,
            None => 0,
        };
        BlockStream {
            chain: self.clone(),
            last,
            next_asked: (first <= last).then_some(first),
            asked: VecDeque::new(),
            progress: Progress { done: 0, all },
            tell: Box::new(|_| {}),
            proven: None,
        }
    }

    /// Reads what moved money in a block.
    async fn money_of(
        &self,
        number: BlockNumber,
        proven: Option<&Proven>,
    ) -> Result<BlockRead, ChainError> {
        let state = self.at_height(number).await?;
        let (events, bytes) = state.events_and_bytes().await?;
        let known = match proven {
            Some(proven) => Some(prove_events(proven, state.block(), &bytes).await?),
            None => None,
        };
        let mut read = BlockRead {
            block: state.block(),
            time_ms: None,
            money: Block {
                number,
                entries: movements(&events),
                settlements: vec![],
            },
            transactions: vec![],
        };
        if read.money.entries.is_empty() {
            return Ok(read);
        }
        let header = state.at.block_header().await;
        let header = header.map_err(no_state("the header of a block", number))?;
        read.time_ms = slot::of(&header.digest.logs)?.map(|claim| claim.began_at);
        let of_transaction = |entry: &Entry| entry.transaction.is_some();
        if read.money.entries.iter().any(of_transaction) {
            let settles = places_of_settlements(&events);
            let body = state.body(&settles).await?;
            if known.is_some_and(|header| header.extrinsics_root != body.root) {
                return Err(ChainError::Unproven {
                    what: "the transactions",
                    block: number,
                    source: Other::Transactions.into(),
                });
            }
            read.transactions = body.transactions;
            read.money.settlements = body.settlements;
        }
        Ok(read)
    }
}

/// Has the node prove that a block is final and has these events. Gives its header.
pub(crate) async fn prove_events(
    proven: &Proven,
    block: FinalisedBlock,
    events: &[u8],
) -> Result<Header, ChainError> {
    let (what, number) = ("the events", block.number);
    let unproven = |source: Box<dyn std::error::Error + Send + Sync>| ChainError::Unproven {
        what,
        block: number,
        source,
    };
    let failed = |error: ProvenError| match error {
        ProvenError::Chain(error) => error,
        other => unproven(other.into()),
    };
    let header = proven.at_height(number).await.map_err(failed)?;
    let at = header.hash();
    if at.0 != block.hash {
        return Err(unproven(Other::Block.into()));
    }
    let key = keys::events();
    let state = proven.state(at, std::slice::from_ref(&key)).await;
    let state = state.map_err(failed)?;
    let known = state.get(&key).map_err(|fault| unproven(fault.into()))?;
    match known.unwrap_or_default() == events {
        true => Ok(header),
        false => Err(unproven(Other::Events.into())),
    }
}

/// The places of the transactions that settled batches.
fn places_of_settlements(events: &[ChainEvent]) -> Vec<usize> {
    let settled = |event: &&ChainEvent| event.pallet == "Jobs" && event.name == "BatchSettled";
    let mut places: Vec<_> = events
        .iter()
        .filter(settled)
        .filter_map(|event| event.transaction)
        .collect();
    places.dedup();
    places
}

impl BlockStream {
    /// Has it told how far it is, whenever a block is given.
    #[must_use]
    pub fn telling(mut self, tell: impl FnMut(Progress) + Send + 'static) -> Self {
        self.tell = Box::new(tell);
        self
    }

    /// Has the node prove what it says of events and transactions. How these read is its word still.
    #[must_use]
    pub fn proven_by(mut self, proven: Arc<Proven>) -> Self {
        self.proven = Some(proven);
        self
    }

    /// The next block; none behind the last. After an error nothing comes any more.
    pub async fn next(&mut self) -> Result<Option<BlockRead>, ChainError> {
        self.ask();
        let Some((number, asked)) = self.asked.front_mut() else {
            return Ok(None);
        };
        let number = *number;
        // It stays in the list until it is there, so that nothing is lost if nobody waits any more.
        let read = asked.await;
        self.asked.pop_front();
        let failed = no_state("what moved in a block", number);
        match read.map_err(failed).flatten() {
            Ok(read) => {
                self.ask();
                self.progress.done = self.progress.done.saturating_add(1);
                (self.tell)(self.progress);
                Ok(Some(read))
            }
            Err(error) => {
                self.end();
                Err(error)
            }
        }
    }

    /// Asks for as many blocks as may be asked for at a time.
    fn ask(&mut self) {
        while self.asked.len() < BLOCKS_AT_A_TIME {
            let Some(number) = self.next_asked else {
                return;
            };
            self.next_asked = number.checked_add(1).filter(|next| *next <= self.last);
            let (chain, proven) = (self.chain.clone(), self.proven.clone());
            let asked =
                tokio::spawn(async move { chain.money_of(number, proven.as_deref()).await });
            self.asked.push_back((number, asked));
        }
    }

    fn end(&mut self) {
        self.next_asked = None;
        for (_, asked) in self.asked.drain(..) {
            asked.abort();
        }
    }
}

impl Drop for BlockStream {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_settles_several_batches_is_looked_at_once() {
        let event = |name: &str, transaction| ChainEvent {
            pallet: "Jobs".into(),
            name: name.into(),
            transaction,
            bytes: vec![],
            text: String::new(),
            held_for: None,
        };
        let events = [
            event("JobEnded", Some(0)),
            event("BatchSettled", Some(2)),
            event("BatchSettled", Some(2)),
            event("BatchSettled", Some(5)),
            event("BatchSettled", None),
        ];
        assert_eq!(places_of_settlements(&events), [2, 5]);
    }
}
