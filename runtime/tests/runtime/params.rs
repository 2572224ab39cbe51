//! Parameters: what a chain begins with, and what the council sets.

use crate::chain::Chain;
use quern_primitives::{
    amount::BYTECHIP,
    params::{self, Parameter},
};
use quern_runtime::{
    Block, Params, Runtime, RuntimeCall, Workforce,
    apis::runtime_decl_for_quern_api::QuernApi,
    genesis::{DEV, PRESETS, WINDOW},
};
use sp_keyring::Sr25519Keyring::{Alice, Bob};

fn asked() -> params::Params {
    <Runtime as QuernApi<Block>>::params()
}

#[test]
fn every_preset_begins_with_the_first_values_and_a_short_window() {
    for preset in PRESETS {
        let mut chain = Chain::start(preset);
        let expected = params::Params {
            window_blocks: WINDOW,
            ..params::Params::FIRST
        };
        assert_eq!(chain.read(asked), expected);
    }
}

#[test]
fn a_motion_of_the_council_sets_a_parameter_and_the_bond_that_devices_need_follows() {
    let mut chain = Chain::start(DEV);
    let bond = quern_workforce::Call::bond {
        amount: 10 * BYTECHIP,
    };
    chain.does(Bob, bond);
    let is_bonded = || Workforce::is_bonded(&Bob.to_account_id());
    assert!(chain.read(is_bonded));
    let set: RuntimeCall = quern_params::Call::set {
        parameter: Parameter::BondPerDevice,
        value: 11 * BYTECHIP,
    }
    .into();
    let motion = pallet_collective::Call::propose {
        threshold: 1,
        proposal: Box::new(set),
        length_bound: 100,
    };
    let propose: RuntimeCall = RuntimeCall::Council(motion);
    chain.does(Alice, propose);
    assert_eq!(chain.read(Params::current).bond_per_device, 11 * BYTECHIP);
    assert_eq!(chain.read(asked), chain.read(Params::current));
    assert!(!chain.read(is_bonded));
}
