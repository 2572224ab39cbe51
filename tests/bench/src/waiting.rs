//! How long the masternode's core takes for an exchange while many devices wait for work.
//!
//! All have said hello and asked. Then a job's shards come one after the other. Each opens a task, which
//! the best ranked of those that wait gets; it reports with a signed receipt, the verdict follows at once,
//! and it asks again. Of some tasks the first device gives its replica back undone, and the next one gets
//! it. All steps that a task takes are timed, those for what is on disk among them, and divided by its
//! exchanges. How many devices wait should not matter: it is held against the same with a thousand.
//!
//! That these devices are ranked is timed too, with all that the core does at once because of it: it puts
//! those that wait into the new order and tries the first of them.

use crate::{
    devices::account,
    known::{ENGINE, hello, view},
    ranking,
    report::{Bar, Row, title},
};
use anyhow::{Context as _, ensure};
use quern_grid::Tick;
use quern_masternode::core::{
    Bond, Core, Effect, Engines, Event, JobPlan, PlannedAssignment, ReportFacts, Settings, Shown,
    Token, WorkPlan,
};
use quern_primitives::{
    DeviceId, JobId,
    amount::{Amount, BYTECHIP},
    device::Class,
    ids::{Digest, GenesisHash, NodeKey, ProgramHash, SealingKey, TaskIndex},
    job::{Agreement, ByteLevel, Escrow, Job, JobState, Preferences, Prices, Referees, Submission},
    params::Terms,
    payload::DeviceKey,
    receipt::{Exit, Receipt},
};
use quern_protocol::{Exchange, HandBack, HandBackReason, Output, ReplicaId, Report};
use quern_shards::{chunks::chunk_root, keys::TrustSeed, seal::sealed_bytes};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

pub(crate) const EXCHANGE: &str = "exchange_us_100k_connected";
pub(crate) const RANKED: &str = "rank_100k_waiting_ms";

const DEVICES: u32 = 100_000;
const QUICK_DEVICES: u32 = 5_000;

/// Devices of what it is held against.
const FEW: u32 = 1_000;

/// The job's tasks. All of them take less time than an exchange is held open for.
const TASKS: u32 = 250;

/// Of so many tasks one is given back by the first that has it.
const ONE_IS_GIVEN_BACK_OF: u32 = 4;

/// When devices are ranked for the last time, in milliseconds: a second after most of them came.
const RANKED_MS: u64 = 1_000;

const GENESIS: GenesisHash = GenesisHash([9; 32]);
const JOB: JobId = JobId([7; 32]);
const PROGRAM: ProgramHash = ProgramHash([2; 32]);
const INPUT_ROOT: Digest = Digest([4; 32]);

/// Bytes of a task's result.
const RESULT_BYTES: u64 = 3;

pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    let count = if quick { QUICK_DEVICES } else { DEVICES };
    title(&format!("{count} devices that wait for work"));
    let of_few = exchange_us(&mut Waiting::new(FEW)?)?;
    let mut waiting = Waiting::new(count)?;
    let ranked = (waiting.spent.as_secs_f64() * 1e3, "ms");
    let alone = ranking::afresh_ms(count)?;
    let exchange = (exchange_us(&mut waiting)?, "us");
    Ok(vec![
        // More of what is looked up is out of the processor's caches.
        Row::new(EXCHANGE, exchange, ("the same with 1,000 devices", of_few))
            .with_bar(Bar::RatioAtMost(4.0)),
        Row::new(RANKED, ranked, ("ranking as many without a core", alone)),
    ])
}

/// What an exchange takes where devices wait, in microseconds: the median of the tasks.
fn exchange_us(waiting: &mut Waiting) -> anyhow::Result<f64> {
    let each = (0..TASKS).map(|task| waiting.compute(task));
    let mut each = each.collect::<anyhow::Result<Vec<Duration>>>()?;
    each.sort_unstable();
    let median = each.get(each.len() / 2).context("there is no task")?;
    Ok(median.as_secs_f64() * 1e6)
}

/// A masternode's core, and the devices that wait there.
struct Waiting {
    core: Core,
    keys: BTreeMap<DeviceId, DeviceKey>,
    now: Tick,
    /// Exchanges so far.
    exchanges: u32,
    /// How long all steps took so far.
    spent: Duration,
}

