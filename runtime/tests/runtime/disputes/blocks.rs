//! Blocks of a log that cannot both be true.

use super::{Error, case::node, convicts, settled, shows};
use quern_dispute_rules::{Evidence, ruling::Offence};
use quern_joblog::Fork;
use sp_keyring::Sr25519Keyring::Ferdie;

#[test]
fn two_blocks_for_one_place_cost_who_signed_them_and_only_them() {
    let (mut chain, case) = settled();
    let mut other = case.clone();
    other.entries.swap(2, 4);
    other.write_log();
    let fork = Fork {
        place: 0,
        first: case.blocks[0].header,
        second: other.blocks[0].header,
    };
    // Nobody answers for what a stranger signed.
    let stranger = node(&Ferdie.to_account_id()).public();
    let evidence = Evidence::Blocks {
        node: stranger,
        fork: Box::new(fork.clone()),
    };
    let refused = shows(&mut chain, evidence);
    assert_eq!(refused, Err(Error::NobodyAnswers.into()));
    let evidence = Evidence::Blocks {
        node: node(&case.coordinator).public(),
        fork: Box::new(fork),
    };
    convicts(&mut chain, &case, evidence, Offence::TwoBlocks, false);
}

#[test]
fn a_block_that_names_another_ancestor_than_was_signed_costs_who_signed_both() {
    let (mut chain, case) = settled();
    let signer = node(&case.coordinator);
    let [first, mut second] = [0, 1].map(|place: usize| case.blocks[place].header);
    second.payload.previous.0[0] ^= 1;
    let fork = Fork {
        place: 0,
        first,
        second: signer.sign(second.payload, &case.genesis),
    };
    let evidence = Evidence::Blocks {
        node: signer.public(),
        fork: Box::new(fork),
    };
    convicts(&mut chain, &case, evidence, Offence::TwoBlocks, false);
}
