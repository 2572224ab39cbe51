//! Keys that sign with a hash: whoever has the name can sign, and nobody here does so for another.

use super::address_of;
use quern_primitives::{
    ids::GenesisHash,
    payload::{DeviceSignature, Signed, SignedPayload},
};
use quern_swarm_file::PeerAddress;
use quern_swarm_rules::{Keys, PeerId};

#[derive(Clone, Debug)]
pub(crate) struct Sham(PeerId, PeerAddress);

impl Sham {
    pub(crate) fn new(seed: u64, number: usize) -> Self {
        let mut name = [0; 32];
        for (at, byte) in name.iter_mut().enumerate() {
            let mixed =
                (seed ^ (number as u64) << 32 ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = (mixed >> 40) as u8;
        }
        name[..8].copy_from_slice(
            &(number as u64 + 1)
                .wrapping_mul(0xd6e8_feb8_6659_fd93)
                .to_le_bytes(),
        );
        let id = PeerId::from(name);
        Self(id, address_of(&id))
    }

    pub(crate) fn id(&self) -> PeerId {
        self.0
    }

    pub(crate) fn address(&self) -> PeerAddress {
        self.1.clone()
    }

    pub(crate) fn sign_word<P: SignedPayload>(&self, word: P) -> Signed<P> {
        self.sign(word, &GenesisHash(super::TASK.0))
    }
}

impl Keys for Sham {
    fn id(&self) -> PeerId {
        self.0
    }

    fn sign<P: SignedPayload>(&self, payload: P, task: &GenesisHash) -> Signed<P> {
        let signature = signature(&payload, &self.0, task);
        Signed { payload, signature }
    }

    fn holds<P: SignedPayload>(&self, word: &Signed<P>, by: &PeerId, task: &GenesisHash) -> bool {
        word.signature == signature(&word.payload, by, task)
    }
}

fn signature<P: SignedPayload>(word: &P, by: &PeerId, task: &GenesisHash) -> DeviceSignature {
    let digest = word.signing_digest(task);
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&digest);
    bytes[32..].copy_from_slice(&by.0);
    DeviceSignature(bytes)
}
