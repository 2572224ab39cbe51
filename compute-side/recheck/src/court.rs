//! What the judge says over a case as the log tells it, and what a verdict says otherwise. Nothing else here
//! speaks to the judge.

use crate::fault::VerdictFault;
use quern_job_rules::pay::Tariff;
use quern_joblog::ReleaseCause;
use quern_primitives::{
    ids::{AccountId, DeviceId, JobId, ReplicaIndex, TaskIndex},
    job::Agreement,
    limits::{REPLICAS_PER_TASK_MAX, TRUSTED_ROW_MIN},
    receipt::{Answer, Exit, SignedReceipt},
    verdict::{Finding, ReplicaFinding, Verdict},
};
use quern_verdict::{Case, Decision, Hearing, Testimony, is_trusted_alone, receipt_digest};

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

/// Whether a device is believed alone with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    No,
    Yes,
    /// Its record allows it, and the draw is not known here: it is as the coordinator says.
    AsSaid,
}

impl Trust {
    /// That of a device with so many answers accepted in a row, by the draw if its seed is known.
    pub(crate) fn of(
        seed: Option<&[u8; 32]>,
        task: TaskIndex,
        device: &DeviceId,
        accepted_in_a_row: u32,
    ) -> Self {
        match seed {
            Some(seed) if is_trusted_alone(seed, task, device, accepted_in_a_row) => Self::Yes,
            None if accepted_in_a_row >= TRUSTED_ROW_MIN => Self::AsSaid,
            Some(_) | None => Self::No,
        }
    }
}

/// One task before the judge.
#[derive(Clone, Debug)]
pub(crate) struct Court {
    case: Case,
    /// Replicas whose device the coordinator may have believed alone.
    as_said: Vec<ReplicaIndex>,
    answered: u8,
    /// Whether a referee was asked for after some answer, or may be because the input is said not to open.
    /// Its word may come when more has been heard after that.
    is_referee_asked: bool,
    /// Whether a referee was heard, or none can be had.
    is_refereed: bool,
    /// Whether a referee computed the task.
    is_computed: bool,
}

impl Court {
    pub(crate) fn new(agreement: Agreement) -> Self {
        Self {
            case: Case::new(agreement),
            as_said: Vec::new(),
            answered: 0,
            is_referee_asked: false,
            is_refereed: false,
            is_computed: false,
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
        trust: Trust,
    ) {
        let replica = receipt.payload.replica;
        match trust {
            Trust::Yes => self.case.trust(replica),
            // One for each replica, for each answers once.
            Trust::AsSaid => self.as_said.push(replica),
            Trust::No => {}
        }
        let testimony = Testimony::Answered {
            answer: receipt.payload.answer(),
            receipt: receipt_digest(receipt),
        };
        self.case.hear(replica, device, account, testimony);
        self.answered = self.answered.saturating_add(1);
        self.is_referee_asked |= matches!(
            self.case.hearing(self.outstanding()),
            Hearing::NeedsReferee | Hearing::Undecidable
        );
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
        // Before a job ends for its input a referee tries it.
        self.is_referee_asked |= matches!(cause, ReleaseCause::BadInput { .. });
        self.case.hear(replica, device, account, testimony);
        true
    }

    /// Hears a referee, or that none can be had.
    pub(crate) fn refereed(&mut self, truth: Option<Answer>) {
        self.is_refereed = true;
        match truth {
            Some(truth) => self.case.hear_referee(truth),
            None => self.case.no_referee(),
        }
        self.is_computed |= truth.is_some();
    }

    /// Whether a referee was asked in vain.
    pub(crate) fn is_refereed_in_vain(&self) -> bool {
        self.is_refereed && !self.is_computed
    }

    /// Whether a referee may be heard: once, where answers differ or are that the program fails, or before
    /// the case is given up.
    pub(crate) fn awaits_referee(&self, job: JobId, task: TaskIndex, tariff: &Tariff) -> bool {
        let ruling = self.ruling(job, task, tariff);
        let is_wanted = matches!(ruling, Ruling::NeedsReferee | Ruling::Undecidable);
        !self.is_refereed && (self.is_referee_asked || is_wanted)
    }

    /// Whether the case may be given up: no number of devices may decide it, and a referee was asked before.
    pub(crate) fn is_hopeless(&self, job: JobId, task: TaskIndex, tariff: &Tariff) -> bool {
        self.is_refereed && self.ruling(job, task, tariff) == Ruling::Undecidable
    }

    /// What the judge says. A coordinator may wait for replicas that are out although the answer is
    /// sure, or not wait for them; so both are right then.
    pub(crate) fn ruling(&self, job: JobId, task: TaskIndex, tariff: &Tariff) -> Ruling {
        self.ruling_of(&self.case, job, task, tariff)
    }

    /// What it says if every device was believed that the coordinator may have believed alone.
    pub(crate) fn ruling_as_said(&self, job: JobId, task: TaskIndex, tariff: &Tariff) -> Ruling {
        let mut case = self.case.clone();
        for replica in &self.as_said {
            case.trust(*replica);
        }
        self.ruling_of(&case, job, task, tariff)
    }

    /// Replicas that have not answered.
    fn outstanding(&self) -> u8 {
        self.case.replicas().saturating_sub(self.answered)
    }

    fn ruling_of(&self, case: &Case, job: JobId, task: TaskIndex, tariff: &Tariff) -> Ruling {
        let decision = match case.hearing(self.outstanding()) {
            Hearing::Decided(decision) => decision,
            Hearing::Open {
                certain: Some(answer),
            } => match case.hearing(0) {
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

/// What a verdict says otherwise than it should.
pub(crate) fn difference(verdict: &Verdict, expected: &Verdict) -> Option<VerdictFault> {
    if verdict.job != expected.job {
        return Some(VerdictFault::OtherJob);
    }
    if verdict.answer != expected.answer || verdict.ground != expected.ground {
        return Some(VerdictFault::Answer);
    }
    let same = |(said, right): (&_, &_)| same_finding(said, right);
    if verdict.replicas.len() != expected.replicas.len()
        || !verdict.replicas.iter().zip(&expected.replicas).all(same)
    {
        return Some(VerdictFault::Findings);
    }
    if verdict.price != expected.price {
        return Some(VerdictFault::Price {
            expected: expected.price,
        });
    }
    let mut found = verdict.replicas.iter().zip(&expected.replicas);
    found
        .find(|(said, right)| said.pay != right.pay)
        .map(|(_, right)| VerdictFault::Pay {
            replica: right.replica,
            expected: right.pay,
        })
}

/// Whether two findings are the same but for the pay.
fn same_finding(said: &ReplicaFinding, right: &ReplicaFinding) -> bool {
    said.replica == right.replica
        && said.device == right.device
        && said.account == right.account
        && said.finding == right.finding
        && said.receipt == right.receipt
}
