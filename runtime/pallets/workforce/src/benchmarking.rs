//! Measures every call at its most expensive: the list of unbonding amounts full, signatures valid,
//! devices registered before.

use super::*;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::{
    pallet_prelude::Get,
    traits::{fungible::Unbalanced, tokens::Precision},
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use quern_primitives::{
    GenesisHash,
    device::{Class, History, Possession, RecordChange},
    payload::SignedPayload,
};
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::{One, Saturating, Zero};

/// Where the benchmark's device keys are kept.
const DEVICE_KEYS: KeyTypeId = KeyTypeId(*b"qdev");

/// A worker account with money for ten bonds more than the one it has.
fn worker<T: Config>() -> Result<AccountId, BenchmarkError> {
    let worker: AccountId = account("worker", 0, 0);
    let money = T::MinBondPerDevice::get().saturating_mul(12);
    T::Currency::increase_balance(&worker, money, Precision::Exact)?;
    Pallet::<T>::do_bond(worker.clone(), T::MinBondPerDevice::get().saturating_mul(2))?;
    Ok(worker)
}

/// Fills all but `free` of the places for unbonding amounts.
fn fill_unbonding<T: Config>(worker: &AccountId, free: u32) -> Result<(), BenchmarkError> {
    for _ in free..UNBONDINGS_PER_ACCOUNT_MAX {
        Pallet::<T>::do_unbond(worker.clone(), 1)?;
        let next = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
        frame_system::Pallet::<T>::set_block_number(next);
    }
    Ok(())
}

/// A new device, which signs that it belongs to the account with this sealing key.
fn device<T: Config>(
    account: &AccountId,
    sealing_keys: [SealingKey; 2],
) -> Result<(DeviceId, [DeviceSignature; 2]), BenchmarkError> {
    let public = sp_io::crypto::ed25519_generate(DEVICE_KEYS, None);
    let device = DeviceId(public.0);
    let genesis = GenesisHash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).0);
    let sign = |sealing_key| {
        let payload = Possession {
            account: account.clone(),
            device,
            sealing_key,
        };
        sp_io::crypto::ed25519_sign(DEVICE_KEYS, &public, &payload.signing_digest(&genesis))
            .map(|signature| DeviceSignature(signature.0))
            .ok_or(BenchmarkError::Stop("the keystore has the device's key"))
    };
    Ok((device, [sign(sealing_keys[0])?, sign(sealing_keys[1])?]))
}

const KEYS: [SealingKey; 2] = [SealingKey([1; 32]), SealingKey([2; 32])];

/// A worker and a device it has registered, with the device's word for a second sealing key.
fn with_device<T: Config>() -> Result<(AccountId, DeviceId, DeviceSignature), BenchmarkError> {
    let worker = worker::<T>()?;
    let (id, [first, second]) = device::<T>(&worker, KEYS)?;
    let registered = Device::new(worker.clone(), KEYS[0], Region::Europe, Hardware::Desktop);
    Pallet::<T>::do_register_device(id, registered, first)?;
    Ok((worker, id, second))
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn bond() -> Result<(), BenchmarkError> {
        let worker = worker::<T>()?;
        fill_unbonding::<T>(&worker, 0)?;
        let before = Pallet::<T>::total_bonded();

        #[extrinsic_call]
        _(RawOrigin::Signed(worker), T::MinBondPerDevice::get());

        assert_eq!(
            Pallet::<T>::total_bonded(),
            before + T::MinBondPerDevice::get()
        );
        Ok(())
    }

    #[benchmark]
    fn unbond() -> Result<(), BenchmarkError> {
        let worker = worker::<T>()?;
        fill_unbonding::<T>(&worker, 1)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()), 1);

        let unbonding = Pallet::<T>::bond_of(&worker).unwrap_or_default().unbonding;
        assert_eq!(unbonding.len(), UNBONDINGS_PER_ACCOUNT_MAX as usize);
        Ok(())
    }

    #[benchmark]
    fn withdraw_unbonded() -> Result<(), BenchmarkError> {
        let worker = worker::<T>()?;
        fill_unbonding::<T>(&worker, 0)?;
        let due =
            frame_system::Pallet::<T>::block_number().saturating_add(T::UnbondingDelay::get());
        frame_system::Pallet::<T>::set_block_number(due);

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()));

        assert!(
            Pallet::<T>::bond_of(&worker)
                .unwrap_or_default()
                .unbonding
                .is_empty()
        );
        Ok(())
    }

    #[benchmark]
    fn register_device() -> Result<(), BenchmarkError> {
        let worker = worker::<T>()?;
        fill_unbonding::<T>(&worker, 0)?;
        let (id, [possession, _]) = device::<T>(&worker, KEYS)?;
        RetiredDevices::<T>::insert(id, Past::default());

        #[extrinsic_call]
        _(
            RawOrigin::Signed(worker),
            id,
            KEYS[0],
            Region::Europe,
            Hardware::Desktop,
            possession,
        );

        assert!(Pallet::<T>::device(&id).is_some());
        Ok(())
    }

    #[benchmark]
    fn rotate_sealing_key() -> Result<(), BenchmarkError> {
        let (worker, id, possession) = with_device::<T>()?;

        #[extrinsic_call]
        _(RawOrigin::Signed(worker), id, KEYS[1], possession);

        assert_eq!(
            Pallet::<T>::device(&id).map(|device| device.sealing_key),
            Some(KEYS[1])
        );
        Ok(())
    }

    #[benchmark]
    fn retire_device() -> Result<(), BenchmarkError> {
        let (worker, id, _) = with_device::<T>()?;
        fill_unbonding::<T>(&worker, 1)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(worker), id);

        assert!(Pallet::<T>::device(&id).is_none());
        assert!(RetiredDevices::<T>::contains_key(id));
        Ok(())
    }

    #[benchmark]
    fn review() -> Result<(), BenchmarkError> {
        let (worker, id, _) = with_device::<T>()?;
        let change = RecordChange {
            failed: History::TASKS,
            ..Default::default()
        };
        Pallet::<T>::apply_record_change(&id, Class::Pinned, &change);

        #[extrinsic_call]
        _(RawOrigin::Signed(worker), id);

        assert_eq!(
            Pallet::<T>::device(&id).map(|device| device.history),
            Some(History::default())
        );
        Ok(())
    }

    /// All of a bond of as many parts as there may be, with a winner whose account has to be made.
    #[benchmark]
    fn slash() -> Result<(), BenchmarkError> {
        let (worker, id, _) = with_device::<T>()?;
        fill_unbonding::<T>(&worker, 0)?;
        let winner: AccountId = account("winner", 0, 0);
        let all = Pallet::<T>::slashable(&worker);

        #[block]
        {
            Pallet::<T>::slash(&worker, &id, all / 2, all - all / 2, &winner)?;
        }

        assert_eq!(Pallet::<T>::slashable(&worker), 0);
        Ok(())
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::mock::genesis_with_keystore(),
        crate::mock::Test
    );
}
