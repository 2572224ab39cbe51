//! Settlement.

use super::*;
use crate::{Event, JobsCoordinatedBy, SettledTasks, Totals, WeightInfo};
use frame_support::assert_ok;
use quern_primitives::{
    DeviceId, JobId,
    batch::{Batch, BatchState, LogRange, TaskSet},
    job::{JobEnd, JobState, Submission},
};

fn settle(by: &quern_primitives::AccountId, batch: Batch) -> DispatchResultWithPostInfo {
    Jobs::settle(signed(by), certified(batch))
}

#[test]
fn a_batch_pays_its_workers_its_masternodes_and_the_treasury() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(&coordinator, batch(id, 0, [0, 1, 9])));
        // Three tasks at 22,000,000 units: seven tenths to two workers, a fifth to the coordinator and the other
        // of the three that certified.
        let spent = 66_000_000;
        let settled = Event::BatchSettled {
            job: id,
            sequence: 0,
            tasks: 3,
            spent,
            workers: 46_200_000,
            operators: 13_200_000,
            treasury: 6_600_000,
            due: WINDOW,
        };
        assert_eq!(events().last(), Some(&settled));
        pass_window();
        assert_eq!(free(&WORKERS[0]), 23_100_000);
        assert_eq!(free(&WORKERS[1]), 23_100_000);
        let members = Jobs::group(&id).unwrap().members;
        let of_each = members.iter().map(|member| free(&member.account));
        assert_eq!(of_each.collect::<Vec<_>>(), [6_600_000, 6_600_000, 0]);
        assert_eq!(free(&TreasuryAccount::get()), 6_600_000);
        assert_eq!(Jobs::escrow_of(&OWNER), 10 * TASK_CAP - spent);

        let job = job(id);
        assert_eq!(
            (job.escrow.paid, job.escrow.network),
            (46_200_000, 19_800_000)
        );
        assert_eq!((job.settled_tasks, job.next_batch), (3, 1));
        assert_eq!(Jobs::settled_tasks(&id), [0b0000_0011, 0b0000_0010]);
        let record = Jobs::batch(&id, 0).unwrap();
        assert_eq!(
            (record.tasks, record.spent, record.paid),
            (3, spent, 46_200_000)
        );
        assert_eq!(record.settled_at, 2);
        assert_eq!(record.state, BatchState::Final { at: 2 });
        let finalised = Event::BatchFinalised {
            job: id,
            sequence: 0,
            tasks: 3,
            workers: 46_200_000,
            operators: 13_200_000,
            treasury: 6_600_000,
        };
        assert_eq!(events().last(), Some(&finalised));
    });
}

#[test]
fn a_batch_changes_the_devices_records() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let mut first = batch(id, 0, [0, 1, 2]);
        first.devices = vec![device_change(1, 3), device_change(2, 2)]
            .try_into()
            .unwrap();
        free_of_charge(settle(&coordinator, first));
        free_of_charge(settle(&coordinator, batch(id, 1, [3])));
        assert_eq!(DeviceRecords::iter().count(), 0, "not before it is final");
        pass_window();
        assert_eq!(DeviceRecords::get(DeviceId([1; 32])).unwrap().accepted, 4);
        assert_eq!(DeviceRecords::get(DeviceId([2; 32])).unwrap().accepted, 2);
    });
}

#[test]
fn settling_the_last_task_completes_the_job_and_returns_the_rest() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(&coordinator, batch(id, 0, 0..4)));
        free_of_charge(settle(&coordinator, batch(id, 1, 4..10)));
        refused(settle(&coordinator, batch(id, 2, [0])), Refusal::JobClosed);
        pass_window();
        let job = job(id);
        assert_eq!(
            job.state,
            JobState::Completed {
                end: JobEnd::AllSettled
            }
        );
        let spent = 5 * TASK_CAP;
        assert_eq!((job.escrow.refunded, job.escrow.held), (spent, 0));
        assert_eq!(free(&OWNER), ENDOWMENT - spent);
        assert_eq!(Jobs::escrow_of(&OWNER), 0);
        assert!(!SettledTasks::<Test>::contains_key(id));
        assert!(!JobsCoordinatedBy::<Test>::contains_key(&coordinator, id));
        assert_eq!(Jobs::batch(&id, 1).unwrap().tasks, 6);
        let ended = Event::JobEnded {
            job: id,
            end: JobEnd::AllSettled,
            refunded: spent,
        };
        assert_eq!(events().last(), Some(&ended));
        refused(settle(&coordinator, batch(id, 2, [0])), Refusal::JobOver);
    });
}

#[test]
fn a_job_may_spend_its_whole_quote_and_no_more() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let whole = Batch {
            spent: 10 * TASK_CAP,
            ..batch(id, 0, 0..10)
        };
        let over = Batch {
            spent: 10 * TASK_CAP + 1,
            ..whole.clone()
        };
        refused(settle(&coordinator, over), Refusal::OverCap);
        free_of_charge(settle(&coordinator, whole));
        pass_window();
        assert_eq!(free(&OWNER), ENDOWMENT - 10 * TASK_CAP);
        assert_eq!(job(id).escrow.refunded, 0);
    });
}

