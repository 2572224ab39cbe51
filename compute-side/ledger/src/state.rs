//! What the chain answers about one block: through the runtime's own interface, and from its storage
//! what that does not tell.

use crate::{
    Bond,
    chain::{ChainError, FinalisedBlock, no_state},
};
use codec::{Decode, DecodeAll, Encode};
use quern_job_rules::quote::QuoteError;
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, JobId, TaskIndex,
    batch::{BatchRecord, PendingBatch},
    device::Device,
    group::Group,
    ids::BatchSequence,
    job::{Job, Prices, Submission},
    limits::{DEVICES_PER_ANSWER_MAX, JOBS_PER_PAGE_MAX, TASKS_PER_JOB_MAX},
    params::Params,
    view::{
        DeviceView, FinalityView, MasternodeBondView, MasternodeView, Quote, Totals, WalletView,
    },
};
use std::collections::BTreeSet;
use subxt::{
    SubstrateConfig,
    client::{ClientAtBlock, OnlineClientAtBlockImpl},
    dynamic::{Value, storage},
};

/// Registered devices that are read at most: as many as a masternode knows.
const DEVICES_MAX: usize = 1 << 22;

/// The state of one block.
#[derive(Clone)]
pub struct State {
    pub(crate) at: ClientAtBlock<SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>>,
}

impl State {
    pub(crate) fn new(
        at: ClientAtBlock<SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>>,
    ) -> Self {
        Self { at }
    }

    /// The block.
    pub fn block(&self) -> FinalisedBlock {
        FinalisedBlock {
            number: BlockNumber::try_from(self.at.block_number()).unwrap_or(BlockNumber::MAX),
            hash: self.at.block_hash().0,
        }
    }

    /// What a job would cost at most, or why it would be refused.
    pub async fn quote(
        &self,
        submission: &Submission,
    ) -> Result<Result<Quote, QuoteError>, ChainError> {
        self.ask("quote", submission).await
    }

    /// The prices for new jobs.
    pub async fn prices(&self) -> Result<Prices, ChainError> {
        self.ask("prices", &()).await
    }

    /// A job.
    pub async fn job(&self, job: JobId) -> Result<Option<Job>, ChainError> {
        self.ask("job", &job).await
    }

