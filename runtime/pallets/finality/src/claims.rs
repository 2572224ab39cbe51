//! Claims, and the clock that follows from them.

use crate::{ClaimedIn, Claims, Clock, Config, Error, InherentError, Pallet};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_primitives::{BlockNumber, limits::FINALITY_CLAIMS};
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
        let mut claims = Claims::<T>::get();
        if claims.is_full() {
            claims.remove(0);
        }
        // There is room, because the oldest went.
        let _ = claims.try_push(height);
        // The claims that are older than the clock may be below it, but never the median.
        Clock::<T>::put(clock.max(median(&claims)));
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

    /// Checks the storage against the pallet's invariants: the clock is not below the median of the
    /// claims, and no claim or clock is of a block that is not there.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let (claims, clock, now) = (Claims::<T>::get(), Clock::<T>::get(), Self::now());
        ensure!(
            median(&claims) <= clock,
            "the clock is behind the median of the claims"
        );
        ensure!(
            claims.iter().chain([&clock]).all(|height| *height <= now),
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

/// The median of the last [`FINALITY_CLAIMS`] claims; those that are not made yet count as zero.
fn median(claims: &[BlockNumber]) -> BlockNumber {
    let mut all = [0; FINALITY_CLAIMS as usize];
    for (place, claim) in all.iter_mut().zip(claims) {
        *place = *claim;
    }
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}
