//! What the chain's court would look up of what is disputed, read from outside, so that whoever thinks of a
//! dispute asks the court's rules first.

use crate::{
    State,
    chain::{ChainError, no_state},
};
use codec::{Decode, DecodeAll as _};
use quern_dispute_rules::{
    Subject,
    facts::{BatchFacts, DeviceFacts, Facts, Member, Stakes},
};
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, GenesisHash, JobId, batch::BatchState,
    device::Past, group::Group, ids::BatchSequence,
};
use subxt::dynamic::{Value, storage};

/// Heads of earlier batches that evidence may end its way through the log at: as many as the court reads.
const EARLIER_HEADS_MAX: u32 = 16;

impl State {
    /// What the court of the chain with this genesis would decide by; none of a job that is unknown or over,
    /// of which nothing is disputed any more.
    pub async fn court_facts(
        &self,
        subject: &Subject,
        genesis: GenesisHash,
    ) -> Result<Option<Facts>, ChainError> {
        let Some(job) = self.job(subject.job).await? else {
            return Ok(None);
        };
        if !job.state.is_open() {
            return Ok(None);
        }
        let group = self.group(subject.job).await?;
        let batch = match subject.batch {
            Some(sequence) => {
                self.batch_facts(subject.job, sequence, group.as_ref())
                    .await?
            }
            None => None,
        };
        let (mut members, mut referees) = (Vec::new(), Vec::new());
        for member in group.iter().flat_map(|group| &group.members) {
            referees.push(member.node);
            members.push(Member {
                account: member.account.clone(),
                node: member.node,
                bond: self.slashable_of_masternode(&member.account).await?,
            });
        }
        let device = match &subject.device {
            Some(device) => self.device_facts(*device).await?,
            None => None,
        };
        let answers = device.as_ref().and_then(|it| it.answers.as_ref());
        let worker_bond = match answers {
            Some(account) => self.slashable_of_worker(account).await?,
            None => Amount::MIN,
        };
        let lane_seed = group.as_ref().and_then(|group| group.lane_seed);
        let params = self.params().await?;
        Ok(Some(Facts {
            genesis,
            job_id: subject.job,
            job,
            batch,
            group: members,
            referees,
            device,
            worker_bond,
            lane_seed,
            seed: None,
            stakes: Stakes {
                masternode_slash: params.bond_per_masternode,
                device_slash: params.bond_per_device,
                wrong_answer_slash: params.bond_per_device,
                dispute_bond: params.dispute_bond,
                winner_permille: params.winner_permille,
            },
        }))
    }

    async fn slashable_of_masternode(&self, account: &AccountId) -> Result<Amount, ChainError> {
        Ok(self.masternode_bond(account).await?.held())
    }

    async fn slashable_of_worker(&self, account: &AccountId) -> Result<Amount, ChainError> {
        let wallet = self.wallet(account).await?;
        Ok(wallet.bond_active.saturating_add(wallet.unbonding_total()))
    }

    /// What the chain says about a batch, while it is pending.
    async fn batch_facts(
        &self,
        job: JobId,
        sequence: BatchSequence,
        group: Option<&Group>,
    ) -> Result<Option<BatchFacts>, ChainError> {
        let pending = self.pending_batch(job, sequence).await?;
        let record = self.batch(job, sequence).await?;
        let (Some(pending), Some(record)) = (pending, record) else {
            return Ok(None);
        };
        let certifiers = pending.certified_by.iter();
        let certifiers = certifiers.filter_map(|place| group?.member(*place));
        Ok(Some(BatchFacts {
            sequence,
            verdicts_root: record.verdicts_root,
            verdicts: record.tasks,
            spent: record.spent,
            log: record.log,
            settled_at: record.settled_at,
            certifiers: certifiers.map(|it| it.account.clone()).collect(),
            heads: self.heads(job, sequence, record.head).await?,
            coordinator: pending.coordinator,
            tasks: pending.tasks,
            payouts: pending.payouts.into_inner(),
            devices: pending.devices.into_inner(),
        }))
    }

    /// Heads of the log that were certified with a batch and those before it, the batch's own last.
    async fn heads(
        &self,
        job: JobId,
        sequence: BatchSequence,
        own: Digest,
    ) -> Result<Vec<Digest>, ChainError> {
        let mut heads = Vec::new();
        for earlier in sequence.saturating_sub(EARLIER_HEADS_MAX)..sequence {
            let record = self.batch(job, earlier).await?;
            let stands = record.filter(|record| !matches!(record.state, BatchState::Struck { .. }));
            heads.extend(stands.map(|record| record.head));
        }
        heads.push(own);
        Ok(heads)
    }

    /// What the chain says about a device that is or was registered.
    async fn device_facts(&self, id: DeviceId) -> Result<Option<DeviceFacts>, ChainError> {
        if let Some(view) = self.device(id).await? {
            let what = "since when a device is registered";
            let since: Option<BlockNumber> = self.of_device(what, "RegisteredAt", id).await?;
            return Ok(since.map(|since| DeviceFacts {
                accepted: view.device.record.accepted,
                is_convicted: view.device.is_convicted(),
                answers: Some(view.device.account.clone()),
                registered: Some((view.device.account, since)),
            }));
        }
        let what = "a device that was retired";
        let past: Option<Past> = self.of_device(what, "RetiredDevices", id).await?;
        let what = "who answers for a device that was retired";
        let last: Option<(AccountId, BlockNumber)> = self.of_device(what, "LastOwners", id).await?;
        // The court asks in a later block than this one.
        let now = self.block().number;
        let last = last.filter(|(_, free)| *free > now.saturating_add(1));
        Ok(past.map(|past| DeviceFacts {
            registered: None,
            answers: last.map(|(account, _)| account),
            accepted: past.record.accepted,
            is_convicted: past.record.convicted > 0,
        }))
    }

    /// What the workforce keeps of a device.
    async fn of_device<T: Decode>(
        &self,
        what: &'static str,
        entry: &str,
        device: DeviceId,
    ) -> Result<Option<T>, ChainError> {
        let entry = storage::<([u8; 32],), Value>("Workforce", entry);
        let found = self
            .at
            .storage()
            .try_fetch(entry, (device.0,))
            .await
            .map_err(no_state(what, self.block().number))?;
        let read = found.map(|value| T::decode_all(&mut value.bytes()));
        read.transpose()
            .map_err(|source| ChainError::Foreign { what, source })
    }
}
