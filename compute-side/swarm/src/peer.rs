//! The task that owns rules, links, runs and disk. Events become effects in [`Rules::step`]; each effect is
//! carried out here, in order, and what takes time is done beside and told when it is over.

mod carrying;
mod links;
mod pieces;
mod running;

use crate::{
    consent::Consent,
    disk::{DiskError, Folder, Held, writing},
    inputs,
    limits::TOLD_MAX,
    run::{Helper, PrepareError, Worker},
    status::Status,
};
use quern_network::{
    Mesh, MeshConfig, MeshHandle, Multiaddr, StartError, Wire, device_of_seed, name_of,
};
use quern_primitives::{Digest, payload::DeviceKey};
use quern_swarm_file::{PeerAddress, PieceIndex, ValidatedTaskFile};
use quern_swarm_rules::{
    PeerId, Rules, Setup, Task, limits as rule_limits,
    message::{Message, PIECE_PROTOCOL, PROTOCOL},
};
use rand::Rng as _;
use running::Running;
use std::{
    collections::BTreeSet,
    num::NonZeroU8,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinHandle,
};

/// What peers of a swarm speak.
const WIRE: Wire = Wire {
    talk: PROTOCOL,
    content: PIECE_PROTOCOL,
    said_bytes_max: Message::bytes_max,
    question_bytes_max: rule_limits::FETCH_BYTES_MAX,
    answer_bytes_max: rule_limits::CHUNK_MESSAGE_BYTES_MAX,
};

/// What a peer begins with.
#[derive(Debug)]
pub struct PeerConfig {
    /// The task.
    pub task: Arc<ValidatedTaskFile>,
    /// The swarm's folder, made if it is not there.
    pub folder: PathBuf,
    /// The folder of the task file, beside which its inputs lie.
    pub beside: PathBuf,
    /// How it computes; none if it only fetches and shares.
    pub computing: Option<Computing>,
    /// Where to listen, such as `/ip4/0.0.0.0/udp/4500/quic-v1`.
    pub listen: Vec<Multiaddr>,
    /// Peers to begin with, beside those of the task file.
    pub peers: Vec<PeerAddress>,
    /// Keys whose pieces it takes without checking: machines of the same owner.
    pub trusted: BTreeSet<PeerId>,
    /// When it begins to compute.
    pub begin: Begin,
}

/// How a peer computes.
#[derive(Debug)]
pub struct Computing {
    /// Pieces at a time.
    pub slots: NonZeroU8,
    /// That somebody said yes to the task's commands, if it runs any.
    pub consent: Option<Consent>,
    /// The program that makes cells, if commands may be run.
    pub helper: Option<Helper>,
}

/// When a peer begins to compute.
#[derive(Debug)]
pub enum Begin {
    /// When it has heard what a neighbour knows, or has listened for [`LISTEN_MAX`](crate::limits::LISTEN_MAX); at once if there is
    /// nobody to listen to.
    WhenHeard,
    /// When this is told. Until then it connects and listens.
    When(oneshot::Receiver<()>),
}

