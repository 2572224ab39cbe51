//! A chain of the parameters and nothing else.

use crate as quern_params;
use frame_support::derive_impl;
use sp_runtime::BuildStorage;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Params: quern_params,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
}

impl quern_params::Config for Test {
    type CouncilOrigin = frame_system::EnsureRoot<u64>;
    type WeightInfo = ();
}

/// A new chain that starts with these values, by name.
pub fn genesis(values: &[(&str, u128)]) -> sp_io::TestExternalities {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    let config = RuntimeGenesisConfig {
        params: quern_params::GenesisConfig {
            values: values.collect(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// Runs `test` on a new chain and checks the invariants after it.
pub fn on_new_chain(test: impl FnOnce()) {
    genesis(&[]).execute_with(|| {
        test();
        Params::do_try_state().unwrap();
    });
}
