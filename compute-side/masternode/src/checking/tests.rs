//! Logs and batches that hold, and some that do not.

use super::*;
use crate::{
    core::{Bond, Effect, End, OutputPlace, Ticket},
    store::Store,
};
use codec::Encode as _;
use quern_job_rules::{
    pay::{PRICES_AT_GENESIS, Tariff},
    tasks,
};
use quern_primitives::{
    ProgramHash, SealingKey,
    batch::{DeviceChange, LogRange, Payout},
    device::{Device, Hardware, RecordChange, Region},
    job::{Agreement, ByteLevel, Escrow, JobState, Preferences, Referees, Submission},
    lanes::Draw,
    merkle::Tree,
    params::Terms,
    payload::{DeviceKey, NodeSecret},
    receipt::{Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
    view::DeviceView,
};
use quern_recheck::AssignmentFault;
use quern_verdict::receipt_digest;
use std::sync::mpsc;

const GENESIS: GenesisHash = GenesisHash([1; 32]);
const JOB: JobId = JobId([2; 32]);
const ACCOUNT: AccountId = AccountId::new([3; 32]);
const COORDINATOR: AccountId = AccountId::new([4; 32]);
const ENGINE: Digest = Digest([5; 32]);
const ROOT: Digest = Digest([6; 32]);
const LANE_SEED: Digest = Digest([11; 32]);
const FUEL: u64 = 2_000_000_000;

/// The block at which the device was looked up.
const AT: BlockNumber = 50;

fn node() -> NodeSecret {
    NodeSecret::from_seed(&[7; 32])
}

fn device() -> DeviceKey {
    DeviceKey::from_seed(&[8; 32])
}

fn engines() -> Engines {
    Engines {
        pinned: ENGINE,
        portable: Digest::default(),
    }
}

/// A job of one task, which one device computes.
fn job() -> Job {
    let submission = Submission {
        salt: [0; 16],
        program: ProgramHash([9; 32]),
        manifest: Digest([10; 32]),
        shards_root: Tree::new([ROOT]).root(),
        key_commitment: Digest([11; 32]),
        tasks: 1,
        input_bytes: 10,
        fuel_per_task_max: 2 * FUEL,
        memory_bytes_max: 1 << 20,
        result_bytes_max: 1_024,
        agreement: Agreement::Single,
        referees: Referees::One,
        class: Class::Pinned,
        level: ByteLevel::Balanced,
        deadline: 1_000,
        price_max: u128::MAX,
        owner_sealing_key: SealingKey([12; 32]),
        preferences: Preferences::default(),
    };
    Job {
        owner: AccountId::new([13; 32]),
        submission,
        prices: PRICES_AT_GENESIS,
        terms: Terms::FIRST,
        submitted_at: 1,
        state: JobState::Running {
            coordinator: COORDINATOR,
        },
        escrow: Escrow::default(),
        settled_tasks: 0,
        next_batch: 0,
        pending_batches: 0,
    }
}

/// What the device answered.
fn receipt() -> SignedReceipt {
    let receipt = Receipt {
        job: JOB,
        task: 0,
        replica: 0,
        device: device().id(),
        program: job().submission.program,
        input_root: ROOT,
        question: Digest([46; 32]),
        result_commitment: Digest([14; 32]),
        output_root: Digest([15; 32]),
        result_bytes: 5,
        fuel: FUEL,
        exit: Exit::Success,
        class: Class::Pinned,
        engine: ENGINE,
        log_position: 2,
        salt: [90; 32].into(),
    };
    device().sign(receipt, &GENESIS)
}

fn verdict() -> Verdict {
    let tariff = Tariff::of_job(&job()).unwrap();
    let price = tariff.price(FUEL);
    let receipt = receipt();
    Verdict {
        job: JOB,
        task: 0,
        answer: receipt.payload.answer(),
        ground: Ground::Trusted,
        price,
        replicas: vec![ReplicaFinding {
            replica: 0,
            device: device().id(),
            account: ACCOUNT,
            finding: Finding::Accepted,
            receipt: Some(receipt_digest(&receipt)),
            pay: tariff.pays(price, 1),
        }],
    }
}

fn batch(sequence: u32) -> Batch {
    let verdict = verdict();
    let change = RecordChange {
        accepted: 1,
        ..RecordChange::default()
    };
    Batch {
        job: JOB,
        sequence,
        log: LogRange { first: 0, last: 5 },
        verdicts_root: Tree::new([verdict.encode()]).root(),
        tasks: tasks::collect([0]).unwrap(),
        spent: verdict.price,
        payouts: vec![Payout {
            account: ACCOUNT,
            amount: verdict.replicas[0].pay,
        }]
        .try_into()
        .unwrap(),
        devices: vec![DeviceChange {
            device: device().id(),
            change,
        }]
        .try_into()
        .unwrap(),
    }
}

/// The log of that job.
fn entries(verdict: Verdict, batch: Batch) -> Vec<Entry> {
    vec![
        Entry::Opened {
            coordinator: COORDINATOR,
            node: node().public(),
            at: 40,
        },
        Entry::Queued { first: 0, tasks: 1 },
        Entry::Assigned {
            task: 0,
            replica: 0,
            device: device().id(),
            account: ACCOUNT,
            engine: ENGINE,
            at: AT,
            lanes: 1,
        },
        Entry::Revealed {
            receipt: receipt(),
            output: OutputPlace::Inline { bytes: 21 },
        },
        Entry::Judged { verdict },
        Entry::Ended { end: End::Done },
        Entry::Batched { batch },
    ]
}

/// The store with a log in it.
struct Written {
    store: Store,
    _folder: tempfile::TempDir,
}

fn written(entries: Vec<Entry>) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let (on_disk, through) = mpsc::sync_channel(100);
    let tell = move |last| on_disk.send(last).unwrap_or_default();
    let store = Store::open(folder.path(), GENESIS, node(), tell, |_| {}).unwrap();
    let last = Ticket(entries.len() as u64);
    for (position, entry) in (0u64..).zip(entries) {
        store.carry_out(Effect::Append {
            ticket: Ticket(position + 1),
            job: JOB,
            position,
            entry: Box::new(entry),
            output: None,
        });
    }
    while through.recv().unwrap() < last {}
    Written {
        store,
        _folder: folder,
    }
}

