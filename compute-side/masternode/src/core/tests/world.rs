//! The world around the core.

pub(super) use super::{ledger::DEADLINE, worker::Habit};
use super::{
    ledger::{COORDINATOR, Ledger, OWNER, Purse},
    worker::{ENGINE, PORTABLE_ENGINE, QUESTION, Worker, input_root, name, truth},
};
use crate::core::{
    Bond, Core, Effect, Engines, Entry, Event, JobPlan, NoReferee, Note, Noted, Purpose,
    ReportFacts, Settings, Tick, Ticket, Token, Truth, in_order, replica_of,
};
use quern_grid::FleetSettings;
use quern_job_rules::life;
use quern_primitives::{
    amount::BYTECHIP,
    device::{Device, Hardware, Record, Region},
    ids::{DeviceId, Digest, GenesisHash, JobId, NodeKey, SealingKey, TaskIndex},
    job::{Agreement, Preferences},
    view::DeviceView,
};
use quern_protocol::{Exchange, HandBack, HandBackReason, Hello, Progress, Report, Stage};
use quern_shards::keys::TrustSeed;
use std::collections::{BTreeSet, VecDeque};

pub(super) const JOB: JobId = JobId([7; 32]);
pub(super) const GENESIS: GenesisHash = GenesisHash([9; 32]);
/// What is drawn from who is believed alone.
pub(super) const TRUST_SEED: [u8; 32] = [10; 32];
pub(super) const MAJORITY: Agreement = Agreement::Majority { replicas: 3 };

pub(super) fn settings() -> Settings {
    let engines = Engines {
        pinned: ENGINE,
        portable: PORTABLE_ENGINE,
    };
    // Whoever is measured is half as fast as the mark, and so told from who never was.
    let fleet = FleetSettings {
        reference_rate: 20_000_000,
        ..FleetSettings::default()
    };
    Settings {
        fleet,
        ..Settings::new(GENESIS, NodeKey(REFEREE.0), engines)
    }
}

/// How the referee answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refereeing {
    /// At once, with what comes out.
    Truthful,
    /// At once, that it cannot.
    Unavailable,
    /// When it is told to.
    Slow,
}

/// The name of the referee.
pub(super) const REFEREE: DeviceId = DeviceId([77; 32]);

/// What draws of what was counted in a block follow from.
pub(super) fn seed_of(block: u32) -> Digest {
    Digest([block as u8; 32])
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) core: Core,
    pub(super) now: Tick,
    pub(super) block: u32,
    pub(super) ledger: Ledger,
    /// What each account has bonded.
    pub(super) bond: Bond,
    pub(super) workers: Vec<Worker>,
    /// The tasks whose shard is not on the masternode's disk.
    pub(super) missing: BTreeSet<TaskIndex>,
    /// The job's log on disk.
    pub(super) disk: Vec<Entry>,
    /// The notes beside it, also those that are not on disk yet.
    pub(super) notes: Vec<Noted>,
    /// Entries that are not on disk yet.
    pub(super) waiting: VecDeque<(Ticket, Entry)>,
    /// What was appended to the logs of other jobs, and noted beside them, which no disk keeps.
    pub(super) others: Vec<(JobId, Entry)>,
    pub(super) other_notes: Vec<(JobId, Note)>,
    /// Writes at once.
    pub(super) disk_is_quick: bool,
    /// Devices report with their commitments, and do not wait to be asked.
    pub(super) reveals_unasked: bool,
    /// How the referee answers.
    pub(super) referee: Refereeing,
    /// What it is asked for and has not answered.
    pub(super) asked: VecDeque<(JobId, TaskIndex, Purpose)>,
    /// What the masternode looks at before it sends a batch, if it does.
    pub(super) purse: Option<Purse>,
    /// Blocks for which it is to be read what draws follow from.
    pub(super) seeds: VecDeque<u32>,
    pub(super) effects: Vec<Effect>,
    next_token: u64,
}

