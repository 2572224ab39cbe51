//! Whether what is shown is where it is said to be.

use crate::{
    evidence::{Certified, Input, Leaf, Logged},
    facts::{BatchFacts, Facts},
    ruling::Refusal,
    signatures::Signatures,
};
use codec::Decode;
use quern_joblog::Entry;
use quern_primitives::{
    ids::{AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, ReplicaIndex, TaskIndex},
    log::Header,
    merkle::Proof,
    verdict::Verdict,
};

/// An assignment as a log tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device.
    pub device: DeviceId,
    /// The account that is paid for it.
    pub account: AccountId,
    /// The engine it runs.
    pub engine: Digest,
    /// The block at which the chain says so of device and account.
    pub at: BlockNumber,
    /// In how many lanes it was given.
    pub lanes: u8,
}

/// Reads a thing that is all there is; nothing may follow it.
pub(crate) fn whole<T: Decode>(mut bytes: &[u8]) -> Option<T> {
    let read = T::decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(read)
}

impl Leaf {
    /// The verdict, if it is one.
    pub fn verdict(&self) -> Option<Verdict> {
        whole(&self.bytes)
    }

    /// Whether it is in the batch, where it says.
    pub fn is_in(&self, batch: &BatchFacts) -> Result<(), Refusal> {
        let proof = Proof {
            index: self.place,
            count: batch.verdicts,
            siblings: self.siblings.to_vec(),
        };
        match proof.holds(&batch.verdicts_root, &self.bytes) {
            true => Ok(()),
            false => Err(Refusal::NotInBatch),
        }
    }
}

impl Input {
    /// Whether it is the chunk root of the task's shard.
    pub fn is_of(&self, task: TaskIndex, facts: &Facts) -> bool {
        let submission = &facts.job.submission;
        let proof = Proof {
            index: task,
            count: submission.tasks,
            siblings: self.siblings.to_vec(),
        };
        proof.holds(&submission.shards_root, &self.root.0)
    }
}

impl Logged {
    /// The entry, if it is one.
    pub fn entry(&self) -> Option<Entry> {
        whole(&self.entry)
    }

    /// The assignment, if the entry is one.
    pub fn assigned(&self) -> Option<Assigned> {
        match self.entry()? {
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                engine,
                at,
                lanes,
            } => Some(Assigned {
                task,
                replica,
                device,
                account,
                engine,
                at,
                lanes,
            }),
            _ => None,
        }
    }

    /// Its position in the log, if its header has it.
    pub fn position(&self) -> Option<u64> {
        let header = &self.header.payload;
        let proof = Proof {
            index: self.place,
            count: header.count,
            siblings: self.siblings.to_vec(),
        };
        let stands = proof.holds(&header.entries_root, &self.entry);
        stands
            .then(|| header.first.checked_add(self.place.into()))
            .flatten()
    }
}

impl Certified {
    /// Its position in the log that a batch rests on: that of the batch's coordinator. Who coordinated the job
    /// before had a log of its own, whose heads were certified as well, and nobody answers for another's.
    pub fn position_in<S: Signatures>(
        &self,
        batch: &BatchFacts,
        facts: &Facts,
        signatures: &S,
    ) -> Result<u64, Refusal> {
        let writer = facts.member(&batch.coordinator);
        let is_of_writer = writer.is_some_and(|writer| {
            signatures.is_nodes(&self.logged.header, &writer.node, &facts.genesis)
        });
        let head = self
            .head(&facts.genesis, &facts.job_id)
            .filter(|head| is_of_writer && batch.heads.contains(head));
        head.and_then(|_| self.logged.position())
            .ok_or(Refusal::NotInLog)
    }

    /// The same, where the way ends at the head that was certified with this very batch, and at none before.
    pub fn position_behind<S: Signatures>(
        &self,
        batch: &BatchFacts,
        facts: &Facts,
        signatures: &S,
    ) -> Result<u64, Refusal> {
        let position = self.position_in(batch, facts, signatures)?;
        let head = self.head(&facts.genesis, &facts.job_id);
        match head.is_some() && head.as_ref() == batch.heads.last() {
            true => Ok(position),
            false => Err(Refusal::NotInLog),
        }
    }

    /// The hash of the last block on the way, if each is an ancestor of the next: the block before it, or
    /// the one that it skips to.
    ///
    /// What hangs on a certified head by either is what was certified. A coordinator alone can sign a header
    /// whose `skip` is of another branch; but who follows a log takes no such block, and nobody certifies
    /// what it did not follow. So whoever certified a head that leads to an entry answers for that entry.
    fn head(&self, genesis: &GenesisHash, job: &JobId) -> Option<Digest> {
        let mut before: &Header = &self.logged.header.payload;
        let mut head = before.hash(genesis);
        for next in &self.links {
            let first = before.first.checked_add(before.count.into())?;
            let follows = next.previous == head
                && before.index.checked_add(1) == Some(next.index)
                && next.first == first;
            let skips = next.skip == head
                && before.index < next.index
                && before.index == Header::skipped_to(next.index)
                && next.first >= first;
            if !(follows || skips) || next.job != *job {
                return None;
            }
            head = next.hash(genesis);
            before = next;
        }
        (self.logged.header.payload.job == *job).then_some(head)
    }
}
