//! What a job remembers, and what its log brings back.

use super::*;
use crate::core::SettleLimits;
use quern_job_rules::{life, pay, quote};
use quern_primitives::{
    device::Class,
    ids::{ProgramHash, SealingKey},
    job::{Agreement, ByteLevel, Preferences, Referees, Submission},
    params::{Params, Terms},
    receipt::{Answer, Exit},
    verdict::{Finding, Ground, ReplicaFinding},
};

const ACCOUNT: AccountId = AccountId::new([1; 32]);
const DEVICE: DeviceId = DeviceId([2; 32]);
const JOB: JobId = JobId([3; 32]);
const TASKS: u32 = limits::TASKS_PER_JOB_MAX;

/// A running job of as many tasks as a job may have.
fn job() -> Job {
    let submission = Submission {
        salt: [4; 16],
        program: ProgramHash([5; 32]),
        manifest: Digest([6; 32]),
        shards_root: Digest([7; 32]),
        key_commitment: Digest([8; 32]),
        tasks: TASKS,
        input_bytes: TASKS.into(),
        fuel_per_task_max: 1_000_000,
        memory_bytes_max: 1024 * 1024,
        result_bytes_max: 1024,
        agreement: Agreement::Single,
        referees: Referees::One,
        class: Class::Pinned,
        level: ByteLevel::Low,
        deadline: 1_000,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey([9; 32]),
        preferences: Preferences::default(),
    };
    let prices = pay::PRICES_AT_GENESIS;
    let quote = quote::quote(&submission, &prices, &Params::FIRST, 10).unwrap();
    let job = life::open(ACCOUNT, submission, prices, Terms::FIRST, &quote, 10);
    let drawn = life::Event::Drawn {
        coordinator: ACCOUNT,
    };
    life::apply(&job, 11, drawn).unwrap().job
}

fn plan(tasks: u32) -> JobPlan {
    JobPlan {
        input_roots: vec![Digest::default(); tasks as usize],
        missing: BTreeSet::new(),
        settled: BTreeSet::new(),
        seed: [0; 32],
        fetch_bytes_max: 0,
        trust_seed: TrustSeed::from_bytes([1; 32]),
    }
}

fn assigned(task: TaskIndex) -> Entry {
    Entry::Assigned {
        task,
        replica: 0,
        device: DEVICE,
        account: ACCOUNT,
        engine: Digest::default(),
        at: 11,
        lanes: 1,
    }
}

fn judged(task: TaskIndex) -> Entry {
    let found = ReplicaFinding {
        replica: 0,
        device: DEVICE,
        account: ACCOUNT,
        finding: Finding::Accepted,
        receipt: None,
        pay: 70,
    };
    let answer = Answer {
        result_commitment: Digest::default(),
        result_bytes: 1,
        fuel: 5,
        exit: Exit::Success,
    };
    Entry::Judged {
        verdict: Verdict {
            job: JOB,
            task,
            answer,
            ground: Ground::Majority,
            price: 100,
            replicas: vec![found],
        },
    }
}

fn replayed(job: Job) -> ActiveJob {
    let mut active = ActiveJob::new(JOB, job);
    for entry in [assigned(3), judged(3), assigned(TASKS - 1)] {
        active.replay(entry.into(), Tick(0), 1_000);
    }
    active
}

#[test]
fn a_job_that_the_chain_only_names_takes_no_room_for_its_tasks() {
    let mut active = ActiveJob::new(JOB, job());
    assert_eq!((active.task_count(), active.tasks.capacity()), (TASKS, 0));
    assert_eq!(active.reported_with(0, 0, &DEVICE), None);
    assert!(active.open(0).is_none() && active.hearing(0).is_none());
    assert!(active.unjudged().is_empty());
    assert!(!active.start(plan(TASKS - 1)), "a plan for fewer tasks");
    assert_eq!(active.tasks.capacity(), 0);
    assert!(active.start(plan(TASKS)));
    assert_eq!(active.tasks.len(), TASKS as usize);
    assert!(!active.start(plan(TASKS)), "it starts once");
}

#[test]
fn a_log_is_replayed_although_its_job_does_not_start_again() {
    let over = life::apply(&job(), 1_001, life::Event::Refunded);
    for job in [job(), over.unwrap().job] {
        let active = replayed(job);
        assert!(!active.has_plan());
        let counters = active.counters;
        assert_eq!((counters.touched, counters.decided), (2, 1));
        assert_eq!((counters.fuel, counters.spent), (5, 100));
        assert_eq!(active.unsettled.len(), 1);
        assert!(active.is_held_by(TASKS - 1, &DEVICE));
    }
}

#[test]
fn what_a_log_says_of_tasks_stays_when_the_job_starts_after_it() {
    let mut active = replayed(job());
    let missing = BTreeSet::from([2, 3]);
    assert!(active.start(JobPlan {
        missing,
        ..plan(TASKS)
    }));
    assert!(active.open(TASKS - 1).is_some());
    assert!(active.open(3).is_none(), "it has its verdict");
    assert_eq!(active.counters.touched, 2);
    assert_eq!(active.missing, BTreeSet::from([2]));
}

#[test]
fn what_another_masternode_settled_is_computed_by_nobody_again() {
    let mut active = replayed(job());
    let settled: BTreeSet<_> = (0..TASKS - 1).collect();
    assert!(active.start(JobPlan {
        settled,
        missing: BTreeSet::from([0, 2]),
        ..plan(TASKS)
    }));
    active.close_settled();
    // What this masternode's own log tells of is as it was.
    assert!(active.open(TASKS - 1).is_some());
    let unfinished: Vec<_> = active.unfinished().collect();
    assert_eq!(unfinished, [TASKS - 1]);
    assert!(active.missing.is_empty());
    let counters = active.counters;
    assert_eq!((counters.touched, counters.decided), (TASKS, TASKS - 1));
    assert_eq!(
        active.unsettled.len(),
        1,
        "of the others there is no verdict here"
    );
}

#[test]
fn verdicts_wait_the_longer_the_fewer_batches_the_chain_has_room_for() {
    let settle = SettleLimits::default();
    let batched_at = |pending_batches| {
        let job = Job {
            pending_batches,
            ..job()
        };
        replayed(job).next_batch_at(&settle).map(|at| at.0)
    };
    assert_eq!([0, 31].map(batched_at), [Some(6_000); 2]);
    assert_eq!([32, 63].map(batched_at), [Some(12_000); 2]);
    let most = limits::PENDING_BATCHES_PER_JOB_MAX;
    assert_eq!(batched_at(most - 1), Some(6_000 << 7));
    assert_eq!(batched_at(most), None, "there is no room");
}
