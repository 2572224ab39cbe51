//! One task before the judge.

use quern_primitives::{
    ids::{AccountId, DeviceId, Digest, ReplicaIndex},
    job::Agreement,
    limits::{ESCALATION_REPLICAS_MAX, REPLICAS_PER_TASK_MAX},
    receipt::{Answer, Exit},
    verdict::{Finding, Ground, ReplicaFinding},
};

/// Accounts that must agree that a program fails.
const FAILURE_QUORUM_MIN: u8 = 2;

/// Accounts that agree where all must.
const UNANIMOUS_MIN: u8 = 2;

/// Accounts of which more than half decide where no referee can be had.
const VOTERS_MIN: u8 = 3;

/// What came of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Testimony {
    /// The device answered; its receipt was checked.
    Answered {
        /// The answer.
        answer: Answer,
        /// The receipt's digest, see [`crate::receipt_digest`].
        receipt: Digest,
    },
    /// The device did not answer in time.
    Late,
    /// The device failed for its own fault.
    Failed,
}

#[derive(Clone, Debug)]
struct Witness {
    replica: ReplicaIndex,
    device: DeviceId,
    account: AccountId,
    testimony: Testimony,
}

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Replicas are still out. The answer that will be accepted, if that is sure already.
    Open {
        /// Accepted whatever the others say.
        certain: Option<Answer>,
    },
    /// Every replica was heard and no answer has enough: this many more may decide it.
    NeedsMore {
        /// Replicas to add.
        replicas: u8,
    },
    /// Answers differ, and no number of devices may say who is right: a referee has to compute the
    /// task, or somebody to say that none can be had.
    NeedsReferee,
    /// As many replicas as a task may have were heard, and no answer has enough.
    Undecidable,
    /// Decided.
    Decided(Decision),
}

/// An accepted answer and what follows for each device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The accepted answer.
    pub answer: Answer,
    /// Why it is accepted.
    pub ground: Ground,
    /// Every device heard, in replica order; pay is zero here.
    pub findings: Vec<ReplicaFinding>,
}

/// One task before the judge.
#[derive(Clone, Debug)]
pub struct Case {
    agreement: Agreement,
    /// Replicas that exist, heard or not.
    replicas: u8,
    witnesses: Vec<Witness>,
    /// Replicas whose word alone is enough; at most [`REPLICAS_PER_TASK_MAX`].
    trusted: Vec<ReplicaIndex>,
    /// What a referee computed.
    truth: Option<Answer>,
    /// No referee can be had.
    is_without_referee: bool,
}

impl Case {
    /// A task none of whose replicas was heard.
    pub fn new(agreement: Agreement) -> Self {
        Self {
            agreement,
            replicas: agreement.replicas(),
            witnesses: Vec::new(),
            trusted: Vec::new(),
            truth: None,
            is_without_referee: false,
        }
    }

    /// Replicas the task has now.
    pub fn replicas(&self) -> u8 {
        self.replicas
    }

    /// Adds replicas, as [`Hearing::NeedsMore`] asked for.
    pub fn add_replicas(&mut self, replicas: u8) {
        self.replicas = self
            .replicas
            .saturating_add(replicas)
            .min(REPLICAS_PER_TASK_MAX);
    }

    /// Whether a replica has given its answer.
    pub fn has_answered(&self, replica: ReplicaIndex) -> bool {
        self.witnesses.iter().any(|witness| {
            witness.replica == replica && matches!(witness.testimony, Testimony::Answered { .. })
        })
    }

    /// Whether devices gave different answers, whatever becomes of the case.
    pub fn is_divided(&self) -> bool {
        self.tally().len() > 1
    }

    /// Hears what came of a replica on a device. A replica that was late or failed may be heard
    /// again from another device; a second answer for one replica is not heard, nor is anything
    /// once as many devices have been heard as a task may have replicas.
    pub fn hear(
        &mut self,
        replica: ReplicaIndex,
        device: DeviceId,
        account: AccountId,
        testimony: Testimony,
    ) {
        let full = self.witnesses.len() >= usize::from(REPLICAS_PER_TASK_MAX);
        if self.has_answered(replica) || replica >= self.replicas {
            return;
        }
        let answered = matches!(testimony, Testimony::Answered { .. });
        if !answered {
            // Its device was trusted, not the next one.
            self.trusted.retain(|trusted| *trusted != replica);
        }
        if full {
            // An answer is worth more than the memory of one who was late.
            let late = self
                .witnesses
                .iter()
                .position(|w| !matches!(w.testimony, Testimony::Answered { .. }));
            match late.filter(|_| answered) {
                Some(late) => drop(self.witnesses.remove(late)),
                None => return,
            }
        }
        self.witnesses.push(Witness {
            replica,
            device,
            account,
            testimony,
        });
    }

