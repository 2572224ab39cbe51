//! What the chain settled, compared with what the log says of it.

use crate::difference::{Difference, Part, SumOf};
use core::fmt::Display;
use quern_dispute_rules::evidence::Leaf;
use quern_job_rules::{split::Split, tasks};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, BatchRecord, BatchState, LogRange, PendingBatch, TaskSet},
    ids::{AccountId, BatchSequence, Digest, TaskIndex},
    job::Job,
    log::Header,
    merkle::Proof,
};
use std::collections::BTreeMap;

/// What the chain says of a job and its batches, all of it at one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnChain {
    /// The job.
    pub job: Job,
    /// The batches that were settled.
    pub batches: BTreeMap<BatchSequence, BatchRecord>,
    /// What the chain keeps beside that of a batch that is pending. Of one that is final it is what was kept until
    /// then, if that is known.
    pub kept: BTreeMap<BatchSequence, PendingBatch>,
}

impl OnChain {
    /// The batch whose stretch of the log has an entry, unless it was struck. Behind the last stretch of a job
    /// that is over it is the last batch: where a stretch ends is its coordinator's word.
    pub fn batch_at(&self, position: u64) -> Option<BatchSequence> {
        let mut standing = self.batches.iter().filter(|(_, record)| stands(record));
        let found = standing
            .clone()
            .find(|(_, record)| record.log.last >= position);
        let goes_on = self.job.state.is_open();
        let found = found.or_else(|| standing.next_back().filter(|_| !goes_on));
        found.map(|(sequence, _)| *sequence)
    }

    /// Whether a verdict is one of those that a batch settled which was not struck.
    pub fn has_settled(&self, sequence: BatchSequence, leaf: &Leaf) -> bool {
        let record = self.batches.get(&sequence).filter(|record| stands(record));
        record.is_some_and(|record| {
            let proof = Proof {
                index: leaf.place,
                count: record.tasks,
                siblings: leaf.siblings.to_vec(),
            };
            proof.holds(&record.verdicts_root, &leaf.bytes)
        })
    }

    /// The pending batch that settles a task.
    pub fn pending_with(&self, task: TaskIndex) -> Option<BatchSequence> {
        let has = |batch: &PendingBatch| {
            let set = tasks::validate(&batch.tasks, self.job.submission.tasks);
            set.is_ok_and(|set| set.iter().any(|it| it == task))
        };
        let is_pending = |sequence| {
            let record = self.batches.get(sequence);
            record.is_some_and(|record| matches!(record.state, BatchState::Pending { .. }))
        };
        let mut pending = self.kept.iter();
        let found = pending.find(|(sequence, batch)| is_pending(*sequence) && has(batch));
        found.map(|(sequence, _)| *sequence)
    }

    /// Whether a batch that this account wrote down is another than the one of its number that is pending, if
    /// the same account has settled that. Of what is final the chain does not keep all parts.
    pub fn has_settled_otherwise(&self, batch: &Batch, writer: &AccountId) -> bool {
        let pending = self.kept.get(&batch.sequence);
        let is_writers = pending.is_some_and(|it| it.coordinator == *writer);
        let mut found = Vec::new();
        is_writers
            && self.compare(batch, 0, &mut found)
            && found.iter().any(|it| match it {
                Difference::Batch { part, .. } => part.is_written_down(),
                _ => false,
            })
    }

    /// Compares a batch of the log with what the chain settled; false if it did not.
    pub(crate) fn compare(
        &self,
        batch: &Batch,
        position: u64,
        found: &mut Vec<Difference>,
    ) -> bool {
        let Some(record) = self.batches.get(&batch.sequence) else {
            return false;
        };
        let mut differ = Differ {
            sequence: batch.sequence,
            position,
            found,
        };
        let workers = batch.payouts.iter().fold(0, |sum: Amount, payout| {
            // More than can exist is no sum that the chain has.
            sum.saturating_add(payout.amount)
        });
        differ.if_other(Part::Root, batch.verdicts_root, record.verdicts_root);
        differ.if_other(Part::Log, Stretch(batch.log), Stretch(record.log));
        differ.if_other(Part::Tasks, tasks::count(&batch.tasks.bits), record.tasks);
        differ.if_other(Part::Spent, batch.spent, record.spent);
        differ.if_other(Part::Workers, workers, record.paid);
        if let Some(pending) = self.kept.get(&batch.sequence) {
            self.compare_pending(batch, workers, pending, &mut differ);
        }
        true
    }

    /// Compares a block of the log with those that the chain's batches rest on.
    pub(crate) fn compare_head(&self, header: &Header, head: Digest, found: &mut Vec<Difference>) {
        let standing = self.batches.iter().filter(|(_, record)| stands(record));
        for (sequence, record) in standing.filter(|(_, record)| record.block == header.index) {
            let mut differ = Differ {
                sequence: *sequence,
                // No block is empty.
                position: header
                    .first
                    .saturating_add(header.count.into())
                    .saturating_sub(1),
                found,
            };
            differ.if_other(Part::Head, head, record.head);
        }
    }

