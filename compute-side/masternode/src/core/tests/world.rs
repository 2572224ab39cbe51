//! The world around the core.

use crate::core::{
    Core, Effect, Entry, Event, JobPlan, PlannedAssignment, Settings, Tick, Ticket, Token, WorkPlan,
};
use quern_job_rules::{life, pay::PRICES_AT_GENESIS, quote, settlement, tasks};
use quern_primitives::{
    amount::Amount,
    batch::Batch,
    device::{Class, Device, Hardware, Record, Region},
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId, ProgramHash, SealingKey, TaskIndex},
    job::{Agreement, ByteLevel, Job, Submission},
    payload::DeviceKey,
    receipt::{Exit, Receipt},
    view::DeviceView,
};
use quern_protocol::{
    DiscardReason, Exchange, HandBack, HandBackReason, Hello, Output, Refusal, ReplicaId, Report,
};
use quern_shards::{chunks::chunk_root, seal::sealed_bytes};
use std::collections::{BTreeMap, VecDeque};

pub(super) const JOB: JobId = JobId([7; 32]);
pub(super) const GENESIS: GenesisHash = GenesisHash([9; 32]);
pub(super) const MAJORITY: Agreement = Agreement::Majority { replicas: 3 };
pub(super) const DEADLINE: u32 = 5_000;
const OWNER: AccountId = AccountId::new([101; 32]);
const COORDINATOR: AccountId = AccountId::new([102; 32]);
const ENGINE: Digest = Digest([6; 32]);
const RESULT_BYTES: u64 = 3;

/// How a device computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    Honest,
    /// Gives an answer of its own.
    Lies(u8),
    /// Says that the program traps.
    Traps,
}

pub(super) struct Worker {
    key: DeviceKey,
    pub(super) account: AccountId,
    pub(super) habit: Habit,
    pub(super) in_hand: Vec<PlannedAssignment>,
    /// Reports that are not acknowledged.
    pub(super) reports: Vec<Report>,
    pub(super) acknowledged: Vec<ReplicaId>,
    pub(super) discarded: Vec<(ReplicaId, DiscardReason)>,
    pub(super) answers: Vec<WorkPlan>,
    pub(super) refusals: Vec<Refusal>,
}

impl Worker {
    pub(super) fn id(&self) -> DeviceId {
        self.key.id()
    }

    fn names(&self) -> Vec<ReplicaId> {
        self.in_hand.iter().map(|given| given.id).collect()
    }

    /// What the device states about a replica it was given.
    pub(super) fn receipt(&self, given: &PlannedAssignment, output: &[u8]) -> Receipt {
        let ReplicaId { job, task, replica } = given.id;
        let (value, exit) = match self.habit {
            Habit::Honest => (task as u8, Exit::Success),
            Habit::Lies(value) => (value, Exit::Success),
            Habit::Traps => (0, Exit::Trap),
        };
        Receipt {
            job,
            task,
            replica,
            device: self.id(),
            program: ProgramHash([2; 32]),
            input_root: input_root(task),
            result_commitment: Digest([value; 32]),
            output_root: chunk_root(output),
            result_bytes: if exit == Exit::Success {
                RESULT_BYTES
            } else {
                0
            },
            fuel: 1_000_000_000 + u64::from(task),
            exit,
            class: Class::Pinned,
            engine: ENGINE,
            log_position: given.log_position,
        }
    }

    pub(super) fn output(&self) -> Vec<u8> {
        let plaintext = if self.habit == Habit::Traps {
            0
        } else {
            RESULT_BYTES
        };
        vec![self.id().0[0]; sealed_bytes(plaintext) as usize]
    }

    pub(super) fn sign(&self, receipt: Receipt, output: Vec<u8>) -> Report {
        Report {
            receipt: self.key.sign(receipt, &GENESIS),
            output: Output::Inline(output),
        }
    }

    /// Computes everything in hand.
    fn compute(&mut self) {
        for given in std::mem::take(&mut self.in_hand) {
            let output = self.output();
            let receipt = self.receipt(&given, &output);
            self.reports.push(self.sign(receipt, output));
        }
    }

