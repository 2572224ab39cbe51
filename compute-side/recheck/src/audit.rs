//! A whole job, held to the rules and to what the chain settled.

use crate::{
    compare::{OnChain, stands},
    difference::Difference,
    facts::ChainFacts,
    fault::RecheckFault,
    recheck::Recheck,
    turns::{Base, Turn},
};
use codec::Encode;
use quern_dispute_rules::evidence::Leaf;
use quern_job_rules::tasks;
use quern_joblog::{Entry, LogFault, Replay, SignedBlock};
use quern_primitives::{
    ids::{BatchSequence, Digest, NodeKey, TaskIndex},
    job::JobEnd,
    log::SignedAcknowledgement,
    merkle::Tree,
    receipt::{Answer, SignedReceipt},
    verdict::Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// Acknowledgements that are looked for; more are passed over.
const WORDS_MAX: usize = 65_536;

/// Follows a job's log block by block, holds it to the rules by a [`Recheck`] and the chain's batches to
/// it. It ends with all that does not fit.
///
/// Behind an entry that breaks a rule the log is only followed and compared with the chain: what rests on
/// a broken rule is not judged. Behind a block that does not follow nothing is.
#[derive(Clone, Debug)]
pub struct JobAudit<F> {
    recheck: Recheck<F>,
    on_chain: OnChain,
    /// What follows the log where a rule was broken.
    rest: Option<Replay>,
    /// Whether a block does not follow.
    is_cut: bool,
    /// Whether it is one of several logs of the job, so that sums and inputs are not its own.
    is_of_turn: bool,
    /// Whether who tells it may send anything in its place.
    is_heard: bool,
    /// Whether what it lacks may be told elsewhere.
    is_part: bool,
    /// Whether it ended with what its writer did not sign.
    is_strange: bool,
    knows_roots: bool,
    /// Of each task the input that its first receipt names, and where that is.
    inputs: BTreeMap<TaskIndex, (Digest, u64)>,
    /// Tasks whose accepted answer is wanted.
    watched: BTreeSet<TaskIndex>,
    answers: BTreeMap<TaskIndex, Answer>,
    /// What devices have the coordinator's word for, by the receipts, and that no verdict was read of yet.
    words: BTreeMap<TaskIndex, BTreeMap<Digest, SignedAcknowledgement>>,
    /// Verdicts under the roots of batches, by their tasks.
    given_out: BTreeMap<TaskIndex, (BatchSequence, Leaf)>,
    /// Batches of the log that the chain has too, each with its tasks.
    seen: BTreeMap<BatchSequence, BTreeSet<TaskIndex>>,
    unsettled: Vec<BatchSequence>,
    differences: Vec<Difference>,
    verdicts: u64,
    given_in: BTreeMap<u8, u64>,
    lanes_untold: u64,
}

/// How it was held to the job which shards the devices read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// By the job's manifest.
    Manifest,
    /// By the receipts: there is one of each task, and the inputs that they name make the root that the
    /// job was submitted with.
    Receipts,
    /// Not at all: some tasks have no receipt, and the manifest is not known.
    Unknown,
}

/// What came of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// What does not fit, in the order in which it was found.
    pub differences: Vec<Difference>,
    /// Blocks of the log that follow each other.
    pub blocks: u64,
    /// Their entries.
    pub entries: u64,
    /// Verdicts among these.
    pub verdicts: u64,
    /// How many replicas were given in how many lanes, as the log claims; in one are those that were for all.
    pub given_in: BTreeMap<u8, u64>,
    /// How many of these, given in several lanes, were not held to them, as it was not known what the job's lanes
    /// follow from.
    pub lanes_untold: u64,
    /// Batches that log and chain have.
    pub batches: u64,
    /// Batches of the log that the chain has not settled, and may never.
    pub unsettled: Vec<BatchSequence>,
    /// Batches that rest on blocks behind the last that was taken, of a job that goes on: so long as
    /// devices could copy from it, its coordinator does not tell all of the log.
    pub untold: Vec<BatchSequence>,
    /// Whether the log was held to the rules to its end.
    pub is_whole: bool,
    /// How the inputs were held to the job.
    pub inputs: Inputs,
    /// The roots of the job's shards, if the receipts show them.
    pub roots: Vec<Digest>,
    /// The accepted answers of the tasks that were watched, as far as they have one.
    pub answers: BTreeMap<TaskIndex, Answer>,
    /// Of each task the input that its first receipt names, where the manifest is not known.
    pub named_inputs: BTreeMap<TaskIndex, Digest>,
    /// Batches that log and chain have, each with its tasks as the log has them.
    pub settled: BTreeMap<BatchSequence, BTreeSet<TaskIndex>>,
}

