//! A device, as the core sees one: it computes well or badly, and keeps what is not acknowledged.

use super::world::{GENESIS, JOB, REFEREE};
use crate::core::{PlannedAssignment, Shown, Truth, WorkPlan};
use quern_primitives::{
    device::{Class, History},
    ids::{AccountId, DeviceId, Digest, NodeKey, ProgramHash, TaskIndex},
    log::{Commitment, RefereeReport, SignedCommitment},
    payload::{DeviceKey, NodeSecret},
    receipt::{Answer, Exit, Receipt},
};
use quern_protocol::{DiscardReason, Output, Refusal, ReplicaId, Report};
use quern_shards::{chunks::chunk_root, seal::sealed_bytes};

/// What each task asks.
pub(super) const QUESTION: Digest = Digest([46; 32]);

pub(super) const ENGINE: Digest = Digest([6; 32]);
pub(super) const PORTABLE_ENGINE: Digest = Digest([8; 32]);
const RESULT_BYTES: u64 = 3;

/// How a device computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    Honest,
    /// Gives an answer of its own.
    Lies(u8),
    /// Says that the program traps.
    Traps,
}

pub(super) struct Worker {
    key: DeviceKey,
    pub(super) account: AccountId,
    pub(super) habit: Habit,
    /// The length of its results, where the program ends well.
    pub(super) result_bytes: u64,
    /// The engines it names in its hello.
    pub(super) engines: Vec<(Class, Digest)>,
    /// What it shows of shards is this; none if it shows nothing.
    pub(super) shows: Option<Shown>,
    /// Whether the council has verified it.
    pub(super) trusted: bool,
    /// What the chain remembers of its last tasks.
    pub(super) history: History,
    /// How many answers of it the chain has as accepted in a row.
    pub(super) accepted_in_a_row: u32,
    pub(super) in_hand: Vec<PlannedAssignment>,
    /// Reports that are not acknowledged.
    pub(super) reports: Vec<Report>,
    pub(super) acknowledged: Vec<ReplicaId>,
    /// What it was asked to reveal.
    pub(super) asked: Vec<ReplicaId>,
    pub(super) discarded: Vec<(ReplicaId, DiscardReason)>,
    pub(super) answers: Vec<WorkPlan>,
    pub(super) refusals: Vec<Refusal>,
}

impl Worker {
    pub(super) fn new(seed: u8, account: u8, habit: Habit) -> Self {
        Self {
            key: DeviceKey::from_seed(&[seed; 32]),
            account: AccountId::new([account; 32]),
            habit,
            result_bytes: RESULT_BYTES,
            engines: vec![(Class::Pinned, ENGINE)],
            shows: Some(Shown::Right),
            trusted: false,
            history: History::default(),
            accepted_in_a_row: 0,
            in_hand: vec![],
            reports: vec![],
            acknowledged: vec![],
            asked: vec![],
            discarded: vec![],
            answers: vec![],
            refusals: vec![],
        }
    }

    pub(super) fn id(&self) -> DeviceId {
        self.key.id()
    }

    pub(super) fn names(&self) -> Vec<ReplicaId> {
        self.in_hand.iter().map(|given| given.id).collect()
    }

    /// What the device states about a replica it was given.
    pub(super) fn receipt(&self, given: &PlannedAssignment, output: &[u8]) -> Receipt {
        let ReplicaId { job, task, replica } = given.id;
        let (value, exit) = match self.habit {
            Habit::Honest => (task as u8, Exit::Success),
            Habit::Lies(value) => (value, Exit::Success),
            Habit::Traps => (0, Exit::Trap),
        };
        Receipt {
            job,
            task,
            replica,
            device: self.id(),
            program: ProgramHash([2; 32]),
            input_root: input_root(task),
            question: QUESTION,
            result_commitment: Digest([value; 32]),
            output_root: chunk_root(output),
            result_bytes: if exit == Exit::Success {
                self.result_bytes
            } else {
                0
            },
            fuel: 1_000_000_000 + u64::from(task),
            exit,
            class: Class::Pinned,
            engine: ENGINE,
            log_position: given.log_position,
            salt: [90; 32].into(),
        }
    }

    pub(super) fn output(&self) -> Vec<u8> {
        let plaintext = if self.habit == Habit::Traps {
            0
        } else {
            self.result_bytes
        };
        vec![self.id().0[0]; sealed_bytes(plaintext) as usize]
    }

    pub(super) fn sign(&self, receipt: Receipt, output: Vec<u8>) -> Report {
        Report {
            receipt: self.key.sign(receipt, &GENESIS),
            output: Output::Inline(output),
        }
    }

    /// Commits itself for a replica that it was given at this place of the log.
    pub(super) fn commit(
        &self,
        id: ReplicaId,
        log_position: u64,
        commitment: Digest,
    ) -> SignedCommitment {
        let commitment = Commitment {
            job: id.job,
            task: id.task,
            replica: id.replica,
            device: self.id(),
            log_position,
            commitment,
        };
        self.key.sign(commitment, &GENESIS)
    }

    /// Computes everything in hand.
    pub(super) fn compute(&mut self) {
        for given in std::mem::take(&mut self.in_hand) {
            let output = self.output();
            let receipt = self.receipt(&given, &output);
            self.reports.push(self.sign(receipt, output));
        }
    }

    pub(super) fn hears(&mut self, work: WorkPlan) {
        self.reports
            .retain(|report| !work.acknowledged.iter().any(|told| told.id == name(report)));
        self.acknowledged
            .extend(work.acknowledged.iter().map(|told| told.id));
        self.asked.extend(&work.reveals);
        for discard in &work.discard {
            self.reports.retain(|report| name(report) != discard.id);
            self.in_hand.retain(|given| given.id != discard.id);
            self.discarded.push((discard.id, discard.reason));
        }
        self.in_hand.extend(&work.assignments);
        self.answers.push(work);
    }
}

/// What comes out of a task, as an honest device answers it.
pub(super) fn truth(task: TaskIndex) -> Truth {
    let answer = Answer {
        result_commitment: Digest([task as u8; 32]),
        result_bytes: RESULT_BYTES,
        fuel: 1_000_000_000 + u64::from(task),
        exit: Exit::Success,
    };
    found(task, answer)
}

/// The word of a referee that finds this answer. The core leaves its signature to others to check.
pub(super) fn found(task: TaskIndex, answer: Answer) -> Truth {
    let sealed = vec![77; sealed_bytes(RESULT_BYTES) as usize];
    let report = RefereeReport {
        job: JOB,
        task,
        question: QUESTION,
        answer,
    };
    Truth {
        report: NodeSecret::from_seed(&[77; 32]).sign(report, &GENESIS),
        node: NodeKey(REFEREE.0),
        output_root: chunk_root(&sealed),
        output: Output::Inline(sealed),
        others: vec![],
    }
}

pub(super) fn name(report: &Report) -> ReplicaId {
    crate::core::replica_of(&report.receipt)
}

pub(super) fn input_root(task: TaskIndex) -> Digest {
    Digest([(task as u8).wrapping_add(50); 32])
}