#[test]
fn only_the_jobs_coordinator_settles() {
    on_new_chain(|| {
        let id = submitted();
        refused(
            settle(&MASTERNODES[0], batch(id, 0, [0])),
            Refusal::NotDrawn,
        );
        next_block();
        let coordinator = job(id).state.coordinator().unwrap().clone();
        let other = MASTERNODES
            .into_iter()
            .find(|other| *other != coordinator)
            .unwrap();
        for by in [OWNER, STRANGER, other] {
            refused(settle(&by, batch(id, 0, [0])), Refusal::NotCoordinator);
        }
        refused(
            settle(&coordinator, batch(JobId([7; 32]), 0, [0])),
            Refusal::NoSuchJob,
        );
    });
}

#[test]
fn a_coordinator_that_was_removed_moves_no_money() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        MasternodeList::set(&vec![]);
        refused(
            settle(&coordinator, batch(id, 0, [0])),
            Refusal::CoordinatorRemoved,
        );
        let why = quern_primitives::job::Failure::Undecided;
        let closed = Jobs::close_failed(signed(&coordinator), failed(id, 0, why));
        refused(closed, Refusal::CoordinatorRemoved);
    });
}

#[test]
fn batches_follow_each_other_without_a_gap() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        refused(
            settle(&coordinator, batch(id, 1, [0])),
            Refusal::WrongSequence,
        );
        free_of_charge(settle(&coordinator, batch(id, 0, [0])));
        // The same transaction again pays nobody twice.
        refused(
            settle(&coordinator, batch(id, 0, [0])),
            Refusal::WrongSequence,
        );
        refused(
            settle(&coordinator, batch(id, 2, [1])),
            Refusal::WrongSequence,
        );
        free_of_charge(settle(&coordinator, batch(id, 1, [1])));
    });
}

#[test]
fn no_task_is_settled_twice() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(&coordinator, batch(id, 0, [3])));
        refused(
            settle(&coordinator, batch(id, 1, [2, 3])),
            Refusal::TaskSettled,
        );
        pass_window();
        assert_eq!(free(&WORKERS[0]), 7_700_000);
    });
}

#[test]
fn a_set_of_tasks_that_is_not_the_jobs_or_not_canonical_is_refused() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        refused(
            settle(&coordinator, batch(id, 0, [10])),
            Refusal::NoSuchTask,
        );
        let with = |first, bits: &[u8]| Batch {
            tasks: TaskSet {
                first,
                bits: bits.to_vec().try_into().unwrap(),
            },
            ..batch(id, 0, [0])
        };
        refused(settle(&coordinator, with(0, &[])), Refusal::TaskSetEmpty);
        refused(
            settle(&coordinator, with(1, &[1])),
            Refusal::TaskSetNotShortest,
        );
        refused(
            settle(&coordinator, with(0, &[1, 0])),
            Refusal::TaskSetNotShortest,
        );
    });
}

#[test]
fn more_tasks_than_one_batch_may_settle_are_refused() {
    on_new_chain(|| {
        let large = Submission {
            tasks: 4_097,
            fuel_per_task_max: 1,
            ..submission()
        };
        free_of_charge(Jobs::submit(signed(&OWNER), large.clone()));
        next_block();
        let id = id_of(&OWNER, &large);
        let coordinator = job(id).state.coordinator().unwrap().clone();
        let unpaid = |sequence, tasks: core::ops::Range<u32>| Batch {
            spent: 0,
            payouts: Default::default(),
            ..batch(id, sequence, tasks)
        };
        refused(
            settle(&coordinator, unpaid(0, 0..4_097)),
            Refusal::TaskSetTooLarge,
        );
        free_of_charge(settle(&coordinator, unpaid(0, 0..4_096)));
        free_of_charge(settle(&coordinator, unpaid(1, 4_096..4_097)));
        pass_window();
        assert_eq!(free(&OWNER), ENDOWMENT);
    });
}

#[test]
fn payouts_are_sorted_distinct_above_zero_and_within_the_workers_part() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let with = |payouts: Vec<_>| Batch {
            payouts: payouts.try_into().unwrap(),
            ..batch(id, 0, [0])
        };
        let most = TASK_CAP / 2 * 7 / 10;
        let cases = [
            (vec![payout(1, 5), payout(0, 5)], Refusal::PayoutsUnsorted),
            (vec![payout(1, 5), payout(1, 5)], Refusal::PayoutsUnsorted),
            (vec![payout(0, 5), payout(1, 0)], Refusal::PayoutZero),
            (
                vec![payout(0, most), payout(1, 1)],
                Refusal::WorkersOverShare,
            ),
            (
                vec![payout(0, u128::MAX), payout(1, 1)],
                Refusal::WorkersOverShare,
            ),
        ];
        for (payouts, error) in cases {
            refused(settle(&coordinator, with(payouts)), error);
        }
        free_of_charge(settle(&coordinator, with(vec![payout(0, most)])));
    });
}

