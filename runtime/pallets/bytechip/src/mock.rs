//! A chain of the pallet and the real balances.

use crate as quern_bytechip;
use frame_support::{derive_impl, traits::ConstU128};
use quern_primitives::{AccountId, Amount, amount::BYTECHIP};
use sp_runtime::{BuildStorage, traits::IdentityLookup};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Bytechip: quern_bytechip,
    }
);

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
    type DustRemoval = Bytechip;
}

impl quern_bytechip::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type CouncilOrigin = frame_system::EnsureRoot<AccountId>;
    type WeightInfo = ();
}

/// The account of a number.
pub fn account(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

/// The treasurer of the test chain.
pub const TREASURER: u8 = 99;

/// What each of the accounts 1, 2 and 3 has at genesis.
pub const ENDOWMENT: Amount = 1_000 * BYTECHIP;

/// A new chain with a treasurer and three accounts that have money.
pub fn genesis() -> sp_io::TestExternalities {
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: (1..=3).map(|number| (account(number), ENDOWMENT)).collect(),
            ..Default::default()
        },
        bytechip: quern_bytechip::GenesisConfig {
            treasurer: Some(account(TREASURER)),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// Runs `test` on a new chain and checks the pallet's invariants after it.
pub fn on_new_chain(test: impl FnOnce()) {
    genesis().execute_with(|| {
        test();
        Bytechip::do_try_state().unwrap();
    });
}
