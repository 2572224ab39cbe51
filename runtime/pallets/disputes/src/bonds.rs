//! The bonds of those who dispute.

use crate::{Config, Court, Error, HoldReason, Pallet};
use frame_support::{
    pallet_prelude::{DispatchError, DispatchResult},
    traits::{
        fungible::hold::Mutate,
        tokens::{Fortitude, Precision, Restriction},
    },
};
use quern_dispute_rules::penalty::Penalty;
use quern_primitives::{AccountId, Amount};

impl<T: Config> Pallet<T> {
    pub(crate) fn hold_bond(account: &AccountId, amount: Amount) -> DispatchResult {
        T::Currency::hold(&HoldReason::Dispute.into(), account, amount)
            .map_err(|_| Error::<T>::BondTooSmall)?;
        Ok(())
    }

    pub(crate) fn release_bond(account: &AccountId, amount: Amount) -> DispatchResult {
        if amount > 0 {
            let reason = HoldReason::Dispute.into();
            T::Currency::release(&reason, account, amount, Precision::Exact)?;
        }
        Ok(())
    }

    /// Takes a penalty from a bond: the winner's part is transferred and the rest burnt. What a winner
    /// cannot get, because its account would be too small to live, is burnt as well. Says what was done.
    pub(crate) fn take_bond(
        account: &AccountId,
        bond: Amount,
        mut penalty: Penalty,
        winner: &AccountId,
    ) -> Result<Penalty, DispatchError> {
        let slash = penalty.slash();
        if penalty.winner > 0 {
            let paid = T::Currency::transfer_on_hold(
                &HoldReason::Dispute.into(),
                account,
                winner,
                penalty.winner,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            );
            if paid.is_err() {
                penalty = Penalty {
                    winner: 0,
                    burnt: slash,
                };
            }
        }
        let burnt = penalty.burnt;
        if burnt > 0 {
            let reason = HoldReason::Dispute.into();
            T::Currency::burn_held(&reason, account, burnt, Precision::Exact, Fortitude::Force)?;
            T::Court::count_burnt(burnt)?;
        }
        Self::release_bond(account, bond.saturating_sub(slash))?;
        Ok(penalty)
    }
}