    fn hears(&mut self, work: WorkPlan) {
        self.reports
            .retain(|report| !work.acknowledged.contains(&name(report)));
        self.acknowledged.extend(&work.acknowledged);
        for discard in &work.discard {
            self.reports.retain(|report| name(report) != discard.id);
            self.in_hand.retain(|given| given.id != discard.id);
            self.discarded.push((discard.id, discard.reason));
        }
        self.in_hand.extend(&work.assignments);
        self.answers.push(work);
    }
}

fn name(report: &Report) -> ReplicaId {
    crate::core::replica_of(&report.receipt)
}

fn input_root(task: TaskIndex) -> Digest {
    Digest([task as u8 + 50; 32])
}

/// The chain, as far as a job sees it.
pub(super) struct Ledger {
    pub(super) job: Job,
    settled: Vec<u8>,
    pub(super) paid: BTreeMap<AccountId, Amount>,
    pub(super) batches: Vec<Batch>,
    /// Whether transactions get into blocks.
    pub(super) takes: bool,
}

impl Ledger {
    fn apply(&mut self, now: u32, event: life::Event<'_>) -> bool {
        let Ok(next) = life::apply(&self.job, now, event) else {
            return false;
        };
        self.job = next.job;
        true
    }

    fn settle(&mut self, now: u32, batch: &Batch) -> bool {
        let Ok(valid) = settlement::validate(&self.job, &self.settled, batch, &COORDINATOR, now)
        else {
            return false;
        };
        valid.tasks().add_to(&mut self.settled);
        for payout in valid.payouts() {
            *self.paid.entry(payout.account.clone()).or_default() += payout.amount;
        }
        let next = life::apply(&self.job, now, valid.event(&COORDINATOR)).unwrap();
        self.job = next.job;
        self.batches.push(batch.clone());
        true
    }
}

pub(super) struct World {
    pub(super) core: Core,
    pub(super) now: Tick,
    pub(super) block: u32,
    pub(super) ledger: Ledger,
    pub(super) workers: Vec<Worker>,
    /// The job's log on disk.
    pub(super) disk: Vec<Entry>,
    /// Entries that are not on disk yet.
    pub(super) waiting: VecDeque<(Ticket, Entry)>,
    /// Writes at once.
    pub(super) disk_is_quick: bool,
    pub(super) effects: Vec<Effect>,
    next_token: u64,
}

pub(super) fn submission(tasks: u32, agreement: Agreement) -> Submission {
    Submission {
        salt: [1; 16],
        program: ProgramHash([2; 32]),
        manifest: Digest([3; 32]),
        shards_root: Digest([4; 32]),
        key_commitment: Digest([5; 32]),
        tasks,
        input_bytes: u64::from(tasks) * 100,
        fuel_per_task_max: 2_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        result_bytes_max: 1024,
        agreement,
        class: Class::Pinned,
        level: ByteLevel::Balanced,
        deadline: DEADLINE,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey([6; 32]),
    }
}

impl World {
    /// A job of so many tasks, running and uploaded, and one device for each account named.
    pub(super) fn new(tasks: u32, agreement: Agreement, accounts: &[u8]) -> Self {
        let submission = submission(tasks, agreement);
        let quote = quote::quote(&submission, &PRICES_AT_GENESIS, 10).unwrap();
        let job = life::open(OWNER, submission, PRICES_AT_GENESIS, &quote, 10);
        let drawn = life::Event::Drawn {
            coordinator: COORDINATOR,
        };
        let job = life::apply(&job, 11, drawn).unwrap().job;
        let settled = vec![0; tasks::bitmap_bytes(tasks) as usize];
        let mut world = Self {
            core: Core::new(Settings::new(GENESIS)),
            now: Tick(1_000),
            block: 20,
            ledger: Ledger {
                job,
                settled,
                paid: BTreeMap::new(),
                batches: vec![],
                takes: true,
            },
            workers: vec![],
            disk: vec![],
            waiting: VecDeque::new(),
            disk_is_quick: true,
            effects: vec![],
            next_token: 0,
        };
        accounts.iter().for_each(|account| {
            world.join(*account, Habit::Honest);
        });
        world.next_block();
        let plan = world.plan();
        world.feed(Event::Uploaded { job: JOB, plan });
        world
    }

