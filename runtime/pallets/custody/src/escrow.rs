//! The money of custody: one hold on each owner's account, the sum over their open contracts, and one on each
//! account that opened challenges, the sum of their bonds.

use crate::{Config, Contracts, Error, HoldReason, Pallet, TotalPutUp, Totals};
use frame_support::{
    pallet_prelude::{DispatchResult, Get},
    traits::{
        fungible::hold::{Inspect, Mutate},
        tokens::{Fortitude, Precision, Restriction},
    },
};
use quern_primitives::{
    AccountId, Amount,
    custody::{Contract, Escrow},
    ids::ContractId,
};
use sp_runtime::ArithmeticError;

impl<T: Config> Pallet<T> {
    /// What is held for an account's open contracts.
    pub fn escrow_of(owner: &AccountId) -> Amount {
        T::Currency::balance_on_hold(&HoldReason::Contract.into(), owner)
    }

    /// What an account has put up for challenges that are open.
    pub fn put_up_by(opener: &AccountId) -> Amount {
        T::Currency::balance_on_hold(&HoldReason::Challenge.into(), opener)
    }

    /// Holds what an owner deposits.
    pub(crate) fn hold_escrow(owner: &AccountId, amount: Amount) -> DispatchResult {
        T::Currency::hold(&HoldReason::Contract.into(), owner, amount)
            .map_err(|_| Error::<T>::BalanceBelowDeposit)?;
        Ok(())
    }

    /// Pays from an owner's escrow. Zero is no payment, and leaves no trace.
    pub(crate) fn pay(owner: &AccountId, payee: &AccountId, amount: Amount) -> DispatchResult {
        Self::transfer(HoldReason::Contract, owner, payee, amount)
    }

    /// Pays the treasury from an owner's escrow.
    pub(crate) fn pay_treasury(owner: &AccountId, amount: Amount) -> DispatchResult {
        Self::pay(owner, &T::TreasuryAccount::get(), amount)
    }

    /// Gives an owner back what is left.
    pub(crate) fn release_escrow(owner: &AccountId, amount: Amount) -> DispatchResult {
        Self::give_back(HoldReason::Contract, owner, amount)
    }

    /// Holds what who opens a challenge puts up.
    pub(crate) fn put_up(opener: &AccountId, bond: Amount) -> DispatchResult {
        T::Currency::hold(&HoldReason::Challenge.into(), opener, bond)
            .map_err(|_| Error::<T>::BondTooSmall)?;
        let total = TotalPutUp::<T>::get().checked_add(bond);
        TotalPutUp::<T>::put(total.ok_or(ArithmeticError::Overflow)?);
        Ok(())
    }

    /// Gives the holder that answered what was put up.
    pub(crate) fn give_bond(opener: &AccountId, to: &AccountId, bond: Amount) -> DispatchResult {
        Self::count_less(bond)?;
        Self::transfer(HoldReason::Challenge, opener, to, bond)
    }

    /// Gives who opened a challenge back what was put up.
    pub(crate) fn return_bond(opener: &AccountId, bond: Amount) -> DispatchResult {
        Self::count_less(bond)?;
        Self::give_back(HoldReason::Challenge, opener, bond)
    }

    fn count_less(bond: Amount) -> DispatchResult {
        let total = TotalPutUp::<T>::get().checked_sub(bond);
        TotalPutUp::<T>::put(total.ok_or(ArithmeticError::Underflow)?);
        Ok(())
    }

    fn transfer(
        reason: HoldReason,
        from: &AccountId,
        to: &AccountId,
        amount: Amount,
    ) -> DispatchResult {
        if amount > 0 {
            T::Currency::transfer_on_hold(
                &reason.into(),
                from,
                to,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Polite,
            )?;
        }
        Ok(())
    }

    fn give_back(reason: HoldReason, account: &AccountId, amount: Amount) -> DispatchResult {
        if amount > 0 {
            T::Currency::release(&reason.into(), account, amount, Precision::Exact)?;
        }
        Ok(())
    }

    /// Stores what the rules made of a contract whose money was `before`, and brings the totals in line.
    pub(crate) fn keep(id: ContractId, before: &Escrow, after: Contract) -> DispatchResult {
        Self::count(before, &after.escrow)?;
        Contracts::<T>::insert(id, after);
        Ok(())
    }

    /// Brings the totals in line with what became of one contract's money.
    pub(crate) fn count(before: &Escrow, after: &Escrow) -> DispatchResult {
        if before == after {
            return Ok(());
        }
        let totals = changed(&Totals::<T>::get(), before, after);
        Totals::<T>::put(totals.ok_or(ArithmeticError::Overflow)?);
        Ok(())
    }
}

/// The sums of which one part changes.
fn changed(totals: &Escrow, before: &Escrow, after: &Escrow) -> Option<Escrow> {
    let sum = |part: fn(&Escrow) -> Amount| {
        let others = part(totals).checked_sub(part(before))?;
        others.checked_add(part(after))
    };
    Some(Escrow {
        deposited: sum(|escrow| escrow.deposited)?,
        paid: sum(|escrow| escrow.paid)?,
        network: sum(|escrow| escrow.network)?,
        refunded: sum(|escrow| escrow.refunded)?,
        held: sum(|escrow| escrow.held)?,
        reserved: sum(|escrow| escrow.reserved)?,
    })
}
