//! What the roster's calls cost.
//!
//! These are estimates by database operations, generous on purpose. `cargo xtask weights` replaces
//! this file by measurements of the benchmarks.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]

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
	/// Storage: `Roster::Masternodes` (r:1 w:1)
	fn add_masternode() -> Weight {
		Weight::from_parts(50_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Roster::Masternodes` (r:1 w:1)
	/// Storage: `Roster::PublishedEndpoints` (r:0 w:1)
	fn remove_masternode() -> Weight {
		Weight::from_parts(50_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Roster::PublishedEndpoints` (r:0 w:1)
	fn publish_endpoints() -> Weight {
		Weight::from_parts(60_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Roster::BannedAccounts` (r:1 w:1)
	/// Storage: `Roster::CounterForBannedAccounts` (r:1 w:1)
	fn ban() -> Weight {
		Weight::from_parts(50_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:1)
	/// Storage: `Roster::CounterForBannedAccounts` (r:1 w:1)
	fn lift_ban() -> Weight {
		Weight::from_parts(40_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::VerifiedDevices` (r:1 w:1)
	/// Storage: `Roster::CounterForVerifiedDevices` (r:1 w:1)
	fn verify_device() -> Weight {
		Weight::from_parts(40_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::VerifiedDevices` (r:1 w:1)
	/// Storage: `Roster::CounterForVerifiedDevices` (r:1 w:1)
	fn unverify_device() -> Weight {
		Weight::from_parts(40_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
}

// For tests.
impl WeightInfo for () {
	fn add_masternode() -> Weight {
		Weight::from_parts(50_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn remove_masternode() -> Weight {
		Weight::from_parts(50_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn publish_endpoints() -> Weight {
		Weight::from_parts(60_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn ban() -> Weight {
		Weight::from_parts(50_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn lift_ban() -> Weight {
		Weight::from_parts(40_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn verify_device() -> Weight {
		Weight::from_parts(40_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn unverify_device() -> Weight {
		Weight::from_parts(40_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
}
