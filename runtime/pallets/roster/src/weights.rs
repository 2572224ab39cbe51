//! What the calls of `quern_roster` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-30 with 50 steps and 20 repeats, on: AMD EPYC.

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
	fn bond() -> Weight;
	fn unbond() -> Weight;
	fn withdraw_unbonded() -> Weight;
	fn slash() -> Weight;
}

/// Weights for `quern_roster` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:1)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	fn add_masternode() -> Weight {
		// At least 15_283_000 picoseconds.
		Weight::from_parts(16_655_000, 5583)
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
		// At least 23_766_000 picoseconds.
		Weight::from_parts(26_730_000, 5583)
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
		// At least 29_273_000 picoseconds.
		Weight::from_parts(33_710_000, 5583)
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
		// At least 19_439_000 picoseconds.
		Weight::from_parts(21_021_000, 5583)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:1)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForBannedAccounts` (r:1 w:1)
	/// Proof: `Roster::CounterForBannedAccounts` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn lift_ban() -> Weight {
		// At least 13_310_000 picoseconds.
		Weight::from_parts(14_391_000, 3513)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::VerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::VerifiedDevices` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForVerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::CounterForVerifiedDevices` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn verify_device() -> Weight {
		// At least 13_860_000 picoseconds.
		Weight::from_parts(15_003_000, 3513)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Roster::VerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::VerifiedDevices` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Roster::CounterForVerifiedDevices` (r:1 w:1)
	/// Proof: `Roster::CounterForVerifiedDevices` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn unverify_device() -> Weight {
		// At least 13_040_000 picoseconds.
		Weight::from_parts(14_131_000, 3513)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:1 w:1)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Roster::TotalBonded` (r:1 w:1)
	/// Proof: `Roster::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn bond() -> Weight {
		// At least 68_011_000 picoseconds.
		Weight::from_parts(71_136_000, 4170)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Roster::Bonds` (r:1 w:1)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	fn unbond() -> Weight {
		// At least 15_974_000 picoseconds.
		Weight::from_parts(18_057_000, 4170)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Roster::Bonds` (r:1 w:1)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Exposures` (r:1 w:0)
	/// Proof: `Jobs::Exposures` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Roster::TotalBonded` (r:1 w:1)
	/// Proof: `Roster::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn withdraw_unbonded() -> Weight {
		// At least 71_387_000 picoseconds.
		Weight::from_parts(75_773_000, 4170)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Roster::Bonds` (r:1 w:1)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Roster::TotalBonded` (r:1 w:1)
	/// Proof: `Roster::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn slash() -> Weight {
		// At least 83_574_000 picoseconds.
		Weight::from_parts(87_430_000, 6196)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn add_masternode() -> Weight {
		Weight::from_parts(16_655_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn remove_masternode() -> Weight {
		Weight::from_parts(26_730_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn publish_endpoints() -> Weight {
		Weight::from_parts(33_710_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn ban() -> Weight {
		Weight::from_parts(21_021_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn lift_ban() -> Weight {
		Weight::from_parts(14_391_000, 3513)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn verify_device() -> Weight {
		Weight::from_parts(15_003_000, 3513)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn unverify_device() -> Weight {
		Weight::from_parts(14_131_000, 3513)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn bond() -> Weight {
		Weight::from_parts(71_136_000, 4170)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn unbond() -> Weight {
		Weight::from_parts(18_057_000, 4170)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn withdraw_unbonded() -> Weight {
		Weight::from_parts(75_773_000, 4170)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn slash() -> Weight {
		Weight::from_parts(87_430_000, 6196)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
}
