//! A chain of nothing but blocks and claims.

use crate as quern_finality;
use frame_support::derive_impl;
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
    type WeightInfo = ();
}

/// A new chain in its first block.
pub fn genesis() -> sp_io::TestExternalities {
    let config = RuntimeGenesisConfig::default();
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
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
