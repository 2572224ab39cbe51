//! What the calls of `quern_workforce` cost.
//!
//! `slash` and two writes of `register_device` and `retire_device` are not measured yet; the rest is as it
//! was.
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-26 with 50 steps and 20 repeats, on: AMD EPYC.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_workforce`.
pub trait WeightInfo {
	fn bond() -> Weight;
	fn unbond() -> Weight;
	fn withdraw_unbonded() -> Weight;
	fn register_device() -> Weight;
	fn rotate_sealing_key() -> Weight;
	fn retire_device() -> Weight;
	fn review() -> Weight;
	fn slash() -> Weight;
}

/// Weights for `quern_workforce` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::TotalBonded` (r:1 w:1)
	/// Proof: `Workforce::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn bond() -> Weight {
		// At least 87_893_000 picoseconds.
		Weight::from_parts(154_308_000, 4174)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	fn unbond() -> Weight {
		// At least 23_734_000 picoseconds.
		Weight::from_parts(45_725_000, 4174)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::TotalBonded` (r:1 w:1)
	/// Proof: `Workforce::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn withdraw_unbonded() -> Weight {
		// At least 78_306_000 picoseconds.
		Weight::from_parts(129_652_000, 4174)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Workforce::Devices` (r:1 w:1)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(170), added: 2645, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RetiredDevices` (r:1 w:1)
	/// Proof: `Workforce::RetiredDevices` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::DevicesOf` (r:0 w:1)
	/// Proof: `Workforce::DevicesOf` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn register_device() -> Weight {
		// At least 110_596_000 picoseconds.
		Weight::from_parts(183_242_000, 4174)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `Workforce::Devices` (r:1 w:1)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(170), added: 2645, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn rotate_sealing_key() -> Weight {
		// At least 87_594_000 picoseconds.
		Weight::from_parts(126_767_000, 3635)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Workforce::Devices` (r:1 w:1)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(170), added: 2645, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RetiredDevices` (r:0 w:1)
	/// Proof: `Workforce::RetiredDevices` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::DevicesOf` (r:0 w:1)
	/// Proof: `Workforce::DevicesOf` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn retire_device() -> Weight {
		// At least 46_998_000 picoseconds.
		Weight::from_parts(84_117_000, 4174)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `Workforce::Devices` (r:1 w:1)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(170), added: 2645, mode: `MaxEncodedLen`)
	fn review() -> Weight {
		// At least 26_229_000 picoseconds.
		Weight::from_parts(42_740_000, 3635)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn slash() -> Weight {
		Weight::from_parts(450_000_000, 4174)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn bond() -> Weight {
		Weight::from_parts(154_308_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn unbond() -> Weight {
		Weight::from_parts(45_725_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn withdraw_unbonded() -> Weight {
		Weight::from_parts(129_652_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn register_device() -> Weight {
		Weight::from_parts(183_242_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(6_u64))
	}
	fn rotate_sealing_key() -> Weight {
		Weight::from_parts(126_767_000, 3635)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn retire_device() -> Weight {
		Weight::from_parts(84_117_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(6_u64))
	}
	fn review() -> Weight {
		Weight::from_parts(42_740_000, 3635)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn slash() -> Weight {
		Weight::from_parts(450_000_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
}
