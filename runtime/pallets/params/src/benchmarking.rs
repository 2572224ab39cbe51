//! Measures the one call.

use super::*;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::traits::EnsureOrigin;

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn set() -> Result<(), BenchmarkError> {
        let origin =
            T::CouncilOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let most = Parameter::BondPerDevice.row().most;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Parameter::BondPerDevice, most);

        assert_eq!(Pallet::<T>::current().bond_per_device, most);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::genesis(&[]), crate::mock::Test);
}