    /// The device that has this replica is believed alone, by its record; see
    /// [`is_trusted_alone`](crate::is_trusted_alone). It is the device that counts: if it is late or
    /// fails, the next one is not believed for it. Nothing follows where the agreement is not
    /// [`Agreement::Adaptive`].
    pub fn trust(&mut self, replica: ReplicaIndex) {
        let may_be = self.agreement == Agreement::Adaptive && replica < self.replicas;
        if may_be && !self.trusted.contains(&replica) {
            self.trusted.push(replica);
        }
    }

    /// Hears a referee, who computed the task. It is the truth, whatever was said and by however many;
    /// of several the first is heard. Only that the program fails is not believed of a referee alone, for
    /// that is one machine's word too: it decides once a device has said the same, and until then the case
    /// goes on as if no referee could be had.
    pub fn hear_referee(&mut self, truth: Answer) {
        self.truth.get_or_insert(truth);
    }

    /// No referee can be had, so what differs is put to the vote.
    pub fn no_referee(&mut self) {
        self.is_without_referee = true;
    }

    /// Where the case stands. `outstanding` says how many replicas may still be heard.
    pub fn hearing(&self, outstanding: u8) -> Hearing {
        if let Some(truth) = self.truth.filter(|truth| self.is_enough(truth)) {
            return self.decided(truth, Ground::Referee);
        }
        match self.agreement {
            Agreement::Single | Agreement::Majority { .. } => self.counted(outstanding),
            Agreement::Unanimous | Agreement::Adaptive => self.compared(outstanding),
        }
    }

    /// Where it stands if answers are counted. Once as many accounts have answered as the agreement
    /// asks for, and one answer is accepted among theirs, the others are not waited for: they are
    /// backups of devices that were slow, or those devices.
    fn counted(&self, outstanding: u8) -> Hearing {
        let answers = self.tally();
        let heard = voices(&answers);
        let leader = leader(&answers);
        let accepted = leader.filter(|(answer, votes)| {
            *votes >= self.quorum(answer) && are_most(*votes, heard.into())
        });
        match accepted {
            Some((answer, votes)) if outstanding == 0 || heard >= self.agreement.replicas() => {
                self.decided(answer, self.ground_of_count(votes, heard))
            }
            Some((answer, votes)) => {
                // With as many more as the agreement asks for the case is decided, whoever else is out.
                let more = outstanding.min(self.agreement.replicas().saturating_sub(heard));
                let all = u16::from(heard).saturating_add(more.into());
                let certain = are_most(votes, all);
                Hearing::Open {
                    certain: certain.then_some(answer),
                }
            }
            None if outstanding > 0 => Hearing::Open { certain: None },
            None => match self.missing(leader, heard) {
                Some(replicas) => Hearing::NeedsMore { replicas },
                None => Hearing::Undecidable,
            },
        }
    }

    /// Where it stands if answers must be alike. Two that are decide, whoever else is out. As soon as two
    /// differ nobody else is waited for either, for a split is never outvoted: of three devices two may
    /// lie.
    fn compared(&self, outstanding: u8) -> Hearing {
        let answers = self.tally();
        match answers.as_slice() {
            [] => self.wants(self.agreement.quorum(), outstanding),
            [(answer, votes)] if *votes >= UNANIMOUS_MIN => {
                self.decided(*answer, Ground::Unanimous)
            }
            [(answer, _)] if self.is_believed(answer) => self.decided(*answer, Ground::Trusted),
            [(_, votes)] => self.wants(UNANIMOUS_MIN.saturating_sub(*votes), outstanding),
            _ if self.is_without_referee || self.truth.is_some() => {
                self.voted(&answers, outstanding)
            }
            _ => Hearing::NeedsReferee,
        }
    }

    /// Whether a referee's word decides: not that the program fails, unless a device says so too.
    fn is_enough(&self, truth: &Answer) -> bool {
        let said = |witness: &Witness| match &witness.testimony {
            Testimony::Answered { answer, .. } => answer == truth,
            Testimony::Late | Testimony::Failed => false,
        };
        truth.exit == Exit::Success || self.witnesses.iter().any(said)
    }

    /// Where it stands if answers differ and no referee decides.
    fn voted(&self, answers: &[(Answer, u8)], outstanding: u8) -> Hearing {
        let heard = voices(answers);
        let leader = leader(answers);
        let is_accepted =
            |votes: u8, heard: u8| heard >= VOTERS_MIN && are_most(votes, heard.into());
        if let Some((answer, _)) = leader.filter(|(_, votes)| is_accepted(*votes, heard)) {
            return self.decided(answer, Ground::Vote);
        }
        if outstanding > 0 {
            return Hearing::Open { certain: None };
        }
        let votes = leader.map_or(0, |(_, votes)| votes);
        let room = ESCALATION_REPLICAS_MAX.saturating_sub(self.replicas);
        let more = (1..=room)
            .find(|more| is_accepted(votes.saturating_add(*more), heard.saturating_add(*more)));
        more.map_or(Hearing::Undecidable, |replicas| Hearing::NeedsMore {
            replicas,
        })
    }

