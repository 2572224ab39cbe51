//! Dollars that go out.

use crate::{
    Burnt, Config, Error, Event, Held, HoldReason, NextPayout, Pallet, Payouts, PayoutsOf,
    Reference, Transfers,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    ensure,
    pallet_prelude::{DispatchError, DispatchResult},
    traits::{
        fungible::hold::Mutate,
        tokens::{Fortitude, Precision},
    },
};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_primitives::{AccountId, Amount, Digest};
use scale_info::TypeInfo;
use sp_runtime::ArithmeticError;

/// A payout's number: payouts are counted from zero, and no number is used twice.
pub type PayoutId = u64;

/// ByteChips that an account wants as dollars.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Payout<BlockNumber> {
    /// Whose ByteChips.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
    /// Digest of where the money should go.
    pub destination: Digest,
    /// The block in which it was requested.
    pub requested_at: BlockNumber,
}

/// A payout that was made.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Transfer<BlockNumber> {
    /// The payout's number.
    pub id: PayoutId,
    /// The payout as it was requested.
    pub payout: Payout<BlockNumber>,
    /// The block in which the treasurer marked it as made.
    pub completed_at: BlockNumber,
}

impl<T: Config> Pallet<T> {
    /// An account's open payouts, oldest first; at most [`crate::OPEN_PAYOUTS_PER_ACCOUNT_MAX`].
    pub fn payouts_of(account: &AccountId) -> Vec<(PayoutId, Payout<BlockNumberFor<T>>)> {
        let ids = PayoutsOf::<T>::get(account).into_iter();
        ids.filter_map(|id| Some((id, Payouts::<T>::get(id)?)))
            .collect()
    }

    pub(crate) fn do_request_payout(
        account: AccountId,
        amount: Amount,
        destination: Digest,
    ) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        let id = NextPayout::<T>::get();
        let next = id.checked_add(1).ok_or(ArithmeticError::Overflow)?;
        let held = Self::held()
            .checked_add(amount)
            .ok_or(ArithmeticError::Overflow)?;
        let mut open = PayoutsOf::<T>::get(&account);
        open.try_push(id)
            .map_err(|_| Error::<T>::TooManyOpenPayouts)?;

        T::Currency::hold(&HoldReason::Payout.into(), &account, amount)?;
        NextPayout::<T>::put(next);
        Held::<T>::put(held);
        PayoutsOf::<T>::insert(&account, open);
        let requested_at = frame_system::Pallet::<T>::block_number();
        let payout = Payout {
            account: account.clone(),
            amount,
            destination,
            requested_at,
        };
        Payouts::<T>::insert(id, payout);
        Self::deposit_event(Event::PayoutRequested {
            id,
            account,
            amount,
            destination,
        });
        Ok(())
    }

    pub(crate) fn do_complete_payout(id: PayoutId, reference: Reference) -> DispatchResult {
        ensure!(!reference.is_empty(), Error::<T>::EmptyReference);
        ensure!(
            !Transfers::<T>::contains_key(&reference),
            Error::<T>::ReferenceAlreadyUsed
        );
        let payout = Self::close_payout(id)?;
        let Payout {
            account, amount, ..
        } = payout.clone();
        let burnt = Self::burnt()
            .checked_add(amount)
            .ok_or(ArithmeticError::Overflow)?;

        // By force: the dollars have been paid, so nothing that freezes the account may save the
        // ByteChips they were paid for.
        let hold = HoldReason::Payout.into();
        T::Currency::burn_held(&hold, &account, amount, Precision::Exact, Fortitude::Force)?;
        Burnt::<T>::put(burnt);
        let completed_at = frame_system::Pallet::<T>::block_number();
        Transfers::<T>::insert(
            &reference,
            Transfer {
                id,
                payout,
                completed_at,
            },
        );
        Self::deposit_event(Event::PayoutCompleted {
            id,
            account,
            amount,
            reference,
        });
        Ok(())
    }

    pub(crate) fn do_return_payout(id: PayoutId) -> DispatchResult {
        let Payout {
            account, amount, ..
        } = Self::close_payout(id)?;
        T::Currency::release(
            &HoldReason::Payout.into(),
            &account,
            amount,
            Precision::Exact,
        )?;
        Self::deposit_event(Event::PayoutReturned {
            id,
            account,
            amount,
        });
        Ok(())
    }

    /// Takes a payout off the list of open ones; what becomes of the held amount is the caller's.
    fn close_payout(id: PayoutId) -> Result<Payout<BlockNumberFor<T>>, DispatchError> {
        let payout = Payouts::<T>::take(id).ok_or(Error::<T>::PayoutNotOpen)?;
        let held = Self::held()
            .checked_sub(payout.amount)
            .ok_or(ArithmeticError::Underflow)?;
        Held::<T>::put(held);
        PayoutsOf::<T>::mutate_exists(&payout.account, |open| {
            let mut rest = open.take().unwrap_or_default();
            rest.retain(|other| *other != id);
            *open = (!rest.is_empty()).then_some(rest);
        });
        Ok(payout)
    }
}
