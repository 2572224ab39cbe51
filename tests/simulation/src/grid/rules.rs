//! At the end of a run each job's log is held to the rules, as whoever audits it holds it: by the log, by what
//! the chain said, and by what devices were told that their work was taken. Whatever the masternode did, its
//! log must bear it out.

use super::{
    chain::{COORDINATOR, Chain},
    disk::Disk,
    violation::Violation,
    work::{ENGINE, GENESIS, Work},
    world::World,
};
use quern_joblog::LogBuilder;
use quern_masternode::core::{Acknowledged, Entry};
use quern_primitives::{
    device::Class,
    ids::{AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, NodeKey},
    job::Job,
    log::{Acknowledgement, Acknowledgements, SignedAcknowledgement},
    payload::NodeSecret,
    view::DeviceView,
};
use quern_recheck::{ChainFacts, DeviceFacts, EXPECTED_MAX, Recheck};
use quern_verdict::receipt_digest;
use std::{collections::BTreeMap, error::Error};

/// Blocks of the log that is followed have from one entry to so many: whoever looks must find the same
/// however they are cut.
const ENTRIES_MAX: usize = 40;

/// The masternode's network key.
pub(super) fn node() -> NodeSecret {
    NodeSecret::from_seed(&[77; 32])
}

/// What an auditor has beside the logs.
#[derive(Default)]
pub(super) struct Rules {
    /// What the chain said of devices, whenever it was asked.
    seen: BTreeMap<(DeviceId, BlockNumber), DeviceFacts>,
    /// What devices were told of each job.
    told: BTreeMap<JobId, Vec<SignedAcknowledgement>>,
}

impl Rules {
    /// The chain is asked about a device at this height.
    pub(super) fn see(&mut self, at: BlockNumber, view: &DeviceView) {
        let seen = self.seen.entry((view.id, at));
        let seen = seen.or_insert_with(|| DeviceFacts {
            account: view.device.account.clone(),
            may_work: true,
            accepted_in_a_row: 0,
        });
        seen.may_work &= view.may_work();
        let row = view.device.record.accepted_in_a_row;
        seen.accepted_in_a_row = seen.accepted_in_a_row.max(row);
    }

    /// A device is told that its report was taken. What it was told before is in the log, which is on
    /// disk.
    pub(super) fn tell(
        &mut self,
        disk: &Disk,
        device: DeviceId,
        told: &Acknowledged,
    ) -> Option<Acknowledgement> {
        let job = told.id.job;
        let place = usize::try_from(told.position).ok()?;
        let written = match disk.written(job).get(place) {
            Some(Entry::Revealed { receipt, .. }) => Some(receipt_digest(receipt)),
            _ => None,
        };
        Some(Acknowledgement {
            job,
            task: told.id.task,
            replica: told.id.replica,
            device,
            receipt: told.receipt.or(written)?,
            position: told.position,
        })
    }

    /// Signs what a device is told, and keeps it to be held against the log.
    pub(super) fn sign(&mut self, words: &[Acknowledgement]) -> Vec<Acknowledgements> {
        let lists = Acknowledgements::sign(words, &node(), &GENESIS);
        for word in lists.iter().flat_map(Acknowledgements::each) {
            let told = self.told.entry(word.payload.job).or_default();
            told.push(word);
        }
        lists
    }
}

/// What the chain says of a job.
struct Facts<'a> {
    work: &'a Work,
    job: &'a Job,
    /// From which block on the chain names the masternode.
    drawn: Option<BlockNumber>,
    seen: &'a BTreeMap<(DeviceId, BlockNumber), DeviceFacts>,
}

impl ChainFacts for Facts<'_> {
    fn genesis(&self) -> GenesisHash {
        GENESIS
    }

    fn job_id(&self) -> JobId {
        self.work.id
    }

    fn job(&self) -> &Job {
        self.job
    }

    fn coordinator(&self, at: BlockNumber) -> Option<(AccountId, NodeKey)> {
        let is_drawn = self.drawn.is_some_and(|drawn| drawn <= at);
        is_drawn.then(|| (COORDINATOR, node().public()))
    }

    fn may_referee(&self, by: &NodeKey, _: &NodeKey) -> bool {
        *by == node().public()
    }

    fn others(&self) -> Option<usize> {
        Some(0)
    }

    fn device(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts> {
        self.seen.get(&(*device, at)).cloned()
    }

    fn engine(&self, _: Class) -> Digest {
        ENGINE
    }

    fn lane_seed(&self) -> Option<Digest> {
        Some(Digest(self.work.lane_seed()))
    }
}

impl World<'_> {
    /// Each log that was written holds, and each batch of it.
    pub(super) fn check_rules(&self) -> Result<(), Violation> {
        for (id, log) in self.disk.logs() {
            let Some(work) = self.works.get(&id) else {
                continue;
            };
            let checked = self.check_log(work, log);
            if let Err(error) = checked {
                let job = self.names.job(&id);
                let why = error.to_string();
                return Err(Violation::Rules { job, why });
            }
        }
        Ok(())
    }

    /// A job's log, as it was written or as it might have been, holds with each batch of it.
    pub(super) fn check_log(&self, work: &Work, log: &[Entry]) -> Result<(), Box<dyn Error>> {
        let told = self.rules.told.get(&work.id).map(Vec::as_slice);
        let told = told.unwrap_or_default();
        check(&self.chain, &self.rules, work, log, told)
    }
}

fn check(
    chain: &Chain,
    rules: &Rules,
    work: &Work,
    log: &[Entry],
    told: &[SignedAcknowledgement],
) -> Result<(), Box<dyn Error>> {
    let known = chain
        .jobs
        .get(&work.id)
        .ok_or("the chain has no such job")?;
    let facts = Facts {
        work,
        job: &known.job,
        drawn: chain.drawn.get(&work.id).copied(),
        seen: &rules.seen,
    };
    let roots = work.input_roots();
    let mut recheck = Recheck::new(facts, roots, node().public())?;
    for word in told.iter().take(EXPECTED_MAX) {
        recheck.expect(word.clone())?;
    }
    let mut builder = LogBuilder::new(GENESIS, work.id, node());
    let (mut rest, mut length) = (log, 1usize);
    while !rest.is_empty() {
        let (block, after) = rest.split_at(length.min(rest.len()));
        for entry in block {
            builder.append(entry.clone(), 1)?;
        }
        let block = builder.cut_bytes(1).ok_or("a block has no entry")?;
        recheck.take(&block.bytes)?;
        (rest, length) = (after, length % ENTRIES_MAX + 1);
    }
    for entry in log {
        if let Entry::Batched { batch } = entry {
            recheck.batch(batch)?;
        }
    }
    Ok(())
}
