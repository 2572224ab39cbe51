//! What referees say, as the log has it.

use super::{Recheck, order};
use crate::{
    facts::ChainFacts,
    fault::{RecheckFault, RefereeFault},
    unrefereed::Unrefereed,
};
use quern_joblog::RefereeWord;
use quern_primitives::{
    ids::{BatchSequence, TaskIndex},
    log::RefereeStatement,
    receipt::Answer,
};
use std::collections::BTreeSet;

impl<F: ChainFacts> Recheck<F> {
    /// Whether a referee may be heard on a task, as far as the log was taken.
    pub fn awaits_referee(&self, task: TaskIndex) -> bool {
        let job = self.replay.job();
        let open = self.open.get(&task);
        open.is_some_and(|open| open.court.awaits_referee(job, task, &self.tariff))
    }

    /// The tasks of a batch of which the log says that no referee's word can be had, with what was accepted: whose
    /// certificate is asked for holds them to what it saw itself ([`crate::check_unrefereed`]). In a group of
    /// one there are none, because nobody else can be asked.
    pub fn unrefereed(&self, sequence: BatchSequence) -> &[Unrefereed] {
        self.without_referee.of_batch(sequence)
    }

    /// The same of the task for which the job ends.
    pub fn unrefereed_end(&self) -> Option<Unrefereed> {
        self.without_referee.of_task(self.end?.task()?)
    }

    pub(super) fn refereed(
        &mut self,
        position: u64,
        task: TaskIndex,
        word: &RefereeWord,
    ) -> Result<(), RecheckFault> {
        let (job, tariff) = (self.replay.job(), self.tariff);
        let truth = self.truth(task, word);
        let open = self.open(task).map_err(|why| order(position, why))?;
        let is_waiting = open.court.awaits_referee(job, task, &tariff);
        let truth = truth.and_then(|truth| match is_waiting {
            true => Ok(truth),
            false => Err(RefereeFault::NotWaiting),
        });
        let truth = truth.map_err(|why| RecheckFault::Referee {
            position,
            task,
            why,
        })?;
        open.court.refereed(truth);
        open.note(position);
        if truth.is_none() && self.facts.others() != Some(0) {
            self.without_referee.note(task);
        }
        Ok(())
    }

    /// What a word says that comes out of a task, if it is one that counts; `None` if it says that there is no
    /// referee.
    fn truth(&self, task: TaskIndex, word: &RefereeWord) -> Result<Option<Answer>, RefereeFault> {
        let statements = word.statements();
        for statement in &statements {
            self.check_statement(task, statement)?;
        }
        if !self.is_of_as_many_as_asked(word) {
            return Err(RefereeFault::Number);
        }
        let nodes: BTreeSet<_> = statements.iter().map(|it| it.node).collect();
        if nodes.len() != statements.len() {
            return Err(RefereeFault::Twice);
        }
        match (word, word.truth()) {
            (RefereeWord::None, _) => Ok(None),
            (_, Some(truth)) => Ok(Some(truth.report.payload.answer)),
            (_, None) => Err(RefereeFault::Split),
        }
    }

    /// Whether one masternode's word is one of a referee on a task.
    fn check_statement(
        &self,
        task: TaskIndex,
        statement: &RefereeStatement,
    ) -> Result<(), RefereeFault> {
        let RefereeStatement { report, node } = statement;
        let payload = &report.payload;
        if payload.job != self.replay.job() || payload.task != task {
            return Err(RefereeFault::Other);
        }
        if !self.facts.may_referee(node, &self.replay.signer()) {
            return Err(RefereeFault::NoReferee);
        }
        match report.is_signed_by(node, &self.replay.genesis()) {
            true => Ok(()),
            false => Err(RefereeFault::Signature),
        }
    }

    /// Whether it is the word of one masternode or of several, whichever the job asks for and its group allows.
    fn is_of_as_many_as_asked(&self, word: &RefereeWord) -> bool {
        let referees = self.facts.job().submission.referees;
        let Some(others) = self.facts.others() else {
            return true;
        };
        let are_several = referees.quorum(others) > 1;
        match word {
            RefereeWord::None => true,
            RefereeWord::Computed { .. } => !are_several,
            RefereeWord::Several { .. } => are_several,
        }
    }
}
