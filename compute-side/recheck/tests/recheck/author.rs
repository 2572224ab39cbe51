//! Writes honest logs: tasks, replicas, late devices, backups, splits, referees, batches, in any order
//! that chance brings. What a verdict has to be is counted here, and not asked of the judge.

use crate::world::{
    COORDINATOR, DEVICES, Dice, Facts, HERE, JOB, SEED, account, device_key, lanes_for, node,
    referee,
};
use codec::Encode;
use quern_job_rules::{
    pay::{self, Tariff},
    tasks,
};
use quern_joblog::{End, Entry, OutputPlace, RefereeWord, ReleaseCause};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, DeviceChange, LogRange, Payout},
    device::{Class, RecordChange},
    ids::{AccountId, DeviceId, Digest, ProgramHash, RevealSalt},
    job::Agreement,
    limits::REPLICAS_PER_TASK_MAX,
    log::{Commitment, RefereeReport, SignedCommitment},
    merkle::Tree,
    params::Terms,
    receipt::{Answer, Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_verdict::{is_trusted_alone, receipt_digest};
use std::collections::{BTreeMap, BTreeSet};

/// A log and what it is about.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) facts: Facts,
    pub(crate) entries: Vec<Entry>,
    pub(crate) batches: Vec<Batch>,
}

/// What came of a replica.
#[derive(Clone)]
enum What {
    Said { value: u8, receipt: Digest },
    Late,
    Failed,
}

#[derive(Clone)]
struct Heard {
    replica: u8,
    device: usize,
    what: What,
}

struct Held {
    replica: u8,
    device: usize,
    position: u64,
    is_committed: bool,
}

struct Run {
    task: u32,
    replicas: u8,
    held: Vec<Held>,
    heard: Vec<Heard>,
    excluded: Vec<usize>,
    is_without_referee: bool,
    is_over: bool,
}

impl Run {
    fn said(&self) -> Vec<&Heard> {
        let is_said = |it: &&Heard| matches!(it.what, What::Said { .. });
        self.heard.iter().filter(is_said).collect()
    }

    /// A verdict names as many devices as a task may have replicas: whoever answers takes the place of the
    /// first who did not, and who does not answer finds none.
    fn hear(&mut self, heard: Heard) {
        let is_said = |it: &Heard| matches!(it.what, What::Said { .. });
        if self.heard.len() >= usize::from(REPLICAS_PER_TASK_MAX) {
            match self.heard.iter().position(|it| !is_said(it)) {
                Some(silent) if is_said(&heard) => drop(self.heard.remove(silent)),
                _ => return,
            }
        }
        self.heard.push(heard);
    }

    fn free(&self) -> Option<u8> {
        (0..self.replicas).find(|replica| {
            self.held.iter().all(|it| it.replica != *replica)
                && self.said().iter().all(|it| it.replica != *replica)
        })
    }

    /// Each value with its votes, the most votes last.
    fn counts(&self) -> Vec<(u8, usize)> {
        let mut counts = BTreeMap::new();
        for heard in self.said() {
            if let What::Said { value, .. } = heard.what {
                *counts.entry(value).or_insert(0) += 1;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, votes)| *votes);
        counts
    }
}

struct Author {
    dice: Dice,
    facts: Facts,
    entries: Vec<Entry>,
    unbatched: Vec<Verdict>,
    batches: Vec<Batch>,
    batched: u64,
    first: u32,
    at: u32,
    is_over: bool,
}

/// An answer by its value; zero is the truth.
pub(crate) fn answer(task: u32, value: u8) -> Answer {
    Answer {
        result_commitment: Digest([value + 1; 32]),
        result_bytes: 10,
        fuel: 10_000_000_000 + u64::from(task) * 1_000_000 + u64::from(value),
        exit: Exit::Success,
    }
}

/// A device's signed receipt for a replica.
pub(crate) fn receipt(
    task: u32,
    replica: u8,
    device: usize,
    position: u64,
    value: u8,
) -> SignedReceipt {
    let answer = answer(task, value);
    let key = device_key(device);
    let receipt = Receipt {
        job: JOB,
        task,
        replica,
        device: key.id(),
        program: ProgramHash([8; 32]),
        input_root: Digest([200 + task as u8; 32]),
        question: Digest([46; 32]),
        result_commitment: answer.result_commitment,
        output_root: Digest([device as u8; 32]),
        result_bytes: answer.result_bytes,
        fuel: answer.fuel,
        exit: answer.exit,
        class: Class::Pinned,
        engine: Digest([13; 32]),
        log_position: position,
        salt: RevealSalt([90 + device as u8; 32]),
    };
    key.sign(receipt, &HERE)
}

