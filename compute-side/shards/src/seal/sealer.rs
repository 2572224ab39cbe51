//! Sealing, whole or by streams.

use super::{SEGMENT_BYTES, SealSalt, Segments, TAG_BYTES, header::Header, sealed_bytes};
use crate::{
    chunks::{ChunkHasher, ChunkTree},
    context::{ShardContext, Subject},
    keys::ShardKey,
    reading::read_up_to,
};
use quern_primitives::Digest;
use std::io::{self, Read, Write};

/// Why something was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// More plaintext than its kind may have.
    #[error(
        "{found} bytes are too many for one sealed thing; cut them into parts of at most {max}"
    )]
    TooLong {
        /// Plaintext bytes announced.
        found: u64,
        /// Plaintext bytes allowed.
        max: u64,
    },
    /// The plaintext is not as long as announced; the seal is bound to its length.
    #[error("{expected} bytes were announced and {found} came; the input changed, cut it anew")]
    OtherLength {
        /// Plaintext bytes announced.
        expected: u64,
        /// Plaintext bytes that came, or at least so many.
        found: u64,
    },
    /// The plaintext could not be read.
    #[error("the input could not be read; see to its source and seal anew")]
    Read {
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// The sealed bytes could not be written.
    #[error("the sealed bytes could not be written; see to the destination and seal anew")]
    Write {
        /// What the destination said.
        #[source]
        source: io::Error,
    },
}

/// Sealed bytes and the root that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Header and segments.
    pub bytes: Vec<u8>,
    /// The root over the chunks of `bytes`.
    pub chunk_root: Digest,
}

/// Seals a shard that is in memory.
pub fn seal(
    key: &ShardKey,
    salt: SealSalt,
    context: &ShardContext,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    let (expected, found) = (context.plaintext_bytes, plaintext.len() as u64);
    if expected != found {
        return Err(SealError::OtherLength { expected, found });
    }
    seal_subject(key.expose(), salt, context.into(), plaintext)
}

/// Seals anything that is in memory.
pub(crate) fn seal_subject(
    secret: &[u8; 32],
    salt: SealSalt,
    subject: Subject,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    let (mut segments, header) = start(secret, salt, subject, plaintext.len() as u64)?;
    let total = sealed_bytes(plaintext.len() as u64);
    let mut bytes = Vec::with_capacity(usize::try_from(total).unwrap_or_default());
    let mut chunks = ChunkHasher::new();
    bytes.extend_from_slice(&header);
    chunks.update(&header);
    let mut rest = plaintext;
    while segments.remain() {
        let (segment, after) = rest.split_at(segments.next_bytes());
        let start = bytes.len();
        segments.seal_onto(segment, &mut bytes);
        chunks.update(&bytes[start..]);
        rest = after;
    }
    Ok(Sealed {
        bytes,
        chunk_root: chunks.finish().root(),
    })
}

fn start(
    secret: &[u8; 32],
    salt: SealSalt,
    subject: Subject,
    plaintext_bytes: u64,
) -> Result<(Segments, [u8; super::HEADER_BYTES]), SealError> {
    let max = subject.kind.plaintext_bytes_max();
    if plaintext_bytes > max {
        return Err(SealError::TooLong {
            found: plaintext_bytes,
            max,
        });
    }
    let (header, key) = Header::seal(subject, plaintext_bytes, salt, secret);
    Ok((Segments::new(&header, &key), header.encode()))
}

/// Seals a shard as its plaintext comes, and writes the sealed bytes as they are made. Holds one
/// segment in memory, whatever the shard's length, and 32 bytes per chunk for the tree.
///
/// Dropped without [`Sealer::finish`] it leaves a truncated shard behind, which does not open.
pub struct Sealer<W> {
    out: W,
    segments: Segments,
    /// The segment that is not full yet; it is sealed where it lies.
    segment: Vec<u8>,
    chunks: ChunkHasher,
}

impl<W: Write> Sealer<W> {
    /// Starts a shard: writes its header.
    pub fn new(
        out: W,
        key: &ShardKey,
        salt: SealSalt,
        context: &ShardContext,
    ) -> Result<Self, SealError> {
        let (segments, header) =
            start(key.expose(), salt, context.into(), context.plaintext_bytes)?;
        let chunks = ChunkHasher::for_bytes(sealed_bytes(context.plaintext_bytes));
        let longest = (segments.next_bytes() + TAG_BYTES).max(header.len());
        let mut segment = Vec::with_capacity(longest);
        segment.extend_from_slice(&header);
        let mut sealer = Self {
            out,
            segments,
            segment,
            chunks,
        };
        sealer.write_sealed()?;
        sealer.segment.clear();
        Ok(sealer)
    }

    /// Takes the next plaintext bytes, in stretches of any length.
    pub fn push(&mut self, mut plaintext: &[u8]) -> Result<(), SealError> {
        while !plaintext.is_empty() {
            if !self.segments.remain() || self.segments.next_bytes() == 0 {
                let expected = self.segments.plaintext_bytes;
                let found = expected.saturating_add(plaintext.len() as u64);
                return Err(SealError::OtherLength { expected, found });
            }
            let wanted = self.segments.next_bytes() - self.segment.len();
            let (first, rest) = plaintext.split_at(wanted.min(plaintext.len()));
            self.segment.extend_from_slice(first);
            if first.len() == wanted {
                self.seal_segment()?;
                self.segment.clear();
            }
            plaintext = rest;
        }
        Ok(())
    }

    /// Takes all of the plaintext from its source, a segment at a time, and seals each where it was
    /// read to. Nothing was pushed before.
    pub(super) fn take_from(&mut self, mut plaintext: impl Read) -> Result<(), SealError> {
        while self.segments.remain() {
            let wanted = self.segments.next_bytes();
            // What was sealed before is overwritten: a buffer that was emptied would be filled with zeros
            // first.
            //
            // One byte more than was announced shows that the input goes on; so the last segment is
            // not even made then.
            let probe = usize::from(self.segments.next_is_last());
            read_up_to(&mut plaintext, wanted + probe, &mut self.segment)
                .map_err(|source| SealError::Read { source })?;
            if self.segment.len() != wanted {
                return Err(self.other_length());
            }
            self.seal_segment()?;
        }
        Ok(())
    }

    /// Ends the shard. Gives back the destination and the tree over the sealed bytes.
    pub fn finish(mut self) -> Result<(W, ChunkTree), SealError> {
        if self.segments.plaintext_bytes == 0 && self.segments.remain() {
            self.seal_segment()?;
        }
        if self.segments.remain() {
            return Err(self.other_length());
        }
        self.out
            .flush()
            .map_err(|source| SealError::Write { source })?;
        Ok((self.out, self.chunks.finish()))
    }

    /// What came is the segments that are sealed and what is held of the next.
    fn other_length(&self) -> SealError {
        let expected = self.segments.plaintext_bytes;
        let found = self.segments.next * SEGMENT_BYTES as u64 + self.segment.len() as u64;
        SealError::OtherLength { expected, found }
    }

    fn seal_segment(&mut self) -> Result<(), SealError> {
        self.segments.seal_from(0, &mut self.segment);
        self.write_sealed()
    }

    fn write_sealed(&mut self) -> Result<(), SealError> {
        // Hashed first: the segment is still in the cache from being sealed.
        self.chunks.update(&self.segment);
        self.out
            .write_all(&self.segment)
            .map_err(|source| SealError::Write { source })
    }
}
