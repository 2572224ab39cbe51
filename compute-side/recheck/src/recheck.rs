//! Following a log, entry by entry.

mod ending;
mod refereeing;

use crate::{
    court::{Ruling, Trust, difference},
    facts::{ChainFacts, HEIGHT_LAG_MAX},
    fault::{
        AssignmentFault, CommitmentFault, ExpectError, OrderFault, RecheckFault, RevealFault,
        VerdictFault,
    },
    settle::Settlement,
    task::{Given, OpenTask},
    unrefereed::WithoutReferee,
};
use quern_job_rules::{pay::Tariff, tasks};
use quern_joblog::{Certificate, End, Entry, ReleaseCause, Replay, SignedBlock};
use quern_primitives::{
    batch::Batch,
    ids::{
        AccountId, BatchSequence, BlockNumber, DeviceId, Digest, NodeKey, ReplicaIndex, TaskIndex,
    },
    lanes::{self, Draw},
    log::{SignedAcknowledgement, SignedCommitment},
    merkle::Tree,
    receipt::{Exit, SignedReceipt},
    verdict::{Ground, Verdict},
};
use quern_verdict::{Expected, check_receipt, check_statement, receipt_digest};
use std::collections::{BTreeMap, BTreeSet};

/// Acknowledgements that are looked out for at a time.
pub const EXPECTED_MAX: usize = 65_536;

/// A job's log as far as it was held to the rules.
#[derive(Clone, Debug)]
pub struct Recheck<F> {
    facts: F,
    tariff: Tariff,
    input_roots: Vec<Digest>,
    /// What is drawn from who is believed alone, if whoever looks has it.
    trust_seed: Option<[u8; 32]>,
    replay: Replay,
    /// Who writes the log now, from its last `Opened`.
    writer: Option<NodeKey>,
    /// Whether signatures of devices are looked at.
    checks_signatures: bool,
    /// The chain's height to which the last `Opened` refers.
    opened_at: BlockNumber,
    /// The highest to which an assignment refers.
    assigned_at: BlockNumber,
    queued: Vec<bool>,
    open: BTreeMap<TaskIndex, OpenTask>,
    settlement: Settlement,
    without_referee: WithoutReferee,
    end: Option<End>,
    expected: BTreeMap<u64, SignedAcknowledgement>,
    fault: Option<RecheckFault>,
}

/// An assignment as the log tells of it.
struct Assigned {
    task: TaskIndex,
    replica: ReplicaIndex,
    device: DeviceId,
    account: AccountId,
    engine: Digest,
    at: BlockNumber,
    lanes: u8,
}

impl<F: ChainFacts> Recheck<F> {
    /// A log of which nothing was seen, written by who has this key. The chunk roots of the job's
    /// shards come from its manifest, in order, and are compared with the job's.
    ///
    /// Of an adaptive job it is not looked at whether a device was drawn to be believed alone, only
    /// whether its record allows it; see [`with_trust_seed`](Self::with_trust_seed).
    pub fn new(facts: F, input_roots: Vec<Digest>, writer: NodeKey) -> Result<Self, RecheckFault> {
        let submission = &facts.job().submission;
        let is_whole = u32::try_from(input_roots.len()) == Ok(submission.tasks);
        if !is_whole || Tree::new(&input_roots).root() != submission.shards_root {
            return Err(RecheckFault::InputRoots);
        }
        let mut recheck = Self::without_roots(facts, writer)?;
        recheck.input_roots = input_roots;
        Ok(recheck)
    }

    /// The same without the shards' roots, which owner and group have. Which shard a device read is then
    /// its receipt's word; see [`crate::JobAudit`], which holds that to the job another way.
    pub fn without_roots(facts: F, writer: NodeKey) -> Result<Self, RecheckFault> {
        let tasks = facts.job().submission.tasks;
        let tariff = Tariff::of_job(facts.job()).map_err(|_| RecheckFault::NoTariff)?;
        Ok(Self {
            tariff,
            trust_seed: None,
            replay: Replay::new(facts.genesis(), facts.job_id(), writer),
            writer: None,
            checks_signatures: true,
            opened_at: 0,
            assigned_at: 0,
            queued: vec![false; tasks as usize],
            open: BTreeMap::new(),
            settlement: Settlement::new(facts.job_id(), tasks),
            without_referee: WithoutReferee::default(),
            end: None,
            expected: BTreeMap::new(),
            fault: None,
            input_roots: vec![],
            facts,
        })
    }

