//! Measures every call at its most expensive: lists full, addresses at their longest.

use super::*;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::{BoundedVec, traits::EnsureOrigin};
use frame_system::RawOrigin;
use quern_primitives::{
    SealingKey,
    limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_MASTERNODE_MAX},
};

/// The council's word, where the runtime can produce it.
fn council<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::CouncilOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

/// Makes `count` accounts masternodes, and no others; returns them, ascending.
fn seat_masternodes<T: Config>(count: u32) -> Vec<AccountId> {
    let mut accounts: Vec<AccountId> = (0..count)
        .map(|index| account("masternode", index, 0))
        .collect();
    accounts.sort();
    Masternodes::<T>::put(BoundedVec::truncate_from(accounts.clone()));
    accounts
}

fn longest_address() -> Address {
    BoundedVec::truncate_from(alloc::vec![b'a'; ADDRESS_BYTES_MAX as usize])
}

fn longest_endpoints() -> Endpoints {
    let addresses = alloc::vec![longest_address(); ADDRESSES_PER_MASTERNODE_MAX as usize];
    Endpoints {
        network_key: DeviceId([1; 32]),
        sealing_key: SealingKey([2; 32]),
        device_addresses: BoundedVec::truncate_from(addresses),
        jobs_api: longest_address(),
    }
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn add_masternode() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        seat_masternodes::<T>(MASTERNODES_MAX - 1);
        let added: AccountId = account("added", 0, 0);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, added.clone());

        assert!(Pallet::<T>::is_masternode(&added));
        Ok(())
    }

    #[benchmark]
    fn remove_masternode() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        let all = seat_masternodes::<T>(MASTERNODES_MAX);
        for account in &all {
            PublishedEndpoints::<T>::insert(account, longest_endpoints());
        }
        let removed = all.first().cloned().ok_or(BenchmarkError::Skip)?;
        ReachableMasternodes::<T>::put(BoundedVec::truncate_from(all));

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, removed.clone());

        assert!(!Pallet::<T>::is_masternode(&removed));
        Ok(())
    }

    #[benchmark]
    fn publish_endpoints() {
        let mut others = seat_masternodes::<T>(MASTERNODES_MAX);
        let publisher = others.remove(0);
        for account in &others {
            PublishedEndpoints::<T>::insert(account, longest_endpoints());
        }
        ReachableMasternodes::<T>::put(BoundedVec::truncate_from(others));
        let Endpoints {
            network_key,
            sealing_key,
            device_addresses,
            jobs_api,
        } = longest_endpoints();

        #[extrinsic_call]
        _(
            RawOrigin::Signed(publisher.clone()),
            network_key,
            sealing_key,
            device_addresses,
            jobs_api,
        );

        assert_eq!(
            Pallet::<T>::endpoints(&publisher),
            Some(longest_endpoints())
        );
    }

    #[benchmark]
    fn ban() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        seat_masternodes::<T>(MASTERNODES_MAX);
        let banned: AccountId = account("banned", 0, 0);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, banned.clone());

        assert!(Pallet::<T>::is_banned(&banned));
        Ok(())
    }

    #[benchmark]
    fn lift_ban() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        let banned: AccountId = account("banned", 0, 0);
        BannedAccounts::<T>::insert(&banned, ());

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, banned.clone());

        assert!(!Pallet::<T>::is_banned(&banned));
        Ok(())
    }

    #[benchmark]
    fn verify_device() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        let device = DeviceId([3; 32]);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, device);

        assert!(Pallet::<T>::is_verified(&device));
        Ok(())
    }

    #[benchmark]
    fn unverify_device() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        let device = DeviceId([3; 32]);
        VerifiedDevices::<T>::insert(device, ());

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, device);

        assert!(!Pallet::<T>::is_verified(&device));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::genesis(&[]), crate::mock::Test);
}
