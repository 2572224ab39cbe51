//! Keeps pieces of others' data: takes what masternodes wish to have kept, shows that it has it, and gives it back.
//!
//! | module | what it does |
//! | --- | --- |
//! | `pieces` | what is here, what is coming, and what is answered to a wish |
//! | `shelf` | what masternodes may fetch from here |
//! | `duties` | what the chain says that this device holds: challenges are answered, the rest is erased in the end |
//!
//! Nothing is kept unless the machine's owner gives room for it. A masternode is believed nothing but that a piece is
//! wanted: what is held, for whom and in which period, is read from the chain. Pieces are sealed, and this device has no
//! key of theirs; so any masternode may fetch them.

mod duties;
mod pieces;
mod shelf;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

pub(crate) use duties::{Duties, Facts};

use crate::{
    kept::{Elsewhere, KeepError, KeptPieces, PieceName, ShowError},
    traffic::Traffic,
};
use pieces::{Decision, Pieces};
use quern_network::{Client, Inquiry, WishAnswer, Wished};
use quern_primitives::{
    custody::PieceEntry,
    ids::{ContractId, DeviceId, GenesisHash},
    payload::DeviceKey,
};
use quern_protocol::keep::{Answer, Reason};
use quern_transfer::{Allowance, Config, Progress, SourceKind, Thing, Transfer, TransferError};
use shelf::KeptShelf;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    task::JoinHandle,
};

/// Wishes, and questions, that wait.
const WAITING_MAX: usize = 64;

/// How often it is looked whether something can go.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// What is needed to keep pieces.
pub(crate) struct KeeperConfig {
    /// Where they are, and what is fetched of them.
    pub(crate) folder: PathBuf,
    /// Where pieces are read that are not there.
    pub(crate) elsewhere: Option<Arc<dyn Elsewhere>>,
    /// Bytes of pieces, at most.
    pub(crate) bytes_max: u64,
    /// What signs.
    pub(crate) key: DeviceKey,
    /// Of which chain.
    pub(crate) genesis: GenesisHash,
    /// What the chain says, as it is looked at.
    pub(crate) facts: watch::Receiver<Option<Facts>>,
    /// What may go over the line.
    pub(crate) allowance: watch::Receiver<Allowance>,
    /// Where that is counted.
    pub(crate) traffic: Traffic,
}

/// What connections need to know of the keeper. Clones are for the same.
#[derive(Clone, Debug)]
pub(crate) struct Ears {
    /// Where questions about content go.
    pub(crate) inquiries: mpsc::Sender<Inquiry>,
    /// Where wishes go.
    pub(crate) wishes: mpsc::Sender<Wished>,
    transfer: Transfer,
    /// The connection to each masternode that is the current one. Held while transfers are told, so that they hear it in
    /// order.
    connections: Arc<AsyncMutex<BTreeMap<DeviceId, u64>>>,
}

impl Ears {
    /// A masternode is connected: pieces can be fetched from it.
    pub(crate) async fn came(&self, masternode: DeviceId, connection: u64, client: &Client) {
        let mut connections = self.connections.lock().await;
        connections.insert(masternode, connection);
        let asker = client.asker().clone();
        self.transfer
            .came(masternode, SourceKind::Masternode, asker)
            .await;
    }

    /// A connection ended; nothing follows where there is a newer one.
    pub(crate) async fn left(&self, masternode: DeviceId, connection: u64) {
        let mut connections = self.connections.lock().await;
        if connections.get(&masternode) == Some(&connection) {
            connections.remove(&masternode);
            self.transfer.left(masternode).await;
        }
    }
}

/// Starts to keep, on the current tokio runtime.
///
/// # Errors
///
/// When the folder cannot be made or read.
pub(crate) fn start(config: KeeperConfig) -> io::Result<(Ears, KeptPieces)> {
    let KeeperConfig {
        folder,
        elsewhere,
        bytes_max,
        key,
        genesis,
        facts,
        allowance,
        traffic,
    } = config;
    let kept = KeptPieces::open(&folder.join("pieces"))?.with_elsewhere(elsewhere);
    let coming = folder.join("coming");
    fs::create_dir_all(&coming)?;
    let shelf = Arc::new(KeptShelf::of(&kept)?);
    let (inquiries, asked) = mpsc::channel(WAITING_MAX);
    let (wishes, wished) = mpsc::channel(WAITING_MAX);
    let transfer = Transfer::start(Config {
        seed: rand::random(),
        shelf: shelf.clone(),
        allowance,
        inquiries: asked,
        moved_bytes: traffic.counter(),
    });
    let here = kept.all()?.into_iter();
    let here = here.map(|(name, bytes)| (name, bytes, kept.entry(&name).ok()));
    let pieces = Pieces::new((key, genesis), bytes_max, here);
    let (noted, notes) = mpsc::channel(WAITING_MAX);
    let keeper = Keeper {
        pieces,
        kept: kept.clone(),
        shelf,
        coming,
        transfer: transfer.clone(),
        facts,
        traffic,
        tasks: BTreeMap::new(),
        next_fetch: 0,
        noted,
    };
    tokio::spawn(keeper.run(wished, notes));
    let ears = Ears {
        inquiries,
        wishes,
        transfer,
        connections: Arc::default(),
    };
    Ok((ears, kept))
}

