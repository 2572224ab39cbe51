//! A chain of nothing but blocks and claims.

use crate as quern_finality;
use frame_support::{derive_impl, parameter_types};
use quern_primitives::AccountId;
use sp_runtime::BuildStorage;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Finality: quern_finality,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
}

impl quern_finality::Config for Test {
    type Authors = Turns;
    type WeightInfo = ();
}

/// Validators of a chain whose tests say nothing else.
pub const COUNT_AT_FIRST: u8 = 4;

parameter_types! {
    /// The validators there are.
    pub static Validators: Vec<AccountId> = (0..COUNT_AT_FIRST).map(account).collect();
    /// Who makes this block, if it is nobody's turn.
    pub static Author: Option<AccountId> = None;
}

/// Validators who take turns.
pub struct Turns;

impl quern_finality::Authors for Turns {
    fn author() -> Option<AccountId> {
        let all = Validators::get();
        let turn = usize::try_from(System::block_number()).unwrap() % all.len();
        Author::get().or_else(|| Some(all[turn].clone()))
    }

    fn all() -> Vec<AccountId> {
        Validators::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(count: u32) {
        let count = u8::try_from(count).unwrap();
        Validators::set((0..count).map(account).collect());
    }
}

/// The account of a number.
pub fn account(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

/// A new chain in its first block.
pub fn genesis() -> sp_io::TestExternalities {
    let config = RuntimeGenesisConfig::default();
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    Validators::set((0..COUNT_AT_FIRST).map(account).collect());
    Author::set(None);
    chain
}

/// Runs `test` on a new chain and checks the invariants after it.
pub fn on_new_chain<R>(test: impl FnOnce() -> R) -> R {
    genesis().execute_with(|| {
        let answer = test();
        Finality::do_try_state().unwrap();
        answer
    })
}

/// Lets the next block begin.
pub fn next_block() {
    System::set_block_number(System::block_number() + 1);
}
