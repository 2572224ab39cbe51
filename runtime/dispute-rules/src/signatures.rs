//! How signatures are checked: by whoever calls.

use quern_primitives::{
    ids::{DeviceId, GenesisHash, NodeKey},
    payload::{DeviceSignature, NodeSignature, NodeSigned, Signature as _, Signed, SignedPayload},
};

/// Checks Ed25519 signatures. The chain passes its host's, clients and tests pass [`Ed25519`].
pub trait Signatures {
    /// Whether `signature` is `public`'s over `digest`.
    fn is_ed25519(&self, signature: &[u8; 64], digest: &[u8; 32], public: &[u8; 32]) -> bool;

    /// Whether a masternode signed this for the chain with this genesis.
    fn is_nodes<P: SignedPayload>(
        &self,
        signed: &NodeSigned<P>,
        node: &NodeKey,
        genesis: &GenesisHash,
    ) -> bool {
        let digest = signed.payload.signing_digest(genesis);
        // Under a key of small order anybody signs anything.
        !node.is_small_order() && self.is_ed25519(&signed.signature.0, &digest, &node.0)
    }

    /// Whether a device signed this for the chain with this genesis.
    fn is_devices<P: SignedPayload>(
        &self,
        signed: &Signed<P, DeviceSignature>,
        device: &DeviceId,
        genesis: &GenesisHash,
    ) -> bool {
        let digest = signed.payload.signing_digest(genesis);
        !device.is_small_order() && self.is_ed25519(&signed.signature.0, &digest, &device.0)
    }
}

/// Checks signatures without a host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519;

impl Signatures for Ed25519 {
    fn is_ed25519(&self, signature: &[u8; 64], digest: &[u8; 32], public: &[u8; 32]) -> bool {
        NodeSignature(*signature).holds(digest, &NodeKey(*public))
    }
}
