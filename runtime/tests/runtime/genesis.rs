//! The presets: what the first block's state is.

use crate::chain::Chain;
use quern_primitives::AccountId;
use quern_runtime::{
    Babe, Balances, Grandpa, Roster, Runtime, Session,
    genesis::{BOND, DEV, ENDOWMENT, LOCAL, PRESETS},
    weights::SLOT_MILLIS,
};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

fn accounts(keys: &[Sr25519Keyring]) -> Vec<AccountId> {
    let mut accounts: Vec<_> = keys.iter().map(|key| key.to_account_id()).collect();
    accounts.sort();
    accounts
}

fn check_operators(preset: &str, operators: &[(Sr25519Keyring, Ed25519Keyring)]) {
    let keys: Vec<_> = operators.iter().map(|(account, _)| *account).collect();
    Chain::start(preset).read(|| {
        let mut validators = Session::validators();
        validators.sort();
        assert_eq!(validators, accounts(&keys));
        assert_eq!(Roster::masternodes(), accounts(&keys));
        for account in Roster::masternodes() {
            assert!(Roster::is_bonded(&account), "{account} has no bond");
        }
        let mut members = pallet_collective::Members::<Runtime, _>::get();
        members.sort();
        assert_eq!(members, accounts(&keys));
        let treasurer = quern_bytechip::Treasurer::<Runtime>::get();
        assert_eq!(treasurer, Some(Sr25519Keyring::Alice.to_account_id()));

        let mut babe: Vec<_> = Babe::authorities()
            .into_iter()
            .map(|(key, _)| key.into_inner())
            .collect();
        babe.sort();
        let mut expected: Vec<_> = keys.iter().map(|key| key.public()).collect();
        expected.sort();
        assert_eq!(babe, expected);
        let mut grandpa: Vec<_> = Grandpa::grandpa_authorities()
            .into_iter()
            .map(|(key, _)| key.into_inner())
            .collect();
        grandpa.sort();
        let mut expected: Vec<_> = operators.iter().map(|(_, key)| key.public()).collect();
        expected.sort();
        assert_eq!(grandpa, expected);
    });
}

#[test]
fn dev_has_one_operator() {
    check_operators(DEV, &[(Sr25519Keyring::Alice, Ed25519Keyring::Alice)]);
}

#[test]
fn local_has_four_operators() {
    check_operators(
        LOCAL,
        &[
            (Sr25519Keyring::Alice, Ed25519Keyring::Alice),
            (Sr25519Keyring::Bob, Ed25519Keyring::Bob),
            (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
            (Sr25519Keyring::Dave, Ed25519Keyring::Dave),
        ],
    );
}

#[test]
fn every_preset_endows_the_test_accounts_and_nobody_else() {
    for preset in PRESETS {
        Chain::start(preset).read(|| {
            for key in Sr25519Keyring::iter().take(12) {
                assert_eq!(
                    Balances::free_balance(key.to_account_id()),
                    ENDOWMENT,
                    "{key}"
                );
            }
            let bonds = Roster::masternodes().len() as u128 * BOND;
            let all = 12 * ENDOWMENT + bonds;
            assert_eq!(Roster::total_bonded(), bonds);
            assert_eq!(Balances::total_issuance(), all);
            assert_eq!(quern_runtime::Bytechip::genesis_issuance(), all);
        });
    }
}

#[test]
fn every_preset_makes_blocks() {
    for preset in PRESETS {
        let mut chain = Chain::start(preset);
        chain.blocks(3);
        assert_eq!(chain.read(quern_runtime::System::block_number), 3);
        assert_eq!(chain.read(Babe::slot_duration), SLOT_MILLIS);
    }
}

#[test]
fn an_unknown_preset_is_not_made_up() {
    assert_eq!(quern_runtime::genesis::preset("live"), None);
}
