//! From what does not fit to what the chain is shown.

use crate::{
    compare::OnChain,
    difference::{Difference, Part},
    exhibits::{Exhibits, Shown},
    fault::RecheckFault,
};
use codec::Encode;
use quern_dispute_rules::{
    Evidence,
    evidence::{BatchName, Withheld},
};
use quern_job_rules::tasks;
use quern_joblog::{Entry, Fork, LogFault, SignedBlock};
use quern_primitives::{
    batch::{BatchRecord, BatchState},
    ids::{AccountId, Digest, GenesisHash, JobId, NodeKey, TaskIndex},
    log::{Header, SignedHeader},
    merkle::Tree,
    verdict::Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks that are kept whole: that of the entry, and those of a few beside. With each there are the few
/// headers that lead to it, however far away the certified head is.
pub(crate) const SHOWN_MAX: usize = 64;

/// Gathers from a log what the chain has to be shown. The log is read again for it, from its beginning.
#[derive(Clone, Debug)]
pub struct Showing<'a> {
    difference: &'a Difference,
    batch: BatchName,
    record: Option<BatchRecord>,
    /// The batch's tasks.
    tasks: BTreeSet<TaskIndex>,
    verdicts: BTreeMap<TaskIndex, Verdict>,
    positions: Vec<u64>,
    shown: Vec<Shown>,
    /// A block that does not follow, and the one that it should name.
    apart: Option<Apart>,
    /// Who writes the log as far as it was read, and who wrote the entry that is shown.
    writer: NodeKey,
    guilty: Option<NodeKey>,
    /// The accounts of both, as the log says.
    account: Option<AccountId>,
    guilty_account: Option<AccountId>,
    /// Who settled the batch, if it is pending, and whether nobody else certified it.
    settled_by: Option<AccountId>,
    is_its_own_word: bool,
    /// The key whose blocks alone are taken, if only one's are.
    only: Option<(NodeKey, GenesisHash)>,
}

/// A block that names another ancestor than the log has.
#[derive(Clone, Copy, Debug)]
struct Apart {
    /// The index of the ancestor, and its header.
    place: u64,
    ancestor: Option<SignedHeader>,
    /// The index of the block, and its header.
    index: u64,
    block: Option<SignedHeader>,
}

impl Apart {
    /// Where a fault says that a block does not follow. The first of a log has no ancestor.
    fn of(difference: &Difference) -> Option<Self> {
        let Difference::Rule(RecheckFault::Log(fault)) = difference else {
            return None;
        };
        let (place, index) = match *fault {
            LogFault::Unlinked { index } | LogFault::Positions { index, .. } => {
                (index.checked_sub(1)?, index)
            }
            LogFault::Skipped { index } if index > 0 => (Header::skipped_to(index), index),
            _ => return None,
        };
        Some(Self {
            place,
            ancestor: None,
            index,
            block: None,
        })
    }

    /// Takes the next block of the log. Gives whether it is the one that does not follow.
    fn take(&mut self, header: &SignedHeader) -> bool {
        let index = header.payload.index;
        if index == self.place {
            self.ancestor = self.ancestor.or(Some(*header));
        }
        let is_block = index == self.index && self.block.is_none();
        if is_block {
            self.block = Some(*header);
        }
        is_block
    }

    fn fork(&self) -> Option<Fork> {
        Some(Fork {
            place: self.place,
            first: self.ancestor?,
            second: self.block?,
        })
    }
}

/// Whether something can be disputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filing {
    /// It can.
    Can {
        /// What the chain is shown.
        evidence: Box<Evidence>,
        /// Where the chain adds up a batch's verdicts: these, encoded, in the order of its tree.
        verdicts: Vec<Vec<u8>>,
    },
    /// It cannot.
    Cannot(Unfiled),
}

/// Why something cannot be disputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfiled {
    /// The batch is final.
    #[error("the batch is final, and what is final stays")]
    Final,
    /// The batch was struck already.
    #[error("the batch was struck already")]
    Struck,
    /// It rests on no batch that the chain has.
    #[error("it concerns no batch that the chain has settled")]
    NoBatch,
    /// The chain does not decide such things.
    #[error("the chain decides nothing about it")]
    NotDecided,
    /// What would be shown is not under the batch's root, or not at hand.
    #[error("the log does not have what would have to be shown")]
    NotAtHand,
    /// Only referees of the job's group convict a device of a wrong answer.
    #[error("only the job's referees can show a wrong answer; tell them")]
    Referees,
}

