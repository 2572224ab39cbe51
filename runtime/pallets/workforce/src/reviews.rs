//! Reviews: what ends a device's quarantine.

use crate::{Config, Devices, Error, Event, Pallet};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_primitives::{AccountId, BlockNumber, DeviceId};
use scale_info::TypeInfo;
use sp_runtime::traits::UniqueSaturatedInto;

/// On whose word a device is reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Reviewer {
    /// The council's, which looked at the device or at who blamed it.
    Council,
    /// That of its own account, which may have mended it.
    Owner(AccountId),
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_review(by: Reviewer, id: DeviceId) -> DispatchResult {
        let now = Self::now();
        let mut device = match &by {
            Reviewer::Council => Self::device(&id).ok_or(Error::<T>::DeviceUnknown)?,
            Reviewer::Owner(account) => {
                let device = Self::device_owned_by(account, id)?;
                ensure!(!device.is_convicted(), Error::<T>::DeviceConvicted);
                ensure!(device.is_quarantined(), Error::<T>::NotQuarantined);
                ensure!(now >= device.reviewable_from(), Error::<T>::ReviewedLately);
                device
            }
        };
        device.review(now);
        Devices::<T>::insert(id, device);
        Self::deposit_event(Event::DeviceReviewed { device: id, by });
        Ok(())
    }

    /// The present block's height. The runtime's heights fit.
    pub(crate) fn now() -> BlockNumber {
        frame_system::Pallet::<T>::block_number().unique_saturated_into()
    }
}
