//! Who is believed alone: held to the draw by who has its seed, and to the record by everybody.

use crate::{
    author::{commitment, receipt, story},
    world::{
        COORDINATOR, DEVICES, Facts, JOB, SEED, account, believing, blocks, device_key, node,
        recheck,
    },
};
use quern_job_rules::pay::{self, Tariff};
use quern_joblog::{Entry, OutputPlace};
use quern_primitives::{
    ids::Digest,
    job::Agreement,
    params::Terms,
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_recheck::{Recheck, RecheckFault, VerdictFault};
use quern_verdict::{is_trusted_alone, receipt_digest};

const TASKS: u32 = 40;

/// A log in which this device is believed alone with a task.
fn alone(facts: &Facts, task: u32, device: usize) -> Vec<Entry> {
    let receipt = receipt(task, 0, device, 2, 0);
    let answer = receipt.payload.answer();
    let price = Tariff::of_job(&facts.job).unwrap().price(answer.fuel);
    let (id, account) = (device_key(device).id(), account(device));
    let verdict = Verdict {
        job: JOB,
        task,
        answer,
        ground: Ground::Trusted,
        price,
        replicas: vec![ReplicaFinding {
            replica: 0,
            device: id,
            account: account.clone(),
            finding: Finding::Accepted,
            receipt: Some(receipt_digest(&receipt)),
            pay: pay::pays(price, 1, Terms::FIRST),
        }],
    };
    vec![
        Entry::Opened {
            coordinator: COORDINATOR,
            node: node().public(),
            at: 2,
        },
        Entry::Queued {
            first: 0,
            tasks: TASKS,
        },
        Entry::Assigned {
            task,
            replica: 0,
            device: id,
            account,
            engine: Digest([13; 32]),
            at: 2,
            lanes: 1,
        },
        Entry::Committed {
            commitment: commitment(&receipt.payload, device),
        },
        Entry::Revealed {
            receipt,
            output: OutputPlace::Inline { bytes: 226 },
        },
        Entry::Judged { verdict },
    ]
}

fn take(mut recheck: Recheck<Facts>, entries: &[Entry]) -> Result<(), RecheckFault> {
    let blocks = blocks(entries, 3);
    blocks
        .iter()
        .try_for_each(|block| recheck.take(&block.to_bytes()))
}

fn is_undecided(taken: Result<(), RecheckFault>) -> bool {
    let undecided = VerdictFault::Undecided;
    matches!(taken, Err(RecheckFault::Verdict { why, .. }) if why == undecided)
}

/// Tasks and devices with a long record that are drawn, or are not.
fn pairs(are_drawn: bool) -> Vec<(u32, usize)> {
    let all = (0..TASKS).flat_map(|task| (10..DEVICES - 2).map(move |device| (task, device)));
    all.filter(|(task, device)| {
        let id = device_key(*device).id();
        is_trusted_alone(&SEED, *task, &id, Facts::row(*device)) == are_drawn
    })
    .take(20)
    .collect()
}

#[test]
fn who_has_the_seed_refuses_a_device_that_was_not_drawn_and_who_has_not_believes_the_coordinator() {
    let facts = Facts::new(Agreement::Adaptive, TASKS);
    assert_eq!(pairs(false).len(), 20);
    for (task, device) in pairs(false) {
        let log = alone(&facts, task, device);
        assert!(is_undecided(take(recheck(&facts), &log)));
        assert_eq!(take(believing(&facts), &log), Ok(()));
    }
    for (task, device) in pairs(true) {
        let log = alone(&facts, task, device);
        assert_eq!(take(recheck(&facts), &log), Ok(()));
        assert_eq!(take(believing(&facts), &log), Ok(()));
    }
}

#[test]
fn a_short_record_is_believed_of_nobody_with_the_seed_or_without() {
    let facts = Facts::new(Agreement::Adaptive, TASKS);
    for device in 0..10 {
        let log = alone(&facts, 3, device);
        assert!(is_undecided(take(recheck(&facts), &log)));
        assert!(is_undecided(take(believing(&facts), &log)));
    }
}

#[test]
fn where_all_must_agree_nobody_is_believed_alone() {
    let facts = Facts::new(Agreement::Unanimous, TASKS);
    let (task, device) = pairs(true)[0];
    let log = alone(&facts, task, device);
    assert!(is_undecided(take(recheck(&facts), &log)));
    assert!(is_undecided(take(believing(&facts), &log)));
}

#[test]
fn an_honest_log_is_accepted_without_the_seed_too() {
    for seed in 0..40 {
        let story = story(Agreement::Adaptive, 6, seed);
        assert_eq!(take(believing(&story.facts), &story.entries), Ok(()));
    }
}
