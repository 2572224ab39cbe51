//! How many tasks a second are settled, what a batch takes of a block, and what of the chain.
//!
//! One validator, and this program in the place of a masternode and of all machines behind it. It runs
//! the masternode's own core, store and settler, as they are after a restart: each of 64 devices, of 64
//! accounts, has given the accepted answer of every 64th task; that is in the jobs' logs on disk, and the
//! core has read them. What is timed begins there and ends with the finalised block in which the last task
//! is settled: putting batches of 4,096 together, their trees, sums and lists; writing the blocks of the
//! logs that have them; holding each log to the rules, from its first entry on; certificates; signing and
//! sending; the validator's pool, its making, running and finalising of blocks; hearing of it. The window of
//! a development chain is five blocks, so that batches become final, and are paid, in the same blocks in
//! which later ones are settled.
//!
//! Not in it is what comes before a verdict: devices, the check of their receipts' signatures, the judge,
//! and the writing of what they said. `dispatch_settled_tasks_per_s` has all of that. Nor is the word of
//! other masternodes, for here the job's group has one.

mod history;

use crate::report::{Bar, Row, say, title};
use anyhow::{Context as _, ensure};
use codec::Encode as _;
use history::{Origin, input_roots};
use quern_ledger::{Account, Call, Chain, Endpoints, FinalisedBlock};
use quern_local_grid::{LocalGrid, OPERATOR, OWNER, PATIENCE, Plan, WORKERS, development_account};
use quern_masternode::{
    Store, StoreError,
    core::{Core, Effect, Engines, Event, Settings, Tick, Ticket},
    settler::{Books, OpenJobs, Order, settle},
};
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, GenesisHash, JobId,
    amount::BYTECHIP,
    batch::{Batch, BatchRecord, Certified},
    device::{Class, Hardware, Possession, Region},
    ids::{Digest, ProgramHash, SealingKey},
    job::{Agreement, ByteLevel, Job, JobEnd, Preferences, Referees, Submission, job_id},
    limits::{TASKS_PER_JOB_MAX, VERDICTS_PER_BATCH_MAX},
    merkle::Tree,
    payload::{DeviceKey, NodeSecret},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
};

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
const ENGINES: Engines = Engines {
    pinned: ENGINE,
    portable: ENGINE,
};

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
        let tasks = f64::from(TASKS_PER_JOB_MAX) * jobs.len() as f64;
        let folder = self.grid.folder().join("masternode");
        std::fs::create_dir_all(&folder)?;
        let mut office = Office::open(&folder, &chain, &operator, jobs).await?;
        let took = office.settle_all().await?;
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
        network_key: DeviceId(node().public().0),
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
        shards_root: Tree::new(input_roots()).root(),
        key_commitment: Digest([4; 32]),
        tasks: TASKS_PER_JOB_MAX,
        input_bytes: TASKS_PER_JOB_MAX.into(),
        fuel_per_task_max: 1_000_000,
        memory_bytes_max: 1024 * 1024,
        result_bytes_max: 1024,
        agreement: Agreement::Single,
        referees: Referees::One,
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

/// The masternode's network key.
fn node() -> NodeSecret {
    NodeSecret::from_seed(&[250; 32])
}

/// A masternode's core that has read the jobs' logs.
fn take_up(store: &Store, jobs: &Jobs, genesis: GenesisHash) -> anyhow::Result<Core> {
    let mut core = Core::new(Settings {
        re_executes: false,
        ..Settings::new(genesis, node().public(), ENGINES)
    });
    for (id, job) in &jobs.0 {
        let closed = core.replay(Tick(0), *id, job.clone(), None, store.lines(*id)?);
        ensure!(closed.is_none(), "job {id} is over");
    }
    Ok(core)
}

/// The jobs that are settled.
struct Jobs(BTreeMap<JobId, Job>);

impl OpenJobs for Jobs {
    fn names(&self) -> BTreeSet<JobId> {
        self.0.keys().copied().collect()
    }

    fn find(&self, job: JobId) -> Option<(Job, Vec<Digest>)> {
        Some((self.0.get(&job)?.clone(), input_roots()))
    }

    // A job of one replica has no lanes.
    fn lane_seed(&self, _job: JobId) -> Option<Digest> {
        Some(Digest::default())
    }
}

/// A masternode's store, and how far it is on disk.
struct Disk {
    store: Store,
    written: watch::Receiver<Result<Ticket, StoreError>>,
}

impl Disk {
    fn open(folder: &Path, genesis: GenesisHash) -> anyhow::Result<Self> {
        let (tell, written) = watch::channel(Ok(Ticket::default()));
        let broken = tell.clone();
        let store = Store::open(
            folder,
            genesis,
            node(),
            move |through| drop(tell.send_replace(Ok(through))),
            move |error| drop(broken.send_replace(Err(error))),
        )?;
        Ok(Self { store, written })
    }

    /// Waits until everything up to this ticket is on disk.
    async fn reach(&mut self, last: Ticket) -> anyhow::Result<()> {
        let is_there =
            |written: &Result<Ticket, StoreError>| !matches!(written, Ok(it) if *it < last);
        self.written.wait_for(is_there).await?.clone()?;
        Ok(())
    }

    /// Waits until more is on disk, and says how far all is.
    async fn more(&mut self) -> anyhow::Result<Ticket> {
        self.written.changed().await?;
        Ok(self.written.borrow_and_update().clone()?)
    }
}

