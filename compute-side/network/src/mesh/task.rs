//! The task that keeps the links.

use super::{
    Link, MeshEvent, TalkFault, Wire,
    behaviour::{Behaviour, BehaviourEvent, Kind, Order, Taken},
    content,
    links::{Arrival, Coming, Links},
    place::reached_at,
    talk::{self, Unsaid, voice},
};
use crate::{
    identity::{device_of, peer_of},
    limits::{ADMISSION_TIMEOUT, DISMISS_GRACE},
};
use futures::StreamExt as _;
use libp2p::{
    Multiaddr, PeerId, identify, ping,
    swarm::{
        ConnectionId, Swarm, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use quern_primitives::ids::DeviceId;
use std::{
    collections::{BTreeMap, VecDeque},
    future,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// What a mesh is told to do.
#[derive(Debug)]
pub(super) enum Command {
    Dial {
        peer: DeviceId,
        addresses: Vec<Multiaddr>,
    },
    Part(DeviceId),
    Block(DeviceId, Duration),
    /// A link's streams have ended, or broke a rule.
    Close(ConnectionId),
    Shutdown,
}

/// The two ends of what is said over a link.
#[derive(Debug)]
struct Talk {
    peer: DeviceId,
    /// From where the peer came, if it opened the link.
    came_from: Option<Multiaddr>,
    _writing: Ended,
    reading: Option<Ended>,
}

/// A task that ends with it.
#[derive(Debug)]
struct Ended(JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    wire: Wire,
    links: Links,
    talks: BTreeMap<ConnectionId, Talk>,
    commands: mpsc::WeakSender<Command>,
    orders: mpsc::Sender<Order>,
    events: mpsc::Sender<MeshEvent>,
    /// Events that found the channel full. While there are any nothing is read from the network.
    waiting: VecDeque<MeshEvent>,
    /// Links over which something must have been said by then, in the order of their time.
    admit_by: VecDeque<(Instant, ConnectionId)>,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        me: DeviceId,
        wire: Wire,
        (commands, orders): (mpsc::WeakSender<Command>, mpsc::Sender<Order>),
        events: mpsc::Sender<MeshEvent>,
    ) -> Self {
        Self {
            swarm,
            wire,
            links: Links::new(me),
            talks: BTreeMap::new(),
            commands,
            orders,
            events,
            waiting: VecDeque::new(),
            admit_by: VecDeque::new(),
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let events = self.events.clone();
        loop {
            let admit_by = self.admit_by.front().map(|(at, _)| *at);
            tokio::select! {
                event = self.swarm.select_next_some(), if self.waiting.is_empty() => {
                    self.on_swarm_event(event);
                }
                command = commands.recv() => match command {
                    Some(Command::Shutdown) | None => break,
                    Some(command) => self.on_command(command),
                },
                permit = events.reserve(), if !self.waiting.is_empty() => match permit {
                    Ok(permit) => if let Some(event) = self.waiting.pop_front() {
                        permit.send(event);
                    },
                    Err(_) => break,
                },
                () = sleep_until(admit_by) => self.end_silent(),
                () = events.closed() => break,
            }
        }
        self.close_all().await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial { peer, addresses } => self.dial(peer, addresses),
            Command::Part(peer) => {
                // An error says that there is no connection, which is what is wanted.
                let _ = self.swarm.disconnect_peer_id(peer_of(&peer));
            }
            Command::Block(peer, span) => {
                let now = Instant::now();
                let until = now.checked_add(span).unwrap_or(now);
                let admission = &mut self.swarm.behaviour_mut().admission;
                admission.block(peer_of(&peer), now, until);
            }
            Command::Close(id) => drop(self.swarm.close_connection(id)),
            Command::Shutdown => {}
        }
    }

    fn dial(&mut self, peer: DeviceId, addresses: Vec<Multiaddr>) {
        let options = DialOpts::peer_id(peer_of(&peer))
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses)
            .build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "a peer is not dialled");
            self.dial_failed(peer);
        }
    }

    fn dial_failed(&mut self, peer: DeviceId) {
        if self.links.of(&peer).is_none() {
            self.tell(MeshEvent::DialFailed { peer });
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(taken)) => self.on_taken(taken),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(ping::Failure::Timeout | ping::Failure::Other { .. }),
                ..
            })) => {
                self.swarm.close_connection(connection);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            })) => self.on_introduced(connection_id, peer_id, &info.listen_addrs),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let opened = endpoint.is_dialer();
                let from = (!opened).then(|| endpoint.get_remote_address().clone());
                self.on_connected(peer_id, connection_id, opened, from);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => {
                if let Some(peer) = device_of(&peer_id) {
                    self.leave(peer, connection_id);
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "a peer does not answer");
                if let Some(peer) = device_of(&peer) {
                    self.dial_failed(peer);
                }
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not let in");
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::error!(?addresses, ?reason, "no longer listening; start again");
            }
            _ => {}
        }
    }

    fn on_connected(
        &mut self,
        peer_id: PeerId,
        id: ConnectionId,
        opened: bool,
        came_from: Option<Multiaddr>,
    ) {
        let Some(peer) = device_of(&peer_id) else {
            // Admission has refused it already; were it otherwise, nothing of it is handed on.
            self.swarm.close_connection(id);
            return;
        };
        let at = Instant::now();
        match self.links.arrive(peer, Coming { id, opened, at }) {
            Arrival::Surplus => {
                self.swarm.close_connection(id);
                return;
            }
            Arrival::Taken {
                instead_of: Some(before),
            } => {
                self.swarm.close_connection(before);
                self.end_talk(before);
            }
            Arrival::Taken { instead_of: None } => {}
        }
        let (voice, unsaid) = voice();
        let talk = Talk {
            peer,
            came_from,
            _writing: self.write(peer_id, id, unsaid),
            reading: None,
        };
        self.talks.insert(id, talk);
        let admit_by = at.checked_add(ADMISSION_TIMEOUT).unwrap_or(at);
        self.admit_by.push_back((admit_by, id));
        self.tell(MeshEvent::Joined {
            peer,
            link: Link(id),
            opened,
            voice,
        });
    }

    /// Says over a link what is to be said, from a task of its own.
    fn write(&self, peer: PeerId, id: ConnectionId, unsaid: Unsaid) -> Ended {
        let (orders, commands) = (self.orders.clone(), self.commands.clone());
        let (opened, stream) = oneshot::channel();
        let order = Order {
            peer,
            connection: Some(id),
            kind: Kind::Talk,
            opened,
        };
        Ended(tokio::spawn(async move {
            if orders.send(order).await.is_ok()
                && let Ok(Ok(mut stream)) = stream.await
                && let Err(error) = talk::write(&mut stream, unsaid).await
            {
                tracing::debug!(%peer, %error, "a peer hears nothing more");
            }
            close(&commands, id).await;
        }))
    }

    fn on_taken(&mut self, taken: Taken) {
        let Taken {
            connection: id,
            kind,
            mut stream,
        } = taken;
        let link = Link(id);
        let (events, commands, wire) = (self.events.clone(), self.commands.clone(), self.wire);
        // What comes over a connection that is being closed is dropped, and so reset.
        let Some(talk) = self.talks.get_mut(&id) else {
            return;
        };
        let peer = talk.peer;
        match (kind, &talk.reading) {
            (Kind::Talk, Some(_)) => {
                talk.reading = None;
                let fault = TalkFault::Again;
                self.tell(MeshEvent::Broke { peer, link, fault });
            }
            (Kind::Talk, None) => {
                talk.reading = Some(Ended(tokio::spawn(async move {
                    let hand_on = |message| {
                        let said = MeshEvent::Said {
                            peer,
                            link,
                            message,
                        };
                        let events = &events;
                        async move { events.send(said).await.is_ok() }
                    };
                    match talk::read(&mut stream.stream, wire, hand_on).await {
                        Ok(Some(fault)) => {
                            let _ = events.send(MeshEvent::Broke { peer, link, fault }).await;
                        }
                        Ok(None) => {}
                        Err(error) => tracing::debug!(%peer, %error, "a peer says nothing more"),
                    }
                    close(&commands, id).await;
                })));
            }
            (Kind::Content, _) => {
                tokio::spawn(async move {
                    if let Some((question, answer)) = content::question(stream, wire).await {
                        let asked = MeshEvent::Asked {
                            peer,
                            question,
                            answer,
                        };
                        // An error says that nobody answers any more.
                        let _ = events.send(asked).await;
                    }
                });
            }
        }
    }

    /// A peer has said where it listens.
    fn on_introduced(&mut self, id: ConnectionId, peer_id: PeerId, listens: &[Multiaddr]) {
        let talk = self.talks.get(&id);
        let found = talk.and_then(|talk| {
            let from = talk.came_from.as_ref()?;
            Some((talk.peer, reached_at(from, listens, peer_id)?))
        });
        if let Some((peer, address)) = found {
            self.tell(MeshEvent::Found { peer, address });
        }
    }

    fn leave(&mut self, peer: DeviceId, id: ConnectionId) {
        if self.links.leave(&peer, id) {
            self.end_talk(id);
        }
    }

    fn end_talk(&mut self, id: ConnectionId) {
        if let Some(talk) = self.talks.remove(&id) {
            let (peer, link) = (talk.peer, Link(id));
            self.tell(MeshEvent::Left { peer, link });
        }
    }

    /// Ends the links over which nothing was said in time.
    fn end_silent(&mut self) {
        let now = Instant::now();
        while let Some((_, id)) = self.admit_by.pop_front_if(|(at, _)| *at <= now) {
            let is_silent = self.talks.get(&id).is_some_and(|it| it.reading.is_none());
            if is_silent {
                self.swarm.close_connection(id);
            }
        }
    }

    fn tell(&mut self, event: MeshEvent) {
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
        self.talks.clear();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        // Whoever is not gone by then is cut off with the swarm.
        let _ = tokio::time::timeout(DISMISS_GRACE, closed).await;
    }
}

async fn close(commands: &mpsc::WeakSender<Command>, id: ConnectionId) {
    if let Some(commands) = commands.upgrade() {
        // An error says that the mesh has stopped, and with it the connection.
        let _ = commands.send(Command::Close(id)).await;
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => future::pending().await,
    }
}