impl<'a> Showing<'a> {
    /// Begins with a difference of a job, if it is one that can be disputed.
    pub fn of(job: JobId, difference: &'a Difference, on_chain: &OnChain) -> Result<Self, Unfiled> {
        let mut positions = difference.positions();
        if let Difference::Recomputed { .. } = difference {
            return Err(Unfiled::Referees);
        }
        // What was left out is left out of the batch that settles its task, wherever it should stand.
        let omitted_from = match difference {
            Difference::Rule(RecheckFault::Omitted {
                acknowledgement, ..
            }) => on_chain.pending_with(acknowledgement.payload.task),
            _ => None,
        };
        let sequence = difference.batch().or(omitted_from).or_else(|| {
            let first = positions.first()?;
            on_chain.batch_at(*first)
        });
        let record = sequence.and_then(|sequence| on_chain.batches.get(&sequence).copied());
        let apart = Apart::of(difference);
        // What was signed twice convicts by itself, whatever became of its batch.
        let is_of_batch = apart.is_none()
            && !matches!(
                difference,
                Difference::Rule(
                    RecheckFault::Log(LogFault::Forked(_))
                        | RecheckFault::JudgedTwice { .. }
                        | RecheckFault::TwoBatches {
                            second: Some(_),
                            ..
                        }
                )
            );
        match record.map(|record| record.state) {
            _ if !is_of_batch => {}
            Some(BatchState::Pending { .. }) => {}
            Some(BatchState::Final { .. }) => return Err(Unfiled::Final),
            Some(BatchState::Struck { .. }) => return Err(Unfiled::Struck),
            None => return Err(Unfiled::NoBatch),
        }
        let sequence = sequence.unwrap_or_default();
        // With a receipt is shown what stands where it says that its replica was given.
        if let Difference::Rule(RecheckFault::Reveal { receipt, .. }) = difference {
            positions.push(receipt.payload.log_position);
        }
        let pending = on_chain.kept.get(&sequence);
        let set = pending.map(|batch| &batch.tasks);
        let most = on_chain.job.submission.tasks;
        let set = set.and_then(|set| tasks::validate(set, most).ok());
        Ok(Self {
            difference,
            batch: BatchName { job, sequence },
            record,
            tasks: set.map(|set| set.iter().collect()).unwrap_or_default(),
            verdicts: BTreeMap::new(),
            positions,
            shown: Vec::new(),
            apart,
            writer: NodeKey::default(),
            guilty: None,
            account: None,
            guilty_account: None,
            settled_by: pending.map(|batch| batch.coordinator.clone()),
            // In a group of more than one at least two certify a batch.
            is_its_own_word: pending.is_some_and(|batch| batch.certified_by.len() <= 1),
            only: None,
        })
    }

    /// Takes blocks that this key signed on this chain, and no others: those of the coordinator that settled
    /// the batch, whoever tells its log.
    #[must_use]
    pub fn signed_by(mut self, node: NodeKey, genesis: GenesisHash) -> Self {
        self.writer = node;
        self.only = Some((node, genesis));
        self
    }

    /// Takes the next block.
    pub fn take(&mut self, block: &SignedBlock) {
        if let Some((node, genesis)) = &self.only
            && !block.header.is_signed_by(node, genesis)
        {
            return;
        }
        let last = self.record.map_or(0, |record| record.log.last);
        let mut is_shown = false;
        for (position, entry) in block.positions() {
            match entry {
                Entry::Opened {
                    coordinator, node, ..
                } => {
                    self.account = Some(coordinator.clone());
                    if self.only.is_none() {
                        self.writer = *node;
                    }
                }
                Entry::Judged { verdict }
                    if position <= last && self.tasks.contains(&verdict.task) =>
                {
                    self.verdicts.insert(verdict.task, verdict.clone());
                }
                _ => {}
            }
            if self.positions.contains(&position) {
                is_shown = true;
                self.guilty = Some(self.writer);
                self.guilty_account.clone_from(&self.account);
            }
        }
        if let Some(apart) = &mut self.apart
            && apart.take(&block.header)
        {
            self.guilty = Some(self.writer);
        }
        // From each block that is shown on, headers lead to the batch's head.
        let (header, head) = (&block.header.payload, self.record.map(|it| it.block));
        if head.is_some_and(|head| header.index <= head) {
            self.shown.iter_mut().for_each(|shown| shown.take(header));
        }
        if is_shown && self.shown.len() < SHOWN_MAX {
            self.shown.push(Shown::new(block.clone()));
        }
    }

    /// What can be shown, by what was taken; with the roots of the shards, if they are known.
    pub fn filing(self, roots: &[Digest]) -> Filing {
        let verdicts: Vec<_> = self.verdicts.values().map(Encode::encode).collect();
        let root = Tree::new(&verdicts).root();
        let is_batchs = self.record.is_some_and(|it| it.verdicts_root == root);
        let written = self.other_batch();
        let evidence = match (self.evidence(roots), written) {
            // Without its verdicts it convicts who wrote the log, at the least.
            (Ok(it), Some(written)) if !is_batchs && needs_verdicts(&it) => Ok(written),
            (Err(_), Some(written)) => Ok(written),
            (evidence, _) => evidence,
        };
        match evidence {
            // The log's verdicts are others than the batch's.
            Ok(evidence) if !is_batchs && needs_verdicts(&evidence) => {
                Filing::Cannot(Unfiled::NotAtHand)
            }
            Ok(evidence) => Filing::Can {
                verdicts: match evidence {
                    Evidence::Payouts { .. } => verdicts,
                    _ => vec![],
                },
                evidence: Box::new(evidence),
            },
            Err(why) => Filing::Cannot(why),
        }
    }

