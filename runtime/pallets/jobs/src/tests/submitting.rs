//! Submission and escrow.

use super::*;
use crate::{Awaiting, Event, JobsOf, OpenJobs, Totals};
use codec::Decode;
use frame_support::{assert_noop, assert_ok, traits::fungible::Mutate};
use quern_job_rules::{pay::PRICES_AT_GENESIS, quote::QuoteError, value};
use quern_primitives::{
    AccountId, JobId,
    job::{Agreement, JobState, Preferences, Prices, RegionSet, Submission},
    limits,
    params::Params,
};

const QUOTE: u128 = 10 * TASK_CAP;

#[test]
fn submitting_a_job_holds_its_whole_quote_in_the_same_call() {
    on_new_chain(|| {
        free_of_charge(Jobs::submit(signed(&OWNER), submission()));
        let id = id_of(&OWNER, &submission());
        assert_eq!(Jobs::escrow_of(&OWNER), QUOTE);
        assert_eq!(free(&OWNER), ENDOWMENT - QUOTE);
        let job = job(id);
        assert_eq!((job.escrow.deposited, job.escrow.held), (QUOTE, QUOTE));
        assert_eq!(job.state, JobState::Submitted);
        assert_eq!(job.prices, PRICES_AT_GENESIS);
        assert_eq!(
            events(),
            [Event::JobSubmitted {
                job: id,
                owner: OWNER,
                escrow: QUOTE
            }]
        );
    });
}

#[test]
fn a_job_over_the_balance_is_refused_and_nothing_is_taken() {
    on_new_chain(|| {
        let dear = Submission {
            tasks: 30_000,
            input_bytes: 30_000,
            ..submission()
        };
        refused(
            Jobs::submit(signed(&OWNER), dear),
            Refusal::BalanceBelowQuote,
        );
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert_eq!(Jobs::escrow_of(&OWNER), 0);
        assert!(Awaiting::<Test>::get().is_empty());
    });
}

#[test]
fn an_account_keeps_the_existential_deposit_beside_its_escrow() {
    on_new_chain(|| {
        assert_ok!(Balances::mint_into(&STRANGER, QUOTE));
        refused(
            Jobs::submit(signed(&STRANGER), submission()),
            Refusal::BalanceBelowQuote,
        );
        assert_ok!(Balances::mint_into(&STRANGER, 1));
        free_of_charge(Jobs::submit(signed(&STRANGER), submission()));
    });
}

#[test]
fn a_deadline_in_the_past_too_near_or_too_far_ahead_is_refused() {
    on_new_chain(|| {
        run_to(50);
        let with = |deadline| Submission {
            deadline,
            ..submission()
        };
        refused(
            Jobs::submit(signed(&OWNER), with(50)),
            Refusal::DeadlinePassed,
        );
        let earliest = 50 + limits::JOB_LIFETIME_BLOCKS_MIN;
        for near in [51, earliest - 1] {
            refused(
                Jobs::submit(signed(&OWNER), with(near)),
                Refusal::DeadlineTooNear,
            );
        }
        let latest = 50 + limits::JOB_LIFETIME_BLOCKS_MAX;
        refused(
            Jobs::submit(signed(&OWNER), with(latest + 1)),
            Refusal::DeadlineTooFar,
        );
        free_of_charge(Jobs::submit(signed(&OWNER), with(earliest)));
        free_of_charge(Jobs::submit(signed(&OTHER_OWNER), with(latest)));
    });
}

#[test]
fn a_quote_above_what_the_owner_agreed_to_is_refused() {
    on_new_chain(|| {
        let agreed = |price_max| Submission {
            price_max,
            ..submission()
        };
        refused(
            Jobs::submit(signed(&OWNER), agreed(QUOTE - 1)),
            Refusal::AbovePriceMax,
        );
        free_of_charge(Jobs::submit(signed(&OWNER), agreed(QUOTE)));
    });
}

