//! Receipts of which the chain that was asked cannot tell, as they are of another one.

use super::ReceiptFile;
use quern_owner::Check;
use quern_primitives::GenesisHash;
use serde::Serialize;

/// Why a chain tells nothing of a receipt. That a receipt is forged does not follow, nor that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "elsewhere", rename_all = "snake_case")]
pub(super) enum Elsewhere {
    /// The receipt names another chain.
    OtherChain {
        /// The hash of the first block of the one that was asked.
        asked: GenesisHash,
    },
    /// The chain begins with the block that the receipt names, and has no such job. Every development
    /// chain begins with the same block, so that this may be another grid's.
    NoSuchJob,
}

impl Elsewhere {
    /// Why a chain with this first block tells nothing of a receipt, if it does not; by whether it has
    /// the receipt's job, or the batch.
    pub(super) fn of(file: &ReceiptFile, asked: GenesisHash, is_known: bool) -> Option<Self> {
        match is_known {
            _ if asked != file.genesis => Some(Self::OtherChain { asked }),
            false => Some(Self::NoSuchJob),
            true => None,
        }
    }

    /// The first block of the chain that was asked about a receipt which names this one.
    pub(super) fn asked(elsewhere: Option<Self>, named: GenesisHash) -> GenesisHash {
        match elsewhere {
            Some(Self::OtherChain { asked }) => asked,
            Some(Self::NoSuchJob) | None => named,
        }
    }

    /// These checks, unless the chain has nothing that a receipt could be held to: then none was made.
    pub(super) fn checks(elsewhere: Option<Self>, made: Vec<Check>) -> Vec<Check> {
        match elsewhere {
            Some(_) => vec![],
            None => made,
        }
    }

    /// What is the matter, and what to do.
    pub(super) fn words(self, named: GenesisHash) -> String {
        match self {
            Self::OtherChain { asked } => format!(
                "the receipt is of the chain that begins with block {named}, and the one that was asked begins with {asked}; ask a node of the receipt's chain, which --node names"
            ),
            Self::NoSuchJob => "this chain knows no such job: a receipt of another grid looks so, or of a chain that was begun anew, and one that was made up; ask a node of the grid that gave it to you, which --node names".to_owned(),
        }
    }
}
