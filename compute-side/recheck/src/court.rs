//! What the judge says over a case as the log tells it. Nothing else here speaks to the judge.

use quern_job_rules::pay::{self, Tariff};
use quern_joblog::ReleaseCause;
use quern_primitives::{
    ids::{AccountId, DeviceId, JobId, ReplicaIndex, TaskIndex},
    job::Agreement,
    limits::REPLICAS_PER_TASK_MAX,
    receipt::{Answer, Exit, SignedReceipt},
    verdict::{Finding, Verdict},
};
use quern_verdict::{Case, Decision, Hearing, Testimony, receipt_digest};

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// There is a verdict, or there may be: the coordinator need not wait for who is still out.
    Verdict(Verdict),
    /// A referee is to be heard.
    NeedsReferee,
    /// No answer will be accepted.
    Undecidable,
    /// More has to be heard.
    Open,
}

/// One task before the judge.
#[derive(Clone, Debug)]
pub(crate) struct Court {
    case: Case,
    answered: u8,
}

impl Court {
    pub(crate) fn new(agreement: Agreement) -> Self {
        Self {
            case: Case::new(agreement),
            answered: 0,
        }
    }

    pub(crate) fn replicas(&self) -> u8 {
        self.case.replicas()
    }

    /// Adds replicas; false if a task may not have as many, or none is added.
    pub(crate) fn add(&mut self, replicas: u8) -> bool {
        let room = REPLICAS_PER_TASK_MAX.saturating_sub(self.case.replicas());
        let fits = (1..=room).contains(&replicas);
        if fits {
            self.case.add_replicas(replicas);
        }
        fits
    }

    /// Hears an answer whose receipt holds.
    pub(crate) fn answered(
        &mut self,
        device: DeviceId,
        account: AccountId,
        receipt: &SignedReceipt,
        is_trusted: bool,
    ) {
        let replica = receipt.payload.replica;
        if is_trusted {
            self.case.trust(replica);
        }
        let testimony = Testimony::Answered {
            answer: receipt.payload.answer(),
            receipt: receipt_digest(receipt),
        };
        self.case.hear(replica, device, account, testimony);
        self.answered = self.answered.saturating_add(1);
    }

    /// Hears that a replica was taken back. True if that may be in the verdict.
    pub(crate) fn released(
        &mut self,
        replica: ReplicaIndex,
        device: DeviceId,
        account: AccountId,
        cause: ReleaseCause,
    ) -> bool {
        let testimony = match cause {
            ReleaseCause::Late => Testimony::Late,
            ReleaseCause::Failed | ReleaseCause::BadInput { .. } => Testimony::Failed,
            ReleaseCause::HandedBack
            | ReleaseCause::Forgotten
            | ReleaseCause::Barred
            | ReleaseCause::HandedBackOften
            | ReleaseCause::Withheld => return false,
        };
        self.case.hear(replica, device, account, testimony);
        true
    }

    /// Hears a referee, or that none can be had.
    pub(crate) fn refereed(&mut self, truth: Option<Answer>) {
        match truth {
            Some(truth) => self.case.hear_referee(truth),
            None => self.case.no_referee(),
        }
    }

    /// What the judge says. A coordinator may wait for replicas that are out although the answer is
    /// sure, or not wait for them; so both are right then.
    pub(crate) fn ruling(&self, job: JobId, task: TaskIndex, tariff: &Tariff) -> Ruling {
        let outstanding = self.case.replicas().saturating_sub(self.answered);
        let decision = match self.case.hearing(outstanding) {
            Hearing::Decided(decision) => decision,
            Hearing::Open {
                certain: Some(answer),
            } => match self.case.hearing(0) {
                Hearing::Decided(decision) if decision.answer == answer => decision,
                _ => return Ruling::Open,
            },
            Hearing::NeedsReferee => return Ruling::NeedsReferee,
            Hearing::Undecidable => return Ruling::Undecidable,
            Hearing::Open { certain: None } | Hearing::NeedsMore { .. } => return Ruling::Open,
        };
        Ruling::Verdict(priced(job, task, decision, tariff))
    }
}

/// Puts prices to a decision: nothing where the program fails, or where nobody gave the answer.
fn priced(job: JobId, task: TaskIndex, decision: Decision, tariff: &Tariff) -> Verdict {
    let Decision {
        answer,
        ground,
        findings: mut replicas,
    } = decision;
    let is_accepted = |finding: Finding| finding == Finding::Accepted;
    let agreeing = replicas.iter().filter(|it| is_accepted(it.finding)).count();
    // No task has as many replicas.
    let agreeing = u8::try_from(agreeing).unwrap_or(u8::MAX);
    let price = match answer.exit {
        Exit::Success if agreeing > 0 => tariff.price(answer.fuel),
        _ => 0,
    };
    let accepted = replicas.iter_mut().filter(|it| is_accepted(it.finding));
    accepted.for_each(|found| found.pay = tariff.pays(price, agreeing));
    Verdict {
        job,
        task,
        answer,
        ground,
        price,
        replicas,
    }
}
