//! Carries out what the core decides: connections, timers, files, the thread that does the tasks.
//!
//! Everything but the tasks themselves runs on one task of one runtime, so that nothing waits for a
//! lock; the runtime may have a single thread.

mod in_hand;
mod links;

use crate::{
    bench::{Bench, Executor},
    core::{Core, CoreSettings, Effect, Event, Fault, Finished, Notice, Sealed, Tick},
    device::{DeviceSecrets, KeyFileError},
    limits::{PAUSE_MS_MAX, RUN_STACK_BYTES},
    masternodes::{Directory, LookUpError, Network},
    programs::{Engines, Programs, Store},
    reports::Reports,
    settings::Settings,
};
use in_hand::{InHand, Queue};
use links::Links;
use quern_primitives::ids::DeviceId;
use quern_protocol::ReplicaId;
use quern_sandbox::EngineError;
use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// News that may wait for the shell.
const NEWS_MAX: usize = 256;

/// How often the chain is asked for its masternodes.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);

/// The first pause after the chain could not be asked.
const LOOK_UP_PAUSE: Duration = Duration::from_secs(1);

/// How often the number of acknowledged tasks is told, when there are new ones.
const SUMMARY_EVERY: Duration = Duration::from_secs(30);

/// Errands that may wait for the bench, abandoned ones that it has not looked at included.
const ERRANDS_MAX: usize = 64;

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
enum News {
    Core(Event),
    Connected {
        masternode: DeviceId,
        connection: u64,
        client: quern_network::Client,
    },
    Prepared {
        id: ReplicaId,
        ready: in_hand::Ready,
    },
    LookedUp(Box<Directory>, Result<Network, LookUpError>),
}

/// Runs a worker until it is told to stop, or with `once` until one task is acknowledged.
///
/// The first message on `stop` stops it cleanly, a second one at once. The executor is what runs
/// programs: [`crate::bench::Sandbox`], unless it is a test's.
pub async fn run<E: Executor>(
    settings: Settings,
    once: bool,
    executor: E,
    mut stop: mpsc::Receiver<()>,
) -> Result<Ended, WorkerError> {
    let secrets = DeviceSecrets::load(&settings.device_key)?;
    let data = |source| WorkerError::Data {
        path: settings.data.clone(),
        source,
    };
    let store =
        Store::open(settings.data.join("programs"), settings.programs_bytes_max).map_err(data)?;
    let (reports, restored) = Reports::open(settings.data.join("reports")).map_err(data)?;
    let engines = Engines::default();
    let core_settings = CoreSettings {
        software: concat!("quern-worker/", env!("CARGO_PKG_VERSION")).into(),
        engines: engines.offered()?,
        memory_bytes_max: settings.memory_bytes_max,
        stop_grace_ms: settings.stop_grace_ms,
        once,
        seed: rand::random(),
    };
    tracing::info!(device = %secrets.id(), restored = restored.len(), "the worker starts");

    let mut directory = Box::new(Directory::new(settings.source.clone()));
    let network = tokio::select! {
        network = first_look_up(&mut directory) => network,
        _ = stop.recv() => return Ok(Ended::Cleanly { acknowledged: 0 }),
    };
    let (news, received) = mpsc::channel(NEWS_MAX);
    let bench = Bench::new(&secrets, network.genesis, executor).keeping(reports.clone());
    let queue = start_bench(bench, news.clone())?;
    let shell = Shell {
        core: Core::new(core_settings, restored),
        started: Instant::now(),
        links: Links::new(secrets.signing_seed(), settings.prefer, news.clone()),
        in_hand: InHand::new(
            Programs::new(store, engines),
            reports.clone(),
            queue,
            news.clone(),
        ),
        reports,
        news,
        received,
        told: 0,
    };
    shell.run(network, directory, stop).await
}