/// The device's signed commitment to what a receipt says.
pub(crate) fn commitment(receipt: &Receipt, device: usize) -> SignedCommitment {
    let commitment = Commitment {
        job: receipt.job,
        task: receipt.task,
        replica: receipt.replica,
        device: receipt.device,
        log_position: receipt.log_position,
        commitment: receipt.commitment(),
    };
    device_key(device).sign(commitment, &HERE)
}

/// An honest log of a job with so many tasks.
pub(crate) fn story(agreement: Agreement, tasks: u32, seed: u64) -> Story {
    let begins = Entry::Opened {
        coordinator: COORDINATOR,
        node: node().public(),
        at: 2,
    };
    story_behind(agreement, tasks, seed, (begins, 2), (0, &[].into()))
}

/// An honest log of who goes on with a job at a height, of which so many batches have settled these tasks.
pub(crate) fn story_behind(
    agreement: Agreement,
    tasks: u32,
    seed: u64,
    (begins, at): (Entry, u32),
    (first, settled): (u32, &BTreeSet<u32>),
) -> Story {
    let mut author = Author {
        dice: Dice(seed),
        facts: Facts::new(agreement, tasks),
        entries: vec![],
        unbatched: vec![],
        batches: vec![],
        batched: 0,
        first,
        at,
        is_over: false,
    };
    author.entries.push(begins);
    let early = 1 + author.dice.below(tasks as usize) as u32;
    for (first, end) in [(0, early), (early, tasks)] {
        if first < end {
            author.entries.push(Entry::Queued {
                first,
                tasks: end - first,
            });
        }
    }
    let open = (0..tasks).filter(|task| !settled.contains(task));
    let mut runs: Vec<_> = open
        .map(|task| Run {
            task,
            replicas: agreement.replicas(),
            held: vec![],
            heard: vec![],
            excluded: vec![],
            is_without_referee: false,
            is_over: false,
        })
        .collect();
    while !author.is_over && !runs.is_empty() {
        let place = author.dice.below(runs.len());
        author.step(&mut runs[place]);
        runs.retain(|run| !run.is_over);
        if author.dice.happens(5) {
            author.batch();
        }
    }
    if !author.is_over {
        author.entries.push(Entry::Ended { end: End::Done });
    }
    author.batch();
    Story {
        facts: author.facts,
        entries: author.entries,
        batches: author.batches,
    }
}

impl Author {
    fn agreement(&self) -> Agreement {
        self.facts.job.submission.agreement
    }

    fn step(&mut self, run: &mut Run) {
        if self.dice.happens(4) && run.replicas < 5 {
            self.add(run, 1);
        }
        let free = run.free();
        match free.filter(|_| run.held.is_empty() || self.dice.happens(60)) {
            Some(replica) => self.assign(run, replica),
            None => self.act(run),
        }
    }

    fn add(&mut self, run: &mut Run, replicas: u8) {
        run.replicas += replicas;
        self.entries.push(Entry::Added {
            task: run.task,
            replicas,
        });
    }

    fn assign(&mut self, run: &mut Run, replica: u8) {
        let used: Vec<_> = run
            .held
            .iter()
            .map(|it| it.device)
            .chain(run.said().iter().map(|it| it.device))
            .map(account)
            .collect();
        let may_have: Vec<_> = (0..DEVICES - 2)
            .filter(|it| !used.contains(&account(*it)) && !run.excluded.contains(it))
            .collect();
        let device = may_have[self.dice.below(may_have.len())];
        self.at += self.dice.below(2) as u32;
        run.held.push(Held {
            replica,
            device,
            position: self.entries.len() as u64,
            is_committed: false,
        });
        self.entries.push(Entry::Assigned {
            task: run.task,
            replica,
            device: device_key(device).id(),
            account: account(device),
            engine: Digest([13; 32]),
            at: self.at,
            lanes: lanes_for(&self.facts.job, &account(device), run.task, replica),
        });
    }

    fn act(&mut self, run: &mut Run) {
        let place = self.dice.below(run.held.len());
        if self.dice.happens(12) && run.heard.len() < 8 {
            let held = run.held.remove(place);
            self.release(run, held);
        } else if !run.held[place].is_committed && (self.commits() || self.dice.happens(50)) {
            self.commit(run, place);
            return;
        } else {
            let held = run.held.remove(place);
            self.reveal(run, held);
        }
        self.judge(run);
    }

