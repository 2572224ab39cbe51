//! Equal peers: whoever has a key may connect, within bounds, and each says to the other what it likes.
//!
//! Between two peers there is one [`Link`]. Over it each says messages, on a stream that it opens and that
//! lasts as long as the link, and asks for content, each question on a stream of its own. What messages and
//! questions mean is not decided here: a [`Wire`] says how they are called and how long they may be, and
//! every length is looked at before its bytes are read.
//!
//! # Who may connect
//!
//! Anybody with an Ed25519 key, up to [`MeshConfig::links_max`] and some more, so that whoever decides can
//! turn them away. Where two peers dial each other at once, both keep the connection that the one with the
//! lesser name opened. Who says nothing within [`limits::ADMISSION_TIMEOUT`](crate::limits::ADMISSION_TIMEOUT)
//! is disconnected.
//!
//! # Pace
//!
//! Of each peer [`limits::SAID_BYTES_PER_SECOND`](crate::limits::SAID_BYTES_PER_SECOND) are read, and
//! [`limits::SAID_BYTES_BURST`](crate::limits::SAID_BYTES_BURST) at once: who says more waits. What is said to a peer
//! that does not read waits too, up to [`limits::UNSAID_BYTES_MAX`](crate::limits::UNSAID_BYTES_MAX); what is more is
//! lost. Nothing is remembered of a link that has ended.

mod behaviour;
mod content;
mod frame;
mod links;
mod place;
mod talk;
mod task;

pub use content::{Answer, ContentError, Reply};
pub use links::Link;
pub use talk::{TalkFault, Voice};

use crate::{
    Multiaddr, Prefer, StartError, Stopped, address,
    identity::{key_pair, peer_of},
    limits::{CONNECT_TIMEOUT, DIALS_MAX, MESH_EVENTS_MAX, ORDERS_MAX},
    listen::listen,
};
use behaviour::{Kind, Order};
use quern_primitives::ids::DeviceId;
use std::{sync::Arc, time::Duration};
use task::{Command, Task};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

/// How what peers say and ask is called, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// The protocol of messages.
    pub talk: &'static str,
    /// The protocol of questions for content.
    pub content: &'static str,
    /// How long a message may be, by its first byte; none if no message begins so.
    pub said_bytes_max: fn(u8) -> Option<usize>,
    /// Bytes of a question.
    pub question_bytes_max: usize,
    /// Bytes of each part of an answer.
    pub answer_bytes_max: usize,
}

/// What a peer needs to start.
#[derive(Clone)]
pub struct MeshConfig {
    /// The secret seed of its key.
    pub key_seed: [u8; 32],
    /// Where to listen, such as `/ip4/0.0.0.0/udp/4500/quic-v1`. Who listens nowhere only dials.
    pub listen: Vec<Multiaddr>,
    /// Links at a time. Some more are let in, for whoever decides to turn them away.
    pub links_max: u32,
    /// What is spoken.
    pub wire: Wire,
}

/// What other peers do. For each peer the events are a link, what comes over it, its end, and so on; never
/// two links without an end between them.
#[derive(Debug)]
pub enum MeshEvent {
    /// There is a link with a peer.
    Joined {
        /// With whom.
        peer: DeviceId,
        /// The link.
        link: Link,
        /// Whether it was opened from here.
        opened: bool,
        /// With what to say something to the peer.
        voice: Voice,
    },
    /// It has ended.
    Left {
        /// With whom.
        peer: DeviceId,
        /// Which.
        link: Link,
    },
    /// Nobody is there, or somebody else.
    DialFailed {
        /// Who was dialled.
        peer: DeviceId,
    },
    /// A peer that connected can be dialled there: the address from which it came, with a port on which it
    /// says that it listens.
    Found {
        /// Whose.
        peer: DeviceId,
        /// With the peer's name at its end.
        address: Multiaddr,
    },
    /// A peer said something, no longer than a message of its kind may be.
    Said {
        /// Who.
        peer: DeviceId,
        /// Over which link.
        link: Link,
        /// What.
        message: Vec<u8>,
    },
    /// A peer broke a rule of the wire; nothing more of it is read.
    Broke {
        /// Who.
        peer: DeviceId,
        /// Over which link.
        link: Link,
        /// Which rule.
        fault: TalkFault,
    },
    /// A peer asks for content.
    Asked {
        /// Who.
        peer: DeviceId,
        /// What, no longer than a question may be.
        question: Vec<u8>,
        /// Where to answer. Dropped unused, it breaks the question off.
        answer: Answer,
    },
}

