//! The ends of a job other than its last batch: failure, cancellation, refund. And a whole life.

use super::*;
use crate::{Awaiting, Event, OpenJobs, Totals};
use quern_primitives::{
    Amount, JobId,
    job::{Failure, JobEnd, JobState},
    receipt::Exit,
};

#[test]
fn a_job_lives_from_submission_to_completion() {
    on_new_chain(|| {
        let quote = Jobs::quote(&submission()).unwrap();
        free_of_charge(Jobs::submit(signed(&OWNER), submission()));
        let id = id_of(&OWNER, &submission());
        Jobs::do_try_state().unwrap();

        next_block();
        let coordinator = job(id).state.coordinator().unwrap().clone();
        Jobs::do_try_state().unwrap();

        for (sequence, first) in (0..).zip((0..10).step_by(2)) {
            next_block();
            let batch = batch(id, sequence, first..first + 2);
            free_of_charge(Jobs::settle(signed(&coordinator), certified(batch)));
            Jobs::do_try_state().unwrap();
        }
        pass_window();

        let job = job(id);
        assert_eq!(
            job.state,
            JobState::Completed {
                end: JobEnd::AllSettled
            }
        );
        assert_eq!((job.settled_tasks, job.next_batch), (10, 5));
        assert_eq!(job.escrow.deposited, quote.total);
        let treasury = [TreasuryAccount::get()];
        let all = WORKERS.iter().chain(&MASTERNODES).chain(&treasury);
        assert_eq!(all.map(free).sum::<Amount>(), quote.total / 2);
        assert_eq!(free(&OWNER), ENDOWMENT - quote.total / 2);
        let kinds: Vec<u8> = events()
            .iter()
            .map(|event| match event {
                Event::JobSubmitted { .. } => 0,
                Event::CoordinatorDrawn { .. } => 1,
                Event::BatchSettled { .. } => 2,
                Event::JobEnded { .. } => 3,
                Event::JobSettling { .. } => 4,
                Event::BatchFinalised { .. } => 5,
                _ => 9,
            })
            .collect();
        assert_eq!(kinds, [0, 1, 2, 2, 2, 2, 2, 4, 5, 5, 5, 5, 5, 3]);
    });
}

#[test]
fn a_failing_program_ends_the_job_and_returns_what_is_not_spent() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, [0, 1])),
        ));
        free_of_charge(Jobs::close_failed(
            signed(&coordinator),
            failed(id, 5, Failure::Program(Exit::Code(3))),
        ));
        let end = JobEnd::ProgramFailed {
            task: 5,
            exit: Exit::Code(3),
        };
        let settling = JobState::Settling {
            coordinator: coordinator.clone(),
            end,
            cancelled: None,
        };
        assert_eq!(job(id).state, settling);
        pass_window();
        assert_eq!(job(id).state, JobState::Completed { end });
        assert_eq!(free(&OWNER), ENDOWMENT - TASK_CAP);
        let ended = Event::JobEnded {
            job: id,
            end,
            refunded: 9 * TASK_CAP,
        };
        assert_eq!(events().last(), Some(&ended));
        refused(
            Jobs::close_failed(
                signed(&coordinator),
                failed(id, 5, Failure::Program(Exit::Code(3))),
            ),
            Refusal::JobOver,
        );
    });
}

#[test]
fn a_task_without_a_majority_ends_the_job_and_returns_what_is_not_spent() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, [0, 1])),
        ));
        let undecided =
            |task| Jobs::close_failed(signed(&coordinator), failed(id, task, Failure::Undecided));
        refused(undecided(1), Refusal::TaskSettled);
        free_of_charge(undecided(5));
        pass_window();
        let end = JobEnd::Undecided { task: 5 };
        assert_eq!(job(id).state, JobState::Completed { end });
        assert_eq!(free(&OWNER), ENDOWMENT - TASK_CAP);
    });
}

#[test]
fn a_failure_is_the_coordinators_to_tell_and_of_an_unsettled_task() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, [0])),
        ));
        let close = |by, task, exit| {
            Jobs::close_failed(signed(by), failed(id, task, Failure::Program(exit)))
        };
        refused(close(&OWNER, 1, Exit::Trap), Refusal::NotCoordinator);
        refused(close(&coordinator, 0, Exit::Trap), Refusal::TaskSettled);
        refused(close(&coordinator, 10, Exit::Trap), Refusal::NoSuchTask);
        refused(
            close(&coordinator, 1, Exit::Success),
            Refusal::ExitIsSuccess,
        );
        let unknown = Jobs::close_failed(
            signed(&coordinator),
            failed(JobId([7; 32]), 0, Failure::Undecided),
        );
        refused(unknown, Refusal::NoSuchJob);
        run_to(1_001);
        refused(close(&coordinator, 1, Exit::Trap), Refusal::TooLate);
    });
}

#[test]
fn cancelling_before_the_draw_returns_everything_at_once() {
    on_new_chain(|| {
        let id = submitted();
        for_a_fee(Jobs::cancel(signed(&OWNER), id));
        assert_eq!(job(id).state, JobState::Cancelled);
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert!(Awaiting::<Test>::get().is_empty());
        assert!(!OpenJobs::<Test>::contains_key(&OWNER));
        let ended = Event::JobEnded {
            job: id,
            end: JobEnd::OwnerCancelled,
            refunded: 10 * TASK_CAP,
        };
        assert_eq!(events().last(), Some(&ended));
        // There is nothing left to draw for.
        next_block();
        assert_eq!(job(id).state, JobState::Cancelled);
    });
}

