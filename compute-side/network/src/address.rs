//! Where somebody is reached: names resolved, unusable addresses left out, the preferred
//! transport first.

use crate::limits::DIALLED_ADDRESSES_MAX;
use libp2p::{Multiaddr, multiaddr::Protocol};
use std::net::IpAddr;

/// Which transport a device tries first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// QUIC, then TCP: the default, because it takes one round trip less and survives loss better.
    #[default]
    Quic,
    /// TCP, then QUIC: for networks that treat UDP badly, and cheaper for many small messages.
    Tcp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Quic,
    Tcp,
}

/// The transport of an address that starts with an IP address or a name; `None` if it has none that
/// we speak.
fn transport(address: &Multiaddr) -> Option<Transport> {
    let mut parts = address.iter();
    match parts.next()? {
        Protocol::Ip4(_)
        | Protocol::Ip6(_)
        | Protocol::Dns(_)
        | Protocol::Dns4(_)
        | Protocol::Dns6(_) => {}
        _ => return None,
    }
    let transport = match parts.next()? {
        Protocol::Tcp(_) => Transport::Tcp,
        Protocol::Udp(_) if parts.next() == Some(Protocol::QuicV1) => Transport::Quic,
        _ => return None,
    };
    matches!(parts.next(), None | Some(Protocol::P2p(_))).then_some(transport)
}

/// The addresses to dial, in order. Names are looked up with the system's resolver; one that cannot
/// be looked up is left out, as any address may be out of reach.
pub(crate) async fn prepare(addresses: &[Multiaddr], prefer: Prefer) -> Vec<Multiaddr> {
    let first = match prefer {
        Prefer::Quic => Transport::Quic,
        Prefer::Tcp => Transport::Tcp,
    };
    let mut usable: Vec<(Transport, &Multiaddr)> = addresses
        .iter()
        .filter_map(|address| Some((transport(address)?, address)))
        .collect();
    usable.sort_by_key(|(transport, _)| *transport != first);

    let mut prepared = Vec::new();
    for (_, address) in usable {
        prepared.extend(resolve(address).await);
    }
    prepared.truncate(DIALLED_ADDRESSES_MAX);
    prepared
}

async fn resolve(address: &Multiaddr) -> Vec<Multiaddr> {
    let (name, wanted): (_, fn(&IpAddr) -> bool) = match address.iter().next() {
        Some(Protocol::Dns(name)) => (name.into_owned(), |_| true),
        Some(Protocol::Dns4(name)) => (name.into_owned(), IpAddr::is_ipv4),
        Some(Protocol::Dns6(name)) => (name.into_owned(), IpAddr::is_ipv6),
        _ => return vec![address.clone()],
    };
    let found = match tokio::net::lookup_host((name.as_str(), 0)).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%name, %error, "a name cannot be looked up");
            return Vec::new();
        }
    };
    found
        .map(|socket| socket.ip())
        .filter(wanted)
        .map(|ip| {
            std::iter::once(Protocol::from(ip))
                .chain(address.iter().skip(1))
                .collect::<Multiaddr>()
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn the_preferred_transport_comes_first_and_order_is_kept_otherwise() {
        let given = addresses(&[
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/10.0.0.1/udp/1/quic-v1",
            "/ip4/10.0.0.2/tcp/2",
        ]);
        assert_eq!(
            prepare(&given, Prefer::Tcp).await,
            [0, 2, 1].map(|i: usize| given[i].clone())
        );
        assert_eq!(
            prepare(&given, Prefer::Quic).await,
            [1, 0, 2].map(|i: usize| given[i].clone())
        );
    }

    #[tokio::test]
    async fn addresses_we_do_not_speak_are_left_out() {
        let given = addresses(&["/ip4/10.0.0.1/udp/1", "/ip4/10.0.0.1/tcp/1/ws", "/memory/7"]);
        assert_eq!(prepare(&given, Prefer::Tcp).await, []);
    }

    #[tokio::test]
    async fn a_name_becomes_its_addresses() {
        let given = addresses(&["/dns4/localhost/tcp/30"]);
        assert_eq!(
            prepare(&given, Prefer::Tcp).await,
            addresses(&["/ip4/127.0.0.1/tcp/30"])
        );
    }
}