#[test]
fn what_is_no_job_is_refused_with_the_reason() {
    on_new_chain(|| {
        let two = Agreement::Majority { replicas: 2 };
        let nowhere = Preferences {
            regions: RegionSet::decode(&mut &[1u8 << 7][..]).unwrap(),
            ..Default::default()
        };
        let unheard_of = Preferences {
            processor_points_min: limits::PROCESSOR_POINTS_MAX + 1,
            ..Default::default()
        };
        let cases = [
            (
                Submission {
                    tasks: 0,
                    ..submission()
                },
                Refusal::NoTasks,
            ),
            (
                Submission {
                    tasks: 65_537,
                    ..submission()
                },
                Refusal::TooManyTasks,
            ),
            (
                Submission {
                    input_bytes: 0,
                    ..submission()
                },
                Refusal::NoInput,
            ),
            (
                Submission {
                    input_bytes: u64::MAX,
                    ..submission()
                },
                Refusal::InputTooLarge,
            ),
            (
                Submission {
                    fuel_per_task_max: 0,
                    ..submission()
                },
                Refusal::NoFuel,
            ),
            (
                Submission {
                    fuel_per_task_max: u64::MAX,
                    ..submission()
                },
                Refusal::TooMuchFuel,
            ),
            (
                Submission {
                    memory_bytes_max: 0,
                    ..submission()
                },
                Refusal::NoMemory,
            ),
            (
                Submission {
                    memory_bytes_max: 100 << 30,
                    ..submission()
                },
                Refusal::TooMuchMemory,
            ),
            (
                Submission {
                    result_bytes_max: u32::MAX,
                    ..submission()
                },
                Refusal::ResultTooLong,
            ),
            (
                Submission {
                    agreement: two,
                    ..submission()
                },
                Refusal::AgreementUndecidable,
            ),
            (
                Submission {
                    preferences: nowhere,
                    ..submission()
                },
                Refusal::RegionUnknown,
            ),
            (
                Submission {
                    preferences: unheard_of,
                    ..submission()
                },
                Refusal::TooManyProcessorPoints,
            ),
        ];
        for (submission, error) in cases {
            refused(Jobs::submit(signed(&OWNER), submission), error);
        }
    });
}

#[test]
fn a_salt_names_one_job_of_an_owner_for_ever() {
    on_new_chain(|| {
        let id = submitted();
        refused(
            Jobs::submit(signed(&OWNER), submission()),
            Refusal::JobExists,
        );
        for_a_fee(Jobs::cancel(signed(&OWNER), id));
        refused(
            Jobs::submit(signed(&OWNER), submission()),
            Refusal::JobExists,
        );
        // Another owner's job with the same salt is another job.
        free_of_charge(Jobs::submit(signed(&OTHER_OWNER), submission()));
    });
}

#[test]
fn an_owner_has_only_so_many_open_jobs() {
    on_new_chain(|| {
        for number in 0..limits::OPEN_JOBS_PER_OWNER_MAX as u16 {
            if number % limits::JOBS_AWAITING_PER_OWNER_MAX as u16 == 0 {
                next_block();
            }
            free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
        }
        next_block();
        assert_eq!(
            OpenJobs::<Test>::get(&OWNER),
            limits::OPEN_JOBS_PER_OWNER_MAX
        );
        refused(
            Jobs::submit(signed(&OWNER), salted(999)),
            Refusal::TooManyOpenJobs,
        );
        // A job that ends makes room.
        run_to(1_001);
        free_of_charge(Jobs::refund(signed(&OWNER), id_of(&OWNER, &salted(0))));
        let next = Submission {
            deadline: 2_000,
            ..salted(999)
        };
        free_of_charge(Jobs::submit(signed(&OWNER), next));
    });
}

#[test]
fn a_block_takes_only_so_many_submissions() {
    on_new_chain(|| {
        let each = limits::JOBS_AWAITING_PER_OWNER_MAX;
        for owner in 0..limits::JOBS_AWAITING_COORDINATOR_MAX / each {
            let owner = AccountId::new([100 + owner as u8; 32]);
            assert_ok!(Balances::mint_into(&owner, ENDOWMENT));
            for number in 0..each as u16 {
                free_of_charge(Jobs::submit(signed(&owner), salted(number)));
            }
        }
        refused(
            Jobs::submit(signed(&OTHER_OWNER), submission()),
            Refusal::TooManyAwaiting,
        );
        next_block();
        free_of_charge(Jobs::submit(signed(&OTHER_OWNER), submission()));
    });
}