impl World {
    /// A job of so many tasks, running and uploaded, and one device for each account named.
    pub(super) fn new(tasks: u32, agreement: Agreement, accounts: &[u8]) -> Self {
        Self::with(settings(), tasks, agreement, accounts)
    }

    /// The same with other settings of the core.
    pub(super) fn with(
        settings: Settings,
        tasks: u32,
        agreement: Agreement,
        accounts: &[u8],
    ) -> Self {
        let ledger = Ledger::new(tasks, agreement);
        Self::of(settings, ledger, accounts)
    }

    /// The same for a job that the chain has already.
    pub(super) fn of(settings: Settings, ledger: Ledger, accounts: &[u8]) -> Self {
        let mut world = Self {
            settings,
            core: Core::new(settings),
            now: Tick(1_000),
            block: 20,
            ledger,
            bond: Bond {
                active: 1_000 * BYTECHIP,
                devices: 1,
            },
            workers: vec![],
            missing: BTreeSet::new(),
            disk: vec![],
            notes: vec![],
            waiting: VecDeque::new(),
            others: vec![],
            other_notes: vec![],
            disk_is_quick: true,
            reveals_unasked: true,
            referee: Refereeing::Unavailable,
            asked: VecDeque::new(),
            purse: None,
            seeds: VecDeque::new(),
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

    /// The same job before the shards of some tasks have come.
    pub(super) fn lacking(mut self, missing: impl IntoIterator<Item = TaskIndex>) -> Self {
        self.missing = missing.into_iter().collect();
        self.begin_anew();
        (0..self.workers.len()).for_each(|worker| self.hello(worker));
        self
    }

    /// Another job like this one runs and is uploaded.
    pub(super) fn add_job(&mut self, job: JobId) {
        let mut other = Ledger::new(self.tasks(), Agreement::Single).job;
        other.terms = self.ledger.job.terms;
        let jobs = vec![(job, other)];
        let block = self.block;
        self.feed(Event::Finalised { block, jobs });
        let plan = self.plan();
        self.feed(Event::Uploaded { job, plan });
    }

    fn tasks(&self) -> u32 {
        self.ledger.job.submission.tasks
    }

    /// Shards come, and the masternode is told of them.
    pub(super) fn come(&mut self, tasks: impl IntoIterator<Item = TaskIndex>) {
        let tasks: Vec<_> = tasks.into_iter().collect();
        self.missing.retain(|task| !tasks.contains(task));
        self.feed(Event::Shards { job: JOB, tasks });
    }

    /// A job of four tasks whose owner has these preferences.
    pub(super) fn with_preferences(preferences: Preferences, accounts: &[u8]) -> Self {
        let mut world = Self::new(4, Agreement::Single, &[]);
        world.ledger.job.submission.preferences = preferences;
        world.begin_anew();
        accounts.iter().for_each(|account| {
            world.join(*account, Habit::Honest);
        });
        world
    }

    /// A masternode that has heard of nothing but the job as it is now.
    pub(super) fn begin_anew(&mut self) {
        self.begin_without_plan();
        let plan = self.plan();
        self.feed(Event::Uploaded { job: JOB, plan });
    }

    /// The same before the job is uploaded.
    pub(super) fn begin_without_plan(&mut self) {
        self.waiting.clear();
        self.disk.clear();
        self.notes.clear();
        self.core = self.new_core();
        self.next_block();
    }

    /// A new device that says hello; returns its number.
    pub(super) fn join(&mut self, account: u8, habit: Habit) -> usize {
        self.join_as(account, habit, |_| {})
    }

    /// The same for one that is special.
    pub(super) fn join_as(
        &mut self,
        account: u8,
        habit: Habit,
        change: impl FnOnce(&mut Worker),
    ) -> usize {
        let number = self.workers.len();
        let mut worker = Worker::new(number as u8 + 1, account, habit);
        change(&mut worker);
        self.workers.push(worker);
        self.hello(number);
        number
    }

    pub(super) fn plan(&self) -> JobPlan {
        JobPlan {
            input_roots: (0..self.tasks()).map(input_root).collect(),
            missing: self.missing.clone(),
            settled: Default::default(),
            seed: [8; 32],
            fetch_bytes_max: 0,
            trust_seed: TrustSeed::from_bytes(TRUST_SEED),
        }
    }

    /// What the chain says of a device.
    pub(super) fn view(&self, worker: usize) -> DeviceView {
        let worker = &self.workers[worker];
        let (account, key) = (worker.account.clone(), SealingKey([1; 32]));
        let device = Device {
            history: worker.history,
            record: Record {
                accepted_in_a_row: worker.accepted_in_a_row,
                ..Record::default()
            },
            ..Device::new(account, key, Region::Unknown, Hardware::Unknown)
        };
        DeviceView {
            id: worker.id(),
            device,
            bonded: true,
            banned: false,
            verified: worker.trusted,
            quarantined: false,
        }
    }

    pub(super) fn hello(&mut self, worker: usize) {
        let view = self.view(worker);
        let worker = &self.workers[worker];
        let hello = Hello {
            software: vec![],
            engines: worker.engines.clone(),
            in_hand: worker
                .names()
                .into_iter()
                .chain(worker.reports.iter().map(name))
                .collect(),
            ..Hello::default()
        };
        self.feed(Event::Hello {
            at: self.block,
            view: Box::new(view),
            bond: self.bond,
            hello,
        });
    }

    /// A device is looked up on the chain again.
    pub(super) fn recheck(&mut self, view: DeviceView) {
        self.feed(Event::Rechecked {
            at: self.block,
            view: Box::new(view),
            bond: self.bond,
        });
    }

    /// The device sends its reports, those of them that it was asked for or all, and asks for work.
    pub(super) fn ask(&mut self, worker: usize, want: u8) -> Token {
        let Worker {
            reports,
            asked,
            in_hand,
            ..
        } = &self.workers[worker];
        // It names what it has in hand, and has come no further with it.
        let stage = Stage::Fetching;
        let progress = in_hand.iter().map(|it| Progress { id: it.id, stage });
        let progress = progress.collect();
        let may_send = |it: &&Report| self.reveals_unasked || asked.contains(&name(it));
        let reports = reports.iter().filter(may_send).take(8).cloned().collect();
        self.send(
            worker,
            Exchange {
                reports,
                want,
                progress,
                ..Exchange::default()
            },
        )
    }

    pub(super) fn send(&mut self, worker: usize, mut exchange: Exchange) -> Token {
        if self.reveals_unasked {
            let commitments = self.commitments(worker, &exchange.reports);
            exchange.commitments.extend(commitments);
        }
        self.next_token += 1;
        let token = Token(self.next_token);
        let device = self.workers[worker].id();
        let asked = |report: &Report| (replica_of(&report.receipt), QUESTION);
        let facts = ReportFacts {
            shown: self.shown(worker, &exchange),
            questions: exchange.reports.iter().map(asked).collect(),
            ..ReportFacts::default()
        };
        self.feed(Event::Exchange {
            device,
            token,
            exchange,
            facts,
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

    /// Time passes, in whole seconds, for devices that give a sign of life in each.
    pub(super) fn wait_alive(&mut self, ms: u64, alive: &[usize]) {
        for _ in 0..ms / 1_000 {
            self.wait(1_000);
            for worker in alive {
                self.ask(*worker, 0);
            }
        }
    }

    /// The same for all devices that there are.
    pub(super) fn wait_all_alive(&mut self, ms: u64) {
        let all: Vec<_> = (0..self.workers.len()).collect();
        self.wait_alive(ms, &all);
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
        self.asked.clear();
        self.seeds.clear();
        let length = self.disk.len() as u64;
        self.notes.retain(|noted| noted.behind <= length);
        self.core = self.new_core();
        let (job, plan) = (self.ledger.job.clone(), self.plan());
        let lines = in_order(self.disk.clone(), self.notes.clone());
        self.core.replay(self.now, JOB, job, Some(plan), lines);
    }

    /// A masternode that has asked the chain for its block and knows no job.
    pub(super) fn new_core(&self) -> Core {
        let mut core = Core::new(self.settings);
        let block = self.block;
        core.step(
            self.now,
            Event::Finalised {
                block,
                jobs: vec![],
            },
        );
        core
    }

    pub(super) fn feed(&mut self, event: Event) {
        for effect in self.core.step(self.now, event) {
            self.effects.push(effect.clone());
            self.carry_out(effect);
        }
        self.core.jobs.check(&self.core.settings);
        self.core.check_turns();
        if self.disk_is_quick && !self.waiting.is_empty() {
            self.write(usize::MAX);
        }
        while self.referee != Refereeing::Slow && self.answer_asked() {}
        if self.purse.as_mut().is_some_and(Purse::has_waited) {
            self.feed(Event::NotSettled { job: JOB });
        }
    }

    /// The referee answers what it was asked for first. False if it was asked for nothing.
    pub(super) fn answer_asked(&mut self) -> bool {
        let Some((job, task, _)) = self.asked.pop_front() else {
            return false;
        };
        let outcome = match self.referee {
            Refereeing::Unavailable => Err(NoReferee::None),
            Refereeing::Truthful | Refereeing::Slow => Ok(truth(task)),
        };
        self.tell_referee(job, task, outcome);
        true
    }

    /// The referee answers.
    pub(super) fn tell_referee(
        &mut self,
        job: JobId,
        task: TaskIndex,
        outcome: Result<Truth, NoReferee>,
    ) {
        let outcome = Box::new(outcome);
        self.feed(Event::Recomputed { job, task, outcome });
    }

    /// The seeds that are wanted are read.
    pub(super) fn read_seeds(&mut self) {
        while let Some(block) = self.seeds.pop_front() {
            let seed = seed_of(block);
            self.feed(Event::Seed { block, seed });
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Recompute {
                job, task, purpose, ..
            } => self.asked.push_back((job, task, purpose)),
            Effect::StopRecomputing { job, task } => {
                self.asked.retain(|(of, it, _)| (*of, *it) != (job, task));
            }
            Effect::ReadSeed { block } => self.seeds.push_back(block),
            Effect::Append { job, entry, .. } if job != JOB => self.others.push((job, *entry)),
            Effect::Note { job, noted, .. } if job != JOB => {
                self.other_notes.push((job, noted.note));
            }
            Effect::Note { noted, .. } => {
                assert_eq!(noted.behind, (self.disk.len() + self.waiting.len()) as u64);
                assert_eq!(noted.number, self.notes.len() as u64);
                self.notes.push(*noted);
            }
            Effect::Append {
                ticket,
                position,
                entry,
                ..
            } => {
                assert_eq!(position, (self.disk.len() + self.waiting.len()) as u64);
                if let Entry::Assigned { task, .. } = &*entry {
                    let is_here = !self.missing.contains(task);
                    assert!(is_here, "task {task} is given out without its shard");
                }
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
                let ledger = &self.ledger;
                let purse = self.purse.as_mut();
                let is_covered = purse.is_none_or(|purse| purse.covers(ledger, &batch));
                if is_covered && self.ledger.takes_next() {
                    self.ledger.settle(self.block, &batch);
                }
            }
            Effect::CloseFailed { task, why, .. } => {
                let settled = self.ledger.settled.clone();
                let by = &COORDINATOR;
                let event = life::Event::Failed {
                    by,
                    task,
                    why,
                    settled: &settled,
                };
                if self.ledger.takes_next() {
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

    /// The notes beside it.
    pub(super) fn noted(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().map(|noted| &noted.note)
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
}
