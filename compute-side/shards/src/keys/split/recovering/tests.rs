#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    keys::{
        OwnerToken, TrustSeed,
        split::{ExpectedPackage, HeldShares, SplitKeys, member_root},
    },
    testing::SeededRng,
};
use quern_primitives::JobId;

const JOB: JobId = JobId([2; 32]);

/// A shard of three, in the middle.
const PLACE: (TaskIndex, u32) = (1, 3);

fn keys() -> [ShardKey; 3] {
    [4, 5, 6].map(|byte| ShardKey::from_bytes([byte; 32]))
}

fn is_key(key: &ShardKey) -> bool {
    *key == keys()[1]
}

fn split_keys(threshold: Threshold) -> SplitKeys {
    SplitKeys::new(&keys(), threshold, &mut SeededRng::new(11))
}

/// What each member hands over of the shard in the middle.
fn handed_over(split: &SplitKeys, threshold: Threshold) -> Vec<Received> {
    let members = threshold.members();
    let received = (0..members).map(|member| {
        let token = OwnerToken::from_bytes([7; 32]);
        let seed = TrustSeed::from_bytes([8; 32]);
        let package = split.package(member, JOB, token, seed).unwrap();
        let expected = ExpectedPackage {
            job: JOB,
            member,
            members,
            shards: 3,
            shares_root: split.shares_root(),
        };
        let held = HeldShares::check(package, &expected).unwrap();
        let (share, proof) = held.share(PLACE.0).unwrap();
        let share = share.clone();
        Received {
            member,
            share,
            proof,
        }
    });
    received.collect()
}

/// Another share than the member's own, with the proof of its own.
fn altered(received: &Received) -> Received {
    let mut share = *received.share.expose();
    share[31] ^= 1;
    Received {
        share: KeyShare::from_bytes(share),
        ..received.clone()
    }
}

#[test]
fn any_members_that_are_enough_give_the_key_whoever_is_down() {
    for members in 2..=7 {
        let threshold = Threshold::usual(members).unwrap();
        let split = split_keys(threshold);
        let all = handed_over(&split, threshold);
        let root = split.shares_root();
        for mask in 0u32..1 << members {
            let there: Vec<Received> = (0..)
                .zip(&all)
                .filter(|(it, _)| mask >> it & 1 == 1)
                .map(|(_, it)| it.clone())
                .collect();
            let recovered = recover(threshold, &root, PLACE, &there, is_key);
            if there.len() >= threshold.needed().into() {
                let recovered = recovered.unwrap();
                assert!(is_key(&recovered.key));
                assert!(recovered.false_members.is_empty());
            } else {
                let (needed, found) = (threshold.needed(), there.len());
                assert_eq!(recovered, Err(RecoverError::TooFew { needed, found }));
            }
        }
    }
}

#[test]
fn who_hands_over_another_share_is_named_and_stops_nobody() {
    let threshold = Threshold::new(3, 5).unwrap();
    let split = split_keys(threshold);
    let (root, honest) = (split.shares_root(), handed_over(&split, threshold));
    let mut received = honest.clone();
    for member in [0, 3] {
        received[member] = altered(&honest[member]);
    }
    let recovered = recover(threshold, &root, PLACE, &received, is_key).unwrap();
    assert!(is_key(&recovered.key));
    assert_eq!(recovered.false_members, [0, 3]);

    received.remove(4);
    let refused = recover(threshold, &root, PLACE, &received, is_key);
    let members = vec![0, 3];
    assert_eq!(refused, Err(RecoverError::FalseShares { members }));
}

#[test]
fn a_right_share_with_a_false_proof_helps_and_its_member_is_named() {
    let threshold = Threshold::new(2, 2).unwrap();
    let split = split_keys(threshold);
    let mut received = handed_over(&split, threshold);
    received[1].proof.shard.siblings.clear();
    let root = split.shares_root();
    let recovered = recover(threshold, &root, PLACE, &received, is_key).unwrap();
    assert!(is_key(&recovered.key));
    assert_eq!(recovered.false_members, [1]);
}

#[test]
fn an_owner_who_splits_falsely_is_told_from_members_who_lie() {
    let threshold = Threshold::new(3, 4).unwrap();
    let mut split = split_keys(threshold);
    split.shares[2][1] = KeyShare::from_bytes([0xee; 32]);
    split.roots[2] = member_root(&split.shares[2]);
    let (root, received) = (split.shares_root(), handed_over(&split, threshold));
    // The other three are enough, and nobody who handed over what it had is blamed.
    let recovered = recover(threshold, &root, PLACE, &received, is_key).unwrap();
    assert!(recovered.false_members.is_empty());

    let without = [
        received[0].clone(),
        received[2].clone(),
        received[3].clone(),
    ];
    let refused = recover(threshold, &root, PLACE, &without, is_key);
    let owner = |false_members| {
        Err(RecoverError::FalseSplit {
            index: 1,
            false_members,
        })
    };
    assert_eq!(refused, owner(vec![]));

    let with_a_liar = [&without[..], &[altered(&received[1])]].concat();
    let refused = recover(threshold, &root, PLACE, &with_a_liar, is_key);
    assert_eq!(refused, owner(vec![1]));
}

#[test]
fn no_more_than_thirty_five_keys_are_tried() {
    let threshold = Threshold::new(4, 7).unwrap();
    let split = split_keys(threshold);
    let received = handed_over(&split, threshold);
    let mut tried = 0;
    let refused = recover(threshold, &split.shares_root(), PLACE, &received, |_| {
        tried += 1;
        false
    });
    assert_eq!(tried, 35);
    assert!(matches!(refused, Err(RecoverError::FalseSplit { .. })));
}

#[test]
fn two_shares_of_one_member_and_shares_of_strangers_are_refused() {
    let threshold = Threshold::new(2, 3).unwrap();
    let split = split_keys(threshold);
    let (root, honest) = (split.shares_root(), handed_over(&split, threshold));
    let refused = |received: &[Received]| recover(threshold, &root, PLACE, received, is_key);
    let twice = [honest[0].clone(), honest[1].clone(), honest[0].clone()];
    let twice = refused(&twice).unwrap_err();
    assert_eq!(twice, CombineError::Twice { member: 0 }.into());
    let mut stranger = honest.clone();
    stranger[1].member = 9;
    let no_such = CombineError::NoSuchMember {
        member: 9,
        members: 3,
    };
    assert_eq!(refused(&stranger).unwrap_err(), no_such.into());
}

#[test]
fn a_proof_shows_one_share_at_one_place_only() {
    let threshold = Threshold::new(2, 3).unwrap();
    let split = split_keys(threshold);
    let (root, received) = (split.shares_root(), handed_over(&split, threshold));
    let place = |index, count, member, members| SharedPlace {
        index,
        count,
        member,
        members,
    };
    let one = &received[1];
    let holds = |place, share| one.proof.holds(&root, &place, share);
    assert!(holds(place(1, 3, 1, 3), &one.share));
    for elsewhere in [
        place(0, 3, 1, 3),
        place(1, 4, 1, 3),
        place(1, 3, 0, 3),
        place(1, 3, 1, 4),
    ] {
        assert!(!holds(elsewhere, &one.share), "{elsewhere:?}");
    }
    assert!(!holds(place(1, 3, 1, 3), &received[0].share));
    let other_root = split_keys(Threshold::new(3, 3).unwrap()).shares_root();
    let holds = one.proof.holds(&other_root, &place(1, 3, 1, 3), &one.share);
    assert!(!holds);
}
