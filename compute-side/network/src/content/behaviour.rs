//! Opening streams for questions and wishes, and taking those that peers open.

use super::{
    Asker, Counted, Inquiry, Writing,
    answers::read,
    streams::{Kind, Taken},
    wishes::{self, Wished},
};
use crate::{
    identity::device_of,
    limits::{CONTENT_STREAMS_MAX, INQUIRY_TIMEOUT, ORDERS_MAX},
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId, Stream,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use quern_primitives::ids::DeviceId;
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Who waits for a stream. Dropped, it says that there is no connection.
type Opened = oneshot::Sender<Result<Stream, StreamUpgradeError<Infallible>>>;

/// A stream to be opened.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) peer: PeerId,
    pub(super) stream: Wanted,
}

/// A stream that somebody waits for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(super) kind: Kind,
    pub(super) opened: Opened,
}

/// Who hears what a peer asks; what nobody hears is not taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hearers {
    pub(crate) inquiries: Option<mpsc::Sender<Inquiry>>,
    pub(crate) wishes: Option<mpsc::Sender<Wished>>,
}

/// Questions and wishes of both sides, over all connections.
pub(crate) struct Contents {
    asker: Asker,
    orders: mpsc::Receiver<Order>,
    hearers: Hearers,
}

impl Contents {
    /// Hands what peers ask to these.
    pub(crate) fn new(hearers: Hearers) -> Self {
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        Self {
            asker: Asker { orders: sender },
            orders,
            hearers,
        }
    }

    /// Asks over these connections.
    pub(crate) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    fn handler(&self, peer: &PeerId) -> Handler {
        Handler {
            // A peer with another kind of key is not let in.
            peer: device_of(peer),
            hearers: self.hearers.clone(),
            waiting: VecDeque::new(),
            opening: VecDeque::new(),
            open: Arc::new(()),
            asked: FuturesUnordered::new(),
        }
    }
}

impl NetworkBehaviour for Contents {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(&peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(&peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // It never ends: this has a sender itself.
        match self.orders.poll_recv(context) {
            Poll::Ready(Some(Order { peer, stream })) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::Any,
                event: stream,
            }),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// The questions of one connection.
pub(crate) struct Handler {
    /// Whose questions these are.
    peer: Option<DeviceId>,
    hearers: Hearers,
    /// Streams that are to be opened.
    waiting: VecDeque<Wanted>,
    /// Streams that are being opened.
    opening: VecDeque<Wanted>,
    /// Each stream that the peer opened and that is not over holds a clone of it.
    open: Arc<()>,
    /// Questions that are being read.
    asked: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Handler {
    fn take(&mut self, stream: Stream, kind: Kind) {
        let Some(peer) = self.peer else {
            return;
        };
        // One that is dropped is reset, and its question is broken off.
        if Arc::strong_count(&self.open) > CONTENT_STREAMS_MAX {
            tracing::debug!(%peer, "a peer asks for more at a time than it may");
            return;
        }
        let counted = Counted {
            stream,
            _one: Arc::clone(&self.open),
        };
        let Hearers { inquiries, wishes } = &self.hearers;
        let asked = match (kind, inquiries.clone(), wishes.clone()) {
            (Kind::Content, Some(inquiries), _) => hand_on(peer, counted, inquiries).boxed(),
            (Kind::Keep, _, Some(wishes)) => wishes::hand_on(peer, counted, wishes).boxed(),
            _ => return,
        };
        // Who does not ask in time is not answered.
        let asked = timeout(INQUIRY_TIMEOUT, asked);
        self.asked.push(asked.map(drop).boxed());
    }

    /// Who has waited for longest for a stream of this kind, which is open now or cannot be opened: streams of a kind
    /// are all alike.
    fn next_opened(&mut self, kind: Kind) -> Option<Opened> {
        let place = self.opening.iter().position(|it| it.kind == kind)?;
        Some(self.opening.remove(place)?.opened)
    }
}

/// Reads a question and hands it on.
async fn hand_on(peer: DeviceId, mut counted: Counted, inquiries: mpsc::Sender<Inquiry>) {
    let question = match read(&mut counted.stream).await {
        Ok(Some(Ok(question))) => question,
        Ok(Some(Err(error))) => {
            tracing::debug!(%peer, %error, "a peer asks what is no question");
            return;
        }
        Ok(None) | Err(_) => return,
    };
    let inquiry = Inquiry {
        peer,
        question,
        answer: Writing::new(counted),
    };
    // An error says that nobody answers any more.
    let _ = inquiries.send(inquiry).await;
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Wanted;
    type ToBehaviour = Infallible;
    type InboundProtocol = Taken;
    type OutboundProtocol = ReadyUpgrade<Kind>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Kind;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        let is_keeping = self.hearers.wishes.is_some();
        SubstreamProtocol::new(Taken { is_keeping }, ())
    }

    fn connection_keep_alive(&self) -> bool {
        !self.waiting.is_empty() || !self.opening.is_empty() || !self.asked.is_empty()
    }

    fn on_behaviour_event(&mut self, wanted: Self::FromBehaviour) {
        self.waiting.push_back(wanted);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Kind, Self::ToBehaviour>> {
        while let Poll::Ready(Some(())) = self.asked.poll_next_unpin(context) {}
        if let Some(wanted) = self.waiting.pop_front() {
            let kind = wanted.kind;
            self.opening.push_back(wanted);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(kind), kind),
            });
        }
        Poll::Pending
    }

    /// The connection is being closed: nobody is answered any more.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.waiting.clear();
        self.opening.clear();
        self.asked.clear();
        Poll::Ready(None)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Kind>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, kind),
                ..
            }) => self.take(stream, kind),
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
