//! How many tasks a second are settled, what a batch takes of a block, and what of the chain.
//!
//! One validator, and this program in the place of a masternode and of all machines behind it. It runs
//! the masternode's own core on logs that are there: each of 64 devices, of 64 accounts, has given the
//! accepted answer of every 64th task. What is timed begins with the logs and ends with the finalised block
//! in which the last of their verdicts is settled: putting batches of 4,096 together, their trees, sums and
//! lists; the blocks of the logs that have them; holding each log to the rules up to there, as the settler
//! does; certificates; signing and sending; the validator's pool, its making, running and finalising of
//! blocks; hearing of it. The window of a development chain is five blocks, so that batches become final,
//! and are paid, in the same blocks in which later ones are settled.
//!
//! Not in it is what comes before a verdict: devices, receipts, the judge; nor the masternode's disk.
//! `dispatch_settled_tasks_per_s` has all of that.

use crate::report::{Bar, Row, say, title};
use anyhow::{Context as _, ensure};
use codec::Encode as _;
use quern_job_rules::pay::Tariff;
use quern_joblog::{LogBuilder, OutputPlace, SignedHeader};
use quern_ledger::{Account, Call, Chain, Endpoints};
use quern_local_grid::{LocalGrid, OPERATOR, OWNER, Plan, WORKERS, development_account};
use quern_masternode::core::{Core, Effect, Engines, Entry, Event, Settings, Tick};
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, GenesisHash, JobId,
    amount::BYTECHIP,
    batch::{Batch, BatchRecord, Certified},
    device::{Class, Hardware, Possession, Region},
    group::Group,
    ids::{BatchSequence, Digest, NodeKey, ProgramHash, RevealSalt, SealingKey, TaskIndex},
    job::{Agreement, ByteLevel, Job, JobEnd, Preferences, Submission, job_id},
    limits::{TASKS_PER_JOB_MAX, VERDICTS_PER_BATCH_MAX},
    merkle::Tree,
    payload::{DeviceKey, NodeSecret},
    receipt::{Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_recheck::{ChainFacts, DeviceFacts, Recheck};
use quern_verdict::receipt_digest;
use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
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

/// Batches that wait to be sent, as many as a masternode has.
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
        let mut office = Office::open(&chain, &operator, &jobs).await?;
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

/// The chunk root of each task's shard.
fn input_roots() -> Vec<Digest> {
    (0..TASKS_PER_JOB_MAX).map(input_root).collect()
}

fn input_root(task: TaskIndex) -> Digest {
    let mut root = [0; 32];
    root[..4].copy_from_slice(&task.to_le_bytes());
    Digest(root)
}

/// What a masternode's log has of a job of which everything is computed and nothing settled.
struct History<'a> {
    genesis: GenesisHash,
    id: JobId,
    job: &'a Job,
    tariff: Tariff,
    operator: AccountId,
    devices: &'a [(DeviceKey, AccountId)],
    /// The finalised block at which the chain says so of coordinator and devices.
    at: BlockNumber,
}

impl History<'_> {
    fn entries(&self) -> Vec<Entry> {
        let opened = Entry::Opened {
            coordinator: self.operator.clone(),
            node: node().public(),
            at: self.at,
        };
        let queued = Entry::Queued {
            first: 0,
            tasks: TASKS_PER_JOB_MAX,
        };
        let mut entries = vec![opened, queued];
        let tasks = (0..TASKS_PER_JOB_MAX).zip(self.devices.iter().cycle());
        for (task, (key, account)) in tasks {
            let receipt = key.sign(self.receipt(task, key, entries.len()), &self.genesis);
            let verdict = self.verdict(&receipt, account);
            let output = OutputPlace::Inline { bytes: 0 };
            entries.extend([
                Entry::Assigned {
                    task,
                    replica: 0,
                    device: key.id(),
                    account: account.clone(),
                    engine: ENGINE,
                    at: self.at,
                },
                Entry::Revealed { receipt, output },
                Entry::Judged { verdict },
            ]);
        }
        entries
    }

    /// What the device says that has the task since this place of the log.
    fn receipt(&self, task: TaskIndex, key: &DeviceKey, assigned: usize) -> Receipt {
        Receipt {
            job: self.id,
            task,
            replica: 0,
            device: key.id(),
            program: self.job.submission.program,
            input_root: input_root(task),
            result_commitment: Digest([3; 32]),
            output_root: Digest([8; 32]),
            result_bytes: 0,
            fuel: 1,
            exit: Exit::Success,
            class: self.job.submission.class,
            engine: ENGINE,
            log_position: assigned as u64,
            salt: RevealSalt([9; 32]),
        }
    }

    /// That it is believed, because the job wants no more than one device's word.
    fn verdict(&self, receipt: &SignedReceipt, account: &AccountId) -> Verdict {
        let (said, answer) = (&receipt.payload, receipt.payload.answer());
        let price = self.tariff.price(answer.fuel);
        let found = ReplicaFinding {
            replica: said.replica,
            device: said.device,
            account: account.clone(),
            finding: Finding::Accepted,
            receipt: Some(receipt_digest(receipt)),
            pay: self.tariff.pays(price, 1),
        };
        Verdict {
            job: self.id,
            task: said.task,
            answer,
            ground: Ground::Trusted,
            price,
            replicas: vec![found],
        }
    }
}

