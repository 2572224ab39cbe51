//! Holds a job's own log to the rules before a batch of it is sent, as those will who sign it beside its
//! coordinator. What does not pass is not sent.
//!
//! The log is followed as it is on disk, block by block, with what the chain was seen to say of devices. What
//! was written before this start, or refers to what was not seen since, is taken as it was written: this
//! masternode looked at it then. So are the signatures of devices, which the core checks as it takes each
//! answer.

use crate::{
    core::{Engines, Entry},
    daemon::Sighting,
    settler::{Books, OpenJobs},
    store::{JobLog, OWN, StoreError},
};
use quern_joblog::{SignedBlock, writer_of};
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, TaskIndex,
    batch::Batch,
    device::Class,
    ids::NodeKey,
    job::Job,
    limits::{LOG_BLOCK_BYTES_MAX, TRUSTED_ROW_MIN},
};
use quern_recheck::{ChainFacts, DeviceFacts, HEIGHT_LAG_MAX, Recheck, RecheckFault};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Of a device so many changes are remembered.
const CHANGES_MAX: usize = 8;

/// With more devices those are forgotten that were not seen for so long that nothing new refers to it.
const DEVICES_MAX: usize = 65_536;

/// Blocks of a log that are read at a time.
const BLOCKS_AT_ONCE: u64 = 64;

/// What the chain said of devices, as it was read.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Mutex<BTreeMap<DeviceId, VecDeque<Seen>>>);

/// What the chain said of a device from one block on, and still at another.
#[derive(Clone, Debug)]
struct Seen {
    from: BlockNumber,
    until: BlockNumber,
    facts: DeviceFacts,
}

impl Seen {
    /// Whether the same follows from what was seen later.
    fn is_as(&self, later: &DeviceFacts) -> bool {
        let is_row = |facts: &DeviceFacts| facts.accepted_in_a_row >= TRUSTED_ROW_MIN;
        let facts = &self.facts;
        (&facts.account, facts.may_work, is_row(facts))
            == (&later.account, later.may_work, is_row(later))
    }
}