    fn evidence(self, roots: &[Digest]) -> Result<Evidence, Unfiled> {
        let batch = self.batch;
        let fault = match self.difference {
            Difference::Rule(fault) => fault,
            Difference::Batch { part, .. } => {
                if let Some(written) = self.other_batch().filter(|_| self.strikes_as_written()) {
                    return Ok(written);
                }
                return match part {
                    Part::Spent | Part::Workers | Part::Payouts | Part::Devices => {
                        Ok(Evidence::Payouts { batch })
                    }
                    // What is under a root that nobody knows has to be shown by who made it.
                    Part::Root | Part::Tasks => self.withheld(),
                    Part::Log | Part::Head | Part::Split => Err(Unfiled::NotDecided),
                };
            }
            Difference::NotInLog { .. } => return self.withheld(),
            Difference::OtherVerdict { position, leaf, .. } => {
                let mut shown = self.shown.iter();
                let entry = shown.find_map(|shown| shown.certified(*position));
                return Ok(Evidence::OtherVerdict {
                    batch,
                    leaf: *leaf.clone(),
                    entry: Box::new(entry.ok_or(Unfiled::NotAtHand)?),
                });
            }
            Difference::NoRecord { .. }
            | Difference::OtherBase { .. }
            | Difference::Sum { .. }
            | Difference::TwoInputs { .. }
            | Difference::OtherInputs => return Err(Unfiled::NotDecided),
            Difference::Recomputed { .. } => return Err(Unfiled::Referees),
        };
        if fault.dispute().is_none() {
            return Err(Unfiled::NotDecided);
        }
        let writer = self.guilty.unwrap_or(self.writer);
        if let Some(apart) = &self.apart {
            let fork = apart.fork().ok_or(Unfiled::NotAtHand)?;
            return Ok(Evidence::Blocks {
                node: writer,
                fork: Box::new(fork),
            });
        }
        let verdicts: Vec<_> = self.verdicts.values().cloned().collect();
        let exhibits = Exhibits {
            batch,
            verdicts: &verdicts,
            shown: &self.shown,
            writer,
            input_roots: roots,
        };
        exhibits.evidence(fault).ok_or(Unfiled::NotAtHand)
    }

    /// The batch as its own coordinator wrote it down, if that is what differs. What who coordinated before wrote
    /// down, and never settled, says nothing of it.
    fn other_batch(&self) -> Option<Evidence> {
        let Difference::Batch { position, part, .. } = self.difference else {
            return None;
        };
        let is_writers = self.settled_by.is_some() && self.settled_by == self.guilty_account;
        if !is_writers || !part.is_written_down() {
            return None;
        }
        let exhibits = Exhibits {
            batch: self.batch,
            verdicts: &[],
            shown: &self.shown,
            writer: self.guilty.unwrap_or(self.writer),
            input_roots: &[],
        };
        exhibits.other_batch(self.batch.sequence, *position)
    }

    /// Whether the batch falls by what was written down, and not only its writer: where it was certified with
    /// that very block, or by nobody else.
    fn strikes_as_written(&self) -> bool {
        let head = self.record.map(|record| record.block);
        let mut positions = self.positions.iter();
        let is_certified_with_it = positions.any(|position| {
            let mut shown = self.shown.iter();
            head.is_some_and(|head| shown.any(|shown| shown.is_at(*position, head)))
        });
        is_certified_with_it || self.is_its_own_word
    }

    /// Asks the coordinator for a verdict that the log does not have as the batch has it.
    fn withheld(&self) -> Result<Evidence, Unfiled> {
        let task = self.tasks.first().copied().ok_or(Unfiled::NotAtHand)?;
        Ok(Evidence::Withheld {
            batch: self.batch,
            what: Withheld::Verdict { task },
        })
    }
}

/// Whether verdicts of the log are shown, which have to be those under the batch's root.
fn needs_verdicts(evidence: &Evidence) -> bool {
    match evidence {
        Evidence::Verdict { .. }
        | Evidence::Receipt { .. }
        | Evidence::Unassigned { .. }
        | Evidence::Payouts { .. } => true,
        Evidence::Omission { leaf, .. } => leaf.is_some(),
        Evidence::Withheld { what, .. } => {
            matches!(what, Withheld::Receipt { .. } | Withheld::Report { .. })
        }
        Evidence::OtherVerdict { .. }
        | Evidence::Blocks { .. }
        | Evidence::Certificates { .. }
        | Evidence::Entries { .. }
        | Evidence::Assignment { .. }
        | Evidence::Answers { .. }
        | Evidence::WrongAnswer(_)
        | Evidence::FalseReport(_)
        | Evidence::OtherBatch { .. }
        | Evidence::OtherLane { .. } => false,
    }
}