/// A running mesh, to be told what to do. Clones are for the same one. It stops when it is told to, when
/// its events are no longer received, or with the last of them.
#[derive(Clone, Debug)]
pub struct MeshHandle {
    commands: mpsc::Sender<Command>,
    orders: mpsc::Sender<Order>,
    dials: Arc<Semaphore>,
    addresses: Vec<Multiaddr>,
    name: DeviceId,
    wire: Wire,
}

/// One peer's side of a mesh.
pub struct Mesh;

impl Mesh {
    /// Starts to listen, and the task that keeps the links, on the current tokio runtime. Returns when every
    /// address is listened on.
    ///
    /// # Errors
    ///
    /// If nobody can listen there, or the key is none.
    pub async fn start(
        config: MeshConfig,
    ) -> Result<(MeshHandle, mpsc::Receiver<MeshEvent>), StartError> {
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let key = key_pair(config.key_seed);
        let name = crate::device_of_seed(config.key_seed);
        let mut swarm = behaviour::build(key, &config, ordered)?;
        let addresses = listen(&mut swarm, config.listen).await?;
        let (commands, commanded) = mpsc::channel(ORDERS_MAX);
        let (events, received) = mpsc::channel(MESH_EVENTS_MAX);
        let handle = MeshHandle {
            commands: commands.clone(),
            orders: orders.clone(),
            dials: Arc::new(Semaphore::new(DIALS_MAX)),
            addresses,
            name,
            wire: config.wire,
        };
        let task = Task::new(
            swarm,
            name,
            config.wire,
            (commands.downgrade(), orders),
            events,
        );
        tokio::spawn(task.run(commanded));
        Ok((handle, received))
    }
}

impl MeshHandle {
    /// The peer's own name.
    pub fn name(&self) -> DeviceId {
        self.name
    }

    /// Where it listens, with the ports that were free where none was asked for.
    pub fn listen_addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// Opens a connection in the background, if there is none with the peer. That it failed is an event.
    pub fn dial(&self, peer: DeviceId, address: Multiaddr) {
        let commands = self.commands.clone();
        let place = Arc::clone(&self.dials).try_acquire_owned();
        tokio::spawn(async move {
            // One that is too many fails, and can be tried again.
            let addresses = match &place {
                Ok(_) => {
                    let found = address::prepare(std::slice::from_ref(&address), Prefer::Quic);
                    timeout(CONNECT_TIMEOUT, found).await.unwrap_or_default()
                }
                Err(_) => Vec::new(),
            };
            // An error says that the mesh has stopped.
            let _ = commands.send(Command::Dial { peer, addresses }).await;
        });
    }

    /// Ends the link with a peer.
    ///
    /// # Errors
    ///
    /// If the mesh has stopped.
    pub async fn part(&self, peer: DeviceId) -> Result<(), Stopped> {
        let sent = self.commands.send(Command::Part(peer)).await;
        sent.map_err(|_| Stopped)
    }

    /// Lets nobody with this name in for so long.
    ///
    /// # Errors
    ///
    /// If the mesh has stopped.
    pub async fn block(&self, peer: DeviceId, span: Duration) -> Result<(), Stopped> {
        let sent = self.commands.send(Command::Block(peer, span)).await;
        sent.map_err(|_| Stopped)
    }

    /// Asks a peer that is connected for content. Its answer is read from what this returns, as it comes.
    ///
    /// # Errors
    ///
    /// If there is no link with the peer, or it answers no questions.
    pub async fn ask(&self, peer: &DeviceId, question: &[u8]) -> Result<Reply, ContentError> {
        let (opened, stream) = oneshot::channel();
        let order = Order {
            peer: peer_of(peer),
            connection: None,
            kind: Kind::Content,
            opened,
        };
        let sent = self.orders.send(order).await;
        sent.map_err(|_| ContentError::Disconnected)?;
        let stream = stream.await.map_err(|_| ContentError::Disconnected)?;
        Reply::begin(stream?, question, self.wire).await
    }

    /// Stops listening, ends all links and waits until that is done.
    pub async fn shutdown(&self) {
        if self.commands.send(Command::Shutdown).await.is_ok() {
            self.commands.closed().await;
        }
    }
}
