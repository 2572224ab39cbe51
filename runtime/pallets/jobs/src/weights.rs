//! What the jobs' calls cost.
//!
//! These are estimates by database operations, generous on purpose. `cargo xtask weights` replaces
//! this file by measurements of the benchmarks.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_jobs`.
pub trait WeightInfo {
	fn draw_coordinators(n: u32, ) -> Weight;
	fn submit() -> Weight;
	fn settle(p: u32, d: u32, ) -> Weight;
	fn close_failed() -> Weight;
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
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Storage: `Jobs::Jobs` (r:256 w:256)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:256)
	/// The range of component `n` is `[1, 256]`.
	fn draw_coordinators(n: u32, ) -> Weight {
		Weight::from_parts(40_000_000, 20_000)
			.saturating_add(Weight::from_parts(20_000_000, 3_000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Storage: `Jobs::CurrentPrices` (r:1 w:0)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::JobsOf` (r:0 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `System::BlockHash` (r:1 w:0)
	fn submit() -> Weight {
		Weight::from_parts(150_000_000, 20_000)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Jobs::Batches` (r:0 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:259 w:259)
	/// Storage: `Workforce::Devices` (r:512 w:512)
	/// The range of component `p` is `[0, 256]`.
	/// The range of component `d` is `[0, 512]`.
	fn settle(p: u32, d: u32, ) -> Weight {
		Weight::from_parts(500_000_000, 30_000)
			.saturating_add(Weight::from_parts(60_000_000, 3_000).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(20_000_000, 3_000).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(d.into())))
			.saturating_add(T::DbWeight::get().writes(10_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
	}
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn close_failed() -> Weight {
		Weight::from_parts(150_000_000, 30_000)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	fn cancel_awaiting() -> Weight {
		Weight::from_parts(150_000_000, 30_000)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	fn cancel_running() -> Weight {
		Weight::from_parts(60_000_000, 10_000)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	fn refund_awaiting() -> Weight {
		Weight::from_parts(150_000_000, 30_000)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	fn refund_running() -> Weight {
		Weight::from_parts(150_000_000, 20_000)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::CurrentPrices` (r:0 w:1)
	fn set_prices() -> Weight {
		Weight::from_parts(20_000_000, 3_000)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
}

// For tests.
impl WeightInfo for () {
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Storage: `Jobs::Jobs` (r:256 w:256)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:256)
	/// The range of component `n` is `[1, 256]`.
	fn draw_coordinators(n: u32, ) -> Weight {
		Weight::from_parts(40_000_000, 20_000)
			.saturating_add(Weight::from_parts(20_000_000, 3_000).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
			.saturating_add(RocksDbWeight::get().writes((2_u64).saturating_mul(n.into())))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Storage: `Jobs::CurrentPrices` (r:1 w:0)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::JobsOf` (r:0 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `System::BlockHash` (r:1 w:0)
	fn submit() -> Weight {
		Weight::from_parts(150_000_000, 20_000)
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Jobs::Batches` (r:0 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:259 w:259)
	/// Storage: `Workforce::Devices` (r:512 w:512)
	/// The range of component `p` is `[0, 256]`.
	/// The range of component `d` is `[0, 512]`.
	fn settle(p: u32, d: u32, ) -> Weight {
		Weight::from_parts(500_000_000, 30_000)
			.saturating_add(Weight::from_parts(60_000_000, 3_000).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(20_000_000, 3_000).saturating_mul(d.into()))
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(d.into())))
			.saturating_add(RocksDbWeight::get().writes(10_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(d.into())))
	}
	/// Storage: `Jobs::SettledTasks` (r:1 w:1)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn close_failed() -> Weight {
		Weight::from_parts(150_000_000, 30_000)
			.saturating_add(RocksDbWeight::get().reads(7_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	fn cancel_awaiting() -> Weight {
		Weight::from_parts(150_000_000, 30_000)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	fn cancel_running() -> Weight {
		Weight::from_parts(60_000_000, 10_000)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	/// Storage: `Jobs::Awaiting` (r:1 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	fn refund_awaiting() -> Weight {
		Weight::from_parts(150_000_000, 30_000)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::JobsCoordinatedBy` (r:0 w:1)
	/// Storage: `Jobs::Jobs` (r:1 w:1)
	/// Storage: `Jobs::Totals` (r:1 w:1)
	/// Storage: `Jobs::OpenJobs` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Jobs::SettledTasks` (r:0 w:1)
	fn refund_running() -> Weight {
		Weight::from_parts(150_000_000, 20_000)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	/// Storage: `Jobs::CurrentPrices` (r:0 w:1)
	fn set_prices() -> Weight {
		Weight::from_parts(20_000_000, 3_000)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
}
