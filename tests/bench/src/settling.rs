//! How many tasks a second are settled, what a batch takes of a block, and what of the chain.
//!
//! One validator, and this program in the place of a masternode and of all machines behind it. It runs
//! the masternode's own core and its settler, on verdicts that are there: each of 64 devices, of 64
//! accounts, has given the accepted answer of every 64th task. What is timed begins with the verdicts
//! and ends with the finalised block in which the last of them is settled: putting batches of 4,096
//! together, their trees, sums and lists; signing and sending them; the validator's pool, its making,
//! running and finalising of blocks; hearing of it. The window of a development chain is five blocks,
//! so that batches become final, and are paid, in the same blocks in which later ones are settled.
//!
//! Not in it is what comes before a verdict: devices, receipts, the judge, and the masternode's disk.
//! `dispatch_settled_tasks_per_s` has all of that.

use crate::report::{Bar, Row, say, title};
use anyhow::{Context as _, ensure};
use codec::Encode as _;
use quern_job_rules::pay::Tariff;
use quern_ledger::{Account, Call, Chain, Endpoints};
use quern_local_grid::{LocalGrid, OPERATOR, OWNER, Plan, WORKERS, development_account};
use quern_masternode::{
    core::{Core, Effect, Engines, Entry, Event, Settings, Tick},
    settler::{self, NotSettled, Order},
};
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, JobId,
    amount::BYTECHIP,
    batch::{Batch, BatchRecord},
    device::{Class, Hardware, Possession, Region},
    ids::{Digest, ProgramHash, SealingKey, TaskIndex},
    job::{Agreement, ByteLevel, Job, JobEnd, Preferences, Submission, job_id},
    limits::{TASKS_PER_JOB_MAX, VERDICTS_PER_BATCH_MAX},
    payload::DeviceKey,
    receipt::{Answer, Exit},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use std::{
    collections::VecDeque,
    path::Path,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

pub(crate) const SETTLED: &str = "settled_tasks_per_s";
pub(crate) const BYTES: &str = "settlement_bytes_per_task";
pub(crate) const WEIGHT: &str = "settle_batch_weight_permille";
pub(crate) const NAMES: [&str; 3] = [SETTLED, BYTES, WEIGHT];

/// Tasks settled a second at the least.
const SETTLED_MIN: f64 = 10_000.0;

/// Bytes on the chain for a task at the most.
const BYTES_MAX: f64 = 4.0;

/// The most that a batch may take of a block, in thousandths.
const WEIGHT_PERMILLE_MAX: f64 = 100.0;

/// Thousandths of a block that ordinary transactions may fill.
const ORDINARY_PERMILLE: f64 = 750.0;

/// Jobs, each of as many tasks as a job may have.
const JOBS: u8 = 8;

/// Accounts that are paid, and devices, one each.
const WORKERS_PAID: u8 = 64;

/// A full batch in every block.
pub(crate) const BATCH_PER_BLOCK: f64 = VERDICTS_PER_BATCH_MAX as f64 / BLOCK_SECONDS;
const BLOCK_SECONDS: f64 = 2.0;

/// Blocks a job may take: twenty minutes.
const DEADLINE_BLOCKS: BlockNumber = 600;

/// What is bonded for each device, far more than the chain asks for.
const BOND: u128 = 1_000 * BYTECHIP;

/// Orders that wait for the settler, as many as a masternode has.
const ORDERS_MAX: usize = 1_024;

/// Bytes of the key under which the chain keeps what stays of a batch: pallet and map, the job behind
/// 16 bytes of its hash, the batch's number behind 8.
const RECORD_KEY_BYTES: usize = 32 + (16 + 32) + (8 + 4);

/// What the devices ran.
const ENGINE: Digest = Digest([6; 32]);

/// One validator, and jobs that wait to be settled.
pub(crate) struct Settling {
    pub(crate) grid: LocalGrid,
    quick: bool,
}

impl Settling {
    /// Starts the validator; `None` if `stop` resolves first.
    pub(crate) async fn start(
        folder: &Path,
        quick: bool,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Option<Self>> {
        title("Settling batches of 4,096 tasks of 64 accounts");
        let mut plan = Plan::new(folder.join("settling"));
        plan.masternode = false;
        plan.workers.clear();
        let grid = LocalGrid::start_unless(&plan, say, stop).await?;
        Ok(grid.map(|grid| Self { grid, quick }))
    }

    pub(crate) async fn measure(&self) -> anyhow::Result<Vec<Row>> {
        let chain = self.grid.chain().await?;
        let operator = development_account(OPERATOR)?;
        prepare(&chain, &operator).await?;
        let jobs = submit(&chain, if self.quick { 1 } else { JOBS }).await?;
        let mut office = Office::open(&chain, &operator, &jobs)?;
        let took = office.settle_all().await?;
        let tasks = f64::from(TASKS_PER_JOB_MAX) * jobs.len() as f64;
        say(&format!(
            "{tasks} tasks in {} batches settled after {:.2} s",
            office.batches,
            took.as_secs_f64()
        ));
        let batch = office.sample.context("no batch was sent")?;
        let settled = Row::new(
            SETTLED,
            (tasks / took.as_secs_f64(), "tasks/s"),
            (
                "a full batch of 4,096 in every 2-second block",
                BATCH_PER_BLOCK,
            ),
        );
        Ok(vec![
            settled.with_bar(Bar::ValueAtLeast(SETTLED_MIN)),
            bytes(&chain, &batch).await?,
            weight(&chain, &batch).await?,
        ])
    }
}

/// The chain gets a masternode to draw, and the devices whose records batches change.
async fn prepare(chain: &Chain, operator: &Account) -> anyhow::Result<()> {
    let endpoints = Endpoints {
        network_key: DeviceKey::from_seed(&[250; 32]).id(),
        sealing_key: SealingKey([251; 32]),
        // Nobody comes there.
        device_addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        jobs_api: "http://127.0.0.1:1".to_owned(),
    };
    chain
        .submit(operator, &Call::PublishEndpoints(endpoints))
        .await?;
    // One account has them all; that is as much work for the chain as if each had one.
    let account = development_account(WORKERS[0])?;
    let mut calls = vec![Call::Bond(u128::from(WORKERS_PAID) * BOND)];
    for number in 0..WORKERS_PAID {
        let (key, sealing_key) = (device_key(number), SealingKey([number + 1; 32]));
        let possession = Possession {
            account: account.id(),
            device: key.id(),
            sealing_key,
        };
        calls.push(Call::RegisterDevice {
            device: key.id(),
            sealing_key,
            region: Region::Unknown,
            hardware: Hardware::Desktop,
            possession: key.sign(possession, &chain.genesis()).signature,
        });
    }
    all(chain, &account, &calls).await
}

/// Sends all of these calls, then waits until they are in finalised blocks.
async fn all(chain: &Chain, account: &Account, calls: &[Call]) -> anyhow::Result<()> {
    let mut sent = Vec::new();
    for call in calls {
        sent.push(chain.send(account, call).await?);
    }
    for sent in sent {
        sent.settled().await?;
    }
    Ok(())
}

/// So many jobs, each with its coordinator.
async fn submit(chain: &Chain, count: u8) -> anyhow::Result<Vec<(JobId, Job)>> {
    let owner = development_account(OWNER)?;
    let deadline = chain.at_finalised().await?.block().number + DEADLINE_BLOCKS;
    let submissions = (0..count).map(|salt| submission(salt, deadline));
    let submissions: Vec<_> = submissions.collect();
    let calls = submissions.iter().cloned().map(Box::new);
    let calls: Vec<_> = calls.map(Call::SubmitJob).collect();
    all(chain, &owner, &calls).await?;
    let mut blocks = chain.finalised().await?;
    loop {
        let state = chain.at_finalised().await?;
        let mut jobs = Vec::new();
        for submission in &submissions {
            let id = job_id(&chain.genesis(), &owner.id(), &submission.salt);
            let job = state.job(id).await?.context("the chain lost a job")?;
            if job.state.coordinator().is_some() {
                jobs.push((id, job));
            }
        }
        if jobs.len() == submissions.len() {
            return Ok(jobs);
        }
        blocks.next().await?;
    }
}

/// A job whose data nobody ever sees.
fn submission(salt: u8, deadline: BlockNumber) -> Submission {
    Submission {
        salt: [salt; 16],
        program: ProgramHash([1; 32]),
        manifest: Digest([2; 32]),
        shards_root: Digest([3; 32]),
        key_commitment: Digest([4; 32]),
        tasks: TASKS_PER_JOB_MAX,
        input_bytes: TASKS_PER_JOB_MAX.into(),
        fuel_per_task_max: 1_000_000,
        memory_bytes_max: 1024 * 1024,
        result_bytes_max: 1024,
        agreement: Agreement::Single,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline,
        price_max: 1_000_000 * BYTECHIP,
        owner_sealing_key: SealingKey([5; 32]),
    }
}

fn device_key(number: u8) -> DeviceKey {
    DeviceKey::from_seed(&[number; 32])
}

/// Who is paid for what the device of this number does.
fn account(number: u8) -> AccountId {
    AccountId::new([number + 1; 32])
}

/// What a masternode's log has of a job of which everything is computed and nothing settled.
fn log<'a>(
    id: JobId,
    tariff: &'a Tariff,
    devices: &'a [(DeviceId, AccountId)],
) -> impl Iterator<Item = Entry> + 'a {
    let tasks = (0..TASKS_PER_JOB_MAX).zip(devices.iter().cycle());
    tasks.flat_map(move |(task, (device, account))| {
        let assigned = Entry::Assigned {
            task,
            replica: 0,
            device: *device,
            account: account.clone(),
            engine: ENGINE,
        };
        let verdict = verdict(id, task, tariff, *device, account.clone());
        [assigned, Entry::Judged { verdict }]
    })
}

