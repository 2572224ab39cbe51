//! What always holds of the roster's storage.

use crate::{
    BANNED_ACCOUNTS_MAX, BannedAccounts, Config, Masternodes, Pallet, PublishedEndpoints,
    ReachableMasternodes, VERIFIED_DEVICES_MAX, VerifiedDevices,
};
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the storage against the roster's invariants:
    ///
    /// - masternodes are strictly ascending, so each is there once;
    /// - no masternode is banned;
    /// - only masternodes have endpoints, and those can be dialled;
    /// - the reachable masternodes are those with endpoints, strictly ascending;
    /// - bans and verified devices are within their limits, and counted right.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let masternodes = Masternodes::<T>::get();
        ensure!(
            masternodes.is_sorted_by(|one, next| one < next),
            "masternodes are not strictly ascending"
        );
        ensure!(
            !masternodes.iter().any(BannedAccounts::<T>::contains_key),
            "a masternode is banned"
        );
        for (account, endpoints) in PublishedEndpoints::<T>::iter() {
            ensure!(
                masternodes.binary_search(&account).is_ok(),
                "an account that is no masternode has endpoints"
            );
            endpoints
                .check::<T>()
                .map_err(|_| "a masternode's endpoints cannot be dialled")?;
        }
        let reachable = ReachableMasternodes::<T>::get();
        ensure!(
            reachable.is_sorted_by(|one, next| one < next),
            "reachable masternodes are not strictly ascending"
        );
        ensure!(
            reachable.iter().all(PublishedEndpoints::<T>::contains_key)
                && PublishedEndpoints::<T>::iter_keys().count() == reachable.len(),
            "the reachable masternodes are not those with endpoints"
        );
        let bans = BannedAccounts::<T>::count();
        ensure!(bans <= BANNED_ACCOUNTS_MAX, "more bans than allowed");
        ensure!(
            BannedAccounts::<T>::iter_keys().count() == bans as usize,
            "bans are miscounted"
        );
        let verified = VerifiedDevices::<T>::count();
        ensure!(
            verified <= VERIFIED_DEVICES_MAX,
            "more verified devices than allowed"
        );
        ensure!(
            VerifiedDevices::<T>::iter_keys().count() == verified as usize,
            "verified devices are miscounted"
        );
        Ok(())
    }
}
