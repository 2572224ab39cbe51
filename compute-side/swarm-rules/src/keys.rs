//! Whose words they are: signing and checking, both pure.
//!
//! The rules take what signs as an argument. An effect *sign this* would be answered by an event, and
//! between the two every rule would have to bear a word that is said and not signed; Ed25519 draws nothing,
//! so the same event gives the same effects all the same. A shell passes its [`DeviceKey`]; simulations of
//! a thousand peers pass a key whose signatures cost nothing.

use crate::message::PeerId;
use quern_primitives::{
    ids::GenesisHash,
    payload::{DeviceKey, Signed, SignedPayload},
};

/// A peer's own key, and how the words of others are checked.
pub trait Keys {
    /// The peer's name.
    fn id(&self) -> PeerId;

    /// Signs a word for a task, whose digest stands where the chain has its genesis.
    fn sign<P: SignedPayload>(&self, word: P, task: &GenesisHash) -> Signed<P>;

    /// Whether it is this peer's word for this task.
    fn holds<P: SignedPayload>(&self, word: &Signed<P>, by: &PeerId, task: &GenesisHash) -> bool;
}

impl Keys for DeviceKey {
    fn id(&self) -> PeerId {
        Self::id(self)
    }

    fn sign<P: SignedPayload>(&self, word: P, task: &GenesisHash) -> Signed<P> {
        Self::sign(self, word, task)
    }

    fn holds<P: SignedPayload>(&self, word: &Signed<P>, by: &PeerId, task: &GenesisHash) -> bool {
        word.is_signed_by(by, task)
    }
}