#[test]
fn no_owner_fills_the_queue_for_coordinators_alone() {
    on_new_chain(|| {
        let most = limits::JOBS_AWAITING_PER_OWNER_MAX as u16;
        for number in 0..most {
            free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
        }
        refused(
            Jobs::submit(signed(&OWNER), salted(most)),
            Refusal::TooManyOwnAwaiting,
        );
        assert_eq!(OpenJobs::<Test>::get(&OWNER), u32::from(most));
        free_of_charge(Jobs::submit(signed(&OTHER_OWNER), submission()));
        // One that is cancelled makes room, and so does the draw.
        for_a_fee(Jobs::cancel(signed(&OWNER), id_of(&OWNER, &salted(3))));
        free_of_charge(Jobs::submit(signed(&OWNER), salted(most)));
        next_block();
        free_of_charge(Jobs::submit(signed(&OWNER), salted(most + 1)));
    });
}

#[test]
fn an_owner_waits_with_the_others_while_nobody_can_be_drawn() {
    on_new_chain(|| {
        MasternodeList::set(&vec![]);
        let most = limits::JOBS_AWAITING_PER_OWNER_MAX as u16;
        for number in 0..most {
            free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
            next_block();
        }
        refused(
            Jobs::submit(signed(&OWNER), salted(most)),
            Refusal::TooManyOwnAwaiting,
        );
        MasternodeList::set(&MASTERNODES.to_vec());
        next_block();
        free_of_charge(Jobs::submit(signed(&OWNER), salted(most)));
    });
}

#[test]
fn one_accounts_expiring_jobs_are_sixteen_a_block_and_no_more() {
    on_new_chain(|| {
        // Every job has the nearest deadline, and is refunded in the first block that may.
        let lifetime = limits::JOB_LIFETIME_BLOCKS_MIN;
        let mut open: Vec<(JobId, u32)> = Vec::new();
        for block in 2..2 * lifetime {
            run_to(block);
            open.retain(|(id, deadline)| {
                let is_past = *deadline < block;
                if is_past {
                    free_of_charge(Jobs::refund(signed(&OWNER), *id));
                }
                !is_past
            });
            for number in 0..limits::JOBS_AWAITING_PER_OWNER_MAX {
                let short = Submission {
                    deadline: block + lifetime,
                    ..salted((100 * block + number) as u16)
                };
                let id = id_of(&OWNER, &short);
                free_of_charge(Jobs::submit(signed(&OWNER), short.clone()));
                open.push((id, short.deadline));
            }
        }
        assert_eq!(open.len(), limits::OPEN_JOBS_PER_OWNER_MAX as usize);
        refused(
            Jobs::submit(signed(&OWNER), submission()),
            Refusal::TooManyOpenJobs,
        );
        assert_eq!(free(&OWNER), ENDOWMENT - 256 * QUOTE);
    });
}

#[test]
fn a_banned_account_submits_no_job() {
    on_new_chain(|| {
        Banned::set(&vec![OWNER]);
        refused(
            Jobs::submit(signed(&OWNER), submission()),
            Refusal::OwnerBanned,
        );
        Banned::set(&vec![]);
        free_of_charge(Jobs::submit(signed(&OWNER), submission()));
    });
}

#[test]
fn a_job_keeps_the_prices_it_was_submitted_under() {
    on_new_chain(|| {
        let first = submitted();
        let dearer = Prices {
            gigafuel: 2 * PRICES_AT_GENESIS.gigafuel,
            ..PRICES_AT_GENESIS
        };
        assert_ok!(Jobs::set_prices(signed(&COUNCIL), dearer));
        free_of_charge(Jobs::submit(signed(&OWNER), salted(1)));
        assert_eq!(job(first).escrow.deposited, QUOTE);
        assert_eq!(job(id_of(&OWNER, &salted(1))).escrow.deposited, 2 * QUOTE);
        assert_eq!(Totals::<Test>::get().held, 3 * QUOTE);
        assert_eq!(Jobs::escrow_of(&OWNER), 3 * QUOTE);
        assert_eq!(JobsOf::<Test>::iter_key_prefix(&OWNER).count(), 2);
    });
}

