//! Sessions and randomness: how the validators change, and what draws are made from.

use crate::chain::Chain;
use codec::{Decode, Encode};
use frame_support::traits::Randomness;
use pallet_babe::ParentBlockRandomness;
use quern_runtime::{
    Babe, Runtime, RuntimeCall, Session, SessionKeys, genesis::DEV, weights::EPOCH_SLOTS,
};
use sp_consensus_babe::{BABE_ENGINE_ID, digests::PreDigest};
use sp_core::proof_of_possession::ProofOfPossessionGenerator;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::DigestItem;
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

/// `quern-ledger` reads it so, and draws what is computed again from it.
#[test]
fn what_the_random_function_gave_an_author_stands_behind_its_slot_in_the_header() {
    let mut chain = Chain::start(DEV);
    let mut outputs = BTreeSet::new();
    for _ in 0..3 {
        chain.blocks(1);
        let (header, _) = chain.prove(&[]);
        let claim = header.digest.logs.iter().find_map(|item| match item {
            DigestItem::PreRuntime(BABE_ENGINE_ID, bytes) => Some(bytes.clone()),
            _ => None,
        });
        let bytes = claim.unwrap();
        let (_how, author, slot, output) =
            <(u8, u32, u64, [u8; 32])>::decode(&mut &bytes[..]).unwrap();
        let claim = PreDigest::decode(&mut &bytes[..]).unwrap();
        assert_eq!((author, slot), (claim.authority_index(), *claim.slot()));
        let signature = claim.vrf_signature().unwrap();
        assert_eq!(output.as_slice(), signature.pre_output.encode());
        assert!(outputs.insert(output), "the same output twice");
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