impl Waiting {
    /// So many devices wait and were ranked, and a job runs of which no shard has come.
    fn new(devices: u32) -> anyhow::Result<Self> {
        let engines = Engines {
            pinned: ENGINE,
            portable: ENGINE,
        };
        let mut it = Self {
            core: Core::new(Settings::new(GENESIS, NodeKey::default(), engines)),
            keys: BTreeMap::new(),
            now: Tick(0),
            exchanges: 0,
            spent: Duration::ZERO,
        };
        let mut ids = Vec::new();
        for number in 0..devices {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&number.to_le_bytes());
            let key = DeviceKey::from_seed(&seed);
            let id = key.id();
            it.core.step(it.now, greeting(id, number));
            it.keys.insert(id, key);
            ids.push(id);
        }
        let jobs = vec![(JOB, job())];
        it.core.step(it.now, Event::Finalised { block: 20, jobs });
        let plan = JobPlan {
            input_roots: vec![INPUT_ROOT; TASKS as usize],
            missing: (0..TASKS).collect(),
            settled: Default::default(),
            seed: [8; 32],
            fetch_bytes_max: 0,
            trust_seed: TrustSeed::from_bytes([9; 32]),
        };
        it.core.step(it.now, Event::Uploaded { job: JOB, plan });
        for device in &ids {
            let event = it.asks(*device);
            it.core.step(it.now, event);
        }
        it.now = Tick(RANKED_MS);
        it.step(Event::Tick);
        let told = |device| it.core.explain_device(it.now, device);
        let is_ranked = |id| told(id).is_some_and(|it| it.state.byte_rank > 0);
        ensure!(ids.iter().all(is_ranked), "a device is not ranked");
        Ok(it)
    }

    /// A task's shard comes, and it is computed. Returns how long all of it took for each exchange.
    fn compute(&mut self, task: TaskIndex) -> anyhow::Result<Duration> {
        let (exchanges, spent) = (self.exchanges, self.spent);
        let tasks = vec![task];
        let mut given = taken(self.happens(Event::Shards { job: JOB, tasks }))?;
        if task.is_multiple_of(ONE_IS_GIVEN_BACK_OF) {
            let (device, assignment) = given;
            let back = HandBack {
                id: assignment.id,
                reason: HandBackReason::Stopping,
            };
            // It asks for nothing more, for it would get nothing for a while.
            let exchange = Exchange {
                handed_back: vec![back],
                ..Exchange::default()
            };
            let event = self.sends(device, exchange);
            given = taken(self.happens(event))?;
        }
        let (device, assignment) = given;
        let exchange = Exchange {
            reports: vec![self.report(device, &assignment)?],
            want: 1,
            ..Exchange::default()
        };
        // The report is acknowledged, and the device waits again.
        for event in [self.sends(device, exchange), self.asks(device)] {
            self.happens(event);
        }
        Ok((self.spent - spent) / (self.exchanges - exchanges))
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let begun = Instant::now();
        let effects = self.core.step(self.now, event);
        self.spent += begun.elapsed();
        self.now = self.now.plus_ms(1);
        effects
    }

    /// Something happens, and what follows is on disk at once. Returns what devices are told.
    fn happens(&mut self, event: Event) -> Vec<(DeviceId, WorkPlan)> {
        let mut told = Vec::new();
        let mut effects = self.step(event);
        loop {
            let mut written = None;
            for effect in effects {
                match effect {
                    Effect::Append { ticket, .. } => written = Some(ticket),
                    Effect::Answer { device, work, .. } => told.push((device, work)),
                    _ => {}
                }
            }
            let Some(through) = written else {
                return told;
            };
            effects = self.step(Event::Persisted { through });
        }
    }

    /// A device asks for a replica.
    fn asks(&mut self, device: DeviceId) -> Event {
        let exchange = Exchange {
            want: 1,
            ..Exchange::default()
        };
        self.sends(device, exchange)
    }

    fn sends(&mut self, device: DeviceId, exchange: Exchange) -> Event {
        self.exchanges += 1;
        let token = Token(u64::from(self.exchanges));
        // It has the shards of what it reports.
        let shown = exchange.reports.iter().map(|report| {
            let receipt = &report.receipt.payload;
            let id = ReplicaId {
                job: receipt.job,
                task: receipt.task,
                replica: receipt.replica,
            };
            ((id, receipt.log_position), Shown::Right)
        });
        let facts = ReportFacts {
            shown: shown.collect(),
            ..ReportFacts::default()
        };
        Event::Exchange {
            device,
            token,
            exchange,
            facts,
        }
    }

    /// What a device reports of a replica.
    fn report(&self, device: DeviceId, given: &PlannedAssignment) -> anyhow::Result<Report> {
        let key = self.keys.get(&device);
        let key = key.context("a device that does not wait got something")?;
        let output = vec![0; usize::try_from(sealed_bytes(RESULT_BYTES))?];
        let receipt = Receipt {
            job: JOB,
            task: given.id.task,
            replica: given.id.replica,
            device,
            program: PROGRAM,
            input_root: INPUT_ROOT,
            question: Digest([46; 32]),
            result_commitment: Digest([3; 32]),
            output_root: chunk_root(&output),
            result_bytes: RESULT_BYTES,
            fuel: 1_000_000_000,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: ENGINE,
            log_position: given.log_position,
            salt: [90; 32].into(),
        };
        Ok(Report {
            receipt: key.sign(receipt, &GENESIS),
            output: Output::Inline(output),
        })
    }
}

/// Who was given something, and what.
fn taken(told: Vec<(DeviceId, WorkPlan)>) -> anyhow::Result<(DeviceId, PlannedAssignment)> {
    let mut given = told
        .into_iter()
        .filter_map(|(device, work)| Some((device, *work.assignments.first()?)));
    given.next().context("nobody got what was opened")
}

/// A device says hello, whose bond covers what a task of the job could gain it.
fn greeting(id: DeviceId, number: u32) -> Event {
    Event::Hello {
        at: 20,
        view: Box::new(view(id, number)),
        bond: Bond {
            active: 1_000 * BYTECHIP,
            devices: 1,
        },
        hello: hello(),
    }
}

/// A job that runs, of one replica for each task.
fn job() -> Job {
    let submission = Submission {
        salt: [1; 16],
        program: PROGRAM,
        manifest: Digest([3; 32]),
        shards_root: Digest([4; 32]),
        key_commitment: Digest([5; 32]),
        tasks: TASKS,
        input_bytes: u64::from(TASKS),
        fuel_per_task_max: 2_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        result_bytes_max: 1024,
        agreement: Agreement::Single,
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 5_000,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey([6; 32]),
    };
    Job {
        owner: account(u32::MAX),
        submission,
        prices: Prices {
            gigafuel: BYTECHIP / 100,
            task_min: BYTECHIP / 10_000,
            replica_permille: 600,
            low_permille: 800,
            high_permille: 1_300,
        },
        terms: Terms {
            re_execution_permille: 10,
            ..Terms::FIRST
        },
        submitted_at: 10,
        state: JobState::Running {
            coordinator: account(u32::MAX - 1),
        },
        escrow: Escrow::default(),
        settled_tasks: 0,
        next_batch: 0,
        pending_batches: 0,
    }
}
