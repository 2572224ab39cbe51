//! How ByteChips come into being and go: bought with dollars, paid out as dollars.
//!
//! # What it keeps
//!
//! - **The treasurer**, who sees the money outside the chain, and **the rate**: whole ByteChips for
//!   one dollar, 200 at genesis.
//! - **Purchases**, by payment reference: somebody paid dollars, the treasurer recorded it, the
//!   ByteChips were minted. A reference counts once, so one payment is never credited twice.
//! - **Payouts** that wait for the treasurer: their ByteChips are held in the owner's account
//!   under [`HoldReason::Payout`]. The treasurer either makes the transfer and completes the
//!   payout, and the ByteChips are burnt, or returns it, and they are free again.
//! - **Transfers**, by payment reference: the payouts that were completed. A reference counts once
//!   here too, so one transfer never stands for two payouts.
//! - **The ledger's totals**: what existed at genesis, what was minted, what was burnt. Fees and
//!   dust that the runtime does not pass on to anybody come here to be burnt and counted (the
//!   pallet is an [`OnUnbalanced`] handler), and what is burnt of the bond of who lost a dispute is
//!   counted here ([`Pallet::count_burnt`]), so that always
//!   *issuance = genesis + minted - burnt*.
//!
//! The chain does not know dollars or bank accounts. A payout names its destination by a digest;
//! what the digest stands for the account tells the treasurer beside the chain.
//!
//! # Calls
//!
//! | call | origin |
//! | --- | --- |
//! | [`set_treasurer`](Pallet::set_treasurer), [`set_rate`](Pallet::set_rate) | council |
//! | [`record_purchase`](Pallet::record_purchase) | treasurer |
//! | [`request_payout`](Pallet::request_payout) | any account |
//! | [`complete_payout`](Pallet::complete_payout), [`return_payout`](Pallet::return_payout) | treasurer |
//!
//! # What others ask it
//!
//! [`Pallet::bytechips_per_dollar`], [`Pallet::payouts_of`], and for the totals
//! [`Pallet::genesis_issuance`], [`Pallet::minted`], [`Pallet::burnt`], [`Pallet::held`].

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
mod invariants;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
mod payouts;
mod purchases;
mod rate;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use payouts::{Payout, PayoutId, Transfer};
pub use purchases::{Purchase, Reference};
pub use rate::bytechips_for;
pub use weights::WeightInfo;

use frame_support::{
    ensure,
    pallet_prelude::DispatchResult,
    traits::{
        Imbalance, OnUnbalanced,
        fungible::{Credit, Inspect},
    },
};
use frame_system::ensure_signed;
use quern_primitives::{AccountId, Amount, Digest};
use sp_runtime::ArithmeticError;

/// Payouts of one account that may wait for the treasurer at once.
pub const OPEN_PAYOUTS_PER_ACCOUNT_MAX: u32 = 16;

