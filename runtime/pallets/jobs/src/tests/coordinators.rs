//! The draw of coordinators.

use super::*;
use crate::{Awaiting, Event, JobsCoordinatedBy};
use quern_primitives::{AccountId, job::JobState, limits::JOBS_AWAITING_PER_OWNER_MAX};
use std::collections::BTreeSet;

/// The coordinators of a few dozen jobs of one owner, of which as many as may await theirs at a time.
fn draw_many() -> Vec<AccountId> {
    for number in 0..60 {
        if number % JOBS_AWAITING_PER_OWNER_MAX as u16 == 0 {
            next_block();
        }
        free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
    }
    next_block();
    let ids = (0..60).map(|number| id_of(&OWNER, &salted(number)));
    ids.map(|id| job(id).state.coordinator().unwrap().clone())
        .collect()
}

#[test]
fn the_coordinator_is_drawn_in_the_next_block() {
    on_new_chain(|| {
        let id = submitted();
        assert_eq!(Awaiting::<Test>::get().into_inner(), [(id, OWNER)]);
        next_block();
        let coordinator = job(id).state.coordinator().unwrap().clone();
        assert!(MASTERNODES.contains(&coordinator));
        assert!(Awaiting::<Test>::get().is_empty());
        assert!(JobsCoordinatedBy::<Test>::contains_key(&coordinator, id));
        let drawn = Event::CoordinatorDrawn {
            job: id,
            coordinator,
        };
        assert_eq!(events().last(), Some(&drawn));
    });
}

#[test]
fn coordinators_are_masternodes_and_every_masternode_may_be_drawn() {
    on_new_chain(|| {
        let drawn: BTreeSet<_> = draw_many().into_iter().collect();
        assert_eq!(drawn, BTreeSet::from(MASTERNODES));
    });
}

#[test]
fn who_is_drawn_follows_from_the_chains_randomness() {
    let with_seed = |seed| {
        on_new_chain(|| {
            Seed::set(&Some(seed));
            draw_many()
        })
    };
    assert_eq!(with_seed(1), with_seed(1));
    assert_ne!(with_seed(1), with_seed(2));
}

#[test]
fn a_submission_waits_while_there_is_no_masternode() {
    on_new_chain(|| {
        MasternodeList::set(&vec![]);
        let id = submitted();
        run_to(10);
        assert_eq!(job(id).state, JobState::Submitted);
        MasternodeList::set(&vec![MASTERNODES[1].clone()]);
        next_block();
        assert_eq!(
            job(id).state,
            JobState::Running {
                coordinator: MASTERNODES[1].clone()
            }
        );
    });
}

#[test]
fn a_submission_waits_while_the_chain_has_no_randomness() {
    on_new_chain(|| {
        Seed::set(&None);
        let id = submitted();
        run_to(10);
        assert_eq!(job(id).state, JobState::Submitted);
        Seed::set(&Some(5));
        next_block();
        assert!(job(id).state.coordinator().is_some());
    });
}

#[test]
fn randomness_known_before_the_submission_draws_nobody() {
    on_new_chain(|| {
        run_to(100);
        SeedAge::set(&10);
        let id = submitted();
        run_to(109);
        assert_eq!(job(id).state, JobState::Submitted);
        next_block();
        assert!(job(id).state.coordinator().is_some());
    });
}

#[test]
fn jobs_that_can_be_drawn_do_not_wait_for_those_that_cannot() {
    on_new_chain(|| {
        run_to(100);
        SeedAge::set(&2);
        let first = submitted();
        next_block();
        free_of_charge(Jobs::submit(signed(&OWNER), salted(1)));
        next_block();
        assert!(job(first).state.coordinator().is_some());
        assert_eq!(
            Awaiting::<Test>::get().into_inner(),
            [(id_of(&OWNER, &salted(1)), OWNER)]
        );
    });
}
