//! What the council sets, each within its bounds.
//!
//! The values are one [`Params`]; which there are, what they count and how far they go is the table
//! [`quern_primitives::params`]. A value holds from the block on in which it is set. What a job has to be
//! able to rely on it keeps as its [`Terms`](quern_primitives::params::Terms) when it is submitted, so
//! nothing that the council sets moves the money of a job that is there.
//!
//! | call | origin |
//! | --- | --- |
//! | [`set`](Pallet::set) | council |
//!
//! # What others ask it
//!
//! [`Pallet::current`]; the pallets that need a value get it by their configuration.

#![cfg_attr(not(feature = "std"), no_std)]
// Money is decided here: nothing wraps, is cut off or panics.
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
#[allow(unused_qualifications)] // In what the macro generates.
mod benchmarking;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use weights::WeightInfo;

use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_primitives::{
    Amount,
    params::{Parameter, Params, ParamsError},
};
use sp_runtime::TryRuntimeError;

// What the macro generates breaks these lints; everything written here is documented.
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
    // Named, since the macro of the support crate has a trait of this name too.
    use super::Parameter;
    use alloc::{string::String, vec::Vec};
    use frame_support::{pallet_prelude::*, traits::EnsureOrigin};
    use frame_system::pallet_prelude::*;

    /// The pallet; its call sets a value, its functions tell them.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Who speaks for the council: a majority of its members.
        type CouncilOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// What the call costs.
        type WeightInfo: WeightInfo;
    }

    /// The values there are now.
    #[pallet::storage]
    pub type Current<T: Config> = StorageValue<_, Params, ValueQuery, First>;

    /// What the values are as long as nobody has set any.
    #[pallet::type_value]
    pub fn First() -> Params {
        Params::FIRST
    }

    /// What the chain starts with.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Values by the parameter's name; those of the table hold where there is none.
        pub values: Vec<(String, Amount)>,
        #[serde(skip)]
        #[doc(hidden)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let values = self.values.iter().filter_map(|(name, value)| {
                let parameter: Result<Parameter, _> = name.parse();
                assert!(
                    parameter.is_ok(),
                    "the genesis sets `{name}`, which is no parameter"
                );
                Some((parameter.ok()?, *value))
            });
            let params = Params::of(values);
            assert!(
                params.is_ok(),
                "the genesis has a value out of its bounds: {params:?}"
            );
            Current::<T>::put(params.unwrap_or_default());
        }
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The council set a parameter.
        ParameterSet {
            /// Which.
            parameter: Parameter,
            /// What it was.
            before: Amount,
            /// What it is from now on.
            value: Amount,
        },
    }

    /// Why a call was refused. A refused call changes nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// The value is not between the least and the most that the parameter may be; move it within.
        OutOfBounds,
        /// Workers and operators would get so much together that nothing is left for the treasury; lower
        /// one of the two.
        SharesTooLarge,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets one parameter.
        ///
        /// Origin: council.
        ///
        /// Details: holds from now on, and for jobs that are submitted from now on. The jobs there are
        /// keep the terms that they were submitted under.
        ///
        /// Event: [`Event::ParameterSet`].
        ///
        /// Errors: [`Error::OutOfBounds`], [`Error::SharesTooLarge`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::set())]
        pub fn set(origin: OriginFor<T>, parameter: Parameter, value: Amount) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_set(parameter, value)
        }
    }
}

impl<T> From<ParamsError> for Error<T> {
    fn from(error: ParamsError) -> Self {
        match error {
            ParamsError::OutOfBounds { .. } => Self::OutOfBounds,
            ParamsError::SharesTooLarge { .. } => Self::SharesTooLarge,
        }
    }
}

impl<T: Config> Pallet<T> {
    /// The values there are now.
    pub fn current() -> Params {
        Current::<T>::get()
    }

    fn do_set(parameter: Parameter, value: Amount) -> DispatchResult {
        let now = Self::current();
        let params = now.with(parameter, value).map_err(Error::<T>::from)?;
        Current::<T>::put(params);
        Self::deposit_event(Event::ParameterSet {
            parameter,
            before: now.get(parameter),
            value,
        });
        Ok(())
    }

    /// Checks the storage against the pallet's invariant: each value is within its bounds, and those that
    /// share a sum are together.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(
            Self::current().check().is_ok(),
            "a parameter is out of its bounds"
        );
        Ok(())
    }
}
