//! The money of open jobs: one hold on each owner's account, the sum over their open jobs.

use crate::{Config, Error, HoldReason, Pallet, Totals};
use frame_support::{
    pallet_prelude::DispatchResult,
    traits::{
        fungible::hold::{Inspect, Mutate},
        tokens::{Fortitude, Precision, Restriction},
    },
};
use quern_job_rules::life::Moves;
use quern_primitives::{AccountId, Amount, job::Escrow};
use sp_runtime::ArithmeticError;

impl<T: Config> Pallet<T> {
    /// What is held for an account's open jobs.
    pub fn escrow_of(owner: &AccountId) -> Amount {
        T::Currency::balance_on_hold(&HoldReason::Escrow.into(), owner)
    }

    /// Holds a new job's quote.
    pub(crate) fn hold_escrow(owner: &AccountId, amount: Amount) -> DispatchResult {
        T::Currency::hold(&HoldReason::Escrow.into(), owner, amount)
            .map_err(|_| Error::<T>::BalanceBelowQuote)?;
        Totals::<T>::try_mutate(|totals| {
            let deposited = totals.deposited.checked_add(amount);
            let held = totals.held.checked_add(amount);
            let (deposited, held) = deposited.zip(held).ok_or(ArithmeticError::Overflow)?;
            *totals = Escrow {
                deposited,
                held,
                ..*totals
            };
            Ok(())
        })
    }

    /// Pays from an owner's escrow. Zero is no payment, and leaves no trace.
    pub(crate) fn pay(owner: &AccountId, payee: &AccountId, amount: Amount) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        T::Currency::transfer_on_hold(
            &HoldReason::Escrow.into(),
            owner,
            payee,
            amount,
            Precision::Exact,
            Restriction::Free,
            Fortitude::Polite,
        )?;
        Ok(())
    }

    /// Gives an owner back a part of what is held.
    pub(crate) fn release_escrow(owner: &AccountId, amount: Amount) -> DispatchResult {
        if amount > 0 {
            T::Currency::release(&HoldReason::Escrow.into(), owner, amount, Precision::Exact)?;
        }
        Ok(())
    }

    /// Brings the totals in line with what moved.
    pub(crate) fn count_moves(moves: &Moves) -> DispatchResult {
        if *moves == Moves::default() {
            return Ok(());
        }
        Totals::<T>::try_mutate(|totals| {
            *totals = moves.out_of(totals).ok_or(ArithmeticError::Underflow)?;
            Ok(())
        })
    }
}
