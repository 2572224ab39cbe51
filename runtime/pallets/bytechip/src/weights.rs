//! What the calls of `quern_bytechip` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-30 with 10 steps and 10 repeats, on: AMD EPYC.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

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
	/// Proof: `Bytechip::Treasurer` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	fn set_treasurer() -> Weight {
		// At least 5_398_000 picoseconds.
		Weight::from_parts(6_109_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Bytechip::BytechipsPerDollar` (r:0 w:1)
	/// Proof: `Bytechip::BytechipsPerDollar` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn set_rate() -> Weight {
		// At least 5_268_000 picoseconds.
		Weight::from_parts(5_939_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Bytechip::Treasurer` (r:1 w:0)
	/// Proof: `Bytechip::Treasurer` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Purchases` (r:1 w:1)
	/// Proof: `Bytechip::Purchases` (`max_values`: None, `max_size`: Some(142), added: 2617, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::BytechipsPerDollar` (r:1 w:0)
	/// Proof: `Bytechip::BytechipsPerDollar` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Minted` (r:1 w:1)
	/// Proof: `Bytechip::Minted` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn record_purchase() -> Weight {
		// At least 41_332_000 picoseconds.
		Weight::from_parts(43_805_000, 3607)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Bytechip::NextPayout` (r:1 w:1)
	/// Proof: `Bytechip::NextPayout` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Held` (r:1 w:1)
	/// Proof: `Bytechip::Held` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::PayoutsOf` (r:1 w:1)
	/// Proof: `Bytechip::PayoutsOf` (`max_values`: None, `max_size`: Some(177), added: 2652, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Payouts` (r:0 w:1)
	/// Proof: `Bytechip::Payouts` (`max_values`: None, `max_size`: Some(100), added: 2575, mode: `MaxEncodedLen`)
	fn request_payout() -> Weight {
		// At least 73_309_000 picoseconds.
		Weight::from_parts(77_665_000, 3694)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `Bytechip::Treasurer` (r:1 w:0)
	/// Proof: `Bytechip::Treasurer` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Transfers` (r:1 w:1)
	/// Proof: `Bytechip::Transfers` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Payouts` (r:1 w:1)
	/// Proof: `Bytechip::Payouts` (`max_values`: None, `max_size`: Some(100), added: 2575, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Held` (r:1 w:1)
	/// Proof: `Bytechip::Held` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::PayoutsOf` (r:1 w:1)
	/// Proof: `Bytechip::PayoutsOf` (`max_values`: None, `max_size`: Some(177), added: 2652, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	fn complete_payout() -> Weight {
		// At least 61_501_000 picoseconds.
		Weight::from_parts(65_988_000, 3694)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Bytechip::Treasurer` (r:1 w:0)
	/// Proof: `Bytechip::Treasurer` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Payouts` (r:1 w:1)
	/// Proof: `Bytechip::Payouts` (`max_values`: None, `max_size`: Some(100), added: 2575, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Held` (r:1 w:1)
	/// Proof: `Bytechip::Held` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::PayoutsOf` (r:1 w:1)
	/// Proof: `Bytechip::PayoutsOf` (`max_values`: None, `max_size`: Some(177), added: 2652, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	fn return_payout() -> Weight {
		// At least 67_740_000 picoseconds.
		Weight::from_parts(72_808_000, 3694)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn set_treasurer() -> Weight {
		Weight::from_parts(6_109_000, 0)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn set_rate() -> Weight {
		Weight::from_parts(5_939_000, 0)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn record_purchase() -> Weight {
		Weight::from_parts(43_805_000, 3607)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn request_payout() -> Weight {
		Weight::from_parts(77_665_000, 3694)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(6_u64))
	}
	fn complete_payout() -> Weight {
		Weight::from_parts(65_988_000, 3694)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn return_payout() -> Weight {
		Weight::from_parts(72_808_000, 3694)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
}