#[test]
fn one_task_makes_no_more_accounts_than_it_can_have_replicas() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let with = |count: u8| {
            let all = (100..100 + count).map(|number| quern_primitives::batch::Payout {
                account: quern_primitives::AccountId::new([number; 32]),
                amount: 1,
            });
            Batch {
                payouts: all.collect::<Vec<_>>().try_into().unwrap(),
                ..batch(id, 0, [0])
            }
        };
        refused(settle(&coordinator, with(16)), Refusal::TooManyPayees);
        free_of_charge(settle(&coordinator, with(15)));
    });
}

#[test]
fn record_changes_are_sorted_distinct_and_no_more_than_the_replicas() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let with = |devices: Vec<_>| Batch {
            devices: devices.try_into().unwrap(),
            ..batch(id, 0, [0])
        };
        let cases = [
            (
                vec![device_change(2, 1), device_change(1, 1)],
                Refusal::DevicesUnsorted,
            ),
            (
                vec![device_change(1, 1), device_change(1, 1)],
                Refusal::DevicesUnsorted,
            ),
            (vec![device_change(1, 0)], Refusal::DeviceUnchanged),
            (vec![device_change(1, 16)], Refusal::TooManyFindings),
        ];
        for (devices, error) in cases {
            refused(settle(&coordinator, with(devices)), error);
        }
        let reversed = Batch {
            log: LogRange { first: 2, last: 1 },
            ..batch(id, 0, [0])
        };
        refused(settle(&coordinator, reversed), Refusal::LogReversed);
        assert_eq!(DeviceRecords::iter().count(), 0);
    });
}

#[test]
fn nothing_is_settled_after_the_deadline() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        run_to(1_000);
        free_of_charge(settle(&coordinator, batch(id, 0, [0])));
        next_block();
        refused(settle(&coordinator, batch(id, 1, [1])), Refusal::TooLate);
    });
}

#[test]
fn the_owner_may_be_paid_as_a_worker_from_its_own_escrow() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let own = quern_primitives::batch::Payout {
            account: OWNER,
            amount: 1_000,
        };
        let payouts = vec![own].try_into().unwrap();
        free_of_charge(settle(
            &coordinator,
            Batch {
                payouts,
                ..batch(id, 0, 0..10)
            },
        ));
        pass_window();
        assert_eq!(free(&OWNER), ENDOWMENT - 5 * TASK_CAP + 1_000);
    });
}

#[test]
fn a_payout_of_one_unit_makes_an_account() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let payouts = vec![payout(2, 1)].try_into().unwrap();
        free_of_charge(settle(
            &coordinator,
            Batch {
                payouts,
                ..batch(id, 0, [0])
            },
        ));
        pass_window();
        assert_eq!(free(&WORKERS[2]), 1);
    });
}

#[test]
fn the_totals_count_all_jobs_together() {
    on_new_chain(|| {
        let (one, coordinator) = running();
        assert_ok!(Jobs::submit(signed(&OTHER_OWNER), submission()));
        free_of_charge(settle(&coordinator, batch(one, 0, 0..10)));
        let totals = Totals::<Test>::get();
        assert_eq!((totals.pending, totals.held), (5 * TASK_CAP, 15 * TASK_CAP));
        pass_window();
        let totals = Totals::<Test>::get();
        assert_eq!(totals.deposited, 20 * TASK_CAP);
        assert_eq!(totals.held, 10 * TASK_CAP);
        assert_eq!(totals.paid + totals.network, 5 * TASK_CAP);
        assert_eq!(totals.refunded, 5 * TASK_CAP);
    });
}

#[test]
fn the_weight_of_a_batch_grows_with_devices_and_certificates_and_not_with_tasks() {
    on_new_chain(|| {
        let weight = |batch: &Batch, places: &[u8]| {
            crate::Pallet::<Test>::settle_weight(&certified_by(batch.clone(), places))
        };
        let (few, many) = (
            batch(JobId([1; 32]), 0, [0]),
            batch(JobId([1; 32]), 0, 0..10),
        );
        assert_eq!(weight(&few, &[0]), weight(&many, &[0]));
        // What payees cost is seen when they are paid; to read them is lost in what a batch costs anyway.
        let none = Batch {
            payouts: Default::default(),
            ..few.clone()
        };
        assert!(weight(&none, &[0]).all_lte(weight(&few, &[0])));
        let paid = |payees| <Test as crate::Config>::WeightInfo::finalise(payees, 1, 1);
        assert!(paid(0).all_lt(paid(1)) && paid(1).all_lt(paid(2)));
        let shared = |masternodes| <Test as crate::Config>::WeightInfo::finalise(1, 1, masternodes);
        assert!(shared(1).all_lt(shared(2)) && shared(6).all_lt(shared(7)));
        let without = Batch {
            devices: Default::default(),
            ..none
        };
        assert!(weight(&without, &[0]).any_lt(weight(&few, &[0])));
        assert!(weight(&few, &[0]).any_lt(weight(&few, &[0, 1])));
    });
}