    /// Draws again which devices are believed alone, from the seed that follows from the job's key
    /// (`quern_shards::keys::TrustSeed`). A member of the group has the key, and whoever else looks has the
    /// seed from the owner. Without it that a device was believed is the coordinator's word. To be called
    /// before the first block.
    #[must_use]
    pub fn with_trust_seed(mut self, seed: [u8; 32]) -> Self {
        self.trust_seed = Some(seed);
        self
    }

    /// Looks at no signature of a device: for who has checked each of them before, because it took in
    /// what was signed and wrote this log itself. To be called before the first block.
    #[must_use]
    pub fn without_signatures(mut self) -> Self {
        self.checks_signatures = false;
        self
    }

    /// The first batch has this number: of a job that another masternode coordinated before, of which the
    /// chain has counted the batches before it. To be called before the first block.
    #[must_use]
    pub fn from_batch(mut self, first: BatchSequence) -> Self {
        self.settlement.begin_at(first);
        self
    }

    /// These tasks were settled by who coordinated the job before this log began. Nobody computes them
    /// again, and no batch of this log may have them. To be called before the first block.
    #[must_use]
    pub fn behind_settled(mut self, tasks: BTreeSet<TaskIndex>) -> Self {
        self.settlement.begin_behind(tasks);
        self
    }

    /// The log's head.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// What the chain says, as it was given.
    pub fn facts(&self) -> &F {
        &self.facts
    }

    /// Why the job ended, if it did.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Tasks that have their verdict, those that were settled before the log began among them.
    pub fn judged(&self) -> usize {
        self.settlement.judged()
    }

    /// From the next block on another masternode writes the log, as the chain says. What the one before
    /// acknowledged and did not write is nothing that its successor left out, so it is looked out for no
    /// more, and given back: it stands against the one before alone.
    pub fn hand_over(&mut self, to: NodeKey) -> Vec<SignedAcknowledgement> {
        self.replay.hand_over(to);
        let unwritten = std::mem::take(&mut self.expected);
        unwritten.into_values().collect()
    }