/// What the task that answers hears of those beside it.
enum Note {
    /// What came of fetching a piece, by the fetch of this number.
    Fetched {
        name: PieceName,
        number: u64,
        outcome: Result<(), FetchError>,
    },
    /// A piece is not what it was, or not there.
    Damaged(PieceName),
}

/// What fetches a piece.
struct Fetching {
    number: u64,
    task: JoinHandle<()>,
    progress: watch::Receiver<Progress>,
}

/// Why a piece is not here that was to be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error("the task that keeps it ended")]
    Ended,
}

/// The task that answers wishes.
struct Keeper {
    pieces: Pieces,
    kept: KeptPieces,
    shelf: Arc<KeptShelf>,
    coming: PathBuf,
    transfer: Transfer,
    facts: watch::Receiver<Option<Facts>>,
    traffic: Traffic,
    /// What is being fetched.
    tasks: BTreeMap<PieceName, Fetching>,
    next_fetch: u64,
    noted: mpsc::Sender<Note>,
}

impl Keeper {
    async fn run(mut self, mut wished: mpsc::Receiver<Wished>, mut notes: mpsc::Receiver<Note>) {
        let mut tidy = tokio::time::interval(TIDY_EVERY);
        loop {
            tokio::select! {
                // What is known of pieces goes before what is asked of them.
                biased;
                Some(note) = notes.recv() => match note {
                    Note::Fetched { name, number, outcome } => self.take_in(name, number, outcome),
                    Note::Damaged(name) => self.pieces.is_damaged(&name),
                },
                wished = wished.recv() => match wished {
                    Some(wished) => self.answer(wished),
                    None => break,
                },
                _ = tidy.tick() => self.tidy(),
            }
        }
        self.tasks.values().for_each(|it| it.task.abort());
    }

    fn answer(&mut self, wished: Wished) {
        let Wished { peer, wish, answer } = wished;
        self.traffic.add(&wish);
        let facts = self.facts.borrow().clone();
        match self.pieces.decide(wish, facts.as_ref(), Instant::now()) {
            Decision::Say(said) => self.say(answer, said),
            Decision::Coming(name) => self.say_how_far(answer, &name),
            Decision::Fetch { name, entry } => {
                self.fetch(name, entry);
                self.say_how_far(answer, &name);
            }
            Decision::Show { name, chunks } => self.show(peer, name, chunks, answer),
            Decision::Erase(name) => {
                let erased = self.erase(&name);
                self.say(answer, erased);
            }
        }
    }

    fn say_how_far(&self, to: WishAnswer, name: &PieceName) {
        let task = self.tasks.get(name);
        let bytes = task.map_or(0, |task| task.progress.borrow().written_bytes);
        self.say(to, Answer::Fetching { bytes });
    }

    fn say(&self, to: WishAnswer, answer: Answer) {
        self.traffic.add(&answer);
        // An error says that nobody waits for it any more.
        tokio::spawn(async move { to.answer(&answer).await });
    }

    /// Reads what is asked for beside the task that answers.
    fn show(&self, masternode: DeviceId, name: PieceName, chunks: Vec<u32>, answer: WishAnswer) {
        let (kept, traffic, noted) = (self.kept.clone(), self.traffic.clone(), self.noted.clone());
        tokio::spawn(async move {
            let shown = tokio::task::spawn_blocking(move || kept.show(&name, &chunks)).await;
            let said = match shown {
                Ok(Ok(chunks)) => Answer::Proved(chunks),
                Ok(Err(error)) => {
                    tracing::warn!(%masternode, %error, "a piece that is to be kept cannot be shown");
                    if let ShowError::Damaged(name) | ShowError::NotHere(name) = &error {
                        // An error says that the keeper ended.
                        let _ = noted.send(Note::Damaged(*name)).await;
                    }
                    Answer::No(pieces::reason_of(&error))
                }
                Err(_) => Answer::No(Reason::Busy),
            };
            traffic.add(&said);
            let _ = answer.answer(&said).await;
        });
    }

