//! What the calls of `quern_finality` cost.
//!
//! Not measured yet: run `cargo xtask weights finality`.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_finality`.
pub trait WeightInfo {
	fn claim() -> Weight;
}

/// Weights for `quern_finality` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn claim() -> Weight {
		Weight::from_parts(90_000_000, 6095)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn claim() -> Weight {
		Weight::from_parts(90_000_000, 6095)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
}
