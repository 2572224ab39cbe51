//! Finding out what became of a transaction whose node fell silent.
//!
//! A transaction is signed with the account's next number and for [`LIFE_BLOCKS`] blocks. So one
//! of two things is certain some time later: a finalised block used the number, and then that block
//! is among the few that may hold the transaction; or the transaction's life is over.
//!
//! A node that was killed has an empty pool when it comes back. So as long as the transaction may still
//! come the node is given it again: the very same bytes, which no chain includes twice.

use crate::{
    Chain, State,
    chain::{ChainError, Hash, no_answer},
};
use quern_primitives::BlockNumber;
use std::{ops::RangeInclusive, time::Duration};
use subxt::error::DispatchError;

/// Blocks in which a transaction can be included, counted from the finalised one that it was signed
/// at. About a minute: longer than a busy pool takes, and short enough to be waited out.
pub(crate) const LIFE_BLOCKS: BlockNumber = 32;

/// How long a transaction's fate is looked for: its life, and time for a node to come back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time between two looks: about a block.
const PAUSE: Duration = Duration::from_secs(2);

/// What a transaction is known by.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Who signed it.
    pub(crate) account: subxt::utils::AccountId32,
    /// The account's number for it.
    pub(crate) nonce: u64,
    /// The finalised block that it was signed at.
    pub(crate) signed_at: BlockNumber,
    /// Its hash.
    pub(crate) hash: Hash,
    /// The transaction itself, signed and encoded.
    pub(crate) bytes: Vec<u8>,
}

/// What a finalised block says of a transaction that was sent earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Clue {
    /// Its number is used: it is in one of these blocks, or another transaction took its place.
    Used(RangeInclusive<BlockNumber>),
    /// It may still come.
    Open,
    /// Its life is over, and its number is unused.
    Over,
}

/// What became of a transaction.
pub(crate) enum Fate {
    /// It is in a finalised block, and failed there or not.
    Included {
        /// That block's state.
        state: State,
        /// Why it failed.
        failed: Option<DispatchError>,
    },
    /// It is in no block and never will be.
    Nowhere,
    /// The node did not tell.
    Unknown,
}

impl Trace {
    /// The last block that can include it.
    fn last(&self) -> BlockNumber {
        self.signed_at.saturating_add(LIFE_BLOCKS - 1)
    }

    fn clue(&self, next_nonce: u64, height: BlockNumber) -> Clue {
        if next_nonce > self.nonce {
            Clue::Used(self.signed_at.saturating_add(1)..=height.min(self.last()))
        } else if height >= self.last() {
            Clue::Over
        } else {
            Clue::Open
        }
    }
}

impl Chain {
    /// Looks for a transaction, until its fate is certain or patience ends.
    pub(crate) async fn fate(&self, trace: &Trace) -> Fate {
        let looking = async {
            loop {
                // A node that does not answer may be starting; it is asked again.
                if let Ok(Some(fate)) = self.look(trace).await {
                    return fate;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .unwrap_or(Fate::Unknown)
    }

    /// Looks once. `None` when the transaction may still come.
    async fn look(&self, trace: &Trace) -> Result<Option<Fate>, ChainError> {
        let now = self.at_finalised().await?;
        let next_nonce = now
            .at
            .tx()
            .account_nonce(&trace.account)
            .await
            .map_err(no_answer("the account's next transaction number"))?;
        let blocks = match trace.clue(next_nonce, now.block().number) {
            Clue::Open => {
                // One that is in the node's pool is refused, and so is one that came in meanwhile.
                let _ = self.rpc.author_submit_extrinsic(&trace.bytes).await;
                return Ok(None);
            }
            Clue::Over => return Ok(Some(Fate::Nowhere)),
            Clue::Used(blocks) => blocks,
        };
        for number in blocks {
            let state = self.at_height(number).await?;
            if let Some(failed) = state.outcome_of(trace.hash).await? {
                return Ok(Some(Fate::Included { state, failed }));
            }
        }
        Ok(Some(Fate::Nowhere))
    }
}

impl State {
    /// Whether this block holds a transaction, and if so, whether it failed.
    async fn outcome_of(&self, hash: Hash) -> Result<Option<Option<DispatchError>>, ChainError> {
        let (body, events) = ("the block's transactions", "the transaction's events");
        let fetched = self
            .at
            .extrinsics()
            .fetch()
            .await
            .map_err(no_answer(body))?;
        for transaction in fetched.iter() {
            let transaction = transaction.map_err(no_answer(body))?;
            if transaction.hash() != hash {
                continue;
            }
            let found = transaction.events().await.map_err(no_answer(events))?;
            for event in found.iter() {
                let event = event.map_err(no_answer(events))?;
                if (event.pallet_name(), event.event_name()) == ("System", "ExtrinsicFailed") {
                    let failed =
                        DispatchError::decode_from(event.field_bytes(), self.at.metadata())
                            .map_err(no_answer(events))?;
                    return Ok(Some(Some(failed)));
                }
            }
            return Ok(Some(None));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        Trace {
            account: subxt::utils::AccountId32([1; 32]),
            nonce: 7,
            signed_at: 100,
            hash: Hash::from([2; 32]),
            bytes: vec![],
        }
    }

    #[test]
    fn a_transaction_whose_number_is_unused_may_still_come_until_its_life_is_over() {
        assert_eq!(trace().clue(7, 100), Clue::Open);
        assert_eq!(trace().clue(7, 130), Clue::Open);
        assert_eq!(trace().clue(7, 131), Clue::Over);
        // Sent behind others that are not final yet.
        assert_eq!(trace().clue(5, 101), Clue::Open);
    }

    #[test]
    fn a_used_number_is_searched_for_in_the_blocks_of_the_transaction_s_life_and_no_others() {
        assert_eq!(trace().clue(8, 103), Clue::Used(101..=103));
        assert_eq!(trace().clue(9, 5_000), Clue::Used(101..=131));
    }

    #[test]
    fn the_life_is_one_that_the_chain_can_count() {
        // Eras are powers of two, and no shorter than four blocks.
        assert!(LIFE_BLOCKS.is_power_of_two() && LIFE_BLOCKS >= 4);
    }
}