/// Asks for the masternodes until somebody answers.
async fn first_look_up(directory: &mut Directory) -> Network {
    let mut pause = LOOK_UP_PAUSE;
    loop {
        match directory.look_up().await {
            Ok(network) => return network,
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, source, pause_s = pause.as_secs(), "no masternodes yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(PAUSE_MS_MAX));
    }
}

fn start_bench<E: Executor>(
    mut bench: Bench<E>,
    news: mpsc::Sender<News>,
) -> Result<Queue, WorkerError> {
    let (queue, errands) = std::sync::mpsc::sync_channel(ERRANDS_MAX);
    let work = move || {
        for errand in errands {
            let errand: Box<crate::bench::Errand> = errand;
            let id = errand.assignment.id;
            // A fault of the engine may cost a task, but not the worker.
            let done = catch_unwind(AssertUnwindSafe(|| bench.work(&errand)));
            let event = match done {
                Ok(Some(Ok(finished))) => Event::Ran { finished },
                Ok(Some(Err(fault))) => Event::Failed { id, fault },
                Ok(None) => continue,
                Err(_) => Event::Failed {
                    id,
                    fault: Fault::NoRoom,
                },
            };
            if news.blocking_send(News::Core(event)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("tasks".into())
        .stack_size(RUN_STACK_BYTES)
        .spawn(work)
        .map_err(WorkerError::Thread)?;
    Ok(queue)
}

struct Shell {
    core: Core,
    started: Instant,
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
    ) -> Result<Ended, WorkerError> {
        let mut stops = 0;
        let mut summary = tokio::time::interval(SUMMARY_EVERY);
        self.learn(network)?;
        self.look_up_later(directory);
        loop {
            let wakeup = self.core.next_wakeup();
            let left = tokio::select! {
                news = self.received.recv() => match news {
                    Some(news) => self.on_news(news)?,
                    None => false,
                },
                () = sleep_until(self.started, wakeup) => self.tell(Event::Woken)?,
                Some(()) = stop.recv() => {
                    stops += 1;
                    if stops > 1 {
                        return Ok(Ended::AtOnce);
                    }
                    self.tell(Event::Stop)?
                }
                _ = summary.tick() => {
                    self.summarise();
                    false
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
            News::Core(event) => self.tell(event),
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
            News::Prepared { id, ready } => {
                self.in_hand.prepared(id, ready);
                self.tell(Event::Prepared { id })
            }
            News::LookedUp(directory, found) => {
                self.look_up_later(directory);
                match found {
                    Ok(network) => self.learn(network),
                    Err(error) => {
                        tracing::warn!(%error, "the list of masternodes stays as it was");
                        Ok(false)
                    }
                }
            }
        }
    }

    /// Tells the core, and carries out what it wants; true when the worker is to leave.
    fn tell(&mut self, event: Event) -> Result<bool, WorkerError> {
        let mut events = VecDeque::from([event]);
        let mut leaves = false;
        while let Some(event) = events.pop_front() {
            let now = self.now();
            for effect in self.core.step(now, event) {
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
                return Ok(self.in_hand.prepare(masternode, *assignment, link));
            }
            Effect::Run { id } => return self.in_hand.run(&id),
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
            Effect::Forget { id } => {
                self.in_hand.abandon(&id);
                self.reports.forget(&id);
            }
            Effect::Tell(notice) => log(&notice),
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
            match self.reports.keep(masternode, id, finished.receipt, sealed) {
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

async fn sleep_until(started: Instant, wakeup: Option<Tick>) {
    match wakeup {
        Some(Tick(at)) => {
            tokio::time::sleep_until((started + Duration::from_millis(at)).into()).await;
        }
        None => std::future::pending().await,
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::Welcomed { masternode } => tracing::info!(%masternode, "let in"),
        Notice::Refused {
            masternode,
            refusal,
            pause_ms,
        } => {
            tracing::warn!(%masternode, again_in_ms = pause_ms, "refused: {refusal}");
        }
        Notice::Acknowledged { id } => tracing::debug!(?id, "acknowledged"),
        Notice::Discarded { id, reason } => tracing::debug!(?id, ?reason, "not wanted any more"),
        Notice::NotDone { id, fault } => tracing::warn!(?id, "a task was not done: {fault}"),
        Notice::Stopping { finishes: Some(id) } => {
            tracing::info!(?id, "stopping when the running task has ended");
        }
        Notice::Stopping { finishes: None } => tracing::info!("stopping"),
    }
}
