//! What the chain asks of a holder, and what it is answered.

use super::piece::ShortProof;
use crate::{
    amount::Amount,
    ids::{AccountId, BlockNumber, ContractId, DeviceId, Digest, Period, PieceIndex},
    limits::CHUNKS_PER_PART_MAX,
    merkle::CHUNK_BYTES,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// One device's hold of one piece of one contract.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Place {
    /// The contract.
    pub contract: ContractId,
    /// The piece.
    pub piece: PieceIndex,
    /// The device.
    pub holder: DeviceId,
}

/// A challenge that waits for its answer on the chain.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Challenge {
    /// What the chunks that are asked for follow from.
    pub seed: Digest,
    /// The period in which the piece is to be there.
    pub period: Period,
    /// When it was opened.
    pub opened_at: BlockNumber,
    /// The last block in which it may be answered.
    pub due: BlockNumber,
    /// Who opened it.
    pub opener: AccountId,
    /// What they put up.
    pub bond: Amount,
    /// Bit `i` says whether part `i` is answered.
    pub answered: u8,
}

/// A chunk that was asked for.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct ChallengedChunk {
    /// Its bytes.
    pub bytes: BoundedVec<u8, ConstU32<{ CHUNK_BYTES as u32 }>>,
    /// That they are at their place of the piece.
    pub proof: ShortProof,
}

/// One part of an answer: what one call has room for.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Answer {
    /// Which part, from 0.
    pub part: u8,
    /// The part's chunks, in the order in which they were drawn.
    pub chunks: BoundedVec<ChallengedChunk, ConstU32<CHUNKS_PER_PART_MAX>>,
}