    /// Most devices tell the truth, and liars tell one of two lies.
    fn value(&self, task: u32, device: usize) -> u8 {
        match device % 4 {
            0 => 1 + ((task as usize + device / 4) % 2) as u8,
            _ => 0,
        }
    }

    fn commits(&self) -> bool {
        self.agreement().commits()
    }

    fn commit(&mut self, run: &mut Run, place: usize) {
        let (task, held) = (run.task, &mut run.held[place]);
        held.is_committed = true;
        let value = self.value(task, held.device);
        let receipt = receipt(task, held.replica, held.device, held.position, value);
        let commitment = commitment(&receipt.payload, held.device);
        self.entries.push(Entry::Committed { commitment });
    }

    fn reveal(&mut self, run: &mut Run, held: Held) {
        let value = self.value(run.task, held.device);
        let receipt = receipt(run.task, held.replica, held.device, held.position, value);
        run.hear(Heard {
            replica: held.replica,
            device: held.device,
            what: What::Said {
                value,
                receipt: receipt_digest(&receipt),
            },
        });
        self.entries.push(Entry::Revealed {
            receipt,
            output: OutputPlace::Inline { bytes: 226 },
        });
    }

    fn release(&mut self, run: &mut Run, held: Held) {
        let (cause, what) = match self.dice.below(5) {
            0 => (ReleaseCause::HandedBack, None),
            1 => (ReleaseCause::Withheld, None),
            2 => (ReleaseCause::Barred, None),
            3 => (ReleaseCause::Late, Some(What::Late)),
            _ => (ReleaseCause::Failed, Some(What::Failed)),
        };
        if cause.excludes() {
            run.excluded.push(held.device);
        }
        if let Some(what) = what {
            run.hear(Heard {
                replica: held.replica,
                device: held.device,
                what,
            });
        }
        self.entries.push(Entry::Released {
            task: run.task,
            replica: held.replica,
            device: device_key(held.device).id(),
            cause,
        });
    }

    /// What follows from what was heard, by counting.
    fn judge(&mut self, run: &mut Run) {
        let counts = run.counts();
        let heard = run.said().len();
        let out = usize::from(run.replicas) - heard;
        let (value, votes) = counts.last().copied().unwrap_or((0, 0));
        match self.agreement() {
            Agreement::Single if heard > 0 => self.decide(run, value, Ground::Trusted),
            Agreement::Single => {}
            Agreement::Majority { .. } => {
                let is_most = votes >= 2 && votes * 2 > heard;
                let is_sure = votes * 2 > heard + out.min(3_usize.saturating_sub(heard));
                if is_most && (heard >= 3 || out == 0 || (is_sure && self.dice.happens(40))) {
                    self.decide(run, value, Ground::Majority);
                } else if !is_most && out == 0 {
                    let more = (1..=15 - run.replicas).find(|more| {
                        let more = usize::from(*more);
                        votes + more >= 2 && (votes + more) * 2 > heard + more
                    });
                    self.escalate(run, more);
                }
            }
            Agreement::Unanimous | Agreement::Adaptive if counts.len() > 1 => self.split(run),
            Agreement::Unanimous | Agreement::Adaptive => {
                if votes >= 2 {
                    self.decide(run, value, Ground::Unanimous);
                } else if self.is_believed(run) {
                    self.decide(run, value, Ground::Trusted);
                } else if out == 0 {
                    self.add(run, 2 - votes as u8);
                }
            }
        }
    }

    fn is_believed(&self, run: &Run) -> bool {
        self.agreement() == Agreement::Adaptive
            && run.said().iter().any(|it| {
                let id = device_key(it.device).id();
                is_trusted_alone(&SEED, run.task, &id, Facts::row(it.device))
            })
    }

    /// Answers differ: a referee computes the task, or it is voted.
    fn split(&mut self, run: &mut Run) {
        if !run.is_without_referee {
            let is_here = self.dice.happens(60);
            let word = match is_here {
                true => RefereeWord::Computed {
                    report: referee().sign(
                        RefereeReport {
                            job: JOB,
                            task: run.task,
                            question: Digest([46; 32]),
                            answer: answer(run.task, 0),
                        },
                        &HERE,
                    ),
                    node: referee().public(),
                },
                false => RefereeWord::None,
            };
            let task = run.task;
            self.entries.push(Entry::Refereed { task, word });
            if is_here {
                return self.decide(run, 0, Ground::Referee);
            }
            run.is_without_referee = true;
        }
        let counts = run.counts();
        let heard = run.said().len();
        let (value, votes) = counts.last().copied().unwrap();
        if heard >= 3 && votes * 2 > heard {
            self.decide(run, value, Ground::Vote);
        } else if heard == usize::from(run.replicas) {
            let more = (1..=5_u8.saturating_sub(run.replicas)).find(|more| {
                let more = usize::from(*more);
                heard + more >= 3 && (votes + more) * 2 > heard + more
            });
            self.escalate(run, more);
        }
    }

