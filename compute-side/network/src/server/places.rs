//! Who has a place on a server: the current connection of each device, by when those that were not
//! let in yet must be, and connections there is no place for.
//!
//! Whoever has a key can connect, so a place must not be had for that alone. A device that was not
//! let in keeps its place for a short time only, and gives it up earlier when all are taken: the one
//! that has been waiting for longest goes first. Only devices that were let in make a server full.

use super::standing::Standing;
use libp2p::{PeerId, swarm::ConnectionId};
use quern_primitives::ids::DeviceId;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

/// The current connection of a device.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) device: DeviceId,
    /// It broke a rule and is being closed; nothing more of it is handed on.
    pub(super) is_closing: bool,
    pub(super) standing: Standing,
    admit_by: Instant,
}

/// A connection that has no place any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) id: ConnectionId,
    pub(super) device: DeviceId,
}

impl From<Connection> for Ended {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            device: connection.device,
        }
    }
}

/// What becomes of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It has a place.
    Placed {
        /// The connection that had it before: an older one of the same device, or that of a device
        /// that was not let in.
        instead_of: Option<Ended>,
    },
    /// There is none.
    Full,
}

/// Who has a place.
pub(super) struct Places {
    connections_max: usize,
    admission_timeout: Duration,
    current: HashMap<PeerId, Connection>,
    /// Current connections over which nobody had been let in when they were last looked at, by when
    /// that must have happened.
    strangers: BTreeMap<(Instant, ConnectionId), PeerId>,
    surplus: HashSet<ConnectionId>,
}

impl Places {
    pub(super) fn new(connections_max: usize, admission_timeout: Duration) -> Self {
        Self {
            connections_max,
            admission_timeout,
            current: HashMap::new(),
            strangers: BTreeMap::new(),
            surplus: HashSet::new(),
        }
    }

    /// Takes a new connection in, if there is a place for it.
    pub(super) fn arrive(
        &mut self,
        peer: PeerId,
        device: DeviceId,
        id: ConnectionId,
        now: Instant,
    ) -> Arrival {
        let mut instead_of = self.remove(&peer);
        if instead_of.is_none() && self.current.len() >= self.connections_max {
            instead_of = self.remove_stranger();
            if instead_of.is_none() {
                self.surplus.insert(id);
                return Arrival::Full;
            }
        }
        let admit_by = now + self.admission_timeout;
        self.strangers.insert((admit_by, id), peer);
        let connection = Connection {
            id,
            device,
            is_closing: false,
            standing: Standing::default(),
            admit_by,
        };
        self.current.insert(peer, connection);
        Arrival::Placed {
            instead_of: instead_of.map(Ended::from),
        }
    }

    /// Takes note that a connection is closed. Returns the device whose current one it was.
    pub(super) fn leave(&mut self, peer: &PeerId, id: ConnectionId) -> Option<DeviceId> {
        self.surplus.remove(&id);
        self.current(peer, id)?;
        self.remove(peer).map(|ended| ended.device)
    }

    /// The current connection of a peer, if it is this one.
    pub(super) fn current(&mut self, peer: &PeerId, id: ConnectionId) -> Option<&mut Connection> {
        self.current
            .get_mut(peer)
            .filter(|current| current.id == id)
    }

    /// Whether there is no place for this connection.
    pub(super) fn is_surplus(&self, id: ConnectionId) -> bool {
        self.surplus.contains(&id)
    }

