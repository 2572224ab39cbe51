//! Random histories of a job: what is accepted and where the money is must be the reference's.

use crate::{
    plain_submission,
    reference::{Model, Phase, PlainBatch},
    reference_price,
};
use proptest::prelude::*;
use quern_job_rules::{
    life::{self, Event},
    pay, quote, settlement, tasks,
};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, DeviceChange, LogRange, Payout, PendingBatch, TaskSet},
    device::RecordChange,
    ids::{AccountId, DeviceId, Digest, JobId},
    job::{Escrow, Failure, Job, JobEnd, JobState},
    params::{Params, Terms},
    receipt::Exit,
};
use std::collections::{BTreeSet, VecDeque};

const OWNER: AccountId = AccountId::new([1; 32]);
const COORDINATOR: AccountId = AccountId::new([2; 32]);
const STRANGER: AccountId = AccountId::new([3; 32]);
const GRACE: u32 = 10;
const TASKS: u32 = 6;
const DEADLINE: u32 = 30;

/// Something that may happen to a job, sensible or not.
#[derive(Clone, Debug)]
enum Happening {
    Blocks(u32),
    Draw,
    Settle {
        from_coordinator: bool,
        sequence_off: bool,
        tasks: BTreeSet<u32>,
        spent_permille: u32,
        payouts: Vec<(u8, u32)>,
    },
    Fail {
        from_coordinator: bool,
        task: u32,
        fails: bool,
    },
    Cancel {
        from_owner: bool,
    },
    Refund,
    Finalise,
    Strike {
        kept: usize,
        goes_on: bool,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let mostly = || prop::bool::weighted(0.9);
    let settle = (
        mostly(),
        prop::bool::weighted(0.05),
        prop_oneof![
            9 => prop::collection::btree_set(0..TASKS, 1..3),
            1 => prop::collection::btree_set(0..TASKS + 3, 0..20),
        ],
        prop_oneof![9 => 0u32..=1_000, 1 => 1_000u32..2_000],
        prop_oneof![
            8 => prop::collection::btree_map(0u8..9, 1u32..240, 0..3)
                .prop_map(|payouts| payouts.into_iter().collect()),
            1 => prop::collection::vec((0u8..9, 0u32..300), 0..4),
        ],
    )
        .prop_map(
            |(from_coordinator, sequence_off, tasks, spent_permille, payouts)| Happening::Settle {
                from_coordinator,
                sequence_off,
                tasks,
                spent_permille,
                payouts,
            },
        );
    let fail = (mostly(), 0..TASKS + 2, mostly()).prop_map(|(from_coordinator, task, fails)| {
        Happening::Fail {
            from_coordinator,
            task,
            fails,
        }
    });
    prop_oneof![
        6 => (1u32..5).prop_map(Happening::Blocks),
        3 => Just(Happening::Draw),
        20 => settle,
        1 => fail,
        1 => mostly().prop_map(|from_owner| Happening::Cancel { from_owner }),
        2 => Just(Happening::Refund),
        8 => Just(Happening::Finalise),
        1 => (0usize..4, any::<bool>())
            .prop_map(|(kept, goes_on)| Happening::Strike { kept, goes_on }),
    ]
}

/// The code under test, driven as the pallet drives it.
struct Subject {
    job: Job,
    settled: Vec<u8>,
    pending: VecDeque<PendingBatch>,
}

impl Subject {
    fn apply(&mut self, now: u32, event: Event<'_>) -> bool {
        match life::apply(&self.job, now, event) {
            Ok(transition) => {
                self.job = transition.job;
                true
            }
            Err(_) => false,
        }
    }

    fn settle(&mut self, now: u32, by: &AccountId, batch: &Batch) -> bool {
        let job = self.job.clone();
        let Ok(valid) = settlement::validate(&job, &self.settled, batch, by, now) else {
            return false;
        };
        self.settled.resize(tasks::bitmap_bytes(TASKS) as usize, 0);
        valid.tasks().add_to(&mut self.settled);
        assert!(
            self.apply(now, valid.event(by)),
            "a valid batch fits the life of its job"
        );
        self.pending
            .push_back(valid.pending(by, Default::default(), now));
        true
    }

