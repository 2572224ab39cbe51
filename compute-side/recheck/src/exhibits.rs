//! From a fault to what is shown to the chain.

use crate::fault::{BatchFault, RecheckFault, RevealFault};
use codec::Encode;
use quern_dispute_rules::{
    Evidence,
    evidence::{BatchName, Certified, Input, Leaf, Logged, Withheld},
    verdict::receipt_digest,
};
use quern_joblog::{Entry, Header, LogFault, SignedBlock, Way};
use quern_primitives::{
    ids::{BatchSequence, Digest, NodeKey, TaskIndex},
    merkle::Tree,
    receipt::SignedReceipt,
    verdict::{Finding, Ground, Verdict},
};

/// A block that has what is shown, and the headers that lead to it from where the log was read to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    block: SignedBlock,
    way: Way,
}

impl Shown {
    /// The block that was read last.
    pub fn new(block: SignedBlock) -> Self {
        let way = Way::to(block.header.payload.index);
        Self { block, way }
    }

    /// Whether an entry is in the block, which has this index.
    pub(crate) fn is_at(&self, position: u64, index: u64) -> bool {
        self.block.header.payload.index == index && self.block.prove(position).is_some()
    }

    /// An entry of the block, certified with what follows.
    pub(crate) fn certified(&self, position: u64) -> Option<Certified> {
        Some(Certified {
            logged: Logged::new(self.block.prove(position)?)?,
            links: self.way.headers().to_vec().try_into().ok()?,
        })
    }

    /// The log goes on with the next header. To be told of each, up to the one that was certified.
    pub fn take(&mut self, header: &Header) {
        self.way.take(header);
    }
}

/// What whoever found a fault has at hand.
#[derive(Clone, Copy, Debug)]
pub struct Exhibits<'a> {
    /// The pending batch against which the fault is held.
    pub batch: BatchName,
    /// Its verdicts, in the order of its tree.
    pub verdicts: &'a [Verdict],
    /// The blocks that have what is shown, each with the way to it from the block whose hash was certified
    /// for the batch.
    pub shown: &'a [Shown],
    /// Who signed the block in which the fault is.
    pub writer: NodeKey,
    /// The chunk roots of the job's shards, in order.
    pub input_roots: &'a [Digest],
}

