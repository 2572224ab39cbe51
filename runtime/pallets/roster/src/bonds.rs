//! What operators put up for their masternodes, and how it is taken when one has lied.
//!
//! Everything that is held answers: a bond that waits out the delay is slashed like one that is active.

use crate::{Bonds, Config, Error, Event, HoldReason, Pallet, TotalBonded, UNBONDINGS_MAX};
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
use quern_primitives::{AccountId, Amount};
use scale_info::TypeInfo;
use sp_runtime::{ArithmeticError, traits::Saturating};

const PERMILLE: u16 = 1_000;

/// An amount on its way out of a bond.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Unbonding<BlockNumber> {
    /// How much.
    pub amount: Amount,
    /// The first block in which it can be withdrawn.
    pub withdrawable_at: BlockNumber,
}

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

impl<BlockNumber: Copy + PartialOrd> Bond<BlockNumber> {
    /// All that is held for it: the active part and what is on its way out. `None` when that is more
    /// than can exist.
    pub fn held(&self) -> Option<Amount> {
        self.unbonding
            .iter()
            .try_fold(self.active, |sum, part| sum.checked_add(part.amount))
    }

    /// Whether nothing is left to keep.
    fn is_over(&self) -> bool {
        self.active == 0 && self.unbonding.is_empty()
    }

    /// Adds an amount to what is on its way out; joins it to another that comes free in the same
    /// block. `None` when there is no room.
    fn push_unbonding(&mut self, amount: Amount, withdrawable_at: BlockNumber) -> Option<()> {
        let is_sooner = |part: &Unbonding<BlockNumber>| part.withdrawable_at < withdrawable_at;
        let place = self.unbonding.partition_point(is_sooner);
        if let Some(part) = self.unbonding.get_mut(place)
            && part.withdrawable_at == withdrawable_at
        {
            // Parts of one bond, and the bond as a whole is an amount.
            part.amount = part.amount.saturating_add(amount);
            return Some(());
        }
        let part = Unbonding {
            amount,
            withdrawable_at,
        };
        self.unbonding.try_insert(place, part).ok()
    }

    /// Takes out what can be withdrawn at `now`, and returns how much it is.
    fn take_due(&mut self, now: BlockNumber) -> Amount {
        let mut due: Amount = 0;
        self.unbonding.retain(|part| {
            let stays = part.withdrawable_at > now;
            if !stays {
                // Parts of one bond, and the bond as a whole is an amount.
                due = due.saturating_add(part.amount);
            }
            stays
        });
        due
    }

    /// Takes `wanted` out, or all there is if that is less, and returns how much it is. What is active
    /// goes first, so that who lied is not drawn again; then what would come free last.
    fn take(&mut self, wanted: Amount) -> Amount {
        let mut rest = wanted;
        take_from(&mut self.active, &mut rest);
        for part in self.unbonding.iter_mut().rev() {
            take_from(&mut part.amount, &mut rest);
        }
        self.unbonding.retain(|part| part.amount > 0);
        wanted.saturating_sub(rest)
    }
}

/// Moves as much of `wanted` as there is out of a part.
fn take_from(part: &mut Amount, wanted: &mut Amount) {
    let taken = (*part).min(*wanted);
    *part = part.saturating_sub(taken);
    *wanted = wanted.saturating_sub(taken);
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
        let part = permille_of(slash, winner_permille.min(PERMILLE));
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
        bond.push_unbonding(amount, withdrawable_at)
            .ok_or(Error::<T>::TooManyUnbondings)?;
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
        let amount = bond.take_due(frame_system::Pallet::<T>::block_number());
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

    /// Keeps a bond, or forgets it when nothing is left of it.
    fn put_bond(account: &AccountId, bond: Bond<BlockNumberFor<T>>) {
        Bonds::<T>::set(account, (!bond.is_over()).then_some(bond));
    }
}

/// `amount × permille / 1000`, rounded down, for at most a thousand thousandths. Splits the amount into
/// quotient and remainder first, so that no step is larger than the amount.
fn permille_of(amount: Amount, permille: u16) -> Amount {
    let (n, d) = (Amount::from(permille), Amount::from(PERMILLE));
    let whole = amount
        .checked_div(d)
        .and_then(|quotient| quotient.checked_mul(n));
    let rest = amount
        .checked_rem(d)
        .and_then(|rest| rest.checked_mul(n)?.checked_div(d));
    whole
        .zip(rest)
        .and_then(|(whole, rest)| whole.checked_add(rest))
        .unwrap_or(0)
}
