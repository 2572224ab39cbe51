//! Workers' bonds, their devices, and each device's record.
//!
//! # What it keeps
//!
//! - **Bonds**: what a worker account has put up for its devices, held in the account under
//!   [`HoldReason::Bond`]. The *active* part has to cover
//!   [`MinBondPerDevice`](Config::MinBondPerDevice) for every device of the account, when one is
//!   registered, when anything is unbonded, and as long as its devices are to have work. What is
//!   unbonded leaves the active part at once and stays held for
//!   [`UnbondingDelay`](Config::UnbondingDelay) blocks, so that what a device did can still be
//!   answered for after its worker has gone. A device that is retired takes its share of the bond
//!   with it: that is unbonded, see [`Pallet::retire_device`].
//! - **Devices**: the machines that workers register. A device's name is its Ed25519 key; the
//!   register gives its account, the X25519 key to which its data keys are sealed, its region and
//!   its hardware. A device belongs to one account, and is registered only with that key's own
//!   consent: a signature over
//!   [`Possession`](quern_primitives::device::Possession).
//! - **Records**: what became of the replicas each device was given. Settlement adds to them, see
//!   [`Pallet::apply_record_change`].
//! - **Histories**: what became of each device's last tasks, see
//!   [`History`](quern_primitives::device::History). A device whose faults are repeated is in
//!   *quarantine*: masternodes give it nothing. That follows from its history and is not stored. A
//!   review empties the history, and so ends the quarantine; the record stays.
//!
//! Record and history outlive the registration, see [`Past`]: a retired device that is registered
//! again, by whatever account, goes on with them. A fresh key has none, and a bond of its own to be
//! paid for it.
//!
//! A lie of a device that is proved in a dispute costs its account a part of the bond, active or
//! unbonding, and the device all further work: see [`Pallet::slash`]. No review gives it back. Who
//! retires a device answers for it as long as what covered it is held: see
//! [`Pallet::answers_for`].
//!
//! Bans are the roster's concern, and keep a device from work, not from the register.
//!
//! # Calls
//!
//! | call | origin |
//! | --- | --- |
//! | [`bond`](Pallet::bond), [`unbond`](Pallet::unbond), [`withdraw_unbonded`](Pallet::withdraw_unbonded) | any account |
//! | [`register_device`](Pallet::register_device) | an account with enough bond |
//! | [`rotate_sealing_key`](Pallet::rotate_sealing_key), [`retire_device`](Pallet::retire_device) | the device's account |
//! | [`review`](Pallet::review) | council, or the device's account |
//!
//! # What others ask it
//!
//! [`Pallet::device`], [`Pallet::devices_of`], [`Pallet::registered_at`], [`Pallet::answers_for`], [`Pallet::is_bonded`], [`Pallet::bond_of`],
//! [`Pallet::total_bonded`], [`Pallet::slashable`].

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
mod bonds;
mod devices;
mod invariants;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
mod reviews;
mod slashes;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
pub mod weights;

pub use bonds::Bond;
pub use pallet::*;
pub use quern_bond_rules::Unbonding;
pub use reviews::Reviewer;
pub use weights::WeightInfo;

use quern_primitives::{
    AccountId, Amount, DeviceId, SealingKey,
    device::{Device, Hardware, Past, Record, Region},
    payload::DeviceSignature,
};

