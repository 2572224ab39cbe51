//! A job that one masternode after the other coordinated: which batches each of them settled, and so by whose
//! log each batch is held to the rules. Who goes on with a job begins a log of its own.

use crate::{
    audit::{Audited, Inputs},
    compare::{OnChain, stands},
    difference::Difference,
};
use quern_primitives::{
    batch::{BatchRecord, BatchState},
    ids::{AccountId, BatchSequence, BlockNumber, Digest, NodeKey, TaskIndex},
    limits::GROUP_MEMBERS_MAX,
    merkle::Tree,
};
use std::collections::{BTreeMap, BTreeSet};

/// Who coordinated a job at some time, as the chain drew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    /// Its operator's account.
    pub account: AccountId,
    /// The key with which it was drawn, and with which it signs its log.
    pub node: NodeKey,
}

/// One masternode's turn in a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whose it is.
    pub coordinator: Coordinator,
    /// The first batch that it settled, or would have.
    pub first: BatchSequence,
    /// The one behind the last that it settled.
    pub end: BatchSequence,
}

/// The turns of a job, in their order. Nobody has a second one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(Vec<Turn>);

/// What the chain says of who settled a job's batches is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnsError {
    /// A batch was settled by who had had its turn before.
    #[error(
        "the chain says that {account} settled batch {sequence} of the job, whose turn was over by then; ask another node"
    )]
    SecondTurn {
        /// Who did.
        account: AccountId,
        /// The batch.
        sequence: BatchSequence,
    },
    /// More had a turn than a group has members.
    #[error(
        "the chain names more than {GROUP_MEMBERS_MAX} coordinators of the job; ask another node"
    )]
    TooMany,
}

/// What the chain had settled of a job when a log began, which its writer went on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The height to which the log's first entry refers.
    pub at: BlockNumber,
    /// The number of the batch that was to come next.
    pub first: BatchSequence,
    /// The tasks that were settled.
    pub settled: BTreeSet<TaskIndex>,
}

/// A turn whose log was held to the rules, if anybody tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedTurn {
    /// The turn.
    pub turn: Turn,
    /// What the log was taken to go on from, and what came of it; none where nobody has the log.
    pub log: Option<(Base, Audited)>,
}

/// What came of all logs of a job together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAudited {
    /// The turns, in their order, each with the differences in its log.
    pub turns: Vec<AuditedTurn>,
    /// What does not fit beside these: the job's sums, what is handed from one turn to the next, the inputs.
    pub differences: Vec<Difference>,
    /// Batches that no log tells of which anybody has: they are neither right nor wrong.
    pub untold: Vec<BatchSequence>,
    /// How the inputs were held to the job.
    pub inputs: Inputs,
    /// The roots of the job's shards, if the receipts show them.
    pub roots: Vec<Digest>,
}

impl Turns {
    /// From who settled each batch, in the order of their numbers, and who coordinates the job now, if anybody
    /// does.
    pub fn of(
        settlers: impl IntoIterator<Item = (BatchSequence, Coordinator)>,
        now: Option<Coordinator>,
    ) -> Result<Self, TurnsError> {
        let mut turns = Self::default();
        let mut end = 0;
        for (sequence, coordinator) in settlers {
            end = sequence.saturating_add(1);
            turns.add(coordinator, sequence, end)?;
        }
        if let Some(coordinator) = now {
            turns.add(coordinator, end, end)?;
        }
        Ok(turns)
    }

    fn add(
        &mut self,
        coordinator: Coordinator,
        first: BatchSequence,
        end: BatchSequence,
    ) -> Result<(), TurnsError> {
        if let Some(last) = self.0.last_mut()
            && last.coordinator == coordinator
        {
            last.end = end;
            return Ok(());
        }
        if self.0.iter().any(|turn| turn.coordinator == coordinator) {
            return Err(TurnsError::SecondTurn {
                account: coordinator.account,
                sequence: first,
            });
        }
        if self.0.len() >= GROUP_MEMBERS_MAX as usize {
            return Err(TurnsError::TooMany);
        }
        self.0.push(Turn {
            coordinator,
            first,
            end,
        });
        Ok(())
    }

    /// In their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Turn> {
        self.0.iter()
    }
}

impl Turn {
    /// Whether a batch was settled in it.
    pub fn has(&self, sequence: BatchSequence) -> bool {
        (self.first..self.end).contains(&sequence)
    }
}

impl OnChain {
    /// What the chain says of the batches of one turn, and of no others. Its writer's log begins with position
    /// 0, so nothing else in it is where it says.
    #[must_use]
    pub fn of_turn(&self, turn: &Turn) -> Self {
        let mut own = self.clone();
        own.batches.retain(|sequence, _| turn.has(*sequence));
        own.kept.retain(|sequence, _| turn.has(*sequence));
        own
    }
}

