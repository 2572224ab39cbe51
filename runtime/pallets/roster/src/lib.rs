//! Who may be a masternode, which devices are verified, who is banned.
//!
//! # What it keeps
//!
//! - **Masternodes**: the accounts that operate one, at most [`MASTERNODES_MAX`]. The chain's
//!   validators are the masternodes that have session keys; the pallet is the session pallet's
//!   session manager, see [`mod@session`].
//! - **Endpoints**: where devices and owners reach each masternode, and the keys by which they know
//!   it. A masternode publishes its own.
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
//! | [`ban`](Pallet::ban), [`lift_ban`](Pallet::lift_ban) | council |
//! | [`verify_device`](Pallet::verify_device), [`unverify_device`](Pallet::unverify_device) | council |
//!
//! # What others ask it
//!
//! [`Pallet::masternodes`], [`Pallet::is_masternode`], [`Pallet::endpoints`],
//! [`Pallet::masternode_views`], [`Pallet::is_banned`], [`Pallet::is_verified`].

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
mod endpoints;
mod invariants;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
pub mod session;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
pub mod weights;

pub use endpoints::{Address, Endpoints};
pub use pallet::*;
pub use weights::WeightInfo;

use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_primitives::{AccountId, DeviceId, limits::MASTERNODES_MAX, view::MasternodeView};

/// Accounts that may be banned at once. One takes about 64 bytes of state, so all of them 4 MiB.
pub const BANNED_ACCOUNTS_MAX: u32 = 65_536;

/// Devices that may be verified at once. One takes about 64 bytes of state, so all of them 4 MiB.
pub const VERIFIED_DEVICES_MAX: u32 = 65_536;

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
        traits::{EnsureOrigin, ValidatorRegistration, ValidatorSet},
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

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// The masternodes, ascending.
    #[pallet::storage]
    pub type Masternodes<T: Config> =
        StorageValue<_, BoundedVec<AccountId, ConstU32<MASTERNODES_MAX>>, ValueQuery>;

    /// What each masternode has published of itself; gone when it is removed.
    #[pallet::storage]
    pub type PublishedEndpoints<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId, Endpoints, OptionQuery>;

    /// The masternodes that have published their endpoints, ascending: those that can be given jobs.
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

    /// The masternodes the chain starts with.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Their accounts, each once, in any order. They validate from the first block if the
        /// session pallet's genesis has keys for them.
        pub masternodes: Vec<T::AccountId>,
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
    }
}

/// What others ask.
impl<T: Config> Pallet<T> {
    /// The masternodes, ascending.
    pub fn masternodes() -> Vec<AccountId> {
        Masternodes::<T>::get().into_inner()
    }

    /// The masternodes that have published their endpoints, ascending.
    pub fn reachable_masternodes() -> Vec<AccountId> {
        ReachableMasternodes::<T>::get().into_inner()
    }

    /// Whether the account is a masternode.
    pub fn is_masternode(account: &AccountId) -> bool {
        Masternodes::<T>::get().binary_search(account).is_ok()
    }

    /// What a masternode has published of itself.
    pub fn endpoints(account: &AccountId) -> Option<Endpoints> {
        PublishedEndpoints::<T>::get(account)
    }

    /// The masternodes as clients need to know them, ascending. One that has not published its
    /// endpoints cannot be reached, so it is left out.
    pub fn masternode_views() -> Vec<MasternodeView> {
        let masternodes = Self::masternodes().into_iter();
        masternodes
            .filter_map(|account| Some(Self::endpoints(&account)?.into_view(account)))
            .collect()
    }

    /// Whether the account is banned.
    pub fn is_banned(account: &AccountId) -> bool {
        BannedAccounts::<T>::contains_key(account)
    }

    /// Whether the council has verified the device.
    pub fn is_verified(device: &DeviceId) -> bool {
        VerifiedDevices::<T>::contains_key(device)
    }
}

/// What the calls do, once their origin is known.
impl<T: Config> Pallet<T> {
    fn do_add_masternode(account: AccountId) -> DispatchResult {
        ensure!(!Self::is_banned(&account), Error::<T>::MasternodeIsBanned);
        Masternodes::<T>::try_mutate(|masternodes| {
            let Err(place) = masternodes.binary_search(&account) else {
                return Err(Error::<T>::AlreadyMasternode);
            };
            masternodes
                .try_insert(place, account.clone())
                .map_err(|_| Error::<T>::TooManyMasternodes)
        })?;
        Self::deposit_event(Event::MasternodeAdded { account });
        Ok(())
    }

    fn do_remove_masternode(account: AccountId) -> DispatchResult {
        Masternodes::<T>::try_mutate(|masternodes| {
            let place = masternodes
                .binary_search(&account)
                .map_err(|_| Error::<T>::NotMasternode)?;
            ensure!(masternodes.len() > 1, Error::<T>::LastMasternode);
            masternodes.remove(place);
            Ok::<_, Error<T>>(())
        })?;
        PublishedEndpoints::<T>::remove(&account);
        ReachableMasternodes::<T>::mutate(|reachable| {
            if let Ok(place) = reachable.binary_search(&account) {
                reachable.remove(place);
            }
        });
        Self::deposit_event(Event::MasternodeRemoved { account });
        Ok(())
    }

    fn do_publish_endpoints(account: AccountId, endpoints: Endpoints) -> DispatchResult {
        ensure!(Self::is_masternode(&account), Error::<T>::NotMasternode);
        endpoints.check::<T>()?;
        PublishedEndpoints::<T>::insert(&account, endpoints);
        ReachableMasternodes::<T>::try_mutate(|reachable| {
            let Err(place) = reachable.binary_search(&account) else {
                return Ok(());
            };
            // Cannot be full: only masternodes are in it, and there are at most as many of them.
            reachable
                .try_insert(place, account.clone())
                .map_err(|_| Error::<T>::TooManyMasternodes)
        })?;
        Self::deposit_event(Event::EndpointsPublished { account });
        Ok(())
    }

    fn do_ban(account: AccountId) -> DispatchResult {
        ensure!(
            !Self::is_masternode(&account),
            Error::<T>::BannedIsMasternode
        );
        ensure!(!Self::is_banned(&account), Error::<T>::AlreadyBanned);
        ensure!(
            BannedAccounts::<T>::count() < BANNED_ACCOUNTS_MAX,
            Error::<T>::TooManyBans
        );
        BannedAccounts::<T>::insert(&account, ());
        Self::deposit_event(Event::AccountBanned { account });
        Ok(())
    }

    fn do_lift_ban(account: AccountId) -> DispatchResult {
        BannedAccounts::<T>::take(&account).ok_or(Error::<T>::NotBanned)?;
        Self::deposit_event(Event::BanLifted { account });
        Ok(())
    }

    fn do_verify_device(device: DeviceId) -> DispatchResult {
        ensure!(!Self::is_verified(&device), Error::<T>::AlreadyVerified);
        ensure!(
            VerifiedDevices::<T>::count() < VERIFIED_DEVICES_MAX,
            Error::<T>::TooManyVerified
        );
        VerifiedDevices::<T>::insert(device, ());
        Self::deposit_event(Event::DeviceVerified { device });
        Ok(())
    }

    fn do_unverify_device(device: DeviceId) -> DispatchResult {
        VerifiedDevices::<T>::take(device).ok_or(Error::<T>::NotVerified)?;
        Self::deposit_event(Event::DeviceUnverified { device });
        Ok(())
    }
}
