//! Which of a peer's connections counts.

use crate::limits::CONNECT_TIMEOUT;
use libp2p::swarm::ConnectionId;
use quern_primitives::ids::DeviceId;
use std::{collections::BTreeMap, time::Instant};

/// A connection with a peer that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link(pub(super) ConnectionId);

/// A connection as it comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coming {
    pub(super) id: ConnectionId,
    /// Whether it was opened from here.
    pub(super) opened: bool,
    pub(super) at: Instant,
}

/// What becomes of a connection that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the link with its peer, in the place of another if there was one.
    Taken { instead_of: Option<ConnectionId> },
    /// There is one that is as good.
    Surplus,
}

/// The links of a peer.
#[derive(Debug)]
pub(super) struct Links {
    me: DeviceId,
    by_peer: BTreeMap<DeviceId, Coming>,
}

impl Links {
    pub(super) fn new(me: DeviceId) -> Self {
        let by_peer = BTreeMap::new();
        Self { me, by_peer }
    }

    /// The link with a peer.
    pub(super) fn of(&self, peer: &DeviceId) -> Option<ConnectionId> {
        self.by_peer.get(peer).map(|it| it.id)
    }

    /// Takes a connection in. A later one takes the place of an earlier, which may have ended without a
    /// word; but of two that were opened at once from both sides both take the same.
    pub(super) fn arrive(&mut self, peer: DeviceId, coming: Coming) -> Arrival {
        if let Some(there) = self.by_peer.get(&peer) {
            let age = coming.at.saturating_duration_since(there.at);
            let is_crossing = there.opened != coming.opened && age < CONNECT_TIMEOUT;
            let opener = |it: &Coming| if it.opened { self.me } else { peer };
            if is_crossing && opener(there) < opener(&coming) {
                return Arrival::Surplus;
            }
        }
        let before = self.by_peer.insert(peer, coming);
        Arrival::Taken {
            instead_of: before.map(|it| it.id),
        }
    }

    /// A connection has ended. Says whether it was the link.
    pub(super) fn leave(&mut self, peer: &DeviceId, id: ConnectionId) -> bool {
        let is_link = self.of(peer) == Some(id);
        if is_link {
            self.by_peer.remove(peer);
        }
        is_link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ME: DeviceId = DeviceId([5; 32]);
    const LESS: DeviceId = DeviceId([1; 32]);
    const MORE: DeviceId = DeviceId([9; 32]);

    fn coming(id: usize, opened: bool, at: Instant) -> Coming {
        let id = ConnectionId::new_unchecked(id);
        Coming { id, opened, at }
    }

    fn taken(instead_of: Option<usize>) -> Arrival {
        let instead_of = instead_of.map(ConnectionId::new_unchecked);
        Arrival::Taken { instead_of }
    }

    #[test]
    fn of_two_that_cross_both_sides_keep_what_the_lesser_name_opened() {
        let now = Instant::now();
        for (peer, is_mine_kept) in [(LESS, false), (MORE, true)] {
            for mine_first in [false, true] {
                let mut links = Links::new(ME);
                assert_eq!(links.arrive(peer, coming(1, mine_first, now)), taken(None));
                let second = links.arrive(peer, coming(2, !mine_first, now));
                match is_mine_kept == mine_first {
                    true => assert_eq!(second, Arrival::Surplus),
                    false => assert_eq!(second, taken(Some(1))),
                }
            }
        }
    }

    #[test]
    fn who_comes_back_takes_the_place_of_a_link_that_ended_without_a_word() {
        let now = Instant::now();
        let mut links = Links::new(ME);
        links.arrive(MORE, coming(1, true, now));
        let later = now + CONNECT_TIMEOUT + Duration::from_secs(1);
        assert_eq!(links.arrive(MORE, coming(2, false, later)), taken(Some(1)));
        assert_eq!(links.arrive(MORE, coming(3, false, later)), taken(Some(2)));
        assert!(!links.leave(&MORE, ConnectionId::new_unchecked(1)));
        assert!(links.leave(&MORE, ConnectionId::new_unchecked(3)));
        assert_eq!(links.of(&MORE), None);
    }
}
