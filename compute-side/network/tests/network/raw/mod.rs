//! A peer that speaks libp2p but not the protocol: it opens as many streams as it likes and puts any
//! bytes on them.

use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered,
};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder,
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{DeniedUpgrade, ReadyUpgrade},
    },
    identity::Keypair,
    noise,
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, SwarmEvent, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedOutbound},
    },
    tcp, yamux,
};
use std::{
    convert::Infallible,
    task::{Context, Poll},
};

struct Raw {
    streams: usize,
    bytes: Vec<u8>,
}

impl Raw {
    fn handler(&self) -> Handler {
        Handler {
            unopened: self.streams,
            bytes: self.bytes.clone(),
            streams: FuturesUnordered::new(),
        }
    }
}

impl NetworkBehaviour for Raw {
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
        Poll::Pending
    }
}

struct Handler {
    unopened: usize,
    bytes: Vec<u8>,
    streams: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if self.unopened > 0 {
            self.unopened -= 1;
            let protocol = ReadyUpgrade::new(StreamProtocol::new(quern_protocol::PROTOCOL));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(protocol, ()),
            });
        }
        while let Poll::Ready(Some(())) = self.streams.poll_next_unpin(context) {}
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        if let ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
            protocol: stream,
            ..
        }) = event
        {
            self.streams.push(say(stream, self.bytes.clone()).boxed());
        }
    }
}

/// Sends the bytes and keeps the stream until the other side has ended it.
async fn say(mut stream: Stream, bytes: Vec<u8>) {
    let _ = stream.write_all(&bytes).await;
    let _ = stream.flush().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// Connects over TCP with the key of this seed, opens so many streams of the protocol, sends the bytes
/// on each and waits until the other side has closed the connection.
pub(crate) async fn send(mut seed: [u8; 32], address: Multiaddr, streams: usize, bytes: Vec<u8>) {
    let mut swarm =
        SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes(&mut seed).unwrap())
            .with_tokio()
            .with_tcp(
                tcp::Config::new(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|_| Raw { streams, bytes })
            .unwrap()
            .build();
    swarm.dial(address).unwrap();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionClosed { .. } => return,
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}
