//! Between a device's name and a peer's: both are one Ed25519 public key.

use libp2p::{PeerId, identity::Keypair};
use quern_primitives::ids::DeviceId;

/// How a peer id begins that holds an Ed25519 key: identity hash, 36 bytes; a protobuf with key
/// type Ed25519 and 32 bytes of key.
const PREFIX: [u8; 6] = [0x00, 36, 0x08, 0x01, 0x12, 32];

/// The key pair of a 32-byte secret seed.
pub(crate) fn key_pair(mut seed: [u8; 32]) -> Keypair {
    // The call takes the seed's bytes and overwrites them with zeros.
    Keypair::ed25519_from_bytes(&mut seed).expect("any 32 bytes are an Ed25519 seed")
}

/// The device, or masternode, whose key follows from this seed.
pub fn device_of_seed(seed: [u8; 32]) -> DeviceId {
    device_of(&key_pair(seed).public().to_peer_id()).expect("the key pair is an Ed25519 one")
}

/// How people and addresses write this name: as libp2p does, `12D3KooW…`.
pub fn name_of(device: &DeviceId) -> String {
    peer_of(device).to_string()
}

/// Reads a name as [`name_of`] writes it; none if it is that of no Ed25519 key.
pub fn device_of_name(name: &str) -> Option<DeviceId> {
    device_of(&name.parse().ok()?)
}

/// The device behind a peer id; `None` when its key is of another kind.
pub(crate) fn device_of(peer: &PeerId) -> Option<DeviceId> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(&PREFIX)?;
    Some(DeviceId(key.try_into().ok()?))
}

/// The peer id of a device.
pub(crate) fn peer_of(device: &DeviceId) -> PeerId {
    let mut bytes = [0; 38];
    bytes[..6].copy_from_slice(&PREFIX);
    bytes[6..].copy_from_slice(&device.0);
    PeerId::from_bytes(&bytes).expect("an inline key of 36 bytes is within the limit of 42")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_primitives::payload::DeviceKey;

    #[test]
    fn a_device_has_one_name_on_the_chain_and_in_the_network() {
        let seed = [7; 32];
        assert_eq!(device_of_seed(seed), DeviceKey::from_seed(&seed).id());
        assert_eq!(
            peer_of(&device_of_seed(seed)),
            key_pair(seed).public().to_peer_id()
        );
    }

    #[test]
    fn a_name_that_is_written_reads_back() {
        let device = device_of_seed([7; 32]);
        let name = name_of(&device);
        assert!(name.starts_with("12D3KooW"), "{name}");
        assert_eq!(device_of_name(&name), Some(device));
        assert_eq!(device_of_name("12D3KooW"), None);
    }

    #[test]
    fn a_key_of_another_kind_is_no_device() {
        // Too long to stand inline, as RSA keys are: the id is a SHA-256 hash.
        let hashed = [&[0x12, 32][..], &[9; 32]].concat();
        assert_eq!(device_of(&PeerId::from_bytes(&hashed).unwrap()), None);
        // Inline, but key type 2 (Secp256k1), whose keys have 33 bytes.
        let secp256k1 = [&[0x00, 37, 0x08, 0x02, 0x12, 33][..], &[2; 33]].concat();
        assert_eq!(device_of(&PeerId::from_bytes(&secp256k1).unwrap()), None);
        // Key type 2 with the length of an Ed25519 key.
        let disguised = [&[0x00, 36, 0x08, 0x02, 0x12, 32][..], &[2; 32]].concat();
        assert_eq!(device_of(&PeerId::from_bytes(&disguised).unwrap()), None);
    }

    proptest! {
        #[test]
        fn every_device_reads_back_from_its_peer_id(key: [u8; 32]) {
            prop_assert_eq!(device_of(&peer_of(&DeviceId(key))), Some(DeviceId(key)));
        }
    }
}
