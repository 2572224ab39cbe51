//! Measures every call at its most expensive: lists full, addresses at their longest.

use super::*;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::{
    BoundedVec,
    pallet_prelude::Get,
    traits::{EnsureOrigin, fungible::Unbalanced, tokens::Precision},
};
use frame_system::RawOrigin;
use quern_primitives::{
    SealingKey,
    limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_MASTERNODE_MAX},
};
use sp_runtime::traits::{One, Saturating};

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

/// An operator with a bond of twice what is needed, and as much again.
fn operator<T: Config>() -> Result<AccountId, BenchmarkError> {
    let operator: AccountId = account("operator", 0, 0);
    let bond = T::MinBond::get().saturating_mul(2);
    // Small bonds are unbonded in as many parts as there may be.
    let bond = bond.saturating_add(UNBONDINGS_MAX.into());
    T::Currency::increase_balance(&operator, bond.saturating_mul(2), Precision::Exact)?;
    Pallet::<T>::do_bond(operator.clone(), bond)?;
    Ok(operator)
}

/// Fills all but `free` of the places for unbonding amounts.
fn fill_unbonding<T: Config>(operator: &AccountId, free: u32) -> Result<(), BenchmarkError> {
    for _ in free..UNBONDINGS_MAX {
        Pallet::<T>::do_unbond(operator.clone(), 1)?;
        let next = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
        frame_system::Pallet::<T>::set_block_number(next);
    }
    Ok(())
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

    #[benchmark]
    fn bond() -> Result<(), BenchmarkError> {
        let operator = operator::<T>()?;
        fill_unbonding::<T>(&operator, 0)?;
        let before = Pallet::<T>::bonded(&operator);

        #[extrinsic_call]
        _(RawOrigin::Signed(operator.clone()), 1);

        assert_eq!(Pallet::<T>::bonded(&operator), before + 1);
        Ok(())
    }

    #[benchmark]
    fn unbond() -> Result<(), BenchmarkError> {
        let operator = operator::<T>()?;
        fill_unbonding::<T>(&operator, 1)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(operator.clone()), 1);

        let unbonding = Pallet::<T>::bond_of(&operator)
            .unwrap_or_default()
            .unbonding;
        assert_eq!(unbonding.len(), UNBONDINGS_MAX as usize);
        Ok(())
    }

    #[benchmark]
    fn withdraw_unbonded() -> Result<(), BenchmarkError> {
        let operator = operator::<T>()?;
        fill_unbonding::<T>(&operator, 0)?;
        let due =
            frame_system::Pallet::<T>::block_number().saturating_add(T::UnbondingDelay::get());
        frame_system::Pallet::<T>::set_block_number(due);

        #[extrinsic_call]
        _(RawOrigin::Signed(operator.clone()));

        let left = Pallet::<T>::bond_of(&operator).unwrap_or_default();
        assert!(left.unbonding.is_empty());
        Ok(())
    }

    /// All of a bond of as many parts as there may be, with a winner whose account has to be made.
    #[benchmark]
    fn slash() -> Result<(), BenchmarkError> {
        let operator = operator::<T>()?;
        fill_unbonding::<T>(&operator, 0)?;
        let winner: AccountId = account("winner", 0, 0);
        let all = Pallet::<T>::bonded(&operator);

        #[block]
        {
            Pallet::<T>::slash_parts(&operator, all / 2, all - all / 2, &winner)?;
        }

        assert_eq!(Pallet::<T>::bonded(&operator), 0);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::genesis(&[]), crate::mock::Test);
}
