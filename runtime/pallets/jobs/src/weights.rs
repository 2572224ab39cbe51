//! What the calls of `quern_jobs` cost.
//!
//! `draw_coordinators`, `settle`, `close_failed`, `finalise`, `look_for_due`, `keep_open`, `strike` and `take_over` are
//! not measured yet; the rest is as it was.
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-26 with 50 steps and 20 repeats, on: AMD EPYC.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_jobs`.
pub trait WeightInfo {
	fn draw_coordinators(n: u32, ) -> Weight;
	fn submit() -> Weight;
	fn settle(p: u32, d: u32, c: u32, ) -> Weight;
	fn close_failed(c: u32, ) -> Weight;
	fn cancel_awaiting() -> Weight;
	fn cancel_running() -> Weight;
	fn refund_awaiting() -> Weight;
	fn refund_running() -> Weight;
	fn set_prices() -> Weight;
	fn finalise(p: u32, d: u32, ) -> Weight;
	fn look_for_due() -> Weight;
	fn keep_open() -> Weight;
	fn strike(b: u32, ) -> Weight;
	fn take_over() -> Weight;
}

/// Weights for `quern_jobs` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `Roster::ReachableMasternodes` (r:1 w:0)
	/// Proof: `Roster::ReachableMasternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:256 w:256)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:256)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// `n` from 1 to 256.
	fn draw_coordinators(n: u32, ) -> Weight {
		// At least 52_858_000 picoseconds.
		Weight::from_parts(600_000_000, 17871)
			// Standard error: 506_233
			.saturating_add(Weight::from_parts(75_000_000, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(133_u64))
			.saturating_add(T::DbWeight::get().reads((8_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2969).saturating_mul(n.into()))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::CurrentPrices` (r:1 w:0)
	/// Proof: `Jobs::CurrentPrices` (`max_values`: Some(1), `max_size`: Some(44), added: 539, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsOf` (r:0 w:1)
	/// Proof: `Jobs::JobsOf` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn submit() -> Weight {
		// At least 209_591_000 picoseconds.
		Weight::from_parts(322_612_000, 17871)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:259 w:259)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Devices` (r:512 w:0)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(170), added: 2645, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RetiredDevices` (r:512 w:512)
	/// Proof: `Workforce::RetiredDevices` (`max_values`: None, `max_size`: Some(104), added: 2579, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:0 w:1)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(148), added: 2623, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// `p` from 0 to 256.
	/// `d` from 0 to 512.
	/// `c` from 1 to 7.
	fn settle(p: u32, d: u32, c: u32, ) -> Weight {
		// At least 6_591_571_000 picoseconds.
		Weight::from_parts(7_621_422_000, 11707)
			// Standard error: 992_097
			.saturating_add(Weight::from_parts(62_599_249, 0).saturating_mul(p.into()))
			// Standard error: 495_862
			.saturating_add(Weight::from_parts(14_400_707, 0).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(70_000_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(d.into())))
			.saturating_add(T::DbWeight::get().writes(11_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
			.saturating_add(Weight::from_parts(0, 2645).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn close_failed(c: u32, ) -> Weight {
		// At least 116_788_000 picoseconds.
		Weight::from_parts(213_118_000, 11707)
			.saturating_add(Weight::from_parts(70_000_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	fn cancel_awaiting() -> Weight {
		// At least 176_228_000 picoseconds.
		Weight::from_parts(271_727_000, 17871)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	fn cancel_running() -> Weight {
		// At least 27_421_000 picoseconds.
		Weight::from_parts(38_852_000, 3959)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	fn refund_awaiting() -> Weight {
		// At least 162_573_000 picoseconds.
		Weight::from_parts(197_048_000, 17871)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(494), added: 2969, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(157), added: 2632, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(80), added: 575, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn refund_running() -> Weight {
		// At least 96_239_000 picoseconds.
		Weight::from_parts(143_137_000, 3959)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::CurrentPrices` (r:0 w:1)
	/// Proof: `Jobs::CurrentPrices` (`max_values`: Some(1), `max_size`: Some(44), added: 539, mode: `MaxEncodedLen`)
	fn set_prices() -> Weight {
		// At least 9_959_000 picoseconds.
		Weight::from_parts(19_516_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn finalise(p: u32, d: u32, ) -> Weight {
		Weight::from_parts(1_000_000_000, 11707)
			.saturating_add(Weight::from_parts(62_599_249, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(14_400_707, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(d.into())))
			.saturating_add(T::DbWeight::get().writes(13_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
	}
	fn look_for_due() -> Weight {
		Weight::from_parts(120_000_000, 53211)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	fn keep_open() -> Weight {
		Weight::from_parts(40_000_000, 5553)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn strike(b: u32, ) -> Weight {
		Weight::from_parts(350_000_000, 11707)
			.saturating_add(Weight::from_parts(300_000_000, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(17_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(b.into())))
			.saturating_add(T::DbWeight::get().writes(10_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(b.into())))
	}
	fn take_over() -> Weight {
		Weight::from_parts(300_000_000, 5583)
			.saturating_add(T::DbWeight::get().reads(14_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn draw_coordinators(n: u32, ) -> Weight {
		Weight::from_parts(600_000_000, 17871)
			.saturating_add(Weight::from_parts(75_000_000, 0).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(133_u64))
			.saturating_add(RocksDbWeight::get().reads((8_u64).saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2969).saturating_mul(n.into()))
	}
	fn submit() -> Weight {
		Weight::from_parts(322_612_000, 17871)
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn settle(p: u32, d: u32, c: u32, ) -> Weight {
		Weight::from_parts(7_621_422_000, 11707)
			.saturating_add(Weight::from_parts(62_599_249, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(14_400_707, 0).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(70_000_000, 0).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(d.into())))
			.saturating_add(RocksDbWeight::get().writes(11_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(d.into())))
			.saturating_add(Weight::from_parts(0, 2645).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	fn close_failed(c: u32, ) -> Weight {
		Weight::from_parts(213_118_000, 11707)
			.saturating_add(Weight::from_parts(70_000_000, 0).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn cancel_awaiting() -> Weight {
		Weight::from_parts(271_727_000, 17871)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn cancel_running() -> Weight {
		Weight::from_parts(38_852_000, 3959)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn refund_awaiting() -> Weight {
		Weight::from_parts(197_048_000, 17871)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn refund_running() -> Weight {
		Weight::from_parts(143_137_000, 3959)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn set_prices() -> Weight {
		Weight::from_parts(19_516_000, 0)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn finalise(p: u32, d: u32, ) -> Weight {
		Weight::from_parts(1_000_000_000, 11707)
			.saturating_add(Weight::from_parts(62_599_249, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(14_400_707, 0).saturating_mul(d.into()))
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(d.into())))
			.saturating_add(RocksDbWeight::get().writes(13_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(d.into())))
	}
	fn look_for_due() -> Weight {
		Weight::from_parts(120_000_000, 53211)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
	}
	fn keep_open() -> Weight {
		Weight::from_parts(40_000_000, 5553)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn strike(b: u32, ) -> Weight {
		Weight::from_parts(350_000_000, 11707)
			.saturating_add(Weight::from_parts(300_000_000, 0).saturating_mul(b.into()))
			.saturating_add(RocksDbWeight::get().reads(17_u64))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(b.into())))
			.saturating_add(RocksDbWeight::get().writes(10_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(b.into())))
	}
	fn take_over() -> Weight {
		Weight::from_parts(300_000_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(14_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
}
