//! One pass from a source to a destination, a segment at a time, in the memory of one segment.

use super::{OpenError, Opener, SealError, SealSalt, Sealer, sealed_bytes};
use crate::{context::ShardContext, keys::ShardKey};
use quern_primitives::Digest;
use std::io::{self, Read, Write};

/// What is known of a shard once it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedFacts {
    /// Sealed bytes that were written.
    pub bytes: u64,
    /// The root over their chunks.
    pub chunk_root: Digest,
}

/// Seals a shard from its source to its destination, to the bytes that [`seal`](super::seal) makes.
/// Each segment is read, encrypted where it lies, hashed while it is in the cache, and written. Holds
/// one segment, and the tree's leaves of 32 bytes per chunk; allocates nothing for a segment.
///
/// The source has to have exactly the plaintext bytes of the context. After an error the destination
/// has a truncated shard, which does not open.
pub fn seal_into(
    key: &ShardKey,
    salt: SealSalt,
    context: &ShardContext,
    plaintext: impl Read,
    sink: impl Write,
) -> Result<SealedFacts, SealError> {
    let mut sealer = Sealer::new(sink, key, salt, context)?;
    sealer.take_from(plaintext)?;
    let (_, tree) = sealer.finish()?;
    Ok(SealedFacts {
        bytes: sealed_bytes(context.plaintext_bytes),
        chunk_root: tree.root(),
    })
}

/// Why a shard was not opened into its destination.
#[derive(Debug, thiserror::Error)]
pub enum OpenIntoError {
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The plaintext could not be written.
    #[error("the plaintext could not be written; see to the destination and open anew")]
    Write {
        /// What the destination said.
        #[source]
        source: io::Error,
    },
}

/// Opens a shard from its source to its destination. Holds one segment, and writes it only when it
/// is authentic and at its place; the last one only when the source ends behind it.
///
/// After an error the destination has a beginning of the plaintext. Only `Ok` says that it was all.
pub fn open_into(
    key: &ShardKey,
    context: &ShardContext,
    sealed: impl Read,
    mut sink: impl Write,
) -> Result<(), OpenIntoError> {
    let write = |source| OpenIntoError::Write { source };
    let mut opener = Opener::new(sealed, key, context)?;
    while let Some(segment) = opener.next_segment()? {
        sink.write_all(segment).map_err(write)?;
    }
    sink.flush().map_err(write)
}
