//! What the calls of `quern_custody` cost.
//!
//! Written by `cargo xtask weights` from the pallet's benchmarks; not edited by hand. Measured on
//! 2026-11-30 with 50 steps and 20 repeats, on: AMD EPYC.

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
	/// Proof: `Custody::Lengths` (`max_values`: Some(1), `max_size`: Some(361), added: 856, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// `l` from 0 to 8.
	fn begin_periods(l: u32, ) -> Weight {
		// At least 5_478_000 picoseconds.
		Weight::from_parts(9_839_695, 1846)
			// Standard error: 5_035
			.saturating_add(Weight::from_parts(677_855, 0).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Custody::Awaiting` (r:1 w:1)
	/// Proof: `Custody::Awaiting` (`max_values`: Some(1), `max_size`: Some(4354), added: 4849, mode: `MaxEncodedLen`)
	/// Storage: `Roster::ReachableMasternodes` (r:1 w:0)
	/// Proof: `Roster::ReachableMasternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Bonds` (r:128 w:0)
	/// Proof: `Roster::Bonds` (`max_values`: None, `max_size`: Some(705), added: 3180, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `Roster::PublishedEndpoints` (r:7 w:0)
	/// Proof: `Roster::PublishedEndpoints` (`max_values`: None, `max_size`: Some(2435), added: 4910, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:0 w:64)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// `n` from 1 to 64.
	fn draw_groups(n: u32, ) -> Weight {
		// At least 707_413_000 picoseconds.
		Weight::from_parts(717_575_674, 408030)
			// Standard error: 591_346
			.saturating_add(Weight::from_parts(49_381_093, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(140_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
	}
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Remains` (r:1 w:0)
	/// Proof: `Custody::Remains` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Custody::OpenContracts` (r:1 w:1)
	/// Proof: `Custody::OpenContracts` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Awaiting` (r:1 w:1)
	/// Proof: `Custody::Awaiting` (`max_values`: Some(1), `max_size`: Some(4354), added: 4849, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Lengths` (r:1 w:1)
	/// Proof: `Custody::Lengths` (`max_values`: Some(1), `max_size`: Some(361), added: 856, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Custody::ContractsOf` (r:0 w:1)
	/// Proof: `Custody::ContractsOf` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	fn open() -> Weight {
		// At least 98_887_000 picoseconds.
		Weight::from_parts(106_398_000, 5839)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Devices` (r:1 w:0)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(182), added: 2657, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:0)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `Params::Current` (r:1 w:0)
	/// Proof: `Params::Current` (`max_values`: Some(1), `max_size`: Some(129), added: 624, mode: `MaxEncodedLen`)
	/// Storage: `Roster::BannedAccounts` (r:1 w:0)
	/// Proof: `Roster::BannedAccounts` (`max_values`: None, `max_size`: Some(48), added: 2523, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Refused` (r:1 w:0)
	/// Proof: `Custody::Refused` (`max_values`: None, `max_size`: Some(306), added: 2781, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Standings` (r:1 w:0)
	/// Proof: `Custody::Standings` (`max_values`: None, `max_size`: Some(62), added: 2537, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Proof: `Custody::Holders` (`max_values`: None, `max_size`: Some(61), added: 2536, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Custody::HeldBy` (r:0 w:1)
	/// Proof: `Custody::HeldBy` (`max_values`: None, `max_size`: Some(100), added: 2575, mode: `MaxEncodedLen`)
	fn hold() -> Weight {
		// At least 189_632_000 picoseconds.
		Weight::from_parts(199_857_000, 5583)
			.saturating_add(T::DbWeight::get().reads(14_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:0)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Refused` (r:1 w:1)
	/// Proof: `Custody::Refused` (`max_values`: None, `max_size`: Some(306), added: 2781, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	fn refuse() -> Weight {
		// At least 435_438_000 picoseconds.
		Weight::from_parts(447_456_000, 5583)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holdings` (r:256 w:256)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:265 w:265)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// `h` from 0 to 256.
	/// `c` from 1 to 7.
	fn prove(h: u32, c: u32, ) -> Weight {
		// At least 816_245_000 picoseconds.
		Weight::from_parts(833_831_000, 6489)
			// Standard error: 178_739
			.saturating_add(Weight::from_parts(60_171_193, 0).saturating_mul(h.into()))
			// Standard error: 6_579_441
			.saturating_add(Weight::from_parts(50_709_337, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(h.into())))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(h.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(c.into())))
			.saturating_add(Weight::from_parts(0, 2588).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 2701).saturating_mul(h.into()))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Lengths` (r:1 w:0)
	/// Proof: `Custody::Lengths` (`max_values`: Some(1), `max_size`: Some(361), added: 856, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Custody::TotalPutUp` (r:1 w:1)
	/// Proof: `Custody::TotalPutUp` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Challenges` (r:0 w:1)
	/// Proof: `Custody::Challenges` (`max_values`: None, `max_size`: Some(177), added: 2652, mode: `MaxEncodedLen`)
	/// Storage: `Custody::DueChallenges` (r:0 w:1)
	/// Proof: `Custody::DueChallenges` (`max_values`: None, `max_size`: Some(88), added: 2563, mode: `MaxEncodedLen`)
	fn challenge() -> Weight {
		// At least 122_022_000 picoseconds.
		Weight::from_parts(136_323_000, 5583)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Challenges` (r:1 w:1)
	/// Proof: `Custody::Challenges` (`max_values`: None, `max_size`: Some(177), added: 2652, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::TotalPutUp` (r:1 w:1)
	/// Proof: `Custody::TotalPutUp` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:4 w:4)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Custody::DueChallenges` (r:0 w:1)
	/// Proof: `Custody::DueChallenges` (`max_values`: None, `max_size`: Some(88), added: 2563, mode: `MaxEncodedLen`)
	fn answer() -> Weight {
		// At least 313_437_000 picoseconds.
		Weight::from_parts(335_319_000, 11402)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(12_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Challenges` (r:1 w:1)
	/// Proof: `Custody::Challenges` (`max_values`: None, `max_size`: Some(177), added: 2652, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Standings` (r:1 w:1)
	/// Proof: `Custody::Standings` (`max_values`: None, `max_size`: Some(62), added: 2537, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::Bonds` (r:1 w:1)
	/// Proof: `Workforce::Bonds` (`max_values`: None, `max_size`: Some(709), added: 3184, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::TotalPutUp` (r:1 w:1)
	/// Proof: `Custody::TotalPutUp` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Workforce::TotalBonded` (r:1 w:1)
	/// Proof: `Workforce::TotalBonded` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Bytechip::Burnt` (r:1 w:1)
	/// Proof: `Bytechip::Burnt` (`max_values`: Some(1), `max_size`: Some(16), added: 511, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Misses` (r:1 w:1)
	/// Proof: `Custody::Misses` (`max_values`: None, `max_size`: Some(10930), added: 13405, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Proof: `Custody::Holders` (`max_values`: None, `max_size`: Some(61), added: 2536, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Wishes` (r:0 w:1)
	/// Proof: `Custody::Wishes` (`max_values`: None, `max_size`: Some(89), added: 2564, mode: `MaxEncodedLen`)
	/// Storage: `Custody::DueChallenges` (r:0 w:1)
	/// Proof: `Custody::DueChallenges` (`max_values`: None, `max_size`: Some(88), added: 2563, mode: `MaxEncodedLen`)
	fn miss() -> Weight {
		// At least 233_087_000 picoseconds.
		Weight::from_parts(246_718_000, 14395)
			.saturating_add(T::DbWeight::get().reads(16_u64))
			.saturating_add(T::DbWeight::get().writes(17_u64))
	}
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::DueChallenges` (r:1 w:0)
	/// Proof: `Custody::DueChallenges` (`max_values`: None, `max_size`: Some(88), added: 2563, mode: `MaxEncodedLen`)
	fn look_for_due() -> Weight {
		// At least 9_615_000 picoseconds.
		Weight::from_parts(12_238_000, 3553)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:1 w:0)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Roster::Masternodes` (r:1 w:0)
	/// Proof: `Roster::Masternodes` (`max_values`: Some(1), `max_size`: Some(4098), added: 4593, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Wishes` (r:1 w:1)
	/// Proof: `Custody::Wishes` (`max_values`: None, `max_size`: Some(89), added: 2564, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Proof: `Custody::Holders` (`max_values`: None, `max_size`: Some(61), added: 2536, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	fn release() -> Weight {
		// At least 73_289_000 picoseconds.
		Weight::from_parts(85_407_000, 5583)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Custody::Holdings` (r:1 w:1)
	/// Proof: `Custody::Holdings` (`max_values`: None, `max_size`: Some(227), added: 2702, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Holders` (r:1 w:1)
	/// Proof: `Custody::Holders` (`max_values`: None, `max_size`: Some(61), added: 2536, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Wishes` (r:0 w:1)
	/// Proof: `Custody::Wishes` (`max_values`: None, `max_size`: Some(89), added: 2564, mode: `MaxEncodedLen`)
	/// Storage: `Custody::HeldBy` (r:0 w:1)
	/// Proof: `Custody::HeldBy` (`max_values`: None, `max_size`: Some(100), added: 2575, mode: `MaxEncodedLen`)
	fn forget() -> Weight {
		// At least 55_102_000 picoseconds.
		Weight::from_parts(63_284_000, 3790)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	fn renew() -> Weight {
		// At least 90_765_000 picoseconds.
		Weight::from_parts(108_632_000, 3790)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	fn end() -> Weight {
		// At least 32_298_000 picoseconds.
		Weight::from_parts(40_290_000, 3790)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Custody::Contracts` (r:1 w:1)
	/// Proof: `Custody::Contracts` (`max_values`: None, `max_size`: Some(325), added: 2800, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(229), added: 2704, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Totals` (r:1 w:1)
	/// Proof: `Custody::Totals` (`max_values`: Some(1), `max_size`: Some(96), added: 591, mode: `MaxEncodedLen`)
	/// Storage: `Custody::OpenContracts` (r:1 w:1)
	/// Proof: `Custody::OpenContracts` (`max_values`: None, `max_size`: Some(52), added: 2527, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Groups` (r:1 w:1)
	/// Proof: `Custody::Groups` (`max_values`: None, `max_size`: Some(542), added: 3017, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Lengths` (r:1 w:1)
	/// Proof: `Custody::Lengths` (`max_values`: Some(1), `max_size`: Some(361), added: 856, mode: `MaxEncodedLen`)
	/// Storage: `Custody::ContractsOf` (r:0 w:1)
	/// Proof: `Custody::ContractsOf` (`max_values`: None, `max_size`: Some(96), added: 2571, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Refused` (r:0 w:1)
	/// Proof: `Custody::Refused` (`max_values`: None, `max_size`: Some(306), added: 2781, mode: `MaxEncodedLen`)
	fn close() -> Weight {
		// At least 98_166_000 picoseconds.
		Weight::from_parts(121_661_000, 4007)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
	/// Storage: `Workforce::Devices` (r:1 w:0)
	/// Proof: `Workforce::Devices` (`max_values`: None, `max_size`: Some(182), added: 2657, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Standings` (r:1 w:1)
	/// Proof: `Custody::Standings` (`max_values`: None, `max_size`: Some(62), added: 2537, mode: `MaxEncodedLen`)
	/// Storage: `Finality::Clock` (r:1 w:0)
	/// Proof: `Finality::Clock` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Custody::Misses` (r:0 w:1)
	/// Proof: `Custody::Misses` (`max_values`: None, `max_size`: Some(10930), added: 13405, mode: `MaxEncodedLen`)
	fn review() -> Weight {
		// At least 37_576_000 picoseconds.
		Weight::from_parts(46_709_000, 3647)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
}

// For tests, whose runtime has no database costs of its own.
impl WeightInfo for () {
	fn begin_periods(l: u32, ) -> Weight {
		Weight::from_parts(9_839_695, 1846)
			.saturating_add(Weight::from_parts(677_855, 0).saturating_mul(l.into()))
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn draw_groups(n: u32, ) -> Weight {
		Weight::from_parts(717_575_674, 408030)
			.saturating_add(Weight::from_parts(49_381_093, 0).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(140_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(n.into())))
	}
	fn open() -> Weight {
		Weight::from_parts(106_398_000, 5839)
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
	}
	fn hold() -> Weight {
		Weight::from_parts(199_857_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(14_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
	fn refuse() -> Weight {
		Weight::from_parts(447_456_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn prove(h: u32, c: u32, ) -> Weight {
		Weight::from_parts(833_831_000, 6489)
			.saturating_add(Weight::from_parts(60_171_193, 0).saturating_mul(h.into()))
			.saturating_add(Weight::from_parts(50_709_337, 0).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().reads((2_u64).saturating_mul(h.into())))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(c.into())))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
			.saturating_add(RocksDbWeight::get().writes((2_u64).saturating_mul(h.into())))
			.saturating_add(RocksDbWeight::get().writes((1_u64).saturating_mul(c.into())))
			.saturating_add(Weight::from_parts(0, 2588).saturating_mul(c.into()))
			.saturating_add(Weight::from_parts(0, 2701).saturating_mul(h.into()))
	}
	fn challenge() -> Weight {
		Weight::from_parts(136_323_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(9_u64))
			.saturating_add(RocksDbWeight::get().writes(7_u64))
	}
	fn answer() -> Weight {
		Weight::from_parts(335_319_000, 11402)
			.saturating_add(RocksDbWeight::get().reads(12_u64))
			.saturating_add(RocksDbWeight::get().writes(12_u64))
	}
	fn miss() -> Weight {
		Weight::from_parts(246_718_000, 14395)
			.saturating_add(RocksDbWeight::get().reads(16_u64))
			.saturating_add(RocksDbWeight::get().writes(17_u64))
	}
	fn look_for_due() -> Weight {
		Weight::from_parts(12_238_000, 3553)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
	}
	fn release() -> Weight {
		Weight::from_parts(85_407_000, 5583)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
	fn forget() -> Weight {
		Weight::from_parts(63_284_000, 3790)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(5_u64))
	}
	fn renew() -> Weight {
		Weight::from_parts(108_632_000, 3790)
			.saturating_add(RocksDbWeight::get().reads(5_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	fn end() -> Weight {
		Weight::from_parts(40_290_000, 3790)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	fn close() -> Weight {
		Weight::from_parts(121_661_000, 4007)
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().writes(9_u64))
	}
	fn review() -> Weight {
		Weight::from_parts(46_709_000, 3647)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
}
