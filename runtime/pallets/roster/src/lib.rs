//! Who may be a masternode and what it has put up, which devices are verified, who is banned.
//!
//! # What it keeps
//!
//! - **Masternodes**: the accounts that operate one, at most [`MASTERNODES_MAX`]. The chain's
//!   validators are the masternodes that have session keys; the pallet is the session pallet's
//!   session manager, see [`mod@session`].
//! - **Endpoints**: where devices and owners reach each masternode, and the keys by which they know
//!   it. A masternode publishes its own.
//! - **Bonds**: what an operator has put up for its masternode, held in the account under
//!   [`HoldReason::Bond`]. Jobs are given only to masternodes whose *active* part is at least
//!   [`MinBond`](Config::MinBond). What is unbonded leaves the active part at once and stays held for
//!   [`UnbondingDelay`](Config::UnbondingDelay) blocks, so that what a masternode did can still be
//!   answered for; [`Pallet::slash`] takes from both. What a masternode has settled that is not final is
//!   covered by it, so that much is not withdrawn. A bond needs no masternode: an operator bonds
//!   before the council adds it, and one that was removed takes its bond back the same way.
//! - **Bans**: accounts whose devices get no work. A ban touches no money: what a banned account has
//!   earned is its own, and it may retire its devices and take its bond back.
//! - **Verified devices**: machines the council has looked at, for owners who want only those.
//!
//! No account is masternode and banned at once: the council removes a masternode before it bans
//! its account.
//!
//! # Calls
//!
//! | call | origin |
//! | --- | --- |
//! | [`add_masternode`](Pallet::add_masternode), [`remove_masternode`](Pallet::remove_masternode) | council |
//! | [`publish_endpoints`](Pallet::publish_endpoints) | a masternode's account |
//! | [`bond`](Pallet::bond), [`unbond`](Pallet::unbond), [`withdraw_unbonded`](Pallet::withdraw_unbonded) | any account |
//! | [`ban`](Pallet::ban), [`lift_ban`](Pallet::lift_ban) | council |
//! | [`verify_device`](Pallet::verify_device), [`unverify_device`](Pallet::unverify_device) | council |
//!
//! # What others ask it
//!
//! [`Pallet::masternodes`], [`Pallet::is_masternode`], [`Pallet::endpoints`],
//! [`Pallet::masternode_views`], [`Pallet::bonded_masternodes`], [`Pallet::bonded`],
//! [`Pallet::is_banned`], [`Pallet::is_verified`].

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
mod endpoints;
mod invariants;
mod lists;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
pub mod session;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
pub mod weights;

pub use bonds::Bond;
pub use endpoints::{Address, Endpoints};
pub use pallet::*;
pub use quern_bond_rules::Unbonding;
pub use weights::WeightInfo;

use alloc::vec::Vec;
use frame_support::pallet_prelude::DispatchResult;
use quern_primitives::{AccountId, Amount, DeviceId, limits::MASTERNODES_MAX};

/// What masternodes have at stake, as the roster asks for it.
pub trait Exposures {
    /// What must be bonded for what an operator's masternode has settled that can still be taken back. So much
    /// of the bond stays.
    fn needed(account: &AccountId) -> Amount;
}

/// Accounts that may be banned at once. One takes about 64 bytes of state, so all of them 4 MiB.
pub const BANNED_ACCOUNTS_MAX: u32 = 65_536;

/// Devices that may be verified at once. One takes about 64 bytes of state, so all of them 4 MiB.
pub const VERIFIED_DEVICES_MAX: u32 = 65_536;

