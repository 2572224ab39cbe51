//! Lanes by the seed that the chain has noted.

use super::*;
use frame_support::traits::Randomness as _;
use pallet_babe::ParentBlockRandomness;
use quern_primitives::lanes::{self, Draw};
use quern_runtime::{Runtime, System};

#[test]
fn an_assignment_in_a_lane_in_which_its_account_is_not_strikes_the_batch() {
    let (mut chain, mut case) = started();
    // The block after the draw notes what lanes follow from: the hash before, and the randomness of the one of the draw.
    let drawn_in = chain.read(System::block_number);
    let (random, _) = chain.read(|| ParentBlockRandomness::<Runtime>::random(b"quern/lanes/1"));
    assert_eq!(
        chain.read(|| Jobs::group(&case.id)).unwrap().lane_seed,
        None
    );
    chain.blocks(1);
    let before = chain.read(|| System::block_hash(drawn_in - 1));
    let seed = lanes::seed(&before.0, &random.unwrap().0, &case.id);
    let noted = chain.read(|| Jobs::group(&case.id)).unwrap().lane_seed;
    assert_eq!(noted, Some(seed));

    let is_of_another = |it: &Entry| match it {
        Entry::Assigned {
            task,
            replica,
            account,
            ..
        } => !Draw::of(&seed.0, account).is_for(*task, *replica, 32),
        _ => false,
    };
    let at = case.position(is_of_another);
    if let Entry::Assigned { lanes, .. } = &mut case.entries[at as usize] {
        *lanes = 32;
    }
    case.write_log();
    case.write_batch();
    case.settle(&mut chain);
    let evidence = |position| Evidence::OtherLane {
        batch: case.name(),
        entry: Box::new(case.in_log(position)),
    };
    // What is said to have been for all is no lie.
    let for_all = case.position(|it| matches!(it, Entry::Assigned { lanes: 1, .. }));
    loses(&mut chain, &case, evidence(for_all));
    convicts(&mut chain, &case, evidence(at), Offence::OtherLane, true);
}
