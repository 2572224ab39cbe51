//! The addresses of whoever is connected to.

use crate::StartError;
use futures::StreamExt;
use libp2p::{
    Multiaddr, TransportError,
    swarm::{NetworkBehaviour, Swarm, SwarmEvent},
};
use std::{collections::HashMap, io};

/// Listens on all of these; returns where, with the ports that were free, when every one is listened
/// on.
pub(crate) async fn listen<B: NetworkBehaviour>(
    swarm: &mut Swarm<B>,
    wanted: Vec<Multiaddr>,
) -> Result<Vec<Multiaddr>, StartError> {
    let mut awaited = HashMap::new();
    for address in wanted {
        match swarm.listen_on(address.clone()) {
            Ok(listener) => {
                awaited.insert(listener, address);
            }
            Err(error) => {
                let source = match error {
                    TransportError::Other(source) => source,
                    TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
                };
                return Err(StartError::Listen { address, source });
            }
        }
    }
    let mut addresses = Vec::new();
    while !awaited.is_empty() {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => {
                awaited.remove(&listener_id);
                addresses.push(address);
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => {
                if let Some(address) = awaited.remove(&listener_id) {
                    let source = reason.err().unwrap_or_else(|| io::ErrorKind::Other.into());
                    return Err(StartError::Listen { address, source });
                }
            }
            _ => {}
        }
    }
    Ok(addresses)
}