fn verdict(
    job: JobId,
    task: TaskIndex,
    tariff: &Tariff,
    device: DeviceId,
    account: AccountId,
) -> Verdict {
    let answer = Answer {
        result_commitment: Digest([3; 32]),
        result_bytes: 0,
        fuel: 1,
        exit: Exit::Success,
    };
    let price = tariff.price(answer.fuel);
    let found = ReplicaFinding {
        replica: 0,
        device,
        account,
        finding: Finding::Accepted,
        receipt: Some(Digest([8; 32])),
        pay: tariff.pays(price, 1),
    };
    Verdict {
        job,
        task,
        answer,
        ground: Ground::Trusted,
        price,
        replicas: vec![found],
    }
}

/// The masternode's core and its settler, and what carries one's wishes to the other.
struct Office {
    chain: Chain,
    core: Core,
    jobs: Vec<JobId>,
    orders: mpsc::Sender<Order>,
    told: mpsc::Receiver<NotSettled>,
    started: Instant,
    /// Batches sent, those sent again among them.
    batches: u32,
    /// One of them.
    sample: Option<Batch>,
}

impl Office {
    fn open(chain: &Chain, operator: &Account, jobs: &[(JobId, Job)]) -> anyhow::Result<Self> {
        let engines = Engines {
            pinned: ENGINE,
            portable: ENGINE,
        };
        let mut core = Core::new(Settings {
            re_executes: false,
            ..Settings::new(chain.genesis(), engines)
        });
        let devices = (0..WORKERS_PAID).map(|number| (device_key(number).id(), account(number)));
        let devices: Vec<_> = devices.collect();
        for (id, job) in jobs {
            let tariff = Tariff::of_job(job)?;
            let log = log(*id, &tariff, &devices);
            let closed = core.replay(Tick(0), *id, job.clone(), None, log);
            ensure!(closed.is_none(), "job {id} is over");
        }
        let (orders, to_settle) = mpsc::channel(ORDERS_MAX);
        let (tell, told) = mpsc::channel(ORDERS_MAX);
        let settler = settler::settle(chain.clone(), operator.clone(), to_settle, tell);
        tokio::spawn(settler);
        Ok(Self {
            chain: chain.clone(),
            core,
            jobs: jobs.iter().map(|(id, _)| *id).collect(),
            orders,
            told,
            started: Instant::now(),
            batches: 0,
            sample: None,
        })
    }

