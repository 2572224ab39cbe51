//! Whether a node is believed without proofs, and what to do where it has none.

use crate::output::patiently;
use clap::Args;
use quern_ledger::{Chain, ChainError, Proven, ProvenError};
use quern_light::Trust;
use quern_primitives::{BlockNumber, GenesisHash};
use std::sync::Arc;

/// Whether the node is believed in what it says of the chain's money.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TrustArgs {
    /// Believe the node without proofs: that its blocks are the chain's and final, and that it leaves out
    /// no event, account or job of them. It is quicker, and fit for a node of your own
    #[arg(long, conflicts_with_all = ["light", "genesis"])]
    trust_node: bool,
    /// Believe of the node only what it proves from the chain's first block on, as is done anyway
    // Commands that were written when it had to be said go on.
    #[arg(long, hide = true)]
    light: bool,
    /// The hash of the chain's first block, from wherever you trust it [default: as the node says]
    #[arg(long, value_name = "HEX")]
    genesis: Option<GenesisHash>,
}

impl TrustArgs {
    /// Whether no proofs are asked for.
    fn believes(self) -> bool {
        // The parser takes one of the two alone; proofs are never given up by mistake.
        self.trust_node && !self.light
    }

    /// By which the node has to prove what it says, unless it is believed.
    pub(crate) async fn proven(self, chain: &Chain) -> Result<Option<Arc<Proven>>, NoProof> {
        if self.believes() {
            return Ok(None);
        }
        let genesis = self.genesis.unwrap_or_else(|| chain.genesis());
        let begun = Proven::new(chain.clone(), Trust::Genesis(genesis));
        let proven = patiently("asking the chain for proofs", begun).await?;
        Ok(Some(Arc::new(proven)))
    }
}

/// Why a node that is not believed is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoProof {
    /// It has forgotten what proofs take.
    #[error(
        "the node cannot prove what it says, as it keeps no state of block {block}: ask one that runs with `--state-pruning archive`, or, if it is your own, believe it with --trust-node"
    )]
    Discarded {
        /// The block.
        block: BlockNumber,
        /// What it says.
        source: Box<ProvenError>,
    },
    /// It proves nothing, and that is no reason to believe it.
    #[error(transparent)]
    Other(Box<ProvenError>),
}

impl From<ProvenError> for NoProof {
    fn from(error: ProvenError) -> Self {
        match error {
            ProvenError::Chain(ChainError::Discarded { block, .. }) => Self::Discarded {
                block,
                source: Box::new(error),
            },
            other => Self::Other(Box::new(other)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches as _};

    /// What is made of a command with these options; none if the parser refuses them.
    fn with(options: &[&str]) -> Option<TrustArgs> {
        let command = TrustArgs::augment_args(Command::new("totals"));
        let line = std::iter::once(&"totals").chain(options).copied();
        let matches = command.try_get_matches_from(line).ok()?;
        TrustArgs::from_arg_matches(&matches).ok()
    }

    #[test]
    fn a_node_is_believed_only_where_that_is_said() {
        assert!(!with(&[]).unwrap().believes());
        assert!(with(&["--trust-node"]).unwrap().believes());
        let hash = "5a".repeat(32);
        let from = with(&["--genesis", &hash]).unwrap();
        assert!(!from.believes());
        assert_eq!(from.genesis, Some(GenesisHash([0x5a; 32])));
    }

    #[test]
    fn proofs_may_still_be_asked_for_by_name() {
        assert!(!with(&["--light"]).unwrap().believes());
        let hash = "5a".repeat(32);
        let from = with(&["--light", "--genesis", &hash]).unwrap();
        assert!(!from.believes() && from.genesis.is_some());
    }

    #[test]
    fn a_node_is_not_believed_and_asked_for_proofs_at_once() {
        assert!(with(&["--trust-node", "--light"]).is_none());
        let hash = "5a".repeat(32);
        assert!(with(&["--trust-node", "--genesis", &hash]).is_none());
    }

    #[test]
    fn who_asks_a_node_that_forgets_is_told_what_to_do() {
        let source = "State already discarded".into();
        let discarded = ChainError::Discarded { block: 0, source };
        let told = NoProof::from(ProvenError::from(discarded)).to_string();
        for words in ["block 0", "--state-pruning archive", "--trust-node"] {
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn a_node_that_proves_nothing_is_not_recommended_to_be_believed() {
        let (wanted, found) = (GenesisHash([1; 32]), GenesisHash([2; 32]));
        for error in [
            ProvenError::NotFinal { block: 7 },
            ProvenError::OtherChain { wanted, found },
        ] {
            let said = error.to_string();
            let told = NoProof::from(error).to_string();
            assert_eq!(told, said);
            assert!(!told.contains("--trust-node"), "{told}");
        }
    }
}