/// The masternode's core, its store and its settler, and what carries the wishes of the one to the others.
struct Office {
    chain: Chain,
    core: Core,
    jobs: Arc<Jobs>,
    disk: Disk,
    orders: mpsc::Sender<Order>,
    not_settled: mpsc::Receiver<JobId>,
    started: Instant,
    /// Batches sent, those sent again among them.
    batches: u32,
    /// One of them.
    sample: Option<Batch>,
}

impl Office {
    /// A masternode that starts: the logs are on disk, and the core has read them.
    async fn open(
        folder: &Path,
        chain: &Chain,
        operator: &Account,
        jobs: Vec<(JobId, Job)>,
    ) -> anyhow::Result<Self> {
        let genesis = chain.genesis();
        let origin = Origin {
            genesis,
            operator: operator.id(),
            at: chain.at_finalised().await?.block().number,
        };
        let mut disk = Disk::open(folder, genesis)?;
        let jobs = Arc::new(Jobs(jobs.into_iter().collect()));
        say("writing into the jobs' logs what was computed");
        let (store, known) = (disk.store.clone(), jobs.clone());
        let last = spawn_blocking(move || history::write(&store, &known.0, &origin)).await??;
        disk.reach(last).await?;
        let (store, known) = (disk.store.clone(), jobs.clone());
        let core = spawn_blocking(move || take_up(&store, &known, genesis)).await??;

        let (orders, to_settle) = mpsc::channel(ORDERS_MAX);
        let (tell, not_settled) = mpsc::channel(ORDERS_MAX);
        let store = disk.store.clone();
        let books = Books::open(chain.clone(), operator.clone(), node(), store, ENGINES);
        tokio::spawn(settle(books, jobs.clone(), to_settle, tell));
        Ok(Self {
            chain: chain.clone(),
            core,
            jobs,
            disk,
            orders,
            not_settled,
            started: Instant::now(),
            batches: 0,
            sample: None,
        })
    }

    /// How long it takes until everything is settled in finalised blocks.
    async fn settle_all(&mut self) -> anyhow::Result<Duration> {
        let mut blocks = self.chain.finalised().await?;
        let mut progress = (0, Instant::now());
        self.started = Instant::now();
        self.step(Event::Tick)?;
        loop {
            let pause = self.core.next_wakeup().map_or(1_000, |at| {
                at.0.saturating_sub(self.now().0).clamp(1, 1_000)
            });
            tokio::select! {
                block = blocks.next() => {
                    let block = block?;
                    let jobs = self.jobs_at(block).await?;
                    if jobs.iter().all(|(_, job)| !job.state.goes_on()) {
                        let took = self.started.elapsed();
                        let mut ends = jobs.iter().map(|(_, job)| job.state.end());
                        ensure!(
                            ends.all(|end| end == Some(JobEnd::AllSettled)),
                            "a job ended before everything was settled"
                        );
                        return Ok(took);
                    }
                    let settled = jobs.iter().map(|(_, job)| job.settled_tasks).sum::<u32>();
                    if settled > progress.0 {
                        progress = (settled, Instant::now());
                    }
                    ensure!(
                        progress.1.elapsed() < PATIENCE,
                        "nothing was settled for {} s; does a log break a rule?",
                        PATIENCE.as_secs()
                    );
                    self.step(Event::Finalised { block: block.number, jobs })?;
                }
                through = self.disk.more() => self.step(Event::Persisted { through: through? })?,
                Some(job) = self.not_settled.recv() => {
                    say(&format!("a batch of job {job} was not taken; it is sent again"));
                    self.step(Event::NotSettled { job })?;
                }
                () = tokio::time::sleep(Duration::from_millis(pause)) => self.step(Event::Tick)?,
            }
        }
    }

    async fn jobs_at(&self, block: FinalisedBlock) -> anyhow::Result<Vec<(JobId, Job)>> {
        let state = self.chain.at(block).await?;
        let mut jobs = Vec::new();
        for id in self.jobs.0.keys() {
            let job = state.job(*id).await?.context("the chain lost a job")?;
            jobs.push((*id, job));
        }
        Ok(jobs)
    }

    fn now(&self) -> Tick {
        let ms = self.started.elapsed().as_millis();
        Tick(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// Tells the core, and has done what it wants.
    fn step(&mut self, event: Event) -> anyhow::Result<()> {
        let now = self.now();
        for effect in self.core.step(now, event) {
            match effect {
                Effect::Settle { batch } => {
                    self.batches += 1;
                    self.sample.get_or_insert_with(|| (*batch).clone());
                    let order = self.orders.try_send(Order::Settle(batch));
                    order.ok().context("the settler takes no more orders")?;
                }
                other => self.disk.store.carry_out(other),
            }
        }
        Ok(())
    }
}

/// The batch as it was sent: with the block of the log that has it, and the word of the masternode, which is
/// alone in its group.
async fn certified(chain: &Chain, batch: &Batch) -> anyhow::Result<Certified> {
    let state = chain.at_finalised().await?;
    let kept = state.batch(batch.job, batch.sequence).await?;
    let kept = kept.context("the chain lost a batch")?;
    let mut certified = Certified {
        batch: batch.clone(),
        index: kept.block,
        head: kept.head,
        certificates: Default::default(),
    };
    let signed = node().sign(certified.certificate(), &chain.genesis());
    let pushed = certified.certificates.try_push((0, signed.signature));
    pushed.ok().context("a batch takes no certificate")?;
    Ok(certified)
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
    let certified = certified(chain, batch).await?;
    let call = state.encoded(&Call::Settle(Box::new(certified)))?;
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
