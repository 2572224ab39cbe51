//! A peer that speaks libp2p but not the protocol: it puts any bytes on a stream.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, StreamProtocol, SwarmBuilder,
    identity::Keypair,
    noise,
    request_response::{Behaviour, Codec, Config, ProtocolSupport},
    swarm::SwarmEvent,
    tcp, yamux,
};
use std::io;

#[derive(Clone, Default)]
struct Bytes;

impl Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read_response(&StreamProtocol::new("/none"), io).await
    }

    async fn read_response<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.take(1 << 20).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        request: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        response: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&response).await
    }
}

/// Connects over TCP with the key of this seed, sends the bytes on one stream of the protocol and
/// waits until the other side has closed the connection.
pub(crate) async fn send(mut seed: [u8; 32], address: Multiaddr, bytes: Vec<u8>) {
    let protocol = StreamProtocol::new(quern_protocol::PROTOCOL);
    let mut swarm =
        SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes(&mut seed).unwrap())
            .with_tokio()
            .with_tcp(
                tcp::Config::new(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|_| {
                Behaviour::<Bytes>::new([(protocol, ProtocolSupport::Full)], Config::default())
            })
            .unwrap()
            .build();
    swarm.dial(address).unwrap();
    let mut bytes = Some(bytes);
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                if let Some(bytes) = bytes.take() {
                    swarm.behaviour_mut().send_request(&peer_id, bytes);
                }
            }
            SwarmEvent::ConnectionClosed { .. } => return,
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}
