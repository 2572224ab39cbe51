//! Whether work that a masternode acknowledged was left out of what it settled. Pure: blocks and answers
//! in, questions and claims out.
//!
//! A masternode's word for an answer names its receipt. A batch that settles the task must name the receipt
//! in the task's verdict; if it does not, the chain convicts whoever gave the word and settled the batch, as
//! long as that is pending. The chain has only the root of the verdicts, so the device asks for them:
//!
//! - A verdict that is under the root and does not name the receipt is proof. It is claimed at once, and
//!   decided in that call.
//! - A verdict that names it ends the matter.
//! - What is not shown is asked for again and again. When the batch is nearly due it is demanded on the
//!   chain, where the masternode answers in time or loses. An honest one answers there too and the claimant
//!   loses the bond; so nothing is demanded that was not asked for [`VAIN_MIN`] times before.
//!
//! Heights are those of final blocks. The chain's clock of finality, by which a batch is due, follows them,
//! and is never ahead: when finality stood still and goes on, the clock makes up for it within some blocks,
//! and whoever waited for the clock would come too late.

mod account;
mod journal;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use account::{ClaimsAccountError, load_account, new_account};
pub use journal::{Deed, Journal, JournalError, Line};

use crate::acknowledgements::Kept;
use codec::Encode as _;
use quern_dispute_rules::{
    Evidence,
    evidence::{BatchName, Leaf},
};
use quern_job_rules::tasks;
use quern_primitives::{
    BlockNumber, Digest, JobId, TaskIndex,
    batch::{BatchRecord, PendingBatch},
    group::Group,
    ids::{BatchSequence, NodeKey},
    log::Acknowledgement,
};
use quern_protocol::{ShownVerdict, limits::SHOWN_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// How often a verdict must have been asked for in vain before it is demanded on the chain.
pub const VAIN_MIN: u32 = 3;

/// Blocks before a batch is due at which what was not shown is demanded: two minutes, for a transaction that
/// gets lost to be sent again. Of a short window it is a third of what was left when the batch was seen.
pub const CLAIM_BLOCKS: BlockNumber = 60;

/// The most blocks between two questions about one verdict: a minute. Of a short window it is an eighth.
pub const ASK_BLOCKS_MAX: BlockNumber = 30;

/// Blocks that must have been left of a window for its words to be defended: in fewer there is no time to ask
/// several times, and then to get a transaction into a block.
pub const WINDOW_MIN: BlockNumber = 24;

/// Questions that are sent at a time, each about up to [`SHOWN_MAX`] verdicts.
pub const ASKS_MAX: usize = 16;

/// Batches that are watched of one job; a job has no more pending ones.
const BATCHES_MAX: usize = quern_primitives::limits::PENDING_BATCHES_PER_JOB_MAX as usize;

/// A batch that is pending, as the chain tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The batch.
    pub name: BatchName,
    /// When it is due.
    pub due: BlockNumber,
    /// The key with which whoever settled it signs for this job.
    pub coordinator: NodeKey,
    /// The root over its verdicts.
    pub verdicts_root: Digest,
    /// The tasks it settles, ascending.
    pub tasks: Vec<TaskIndex>,
}

impl Pending {
    /// From what the chain keeps; nothing if nobody of the group answers for the batch any more, or the
    /// chain says of it what no batch can have.
    pub fn new(
        name: BatchName,
        record: &BatchRecord,
        pending: &PendingBatch,
        group: &Group,
    ) -> Option<Self> {
        let mut members = group.members.iter();
        let coordinator = members.find(|member| member.account == pending.coordinator)?;
        let tasks = tasks::validate(&pending.tasks, u32::MAX).ok()?;
        Some(Self {
            name,
            due: pending.due,
            coordinator: coordinator.node,
            verdicts_root: record.verdicts_root,
            tasks: tasks.iter().collect(),
        })
    }
}

/// A question to a masternode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who is asked.
    pub masternode: NodeKey,
    /// The batch.
    pub batch: BatchName,
    /// The tasks, at most [`SHOWN_MAX`].
    pub tasks: Vec<TaskIndex>,
}

/// What is claimed on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The batch.
    pub batch: BatchName,
    /// When it is due.
    pub due: BlockNumber,
    /// The word, and who gave it.
    pub kept: Kept,
    /// The verdict that leaves the receipt out, if it was shown.
    pub proof: Option<ShownVerdict>,
}

