//! Carries out what the core decides: connections, timers, files, the thread that does the tasks. And
//! tells it what is seen of the machine and of its owner's preferences.
//!
//! Everything but the tasks themselves runs on one task of one runtime, so that nothing waits for a
//! lock; the runtime may have a single thread.

mod claiming;
mod gauge;
mod in_hand;
mod keeping;
mod links;
mod notices;
mod settings_file;
#[cfg(test)]
mod tests;
mod thread;
mod words;

use crate::{
    acknowledgements::Acknowledgements,
    availability::{Availability, DataUsedError},
    bench::{Bench, Machinery},
    benchmark::Benchmarks,
    claims::Ask,
    core::{Core, CoreSettings, Effect, Event, Finished, Sealed, Tick},
    device::{DeviceSecrets, KeyFileError},
    machine::{Machine, Places},
    masternodes::{Directory, LookUpError, Network},
    programs::{Engines, Programs, Store},
    reports::{Kept, Reports},
    settings::{Revision, Settings},
    telemetry,
    traffic::Traffic,
};
use claiming::Claiming;
pub use claiming::ClaimingError;
use futures::future::BoxFuture;
use gauge::Gauge;
use in_hand::InHand;
use keeping::{Keeper, Keeping};
use links::Links;
use quern_primitives::ids::{DeviceId, GenesisHash};
use quern_protocol::ShownVerdict;
use quern_sandbox::{EngineError, Pace};
use settings_file::SettingsFile;
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at},
};

/// News that may wait for the shell.
const NEWS_MAX: usize = 256;

/// How often the chain is asked for its masternodes.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);

/// How often the number of acknowledged tasks is told, when there are new ones.
const SUMMARY_EVERY: Duration = Duration::from_secs(30);

