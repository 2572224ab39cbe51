//! Parameters: what a chain begins with, and what the council sets.

use crate::chain::Chain;
use quern_primitives::{
    amount::BYTECHIP,
    batch::Exposure,
    params::{self, Parameter},
};
use quern_roster::Exposures as _;
use quern_runtime::{
    Block, Params, Runtime, RuntimeCall, Workforce,
    apis::runtime_decl_for_quern_api::QuernApi,
    configs::grid::OpenBatches,
    genesis::{DEV, PRESETS},
};
use sp_keyring::Sr25519Keyring::{Alice, Bob};

fn asked() -> params::Params {
    <Runtime as QuernApi<Block>>::params()
}

#[test]
fn every_preset_begins_with_the_first_values_and_short_times() {
    for preset in PRESETS {
        let mut chain = Chain::start(preset);
        let expected = params::Params {
            window_blocks: 5,
            storage_period_blocks: 30,
            storage_notice_periods: 2,
            challenge_blocks: 15,
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

#[test]
fn what_a_bond_needs_for_what_is_not_final_is_what_the_council_asks_for() {
    let mut chain = Chain::start(DEV);
    let alice = Alice.to_account_id();
    let needed = || {
        let exposure = Exposure {
            open: 7,
            slashed: 0,
        };
        quern_jobs::Exposures::<Runtime>::insert(&alice, exposure);
        let needed = OpenBatches::needed(&alice);
        let view = <Runtime as QuernApi<Block>>::masternode_bond(alice.clone());
        quern_jobs::Exposures::<Runtime>::remove(&alice);
        (needed, view.needed())
    };
    assert_eq!(chain.read(needed), (7, 7));
    chain.decide(quern_params::Call::set {
        parameter: Parameter::BondPerExposure,
        value: 1_500,
    });
    assert_eq!(chain.read(needed), (11, 11));
}
