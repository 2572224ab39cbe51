//! Tasks before the judge: who has reported, what the judge says, and what remains when a case is closed.

use super::{ActiveJob, OpenTask, Place, Reporter, Task};
use crate::core::{Tick, Ticket, impasse::Impasse};
use quern_primitives::{
    ids::{Digest, ReplicaIndex, TaskIndex},
    receipt::{Exit, SignedReceipt},
    verdict::{Finding, Ground, Verdict},
};
use quern_verdict::{Case, Decision, Hearing, Testimony};
use std::collections::{BTreeMap, BTreeSet};

impl ActiveJob {
    /// A device's report for a replica was taken, with this entry; the digest is the receipt's.
    pub(in crate::core) fn reported(
        &mut self,
        place: Place,
        receipt: &SignedReceipt,
        digest: Digest,
    ) {
        let payload = &receipt.payload;
        let Some(holding) = self.let_go(payload.task, payload.replica) else {
            return;
        };
        let Some(open) = self.open_mut(payload.task) else {
            return;
        };
        let reporter = Reporter {
            device: payload.device,
            account: holding.account.clone(),
            place,
        };
        open.reported.insert(payload.replica, reporter);
        let testimony = Testimony::Answered {
            answer: payload.answer(),
            receipt: digest,
        };
        open.case
            .hear(payload.replica, payload.device, holding.account, testimony);
        if open.believed == Some(payload.replica) {
            open.case.trust(payload.replica);
        }
        open.is_doubted |= payload.exit != Exit::Success || open.case.is_divided();
        self.counters.replicas += 1;
    }

    /// Tasks on which the judge has something to say: a crash came between the last report and what
    /// the judge said of it, or their answer is sure and only the rest is waited for.
    pub(in crate::core) fn unjudged(&self) -> Vec<TaskIndex> {
        let waits = |task: &TaskIndex| {
            matches!(
                self.hearing(*task),
                Some(
                    Hearing::Decided(_)
                        | Hearing::NeedsMore { .. }
                        | Hearing::NeedsReferee
                        | Hearing::Undecidable
                        | Hearing::Open { certain: Some(_) }
                )
            )
        };
        (0..).take(self.tasks.len()).filter(waits).collect()
    }

    /// Whether more than one device is to be heard on a task before the judge.
    pub(in crate::core) fn wants_second(&self) -> bool {
        let mut tasks = self.tasks.iter();
        tasks.any(|task| matches!(task, Task::Open(open) if open.case.replicas() > 1))
    }

    /// Where a task's case stands.
    pub(in crate::core) fn hearing(&self, task: TaskIndex) -> Option<Hearing> {
        let open = self.open(task)?;
        let outstanding = open
            .case
            .replicas()
            .saturating_sub(open.reported.len() as u8);
        Some(open.case.hearing(outstanding))
    }

    pub(in crate::core) fn add_replicas(
        &mut self,
        task: TaskIndex,
        replicas: u8,
    ) -> Vec<ReplicaIndex> {
        let Some(open) = self.open_mut(task) else {
            return vec![];
        };
        let first = open.case.replicas();
        open.case.add_replicas(replicas);
        (first..open.case.replicas()).collect()
    }

    /// Puts prices to a decision.
    pub(in crate::core) fn verdict(&self, task: TaskIndex, decision: Decision) -> Verdict {
        let answer = decision.answer;
        let mut replicas = decision.findings;
        let is_accepted = |finding: &Finding| *finding == Finding::Accepted;
        let agreeing = replicas
            .iter()
            .filter(|found| is_accepted(&found.finding))
            .count() as u8;
        let price = match (answer.exit, &self.tariff) {
            // Where no device gave the answer there is nobody to pay.
            (Exit::Success, Some(tariff)) if agreeing > 0 => tariff.price(answer.fuel),
            _ => 0,
        };
        for found in replicas
            .iter_mut()
            .filter(|found| is_accepted(&found.finding))
        {
            let tariff = self.tariff.as_ref();
            found.pay = tariff.map_or(0, |tariff| tariff.pays(price, agreeing));
        }
        Verdict {
            job: self.id,
            task,
            answer,
            ground: decision.ground,
            price,
            replicas,
        }
    }

    /// Closes a task's case with its verdict.
    pub(in crate::core) fn judged(&mut self, ticket: Ticket, verdict: Verdict, now: Tick) {
        if !self.close_case(verdict.task) {
            return;
        }
        let incorrect = verdict
            .replicas
            .iter()
            .filter(|found| found.finding == Finding::Incorrect);
        self.counters.incorrect += incorrect.count() as u32;
        self.counters.refereed += u32::from(verdict.ground == Ground::Referee);
        self.counters.voted += u32::from(verdict.ground == Ground::Vote);
        self.counters.decided += 1;
        self.counters.fuel = self.counters.fuel.saturating_add(verdict.answer.fuel);
        self.counters.spent = self.counters.spent.saturating_add(verdict.price);
        if verdict.answer.exit == Exit::Success {
            self.unsettled.push_back((ticket, verdict));
            self.oldest_unsettled.get_or_insert(now);
        } else {
            let why = Impasse::Program(verdict.answer.exit);
            self.failed.get_or_insert((ticket, verdict.task, why));
            self.let_everything_go();
        }
    }

    /// Closes a task's case without a verdict, because no answer can be accepted any more. Nobody is
    /// paid or blamed for it.
    pub(in crate::core) fn stuck(&mut self, ticket: Ticket, task: TaskIndex, why: Impasse) {
        if self.close_case(task) {
            self.failed.get_or_insert((ticket, task, why));
            self.let_everything_go();
        }
    }

    /// Remembers of a task before the judge only who reported. False if it is not before the judge.
    fn close_case(&mut self, task: TaskIndex) -> bool {
        let Some(state) = self.tasks.get_mut(task as usize) else {
            return false;
        };
        let Task::Open(open) = state else {
            return false;
        };
        let reported = open
            .reported
            .iter()
            .map(|(replica, by)| (*replica, by.device, by.place))
            .collect();
        *state = Task::Closed(reported);
        self.certain.end(task);
        self.unopened.remove(task);
        self.opinions.end(task);
        self.missing.remove(&task);
        true
    }

    /// A task that is before the judge.
    pub(in crate::core) fn open(&self, task: TaskIndex) -> Option<&OpenTask> {
        match self.tasks.get(task as usize)? {
            Task::Open(open) => Some(open),
            _ => None,
        }
    }

    pub(in crate::core) fn open_mut(&mut self, task: TaskIndex) -> Option<&mut OpenTask> {
        match self.tasks.get_mut(task as usize)? {
            Task::Open(open) => Some(open),
            _ => None,
        }
    }

    /// The same; one that nobody has touched comes before the judge.
    pub(super) fn open_or_new(&mut self, task: TaskIndex) -> Option<&mut OpenTask> {
        let agreement = self.job.submission.agreement;
        let state = self.tasks.get_mut(task as usize)?;
        if matches!(state, Task::Untouched) {
            let case = Case::new(agreement);
            *state = Task::Open(Box::new(OpenTask {
                case,
                reported: BTreeMap::new(),
                excluded: vec![],
                is_doubted: false,
                unopened: BTreeSet::new(),
                is_unopened_by_trusted: false,
                believed: None,
                referee: None,
                is_unrefereed: false,
            }));
            self.counters.touched += 1;
        }
        self.open_mut(task)
    }
}
