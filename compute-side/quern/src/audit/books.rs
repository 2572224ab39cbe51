//! What the chain says of money at a block, however it is asked.

use quern_audit::Snapshot;
use quern_ledger::{Chain, ChainError};
use quern_primitives::{BlockNumber, view::Totals};

/// Where an audit reads what it compares with.
pub(super) trait Books {
    /// All money at the end of a block.
    async fn snapshot(&self, block: BlockNumber) -> Result<Snapshot, ChainError>;

    /// The sums at the end of a block.
    async fn totals(&self, block: BlockNumber) -> Result<Totals, ChainError>;
}

/// A node, which is believed: it can tell of another chain than there is, but then the movements have to
/// fit as well.
pub(super) struct OfNode<'a>(pub(super) &'a Chain);

impl Books for OfNode<'_> {
    async fn snapshot(&self, block: BlockNumber) -> Result<Snapshot, ChainError> {
        self.0.at_height(block).await?.snapshot().await
    }

    async fn totals(&self, block: BlockNumber) -> Result<Totals, ChainError> {
        self.0.at_height(block).await?.totals().await
    }
}