/// Who says of itself that it writes a log from this block on.
pub fn writer_of(block: &SignedBlock) -> Option<NodeKey> {
    match block.entries.first() {
        Some(Entry::Opened { node, .. }) => Some(*node),
        _ => None,
    }
}

impl<F: ChainFacts> JobAudit<F> {
    /// Begins with a log whose first block says that this key writes it; whether the chain says so too is
    /// looked at. The roots of the shards are those of the manifest, for who has it.
    pub fn new(
        facts: F,
        on_chain: OnChain,
        roots: Option<Vec<Digest>>,
        writer: NodeKey,
    ) -> Result<Self, RecheckFault> {
        let knows_roots = roots.is_some();
        let recheck = match roots {
            Some(roots) => Recheck::new(facts, roots, writer)?,
            None => Recheck::without_roots(facts, writer)?,
        };
        Ok(Self {
            recheck,
            on_chain,
            rest: None,
            is_cut: false,
            is_of_turn: false,
            is_heard: false,
            is_part: false,
            is_strange: false,
            knows_roots,
            inputs: BTreeMap::new(),
            watched: BTreeSet::new(),
            answers: BTreeMap::new(),
            words: BTreeMap::new(),
            given_out: BTreeMap::new(),
            seen: BTreeMap::new(),
            unsettled: Vec::new(),
            differences: Vec::new(),
            verdicts: 0,
            given_in: BTreeMap::new(),
            lanes_untold: 0,
        })
    }

    /// The log of one turn of a job that others coordinated before or after, which goes on from what was
    /// settled then: its batches alone are held to it. What all logs have to make together is looked at by
    /// [`crate::JobAudited::of`]. To be called before the first block.
    #[must_use]
    pub fn of_turn(mut self, turn: &Turn, base: &Base) -> Self {
        self.on_chain = self.on_chain.of_turn(turn);
        let recheck = self.recheck.from_batch(base.first);
        self.recheck = recheck.behind_settled(base.settled.clone());
        self.is_of_turn = true;
        self
    }

    /// A log that comes from whoever says that it is theirs: it ends where what comes is not signed by its
    /// writer, and nobody is blamed for that.
    #[must_use]
    pub fn heard(mut self) -> Self {
        self.is_heard = true;
        self
    }

    /// The same of one that somebody else tells than who writes it, or who wrote it long ago: nobody is blamed
    /// for what it lacks either, which is not told.
    #[must_use]
    pub fn as_far_as_told(mut self) -> Self {
        self.is_part = true;
        self.heard()
    }

    /// See [`Recheck::with_trust_seed`].
    #[must_use]
    pub fn with_trust_seed(mut self, seed: [u8; 32]) -> Self {
        self.recheck = self.recheck.with_trust_seed(seed);
        self
    }

    /// Remembers the accepted answers of these tasks.
    #[must_use]
    pub fn watching(mut self, tasks: BTreeSet<TaskIndex>) -> Self {
        self.watched = tasks;
        self
    }

    /// Looks for the receipts that a coordinator acknowledged in the verdicts, for who has its word: what it
    /// took before a task was judged belongs there.
    #[must_use]
    pub fn expecting(mut self, words: impl IntoIterator<Item = SignedAcknowledgement>) -> Self {
        for word in words.into_iter().take(WORDS_MAX) {
            let said = word.payload;
            let of_task = self.words.entry(said.task).or_default();
            of_task.insert(said.receipt, word);
        }
        self
    }

    /// Compares verdicts that were given out with those of the log, each with the batch that settled it. What
    /// the chain did not settle so ([`OnChain::has_settled`]) is nobody's word, and passed over.
    #[must_use]
    pub fn comparing(mut self, given: impl IntoIterator<Item = (BatchSequence, Leaf)>) -> Self {
        for (sequence, leaf) in given.into_iter().take(WORDS_MAX) {
            let is_settled = self.on_chain.has_settled(sequence, &leaf);
            if let Some(verdict) = leaf.verdict().filter(|_| is_settled) {
                self.given_out.insert(verdict.task, (sequence, leaf));
            }
        }
        self
    }

    /// What the chain says, as it was given.
    pub fn facts(&self) -> &F {
        self.recheck.facts()
    }

