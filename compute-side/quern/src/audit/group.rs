//! Who coordinated a job, as the chain has it, read with proofs.

use quern_ledger::{ChainError, Proven, ProvenError};
use quern_light::{BlockHash, keys};
use quern_primitives::{
    AccountId, BlockNumber, JobId, TaskIndex,
    group::Group,
    ids::{BatchSequence, NodeKey},
    job::Job,
    limits::TASKS_PER_JOB_MAX,
};
use quern_recheck::{Base, Coordinator, OnChain, Turns};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

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
    /// Who settled a batch: who coordinated before the block that did it, for nobody sends one whose turn is not
    /// final yet. Of one that is pending the chain says it itself.
    async fn read(&mut self, sequence: BatchSequence) -> anyhow::Result<()> {
        let record = self.settled.batches.get(&sequence);
        let height = record.map(|record| record.settled_at).unwrap_or_default();
        for height in [height.saturating_sub(1), height] {
            let header = self.proven.at_height(height).await?;
            let key = keys::group(self.job);
            let group: Option<Group> = self.proven.value(header.hash(), &key).await?;
            if let Some(coordinator) = group.and_then(|group| self.note(&group)) {
                self.settlers.insert(sequence, coordinator);
                return Ok(());
            }
        }
        anyhow::bail!(
            "the chain names no group of job {} at block {height}",
            self.job
        )
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
        for (sequence, pending) in &self.settled.pending {
            if let Some((_, node)) = self.members.get(&pending.coordinator) {
                let coordinator = Coordinator {
                    account: pending.coordinator.clone(),
                    node: *node,
                };
                self.settlers.insert(*sequence, coordinator);
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

/// The tasks whose bits are set, the least significant of each byte first.
fn tasks_in(bits: &[u8]) -> BTreeSet<TaskIndex> {
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
