//! What was judged, and what batches make of it.

use crate::{
    fault::{BatchFault, RecheckFault},
    recheck::is_settleable,
};
use codec::Encode;
use quern_job_rules::tasks;
use quern_primitives::{
    amount::Amount,
    batch::{Batch, LogRange},
    device::RecordChange,
    ids::{AccountId, BatchSequence, DeviceId, Digest, JobId, TaskIndex},
    merkle::{self, Tree},
    receipt::Exit,
    verdict::{Finding, Verdict},
};
use std::collections::{BTreeMap, BTreeSet};

/// A job's verdicts and batches. What is in a batch is forgotten but for where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    job: JobId,
    tasks: u32,
    /// Where each task's verdict stands.
    judged_at: BTreeMap<TaskIndex, u64>,
    /// Verdicts that no batch has.
    unsettled: BTreeMap<TaskIndex, Verdict>,
    /// Where each batch stands, with the digest of it; the last is behind the others.
    batches: BTreeMap<BatchSequence, (u64, Digest)>,
    /// The position behind the last one on which a batch rests.
    batched: u64,
    /// The number of the first batch.
    first: BatchSequence,
    /// Tasks that were settled by who coordinated before this log began.
    before: BTreeSet<TaskIndex>,
}

/// What follows from a batch's tasks.
#[derive(Default)]
struct Sums {
    verdicts: Vec<Vec<u8>>,
    spent: Amount,
    payouts: BTreeMap<AccountId, Amount>,
    devices: BTreeMap<DeviceId, RecordChange>,
}

impl Settlement {
    pub(crate) fn new(job: JobId, tasks: u32) -> Self {
        Self {
            job,
            tasks,
            judged_at: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            batches: BTreeMap::new(),
            batched: 0,
            first: 0,
            before: BTreeSet::new(),
        }
    }

    /// The first batch has this number.
    pub(crate) fn begin_at(&mut self, first: BatchSequence) {
        self.first = first;
    }

    /// These tasks were settled before this log began.
    pub(crate) fn begin_behind(&mut self, settled: BTreeSet<TaskIndex>) {
        self.before = settled;
    }

    /// Tasks that have their verdict, here or before.
    pub(crate) fn judged(&self) -> usize {
        let earlier = self.before.iter();
        let earlier = earlier.filter(|task| !self.judged_at.contains_key(task));
        self.judged_at.len().saturating_add(earlier.count())
    }

    /// Where a task's verdict stands.
    pub(crate) fn judged_at(&self, task: TaskIndex) -> Option<u64> {
        self.judged_at.get(&task).copied()
    }

    /// How the program fails on a task, if that is agreed. Such a verdict is never in a batch.
    pub(crate) fn failing(&self, task: TaskIndex) -> Option<Exit> {
        let verdict = self.unsettled.get(&task)?;
        (!is_settleable(verdict)).then_some(verdict.answer.exit)
    }

    /// A task whose verdict can be settled and is in no batch.
    pub(crate) fn owed(&self) -> Option<TaskIndex> {
        let mut unsettled = self.unsettled.values();
        let owed = unsettled
            .find(|verdict| is_settleable(verdict) && !self.before.contains(&verdict.task));
        owed.map(|verdict| verdict.task)
    }

    /// The number of the batch that comes next.
    pub(crate) fn next_batch(&self) -> BatchSequence {
        let last = self.batches.last_key_value();
        last.map_or(self.first, |(sequence, _)| sequence.saturating_add(1))
    }

    /// A task has its verdict, the judge's.
    pub(crate) fn judge(&mut self, position: u64, verdict: Verdict) {
        self.judged_at.insert(verdict.task, position);
        self.unsettled.insert(verdict.task, verdict);
    }

    /// Takes a batch of the log.
    pub(crate) fn settle(&mut self, batch: &Batch, position: u64) -> Result<(), RecheckFault> {
        if let Some((first, _)) = self.batches.get(&batch.sequence) {
            return Err(RecheckFault::TwoBatches {
                sequence: batch.sequence,
                first: *first,
                second: Some(position),
            });
        }
        let mut evidence = Vec::new();
        let checked = self.check_next(batch, position, &mut evidence);
        checked.map_err(|why| fault(batch, Some(position), why, evidence))?;
        // It was just read without a fault.
        if let Ok(tasks) = tasks::validate(&batch.tasks, self.tasks) {
            tasks.iter().for_each(|task| {
                self.unsettled.remove(&task);
            });
        }
        self.batched = batch.log.last.saturating_add(1);
        let digest = digest(batch);
        self.batches.insert(batch.sequence, (position, digest));
        Ok(())
    }

    /// Checks a batch against the log, which has so many entries.
    pub(crate) fn check(&self, batch: &Batch, entries: u64) -> Result<(), RecheckFault> {
        if let Some((first, known)) = self.batches.get(&batch.sequence) {
            if *known == digest(batch) {
                return Ok(());
            }
            return Err(RecheckFault::TwoBatches {
                sequence: batch.sequence,
                first: *first,
                second: None,
            });
        }
        let mut evidence = Vec::new();
        let checked = self.check_next(batch, entries, &mut evidence);
        checked.map_err(|why| fault(batch, None, why, evidence))
    }

