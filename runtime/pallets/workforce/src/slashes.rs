//! What a proved lie of a device, or a piece that it did not keep, costs the account that answers for it.

use crate::{Bonds, Config, Devices, Event, HoldReason, Pallet, RetiredDevices, TotalBonded};
use frame_support::{
    pallet_prelude::DispatchError,
    storage::with_storage_layer,
    traits::{
        fungible::hold::Mutate,
        tokens::{Fortitude, Precision, Restriction},
    },
};
use quern_primitives::{AccountId, Amount, DeviceId, device::Record};
use sp_runtime::ArithmeticError;

impl<T: Config> Pallet<T> {
    /// All that can be taken from an account's bond: the active part and what is on its way out.
    pub fn slashable(account: &AccountId) -> Amount {
        let bond = Bonds::<T>::get(account).unwrap_or_default();
        // Parts of one hold, and the hold is an amount.
        bond.held().unwrap_or(Amount::MAX)
    }

    /// Takes a slash from an account's bond, for one of its devices: `paid` goes to the winner and the
    /// rest, `burnt`, ceases to exist. The device gets nothing more, and its record says that it was
    /// convicted; so does that of one that was retired. Returns what ceased to exist, which is for the
    /// caller to count: what the winner cannot get is burnt as well.
    ///
    /// No call: who may slash, and for what, is for others to say. Where nothing is left of a bond the device is
    /// convicted all the same; a slash above the bond is refused.
    pub fn slash(
        account: &AccountId,
        device: &DeviceId,
        paid: Amount,
        burnt: Amount,
        winner: &AccountId,
    ) -> Result<Amount, DispatchError> {
        with_storage_layer(|| {
            let gone = Self::take(account, device, paid, burnt, winner)?;
            Self::convict(device);
            Ok(gone)
        })
    }

    /// The same where no lie was proved, as when a piece was not kept: the device is not convicted, and may
    /// get more.
    pub fn fine(
        account: &AccountId,
        device: &DeviceId,
        paid: Amount,
        burnt: Amount,
        winner: &AccountId,
    ) -> Result<Amount, DispatchError> {
        with_storage_layer(|| Self::take(account, device, paid, burnt, winner))
    }

    fn take(
        account: &AccountId,
        device: &DeviceId,
        mut paid: Amount,
        mut burnt: Amount,
        winner: &AccountId,
    ) -> Result<Amount, DispatchError> {
        let slash = paid.checked_add(burnt).ok_or(ArithmeticError::Overflow)?;
        if slash == 0 {
            return Ok(0);
        }
        let mut bond = Bonds::<T>::get(account).unwrap_or_default();
        if bond.take(slash) < slash {
            return Err(ArithmeticError::Underflow.into());
        }
        let total = TotalBonded::<T>::get().checked_sub(slash);
        TotalBonded::<T>::put(total.ok_or(ArithmeticError::Underflow)?);
        Self::put_bond(account, bond);

        let reason = HoldReason::Bond.into();
        if paid > 0 {
            let sent = T::Currency::transfer_on_hold(
                &reason,
                account,
                winner,
                paid,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            );
            if sent.is_err() {
                (paid, burnt) = (0, slash);
            }
        }
        if burnt > 0 {
            T::Currency::burn_held(&reason, account, burnt, Precision::Exact, Fortitude::Force)?;
        }
        Self::deposit_event(Event::BondSlashed {
            account: account.clone(),
            device: *device,
            winner: winner.clone(),
            paid,
            burnt,
        });
        Ok(burnt)
    }

    /// Writes into a device's record that a lie of it was proved.
    fn convict(id: &DeviceId) {
        let count = |record: &mut Record| record.convicted = record.convicted.saturating_add(1);
        if let Some(mut device) = Devices::<T>::get(id) {
            count(&mut device.record);
            Devices::<T>::insert(id, device);
        } else if let Some(mut past) = RetiredDevices::<T>::get(id) {
            count(&mut past.record);
            RetiredDevices::<T>::insert(id, past);
        }
    }
}
