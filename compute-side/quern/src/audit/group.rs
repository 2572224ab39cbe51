//! Who coordinated a job, as the chain has it, read with proofs.

use anyhow::Context as _;
use quern_ledger::{ChainError, Proven, ProvenError, tasks_in};
use quern_light::{BlockHash, keys};
use quern_primitives::{
    AccountId, BlockNumber, JobId,
    batch::PendingBatch,
    group::Group,
    ids::{BatchSequence, NodeKey},
    job::Job,
};
use quern_recheck::{Base, Coordinator, OnChain, Turns};
use std::{collections::BTreeMap, ops::Bound};

/// Who had a turn in a job, and which batches each settled; and the place of each in the job's group.
pub(super) struct GroupOf {
    pub(super) turns: Turns,
    members: Members,
}

/// The members of a group, by their accounts.
type Members = BTreeMap<AccountId, (u8, NodeKey)>;

impl GroupOf {
    /// The place of an account, at which others keep copies of its log.
    pub(super) fn place_of(&self, account: &AccountId) -> Option<u8> {
        self.members.get(account).map(|(place, _)| *place)
    }
}

/// Reads who coordinated a job when each of its batches was settled, and who does after a block.
pub(super) async fn group_of(
    proven: &Proven,
    at: BlockHash,
    job: &JobId,
    settled: &OnChain,
) -> anyhow::Result<GroupOf> {
    let mut reading = ReadingGroup {
        proven,
        job,
        settled,
        members: Members::new(),
        settlers: BTreeMap::new(),
    };
    let ends = (
        settled.batches.keys().next().copied(),
        settled.batches.keys().next_back().copied(),
    );
    if let (Some(first), Some(last)) = ends {
        reading.read(first).await?;
        reading.read(last).await?;
        reading.fill(first, last).await?;
    }
    reading.correct();
    let group: Option<Group> = proven.value(at, &keys::group(job)).await?;
    let now = group.and_then(|group| reading.note(&group));
    Ok(GroupOf {
        turns: Turns::of(reading.settlers, now)?,
        members: reading.members,
    })
}

/// Turns only go on, so who settled two batches settled all between.
struct ReadingGroup<'a> {
    proven: &'a Proven,
    job: &'a JobId,
    settled: &'a OnChain,
    members: Members,
    settlers: BTreeMap<BatchSequence, Coordinator>,
}

impl ReadingGroup<'_> {
    /// Who settled a batch, by what the chain says of it at the block that did it: there it is pending.
    async fn read(&mut self, sequence: BatchSequence) -> anyhow::Result<()> {
        let record = self.settled.batches.get(&sequence);
        let height = record.map(|record| record.settled_at).unwrap_or_default();
        let header = self.proven.at_height(height).await?;
        let (of_group, of_batch) = (
            keys::group(self.job),
            keys::pending_batch(self.job, sequence),
        );
        let asked = [of_group.clone(), of_batch.clone()];
        let state = self.proven.state(header.hash(), &asked).await?;
        let group: Option<Group> = state.value(&of_group)?;
        group.and_then(|group| self.note(&group));
        let batch: Option<PendingBatch> = state.value(&of_batch)?;
        let settler = batch.and_then(|batch| self.member(batch.coordinator));
        let settler = settler.with_context(|| {
            format!(
                "the chain does not say who settled batch {sequence} of job {} in block {height}",
                self.job
            )
        })?;
        self.settlers.insert(sequence, settler);
        Ok(())
    }

    /// The member of the group that has an account.
    fn member(&self, account: AccountId) -> Option<Coordinator> {
        let (_, node) = self.members.get(&account)?;
        Some(Coordinator {
            account,
            node: *node,
        })
    }

    /// Reads what is between two batches that were read, half by half.
    async fn fill(&mut self, first: BatchSequence, last: BatchSequence) -> anyhow::Result<()> {
        let mut stretches = vec![(first, last)];
        while let Some((first, last)) = stretches.pop() {
            let between = (Bound::Excluded(first), Bound::Excluded(last));
            // A stretch may be of one batch.
            if first >= last {
                continue;
            }
            let between: Vec<_> = self
                .settled
                .batches
                .range(between)
                .map(|(it, _)| *it)
                .collect();
            let (of_first, of_last) = (self.settlers.get(&first), self.settlers.get(&last));
            if let (Some(one), true) = (of_first.cloned(), of_first == of_last) {
                let same = between.into_iter().map(|it| (it, one.clone()));
                self.settlers.extend(same);
                continue;
            }
            let Some(middle) = between.get(between.len() / 2).copied() else {
                continue;
            };
            self.read(middle).await?;
            stretches.extend([(first, middle), (middle, last)]);
        }
        Ok(())
    }

    /// Of what is pending the chain keeps who settled it.
    fn correct(&mut self) {
        for (sequence, kept) in &self.settled.kept {
            if let Some(settler) = self.member(kept.coordinator.clone()) {
                self.settlers.insert(*sequence, settler);
            }
        }
    }

    /// Remembers the members of a group, and gives who coordinates.
    fn note(&mut self, group: &Group) -> Option<Coordinator> {
        let members = (0..).zip(&group.members);
        let members = members.map(|(place, it)| (it.account.clone(), (place, it.node)));
        self.members.extend(members);
        let member = group.coordinator()?;
        Some(Coordinator {
            account: member.account.clone(),
            node: member.node,
        })
    }
}

/// What the chain had settled of a job at a height; none if that is not final.
pub(super) async fn base_at(
    proven: &Proven,
    at: BlockNumber,
    job: &JobId,
) -> anyhow::Result<Option<Base>> {
    let header = match proven.at_height(at).await {
        Ok(header) => header,
        Err(ProvenError::NotFinal { .. } | ProvenError::Chain(ChainError::NoBlock { .. })) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let settled = keys::entry("Jobs", "SettledTasks", job);
    let asked = [keys::job(job), settled.clone()];
    let state = proven.state(header.hash(), &asked).await?;
    let known: Option<Job> = state.value(&keys::job(job))?;
    let bits: Vec<u8> = state.value(&settled)?.unwrap_or_default();
    Ok(known.map(|known| Base {
        at,
        first: known.next_batch,
        settled: tasks_in(&bits),
    }))
}