    /// Takes the next block. A block that does not follow changes nothing. Once an entry breaks a rule
    /// nothing more is taken, and the same fault is told again.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), RecheckFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let block = self.replay.take(bytes)?;
        let checked = self.check_block(block);
        if let Err(fault) = &checked {
            self.fault = Some(fault.clone());
        }
        checked
    }

    /// What a member of the group signs for a batch, if the log and the batch hold. The batch may be in
    /// the log already, or be the next one over the log as it stands.
    pub fn batch(&self, batch: &Batch) -> Result<Certificate, RecheckFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let certificate = self.replay.certificate(batch);
        let certificate = certificate.ok_or(RecheckFault::NothingToCertify)?;
        self.settlement.check(batch, self.replay.next_position())?;
        Ok(certificate)
    }

    /// Looks out for work that the coordinator acknowledged: when its position comes the receipt has to
    /// be there. To be called before the log is past it.
    pub fn expect(&mut self, acknowledgement: SignedAcknowledgement) -> Result<(), ExpectError> {
        let (genesis, signer) = (self.replay.genesis(), self.replay.signer());
        let payload = acknowledgement.payload;
        if payload.job != self.replay.job() {
            return Err(ExpectError::OtherJob);
        }
        if payload.position < self.replay.next_position() {
            return Err(ExpectError::Passed);
        }
        if self.expected.len() >= EXPECTED_MAX {
            return Err(ExpectError::TooMany);
        }
        if !acknowledgement.is_signed_by(&signer, &genesis) {
            return Err(ExpectError::Signature);
        }
        let known = self.expected.entry(payload.position);
        match known.or_insert(acknowledgement).payload == payload {
            true => Ok(()),
            false => Err(ExpectError::Taken),
        }
    }

    fn check_block(&mut self, block: SignedBlock) -> Result<(), RecheckFault> {
        let first = block.header.payload.first;
        if self.writer != Some(self.replay.signer())
            && !matches!(block.entries.first(), Some(Entry::Opened { .. }))
        {
            return Err(order(first, OrderFault::NotOpened));
        }
        for (position, entry) in (first..).zip(block.entries) {
            self.check_expected(position, &entry)?;
            self.check_entry(position, entry)?;
        }
        Ok(())
    }

    fn check_expected(&mut self, position: u64, entry: &Entry) -> Result<(), RecheckFault> {
        let acknowledged = match self.expected.remove(&position) {
            Some(acknowledged) => acknowledged,
            // Where a job has ended nothing is answered any more.
            None if matches!(entry, Entry::Ended { .. }) => match self.expected.pop_first() {
                Some((_, acknowledged)) => acknowledged,
                None => return Ok(()),
            },
            None => return Ok(()),
        };
        match entry {
            Entry::Revealed { receipt, .. }
                if receipt_digest(receipt) == acknowledged.payload.receipt =>
            {
                Ok(())
            }
            _ => Err(RecheckFault::Omitted {
                position: acknowledged.payload.position,
                acknowledgement: Box::new(acknowledged),
            }),
        }
    }

    fn check_entry(&mut self, position: u64, entry: Entry) -> Result<(), RecheckFault> {
        let may_follow_the_end = matches!(entry, Entry::Batched { .. } | Entry::Opened { .. });
        if self.end.is_some() && !may_follow_the_end {
            return Err(order(position, OrderFault::AfterEnd));
        }
        let in_order = match entry {
            Entry::Opened {
                coordinator,
                node,
                at,
            } => self.opened(&coordinator, node, at),
            Entry::Queued { first, tasks } => self.queue(first, tasks),
            Entry::Assigned {
                task,
                replica,
                device,
                account,
                engine,
                at,
                lanes,
            } => {
                let assigned = Assigned {
                    task,
                    replica,
                    device,
                    account,
                    engine,
                    at,
                    lanes,
                };
                return self.assigned(position, assigned);
            }
            Entry::Committed { commitment } => return self.committed(position, commitment),
            Entry::Revealed { receipt, .. } => return self.revealed(position, receipt),
            Entry::Released {
                task,
                replica,
                device,
                cause,
            } => self.released(position, task, replica, &device, cause),
            Entry::Added { task, replicas } => self.added(position, task, replicas),
            Entry::Refereed { task, word } => return self.refereed(position, task, &word),
            Entry::Judged { verdict } => return self.judge(position, verdict),
            Entry::Batched { batch } => return self.batched(position, &batch),
            Entry::Ended { end } => self.ended(end),
        };
        in_order.map_err(|why| order(position, why))
    }

    fn opened(
        &mut self,
        coordinator: &AccountId,
        node: NodeKey,
        at: BlockNumber,
    ) -> Result<(), OrderFault> {
        if self.writer == Some(self.replay.signer()) {
            return Err(OrderFault::OpenedTwice);
        }
        if at < self.opened_at {
            return Err(OrderFault::ChainBackwards);
        }
        self.opened_at = at;
        let names = |(account, key): (AccountId, NodeKey)| account == *coordinator && key == node;
        if node != self.replay.signer() || !self.facts.coordinator(at).is_some_and(names) {
            return Err(OrderFault::OtherCoordinator);
        }
        self.writer = Some(node);
        Ok(())
    }

    /// Assignments refer to heights of the chain that are not far behind each other.
    fn assign_as_of(&mut self, at: BlockNumber) -> Result<(), OrderFault> {
        if at.saturating_add(HEIGHT_LAG_MAX) < self.assigned_at {
            return Err(OrderFault::ChainBackwards);
        }
        self.assigned_at = self.assigned_at.max(at);
        Ok(())
    }

    fn queue(&mut self, first: TaskIndex, tasks: u32) -> Result<(), OrderFault> {
        let end = first.checked_add(tasks).ok_or(OrderFault::NoSuchTask)?;
        let queued = self.queued.get_mut(first as usize..end as usize);
        let queued = queued
            .filter(|queued| !queued.is_empty())
            .ok_or(OrderFault::NoSuchTask)?;
        if queued.contains(&true) {
            return Err(OrderFault::QueuedTwice);
        }
        queued.fill(true);
        Ok(())
    }

    /// A task that is before the judge, or comes before it with this entry.
    fn open(&mut self, task: TaskIndex) -> Result<&mut OpenTask, OrderFault> {
        match self.queued.get(task as usize) {
            None => return Err(OrderFault::NoSuchTask),
            Some(false) => return Err(OrderFault::NotQueued),
            Some(true) => {}
        }
        if self.settlement.judged_at(task).is_some() {
            return Err(OrderFault::AlreadyJudged);
        }
        let agreement = self.facts.job().submission.agreement;
        let open = self.open.entry(task);
        Ok(open.or_insert_with(|| OpenTask::new(agreement)))
    }

    fn assigned(&mut self, position: u64, it: Assigned) -> Result<(), RecheckFault> {
        let in_order = self.assign_as_of(it.at);
        in_order.map_err(|why| order(position, why))?;
        let class = self.facts.job().submission.class;
        let is_grids = it.engine == self.facts.engine(class);
        let facts = self.facts.device(&it.device, it.at);
        let row = facts.as_ref().map_or(0, |facts| facts.accepted_in_a_row);
        let given = Given {
            position,
            device: it.device,
            account: it.account.clone(),
            engine: it.engine,
            trust: Trust::of(self.trust_seed.as_ref(), it.task, &it.device, row),
            commitment: None,
        };
        let is_of_lane = self.check_lane(&it);
        let open = self.open(it.task).map_err(|why| order(position, why))?;
        // Of the lane first: the chain can tell it whoever has the device by now.
        let may_have = is_of_lane.and_then(|()| match is_grids {
            true => open.give(it.replica, given, facts),
            false => Err(AssignmentFault::OtherEngine),
        });
        may_have.map_err(|why| RecheckFault::Assignment {
            position,
            task: it.task,
            replica: it.replica,
            device: it.device,
            why,
        })
    }

    /// Whether an account is in the lane in which the log says that it was given a replica.
    fn check_lane(&self, it: &Assigned) -> Result<(), AssignmentFault> {
        let replicas = self.facts.job().submission.agreement.replicas();
        if !lanes::can_be(it.lanes, replicas) {
            return Err(AssignmentFault::NoSuchLanes { lanes: it.lanes });
        }
        let seed = self.facts.lane_seed();
        let is_its = seed.is_none_or(|seed| {
            Draw::of(&seed.0, &it.account).is_for(it.task, it.replica, it.lanes)
        });
        match is_its {
            true => Ok(()),
            false => Err(AssignmentFault::OtherLane { lanes: it.lanes }),
        }
    }

    fn committed(&mut self, position: u64, signed: SignedCommitment) -> Result<(), RecheckFault> {
        let (genesis, job) = (self.replay.genesis(), self.replay.job());
        let checks_signatures = self.checks_signatures;
        let said = signed.payload;
        let open = self.open(said.task).map_err(|why| order(position, why))?;
        let held = open.held(said.replica, &said.device);
        let why = match held {
            None => CommitmentFault::NotAssigned,
            Some(given) if said.job != job || said.log_position != given.position => {
                CommitmentFault::Other
            }
            Some(given) if given.commitment.is_some() => CommitmentFault::Twice,
            Some(_) if checks_signatures && !signed.is_signed_by(&said.device, &genesis) => {
                CommitmentFault::Signature
            }
            Some(_) => {
                open.commit(said.replica, said.commitment);
                return Ok(());
            }
        };
        Err(RecheckFault::Commitment {
            position,
            assigned: held.map(|given| given.position),
            commitment: Box::new(signed),
            why,
        })
    }

    fn revealed(&mut self, position: u64, receipt: SignedReceipt) -> Result<(), RecheckFault> {
        let payload = &receipt.payload;
        let open = self.open(payload.task);
        let open = open.map_err(|why| order(position, why))?;
        let held = open.held(payload.replica, &payload.device).cloned();
        let assigned = held.as_ref().map(|given| given.position);
        let holds = match held {
            Some(given) => self.check_reveal(&receipt, &given),
            None => Err(RevealFault::NotAssigned),
        };
        if let Err(why) = holds {
            return Err(RecheckFault::Reveal {
                position,
                assigned,
                receipt: Box::new(receipt),
                why,
            });
        }
        if let Some(open) = self.open.get_mut(&receipt.payload.task) {
            open.answer(position, &receipt);
        }
        Ok(())
    }

    fn check_reveal(&self, receipt: &SignedReceipt, given: &Given) -> Result<(), RevealFault> {
        let payload = &receipt.payload;
        let submission = &self.facts.job().submission;
        let input_root = self.input_roots.get(payload.task as usize);
        let expected = Expected {
            job: self.replay.job(),
            task: payload.task,
            replica: payload.replica,
            device: given.device,
            program: submission.program,
            // A task that is open has a shard. Where its root is not known, the receipt's is believed.
            input_root: input_root.copied().unwrap_or(payload.input_root),
            question: self.facts.question(payload.task),
            class: submission.class,
            engine: given.engine,
            log_position: given.position,
            fuel_max: submission.fuel_per_task_max,
            result_bytes_max: submission.result_bytes_max.into(),
        };
        match self.checks_signatures {
            true => check_receipt(receipt, &expected, &self.replay.genesis())?,
            false => check_statement(payload, &expected)?,
        }
        match given.commitment {
            Some(commitment) if commitment == payload.commitment() => Ok(()),
            None if !submission.agreement.commits() => Ok(()),
            Some(_) | None => Err(RevealFault::Commitment),
        }
    }

    fn released(
        &mut self,
        position: u64,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: &DeviceId,
        cause: ReleaseCause,
    ) -> Result<(), OrderFault> {
        self.open(task)?.release(position, replica, device, cause)
    }

    fn added(&mut self, position: u64, task: TaskIndex, replicas: u8) -> Result<(), OrderFault> {
        let open = self.open(task)?;
        if !open.court.add(replicas) {
            return Err(OrderFault::TooManyReplicas);
        }
        open.note(position);
        Ok(())
    }

    fn judge(&mut self, position: u64, verdict: Verdict) -> Result<(), RecheckFault> {
        let (job, task, tariff) = (self.replay.job(), verdict.task, self.tariff);
        if let Some(first) = self.settlement.judged_at(task) {
            return Err(RecheckFault::JudgedTwice {
                task,
                first,
                second: position,
            });
        }
        let open = self.open(task).map_err(|why| order(position, why))?;
        let ruling = match verdict.ground {
            Ground::Trusted => open.court.ruling_as_said(job, task, &tariff),
            _ => open.court.ruling(job, task, &tariff),
        };
        let differs = match ruling {
            Ruling::Verdict(expected) => difference(&verdict, &expected),
            Ruling::NeedsReferee | Ruling::Undecidable | Ruling::Open => {
                Some(VerdictFault::Undecided)
            }
        };
        if let Some(why) = differs {
            return Err(RecheckFault::Verdict {
                position,
                task,
                verdict: Box::new(verdict),
                why,
                evidence: open.evidence(),
            });
        }
        self.open.remove(&task);
        self.without_referee.judge(task, verdict.answer);
        self.settlement.judge(position, verdict);
        Ok(())
    }

    fn batched(&mut self, position: u64, batch: &Batch) -> Result<(), RecheckFault> {
        self.settlement.settle(batch, position)?;
        // It was just read without a fault.
        if let Ok(set) = tasks::validate(&batch.tasks, self.facts.job().submission.tasks) {
            self.without_referee.batch(batch.sequence, set.iter());
        }
        Ok(())
    }
}

fn order(position: u64, why: OrderFault) -> RecheckFault {
    RecheckFault::Order { position, why }
}

/// Whether a verdict can be settled: that a program fails is not.
pub(crate) fn is_settleable(verdict: &Verdict) -> bool {
    verdict.answer.exit == Exit::Success
}