    /// When to ask for [`Self::overdue`] connections next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let ((admit_by, _), _) = self.strangers.first_key_value()?;
        Some(*admit_by)
    }

    /// Takes the place of a connection over which the device was not let in in time.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Ended> {
        while self.next_deadline().is_some_and(|admit_by| admit_by <= now) {
            let (_, peer) = self.strangers.pop_first()?;
            if self.is_stranger(&peer) {
                return self.remove(&peer).map(Ended::from);
            }
        }
        None
    }

    /// Takes the place of the device that has been waiting for longest to be let in, if one is.
    fn remove_stranger(&mut self) -> Option<Connection> {
        while let Some((_, peer)) = self.strangers.pop_first() {
            if self.is_stranger(&peer) {
                return self.remove(&peer);
            }
        }
        None
    }

    /// Whether a peer has a place and was not let in.
    fn is_stranger(&self, peer: &PeerId) -> bool {
        self.current
            .get(peer)
            .is_some_and(|current| !current.standing.is_admitted())
    }

    fn remove(&mut self, peer: &PeerId) -> Option<Connection> {
        let ended = self.current.remove(peer)?;
        self.strangers.remove(&(ended.admit_by, ended.id));
        Some(ended)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::identity::peer_of;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn device(number: u8) -> DeviceId {
        DeviceId([number; 32])
    }

    fn peer(number: u8) -> PeerId {
        peer_of(&device(number))
    }

    fn id(number: u8) -> ConnectionId {
        ConnectionId::new_unchecked(number.into())
    }

    /// The connection of a device with the same number.
    fn of(number: u8) -> Ended {
        Ended {
            id: id(number),
            device: device(number),
        }
    }

    fn arrive(places: &mut Places, number: u8, now: Instant) -> Arrival {
        places.arrive(peer(number), device(number), id(number), now)
    }

    fn admit(places: &mut Places, number: u8) {
        let connection = places.current(&peer(number), id(number)).unwrap();
        connection.standing.admit();
    }

    const PLACED: Arrival = Arrival::Placed { instead_of: None };

    #[test]
    fn who_is_not_let_in_in_time_loses_its_place_and_who_is_keeps_it() {
        let now = Instant::now();
        let mut places = Places::new(3, TIMEOUT);
        assert_eq!(places.next_deadline(), None);
        for number in 1..=3 {
            assert_eq!(arrive(&mut places, number, now), PLACED);
        }
        admit(&mut places, 2);
        assert_eq!(places.leave(&peer(3), id(3)), Some(device(3)));
        assert_eq!(places.next_deadline(), Some(now + TIMEOUT));
        assert_eq!(places.overdue(now), None);
        assert_eq!(places.overdue(now + TIMEOUT), Some(of(1)));
        assert_eq!(places.overdue(now + TIMEOUT), None);
        assert_eq!(places.next_deadline(), None);
        assert!(places.current(&peer(1), id(1)).is_none());
        assert!(places.current(&peer(2), id(2)).is_some());
        assert_eq!(places.leave(&peer(1), id(1)), None);
    }

    #[test]
    fn the_stranger_that_waits_for_longest_makes_room_and_nobody_else_does() {
        let now = Instant::now();
        let mut places = Places::new(2, TIMEOUT);
        arrive(&mut places, 1, now);
        arrive(&mut places, 2, now + Duration::from_secs(1));
        admit(&mut places, 1);
        let instead_of = Some(of(2));
        assert_eq!(arrive(&mut places, 3, now), Arrival::Placed { instead_of });
        admit(&mut places, 3);
        assert_eq!(arrive(&mut places, 4, now), Arrival::Full);
        assert!(places.is_surplus(id(4)) && !places.is_surplus(id(3)));
        assert_eq!(places.leave(&peer(4), id(4)), None);
        assert!(!places.is_surplus(id(4)));
        assert_eq!(places.leave(&peer(1), id(1)), Some(device(1)));
        assert_eq!(arrive(&mut places, 4, now), PLACED);
    }

    #[test]
    fn a_device_that_comes_again_takes_its_own_place() {
        let now = Instant::now();
        let mut places = Places::new(1, TIMEOUT);
        arrive(&mut places, 1, now);
        admit(&mut places, 1);
        let later = now + Duration::from_secs(1);
        let arrival = places.arrive(peer(1), device(1), id(9), later);
        let instead_of = Some(of(1));
        assert_eq!(arrival, Arrival::Placed { instead_of });
        // The older connection's end takes nothing from the newer, which has a deadline of its own.
        assert_eq!(places.leave(&peer(1), id(1)), None);
        assert_eq!(places.next_deadline(), Some(later + TIMEOUT));
        assert!(places.current(&peer(1), id(9)).is_some());
    }
}
