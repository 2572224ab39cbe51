//! The masternode's side: listens, admits, and hands on what devices ask.

mod places;
mod standing;

use crate::{
    Asker, Inquiry,
    content::{Contents, Hearers},
    identity::{device_of, key_pair, peer_of},
    limits::{CONNECTIONS_PER_DEVICE_MAX, DISMISS_GRACE, SURPLUS_MAX, ServerLimits},
    listen::listen,
    streams::masternode::{Answering, Asked, Event},
    swarm::{Behaviour, BehaviourEvent, build},
};
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId,
    connection_limits::ConnectionLimits,
    noise, ping,
    swarm::{ConnectionId, Swarm, SwarmEvent},
};
use places::{Arrival, Ended, Places};
use quern_primitives::ids::DeviceId;
use quern_protocol::{DecodeError, Refusal, Request, Response, limits::REQUEST_TIMEOUT};
use standing::Standing;
use std::{
    collections::VecDeque,
    future, io,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Orders that may wait for the server's task.
const COMMANDS_MAX: usize = 256;

/// How long a server that shuts down waits for its connections to close.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// What a server needs to start.
#[derive(Clone)]
pub struct ServerConfig {
    /// The secret seed of the masternode's network key.
    pub key_seed: [u8; 32],
    /// Where to listen, such as `/ip4/0.0.0.0/udp/4500/quic-v1` and `/ip4/0.0.0.0/tcp/4500`.
    pub listen: Vec<Multiaddr>,
    /// What to accept at most.
    pub limits: ServerLimits,
    /// Where to hand devices' questions about content, if they are answered.
    pub inquiries: Option<mpsc::Sender<Inquiry>>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nowhere to listen.
    #[error("no address to listen on; give at least one, such as /ip4/0.0.0.0/tcp/4500")]
    NoAddress,
    /// Nobody can listen there.
    #[error("cannot listen on {address}; is it a QUIC or TCP address of this machine, and free?")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system says.
        source: io::Error,
    },
    /// The key cannot sign its own certificate.
    #[error("the network key cannot be used; make a new one")]
    Key(#[from] noise::Error),
}

/// The server's task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

/// What devices do. For each device the events are a connection, its requests, a disconnection, and
/// so on; never two connections without a disconnection between them.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // Almost every event is a request.
pub enum ServerEvent {
    /// A device has connected and proven its key.
    Connected {
        /// The device.
        device: DeviceId,
    },
    /// A device asks.
    Request {
        /// The device.
        device: DeviceId,
        /// What it asks, checked against the protocol's limits.
        request: Request,
        /// Where to answer.
        reply: ReplyToken,
    },
    /// A device broke a rule of the wire and is being disconnected.
    Misbehaved {
        /// The device.
        device: DeviceId,
        /// Which rule.
        why: Misbehaviour,
    },
    /// A device's connection has ended; answers to its requests reach nobody.
    Disconnected {
        /// The device.
        device: DeviceId,
    },
}

/// Which rule of the wire a device broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// What it sent is no message.
    #[error("sent what is no message: {0}")]
    NoMessage(#[from] DecodeError),
    /// It had too many requests unanswered, or streams open for them.
    #[error("had more than {limit} requests unanswered")]
    TooManyRequests {
        /// How many it may have.
        limit: usize,
    },
}

/// The right to answer one request, once. Dropped unused, it lets the request fail.
#[derive(Debug)]
pub struct ReplyToken {
    connection: ConnectionId,
    standing: Standing,
    answer: oneshot::Sender<Response>,
    commands: mpsc::Sender<Command>,
}

impl ReplyToken {
    /// Answers. If the device is gone meanwhile nothing happens; it will repeat what matters. A
    /// device that is welcomed is let in, and keeps its place from then on.
    pub fn reply(self, response: Response) {
        if matches!(response, Response::Welcome(_)) {
            self.standing.admit();
        }
        // An error says that the connection has ended, which has an event of its own.
        let _ = self.answer.send(response);
    }

    /// Answers and ends the connection, after giving the device a moment to read the answer and go
    /// by itself.
    pub async fn dismiss(self, response: Response) {
        let _ = self.answer.send(response);
        // An error says that the server has stopped, and with it the connection.
        let _ = self
            .commands
            .send(Command::CloseSoon(self.connection))
            .await;
    }

    /// Whether the device still waits.
    pub fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    /// The least of the last [`PINGS`](crate::limits::PINGS) round trips to the device and back over
    /// this connection, in whole microseconds; none before the first. A ping holds random bytes that
    /// come back, so a device can make its round trips longer than they are, and none shorter.
    pub fn round_trip(&self) -> Option<Duration> {
        self.standing.round_trip()
    }
}

#[derive(Debug)]
enum Command {
    Disconnect(DeviceId),
    Block(DeviceId, Duration),
    CloseSoon(ConnectionId),
    Shutdown,
}

/// A running server, to be told what to do. Clones are for the same server; it stops when it is
/// told to, or when its events are no longer received.
#[derive(Clone)]
pub struct ServerHandle {
    commands: mpsc::Sender<Command>,
    asker: Asker,
    addresses: Vec<Multiaddr>,
    device: DeviceId,
}

impl ServerHandle {
    /// Answers a request, see [`ReplyToken::reply`].
    pub fn reply(&self, token: ReplyToken, response: Response) {
        token.reply(response);
    }

    /// Ends a device's connection.
    pub async fn disconnect(&self, device: DeviceId) -> Result<(), Stopped> {
        self.commands
            .send(Command::Disconnect(device))
            .await
            .map_err(|_| Stopped)
    }

    /// Ends a device's connection and refuses new ones for so long.
    pub async fn block(&self, device: DeviceId, duration: Duration) -> Result<(), Stopped> {
        self.commands
            .send(Command::Block(device, duration))
            .await
            .map_err(|_| Stopped)
    }

    /// Asks devices that are connected for content by its name.
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Where the server listens, with the ports that were free where none was asked for.
    pub fn listen_addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// The server's own name: its network key.
    pub fn network_key(&self) -> DeviceId {
        self.device
    }

    /// Stops listening, ends all connections and waits until the server's task has ended.
    pub async fn shutdown(&self) {
        if self.commands.send(Command::Shutdown).await.is_ok() {
            self.commands.closed().await;
        }
    }
}

/// The masternode's side of the network.
pub struct Server {
    swarm: Swarm<Behaviour<Answering>>,
    commands: mpsc::Receiver<Command>,
    commands_sender: mpsc::WeakSender<Command>,
    events: mpsc::Sender<ServerEvent>,
    /// Events that found the channel full. While there are any nothing is read from the network.
    waiting: VecDeque<ServerEvent>,
    places: Places,
    /// Connections to be closed, in the order of their time.
    closing: VecDeque<(Instant, ConnectionId)>,
}

impl Server {
    /// Starts to listen, and the task that serves, on the current tokio runtime. Returns when every
    /// address is listened on.
    pub async fn start(
        config: ServerConfig,
    ) -> Result<(ServerHandle, mpsc::Receiver<ServerEvent>), StartError> {
        if config.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        let limits = config.limits;
        let connections = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits.pending_max))
            // Those beyond the limit are let in to be told so.
            .with_max_established_incoming(Some(limits.connections_max.saturating_add(SURPLUS_MAX)))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_DEVICE_MAX))
            .with_max_pending_outgoing(Some(0))
            .with_max_established_outgoing(Some(0));
        let key = key_pair(config.key_seed);
        let tasks = Answering::new(limits.requests_per_device_max, REQUEST_TIMEOUT);
        let contents = Contents::new(Hearers {
            inquiries: config.inquiries,
            wishes: None,
        });
        let asker = contents.asker();
        let mut swarm = build(key, tasks, contents, connections)?;
        let addresses = listen(&mut swarm, config.listen).await?;

        let (commands_sender, commands) = mpsc::channel(COMMANDS_MAX);
        let (events, received) = mpsc::channel(limits.events_max);
        let handle = ServerHandle {
            commands: commands_sender.clone(),
            asker,
            addresses,
            device: crate::device_of_seed(config.key_seed),
        };
        let server = Self {
            swarm,
            commands,
            commands_sender: commands_sender.downgrade(),
            events,
            waiting: VecDeque::new(),
            places: Places::new(limits.connections_max as usize, limits.admission_timeout),
            closing: VecDeque::new(),
        };
        tokio::spawn(server.run());
        Ok((handle, received))
    }

    async fn run(mut self) {
        let events = self.events.clone();
        loop {
            let close_at = self.closing.front().map(|(at, _)| *at);
            let admit_by = self.places.next_deadline();
            tokio::select! {
                event = self.swarm.select_next_some(), if self.waiting.is_empty() => {
                    self.on_swarm_event(event);
                }
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown) | None => break,
                    Some(command) => self.on_command(command),
                },
                permit = events.reserve(), if !self.waiting.is_empty() => match permit {
                    Ok(permit) => if let Some(event) = self.waiting.pop_front() {
                        permit.send(event);
                    },
                    Err(_) => break,
                },
                () = sleep_until(close_at) => {
                    if let Some((_, connection)) = self.closing.pop_front() {
                        self.swarm.close_connection(connection);
                    }
                }
                () = sleep_until(admit_by) => self.end_overdue(),
                () = events.closed() => break,
            }
        }
        self.close_all().await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Disconnect(device) => self.disconnect(peer_of(&device)),
            Command::Block(device, duration) => {
                let (peer, now) = (peer_of(&device), Instant::now());
                self.swarm
                    .behaviour_mut()
                    .admission
                    .block(peer, now, now + duration);
                self.disconnect(peer);
            }
            Command::CloseSoon(connection) => {
                self.closing
                    .push_back((Instant::now() + DISMISS_GRACE, connection));
            }
            Command::Shutdown => {}
        }
    }

    fn disconnect(&mut self, peer: PeerId) {
        // An error says that there is no connection, which is what is wanted.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent<Answering>>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Tasks(event)) => self.on_asked(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(ping::Failure::Timeout | ping::Failure::Other { .. }),
                ..
            })) => {
                self.swarm.close_connection(connection);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result: Ok(round_trip),
            })) => {
                if let Some(current) = self.places.current(&peer, connection) {
                    current.standing.pinged(round_trip);
                }
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            } => {
                self.on_connected(peer_id, connection_id);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => {
                if let Some(device) = self.places.leave(&peer_id, connection_id) {
                    self.tell(ServerEvent::Disconnected { device });
                }
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not let in");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listening address has trouble");
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::error!(
                    ?addresses,
                    ?reason,
                    "no longer listening; restart the masternode"
                );
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(device) = device_of(&peer) else {
            // Admission has refused it already; were it otherwise, nothing of it is handed on.
            self.swarm.close_connection(id);
            return;
        };
        let now = Instant::now();
        match self.places.arrive(peer, device, id, now) {
            Arrival::Placed { instead_of } => {
                if let Some(ended) = instead_of {
                    self.end(ended);
                }
                self.tell(ServerEvent::Connected { device });
            }
            Arrival::Full => {
                tracing::debug!(%device, "no place is left; the device is told so if it asks soon");
                self.closing.push_back((now + DISMISS_GRACE, id));
            }
        }
    }

    /// Ends connections over which the masternode has not let the device in in time.
    fn end_overdue(&mut self) {
        while let Some(overdue) = self.places.overdue(Instant::now()) {
            tracing::debug!(device = %overdue.device, "the device was not let in in time");
            self.end(overdue);
        }
    }

    /// Closes a connection that has no place any more.
    fn end(&mut self, ended: Ended) {
        self.swarm.close_connection(ended.id);
        self.tell(ServerEvent::Disconnected {
            device: ended.device,
        });
    }

    /// Hands a request on. What comes over an older connection, or over one that is being closed,
    /// is dropped with its sender, and so fails on the other side.
    fn on_asked(&mut self, event: Event) {
        let Event {
            peer,
            connection,
            asked,
        } = event;
        if self.places.is_surplus(connection) {
            return turn_away(asked);
        }
        let Some(current) = self
            .places
            .current(&peer, connection)
            .filter(|current| !current.is_closing)
        else {
            return;
        };
        let device = current.device;
        match asked {
            Ok(Asked { request, answer }) => {
                let standing = current.standing.clone();
                let Some(commands) = self.commands_sender.upgrade() else {
                    return;
                };
                let reply = ReplyToken {
                    connection,
                    standing,
                    answer,
                    commands,
                };
                self.tell(ServerEvent::Request {
                    device,
                    request,
                    reply,
                });
            }
            Err(why) => {
                current.is_closing = true;
                self.swarm.close_connection(connection);
                self.tell(ServerEvent::Misbehaved { device, why });
            }
        }
    }

    fn tell(&mut self, event: ServerEvent) {
        let unsent = if self.waiting.is_empty() {
            match self.events.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
                Err(mpsc::error::TrySendError::Full(event)) => Some(event),
            }
        } else {
            Some(event)
        };
        self.waiting.extend(unsent);
    }

    async fn close_all(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.disconnect(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        // Whoever is not gone by then is cut off with the swarm.
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, closed).await;
    }
}

/// Tells a device that there is no place for it. Its connection is closed soon.
fn turn_away(asked: Result<Asked, Misbehaviour>) {
    if let Ok(Asked { answer, .. }) = asked {
        // An error says that the connection has ended.
        let _ = answer.send(Response::Refused(Refusal::Full));
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => future::pending().await,
    }
}
