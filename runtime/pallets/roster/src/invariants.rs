//! What always holds of the roster's storage.

use crate::{
    BANNED_ACCOUNTS_MAX, BannedAccounts, Bond, Bonds, Config, HoldReason, Masternodes, Pallet,
    PublishedEndpoints, ReachableMasternodes, VERIFIED_DEVICES_MAX, VerifiedDevices,
};
use frame_support::{ensure, traits::fungible::hold::Inspect};
use quern_primitives::Amount;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the storage against the roster's invariants:
    ///
    /// - masternodes are strictly ascending, so each is there once;
    /// - no masternode is banned;
    /// - only masternodes have endpoints, and those can be dialled;
    /// - the reachable masternodes are those with endpoints, strictly ascending;
    /// - each operator's hold = its active bond + what is unbonding, and their total is right;
    /// - what is unbonding is in the order in which it can be withdrawn;
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
        Self::check_bonds()?;
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

    fn check_bonds() -> Result<(), TryRuntimeError> {
        let mut total: Amount = 0;
        for (account, bond) in Bonds::<T>::iter() {
            let held = bond
                .held()
                .ok_or("a bond is larger than any amount that can exist")?;
            total = total
                .checked_add(held)
                .ok_or("the bonds are more than can exist")?;
            ensure!(
                held == T::Currency::balance_on_hold(&HoldReason::Bond.into(), &account),
                "what is held is not the operator's bond, active and unbonding"
            );
            ensure!(
                bond != Bond::default(),
                "a bond is kept of which nothing is left"
            );
            ensure!(
                bond.unbonding
                    .is_sorted_by(|one, next| one.withdrawable_at < next.withdrawable_at),
                "unbonding amounts are not in order"
            );
            ensure!(
                bond.unbonding.iter().all(|part| part.amount > 0),
                "an unbonding amount is nothing"
            );
        }
        ensure!(
            total == Self::total_bonded(),
            "the total is not the sum of the bonds"
        );
        Ok(())
    }
}
