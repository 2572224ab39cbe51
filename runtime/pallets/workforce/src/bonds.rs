//! What workers put up for their devices. What a proved lie takes of it is in `slashes`.

use crate::{
    Bonds, Config, Error, Event, HoldReason, Pallet, TotalBonded, UNBONDINGS_PER_ACCOUNT_MAX,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::{DispatchResult, Get},
    traits::{ConstU32, fungible::hold::Mutate, tokens::Precision},
};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_bond_rules::{NoRoom, Unbonding, held, push, take, take_due};
use quern_primitives::{AccountId, Amount, device::Device};
use scale_info::TypeInfo;
use sp_runtime::{ArithmeticError, traits::Saturating};

/// A worker account's bond.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Bond<BlockNumber> {
    /// What covers the account's devices.
    pub active: Amount,
    /// The devices it has to cover.
    pub devices: u32,
    /// What is on its way out, in the order in which it can be withdrawn.
    pub unbonding: BoundedVec<Unbonding<BlockNumber>, ConstU32<UNBONDINGS_PER_ACCOUNT_MAX>>,
}

impl<BlockNumber> Default for Bond<BlockNumber> {
    fn default() -> Self {
        Self {
            active: 0,
            devices: 0,
            unbonding: BoundedVec::new(),
        }
    }
}

impl<BlockNumber: Copy + PartialOrd> Bond<BlockNumber> {
    /// All that is held for it: the active part and what is on its way out. `None` when that is more
    /// than can exist.
    pub fn held(&self) -> Option<Amount> {
        held(self.active, &self.unbonding)
    }

    /// Whether nothing is left to keep.
    fn is_over(&self) -> bool {
        self.active == 0 && self.devices == 0 && self.unbonding.is_empty()
    }

    /// Takes an amount away, or all that there is: of the active part first, then of what is on its way
    /// out, the last to be free first. Says how much it took.
    pub(crate) fn take(&mut self, amount: Amount) -> Amount {
        take(&mut self.active, &mut self.unbonding, amount)
    }

    /// One device less is to be covered: its share of the active part, as large as that of each
    /// other, is on its way out. Returns how much it is; `Err` when there is no room.
    pub(crate) fn let_device_go(&mut self, withdrawable_at: BlockNumber) -> Result<Amount, NoRoom> {
        // The register counts what it lists, so there is one to let go.
        let share = self.active.checked_div(self.devices.into()).unwrap_or(0);
        if share > 0 {
            push(&mut self.unbonding, share, withdrawable_at)?;
        }
        self.active = self.active.saturating_sub(share);
        self.devices = self.devices.saturating_sub(1);
        Ok(share)
    }
}

impl<T: Config> Pallet<T> {
    /// An account's bond.
    pub fn bond_of(account: &AccountId) -> Option<Bond<BlockNumberFor<T>>> {
        Bonds::<T>::get(account)
    }

    /// Whether the account may have its devices work: its active bond covers them all, and at least
    /// one.
    pub fn is_bonded(account: &AccountId) -> bool {
        Bonds::<T>::get(account)
            .is_some_and(|bond| bond.active >= Self::bond_for(bond.devices.max(1)))
    }

    /// All bonds together, active and unbonding.
    pub fn total_bonded() -> Amount {
        TotalBonded::<T>::get()
    }

    /// The active bond that so many devices need. Too many to count need more than can exist, which
    /// nobody has.
    pub fn bond_for(devices: u32) -> Amount {
        T::MinBondPerDevice::get().saturating_mul(devices.into())
    }

    pub(crate) fn do_bond(account: AccountId, amount: Amount) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        T::Currency::hold(&HoldReason::Bond.into(), &account, amount)?;
        let mut bond = Bonds::<T>::get(&account).unwrap_or_default();
        bond.active = bond
            .active
            .checked_add(amount)
            .ok_or(ArithmeticError::Overflow)?;
        let total = Self::total_bonded()
            .checked_add(amount)
            .ok_or(ArithmeticError::Overflow)?;
        TotalBonded::<T>::put(total);
        Self::put_bond(&account, bond);
        Self::deposit_event(Event::Bonded { account, amount });
        Ok(())
    }

    pub(crate) fn do_unbond(account: AccountId, amount: Amount) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        let mut bond = Bonds::<T>::get(&account).unwrap_or_default();
        let rest = bond
            .active
            .checked_sub(amount)
            .ok_or(Error::<T>::MoreThanBonded)?;
        ensure!(rest >= Self::bond_for(bond.devices), Error::<T>::BondNeeded);
        bond.active = rest;
        let now = frame_system::Pallet::<T>::block_number();
        let withdrawable_at = now.saturating_add(T::UnbondingDelay::get());
        push(&mut bond.unbonding, amount, withdrawable_at)
            .map_err(|NoRoom| Error::<T>::TooManyUnbondings)?;
        Self::put_bond(&account, bond);
        Self::deposit_event(Event::Unbonded {
            account,
            amount,
            withdrawable_at,
        });
        Ok(())
    }

    pub(crate) fn do_withdraw_unbonded(account: AccountId) -> DispatchResult {
        let mut bond = Bonds::<T>::get(&account).unwrap_or_default();
        let now = frame_system::Pallet::<T>::block_number();
        let amount = take_due(&mut bond.unbonding, now);
        ensure!(amount > 0, Error::<T>::NothingToWithdraw);
        T::Currency::release(&HoldReason::Bond.into(), &account, amount, Precision::Exact)?;
        let total = Self::total_bonded()
            .checked_sub(amount)
            .ok_or(ArithmeticError::Underflow)?;
        TotalBonded::<T>::put(total);
        Self::put_bond(&account, bond);
        Self::deposit_event(Event::UnbondedWithdrawn { account, amount });
        Ok(())
    }

    /// The first block in which what covered a device can be withdrawn, if it is retired now.
    pub(crate) fn share_withdrawable_at(device: &Device) -> BlockNumberFor<T> {
        let now = frame_system::Pallet::<T>::block_number();
        let delayed = now.saturating_add(T::UnbondingDelay::get());
        delayed.max(device.bond_free_at(Self::now()).into())
    }

    /// Keeps a bond, or forgets it when nothing is left of it.
    pub(crate) fn put_bond(account: &AccountId, bond: Bond<BlockNumberFor<T>>) {
        Bonds::<T>::set(account, (!bond.is_over()).then_some(bond));
    }
}
