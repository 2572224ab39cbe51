//! Dollars that come in.

use crate::{Config, Error, Event, Minted, Pallet, Purchases, bytechips_for};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::DispatchResult,
    traits::{ConstU32, fungible::Mutate},
};
use quern_primitives::{AccountId, Amount, limits::PAYMENT_REFERENCE_BYTES_MAX};
use scale_info::TypeInfo;
use sp_runtime::ArithmeticError;

/// What names a payment outside the chain, such as a bank's transaction id.
pub type Reference = BoundedVec<u8, ConstU32<PAYMENT_REFERENCE_BYTES_MAX>>;

/// Dollars that came in, and what was minted for them.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Purchase<BlockNumber> {
    /// Who got the ByteChips.
    pub buyer: AccountId,
    /// US cents paid.
    pub cents: u64,
    /// What was minted, at the rate of that block.
    pub amount: Amount,
    /// The block in which the treasurer recorded it.
    pub recorded_at: BlockNumber,
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_record_purchase(
        reference: Reference,
        buyer: AccountId,
        cents: u64,
    ) -> DispatchResult {
        ensure!(cents > 0, Error::<T>::ZeroAmount);
        ensure!(!reference.is_empty(), Error::<T>::EmptyReference);
        ensure!(
            !Purchases::<T>::contains_key(&reference),
            Error::<T>::ReferenceAlreadyUsed
        );
        let rate = Self::bytechips_per_dollar();
        let amount = bytechips_for(cents, rate).ok_or(ArithmeticError::Overflow)?;
        let minted = Self::minted()
            .checked_add(amount)
            .ok_or(ArithmeticError::Overflow)?;

        T::Currency::mint_into(&buyer, amount)?;
        Minted::<T>::put(minted);
        let recorded_at = frame_system::Pallet::<T>::block_number();
        let purchase = Purchase {
            buyer: buyer.clone(),
            cents,
            amount,
            recorded_at,
        };
        Purchases::<T>::insert(&reference, purchase);
        Self::deposit_event(Event::PurchaseRecorded {
            reference,
            buyer,
            cents,
            amount,
        });
        Ok(())
    }
}
