//! The judge's rules written a second time, from the whole history of a case and without regard to
//! time: what is accepted is looked for among all answers, and what may still come is tried out.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to a case.
#[derive(Clone, Debug)]
enum Event {
    Told {
        replica: ReplicaIndex,
        device: u8,
        account: u8,
        testimony: Testimony,
    },
    Trusted(ReplicaIndex),
    Computed(Answer),
    NoReferee,
    Added(u8),
}

/// One who said something that counts.
#[derive(Clone, Debug)]
struct Said {
    replica: ReplicaIndex,
    device: u8,
    account: u8,
    what: Testimony,
}

fn answer_of(testimony: &Testimony) -> Option<Answer> {
    match testimony {
        Testimony::Answered { answer, .. } => Some(*answer),
        Testimony::Late | Testimony::Failed => None,
    }
}

/// A case as its history tells it.
struct Told {
    agreement: Agreement,
    replicas: u16,
    said: Vec<Said>,
    trusted: BTreeSet<ReplicaIndex>,
    truth: Option<Answer>,
    has_referee: bool,
}

impl Told {
    fn of(agreement: Agreement, history: &[Event]) -> Self {
        let mut told = Self {
            agreement,
            replicas: agreement.replicas().into(),
            said: vec![],
            trusted: BTreeSet::new(),
            truth: None,
            has_referee: true,
        };
        for event in history {
            told.happens(event);
        }
        told
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Added(more) => {
                self.replicas = (self.replicas + u16::from(*more)).min(15);
            }
            Event::NoReferee => self.has_referee = false,
            Event::Computed(truth) if self.truth.is_none() => self.truth = Some(*truth),
            Event::Computed(_) => {}
            Event::Trusted(replica) => {
                if self.agreement == Agreement::Adaptive && u16::from(*replica) < self.replicas {
                    self.trusted.insert(*replica);
                }
            }
            Event::Told {
                replica,
                device,
                account,
                testimony,
            } => {
                let mut same = self.said.iter().filter(|said| said.replica == *replica);
                let is_answered = same.any(|said| answer_of(&said.what).is_some());
                if is_answered || u16::from(*replica) >= self.replicas {
                    return;
                }
                if answer_of(testimony).is_none() {
                    self.trusted.remove(replica);
                }
                if self.said.len() == 15 {
                    let mut silent = (0..15).filter(|at| answer_of(&self.said[*at].what).is_none());
                    match (silent.next(), answer_of(testimony)) {
                        (Some(at), Some(_)) => drop(self.said.remove(at)),
                        _ => return,
                    }
                }
                self.said.push(Said {
                    replica: *replica,
                    device: *device,
                    account: *account,
                    what: testimony.clone(),
                });
            }
        }
    }

    /// What each account says: its first answer, whatever it answers later.
    fn voices(&self) -> Vec<Answer> {
        let mut first = BTreeMap::new();
        for said in &self.said {
            if let Some(answer) = answer_of(&said.what) {
                first.entry(said.account).or_insert(answer);
            }
        }
        first.into_values().collect()
    }

    /// Whether a referee that was not heard yet may be.
    fn may_have_referee(&self) -> bool {
        self.has_referee && self.truth.is_none()
    }

    fn is_split(voices: &[Answer]) -> bool {
        voices
            .iter()
            .any(|one| voices.iter().any(|other| one != other))
    }

    /// The answer that these voices make the accepted one, and why.
    fn accepted(&self, voices: &[Answer]) -> Option<(Answer, Ground)> {
        let different: BTreeSet<Answer> = voices.iter().copied().collect();
        different.into_iter().find_map(|answer| {
            let votes = voices.iter().filter(|voice| **voice == answer).count();
            let others = voices.len() - votes;
            let fails = answer.exit != Exit::Success;
            let ground = match self.agreement {
                Agreement::Majority { replicas } => {
                    let is_enough = votes > usize::from(replicas) / 2 && votes > others;
                    is_enough.then_some(Ground::Majority)
                }
                Agreement::Single if votes == 1 => {
                    (others == 0 && !fails).then_some(Ground::Trusted)
                }
                Agreement::Single if others == 0 => Some(Ground::Unanimous),
                Agreement::Single => (votes > others).then_some(Ground::Majority),
                Agreement::Unanimous | Agreement::Adaptive if others == 0 && votes > 1 => {
                    Some(Ground::Unanimous)
                }
                Agreement::Unanimous | Agreement::Adaptive if others > 0 => {
                    let is_voted = !self.may_have_referee() && votes + others > 2 && votes > others;
                    is_voted.then_some(Ground::Vote)
                }
                Agreement::Adaptive => {
                    let answered = self.said.iter().filter(|it| answer_of(&it.what).is_some());
                    let all: Vec<_> = answered.collect();
                    let is_alone = all.iter().all(|it| answer_of(&it.what) == Some(answer));
                    let is_trusted = all.iter().any(|it| self.trusted.contains(&it.replica));
                    (is_alone && is_trusted && !fails).then_some(Ground::Trusted)
                }
                Agreement::Unanimous => None,
            };
            Some((answer, ground?))
        })
    }

    /// The fewest accounts that, all saying the same, would decide the case.
    fn missing(&self, voices: &[Answer]) -> Option<u8> {
        let counts_all = matches!(
            self.agreement,
            Agreement::Single | Agreement::Majority { .. }
        );
        let most = match counts_all || !Self::is_split(voices) {
            true => 15,
            false => 5,
        };
        let mut sayings: Vec<Answer> = voices.to_vec();
        sayings.push(answer(200, Exit::Success));
        (1..=15u8)
            .take_while(|more| self.replicas + u16::from(*more) <= most)
            .find(|more| {
                // One who comes to an adaptive job is believed if their record is long enough.
                let may_be_trusted = self.agreement == Agreement::Adaptive && voices.is_empty();
                may_be_trusted
                    || sayings.iter().any(|saying| {
                        let mut then = voices.to_vec();
                        then.extend(std::iter::repeat_n(*saying, (*more).into()));
                        self.accepted(&then).is_some()
                    })
            })
    }

    fn hearing(&self, outstanding: u8) -> Hearing {
        let voices = self.voices();
        if let Some(truth) = self.truth {
            let machines = 1 + self
                .said
                .iter()
                .filter(|it| answer_of(&it.what) == Some(truth))
                .count();
            if truth.exit == Exit::Success || machines >= 2 {
                return self.decision(truth, Ground::Referee);
            }
        }
        let compares = matches!(self.agreement, Agreement::Unanimous | Agreement::Adaptive);
        if compares && self.may_have_referee() && Self::is_split(&voices) {
            return Hearing::NeedsReferee;
        }
        let wanted = usize::from(self.agreement.replicas());
        if let Some((answer, ground)) = self.accepted(&voices) {
            if compares || outstanding == 0 || voices.len() >= wanted {
                return self.decision(answer, ground);
            }
            // Whatever those say who are still waited for.
            let more = usize::from(outstanding).min(wanted - voices.len());
            let is_certain = (0..=more).all(|agree| {
                let votes = voices.iter().filter(|voice| **voice == answer).count() + agree;
                votes > voices.len() + more - votes
            });
            return Hearing::Open {
                certain: is_certain.then_some(answer),
            };
        }
        if outstanding > 0 {
            return Hearing::Open { certain: None };
        }
        match self.missing(&voices) {
            Some(replicas) => Hearing::NeedsMore { replicas },
            None => Hearing::Undecidable,
        }
    }

    fn decision(&self, accepted: Answer, ground: Ground) -> Hearing {
        let mut findings: Vec<_> = self
            .said
            .iter()
            .map(|said| ReplicaFinding {
                replica: said.replica,
                device: DeviceId([said.device; 32]),
                account: AccountId::new([said.account; 32]),
                finding: match &said.what {
                    Testimony::Late => Finding::Delayed,
                    Testimony::Failed => Finding::Failed,
                    Testimony::Answered { answer, .. } => match *answer == accepted {
                        true => Finding::Accepted,
                        false => Finding::Incorrect,
                    },
                },
                receipt: match &said.what {
                    Testimony::Answered { receipt, .. } => Some(*receipt),
                    _ => None,
                },
                pay: 0,
            })
            .collect();
        findings.sort_by_key(|found| (found.replica, found.device));
        Hearing::Decided(Decision {
            answer: accepted,
            ground,
            findings,
        })
    }
}

