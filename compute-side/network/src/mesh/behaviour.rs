//! Streams of a mesh on libp2p's side: opening those that are ordered, and handing on those that peers
//! open.

use super::MeshConfig;
use crate::{
    admission::Admission,
    limits::{DIALS_MAX, MESH_CONTENT_STREAMS_MAX, MESH_PENDING_MAX, MESH_SURPLUS_MAX},
    swarm::{build_with, identify_config, pings},
};
use futures::future::{Ready, ok};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    connection_limits::{self, ConnectionLimits},
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo},
    },
    identify,
    identity::Keypair,
    noise, ping,
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, Swarm, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::{mpsc, oneshot};

/// What runs on each connection. Limits and admission come first: what they refuse never reaches the rest.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) admission: Admission,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: Streams,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Messages.
    Talk,
    /// One question.
    Content,
}

/// Who waits for a stream. Dropped, it says that there is no connection.
type Opened = oneshot::Sender<Result<Stream, StreamUpgradeError<Infallible>>>;

/// A stream to be opened, over one connection, or over any with a peer.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) peer: PeerId,
    pub(super) connection: Option<ConnectionId>,
    pub(super) kind: Kind,
    pub(super) opened: Opened,
}

/// A stream that a peer opened.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) connection: ConnectionId,
    pub(super) kind: Kind,
    pub(super) stream: Counted,
}

/// A stream with what counts it as open.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) stream: Stream,
    /// The connection's handler counts those that live.
    _one: Arc<()>,
}

/// Builds the swarm of a mesh.
pub(super) fn build(
    key: Keypair,
    config: &MeshConfig,
    orders: mpsc::Receiver<Order>,
) -> Result<Swarm<Behaviour>, noise::Error> {
    // Whoever listens nowhere has no links that others opened.
    let most = config.links_max.saturating_add(MESH_SURPLUS_MAX);
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(MESH_PENDING_MAX))
        .with_max_established_incoming(Some(most))
        .with_max_pending_outgoing(u32::try_from(DIALS_MAX).ok())
        .with_max_established_outgoing(Some(most))
        .with_max_established_per_peer(Some(2));
    let protocols = Protocols {
        talk: StreamProtocol::new(config.wire.talk),
        content: StreamProtocol::new(config.wire.content),
    };
    build_with(key, |key| Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        admission: Admission::default(),
        identify: identify::Behaviour::new(identify_config(key, config.wire.talk)),
        ping: pings(),
        streams: Streams {
            protocols,
            orders,
            taken: VecDeque::new(),
        },
    })
}

/// How the two kinds are called, and which of them a stream is of.
#[derive(Clone, Debug)]
pub(super) struct Protocols {
    talk: StreamProtocol,
    content: StreamProtocol,
}

impl Protocols {
    fn of(&self, kind: Kind) -> StreamProtocol {
        match kind {
            Kind::Talk => self.talk.clone(),
            Kind::Content => self.content.clone(),
        }
    }
}

impl UpgradeInfo for Protocols {
    type Info = StreamProtocol;
    type InfoIter = std::array::IntoIter<StreamProtocol, 2>;

    fn protocol_info(&self) -> Self::InfoIter {
        [self.talk.clone(), self.content.clone()].into_iter()
    }
}

impl InboundUpgrade<Stream> for Protocols {
    type Output = (Stream, Kind);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        match protocol == self.talk {
            true => ok((stream, Kind::Talk)),
            false => ok((stream, Kind::Content)),
        }
    }
}

/// Streams over all connections.
pub(super) struct Streams {
    protocols: Protocols,
    orders: mpsc::Receiver<Order>,
    /// Of each connection no more than it may have open.
    taken: VecDeque<Taken>,
}

impl Streams {
    fn handler(&self) -> Handler {
        Handler {
            protocols: self.protocols.clone(),
            waiting: VecDeque::new(),
            opening: VecDeque::new(),
            taken: VecDeque::new(),
            open: Arc::new(()),
        }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Taken;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        connection: ConnectionId,
        (kind, stream): THandlerOutEvent<Self>,
    ) {
        self.taken.push_back(Taken {
            connection,
            kind,
            stream,
        });
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(taken) = self.taken.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(taken));
        }
        match self.orders.poll_recv(context) {
            Poll::Ready(Some(order)) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id: order.peer,
                handler: order
                    .connection
                    .map_or(NotifyHandler::Any, NotifyHandler::One),
                event: (order.kind, order.opened),
            }),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// The streams of one connection.
pub(super) struct Handler {
    protocols: Protocols,
    /// Streams that are to be opened.
    waiting: VecDeque<(Kind, Opened)>,
    /// Streams that are being opened.
    opening: VecDeque<(Kind, Opened)>,
    taken: VecDeque<(Kind, Counted)>,
    /// Each stream that the peer opened and that is not over holds a clone of it.
    open: Arc<()>,
}

impl Handler {
    /// Who has waited for longest for a stream of this kind: streams of a kind are all alike.
    fn next_opened(&mut self, kind: Kind) -> Option<Opened> {
        let place = self.opening.iter().position(|it| it.0 == kind)?;
        Some(self.opening.remove(place)?.1)
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = (Kind, Opened);
    type ToBehaviour = (Kind, Counted);
    type InboundProtocol = Protocols;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Kind;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(self.protocols.clone(), ())
    }

    /// Whether a link goes on is decided above.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, wanted: Self::FromBehaviour) {
        self.waiting.push_back(wanted);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Kind, Self::ToBehaviour>> {
        if let Some(taken) = self.taken.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(taken));
        }
        if let Some((kind, opened)) = self.waiting.pop_front() {
            self.opening.push_back((kind, opened));
            let protocol = ReadyUpgrade::new(self.protocols.of(kind));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(protocol, kind),
            });
        }
        Poll::Pending
    }

    /// The connection is being closed: who waits is told so.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.waiting.clear();
        self.opening.clear();
        self.taken.clear();
        Poll::Ready(None)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Kind>,
    ) {
        match event {
            // One that is dropped is reset. The stream of messages, and one more whose fault is to be told, are
            // beside those for content.
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, kind),
                ..
            }) if Arc::strong_count(&self.open) <= MESH_CONTENT_STREAMS_MAX.saturating_add(2) => {
                let _one = Arc::clone(&self.open);
                self.taken.push_back((kind, Counted { stream, _one }));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: kind,
            }) => {
                if let Some(opened) = self.next_opened(kind) {
                    // An error says that nobody wants it any more.
                    let _ = opened.send(Ok(stream));
                }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, info: kind }) => {
                if let Some(opened) = self.next_opened(kind) {
                    let _ = opened.send(Err(error));
                }
            }
            _ => {}
        }
    }
}
