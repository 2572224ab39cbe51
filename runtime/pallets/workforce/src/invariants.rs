//! What always holds of bonds and devices.

use crate::{
    Bond, Bonds, Config, Devices, DevicesOf, HoldReason, LastOwners, Pallet, RegisteredAt,
    RetiredDevices,
};
use frame_support::{ensure, traits::fungible::hold::Inspect};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_primitives::{AccountId, Amount, device::Past, limits::DEVICES_PER_ACCOUNT_MAX};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the storage against the pallet's invariants:
    ///
    /// - each account's hold = its active bond + what is unbonding, and their total is right;
    /// - what is unbonding is in the order in which it can be withdrawn;
    /// - each device is on its account's list, the lists name nothing else, and their lengths are
    ///   those the bonds count, within the limit;
    /// - of each registered device it is known since when it is, and no device is registered and retired
    ///   at a time;
    /// - of each retired device it is known whose it was, and of no other;
    /// - no device had its last task or review in a block to come.
    ///
    /// Reads every bond and device there is: for tests and auditors.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut total: Amount = 0;
        let mut listed: usize = 0;
        for (account, bond) in Bonds::<T>::iter() {
            let held = bond
                .held()
                .ok_or("a bond is larger than any amount that can exist")?;
            total = total
                .checked_add(held)
                .ok_or("the bonds are more than can exist")?;
            ensure!(
                held == T::Currency::balance_on_hold(&HoldReason::Bond.into(), &account),
                "what is held is not the account's bond, active and unbonding"
            );
            Self::check_bond(&bond)?;
            Self::check_devices(&account, &bond)?;
            listed = listed.saturating_add(bond.devices as usize);
        }
        ensure!(
            total == Self::total_bonded(),
            "the total is not the sum of the bonds"
        );
        ensure!(
            Devices::<T>::iter_keys().count() == listed,
            "a device is on no account's list"
        );
        ensure!(
            DevicesOf::<T>::iter_keys().count() == listed,
            "an account without bond has a list of devices"
        );
        ensure!(
            RegisteredAt::<T>::iter_keys().all(Devices::<T>::contains_key)
                && RegisteredAt::<T>::iter_keys().count() == listed,
            "it is not known since when a device is registered, or it is of one that is not"
        );
        for (id, past) in RetiredDevices::<T>::iter() {
            ensure!(
                !Devices::<T>::contains_key(id),
                "a registered device is remembered as one that was retired"
            );
            ensure!(
                LastOwners::<T>::contains_key(id),
                "it is not known whose a retired device was"
            );
            Self::check_past(&past)?;
        }
        ensure!(
            LastOwners::<T>::iter_keys().all(RetiredDevices::<T>::contains_key),
            "it is known who retired a device that is not retired"
        );
        Ok(())
    }

    fn check_bond(bond: &Bond<BlockNumberFor<T>>) -> Result<(), TryRuntimeError> {
        ensure!(
            *bond != Bond::default(),
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
        Ok(())
    }

    fn check_devices(
        account: &AccountId,
        bond: &Bond<BlockNumberFor<T>>,
    ) -> Result<(), TryRuntimeError> {
        ensure!(
            bond.devices <= DEVICES_PER_ACCOUNT_MAX,
            "an account has more devices than allowed"
        );
        let mut listed: usize = 0;
        for id in DevicesOf::<T>::iter_key_prefix(account) {
            listed = listed.saturating_add(1);
            let device = Devices::<T>::get(id)
                .filter(|device| device.account == *account)
                .ok_or("a list names a device that is not the account's")?;
            Self::check_past(&device.past())?;
        }
        ensure!(
            listed == bond.devices as usize,
            "an account's devices are miscounted"
        );
        Ok(())
    }

    fn check_past(past: &Past) -> Result<(), TryRuntimeError> {
        ensure!(
            past.last_task.max(past.last_review) <= Self::now(),
            "a device's last task or review is in a block to come"
        );
        Ok(())
    }
}