impl JobAudited {
    /// Puts together what came of the logs of all turns, which are given in their order.
    pub fn of(on_chain: &OnChain, knows_roots: bool, turns: Vec<AuditedTurn>) -> Self {
        let mut differences = bases(on_chain, &turns);
        let (inputs, roots) = match knows_roots {
            true => (Inputs::Manifest, vec![]),
            false => inputs(on_chain, &turns, &mut differences),
        };
        differences.extend(on_chain.check_sums());
        let untold = turns.iter().flat_map(|it| match &it.log {
            Some((_, audited)) => audited.untold.clone(),
            None => {
                let own = on_chain.batches.range(it.turn.first..it.turn.end);
                let standing = own.filter(|(_, record)| stands(record));
                standing.map(|(sequence, _)| *sequence).collect()
            }
        });
        Self {
            untold: untold.collect(),
            turns,
            differences,
            inputs,
            roots,
        }
    }
}

/// Whether a batch was settled and not struck at a height.
fn stood(record: &BatchRecord, at: BlockNumber) -> bool {
    match record.state {
        BatchState::Pending { .. } | BatchState::Final { .. } => true,
        BatchState::Struck { at: struck } => struck > at,
    }
}

/// What each turn went on from by the chain is what the logs of the turns before it have in batches that the
/// chain settled. Where one of those is not told, nobody can say.
fn bases(on_chain: &OnChain, turns: &[AuditedTurn]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut told: BTreeMap<BatchSequence, &BTreeSet<TaskIndex>> = BTreeMap::new();
    for it in turns {
        let Some((base, audited)) = &it.log else {
            continue;
        };
        if base.first != it.turn.first {
            found.push(Difference::OtherBase {
                first: it.turn.first,
                base: base.first,
                task: None,
            });
        }
        let before = on_chain.batches.range(..it.turn.first);
        let before = before.filter(|(_, record)| stood(record, base.at));
        let sets: Option<Vec<_>> = before.map(|(sequence, _)| told.get(sequence)).collect();
        if let Some(sets) = sets {
            let of_logs: BTreeSet<TaskIndex> =
                sets.into_iter().copied().flatten().copied().collect();
            let differing = of_logs.symmetric_difference(&base.settled).next();
            found.extend(differing.map(|task| Difference::OtherBase {
                first: it.turn.first,
                base: base.first,
                task: Some(*task),
            }));
        }
        told.extend(
            audited
                .settled
                .iter()
                .map(|(sequence, tasks)| (*sequence, tasks)),
        );
    }
    found
}

/// What all receipts say of the inputs together.
fn inputs(
    on_chain: &OnChain,
    turns: &[AuditedTurn],
    found: &mut Vec<Difference>,
) -> (Inputs, Vec<Digest>) {
    let mut known: BTreeMap<TaskIndex, Digest> = BTreeMap::new();
    let mut is_one = true;
    let logs = turns.iter().filter_map(|it| it.log.as_ref());
    for (task, root) in logs.flat_map(|(_, audited)| &audited.named_inputs) {
        is_one &= known.entry(*task).or_insert(*root) == root;
    }
    let submission = &on_chain.job.submission;
    let is_whole = u32::try_from(known.len()) == Ok(submission.tasks);
    // There is one for each task, and no other.
    let roots: Vec<Digest> = known.into_values().collect();
    match (is_one, is_whole) {
        (true, false) => (Inputs::Unknown, vec![]),
        (true, true) if Tree::new(&roots).root() == submission.shards_root => {
            (Inputs::Receipts, roots)
        }
        _ => {
            found.push(Difference::OtherInputs);
            (Inputs::Receipts, vec![])
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn coordinator(number: u8) -> Coordinator {
        Coordinator {
            account: AccountId::new([number; 32]),
            node: NodeKey([number; 32]),
        }
    }

    fn settled(by: &[u8]) -> Vec<(BatchSequence, Coordinator)> {
        (0..).zip(by.iter().map(|it| coordinator(*it))).collect()
    }

    #[test]
    fn each_turn_has_the_batches_that_follow_each_other() {
        let turns = Turns::of(settled(&[1, 1, 3]), Some(coordinator(4))).unwrap();
        let stretches: Vec<_> = turns
            .iter()
            .map(|turn| (turn.coordinator.clone(), turn.first, turn.end))
            .collect();
        let expected = [
            (coordinator(1), 0, 2),
            (coordinator(3), 2, 3),
            (coordinator(4), 3, 3),
        ];
        assert_eq!(stretches, expected);
        let goes_on = Turns::of(settled(&[1, 1]), Some(coordinator(1))).unwrap();
        assert_eq!(goes_on.iter().count(), 1);
        assert_eq!(Turns::of(settled(&[]), None).unwrap().iter().count(), 0);
    }

    #[test]
    fn nobody_has_a_second_turn() {
        let second = Turns::of(settled(&[1, 2, 1]), None);
        let expected = TurnsError::SecondTurn {
            account: AccountId::new([1; 32]),
            sequence: 2,
        };
        assert_eq!(second, Err(expected));
        let many: Vec<u8> = (0..=GROUP_MEMBERS_MAX as u8).collect();
        assert_eq!(Turns::of(settled(&many), None), Err(TurnsError::TooMany));
    }
}
