//! The logs of jobs of which everything is computed and nothing settled, as a masternode writes them.

use super::{ENGINE, WORKERS_PAID, account, device_key, node};
use quern_job_rules::pay::Tariff;
use quern_masternode::{
    Store,
    core::{Effect, Entry, OutputPlace, Ticket},
};
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, GenesisHash, JobId,
    ids::{Digest, RevealSalt, TaskIndex},
    job::Job,
    limits::TASKS_PER_JOB_MAX,
    payload::DeviceKey,
    receipt::{Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_verdict::receipt_digest;
use std::collections::BTreeMap;

/// The chunk root of each task's shard.
pub(super) fn input_roots() -> Vec<Digest> {
    (0..TASKS_PER_JOB_MAX).map(input_root).collect()
}

fn input_root(task: TaskIndex) -> Digest {
    let mut root = [0; 32];
    root[..4].copy_from_slice(&task.to_le_bytes());
    Digest(root)
}

/// Whom logs name, of which chain, and at which of its finalised blocks.
pub(super) struct Origin {
    pub(super) genesis: GenesisHash,
    pub(super) operator: AccountId,
    pub(super) at: BlockNumber,
}

/// What a masternode's log has of a job of which everything is computed and nothing settled.
struct History<'a> {
    origin: &'a Origin,
    id: JobId,
    job: &'a Job,
    tariff: Tariff,
    devices: &'a [(DeviceKey, AccountId)],
}

impl History<'_> {
    fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let opened = Entry::Opened {
            coordinator: self.origin.operator.clone(),
            node: node().public(),
            at: self.origin.at,
        };
        let queued = Entry::Queued {
            first: 0,
            tasks: TASKS_PER_JOB_MAX,
        };
        let tasks = (0..TASKS_PER_JOB_MAX).zip(self.devices.iter().cycle());
        let computed =
            tasks.flat_map(move |(task, (key, account))| self.computed(task, key, account));
        [opened, queued].into_iter().chain(computed)
    }

    /// A task was given to a device, which answered.
    fn computed(&self, task: TaskIndex, key: &DeviceKey, account: &AccountId) -> [Entry; 3] {
        let assigned = Entry::Assigned {
            task,
            replica: 0,
            device: key.id(),
            account: account.clone(),
            engine: ENGINE,
            at: self.origin.at,
            lanes: 1,
        };
        let receipt = key.sign(self.receipt(task, key.id()), &self.origin.genesis);
        let verdict = self.verdict(&receipt, account);
        let output = OutputPlace::Inline { bytes: 0 };
        [
            assigned,
            Entry::Revealed { receipt, output },
            Entry::Judged { verdict },
        ]
    }

    fn receipt(&self, task: TaskIndex, device: DeviceId) -> Receipt {
        Receipt {
            job: self.id,
            task,
            replica: 0,
            device,
            program: self.job.submission.program,
            input_root: input_root(task),
            question: Digest([46; 32]),
            result_commitment: Digest([3; 32]),
            output_root: Digest([8; 32]),
            result_bytes: 0,
            fuel: 1,
            exit: Exit::Success,
            class: self.job.submission.class,
            engine: ENGINE,
            // Each task before it has three entries, and two come before them all.
            log_position: 2 + 3 * u64::from(task),
            salt: RevealSalt([9; 32]),
        }
    }

    /// The job wants no more than one device's word.
    fn verdict(&self, receipt: &SignedReceipt, account: &AccountId) -> Verdict {
        let (said, answer) = (&receipt.payload, receipt.payload.answer());
        let price = self.tariff.price(answer.fuel);
        let found = ReplicaFinding {
            replica: said.replica,
            device: said.device,
            account: account.clone(),
            finding: Finding::Accepted,
            receipt: Some(receipt_digest(receipt)),
            pay: self.tariff.pays(price, 1),
        };
        Verdict {
            job: self.id,
            task: said.task,
            answer,
            ground: Ground::Trusted,
            price,
            replicas: vec![found],
        }
    }
}

/// Has the jobs' logs written, and says with which ticket all of them are on disk.
pub(super) fn write(
    store: &Store,
    jobs: &BTreeMap<JobId, Job>,
    origin: &Origin,
) -> anyhow::Result<Ticket> {
    let devices = (0..WORKERS_PAID).map(|number| (device_key(number), account(number)));
    let devices: Vec<_> = devices.collect();
    let mut last = Ticket::default();
    for (id, job) in jobs {
        let history = History {
            origin,
            id: *id,
            job,
            tariff: Tariff::of_job(job)?,
            devices: &devices,
        };
        for (position, entry) in (0..).zip(history.entries()) {
            last.0 += 1;
            store.carry_out(Effect::Append {
                ticket: last,
                job: *id,
                position,
                entry: Box::new(entry),
                output: None,
            });
        }
    }
    Ok(last)
}