impl Claim {
    /// What the chain is shown.
    pub fn evidence(&self) -> Evidence {
        let leaf = self.proof.as_ref();
        Evidence::Omission {
            batch: self.batch,
            acknowledgement: self.kept.word.clone(),
            leaf: leaf.and_then(|shown| Leaf::new(&shown.verdict, shown.proof.clone())),
        }
    }

    /// Whether the chain decides it at once, so that no bond is risked.
    pub fn is_proven(&self) -> bool {
        self.proof.is_some()
    }
}

/// What is known of one word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing was shown yet.
    Unknown {
        /// How often it was asked for in vain.
        vain: u32,
        /// When it was last asked for.
        asked: Option<BlockNumber>,
    },
    /// The verdict names the receipt.
    Named,
    /// The verdict does not.
    LeftOut(Box<ShownVerdict>),
    /// It is being claimed, was claimed, or was told to the machine's owner.
    Closed,
}

#[derive(Clone, Debug)]
struct Word {
    kept: Kept,
    standing: Standing,
    /// Whether the owner was told that nobody could be asked.
    is_told: bool,
}

#[derive(Clone, Debug)]
struct Batch {
    pending: Pending,
    /// The height at which it was first seen.
    seen: BlockNumber,
    /// By task and receipt.
    words: BTreeMap<(TaskIndex, Digest), Word>,
}

impl Batch {
    fn left(&self) -> BlockNumber {
        self.pending.due.saturating_sub(self.seen)
    }

    /// Blocks between two questions about one verdict.
    fn ask_every(&self) -> BlockNumber {
        (self.left() / 8).clamp(1, ASK_BLOCKS_MAX)
    }

    /// The height from which what was not shown is demanded on the chain.
    fn claims_from(&self) -> BlockNumber {
        let before = CLAIM_BLOCKS.min(self.left() / 3);
        self.pending.due.saturating_sub(before)
    }

    /// The height at which a word is to be looked at again; none if never.
    fn next_look(&self, standing: &Standing) -> Option<BlockNumber> {
        match standing {
            Standing::Unknown { asked: None, .. } | Standing::LeftOut(_) => Some(0),
            Standing::Unknown {
                vain,
                asked: Some(asked),
            } => {
                let again = asked.saturating_add(self.ask_every());
                Some(match *vain < VAIN_MIN {
                    true => again,
                    false => again.min(self.claims_from()),
                })
            }
            Standing::Named | Standing::Closed => None,
        }
    }

    /// What a shown verdict says of a word, if it is in the batch, in the place of that word's task.
    fn says(&self, word: &Acknowledgement, shown: &ShownVerdict) -> Option<bool> {
        let place = self.pending.tasks.binary_search(&word.task).ok()?;
        let encoded = shown.verdict.encode();
        let is_in = usize::try_from(shown.proof.index) == Ok(place)
            && usize::try_from(shown.proof.count) == Ok(self.pending.tasks.len())
            && shown.proof.holds(&self.pending.verdicts_root, &encoded);
        is_in.then(|| names(shown, word))
    }
}

/// Whether a verdict names the receipt that was acknowledged: as the chain looks at it.
fn names(shown: &ShownVerdict, word: &Acknowledgement) -> bool {
    shown.verdict.replicas.iter().any(|found| {
        found.replica == word.replica
            && found.device == word.device
            && found.receipt == Some(word.receipt)
    })
}

/// What is owed to a device, for its owner to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Words whose batch is pending.
    pub pending: usize,
    /// Of these, those whose verdict names the receipt.
    pub named: usize,
    /// Those whose verdict was asked for in vain, and not shown yet.
    pub unshown: usize,
    /// Those that were left out, or claimed.
    pub left_out: usize,
}

/// The words whose batches are pending, and what is known of each.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    batches: BTreeMap<JobId, BTreeMap<BatchSequence, Batch>>,
}

impl Claims {
    /// The batches of a job that are watched.
    pub fn watched(&self, job: &JobId) -> Vec<BatchSequence> {
        let of_job = self.batches.get(job);
        of_job.map_or_else(Vec::new, |of_job| of_job.keys().copied().collect())
    }

    /// A batch is pending at a height.
    pub fn learn(&mut self, at: BlockNumber, pending: Pending) {
        let of_job = self.batches.entry(pending.name.job).or_default();
        if of_job.len() >= BATCHES_MAX {
            return;
        }
        of_job
            .entry(pending.name.sequence)
            .or_insert_with(|| Batch {
                pending,
                seen: at,
                words: BTreeMap::new(),
            });
    }