/// Why a worker ends, other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The device's keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// No engine starts on this machine.
    #[error("no engine starts on this machine")]
    Engine(#[from] EngineError),
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}; make sure the worker may write there")]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The count of the data moved cannot be used.
    #[error(transparent)]
    DataUsed(#[from] DataUsedError),
    /// What is claimed cannot be written down, or the account for it not be used.
    #[error(transparent)]
    Claims(#[from] ClaimingError),
    /// What looks at the machine has ended.
    #[error("what looks at the machine has ended; this is a fault of the worker, report it")]
    LookEnded,
    /// The thread for the tasks does not start.
    #[error("cannot start the thread that does the tasks; raise this machine's limit of threads")]
    Thread(#[source] io::Error),
    /// The thread for the tasks has ended.
    #[error("the thread that does the tasks has ended; this is a fault of the worker, report it")]
    ThreadEnded,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It finished or gave back all it had, and was heard.
    Cleanly {
        /// Tasks acknowledged.
        acknowledged: u64,
    },
    /// It was told to stop twice and left at once.
    AtOnce,
}

/// What the shell hears from its tasks and threads.
// Short-lived, as the core's events are, which most of it is.
#[allow(clippy::large_enum_variant)]
enum News {
    Core(Event),
    Connected {
        masternode: DeviceId,
        connection: u64,
        client: quern_network::Client,
    },
    Prepared {
        ready: in_hand::Ready,
    },
    LookedUp(Box<Directory>, Result<Network, LookUpError>),
    /// What the chain has of jobs whose work was acknowledged; none if it did not tell.
    BatchesSeen(Option<Box<claiming::Seen>>),
    /// What a masternode shows of them; none if it could not be asked.
    Shown {
        ask: Ask,
        answer: Option<Vec<ShownVerdict>>,
    },
    SentClaim(claiming::Sent),
    Looked(Box<gauge::Reading>),
    SettingsSeen(Box<settings_file::Found>),
    LookEnded,
}

/// Runs a worker until it is told to stop, or with `once` until one task is acknowledged.
///
/// The first message on `stop` stops it cleanly, a second one at once. One on `reread` has it look at
/// the settings file now. The machinery is [`Machinery::shipped`], unless it is a test's.
///
/// Boxed on both sides, so that all of it is compiled with this library and not with each program
/// that calls it.
pub fn run(
    settings: Settings,
    once: bool,
    machinery: Machinery,
    stop: mpsc::Receiver<()>,
    reread: mpsc::Receiver<()>,
) -> BoxFuture<'static, Result<Ended, WorkerError>> {
    Box::pin(start(settings, once, machinery, stop, reread))
}

async fn start(
    settings: Settings,
    once: bool,
    machinery: Machinery,
    mut stop: mpsc::Receiver<()>,
    reread: mpsc::Receiver<()>,
) -> Result<Ended, WorkerError> {
    let secrets = DeviceSecrets::load(&settings.device_key)?;
    let data = |source| WorkerError::Data {
        path: settings.data.clone(),
        source,
    };
    let store =
        Store::open(settings.data.join("programs"), settings.programs_bytes_max).map_err(data)?;
    let (reports, restored) = Reports::open(settings.data.join("reports")).map_err(data)?;
    let words = Acknowledgements::open(settings.data.join("acknowledgements")).map_err(data)?;
    let engines = Engines::default();
    let (started, traffic) = (Instant::now(), Traffic::default());
    let (news, received) = mpsc::channel(NEWS_MAX);
    let here = Places::here(settings.data.clone());
    let (gauge, machine) = tokio::select! {
        looked = Gauge::start(&settings, here, started, traffic.clone(), news.clone()) => looked?,
        _ = stop.recv() => return Ok(Ended::Cleanly { acknowledged: 0 }),
    };
    let core_settings = CoreSettings {
        software: concat!("quern-worker/", env!("CARGO_PKG_VERSION")).into(),
        engines: engines.offered()?,
        machine: telemetry::machine(&machine),
        memory_bytes_max: settings.task_memory_bytes(machine.ram_mib),
        stop_grace_ms: settings.stop_grace_ms,
        once,
        seed: rand::random(),
    };
    let pace = engines.pace().clone();
    set_pace(&pace, &settings.availability, &machine);
    tracing::info!(device = %secrets.id(), restored = restored.len(), "the worker starts");

    let mut directory = Box::new(Directory::new(settings.source.clone()));
    let network = tokio::select! {
        network = directory.look_up_at_last() => network,
        _ = stop.recv() => return Ok(Ended::Cleanly { acknowledged: 0 }),
    };
    let bench = Bench::new(&secrets, network.genesis, machinery.executor).keeping(reports.clone());
    let queue = thread::start(bench, Benchmarks::new(engines.clone()), news.clone())?;
    let claiming = Claiming::new(
        settings.claims.clone(),
        &settings.data,
        network.genesis,
        directory.chain(),
        news.clone(),
    )?;
    let keeper = Keeper {
        key: secrets.signing_key(),
        genesis: network.genesis,
        account: claiming.account(),
        traffic: traffic.clone(),
        elsewhere: machinery.elsewhere,
    };
    let now = (directory.chain(), gauge.allowance());
    let keeping = Keeping::start(&settings, keeper, now).map_err(data)?;
    let shell = Shell {
        genesis: network.genesis,
        claiming,
        words,
        core: Core::new(core_settings, restored),
        started,
        gauge,
        pace,
        machine,
        links: Links::new(
            secrets.signing_seed(),
            settings.prefer,
            traffic,
            keeping.ears(),
            news.clone(),
        ),
        in_hand: InHand::new(
            (secrets.id(), network.genesis),
            Programs::new(store, engines),
            reports.clone(),
            queue,
            news.clone(),
        ),
        reports,
        keeping,
        file: SettingsFile::new(settings.file.clone(), news.clone()),
        settings,
        news,
        received,
        told: 0,
    };
    shell.run(network, directory, stop, reread).await
}

/// Has tasks take no more of the processor's time than their part.
fn set_pace(pace: &Pace, availability: &Availability, machine: &Machine) {
    let percent = availability.thread_percent(machine.processor.threads);
    pace.set_percent(percent);
    if percent < 100 {
        tracing::info!("`availability.cpu_percent` lets tasks run {percent} % of the time");
    }
}

struct Shell {
    keeping: Keeping,
    genesis: GenesisHash,
    claiming: Claiming,
    /// What masternodes signed for this device's work.
    words: Acknowledgements,
    core: Core,
    started: Instant,
    gauge: Gauge,
    pace: Pace,
    machine: Machine,
    /// What is in force, and the file where that may change.
    settings: Settings,
    file: SettingsFile,
    links: Links,
    in_hand: InHand,
    reports: Reports,
    news: mpsc::Sender<News>,
    received: mpsc::Receiver<News>,
    /// Acknowledged tasks that the log has told of.
    told: u64,
}

impl Shell {
    async fn run(
        mut self,
        network: Network,
        directory: Box<Directory>,
        mut stop: mpsc::Receiver<()>,
        mut reread: mpsc::Receiver<()>,
    ) -> Result<Ended, WorkerError> {
        let mut stops = 0;
        let mut summary = tokio::time::interval(SUMMARY_EVERY);
        let mut looks = every(self.gauge.period());
        // Whether the machine may be used is known before anybody is asked for anything. Finding the
        // masternodes may have taken long.
        self.gauge.look();
        self.tell(self.gauge.measured())?;
        self.learn(network)?;
        self.look_up_later(directory);
        loop {
            if looks.period() != self.gauge.period() {
                looks = every(self.gauge.period());
            }
            let wakeup = self.core.next_wakeup();
            let left = tokio::select! {
                news = self.received.recv() => match news {
                    Some(news) => self.on_news(news)?,
                    None => false,
                },
                () = sleep_until(self.started, wakeup) => self.tell(Event::Woken)?,
                () = tokio::time::sleep_until(self.claiming.next_look()) => {
                    self.look_at_batches();
                    false
                }
                Some(()) = stop.recv() => {
                    stops += 1;
                    if stops > 1 {
                        self.gauge.keep();
                        return Ok(Ended::AtOnce);
                    }
                    self.tell(Event::Stop)?
                }
                _ = summary.tick() => {
                    self.summarise();
                    false
                }
                Some(()) = reread.recv() => {
                    tracing::info!("the settings file is read again");
                    self.file.look(true);
                    false
                }
                _ = looks.tick() => {
                    self.file.look(false);
                    let looked = self.gauge.look();
                    self.keeping.allow(self.gauge.allowance());
                    match looked {
                        Some(measured) => self.tell(measured)?,
                        None => false,
                    }
                }
            };
            if left {
                return Ok(self.leave().await);
            }
        }
    }

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn learn(&mut self, network: Network) -> Result<bool, WorkerError> {
        let keys = network
            .masternodes
            .iter()
            .map(|masternode| masternode.network_key)
            .collect();
        if network.masternodes.is_empty() {
            tracing::warn!("the chain has no masternode that can be reached; waiting for one");
        }
        self.links.learn(network.masternodes);
        self.tell(Event::Masternodes(keys))
    }

    fn look_up_later(&self, mut directory: Box<Directory>) {
        if !directory.can_change() {
            return;
        }
        let news = self.news.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LOOK_UP_EVERY).await;
            let found = directory.look_up().await;
            // An error says that the worker ends.
            let _ = news.send(News::LookedUp(directory, found)).await;
        });
    }

    fn on_news(&mut self, news: News) -> Result<bool, WorkerError> {
        match news {
            News::Core(mut event) => {
                self.take_words(&mut event);
                self.tell(event)
            }
            News::Connected {
                masternode,
                connection,
                client,
            } => {
                if self.links.connected(masternode, connection, client) {
                    self.tell(Event::Connected {
                        masternode,
                        connection,
                    })
                } else {
                    Ok(false)
                }
            }
            News::Prepared { ready } => {
                let held = ready.held();
                self.in_hand.prepared(ready);
                self.tell(Event::Prepared { held })
            }
            News::LookedUp(directory, found) => {
                self.claiming.learn_chain(directory.chain());
                self.keeping.learn_chain(directory.chain());
                self.look_up_later(directory);
                match found {
                    Ok(network) => self.learn(network),
                    Err(error) => {
                        tracing::warn!(%error, "the list of masternodes stays as it was");
                        Ok(false)
                    }
                }
            }
            News::BatchesSeen(seen) => {
                self.on_batches_seen(seen);
                Ok(false)
            }
            News::Shown { ask, answer } => {
                self.on_shown(&ask, answer.as_deref());
                Ok(false)
            }
            News::SentClaim(sent) => {
                self.claiming.on_sent(sent);
                Ok(false)
            }
            News::Looked(reading) => match self.gauge.looked(*reading) {
                Some(measured) => self.tell(measured),
                None => Ok(false),
            },
            News::SettingsSeen(found) => match self.file.looked(*found) {
                Some(Ok(read)) => self.revise(&read),
                Some(Err(error)) => {
                    let detail = error.detail();
                    tracing::warn!(detail, "the preferences stay as they were: {error}");
                    Ok(false)
                }
                None => Ok(false),
            },
            News::LookEnded => Err(WorkerError::LookEnded),
        }
    }

    /// Does what follows from a settings file that has changed.
    fn revise(&mut self, read: &Settings) -> Result<bool, WorkerError> {
        let Revision {
            availability,
            waiting,
        } = self.settings.revision(read);
        if !waiting.is_empty() {
            let keys = waiting.join("`, `");
            tracing::warn!("a change of `{keys}` is followed when the worker is started again");
        }
        let Some(availability) = availability else {
            return Ok(false);
        };
        tracing::info!("the preferences have changed, and are followed from now on");
        set_pace(&self.pace, &availability, &self.machine);
        self.gauge.revise(availability.clone());
        self.settings.availability = availability;
        let memory_bytes_max = self.settings.task_memory_bytes(self.machine.ram_mib);
        let has_left = self.tell(Event::Allowed { memory_bytes_max })?;
        Ok(self.tell(self.gauge.measured())? || has_left)
    }

    /// Tells the core, and carries out what it wants; true when the worker is to leave.
    fn tell(&mut self, event: Event) -> Result<bool, WorkerError> {
        let mut events = VecDeque::from([event]);
        let mut leaves = false;
        while let Some(event) = events.pop_front() {
            let now = self.now();
            let effects = self.core.step(now, event);
            self.keep_words(&effects);
            for effect in effects {
                leaves |= effect == Effect::Leave;
                events.extend(self.carry_out(effect)?);
            }
        }
        Ok(leaves)
    }

    /// Carries out one effect; returns what happened by that at once.
    fn carry_out(&mut self, effect: Effect) -> Result<Option<Event>, WorkerError> {
        match effect {
            Effect::Connect {
                masternode,
                connection,
            } => {
                self.links.connect(masternode, connection);
            }
            Effect::Close { masternode } => self.links.close(&masternode),
            Effect::Ask {
                masternode,
                connection,
                number,
                request,
            } => {
                self.links.ask(masternode, connection, number, request);
            }
            Effect::Opened {
                masternode,
                connection,
            } => self.links.opened(&masternode, connection),
            Effect::Prepare {
                masternode,
                assignment,
            } => {
                let link = self.links.link(masternode);
                return Ok(self.in_hand.prepare(masternode, assignment, link));
            }
            Effect::Run { id } => return self.in_hand.run(&id),
            Effect::Benchmark { benchmark } => return self.in_hand.benchmark(benchmark),
            Effect::StopBenchmark => self.in_hand.stop_benchmark(),
            Effect::Deliver { id } => {
                let masternode = self
                    .core
                    .unacknowledged()
                    .find(|(_, finished)| finished.id() == id)
                    .map(|(masternode, _)| *masternode);
                if let Some(masternode) = masternode {
                    self.in_hand.deliver(id, self.links.link(masternode));
                }
            }
            Effect::Abandon { id } => self.in_hand.abandon(&id),
            // It is kept already, before anything is dropped for it.
            Effect::Keep { .. } => {}
            Effect::Forget { id } => {
                self.in_hand.abandon(&id);
                self.reports.forget(&id);
            }
            Effect::Tell(notice) => notices::log(&notice),
            Effect::Leave => {}
        }
        Ok(None)
    }

    fn summarise(&mut self) {
        let acknowledged = self.core.acknowledged();
        if acknowledged > self.told {
            tracing::info!(
                acknowledged,
                new = acknowledged - self.told,
                "tasks acknowledged"
            );
            self.told = acknowledged;
        }
    }

    /// Keeps what is not acknowledged, and says goodbye.
    async fn leave(mut self) -> Ended {
        self.summarise();
        self.gauge.keep();
        let unkept: Vec<(DeviceId, Finished)> = self
            .core
            .unacknowledged()
            .filter(|(_, finished)| !self.reports.has(&finished.id()))
            .map(|(masternode, finished)| (*masternode, finished.clone()))
            .collect();
        for (masternode, finished) in unkept {
            let id = finished.id();
            let Sealed::Here(sealed) = finished.sealed else {
                continue;
            };
            let kept = Kept {
                masternode,
                shown: finished.shown,
                receipt: finished.receipt,
                commitment: finished.commitment,
                sealed,
            };
            match self.reports.keep(id, kept, true) {
                Ok(()) => tracing::info!(?id, "a report is kept for the next start"),
                Err(error) => tracing::warn!(?id, %error, "a report is lost"),
            }
        }
        self.links.closed().await;
        Ended::Cleanly {
            acknowledged: self.core.acknowledged(),
        }
    }
}

/// From one period on, and then at each. After a sleep of the machine one time is enough.
fn every(period: Duration) -> Interval {
    let mut interval = interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn sleep_until(started: Instant, wakeup: Option<Tick>) {
    match wakeup {
        Some(Tick(at)) => {
            tokio::time::sleep_until((started + Duration::from_millis(at)).into()).await;
        }
        None => std::future::pending().await,
    }
}
