//! Words that are signed, and so can be passed on. A signature is made over a tag, the task file's digest
//! where payloads of the chain have the genesis, and the payload: what was said of one task means nothing
//! in another.

use codec::{Decode, Encode};
use quern_primitives::{
    Digest,
    ids::DeviceId,
    payload::{Signed, SignedPayload},
};
use quern_swarm_file::PieceIndex;

/// A peer's name: its Ed25519 key, which is its identity among peers too.
pub type PeerId = DeviceId;

/// That somebody made a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Made {
    /// Which.
    pub piece: PieceIndex,
    /// Its length.
    pub bytes: u32,
    /// The root over its chunks.
    pub root: Digest,
    /// Who made it, and signs this.
    pub by: PeerId,
}

/// That somebody computes a piece now. A peer has one claim for each piece that it computes at a time: a
/// later one in the same slot takes the place of the one before, so claims merge in any order and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Claimed {
    /// Which.
    pub piece: PieceIndex,
    /// Which of the pieces that its signer computes at a time.
    pub slot: u8,
    /// Greater than that of every claim which its signer made before.
    pub number: u64,
    /// For how long, from when it is heard.
    pub ttl_ms: u32,
    /// Who computes it, and signs this.
    pub by: PeerId,
}

/// That somebody computed a piece which another had made, and how that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Statement {
    /// Which.
    pub piece: PieceIndex,
    /// The root that the other had signed.
    pub root: Digest,
    /// The other. Whoever signs the same root later, having seen it, is not meant.
    pub of: PeerId,
    /// Whether the same came out.
    pub holds: bool,
    /// Who computed it, and signs this.
    pub by: PeerId,
}

/// A word as it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Word {
    /// Who made a piece.
    Made(Signed<Made>),
    /// Who computes one.
    Claim(Signed<Claimed>),
    /// Who computed it too.
    Checked(Signed<Statement>),
}

impl SignedPayload for Made {
    const DOMAIN: &'static str = "quern/swarm-made/1";
}

impl SignedPayload for Claimed {
    const DOMAIN: &'static str = "quern/swarm-claim/1";
}

impl SignedPayload for Statement {
    const DOMAIN: &'static str = "quern/swarm-checked/1";
}
