//! Lanes that a log claims, beside what the seed says.

use crate::{
    honest::ruled,
    lies::{assert_batch_struck, usual},
    world::{LANE_SEED, World},
};
use proptest::{prelude::*, sample::select};
use quern_dispute_rules::{Ed25519, Evidence, Refusal, Ruling, decide, ruling::Offence};
use quern_joblog::Entry;
use quern_primitives::{
    ids::{AccountId, Digest},
    job::Agreement,
    lanes::{Draw, OPEN_TO_ALL, can_be},
};

fn is_assigned(entry: &Entry) -> bool {
    matches!(entry, Entry::Assigned { .. })
}

/// A job of these replicas in whose log the first assignment is one of task 0 to this account, in so many
/// lanes, and the evidence that shows it.
fn given(replicas: u8, replica: u8, account: AccountId, lanes: u8) -> (World, Evidence) {
    let mut world = usual();
    let position = world.position(is_assigned).unwrap();
    if let Entry::Assigned {
        task,
        replica: number,
        account: to,
        lanes: claimed,
        ..
    } = &mut world.entries[position as usize]
    {
        (*task, *number, *to, *claimed) = (0, replica, account, lanes);
    }
    world.rebuild();
    world.facts.job.submission.agreement = Agreement::Majority { replicas };
    let evidence = Evidence::OtherLane {
        batch: world.name(),
        entry: Box::new(world.certified(position)),
    };
    (world, evidence)
}

/// An account that has, or has not, the first replica of task 0, of three in so many lanes.
fn account(lanes: u8, is_its: bool) -> AccountId {
    let mut all = (0..=u8::MAX).map(|it| AccountId::new([it; 32]));
    let found = all.find(|it| Draw::of(&LANE_SEED.0, it).is_for(0, 0, lanes) == is_its);
    found.unwrap()
}

/// A world whose log gives a replica in a lane in which its account is not.
pub(crate) fn in_another_lane() -> (World, Evidence) {
    let (mut world, evidence) = given(3, 0, account(32, false), 32);
    world.facts.job = usual().facts.job;
    (world, evidence)
}

#[test]
fn a_replica_given_in_a_lane_in_which_its_account_is_not_strikes_the_batch() {
    for lanes in [3, 4, 8, 16, 32] {
        let (world, evidence) = given(3, 0, account(lanes, false), lanes);
        assert_batch_struck(ruled(&world, &evidence), Offence::OtherLane);
        let (world, evidence) = given(3, 0, account(lanes, true), lanes);
        let ruling = ruled(&world, &evidence);
        assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
    }
}

#[test]
fn a_number_of_lanes_that_no_task_of_the_job_has_strikes_the_batch_without_a_seed() {
    for (replicas, lanes) in [(3, 0), (3, 2), (3, 5), (3, 64), (1, 2), (1, 32), (15, 8)] {
        assert!(!can_be(lanes, replicas));
        let (mut world, evidence) = given(replicas, 0, AccountId::new([1; 32]), lanes);
        world.facts.lane_seed = None;
        assert_batch_struck(ruled(&world, &evidence), Offence::OtherLane);
    }
}

#[test]
fn what_was_for_all_is_no_lie_and_without_a_seed_no_lane_is() {
    for replicas in [1, 3, 15] {
        let (mut world, evidence) = given(replicas, 0, account(32, false), OPEN_TO_ALL);
        world.facts.lane_seed = None;
        let ruling = ruled(&world, &evidence);
        assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
    }
    let (mut world, evidence) = given(3, 0, account(32, false), 32);
    world.facts.lane_seed = None;
    assert_eq!(ruled(&world, &evidence), Err(Refusal::Undecidable));
}

#[test]
fn a_device_that_has_changed_hands_since_does_not_hide_the_lane() {
    let (world, evidence) = in_another_lane();
    assert_eq!(evidence.subject().device, None);
    let ruling = decide(&evidence, &world.facts_for(None), &Ed25519);
    assert_batch_struck(ruling, Offence::OtherLane);
}

#[test]
fn what_is_no_assignment_is_in_no_lane_and_no_stretch_that_a_batch_names_hides_one() {
    let (mut world, evidence) = in_another_lane();
    let Evidence::OtherLane { batch, entry } = evidence else {
        unreachable!()
    };
    let position = entry.logged.position().unwrap();
    let opened = Evidence::OtherLane {
        batch,
        entry: Box::new(world.certified(0)),
    };
    assert_eq!(ruled(&world, &opened), Err(Refusal::Unrelated));
    world.batch.log.first = position + 1;
    world.settle();
    let evidence = Evidence::OtherLane { batch, entry };
    assert_batch_struck(ruled(&world, &evidence), Offence::OtherLane);
    world.facts.batch = None;
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NotPending));
}

proptest! {
    #[test]
    fn who_was_given_what_follows_from_the_seed_alone(
        seed: [u8; 32],
        by: [u8; 32],
        lanes in prop_oneof![select(vec![1u8, 2, 3, 4, 8, 16, 32]), any::<u8>()],
        replicas in 0u8..16, replica in 0u8..16,
    ) {
        let (mut world, evidence) = given(replicas, replica, AccountId::new(by), lanes);
        world.facts.lane_seed = Some(Digest(seed));
        let its = Draw::of(&seed, &AccountId::new(by)).is_for(0, replica, lanes);
        let is_convicted = matches!(ruled(&world, &evidence), Ok(Ruling::Convicted(_)));
        prop_assert_eq!(is_convicted, !can_be(lanes, replicas) || !its);
    }
}
