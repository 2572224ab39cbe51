//! A piece as its contract names it, and what an owner asks of it in private.

use crate::{
    ids::{Digest, PieceIndex},
    limits::{CUSTODY_PROOF_HASHES_MAX, PIECE_BYTES_MAX},
    merkle::{CHUNK_BYTES, Proof},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// What a contract says of a piece: encoded, a leaf of the tree whose root is on the chain.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct PieceEntry {
    /// [`PieceEntry::VERSION`].
    pub version: u8,
    /// Which piece; the leaf's own place.
    pub piece: PieceIndex,
    /// The root over the piece's chunks.
    pub chunk_root: Digest,
    /// The piece's bytes.
    pub bytes: u64,
    /// The root over the leaves of its private audits; of no meaning where there are none.
    pub audit_root: Digest,
    /// How often that tree's leaves are halved until one is left, rounded up.
    pub audit_depth: u8,
}

impl PieceEntry {
    /// The only version there is.
    pub const VERSION: u8 = 1;
}

/// How many chunks a piece of so many bytes has; none if no piece has as many bytes.
pub fn piece_chunks(bytes: u64) -> Option<u32> {
    let is_piece = (1..=PIECE_BYTES_MAX).contains(&bytes);
    let chunks = bytes.div_ceil(CHUNK_BYTES as u64);
    u32::try_from(chunks).ok().filter(|_| is_piece)
}

/// That some data are the leaf at one index of a tree of at most 65,536.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct ShortProof {
    /// The leaf's place.
    pub index: u32,
    /// The tree's number of leaves.
    pub count: u32,
    /// The nodes beside the path from leaf to top, lowest first; exactly as many as index and count demand.
    pub siblings: BoundedVec<Digest, ConstU32<CUSTODY_PROOF_HASHES_MAX>>,
}

impl ShortProof {
    /// The root under which `data` are the leaf at this place; none if there is no such place, or not as
    /// many siblings as it demands.
    pub fn root_over(&self, data: &[u8]) -> Option<Digest> {
        let proof = Proof {
            index: self.index,
            count: self.count,
            siblings: self.siblings.to_vec(),
        };
        proof.root_over(data)
    }
}

/// None if the path is longer than one in a tree of 65,536 leaves.
impl TryFrom<Proof> for ShortProof {
    type Error = ();

    fn try_from(proof: Proof) -> Result<Self, ()> {
        Ok(Self {
            index: proof.index,
            count: proof.count,
            siblings: proof.siblings.try_into().map_err(|_| ())?,
        })
    }
}

/// One private audit: 67 bytes that say which bytes of a piece are asked for. Whoever has it and the piece
/// can answer; the piece alone does not tell what will be asked.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Audit {
    /// What hides the answer: two audits of the same bytes have other leaves.
    pub salt: [u8; 32],
    /// What the places of the sections follow from.
    pub seed: [u8; 32],
    /// How many sections are asked for.
    pub sections: u16,
    /// Bytes of each.
    pub section_bytes: u8,
}

/// What a holder says to an audit.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct AuditAnswer {
    /// The hash over the salt and the sections.
    pub pre_leaf: Digest,
    /// That its leaf is one of the piece's audits.
    pub proof: ShortProof,
}
