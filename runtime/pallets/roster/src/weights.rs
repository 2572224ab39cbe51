//! What the calls of `quern_roster` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-26 with 50 steps and 20 repeats, on: AMD EPYC.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_roster`.
pub trait WeightInfo {
	fn add_masternode() -> Weight;
	fn remove_masternode() -> Weight;
	fn publish_endpoints() -> Weight;
	fn ban() -> Weight;
	fn lift_ban() -> Weight;
	fn verify_device() -> Weight;
	fn unverify_device() -> Weight;
}

/// Weights for `quern_roster` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:1)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	fn add_masternode() -> Weight {
		// At least 23_293_000 picoseconds.
		Weight::from_parts(31_078_000, 5583)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Roster::Masternodes` (r:1 w:1)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::ReachableMasternodes` (r:1 w:1)
	/// Proof: `Roster::ReachableMasternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::PublishedEndpoints` (r:0 w:1)
	/// Proof: `Roster::PublishedEndpoints` (`max_values`: None, `max_size`: Some(2435), added: 4910, mode: `MaxEncodedLen`)
	fn remove_masternode() -> Weight {
		// At least 33_312_000 picoseconds.
		Weight::from_parts(54_261_000, 5583)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::ReachableMasternodes` (r:1 w:1)
	/// Proof: `Roster::ReachableMasternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::PublishedEndpoints` (r:0 w:1)
	/// Proof: `Roster::PublishedEndpoints` (`max_values`: None, `max_size`: Some(2435), added: 4910, mode: `MaxEncodedLen`)
	fn publish_endpoints() -> Weight {
		// At least 40_105_000 picoseconds.
		Weight::from_parts(73_016_000, 5583)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::BannedAccounts` (r:1 w:1)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForBannedAccounts` (r:1 w:1)
	/// Proof: `Roster::CounterForBannedAccounts` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn ban() -> Weight {
		// At least 27_502_000 picoseconds.
		Weight::from_parts(59_681_000, 5583)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:1)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForBannedAccounts` (r:1 w:1)
	/// Proof: `Roster::CounterForBannedAccounts` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn lift_ban() -> Weight {
		// At least 20_148_000 picoseconds.
		Weight::from_parts(38_031_000, 3513)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::VerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::VerifiedDevices` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForVerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::CounterForVerifiedDevices` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn verify_device() -> Weight {
		// At least 21_950_000 picoseconds.
		Weight::from_parts(41_978_000, 3513)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::VerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::VerifiedDevices` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForVerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::CounterForVerifiedDevices` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn unverify_device() -> Weight {
		// At least 20_819_000 picoseconds.
		Weight::from_parts(34_505_000, 3513)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn add_masternode() -> Weight {
		Weight::from_parts(31_078_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn remove_masternode() -> Weight {
		Weight::from_parts(54_261_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn publish_endpoints() -> Weight {
		Weight::from_parts(73_016_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn ban() -> Weight {
		Weight::from_parts(59_681_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn lift_ban() -> Weight {
		Weight::from_parts(38_031_000, 3513)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn verify_device() -> Weight {
		Weight::from_parts(41_978_000, 3513)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn unverify_device() -> Weight {
		Weight::from_parts(34_505_000, 3513)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
}