    /// Whether nothing more is looked at, because a block does not follow, or is not its writer's.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Takes the next block.
    pub fn take(&mut self, block: &SignedBlock) {
        if self.is_cut {
            return;
        }
        if self.is_heard && !self.is_writers(block) {
            return self.end_here();
        }
        match self.follow(block) {
            Ok(()) => self.compare(block),
            Err(fault) if self.is_heard && !is_signed(&fault) => self.end_here(),
            Err(fault) => self.cut(fault),
        }
    }

    /// The log cannot be read any further: what comes is no block of it.
    pub fn broken(&mut self, fault: LogFault) {
        match self.is_heard {
            true => self.end_here(),
            false => self.cut(fault),
        }
    }

    fn cut(&mut self, fault: LogFault) {
        if !self.is_cut {
            self.is_cut = true;
            self.differences.push(RecheckFault::Log(fault).into());
        }
    }

    /// What follows is nobody's word, and what its writer would have told is not known.
    fn end_here(&mut self) {
        if !self.is_cut {
            (self.is_cut, self.is_strange, self.is_part) = (true, true, true);
        }
    }

    fn is_writers(&self, block: &SignedBlock) -> bool {
        let replay = self.replay();
        block
            .header
            .is_signed_by(&replay.signer(), &replay.genesis())
    }

    /// The log as far as it was followed.
    fn replay(&self) -> &Replay {
        self.rest.as_ref().unwrap_or_else(|| self.recheck.replay())
    }

    /// Follows the log; what breaks a rule is noted.
    fn follow(&mut self, block: &SignedBlock) -> Result<(), LogFault> {
        let bytes = block.to_bytes();
        if let Some(rest) = &mut self.rest {
            if let Some(Entry::Opened {
                coordinator,
                node,
                at,
            }) = block.entries.first()
                && self.recheck.facts().coordinator(*at) == Some((coordinator.clone(), *node))
            {
                rest.hand_over(*node);
            }
            return rest.take(&bytes).map(|_| ());
        }
        // Whether the chain names who begins is looked at with its first entry.
        if let Some(node) = writer_of(block).filter(|it| *it != self.recheck.replay().signer()) {
            self.recheck.hand_over(node);
        }
        match self.recheck.take(&bytes) {
            Ok(()) => Ok(()),
            Err(RecheckFault::Log(fault)) => Err(fault),
            Err(fault) => {
                self.rest = Some(self.recheck.replay().clone());
                self.differences.push(fault.into());
                Ok(())
            }
        }
    }