/// What the chain says of the device.
fn sighting(account: AccountId, at: BlockNumber) -> Sighting {
    let device_of = Device::new(
        account,
        SealingKey([1; 32]),
        Region::Unknown,
        Hardware::Unknown,
    );
    Sighting {
        at,
        view: Box::new(DeviceView {
            id: device().id(),
            device: device_of,
            bonded: true,
            banned: false,
            verified: false,
            quarantined: false,
        }),
        bond: Bond::default(),
    }
}

/// Follows the log, which was written after this start, and checks a batch.
fn checked(written: &Written, sightings: &Arc<Sightings>, batch: &Batch) -> Result<(), Refused> {
    checked_of(job(), written, sightings, batch)
}

/// The same, of a job that is not quite that one.
fn checked_of(
    job: Job,
    written: &Written,
    sightings: &Arc<Sightings>,
    batch: &Batch,
) -> Result<(), Refused> {
    let facts = OwnFacts {
        genesis: GENESIS,
        id: JOB,
        job,
        account: COORDINATOR,
        engines: engines(),
        lane_seed: Some(LANE_SEED),
        sightings: sightings.clone(),
        writer: Cell::new(node().public()),
        engine: Cell::new(None),
        unseen: RefCell::default(),
    };
    let log = written.store.read_log(JOB)?;
    let first = first_batch(&log)?.unwrap_or(batch.sequence);
    let mut followed = Followed::new(facts, vec![ROOT], first)?;
    followed.catch_up(&log, 0)?;
    followed.recheck.batch(batch)?;
    Ok(())
}

fn seen() -> Arc<Sightings> {
    let sightings = Sightings::default();
    sightings.note(&[sighting(ACCOUNT, AT)]);
    Arc::new(sightings)
}

#[test]
fn a_batch_that_the_log_bears_out_is_sent() {
    let log = written(entries(verdict(), batch(0)));
    checked(&log, &seen(), &batch(0)).unwrap();
    // Of a job that another masternode had before.
    let log = written(entries(verdict(), batch(3)));
    checked(&log, &seen(), &batch(3)).unwrap();
}

