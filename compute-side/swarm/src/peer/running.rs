//! The loop: what happens, in the order in which it does.

use super::{Begin, Done, PeerConfig, PeerError};
use crate::{
    disk::{Folder, Order, Written},
    limits::{LISTEN_MAX, SERVED_MAX, STATUS_EVERY},
    run::{Ran, Stop, Worker},
    status::Status,
};
use quern_network::{
    MeshEvent, MeshHandle,
    mesh::{Link, Voice},
};
use quern_primitives::{Digest, payload::DeviceKey};
use quern_swarm_file::{PeerAddress, PieceIndex, ValidatedTaskFile};
use quern_swarm_rules::{Event, PeerId, Rules, Tick};
use std::{
    collections::{BTreeMap, VecDeque},
    future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

/// A peer while it runs.
pub(super) struct Running {
    pub(super) task: Arc<ValidatedTaskFile>,
    pub(super) rules: Rules<DeviceKey>,
    pub(super) folder: Arc<Folder>,
    disk: mpsc::Sender<Order>,
    /// What the disk is to do and was not told yet: of each piece what the rules wanted since.
    pub(super) orders: VecDeque<Order>,
    pub(super) mesh: MeshHandle,
    pub(super) done: mpsc::Sender<Done>,
    pub(super) worker: Option<Arc<Worker>>,
    /// Those that are connected, and with what to speak to them.
    pub(super) links: BTreeMap<PeerId, (Link, Voice)>,
    /// What is being computed, by the number of its run.
    pub(super) runs: BTreeMap<PieceIndex, (u64, Stop)>,
    pub(super) next_run: u64,
    /// Where what came out of a piece is, until it is known what becomes of it.
    pub(super) came_out: BTreeMap<PieceIndex, PathBuf>,
    /// How often that is being compared.
    pub(super) comparing: BTreeMap<PieceIndex, (usize, Stop)>,
    /// Where a piece is that has just come.
    pub(super) came: BTreeMap<PieceIndex, PathBuf>,
    /// The roots of the pieces that are on the disk, or on their way there.
    pub(super) roots: BTreeMap<PieceIndex, Digest>,
    /// What happened and was not told to the rules yet.
    pub(super) events: VecDeque<Event>,
    /// Pieces that are brought here and given.
    pub(super) moving: JoinSet<()>,
    pub(super) serving: Arc<Semaphore>,
    pub(super) status: Status,
    told: watch::Sender<Status>,
    since: Instant,
    peers: Vec<PeerAddress>,
    /// What it waits for before it computes.
    begin: Waiting,
    /// Whether a neighbour has said what its knowledge adds up to.
    pub(super) has_heard: bool,
    /// Whether how it stands is to be told at once.
    is_news: bool,
}

/// What a peer waits for before it computes.
#[derive(Debug)]
enum Waiting {
    Until(Instant),
    For(oneshot::Receiver<()>),
    Over,
}

impl Running {
    pub(super) fn new(
        config: PeerConfig,
        (rules, roots): (Rules<DeviceKey>, BTreeMap<PieceIndex, Digest>),
        (folder, disk): (Arc<Folder>, mpsc::Sender<Order>),
        (mesh, done): (MeshHandle, mpsc::Sender<Done>),
        worker: Option<Arc<Worker>>,
        (status, told): (Status, watch::Sender<Status>),
    ) -> Self {
        let mut peers = config.peers;
        peers.extend(config.task.file().bootstrap.iter().cloned());
        let since = Instant::now();
        let begin = match config.begin {
            Begin::When(told) => Waiting::For(told),
            Begin::WhenHeard => {
                let listens = if peers.is_empty() {
                    Duration::ZERO
                } else {
                    LISTEN_MAX
                };
                Waiting::Until(since.checked_add(listens).unwrap_or(since))
            }
        };
        Self {
            task: config.task,
            rules,
            folder,
            disk,
            orders: VecDeque::new(),
            mesh,
            done,
            worker,
            links: BTreeMap::new(),
            runs: BTreeMap::new(),
            next_run: 0,
            came_out: BTreeMap::new(),
            comparing: BTreeMap::new(),
            came: BTreeMap::new(),
            roots,
            events: VecDeque::new(),
            moving: JoinSet::new(),
            serving: Arc::new(Semaphore::new(SERVED_MAX)),
            status,
            told,
            since,
            peers,
            begin,
            has_heard: false,
            is_news: false,
        }
    }

    /// Goes on until it is ended, or cannot go on; then ends what it has begun.
    pub(super) async fn run(
        mut self,
        mut links: mpsc::Receiver<MeshEvent>,
        mut written: mpsc::Receiver<Written>,
        mut done: mpsc::Receiver<Done>,
        stop: &Notify,
    ) -> Result<(), PeerError> {
        let outcome = self.go_on(&mut links, &mut written, &mut done, stop).await;
        self.tell_status();
        self.stop_runs();
        self.write_out(&mut written).await;
        self.moving.shutdown().await;
        self.mesh.shutdown().await;
        // With these what is done beside it ends, and says so.
        self.done = mpsc::channel(1).0;
        self.disk = mpsc::channel(1).0;
        while done.recv().await.is_some() {}
        while written.recv().await.is_some() {}
        outcome
    }

    async fn go_on(
        &mut self,
        links: &mut mpsc::Receiver<MeshEvent>,
        written: &mut mpsc::Receiver<Written>,
        done: &mut mpsc::Receiver<Done>,
        stop: &Notify,
    ) -> Result<(), PeerError> {
        for address in std::mem::take(&mut self.peers) {
            self.events.push_back(Event::Found(address));
        }
        self.step_all().await?;
        let mut ticks = interval(STATUS_EVERY);
        let disk = self.disk.clone();
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = self.rules.next_wakeup();
            let wake = wake.map(|at| Duration::from_millis(at.since(self.now())));
            tokio::select! {
                event = links.recv() => match event {
                    Some(event) => self.on_link(event),
                    None => return Err(PeerError::NetworkGone),
                },
                Some(event) = done.recv() => self.on_done(event)?,
                Some(event) = written.recv() => self.on_written(event)?,
                permit = disk.reserve(), if !self.orders.is_empty() => match permit {
                    Ok(permit) => if let Some(order) = self.orders.pop_front() {
                        permit.send(order);
                    },
                    // Why the thread has ended is told by it.
                    Err(_) => self.orders.clear(),
                },
                () = after(wake) => self.events.push_back(Event::Woke),
                () = self.begin.over() => self.begin(),
                _ = ticks.tick() => self.tell_status(),
                () = stop.notified() => return Ok(()),
            }
            self.step_all().await?;
            if self.has_listened() {
                self.begin();
                self.step_all().await?;
            }
            if std::mem::take(&mut self.is_news) {
                self.tell_status();
            }
            while self.moving.try_join_next().is_some() {}
        }
    }

    /// Has done what the disk is to do: what came out is not computed again at the next start.
    async fn write_out(&mut self, written: &mut mpsc::Receiver<Written>) {
        let disk = self.disk.clone();
        while !self.orders.is_empty() {
            tokio::select! {
                permit = disk.reserve() => match (permit, self.orders.pop_front()) {
                    (Ok(permit), Some(order)) => permit.send(order),
                    _ => return,
                },
                Some(_) = written.recv() => {}
            }
        }
    }

    /// It may compute from now on.
    fn begin(&mut self) {
        self.begin = Waiting::Over;
        self.events.push_back(Event::Begin);
    }

    /// Whether it has waited for what a neighbour knows, and knows it now.
    fn has_listened(&self) -> bool {
        matches!(self.begin, Waiting::Until(_)) && self.has_heard && self.rules.has_caught_up()
    }

    pub(super) fn now(&self) -> Tick {
        let past = self.since.elapsed().as_millis();
        Tick(u64::try_from(past).unwrap_or(u64::MAX))
    }

    /// Tells the rules what happened, and does what follows.
    async fn step_all(&mut self) -> Result<(), PeerError> {
        while let Some(event) = self.events.pop_front() {
            let effects = self.rules.step(self.now(), event);
            for effect in effects {
                self.carry_out(effect).await?;
            }
            self.forget_unwanted();
        }
        Ok(())
    }

    fn on_done(&mut self, done: Done) -> Result<(), PeerError> {
        match done {
            Done::Ran {
                run,
                piece,
                into,
                ran,
            } => self.on_ran(run, piece, into, ran),
            Done::Compared { piece, root, same } => self.on_compared(piece, root, same),
            Done::Fetched {
                piece,
                from,
                into,
                came,
            } => self.on_fetched(piece, from, into, came)?,
        }
        Ok(())
    }

    fn on_ran(&mut self, run: u64, piece: PieceIndex, into: PathBuf, ran: Ran) {
        let is_wanted = self.runs.get(&piece).is_some_and(|it| it.0 == run);
        if !is_wanted {
            return self.forget(into);
        }
        self.runs.remove(&piece);
        let output = match ran {
            Ran::Made(output) => {
                if let Some(before) = self.came_out.insert(piece, into) {
                    self.forget(before);
                }
                Some(output)
            }
            Ran::Failed(trouble) => {
                self.status.trouble = Some(format!("piece {piece}: {trouble}"));
                self.forget(into);
                None
            }
            Ran::Stopped => return self.forget(into),
        };
        self.events.push_back(Event::Computed { piece, output });
    }

    fn on_written(&mut self, written: Written) -> Result<(), PeerError> {
        match written {
            Written::Stored(made) => {
                // Unless it was discarded since, or something else is on its way to its place.
                if self.roots.get(&made.piece) == Some(&made.root) {
                    let piece = made.piece;
                    self.is_news = self.roots.len() as u64 == u64::from(self.status.pieces);
                    self.events.push_back(Event::Stored { piece });
                }
            }
            Written::Merged(output) => {
                self.status.output = Some(output);
                self.is_news = true;
            }
            Written::Failed(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Tells how it stands, if that has changed.
    fn tell_status(&mut self) {
        let progress = self.rules.progress();
        self.status.stored = progress.stored;
        self.status.computed = progress.computed;
        self.status.checked = progress.checked;
        self.status.neighbours = u32::try_from(progress.neighbours).unwrap_or(u32::MAX);
        self.status.computing = self.runs.keys().copied().collect();
        let status = &self.status;
        let has_changed = self.told.send_if_modified(|told| {
            let has_changed = told != status;
            if has_changed {
                told.clone_from(status);
            }
            has_changed
        });
        let is_written = has_changed || !self.folder.has_status();
        if is_written
            && let Ok(text) = serde_json::to_vec(status)
            && let Err(error) = self.folder.tell(&text)
        {
            tracing::warn!(%error, "how it stands cannot be written down");
        }
    }

    fn stop_runs(&mut self) {
        self.runs.values().for_each(|(_, stop)| stop.stop());
        self.comparing.values().for_each(|(_, stop)| stop.stop());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop_runs();
    }
}

impl Waiting {
    /// Returns when it is over, and never if it is over already.
    async fn over(&mut self) {
        match self {
            Self::Until(at) => tokio::time::sleep_until((*at).into()).await,
            // That nobody can tell any more is told too.
            Self::For(told) => drop(told.await),
            Self::Over => future::pending().await,
        }
    }
}

async fn after(span: Option<Duration>) {
    match span {
        Some(span) => sleep(span).await,
        None => future::pending().await,
    }
}
