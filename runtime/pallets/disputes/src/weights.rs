//! What the calls of `quern_disputes` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-30 with 50 steps and 20 repeats, on: AMD EPYC.

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
	/// Storage: `Workforce::Devices` (r:1 w:1)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(182), added: 2657, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RegisteredAt` (r:1 w:0)
	/// Proof: `Workforce::RegisteredAt` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Convictions` (r:1 w:1)
	/// Proof: `Disputes::Convictions` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::TotalBonded` (r:1 w:1)
	/// Proof: `Workforce::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	fn dispute_wrong_answer() -> Weight {
		// At least 793_411_000 picoseconds.
		Weight::from_parts(812_028_000, 48683)
			.saturating_add(T::DbWeight::get().reads(27_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:0)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:0)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:7 w:1)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Convictions` (r:1 w:1)
	/// Proof: `Disputes::Convictions` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Roster::TotalBonded` (r:1 w:1)
	/// Proof: `Roster::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Exposures` (r:1 w:0)
	/// Proof: `Jobs::Exposures` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	fn dispute_entries() -> Weight {
		// At least 509_108_000 picoseconds.
		Weight::from_parts(560_274_000, 23250)
			.saturating_add(T::DbWeight::get().reads(20_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
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
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// `v` from 1 to 256.
	fn step(v: u32, ) -> Weight {
		// At least 152_687_000 picoseconds.
		Weight::from_parts(188_145_498, 48683)
			// Standard error: 104_241
			.saturating_add(Weight::from_parts(4_743_897, 0).saturating_mul(v.into()))
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
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::TotalHeld` (r:1 w:1)
	/// Proof: `Disputes::TotalHeld` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::OpenIn` (r:1 w:1)
	/// Proof: `Disputes::OpenIn` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:0)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
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
		// At least 259_666_000 picoseconds.
		Weight::from_parts(319_706_000, 48683)
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
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::TotalHeld` (r:1 w:1)
	/// Proof: `Disputes::TotalHeld` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::OpenIn` (r:1 w:1)
	/// Proof: `Disputes::OpenIn` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:0)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
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
		// At least 401_648_000 picoseconds.
		Weight::from_parts(513_124_000, 48683)
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
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
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
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Disputes::Convictions` (r:1 w:1)
	/// Proof: `Disputes::Convictions` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Roster::TotalBonded` (r:1 w:1)
	/// Proof: `Roster::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Exposures` (r:1 w:1)
	/// Proof: `Jobs::Exposures` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
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
		// At least 434_928_000 picoseconds.
		Weight::from_parts(488_648_000, 48683)
			.saturating_add(T::DbWeight::get().reads(36_u64))
			.saturating_add(T::DbWeight::get().writes(27_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn dispute_wrong_answer() -> Weight {
		Weight::from_parts(812_028_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(27_u64))
			.saturating_add(RocksDbWeight::get().writes(9_u64))
	}
	fn dispute_entries() -> Weight {
		Weight::from_parts(560_274_000, 23250)
			.saturating_add(RocksDbWeight::get().reads(20_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn step(v: u32, ) -> Weight {
		Weight::from_parts(188_145_498, 48683)
			.saturating_add(Weight::from_parts(4_743_897, 0).saturating_mul(v.into()))
			.saturating_add(RocksDbWeight::get().reads(20_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn answer_verdict() -> Weight {
		Weight::from_parts(319_706_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(26_u64))
			.saturating_add(RocksDbWeight::get().writes(11_u64))
	}
	fn answer_reports() -> Weight {
		Weight::from_parts(513_124_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(26_u64))
			.saturating_add(RocksDbWeight::get().writes(11_u64))
	}
	fn expire() -> Weight {
		Weight::from_parts(488_648_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(36_u64))
			.saturating_add(RocksDbWeight::get().writes(27_u64))
	}
}