#[test]
fn a_batch_that_the_log_does_not_bear_out_is_refused() {
    let log = written(entries(verdict(), batch(0)));
    let mut dearer = batch(0);
    dearer.spent += 1;
    let refused = checked(&log, &seen(), &dearer).unwrap_err();
    assert!(matches!(refused, Refused::Recheck(_)), "{refused:?}");
    let refused = checked(&log, &seen(), &batch(1)).unwrap_err();
    assert!(matches!(refused, Refused::Recheck(_)), "{refused:?}");
}

#[test]
fn no_batch_of_a_log_that_breaks_a_rule_is_sent() {
    let mut generous = verdict();
    generous.replicas[0].pay += 1;
    let log = written(entries(generous, batch(0)));
    let refused = checked(&log, &seen(), &batch(0)).unwrap_err();
    let is_verdict = matches!(refused, Refused::Recheck(RecheckFault::Verdict { .. }));
    assert!(is_verdict, "{refused:?}");
}

#[test]
fn an_assignment_is_held_to_what_the_chain_was_seen_to_say() {
    let log = written(entries(verdict(), batch(0)));
    let other = Sightings::default();
    other.note(&[sighting(AccountId::new([99; 32]), AT)]);
    let refused = checked(&log, &Arc::new(other), &batch(0)).unwrap_err();
    let is_account = matches!(
        refused,
        Refused::Recheck(RecheckFault::Assignment {
            why: AssignmentFault::OtherAccount { .. },
            ..
        })
    );
    assert!(is_account, "{refused:?}");
    // Where nothing was seen it is as it was written.
    checked(&log, &Arc::default(), &batch(0)).unwrap();
}

#[test]
fn no_batch_is_sent_over_a_replica_that_was_given_in_a_lane_that_cannot_be() {
    let mut entries = entries(verdict(), batch(0));
    let given = entries.iter_mut().find_map(|entry| match entry {
        Entry::Assigned { lanes, .. } => Some(lanes),
        _ => None,
    });
    *given.unwrap() = 32;
    let refused = checked(&written(entries), &seen(), &batch(0)).unwrap_err();
    let is_of_lanes = matches!(
        &refused,
        Refused::Recheck(RecheckFault::Assignment { why, .. }) if why.is_of_lanes()
    );
    assert!(is_of_lanes, "{refused:?}");
}

#[test]
fn no_batch_is_sent_over_a_replica_whose_account_is_in_another_lane_by_the_job_s_seed() {
    let mut all = job();
    all.submission.agreement = Agreement::Unanimous;
    let draw = Draw::of(&LANE_SEED.0, &ACCOUNT);
    let others = [2, 4, 8, 16, 32].into_iter();
    let others: Vec<u8> = others.filter(|lanes| !draw.is_for(0, 0, *lanes)).collect();
    assert!(!others.is_empty());
    for of in others {
        let mut entries = entries(verdict(), batch(0));
        for entry in &mut entries {
            if let Entry::Assigned { lanes, .. } = entry {
                *lanes = of;
            }
        }
        let refused = checked_of(all.clone(), &written(entries), &seen(), &batch(0)).unwrap_err();
        let is_it = matches!(
            &refused,
            Refused::Recheck(RecheckFault::Assignment {
                why: AssignmentFault::OtherLane { lanes },
                ..
            }) if *lanes == of
        );
        assert!(is_it, "{refused:?}");
    }
}

#[test]
fn what_was_seen_of_a_device_holds_from_one_look_to_the_next_that_says_the_same() {
    let sightings = Sightings::default();
    let (mine, other) = (ACCOUNT, AccountId::new([99; 32]));
    sightings.note(&[sighting(mine.clone(), 10), sighting(mine.clone(), 20)]);
    sightings.note(&[sighting(other.clone(), 30)]);
    let account = |at| {
        let facts = sightings.at(&device().id(), at);
        facts.map(|facts| facts.account)
    };
    assert_eq!(account(9), None);
    for at in [10, 15, 20] {
        assert_eq!(account(at), Some(mine.clone()), "{at}");
    }
    assert_eq!(account(25), None, "it changed somewhere between");
    assert_eq!(account(30), Some(other));
    for at in (100..200).step_by(2) {
        let whose = AccountId::new([at as u8; 32]);
        sightings.note(&[sighting(whose, at)]);
    }
    let known = sightings.lock();
    assert_eq!(known.get(&device().id()).unwrap().len(), CHANGES_MAX);
}
