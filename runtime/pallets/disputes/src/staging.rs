//! A job with a pending batch, for tests and benchmarks.

use alloc::{vec, vec::Vec};
use codec::Encode;
use quern_dispute_rules::{
    evidence::{BatchName, Leaf},
    facts::{BatchFacts, DeviceFacts, Facts, Member, Stakes},
};
use quern_job_rules::{
    pay::{PRICES_AT_GENESIS, Tariff},
    tasks,
};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash, JobId, NodeKey, ProgramHash, SealingKey,
    amount::BYTECHIP,
    batch::{DeviceChange, LogRange, Payout, TaskSet},
    device::{Class, RecordChange},
    job::{Agreement, ByteLevel, Escrow, Job, JobState, Preferences, Referees, Submission},
    limits::TASKS_PER_JOB_MAX,
    merkle::Tree,
    params::Terms,
    receipt::{Answer, Exit},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};

pub(crate) const JOB: JobId = JobId([3; 32]);
pub(crate) const BATCH: BatchName = BatchName {
    job: JOB,
    sequence: 4,
};

/// What who disputes puts up.
pub(crate) const BOND: Amount = 5 * BYTECHIP;

/// Accounts of the group; the first coordinates.
pub(crate) fn member(number: u8) -> AccountId {
    AccountId::new([30u8.saturating_add(number); 32])
}

/// A device's account, by number.
pub(crate) fn worker(number: u32) -> AccountId {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    AccountId::new(bytes)
}

/// A device, by number.
pub(crate) fn device(number: u32) -> DeviceId {
    let mut bytes = [8; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    DeviceId(bytes)
}

fn job(agreement: Agreement, shards_root: Digest) -> Job {
    Job {
        owner: AccountId::new([9; 32]),
        submission: Submission {
            salt: [1; 16],
            program: ProgramHash([8; 32]),
            manifest: Digest([3; 32]),
            shards_root,
            key_commitment: Digest([5; 32]),
            tasks: TASKS_PER_JOB_MAX,
            input_bytes: 6_000,
            fuel_per_task_max: 2_000_000_000,
            memory_bytes_max: 64 * 1024 * 1024,
            result_bytes_max: 1_024,
            agreement,
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            deadline: 1_000,
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([6; 32]),
        },
        prices: PRICES_AT_GENESIS,
        terms: Terms::FIRST,
        submitted_at: 2,
        state: JobState::Running {
            coordinator: member(0),
        },
        escrow: Escrow::default(),
        settled_tasks: 0,
        next_batch: BATCH.sequence.saturating_add(1),
        pending_batches: 1,
    }
}

/// A verdict on a task by so many replicas that agree, each of a device of its own.
pub(crate) fn verdict(job: &Job, task: u32, replicas: u8) -> Verdict {
    let fuel = 1_000_000_000;
    let (price, pay) = Tariff::of_job(job).map_or((0, 0), |tariff| {
        let price = tariff.price(fuel);
        (price, tariff.pays(price, replicas))
    });
    let found = |replica: u8| {
        let number = task
            .saturating_mul(replicas.into())
            .saturating_add(replica.into());
        ReplicaFinding {
            replica,
            device: device(number),
            account: worker(number),
            finding: Finding::Accepted,
            receipt: Some(Digest([replica; 32])),
            pay,
        }
    };
    Verdict {
        job: JOB,
        task,
        answer: Answer {
            result_commitment: Digest([1; 32]),
            result_bytes: 10,
            fuel,
            exit: Exit::Success,
        },
        ground: match replicas {
            1 => Ground::Trusted,
            _ => Ground::Majority,
        },
        price,
        replicas: (0..replicas).map(found).collect(),
    }
}

/// A job whose pending batch settles its first tasks, each by so many replicas.
pub(crate) struct Staged {
    pub(crate) facts: Facts,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Staged {
    pub(crate) fn new(genesis: GenesisHash, tasks: u32, replicas: u8) -> Self {
        let agreement = match replicas {
            1 => Agreement::Single,
            replicas => Agreement::Majority { replicas },
        };
        let job = job(agreement, Digest([4; 32]));
        let verdicts: Vec<_> = (0..tasks)
            .map(|task| verdict(&job, task, replicas))
            .collect();
        let found = verdicts.iter().flat_map(|verdict| &verdict.replicas);
        let payouts = found.clone().map(|it| Payout {
            account: it.account.clone(),
            amount: it.pay,
        });
        let devices = found.map(|it| DeviceChange {
            device: it.device,
            change: RecordChange {
                accepted: 1,
                ..Default::default()
            },
        });
        let (mut payouts, mut devices): (Vec<_>, Vec<_>) = (payouts.collect(), devices.collect());
        payouts.sort_by(|one, other| one.account.cmp(&other.account));
        devices.sort_by_key(|it| it.device);
        let set = tasks::collect(0..tasks).unwrap_or(TaskSet {
            first: 0,
            bits: Default::default(),
        });
        let batch = BatchFacts {
            sequence: BATCH.sequence,
            verdicts_root: Tree::new(verdicts.iter().map(Encode::encode)).root(),
            verdicts: tasks,
            spent: verdicts.iter().map(|it| it.price).sum(),
            log: LogRange { first: 0, last: 9 },
            settled_at: 60,
            coordinator: member(0),
            certifiers: vec![member(0), member(1)],
            heads: vec![],
            tasks: set,
            payouts,
            devices,
        };
        let group = (0..7).map(|number| Member {
            account: member(number),
            node: NodeKey([60u8.saturating_add(number); 32]),
            bond: 1_000 * BYTECHIP,
        });
        let facts = Facts {
            genesis,
            job_id: JOB,
            job,
            batch: Some(batch),
            group: group.collect(),
            referees: vec![],
            device: Some(DeviceFacts {
                registered: Some((worker(0), 1)),
                answers: Some(worker(0)),
                accepted: 40,
                is_convicted: false,
            }),
            worker_bond: 20 * BYTECHIP,
            lane_seed: Some(Digest([9; 32])),
            seed: None,
            stakes: Stakes {
                masternode_slash: 1_000 * BYTECHIP,
                device_slash: 10 * BYTECHIP,
                wrong_answer_slash: 10 * BYTECHIP,
                dispute_bond: BOND,
                winner_permille: 500,
            },
        };
        Self { facts, verdicts }
    }

    /// The first verdict as it is in the batch.
    pub(crate) fn leaf(&self) -> Option<Leaf> {
        let tree = Tree::new(self.verdicts.iter().map(Encode::encode));
        Leaf::new(self.verdicts.first()?, tree.proof(0)?)
    }

    /// Has the batch as its verdicts make it now; what it pays stays.
    pub(crate) fn settle(&mut self) {
        let root = Tree::new(self.verdicts.iter().map(Encode::encode)).root();
        if let Some(batch) = &mut self.facts.batch {
            batch.verdicts_root = root;
        }
    }
}