    /// A new device that says hello; returns its number.
    pub(super) fn join(&mut self, account: u8, habit: Habit) -> usize {
        let number = self.workers.len();
        self.workers.push(Worker {
            key: DeviceKey::from_seed(&[number as u8 + 1; 32]),
            account: AccountId::new([account; 32]),
            habit,
            in_hand: vec![],
            reports: vec![],
            acknowledged: vec![],
            discarded: vec![],
            answers: vec![],
            refusals: vec![],
        });
        self.hello(number);
        number
    }

    pub(super) fn plan(&self) -> JobPlan {
        let tasks = self.ledger.job.submission.tasks;
        JobPlan {
            input_roots: (0..tasks).map(input_root).collect(),
        }
    }

    pub(super) fn hello(&mut self, worker: usize) {
        let worker = &self.workers[worker];
        let device = Device {
            account: worker.account.clone(),
            sealing_key: SealingKey([1; 32]),
            region: Region::Unknown,
            hardware: Hardware::Unknown,
            record: Record::default(),
        };
        let view = DeviceView {
            id: worker.id(),
            device,
            bonded: true,
            banned: false,
            verified: false,
        };
        let hello = Hello {
            software: vec![],
            engines: vec![(Class::Pinned, ENGINE)],
            in_hand: worker
                .names()
                .into_iter()
                .chain(worker.reports.iter().map(name))
                .collect(),
        };
        self.feed(Event::Hello {
            view: Box::new(view),
            hello,
        });
    }

    /// The device sends its reports and asks for work.
    pub(super) fn ask(&mut self, worker: usize, want: u8) -> Token {
        let reports = self.workers[worker]
            .reports
            .iter()
            .take(8)
            .cloned()
            .collect();
        self.send(
            worker,
            Exchange {
                reports,
                want,
                ..Exchange::default()
            },
        )
    }

