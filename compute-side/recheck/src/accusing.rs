//! From an answer that masternodes contradict to what the chain is shown.
//!
//! Nothing is wrong with such a log: its verdict says what a referee or devices said. The chain takes a part of the
//! bond of the device's account where more than half of the job's group have computed what the device says it did
//! not get; and the bond of the referee, where they have computed what it says did not come out.

use crate::{compare::OnChain, exhibits::Shown, showing::SHOWN_MAX, showing::Unfiled};
use quern_dispute_rules::{
    Evidence,
    evidence::{BatchName, Certified, FalseReport, Input, WrongAnswer},
};
use quern_joblog::{Entry, RefereeWord, SignedBlock};
use quern_primitives::{
    batch::BatchRecord,
    ids::{Digest, JobId, NodeKey, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
    log::{RefereeReport, SignedRefereeReport},
    merkle::Tree,
    payload::NodeSignature,
    receipt::SignedReceipt,
};

/// Gathers from a log what the chain has to be shown of one task that a pending batch settles. The log is read
/// again for it, from its beginning.
#[derive(Clone, Debug)]
pub struct Accusing {
    batch: BatchName,
    record: BatchRecord,
    task: TaskIndex,
    /// The blocks in which the task was given to devices.
    shown: Vec<Shown>,
    receipts: Vec<SignedReceipt>,
    /// What the log's referee says that came out, and its key.
    referee: Option<(SignedRefereeReport, NodeKey)>,
    /// What all of them are held to, and the key of who computed it: the referee's, if there is no other.
    report: Option<(SignedRefereeReport, NodeKey)>,
}

impl Accusing {
    /// Begins with a task, if a batch that settles it is pending.
    pub fn of(job: JobId, task: TaskIndex, on_chain: &OnChain) -> Result<Self, Unfiled> {
        let sequence = on_chain.pending_with(task).ok_or(Unfiled::NoBatch)?;
        let record = on_chain.batches.get(&sequence).ok_or(Unfiled::NoBatch)?;
        Ok(Self {
            batch: BatchName { job, sequence },
            record: *record,
            task,
            shown: Vec::new(),
            receipts: Vec::new(),
            referee: None,
            report: None,
        })
    }

    /// Takes the next block. False if it, and so all behind it, is of no use.
    pub fn take(&mut self, block: &SignedBlock) -> bool {
        let header = &block.header.payload;
        if header.index > self.record.block {
            return false;
        }
        let mut is_given = false;
        for entry in &block.entries {
            match entry {
                Entry::Assigned { task, .. } => is_given |= *task == self.task,
                Entry::Revealed { receipt, .. }
                    if receipt.payload.task == self.task
                        && self.receipts.len() < usize::from(REPLICAS_PER_TASK_MAX) =>
                {
                    self.receipts.push(receipt.clone());
                }
                Entry::Refereed {
                    task,
                    word: RefereeWord::Computed { report, node },
                } if *task == self.task => {
                    self.referee = Some((*report, *node));
                    self.report = self.referee;
                }
                _ => {}
            }
        }
        self.shown.iter_mut().for_each(|shown| shown.take(header));
        if is_given && self.shown.len() < SHOWN_MAX {
            self.shown.push(Shown::new(block.clone()));
        }
        true
    }

    /// What a masternode computed that is not the log's referee, with its key, in the place of what the log says.
    pub fn contradicted_by(mut self, report: SignedRefereeReport, node: NodeKey) -> Self {
        self.report = Some((report, node));
        self
    }

    /// What devices and the log's referee are held to, and the key that signed it, once there is such a report.
    pub fn report(&self) -> Option<&(SignedRefereeReport, NodeKey)> {
        self.report.as_ref()
    }

    /// What the log's referee says that came out, and its key.
    pub fn referee(&self) -> Option<&(SignedRefereeReport, NodeKey)> {
        self.referee.as_ref()
    }

    /// What devices signed that were asked what the referee was, and answered otherwise.
    pub fn accused(&self) -> impl Iterator<Item = &SignedReceipt> {
        self.receipts.iter().filter(|receipt| {
            let (said, report) = (&receipt.payload, &self.report);
            report.as_ref().is_some_and(|(report, _)| {
                let truth = &report.payload;
                said.question == truth.question && said.answer() != truth.answer
            })
        })
    }

    /// What the chain is shown of one of them, with the signatures of who computed the same as the report: their
    /// places in the group, ascending. None if the log does not have what it takes.
    pub fn evidence(
        &self,
        receipt: &SignedReceipt,
        referees: &[(u8, NodeSignature)],
        input_roots: &[Digest],
    ) -> Option<Evidence> {
        let proof = Tree::new(input_roots).proof(self.task)?;
        let place = usize::try_from(self.task).ok()?;
        let input = Input {
            root: *input_roots.get(place)?,
            siblings: proof.siblings.try_into().ok()?,
        };
        let (report, _) = self.report.as_ref()?;
        Some(Evidence::WrongAnswer(Box::new(WrongAnswer {
            batch: self.batch,
            receipt: receipt.clone(),
            input,
            assignment: self.given(receipt.payload.log_position)?,
            report: report.payload,
            referees: referees.to_vec().try_into().ok()?,
        })))
    }

    /// What the chain is shown of the log's referee, if that was asked the same and says something else, with the
    /// signatures of who computed the same as the report: their places in the group, ascending.
    pub fn false_report(&self, referees: &[(u8, NodeSignature)]) -> Option<Evidence> {
        let (said, node) = self.referee?;
        let truth = self.report?.0.payload;
        let was_asked_the_same = said.payload
            == RefereeReport {
                answer: said.payload.answer,
                ..truth
            };
        if !was_asked_the_same || said.payload == truth {
            return None;
        }
        Some(Evidence::FalseReport(Box::new(FalseReport {
            node,
            said,
            answer: truth.answer,
            referees: referees.to_vec().try_into().ok()?,
        })))
    }

    fn given(&self, position: u64) -> Option<Certified> {
        let mut shown = self.shown.iter();
        shown.find_map(|shown| shown.certified(position))
    }
}
