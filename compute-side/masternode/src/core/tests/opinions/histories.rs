//! When a case is decided, and who hears it before, told from all testimonies and from when a trusted device
//! was here.

use super::{FIVE_MINUTES_MS, Habit, JOB, MAJORITY, World};
use crate::core::{Entry, Event, ReleaseCause, Tick};
use proptest::prelude::*;
use quern_primitives::{
    ids::{DeviceId, Digest},
    verdict::{Finding, Verdict},
};
use quern_protocol::HandBackReason;
use std::collections::BTreeSet;

/// How far the clock goes at a time, in milliseconds.
const SECOND_MS: u64 = 1_000;

/// How often devices give a sign of life, in milliseconds.
const ALIVE_MS: u64 = 10 * SECOND_MS;

/// How long after a trusted device came or went that may not be known everywhere, in milliseconds: devices
/// are ranked within a second.
const KNOWN_MS: u64 = 2 * SECOND_MS;

/// What may happen to the devices of a [`Story`], which are numbered, or to all.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Asks(usize),
    Reports(usize),
    CannotOpen(usize),
    /// The trusted one asks and does at once what it is given.
    TrustedWorks,
    /// The trusted one goes, or comes again.
    TrustedMoves,
    Seconds(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let worker = 0..Story::TRUSTED;
    prop_oneof![
        10 => worker.clone().prop_map(Happens::Asks),
        10 => worker.clone().prop_map(Happens::Reports),
        2 => worker.prop_map(Happens::CannotOpen),
        2 => Just(Happens::TrustedWorks),
        1 => Just(Happens::TrustedMoves),
        4 => prop_oneof![1..9u64, 40..140u64].prop_map(Happens::Seconds),
    ]
}

/// What a device said of the task.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    Answer(Digest),
    DoesNotOpen,
    Nothing,
}

/// What a log tells of the only task.
#[derive(Default)]
struct Told {
    /// All that was said, by whom.
    testimonies: Vec<(DeviceId, Said)>,
    /// When something was said last.
    last: Option<Tick>,
    /// Who has it.
    holders: BTreeSet<DeviceId>,
    /// Replicas that were added.
    added: usize,
}

impl Told {
    fn answers(&self) -> impl Iterator<Item = Digest> {
        self.testimonies.iter().filter_map(|(_, said)| match said {
            Said::Answer(answer) => Some(*answer),
            _ => None,
        })
    }

    /// The answer that two accounts gave at the least, and more than half of all. Each device is of an
    /// account of its own.
    fn accepted(&self) -> Option<Digest> {
        let votes = |answer: &Digest| self.answers().filter(|it| it == answer).count();
        let is_accepted = |answer: &Digest| {
            let votes = votes(answer);
            votes >= 2 && 2 * votes > self.answers().count()
        };
        self.answers().find(is_accepted)
    }

    /// The same once it is waited for nobody else: as many have answered as the owner asked for.
    fn decided(&self) -> Option<Digest> {
        self.accepted().filter(|_| self.answers().count() >= 3)
    }

    /// What a verdict finds of each device.
    fn findings(&self, accepted: Digest) -> Vec<(DeviceId, Finding)> {
        let finding = |said: Said| match said {
            Said::Answer(answer) if answer == accepted => Finding::Accepted,
            Said::Answer(_) => Finding::Incorrect,
            Said::DoesNotOpen => Finding::Failed,
            Said::Nothing => Finding::Delayed,
        };
        let found = self.testimonies.iter();
        let mut found: Vec<_> = found.map(|(by, said)| (*by, finding(*said))).collect();
        found.sort_by_key(|(by, _)| *by);
        found
    }

    /// Whether a verdict blames somebody for what was said, and not only for being slow.
    fn blames(&self, accepted: Digest) -> bool {
        let found = self.findings(accepted);
        let is_blamed = |it: &Finding| matches!(it, Finding::Incorrect | Finding::Failed);
        found.iter().any(|(_, it)| is_blamed(it))
    }

    /// Whether a device has answered.
    fn is_heard(&self, device: DeviceId) -> bool {
        let mut testimonies = self.testimonies.iter();
        testimonies.any(|(by, said)| *by == device && matches!(said, Said::Answer(_)))
    }

