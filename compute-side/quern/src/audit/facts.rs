//! What the chain says, read with proofs for the log that is held to it.

use anyhow::Context as _;
use codec::{Decode, DecodeAll as _};
use quern_joblog::{Entry, SignedBlock};
use quern_ledger::{ChainError, Proven, ProvenError};
use quern_light::{BlockHash, Header, TrieProof, ValueFault, keys, keys::Key};
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, GenesisHash, JobId, TaskIndex,
    batch::{BatchRecord, PendingBatch},
    device::{Class, Device},
    group::Group,
    ids::{BatchSequence, NodeKey},
    job::Job,
    params::Params,
};
use quern_recheck::{ChainFacts, DeviceFacts, OnChain, Wanted};
use quern_shards::{keys::JobKey, manifest::ValidatedManifest, question::Allowed};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Devices, batches or masternodes whose state is proven at a time: a few values of each.
const AT_A_TIME: usize = 32;

/// What was read for a job's log. The log asks for it block by block, so it is read block by block.
#[derive(Clone)]
pub(super) struct Gathered {
    genesis: GenesisHash,
    id: JobId,
    job: Job,
    known: Arc<Mutex<Known>>,
    asked: Option<Arc<Asked>>,
}

/// What tells what tasks ask, for a job's owner.
struct Asked {
    manifest: ValidatedManifest,
    key: JobKey,
    allowed: Allowed,
}

#[derive(Debug, Default)]
struct Known {
    devices: BTreeMap<(BlockNumber, DeviceId), DeviceFacts>,
    coordinators: BTreeMap<BlockNumber, (AccountId, NodeKey)>,
    referees: BTreeSet<NodeKey>,
    /// What the job's lanes follow from.
    lane_seed: Option<Digest>,
    /// The engine of the assignments that are looked at.
    engine: Option<Digest>,
    /// Replicas that were given for another engine than this program has.
    elsewhere: BTreeMap<Digest, u64>,
    /// The newest height that was shown to be final.
    newest: BlockNumber,
}

impl Gathered {
    pub(super) fn new(genesis: GenesisHash, id: JobId, job: Job, newest: BlockNumber) -> Self {
        let known = Known {
            newest,
            ..Known::default()
        };
        Self {
            genesis,
            id,
            job,
            known: Arc::new(Mutex::new(known)),
            asked: None,
        }
    }

    /// With what the job's owner has of it, by which receipts state what their devices were asked.
    pub(super) fn of_owner(self, manifest: ValidatedManifest, key: JobKey) -> Self {
        let asked = Asked {
            manifest,
            key,
            allowed: Allowed::by(&self.job.submission),
        };
        Self {
            asked: Some(Arc::new(asked)),
            ..self
        }
    }

    /// Looks at which engine a block's replicas were given for. The chain does not know it, and in the years that a
    /// log may be audited grids have several: another one than this program's is no fault of the log, as long as a
    /// block has one, but nothing that this program computes says anything of what came of it.
    pub(super) fn look_at_engine(&self, block: &SignedBlock) {
        let own = Digest(quern_sandbox::engine_digest(self.job.submission.class));
        let mut known = self.known();
        let engines = block.entries.iter().filter_map(|entry| match entry {
            Entry::Assigned { engine, .. } => Some(*engine),
            _ => None,
        });
        for (number, engine) in engines.enumerate() {
            if number == 0 {
                known.engine = Some(engine);
            }
            if engine != own {
                let given = known.elsewhere.entry(engine).or_default();
                *given = given.saturating_add(1);
            }
        }
    }

    /// Other engines than this program's, and how many replicas were given for each.
    pub(super) fn elsewhere(&self) -> BTreeMap<Digest, u64> {
        self.known().elsewhere.clone()
    }

    /// Reads what a block of the log has looked up. What was read for the block before is forgotten.
    pub(super) async fn gather(&self, proven: &Proven, wanted: &Wanted) -> Result<(), ProvenError> {
        self.known().devices.clear();
        for (height, devices) in &wanted.devices {
            let Some(header) = self.final_at(proven, *height).await? else {
                continue;
            };
            let devices: Vec<_> = devices.iter().collect();
            for some in devices.chunks(AT_A_TIME) {
                let found = devices_at(proven, header.hash(), some).await?;
                let found = found.into_iter().map(|(id, it)| ((*height, id), it));
                self.known().devices.extend(found);
            }
        }
        for height in &wanted.coordinators {
            let Some(header) = self.final_at(proven, *height).await? else {
                continue;
            };
            let group = group_at(proven, header.hash(), &self.id).await?;
            let Some(group) = group else {
                continue;
            };
            let lane_seed = match group.lane_seed {
                Some(seed) => Some(seed),
                None => self.seed_after(proven, *height).await?,
            };
            let mut known = self.known();
            let referees = group.members.iter().map(|member| member.node);
            known.referees.extend(referees);
            known.lane_seed = lane_seed.or(known.lane_seed);
            if let Some(it) = group.coordinator() {
                let coordinator = (it.account.clone(), it.node);
                known.coordinators.insert(*height, coordinator);
            }
        }
        Ok(())
    }