impl Exhibits<'_> {
    /// The evidence of a fault, if it is one that the chain decides and what it takes is at hand. Whether
    /// the chain knows enough to convict is said by `quern_dispute_rules::decide`, which is to be asked
    /// before it is sent.
    pub fn evidence(&self, fault: &RecheckFault) -> Option<Evidence> {
        let batch = self.batch;
        match fault {
            RecheckFault::Log(LogFault::Forked(fork)) => Some(Evidence::Blocks {
                node: self.writer,
                fork: fork.clone(),
            }),
            RecheckFault::JudgedTwice { first, second, .. }
            | RecheckFault::TwoBatches {
                first,
                second: Some(second),
                ..
            } => Some(Evidence::Entries {
                node: self.writer,
                first: Box::new(self.logged(*first)?),
                second: Box::new(self.logged(*second)?),
            }),
            RecheckFault::Assignment { position, why, .. } => {
                let entry = Box::new(self.certified(*position)?);
                Some(match why.is_of_lanes() {
                    true => Evidence::OtherLane { batch, entry },
                    false => Evidence::Assignment { batch, entry },
                })
            }
            RecheckFault::Reveal { receipt, why, .. } => self.of_receipt(receipt, *why),
            RecheckFault::Referee { task, .. } => {
                let verdict = self.verdict(*task)?;
                (verdict.ground == Ground::Referee).then_some(Evidence::Withheld {
                    batch,
                    what: Withheld::Report {
                        leaf: self.leaf(*task)?,
                    },
                })
            }
            RecheckFault::Verdict { task, .. } => self.of_verdict(*task),
            RecheckFault::Batch { why, .. } => self.of_batch(why),
            RecheckFault::Omitted {
                acknowledgement, ..
            } => Some(Evidence::Omission {
                batch,
                acknowledgement: (**acknowledgement).clone(),
                leaf: self.leaf(acknowledgement.payload.task),
            }),
            // Of these two batches the log has only one, and the chain the other.
            RecheckFault::TwoBatches {
                sequence,
                first,
                second: None,
            } => self.other_batch(*sequence, *first),
            // A commitment moves no money.
            RecheckFault::Commitment { .. }
            | RecheckFault::Log(_)
            | RecheckFault::InputRoots
            | RecheckFault::NoTariff
            | RecheckFault::Order { .. }
            | RecheckFault::NothingToCertify => None,
        }
    }

    /// A verdict that is not the judge's. The chain does not hear the judge, so where a receipt says
    /// otherwise than the verdict finds, that is shown, which convicts by itself.
    fn of_verdict(&self, task: TaskIndex) -> Option<Evidence> {
        let (batch, leaf, verdict) = (self.batch, self.leaf(task)?, self.verdict(task)?);
        let is_denied = |receipt: &&SignedReceipt| {
            let digest = receipt_digest(receipt);
            let is_right = receipt.payload.answer() == verdict.answer;
            let mut named = verdict.replicas.iter();
            named.any(|found| {
                found.receipt == Some(digest) && (found.finding == Finding::Accepted) != is_right
            })
        };
        let entries = self.shown.iter().flat_map(|shown| &shown.block.entries);
        let mut receipts = entries.filter_map(|entry| match entry {
            Entry::Revealed { receipt, .. } if receipt.payload.task == task => Some(receipt),
            _ => None,
        });
        Some(match receipts.find(is_denied) {
            Some(receipt) => Evidence::Receipt {
                batch,
                leaf,
                receipt: Box::new(receipt.clone()),
                input: None,
            },
            None => Evidence::Verdict { batch, leaf },
        })
    }

    fn of_receipt(&self, receipt: &SignedReceipt, why: RevealFault) -> Option<Evidence> {
        let batch = self.batch;
        let digest = receipt_digest(receipt);
        let named = |verdict: &&Verdict| {
            let mut replicas = verdict.replicas.iter();
            replicas.any(|found| found.receipt == Some(digest))
        };
        let task = self.verdicts.iter().find(named)?.task;
        let (leaf, receipt) = (self.leaf(task)?, Box::new(receipt.clone()));
        match why {
            RevealFault::NotAssigned => Some(Evidence::Unassigned {
                batch,
                leaf,
                entry: Box::new(self.certified(receipt.payload.log_position)?),
                receipt,
            }),
            RevealFault::Receipt(_) => Some(Evidence::Receipt {
                batch,
                leaf,
                receipt,
                input: self.input(task),
            }),
            RevealFault::Commitment => None,
        }
    }

    /// The log's batch of a number, beside what the chain settled under it.
    pub(crate) fn other_batch(&self, sequence: BatchSequence, position: u64) -> Option<Evidence> {
        let job = self.batch.job;
        Some(Evidence::OtherBatch {
            batch: BatchName { job, sequence },
            entry: Box::new(self.logged(position)?),
        })
    }

    fn of_batch(&self, why: &BatchFault) -> Option<Evidence> {
        let batch = self.batch;
        match why {
            BatchFault::Spent { .. }
            | BatchFault::Overflow
            | BatchFault::Payout { .. }
            | BatchFault::Device { .. }
            | BatchFault::Unsorted => Some(Evidence::Payouts { batch }),
            BatchFault::NoVerdict { task } => Some(Evidence::Withheld {
                batch,
                what: Withheld::Verdict { task: *task },
            }),
            // The chain itself refuses such a batch; or goes by the stretch that it names nowhere; or its tree
            // is over what nobody has, and then its tasks' verdicts are asked for one by one.
            BatchFault::OtherJob
            | BatchFault::OutOfOrder { .. }
            | BatchFault::Tasks(_)
            | BatchFault::SettledBefore { .. }
            | BatchFault::Range { .. }
            | BatchFault::VerdictsRoot { .. } => None,
        }
    }

    fn verdict(&self, task: TaskIndex) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.task == task)
    }

    fn leaf(&self, task: TaskIndex) -> Option<Leaf> {
        let place = self.verdicts.iter().position(|it| it.task == task)?;
        let tree = Tree::new(self.verdicts.iter().map(Encode::encode));
        let proof = tree.proof(u32::try_from(place).ok()?)?;
        Leaf::new(self.verdicts.get(place)?, proof)
    }

    fn input(&self, task: TaskIndex) -> Option<Input> {
        let proof = Tree::new(self.input_roots).proof(task)?;
        Some(Input {
            root: *self.input_roots.get(usize::try_from(task).ok()?)?,
            siblings: proof.siblings.try_into().ok()?,
        })
    }

    fn logged(&self, position: u64) -> Option<Logged> {
        let mut shown = self.shown.iter();
        Logged::new(shown.find_map(|shown| shown.block.prove(position))?)
    }

    fn certified(&self, position: u64) -> Option<Certified> {
        let mut shown = self.shown.iter();
        shown.find_map(|shown| shown.certified(position))
    }
}
