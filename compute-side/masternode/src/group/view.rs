//! What this masternode's own node says of what a log refers to. Nothing of it is the coordinator's word.

use crate::{context::JobContext, core::Engines};
use quern_ledger::{Chain, ChainError, State};
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, Digest, GenesisHash, JobId, TaskIndex, device::Class,
    ids::NodeKey, job::Job, view::DeviceView,
};
use quern_recheck::{ChainFacts, DeviceFacts, HEIGHT_LAG_MAX, Wanted};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What was read of devices is remembered for so many of them and heights; then it is read again.
const DEVICES_MAX: usize = 65_536;

/// Heights to which one block may refer: devices are looked up at most so far apart.
const HEIGHTS_MAX: usize = HEIGHT_LAG_MAX as usize + 1;

/// Why it cannot be said yet what the chain says.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// The node does not answer, or has forgotten the state.
    #[error(
        "the node does not tell of what it said then; with `--state-pruning=archive` a node forgets nothing"
    )]
    Chain(#[from] ChainError),
    /// It is not final yet, as far as this node knows.
    #[error("block {height} is not final here yet")]
    NotFinal {
        /// The height.
        height: BlockNumber,
    },
    /// A block refers to more heights than can be.
    #[error("a block of the log refers to {count} heights of the chain, which no honest one does")]
    Heights {
        /// How many.
        count: usize,
    },
}

/// What the chain says of a job. Clones share what was read.
#[derive(Clone)]
pub(super) struct ChainView {
    genesis: GenesisHash,
    id: JobId,
    job: Arc<Job>,
    engines: Engines,
    known: Arc<Mutex<Known>>,
    /// The job's key and manifest, where they are here.
    context: Option<Arc<JobContext>>,
}

#[derive(Debug, Default)]
struct Known {
    /// None of a device that was not registered.
    devices: BTreeMap<(BlockNumber, DeviceId), Option<DeviceFacts>>,
    coordinators: BTreeMap<BlockNumber, Option<(AccountId, NodeKey)>>,
    members: BTreeSet<NodeKey>,
    /// What the job's lanes follow from.
    lane_seed: Option<Digest>,
    /// The highest block that is known to be final.
    finalised: BlockNumber,
}

impl ChainView {
    pub(super) fn new(genesis: GenesisHash, id: JobId, job: Job, engines: Engines) -> Self {
        Self {
            genesis,
            id,
            job: Arc::new(job),
            engines,
            known: Arc::default(),
            context: None,
        }
    }

    /// With what tasks ask, which receipts must state.
    pub(super) fn with_context(self, context: Arc<JobContext>) -> Self {
        let context = Some(context);
        Self { context, ..self }
    }

    /// The state after the final block at a height.
    pub(super) async fn state_at(
        &self,
        chain: &Chain,
        height: BlockNumber,
    ) -> Result<State, Unread> {
        if height > self.known().finalised {
            let finalised = chain.at_finalised().await?.block().number;
            self.known().finalised = finalised;
            if height > finalised {
                return Err(Unread::NotFinal { height });
            }
        }
        Ok(chain.at_height(height).await?)
    }

    /// Reads what a block of the log has looked up, as far as it was not read before.
    pub(super) async fn gather(&self, chain: &Chain, wanted: &Wanted) -> Result<(), Unread> {
        let count = wanted.devices.len();
        if count > HEIGHTS_MAX {
            return Err(Unread::Heights { count });
        }
        if self.known().devices.len() > DEVICES_MAX {
            self.known().devices.clear();
        }
        for (height, devices) in &wanted.devices {
            let unknown = self.unknown(*height, devices.keys());
            if unknown.is_empty() {
                continue;
            }
            let state = self.state_at(chain, *height).await?;
            let views = state.devices(&unknown).await?;
            let found: BTreeMap<_, _> = views
                .into_iter()
                .map(|view| (view.id, facts_of(&view)))
                .collect();
            let mut known = self.known();
            for device in unknown {
                let facts = found.get(&device).cloned();
                known.devices.insert((*height, device), facts);
            }
        }
        for height in &wanted.coordinators {
            if self.known().coordinators.contains_key(height) {
                continue;
            }
            let state = self.state_at(chain, *height).await?;
            let group = state.group(self.id).await?;
            let coordinator = group.as_ref().and_then(|group| group.coordinator());
            let coordinator = coordinator.map(|it| (it.account.clone(), it.node));
            let members = group.iter().flat_map(|group| &group.members);
            let mut lane_seed = group.as_ref().and_then(|group| group.lane_seed);
            if group.is_some() && lane_seed.is_none() {
                // It is noted in the block after the draw, and nothing is given out before.
                let after = self.state_at(chain, height.saturating_add(1)).await?;
                let group = after.group(self.id).await?;
                lane_seed = group.and_then(|group| group.lane_seed);
            }
            let mut known = self.known();
            known.members.extend(members.map(|member| member.node));
            known.coordinators.insert(*height, coordinator);
            known.lane_seed = lane_seed.or(known.lane_seed);
        }
        Ok(())
    }

    fn unknown<'a>(
        &self,
        height: BlockNumber,
        devices: impl Iterator<Item = &'a DeviceId>,
    ) -> Vec<DeviceId> {
        let known = self.known();
        let unknown = devices.filter(|device| !known.devices.contains_key(&(height, **device)));
        unknown.copied().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic while the lock was held leaves what is still right.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a log is held to of a device.
fn facts_of(view: &DeviceView) -> DeviceFacts {
    DeviceFacts {
        account: view.device.account.clone(),
        // From quarantine for its faults a device is kept by what its coordinator knows of it, which may be older; a
        // conviction is the chain's, and is for good.
        may_work: view.bonded && !view.banned && !view.device.is_convicted(),
        accepted_in_a_row: view.device.record.accepted_in_a_row,
    }
}

impl ChainFacts for ChainView {
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
        self.known().coordinators.get(&at).cloned().flatten()
    }

    fn may_referee(&self, node: &NodeKey, writer: &NodeKey) -> bool {
        let members = &self.known().members;
        members.contains(node) && (node != writer || members.len() == 1)
    }

    fn others(&self) -> Option<usize> {
        self.known().members.len().checked_sub(1)
    }

    fn device(&self, device: &DeviceId, at: BlockNumber) -> Option<DeviceFacts> {
        self.known().devices.get(&(at, *device)).cloned().flatten()
    }

    fn engine(&self, class: Class) -> Digest {
        self.engines.of(class)
    }

    fn lane_seed(&self) -> Option<Digest> {
        self.known().lane_seed
    }

    fn question(&self, task: TaskIndex) -> Option<Digest> {
        self.context.as_ref()?.question(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{
        SealingKey,
        device::{Device, Hardware, Region},
    };

    #[test]
    fn a_convicted_device_may_have_nothing_by_what_members_read_of_it() {
        let account = AccountId::new([1; 32]);
        let (region, hardware) = (Region::default(), Hardware::default());
        let view = DeviceView {
            id: DeviceId([2; 32]),
            device: Device::new(account, SealingKey([3; 32]), region, hardware),
            bonded: true,
            banned: false,
            verified: false,
            quarantined: false,
        };
        assert!(facts_of(&view).may_work);
        let mut convicted = view.clone();
        convicted.device.record.convicted = 1;
        let banned = DeviceView {
            banned: true,
            ..view.clone()
        };
        let unbonded = DeviceView {
            bonded: false,
            ..view
        };
        for barred in [convicted, banned, unbonded] {
            assert!(!facts_of(&barred).may_work);
        }
    }
}