    /// What the job's lanes follow from, as it is noted in the block after that in which its group was drawn.
    async fn seed_after(
        &self,
        proven: &Proven,
        drawn_at: BlockNumber,
    ) -> Result<Option<Digest>, ProvenError> {
        let after = self.final_at(proven, drawn_at.saturating_add(1)).await?;
        let Some(header) = after else {
            return Ok(None);
        };
        let group = group_at(proven, header.hash(), &self.id).await?;
        Ok(group.and_then(|group| group.lane_seed))
    }

    /// The block at a height, unless there is none that is final.
    async fn final_at(
        &self,
        proven: &Proven,
        height: BlockNumber,
    ) -> Result<Option<Header>, ProvenError> {
        // A job that goes on names heights that were not final when its audit began.
        if height > self.known().newest {
            let newest = proven.newest().await?.number;
            self.known().newest = newest;
            if height > newest {
                return Ok(None);
            }
        }
        match proven.at_height(height).await {
            Ok(header) => Ok(Some(header)),
            Err(ProvenError::NotFinal { .. } | ProvenError::Chain(ChainError::NoBlock { .. })) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic while the lock was held leaves what is still right.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChainFacts for Gathered {
    fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    fn job_id(&self) -> JobId {
        self.id
    }

    fn job(&self) -> &Job {
        &self.job
    }

    fn coordinator(&self, at: BlockNumber) -> Option<(AccountId, NodeKey)> {
        self.known().coordinators.get(&at).cloned()
    }

    fn may_referee(&self, node: &NodeKey, writer: &NodeKey) -> bool {
        let referees = &self.known().referees;
        referees.contains(node) && (node != writer || referees.len() == 1)
    }

    fn others(&self) -> Option<usize> {
        self.known().referees.len().checked_sub(1)
    }

    fn device(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts> {
        self.known().devices.get(&(at, *device)).cloned()
    }

    fn engine(&self, class: Class) -> Digest {
        let known = self.known();
        let own = || Digest(quern_sandbox::engine_digest(class));
        known.engine.unwrap_or_else(own)
    }

    fn lane_seed(&self) -> Option<Digest> {
        self.known().lane_seed
    }

    fn question(&self, task: TaskIndex) -> Option<Digest> {
        let asked = self.asked.as_ref()?;
        asked.manifest.question(&asked.key, task, &asked.allowed)
    }
}

/// The chunk roots of a job's shards.
pub(super) fn roots_of(manifest: &ValidatedManifest) -> Vec<Digest> {
    let shards = manifest.shards().iter();
    shards.map(|shard| shard.chunk_root).collect()
}

/// These devices as they were after a block, each with the account that the log names for it.
async fn devices_at(
    proven: &Proven,
    at: BlockHash,
    devices: &[(&DeviceId, &AccountId)],
) -> Result<Vec<(DeviceId, DeviceFacts)>, ProvenError> {
    let mut asked = vec![keys::params()];
    for (device, account) in devices {
        asked.push(keys::device(device));
        asked.push(keys::bond(account));
        asked.push(keys::banned(account));
    }
    let state = proven.state(at, &asked).await?;
    let read = || {
        let params = state.value::<Params>(&keys::params())?;
        let of_each = params.unwrap_or(Params::FIRST).bond_per_device;
        let mut found = Vec::new();
        for (device, account) in devices {
            let facts = device_in(&state, device, account, of_each)?;
            found.extend(facts.map(|facts| (**device, facts)));
        }
        Ok(found)
    };
    read().map_err(|source| ProvenError::Value { at, source })
}

/// A device in a state that proves what is needed of it, and of the account that it should belong to.
fn device_in(
    state: &TrieProof,
    id: &DeviceId,
    account: &AccountId,
    bond_of_each: Amount,
) -> Result<Option<DeviceFacts>, ValueFault> {
    let Some(device) = state.value::<Device>(&keys::device(id))? else {
        return Ok(None);
    };
    // Of another account nothing was asked: that it is another one is what counts then.
    let is_banned = state.get(&keys::banned(account))?.is_some();
    let bond = state.get(&keys::bond(account))?;
    // A bond begins with what is active and the number of devices.
    let bond = bond.and_then(|mut bond| <(Amount, u32)>::decode(&mut bond).ok());
    let is_bonded = bond.is_some_and(|(active, devices)| {
        active >= bond_of_each.saturating_mul(devices.max(1).into())
    });
    Ok(Some(DeviceFacts {
        // From quarantine for its faults a device is kept by what its coordinator knows of it, which may be older; a
        // conviction is the chain's, and is for good.
        may_work: is_bonded && !is_banned && !device.is_convicted(),
        accepted_in_a_row: device.record.accepted_in_a_row,
        account: device.account,
    }))
}

/// The masternodes of the job after a block.
async fn group_at(
    proven: &Proven,
    at: BlockHash,
    job: &JobId,
) -> Result<Option<Group>, ProvenError> {
    proven.value(at, &keys::group(job)).await
}

/// What the chain says of a job and its batches after a block.
pub(super) async fn on_chain(
    proven: &Proven,
    at: BlockHash,
    job: &JobId,
) -> anyhow::Result<OnChain> {
    let known: Option<Job> = proven.value(at, &keys::job(job)).await?;
    let known = known.with_context(|| format!("the chain has no job {job}"))?;
    let mut found = OnChain {
        batches: BTreeMap::new(),
        kept: BTreeMap::new(),
        job: known,
    };
    let sequences: Vec<BatchSequence> = (0..found.job.next_batch).collect();
    for some in sequences.chunks(AT_A_TIME) {
        let asked: Vec<_> = some.iter().map(|it| keys::batch(job, *it)).collect();
        let state = proven.state(at, &asked).await?;
        for (sequence, key) in some.iter().zip(&asked) {
            let record = state.value::<BatchRecord>(key)?;
            found
                .batches
                .extend(record.map(|record| (*sequence, record)));
        }
    }
    let list: Option<Vec<(BatchSequence, BlockNumber)>> =
        proven.value(at, &keys::pending_list(job)).await?;
    for some in list.unwrap_or_default().chunks(AT_A_TIME) {
        let key = |(sequence, _): &(_, _)| keys::pending_batch(job, *sequence);
        let asked: Vec<_> = some.iter().map(key).collect();
        let state = proven.state(at, &asked).await?;
        for ((sequence, _), key) in some.iter().zip(&asked) {
            let batch = state.value::<PendingBatch>(key)?;
            found.kept.extend(batch.map(|batch| (*sequence, batch)));
        }
    }
    let records = found.batches.iter();
    let made_final = records.filter(|(_, record)| record.is_final());
    for (sequence, record) in made_final {
        // The chain forgets to whom and why it paid; the block that settled the batch has it for good.
        let settled = proven.at_height(record.settled_at).await?;
        let key = keys::pending_batch(job, *sequence);
        let batch: Option<PendingBatch> = proven.value(settled.hash(), &key).await?;
        found.kept.extend(batch.map(|batch| (*sequence, batch)));
    }
    Ok(found)
}

/// All batches of the chain, in the order of its state, page by page. It is proven that none was left out.
pub(super) struct AllBatches<'a> {
    proven: &'a Proven,
    at: BlockHash,
    page: VecDeque<(Key, Vec<u8>)>,
    /// Where the next page begins; none behind the last.
    next: Option<Key>,
    is_begun: bool,
    /// Of the way through the hashes of jobs.
    place: u64,
}

impl<'a> AllBatches<'a> {
    pub(super) fn new(proven: &'a Proven, at: BlockHash) -> Self {
        Self {
            proven,
            at,
            page: VecDeque::new(),
            next: None,
            is_begun: false,
            place: 0,
        }
    }

    /// The next batch, and its job.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<(JobId, BatchRecord)>> {
        while self.page.is_empty() {
            if self.is_begun && self.next.is_none() {
                return Ok(None);
            }
            let after = self.next.take();
            let prefix = keys::batches();
            let page = self.proven.page(self.at, &prefix, after.as_deref()).await?;
            self.is_begun = true;
            self.page = page.entries.into();
            self.next = page.next;
        }
        let Some((key, value)) = self.page.pop_front() else {
            return Ok(None);
        };
        let (place, job) = job_in(&key).context("the key of a batch is of another form")?;
        self.place = place;
        let record = BatchRecord::decode_all(&mut value.as_slice());
        Ok(Some((job, record.context("a batch does not decode")?)))
    }

    /// How far it is, of so many parts: jobs are in the order of hashes, which are spread evenly.
    pub(super) fn parts_done(&self, parts: u64) -> u64 {
        let done = (u128::from(self.place) * u128::from(parts)) >> 64;
        u64::try_from(done).unwrap_or(parts)
    }
}

/// The beginning of a job's hash as a number, and the job, in a batch's key.
fn job_in(key: &[u8]) -> Option<(u64, JobId)> {
    let of_job = key.strip_prefix(keys::batches().as_slice())?;
    let (place, _) = of_job.split_first_chunk::<8>()?;
    let (job, _) = of_job.get(16..)?.split_first_chunk::<32>()?;
    Some((u64::from_be_bytes(*place), JobId(*job)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_s_key_names_its_job() {
        let job = JobId([7; 32]);
        let key = keys::batch(&job, 9);
        assert_eq!(job_in(&key).map(|(_, job)| job), Some(job));
        assert_eq!(job_in(&key[..70]), None);
        assert_eq!(job_in(&keys::job(&job)), None);
    }
}
