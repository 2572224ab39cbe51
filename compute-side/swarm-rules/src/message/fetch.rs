//! How a piece comes: a question on a stream of its own, and chunks in order.

use super::read::{self, DecodeError};
use crate::limits;
use codec::{Decode, Encode};
use quern_primitives::Digest;
use quern_swarm_file::PieceIndex;

/// A piece is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fetch {
    /// Which.
    pub piece: PieceIndex,
    /// Under which root: two may have made it.
    pub root: Digest,
    /// From which chunk on.
    pub from: u32,
}

/// The next chunk of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Chunk {
    /// Which.
    pub chunk: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The hashes beside its way up to the root.
    pub path: Vec<Digest>,
}

impl Fetch {
    /// Reads a peer's bytes.
    ///
    /// # Errors
    ///
    /// If they are no question for a piece.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        read::decode(bytes, limits::FETCH_BYTES_MAX)
    }
}

impl Chunk {
    /// Reads a peer's bytes.
    ///
    /// # Errors
    ///
    /// If they are no chunk.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        read::decode(bytes, limits::CHUNK_MESSAGE_BYTES_MAX)
    }
}

impl read::Limited for Fetch {
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl read::Limited for Chunk {
    fn check(&self) -> Result<(), DecodeError> {
        read::at_most("chunk.bytes", self.bytes.len(), limits::CHUNK_BYTES_MAX)?;
        read::at_most("chunk.path", self.path.len(), limits::CHUNK_PATH_MAX)
    }
}
