//! What always holds of the money that comes and goes.

use crate::{
    Config, GenesisIssuance, HoldReason, NextPayout, Pallet, Payouts, PayoutsOf, Purchases,
    Transfers,
};
use frame_support::{
    ensure,
    traits::fungible::{Inspect, hold::Inspect as _},
};
use quern_primitives::Amount;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the storage against the pallet's invariants:
    ///
    /// - issuance = genesis + minted - burnt;
    /// - minted = the sum of all purchases, burnt >= the sum of all transfers;
    /// - each account's held amount = the sum of its open payouts, and their total is right;
    /// - each open payout is on its account's list, and the lists name nothing else.
    ///
    /// Reads every purchase, payout and transfer there is: for tests and auditors.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_issuance()?;
        Self::check_payouts()
    }

    fn check_issuance() -> Result<(), TryRuntimeError> {
        let expected = GenesisIssuance::<T>::get()
            .checked_add(Self::minted())
            .and_then(|sum| sum.checked_sub(Self::burnt()));
        ensure!(
            expected == Some(T::Currency::total_issuance()),
            "the issuance is not genesis + minted - burnt"
        );
        let bought = sum(Purchases::<T>::iter_values().map(|purchase| purchase.amount))?;
        ensure!(
            bought == Self::minted(),
            "minted is not the sum of the purchases"
        );
        let paid = sum(Transfers::<T>::iter_values().map(|transfer| transfer.payout.amount))?;
        ensure!(
            paid <= Self::burnt(),
            "a payout was completed and not burnt"
        );
        Ok(())
    }

    fn check_payouts() -> Result<(), TryRuntimeError> {
        let mut listed: usize = 0;
        for (account, ids) in PayoutsOf::<T>::iter() {
            ensure!(
                !ids.is_empty(),
                "an account without open payouts has a list of them"
            );
            ensure!(
                ids.is_sorted_by(|one, next| one < next),
                "open payouts are not ascending"
            );
            let payouts = Self::payouts_of(&account);
            ensure!(
                payouts.len() == ids.len(),
                "a list names a payout that is not open"
            );
            ensure!(
                payouts
                    .iter()
                    .all(|(_, payout)| payout.account == account && payout.amount > 0),
                "a list names another account's payout, or one of nothing"
            );
            let held = sum(payouts.iter().map(|(_, payout)| payout.amount))?;
            ensure!(
                held == T::Currency::balance_on_hold(&HoldReason::Payout.into(), &account),
                "what is held is not the sum of the account's open payouts"
            );
            listed = listed.saturating_add(ids.len());
        }
        let next = NextPayout::<T>::get();
        ensure!(
            Payouts::<T>::iter_keys().all(|id| id < next),
            "a payout has a future number"
        );
        ensure!(
            Payouts::<T>::iter_keys().count() == listed,
            "an open payout is on no list"
        );
        let total = sum(Payouts::<T>::iter_values().map(|payout| payout.amount))?;
        ensure!(
            total == Self::held(),
            "the total held is not the sum of the open payouts"
        );
        Ok(())
    }
}

fn sum(mut amounts: impl Iterator<Item = Amount>) -> Result<Amount, TryRuntimeError> {
    amounts
        .try_fold(0, Amount::checked_add)
        .ok_or(TryRuntimeError::Other(
            "a sum is larger than any amount that can exist",
        ))
}
