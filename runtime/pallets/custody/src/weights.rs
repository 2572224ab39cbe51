//! What the calls of `quern_custody` cost.
//!
//! Not measured: reckoned by hand until the runtime has the pallet and `cargo xtask weights` can measure it. What
//! like calls of `quern_jobs` and `quern_workforce` took goes into it: 7.5 microseconds for each item that is read
//! or written, beside what the database takes, 37 for a signature, 34 for a transfer out of what is held. The
//! runtime's Wasm is taken to hash 167 MB a second, so that a node of a tree takes 0.8 microseconds and a chunk of
//! 4 KiB 25. Of an answer with eight chunks that are 290 microseconds; 310 more are for 400 draws, which a piece of
//! 33 chunks needs once in 10^8 times.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens, unused_variables, missing_docs, clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};

/// Weight functions needed for `quern_custody`.
pub trait WeightInfo {
	fn begin_periods(l: u32, ) -> Weight;
	fn draw_groups(n: u32, ) -> Weight;
	fn open() -> Weight;
	fn hold() -> Weight;
	fn refuse() -> Weight;
	fn prove(h: u32, c: u32, ) -> Weight;
	fn challenge() -> Weight;
	fn answer() -> Weight;
	fn miss() -> Weight;
	fn look_for_due() -> Weight;
	fn release() -> Weight;
	fn forget() -> Weight;
	fn renew() -> Weight;
	fn end() -> Weight;
	fn close() -> Weight;
	fn review() -> Weight;
}

