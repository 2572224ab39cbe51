//! A chain of the roster, the real session pallet and what that needs.

use crate as quern_roster;
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU32, ConstU128, Hooks},
};
use pallet_session::{PeriodicSessions, TestSessionHandler};
use quern_primitives::{AccountId, Amount, amount::BYTECHIP};
use sp_runtime::{
    BuildStorage, RuntimeAppPublic,
    testing::UintAuthorityId,
    traits::{ConvertInto, IdentityLookup},
};

/// Blocks of one session.
pub const SESSION_BLOCKS: u32 = 5;

/// The least bond of a masternode, as long as no test sets another.
pub const MIN_BOND: Amount = 1_000 * BYTECHIP;

/// Blocks for which an unbonded amount stays held.
pub const DELAY: u32 = 20;

/// What each of the accounts 1 to 5 has at genesis: enough for four masternodes.
pub const ENDOWMENT: Amount = 4 * MIN_BOND + 1;

parameter_types! {
    /// The least bond of a masternode.
    pub storage MinBond: Amount = MIN_BOND;
    /// What each must have bonded for what its masternode has settled.
    pub storage NeededOfEach: Amount = 0;
}

/// What masternodes have at stake.
pub struct Stakes;

impl quern_roster::Exposures for Stakes {
    fn needed(_account: &AccountId) -> Amount {
        NeededOfEach::get()
    }
}

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Roster: quern_roster,
        Session: pallet_session,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type AccountData = pallet_balances::AccountData<u128>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<1>;
    type AccountStore = System;
}

sp_runtime::impl_opaque_keys! {
    pub struct SessionKeys {
        pub dummy: UintAuthorityId,
    }
}

impl pallet_session::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = PeriodicSessions<ConstU32<SESSION_BLOCKS>, ConstU32<0>>;
    type NextSessionRotation = PeriodicSessions<ConstU32<SESSION_BLOCKS>, ConstU32<0>>;
    type SessionManager = Roster;
    type SessionHandler = TestSessionHandler;
    type Keys = SessionKeys;
    type DisablingStrategy = ();
    type WeightInfo = ();
    type Currency = Balances;
    type KeyDeposit = ConstU128<0>;
}

impl quern_roster::Config for Test {
    type CouncilOrigin = frame_system::EnsureRoot<AccountId>;
    type Session = Session;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type MinBond = MinBond;
    type UnbondingDelay = ConstU32<DELAY>;
    type Exposures = Stakes;
    type WeightInfo = ();
}

/// The account of a number.
pub fn account(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

fn session_keys(number: u8) -> SessionKeys {
    SessionKeys {
        dummy: UintAuthorityId(number.into()),
    }
}

/// A new chain with these masternodes, all of which have session keys.
pub fn genesis(masternodes: &[u8]) -> sp_io::TestExternalities {
    let accounts: Vec<_> = masternodes.iter().copied().map(account).collect();
    let keys = masternodes
        .iter()
        .map(|&it| (account(it), account(it), session_keys(it)));
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: (1..=5).map(|number| (account(number), ENDOWMENT)).collect(),
            ..Default::default()
        },
        roster: quern_roster::GenesisConfig {
            masternodes: accounts,
            bond: 0,
        },
        session: pallet_session::GenesisConfig {
            keys: keys.collect(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// Runs `test` on a new chain with these masternodes and checks the roster's invariants after it.
pub fn with_masternodes(masternodes: &[u8], test: impl FnOnce()) {
    genesis(masternodes).execute_with(|| {
        test();
        Roster::do_try_state().unwrap();
    });
}

/// Gives an account session keys, with a proof that it holds them.
pub fn set_session_keys(number: u8) {
    use codec::Encode;
    let owner = account(number);
    frame_system::Pallet::<Test>::inc_providers(&owner);
    let keys = session_keys(number);
    let proof = keys.dummy.sign(&owner.encode()).unwrap().encode();
    Session::set_keys(RuntimeOrigin::signed(owner), keys, proof).unwrap();
}

/// Goes on to the first block of the next session.
pub fn next_session() {
    let started = Session::current_index();
    while Session::current_index() == started {
        System::set_block_number(System::block_number() + 1);
        Session::on_initialize(System::block_number());
    }
}