    fn fetch(&mut self, name: PieceName, entry: PieceEntry) {
        let (contract, piece) = name;
        let Some(thing) = Thing::new(entry.chunk_root, entry.bytes) else {
            return;
        };
        let into = self
            .coming
            .join(format!("{}-{piece}", hex::encode(contract.0)));
        let (transfer, kept) = (self.transfer.clone(), self.kept.clone());
        let noted = self.noted.clone();
        let number = self.next_fetch;
        self.next_fetch = self.next_fetch.saturating_add(1);
        let (progress, seen) = watch::channel(Progress::default());
        tracing::info!(%contract, piece, bytes = entry.bytes, "fetches a piece to keep it");
        let task = tokio::spawn(async move {
            let outcome = bring(&transfer, (thing, progress), &into, kept, (contract, entry)).await;
            // An error says that the keeper ended.
            let note = Note::Fetched {
                name,
                number,
                outcome,
            };
            let _ = noted.send(note).await;
        });
        let progress = seen;
        self.tasks.insert(
            name,
            Fetching {
                number,
                task,
                progress,
            },
        );
    }

    fn take_in(&mut self, name: PieceName, number: u64, outcome: Result<(), FetchError>) {
        let (contract, piece) = name;
        let is_current = self.tasks.get(&name).is_some_and(|it| it.number == number);
        if !is_current {
            // It was stopped. What it kept at the last moment is nobody's, unless another one is at it by now.
            if outcome.is_ok() && !self.tasks.contains_key(&name) && !self.pieces.is_here(&name) {
                self.erase(&name);
            }
            return;
        }
        self.tasks.remove(&name);
        match outcome {
            Ok(()) => {
                tracing::info!(%contract, piece, "keeps a piece");
                if let Some(entry) = self.pieces.arrived(name, Instant::now()) {
                    self.shelf.put(&self.kept, name, &entry);
                }
            }
            Err(error) => {
                tracing::warn!(%contract, piece, %error, "a piece is not kept");
                self.pieces.failed(&name);
                // What came whole and is not the piece would be in the way of the next try.
                if matches!(error, FetchError::Keep(_)) {
                    self.forget_coming(&name);
                }
            }
        }
    }

    /// Erases what is not held, and ends what nobody waits for.
    fn tidy(&mut self) {
        let facts = self.facts.borrow().clone();
        let now = Instant::now();
        for name in self.pieces.given_up(now) {
            self.stop(&name);
            self.pieces.failed(&name);
            self.forget_coming(&name);
        }
        for name in self.pieces.not_held(facts.as_ref(), now) {
            let (contract, piece) = name;
            tracing::info!(%contract, piece, "erases a piece that it does not hold");
            self.erase(&name);
        }
    }

    fn erase(&mut self, name: &PieceName) -> Answer {
        self.stop(name);
        self.forget_coming(name);
        self.shelf.remove(name);
        match self.kept.erase(name) {
            Ok(()) => {
                self.pieces.erased(name);
                Answer::Dropped
            }
            Err(error) => {
                tracing::warn!(piece = name.1, %error, "a piece cannot be erased");
                Answer::No(Reason::Busy)
            }
        }
    }

    /// Fetches a piece no further.
    fn stop(&mut self, name: &PieceName) {
        if let Some(fetching) = self.tasks.remove(name) {
            fetching.task.abort();
        }
    }

    /// Erases what had come of a piece.
    fn forget_coming(&self, (contract, piece): &PieceName) {
        let name = format!("{}-{piece}", hex::encode(contract.0));
        for end in ["", ".part", ".spans"] {
            // What is not there need not be erased.
            let _ = fs::remove_file(self.coming.join(format!("{name}{end}")));
        }
    }
}

/// Fetches a piece and keeps it.
async fn bring(
    transfer: &Transfer,
    (thing, progress): (Thing, watch::Sender<Progress>),
    into: &Path,
    kept: KeptPieces,
    (contract, entry): (ContractId, PieceEntry),
) -> Result<(), FetchError> {
    if !into.is_file() {
        transfer.fetch(thing, into, Some(progress)).await?;
    }
    let from = into.to_owned();
    let keeping = tokio::task::spawn_blocking(move || kept.keep(contract, &entry, &from));
    keeping.await.map_err(|_| FetchError::Ended)??;
    Ok(())
}
