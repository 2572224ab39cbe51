//! The masternode as a running program: it feeds the core with what happens and carries out what
//! the core wants.
//!
//! ```text
//! network events ─┐                       ┌─► store (a thread that groups writes)
//! finalised blocks├─► commands ─► core ───┼─► answers to devices
//! Jobs API        ┘                       └─► settler (transactions, in order)
//! ```
//!
//! One task owns the core. What is slow and frequent (files, logs, sealing keys, the chain) happens in
//! others; the few small writes that a job's change of state needs happen here.

mod devices;
mod figures;
mod lookups;
mod lottery;
mod published;
mod questions;
mod recomputing;
mod showing;
mod state;
mod sweeping;
mod transfers;
mod uploads;

use figures::engines;
pub(crate) use figures::{beginning_at_last, seed_now};
pub(crate) use lookups::Sighting;
pub use lottery::{winners as lottery_winners, winners_of as lottery_winners_of};
pub(crate) use questions::{Answered, Question, Reply};
pub(crate) use recomputing::{Errand, Room};
pub(crate) use state::Shared;

use crate::{
    altering::{Altering, altered},
    config::Config,
    context::{compose, without_shards},
    core::{
        Challenge, Core, Effect, Event, News, NoReferee, Note, PlannedAssignment, ReportFacts,
        Settings, SettleLimits, Tick, Ticket, Token, Truth,
    },
    disputes,
    group::{Accuser, Awaited, Members, replicate, take_turns},
    keepers::{INQUIRIES_MAX, Keepers, Line},
    settler::{self, Books},
    vault::Vault,
    watcher,
};
use anyhow::Context as _;
use futures::future::BoxFuture;
use lottery::{Lottery, Outcome};
use quern_ledger::Chain;
use quern_network::{ReplyToken, Server, ServerConfig, ServerEvent, ServerHandle};
use quern_primitives::{
    BlockNumber, DeviceId, Digest, JobId, TaskIndex, job::Job, payload::NodeSecret,
};
use quern_protocol::{Exchange, Hello, Response};
use quern_sandbox::Cancel;
use quern_shards::keys::Courier;
use recomputing::Recomputations;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use transfers::Transfers;

/// Commands that wait for the core; whoever sends more waits.
const COMMANDS_MAX: usize = 4_096;

/// Settlements that wait for the chain; one more is left for the core to order again.
const ORDERS_MAX: usize = 1_024;

/// How often connected devices are looked up again, in finalised blocks.
const RECHECK_BLOCKS: BlockNumber = 15;

/// What reaches the task that owns the core.
pub(crate) enum Command {
    /// A block was finalised.
    Finalised {
        block: BlockNumber,
        jobs: Vec<(JobId, Job)>,
    },
    /// A device that said hello was looked up: what the chain says of it, and its account's bond.
    LookedUp {
        device: DeviceId,
        found: Option<Sighting>,
        hello: Hello,
        reply: ReplyToken,
    },
    /// A device asks for work, shows or reports, and what is known of that was read.
    Exchanged {
        device: DeviceId,
        exchange: Exchange,
        facts: ReportFacts,
        reply: ReplyToken,
    },
    /// A connected device was looked up again.
    Rechecked {
        device: DeviceId,
        found: Option<Sighting>,
    },
    /// What a device was given could not be handed out, or its result not be taken.
    Withheld {
        device: DeviceId,
        given: PlannedAssignment,
    },
    /// Key, manifest and program of a job are here.
    Uploaded { job: JobId },
    /// So is what its lanes follow from, and what was settled of it before.
    Seeded {
        job: JobId,
        seed: [u8; 32],
        settled: BTreeSet<TaskIndex>,
    },
    /// Shards of a job have arrived, which its context knows.
    Arrived { job: JobId },
    /// A benchmark was computed here.
    Challenge(Challenge),
    /// The draw of a day's lottery came to this.
    Drawn { day: u32, outcome: Outcome },
    /// Somebody asks how things are.
    Ask {
        question: Question,
        answer: oneshot::Sender<Answered>,
    },
    /// Entries are on disk.
    Persisted(Ticket),
    /// A task was computed again, or could not be; the number says for which order.
    Recomputed {
        job: JobId,
        task: TaskIndex,
        number: u64,
        outcome: Box<Result<Truth, NoReferee>>,
    },
    /// What draws of what was counted in a block follow from was read.
    Seed { block: BlockNumber, seed: Digest },
    /// There is news of a job that another masternode coordinates.
    Elsewhere { job: JobId, news: News },
    /// A task is computed for another masternode, or is not any more.
    Refereeing { begins: bool },
    /// How many devices are here.
    Devices { answer: oneshot::Sender<u32> },
    /// The store cannot write.
    Broken(crate::store::StoreError),
}

