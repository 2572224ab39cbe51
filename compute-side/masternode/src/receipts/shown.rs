//! What a masternode shows of what a batch rests on: to devices that ask, and to the chain when a dispute
//! does.

use super::{Log, Outcome, Proofs};
use crate::core::{Entry, RefereeWord};
use quern_dispute_rules::{Question, Reply, evidence::Leaf};
use quern_jobs_api::ApiError;
use quern_primitives::{
    Digest, TaskIndex, ids::BatchSequence, log::RefereeStatement, receipt::Answer,
};
use quern_protocol::ShownVerdict;

impl Outcome {
    /// What answers a question about a batch, if the log has it. A task that was settled again since, in
    /// another batch, is not shown for this one.
    pub(crate) fn reply(
        &self,
        log: &impl Log,
        batch: BatchSequence,
        question: &Question,
    ) -> Result<Option<Reply>, ApiError> {
        match question {
            Question::Omission { acknowledgement } => {
                let leaf = self.leaf(log, batch, acknowledgement.task)?;
                // One that does not name the receipt is no answer.
                let names = leaf.filter(|leaf| {
                    leaf.verdict().is_some_and(|verdict| {
                        verdict.replicas.iter().any(|found| {
                            found.replica == acknowledgement.replica
                                && found.device == acknowledgement.device
                                && found.receipt == Some(acknowledgement.receipt)
                        })
                    })
                });
                Ok(names.map(Reply::Verdict))
            }
            Question::Verdict { task } => Ok(self.leaf(log, batch, *task)?.map(Reply::Verdict)),
            Question::Receipt { receipt } => self.named(log, batch, receipt),
            Question::Report { task, answer } => self.report(log, *task, answer),
        }
    }

    /// The verdicts of these tasks that a batch has, and that it has them. A task that it does not settle is
    /// left out.
    pub(crate) fn shown(
        &mut self,
        log: &impl Log,
        batch: BatchSequence,
        tasks: &[TaskIndex],
    ) -> Result<Vec<ShownVerdict>, ApiError> {
        let mut shown = Vec::new();
        for task in tasks {
            if !self.batches.contains_key(task) {
                continue;
            }
            let proofs = self.proving(log, *task)?;
            let place = proofs.tasks.binary_search(task).ok();
            let place = place.filter(|_| proofs.sequence == batch);
            let proof = place.and_then(|place| proofs.tree.proof(u32::try_from(place).ok()?));
            if let Some(proof) = proof {
                let verdict = self.verdict(log, *task)?;
                shown.push(ShownVerdict { verdict, proof });
            }
        }
        Ok(shown)
    }

    /// What proves the verdict of a task in this batch.
    fn leaf(
        &self,
        log: &impl Log,
        batch: BatchSequence,
        task: TaskIndex,
    ) -> Result<Option<Leaf>, ApiError> {
        let Some(proofs) = self.of_batch(log, batch, task)? else {
            return Ok(None);
        };
        let place = proofs.tasks.binary_search(&task).ok();
        let proof = place.and_then(|place| proofs.tree.proof(u32::try_from(place).ok()?));
        let verdict = self.verdict(log, task)?;
        Ok(proof.and_then(|proof| Leaf::new(&verdict, proof)))
    }

    /// The proofs of this batch, if it is the one that settles the task.
    fn of_batch(
        &self,
        log: &impl Log,
        batch: BatchSequence,
        task: TaskIndex,
    ) -> Result<Option<Proofs>, ApiError> {
        let Some(at) = self.batches.get(&task) else {
            return Ok(None);
        };
        let proofs = self.proofs(log, *at, &ApiError::NotSettled { task })?;
        Ok(Some(proofs).filter(|proofs| proofs.sequence == batch))
    }

    /// The receipt of this digest that a verdict of the batch names.
    fn named(
        &self,
        log: &impl Log,
        batch: BatchSequence,
        receipt: &Digest,
    ) -> Result<Option<Reply>, ApiError> {
        for (task, at) in &self.batches {
            let Some(Entry::Batched { batch: known }) = log.entry(*at)? else {
                continue;
            };
            if known.sequence != batch {
                continue;
            }
            let verdict = self.verdict(log, *task)?;
            let mut found = verdict.replicas.iter();
            if let Some(found) = found.find(|found| found.receipt == Some(*receipt)) {
                let (shown, _) = self.receipt(log, *task, found.replica)?;
                return Ok(Some(Reply::Receipt(Box::new(shown))));
            }
        }
        Ok(None)
    }

    /// The report of the referees that say this of a task.
    fn report(
        &self,
        log: &impl Log,
        task: TaskIndex,
        answer: &Answer,
    ) -> Result<Option<Reply>, ApiError> {
        let at = self.refereed.get(&task);
        let Some(Entry::Refereed { word, .. }) = at.map(|at| log.entry(*at)).transpose()?.flatten()
        else {
            return Ok(None);
        };
        let truth = word.truth();
        let truth = truth.filter(|truth| truth.report.payload.answer == *answer);
        Ok(truth.map(|truth| shown_report(&word, truth)))
    }
}

/// A report with the signatures of all who agree on it, as the chain is shown it.
fn shown_report(word: &RefereeWord, truth: RefereeStatement) -> Reply {
    let RefereeStatement { report, node } = truth;
    match word {
        RefereeWord::Several { .. } => {
            let signed = word.agreeing().into_iter();
            let signed = signed.map(|it| (it.node, it.report.signature));
            Reply::reports(report.payload, signed.collect())
        }
        RefereeWord::Computed { .. } | RefereeWord::None => Reply::Report {
            report: Box::new(report),
            node,
        },
    }
}