    fn escalate(&mut self, run: &mut Run, more: Option<u8>) {
        match more {
            Some(more) => self.add(run, more),
            None => {
                let task = run.task;
                if !run.is_without_referee {
                    // Nothing is given up before a referee was asked.
                    let word = RefereeWord::None;
                    self.entries.push(Entry::Refereed { task, word });
                }
                let end = End::Undecided { task };
                self.entries.push(Entry::Ended { end });
                run.is_over = true;
                self.is_over = true;
            }
        }
    }

    fn decide(&mut self, run: &mut Run, accepted: u8, ground: Ground) {
        let finding = |what: &What| match what {
            What::Said { value, .. } if *value == accepted => Finding::Accepted,
            What::Said { .. } => Finding::Incorrect,
            What::Late => Finding::Delayed,
            What::Failed => Finding::Failed,
        };
        let answer = answer(run.task, accepted);
        let agreeing = run
            .heard
            .iter()
            .filter(|it| finding(&it.what) == Finding::Accepted)
            .count() as u8;
        let price = match agreeing {
            0 => 0,
            _ => Tariff::of_job(&self.facts.job).unwrap().price(answer.fuel),
        };
        let mut replicas: Vec<_> = run
            .heard
            .iter()
            .map(|it| ReplicaFinding {
                replica: it.replica,
                device: device_key(it.device).id(),
                account: account(it.device),
                finding: finding(&it.what),
                receipt: match it.what {
                    What::Said { receipt, .. } => Some(receipt),
                    What::Late | What::Failed => None,
                },
                pay: match finding(&it.what) {
                    Finding::Accepted => pay::pays(price, agreeing, Terms::FIRST),
                    _ => 0,
                },
            })
            .collect();
        replicas.sort_by_key(|it| (it.replica, it.device));
        let verdict = Verdict {
            job: JOB,
            task: run.task,
            answer,
            ground,
            price,
            replicas,
        };
        run.is_over = true;
        self.unbatched.push(verdict.clone());
        self.entries.push(Entry::Judged { verdict });
    }

    fn batch(&mut self) {
        if self.unbatched.is_empty() {
            return;
        }
        let mut verdicts = std::mem::take(&mut self.unbatched);
        verdicts.sort_by_key(|verdict| verdict.task);
        let last = self.entries.len() as u64 - 1;
        let log = LogRange {
            first: self.batched.min(last),
            last,
        };
        self.batched = last + 1;
        let batch = batch_of(&verdicts, self.first + self.batches.len() as u32, log);
        self.batches.push(batch.clone());
        self.entries.push(Entry::Batched { batch });
    }
}

/// The batch of these verdicts.
pub(crate) fn batch_of(verdicts: &[Verdict], sequence: u32, log: LogRange) -> Batch {
    let mut payouts: BTreeMap<AccountId, Amount> = BTreeMap::new();
    let mut devices: BTreeMap<DeviceId, RecordChange> = BTreeMap::new();
    for found in verdicts.iter().flat_map(|verdict| &verdict.replicas) {
        if found.pay > 0 {
            *payouts.entry(found.account.clone()).or_default() += found.pay;
        }
        let change = devices.entry(found.device).or_default();
        match found.finding {
            Finding::Accepted => change.accepted += 1,
            Finding::Incorrect => change.incorrect += 1,
            Finding::Failed => change.failed += 1,
            Finding::Delayed => change.delayed += 1,
        }
    }
    let payouts: Vec<_> = payouts
        .into_iter()
        .map(|(account, amount)| Payout { account, amount })
        .collect();
    let devices: Vec<_> = devices
        .into_iter()
        .map(|(device, change)| DeviceChange { device, change })
        .collect();
    Batch {
        job: JOB,
        sequence,
        log,
        verdicts_root: Tree::new(verdicts.iter().map(Encode::encode)).root(),
        tasks: tasks::collect(verdicts.iter().map(|verdict| verdict.task)).unwrap(),
        spent: verdicts.iter().map(|verdict| verdict.price).sum(),
        payouts: payouts.try_into().unwrap(),
        devices: devices.try_into().unwrap(),
    }
}
