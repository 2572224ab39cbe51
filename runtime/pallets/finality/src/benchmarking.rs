//! Measures a claim among as many as are kept.

use super::*;
use frame_benchmarking::v2::*;
use frame_support::BoundedVec;
use frame_system::RawOrigin;
use quern_primitives::limits::FINALITY_CLAIMS;

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn claim() {
        let now = FINALITY_CLAIMS.saturating_add(1);
        frame_system::Pallet::<T>::set_block_number(now.into());
        // Out of order, so that there is something to sort.
        let claims = (1..=FINALITY_CLAIMS).rev().collect();
        Claims::<T>::put(BoundedVec::truncate_from(claims));

        #[extrinsic_call]
        _(RawOrigin::None, FINALITY_CLAIMS);

        assert_eq!(ClaimedIn::<T>::get(), now);
    }

    impl_benchmark_test_suite!(Pallet, mock::genesis(), mock::Test);
}
