//! The chain's own clock of finality.
//!
//! What a block does may depend only on the chain, and a chain does not see which of its blocks are
//! final. So each author [claims](Pallet::claim) in its block which height it holds to be final, and
//! the [clock](Pallet::clock) is the greatest height that the last claims of more than two thirds of
//! the validators reach. A validator counts once, however many of the last blocks are its own, and at
//! zero as long as it has made none.
//!
//! It has two properties, of which neither hangs on who happens to be drawn to make blocks. Let there
//! be n validators. An honest one claims no more than what is final, or what the clock says already.
//!
//! - **Nobody hurries it.** While two thirds of them at the most are dishonest, the clock is never
//!   beyond what is final. For it moves to a height only when more than two thirds claim as much. One
//!   of these is honest: so the height is final, or the clock was there before.
//! - **Nobody stops it.** While fewer than a third are dishonest, or silent, the clock is at a height
//!   as soon as each honest one has made a block since it held that height to be final. For these are
//!   more than two thirds. Where authors take turns that is after n blocks; where they are drawn by
//!   chance, and all are honest, it takes 1.1 n blocks on average and 4.3 with four validators.
//!
//! These are the shares that finality itself goes by: who can hurry this clock can make final what it
//! likes, and who can stop it can stop finality.
//!
//! When the validators change, those that left no longer count, and the new ones count at zero until
//! their first block: the clock may stand still for a while, and never goes back.
//!
//! The claim is an inherent. A node makes it from what GRANDPA has told it, and every other node
//! refuses a block without one. A claim is not below the clock, so that the clock never goes back,
//! and below the block's own height, because no block is final before it exists.
//!
//! | call | origin |
//! | --- | --- |
//! | [`claim`](Pallet::claim) | the block's author, as an inherent, once a block |
//!
//! What always holds is written down in [`Pallet::do_try_state`].

#![cfg_attr(not(feature = "std"), no_std)]
// Money waits for this clock: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(any(test, feature = "runtime-benchmarks")),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod claims;
mod inherent;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
pub mod weights;

pub use inherent::{INHERENT_IDENTIFIER, InherentError, InherentType};
pub use pallet::*;
pub use weights::WeightInfo;

use alloc::vec::Vec;
use frame_support::{BoundedBTreeMap, pallet_prelude::ConstU32};
use quern_primitives::{AccountId, BlockNumber, limits::MASTERNODES_MAX};

/// The last claim of each validator.
pub type LastClaims = BoundedBTreeMap<AccountId, BlockNumber, ConstU32<MASTERNODES_MAX>>;

/// Who makes blocks.
pub trait Authors {
    /// Who makes this one, as long as it is known.
    fn author() -> Option<AccountId>;

    /// The validators of this block, its author among them.
    fn all() -> Vec<AccountId>;

    /// Has so many validators, of which one makes this block.
    #[cfg(feature = "runtime-benchmarks")]
    fn set(count: u32);
}

// Of what the macro generates; everything written here is documented.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing
)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{inherent::ProvideInherent, pallet_prelude::*};
    use frame_system::pallet_prelude::*;
    use sp_inherents::{InherentData, InherentIdentifier};

    /// The pallet; its functions are what others ask of finality.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// Who makes blocks, at most [`MASTERNODES_MAX`].
        type Authors: Authors;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// The height that the chain holds to be final.
    #[pallet::storage]
    pub type Clock<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

    /// The last claim of each validator that there was when the last was made; zero for those that
    /// have made none.
    #[pallet::storage]
    pub type Claims<T: Config> = StorageValue<_, LastClaims, ValueQuery>;

    /// The block with the last claim.
    #[pallet::storage]
    pub type ClaimedIn<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

    /// Why a claim was refused. A block with such a claim is no block.
    #[pallet::error]
    pub enum Error<T> {
        /// The block has a claim already; make one.
        ClaimedAlready,
        /// The claim is below the clock; claim at least that.
        BelowClock,
        /// The claim is not below the block's own height; claim a height that exists.
        NotBelowBlock,
        /// The block does not say which validator makes it; only a validator's block has a claim.
        NoAuthor,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Says which height the block's author holds to be final.
        ///
        /// Origin: none; it is an inherent.
        ///
        /// Details: once a block. Not below the clock and below the block's own height.
        ///
        /// Errors: [`Error::ClaimedAlready`], [`Error::BelowClock`], [`Error::NotBelowBlock`],
        /// [`Error::NoAuthor`].
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::claim(), DispatchClass::Mandatory))]
        pub fn claim(
            origin: OriginFor<T>,
            #[pallet::compact] height: BlockNumber,
        ) -> DispatchResult {
            ensure_none(origin)?;
            Self::do_claim(height)
        }
    }

    #[pallet::inherent]
    impl<T: Config> ProvideInherent for Pallet<T> {
        type Call = Call<T>;
        type Error = InherentError;
        const INHERENT_IDENTIFIER: InherentIdentifier = INHERENT_IDENTIFIER;

        fn create_inherent(data: &InherentData) -> Option<Self::Call> {
            let height = Self::claim_of(Self::told(data)?);
            Some(Call::claim { height })
        }

        fn check_inherent(call: &Self::Call, _data: &InherentData) -> Result<(), Self::Error> {
            match call {
                Call::claim { height } => Self::check_beforehand(*height),
                _ => Ok(()),
            }
        }

        fn is_inherent_required(data: &InherentData) -> Result<Option<Self::Error>, Self::Error> {
            Ok(Self::told(data).map(|_| InherentError::Missing))
        }

        fn is_inherent(call: &Self::Call) -> bool {
            matches!(call, Call::claim { .. })
        }
    }
}
