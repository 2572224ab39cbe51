//! Measures a claim among those of as many validators as there can be.

use super::*;
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use quern_primitives::limits::MASTERNODES_MAX;

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn claim() {
        let now = MASTERNODES_MAX.saturating_add(1);
        frame_system::Pallet::<T>::set_block_number(now.into());
        T::Authors::set(MASTERNODES_MAX);
        let mut claims = LastClaims::new();
        // Out of order, so that there is something to sort.
        for (author, height) in T::Authors::all().into_iter().zip((1..now).rev()) {
            let _ = claims.try_insert(author, height);
        }
        Claims::<T>::put(claims);

        #[extrinsic_call]
        _(RawOrigin::None, MASTERNODES_MAX);

        assert_eq!(ClaimedIn::<T>::get(), now);
    }

    impl_benchmark_test_suite!(Pallet, mock::genesis(), mock::Test);
}
