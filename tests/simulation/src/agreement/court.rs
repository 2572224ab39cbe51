//! One task before the judge: who is asked, what they say, what comes of it.

use super::ACCOUNTS;
use quern_primitives::{
    ids::{AccountId, DeviceId, Digest, JobId, TaskIndex},
    job::Agreement,
    limits::TASKS_PER_JOB_MAX,
    receipt::{Answer, Exit},
    verdict::{Finding, ReplicaFinding},
};
use quern_verdict::{Case, Hearing, Testimony, is_re_executed, is_trusted_alone};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use sha2::{Digest as _, Sha256};

/// What the program computes.
const TRUTH: Answer = answer(1);

/// What the coalition says that it does.
const LIE: Answer = answer(2);

const fn answer(mark: u8) -> Answer {
    Answer {
        result_commitment: Digest([mark; 32]),
        result_bytes: 8,
        fuel: 1_000,
        exit: Exit::Success,
    }
}

/// The judge does not decide a task that it has to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all was heard that the judge asked for, and it says {said:?}; see compute-side/verdict")]
pub struct StuckError {
    said: Hearing,
}

/// When members of the coalition lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Never.
    Honest,
    /// Always.
    Bold,
    /// Where all who are asked at first are members.
    Careful,
}

/// How a task is agreed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) agreement: Agreement,
    pub(super) conduct: Conduct,
    /// How many of the accounts are members.
    pub(super) colluding: u32,
    /// Whether one can be had where answers differ.
    pub(super) has_referee: bool,
    pub(super) re_executed_permille: u16,
}

/// What came of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// A wrong answer was accepted.
    pub(super) is_wrong: bool,
    /// It was computed again when it was settled.
    pub(super) is_again: bool,
    /// The verdict finds a liar.
    pub(super) has_found: bool,
    /// The verdict finds an honest device wrong.
    pub(super) has_blamed: bool,
    /// Devices beyond the first that computed it.
    pub(super) more_devices: u64,
    /// A referee computed it.
    pub(super) is_refereed: bool,
    /// The device that was asked first.
    pub(super) first: u32,
    /// The second one, if there was one.
    pub(super) second: Option<u32>,
}

impl Outcome {
    /// A liar was found out, when answers were compared or when the task was computed again.
    pub(super) fn is_caught(&self) -> bool {
        self.has_found || self.is_wrong && self.is_again
    }
}

/// What is drawn for a job, so that nobody knows what comes out before it is time to.
struct Job {
    id: JobId,
    trust_seed: [u8; 32],
    /// What its draw follows from.
    block: Digest,
    next: TaskIndex,
}

/// Accounts, and the jobs that they compute one after the other.
pub(super) struct Court {
    chance: Xoshiro256PlusPlus,
    accounts: Vec<(AccountId, DeviceId)>,
    job: Job,
}

impl Court {
    /// The same luck for the same name and seed.
    pub(super) fn new(name: &str, seed: u64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(seed.to_le_bytes());
        hasher.update(name);
        let mut chance = Xoshiro256PlusPlus::from_seed(hasher.finalize().into());
        let account = |number: u32| {
            let mut name = [0; 32];
            name[..4].copy_from_slice(&number.to_le_bytes());
            (AccountId::new(name), DeviceId(name))
        };
        Self {
            accounts: (0..ACCOUNTS).map(account).collect(),
            job: Job::drawn(&mut chance),
            chance,
        }
    }

    /// One task, from who is asked to what is computed again. `rows` says how many answers of a device were
    /// accepted in a row; `first` is asked first, or whoever is drawn.
    pub(super) fn hear(
        &mut self,
        terms: &Terms,
        first: Option<u32>,
        rows: impl Fn(u32) -> u32,
    ) -> Result<Outcome, StuckError> {
        let task = self.next_task();
        let mut case = Case::new(terms.agreement);
        let first = first.unwrap_or_else(|| self.drawn(&[]));
        let mut asked = vec![first];
        if terms.agreement == Agreement::Adaptive {
            // As masternodes do when they give a task to its first device.
            let device = &self.account(first).1;
            match is_trusted_alone(&self.job.trust_seed, task, device, rows(first)) {
                true => case.trust(0),
                false => case.add_replicas(1),
            }
        }
        self.ask(&case, &mut asked);
        let is_member = |number: &u32| *number < terms.colluding;
        let lies = match terms.conduct {
            Conduct::Honest => false,
            Conduct::Bold => true,
            Conduct::Careful => asked.iter().all(is_member),
        };
        let mut outcome = Outcome {
            first,
            ..Outcome::default()
        };
        let mut heard = 0;
        let decision = loop {
            self.ask(&case, &mut asked);
            for (number, replica) in asked.iter().zip(0..).skip(heard) {
                let (account, device) = self.account(*number).clone();
                let said = match lies && is_member(number) {
                    true => LIE,
                    false => TRUTH,
                };
                let testimony = Testimony::Answered {
                    answer: said,
                    receipt: Digest(device.0),
                };
                case.hear(replica, device, account, testimony);
            }
            heard = asked.len();
            match case.hearing(0) {
                Hearing::Decided(decision) => break decision,
                Hearing::NeedsMore { replicas } => case.add_replicas(replicas),
                Hearing::NeedsReferee if !terms.has_referee => case.no_referee(),
                Hearing::NeedsReferee if !outcome.is_refereed => {
                    outcome.is_refereed = true;
                    case.hear_referee(TRUTH);
                }
                said => return Err(StuckError { said }),
            }
        };
        let Job { id, block, .. } = &self.job;
        let permille = terms.re_executed_permille;
        outcome.is_wrong = decision.answer != TRUTH;
        outcome.is_again = is_re_executed(block, id, task, decision.ground, permille);
        outcome.more_devices = asked.len() as u64 - 1;
        outcome.second = asked.get(1).copied();
        for found in &decision.findings {
            if found.finding == Finding::Incorrect {
                match is_member(&number_of(found)) {
                    true => outcome.has_found = true,
                    false => outcome.has_blamed = true,
                }
            }
        }
        Ok(outcome)
    }

    /// Asks as many as the case has replicas.
    fn ask(&mut self, case: &Case, asked: &mut Vec<u32>) {
        while asked.len() < usize::from(case.replicas()) {
            asked.push(self.drawn(asked));
        }
    }

    /// Anybody who was not asked yet.
    fn drawn(&mut self, asked: &[u32]) -> u32 {
        loop {
            let number = self.chance.random_range(0..ACCOUNTS);
            if !asked.contains(&number) {
                return number;
            }
        }
    }

    fn account(&self, number: u32) -> &(AccountId, DeviceId) {
        &self.accounts[number as usize]
    }

    fn next_task(&mut self) -> TaskIndex {
        if self.job.next == TASKS_PER_JOB_MAX {
            self.job = Job::drawn(&mut self.chance);
        }
        let task = self.job.next;
        self.job.next += 1;
        task
    }
}

impl Job {
    fn drawn(chance: &mut Xoshiro256PlusPlus) -> Self {
        let mut bytes = || {
            let mut bytes = [0; 32];
            chance.fill_bytes(&mut bytes);
            bytes
        };
        Self {
            id: JobId(bytes()),
            trust_seed: bytes(),
            block: Digest(bytes()),
            next: 0,
        }
    }
}

/// Which of the accounts a finding is about.
fn number_of(found: &ReplicaFinding) -> u32 {
    let [a, b, c, d, ..] = found.device.0;
    u32::from_le_bytes([a, b, c, d])
}
