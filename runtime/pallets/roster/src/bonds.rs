//! What operators put up for their masternodes, and how it is taken when one has lied.
//!
//! Everything that is held answers: a bond that waits out the delay is slashed like one that is active.

use crate::{
    Bonds, Config, Error, Event, Exposures, HoldReason, Pallet, TotalBonded, UNBONDINGS_MAX,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::{DispatchError, DispatchResult, Get},
    traits::{
        ConstU32,
        fungible::hold::Mutate,
        tokens::{Fortitude, Precision, Restriction},
    },
};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_bond_rules::{NoRoom, Unbonding, held, push, take, take_due};
use quern_primitives::{AccountId, Amount, amount::permille_of};
use scale_info::TypeInfo;
use sp_runtime::{ArithmeticError, traits::Saturating};

/// An operator's bond for its masternode.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Bond<BlockNumber> {
    /// What counts for being drawn.
    pub active: Amount,
    /// What is on its way out, in the order in which it can be withdrawn.
    pub unbonding: BoundedVec<Unbonding<BlockNumber>, ConstU32<UNBONDINGS_MAX>>,
}

impl<BlockNumber> Default for Bond<BlockNumber> {
    fn default() -> Self {
        Self {
            active: 0,
            unbonding: BoundedVec::new(),
        }
    }
}

impl<BlockNumber> Bond<BlockNumber> {
    /// All that is held for it: the active part and what is on its way out. `None` when that is more
    /// than can exist.
    pub fn held(&self) -> Option<Amount> {
        held(self.active, &self.unbonding)
    }

    /// Whether nothing is left to keep.
    fn is_over(&self) -> bool {
        self.active == 0 && self.unbonding.is_empty()
    }

    /// Takes `wanted` out, or all there is if that is less, and returns how much it is. What is active
    /// goes first, so that who lied is not drawn again; then what would come free last.
    fn take(&mut self, wanted: Amount) -> Amount {
        take(&mut self.active, &mut self.unbonding, wanted)
    }
}

impl<T: Config> Pallet<T> {
    /// An operator's bond.
    pub fn bond_of(account: &AccountId) -> Option<Bond<BlockNumberFor<T>>> {
        Bonds::<T>::get(account)
    }

    /// All that can be taken from an operator: its bond, active and unbonding.
    pub fn bonded(account: &AccountId) -> Amount {
        // What is more than can exist cannot be held.
        Bonds::<T>::get(account)
            .and_then(|bond| bond.held())
            .unwrap_or(0)
    }

    /// Whether the operator's active bond is as large as a masternode's must be to be drawn.
    pub fn is_bonded(account: &AccountId) -> bool {
        Bonds::<T>::get(account).is_some_and(|bond| bond.active >= T::MinBond::get())
    }

    /// The masternodes that jobs are given to: those that can be reached and have the bond, ascending.
    pub fn bonded_masternodes() -> Vec<AccountId> {
        let mut masternodes = Self::reachable_masternodes();
        masternodes.retain(Self::is_bonded);
        masternodes
    }

    /// All bonds together, active and unbonding.
    pub fn total_bonded() -> Amount {
        TotalBonded::<T>::get()
    }

    /// Takes `amount` from an operator's bond, or all of it if that is less, whether it is active or
    /// unbonding. `winner_permille` thousandths of it, rounded down, are the winner's, the rest is burnt.
    /// Returns what was burnt, for who counts it.
    pub fn slash(
        account: &AccountId,
        amount: Amount,
        winner: &AccountId,
        winner_permille: u16,
    ) -> Result<Amount, DispatchError> {
        let slash = amount.min(Self::bonded(account));
        let part = permille_of(slash, winner_permille);
        Self::slash_parts(account, part, slash.saturating_sub(part), winner)
    }

    /// As [`Pallet::slash`], with both parts named. What the bond does not have is not taken: the
    /// winner's part comes first. What the winner cannot get, because its account would be too small to
    /// live, is burnt as well.
    pub fn slash_parts(
        account: &AccountId,
        to_winner: Amount,
        to_burn: Amount,
        winner: &AccountId,
    ) -> Result<Amount, DispatchError> {
        let mut bond = Bonds::<T>::get(account).unwrap_or_default();
        let to_winner = bond.take(to_winner);
        let to_burn = bond.take(to_burn);
        let slash = to_winner
            .checked_add(to_burn)
            .ok_or(ArithmeticError::Overflow)?;
        if slash == 0 {
            return Ok(0);
        }
        let total = Self::total_bonded()
            .checked_sub(slash)
            .ok_or(ArithmeticError::Underflow)?;
        let is_paid = to_winner > 0
            && T::Currency::transfer_on_hold(
                &HoldReason::Bond.into(),
                account,
                winner,
                to_winner,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .is_ok();
        let burnt = if is_paid { to_burn } else { slash };
        if burnt > 0 {
            let reason = HoldReason::Bond.into();
            T::Currency::burn_held(&reason, account, burnt, Precision::Exact, Fortitude::Force)?;
        }
        TotalBonded::<T>::put(total);
        Self::put_bond(account, bond);
        Self::deposit_event(Event::BondSlashed {
            account: account.clone(),
            amount: slash,
            winner: winner.clone(),
            burnt,
        });
        Ok(burnt)
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
        bond.active = bond
            .active
            .checked_sub(amount)
            .ok_or(Error::<T>::MoreThanBonded)?;
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
        let rest = bond.held().ok_or(ArithmeticError::Overflow)?;
        ensure!(
            rest >= T::Exposures::needed(&account),
            Error::<T>::BondNeeded
        );
        T::Currency::release(&HoldReason::Bond.into(), &account, amount, Precision::Exact)?;
        let total = Self::total_bonded()
            .checked_sub(amount)
            .ok_or(ArithmeticError::Underflow)?;
        TotalBonded::<T>::put(total);
        Self::put_bond(&account, bond);
        Self::deposit_event(Event::UnbondedWithdrawn { account, amount });
        Ok(())
    }

    /// Keeps a bond, or forgets it when nothing is left of it.
    fn put_bond(account: &AccountId, bond: Bond<BlockNumberFor<T>>) {
        Bonds::<T>::set(account, (!bond.is_over()).then_some(bond));
    }
}
