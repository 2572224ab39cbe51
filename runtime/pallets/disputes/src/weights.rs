//! What the calls of `quern_disputes` cost.
//!
//! Written by hand and not measured: `cargo xtask weights` writes this file from the pallet's benchmarks
//! as soon as the runtime has the pallet. The numbers are of 16 signatures of 100 microseconds, of hashes
//! of 1 microsecond, and of the storage's sizes; each is rounded up.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_disputes`.
pub trait WeightInfo {
	fn dispute() -> Weight;
	fn step(v: u32, ) -> Weight;
	fn answer() -> Weight;
	fn expire() -> Weight;
}

/// Weights for `quern_disputes` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn dispute() -> Weight {
		Weight::from_parts(2_500_000_000, 8_192)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
	fn step(v: u32, ) -> Weight {
		Weight::from_parts(500_000_000, 45_056)
			.saturating_add(Weight::from_parts(60_000_000, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	fn answer() -> Weight {
		Weight::from_parts(600_000_000, 8_192)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	fn expire() -> Weight {
		Weight::from_parts(500_000_000, 45_056)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn dispute() -> Weight {
		Weight::from_parts(2_500_000_000, 8_192)
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(9_u64))
	}
	fn step(v: u32, ) -> Weight {
		Weight::from_parts(500_000_000, 45_056)
			.saturating_add(Weight::from_parts(60_000_000, 0).saturating_mul(v.into()))
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn answer() -> Weight {
		Weight::from_parts(600_000_000, 8_192)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn expire() -> Weight {
		Weight::from_parts(500_000_000, 45_056)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(9_u64))
	}
}
