//! Keeping pieces: what a masternode asks of a device that may keep data of others, and what it is answered.
//!
//! # The flow
//!
//! The masternode always asks, over the connection that the device made; each wish has a stream of its own, which the
//! answer ends.
//!
//! ```text
//! masternode                                  device
//!   │ Wish::Room                               │
//!   ├─────────────────────────────────────────►│
//!   │◄─────────────────────── Answer::Room ────┤  what its owner's settings leave
//!   │ Wish::Take { contract, terms, entry }    │
//!   ├─────────────────────────────────────────►│
//!   │◄─────────────── Fetching, later: Has ────┤  it fetches the piece by its name ([`crate::fetch`]),
//!   │                                          │  of who has it; it is asked again until it has it
//!   │ Wish::Sign { contract, piece, since … }  │
//!   ├─────────────────────────────────────────►│
//!   │◄───────────────────── Answer::Signed ────┤  a consent that the chain takes
//!   │ Wish::Prove { contract, piece, chunks }  │  each period
//!   ├─────────────────────────────────────────►│
//!   │◄───────────────────── Answer::Proved ────┤  these chunks, each with its path to the root
//!   │ Wish::Drop { contract, piece }           │
//!   ├─────────────────────────────────────────►│
//!   │◄──────────────────── Answer::Dropped ────┤  unless the chain says that it holds the piece
//! ```
//!
//! Repeating a wish is harmless. A device believes a masternode nothing but that a piece is wanted: what it holds it
//! reads from the chain itself.
//!
//! # Limits
//!
//! See [`limits`] for the bytes of a message. A list of chunks and a chunk with its path are bounded by their types.

use crate::limits;
use codec::{Decode, DecodeAll, Encode};
use quern_primitives::{
    custody::{ChallengedChunk, PieceEntry, Terms, piece_chunks},
    ids::{AccountId, ContractId, Period, PieceIndex},
    limits::{CHALLENGED_CHUNKS_MAX, PIECES_PER_CONTRACT_MAX},
    payload::DeviceSignature,
};

/// The protocol's name and version, as negotiated between peers.
pub const PROTOCOL: &str = "/quern/keep/1";

/// What a masternode asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Wish {
    /// How much the device would still keep.
    Room,
    /// Fetch a piece, and keep it for as long as it takes to sign for it.
    Take {
        /// The contract.
        contract: ContractId,
        /// Its terms, which the device signs with its consent.
        terms: Terms,
        /// The piece.
        entry: PieceEntry,
    },
    /// Sign for a piece that is there, on the terms that were told with [`Wish::Take`].
    Sign {
        /// The contract.
        contract: ContractId,
        /// The piece.
        piece: PieceIndex,
        /// The account that the chain has for the device.
        account: AccountId,
        /// The first period in which it is held.
        since: Period,
    },
    /// Show chunks of a piece.
    Prove {
        /// The contract.
        contract: ContractId,
        /// The piece.
        piece: PieceIndex,
        /// Which chunks, in the order of the answer: 1 to [`CHALLENGED_CHUNKS_MAX`].
        chunks: Vec<u32>,
    },
    /// Erase a piece that it does not hold.
    Drop {
        /// The contract.
        contract: ContractId,
        /// The piece.
        piece: PieceIndex,
    },
}

/// What a device answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// So many bytes more.
    Room {
        /// Bytes of pieces.
        bytes: u64,
    },
    /// The piece is there, and is what its entry says.
    Has,
    /// It is being fetched.
    Fetching {
        /// Bytes that are there.
        bytes: u64,
    },
    /// The device's signature under its consent.
    Signed(DeviceSignature),
    /// The chunks, in the order in which they were asked for.
    Proved(Vec<ChallengedChunk>),
    /// It is not there any more, or was not.
    Dropped,
    /// Not, and why.
    No(Reason),
}

