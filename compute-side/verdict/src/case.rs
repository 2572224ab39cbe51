//! One task before the judge.

use quern_primitives::{
    ids::{AccountId, DeviceId, Digest, ReplicaIndex},
    job::Agreement,
    limits::REPLICAS_PER_TASK_MAX,
    receipt::{Answer, Exit},
    verdict::{Finding, ReplicaFinding},
};

/// Accounts that must agree that a program fails.
const FAILURE_QUORUM_MIN: u8 = 2;

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
}

impl Case {
    /// A task none of whose replicas was heard.
    pub fn new(agreement: Agreement) -> Self {
        Self {
            agreement,
            replicas: agreement.replicas(),
            witnesses: Vec::new(),
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
        if full {
            // An answer is worth more than the memory of one who was late.
            let answered = matches!(testimony, Testimony::Answered { .. });
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

    /// Where the case stands. `outstanding` says how many replicas may still be heard. Once as many
    /// accounts have answered as the agreement asks for, and one answer is accepted among theirs,
    /// the others are not waited for: they are backups of devices that were slow, or those devices.
    pub fn hearing(&self, outstanding: u8) -> Hearing {
        let answers = self.tally();
        let heard: u8 = answers.iter().map(|(_, votes)| votes).sum();
        let leader = answers.iter().max_by_key(|(_, votes)| *votes);
        let accepted = leader.filter(|(answer, votes)| {
            *votes >= self.quorum(answer) && are_most(*votes, heard.into())
        });
        match accepted {
            Some((answer, _)) if outstanding == 0 || heard >= self.agreement.replicas() => {
                Hearing::Decided(self.decide(*answer))
            }
            Some((answer, votes)) => {
                // With as many more as the agreement asks for the case is decided, whoever else is out.
                let more = outstanding.min(self.agreement.replicas().saturating_sub(heard));
                let all = u16::from(heard).saturating_add(more.into());
                let certain = are_most(*votes, all);
                Hearing::Open {
                    certain: certain.then_some(*answer),
                }
            }
            None if outstanding > 0 => Hearing::Open { certain: None },
            None => match self.missing(leader, heard) {
                Some(replicas) => Hearing::NeedsMore { replicas },
                None => Hearing::Undecidable,
            },
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
    fn missing(&self, leader: Option<&(Answer, u8)>, heard: u8) -> Option<u8> {
        let (quorum, votes) = leader.map_or((self.agreement.quorum(), 0), |(answer, votes)| {
            (self.quorum(answer), *votes)
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

    fn decide(&self, accepted: Answer) -> Decision {
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
        Decision {
            answer: accepted,
            findings,
        }
    }
}

/// Whether so many votes are more than half of all.
fn are_most(votes: u8, all: u16) -> bool {
    u16::from(votes).saturating_mul(2) > all
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAJORITY: Agreement = Agreement::Majority { replicas: 3 };

    fn answer(value: u8) -> Answer {
        Answer {
            result_commitment: Digest([value; 32]),
            result_bytes: 1,
            fuel: 1,
            exit: Exit::Success,
        }
    }

    fn says(value: u8) -> Testimony {
        Testimony::Answered {
            answer: answer(value),
            receipt: Digest([value; 32]),
        }
    }

    fn case(testimonies: &[(u8, Testimony)]) -> Case {
        let mut case = Case::new(MAJORITY);
        for (n, (replica, testimony)) in testimonies.iter().enumerate() {
            let n = n as u8;
            case.hear(
                *replica,
                DeviceId([n; 32]),
                AccountId::new([n; 32]),
                testimony.clone(),
            );
        }
        case
    }

    fn decision(hearing: Hearing) -> Decision {
        match hearing {
            Hearing::Decided(decision) => decision,
            other => panic!("not decided but {other:?}"),
        }
    }

    #[test]
    fn three_that_agree_are_all_accepted() {
        let decision = decision(case(&[(0, says(1)), (1, says(1)), (2, says(1))]).hearing(0));
        assert_eq!(decision.answer, answer(1));
        assert!(
            decision
                .findings
                .iter()
                .all(|found| found.finding == Finding::Accepted)
        );
    }

    #[test]
    fn one_that_differs_is_found_incorrect() {
        let decision = decision(case(&[(0, says(1)), (1, says(2)), (2, says(1))]).hearing(0));
        let findings: Vec<_> = decision
            .findings
            .iter()
            .map(|found| found.finding)
            .collect();
        assert_eq!(
            findings,
            [Finding::Accepted, Finding::Incorrect, Finding::Accepted]
        );
    }

    #[test]
    fn two_of_three_make_the_answer_certain_but_the_third_is_still_heard() {
        let case = case(&[(0, says(1)), (1, says(1))]);
        assert_eq!(
            case.hearing(1),
            Hearing::Open {
                certain: Some(answer(1))
            }
        );
    }

    #[test]
    fn a_slow_device_and_its_backup_are_not_both_waited_for() {
        let mut case = case(&[(0, says(1)), (1, says(1))]);
        case.add_replicas(1);
        let certain = Some(answer(1));
        assert_eq!(case.hearing(2), Hearing::Open { certain });
        case.hear(3, DeviceId([9; 32]), AccountId::new([9; 32]), says(1));
        assert_ne!(case.hearing(1), Hearing::Open { certain });
        assert_eq!(decision(case.hearing(1)).findings.len(), 3);
    }

    #[test]
    fn three_of_which_one_differs_decide_without_a_fourth() {
        let mut case = case(&[(0, says(1)), (1, says(2)), (2, says(1))]);
        case.add_replicas(1);
        assert_eq!(decision(case.hearing(1)).answer, answer(1));
    }

    #[test]
    fn one_answer_alone_is_never_accepted_by_majority() {
        let case = case(&[(0, says(1)), (1, Testimony::Late), (2, Testimony::Failed)]);
        assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
    }

    #[test]
    fn a_failing_program_is_not_believed_on_one_machines_word() {
        let failing = |replica: u8| Testimony::Answered {
            answer: Answer {
                exit: Exit::OutOfFuel,
                ..answer(1)
            },
            receipt: Digest([replica; 32]),
        };
        let mut case = Case::new(Agreement::Single);
        case.hear(0, DeviceId([1; 32]), AccountId::new([1; 32]), failing(0));
        assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
        let mut other = case.clone();
        case.add_replicas(1);
        case.hear(1, DeviceId([2; 32]), AccountId::new([2; 32]), failing(1));
        assert_eq!(decision(case.hearing(0)).answer.exit, Exit::OutOfFuel);
        // Somebody who can run it settles the matter the other way, but not alone either.
        other.add_replicas(1);
        other.hear(1, DeviceId([2; 32]), AccountId::new([2; 32]), says(1));
        assert_eq!(other.hearing(0), Hearing::NeedsMore { replicas: 1 });
        other.add_replicas(1);
        other.hear(2, DeviceId([3; 32]), AccountId::new([3; 32]), says(1));
        assert_eq!(decision(other.hearing(0)).answer, answer(1));
    }

    #[test]
    fn three_different_answers_need_more_replicas() {
        let mut case = case(&[(0, says(1)), (1, says(2)), (2, says(3))]);
        assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 2 });
        case.add_replicas(2);
        case.hear(3, DeviceId([7; 32]), AccountId::new([7; 32]), says(2));
        case.hear(4, DeviceId([8; 32]), AccountId::new([8; 32]), says(2));
        assert_eq!(decision(case.hearing(0)).answer, answer(2));
    }

    #[test]
    fn an_account_has_one_voice() {
        let mut case = Case::new(MAJORITY);
        for replica in 0..2 {
            case.hear(
                replica,
                DeviceId([replica; 32]),
                AccountId::new([1; 32]),
                says(1),
            );
        }
        case.hear(2, DeviceId([2; 32]), AccountId::new([2; 32]), says(2));
        assert!(matches!(case.hearing(0), Hearing::NeedsMore { .. }));
    }

    #[test]
    fn a_replica_is_not_heard_twice() {
        let mut case = case(&[(0, says(1))]);
        case.hear(0, DeviceId([9; 32]), AccountId::new([9; 32]), says(1));
        assert_eq!(case.hearing(2), Hearing::Open { certain: None });
    }

    #[test]
    fn a_late_device_is_named_beside_the_one_that_took_over() {
        let mut case = case(&[
            (0, Testimony::Late),
            (0, says(1)),
            (1, says(1)),
            (2, says(1)),
        ]);
        let findings = decision(case.hearing(0)).findings;
        assert_eq!(findings.len(), 4);
        assert_eq!(findings[0].finding, Finding::Delayed);
        case.hear(
            0,
            DeviceId([9; 32]),
            AccountId::new([9; 32]),
            Testimony::Late,
        );
        assert_eq!(decision(case.hearing(0)).findings.len(), 4);
    }

    #[test]
    fn one_replica_is_believed_when_the_owner_asked_for_one() {
        let mut case = Case::new(Agreement::Single);
        case.hear(0, DeviceId([1; 32]), AccountId::new([1; 32]), says(1));
        assert_eq!(decision(case.hearing(0)).answer, answer(1));
    }

    #[test]
    fn a_task_ends_undecidable_when_all_replicas_differ() {
        let mut case = Case::new(MAJORITY);
        let mut replica = 0;
        loop {
            while replica < case.replicas() {
                case.hear(
                    replica,
                    DeviceId([replica; 32]),
                    AccountId::new([replica; 32]),
                    says(replica),
                );
                replica += 1;
            }
            match case.hearing(0) {
                Hearing::NeedsMore { replicas } => case.add_replicas(replicas),
                Hearing::Undecidable => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(case.replicas() <= REPLICAS_PER_TASK_MAX);
    }

    proptest! {
        #[test]
        fn an_accepted_answer_always_has_more_than_half_of_the_voices(
            values in prop::collection::vec(prop::option::of(0u8..3), 0..20)
        ) {
            let mut case = Case::new(MAJORITY);
            case.add_replicas(12);
            for (n, value) in values.iter().enumerate() {
                let n = n as u8;
                let testimony = value.map_or(Testimony::Late, says);
                case.hear(n, DeviceId([n; 32]), AccountId::new([n; 32]), testimony);
            }
            if let Hearing::Decided(decision) = case.hearing(0) {
                let right = decision.findings.iter().filter(|f| f.finding == Finding::Accepted).count();
                let wrong = decision.findings.iter().filter(|f| f.finding == Finding::Incorrect).count();
                prop_assert!(right >= 2 && right > wrong);
            }
        }
    }
}
