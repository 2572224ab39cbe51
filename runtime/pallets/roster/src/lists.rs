//! Who is on the roster: masternodes, bans, verified devices.

use crate::{
    BANNED_ACCOUNTS_MAX, BannedAccounts, Config, Endpoints, Error, Event, Masternodes, Pallet,
    PublishedEndpoints, ReachableMasternodes, VERIFIED_DEVICES_MAX, VerifiedDevices,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_primitives::{AccountId, DeviceId, view::MasternodeView};

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
    pub(crate) fn do_add_masternode(account: AccountId) -> DispatchResult {
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

    pub(crate) fn do_remove_masternode(account: AccountId) -> DispatchResult {
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

    pub(crate) fn do_publish_endpoints(account: AccountId, endpoints: Endpoints) -> DispatchResult {
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

    pub(crate) fn do_ban(account: AccountId) -> DispatchResult {
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

    pub(crate) fn do_lift_ban(account: AccountId) -> DispatchResult {
        BannedAccounts::<T>::take(&account).ok_or(Error::<T>::NotBanned)?;
        Self::deposit_event(Event::BanLifted { account });
        Ok(())
    }

    pub(crate) fn do_verify_device(device: DeviceId) -> DispatchResult {
        ensure!(!Self::is_verified(&device), Error::<T>::AlreadyVerified);
        ensure!(
            VerifiedDevices::<T>::count() < VERIFIED_DEVICES_MAX,
            Error::<T>::TooManyVerified
        );
        VerifiedDevices::<T>::insert(device, ());
        Self::deposit_event(Event::DeviceVerified { device });
        Ok(())
    }

    pub(crate) fn do_unverify_device(device: DeviceId) -> DispatchResult {
        VerifiedDevices::<T>::take(device).ok_or(Error::<T>::NotVerified)?;
        Self::deposit_event(Event::DeviceUnverified { device });
        Ok(())
    }
}