fn answer(value: u8, exit: Exit) -> Answer {
    Answer {
        result_commitment: Digest([value; 32]),
        result_bytes: 1,
        fuel: 1,
        exit,
    }
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let exit = prop_oneof![4 => Just(Exit::Success), 1 => Just(Exit::Trap)];
    (0u8..3, exit).prop_map(|(value, exit)| answer(value, exit))
}

fn testimony() -> impl Strategy<Value = Testimony> {
    prop_oneof![
        6 => (any_answer(), any::<u8>()).prop_map(|(answer, receipt)| Testimony::Answered {
            answer,
            receipt: Digest([receipt; 32]),
        }),
        1 => Just(Testimony::Late),
        1 => Just(Testimony::Failed),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    // Replicas and accounts both within what a small case has, and beyond.
    let replica = || prop_oneof![6 => 0u8..4, 2 => 0u8..16, 1 => any::<u8>()];
    let told = (replica(), 0u8..20, 0u8..8, testimony());
    prop_oneof![
        12 => told.prop_map(|(replica, device, account, testimony)| Event::Told {
            replica, device, account, testimony,
        }),
        2 => replica().prop_map(Event::Trusted),
        1 => any_answer().prop_map(Event::Computed),
        2 => Just(Event::NoReferee),
        3 => (0u8..4).prop_map(Event::Added),
        1 => any::<u8>().prop_map(Event::Added),
    ]
}

fn any_agreement() -> impl Strategy<Value = Agreement> {
    prop_oneof![
        1 => Just(Agreement::Single),
        1 => prop::sample::select(vec![3u8, 5, 15])
            .prop_map(|replicas| Agreement::Majority { replicas }),
        3 => Just(Agreement::Unanimous),
        3 => Just(Agreement::Adaptive),
    ]
}

fn apply(case: &mut Case, event: &Event) {
    match event {
        Event::Told {
            replica,
            device,
            account,
            testimony,
        } => case.hear(
            *replica,
            DeviceId([*device; 32]),
            AccountId::new([*account; 32]),
            testimony.clone(),
        ),
        Event::Trusted(replica) => case.trust(*replica),
        Event::Computed(truth) => case.hear_referee(*truth),
        Event::NoReferee => case.no_referee(),
        Event::Added(more) => case.add_replicas(*more),
    }
}

/// What is said of a task whose devices answer as they like, asked by a coordinator that does what
/// the judge says, until the case is decided or cannot be.
fn driven(agreement: Agreement, says: &[u8], referee: Option<Exit>) -> (Case, Hearing) {
    let mut case = Case::new(agreement);
    let mut heard = 0u8;
    loop {
        while heard < case.replicas() {
            let value = says[usize::from(heard) % says.len()];
            let testimony = Testimony::Answered {
                answer: answer(value, Exit::Success),
                receipt: Digest([heard; 32]),
            };
            let account = AccountId::new([heard; 32]);
            case.hear(heard, DeviceId([heard; 32]), account, testimony);
            heard += 1;
        }
        match case.hearing(0) {
            Hearing::NeedsMore { replicas } => case.add_replicas(replicas),
            Hearing::NeedsReferee => match referee {
                Some(exit) => case.hear_referee(answer(0, exit)),
                None => case.no_referee(),
            },
            over => return (case, over),
        }
    }
}

proptest! {
    #[test]
    fn the_judge_says_what_the_rules_say_after_every_event(
        agreement in any_agreement(),
        history in prop::collection::vec(event(), 0..30),
    ) {
        let mut case = Case::new(agreement);
        for (n, event) in history.iter().enumerate() {
            apply(&mut case, event);
            let told = Told::of(agreement, &history[..=n]);
            prop_assert_eq!(u16::from(case.replicas()), told.replicas);
            for outstanding in [0, 1, 2, 15, u8::MAX] {
                prop_assert_eq!(case.hearing(outstanding), told.hearing(outstanding));
            }
        }
    }

    #[test]
    fn a_split_is_never_outvoted_while_a_referee_can_be_had(
        is_adaptive: bool,
        history in prop::collection::vec(event(), 0..30),
        outstanding: u8,
    ) {
        let agreement = match is_adaptive {
            true => Agreement::Adaptive,
            false => Agreement::Unanimous,
        };
        let mut case = Case::new(agreement);
        // One of whom it is not believed that the program fails is none.
        let is_referee = |it: &&Event| match it {
            Event::NoReferee => false,
            Event::Computed(truth) => truth.exit == Exit::Success,
            _ => true,
        };
        let with_referee = history.iter().filter(is_referee);
        with_referee.for_each(|event| apply(&mut case, event));
        if let Hearing::Decided(decision) = case.hearing(outstanding) {
            prop_assert!(decision.ground != Ground::Vote);
            let is_split = case.is_divided();
            prop_assert!(!is_split || decision.ground == Ground::Referee);
        }
    }

    #[test]
    fn that_a_program_fails_is_never_one_machine_s_word(
        agreement in any_agreement(),
        history in prop::collection::vec(event(), 0..30),
        outstanding: u8,
    ) {
        let mut case = Case::new(agreement);
        history.iter().for_each(|event| apply(&mut case, event));
        if let Hearing::Decided(decision) = case.hearing(outstanding)
            && decision.answer.exit != Exit::Success
        {
            let found = decision.findings.iter();
            let devices = found.filter(|found| found.finding == Finding::Accepted).count();
            let referee = usize::from(decision.ground == Ground::Referee);
            prop_assert!(devices >= 1 && devices + referee >= 2);
        }
    }

    #[test]
    fn a_coordinator_that_does_what_the_judge_says_comes_to_an_end(
        agreement in any_agreement(),
        says in prop::collection::vec(0u8..4, 1..16),
        referee in prop::sample::select(vec![None, Some(Exit::Success), Some(Exit::Trap)]),
    ) {
        let (case, over) = driven(agreement, &says, referee);
        let compares = matches!(agreement, Agreement::Unanimous | Agreement::Adaptive);
        if compares {
            prop_assert!(case.replicas() <= ESCALATION_REPLICAS_MAX);
        }
        match over {
            Hearing::Decided(decision) => {
                let truth = answer(0, Exit::Success);
                prop_assert!(decision.ground != Ground::Referee || decision.answer == truth);
            }
            // Here no device says that the program fails.
            Hearing::Undecidable => prop_assert!(!compares || referee != Some(Exit::Success)),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
