//! Where a peer that connected can be dialled.

use crate::limits::TOLD_ADDRESSES_MAX;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// The address from which a peer came, with a port of those on which it says that it listens: QUIC if it
/// has that. What hosts it names itself is not believed, so it cannot have others dialled.
pub(super) fn reached_at(
    from: &Multiaddr,
    listens: &[Multiaddr],
    peer: PeerId,
) -> Option<Multiaddr> {
    let host = from.iter().next()?;
    if !matches!(host, Protocol::Ip4(_) | Protocol::Ip6(_)) {
        return None;
    }
    let told = || listens.iter().take(TOLD_ADDRESSES_MAX);
    let quic = told().find_map(|address| {
        let mut parts = address.iter().skip(1);
        match (parts.next()?, parts.next()) {
            (udp @ Protocol::Udp(_), Some(Protocol::QuicV1)) => Some(vec![udp, Protocol::QuicV1]),
            _ => None,
        }
    });
    let tcp = || {
        told().find_map(|address| match address.iter().nth(1)? {
            tcp @ Protocol::Tcp(_) if address.iter().count() <= 3 => Some(vec![tcp]),
            _ => None,
        })
    };
    let port = quic.or_else(tcp)?;
    let parts = std::iter::once(host).chain(port);
    Some(parts.chain([Protocol::P2p(peer)]).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::identity::peer_of;
    use quern_primitives::ids::DeviceId;

    #[test]
    fn a_peer_is_dialled_where_it_came_from_and_nowhere_else() {
        let peer = peer_of(&DeviceId([7; 32]));
        let address = |text: &str| text.parse::<Multiaddr>().unwrap();
        let from = address("/ip4/192.0.2.7/tcp/50000");
        let tcp = address("/ip4/10.0.0.1/tcp/4500");
        let quic = address("/ip4/10.0.0.1/udp/4501/quic-v1");
        let elsewhere = address("/dns/victim.example/udp/53");
        let reached = |listens: &[Multiaddr]| reached_at(&from, listens, peer);
        let wanted = |text: &str| Some(address(&format!("/ip4/192.0.2.7/{text}/p2p/{peer}")));
        assert_eq!(reached(&[tcp.clone(), quic]), wanted("udp/4501/quic-v1"));
        assert_eq!(
            reached(&[elsewhere.clone(), tcp.clone()]),
            wanted("tcp/4500")
        );
        assert_eq!(reached(&[elsewhere]), None);
        assert_eq!(reached_at(&address("/memory/1"), &[tcp], peer), None);
    }
}
