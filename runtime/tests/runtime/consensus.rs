//! Sessions and randomness: how the validators change, and what draws are made from.

use crate::chain::Chain;
use codec::Encode;
use frame_support::traits::Randomness;
use pallet_babe::ParentBlockRandomness;
use quern_runtime::{
    Babe, Runtime, RuntimeCall, Session, SessionKeys, genesis::DEV, weights::EPOCH_SLOTS,
};
use sp_core::proof_of_possession::ProofOfPossessionGenerator;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use std::collections::BTreeSet;

#[test]
fn every_block_after_the_first_has_randomness_of_its_own() {
    let mut chain = Chain::start(DEV);
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        chain.blocks(1);
        let (randomness, _) = chain.read(|| ParentBlockRandomness::<Runtime>::random(b"draw"));
        assert!(
            seen.insert(randomness.unwrap()),
            "the same randomness twice"
        );
    }
}

#[test]
fn a_masternode_with_session_keys_validates_after_two_epochs() {
    let mut chain = Chain::start(DEV);
    let bob = Sr25519Keyring::Bob.to_account_id();
    let keys = SessionKeys {
        babe: Sr25519Keyring::Bob.public().into(),
        grandpa: Ed25519Keyring::Bob.public().into(),
    };
    let owner = bob.encode();
    let proof = (
        Sr25519Keyring::Bob
            .pair()
            .generate_proof_of_possession(&owner),
        Ed25519Keyring::Bob
            .pair()
            .generate_proof_of_possession(&owner),
    );
    chain.does(
        Sr25519Keyring::Bob,
        pallet_session::Call::set_keys {
            keys,
            proof: proof.encode(),
        },
    );
    let add: RuntimeCall = quern_roster::Call::add_masternode {
        account: bob.clone(),
    }
    .into();
    let length_bound = add.encoded_size() as u32;
    chain.does(
        Sr25519Keyring::Alice,
        RuntimeCall::Council(pallet_collective::Call::propose {
            threshold: 1,
            proposal: Box::new(add),
            length_bound,
        }),
    );

    assert!(!chain.read(Session::validators).contains(&bob));
    chain.blocks(EPOCH_SLOTS);
    assert!(!chain.read(Session::validators).contains(&bob));
    chain.blocks(EPOCH_SLOTS);
    assert!(chain.read(Session::validators).contains(&bob));
    assert_eq!(chain.read(|| Babe::authorities().len()), 2);
}
