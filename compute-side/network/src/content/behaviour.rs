//! Opening streams for questions, and taking those that peers open.

use super::{Counted, Inquiry, Writing, answers::read};
use crate::{
    content::Asker,
    identity::device_of,
    limits::{CONTENT_STREAMS_MAX, INQUIRY_TIMEOUT, ORDERS_MAX},
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
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
use quern_protocol::fetch::PROTOCOL;
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

/// The name under which peers negotiate these messages.
const STREAM_PROTOCOL: StreamProtocol = StreamProtocol::new(PROTOCOL);

/// Who waits for a stream. Dropped, it says that there is no connection.
type Opened = oneshot::Sender<Result<Stream, StreamUpgradeError<Infallible>>>;

/// A stream to be opened.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) peer: PeerId,
    pub(super) opened: Opened,
}

/// Questions of both sides, over all connections.
pub(crate) struct Contents {
    asker: Asker,
    orders: mpsc::Receiver<Order>,
    inquiries: Option<mpsc::Sender<Inquiry>>,
}

impl Contents {
    /// Hands what peers ask to whoever receives there; if that is nobody, no question is taken.
    pub(crate) fn new(inquiries: Option<mpsc::Sender<Inquiry>>) -> Self {
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        Self {
            asker: Asker { orders: sender },
            orders,
            inquiries,
        }
    }

    /// Asks over these connections.
    pub(crate) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    fn handler(&self, peer: &PeerId) -> Handler {
        // A peer with another kind of key is not let in.
        let inquiries = device_of(peer).zip(self.inquiries.clone());
        Handler {
            inquiries,
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
            Poll::Ready(Some(Order { peer, opened })) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::Any,
                event: opened,
            }),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// The questions of one connection.
pub(crate) struct Handler {
    /// Whose questions these are, and where they go.
    inquiries: Option<(DeviceId, mpsc::Sender<Inquiry>)>,
    /// Streams that are to be opened.
    waiting: VecDeque<Opened>,
    /// Streams that are being opened.
    opening: VecDeque<Opened>,
    /// Each stream that the peer opened and that is not over holds a clone of it.
    open: Arc<()>,
    /// Questions that are being read.
    asked: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Handler {
    fn take(&mut self, stream: Stream) {
        let Some((peer, inquiries)) = self.inquiries.clone() else {
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
        let asked = timeout(INQUIRY_TIMEOUT, hand_on(peer, counted, inquiries));
        // Who does not ask in time is not answered.
        self.asked.push(asked.map(drop).boxed());
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
    type FromBehaviour = Opened;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(STREAM_PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        !self.waiting.is_empty() || !self.opening.is_empty() || !self.asked.is_empty()
    }

    fn on_behaviour_event(&mut self, opened: Self::FromBehaviour) {
        self.waiting.push_back(opened);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        while let Poll::Ready(Some(())) = self.asked.poll_next_unpin(context) {}
        if let Some(opened) = self.waiting.pop_front() {
            self.opening.push_back(opened);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(STREAM_PROTOCOL), ()),
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
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => self.take(stream),
            // Streams are all alike, so whoever has waited for longest gets the one that is open.
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => {
                if let Some(opened) = self.opening.pop_front() {
                    // An error says that nobody wants it any more.
                    let _ = opened.send(Ok(stream));
                }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                if let Some(opened) = self.opening.pop_front() {
                    let _ = opened.send(Err(error));
                }
            }
            _ => {}
        }
    }
}
