//! What a node hands to the runtime about finality, and what others check of it.

use crate::{Config, Pallet};
#[cfg(feature = "std")]
use codec::Decode;
use codec::Encode;
use quern_primitives::BlockNumber;
use sp_inherents::{InherentData, InherentIdentifier, IsFatalError};

/// Sets this inherent apart from others.
pub const INHERENT_IDENTIFIER: InherentIdentifier = *b"qn/final";

/// The height that the node holds to be final.
pub type InherentType = BlockNumber;

/// Why a block's claim is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
#[cfg_attr(feature = "std", derive(Decode))]
pub enum InherentError {
    /// The block has none.
    Missing,
    /// It is below the clock.
    BelowClock,
    /// It is not below the block's own height.
    NotBelowBlock,
}

impl InherentError {
    /// What is wrong, and what would be right.
    pub fn told(&self) -> &'static str {
        match self {
            Self::Missing => "the block claims no finalised height; its author has to",
            Self::BelowClock => "the block claims a finalised height below the chain's clock",
            Self::NotBelowBlock => "the block claims a finalised height that is not below its own",
        }
    }
}

impl IsFatalError for InherentError {
    fn is_fatal_error(&self) -> bool {
        true
    }
}

impl<T: Config> Pallet<T> {
    /// What the node says, if it says anything that can be read.
    pub(crate) fn told(data: &InherentData) -> Option<BlockNumber> {
        data.get_data::<InherentType>(&INHERENT_IDENTIFIER)
            .ok()
            .flatten()
    }
}
