//! What the pallet's calls cost.
//!
//! These are estimates by database operations, generous on purpose. `cargo xtask weights` replaces
//! this file by measurements of the benchmarks.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_bytechip`.
pub trait WeightInfo {
	fn set_treasurer() -> Weight;
	fn set_rate() -> Weight;
	fn record_purchase() -> Weight;
	fn request_payout() -> Weight;
	fn complete_payout() -> Weight;
	fn return_payout() -> Weight;
}

/// Weights for `quern_bytechip` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Bytechip::Treasurer` (r:0 w:1)
	fn set_treasurer() -> Weight {
		Weight::from_parts(30_000_000, 10_000)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Bytechip::BytechipsPerDollar` (r:0 w:1)
	fn set_rate() -> Weight {
		Weight::from_parts(30_000_000, 10_000)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Bytechip::Treasurer` (r:1 w:0)
	/// Storage: `Bytechip::Purchases` (r:1 w:1)
	/// Storage: `Bytechip::BytechipsPerDollar` (r:1 w:0)
	/// Storage: `Bytechip::Minted` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn record_purchase() -> Weight {
		Weight::from_parts(90_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Bytechip::NextPayout` (r:1 w:1)
	/// Storage: `Bytechip::Held` (r:1 w:1)
	/// Storage: `Bytechip::PayoutsOf` (r:1 w:1)
	/// Storage: `Bytechip::Payouts` (r:0 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn request_payout() -> Weight {
		Weight::from_parts(120_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `Bytechip::Treasurer` (r:1 w:0)
	/// Storage: `Bytechip::Transfers` (r:1 w:1)
	/// Storage: `Bytechip::Payouts` (r:1 w:1)
	/// Storage: `Bytechip::Held` (r:1 w:1)
	/// Storage: `Bytechip::PayoutsOf` (r:1 w:1)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn complete_payout() -> Weight {
		Weight::from_parts(130_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Bytechip::Treasurer` (r:1 w:0)
	/// Storage: `Bytechip::Payouts` (r:1 w:1)
	/// Storage: `Bytechip::Held` (r:1 w:1)
	/// Storage: `Bytechip::PayoutsOf` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn return_payout() -> Weight {
		Weight::from_parts(120_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
}

// For tests.
impl WeightInfo for () {
	fn set_treasurer() -> Weight {
		Weight::from_parts(30_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn set_rate() -> Weight {
		Weight::from_parts(30_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn record_purchase() -> Weight {
		Weight::from_parts(90_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn request_payout() -> Weight {
		Weight::from_parts(120_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(6_u64))
	}
	fn complete_payout() -> Weight {
		Weight::from_parts(130_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn return_payout() -> Weight {
		Weight::from_parts(120_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
}