    /// Replicas that nobody has or has answered.
    fn open(&self) -> usize {
        3 + self.added - self.answers().count() - self.holders.len()
    }
}

/// One task, three honest devices, three that lie alike, and a trusted one that comes and goes.
struct Story {
    world: World,
    trusted: DeviceId,
    /// Whether the trusted one is here, and since when that is so.
    presence: (bool, Tick),
    /// When each entry of the log was written.
    written: Vec<Tick>,
    /// When a trusted device was asked for.
    asked: Option<Tick>,
}

impl Story {
    /// The number of the trusted one.
    const TRUSTED: usize = 6;

    fn new() -> Self {
        let mut world = World::new(1, MAJORITY, &[1, 2, 3]);
        for account in [4, 5, 6] {
            world.join(account, Habit::Lies(99));
        }
        let trusted = world.join_as(7, Habit::Honest, |worker| worker.trusted = true);
        world.wait(SECOND_MS);
        Self {
            trusted: world.workers[trusted].id(),
            presence: (true, Tick(0)),
            written: world.log().map(|_| world.now).collect(),
            world,
            asked: None,
        }
    }

    /// What the first entries of the log tell.
    fn told(&self, log: &[Entry]) -> Told {
        let mut told = Told::default();
        for (entry, at) in log.iter().zip(&self.written) {
            let (by, said) = match entry {
                Entry::Assigned { device, .. } => {
                    told.holders.insert(*device);
                    continue;
                }
                Entry::Added { replicas, .. } => {
                    told.added += usize::from(*replicas);
                    continue;
                }
                Entry::Revealed { receipt, .. } => {
                    let payload = &receipt.payload;
                    (payload.device, Said::Answer(payload.result_commitment))
                }
                Entry::Released { device, cause, .. } => match cause {
                    ReleaseCause::BadInput { .. } => (*device, Said::DoesNotOpen),
                    cause => {
                        assert_eq!(*cause, ReleaseCause::Late);
                        (*device, Said::Nothing)
                    }
                },
                _ => continue,
            };
            told.holders.remove(&by);
            told.testimonies.push((by, said));
            told.last = Some(*at);
        }
        told
    }

    /// Whether the trusted device is surely known to be here, or not to be.
    fn is_surely(&self, here: bool) -> bool {
        self.presence.0 == here && self.world.now.since(self.presence.1) >= KNOWN_MS
    }

    /// Whether nobody but the trusted one has the task, and nothing was said for as long as it is waited for
    /// another to take what is open of it.
    fn is_quiet(&self, told: &Told) -> bool {
        let patience_ms = self.world.settings.certain_ms;
        let is_long = |at: Tick| self.world.now.since(at) >= patience_ms;
        let has_nobody = told.holders.iter().all(|by| *by == self.trusted);
        has_nobody && told.last.is_some_and(is_long)
    }

    /// Whether the trusted device had its five minutes.
    fn has_waited(&self) -> bool {
        let now = self.world.now;
        self.asked
            .is_some_and(|at| now.since(at) >= FIVE_MINUTES_MS)
    }

    /// The case was decided after what the log tells.
    fn check(&self, told: &Told, verdict: &Verdict) {
        let accepted = told.accepted();
        assert_eq!(accepted, Some(verdict.answer.result_commitment));
        let accepted = verdict.answer.result_commitment;
        let found = verdict.replicas.iter();
        let mut found: Vec<_> = found.map(|it| (it.device, it.finding)).collect();
        found.sort_by_key(|(by, _)| *by);
        assert_eq!(found, told.findings(accepted));
        let is_due = self.has_waited();
        let may_be_heard = !told.is_heard(self.trusted) && self.is_surely(true);
        assert!(
            is_due || !may_be_heard || !told.blames(accepted),
            "blamed unheard: {verdict:?}"
        );
        let is_time = is_due || told.decided().is_some() || self.is_quiet(told);
        assert!(is_time, "others may still be heard: {verdict:?}");
    }