/// Weights for `quern_custody` with the runtime's own database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Custody::Lengths` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// `l` from 0 to 8.
	fn begin_periods(l: u32, ) -> Weight {
		Weight::from_parts(10_000_000, 4174)
			.saturating_add(Weight::from_parts(1_000_000, 0).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Custody::Awaiting` (r:1 w:1)
	/// Storage: `Roster::ReachableMasternodes` (r:1 w:0)
	/// Storage: `Roster::Bonds` (r:128 w:0)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Roster::PublishedEndpoints` (r:7 w:0)
	/// Storage: `Custody::Groups` (r:0 w:64)
	/// `n` from 1 to 64.
	fn draw_groups(n: u32, ) -> Weight {
		Weight::from_parts(200_000_000, 5990)
			.saturating_add(Weight::from_parts(60_000_000, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(140_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Remains` (r:1 w:0)
	/// Storage: `Custody::OpenContracts` (r:1 w:1)
	/// Storage: `Custody::Awaiting` (r:1 w:1)
	/// Storage: `Custody::Lengths` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::ContractsOf` (r:0 w:1)
	fn open() -> Weight {
		Weight::from_parts(130_000_000, 5990)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Workforce::Devices` (r:1 w:0)
	/// Storage: `Workforce::Bonds` (r:1 w:0)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Storage: `Custody::Refused` (r:1 w:0)
	/// Storage: `Custody::Standings` (r:1 w:0)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::HeldBy` (r:0 w:1)
	fn hold() -> Weight {
		Weight::from_parts(220_000_000, 5583)
			.saturating_add(T::DbWeight::get().reads(14_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:0)
	/// Storage: `Custody::Refused` (r:1 w:1)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	fn refuse() -> Weight {
		Weight::from_parts(1_700_000_000, 5583)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:263 w:263)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::Holdings` (r:256 w:256)
	/// `h` from 0 to 256.
	/// `c` from 1 to 7.
	fn prove(h: u32, c: u32, ) -> Weight {
		Weight::from_parts(110_000_000, 5583)
			.saturating_add(Weight::from_parts(49_000_000, 0).saturating_mul(h.into()))
			.saturating_add(Weight::from_parts(71_000_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(h.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(h.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(c.into())))
			.saturating_add(Weight::from_parts(0, 5787).saturating_mul(h.into()))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(c.into()))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::Lengths` (r:1 w:0)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `Custody::TotalPutUp` (r:1 w:1)
	/// Storage: `Custody::Challenges` (r:0 w:1)
	/// Storage: `Custody::DueChallenges` (r:0 w:1)
	fn challenge() -> Weight {
		Weight::from_parts(140_000_000, 5583)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Storage: `Custody::Challenges` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::TotalPutUp` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Storage: `System::Account` (r:4 w:4)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::DueChallenges` (r:0 w:1)
	fn answer() -> Weight {
		Weight::from_parts(840_000_000, 4174)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(12_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Storage: `Custody::Challenges` (r:1 w:1)
	/// Storage: `Custody::Standings` (r:1 w:1)
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::TotalPutUp` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `Workforce::TotalBonded` (r:1 w:1)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Storage: `Custody::Misses` (r:1 w:1)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::DueChallenges` (r:0 w:1)
	/// Storage: `Custody::Wishes` (r:0 w:1)
	fn miss() -> Weight {
		Weight::from_parts(300_000_000, 14398)
			.saturating_add(T::DbWeight::get().reads(16_u64))
			.saturating_add(T::DbWeight::get().writes(17_u64))
	}
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::DueChallenges` (r:1 w:0)
	fn look_for_due() -> Weight {
		Weight::from_parts(25_000_000, 4174)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Storage: `Custody::Wishes` (r:1 w:1)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Storage: `Custody::Totals` (r:1 w:1)
	fn release() -> Weight {
		Weight::from_parts(100_000_000, 5583)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::Remains` (r:1 w:1)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Storage: `Custody::HeldBy` (r:0 w:1)
	/// Storage: `Custody::Wishes` (r:0 w:1)
	fn forget() -> Weight {
		Weight::from_parts(90_000_000, 4174)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `Custody::Totals` (r:1 w:1)
	fn renew() -> Weight {
		Weight::from_parts(80_000_000, 4174)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::Totals` (r:1 w:1)
	fn end() -> Weight {
		Weight::from_parts(40_000_000, 4174)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Storage: `Custody::OpenContracts` (r:1 w:1)
	/// Storage: `Custody::Groups` (r:1 w:1)
	/// Storage: `Custody::Awaiting` (r:1 w:1)
	/// Storage: `Custody::Lengths` (r:1 w:1)
	/// Storage: `Custody::ContractsOf` (r:0 w:1)
	/// Storage: `Custody::Refused` (r:0 w:1)
	/// Storage: `Custody::Remains` (r:0 w:1)
	fn close() -> Weight {
		Weight::from_parts(140_000_000, 5990)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(11_u64))
	}
	/// Storage: `Workforce::Devices` (r:1 w:0)
	/// Storage: `Custody::Standings` (r:1 w:1)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Storage: `Custody::Misses` (r:0 w:1)
	fn review() -> Weight {
		Weight::from_parts(40_000_000, 14398)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn begin_periods(l: u32, ) -> Weight {
		Weight::from_parts(10_000_000, 4174)
			.saturating_add(Weight::from_parts(1_000_000, 0).saturating_mul(l.into()))
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn draw_groups(n: u32, ) -> Weight {
		Weight::from_parts(200_000_000, 5990)
			.saturating_add(Weight::from_parts(60_000_000, 0).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(140_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(n.into())))
	}
	fn open() -> Weight {
		Weight::from_parts(130_000_000, 5990)
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn hold() -> Weight {
		Weight::from_parts(220_000_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(14_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
	fn refuse() -> Weight {
		Weight::from_parts(1_700_000_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn prove(h: u32, c: u32, ) -> Weight {
		Weight::from_parts(110_000_000, 5583)
			.saturating_add(Weight::from_parts(49_000_000, 0).saturating_mul(h.into()))
			.saturating_add(Weight::from_parts(71_000_000, 0).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(h.into())))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(c.into())))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
			.saturating_add(RocksDbWeight::get().writes((2_u64).saturating_mul(h.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(c.into())))
			.saturating_add(Weight::from_parts(0, 5787).saturating_mul(h.into()))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(c.into()))
	}
	fn challenge() -> Weight {
		Weight::from_parts(140_000_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn answer() -> Weight {
		Weight::from_parts(840_000_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().writes(12_u64))
	}
	fn miss() -> Weight {
		Weight::from_parts(300_000_000, 14398)
			.saturating_add(RocksDbWeight::get().reads(16_u64))
			.saturating_add(RocksDbWeight::get().writes(17_u64))
	}
	fn look_for_due() -> Weight {
		Weight::from_parts(25_000_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
	}
	fn release() -> Weight {
		Weight::from_parts(100_000_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
	fn forget() -> Weight {
		Weight::from_parts(90_000_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn renew() -> Weight {
		Weight::from_parts(80_000_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn end() -> Weight {
		Weight::from_parts(40_000_000, 4174)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn close() -> Weight {
		Weight::from_parts(140_000_000, 5990)
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(11_u64))
	}
	fn review() -> Weight {
		Weight::from_parts(40_000_000, 14398)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
}