/// Amounts of one operator that may be waiting out the unbonding delay at once. What is unbonded in
/// one block waits together.
pub const UNBONDINGS_MAX: u32 = 32;

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
        traits::{EnsureOrigin, ValidatorRegistration, ValidatorSet, fungible},
    };
    use frame_system::pallet_prelude::*;
    use quern_primitives::{SealingKey, limits::ADDRESSES_PER_MASTERNODE_MAX};

    /// The pallet; its calls are the roster's, its functions what other pallets ask.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId, RuntimeEvent: From<Event<Self>>>
    {
        /// Who speaks for the council: a majority of its members.
        type CouncilOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// The session pallet, asked who validates now and who has session keys.
        type Session: ValidatorSet<AccountId, ValidatorId = AccountId>
            + ValidatorRegistration<AccountId>;

        /// The ledger of ByteChips.
        type Currency: fungible::Inspect<AccountId, Balance = Amount>
            + fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holding money, ours among them.
        type RuntimeHoldReason: From<HoldReason>;

        /// What a masternode's active bond must be for it to be given jobs; above zero. It may change:
        /// if it is raised, masternodes that hold less are given none until they bond more.
        type MinBond: Get<Amount>;

        /// Blocks for which an unbonded amount stays held; above zero.
        #[pallet::constant]
        type UnbondingDelay: Get<BlockNumberFor<Self>>;

        /// What of bonds is needed.
        type Exposures: Exposures;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// As an operator's bond for its masternode, active or unbonding.
        Bond,
    }

    /// The masternodes, ascending.
    #[pallet::storage]
    pub type Masternodes<T: Config> =
        StorageValue<_, BoundedVec<AccountId, ConstU32<MASTERNODES_MAX>>, ValueQuery>;

    /// What each masternode has published of itself; gone when it is removed.
    #[pallet::storage]
    pub type PublishedEndpoints<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId, Endpoints, OptionQuery>;

    /// The masternodes that have published their endpoints, ascending: of these those that have the
    /// bond can be given jobs.
    #[pallet::storage]
    pub type ReachableMasternodes<T: Config> =
        StorageValue<_, BoundedVec<AccountId, ConstU32<MASTERNODES_MAX>>, ValueQuery>;

    /// The banned accounts, at most [`BANNED_ACCOUNTS_MAX`].
    #[pallet::storage]
    pub type BannedAccounts<T: Config> =
        CountedStorageMap<_, Blake2_128Concat, AccountId, (), OptionQuery>;

    /// The verified devices, at most [`VERIFIED_DEVICES_MAX`]. A device may be verified before it is
    /// registered, and stays so when it is retired: it is the machine that was looked at.
    #[pallet::storage]
    pub type VerifiedDevices<T: Config> =
        CountedStorageMap<_, Blake2_128Concat, DeviceId, (), OptionQuery>;

    /// Each operator's bond. Accounts without bond are not in it.
    #[pallet::storage]
    pub type Bonds<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId, Bond<BlockNumberFor<T>>, OptionQuery>;

    /// All bonds together, active and unbonding.
    #[pallet::storage]
    pub type TotalBonded<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// The masternodes the chain starts with.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Their accounts, each once, in any order. They validate from the first block if the
        /// session pallet's genesis has keys for them.
        pub masternodes: Vec<T::AccountId>,
        /// What each of them has bonded, out of what the genesis gives its account.
        pub bond: Amount,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let mut accounts = self.masternodes.clone();
            accounts.sort();
            assert!(
                accounts.is_sorted_by(|one, next| one < next),
                "the genesis names a masternode twice"
            );
            if self.bond > 0 {
                for account in &accounts {
                    let bonded = Pallet::<T>::do_bond(account.clone(), self.bond);
                    assert!(
                        bonded.is_ok(),
                        "the genesis gives a masternode less than its bond: {bonded:?}"
                    );
                }
            }
            let bounded = BoundedVec::try_from(accounts);
            Masternodes::<T>::put(bounded.expect("the genesis has at most MASTERNODES_MAX"));
        }
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The council made an account a masternode.
        MasternodeAdded {
            /// The operator's account.
            account: AccountId,
        },
        /// The council removed a masternode; what it had published is gone.
        MasternodeRemoved {
            /// The operator's account.
            account: AccountId,
        },
        /// A masternode told where it is reached and by which keys it is known.
        EndpointsPublished {
            /// The operator's account.
            account: AccountId,
        },
        /// An operator bonded more.
        Bonded {
            /// The operator's account.
            account: AccountId,
            /// How much more.
            amount: Amount,
        },
        /// An operator took a part out of its active bond; it stays held for a time.
        Unbonded {
            /// The operator's account.
            account: AccountId,
            /// How much.
            amount: Amount,
            /// The first block in which it can be withdrawn.
            withdrawable_at: BlockNumberFor<T>,
        },
        /// An operator took back what had waited out the delay.
        UnbondedWithdrawn {
            /// The operator's account.
            account: AccountId,
            /// How much.
            amount: Amount,
        },
        /// A masternode was proved wrong: a part of its operator's bond is gone.
        BondSlashed {
            /// The operator's account.
            account: AccountId,
            /// How much it lost.
            amount: Amount,
            /// Who proved it, and got what was not burnt.
            winner: AccountId,
            /// How much of it was burnt.
            burnt: Amount,
        },
        /// The council banned an account.
        AccountBanned {
            /// The account.
            account: AccountId,
        },
        /// The council lifted the ban of an account.
        BanLifted {
            /// The account.
            account: AccountId,
        },
        /// The council verified a device.
        DeviceVerified {
            /// The device.
            device: DeviceId,
        },
        /// The council took back the verification of a device.
        DeviceUnverified {
            /// The device.
            device: DeviceId,
        },
    }

    /// Why a call was refused. A refused call changes nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// The account is a masternode already.
        AlreadyMasternode,
        /// The account is no masternode; the council has to add it first.
        NotMasternode,
        /// The chain has as many masternodes as it can have; remove one first.
        TooManyMasternodes,
        /// Without this masternode there would be none; add another first.
        LastMasternode,
        /// The account is banned; lift the ban before making it a masternode.
        MasternodeIsBanned,
        /// The account is a masternode; remove it before banning its account.
        BannedIsMasternode,
        /// No address for devices was given; publish at least one.
        NoDeviceAddress,
        /// An address is empty; leave it out or write it.
        EmptyAddress,
        /// An address is not UTF-8.
        AddressNotUtf8,
        /// The account is banned already.
        AlreadyBanned,
        /// The account is not banned.
        NotBanned,
        /// As many accounts are banned as can be; lift a ban first.
        TooManyBans,
        /// The device is verified already.
        AlreadyVerified,
        /// The device is not verified.
        NotVerified,
        /// As many devices are verified as can be; take one verification back first.
        TooManyVerified,
        /// The network key is one of the few under which everybody can sign anything; make the
        /// masternode another one, from a random seed.
        WeakNetworkKey,
        /// An amount of zero moves nothing; name one above it.
        ZeroAmount,
        /// The account has not that much in its active bond; unbond less. What is unbonding already
        /// is no part of it.
        MoreThanBonded,
        /// As many amounts are unbonding as may be; withdraw those that are due, or wait.
        TooManyUnbondings,
        /// Nothing has waited out the unbonding delay yet.
        NothingToWithdraw,
        /// What the masternode has settled and is not final needs what would be left too little of; wait until
        /// it is final, or bond more.
        BondNeeded,
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
        /// Makes an account a masternode.
        ///
        /// Origin: council.
        ///
        /// Details: it validates from the second session after the one in which it is both
        /// masternode and owner of session keys.
        ///
        /// Event: [`Event::MasternodeAdded`].
        ///
        /// Errors: [`Error::AlreadyMasternode`], [`Error::TooManyMasternodes`],
        /// [`Error::MasternodeIsBanned`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::add_masternode())]
        pub fn add_masternode(origin: OriginFor<T>, account: AccountId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_add_masternode(account)
        }

        /// Removes a masternode and what it published.
        ///
        /// Origin: council.
        ///
        /// Details: it validates to the end of the next session, which is planned already. Jobs it
        /// coordinates stay with it until their deadline. The last masternode cannot be removed.
        ///
        /// Event: [`Event::MasternodeRemoved`].
        ///
        /// Errors: [`Error::NotMasternode`], [`Error::LastMasternode`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::remove_masternode())]
        pub fn remove_masternode(origin: OriginFor<T>, account: AccountId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_remove_masternode(account)
        }

        /// Tells where a masternode is reached and by which keys it is known; replaces what it
        /// told before.
        ///
        /// Origin: signed by a masternode.
        ///
        /// Details: `network_key` is the Ed25519 key its connections are authenticated by,
        /// `sealing_key` the X25519 key to which owners seal their delegated job keys,
        /// `device_addresses` are multiaddrs and `jobs_api` is a URL. The chain checks only that
        /// addresses are there and are UTF-8, and that the network key is not of
        /// [small order](DeviceId::is_small_order), under which everybody could sign in the
        /// masternode's name; it does not dial the addresses.
        ///
        /// Event: [`Event::EndpointsPublished`].
        ///
        /// Errors: [`Error::NotMasternode`], [`Error::WeakNetworkKey`], [`Error::NoDeviceAddress`],
        /// [`Error::EmptyAddress`], [`Error::AddressNotUtf8`].
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::publish_endpoints())]
        pub fn publish_endpoints(
            origin: OriginFor<T>,
            network_key: DeviceId,
            sealing_key: SealingKey,
            device_addresses: BoundedVec<Address, ConstU32<ADDRESSES_PER_MASTERNODE_MAX>>,
            jobs_api: Address,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            let endpoints = Endpoints {
                network_key,
                sealing_key,
                device_addresses,
                jobs_api,
            };
            Self::do_publish_endpoints(account, endpoints)
        }

        /// Bans an account: masternodes give its devices nothing.
        ///
        /// Origin: council.
        ///
        /// Event: [`Event::AccountBanned`].
        ///
        /// Errors: [`Error::AlreadyBanned`], [`Error::BannedIsMasternode`],
        /// [`Error::TooManyBans`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::ban())]
        pub fn ban(origin: OriginFor<T>, account: AccountId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_ban(account)
        }

        /// Lifts the ban of an account.
        ///
        /// Origin: council.
        ///
        /// Event: [`Event::BanLifted`].
        ///
        /// Error: [`Error::NotBanned`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::lift_ban())]
        pub fn lift_ban(origin: OriginFor<T>, account: AccountId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_lift_ban(account)
        }

        /// Marks a device as verified, for owners who want only devices the council has looked at.
        ///
        /// Origin: council.
        ///
        /// Details: the device need not be registered yet.
        ///
        /// Event: [`Event::DeviceVerified`].
        ///
        /// Errors: [`Error::AlreadyVerified`], [`Error::TooManyVerified`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::verify_device())]
        pub fn verify_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_verify_device(device)
        }

        /// Takes back the verification of a device.
        ///
        /// Origin: council.
        ///
        /// Event: [`Event::DeviceUnverified`].
        ///
        /// Error: [`Error::NotVerified`].
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::unverify_device())]
        pub fn unverify_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_unverify_device(device)
        }

        /// Adds `amount` to the active bond of the account's masternode.
        ///
        /// Origin: signed by the operator's account, which need not be a masternode yet.
        ///
        /// Details: the amount is held; the account must keep the existential deposit free. Jobs are
        /// given to a masternode from the next block on in which its active bond is large enough.
        ///
        /// Event: [`Event::Bonded`].
        ///
        /// Errors: [`Error::ZeroAmount`], `Token(FundsUnavailable)` when the account has not that
        /// much free.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::bond())]
        pub fn bond(origin: OriginFor<T>, amount: Amount) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_bond(account, amount)
        }

        /// Takes `amount` out of the account's active bond. It stays held for the unbonding delay,
        /// then [`withdraw_unbonded`](Pallet::withdraw_unbonded) frees it.
        ///
        /// Origin: signed by the operator's account.
        ///
        /// Details: a masternode with less than the least bond is given no more jobs; those it has it
        /// keeps. What is unbonded in one block is withdrawn together, and counts as one of
        /// [`UNBONDINGS_MAX`].
        ///
        /// Event: [`Event::Unbonded`].
        ///
        /// Errors: [`Error::ZeroAmount`], [`Error::MoreThanBonded`], [`Error::TooManyUnbondings`].
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::unbond())]
        pub fn unbond(origin: OriginFor<T>, amount: Amount) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_unbond(account, amount)
        }

        /// Frees all of the account's amounts that have waited out the unbonding delay.
        ///
        /// Origin: signed by the operator's account.
        ///
        /// Event: [`Event::UnbondedWithdrawn`].
        ///
        /// Details: what is left has to cover what the masternode has settled that is not final.
        ///
        /// Errors: [`Error::NothingToWithdraw`], [`Error::BondNeeded`].
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::withdraw_unbonded())]
        pub fn withdraw_unbonded(origin: OriginFor<T>) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_withdraw_unbonded(account)
        }
    }
}
