//! The libp2p swarm that all shells drive: QUIC, and TCP with Noise and yamux; ping, identify and the
//! protocol.

use crate::{
    admission::Admission,
    content::Contents,
    limits::{
        CONNECT_TIMEOUT, CONNECTION_WINDOW_BYTES, IDLE_TIMEOUT, PING_INTERVAL, PING_TIMEOUT,
        QUIC_KEEP_ALIVE, QUIC_SILENCE_MAX, STREAM_WINDOW_BYTES, STREAMS_PER_CONNECTION_MAX,
    },
};
use libp2p::{
    SwarmBuilder,
    connection_limits::{self, ConnectionLimits},
    core::upgrade::Version,
    identify,
    identity::Keypair,
    noise, ping, quic,
    swarm::{NetworkBehaviour, Swarm},
    tcp, yamux,
};
use quern_protocol::PROTOCOL;
use std::convert::Infallible;

/// What runs on each connection; `T` is the protocol, one side of it. Limits and admission come first:
/// what they refuse never reaches the rest.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour<T> {
    limits: connection_limits::Behaviour,
    pub(crate) admission: Admission,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) contents: Contents,
    pub(crate) tasks: T,
}

/// Builds the swarm of one side. Fails only when the key cannot sign its own certificate.
pub(crate) fn build<T: NetworkBehaviour>(
    key: Keypair,
    tasks: T,
    contents: Contents,
    connections: ConnectionLimits,
) -> Result<Swarm<Behaviour<T>>, noise::Error> {
    build_with(key, |key| Behaviour {
        limits: connection_limits::Behaviour::new(connections),
        admission: Admission::default(),
        identify: identify::Behaviour::new(
            // Where a device is reached is nobody's to know.
            identify_config(key, PROTOCOL).with_hide_listen_addrs(true),
        ),
        ping: pings(),
        contents,
        tasks,
    })
}

/// Builds a swarm around what runs on its connections. Fails only when the key cannot sign its own
/// certificate.
pub(crate) fn build_with<B: NetworkBehaviour>(
    key: Keypair,
    behaviour: impl FnOnce(&Keypair) -> B,
) -> Result<Swarm<B>, noise::Error> {
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            tcp::Config::new().nodelay(true),
            noise::Config::new,
            multiplexer,
        )?
        .with_quic_config(quic_config)
        .with_behaviour(behaviour)
        .unwrap_or_else(|never: Infallible| match never {})
        .with_swarm_config(|config| {
            config
                // The first request of a stream travels in one flight with its negotiation.
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
                .with_max_negotiating_inbound_streams(STREAMS_PER_CONNECTION_MAX as usize)
                .with_idle_connection_timeout(IDLE_TIMEOUT)
        })
        .with_connection_timeout(CONNECT_TIMEOUT)
        .build();
    Ok(swarm)
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION_MAX as usize);
    config
}

fn quic_config(mut config: quic::Config) -> quic::Config {
    config.handshake_timeout = CONNECT_TIMEOUT;
    config.max_idle_timeout = QUIC_SILENCE_MAX.as_millis() as u32;
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_concurrent_stream_limit = STREAMS_PER_CONNECTION_MAX;
    config.max_stream_data = STREAM_WINDOW_BYTES;
    config.max_connection_data = CONNECTION_WINDOW_BYTES;
    config
}

/// Asks for a sign of life, as often as [`PING_INTERVAL`] says.
pub(crate) fn pings() -> ping::Behaviour {
    ping::Behaviour::new(
        ping::Config::new()
            .with_interval(PING_INTERVAL)
            .with_timeout(PING_TIMEOUT),
    )
}

/// How a peer introduces itself that speaks this protocol.
pub(crate) fn identify_config(key: &Keypair, protocol: &str) -> identify::Config {
    identify::Config::new(protocol.into(), key.public())
        .with_agent_version(concat!("quern/", env!("CARGO_PKG_VERSION")).into())
        .with_cache_size(0)
}
