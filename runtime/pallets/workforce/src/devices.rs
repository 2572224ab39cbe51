//! The register of devices.

use crate::{
    Bonds, Config, Devices, DevicesOf, Error, Event, LastOwners, Pallet, RegisteredAt,
    RetiredDevices,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_bond_rules::NoRoom;
use quern_primitives::{
    AccountId, DeviceId, GenesisHash, SealingKey,
    device::{Class, Device, Past, Possession, RecordChange},
    limits::DEVICES_PER_ACCOUNT_MAX,
    payload::{DeviceSignature, SignedPayload},
};
use sp_core::ed25519;
use sp_runtime::traits::Zero;

impl<T: Config> Pallet<T> {
    /// A registered device.
    pub fn device(device: &DeviceId) -> Option<Device> {
        Devices::<T>::get(device)
    }

    /// The block since which a registered device belongs to its account.
    pub fn registered_at(device: &DeviceId) -> Option<BlockNumberFor<T>> {
        RegisteredAt::<T>::get(device)
    }

    /// The account that answers for what a device signed: the one it belongs to, or the one that
    /// retired it, as long as what covered it is held.
    pub fn answers_for(device: &DeviceId) -> Option<AccountId> {
        if let Some(known) = Devices::<T>::get(device) {
            return Some(known.account);
        }
        let now = frame_system::Pallet::<T>::block_number();
        let (account, _) = LastOwners::<T>::get(device).filter(|(_, free)| *free > now)?;
        Some(account)
    }

    /// What is remembered of a device that was retired.
    pub fn past_of(device: &DeviceId) -> Option<Past> {
        RetiredDevices::<T>::get(device)
    }

    /// An account's devices, at most [`DEVICES_PER_ACCOUNT_MAX`], in no telling order.
    pub fn devices_of(account: &AccountId) -> Vec<(DeviceId, Device)> {
        DevicesOf::<T>::iter_key_prefix(account)
            .filter_map(|id| Some((id, Devices::<T>::get(id)?)))
            .collect()
    }

    /// Adds the counts of a batch of a job of this class to a device's record and history, also if the
    /// device was retired between its answer and the settlement: whoever leaves before its faults are told finds them when it
    /// comes back.
    ///
    /// A device that was never registered has no record: the change is ignored, with
    /// [`Event::RecordChangeIgnored`]. It is no error, because a batch settles the work of many
    /// devices of many accounts; if one could fail the batch, it could keep all the others from their
    /// pay.
    pub fn apply_record_change(device: &DeviceId, class: Class, change: &RecordChange) {
        if let Some(mut known) = Devices::<T>::get(device) {
            known.note(change, class, Self::now());
            Devices::<T>::insert(device, known);
        } else if let Some(mut past) = RetiredDevices::<T>::get(device) {
            past.note(change, class, Self::now());
            RetiredDevices::<T>::insert(device, past);
        } else {
            Self::deposit_event(Event::RecordChangeIgnored { device: *device });
        }
    }

    pub(crate) fn do_register_device(
        id: DeviceId,
        mut device: Device,
        possession: DeviceSignature,
    ) -> DispatchResult {
        ensure!(!id.is_small_order(), Error::<T>::WeakDeviceKey);
        ensure!(
            !Devices::<T>::contains_key(id),
            Error::<T>::DeviceAlreadyRegistered
        );
        // Or who answers for what it signed would be forgotten by registering it for another.
        let answering = Self::answers_for(&id);
        ensure!(
            answering.is_none_or(|account| account == device.account),
            Error::<T>::StillAnswered
        );
        let mut bond = Bonds::<T>::get(&device.account).unwrap_or_default();
        ensure!(
            bond.devices < DEVICES_PER_ACCOUNT_MAX,
            Error::<T>::TooManyDevices
        );
        bond.devices = bond.devices.saturating_add(1);
        ensure!(
            bond.active >= Self::bond_for(bond.devices),
            Error::<T>::BondTooSmall
        );
        Self::ensure_possession(&device.account, id, device.sealing_key, possession)?;

        if let Some(past) = RetiredDevices::<T>::take(id) {
            device.resume(past);
        }
        LastOwners::<T>::remove(id);
        let account = device.account.clone();
        Self::put_bond(&account, bond);
        DevicesOf::<T>::insert(&account, id, ());
        Devices::<T>::insert(id, device);
        RegisteredAt::<T>::insert(id, frame_system::Pallet::<T>::block_number());
        Self::deposit_event(Event::DeviceRegistered {
            device: id,
            account,
        });
        Ok(())
    }

    pub(crate) fn do_rotate_sealing_key(
        account: AccountId,
        id: DeviceId,
        sealing_key: SealingKey,
        possession: DeviceSignature,
    ) -> DispatchResult {
        let mut device = Self::device_owned_by(&account, id)?;
        Self::ensure_possession(&account, id, sealing_key, possession)?;
        device.sealing_key = sealing_key;
        Devices::<T>::insert(id, device);
        Self::deposit_event(Event::SealingKeyRotated {
            device: id,
            sealing_key,
        });
        Ok(())
    }

    pub(crate) fn do_retire_device(account: AccountId, id: DeviceId) -> DispatchResult {
        let device = Self::device_owned_by(&account, id)?;
        let mut bond = Bonds::<T>::get(&account).unwrap_or_default();
        let withdrawable_at = Self::share_withdrawable_at(&device);
        let share = bond
            .let_device_go(withdrawable_at)
            .map_err(|NoRoom| Error::<T>::TooManyUnbondings)?;
        Self::put_bond(&account, bond);
        RetiredDevices::<T>::insert(id, device.past());
        LastOwners::<T>::insert(id, (&account, withdrawable_at));
        Devices::<T>::remove(id);
        RegisteredAt::<T>::remove(id);
        DevicesOf::<T>::remove(&account, id);
        if share > 0 {
            Self::deposit_event(Event::Unbonded {
                account: account.clone(),
                amount: share,
                withdrawable_at,
            });
        }
        Self::deposit_event(Event::DeviceRetired {
            device: id,
            account,
            record: device.record,
        });
        Ok(())
    }

    pub(crate) fn device_owned_by(account: &AccountId, id: DeviceId) -> Result<Device, Error<T>> {
        let device = Self::device(&id).ok_or(Error::DeviceUnknown)?;
        ensure!(device.account == *account, Error::NotDeviceOwner);
        Ok(device)
    }

    /// Checks that the device itself wants to belong to the account with this sealing key, on this
    /// chain. An old signature can be used again, but only by the account it was given to and for
    /// the sealing key it names.
    fn ensure_possession(
        account: &AccountId,
        device: DeviceId,
        sealing_key: SealingKey,
        possession: DeviceSignature,
    ) -> DispatchResult {
        let payload = Possession {
            account: account.clone(),
            device,
            sealing_key,
        };
        let signed = sp_io::crypto::ed25519_verify(
            &ed25519::Signature::from_raw(possession.0),
            &payload.signing_digest(&Self::genesis_hash()),
            &ed25519::Public::from_raw(device.0),
        );
        ensure!(signed, Error::<T>::InvalidPossession);
        Ok(())
    }

    /// The hash of the chain's first block; the only block hash that is kept for good.
    fn genesis_hash() -> GenesisHash {
        GenesisHash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).0)
    }
}
