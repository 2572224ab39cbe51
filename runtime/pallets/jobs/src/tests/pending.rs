//! Batches between settlement and finality.

use super::*;
use crate::{Event, JobsCoordinatedBy, KeptOpen, Pending, PendingOf, WeightInfo};
use frame_support::{
    assert_noop, assert_ok,
    storage::with_storage_layer,
    traits::{fungible::hold::Mutate as _, tokens::Precision},
    weights::Weight,
};
use quern_primitives::{
    AccountId, DeviceId, JobId,
    batch::BatchState,
    job::{Failure, JobEnd, JobState},
    limits::PENDING_BATCHES_PER_JOB_MAX,
    params::Params,
};

fn settled(id: JobId, by: &AccountId, sequence: u32, tasks: core::ops::Range<u32>) {
    free_of_charge(Jobs::settle(
        signed(by),
        certified(batch(id, sequence, tasks)),
    ));
}

fn finalise(id: JobId, sequence: u32) -> DispatchResultWithPostInfo {
    Jobs::finalise(signed(&STRANGER), id, sequence)
}

/// The masternode at a place of a job's group.
fn member(id: JobId, place: u8) -> AccountId {
    let group = Jobs::group(&id).unwrap();
    group.member(place).unwrap().account.clone()
}

fn state_of(id: JobId, sequence: u32) -> BatchState {
    Jobs::batch(&id, sequence).unwrap().state
}

#[test]
fn nobody_is_paid_before_a_batch_is_final() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..4);
        clock_to(WINDOW - 1);
        for account in [&WORKERS[0], &coordinator, &TreasuryAccount::get()] {
            assert_eq!(free(account), 0);
        }
        assert_eq!(Jobs::escrow_of(&OWNER), 10 * TASK_CAP);
        assert_eq!(state_of(id, 0), BatchState::Pending { due: WINDOW });
        assert_eq!(Jobs::pending_of(&id), [(0, WINDOW)]);
        assert_eq!(
            Jobs::pending_batch(&id, 0).unwrap().coordinator,
            coordinator
        );
        assert_eq!(Jobs::pending_to(&WORKERS[0]), (30_800_000, true));
        // A fifth of what is spent is for it and for the other that certified.
        assert_eq!(Jobs::pending_to(&coordinator), (8_800_000, true));
        clock_to(WINDOW);
        assert_eq!(free(&WORKERS[0]), 30_800_000);
        assert_eq!(free(&coordinator), 8_800_000);
        assert_eq!(Jobs::pending_to(&WORKERS[0]), (0, true));
        assert!(Jobs::pending_batch(&id, 0).is_none());
    });
}

#[test]
fn while_the_clock_stands_still_nothing_becomes_final() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..10);
        run_to(5_000);
        idle();
        refused(finalise(id, 0), Refusal::BatchNotDue);
        assert_eq!(free(&WORKERS[0]), 0);
    });
}

#[test]
fn anyone_makes_final_what_is_due_and_the_batches_of_a_job_in_their_order() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..2);
        settled(id, &coordinator, 1, 2..4);
        Clock::set(&WINDOW);
        refused(finalise(id, 1), Refusal::EarlierPending);
        refused(finalise(id, 2), Refusal::BatchNotPending);
        free_of_charge(finalise(id, 0));
        refused(finalise(id, 0), Refusal::BatchNotPending);
        free_of_charge(finalise(id, 1));
        assert_eq!(state_of(id, 1), BatchState::Final { at: 2 });
        refused(finalise(JobId([7; 32]), 0), Refusal::BatchNotPending);
        let unsigned = Jobs::finalise(RuntimeOrigin::none(), id, 0);
        refused(unsigned, DispatchError::BadOrigin);
    });
}

#[test]
fn a_block_makes_final_no_more_than_it_has_room_for() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        for sequence in 0..3 {
            settled(id, &coordinator, sequence, 2 * sequence..2 * sequence + 2);
        }
        Clock::set(&WINDOW);
        let one = <() as WeightInfo>::finalise(2, 1, 3) + <() as WeightInfo>::look_for_due();
        assert_eq!(Jobs::finalise_due(Weight::zero()), Weight::zero());
        let used = Jobs::finalise_due(one + <() as WeightInfo>::look_for_due());
        assert!(used.all_lte(one + <() as WeightInfo>::look_for_due()));
        assert_eq!(Jobs::pending_of(&id), [(1, WINDOW), (2, WINDOW)]);
        idle();
        assert!(Jobs::pending_of(&id).is_empty());
        assert_eq!(Pending::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_disputed_batch_and_those_behind_it_are_not_made_final_and_nobody_elses_wait() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..2);
        settled(id, &coordinator, 1, 2..4);
        settled(id, &coordinator, 2, 4..6);
        Jobs::submit(signed(&OTHER_OWNER), salted(1)).unwrap();
        next_block();
        let other = id_of(&OTHER_OWNER, &salted(1));
        let of_other = job(other).state.coordinator().unwrap().clone();
        settled(other, &of_other, 0, 0..2);
        Jobs::keep_open(&id, 1, true);
        // Of what is not pending nothing changes.
        Jobs::keep_open(&id, 7, true);
        Jobs::do_try_state().unwrap();
        clock_to(2 * WINDOW);
        assert_eq!(Jobs::pending_of(&id), [(1, WINDOW), (2, WINDOW)]);
        assert!(Jobs::pending_of(&other).is_empty());
        refused(finalise(id, 1), Refusal::BatchDisputed);
        refused(finalise(id, 2), Refusal::EarlierPending);
        Jobs::do_try_state().unwrap();
        Jobs::keep_open(&id, 1, false);
        idle();
        assert!(Jobs::pending_of(&id).is_empty());
    });
}