    /// Makes the oldest pending batch final.
    fn finalise(&mut self, now: u32) -> bool {
        let shares = self.pending.front().map(|batch| batch.split);
        let event = Event::Finalised {
            shares: shares.unwrap_or_default(),
        };
        let said = self.apply(now, event);
        assert_eq!(said, self.pending.pop_front().is_some());
        said
    }

    /// Strikes all pending batches but the oldest so many.
    fn strike(&mut self, now: u32, kept: usize, next: Option<AccountId>) -> bool {
        let struck: Vec<_> = self.pending.iter().skip(kept).cloned().collect();
        let tasks = struck.iter().map(|batch| tasks::count(&batch.tasks.bits));
        let spent = struck.iter().filter_map(|batch| batch.split.spent());
        let event = Event::Struck {
            batches: struck.len() as u32,
            tasks: tasks.sum(),
            spent: spent.sum(),
            next,
        };
        let said = self.apply(now, event);
        if said {
            for batch in &struck {
                tasks::remove_from(&batch.tasks, &mut self.settled);
            }
            self.pending.truncate(kept);
        }
        said
    }
}

fn encode(batch: &PlainBatch) -> Option<(AccountId, Batch)> {
    let tasks = match tasks::collect(batch.tasks.iter().copied()) {
        Ok(tasks) => tasks,
        Err(_) => TaskSet {
            first: 0,
            bits: Default::default(),
        },
    };
    let payouts = batch.payouts.iter().map(|(payee, amount)| Payout {
        account: AccountId::new([*payee; 32]),
        amount: *amount,
    });
    let device = DeviceChange {
        device: DeviceId([1; 32]),
        change: RecordChange {
            accepted: 1,
            ..RecordChange::default()
        },
    };
    let batch = Batch {
        job: JobId::default(),
        sequence: batch.sequence,
        log: LogRange { first: 0, last: 1 },
        verdicts_root: Digest::default(),
        tasks,
        spent: batch.spent,
        payouts: payouts.collect::<Vec<_>>().try_into().ok()?,
        devices: vec![device].try_into().ok()?,
    };
    Some((COORDINATOR, batch))
}

fn one_or_other(condition: bool, one: AccountId) -> AccountId {
    if condition { one } else { STRANGER }
}

/// Lets one thing happen to both; `Err` names what they disagree on.
fn happen(
    now: &mut u32,
    subject: &mut Subject,
    model: &mut Model,
    happening: Happening,
) -> Result<(), TestCaseError> {
    let (said, expected) = match happening.clone() {
        Happening::Blocks(blocks) => {
            *now += blocks;
            return Ok(());
        }
        Happening::Draw => (
            subject.apply(
                *now,
                Event::Drawn {
                    coordinator: COORDINATOR,
                },
            ),
            model.draw(),
        ),
        Happening::Settle {
            from_coordinator,
            sequence_off,
            tasks,
            spent_permille,
            payouts,
        } => {
            let spent = model.task_cap * tasks.len() as u128 * Amount::from(spent_permille) / 1_000;
            let plain = PlainBatch {
                from_coordinator,
                sequence: model.batches + u32::from(sequence_off),
                tasks,
                spent,
                payouts: payouts
                    .into_iter()
                    .map(|(payee, permille)| (payee, spent * Amount::from(permille) / 1_000))
                    .collect(),
            };
            let (coordinator, batch) = encode(&plain).unwrap();
            let by = one_or_other(from_coordinator, coordinator);
            (
                subject.settle(*now, &by, &batch),
                model.settle(*now, &plain),
            )
        }
        Happening::Fail {
            from_coordinator,
            task,
            fails,
        } => {
            let by = one_or_other(from_coordinator, COORDINATOR);
            let exit = if fails { Exit::Trap } else { Exit::Success };
            let settled = subject.settled.clone();
            let event = Event::Failed {
                by: &by,
                task,
                why: Failure::Program(exit),
                settled: &settled,
            };
            (
                subject.apply(*now, event),
                model.fail(*now, from_coordinator, task, fails),
            )
        }
        Happening::Cancel { from_owner } => {
            let by = one_or_other(from_owner, OWNER);
            let event = Event::Cancelled {
                by: &by,
                grace_blocks: GRACE,
            };
            (
                subject.apply(*now, event),
                model.cancel(*now, from_owner, GRACE),
            )
        }
        Happening::Refund => (subject.apply(*now, Event::Refunded), model.refund(*now)),
        Happening::Finalise => (subject.finalise(*now), model.finalise()),
        Happening::Strike { kept, goes_on } => {
            let next = goes_on.then_some(COORDINATOR);
            (
                subject.strike(*now, kept, next),
                model.strike(*now, kept, goes_on),
            )
        }
    };
    prop_assert_eq!(said, expected, "in block {}: {:?}", now, happening);
    agree(&subject.job, &subject.settled, model)
}

/// Whether job, bitmap and reference tell the same, and the money adds up.
fn agree(job: &Job, settled: &[u8], model: &Model) -> Result<(), TestCaseError> {
    let Escrow {
        deposited,
        paid,
        network,
        refunded,
        pending,
        held,
    } = job.escrow;
    let pots = model.pots;
    prop_assert_eq!(
        (held, paid, network),
        (pots.held, pots.workers, pots.network)
    );
    prop_assert_eq!(refunded, pots.owner);
    prop_assert_eq!(pending, model.set_aside());
    prop_assert_eq!(job.pending_batches as usize, model.pending.len());
    prop_assert_eq!(
        paid + network + refunded + pending + held,
        deposited,
        "money is conserved"
    );
    prop_assert_eq!(
        deposited,
        model.task_cap * Amount::from(TASKS),
        "the quote is the cap"
    );
    let open = (0..TASKS).filter(|task| !tasks::is_settled(settled, *task));
    prop_assert_eq!(open.collect::<BTreeSet<_>>(), model.open_tasks.clone());
    prop_assert_eq!(tasks::count(settled), job.settled_tasks);
    prop_assert_eq!(job.next_batch, model.batches);
    prop_assert_eq!(job.state.is_open(), model.phase != Phase::Over);
    prop_assert!(
        job.state.is_open() || held + pending == 0,
        "a job that is over holds nothing"
    );
    let until = match (&job.state, model.phase) {
        (JobState::Cancelling { until, .. }, Phase::Closing { until: expected }) => {
            Some((*until, expected))
        }
        _ => None,
    };
    prop_assert!(until.is_none_or(|(until, expected)| until == expected));
    Ok(())
}

/// A job just submitted, on both sides.
fn begin() -> (Subject, Model) {
    let (submission, prices) = (plain_submission(), pay::PRICES_AT_GENESIS);
    let quote = quote::accept(&submission, &prices, &Params::FIRST, 0).unwrap();
    let model = Model::new(
        TASKS,
        reference_price(&prices, &submission, u64::MAX),
        DEADLINE,
    );
    let job = life::open(OWNER, submission, prices, Terms::FIRST, &quote, 0);
    (
        Subject {
            job,
            settled: Vec::new(),
            pending: VecDeque::new(),
        },
        model,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_a_job_is_the_references_history(
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let (mut subject, mut model) = begin();
        let mut now = 0;
        for happening in happenings {
            happen(&mut now, &mut subject, &mut model, happening)?;
        }
    }
}

/// The random histories above are worth what they reach: they reach every end.
#[test]
fn random_histories_reach_every_end() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let histories = prop::collection::vec(happening(), 60);
    let (mut ends, mut batches, mut struck) = (BTreeSet::new(), 0, 0);
    for _ in 0..500 {
        let (mut subject, mut model) = begin();
        let mut now = 0;
        for happening in histories.new_tree(&mut runner).unwrap().current() {
            happen(&mut now, &mut subject, &mut model, happening).unwrap();
        }
        ends.insert(match subject.job.state {
            JobState::Completed {
                end: JobEnd::AllSettled,
            } => "settled",
            JobState::Completed {
                end: JobEnd::BatchStruck,
            } => "struck",
            JobState::Completed { .. } => "failed",
            JobState::Cancelled => "cancelled",
            JobState::Expired => "expired",
            _ => "open",
        });
        batches += subject.job.next_batch;
        struck += model.struck;
    }
    assert!(batches > 500, "{batches}");
    assert!(struck > 50, "{struck}");
    for end in ["settled", "failed", "cancelled", "expired", "struck"] {
        assert!(ends.contains(end), "no history ends {end}: {ends:?}");
    }
}