    /// How long it takes until everything is settled in finalised blocks.
    async fn settle_all(&mut self) -> anyhow::Result<Duration> {
        let mut blocks = self.chain.finalised().await?;
        self.started = Instant::now();
        self.step(Event::Tick)?;
        loop {
            let pause = self.core.next_wakeup().map_or(1_000, |at| {
                at.0.saturating_sub(self.now().0).clamp(1, 1_000)
            });
            tokio::select! {
                block = blocks.next() => {
                    let block = block?;
                    let state = self.chain.at(block).await?;
                    let mut jobs = Vec::new();
                    for id in &self.jobs {
                        let job = state.job(*id).await?.context("the chain lost a job")?;
                        jobs.push((*id, job));
                    }
                    if jobs.iter().all(|(_, job)| !job.state.goes_on()) {
                        let took = self.started.elapsed();
                        let mut ends = jobs.iter().map(|(_, job)| job.state.end());
                        ensure!(
                            ends.all(|end| end == Some(JobEnd::AllSettled)),
                            "a job ended before everything was settled"
                        );
                        return Ok(took);
                    }
                    self.step(Event::Finalised { block: block.number, jobs })?;
                }
                Some(NotSettled(job)) = self.told.recv() => {
                    say(&format!("a batch of job {job} was not taken; it is sent again"));
                    self.step(Event::NotSettled { job })?;
                }
                () = tokio::time::sleep(Duration::from_millis(pause)) => self.step(Event::Tick)?,
            }
        }
    }