    fn compare(&mut self, block: &SignedBlock) {
        let header = &block.header.payload;
        let head = header.hash(&self.recheck.facts().genesis());
        self.on_chain
            .compare_head(header, head, &mut self.differences);
        for (position, entry) in block.positions() {
            match entry {
                Entry::Assigned { lanes, .. } => {
                    let given = self.given_in.entry(*lanes).or_default();
                    *given = given.saturating_add(1);
                    if *lanes > 1 && self.recheck.facts().lane_seed().is_none() {
                        self.lanes_untold = self.lanes_untold.saturating_add(1);
                    }
                }
                Entry::Revealed { receipt, .. } => self.read_input(receipt, position),
                Entry::Judged { verdict } => {
                    self.verdicts = self.verdicts.saturating_add(1);
                    self.look_for_words(verdict);
                    self.compare_verdict(verdict, position);
                    if self.watched.contains(&verdict.task) {
                        self.answers.insert(verdict.task, verdict.answer);
                    }
                }
                Entry::Batched { batch } => {
                    let found = &mut self.differences;
                    if self.on_chain.compare(batch, position, found) {
                        let most = self.on_chain.job.submission.tasks;
                        let set = tasks::validate(&batch.tasks, most);
                        let set = set.map(|set| set.iter().collect());
                        self.seen.insert(batch.sequence, set.unwrap_or_default());
                    } else {
                        self.unsettled.push(batch.sequence);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether a verdict names what was acknowledged of its task. What somebody else signed than who writes
    /// the log is nobody's word.
    fn look_for_words(&mut self, verdict: &Verdict) {
        let words = self.words.remove(&verdict.task).unwrap_or_default();
        let replay = self.replay();
        let (signer, genesis, job) = (replay.signer(), replay.genesis(), replay.job());
        for word in words.into_values() {
            let said = word.payload;
            let is_named = verdict.replicas.iter().any(|found| {
                found.replica == said.replica
                    && found.device == said.device
                    && found.receipt == Some(said.receipt)
            });
            if !is_named && said.job == job && word.is_signed_by(&signer, &genesis) {
                let omitted = RecheckFault::Omitted {
                    position: said.position,
                    acknowledgement: Box::new(word),
                };
                self.differences.push(omitted.into());
            }
        }
    }

    /// Whether a verdict is the one that was given out as settled.
    fn compare_verdict(&mut self, verdict: &Verdict, position: u64) {
        let Some((sequence, leaf)) = self.given_out.remove(&verdict.task) else {
            return;
        };
        if *leaf.bytes != verdict.encode() {
            self.differences.push(Difference::OtherVerdict {
                sequence,
                task: verdict.task,
                position,
                leaf: Box::new(leaf),
            });
        }
    }

    /// Where the roots are not known, that all receipts of a task name one input, which with all others
    /// makes the job's root.
    fn read_input(&mut self, receipt: &SignedReceipt, position: u64) {
        let (task, root) = (receipt.payload.task, receipt.payload.input_root);
        if self.knows_roots || task >= self.on_chain.job.submission.tasks {
            return;
        }
        let (known, first) = *self.inputs.entry(task).or_insert((root, position));
        if known != root {
            self.differences.push(Difference::TwoInputs {
                task,
                first,
                second: position,
            });
        }
    }

    /// The log has come to its end: what came of it.
    pub fn finish(mut self) -> Audited {
        let (inputs, roots) = match self.is_of_turn {
            true => (Inputs::Unknown, vec![]),
            false => self.inputs(),
        };
        let untold = self.untold();
        if !self.is_cut || self.is_strange {
            // Of what was struck a later coordinator need not tell.
            let standing = self.on_chain.batches.iter().filter(|(_, it)| stands(it));
            let missing = standing.filter(|(sequence, _)| {
                !self.seen.contains_key(sequence) && !untold.contains(sequence)
            });
            let missing = missing.map(|(sequence, _)| Difference::NotInLog {
                sequence: *sequence,
            });
            self.differences.extend(missing);
        }
        if !self.is_of_turn {
            self.differences.extend(self.on_chain.check_sums());
        }
        let replay = self.replay();
        Audited {
            blocks: replay.next_index(),
            entries: replay.next_position(),
            verdicts: self.verdicts,
            given_in: self.given_in,
            lanes_untold: self.lanes_untold,
            batches: self.seen.len() as u64,
            unsettled: self.unsettled,
            untold,
            is_whole: self.rest.is_none() && (!self.is_cut || self.is_strange),
            inputs,
            roots,
            answers: self.answers,
            named_inputs: self
                .inputs
                .into_iter()
                .map(|(task, (root, _))| (task, root))
                .collect(),
            settled: self.seen,
            differences: self.differences,
        }
    }

    /// The batches of which the log may tell later, or somebody else may.
    fn untold(&self) -> Vec<BatchSequence> {
        let state = &self.on_chain.job.state;
        let is_over = !state.goes_on() && state.end() != Some(JobEnd::BatchStruck);
        if is_over && !self.is_part {
            return vec![];
        }
        let next = self.replay().next_index();
        let batches = self.on_chain.batches.iter();
        batches
            // A batch is told of behind the block on which it rests.
            .filter(|(_, record)| stands(record) && record.block.saturating_add(1) >= next)
            .map(|(sequence, _)| *sequence)
            .filter(|sequence| !self.seen.contains_key(sequence))
            .collect()
    }

    fn inputs(&mut self) -> (Inputs, Vec<Digest>) {
        if self.knows_roots {
            return (Inputs::Manifest, vec![]);
        }
        let submission = &self.on_chain.job.submission;
        if u32::try_from(self.inputs.len()) != Ok(submission.tasks) {
            return (Inputs::Unknown, vec![]);
        }
        // There is one for each task, and no other.
        let roots: Vec<Digest> = self.inputs.values().map(|(root, _)| *root).collect();
        if Tree::new(&roots).root() == submission.shards_root {
            return (Inputs::Receipts, roots);
        }
        self.differences.push(Difference::OtherInputs);
        (Inputs::Receipts, vec![])
    }
}

/// Whether a block that does not follow for this reason shows that its writer signed what it should not have.
/// All else may be the doing of who tells the log.
fn is_signed(fault: &LogFault) -> bool {
    matches!(
        fault,
        LogFault::Forked(_)
            | LogFault::Unlinked { .. }
            | LogFault::Skipped { .. }
            | LogFault::Positions { .. }
            | LogFault::TimeBackwards { .. }
    )
}
