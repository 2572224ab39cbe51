//! The masternode's end: of each stream it reads a request, hands it up, writes the answer, and reads
//! the next.

use super::Line;
use crate::{Misbehaviour, limits::STREAMS_PER_REQUEST, wire::STREAM_PROTOCOL};
use futures::{
    AsyncRead, AsyncWrite, AsyncWriteExt, Stream, StreamExt,
    stream::{self, BoxStream, SelectAll},
};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{DeniedUpgrade, ReadyUpgrade},
    },
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
};
use quern_protocol::{Request, Response};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io, mem,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// A request, checked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// Where to answer: the stream's own task waits there, so that the answer goes from the masternode
    /// straight to the connection. Dropped unused, it closes the stream.
    pub(crate) answer: oneshot::Sender<Response>,
}

/// What came over a connection.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) asked: Result<Asked, Misbehaviour>,
}

/// What holds for each connection.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Requests unanswered at a time.
    requests_max: usize,
    /// From the first byte of a request to the last of its answer.
    timeout: Duration,
}

/// Takes requests from peers.
pub(crate) struct Answering {
    limits: Limits,
    events: VecDeque<Event>,
}

impl Answering {
    /// Takes so many requests of a peer at a time. Each must have come and be answered within the
    /// timeout; else its stream is closed.
    pub(crate) fn new(requests_max: usize, timeout: Duration) -> Self {
        Self {
            limits: Limits {
                requests_max,
                timeout,
            },
            events: VecDeque::new(),
        }
    }

    fn handler(&self) -> Handler {
        Handler {
            limits: self.limits,
            unanswered: Arc::new(()),
            streams: SelectAll::new(),
            has_too_many: false,
        }
    }
}

impl NetworkBehaviour for Answering {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

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
        peer: PeerId,
        connection: ConnectionId,
        asked: THandlerOutEvent<Self>,
    ) {
        // There is one at a time: the swarm asks for what is in here before it takes the next.
        self.events.push_back(Event {
            peer,
            connection,
            asked,
        });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(ToSwarm::GenerateEvent(event)),
            None => Poll::Pending,
        }
    }
}

/// The streams of one connection. While the masternode takes no events nothing is read of them.
pub(crate) struct Handler {
    limits: Limits,
    /// Each request that has begun and is not answered holds a clone of it.
    unanswered: Arc<()>,
    streams: SelectAll<BoxStream<'static, Result<Asked, Misbehaviour>>>,
    /// The device has opened more streams than it may.
    has_too_many: bool,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Result<Asked, Misbehaviour>;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(STREAM_PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        Arc::strong_count(&self.unanswered) > 1
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if mem::take(&mut self.has_too_many) {
            let limit = self.limits.requests_max;
            let why = Misbehaviour::TooManyRequests { limit };
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Err(why)));
        }
        match self.streams.poll_next_unpin(context) {
            Poll::Ready(Some(asked)) => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(asked)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// The connection is being closed: nobody waits for answers any more.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.streams.clear();
        Poll::Ready(None)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
            protocol: mut stream,
            ..
        }) = event
        {
            let streams_max = self.limits.requests_max.saturating_mul(STREAMS_PER_REQUEST);
            if self.streams.len() >= streams_max {
                self.has_too_many = true;
                return;
            }
            // A stream that is idle is no reason to stay; a request is, see above.
            stream.ignore_for_keep_alive();
            let unanswered = Arc::downgrade(&self.unanswered);
            self.streams
                .push(requests(stream, self.limits, unanswered).boxed());
        }
    }
}

/// The requests that come over a stream, each after the answer to the one before. Ends when the device
/// ends the stream, and when nothing more may follow.
fn requests<T>(
    stream: T,
    limits: Limits,
    unanswered: Weak<()>,
) -> impl Stream<Item = Result<Asked, Misbehaviour>> + Send
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let conversation = Conversation {
        line: Line::new(stream),
        limits,
        unanswered,
        awaited: None,
        is_over: false,
    };
    stream::unfold(conversation, Conversation::next)
}

/// A stream with what has been said over it.
struct Conversation<T> {
    line: Line<T>,
    limits: Limits,
    unanswered: Weak<()>,
    /// The answer to the last request.
    awaited: Option<Awaited>,
    /// What came is no message, so that nobody knows where the next would begin.
    is_over: bool,
}

/// An answer that is to be written.
struct Awaited {
    answer: oneshot::Receiver<Response>,
    until: Instant,
    /// Counts the request as unanswered.
    one: Arc<()>,
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Conversation<T> {
    /// Writes the answer to the last request and reads the next.
    async fn next(mut self) -> Option<(Result<Asked, Misbehaviour>, Self)> {
        if self.is_over {
            return None;
        }
        if let Some(Awaited { answer, until, one }) = self.awaited.take() {
            let goes_on = timeout_at(until, self.answer(answer)).await.ok()?.ok()?;
            drop(one);
            if !goes_on {
                return None;
            }
        }
        let begun = self.line.begin().await.ok()??;
        let until = Instant::now() + self.limits.timeout;
        // One of those that exist is the handler's own.
        let one = self.unanswered.upgrade()?;
        let limit = self.limits.requests_max;
        if Arc::strong_count(&one).saturating_sub(1) > limit {
            self.is_over = true;
            return Some((Err(Misbehaviour::TooManyRequests { limit }), self));
        }
        let received = timeout_at(until, self.line.read::<Request>(begun)).await;
        let asked = match received.ok()?.ok()? {
            Ok(request) => {
                let (sender, answer) = oneshot::channel();
                self.awaited = Some(Awaited { answer, until, one });
                Ok(Asked {
                    request,
                    answer: sender,
                })
            }
            Err(error) => {
                self.is_over = true;
                Err(Misbehaviour::NoMessage(error))
            }
        };
        Some((asked, self))
    }

    /// Waits for an answer and writes it. Returns whether another request may follow: not when nobody
    /// answers any more, which the device sees by the stream's end.
    async fn answer(&mut self, answer: oneshot::Receiver<Response>) -> io::Result<bool> {
        if let Ok(response) = answer.await {
            self.line.write(&response).await?;
            if self.line.goes_on() {
                return Ok(true);
            }
        }
        self.line.stream.close().await?;
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