/// The rate a chain starts with unless its genesis says otherwise: 200 ByteChips for one dollar.
pub const GENESIS_BYTECHIPS_PER_DOLLAR: u32 = 200;

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
    use frame_support::{
        pallet_prelude::*,
        traits::{EnsureOrigin, fungible},
    };
    use frame_system::pallet_prelude::*;

    /// The pallet; its calls move money in and out, its functions tell the totals.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId, RuntimeEvent: From<Event<Self>>>
    {
        /// The ledger of ByteChips.
        type Currency: fungible::Mutate<AccountId, Balance = Amount>
            + fungible::Balanced<AccountId>
            + fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holding money, ours among them.
        type RuntimeHoldReason: From<HoldReason>;

        /// Who speaks for the council: a majority of its members.
        type CouncilOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For a payout that waits for the treasurer.
        Payout,
    }

    /// Who records purchases and makes payouts.
    #[pallet::storage]
    pub type Treasurer<T: Config> = StorageValue<_, AccountId, OptionQuery>;

    /// Whole ByteChips for one dollar.
    #[pallet::storage]
    pub type BytechipsPerDollar<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// All that existed at genesis.
    #[pallet::storage]
    pub type GenesisIssuance<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// What purchases have added since genesis.
    #[pallet::storage]
    pub type Minted<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// What completed payouts, lost bonds, fees and dust have taken away since genesis.
    #[pallet::storage]
    pub type Burnt<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// What is held for all open payouts together.
    #[pallet::storage]
    pub type Held<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// Purchases by the reference of their payment, kept for good. The treasurer alone adds to them.
    #[pallet::storage]
    pub type Purchases<T: Config> =
        StorageMap<_, Blake2_128Concat, Reference, Purchase<BlockNumberFor<T>>, OptionQuery>;

    /// The number of the next payout.
    #[pallet::storage]
    pub type NextPayout<T: Config> = StorageValue<_, PayoutId, ValueQuery>;

    /// Open payouts: requested, neither completed nor returned.
    #[pallet::storage]
    pub type Payouts<T: Config> =
        StorageMap<_, Twox64Concat, PayoutId, Payout<BlockNumberFor<T>>, OptionQuery>;

    /// Each account's open payouts, ascending. Accounts without one are not in it.
    #[pallet::storage]
    pub type PayoutsOf<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        AccountId,
        BoundedVec<PayoutId, ConstU32<OPEN_PAYOUTS_PER_ACCOUNT_MAX>>,
        ValueQuery,
    >;

    /// Completed payouts by the reference of their transfer, kept for good. The treasurer alone adds
    /// to them.
    #[pallet::storage]
    pub type Transfers<T: Config> =
        StorageMap<_, Blake2_128Concat, Reference, Transfer<BlockNumberFor<T>>, OptionQuery>;

    /// Treasurer and rate the chain starts with. Builds after the balances: what they hold by then
    /// is the genesis issuance.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// The first treasurer; without one nobody can buy until the council names one.
        pub treasurer: Option<T::AccountId>,
        /// Whole ByteChips for one dollar, above zero.
        pub bytechips_per_dollar: u32,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                treasurer: None,
                bytechips_per_dollar: GENESIS_BYTECHIPS_PER_DOLLAR,
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.bytechips_per_dollar > 0,
                "the genesis gives no ByteChips for a dollar"
            );
            BytechipsPerDollar::<T>::put(self.bytechips_per_dollar);
            Treasurer::<T>::set(self.treasurer.clone());
            GenesisIssuance::<T>::put(T::Currency::total_issuance());
        }
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The council named a treasurer.
        TreasurerNamed {
            /// The treasurer's account.
            treasurer: AccountId,
        },
        /// The council set the rate.
        RateSet {
            /// Whole ByteChips for one dollar.
            bytechips_per_dollar: u32,
        },
        /// A payment arrived and ByteChips were minted for it.
        PurchaseRecorded {
            /// The payment's reference.
            reference: Reference,
            /// Who got the ByteChips.
            buyer: AccountId,
            /// US cents paid.
            cents: u64,
            /// What was minted.
            amount: Amount,
        },
        /// An account asked for a payout; the amount is held.
        PayoutRequested {
            /// The payout.
            id: PayoutId,
            /// Whose ByteChips.
            account: AccountId,
            /// How much.
            amount: Amount,
            /// Digest of where the money should go.
            destination: Digest,
        },
        /// The treasurer made the transfer of a payout; the amount is burnt.
        PayoutCompleted {
            /// The payout.
            id: PayoutId,
            /// Whose ByteChips they were.
            account: AccountId,
            /// How much was burnt.
            amount: Amount,
            /// The transfer's reference.
            reference: Reference,
        },
        /// The treasurer returned a payout; the amount is free again.
        PayoutReturned {
            /// The payout.
            id: PayoutId,
            /// Whose ByteChips.
            account: AccountId,
            /// How much.
            amount: Amount,
        },
    }

    /// Why a call was refused. A refused call changes nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// Only the treasurer's account may do this.
        NotTreasurer,
        /// A rate of zero would give nothing for a payment.
        ZeroRate,
        /// An amount of zero moves nothing; name one above it.
        ZeroAmount,
        /// A payment has a reference; give it.
        EmptyReference,
        /// A payment with this reference is recorded already.
        ReferenceAlreadyUsed,
        /// The account has as many open payouts as it may have; wait until one is answered.
        TooManyOpenPayouts,
        /// There is no open payout of this number; it was answered or never requested.
        PayoutNotOpen,
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
        /// Names the treasurer, in place of the one before.
        ///
        /// Origin: council.
        ///
        /// Event: [`Event::TreasurerNamed`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::set_treasurer())]
        pub fn set_treasurer(origin: OriginFor<T>, account: AccountId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_set_treasurer(account);
            Ok(())
        }

        /// Sets how many whole ByteChips a dollar buys from now on.
        ///
        /// Origin: council.
        ///
        /// Event: [`Event::RateSet`].
        ///
        /// Error: [`Error::ZeroRate`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::set_rate())]
        pub fn set_rate(origin: OriginFor<T>, bytechips_per_dollar: u32) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_set_rate(bytechips_per_dollar)
        }

        /// Records that `buyer` paid `cents` US cents, and mints `cents` x rate / 100 ByteChips to
        /// their account.
        ///
        /// Origin: signed by the treasurer.
        ///
        /// Details: the amount is exact, see [`bytechips_for`]. The reference is compared byte by
        /// byte with those of all earlier purchases.
        ///
        /// Event: [`Event::PurchaseRecorded`].
        ///
        /// Errors: [`Error::NotTreasurer`], [`Error::ZeroAmount`], [`Error::EmptyReference`],
        /// [`Error::ReferenceAlreadyUsed`], `Arithmetic(Overflow)` when more would exist than the
        /// ledger can count.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::record_purchase())]
        pub fn record_purchase(
            origin: OriginFor<T>,
            reference: Reference,
            buyer: AccountId,
            cents: u64,
        ) -> DispatchResult {
            Self::ensure_treasurer(origin)?;
            Self::do_record_purchase(reference, buyer, cents)
        }

        /// Asks for `amount` to be paid out to the destination whose digest is given.
        ///
        /// Origin: signed by the account that wants it.
        ///
        /// Details: the amount is held until the treasurer answers. The account must keep the
        /// existential deposit free.
        ///
        /// Event: [`Event::PayoutRequested`].
        ///
        /// Errors: [`Error::ZeroAmount`], [`Error::TooManyOpenPayouts`], `Token(FundsUnavailable)`
        /// when the account has not that much free.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::request_payout())]
        pub fn request_payout(
            origin: OriginFor<T>,
            amount: Amount,
            destination_digest: Digest,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_request_payout(account, amount, destination_digest)
        }

        /// Marks the transfer of a payout as made, and burns the amount that was held for it.
        ///
        /// Origin: signed by the treasurer.
        ///
        /// Details: the reference is compared byte by byte with those of all earlier transfers.
        ///
        /// Event: [`Event::PayoutCompleted`].
        ///
        /// Errors: [`Error::NotTreasurer`], [`Error::EmptyReference`],
        /// [`Error::ReferenceAlreadyUsed`], [`Error::PayoutNotOpen`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::complete_payout())]
        pub fn complete_payout(
            origin: OriginFor<T>,
            id: PayoutId,
            reference: Reference,
        ) -> DispatchResult {
            Self::ensure_treasurer(origin)?;
            Self::do_complete_payout(id, reference)
        }

        /// Returns a payout that cannot be made: the amount is free again.
        ///
        /// Origin: signed by the treasurer.
        ///
        /// Event: [`Event::PayoutReturned`].
        ///
        /// Errors: [`Error::NotTreasurer`], [`Error::PayoutNotOpen`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::return_payout())]
        pub fn return_payout(origin: OriginFor<T>, id: PayoutId) -> DispatchResult {
            Self::ensure_treasurer(origin)?;
            Self::do_return_payout(id)
        }
    }
}