#[test]
fn a_disputed_batch_that_is_struck_leaves_nothing_behind() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        for sequence in 0..3 {
            settled(id, &coordinator, sequence, 2 * sequence..2 * sequence + 2);
            Jobs::keep_open(&id, sequence, true);
        }
        assert_ok!(Jobs::strike(id, 1));
        Jobs::do_try_state().unwrap();
        // Their disputes end later, and change nothing.
        Jobs::keep_open(&id, 1, false);
        Jobs::keep_open(&id, 2, false);
        Jobs::keep_open(&id, 0, false);
        clock_to(WINDOW);
        assert!(Jobs::pending_of(&id).is_empty());
        assert_eq!(KeptOpen::<Test>::iter_keys().count(), 0);
    });
}

#[test]
fn what_is_due_first_becomes_final_first_however_far_apart() {
    on_new_chain(|| {
        let (one, coordinator) = running();
        settled(one, &coordinator, 0, 0..2);
        clock_to(WINDOW - 1);
        settled(one, &coordinator, 1, 2..4);
        assert_eq!(Jobs::pending_of(&one), [(0, WINDOW), (1, 2 * WINDOW - 1)]);
        clock_to(1_000_000);
        assert!(Jobs::pending_of(&one).is_empty());
    });
}

#[test]
fn a_job_has_no_more_pending_batches_than_may_be() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..2);
        let full: Vec<_> = (0..PENDING_BATCHES_PER_JOB_MAX)
            .map(|n| (n, WINDOW))
            .collect();
        let real = PendingOf::<Test>::get(id);
        PendingOf::<Test>::insert(id, frame_support::BoundedVec::truncate_from(full));
        let call = || Jobs::settle(signed(&coordinator), certified(batch(id, 1, 2..4)));
        let told = with_storage_layer(|| call().map(|_| ()).map_err(|refusal| refusal.error));
        assert_eq!(told, Err(Refusal::TooManyPending.into()));
        PendingOf::<Test>::insert(id, real);
        free_of_charge(call());
    });
}

#[test]
fn striking_a_batch_strikes_all_later_ones_and_the_next_masternode_goes_on() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        for sequence in 0..3 {
            settled(id, &coordinator, sequence, 2 * sequence..2 * sequence + 2);
        }
        // The first two certified what is struck, so the last one is left.
        let next = member(id, 2);
        assert_ok!(Jobs::strike(id, 1));
        assert_eq!(state_of(id, 0), BatchState::Pending { due: WINDOW });
        for sequence in [1, 2] {
            assert_eq!(state_of(id, sequence), BatchState::Struck { at: 2 });
        }
        assert_eq!(Jobs::settled_tasks(&id)[0], 0b0000_0011);
        let now = job(id);
        assert_eq!(now.state.coordinator(), Some(&next));
        assert_eq!((now.settled_tasks, now.next_batch), (2, 3));
        assert_eq!(now.escrow.pending, TASK_CAP);
        assert!(!JobsCoordinatedBy::<Test>::contains_key(&coordinator, id));
        assert!(JobsCoordinatedBy::<Test>::contains_key(&next, id));
        let replaced = Event::CoordinatorReplaced {
            job: id,
            coordinator: next.clone(),
        };
        assert!(events().contains(&replaced));
        for place in [0, 1] {
            let account = member(id, place);
            assert!(events().contains(&Event::MemberTurnedOut { job: id, account }));
        }
        Jobs::do_try_state().unwrap();
        refused(
            Jobs::settle(signed(&coordinator), certified(batch(id, 3, [2]))),
            Refusal::NotCoordinator,
        );
        settled(id, &next, 3, 2..10);
        pass_window();
        let end = JobEnd::AllSettled;
        assert_eq!(job(id).state, JobState::Completed { end });
        // The batch that stands pays its workers; who settled it and lied in the next one gets nothing of it.
        assert_eq!(free(&WORKERS[0]), 5 * TASK_CAP * 7 / 20);
        assert_eq!(free(&coordinator), 0);
        assert_eq!(free(&next), 35_200_000);
        assert_eq!(free(&OWNER), ENDOWMENT - 5 * TASK_CAP);
    });
}

