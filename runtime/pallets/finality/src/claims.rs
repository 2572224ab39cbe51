//! Claims, and the clock that follows from them.

use crate::{
    Authors as _, ClaimedIn, Claims, Clock, Config, Error, InherentError, LastClaims, Pallet,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_primitives::BlockNumber;
use sp_runtime::{TryRuntimeError, traits::UniqueSaturatedInto};

impl<T: Config> Pallet<T> {
    /// The height that the chain holds to be final. It never goes back.
    pub fn clock() -> BlockNumber {
        Clock::<T>::get()
    }

    pub(crate) fn do_claim(height: BlockNumber) -> DispatchResult {
        let (now, clock) = (Self::now(), Clock::<T>::get());
        ensure!(ClaimedIn::<T>::get() < now, Error::<T>::ClaimedAlready);
        ensure!(height >= clock, Error::<T>::BelowClock);
        ensure!(height < now, Error::<T>::NotBelowBlock);
        let author = T::Authors::author().ok_or(Error::<T>::NoAuthor)?;
        let before = Claims::<T>::get();
        let mut claims = LastClaims::new();
        for validator in T::Authors::all() {
            let last = match validator == author {
                true => height,
                false => before.get(&validator).copied().unwrap_or(0),
            };
            // There is room for all, because there are no more masternodes.
            let _ = claims.try_insert(validator, last);
        }
        ensure!(claims.contains_key(&author), Error::<T>::NoAuthor);
        // Other validators may have claimed less than those that there were.
        Clock::<T>::put(clock.max(reached(claims.values().copied())));
        Claims::<T>::put(claims);
        ClaimedIn::<T>::put(now);
        Ok(())
    }

    /// What an author claims that holds this height to be final. One that lags behind says no less
    /// than the chain knows already, and none more than there can be.
    pub(crate) fn claim_of(finalised: BlockNumber) -> BlockNumber {
        finalised
            .min(Self::now().saturating_sub(1))
            .max(Clock::<T>::get())
    }

    /// What can be told of a block's claim from the state before the block. That the claim is below
    /// the block's own height follows, because the block's is the next.
    pub(crate) fn check_beforehand(height: BlockNumber) -> Result<(), InherentError> {
        if height < Clock::<T>::get() {
            Err(InherentError::BelowClock)
        } else if height > Self::now() {
            Err(InherentError::NotBelowBlock)
        } else {
            Ok(())
        }
    }

    /// Checks the storage against the pallet's invariants: the clock is not below what more than two
    /// thirds have reached, and no claim or clock is of a block that is not there.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let (claims, clock, now) = (Claims::<T>::get(), Clock::<T>::get(), Self::now());
        ensure!(
            reached(claims.values().copied()) <= clock,
            "the clock is behind what more than two thirds have reached"
        );
        ensure!(
            claims.values().chain([&clock]).all(|height| *height <= now),
            "a block is held to be final that is not there"
        );
        ensure!(ClaimedIn::<T>::get() <= now, "a later block has claimed");
        Ok(())
    }

    /// The present block's height. The runtime's heights fit.
    fn now() -> BlockNumber {
        frame_system::Pallet::<T>::block_number().unique_saturated_into()
    }
}

/// The greatest height that more than two thirds of these claims reach; zero if there are none.
///
/// Of n claims in ascending order it is the one with (n - 1) / 3 below it, rounded down: so many are
/// fewer than a third, and with one more than that left out, the rest would be two thirds at the most.
fn reached(claims: impl Iterator<Item = BlockNumber>) -> BlockNumber {
    let mut all: Vec<_> = claims.collect();
    all.sort_unstable();
    let below = all.len().saturating_sub(1) / 3;
    all.get(below).copied().unwrap_or(0)
}