    /// So many more accounts have to be heard; whoever is out comes first.
    fn wants(&self, replicas: u8, outstanding: u8) -> Hearing {
        if outstanding > 0 {
            Hearing::Open { certain: None }
        } else if replicas <= REPLICAS_PER_TASK_MAX.saturating_sub(self.replicas) {
            Hearing::NeedsMore { replicas }
        } else {
            Hearing::Undecidable
        }
    }

    /// Whether the only account that answered is believed. One that says two things is not, and never
    /// that a program fails.
    fn is_believed(&self, only: &Answer) -> bool {
        let mut is_trusted = false;
        for witness in &self.witnesses {
            if let Testimony::Answered { answer, .. } = &witness.testimony {
                if answer != only {
                    return false;
                }
                is_trusted |= self.trusted.contains(&witness.replica);
            }
        }
        is_trusted && only.exit == Exit::Success
    }

    /// Why an answer with so many of the votes heard is accepted where answers are counted.
    fn ground_of_count(&self, votes: u8, heard: u8) -> Ground {
        match self.agreement {
            Agreement::Single if votes == 1 => Ground::Trusted,
            // More than one were asked because the first said that the program fails.
            Agreement::Single if votes == heard => Ground::Unanimous,
            _ => Ground::Majority,
        }
    }

    /// The votes that an answer needs to be accepted. That a program fails is never believed on one
    /// machine's word: it ends the job.
    fn quorum(&self, answer: &Answer) -> u8 {
        let quorum = self.agreement.quorum();
        match answer.exit {
            Exit::Success => quorum,
            _ => quorum.max(FAILURE_QUORUM_MIN),
        }
    }

    /// The fewest further replicas that could make the leading answer accepted, if the task may
    /// still have as many.
    fn missing(&self, leader: Option<(Answer, u8)>, heard: u8) -> Option<u8> {
        let (quorum, votes) = leader.map_or((self.agreement.quorum(), 0), |(answer, votes)| {
            (self.quorum(&answer), votes)
        });
        let room = REPLICAS_PER_TASK_MAX.saturating_sub(self.replicas);
        (1..=room).find(|more| {
            let votes = votes.saturating_add(*more);
            votes >= quorum && are_most(votes, heard.saturating_add(*more).into())
        })
    }

    /// Each answer with the number of accounts that gave it, in the order first heard.
    fn tally(&self) -> Vec<(Answer, u8)> {
        let mut tally: Vec<(Answer, u8)> = Vec::new();
        let mut counted: Vec<&AccountId> = Vec::new();
        for witness in &self.witnesses {
            let Testimony::Answered { answer, .. } = &witness.testimony else {
                continue;
            };
            if counted.contains(&&witness.account) {
                continue;
            }
            counted.push(&witness.account);
            match tally.iter_mut().find(|(known, _)| known == answer) {
                Some((_, votes)) => *votes = votes.saturating_add(1),
                None => tally.push((*answer, 1)),
            }
        }
        tally
    }

    fn decided(&self, accepted: Answer, ground: Ground) -> Hearing {
        let mut findings: Vec<_> = self
            .witnesses
            .iter()
            .map(|witness| {
                let (finding, receipt) = match &witness.testimony {
                    Testimony::Answered { answer, receipt } if *answer == accepted => {
                        (Finding::Accepted, Some(*receipt))
                    }
                    Testimony::Answered { receipt, .. } => (Finding::Incorrect, Some(*receipt)),
                    Testimony::Late => (Finding::Delayed, None),
                    Testimony::Failed => (Finding::Failed, None),
                };
                ReplicaFinding {
                    replica: witness.replica,
                    device: witness.device,
                    account: witness.account.clone(),
                    finding,
                    receipt,
                    pay: 0,
                }
            })
            .collect();
        findings.sort_by_key(|finding| (finding.replica, finding.device));
        Hearing::Decided(Decision {
            answer: accepted,
            ground,
            findings,
        })
    }
}

/// The answer that most accounts gave, with how many.
fn leader(answers: &[(Answer, u8)]) -> Option<(Answer, u8)> {
    answers.iter().max_by_key(|(_, votes)| *votes).copied()
}

/// The accounts that answered.
fn voices(answers: &[(Answer, u8)]) -> u8 {
    let votes = answers.iter().map(|(_, votes)| *votes);
    votes.fold(0, u8::saturating_add)
}

/// Whether so many votes are more than half of all.
fn are_most(votes: u8, all: u16) -> bool {
    u16::from(votes).saturating_mul(2) > all
}

#[cfg(test)]
mod model;
#[cfg(test)]
#[allow(clippy::panic)]
mod tests;