/// What the chain says of a job: that its devices were there, and this masternode coordinates.
struct Facts {
    genesis: GenesisHash,
    id: JobId,
    job: Job,
    operator: AccountId,
    devices: BTreeMap<DeviceId, AccountId>,
}

impl ChainFacts for Facts {
    fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    fn job_id(&self) -> JobId {
        self.id
    }

    fn job(&self) -> &Job {
        &self.job
    }

    fn coordinator(&self, _: BlockNumber) -> Option<(AccountId, NodeKey)> {
        Some((self.operator.clone(), node().public()))
    }

    fn may_referee(&self, referee: &NodeKey) -> bool {
        *referee == node().public()
    }

    fn device(&self, device: &DeviceId, _: BlockNumber) -> Option<DeviceFacts> {
        let account = self.devices.get(device)?.clone();
        Some(DeviceFacts {
            account,
            may_work: true,
            accepted_in_a_row: 0,
        })
    }

    fn engine(&self, _: Class) -> Digest {
        ENGINE
    }
}

/// A job's log, held to the rules as far as a batch rests on it.
struct Log {
    builder: LogBuilder,
    /// Blocks that were not held to the rules yet.
    fresh: Vec<Vec<u8>>,
    recheck: Recheck<Facts>,
    /// The block that has each batch.
    heads: BTreeMap<BatchSequence, SignedHeader>,
    group: Group,
}

impl Log {
    fn append(&mut self, entry: Entry) -> anyhow::Result<()> {
        let sequence = match &entry {
            Entry::Batched { batch } => Some(batch.sequence),
            _ => None,
        };
        let appended = self.builder.append(entry, now_ms())?;
        self.fresh.extend(appended.cut.map(|cut| cut.bytes));
        if sequence.is_some() {
            self.cut(sequence);
        }
        Ok(())
    }

    /// Closes the block that is open, which ends with this batch.
    fn cut(&mut self, batch: Option<BatchSequence>) {
        if let Some(cut) = self.builder.cut_bytes(now_ms()) {
            self.heads
                .extend(batch.map(|sequence| (sequence, cut.header)));
            self.fresh.push(cut.bytes);
        }
    }

