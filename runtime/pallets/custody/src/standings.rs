//! What becomes of devices that missed something.

use crate::{Config, Error, Event, Misses, Pallet, Standings, Workers};
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::{DispatchResult, Get},
};
use quern_custody_rules::steps;
use quern_primitives::{
    AccountId, DeviceId,
    custody::{Miss, Standing, Step},
};

impl<T: Config> Pallet<T> {
    /// What a device missed, as far as it counts still.
    pub fn standing(device: &DeviceId) -> Standing {
        Standings::<T>::get(device)
    }

    /// Whether a device gets no new pieces until its account has it reviewed.
    pub fn is_contained(device: &DeviceId) -> bool {
        Self::standing(device).contained_at.is_some()
    }

    pub(crate) fn do_review(by: &AccountId, device: DeviceId) -> DispatchResult {
        ensure!(
            T::Workers::account_of(&device).as_ref() == Some(by),
            Error::<T>::NotDevicesAccount
        );
        let reviewed = steps::review(&Self::standing(&device), Self::clock());
        match reviewed.map_err(Error::<T>::from)? {
            // Nothing is known of most devices.
            standing if standing == Standing::default() => Standings::<T>::remove(device),
            standing => Standings::<T>::insert(device, standing),
        }
        Misses::<T>::remove(device);
        Self::deposit_event(Event::DeviceReviewed { device });
        Ok(())
    }

    /// Keeps what a device missed.
    pub(crate) fn remember(device: &DeviceId, miss: Miss) {
        Misses::<T>::mutate(device, |misses| add(misses, miss));
    }
}

/// Adds a miss. Where there is no room the oldest goes of which nothing followed, or else the oldest of all.
fn add<Limit: Get<u32>>(misses: &mut BoundedVec<Miss, Limit>, miss: Miss) {
    if misses.is_full() {
        let least = misses.iter().position(|it| it.step == Step::Known);
        // It is full, so there is a first.
        misses.remove(least.unwrap_or(0));
    }
    // There is room for it now.
    let _ = misses.try_push(miss);
}
