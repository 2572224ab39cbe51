//! Random calls against a ledger written apart: whether each call is accepted, and where every unit
//! of money is afterwards, must be the same.

use super::{
    ledger::{LITTLE_MONEY, Ledger},
    *,
};
use crate::mock::RuntimeOrigin;
use frame_support::traits::fungible::Mutate;
use proptest::prelude::*;
use quern_primitives::{
    AccountId, Amount, JobId,
    batch::{Batch, Payout, TaskSet},
    job::{Failure, Submission},
    receipt::Exit,
};
use std::collections::{BTreeMap, BTreeSet};

/// Steps of a run: enough for jobs to reach their deadlines.
const STEPS: usize = 60;

/// A call, sensible or not. Jobs are named by their place among those submitted.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        poor: bool,
        salt: u16,
        tasks: u32,
        deadline_in: u32,
        stingy: bool,
    },
    Blocks(u32),
    Settle {
        job: usize,
        stranger: bool,
        sequence_off: bool,
        uncertified: bool,
        everyone: bool,
        tasks: BTreeSet<u32>,
        spent_permille: u32,
        pay_permille: [u32; 2],
    },
    Fail {
        job: usize,
        stranger: bool,
        task: u32,
        fails: bool,
    },
    Cancel {
        job: usize,
        stranger: bool,
    },
    Refund {
        job: usize,
    },
    Clock(u32),
    Finalise {
        job: usize,
        sequence: u32,
    },
    Strike {
        job: usize,
        pick: usize,
    },
    TakeOver {
        job: usize,
        place: usize,
    },
    TurnOut {
        job: usize,
        place: usize,
    },
    Ban(bool),
    EmptyRoster(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let rarely = || prop::bool::weighted(0.08);
    let deadline_in = prop_oneof![8 => 13u32..26, 1 => 0u32..13];
    let submit = (any::<bool>(), 0u16..12, 2u32..9, deadline_in, rarely()).prop_map(
        |(poor, salt, tasks, deadline_in, stingy)| Step::Submit {
            poor,
            salt,
            tasks,
            deadline_in,
            stingy,
        },
    );
    let settle = (
        0usize..6,
        rarely(),
        rarely(),
        (rarely(), any::<bool>()),
        prop_oneof![
            12 => prop::collection::btree_set(0u32..6, 1..3),
            1 => prop::collection::btree_set(0u32..9, 0..6),
        ],
        prop_oneof![12 => 0u32..=1_000, 1 => 1_000u32..1_100],
        prop_oneof![12 => [1u32..=350, 1u32..=350], 1 => [0u32..500, 0u32..500]],
    )
        .prop_map(
            |(job, stranger, sequence_off, words, tasks, spent_permille, pay_permille)| {
                Step::Settle {
                    job,
                    stranger,
                    sequence_off,
                    uncertified: words.0,
                    everyone: words.1,
                    tasks,
                    spent_permille,
                    pay_permille,
                }
            },
        );
    let fail = (0usize..6, rarely(), 0u32..6, prop::bool::weighted(0.9)).prop_map(
        |(job, stranger, task, fails)| Step::Fail {
            job,
            stranger,
            task,
            fails,
        },
    );
    prop_oneof![
        6 => submit,
        8 => (1u32..10).prop_map(Step::Blocks),
        24 => settle,
        4 => fail,
        3 => (0usize..6, rarely()).prop_map(|(job, stranger)| Step::Cancel { job, stranger }),
        9 => (0usize..6).prop_map(|job| Step::Refund { job }),
        6 => prop_oneof![4 => 1u32..20, 1 => 20u32..2 * WINDOW].prop_map(Step::Clock),
        3 => (0usize..6, 0u32..4).prop_map(|(job, sequence)| Step::Finalise { job, sequence }),
        2 => (0usize..6, 0usize..4).prop_map(|(job, pick)| Step::Strike { job, pick }),
        24 => (0usize..6, 0usize..4).prop_map(|(job, place)| Step::TakeOver { job, place }),
        3 => (0usize..6, 0usize..4).prop_map(|(job, place)| Step::TurnOut { job, place }),
        1 => prop::bool::weighted(0.3).prop_map(Step::Ban),
        1 => prop::bool::weighted(0.2).prop_map(Step::EmptyRoster),
    ]
}