    fn now(&self) -> Tick {
        let ms = self.started.elapsed().as_millis();
        Tick(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// Tells the core, and does what it wants. Its disk writes at once.
    fn step(&mut self, event: Event) -> anyhow::Result<()> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut written = None;
            let now = self.now();
            for effect in self.core.step(now, event) {
                match effect {
                    Effect::Append { ticket, .. } => written = Some(ticket),
                    Effect::Settle { batch } => {
                        self.batches += 1;
                        self.sample.get_or_insert_with(|| (*batch).clone());
                        let order = self.orders.try_send(Order::Settle(batch));
                        order.ok().context("the settler takes no more orders")?;
                    }
                    _ => {}
                }
            }
            events.extend(written.map(|through| Event::Persisted { through }));
        }
        Ok(())
    }
}

/// What a batch takes of the chain for good: its transaction, as the block has it, and what is kept of it
/// in the state under its key. Payouts change accounts that are there, and the rest of what it writes
/// goes when it is final, or when its job is over.
async fn bytes(chain: &Chain, batch: &Batch) -> anyhow::Result<Row> {
    let (job, sequence) = (batch.job, batch.sequence);
    let kept = chain.at_finalised().await?.batch(job, sequence).await?;
    let kept: BatchRecord = kept.context("the chain lost a batch")?;
    ensure!(
        kept.tasks == VERDICTS_PER_BATCH_MAX
            && batch.payouts.len() == usize::from(WORKERS_PAID)
            && batch.devices.len() == usize::from(WORKERS_PAID),
        "the batch is none of 4,096 tasks and 64 accounts"
    );
    let block = chain.at_height(kept.settled_at).await?;
    let transaction = block.settlement_of(job, sequence).await?;
    let transaction = transaction.context("no transaction settled the batch")?;
    let transaction = block.bytes_of(transaction.hash).await?;
    let transaction = transaction.context("the transaction is in no block")?;
    let record = RECORD_KEY_BYTES + kept.encoded_size();
    let tasks = f64::from(kept.tasks);
    say(&format!(
        "a batch of {} tasks: {transaction} bytes of a block, and {record} of the state for good",
        kept.tasks
    ));
    let names = (batch.payouts.len() + batch.devices.len()) * 32;
    let least = (names + batch.tasks.bits.len()) as f64 / tasks;
    let row = Row::new(
        BYTES,
        ((transaction + record) as f64 / tasks, "bytes"),
        (
            "the names of 64 accounts and 64 devices, and a bit for each task",
            least,
        ),
    );
    Ok(row.with_bar(Bar::ValueAtMost(BYTES_MAX)))
}

/// What a batch takes of a block when it is settled, as the runtime reckons before it runs the call.
async fn weight(chain: &Chain, batch: &Batch) -> anyhow::Result<Row> {
    let state = chain.at_finalised().await?;
    let call = state.encoded(&Call::Settle(Box::new(batch.clone())))?;
    let taken = state.weight_of(&call).await?.ref_time;
    let block = state.block_weight_max()?.ref_time;
    ensure!(block > 0, "the runtime has no room in a block");
    say(&format!(
        "it takes {:.1} ms of a block's {:.0} ms",
        taken as f64 / 1e9,
        block as f64 / 1e9
    ));
    let row = Row::new(
        WEIGHT,
        (taken as f64 * 1_000.0 / block as f64, "permille"),
        ("what ordinary transactions may fill", ORDINARY_PERMILLE),
    );
    Ok(row.with_bar(Bar::ValueAtMost(WEIGHT_PERMILLE_MAX)))
}