#[test]
fn a_job_keeps_the_terms_it_was_submitted_under() {
    on_new_chain(|| {
        let (first, coordinator) = running();
        let generous = Params {
            workers_permille: 900,
            operators_permille: 50,
            re_execution_permille: 7,
            window_blocks: 2 * WINDOW,
            ..PARAMS
        };
        CurrentParams::set(&generous);
        free_of_charge(Jobs::submit(signed(&OWNER), salted(1)));
        assert_eq!(job(first).terms, PARAMS.terms());
        let second = id_of(&OWNER, &salted(1));
        assert_eq!(job(second).terms, generous.terms());
        next_block();

        // A thousand units of one task; nine tenths are more than the first job gives workers.
        let mut batch = batch(first, 0, [0]);
        batch.spent = 1_000;
        batch.payouts = vec![payout(0, 900)].try_into().unwrap();
        let settled = Jobs::settle(signed(&coordinator), certified(batch.clone()));
        refused(settled, Refusal::WorkersOverShare);
        let coordinator = job(second).state.coordinator().unwrap().clone();
        let before = free(&coordinator);
        batch.job = second;
        free_of_charge(Jobs::settle(signed(&coordinator), certified(batch)));
        pass_window();
        assert_eq!(free(&WORKERS[0]), 0, "its window is twice as long");
        pass_window();
        assert_eq!(free(&WORKERS[0]), 900);
        // Half of what operators get: another certified as well.
        assert_eq!(free(&coordinator) - before, 25);
        assert_eq!(free(&TreasuryAccount::get()), 50);
    });
}

#[test]
fn a_job_whose_tasks_are_worth_more_than_bonds_protect_is_refused_and_the_quote_says_so() {
    on_new_chain(|| {
        // With 0.11 ByteChips for each device, three may have tasks of less than the cap.
        let low = Params {
            bond_per_device: TASK_CAP * 5 / 2,
            ..Params::FIRST
        };
        CurrentParams::set(&low);
        let most = value::value_max(&low, submission().agreement);
        assert!(most < TASK_CAP);
        let told = QuoteError::TaskWorthTooMuch {
            task: TASK_CAP,
            most,
        };
        assert_eq!(Jobs::quote(&submission()), Err(told));
        refused(
            Jobs::submit(signed(&OWNER), submission()),
            Refusal::TaskWorthTooMuch,
        );
        let computed_again_more = Params {
            re_execution_permille: 500,
            ..low
        };
        CurrentParams::set(&computed_again_more);
        free_of_charge(Jobs::submit(signed(&OWNER), submission()));
    });
}

#[test]
fn only_the_council_sets_prices_and_only_within_bounds() {
    on_new_chain(|| {
        let good = Prices {
            gigafuel: 7,
            ..PRICES_AT_GENESIS
        };
        let call = Jobs::set_prices(signed(&STRANGER), good);
        assert_noop!(call, DispatchError::BadOrigin);
        let cases = [
            (
                Prices {
                    gigafuel: u128::MAX,
                    ..good
                },
                Refusal::GigafuelOutOfBounds,
            ),
            (
                Prices {
                    task_min: 0,
                    ..good
                },
                Refusal::TaskMinOutOfBounds,
            ),
            (
                Prices {
                    replica_permille: 1_001,
                    ..good
                },
                Refusal::ReplicaOutOfBounds,
            ),
            (
                Prices {
                    low_permille: 0,
                    ..good
                },
                Refusal::LowOutOfBounds,
            ),
            (
                Prices {
                    high_permille: 0,
                    ..good
                },
                Refusal::HighOutOfBounds,
            ),
        ];
        for (prices, error) in cases {
            assert_noop!(Jobs::set_prices(signed(&COUNCIL), prices), error);
        }
        assert_ok!(Jobs::set_prices(signed(&COUNCIL), good));
        assert_eq!(Jobs::prices(), good);
        assert_eq!(events(), [Event::PricesSet { prices: good }]);
    });
}

#[test]
#[should_panic(expected = "the genesis has a price out of its bounds: Err(TaskMin)")]
fn a_genesis_with_a_price_out_of_bounds_is_refused() {
    use sp_runtime::BuildStorage;
    let jobs = crate::GenesisConfig {
        task_min: 0,
        ..Default::default()
    };
    let config = RuntimeGenesisConfig {
        jobs,
        ..Default::default()
    };
    let _ = config.build_storage();
}
