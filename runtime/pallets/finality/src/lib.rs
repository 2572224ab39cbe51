//! The chain's own clock of finality.
//!
//! What a block does may depend only on the chain, and a chain does not see which of its blocks are
//! final. So each author [claims](Pallet::claim) in its block which height it holds to be final, and
//! the [clock](Pallet::clock) is the median of the last
//! [`FINALITY_CLAIMS`](quern_primitives::limits::FINALITY_CLAIMS) claims. While more than half of them
//! are honest, the clock is never beyond what is final: it follows finality some blocks
//! behind, and stands still while finality does.
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
    use quern_primitives::{BlockNumber, limits::FINALITY_CLAIMS};
    use sp_inherents::{InherentData, InherentIdentifier};

    /// The pallet; its functions are what others ask of finality.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// The height that the chain holds to be final.
    #[pallet::storage]
    pub type Clock<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

    /// The last claims, the oldest first; fewer at the chain's beginning.
    #[pallet::storage]
    pub type Claims<T: Config> =
        StorageValue<_, BoundedVec<BlockNumber, ConstU32<FINALITY_CLAIMS>>, ValueQuery>;

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
        /// Errors: [`Error::ClaimedAlready`], [`Error::BelowClock`], [`Error::NotBelowBlock`].
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
