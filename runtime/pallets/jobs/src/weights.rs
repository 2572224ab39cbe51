//! What the calls of `quern_jobs` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-30 with 50 steps and 20 repeats, on: AMD EPYC.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_jobs`.
pub trait WeightInfo {
	fn draw_coordinators(n: u32, ) -> Weight;
	fn seed_lanes(n: u32, ) -> Weight;
	fn submit() -> Weight;
	fn settle(p: u32, d: u32, c: u32, ) -> Weight;
	fn finalise(p: u32, d: u32, c: u32, ) -> Weight;
	fn look_for_due() -> Weight;
	fn strike(b: u32, ) -> Weight;
	fn keep_open() -> Weight;
	fn take_over() -> Weight;
	fn close_failed(c: u32, ) -> Weight;
	fn cancel_awaiting() -> Weight;
	fn cancel_running() -> Weight;
	fn refund_awaiting() -> Weight;
	fn refund_running() -> Weight;
	fn set_prices() -> Weight;
}

/// Weights for `quern_jobs` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `Roster::ReachableMasternodes` (r:1 w:0)
	/// Proof: `Roster::ReachableMasternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:128 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:256 w:256)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Roster::PublishedEndpoints` (r:7 w:0)
	/// Proof: `Roster::PublishedEndpoints` (`max_values`: None, `max_size`: Some(2435), added: 4910, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:0 w:256)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:256)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DrawnLately` (r:0 w:1)
	/// Proof: `Jobs::DrawnLately` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// `n` from 1 to 256.
	fn draw_coordinators(n: u32, ) -> Weight {
		// At least 713_141_000 picoseconds.
		Weight::from_parts(659_308_533, 408030)
			// Standard error: 143_266
			.saturating_add(Weight::from_parts(55_708_623, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(140_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3011).saturating_mul(n.into()))
	}
	/// Storage: `Jobs::DrawnLately` (r:1 w:1)
	/// Proof: `Jobs::DrawnLately` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:256 w:256)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// `n` from 1 to 256.
	fn seed_lanes(n: u32, ) -> Weight {
		// At least 31_227_000 picoseconds.
		Weight::from_parts(6_818_483, 9679)
			// Standard error: 22_097
			.saturating_add(Weight::from_parts(6_137_330, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3017).saturating_mul(n.into()))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::CurrentPrices` (r:1 w:0)
	/// Proof: `Jobs::CurrentPrices` (`max_values`: Some(1), `max_size`: Some(44), added: 539, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsOf` (r:0 w:1)
	/// Proof: `Jobs::JobsOf` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn submit() -> Weight {
		// At least 161_140_000 picoseconds.
		Weight::from_parts(178_926_000, 17871)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Exposures` (r:1 w:1)
	/// Proof: `Jobs::Exposures` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:1 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:1)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:1 w:0)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:0 w:1)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:0 w:1)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// `p` from 0 to 256.
	/// `d` from 0 to 512.
	/// `c` from 1 to 7.
	fn settle(p: u32, d: u32, c: u32, ) -> Weight {
		// At least 237_594_000 picoseconds.
		Weight::from_parts(178_640_875, 11707)
			// Standard error: 7_659
			.saturating_add(Weight::from_parts(78_746, 0).saturating_mul(p.into()))
			// Standard error: 3_833
			.saturating_add(Weight::from_parts(100_496, 0).saturating_mul(d.into()))
			// Standard error: 296_660
			.saturating_add(Weight::from_parts(41_657_885, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
	/// Storage: `Jobs::PendingOf` (r:1 w:1)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:1 w:0)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:1)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Exposures` (r:1 w:1)
	/// Proof: `Jobs::Exposures` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:265 w:265)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Devices` (r:512 w:0)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(182), added: 2657, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::RetiredDevices` (r:512 w:512)
	/// Proof: `Workforce::RetiredDevices` (`max_values`: None, `max_size`: Some(116), added: 2591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:1 w:1)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// `p` from 0 to 256.
	/// `d` from 0 to 512.
	/// `c` from 1 to 7.
	fn finalise(p: u32, d: u32, c: u32, ) -> Weight {
		// At least 5_793_964_000 picoseconds.
		Weight::from_parts(5_918_029_000, 48683)
			// Standard error: 337_416
			.saturating_add(Weight::from_parts(38_790_635, 0).saturating_mul(p.into()))
			// Standard error: 168_793
			.saturating_add(Weight::from_parts(6_049_414, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(13_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(d.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
			.saturating_add(T::DbWeight::get().writes(14_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(c.into())))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 2657).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:1 w:0)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:0)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:1 w:0)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	fn look_for_due() -> Weight {
		// At least 47_400_000 picoseconds.
		Weight::from_parts(61_561_000, 48683)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::PendingOf` (r:1 w:1)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Pending` (r:256 w:256)
	/// Proof: `Jobs::Pending` (`max_values`: None, `max_size`: Some(45218), added: 47693, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:1 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Batches` (r:256 w:256)
	/// Proof: `Jobs::Batches` (`max_values`: None, `max_size`: Some(193), added: 2668, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Exposures` (r:1 w:1)
	/// Proof: `Jobs::Exposures` (`max_values`: None, `max_size`: Some(80), added: 2555, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:0 w:256)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:2)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// `b` from 1 to 256.
	fn strike(b: u32, ) -> Weight {
		// At least 181_971_000 picoseconds.
		Weight::from_parts(200_979_000, 11707)
			// Standard error: 93_294
			.saturating_add(Weight::from_parts(31_392_069, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(b.into())))
			.saturating_add(T::DbWeight::get().writes(9_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(b.into())))
			.saturating_add(Weight::from_parts(0, 47693).saturating_mul(b.into()))
	}
	/// Storage: `Jobs::PendingOf` (r:1 w:0)
	/// Proof: `Jobs::PendingOf` (`max_values`: None, `max_size`: Some(2098), added: 4573, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::KeptOpen` (r:0 w:1)
	/// Proof: `Jobs::KeptOpen` (`max_values`: None, `max_size`: Some(60), added: 2535, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::DueJobs` (r:0 w:1)
	/// Proof: `Jobs::DueJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	fn keep_open() -> Weight {
		// At least 18_297_000 picoseconds.
		Weight::from_parts(21_762_000, 5563)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:1 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:2)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn take_over() -> Weight {
		// At least 75_262_000 picoseconds.
		Weight::from_parts(101_561_000, 5583)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:1 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// `c` from 1 to 7.
	fn close_failed(c: u32, ) -> Weight {
		// At least 159_807_000 picoseconds.
		Weight::from_parts(142_796_311, 11707)
			// Standard error: 328_295
			.saturating_add(Weight::from_parts(40_325_574, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:0 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	fn cancel_awaiting() -> Weight {
		// At least 123_093_000 picoseconds.
		Weight::from_parts(147_539_000, 17871)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	fn cancel_running() -> Weight {
		// At least 26_660_000 picoseconds.
		Weight::from_parts(34_532_000, 4001)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Proof: `Jobs::Awaiting` (`max_values`: Some(1), `max_size`: Some(16386), added: 16881, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:0 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	fn refund_awaiting() -> Weight {
		// At least 122_171_000 picoseconds.
		Weight::from_parts(149_051_000, 17871)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Proof: `Jobs::Jobs` (`max_values`: None, `max_size`: Some(536), added: 3011, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Proof: `Jobs::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Proof: `Jobs::OpenJobs` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::Groups` (r:0 w:1)
	/// Proof: `Jobs::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	/// Proof: `Jobs::SettledTasks` (`max_values`: None, `max_size`: Some(8242), added: 10717, mode: `MaxEncodedLen`)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Proof: `Jobs::JobsCoordinatedBy` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn refund_running() -> Weight {
		// At least 94_120_000 picoseconds.
		Weight::from_parts(119_888_000, 4001)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Jobs::CurrentPrices` (r:0 w:1)
	/// Proof: `Jobs::CurrentPrices` (`max_values`: Some(1), `max_size`: Some(44), added: 539, mode: `MaxEncodedLen`)
	fn set_prices() -> Weight {
		// At least 5_649_000 picoseconds.
		Weight::from_parts(6_309_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn draw_coordinators(n: u32, ) -> Weight {
		Weight::from_parts(659_308_533, 408030)
			.saturating_add(Weight::from_parts(55_708_623, 0).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(140_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3011).saturating_mul(n.into()))
	}
	fn seed_lanes(n: u32, ) -> Weight {
		Weight::from_parts(6_818_483, 9679)
			.saturating_add(Weight::from_parts(6_137_330, 0).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3017).saturating_mul(n.into()))
	}
	fn submit() -> Weight {
		Weight::from_parts(178_926_000, 17871)
			.saturating_add(RocksDbWeight::get().reads(10_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn settle(p: u32, d: u32, c: u32, ) -> Weight {
		Weight::from_parts(178_640_875, 11707)
			.saturating_add(Weight::from_parts(78_746, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(100_496, 0).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(41_657_885, 0).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().writes(9_u64))
	}
	fn finalise(p: u32, d: u32, c: u32, ) -> Weight {
		Weight::from_parts(5_918_029_000, 48683)
			.saturating_add(Weight::from_parts(38_790_635, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(6_049_414, 0).saturating_mul(d.into()))
			.saturating_add(RocksDbWeight::get().reads(13_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(d.into())))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(c.into())))
			.saturating_add(RocksDbWeight::get().writes(14_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(d.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(c.into())))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 2657).saturating_mul(d.into()))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	fn look_for_due() -> Weight {
		Weight::from_parts(61_561_000, 48683)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
	}
	fn strike(b: u32, ) -> Weight {
		Weight::from_parts(200_979_000, 11707)
			.saturating_add(Weight::from_parts(31_392_069, 0).saturating_mul(b.into()))
			.saturating_add(RocksDbWeight::get().reads(10_u64))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(b.into())))
			.saturating_add(RocksDbWeight::get().writes(9_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(b.into())))
			.saturating_add(Weight::from_parts(0, 47693).saturating_mul(b.into()))
	}
	fn keep_open() -> Weight {
		Weight::from_parts(21_762_000, 5563)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn take_over() -> Weight {
		Weight::from_parts(101_561_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn close_failed(c: u32, ) -> Weight {
		Weight::from_parts(142_796_311, 11707)
			.saturating_add(Weight::from_parts(40_325_574, 0).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn cancel_awaiting() -> Weight {
		Weight::from_parts(147_539_000, 17871)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn cancel_running() -> Weight {
		Weight::from_parts(34_532_000, 4001)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn refund_awaiting() -> Weight {
		Weight::from_parts(149_051_000, 17871)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn refund_running() -> Weight {
		Weight::from_parts(119_888_000, 4001)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn set_prices() -> Weight {
		Weight::from_parts(6_309_000, 0)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
}