/// Runs the masternode until `stop` resolves.
///
/// Boxed on both sides, so that all of it is compiled with this library and not with each program
/// that calls it.
pub fn run(config: Config, stop: BoxFuture<'static, ()>) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(serve(config, None, stop))
}

/// As [`run`], but what is signed is altered, and not held to the rules before, and days may be shorter. For
/// tests of those who are to find that out, or who do not wait for a day, and for nothing else.
pub fn run_altered(
    config: Config,
    altering: Box<dyn Altering>,
    stop: BoxFuture<'static, ()>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(serve(config, Some(altering), stop))
}

async fn serve(
    config: Config,
    altering: Option<Box<dyn Altering>>,
    stop: BoxFuture<'static, ()>,
) -> anyhow::Result<()> {
    let keys = config.keys()?;
    let depot = config.depot()?;
    let chain = Chain::connect(&config.chain).await;
    let chain = chain.context("a masternode needs the node that `chain` in its settings names")?;
    let genesis = chain.genesis();
    let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
    let folder = config.data_dir.display();
    let no_folder = || format!("cannot make the data directory {folder}");
    std::fs::create_dir_all(&config.data_dir).with_context(no_folder)?;
    let node = NodeSecret::from_seed(&keys.network_seed);
    let store = state::open_store(&config, genesis, node.clone(), &commands)?;
    let mut books = Books::open(
        chain.clone(),
        keys.account.clone(),
        node.clone(),
        store.clone(),
        engines(),
    );
    books.checks_batches = altering.is_none();
    let altered_calendar = altering.as_ref().map(|altering| altering.calendar());
    let calendar = altered_calendar.unwrap_or_default();
    let vault = Vault::open(&config.data_dir, depot).await?;
    let shared = Arc::new(Shared {
        account: keys.account,
        node,
        genesis,
        sealing: keys.sealing,
        chain,
        sending: books.sending.clone(),
        store,
        vault,
        commands,
        benchmark: figures::benchmark(),
        benchmarks_wanted: Semaphore::new(figures::BENCHMARKS_READY),
        outcomes: Default::default(),
        showing: Default::default(),
        sightings: books.sightings.clone(),
        peers: books.peers.clone(),
        witnessed: Default::default(),
        awaited: Awaited::new(config.re_executes(), engines()),
        contexts: Mutex::default(),
        jobs: Mutex::default(),
        watched: Mutex::default(),
    });

    let (settlements, to_settle) = mpsc::channel(ORDERS_MAX);
    let (tell, not_settled) = mpsc::channel(ORDERS_MAX);
    let settings = Settings {
        settle: SettleLimits {
            spent_max: settler::spent_max(&shared.chain, &shared.account.id()).await?,
            ..config.settle()
        },
        tuning: config.tuning(),
        fleet: config.fleet(),
        referee_wait_ms: config.referee_wait_ms(),
        re_executes: config.re_executes(),
        ..Settings::new(genesis, shared.node.public(), engines())
    };
    let (core, block) = watcher::take_up(&shared, settings).await?;

    let (inquiries, asked) = mpsc::channel(INQUIRIES_MAX);
    let (server, events) = Server::start(ServerConfig {
        key_seed: *keys.network_seed,
        listen: config.listen()?,
        limits: config.server_limits(),
        inquiries: Some(inquiries),
    })
    .await?;
    let stores = config.data_dir.join("stores");
    let keepers = Keepers::open(shared.clone(), &stores, config.pieces_bytes_max)?;
    let room = Arc::new(Room::new(&shared, &config));
    let disputes = config.disputes_lies();
    let accuser = Arc::new(Accuser::new(shared.clone(), room.clone(), disputes));
    let rooms = (room.clone(), accuser.clone());
    let members = Members::new(shared.clone(), engines(), disputes, rooms);
    let api = crate::api::serve(
        shared.clone(),
        (members, keepers.clone()),
        config.jobs_api_listen,
    )
    .await?;
    published::publish_at_last(&shared, &config, &server, api.local_addr()).await?;
    tokio::spawn(watcher::watch(shared.clone()));
    tokio::spawn(sweeping::sweep(shared.clone()));
    tokio::spawn(settler::settle(books, shared.clone(), to_settle, tell));
    tokio::spawn(disputes::look_after(shared.clone()));
    tokio::spawn(replicate(shared.clone()));
    tokio::spawn(take_turns(shared.clone()));
    tokio::spawn(keepers.run(Line::new(server.asker().clone(), asked)));
    tokio::spawn(figures::compute_benchmarks(shared.clone()));

    let (greetings, greeted) = mpsc::channel(lookups::WAITING_MAX);
    tokio::spawn(lookups::answer(shared.clone(), greeted));
    let mut grid = Grid {
        shared: shared.clone(),
        core,
        server: server.clone(),
        settlements,
        greetings,
        started: Instant::now(),
        tokens: BTreeMap::new(),
        tokens_max: COMMANDS_MAX,
        next_token: 0,
        couriers: BTreeMap::new(),
        transfers: Transfers::default(),
        block,
        rechecked: block,
        rechecking: None,
        lottery: Lottery::new(calendar),
        recomputations: Recomputations::new(room),
        accuser,
        altering,
    };
    grid.take_up_lottery()?;
    tracing::info!(
        account = %shared.account.id(),
        devices = ?server.listen_addresses(),
        jobs_api = %api.local_addr(),
        block,
        job_files_bytes = shared.vault.bytes(),
        "masternode is ready"
    );
    // Among the runtime's own tasks: whoever has news for the core then runs it next on the same
    // thread, where waking the main thread would cost more than most steps of the core.
    let sources = (waiting, events, not_settled);
    let served = tokio::spawn(async move { grid.serve(sources, stop).await });
    let result = served.await.context("the task that owns the core ended");
    api.stop();
    server.shutdown().await;
    result?
}