    /// A batch and this masternode's certificate, which is all that its group of one needs.
    fn certify(&mut self, batch: Batch, genesis: &GenesisHash) -> anyhow::Result<Certified> {
        for block in self.fresh.drain(..) {
            self.recheck.take(&block)?;
        }
        self.recheck.batch(&batch)?;
        ensure!(
            self.group.needed() == 1,
            "the group needs other masternodes"
        );
        let header = self.heads.get(&batch.sequence);
        let header = header.context("a batch is in no block of its log")?.payload;
        let mut certified = Certified {
            batch,
            index: header.index,
            head: header.hash(genesis),
            certificates: Default::default(),
        };
        let signature = node().sign(certified.certificate(), genesis).signature;
        let pushed = certified.certificates.try_push((0, signature));
        pushed.ok().context("a batch takes no certificate")?;
        Ok(certified)
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Sends batches in order, the next when the one before is in the pool, and tells of those that the chain
/// did not take.
async fn send_all(
    chain: Chain,
    operator: Account,
    mut orders: mpsc::Receiver<Box<Certified>>,
    told: mpsc::Sender<JobId>,
) {
    while let Some(certified) = orders.recv().await {
        let (job, told) = (certified.batch.job, told.clone());
        let sent = chain.send(&operator, &Call::Settle(certified)).await;
        tokio::spawn(async move {
            let settled = match sent {
                Ok(sent) => sent.settled().await,
                Err(error) => Err(error),
            };
            if let Err(error) = settled {
                say(&format!("a batch of job {job} was not taken: {error}"));
                // An error says that all is measured.
                drop(told.send(job).await);
            }
        });
    }
}

/// The masternode's core, and what carries its wishes out.
struct Office {
    chain: Chain,
    core: Core,
    logs: BTreeMap<JobId, Log>,
    orders: mpsc::Sender<Box<Certified>>,
    told: mpsc::Receiver<JobId>,
    started: Instant,
    /// Batches sent, those sent again among them.
    batches: u32,
    /// One of them.
    sample: Option<Certified>,
}

impl Office {
    async fn open(
        chain: &Chain,
        operator: &Account,
        jobs: &[(JobId, Job)],
    ) -> anyhow::Result<Self> {
        let engines = Engines {
            pinned: ENGINE,
            portable: ENGINE,
        };
        let genesis = chain.genesis();
        let mut core = Core::new(Settings {
            re_executes: false,
            ..Settings::new(genesis, node().public(), engines)
        });
        let devices = (0..WORKERS_PAID).map(|number| (device_key(number), account(number)));
        let devices: Vec<_> = devices.collect();
        let accounts = devices
            .iter()
            .map(|(key, account)| (key.id(), account.clone()));
        let accounts: BTreeMap<_, _> = accounts.collect();
        let state = chain.at_finalised().await?;
        let mut logs = BTreeMap::new();
        for (id, job) in jobs {
            let history = History {
                genesis,
                id: *id,
                job,
                tariff: Tariff::of_job(job)?,
                operator: operator.id(),
                devices: &devices,
                at: state.block().number,
            };
            let facts = Facts {
                genesis,
                id: *id,
                job: job.clone(),
                operator: operator.id(),
                devices: accounts.clone(),
            };
            let group = state.group(*id).await?.context("a job has no group")?;
            let recheck = Recheck::new(facts, input_roots(), node().public())?;
            let mut log = Log {
                builder: LogBuilder::new(genesis, *id, node()),
                fresh: vec![],
                recheck: recheck.without_signatures(),
                heads: BTreeMap::new(),
                group,
            };
            let entries = history.entries();
            for entry in &entries {
                log.append(entry.clone())?;
            }
            log.cut(None);
            let closed = core.replay(Tick(0), *id, job.clone(), None, entries);
            ensure!(closed.is_none(), "job {id} is over");
            logs.insert(*id, log);
        }
        let (orders, to_send) = mpsc::channel(ORDERS_MAX);
        let (tell, told) = mpsc::channel(ORDERS_MAX);
        tokio::spawn(send_all(chain.clone(), operator.clone(), to_send, tell));
        Ok(Self {
            chain: chain.clone(),
            core,
            logs,
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
                    for id in self.logs.keys() {
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
                Some(job) = self.told.recv() => self.step(Event::NotSettled { job })?,
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
                    Effect::Append {
                        ticket, job, entry, ..
                    } => {
                        let log = self.logs.get_mut(&job).context("a job has no log")?;
                        log.append(*entry)?;
                        written = Some(ticket);
                    }
                    Effect::Settle { batch } => {
                        let log = self.logs.get_mut(&batch.job).context("a job has no log")?;
                        let certified = log.certify(*batch, &self.chain.genesis())?;
                        self.batches += 1;
                        self.sample.get_or_insert_with(|| certified.clone());
                        let order = self.orders.try_send(Box::new(certified));
                        order.ok().context("too many batches wait to be sent")?;
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
async fn bytes(chain: &Chain, Certified { batch, .. }: &Certified) -> anyhow::Result<Row> {
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
async fn weight(chain: &Chain, batch: &Certified) -> anyhow::Result<Row> {
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