/// Why a peer does not run, or runs no more.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It cannot compute.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// It cannot listen.
    #[error(transparent)]
    Network(#[from] StartError),
    /// Its links have ended all at once.
    #[error("the network has stopped; start the peer again")]
    NetworkGone,
    /// Something of it broke.
    #[error("a part of the peer ended early; start it again, and report it")]
    Broken(#[from] tokio::task::JoinError),
}

/// A running peer. Dropped it ends at once, as by a kill: what was announced is on its disk.
#[derive(Debug)]
pub struct Peer {
    name: PeerId,
    addresses: Vec<PeerAddress>,
    status: watch::Receiver<Status>,
    stop: Arc<Notify>,
    task: Option<JoinHandle<Result<(), PeerError>>>,
}

impl Peer {
    /// Opens the folder, checks what is in it, gets ready to compute and to listen, and starts the peer's
    /// task on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If one of these cannot be done. Nothing runs then.
    pub async fn start(config: PeerConfig) -> Result<Self, PeerError> {
        let ready = tokio::task::spawn_blocking(move || Ready::of(config));
        let Ready {
            config,
            folder,
            held,
            seed,
            worker,
        } = ready.await??;
        let name = device_of_seed(seed);
        let mesh = MeshConfig {
            key_seed: seed,
            listen: config.listen.clone(),
            links_max: u32::try_from(rule_limits::NEIGHBOURS_MAX).unwrap_or(u32::MAX),
            wire: WIRE,
        };
        let (mesh, events) = Mesh::start(mesh).await?;
        let addresses = dialled_at(&mesh);
        let status = Status {
            addresses: addresses.iter().map(ToString::to_string).collect(),
            damaged: u32::try_from(held.damaged.len()).unwrap_or(u32::MAX),
            ..Status::of(&config.task)
        };
        let (told, heard) = watch::channel(status.clone());
        let stop = Arc::new(Notify::new());
        let (written, heard_of_disk) = mpsc::channel(TOLD_MAX);
        let (done, heard_of_done) = mpsc::channel(TOLD_MAX);
        let disk = writing(Arc::clone(&folder), Arc::clone(&config.task), written);
        let slots = config.computing.as_ref().map_or(0, |it| it.slots.get());
        let roots = held
            .pieces
            .iter()
            .map(|it| (it.payload.piece, it.payload.root));
        let roots = roots.collect();
        let rules = (rules(&config, seed, slots, held), roots);
        let (folder, mesh) = ((folder, disk), (mesh, done));
        let running = Running::new(config, rules, folder, mesh, worker, (status, told));
        let ended = Arc::clone(&stop);
        let ran = async move {
            running
                .run(events, heard_of_disk, heard_of_done, &ended)
                .await
        };
        let task = tokio::spawn(ran);
        Ok(Self {
            name,
            addresses,
            status: heard,
            stop,
            task: Some(task),
        })
    }

    /// The peer's name: its key.
    pub fn name(&self) -> PeerId {
        self.name
    }

    /// Where it can be dialled.
    pub fn addresses(&self) -> &[PeerAddress] {
        &self.addresses
    }

    /// How it stands with it, told anew whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Ends the peer, and waits until nothing of it runs.
    ///
    /// # Errors
    ///
    /// If it has ended before because it could not go on.
    pub async fn stop(mut self) -> Result<(), PeerError> {
        self.stop.notify_one();
        self.ended().await
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// Why it could not go on.
    pub async fn ended(&mut self) -> Result<(), PeerError> {
        let ended = match &mut self.task {
            Some(task) => task.await?,
            None => return Ok(()),
        };
        self.task = None;
        ended
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What is done before a peer listens: it blocks.
struct Ready {
    config: PeerConfig,
    folder: Arc<Folder>,
    held: Held,
    seed: [u8; 32],
    worker: Option<Arc<Worker>>,
}

impl Ready {
    fn of(config: PeerConfig) -> Result<Self, PeerError> {
        let task = &config.task;
        // A task that may not run leaves no folder.
        let worker = config.computing.as_ref().map(|it| {
            Worker::prepare(task, &config.beside, it.consent, it.helper.as_ref()).map(Arc::new)
        });
        let worker = worker.transpose()?;
        let folder = Folder::open(&config.folder, task)?;
        let seed = folder.key_seed(|| {
            let mut seed = [0; 32];
            rand::rng().fill_bytes(&mut seed);
            seed
        })?;
        let held = folder.load(task, &device_of_seed(seed))?;
        folder.has_room(inputs::room(task), held.bytes)?;
        Ok(Self {
            folder: Arc::new(folder),
            held,
            seed,
            worker,
            config,
        })
    }
}

fn rules(config: &PeerConfig, seed: [u8; 32], slots: u8, held: Held) -> Rules<DeviceKey> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let first_number =
        since_epoch.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
    let setup = Setup {
        task: Task::from(&*config.task),
        slots,
        trusted: config.trusted.clone(),
        first_number,
        seed: rand::rng().next_u64(),
        held: held.pieces,
        said: held.said,
    };
    Rules::new(DeviceKey::from_seed(&seed), setup).holding()
}

/// Where others can dial a mesh: where it listens, with its name.
fn dialled_at(mesh: &MeshHandle) -> Vec<PeerAddress> {
    let name = name_of(&mesh.name());
    let addresses = mesh.listen_addresses().iter();
    addresses
        .filter_map(|address| format!("{address}/p2p/{name}").parse().ok())
        .collect()
}

/// What is told to a peer's task of what was done beside it.
#[derive(Debug)]
enum Done {
    /// A piece came out, or not.
    Ran {
        run: u64,
        piece: PieceIndex,
        into: PathBuf,
        ran: crate::run::Ran,
    },
    /// The check command has answered.
    Compared {
        piece: PieceIndex,
        root: Digest,
        same: Result<Option<bool>, crate::run::Trouble>,
    },
    /// A piece came, or not.
    Fetched {
        piece: PieceIndex,
        from: PeerId,
        into: PathBuf,
        came: Result<(), pieces::FetchError>,
    },
}