/// What reaches the task that owns the core: commands, what devices say, and the jobs of which a transaction
/// did not get into a block.
type Sources = (
    mpsc::Receiver<Command>,
    mpsc::Receiver<ServerEvent>,
    mpsc::Receiver<JobId>,
);

/// The task that owns the core.
struct Grid {
    shared: Arc<Shared>,
    core: Core,
    server: ServerHandle,
    settlements: mpsc::Sender<settler::Order>,
    /// Hellos of devices that are to be looked up.
    greetings: mpsc::Sender<lookups::Greeting>,
    started: Instant,
    tokens: BTreeMap<Token, ReplyToken>,
    /// With more of them, those that nobody waits for any more are dropped.
    tokens_max: usize,
    next_token: u64,
    /// What seals shard keys to each connected device.
    couriers: BTreeMap<DeviceId, Arc<Courier>>,
    transfers: Transfers,
    block: BlockNumber,
    rechecked: BlockNumber,
    /// Looks them up, or did.
    rechecking: Option<JoinHandle<()>>,
    lottery: Lottery,
    recomputations: Recomputations,
    accuser: Arc<Accuser>,
    /// What alters what is signed; nothing does in a masternode.
    altering: Option<Box<dyn Altering>>,
}

impl Grid {
    async fn serve(
        &mut self,
        (mut waiting, mut events, mut not_settled): Sources,
        mut stop: BoxFuture<'static, ()>,
    ) -> anyhow::Result<()> {
        loop {
            let now = self.now();
            let pause = self
                .core
                .next_wakeup()
                .map_or(Duration::from_secs(1), |wakeup| {
                    Duration::from_millis(wakeup.0.saturating_sub(now.0).clamp(1, 1_000))
                });
            tokio::select! {
                () = &mut stop => return Ok(()),
                command = waiting.recv() => match command {
                    Some(Command::Broken(error)) => return Err(error.into()),
                    Some(command) => self.command(command),
                    None => return Ok(()),
                },
                event = events.recv() => match event {
                    Some(event) => self.network(event),
                    None => anyhow::bail!("the network stopped"),
                },
                Some(job) = not_settled.recv() => self.step(Event::NotSettled { job }),
                () = tokio::time::sleep(pause) => self.step(Event::Tick),
            }
        }
    }

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Finalised { block, jobs } => self.finalised(block, jobs),
            Command::LookedUp {
                device,
                found,
                hello,
                reply,
            } => self.hello(device, found, hello, reply),
            Command::Exchanged {
                device,
                exchange,
                facts,
                reply,
            } => self.exchange(device, exchange, facts, reply),
            Command::Rechecked { device, found } => self.looked_up_again(device, found),
            Command::Withheld { device, given } => self.step(Event::Withheld {
                device,
                id: given.id,
                log_position: given.log_position,
            }),
            Command::Uploaded { job } => self.uploaded(job),
            Command::Seeded { job, seed, settled } => self.seeded(job, seed, settled),
            Command::Arrived { job } => self.arrived(job),
            Command::Challenge(challenge) => self.step(Event::Challenge(challenge)),
            Command::Drawn { day, outcome } => self.drawn(day, outcome),
            // Whoever asked may have gone meanwhile.
            Command::Ask { question, answer } => {
                let (now, last) = (self.now(), self.lottery.last());
                drop(answer.send(questions::answer(&mut self.core, last, now, &question)));
            }
            Command::Persisted(through) => self.step(Event::Persisted { through }),
            Command::Recomputed {
                job,
                task,
                number,
                outcome,
            } => self.recomputed(job, task, number, outcome),
            Command::Seed { block, seed } => self.step(Event::Seed { block, seed }),
            Command::Elsewhere { job, news } => self.step(Event::Elsewhere { job, news }),
            Command::Refereeing { begins } => self.step(Event::Refereeing { begins }),
            Command::Devices { answer } => {
                let _ = answer.send(self.core.connected_count());
            }
            Command::Broken(_) => {}
        }
    }

    fn finalised(&mut self, block: BlockNumber, jobs: Vec<(JobId, Job)>) {
        self.block = self.block.max(block);
        let news: Vec<_> = jobs
            .iter()
            .filter(|(id, job)| self.shared.job(*id).as_ref() != Some(job))
            .map(|(id, job)| (*id, job))
            .collect();
        // If that fails the store has the masternode stopped.
        if let Err(error) = self.shared.store.remember_jobs(&news) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot remember how jobs stand");
        }
        let taken_over = self.taken_over(&jobs);
        self.number_notes(&taken_over);
        for (id, job) in &jobs {
            self.shared.learn(*id, block, job.clone());
        }
        let seen = |(id, job)| (id, watcher::as_seen_here(&self.shared, job));
        let jobs = jobs.into_iter().map(seen).collect();
        self.step(Event::Finalised { block, jobs });
        self.begin_turns(taken_over);
        if block >= self.rechecked.saturating_add(RECHECK_BLOCKS) {
            self.rechecked = block;
            // A chain that takes its time is not asked more by and by.
            if self.rechecking.as_ref().is_none_or(JoinHandle::is_finished) {
                let devices = self.core.connected_devices().collect();
                let recheck = lookups::recheck(self.shared.clone(), devices);
                self.rechecking = Some(tokio::spawn(recheck));
            }
            self.draw_lottery();
        }
    }

    fn step(&mut self, event: Event) {
        let now = self.now();
        for effect in self.core.step(now, event) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let effect = match &mut self.altering {
            Some(altering) => altered(altering.as_mut(), effect),
            None => effect,
        };
        match effect {
            Effect::KeepOutputs {
                job,
                task,
                ref accepted,
            } => {
                if self.shared.vault.may_have_results(job, task) {
                    self.keep_result(job, task, accepted.first().copied());
                }
                self.shared.store.carry_out(effect);
            }
            Effect::Append { .. } => self.shared.store.carry_out(effect),
            Effect::Note { job, ref noted, .. } => {
                if let Note::Contradicted { task, report, .. } = noted.note {
                    // Where others of the group compute the same, its devices are shown to the chain.
                    self.accuser.contradict(job, task, report);
                }
                warn_of(job, &noted.note);
                self.shared.store.carry_out(effect);
            }
            Effect::Recompute {
                job,
                task,
                purpose,
                accepted,
                time_ms,
            } => self.recompute(Errand {
                job,
                task,
                purpose,
                accepted,
                time_ms,
                cancel: Cancel::new(),
            }),
            Effect::StopRecomputing { job, task } => self.stop_recomputing(job, task),
            Effect::ReadSeed { block } => self.read_seed(block),
            Effect::DropInputs { job } => watcher::drop_inputs(&self.shared, job),
            Effect::Answer {
                token,
                device,
                work,
            } => {
                if work.benchmark.is_some() {
                    self.shared.benchmarks_wanted.add_permits(1);
                }
                let Some(reply) = self.tokens.remove(&token) else {
                    return;
                };
                let has_shards = !work.assignments.is_empty();
                let has_words = !work.acknowledged.is_empty();
                let Some(courier) = self.couriers.get(&device).cloned() else {
                    return;
                };
                let shared = self.shared.clone();
                if has_shards || has_words {
                    // Files are read and acknowledgements signed beside the task that owns the core.
                    tokio::spawn(async move {
                        let (answer, withheld) = compose(&shared, device, &courier, work).await;
                        reply.reply(answer);
                        for given in withheld {
                            let command = Command::Withheld { device, given };
                            // An error says that the masternode stops.
                            drop(shared.commands.send(command).await);
                        }
                    });
                } else {
                    let work = without_shards(&shared, device, work);
                    reply.reply(Response::Work(work));
                }
            }
            Effect::Refuse { token, refusal } => {
                if let Some(reply) = self.tokens.remove(&token) {
                    tokio::spawn(reply.dismiss(Response::Refused(refusal)));
                }
            }
            Effect::Dismiss { device } => {
                let server = self.server.clone();
                tokio::spawn(async move { server.disconnect(device).await });
            }
            Effect::Settle { batch } => self.order(settler::Order::Settle(batch)),
            Effect::CloseFailed { job, task, why } => {
                self.order(settler::Order::CloseFailed { job, task, why });
            }
            Effect::Changed { job } => self.shared.changed(job),
            Effect::Closed { job, status } => {
                watcher::close(&self.shared, job, &status);
                if !self.shared.is_of_another(job) {
                    // What is kept of it is kept for so long from this block on. If it cannot be written
                    // the store has the masternode stopped.
                    let _ = self.shared.store.closed_at(job, self.block);
                }
                self.shared.changed(job);
            }
        }
        // Requests whose device went away are never answered.
        if self.tokens.len() > self.tokens_max {
            self.tokens.retain(|_, reply| reply.is_wanted());
            // Each is looked at a few times at most, however many are wanted.
            self.tokens_max = (2 * self.tokens.len()).max(COMMANDS_MAX);
        }
    }

    fn order(&self, order: settler::Order) {
        // What finds no room is ordered again when its time to retry comes.
        let _ = self.settlements.try_send(order);
    }
}

/// What an operator should hear of, although nothing follows from it.
fn warn_of(job: JobId, note: &Note) {
    if let Note::Contradicted { task, receipts, .. } = note {
        let devices: Vec<_> = receipts
            .iter()
            .map(|(device, _)| device.to_string())
            .collect();
        let devices = devices.join(", ");
        tracing::warn!(
            %job,
            task,
            devices,
            "an answer was accepted and settled, and another one comes out here; both are noted beside the job's log, and its owner is told"
        );
    }
}