    pub(super) fn send(&mut self, worker: usize, exchange: Exchange) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        let device = self.workers[worker].id();
        self.feed(Event::Exchange {
            device,
            token,
            exchange,
            delivered: BTreeMap::new(),
        });
        token
    }

    pub(super) fn hand_back(&mut self, worker: usize, reason: HandBackReason) {
        let given = std::mem::take(&mut self.workers[worker].in_hand);
        let handed_back = given
            .iter()
            .map(|given| HandBack {
                id: given.id,
                reason,
            })
            .collect();
        self.send(
            worker,
            Exchange {
                handed_back,
                ..Exchange::default()
            },
        );
    }

    /// The device computes what it has and reports.
    pub(super) fn report(&mut self, worker: usize) {
        self.workers[worker].compute();
        self.ask(worker, 0);
    }

    pub(super) fn compute(&mut self, worker: usize) {
        self.workers[worker].compute();
    }

    /// Time passes.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now = Tick(self.now.0 + ms);
        self.feed(Event::Tick);
    }

    pub(super) fn next_block(&mut self) {
        self.block += 1;
        let jobs = vec![(JOB, self.ledger.job.clone())];
        self.feed(Event::Finalised {
            block: self.block,
            jobs,
        });
    }

    pub(super) fn cancel(&mut self) {
        let event = life::Event::Cancelled {
            by: &OWNER,
            grace_blocks: 100,
        };
        assert!(self.ledger.apply(self.block, event));
        self.next_block();
    }

    /// The disk writes the oldest entries.
    pub(super) fn write(&mut self, entries: usize) {
        let count = entries.min(self.waiting.len());
        let written: Vec<_> = self.waiting.drain(..count).collect();
        let Some((through, _)) = written.last() else {
            return;
        };
        let through = *through;
        self.disk
            .extend(written.into_iter().map(|(_, entry)| entry));
        self.feed(Event::Persisted { through });
    }

    /// The masternode dies and comes back with what is on disk.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        self.core = Core::new(Settings::new(GENESIS));
        self.feed(Event::Finalised {
            block: self.block,
            jobs: vec![],
        });
        let (job, plan) = (self.ledger.job.clone(), self.plan());
        self.core
            .replay(self.now, JOB, job, Some(plan), self.disk.clone());
    }

    pub(super) fn feed(&mut self, event: Event) {
        for effect in self.core.step(self.now, event) {
            self.effects.push(effect.clone());
            self.carry_out(effect);
        }
        if self.disk_is_quick && !self.waiting.is_empty() {
            self.write(usize::MAX);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Append {
                ticket,
                position,
                entry,
                ..
            } => {
                assert_eq!(position, (self.disk.len() + self.waiting.len()) as u64);
                self.waiting.push_back((ticket, *entry));
                self.check_log();
            }
            Effect::Answer { device, work, .. } => {
                let worker = self
                    .workers
                    .iter_mut()
                    .find(|worker| worker.id() == device)
                    .unwrap();
                worker.hears(work);
                assert!(worker.in_hand.len() <= 2, "more than two in hand");
            }
            Effect::Refuse { refusal, .. } => {
                self.workers
                    .iter_mut()
                    .for_each(|worker| worker.refusals.push(refusal));
            }
            Effect::Settle { batch } => {
                let is_on_disk = self.disk.contains(&Entry::Batched {
                    batch: (*batch).clone(),
                });
                assert!(is_on_disk, "a batch is sent only once it is on disk");
                if self.ledger.takes {
                    self.ledger.settle(self.block, &batch);
                }
            }
            Effect::CloseFailed { task, exit, .. } => {
                let settled = self.ledger.settled.clone();
                let by = &COORDINATOR;
                let event = life::Event::ProgramFailed {
                    by,
                    task,
                    exit,
                    settled: &settled,
                };
                if self.ledger.takes {
                    self.ledger.apply(self.block, event);
                }
            }
            _ => {}
        }
    }

    /// The log with what is not on disk yet.
    pub(super) fn log(&self) -> impl Iterator<Item = &Entry> {
        self.disk
            .iter()
            .chain(self.waiting.iter().map(|(_, entry)| entry))
    }

    /// Two replicas of a task are never with one account.
    fn check_log(&self) {
        let mut accounts = BTreeMap::new();
        for entry in self.log() {
            match entry {
                Entry::Assigned {
                    task,
                    replica,
                    account,
                    ..
                } => {
                    accounts.insert((*task, *replica), account);
                }
                Entry::Released { task, replica, .. } => {
                    accounts.remove(&(*task, *replica));
                }
                _ => {}
            }
        }
        let mut pairs: Vec<_> = accounts
            .iter()
            .map(|((task, _), account)| (*task, *account))
            .collect();
        pairs.sort_unstable();
        let count = pairs.len();
        pairs.dedup();
        assert_eq!(pairs.len(), count, "an account has two replicas of a task");
    }

    pub(super) fn count(&self, wanted: impl Fn(&Entry) -> bool) -> usize {
        self.log().filter(|entry| wanted(entry)).count()
    }

    pub(super) fn settles(&self) -> usize {
        self.effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Settle { .. }))
            .count()
    }

    /// Money is where the rules and the verdicts on disk say.
    pub(super) fn check_money(&self) {
        let escrow = self.ledger.job.escrow;
        let sum = escrow.paid + escrow.network + escrow.refunded + escrow.held;
        assert_eq!(sum, escrow.deposited);
        assert_eq!(self.ledger.paid.values().sum::<Amount>(), escrow.paid);
        let mut owed: BTreeMap<AccountId, Amount> = BTreeMap::new();
        for entry in &self.disk {
            let Entry::Judged { verdict } = entry else {
                continue;
            };
            if !tasks::is_settled(&self.ledger.settled, verdict.task) {
                continue;
            }
            for found in verdict.replicas.iter().filter(|found| found.pay > 0) {
                *owed.entry(found.account.clone()).or_default() += found.pay;
            }
        }
        assert_eq!(owed, self.ledger.paid);
    }
}
