//! What the chain says of money at a block, however it is asked.

use quern_audit::Snapshot;
use quern_ledger::{Chain, Proven};
use quern_primitives::{BlockNumber, view::Totals};
use std::sync::Arc;

/// Where an audit reads what it compares with.
pub(super) enum Books {
    /// A node, which is believed: it can tell of another chain than there is, but then the movements have
    /// to fit as well.
    OfNode(Chain),
    /// A node, of which nothing is believed that it does not prove.
    Proven(Arc<Proven>),
}

impl Books {
    /// All money at the end of a block.
    pub(super) async fn snapshot(&self, block: BlockNumber) -> anyhow::Result<Snapshot> {
        Ok(match self {
            Self::OfNode(chain) => chain.at_height(block).await?.snapshot().await?,
            Self::Proven(proven) => proven.snapshot(block).await?,
        })
    }

    /// The sums at the end of a block.
    pub(super) async fn totals(&self, block: BlockNumber) -> anyhow::Result<Totals> {
        Ok(match self {
            Self::OfNode(chain) => chain.at_height(block).await?.totals().await?,
            Self::Proven(proven) => proven.totals(block).await?,
        })
    }
}