/// Why a device does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// Its owner keeps nothing for others.
    KeepsNothing,
    /// There is no room for it.
    NoRoom,
    /// It does not have the piece.
    NotHere,
    /// What it has of it is not what it was.
    Damaged,
    /// It does not sign so: for another account than its own, or for a period that is over or too far away.
    NotSo,
    /// It has too much to do. It may be asked again.
    Busy,
    /// The chain says that it holds the piece, or could not be asked.
    Held,
}

/// Why bytes from a peer are no message of [`PROTOCOL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepDecodeError {
    /// More bytes than a message may have.
    #[error("a message of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// The message's length.
        bytes: usize,
        /// The most that it may be.
        limit: usize,
    },
    /// Not the encoding of a message of this version.
    #[error("not a message of {PROTOCOL}; the peer may run another version")]
    Malformed,
    /// A contract's piece beyond the last that any contract has.
    #[error("there is no piece {piece}; a contract has {PIECES_PER_CONTRACT_MAX} at most")]
    NoSuchPiece {
        /// Which.
        piece: PieceIndex,
    },
    /// A piece's length that none has, or an entry of another version.
    #[error("an entry of version {version} and {bytes} bytes is no piece's")]
    NoSuchEntry {
        /// The entry's version.
        version: u8,
        /// The piece's bytes.
        bytes: u64,
    },
    /// No chunks, or more than a challenge asks for.
    #[error("{found} chunks, where 1 to {CHALLENGED_CHUNKS_MAX} are asked for at a time")]
    ChunkCount {
        /// How many.
        found: usize,
    },
}

/// A message of [`PROTOCOL`].
pub trait KeepMessage: Encode + Decode {
    /// Bytes of the longest.
    const BYTES_MAX: usize;

    /// Checks every number and collection in it.
    fn check(&self) -> Result<(), KeepDecodeError>;
}

/// Encodes a message for the wire. The encoding of a message that passes [`KeepMessage::check`] is never longer than
/// its kind's longest.
pub fn encode<M: KeepMessage>(message: &M) -> Vec<u8> {
    message.encode()
}

/// Decodes and checks a peer's bytes.
pub fn decode<M: KeepMessage>(bytes: &[u8]) -> Result<M, KeepDecodeError> {
    if bytes.len() > M::BYTES_MAX {
        return Err(KeepDecodeError::TooLarge {
            bytes: bytes.len(),
            limit: M::BYTES_MAX,
        });
    }
    let message = M::decode_all(&mut &bytes[..]).map_err(|_| KeepDecodeError::Malformed)?;
    message.check()?;
    Ok(message)
}

impl KeepMessage for Wish {
    const BYTES_MAX: usize = limits::WISH_BYTES_MAX;

    fn check(&self) -> Result<(), KeepDecodeError> {
        match self {
            Self::Room => Ok(()),
            Self::Take { entry, .. } => {
                let PieceEntry { version, bytes, .. } = *entry;
                if version != PieceEntry::VERSION || piece_chunks(bytes).is_none() {
                    return Err(KeepDecodeError::NoSuchEntry { version, bytes });
                }
                is_piece(entry.piece)
            }
            Self::Prove { piece, chunks, .. } => {
                are_chunks(chunks.len())?;
                is_piece(*piece)
            }
            Self::Sign { piece, .. } | Self::Drop { piece, .. } => is_piece(*piece),
        }
    }
}

impl KeepMessage for Answer {
    const BYTES_MAX: usize = limits::KEEP_ANSWER_BYTES_MAX;

    fn check(&self) -> Result<(), KeepDecodeError> {
        match self {
            Self::Proved(chunks) => are_chunks(chunks.len()),
            _ => Ok(()),
        }
    }
}

fn is_piece(piece: PieceIndex) -> Result<(), KeepDecodeError> {
    if piece >= PIECES_PER_CONTRACT_MAX {
        return Err(KeepDecodeError::NoSuchPiece { piece });
    }
    Ok(())
}

fn are_chunks(found: usize) -> Result<(), KeepDecodeError> {
    if found == 0 || found > CHALLENGED_CHUNKS_MAX as usize {
        return Err(KeepDecodeError::ChunkCount { found });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
