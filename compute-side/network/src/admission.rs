//! Who may connect at all: peers with an Ed25519 key that are not blocked.

use crate::{identity::device_of, limits::BLOCKED_DEVICES_MAX};
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};
use std::{
    collections::HashMap,
    convert::Infallible,
    task::{Context, Poll},
    time::Instant,
};

/// Why a peer is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the peer's key is no Ed25519 key; devices have no other kind")]
    KeyKind,
    #[error("the peer is blocked for now")]
    Blocked,
}

/// Refuses connections before any protocol runs on them.
#[derive(Default)]
pub(crate) struct Admission {
    blocked_until: HashMap<PeerId, Instant>,
}

impl Admission {
    /// Refuses a peer's connections until then. When too many are blocked those whose time is over
    /// are forgotten, and if there are none the new one is not added: connection limits still hold.
    pub(crate) fn block(&mut self, peer: PeerId, now: Instant, until: Instant) {
        if self.blocked_until.len() >= BLOCKED_DEVICES_MAX {
            self.blocked_until.retain(|_, until| *until > now);
        }
        if self.blocked_until.len() < BLOCKED_DEVICES_MAX {
            self.blocked_until.insert(peer, until);
        }
    }

    fn check(&self, peer: &PeerId, now: Instant) -> Result<(), Denied> {
        if device_of(peer).is_none() {
            return Err(Denied::KeyKind);
        }
        match self.blocked_until.get(peer) {
            Some(until) if *until > now => Err(Denied::Blocked),
            _ => Ok(()),
        }
    }
}

impl NetworkBehaviour for Admission {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(&peer, Instant::now())
            .map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(&peer, Instant::now())
            .map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::identity::peer_of;
    use quern_primitives::ids::DeviceId;
    use std::time::Duration;

    #[test]
    fn a_peer_without_an_ed25519_key_is_not_let_in() {
        let hashed = [&[0x12, 32][..], &[9; 32]].concat();
        let peer = PeerId::from_bytes(&hashed).unwrap();
        let admission = Admission::default();
        assert_eq!(admission.check(&peer, Instant::now()), Err(Denied::KeyKind));
        assert_eq!(
            admission.check(&peer_of(&DeviceId([1; 32])), Instant::now()),
            Ok(())
        );
    }

    #[test]
    fn a_blocked_peer_is_let_in_when_its_time_is_over() {
        let (peer, now) = (peer_of(&DeviceId([1; 32])), Instant::now());
        let until = now + Duration::from_secs(60);
        let mut admission = Admission::default();
        admission.block(peer, now, until);
        assert_eq!(admission.check(&peer, now), Err(Denied::Blocked));
        assert_eq!(admission.check(&peer, until), Ok(()));
    }

    #[test]
    fn the_block_list_does_not_grow_without_end() {
        let now = Instant::now();
        let mut admission = Admission::default();
        let peer = |i: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&i.to_le_bytes());
            peer_of(&DeviceId(key))
        };
        for i in 0..BLOCKED_DEVICES_MAX + 10 {
            admission.block(peer(i), now, now + Duration::from_secs(1));
        }
        assert_eq!(admission.blocked_until.len(), BLOCKED_DEVICES_MAX);
        let later = now + Duration::from_secs(2);
        admission.block(peer(usize::MAX), later, later + Duration::from_secs(1));
        assert_eq!(admission.blocked_until.len(), 1);
    }
}
