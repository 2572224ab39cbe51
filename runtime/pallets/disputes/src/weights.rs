//! What the calls of `quern_disputes` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks. Measured on 2026-11-27 with 50 steps and 20
//! repeats, on: AMD EPYC. `dispute_entries` and `answer_reports` are not measured: they are reckoned from
//! `dispute_wrong_answer` and `answer_verdict`, with what their comments add.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_disputes`.
pub trait WeightInfo {
	fn dispute_wrong_answer() -> Weight;
	fn dispute_entries() -> Weight;
	fn step(v: u32, ) -> Weight;
	fn answer_verdict() -> Weight;
	fn answer_reports() -> Weight;
	fn expire() -> Weight;
}

/// Weights for `quern_disputes` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Jobs::Jobs` (r:1 w:0)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:0)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:0)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:5 w:0)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Devices` (r:1 w:0)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(174), added: 2649, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RetiredDevices` (r:1 w:0)
	/// Proof: `Workforce::RetiredDevices` (`max_values`: None, `max_size`: Some(108), added: 2583, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:0)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(69), added: 564, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Convictions` (r:1 w:1)
	/// Proof: `Disputes::Convictions` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	fn dispute_wrong_answer() -> Weight {
		// At least 1_440_238_000 picoseconds, measured without the signature under the header: 100_000_000 more are reckoned for it.
		Weight::from_parts(1_604_594_000, 48683)
			.saturating_add(T::DbWeight::get().reads(23_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:0)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:0)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:0)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:5 w:0)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Devices` (r:1 w:0)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(174), added: 2649, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RetiredDevices` (r:1 w:0)
	/// Proof: `Workforce::RetiredDevices` (`max_values`: None, `max_size`: Some(108), added: 2583, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:0)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(69), added: 564, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Convictions` (r:1 w:1)
	/// Proof: `Disputes::Convictions` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	fn dispute_entries() -> Weight {
		// Reckoned: 600_000_000 picoseconds more than a wrong answer, for two entries with the longest batches, each hashed and read.
		Weight::from_parts(2_204_594_000, 48683)
			.saturating_add(T::DbWeight::get().reads(23_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Disputes::Disputes` (r:1 w:0)
	/// Proof: `Disputes::Disputes` (`max_values`: None, `max_size`: Some(215), added: 2690, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Sums` (r:1 w:1)
	/// Proof: `Disputes::Sums` (`max_values`: None, `max_size`: Some(37930), added: 40405, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:0)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:0)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:0)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:5 w:0)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(69), added: 564, mode: `MaxEncodedLen`)
	/// `v` from 1 to 256.
	fn step(v: u32, ) -> Weight {
		// At least 154_921_000 picoseconds.
		Weight::from_parts(133_383_689, 48683)
			// Standard error: 41_659
			.saturating_add(Weight::from_parts(34_001_152, 0).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(20_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Disputes::Disputes` (r:1 w:1)
	/// Proof: `Disputes::Disputes` (`max_values`: None, `max_size`: Some(215), added: 2690, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:0)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:0)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:0)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:5 w:0)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(69), added: 564, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::TotalHeld` (r:1 w:1)
	/// Proof: `Disputes::TotalHeld` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::OpenIn` (r:1 w:1)
	/// Proof: `Disputes::OpenIn` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:0)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:0 w:1)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::DisputesOf` (r:0 w:1)
	/// Proof: `Disputes::DisputesOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Sums` (r:0 w:1)
	/// Proof: `Disputes::Sums` (`max_values`: None, `max_size`: Some(37930), added: 40405, mode: `MaxEncodedLen`)
	fn answer_verdict() -> Weight {
		// At least 274_319_000 picoseconds.
		Weight::from_parts(321_450_000, 48683)
			.saturating_add(T::DbWeight::get().reads(26_u64))
			.saturating_add(T::DbWeight::get().writes(11_u64))
	}
	/// Storage: `Disputes::Disputes` (r:1 w:1)
	/// Proof: `Disputes::Disputes` (`max_values`: None, `max_size`: Some(215), added: 2690, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:0)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:0)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:0)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:5 w:0)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(69), added: 564, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::TotalHeld` (r:1 w:1)
	/// Proof: `Disputes::TotalHeld` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::OpenIn` (r:1 w:1)
	/// Proof: `Disputes::OpenIn` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:0)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:0 w:1)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::DisputesOf` (r:0 w:1)
	/// Proof: `Disputes::DisputesOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Sums` (r:0 w:1)
	/// Proof: `Disputes::Sums` (`max_values`: None, `max_size`: Some(37930), added: 40405, mode: `MaxEncodedLen`)
	fn answer_reports() -> Weight {
		// Reckoned: 300_000_000 picoseconds more than a verdict, for three signatures.
		Weight::from_parts(621_450_000, 48683)
			.saturating_add(T::DbWeight::get().reads(26_u64))
			.saturating_add(T::DbWeight::get().writes(11_u64))
	}
	/// Storage: `Disputes::Disputes` (r:1 w:1)
	/// Proof: `Disputes::Disputes` (`max_values`: None, `max_size`: Some(215), added: 2690, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:1)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:5 w:1)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:1)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(69), added: 564, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::TotalHeld` (r:1 w:1)
	/// Proof: `Disputes::TotalHeld` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::OpenIn` (r:1 w:1)
	/// Proof: `Disputes::OpenIn` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:1)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:3 w:3)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:3 w:3)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Convictions` (r:1 w:1)
	/// Proof: `Disputes::Convictions` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Roster::TotalBonded` (r:1 w:1)
	/// Proof: `Roster::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:0 w:1)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::DisputesOf` (r:0 w:1)
	/// Proof: `Disputes::DisputesOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Sums` (r:0 w:1)
	/// Proof: `Disputes::Sums` (`max_values`: None, `max_size`: Some(37930), added: 40405, mode: `MaxEncodedLen`)
	fn expire() -> Weight {
		// At least 379_917_000 picoseconds.
		Weight::from_parts(431_303_000, 48683)
			.saturating_add(T::DbWeight::get().reads(35_u64))
			.saturating_add(T::DbWeight::get().writes(26_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn dispute_wrong_answer() -> Weight {
		Weight::from_parts(1_604_594_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(23_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn dispute_entries() -> Weight {
		Weight::from_parts(2_204_594_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(23_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn step(v: u32, ) -> Weight {
		Weight::from_parts(133_383_689, 48683)
			.saturating_add(Weight::from_parts(34_001_152, 0).saturating_mul(v.into()))
			.saturating_add(RocksDbWeight::get().reads(20_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn answer_verdict() -> Weight {
		Weight::from_parts(321_450_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(26_u64))
			.saturating_add(RocksDbWeight::get().writes(11_u64))
	}
	fn answer_reports() -> Weight {
		Weight::from_parts(621_450_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(26_u64))
			.saturating_add(RocksDbWeight::get().writes(11_u64))
	}
	fn expire() -> Weight {
		Weight::from_parts(431_303_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(35_u64))
			.saturating_add(RocksDbWeight::get().writes(26_u64))
	}
}