    fn compare_pending(
        &self,
        batch: &Batch,
        workers: Amount,
        pending: &PendingBatch,
        differ: &mut Differ<'_>,
    ) {
        if batch.tasks != pending.tasks {
            let words = |set: &TaskSet| {
                let count = tasks::count(&set.bits);
                format!("{count} from task {} on", set.first)
            };
            differ.tell(Part::Tasks, words(&batch.tasks), words(&pending.tasks));
        }
        differ.if_unlike(Part::Payouts, &batch.payouts, &pending.payouts, |payout| {
            format!("{} to {}", payout.amount, payout.account)
        });
        differ.if_unlike(Part::Devices, &batch.devices, &pending.devices, |it| {
            format!("{:?} of {}", it.change, it.device)
        });
        let split = pending.split;
        let chain = format!(
            "{} to workers, {} to operators, {} to the treasury",
            split.workers, split.operators, split.treasury
        );
        match Split::of(batch.spent, workers, self.job.terms) {
            Ok(by_terms) if by_terms.shares() == split => {}
            Ok(by_terms) => {
                let log = format!(
                    "{} to workers, {} to operators, {} to the treasury",
                    by_terms.workers(),
                    by_terms.operators(),
                    by_terms.treasury()
                );
                differ.tell(Part::Split, log, chain);
            }
            Err(over) => differ.tell(Part::Split, over.to_string(), chain),
        }
    }

    /// Holds the job's sums to its batches, and says which of these the chain should have and has not.
    pub(crate) fn check_sums(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for sequence in 0..self.job.next_batch {
            if !self.batches.contains_key(&sequence) {
                found.push(Difference::NoRecord { sequence });
            }
        }
        let escrow = &self.job.escrow;
        let whole = [
            escrow.paid,
            escrow.network,
            escrow.refunded,
            escrow.pending,
            escrow.held,
        ];
        let sums = [
            (
                SumOf::Paid,
                self.sum(|record| if_final(record, record.paid)),
                escrow.paid,
            ),
            (
                SumOf::Network,
                self.sum(|record| if_final(record, record.spent.saturating_sub(record.paid))),
                escrow.network,
            ),
            (
                SumOf::Pending,
                self.sum(|record| if_pending(record, record.spent)),
                escrow.pending,
            ),
            (
                SumOf::Tasks,
                self.sum(|record| if_standing(record, record.tasks.into())),
                self.job.settled_tasks.into(),
            ),
            (
                SumOf::PendingBatches,
                self.sum(|record| if_pending(record, 1)),
                self.job.pending_batches.into(),
            ),
            (
                SumOf::Deposit,
                whole.into_iter().fold(0, Amount::saturating_add),
                escrow.deposited,
            ),
        ];
        let unlike = sums
            .into_iter()
            .filter(|(_, batches, chain)| batches != chain);
        found.extend(unlike.map(|(of, batches, chain)| Difference::Sum { of, batches, chain }));
        found
    }

    /// A sum over all batches that the chain has. More than can exist is no sum of it.
    fn sum(&self, of: impl Fn(&BatchRecord) -> Amount) -> Amount {
        let amounts = self.batches.values().map(of);
        amounts.fold(0, Amount::saturating_add)
    }
}

/// Whether a batch was not struck.
pub fn stands(record: &BatchRecord) -> bool {
    !matches!(record.state, BatchState::Struck { .. })
}

fn if_final(record: &BatchRecord, amount: Amount) -> Amount {
    match record.is_final() {
        true => amount,
        false => 0,
    }
}

fn if_pending(record: &BatchRecord, amount: Amount) -> Amount {
    match record.state {
        BatchState::Pending { .. } => amount,
        BatchState::Final { .. } | BatchState::Struck { .. } => 0,
    }
}

fn if_standing(record: &BatchRecord, amount: Amount) -> Amount {
    match stands(record) {
        true => amount,
        false => 0,
    }
}

/// A stretch of the log in words.
#[derive(PartialEq)]
struct Stretch(LogRange);

impl Display for Stretch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} to {}", self.0.first, self.0.last)
    }
}

/// Collects what differs of one batch.
struct Differ<'a> {
    sequence: BatchSequence,
    position: u64,
    found: &'a mut Vec<Difference>,
}

impl Differ<'_> {
    fn if_other<T: PartialEq + Display>(&mut self, part: Part, log: T, chain: T) {
        if log != chain {
            self.tell(part, log.to_string(), chain.to_string());
        }
    }

    /// Tells the first items of two lists that differ, or how long the lists are.
    fn if_unlike<T: PartialEq>(
        &mut self,
        part: Part,
        log: &[T],
        chain: &[T],
        words: impl Fn(&T) -> String,
    ) {
        if log == chain {
            return;
        }
        let mut pairs = log.iter().zip(chain);
        let (log, chain) = match pairs.find(|(log, chain)| log != chain) {
            Some((log, chain)) => (words(log), words(chain)),
            None => (
                format!("a list of {}", log.len()),
                format!("a list of {}", chain.len()),
            ),
        };
        self.tell(part, log, chain);
    }

    fn tell(&mut self, part: Part, log: String, chain: String) {
        self.found.push(Difference::Batch {
            sequence: self.sequence,
            position: self.position,
            part,
            log,
            chain,
        });
    }
}