    /// An account's jobs, from behind one of them, in the order of the storage's hashes: it tells
    /// nothing, but is the same each time.
    pub async fn jobs_of(
        &self,
        owner: &AccountId,
        start_after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<(JobId, Job)>, ChainError> {
        self.ask("jobs_of", &(owner, start_after, limit)).await
    }

    /// The open jobs that a masternode coordinates: all of them, however many pages they fill.
    pub async fn jobs_coordinated_by(
        &self,
        masternode: &AccountId,
    ) -> Result<Vec<(JobId, Job)>, ChainError> {
        let (mut jobs, mut last): (Vec<(JobId, Job)>, Option<JobId>) = (Vec::new(), None);
        loop {
            let arguments = (masternode, last, JOBS_PER_PAGE_MAX);
            let page: Vec<(JobId, Job)> = self.ask("jobs_coordinated_by", &arguments).await?;
            let Some((job, _)) = page.last() else {
                return Ok(jobs);
            };
            last = Some(*job);
            jobs.extend(page);
        }
    }

    /// The tasks of an open job that are settled.
    pub async fn settled_tasks(&self, job: JobId) -> Result<BTreeSet<TaskIndex>, ChainError> {
        let bits: Vec<u8> = self.ask("settled_tasks", &job).await?;
        Ok(tasks_in(&bits))
    }

    /// A settled batch.
    pub async fn batch(
        &self,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<Option<BatchRecord>, ChainError> {
        self.ask("batch", &(job, sequence)).await
    }

    /// What the chain keeps of a batch while it is pending.
    pub async fn pending_batch(
        &self,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<Option<PendingBatch>, ChainError> {
        self.ask("pending_batch", &(job, sequence)).await
    }

    /// The pending batches of a job in their order, and when each is due by the chain's clock of
    /// finality.
    pub async fn pending_of(
        &self,
        job: JobId,
    ) -> Result<Vec<(BatchSequence, BlockNumber)>, ChainError> {
        self.ask("pending_of", &job).await
    }

    /// The chain's clock of finality, and its window.
    pub async fn finality(&self) -> Result<FinalityView, ChainError> {
        self.ask("finality", &()).await
    }

    /// A device.
    pub async fn device(&self, device: DeviceId) -> Result<Option<DeviceView>, ChainError> {
        self.ask("device", &device).await
    }

    /// Those of these devices that are registered, in the same order, however many answers they
    /// fill.
    pub async fn devices(&self, ids: &[DeviceId]) -> Result<Vec<DeviceView>, ChainError> {
        let mut views = Vec::new();
        for some in ids.chunks(DEVICES_PER_ANSWER_MAX as usize) {
            let answer: Vec<DeviceView> = self.ask("devices", &some).await?;
            views.extend(answer);
        }
        Ok(views)
    }

    /// An account's devices.
    pub async fn devices_of(&self, account: &AccountId) -> Result<Vec<DeviceView>, ChainError> {
        self.ask("devices_of", account).await
    }

    /// All masternodes that say where they are reached.
    pub async fn masternodes(&self) -> Result<Vec<MasternodeView>, ChainError> {
        self.ask("masternodes", &()).await
    }

    /// The masternodes of a job, in the order of the draw; none before that and once it is over.
    pub async fn group(&self, job: JobId) -> Result<Option<Group>, ChainError> {
        self.ask("group", &job).await
    }

    /// An operator's bond for its masternode.
    pub async fn masternode_bond(
        &self,
        account: &AccountId,
    ) -> Result<MasternodeBondView, ChainError> {
        self.ask("masternode_bond", account).await
    }

    /// An account's money.
    pub async fn wallet(&self, account: &AccountId) -> Result<WalletView, ChainError> {
        self.ask("wallet", account).await
    }

    /// The whole chain's money.
    pub async fn totals(&self) -> Result<Totals, ChainError> {
        self.ask("totals", &()).await
    }

    /// ByteChips for one US dollar.
    pub async fn bytechips_per_dollar(&self) -> Result<u32, ChainError> {
        self.ask("bytechips_per_dollar", &()).await
    }

    /// What the council has set.
    pub async fn params(&self) -> Result<Params, ChainError> {
        self.ask("params", &()).await
    }

    /// What an account has bonded; nothing if the chain knows no bond of it.
    pub async fn bond_of(&self, account: &AccountId) -> Result<Bond, ChainError> {
        let what = "an account's bond";
        let bonds = storage::<([u8; 32],), Value>("Workforce", "Bonds");
        let found = self
            .at
            .storage()
            .try_fetch(bonds, (account.clone().into(),))
            .await
            .map_err(no_state(what, self.block().number))?;
        match found {
            None => Ok(Bond::default()),
            Some(found) => {
                let bond = found.decode().ok();
                bond.and_then(|value| Bond::read(&value))
                    .ok_or(ChainError::Foreign {
                        what,
                        source: "it has not the fields that it should have".into(),
                    })
            }
        }
    }

    /// Reads all registered devices, one after the other, in the order of the storage's hashes: it
    /// tells nothing, but is the same each time.
    pub async fn each_device(
        &self,
        mut take: impl FnMut(DeviceId, Device),
    ) -> Result<(), ChainError> {
        let (what, block) = ("the registered devices", self.block().number);
        let devices = storage::<([u8; 32],), Value>("Workforce", "Devices");
        let mut entries = self
            .at
            .storage()
            .iter(devices, ())
            .await
            .map_err(no_state(what, block))?;
        let mut read = 0;
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(no_state(what, block))?;
            if read >= DEVICES_MAX {
                return Err(ChainError::TooMany {
                    what,
                    most: DEVICES_MAX,
                });
            }
            read += 1;
            let foreign = |source| ChainError::Foreign { what, source };
            // Behind its hash a key holds what was hashed: the device's name.
            let id = entry.key_bytes().last_chunk::<32>();
            let id = id.ok_or_else(|| foreign("its key is too short".into()))?;
            let device = Device::decode_all(&mut entry.value().bytes()).map_err(foreign)?;
            take(DeviceId(*id), device);
        }
        Ok(())
    }

    /// What the lottery of the day that begins with this block is drawn from: the randomness of
    /// BABE's epoch. It was fixed when the epoch before began, some minutes earlier; at the chain's
    /// very beginning it is zero.
    pub async fn lottery_seed(&self) -> Result<[u8; 32], ChainError> {
        let what = "the randomness of the epoch";
        let entry = storage::<(), [u8; 32]>("Babe", "Randomness");
        let value = self
            .at
            .storage()
            .fetch(entry, ())
            .await
            .map_err(no_state(what, self.block().number))?;
        <[u8; 32]>::decode_all(&mut value.bytes())
            .map_err(|source| ChainError::Foreign { what, source })
    }

    pub(crate) async fn ask<A: Encode, R: Decode>(
        &self,
        what: &'static str,
        arguments: &A,
    ) -> Result<R, ChainError> {
        self.ask_of("QuernApi", what, arguments).await
    }

    pub(crate) async fn ask_of<A: Encode, R: Decode>(
        &self,
        interface: &'static str,
        what: &'static str,
        arguments: &A,
    ) -> Result<R, ChainError> {
        let method = format!("{interface}_{what}");
        let answer = self
            .at
            .runtime_apis()
            .call_raw(&method, Some(&arguments.encode()))
            .await
            .map_err(no_state(what, self.block().number))?;
        R::decode_all(&mut &answer[..]).map_err(|source| ChainError::Foreign { what, source })
    }

    /// All pages of a list, each behind the last entry of the one before, until there are so many entries.
    pub(crate) async fn pages<T: Decode, K: Encode>(
        &self,
        (interface, what): (&'static str, &'static str),
        of: &impl Encode,
        (page_max, most): (u32, usize),
        key: impl Fn(&T) -> K,
    ) -> Result<Vec<T>, ChainError> {
        let (mut all, mut last): (Vec<T>, Option<K>) = (Vec::new(), None);
        while all.len() < most {
            let arguments = (of, &last, page_max);
            let page: Vec<T> = self.ask_of(interface, what, &arguments).await?;
            let Some(end) = page.last() else {
                break;
            };
            last = Some(key(end));
            all.extend(page);
        }
        Ok(all)
    }
}

/// The tasks whose bits are set, the least significant of each byte first, as the chain keeps those that are settled.
pub fn tasks_in(bits: &[u8]) -> BTreeSet<TaskIndex> {
    let all = (0..).zip(bits).flat_map(|(byte, bits): (u32, &u8)| {
        let bits = *bits;
        let set = (0..8u32).filter(move |bit| (bits >> bit) & 1 == 1);
        set.map(move |bit| byte.saturating_mul(8).saturating_add(bit))
    });
    all.take(TASKS_PER_JOB_MAX as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_tasks_are_the_bits_that_are_set() {
        assert_eq!(tasks_in(&[]), [].into());
        assert_eq!(tasks_in(&[0b1000_0001, 0, 0b10]), [0, 7, 17].into());
    }
}
