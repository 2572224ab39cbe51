//! A chain of the workforce and the real balances.

use crate as quern_workforce;
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU32, ConstU128},
};
use quern_primitives::{AccountId, Amount, amount::BYTECHIP};
use sp_runtime::{BuildStorage, traits::IdentityLookup};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Workforce: quern_workforce,
    }
);

/// The least bond of a device, as long as no test sets another.
pub const MIN_BOND: Amount = 10 * BYTECHIP;

parameter_types! {
    /// The least bond of a device.
    pub storage MinBond: Amount = MIN_BOND;
}

/// Blocks for which an unbonded amount stays held.
pub const DELAY: u32 = 20;

/// What each of the accounts 1, 2 and 3 has at genesis: enough for thirty devices.
pub const ENDOWMENT: Amount = 30 * MIN_BOND + 1;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type AccountData = pallet_balances::AccountData<Amount>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Amount;
    type ExistentialDeposit = ConstU128<1>;
    type AccountStore = System;
}

impl quern_workforce::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type CouncilOrigin = frame_system::EnsureRoot<AccountId>;
    type MinBondPerDevice = MinBond;
    type UnbondingDelay = ConstU32<DELAY>;
    type WeightInfo = ();
}

/// The account of a number.
pub fn account(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

/// A new chain with three accounts that have money.
pub fn genesis() -> sp_io::TestExternalities {
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: (1..=3).map(|number| (account(number), ENDOWMENT)).collect(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// A new chain beside a keystore, from which the benchmarks take their devices' keys.
#[cfg(feature = "runtime-benchmarks")]
pub fn genesis_with_keystore() -> sp_io::TestExternalities {
    use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
    let mut chain = genesis();
    chain.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    chain
}

/// Runs `test` on a new chain and checks the workforce's invariants after it.
pub fn on_new_chain(test: impl FnOnce()) {
    genesis().execute_with(|| {
        test();
        Workforce::do_try_state().unwrap();
    });
}
