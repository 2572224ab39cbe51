//! The device's end: each request takes a stream that is idle, or opens one.

use super::Line;
use crate::{RequestError, limits::REQUESTS_PER_DEVICE_MAX, wire::STREAM_PROTOCOL};
use futures::{
    AsyncRead, AsyncWrite, FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered,
};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{DeniedUpgrade, NegotiationError, ReadyUpgrade},
    },
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedOutbound},
    },
};
use quern_protocol::{Request, Response};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// A request and who waits for its answer. Dropped, it says that the connection has ended.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Response, RequestError>>,
}

/// Sends requests to peers that are connected.
pub(crate) struct Asking {
    timeout: Duration,
    asks: VecDeque<(PeerId, Ask)>,
    /// Streams opened so far, over all connections.
    #[cfg(test)]
    pub(super) opened: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Asking {
    /// A request may be on its way for so long.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            asks: VecDeque::new(),
            #[cfg(test)]
            opened: Default::default(),
        }
    }

    /// Sends a request. It fails if the peer is not connected.
    pub(crate) fn ask(&mut self, peer: PeerId, ask: Ask) {
        self.asks.push_back((peer, ask));
    }

    fn handler(&self) -> Handler {
        Handler {
            timeout: self.timeout,
            waiting: VecDeque::new(),
            opening: 0,
            asking: FuturesUnordered::new(),
            idle: Vec::new(),
            #[cfg(test)]
            opened: self.opened.clone(),
        }
    }
}

impl NetworkBehaviour for Asking {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

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
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.asks.pop_front() {
            Some((peer_id, event)) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::Any,
                event,
            }),
            None => Poll::Pending,
        }
    }
}

/// The requests and the streams of one connection. There are never more streams than
/// [`REQUESTS_PER_DEVICE_MAX`]; a request for which there is none waits for one to be idle.
pub(crate) struct Handler {
    timeout: Duration,
    /// Requests that wait for a stream.
    waiting: VecDeque<Ask>,
    /// Streams that are being opened.
    opening: usize,
    /// Requests on their way. Each gives its stream back if it may be used again.
    asking: FuturesUnordered<BoxFuture<'static, Option<Line<Stream>>>>,
    /// Streams without a request; the one used last is the last, and is used next.
    idle: Vec<Line<Stream>>,
    #[cfg(test)]
    opened: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Handler {
    /// Sends requests that wait over streams that are idle.
    fn send(&mut self) {
        while !self.waiting.is_empty() && !self.idle.is_empty() {
            if let (Some(ask), Some(line)) = (self.waiting.pop_front(), self.idle.pop()) {
                self.asking.push(carry(line, ask, self.timeout).boxed());
            }
        }
    }

    fn may_open(&self) -> bool {
        let streams = self.opening + self.asking.len() + self.idle.len();
        self.waiting.len() > self.opening && streams < REQUESTS_PER_DEVICE_MAX
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Ask;
    type ToBehaviour = Infallible;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn connection_keep_alive(&self) -> bool {
        !self.waiting.is_empty() || !self.asking.is_empty()
    }

    fn on_behaviour_event(&mut self, ask: Self::FromBehaviour) {
        self.waiting.push_back(ask);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        self.send();
        while let Poll::Ready(Some(line)) = self.asking.poll_next_unpin(context) {
            self.idle.extend(line);
            self.send();
        }
        if self.may_open() {
            self.opening += 1;
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(STREAM_PROTOCOL), ()),
            });
        }
        Poll::Pending
    }

    /// The connection is being closed: nothing is answered any more.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.waiting.clear();
        self.asking.clear();
        self.idle.clear();
        Poll::Ready(None)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: mut stream,
                ..
            }) => {
                // A stream that is idle is no reason to stay; a request is, see above.
                stream.ignore_for_keep_alive();
                self.opening = self.opening.saturating_sub(1);
                self.idle.push(Line::new(stream));
                #[cfg(test)]
                self.opened
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.opening = self.opening.saturating_sub(1);
                if let Some(ask) = self.waiting.pop_front() {
                    // An error says that nobody waits for the answer any more.
                    let _ = ask.reply.send(Err(not_opened(error)));
                }
            }
            // Nobody opens a stream to a device.
            _ => {}
        }
    }
}

/// Carries a request and its answer. Returns the stream if another may follow.
async fn carry<T>(mut line: Line<T>, ask: Ask, timeout: Duration) -> Option<Line<T>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Ask { request, reply } = ask;
    let answer = match tokio::time::timeout(timeout, exchange(&mut line, &request)).await {
        Ok(answer) => answer,
        Err(_) => Err(RequestError::TimedOut),
    };
    let is_whole = answer.is_ok();
    // An error says that nobody waits for the answer any more.
    let _ = reply.send(answer);
    (is_whole && line.goes_on()).then_some(line)
}

async fn exchange<T>(line: &mut Line<T>, request: &Request) -> Result<Response, RequestError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    line.write(request).await.map_err(broken_off)?;
    let begun = line
        .begin()
        .await
        .and_then(|begun| begun.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()))
        .map_err(broken_off)?;
    let answer = line.read(begun).await.map_err(broken_off)?;
    answer.map_err(RequestError::BadAnswer)
}

/// Why a stream could not be opened.
fn not_opened(error: StreamUpgradeError<Infallible>) -> RequestError {
    match error {
        StreamUpgradeError::Timeout => RequestError::TimedOut,
        StreamUpgradeError::NegotiationFailed => RequestError::OtherProtocol,
        StreamUpgradeError::Io(error) => broken_off(error),
        StreamUpgradeError::Apply(never) => match never {},
    }
}

/// Why a stream broke. The first request travels with the stream's negotiation, so that it is there
/// that a refusal of the protocol is seen.
fn broken_off(error: io::Error) -> RequestError {
    let negotiation = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<NegotiationError>());
    if matches!(negotiation, Some(NegotiationError::Failed)) {
        RequestError::OtherProtocol
    } else {
        RequestError::BrokenOff(error)
    }
}

#[cfg(test)]
mod tests;
