//! What a masternode may settle of what it has bonded.

use super::*;
use crate::Exposures;
use quern_primitives::{AccountId, Amount, JobId, batch::Exposure, params::Params};

/// What [`batch`] spends for each task.
const EACH: Amount = TASK_CAP / 2;

fn settle(
    id: JobId,
    by: &AccountId,
    sequence: u32,
    tasks: core::ops::Range<u32>,
) -> DispatchResultWithPostInfo {
    Jobs::settle(signed(by), certified(batch(id, sequence, tasks)))
}

fn open(account: &AccountId) -> Amount {
    Jobs::exposure_of(account).open
}

/// Another job of the same coordinator, where each masternode's turn comes up sooner or later.
fn another_of(coordinator: &AccountId) -> JobId {
    for number in 1..100 {
        Jobs::submit(signed(&OTHER_OWNER), salted(number)).unwrap();
        let id = id_of(&OTHER_OWNER, &salted(number));
        next_block();
        if job(id).state.coordinator() == Some(coordinator) {
            return id;
        }
        Jobs::cancel(signed(&OTHER_OWNER), id).unwrap();
    }
    panic!("of a hundred jobs one is another's");
}

#[test]
fn a_masternode_settles_no_more_than_its_bond_covers_until_a_batch_is_final() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        BondOfEach::set(&(6 * EACH));
        free_of_charge(settle(id, &coordinator, 0, 0..4));
        assert_eq!(open(&coordinator), 4 * EACH);
        refused(
            settle(id, &coordinator, 1, 4..7),
            Refusal::ExposureAboveBond,
        );
        free_of_charge(settle(id, &coordinator, 1, 4..6));
        assert_eq!(open(&coordinator), 6 * EACH);
        refused(
            settle(id, &coordinator, 2, 6..7),
            Refusal::ExposureAboveBond,
        );
        pass_window();
        assert_eq!(open(&coordinator), 0);
        free_of_charge(settle(id, &coordinator, 2, 6..7));
        pass_window();
        assert_eq!(
            Exposures::<Test>::iter().count(),
            0,
            "what is over is forgotten"
        );
    });
}

#[test]
fn who_has_bonded_nothing_settles_nothing() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        BondOfEach::set(&0);
        refused(
            settle(id, &coordinator, 0, 0..1),
            Refusal::ExposureAboveBond,
        );
        BondOfEach::set(&EACH);
        free_of_charge(settle(id, &coordinator, 0, 0..1));
    });
}

#[test]
fn a_bond_covers_what_is_open_in_all_jobs_together() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let other = another_of(&coordinator);
        BondOfEach::set(&(5 * EACH));
        free_of_charge(settle(id, &coordinator, 0, 0..3));
        refused(
            settle(other, &coordinator, 0, 0..3),
            Refusal::ExposureAboveBond,
        );
        free_of_charge(settle(other, &coordinator, 0, 0..2));
        assert_eq!(open(&coordinator), 5 * EACH);
        assert_eq!(Jobs::totals().pending, 5 * EACH);
    });
}

#[test]
fn where_the_council_asks_for_more_a_bond_covers_less_from_then_on() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        BondOfEach::set(&(6 * EACH));
        free_of_charge(settle(id, &coordinator, 0, 0..4));
        let asks = Params {
            bond_per_exposure_permille: 2_000,
            ..PARAMS
        };
        CurrentParams::set(&asks);
        Jobs::do_try_state().unwrap();
        refused(
            settle(id, &coordinator, 1, 4..5),
            Refusal::ExposureAboveBond,
        );
        pass_window();
        refused(
            settle(id, &coordinator, 1, 4..8),
            Refusal::ExposureAboveBond,
        );
        free_of_charge(settle(id, &coordinator, 1, 4..7));
        assert_eq!(open(&coordinator), 3 * EACH);
    });
}

#[test]
fn what_is_struck_is_open_no_more_and_who_goes_on_answers_with_its_own_bond() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        BondOfEach::set(&(4 * EACH));
        free_of_charge(settle(id, &coordinator, 0, 0..2));
        free_of_charge(settle(id, &coordinator, 1, 2..4));
        Jobs::strike(id, 1).unwrap();
        assert_eq!(open(&coordinator), 2 * EACH);
        let next = job(id).state.coordinator().unwrap().clone();
        assert_ne!(next, coordinator);
        free_of_charge(settle(id, &next, 2, 2..6));
        assert_eq!((open(&coordinator), open(&next)), (2 * EACH, 4 * EACH));
        // What falls with the first batch is of both.
        Jobs::strike(id, 0).unwrap();
        assert_eq!((open(&coordinator), open(&next)), (0, 0));
        assert_eq!(Exposures::<Test>::iter().count(), 0);
    });
}

#[test]
fn who_was_slashed_settles_nothing_until_its_bond_covers_what_is_open_and_that_is_paid() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        BondOfEach::set(&(4 * EACH));
        free_of_charge(settle(id, &coordinator, 0, 0..3));
        // In another job a lie was proved.
        BondOfEach::set(&EACH);
        Jobs::note_slash(&coordinator, 3 * EACH);
        let exposure = Exposure {
            open: 3 * EACH,
            slashed: 3 * EACH,
        };
        assert_eq!(Jobs::exposure_of(&coordinator), exposure);
        Jobs::do_try_state().unwrap();
        refused(
            settle(id, &coordinator, 1, 3..4),
            Refusal::ExposureAboveBond,
        );
        BondOfEach::set(&(4 * EACH));
        free_of_charge(settle(id, &coordinator, 1, 3..4));
        assert_eq!(Jobs::exposure_of(&coordinator).slashed, 0);
        pass_window();
        assert!(free(&WORKERS[0]) > 0);
    });
}

#[test]
fn of_who_has_nothing_open_no_slash_is_remembered() {
    on_new_chain(|| {
        Jobs::note_slash(&MASTERNODES[0], 7);
        assert_eq!(Exposures::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_bond_that_covers_less_than_what_is_open_breaks_an_invariant() {
    genesis().execute_with(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(id, &coordinator, 0, 0..3));
        BondOfEach::set(&(3 * EACH));
        Jobs::do_try_state().unwrap();
        BondOfEach::set(&(3 * EACH - 1));
        assert!(Jobs::do_try_state().is_err());
    });
}