    /// Something happened. False once the case is closed.
    fn observe(&mut self) -> bool {
        let log: Vec<Entry> = self.world.log().cloned().collect();
        let (before, now) = (self.written.len(), self.world.now);
        self.written.resize(log.len(), now);
        let earlier = self.told(&log[..before]);
        let is_asked = self.asked.is_some() && !self.has_waited();
        for (place, entry) in log.iter().enumerate().skip(before) {
            match entry {
                Entry::Assigned { device, .. } => {
                    let is_heard = self.told(&log[..place]).is_heard(self.trusted);
                    let is_theirs = !is_asked || is_heard || *device == self.trusted;
                    assert!(is_theirs, "it is for the trusted one");
                }
                Entry::Judged { verdict } => {
                    self.check(&self.told(&log[..place]), verdict);
                    return false;
                }
                Entry::Ended { .. } => return false,
                _ => {}
            }
        }
        let told = self.told(&log);
        let job = self.world.core.jobs.get(&JOB).unwrap();
        if let Some(until) = job.opinions.until(0) {
            let asked = Tick(until.0 - FIVE_MINUTES_MS);
            if self.asked.is_none() {
                self.check_asked(&told, asked);
            }
            // Once.
            assert_eq!(*self.asked.get_or_insert(asked), asked);
        }
        let is_due = self.has_waited();
        assert!(!is_due || told.accepted().is_none(), "it had five minutes");
        if let Some(accepted) = told.decided() {
            let is_blame = told.blames(accepted) && !told.is_heard(self.trusted);
            assert!(is_blame && self.asked.is_some(), "nobody is waited for");
            let is_alone =
                told.testimonies.len() > earlier.testimonies.len() && self.is_surely(false);
            assert!(!is_alone, "no trusted device could have it");
        }
        true
    }

    /// A trusted device was asked for.
    fn check_asked(&self, told: &Told, asked: Tick) {
        assert_eq!(asked, self.world.now);
        let accepted = told.accepted().unwrap();
        assert!(told.blames(accepted) && !told.is_heard(self.trusted));
        assert!(told.decided().is_some() || self.is_quiet(told));
        assert!(!self.is_surely(false), "no trusted device could have it");
        let is_there = told.open() > 0 || told.holders.contains(&self.trusted);
        assert!(is_there, "there is nothing to be had");
    }

    /// Lets something happen, and the trusted device do what it is given. False once the case is closed.
    fn step(&mut self, happen: impl FnOnce(&mut World)) -> bool {
        happen(&mut self.world);
        if !self.observe() {
            return false;
        }
        if self.world.workers[Self::TRUSTED].in_hand.is_empty() {
            return true;
        }
        self.world.report(Self::TRUSTED);
        self.observe()
    }

    /// A second passes. False once the case is closed.
    fn second(&mut self) -> bool {
        if !self.step(|world| world.wait(SECOND_MS)) {
            return false;
        }
        let (is_time, is_here) = (self.world.now.0.is_multiple_of(ALIVE_MS), self.presence.0);
        let is_alive = |worker: &usize| is_time && (is_here || *worker != Self::TRUSTED);
        let mut alive = (0..=Self::TRUSTED).filter(is_alive);
        alive.all(|worker| {
            self.step(|world| {
                world.ask(worker, 0);
            })
        })
    }

    /// False once the case is closed.
    fn happen(&mut self, happens: Happens) -> bool {
        match happens {
            Happens::Asks(worker) => self.step(|world| {
                world.ask(worker, 1);
            }),
            Happens::Reports(worker) => self.step(|world| world.report(worker)),
            Happens::CannotOpen(worker) => {
                self.step(|world| world.hand_back(worker, HandBackReason::BadInput))
            }
            Happens::TrustedWorks if self.presence.0 => self.step(|world| {
                world.ask(Self::TRUSTED, 1);
            }),
            Happens::TrustedWorks => true,
            Happens::TrustedMoves => {
                let (is_here, device) = (self.presence.0, self.trusted);
                self.presence = (!is_here, self.world.now);
                self.step(|world| match is_here {
                    true => world.feed(Event::Gone { device }),
                    false => world.hello(Self::TRUSTED),
                })
            }
            Happens::Seconds(seconds) => (0..seconds).all(|_| self.second()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_case_is_decided_as_its_whole_history_says_and_nobody_takes_what_the_trusted_one_is_asked(
        happenings in prop::collection::vec(happens(), 1..80),
    ) {
        let mut story = Story::new();
        for happening in happenings {
            if !story.happen(happening) {
                break;
            }
        }
    }
}