#[test]
fn what_was_finished_when_the_owner_cancelled_is_settled_in_the_grace() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(Jobs::cancel(signed(&OWNER), id));
        let until = 2 + GRACE;
        assert_eq!(
            job(id).state,
            JobState::Cancelling {
                coordinator: coordinator.clone(),
                until
            }
        );
        assert_eq!(
            events().last(),
            Some(&Event::JobCancelled { job: id, until })
        );
        assert_eq!(free(&OWNER), ENDOWMENT - 10 * TASK_CAP);

        run_to(until);
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, [0, 1])),
        ));
        refused(Jobs::refund(signed(&OWNER), id), Refusal::TooEarly);
        next_block();
        refused(
            Jobs::settle(signed(&coordinator), certified(batch(id, 1, [2]))),
            Refusal::TooLate,
        );
        free_of_charge(Jobs::refund(signed(&STRANGER), id));
        assert_eq!(free(&OWNER), ENDOWMENT - TASK_CAP);
        pass_window();
        assert_eq!(job(id).state, JobState::Cancelled);
        assert_eq!(free(&OWNER), ENDOWMENT - TASK_CAP);
    });
}

#[test]
fn finishing_everything_in_the_grace_completes_the_job() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(Jobs::cancel(signed(&OWNER), id));
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, 0..10)),
        ));
        pass_window();
        assert_eq!(
            job(id).state,
            JobState::Completed {
                end: JobEnd::AllSettled
            }
        );
    });
}

#[test]
fn only_the_owner_cancels_and_only_once() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        for by in [OTHER_OWNER, STRANGER, coordinator] {
            refused(Jobs::cancel(signed(&by), id), Refusal::NotOwner);
        }
        refused(
            Jobs::cancel(signed(&OWNER), JobId([7; 32])),
            Refusal::NoSuchJob,
        );
        free_of_charge(Jobs::cancel(signed(&OWNER), id));
        refused(Jobs::cancel(signed(&OWNER), id), Refusal::AlreadyCancelled);
        run_to(3 + GRACE);
        free_of_charge(Jobs::refund(signed(&OWNER), id));
        refused(Jobs::cancel(signed(&OWNER), id), Refusal::JobOver);
    });
}

#[test]
fn after_the_deadline_a_stranger_refunds_the_owner_everything() {
    on_new_chain(|| {
        let (id, _) = running();
        run_to(1_000);
        refused(Jobs::refund(signed(&STRANGER), id), Refusal::TooEarly);
        next_block();
        refused(Jobs::cancel(signed(&OWNER), id), Refusal::TooLate);
        free_of_charge(Jobs::refund(signed(&STRANGER), id));
        assert_eq!(job(id).state, JobState::Expired);
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert_eq!(free(&STRANGER), 0);
        assert_eq!(Totals::<Test>::get().refunded, 10 * TASK_CAP);
        let ended = Event::JobEnded {
            job: id,
            end: JobEnd::DeadlinePassed,
            refunded: 10 * TASK_CAP,
        };
        assert_eq!(events().last(), Some(&ended));
    });
}

#[test]
fn a_job_that_never_got_a_coordinator_is_refunded_too() {
    on_new_chain(|| {
        MasternodeList::set(&vec![]);
        let id = submitted();
        run_to(1_001);
        free_of_charge(Jobs::refund(signed(&STRANGER), id));
        assert_eq!(job(id).state, JobState::Expired);
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert!(Awaiting::<Test>::get().is_empty());
    });
}

#[test]
fn a_refund_after_some_batches_returns_the_rest() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(Jobs::settle(
            signed(&coordinator),
            certified(batch(id, 0, 0..6)),
        ));
        run_to(1_001);
        free_of_charge(Jobs::refund(signed(&OTHER_OWNER), id));
        assert_eq!(free(&OWNER), ENDOWMENT - 3 * TASK_CAP);
        assert_eq!(job(id).escrow.refunded, 7 * TASK_CAP);
    });
}

#[test]
fn nothing_is_refunded_twice() {
    on_new_chain(|| {
        let (id, _) = running();
        run_to(1_001);
        free_of_charge(Jobs::refund(signed(&STRANGER), id));
        refused(Jobs::refund(signed(&STRANGER), id), Refusal::JobOver);
        refused(
            Jobs::refund(signed(&STRANGER), JobId([7; 32])),
            Refusal::NoSuchJob,
        );
        assert_eq!(free(&OWNER), ENDOWMENT);
    });
}

#[test]
fn an_unsigned_call_is_refused() {
    on_new_chain(|| {
        let id = submitted();
        let bad = DispatchError::BadOrigin;
        refused(Jobs::submit(RuntimeOrigin::none(), salted(1)), bad);
        refused(
            Jobs::settle(RuntimeOrigin::root(), certified(batch(id, 0, [0]))),
            bad,
        );
        refused(
            Jobs::close_failed(RuntimeOrigin::none(), failed(id, 0, Failure::Undecided)),
            bad,
        );
        refused(Jobs::cancel(RuntimeOrigin::root(), id), bad);
        refused(Jobs::refund(RuntimeOrigin::none(), id), bad);
    });
}