#[test]
fn records_of_devices_never_hear_of_a_struck_batch() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..2);
        assert_ok!(Jobs::strike(id, 0));
        pass_window();
        assert!(DeviceRecords::get(DeviceId([1; 32])).is_none());
        assert_eq!(free(&WORKERS[0]), 0);
    });
}

#[test]
fn a_job_that_waited_for_its_batches_goes_on_when_one_is_struck() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..10);
        let next = member(id, 2);
        assert_ok!(Jobs::strike(id, 0));
        let coordinator = next.clone();
        assert_eq!(job(id).state, JobState::Running { coordinator });
        settled(id, &next, 1, 0..10);
        pass_window();
        assert!(!job(id).state.is_open());
    });
}

#[test]
fn without_a_masternode_to_go_on_everything_goes_back() {
    on_new_chain(|| {
        CurrentParams::set(&Params {
            group_size: 1,
            ..PARAMS
        });
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..4);
        assert_ok!(Jobs::strike(id, 0));
        let end = JobEnd::BatchStruck;
        assert_eq!(job(id).state, JobState::Completed { end });
        assert_eq!(free(&OWNER), ENDOWMENT);
        let ended = Event::JobEnded {
            job: id,
            end,
            refunded: 10 * TASK_CAP,
        };
        assert_eq!(events().last(), Some(&ended));
    });
}

#[test]
fn only_what_is_pending_is_struck() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..4);
        assert_noop!(Jobs::strike(id, 1), Refusal::BatchNotPending);
        pass_window();
        assert_noop!(Jobs::strike(id, 0), Refusal::BatchNotPending);
        assert_noop!(Jobs::strike(JobId([7; 32]), 0), Refusal::NoSuchJob);
    });
}

#[test]
fn a_failed_job_keeps_what_is_held_until_its_last_batch_is_final() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..4);
        free_of_charge(Jobs::close_failed(
            signed(&coordinator),
            failed(id, 5, Failure::Undecided),
        ));
        assert_eq!(free(&OWNER), ENDOWMENT - 10 * TASK_CAP);
        refused(Jobs::cancel(signed(&OWNER), id), Refusal::JobClosed);
        refused(Jobs::refund(signed(&OWNER), id), Refusal::TooEarly);
        pass_window();
        assert_eq!(free(&OWNER), ENDOWMENT - 2 * TASK_CAP);
    });
}

#[test]
fn a_refund_gives_back_what_is_held_and_leaves_what_is_pending() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..4);
        run_to(1_001);
        free_of_charge(Jobs::refund(signed(&STRANGER), id));
        assert_eq!(free(&OWNER), ENDOWMENT - 2 * TASK_CAP);
        assert_eq!(job(id).escrow.pending, 2 * TASK_CAP);
        let end = JobEnd::DeadlinePassed;
        let settling = Event::JobSettling {
            job: id,
            end,
            refunded: 8 * TASK_CAP,
        };
        assert_eq!(events().last(), Some(&settling));
        refused(Jobs::refund(signed(&STRANGER), id), Refusal::JobClosed);
        pass_window();
        assert_eq!(job(id).state, JobState::Expired);
        assert_eq!(free(&WORKERS[0]), 30_800_000);
    });
}

#[test]
fn a_batch_that_cannot_be_paid_keeps_nobody_else_from_their_pay() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        settled(id, &coordinator, 0, 0..4);
        settled(id, &coordinator, 1, 4..6);
        let other = id_of(&OTHER_OWNER, &submission());
        assert_ok!(Jobs::submit(signed(&OTHER_OWNER), submission()));
        next_block();
        let second = job(other).state.coordinator().unwrap().clone();
        settled(other, &second, 0, 0..1);
        // What was held for the first job is gone.
        let escrow = crate::HoldReason::Escrow.into();
        let held = Jobs::escrow_of(&OWNER);
        assert_ok!(Balances::release(&escrow, &OWNER, held, Precision::Exact));
        pass_window();
        assert!(!Jobs::batch(&id, 0).unwrap().is_final());
        assert!(Jobs::batch(&other, 0).unwrap().is_final());
        // As the chain dispatches it: what fails changes nothing.
        let refused = with_storage_layer(|| match finalise(id, 0) {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused.error),
        });
        assert!(refused.is_err());
        // When it is back the call pays, and the chain goes on with the next by itself.
        assert_ok!(Balances::hold(&escrow, &OWNER, held));
        free_of_charge(finalise(id, 0));
        idle();
        assert!(Jobs::batch(&id, 1).unwrap().is_final());
    });
}