/// What others ask.
impl<T: Config> Pallet<T> {
    /// Whole ByteChips for one dollar.
    pub fn bytechips_per_dollar() -> u32 {
        BytechipsPerDollar::<T>::get()
    }

    /// All that existed at genesis.
    pub fn genesis_issuance() -> Amount {
        GenesisIssuance::<T>::get()
    }

    /// What purchases have added since genesis.
    pub fn minted() -> Amount {
        Minted::<T>::get()
    }

    /// What completed payouts, lost bonds, fees and dust have taken away since genesis.
    pub fn burnt() -> Amount {
        Burnt::<T>::get()
    }

    /// What is held for all open payouts together.
    pub fn held() -> Amount {
        Held::<T>::get()
    }
}

/// What others tell it.
impl<T: Config> Pallet<T> {
    /// Counts what another pallet has burnt itself: what nobody gets of a bond that is slashed or of the
    /// bond of a dispute that is lost. It has left the issuance already.
    pub fn count_burnt(amount: Amount) -> DispatchResult {
        let burnt = Self::burnt().checked_add(amount);
        Burnt::<T>::put(burnt.ok_or(ArithmeticError::Overflow)?);
        Ok(())
    }
}

/// Where money goes that nobody is to have: it is burnt, and counted. The runtime names the pallet
/// as the handler of fees and dust that it passes on to nobody else.
impl<T: Config> OnUnbalanced<Credit<AccountId, T::Currency>> for Pallet<T> {
    fn on_nonzero_unbalanced(credit: Credit<AccountId, T::Currency>) {
        // All that was ever burnt is at most all that ever existed, and that fits an amount: a
        // purchase that would overflow `Minted` is refused, so this saturates never.
        Burnt::<T>::mutate(|burnt| *burnt = burnt.saturating_add(credit.peek()));
        // What is dropped leaves the issuance.
        drop(credit);
    }
}

/// What the calls do, once their origin is known.
impl<T: Config> Pallet<T> {
    fn ensure_treasurer(origin: T::RuntimeOrigin) -> DispatchResult {
        let signer = ensure_signed(origin)?;
        ensure!(
            Treasurer::<T>::get() == Some(signer),
            Error::<T>::NotTreasurer
        );
        Ok(())
    }

    fn do_set_treasurer(treasurer: AccountId) {
        Treasurer::<T>::put(&treasurer);
        Self::deposit_event(Event::TreasurerNamed { treasurer });
    }

    fn do_set_rate(bytechips_per_dollar: u32) -> DispatchResult {
        ensure!(bytechips_per_dollar > 0, Error::<T>::ZeroRate);
        BytechipsPerDollar::<T>::put(bytechips_per_dollar);
        Self::deposit_event(Event::RateSet {
            bytechips_per_dollar,
        });
        Ok(())
    }
}