    /// These words are kept. Each belongs to the batch that settles its task, if whoever settled it gave the
    /// word: nobody answers for what another one acknowledged.
    pub fn hold<'a>(&mut self, words: impl IntoIterator<Item = &'a Kept>) {
        for kept in words {
            let word = &kept.word.payload;
            let Some(of_job) = self.batches.get_mut(&word.job) else {
                continue;
            };
            let batch = of_job.values_mut().find(|batch| {
                batch.pending.coordinator == kept.masternode
                    && batch.pending.tasks.binary_search(&word.task).is_ok()
            });
            if let Some(batch) = batch {
                let place = (word.task, word.receipt);
                batch.words.entry(place).or_insert_with(|| Word {
                    kept: kept.clone(),
                    standing: Standing::Unknown {
                        vain: 0,
                        asked: None,
                    },
                    is_told: false,
                });
            }
        }
    }

    /// A batch is pending no more. Gives the receipts of the words that it was watched for: if the batch is
    /// final, they are of no more use.
    pub fn close(&mut self, batch: &BatchName) -> BTreeSet<Digest> {
        let Some(of_job) = self.batches.get_mut(&batch.job) else {
            return BTreeSet::new();
        };
        let closed = of_job.remove(&batch.sequence);
        if of_job.is_empty() {
            self.batches.remove(&batch.job);
        }
        let words = closed.into_iter().flat_map(|batch| batch.words);
        words.map(|((_, receipt), _)| receipt).collect()
    }

    /// A job is over.
    pub fn drop_job(&mut self, job: &JobId) {
        self.batches.remove(job);
    }

    /// The questions that are to be asked at a height, those of batches that are due first before others.
    /// They count as asked.
    pub fn asks(&mut self, at: BlockNumber) -> Vec<Ask> {
        let mut asks: Vec<(BlockNumber, Ask)> = Vec::new();
        for batch in self.batches.values().flat_map(BTreeMap::values) {
            let every = batch.ask_every();
            let is_due = |standing: &Standing| match standing {
                Standing::Unknown { asked, .. } => {
                    asked.is_none_or(|asked| at >= asked.saturating_add(every))
                }
                Standing::Named | Standing::LeftOut(_) | Standing::Closed => false,
            };
            // A device answers a task once; of a task with several words one question does.
            let due = batch.words.iter().filter(|(_, it)| is_due(&it.standing));
            let tasks: BTreeSet<TaskIndex> = due.map(|((task, _), _)| *task).collect();
            let tasks: Vec<TaskIndex> = tasks.into_iter().collect();
            for tasks in tasks.chunks(SHOWN_MAX) {
                let ask = Ask {
                    masternode: batch.pending.coordinator,
                    batch: batch.pending.name,
                    tasks: tasks.to_vec(),
                };
                asks.push((batch.pending.due, ask));
            }
        }
        asks.sort_by_key(|(due, _)| *due);
        asks.truncate(ASKS_MAX);
        let asks: Vec<Ask> = asks.into_iter().map(|(_, ask)| ask).collect();
        for ask in &asks {
            self.each_of(ask, |_, word| {
                if let Standing::Unknown { asked, .. } = &mut word.standing {
                    *asked = Some(at);
                }
            });
        }
        asks
    }

    /// What came of a question: what was shown, or nothing. An answer counts whenever it comes. A question that
    /// this machine could not put is not told here, for it was not asked in vain.
    pub fn answered(&mut self, ask: &Ask, shown: &[ShownVerdict]) {
        self.each_of(ask, |batch, word| {
            if matches!(word.standing, Standing::Named | Standing::LeftOut(_)) {
                return;
            }
            let said = &word.kept.word.payload;
            let found = shown
                .iter()
                .take(SHOWN_MAX)
                .find_map(|shown| Some((batch.says(said, shown)?, shown)));
            match (found, &mut word.standing) {
                // Also of what is being claimed: should the claim get lost, it is not sent again.
                (Some((true, _)), standing) => *standing = Standing::Named,
                (Some((false, shown)), standing)
                    if matches!(standing, Standing::Unknown { .. }) =>
                {
                    *standing = Standing::LeftOut(Box::new(shown.clone()));
                }
                (None, Standing::Unknown { vain, .. }) => *vain = vain.saturating_add(1),
                _ => {}
            }
        });
    }

    /// What is to be claimed at a height, proven ones first, and then those that are due first.
    pub fn due(&self, at: BlockNumber) -> Vec<Claim> {
        let mut due = Vec::new();
        for batch in self.batches.values().flat_map(BTreeMap::values) {
            for word in batch.words.values() {
                let proof = match &word.standing {
                    Standing::LeftOut(shown) => Some((**shown).clone()),
                    Standing::Unknown { vain, .. }
                        if *vain >= VAIN_MIN
                            && at >= batch.claims_from()
                            && at < batch.pending.due =>
                    {
                        None
                    }
                    Standing::Unknown { .. } | Standing::Named | Standing::Closed => continue,
                };
                due.push(Claim {
                    batch: batch.pending.name,
                    due: batch.pending.due,
                    kept: word.kept.clone(),
                    proof,
                });
            }
        }
        due.sort_by_key(|claim| (!claim.is_proven(), claim.due, claim.batch.job));
        due
    }

    /// What is nearly due and could not be asked for often enough to be claimed, for instance because the
    /// masternode speaks another version of the protocol. That may have good reasons, so it is for the owner to decide;
    /// each is told once, so many at a time. Of a window that is too short for so many questions nothing is
    /// said.
    pub fn doubtful(&mut self, at: BlockNumber, most: usize) -> Vec<Claim> {
        let mut doubtful = Vec::new();
        for batch in self.batches.values_mut().flat_map(BTreeMap::values_mut) {
            let is_nearly_due = at >= batch.claims_from() && at < batch.pending.due;
            if !is_nearly_due || batch.left() < WINDOW_MIN {
                continue;
            }
            for word in batch.words.values_mut() {
                let is_unasked =
                    matches!(word.standing, Standing::Unknown { vain, .. } if vain < VAIN_MIN);
                if is_unasked && !word.is_told && doubtful.len() < most {
                    word.is_told = true;
                    doubtful.push(Claim {
                        batch: batch.pending.name,
                        due: batch.pending.due,
                        kept: word.kept.clone(),
                        proof: None,
                    });
                }
            }
        }
        doubtful
    }

    /// This is being claimed, or was told; it is not due again.
    pub fn settle(&mut self, claim: &Claim) {
        self.set(claim, Standing::Closed);
    }

    /// What was being claimed did not get to the chain, and is due as it was, unless it was shown meanwhile.
    pub fn reopen(&mut self, claim: &Claim) {
        let standing = match &claim.proof {
            Some(shown) => Standing::LeftOut(Box::new(shown.clone())),
            None => Standing::Unknown {
                vain: VAIN_MIN,
                asked: None,
            },
        };
        if self
            .word(claim)
            .is_some_and(|word| word.standing == Standing::Closed)
        {
            self.set(claim, standing);
        }
    }

    /// In how many blocks from a height something is to be done; none if nothing is known to be.
    pub fn next_look(&self, at: BlockNumber) -> Option<BlockNumber> {
        let batches = self.batches.values().flat_map(BTreeMap::values);
        let looks = batches.flat_map(|batch| {
            let words = batch.words.values();
            words.filter_map(|word| batch.next_look(&word.standing))
        });
        looks.min().map(|next| next.saturating_sub(at))
    }

    /// What is owed.
    pub fn owed(&self) -> Owed {
        let mut owed = Owed::default();
        let batches = self.batches.values().flat_map(BTreeMap::values);
        for word in batches.flat_map(|batch| batch.words.values()) {
            owed.pending += 1;
            match &word.standing {
                Standing::Unknown { vain: 0, .. } => {}
                Standing::Unknown { .. } => owed.unshown += 1,
                Standing::Named => owed.named += 1,
                Standing::LeftOut(_) | Standing::Closed => owed.left_out += 1,
            }
        }
        owed
    }

    fn word(&mut self, claim: &Claim) -> Option<&mut Word> {
        let of_job = self.batches.get_mut(&claim.batch.job)?;
        let batch = of_job.get_mut(&claim.batch.sequence)?;
        let word = &claim.kept.word.payload;
        batch.words.get_mut(&(word.task, word.receipt))
    }

    fn set(&mut self, claim: &Claim, standing: Standing) {
        if let Some(word) = self.word(claim) {
            word.standing = standing;
        }
    }

    /// Each word that a question is about.
    fn each_of(&mut self, ask: &Ask, mut change: impl FnMut(&Batch, &mut Word)) {
        let of_job = self.batches.get_mut(&ask.batch.job);
        let Some(batch) = of_job.and_then(|of_job| of_job.get_mut(&ask.batch.sequence)) else {
            return;
        };
        let mut words = std::mem::take(&mut batch.words);
        for task in &ask.tasks {
            let of_task = (*task, Digest([0; 32]))..=(*task, Digest([0xff; 32]));
            for (_, word) in words.range_mut(of_task) {
                change(batch, word);
            }
        }
        batch.words = words;
    }
}
