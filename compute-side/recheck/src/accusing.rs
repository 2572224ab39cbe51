//! From an answer that masternodes contradict to what the chain is shown.
//!
//! Nothing is wrong with such a log: its verdict says what a referee or devices said. The chain takes a part of the
//! bond of the device's account where more than half of the job's group have computed what the device says it did
//! not get; and the bond of a referee, where they have computed what it says did not come out. Of a job that asks for
//! three referees the log has the words of each: those who say the same bear each other out, and one that differs is
//! contradicted by them already.

use crate::{compare::OnChain, exhibits::Shown, showing::SHOWN_MAX, showing::Unfiled};
use quern_dispute_rules::{
    Evidence,
    evidence::{BatchName, Certified, FalseReport, Input, WrongAnswer},
};
use quern_joblog::{Entry, SignedBlock};
use quern_primitives::{
    batch::BatchRecord,
    ids::{Digest, JobId, NodeKey, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
    log::{RefereeReport, RefereeStatement, SignedRefereeReport},
    merkle::Tree,
    payload::NodeSignature,
    receipt::SignedReceipt,
};
use std::iter;

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
    /// What each of the log's referees says that came out.
    referees: Vec<RefereeStatement>,
    /// Who computed what all of them are held to: those of the log's referees who are believed, if nobody has
    /// contradicted them.
    agreeing: Vec<RefereeStatement>,
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
            referees: Vec::new(),
            agreeing: Vec::new(),
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
                Entry::Refereed { task, word } if *task == self.task => {
                    self.referees = word.statements();
                    self.agreeing = word.agreeing();
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

    /// What a masternode computed, with its key, in the place of what the log says. Those of the log's referees who
    /// say the same bear it out.
    pub fn contradicted_by(mut self, report: SignedRefereeReport, node: NodeKey) -> Self {
        let is_same =
            |it: &RefereeStatement| it.node != node && it.report.payload == report.payload;
        let others = self.referees.iter().copied().filter(is_same);
        self.agreeing = iter::once(RefereeStatement { report, node })
            .chain(others)
            .collect();
        self
    }

    /// Who computed what devices and the log's referees are held to, all of them the same, once somebody has.
    pub fn agreeing(&self) -> &[RefereeStatement] {
        &self.agreeing
    }

    /// What each of the log's referees says that came out.
    pub fn referees(&self) -> &[RefereeStatement] {
        &self.referees
    }

    /// Those of the log's referees that were asked the same, and say something else.
    pub fn dissenting(&self) -> Vec<RefereeStatement> {
        let referees = self.referees.iter().copied();
        referees.filter(|it| self.is_contradicted(it)).collect()
    }

    fn is_contradicted(&self, referee: &RefereeStatement) -> bool {
        let said = &referee.report.payload;
        self.report().is_some_and(|truth| {
            let was_asked_the_same = *said
                == RefereeReport {
                    answer: said.answer,
                    ..*truth
                };
            was_asked_the_same && said != truth
        })
    }

    /// What came out of the task.
    fn report(&self) -> Option<&RefereeReport> {
        self.agreeing.first().map(|first| &first.report.payload)
    }

    /// What devices signed that were asked what the referee was, and answered otherwise.
    pub fn accused(&self) -> impl Iterator<Item = &SignedReceipt> {
        self.receipts.iter().filter(move |receipt| {
            let said = &receipt.payload;
            self.report().is_some_and(|truth| {
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
        Some(Evidence::WrongAnswer(Box::new(WrongAnswer {
            batch: self.batch,
            receipt: receipt.clone(),
            input,
            assignment: self.given(receipt.payload.log_position)?,
            report: *self.report()?,
            referees: referees.to_vec().try_into().ok()?,
        })))
    }

    /// What the chain is shown of each of the log's referees that was asked the same and says something else, with
    /// the signatures of who computed the same as the report: their places in the group, ascending. Its own must not
    /// be among them.
    pub fn false_reports(&self, referees: &[(u8, NodeSignature)]) -> Vec<Evidence> {
        let shown = self.dissenting().into_iter().filter_map(|it| {
            Some(Evidence::FalseReport(Box::new(FalseReport {
                node: it.node,
                said: it.report,
                answer: self.report()?.answer,
                referees: referees.to_vec().try_into().ok()?,
            })))
        });
        shown.collect()
    }

    fn given(&self, position: u64) -> Option<Certified> {
        let mut shown = self.shown.iter();
        shown.find_map(|shown| shown.certified(position))
    }
}