    /// Whether a batch is the next one over a log with so many entries. Where its verdicts stand is
    /// left in `evidence`.
    fn check_next(
        &self,
        batch: &Batch,
        entries: u64,
        evidence: &mut Vec<u64>,
    ) -> Result<(), BatchFault> {
        if batch.job != self.job {
            return Err(BatchFault::OtherJob);
        }
        let expected = self.next_batch();
        if batch.sequence != expected {
            return Err(BatchFault::OutOfOrder { expected });
        }
        let sums = self.sum(batch, evidence)?;
        let last = entries.saturating_sub(1);
        let expected = LogRange {
            first: self.batched.min(last),
            last,
        };
        if batch.log != expected {
            return Err(BatchFault::Range { expected });
        }
        let expected = Tree::new(&sums.verdicts).root();
        if batch.verdicts_root != expected {
            return Err(BatchFault::VerdictsRoot { expected });
        }
        let expected = sums.spent;
        if batch.spent != expected {
            return Err(BatchFault::Spent { expected });
        }
        check_payouts(batch, &sums.payouts)?;
        check_devices(batch, &sums.devices)
    }

    fn sum(&self, batch: &Batch, evidence: &mut Vec<u64>) -> Result<Sums, BatchFault> {
        let tasks = tasks::validate(&batch.tasks, self.tasks)?;
        let mut sums = Sums::default();
        for task in tasks.iter() {
            let position = self.judged_at(task);
            if self.before.contains(&task) {
                evidence.clear();
                evidence.extend(position);
                return Err(BatchFault::SettledBefore { task });
            }
            let verdict = self.unsettled.get(&task);
            let Some(verdict) = verdict.filter(|verdict| is_settleable(verdict)) else {
                evidence.clear();
                evidence.extend(position);
                return Err(match (position, verdict) {
                    (Some(_), None) => BatchFault::SettledBefore { task },
                    _ => BatchFault::NoVerdict { task },
                });
            };
            evidence.extend(position);
            sums.add(verdict)?;
        }
        Ok(sums)
    }
}

impl Sums {
    fn add(&mut self, verdict: &Verdict) -> Result<(), BatchFault> {
        let spent = self.spent.checked_add(verdict.price);
        self.spent = spent.ok_or(BatchFault::Overflow)?;
        for found in &verdict.replicas {
            if found.pay > 0 {
                let pay = self.payouts.entry(found.account.clone()).or_default();
                *pay = pay.checked_add(found.pay).ok_or(BatchFault::Overflow)?;
            }
            let change = self.devices.entry(found.device).or_default();
            let count = match found.finding {
                Finding::Accepted => &mut change.accepted,
                Finding::Incorrect => &mut change.incorrect,
                Finding::Failed => &mut change.failed,
                Finding::Delayed => &mut change.delayed,
            };
            *count = count.saturating_add(1);
        }
        self.verdicts.push(verdict.encode());
        Ok(())
    }
}

fn check_payouts(batch: &Batch, expected: &BTreeMap<AccountId, Amount>) -> Result<(), BatchFault> {
    let is_sorted = batch
        .payouts
        .is_sorted_by(|before, after| before.account < after.account);
    if !is_sorted {
        return Err(BatchFault::Unsorted);
    }
    for said in &batch.payouts {
        let expected = expected.get(&said.account).copied().unwrap_or(0);
        if said.amount != expected || expected == 0 {
            return Err(BatchFault::Payout {
                account: said.account.clone(),
                expected,
            });
        }
    }
    let is_paid = |account: &AccountId| {
        let found = batch.payouts.binary_search_by(|it| it.account.cmp(account));
        found.is_ok()
    };
    match expected.iter().find(|(account, _)| !is_paid(account)) {
        Some((account, expected)) => Err(BatchFault::Payout {
            account: account.clone(),
            expected: *expected,
        }),
        None => Ok(()),
    }
}

fn check_devices(
    batch: &Batch,
    expected: &BTreeMap<DeviceId, RecordChange>,
) -> Result<(), BatchFault> {
    let is_sorted = batch
        .devices
        .is_sorted_by(|before, after| before.device < after.device);
    if !is_sorted {
        return Err(BatchFault::Unsorted);
    }
    for said in &batch.devices {
        let expected = expected.get(&said.device).copied().unwrap_or_default();
        if said.change != expected || expected.is_empty() {
            return Err(BatchFault::Device {
                device: said.device,
                expected,
            });
        }
    }
    let is_named = |device: &DeviceId| {
        let found = batch.devices.binary_search_by(|it| it.device.cmp(device));
        found.is_ok()
    };
    match expected.iter().find(|(device, _)| !is_named(device)) {
        Some((device, expected)) => Err(BatchFault::Device {
            device: *device,
            expected: *expected,
        }),
        None => Ok(()),
    }
}

fn fault(
    batch: &Batch,
    position: Option<u64>,
    why: BatchFault,
    evidence: Vec<u64>,
) -> RecheckFault {
    RecheckFault::Batch {
        position,
        sequence: batch.sequence,
        why,
        evidence,
    }
}

/// What a batch is known by when it comes again.
fn digest(batch: &Batch) -> Digest {
    batch.using_encoded(|bytes| merkle::leaf(batch.sequence, bytes))
}
