//! A chain that settled what a story says.

use crate::{author::Story, world::HERE};
use codec::Encode as _;
use quern_job_rules::{split::Split, tasks};
use quern_joblog::{Entry, SignedBlock};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, BatchRecord, BatchState, PendingBatch},
    ids::AccountId,
    job::Escrow,
};
use quern_recheck::OnChain;

const DUE: u32 = 400;

/// The verdicts of a batch as the log has them, encoded.
pub(crate) fn verdicts_of(story: &Story, batch: &PendingBatch) -> Vec<Vec<u8>> {
    let tasks = tasks::validate(&batch.tasks, story.facts.job.submission.tasks).unwrap();
    let verdict = |task| {
        story.entries.iter().find_map(|entry| match entry {
            Entry::Judged { verdict } if verdict.task == task => Some(verdict.encode()),
            _ => None,
        })
    };
    tasks.iter().filter_map(verdict).collect()
}

fn workers(batch: &Batch) -> Amount {
    batch.payouts.iter().map(|payout| payout.amount).sum()
}

/// A chain that settled what a story says, whose log has these blocks; of its batches those from one on are
/// pending.
pub(crate) fn settled(story: &Story, pending_from: usize, blocks: &[SignedBlock]) -> OnChain {
    let mut job = story.facts.job.clone();
    let mut escrow = Escrow {
        held: 1_000,
        refunded: 7,
        ..Escrow::default()
    };
    let mut on_chain = OnChain {
        job: job.clone(),
        batches: [].into(),
        kept: [].into(),
    };
    for (place, batch) in story.batches.iter().enumerate() {
        let is_pending = place >= pending_from;
        let (spent, paid) = (batch.spent, workers(batch));
        let state = match is_pending {
            true => BatchState::Pending { due: DUE },
            false => BatchState::Final { at: 20 },
        };
        let mut until = blocks.iter().map(|block| block.header.payload);
        let head = until.rfind(|header| header.first <= batch.log.last);
        let head = head.unwrap();
        let record = BatchRecord {
            verdicts_root: batch.verdicts_root,
            log: batch.log,
            block: head.index,
            head: head.hash(&HERE),
            tasks: tasks::count(&batch.tasks.bits),
            spent,
            paid,
            settled_at: 10,
            state,
        };
        job.settled_tasks += record.tasks;
        job.next_batch += 1;
        on_chain.batches.insert(batch.sequence, record);
        if !is_pending {
            escrow.paid += paid;
            escrow.network += spent - paid;
            continue;
        }
        escrow.pending += spent;
        job.pending_batches += 1;
        let pending = PendingBatch {
            due: DUE,
            coordinator: AccountId::new([4; 32]),
            certified_by: Default::default(),
            tasks: batch.tasks.clone(),
            payouts: batch.payouts.clone(),
            devices: batch.devices.clone(),
            split: Split::of(spent, paid, job.terms).unwrap().shares(),
        };
        on_chain.kept.insert(batch.sequence, pending);
    }
    escrow.deposited =
        escrow.paid + escrow.network + escrow.refunded + escrow.pending + escrow.held;
    job.escrow = escrow;
    on_chain.job = job;
    on_chain
}

/// A chain that settled what the second says behind what the first does.
pub(crate) fn joined(first: OnChain, second: OnChain) -> OnChain {
    let mut both = first;
    both.batches.extend(second.batches);
    both.kept.extend(second.kept);
    let (escrow, more) = (&mut both.job.escrow, second.job.escrow);
    escrow.paid += more.paid;
    escrow.network += more.network;
    escrow.pending += more.pending;
    escrow.deposited += more.paid + more.network + more.pending;
    both.job.settled_tasks += second.job.settled_tasks;
    both.job.next_batch += second.job.next_batch;
    both.job.pending_batches += second.job.pending_batches;
    both
}