impl Sightings {
    /// Takes note of what the chain says.
    pub(crate) fn note<'a>(&self, seen: impl IntoIterator<Item = &'a Sighting>) {
        let mut known = self.lock();
        let mut latest = 0;
        for Sighting { at, view, .. } in seen {
            latest = latest.max(*at);
            let facts = DeviceFacts {
                account: view.device.account.clone(),
                may_work: view.may_work(),
                accepted_in_a_row: view.device.record.accepted_in_a_row,
            };
            let changes = known.entry(view.id).or_default();
            match changes.back_mut() {
                Some(last) if *at < last.from => {}
                Some(last) if last.is_as(&facts) => last.until = last.until.max(*at),
                _ => {
                    if changes.len() >= CHANGES_MAX {
                        changes.pop_front();
                    }
                    changes.push_back(Seen {
                        from: *at,
                        until: *at,
                        facts,
                    });
                }
            }
        }
        if known.len() > DEVICES_MAX {
            let is_recent = |seen: &Seen| seen.until.saturating_add(2 * HEIGHT_LAG_MAX) >= latest;
            known.retain(|_, changes| changes.back().is_some_and(is_recent));
        }
    }

    /// What the chain said of a device at a block, if that was seen.
    fn at(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts> {
        let known = self.lock();
        let mut changes = known.get(device)?.iter();
        let seen = changes.find(|seen| (seen.from..=seen.until).contains(&at));
        seen.map(|seen| seen.facts.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, VecDeque<Seen>>> {
        // A panic while the lock was held leaves what is still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the chain says of a job that is coordinated here.
struct OwnFacts {
    genesis: GenesisHash,
    id: JobId,
    job: Job,
    account: AccountId,
    engines: Engines,
    lane_seed: Option<Digest>,
    sightings: Arc<Sightings>,
    /// The key with which the block that is followed is signed, and the engine that it names, if it was
    /// written before this start.
    writer: Cell<NodeKey>,
    engine: Cell<Option<Digest>>,
    /// What that block refers to and was not seen, as it says itself.
    unseen: RefCell<BTreeMap<(DeviceId, BlockNumber), DeviceFacts>>,
}

impl OwnFacts {
    /// The next block is followed, which may have been written before this start.
    fn begin(&self, block: &SignedBlock, is_old: bool) {
        let mut unseen = self.unseen.borrow_mut();
        unseen.clear();
        self.engine.set(None);
        for entry in &block.entries {
            let Entry::Assigned {
                device,
                account,
                engine,
                at,
                ..
            } = entry
            else {
                continue;
            };
            if is_old {
                self.engine.set(Some(*engine));
            }
            if self.sightings.at(device, *at).is_none() {
                let facts = DeviceFacts {
                    account: account.clone(),
                    may_work: true,
                    accepted_in_a_row: u32::MAX,
                };
                unseen.insert((*device, *at), facts);
            }
        }
    }
}

impl ChainFacts for OwnFacts {
    fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    fn job_id(&self) -> JobId {
        self.id
    }

    fn job(&self) -> &Job {
        &self.job
    }

    fn coordinator(&self, _: BlockNumber) -> Option<(AccountId, NodeKey)> {
        Some((self.account.clone(), self.writer.get()))
    }

    /// Who was asked was looked up in the group when its word came.
    fn may_referee(&self, _: &NodeKey, _: &NodeKey) -> bool {
        true
    }

    /// So was how many are to be asked.
    fn others(&self) -> Option<usize> {
        None
    }

    fn device(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts> {
        let unseen = self.unseen.borrow().get(&(*device, at)).cloned();
        unseen.or_else(|| self.sightings.at(device, at))
    }

    fn lane_seed(&self) -> Option<Digest> {
        self.lane_seed
    }

    fn engine(&self, class: Class) -> Digest {
        self.engine.get().unwrap_or(self.engines.of(class))
    }
}

/// Why a batch is not sent.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The log or the batch breaks a rule.
    #[error("the job's own log does not bear the batch out")]
    Recheck(#[from] RecheckFault),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is checked needs the job's manifest.
    #[error("the job is not open here: its manifest or its key is missing")]
    NotOpen,
}

/// A job's log as far as it was followed.
struct Followed {
    recheck: Recheck<OwnFacts>,
    next: u64,
}

impl Followed {
    fn new(facts: OwnFacts, roots: Vec<Digest>, first_batch: u32) -> Result<Self, RecheckFault> {
        let writer = facts.writer.get();
        let recheck = Recheck::new(facts, roots, writer)?;
        Ok(Self {
            recheck: recheck.without_signatures().from_batch(first_batch),
            next: 0,
        })
    }

    /// These tasks were settled by who coordinated the job before.
    fn behind(self, settled: BTreeSet<TaskIndex>) -> Self {
        Self {
            recheck: self.recheck.behind_settled(settled),
            ..self
        }
    }

    /// Takes what was added to the log. What was written before this time, in milliseconds since 1970, was so
    /// before this start.
    fn catch_up(&mut self, log: &JobLog, started_ms: u64) -> Result<(), Refused> {
        loop {
            let page = log.page(self.next, BLOCKS_AT_ONCE, LOG_BLOCK_BYTES_MAX as usize)?;
            if page.is_empty() {
                return Ok(());
            }
            for bytes in page {
                self.take(&bytes, started_ms)?;
            }
        }
    }

    fn take(&mut self, bytes: &[u8], started_ms: u64) -> Result<(), RecheckFault> {
        let block = SignedBlock::read(bytes)?;
        if let Some(writer) = writer_of(bytes) {
            self.recheck.facts().writer.set(writer);
            if self.recheck.replay().signer() != writer {
                drop(self.recheck.hand_over(writer));
            }
        }
        let is_old = block.header.payload.time_ms < started_ms;
        self.recheck.facts().begin(&block, is_old);
        self.recheck.take(bytes)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }
}

/// The first batch of which a log tells, if it does of one.
fn first_batch(log: &JobLog) -> Result<Option<u32>, Refused> {
    let mut from = 0;
    loop {
        let page = log.page(from, BLOCKS_AT_ONCE, LOG_BLOCK_BYTES_MAX as usize)?;
        if page.is_empty() {
            return Ok(None);
        }
        for bytes in page {
            from += 1;
            let block = SignedBlock::read(&bytes).map_err(RecheckFault::from)?;
            let first = block.entries.iter().find_map(|entry| match entry {
                Entry::Batched { batch } => Some(batch.sequence),
                _ => None,
            });
            if first.is_some() {
                return Ok(first);
            }
        }
    }
}

/// The logs that are followed, each as long as its job is open.
#[derive(Default)]
pub(crate) struct Checks {
    followed: BTreeMap<JobId, Followed>,
}

impl Checks {
    /// Whether a batch follows from the job's log as it is on disk. Once a log breaks a rule every batch of
    /// it is refused.
    pub(crate) fn check(
        &mut self,
        books: &Books,
        jobs: &dyn OpenJobs,
        batch: &Batch,
    ) -> Result<(), Refused> {
        let open = jobs.names();
        self.followed.retain(|job, _| open.contains(job));
        let id = batch.job;
        let log = books.store.read_log(id)?;
        let followed = match self.followed.entry(id) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(place) => {
                let found = jobs.find(id).ok_or(Refused::NotOpen)?;
                let seed = jobs.lane_seed(id).ok_or(Refused::NotOpen)?;
                place.insert(begin(books, found, seed, (&log, batch))?)
            }
        };
        followed.catch_up(&log, books.started_ms)?;
        followed.recheck.batch(batch)?;
        Ok(())
    }
}

/// Begins with a job whose log has none that is followed.
fn begin(
    books: &Books,
    (job, input_roots): (Job, Vec<Digest>),
    lane_seed: Digest,
    (log, batch): (&JobLog, &Batch),
) -> Result<Followed, Refused> {
    let facts = OwnFacts {
        genesis: books.genesis,
        id: batch.job,
        job,
        account: books.account.id(),
        engines: books.engines,
        lane_seed: Some(lane_seed),
        sightings: books.sightings.clone(),
        writer: Cell::new(books.node.public()),
        engine: Cell::new(None),
        unseen: RefCell::default(),
    };
    let first = first_batch(log)?.unwrap_or(batch.sequence);
    let base = books.store.base(batch.job, OWN)?.unwrap_or_default();
    Ok(Followed::new(facts, input_roots, first)?.behind(base.settled))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
