//! What the chain has not counted, recounted from the jobs' logs each time: what all verdicts say, less
//! what all batches say that the chain has counted.

use super::*;
use proptest::prelude::*;
use quern_primitives::{
    batch::{DeviceChange, LogRange, TaskSet},
    ids::{AccountId, Digest, TaskIndex},
    receipt::Answer,
    verdict::{Ground, ReplicaFinding, Verdict},
};

const JOBS: u8 = 2;
const DEVICES: u8 = 3;

fn job_id(job: u8) -> JobId {
    JobId([job; 32])
}

fn device_id(device: u8) -> DeviceId {
    DeviceId([device; 32])
}

/// What a verdict finds of each device, and whether it says that the program fails.
type Found = (Vec<(u8, Finding)>, bool);

#[derive(Clone, Debug)]
enum Happening {
    /// A verdict is written.
    Judged(Found),
    /// What is in no batch goes into one.
    Batched,
    /// The chain counts the next batch.
    Counted,
    /// The masternode dies and loses so many entries at the most, of those that are in no counted batch.
    Restarts(usize),
    /// The job is over.
    Ends,
}

fn finding() -> impl Strategy<Value = Finding> {
    prop::sample::select(vec![
        Finding::Accepted,
        Finding::Incorrect,
        Finding::Failed,
        Finding::Delayed,
    ])
}

fn happening() -> impl Strategy<Value = Happening> {
    let found = prop::collection::vec((0..DEVICES, finding()), 1..4);
    prop_oneof![
        6 => (found, prop::bool::weighted(0.1)).prop_map(Happening::Judged),
        3 => Just(Happening::Batched),
        3 => Just(Happening::Counted),
        2 => (0usize..4).prop_map(Happening::Restarts),
        1 => Just(Happening::Ends),
    ]
}

/// One job: its log, and how many of its batches the chain has counted.
#[derive(Clone, Default)]
struct Log {
    entries: Vec<Entry>,
    counted: BatchSequence,
}

fn add(change: &mut RecordChange, finding: Finding) {
    match finding {
        Finding::Accepted => change.accepted += 1,
        Finding::Incorrect => change.incorrect += 1,
        Finding::Failed => change.failed += 1,
        Finding::Delayed => change.delayed += 1,
    }
}

impl Log {
    fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Batched { batch } => Some(batch),
            _ => None,
        })
    }

    /// What the verdicts say of a device after so many entries.
    fn judged(&self, after: usize, device: DeviceId) -> RecordChange {
        let mut change = RecordChange::default();
        for entry in self.entries.iter().skip(after) {
            if let Entry::Judged { verdict } = entry
                && verdict.answer.exit == Exit::Success
            {
                let found = verdict.replicas.iter().filter(|it| it.device == device);
                found.for_each(|it| add(&mut change, it.finding));
            }
        }
        change
    }

    /// The place after the last batch.
    fn batched(&self) -> usize {
        let is_batch = |entry: &Entry| matches!(entry, Entry::Batched { .. });
        self.entries
            .iter()
            .rposition(is_batch)
            .map_or(0, |it| it + 1)
    }

    /// A batch of all verdicts that are in none.
    fn next_batch(&self, job: u8) -> Batch {
        let changes = (0..DEVICES).map(|device| DeviceChange {
            device: device_id(device),
            change: self.judged(self.batched(), device_id(device)),
        });
        let changes: Vec<_> = changes.filter(|it| !it.change.is_empty()).collect();
        Batch {
            job: job_id(job),
            sequence: self.batches().count() as BatchSequence,
            log: LogRange { first: 0, last: 0 },
            verdicts_root: Digest::default(),
            tasks: TaskSet {
                first: 0,
                bits: Default::default(),
            },
            spent: 0,
            payouts: Default::default(),
            devices: changes.try_into().unwrap(),
        }
    }

    /// What is not counted of a device.
    fn uncounted(&self, device: u8) -> RecordChange {
        let mut change = self.judged(0, device_id(device));
        let counted = self.batches().filter(|it| it.sequence < self.counted);
        for told in counted.flat_map(|batch| &batch.devices) {
            if told.device == device_id(device) {
                change.accepted -= told.change.accepted;
                change.incorrect -= told.change.incorrect;
                change.failed -= told.change.failed;
                change.delayed -= told.change.delayed;
            }
        }
        change
    }
}

fn verdict(job: u8, task: TaskIndex, (found, fails): &Found) -> Entry {
    let replicas = found.iter().map(|(device, finding)| ReplicaFinding {
        replica: 0,
        device: device_id(*device),
        account: AccountId::new([*device; 32]),
        finding: *finding,
        receipt: None,
        pay: 0,
    });
    let answer = Answer {
        result_commitment: Digest::default(),
        result_bytes: 0,
        fuel: 1,
        exit: if *fails { Exit::Trap } else { Exit::Success },
    };
    Entry::Judged {
        verdict: Verdict {
            job: job_id(job),
            task,
            answer,
            ground: Ground::Majority,
            price: 0,
            replicas: replicas.collect(),
        },
    }
}

/// Tells of an entry as the core does when it appends one, and keeps it.
fn append(uncounted: &mut Uncounted, job: u8, log: &mut Log, entry: Entry) {
    uncounted.note(job_id(job), log.counted, &entry);
    log.entries.push(entry);
}

fn happen(uncounted: &mut Uncounted, logs: &mut [Log], job: u8, happening: Happening) {
    let log = &mut logs[usize::from(job)];
    match happening {
        Happening::Judged(found) => {
            let task = log.entries.len() as TaskIndex;
            append(uncounted, job, log, verdict(job, task, &found));
        }
        Happening::Batched => {
            let batch = log.next_batch(job);
            append(uncounted, job, log, Entry::Batched { batch });
        }
        Happening::Counted => {
            let next = log.batches().find(|it| it.sequence == log.counted);
            if let Some(batch) = next {
                uncounted.counted(job_id(job), batch);
                log.counted += 1;
            }
        }
        Happening::Restarts(lost) => {
            // What was sent to the chain was on disk before.
            let is_counted = |entry: &Entry| matches!(entry, Entry::Batched { batch } if batch.sequence < log.counted);
            let safe = log.entries.iter().rposition(is_counted);
            let safe = safe.map_or(0, |it| it + 1);
            let left = log.entries.len().saturating_sub(lost).max(safe);
            log.entries.truncate(left);
            *uncounted = Uncounted::default();
            for (job, log) in (0..).zip(logs) {
                let entries = log.entries.iter();
                entries.for_each(|entry| uncounted.note(job_id(job), log.counted, entry));
            }
        }
        Happening::Ends => {
            uncounted.forget(job_id(job));
            *log = Log::default();
        }
    }
}

proptest! {
    #[test]
    fn whatever_crashes_what_is_not_counted_is_what_the_logs_say_less_what_the_chain_has(
        happenings in prop::collection::vec((0..JOBS, happening()), 0..60),
    ) {
        let (mut uncounted, mut logs) = (Uncounted::default(), vec![Log::default(); 2]);
        for (job, happening) in happenings {
            happen(&mut uncounted, &mut logs, job, happening);
            for device in 0..DEVICES {
                let expected = logs.iter().map(|log| log.uncounted(device));
                let expected: Vec<_> = expected.filter(|it| !it.is_empty()).collect();
                let found: Vec<_> = uncounted.of(device_id(device)).copied().collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
