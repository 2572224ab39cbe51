//! Measures every call at its most expensive: references at their longest, an account's list of
//! payouts full.

use super::*;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::{
    BoundedVec,
    traits::{EnsureOrigin, fungible::Mutate},
};
use frame_system::RawOrigin;
use quern_primitives::{amount::BYTECHIP, limits::PAYMENT_REFERENCE_BYTES_MAX};

/// The council's word, where the runtime can produce it.
fn council<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::CouncilOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

fn treasurer<T: Config>() -> RawOrigin<AccountId> {
    let treasurer: AccountId = account("treasurer", 0, 0);
    Treasurer::<T>::put(&treasurer);
    RawOrigin::Signed(treasurer)
}

fn longest_reference() -> Reference {
    BoundedVec::truncate_from(alloc::vec![b'r'; PAYMENT_REFERENCE_BYTES_MAX as usize])
}

/// An account with `count` open payouts and money for more; returns it and its last payout.
fn with_payouts<T: Config>(count: u32) -> Result<(AccountId, PayoutId), BenchmarkError> {
    let owner: AccountId = account("owner", 0, 0);
    T::Currency::mint_into(&owner, 1_000 * BYTECHIP)?;
    for _ in 0..count {
        Pallet::<T>::do_request_payout(owner.clone(), BYTECHIP, Digest::default())?;
    }
    Ok((owner, NextPayout::<T>::get().saturating_sub(1)))
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn set_treasurer() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;
        let named: AccountId = account("named", 0, 0);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, named.clone());

        assert_eq!(Treasurer::<T>::get(), Some(named));
        Ok(())
    }

    #[benchmark]
    fn set_rate() -> Result<(), BenchmarkError> {
        let origin = council::<T>()?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 250);

        assert_eq!(Pallet::<T>::bytechips_per_dollar(), 250);
        Ok(())
    }

    #[benchmark]
    fn record_purchase() {
        let origin = treasurer::<T>();
        BytechipsPerDollar::<T>::put(GENESIS_BYTECHIPS_PER_DOLLAR);
        let buyer: AccountId = account("buyer", 0, 0);

        #[extrinsic_call]
        _(origin, longest_reference(), buyer.clone(), 100);

        assert_eq!(T::Currency::balance(&buyer), 200 * BYTECHIP);
    }

    #[benchmark]
    fn request_payout() -> Result<(), BenchmarkError> {
        let (owner, _) = with_payouts::<T>(OPEN_PAYOUTS_PER_ACCOUNT_MAX - 1)?;

        #[extrinsic_call]
        _(
            RawOrigin::Signed(owner.clone()),
            BYTECHIP,
            Digest::default(),
        );

        let open = Pallet::<T>::payouts_of(&owner);
        assert_eq!(open.len(), OPEN_PAYOUTS_PER_ACCOUNT_MAX as usize);
        Ok(())
    }

    #[benchmark]
    fn complete_payout() -> Result<(), BenchmarkError> {
        let origin = treasurer::<T>();
        let (_, id) = with_payouts::<T>(OPEN_PAYOUTS_PER_ACCOUNT_MAX)?;

        #[extrinsic_call]
        _(origin, id, longest_reference());

        assert!(!Payouts::<T>::contains_key(id));
        Ok(())
    }

    #[benchmark]
    fn return_payout() -> Result<(), BenchmarkError> {
        let origin = treasurer::<T>();
        let (_, id) = with_payouts::<T>(OPEN_PAYOUTS_PER_ACCOUNT_MAX)?;

        #[extrinsic_call]
        _(origin, id);

        assert!(!Payouts::<T>::contains_key(id));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::genesis(), crate::mock::Test);
}