/// Amounts of one account that may be waiting out the unbonding delay at once. What is unbonded in
/// one block waits together.
pub const UNBONDINGS_PER_ACCOUNT_MAX: u32 = 32;

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
    use sp_core::H256;

    /// The pallet; its calls keep bonds and devices, its functions are what others ask.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId, Hash = H256, RuntimeEvent: From<Event<Self>>>
    {
        /// The ledger of ByteChips.
        type Currency: fungible::Inspect<AccountId, Balance = Amount>
            + fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holding money, ours among them.
        type RuntimeHoldReason: From<HoldReason>;

        /// Who speaks for the council: a majority of its members.
        type CouncilOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// What an account's active bond must be for each of its devices; above zero. It may change: if
        /// it is raised, accounts that hold less are without work until they bond more, and take nothing
        /// out but what covers a device that they retire.
        type MinBondPerDevice: Get<Amount>;

        /// Blocks for which an unbonded amount stays held; above zero.
        #[pallet::constant]
        type UnbondingDelay: Get<BlockNumberFor<Self>>;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// As a worker's bond, active or unbonding.
        Bond,
    }

    /// Each worker account's bond. Accounts without bond are not in it.
    #[pallet::storage]
    pub type Bonds<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId, Bond<BlockNumberFor<T>>, OptionQuery>;

    /// All bonds together, active and unbonding.
    #[pallet::storage]
    pub type TotalBonded<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// The registered devices.
    #[pallet::storage]
    pub type Devices<T: Config> = StorageMap<_, Blake2_128Concat, DeviceId, Device, OptionQuery>;

    /// The block since which each registered device belongs to its account.
    #[pallet::storage]
    pub type RegisteredAt<T: Config> =
        StorageMap<_, Blake2_128Concat, DeviceId, BlockNumberFor<T>, OptionQuery>;

    /// What is remembered of devices that were retired. One that is registered again is not in it.
    #[pallet::storage]
    pub type RetiredDevices<T: Config> =
        StorageMap<_, Blake2_128Concat, DeviceId, Past, OptionQuery>;

    /// The account that a retired device belonged to last, and the first block in which what covered it
    /// can be withdrawn: so long it answers for what the device signed. One that is registered again is
    /// not in it.
    #[pallet::storage]
    pub type LastOwners<T: Config> =
        StorageMap<_, Blake2_128Concat, DeviceId, (AccountId, BlockNumberFor<T>), OptionQuery>;

    /// The devices of each account; how many there are is part of its bond.
    #[pallet::storage]
    pub type DevicesOf<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId,
        Blake2_128Concat,
        DeviceId,
        (),
        OptionQuery,
    >;

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account bonded more.
        Bonded {
            /// The account.
            account: AccountId,
            /// How much more.
            amount: Amount,
        },
        /// An account took a part out of its active bond, or retired the device whose share it
        /// was; it stays held for a time.
        Unbonded {
            /// The account.
            account: AccountId,
            /// How much.
            amount: Amount,
            /// The first block in which it can be withdrawn.
            withdrawable_at: BlockNumberFor<T>,
        },
        /// An account took back what had waited out the delay.
        UnbondedWithdrawn {
            /// The account.
            account: AccountId,
            /// How much.
            amount: Amount,
        },
        /// A device was registered.
        DeviceRegistered {
            /// The device.
            device: DeviceId,
            /// Whose it is.
            account: AccountId,
        },
        /// A device has a new key to which its data keys are sealed.
        SealingKeyRotated {
            /// The device.
            device: DeviceId,
            /// The new key.
            sealing_key: SealingKey,
        },
        /// A device was retired.
        DeviceRetired {
            /// The device.
            device: DeviceId,
            /// Whose it was.
            account: AccountId,
            /// What had become of its replicas.
            record: Record,
        },
        /// A device was reviewed: its history is empty, and it is not in quarantine.
        DeviceReviewed {
            /// The device.
            device: DeviceId,
            /// On whose word.
            by: Reviewer,
        },
        /// A lie of a device was proved, or it did not keep what it should, and its account's bond is less by
        /// what was paid and burnt.
        BondSlashed {
            /// Whose bond.
            account: AccountId,
            /// The device. Of a lie, which its record counts then, it gets nothing more.
            device: DeviceId,
            /// Who proved it.
            winner: AccountId,
            /// What the winner got.
            paid: Amount,
            /// What ceased to exist.
            burnt: Amount,
        },
        /// A settlement named a device that was never registered; there was no record to change.
        RecordChangeIgnored {
            /// The device.
            device: DeviceId,
        },
    }

    /// Why a call was refused. A refused call changes nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// An amount of zero moves nothing; name one above it.
        ZeroAmount,
        /// The account has not that much in its active bond; unbond less. What is unbonding already
        /// is no part of it.
        MoreThanBonded,
        /// The account's devices need this part of the bond; retire devices first.
        BondNeeded,
        /// As many amounts are unbonding as may be; withdraw those that are due, or wait.
        TooManyUnbondings,
        /// Nothing has waited out the unbonding delay yet.
        NothingToWithdraw,
        /// The active bond does not cover one device more; bond more first. What is unbonding, such
        /// as the share of a device that was retired, covers none.
        BondTooSmall,
        /// The device is registered already; its account has to retire it first.
        DeviceAlreadyRegistered,
        /// The account has as many devices as it may have.
        TooManyDevices,
        /// No device of this name is registered; register it first, or name another.
        DeviceUnknown,
        /// The device belongs to another account; sign with that account.
        NotDeviceOwner,
        /// The device has not signed for this account, sealing key and chain; sign again, with the
        /// device's key, for those that the call names.
        InvalidPossession,
        /// The device is not in quarantine; there is nothing to review.
        NotQuarantined,
        /// The device was reviewed less than a week ago; wait until the week is over, or ask the
        /// council.
        ReviewedLately,
        /// The device's key is one of the few under which everybody can sign anything; make the device
        /// another one, from a random seed.
        WeakDeviceKey,
        /// A lie of the device was proved, and no review helps; register another device.
        DeviceConvicted,
        /// The account that the device belonged to last answers for it until what covered it can be withdrawn; wait
        /// until then, or make the device another key.
        StillAnswered,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            use sp_runtime::traits::Zero;
            assert!(
                !T::UnbondingDelay::get().is_zero(),
                "a bond has to outlast what it is for"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Adds `amount` to the account's active bond.
        ///
        /// Origin: signed by the worker's account.
        ///
        /// Details: the amount is held; the account must keep the existential deposit free.
        ///
        /// Event: [`Event::Bonded`].
        ///
        /// Errors: [`Error::ZeroAmount`], `Token(FundsUnavailable)` when the account has not that
        /// much free.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::bond())]
        pub fn bond(origin: OriginFor<T>, amount: Amount) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_bond(account, amount)
        }

        /// Takes `amount` out of the account's active bond. It stays held for the unbonding delay,
        /// then [`withdraw_unbonded`](Pallet::withdraw_unbonded) frees it.
        ///
        /// Origin: signed by the worker's account.
        ///
        /// Details: what is unbonded in one block is withdrawn together, and counts as one of
        /// [`UNBONDINGS_PER_ACCOUNT_MAX`].
        ///
        /// Event: [`Event::Unbonded`].
        ///
        /// Errors: [`Error::ZeroAmount`], [`Error::MoreThanBonded`], [`Error::BondNeeded`],
        /// [`Error::TooManyUnbondings`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::unbond())]
        pub fn unbond(origin: OriginFor<T>, amount: Amount) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_unbond(account, amount)
        }

        /// Frees all of the account's amounts that have waited out the unbonding delay.
        ///
        /// Origin: signed by the worker's account.
        ///
        /// Event: [`Event::UnbondedWithdrawn`].
        ///
        /// Error: [`Error::NothingToWithdraw`].
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::withdraw_unbonded())]
        pub fn withdraw_unbonded(origin: OriginFor<T>) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_withdraw_unbonded(account)
        }

        /// Registers a device of the account.
        ///
        /// Origin: signed by the worker's account.
        ///
        /// Details: `possession` is the device's signature over
        /// [`Possession`](quern_primitives::device::Possession) of this account, device and sealing
        /// key, for this chain. Region and hardware are the worker's word. The active bond must
        /// cover the devices there are and this one. A device that was registered before, by this
        /// account or another, has its record and history again, and is in quarantine if it was. Another
        /// account takes it over once who retired it answers for it no more. A key
        /// of [small order](DeviceId::is_small_order) is refused: under it everybody could sign receipts
        /// in the device's name.
        ///
        /// Event: [`Event::DeviceRegistered`].
        ///
        /// Errors: [`Error::WeakDeviceKey`], [`Error::DeviceAlreadyRegistered`],
        /// [`Error::StillAnswered`], [`Error::BondTooSmall`], [`Error::TooManyDevices`], [`Error::InvalidPossession`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::register_device())]
        pub fn register_device(
            origin: OriginFor<T>,
            device: DeviceId,
            sealing_key: SealingKey,
            region: Region,
            hardware: Hardware,
            possession: DeviceSignature,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            let registered = Device::new(account, sealing_key, region, hardware);
            Self::do_register_device(device, registered, possession)
        }

        /// Replaces the key to which a device's data keys are sealed.
        ///
        /// Origin: signed by the device's account.
        ///
        /// Details: `possession` is the device's signature as for
        /// [`register_device`](Pallet::register_device), over the new key.
        ///
        /// Event: [`Event::SealingKeyRotated`].
        ///
        /// Errors: [`Error::DeviceUnknown`], [`Error::NotDeviceOwner`],
        /// [`Error::InvalidPossession`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::rotate_sealing_key())]
        pub fn rotate_sealing_key(
            origin: OriginFor<T>,
            device: DeviceId,
            sealing_key: SealingKey,
            possession: DeviceSignature,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_rotate_sealing_key(account, device, sealing_key, possession)
        }

        /// Takes a device off the register. Its record and history are remembered, and until what covered
        /// it can be withdrawn also that it was this account's.
        ///
        /// Origin: signed by the device's account.
        ///
        /// Details: what it has computed is still settled and paid, and still counts for its record.
        /// Its share of the active bond, which all of the account's devices have in equal parts,
        /// is unbonded at once: it covers no other device, and can be withdrawn after the
        /// unbonding delay, or a week after the device could next have been reviewed by its
        /// account, whichever is later. A device in quarantine can be retired as well: nothing is
        /// gained by that over a review, and no bond is kept for good.
        ///
        /// Events: [`Event::Unbonded`], [`Event::DeviceRetired`].
        ///
        /// Errors: [`Error::DeviceUnknown`], [`Error::NotDeviceOwner`],
        /// [`Error::TooManyUnbondings`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::retire_device())]
        pub fn retire_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_retire_device(account, device)
        }

        /// Empties a device's history, which ends its quarantine.
        ///
        /// Origin: council, or signed by the device's account.
        ///
        /// Details: the council may review any device at any time. The device's account may only
        /// while the device is in quarantine, and
        /// [`REVIEW_PERIOD_BLOCKS`](quern_primitives::limits::REVIEW_PERIOD_BLOCKS) after its last
        /// review, whoever made that: enough for who has mended a machine, and of little use to who
        /// goes on lying. The record stays.
        ///
        /// Event: [`Event::DeviceReviewed`].
        ///
        /// Errors: [`Error::DeviceUnknown`], [`Error::NotDeviceOwner`], [`Error::DeviceConvicted`],
        /// [`Error::NotQuarantined`], [`Error::ReviewedLately`].
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::review())]
        pub fn review(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            let by = match T::CouncilOrigin::try_origin(origin) {
                Ok(_) => Reviewer::Council,
                Err(origin) => Reviewer::Owner(ensure_signed(origin)?),
            };
            Self::do_review(by, device)
        }
    }
}