/// What became of a run, to see that the steps reach what they are meant to.
#[derive(Default)]
struct Reached {
    accepted: BTreeMap<&'static str, u32>,
}

fn run(steps: Vec<Step>, reached: &mut Reached) -> Result<(), TestCaseError> {
    genesis().execute_with(|| {
        Balances::set_balance(&OTHER_OWNER, LITTLE_MONEY);
        let mut ledger = Ledger::new();
        for step in steps {
            let (name, said, expected) = take(&mut ledger, step.clone());
            prop_assert_eq!(said, expected, "in block {}: {:?}", ledger.now, step);
            *reached.accepted.entry(name).or_default() += u32::from(said);
            ledger.check()?;
        }
        Ok(())
    })
}

/// Takes one step on both sides: its name, whether the chain accepted it, whether the ledger did.
fn take(ledger: &mut Ledger, step: Step) -> (&'static str, bool, bool) {
    let origin = |account: &AccountId| RuntimeOrigin::signed(account.clone());
    let at = |ledger: &Ledger, job: usize| job % ledger.jobs.len().max(1);
    let id = |ledger: &Ledger, at: usize| ledger.jobs.get(at).map_or(JobId([0; 32]), |job| job.id);
    let coordinator = |ledger: &Ledger, at: usize, stranger: bool| {
        let known = ledger
            .jobs
            .get(at)
            .and_then(|told| job(told.id).state.coordinator().cloned());
        known.filter(|_| !stranger).unwrap_or(STRANGER)
    };
    match step {
        Step::Submit {
            poor,
            salt,
            tasks,
            deadline_in,
            stingy,
        } => {
            let owner = if poor { OTHER_OWNER } else { OWNER };
            let submission = Submission {
                tasks,
                deadline: ledger.now + deadline_in,
                price_max: TASK_CAP * Amount::from(tasks) - Amount::from(stingy),
                ..salted(salt)
            };
            let expected = ledger.submit(&owner, &submission);
            (
                "submit",
                Jobs::submit(origin(&owner), submission).is_ok(),
                expected,
            )
        }
        Step::Blocks(count) => {
            for _ in 0..count {
                next_block();
                ledger.begin_block();
            }
            ("blocks", true, true)
        }
        Step::Settle {
            job,
            stranger,
            sequence_off,
            uncertified,
            everyone,
            tasks,
            spent_permille,
            pay_permille,
        } => {
            let at = at(ledger, job);
            let by = coordinator(ledger, at, stranger);
            let told = ledger.jobs.get(at);
            let sequence = told.map_or(0, |job| job.batches) + u32::from(sequence_off);
            let spent = TASK_CAP * tasks.len() as Amount * Amount::from(spent_permille) / 1_000;
            let payouts = WORKERS
                .into_iter()
                .zip(pay_permille)
                .map(|(account, permille)| Payout {
                    account,
                    amount: spent * Amount::from(permille) / 1_000,
                });
            let set = quern_job_rules::tasks::collect(tasks.iter().copied()).unwrap_or(TaskSet {
                first: 0,
                bits: Default::default(),
            });
            let batch = Batch {
                tasks: set,
                spent,
                payouts: payouts.collect::<Vec<_>>().try_into().unwrap(),
                ..batch(id(ledger, at), sequence, [0])
            };
            let places = told.map(|job| job.certifying(everyone && !uncertified));
            let mut places = places.unwrap_or_default();
            if uncertified {
                places.pop();
            }
            let places: Vec<u8> = places.into_iter().map(|place| place as u8).collect();
            let said = Jobs::settle(origin(&by), certified_by(batch.clone(), &places)).is_ok();
            let expected = !uncertified && ledger.settle(at, &by, &batch, &tasks, everyone);
            ("settle", said, expected)
        }
        Step::Fail {
            job,
            stranger,
            task,
            fails,
        } => {
            let at = at(ledger, job);
            let by = coordinator(ledger, at, stranger);
            let exit = if fails {
                Exit::OutOfFuel
            } else {
                Exit::Success
            };
            let said = Jobs::close_failed(
                origin(&by),
                failed(id(ledger, at), task, Failure::Program(exit)),
            )
            .is_ok();
            ("fail", said, ledger.fail(at, &by, task, fails))
        }
        Step::Cancel { job, stranger } => {
            let at = at(ledger, job);
            let owner = ledger.jobs.get(at).map(|job| job.owner.clone());
            let by = owner.filter(|_| !stranger).unwrap_or(STRANGER);
            let said = Jobs::cancel(origin(&by), id(ledger, at)).is_ok();
            ("cancel", said, ledger.cancel(at, &by))
        }
        Step::Refund { job } => {
            let at = at(ledger, job);
            let said = Jobs::refund(origin(&STRANGER), id(ledger, at)).is_ok();
            ("refund", said, ledger.refund(at))
        }
        Step::Clock(later) => {
            let height = ledger.clock + later;
            clock_to(height);
            ledger.clock_to(height);
            ("clock", true, true)
        }
        Step::Finalise { job, sequence } => {
            let at = at(ledger, job);
            let said = Jobs::finalise(origin(&STRANGER), id(ledger, at), sequence).is_ok();
            ("finalise", said, ledger.finalise(at, sequence))
        }
        Step::TakeOver { job, place } => {
            let at = at(ledger, job);
            let by = ledger.jobs.get(at).and_then(|job| job.order.get(place));
            let by = by.cloned().unwrap_or(STRANGER);
            let said = Jobs::take_over(origin(&by), id(ledger, at)).is_ok();
            ("take over", said, ledger.take_over(at, place))
        }
        Step::TurnOut { job, place } => {
            let at = at(ledger, job);
            let id = id(ledger, at);
            let known = ledger.jobs.get(at).and_then(|job| job.order.get(place));
            let who = known.cloned().unwrap_or(STRANGER);
            let is_out = || {
                let group = Jobs::group(&id);
                let members = group.into_iter().flat_map(|group| group.members);
                let mut its = members.filter(|member| member.account == who);
                its.any(|member| member.is_out)
            };
            let before = is_out();
            Jobs::turn_out_member(&id, &who).unwrap();
            let said = is_out() && !before;
            ("turn out", said, ledger.turn_out(at, place))
        }
        Step::Strike { job, pick } => {
            let at = at(ledger, job);
            let pending = ledger.jobs.get(at).map(|job| &job.pending[..]);
            let pending = pending.unwrap_or_default();
            let picked = pending.get(pick % pending.len().max(1));
            let sequence = picked.map_or(7, |it| it.sequence);
            let said = Jobs::strike(id(ledger, at), sequence).is_ok();
            ("strike", said, ledger.strike(at, sequence))
        }
        Step::Ban(banned) => {
            Banned::set(&if banned { vec![OWNER] } else { vec![] });
            ledger.banned = banned;
            ("ban", true, true)
        }
        Step::EmptyRoster(empty) => {
            MasternodeList::set(&if empty { vec![] } else { MASTERNODES.to_vec() });
            ledger.roster_empty = empty;
            ("roster", true, true)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_leave_every_unit_where_the_ledger_says(
        steps in prop::collection::vec(step(), STEPS),
    ) {
        run(steps, &mut Reached::default())?;
    }
}

/// The random calls above are worth what they reach.
#[test]
fn random_calls_are_often_accepted() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut reached = Reached::default();
    for _ in 0..80 {
        let steps = prop::collection::vec(step(), STEPS)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        run(steps, &mut reached).unwrap();
    }
    let names = [
        "submit",
        "settle",
        "fail",
        "cancel",
        "refund",
        "strike",
        "take over",
        "turn out",
    ];
    for name in names {
        let accepted = reached.accepted.get(name).copied().unwrap_or(0);
        assert!(
            accepted >= 10,
            "{name} was accepted {accepted} times: {:?}",
            reached.accepted
        );
    }
}
