//! Opening, whole or by streams.

use super::{
    Expected, ExpectedLength, HEADER_BYTES, Segments, TAG_BYTES, header::Header, sealed_bytes,
};
use crate::{
    context::{Kind, ShardContext},
    keys::ShardKey,
    reading::read_up_to,
};
use quern_primitives::{DeviceId, GenesisHash, JobId, ProgramHash, ids::ReplicaIndex};
use std::io::{self, Read};

/// Why something does not open. None of it is the opener's fault: the bytes, the key or the place
/// are not those that were sealed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The sealed bytes could not be read.
    #[error("the sealed bytes could not be read; see to their source and open anew")]
    Read {
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// The bytes do not begin like anything sealed.
    #[error("this was not sealed by quern; check that it is the file you mean")]
    NotSealed,
    /// Sealed in a format that this program does not know.
    #[error("the format has version {found}, this program knows 1; update it")]
    UnknownVersion {
        /// The version in the header.
        found: u8,
    },
    /// A result where a shard is wanted, or the like.
    #[error("expected a {expected}, found kind {found}; fetch the right one")]
    OtherKind {
        /// What is wanted.
        expected: Kind,
        /// The kind in the header.
        found: u8,
    },
    /// Sealed for another chain.
    #[error("sealed for the chain {found}, not {expected}; connect to the other chain")]
    OtherChain {
        /// The chain wanted.
        expected: GenesisHash,
        /// The chain in the header.
        found: GenesisHash,
    },
    /// Sealed for another job.
    #[error("sealed for job {found}, not {expected}; fetch the right one")]
    OtherJob {
        /// The job wanted.
        expected: JobId,
        /// The job in the header.
        found: JobId,
    },
    /// Sealed for another program.
    #[error("sealed for program {found}, not {expected}; fetch the right one")]
    OtherProgram {
        /// The program wanted.
        expected: ProgramHash,
        /// The program in the header.
        found: ProgramHash,
    },
    /// Sealed by another device.
    #[error("sealed by device {found}, not {expected}; fetch the right one")]
    OtherDevice {
        /// The device wanted.
        expected: DeviceId,
        /// The device in the header.
        found: DeviceId,
    },
    /// The shard or result of another task.
    #[error("sealed for task {found}, not {expected}; fetch the right one")]
    OtherIndex {
        /// The task wanted.
        expected: u32,
        /// The task in the header.
        found: u32,
    },
    /// Sealed for a job with another number of tasks.
    #[error("sealed as one of {found}, not of {expected}; fetch the right one")]
    OtherCount {
        /// The number of tasks wanted.
        expected: u32,
        /// The number of tasks in the header.
        found: u32,
    },
    /// The result of another replica.
    #[error("sealed for replica {found}, not {expected}; fetch the right one")]
    OtherReplica {
        /// The replica wanted.
        expected: ReplicaIndex,
        /// The replica in the header.
        found: ReplicaIndex,
    },
    /// Of another length than the manifest says.
    #[error("holds {found} bytes, not {expected}; fetch the right one")]
    OtherLength {
        /// Plaintext bytes wanted.
        expected: u64,
        /// Plaintext bytes in the header.
        found: u64,
    },
    /// Longer than its kind may be.
    #[error("holds {found} bytes where {max} are allowed; refuse it")]
    TooLong {
        /// Plaintext bytes in the header.
        found: u64,
        /// Plaintext bytes allowed.
        max: u64,
    },
    /// The key is not the one that sealed, or the header was altered.
    #[error("the key is not the one this was sealed with; fetch key and data anew")]
    OtherKey,
    /// The bytes end too early.
    #[error("ends after {found_bytes} of {expected_bytes} bytes; fetch the rest")]
    Truncated {
        /// Sealed bytes that belong here.
        expected_bytes: u64,
        /// Sealed bytes that came.
        found_bytes: u64,
    },
    /// There are bytes behind the last segment.
    #[error("goes on behind its {expected_bytes} bytes; fetch it anew")]
    TrailingBytes {
        /// Sealed bytes that belong here.
        expected_bytes: u64,
    },
    /// A segment was altered, or is not at its place.
    #[error("segment {segment} was altered, moved or repeated; fetch it anew")]
    SegmentNotAuthentic {
        /// The segment's place, counted from zero.
        segment: u64,
    },
    /// Reading went on after an error.
    #[error("opening failed before; start anew")]
    FailedBefore,
}

/// Opens a shard that is in memory. Gives all of its plaintext or none.
pub fn open(key: &ShardKey, context: &ShardContext, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    open_subject(key.expose(), &expected(context), sealed)
}

/// Opens anything that is in memory. Allocates no more than the sealed bytes' own length.
pub(crate) fn open_subject(
    secret: &[u8; 32],
    expected: &Expected,
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let found_bytes = sealed.len() as u64;
    let Some((header, mut rest)) = sealed.split_first_chunk::<HEADER_BYTES>() else {
        return Err(OpenError::Truncated {
            expected_bytes: HEADER_BYTES as u64,
            found_bytes,
        });
    };
    let (header, key) = Header::open(header, expected, secret)?;
    let expected_bytes = sealed_bytes(header.plaintext_bytes);
    if found_bytes < expected_bytes {
        return Err(OpenError::Truncated {
            expected_bytes,
            found_bytes,
        });
    }
    if found_bytes > expected_bytes {
        return Err(OpenError::TrailingBytes { expected_bytes });
    }
    let mut segments = Segments::new(&header, &key);
    // Room for the last segment's tag, which is cut off again once it is checked.
    let mut plaintext = Vec::with_capacity(rest.len());
    while segments.remain() {
        let (segment, after) = rest.split_at(segments.next_bytes() + TAG_BYTES);
        segments.open_onto(segment, &mut plaintext).map_err(|_| {
            OpenError::SegmentNotAuthentic {
                segment: segments.next,
            }
        })?;
        rest = after;
    }
    Ok(plaintext)
}

fn expected(context: &ShardContext) -> Expected {
    let length = ExpectedLength::Exactly(context.plaintext_bytes);
    Expected {
        subject: context.into(),
        length,
    }
}

/// Opens a shard as its sealed bytes come. Holds one segment in memory, whatever the shard's
/// length.
///
/// What it has released is authentic and at its place, but only [`Opener::next_segment`]'s `None`
/// (as a [`Read`]: the end) says that it was all.
pub struct Opener<R> {
    input: R,
    segments: Segments,
    failed: bool,
    /// The last segment, opened where it was read to; nothing after an error.
    plaintext: Vec<u8>,
    /// How much of it was taken through [`Read`].
    taken: usize,
}

impl<R: Read> Opener<R> {
    /// Reads the header and checks key and place.
    pub fn new(mut input: R, key: &ShardKey, context: &ShardContext) -> Result<Self, OpenError> {
        let mut bytes = Vec::new();
        read_up_to(&mut input, HEADER_BYTES, &mut bytes)
            .map_err(|source| OpenError::Read { source })?;
        let Some(header) = bytes.first_chunk() else {
            let (expected_bytes, found_bytes) = (HEADER_BYTES as u64, bytes.len() as u64);
            return Err(OpenError::Truncated {
                expected_bytes,
                found_bytes,
            });
        };
        let (header, key) = Header::open(header, &expected(context), key.expose())?;
        let segments = Segments::new(&header, &key);
        bytes.clear();
        // No segment is longer than the first, and one byte more is read behind the last.
        bytes.reserve_exact(segments.next_bytes() + TAG_BYTES + 1);
        Ok(Self {
            input,
            segments,
            failed: false,
            plaintext: bytes,
            taken: 0,
        })
    }

    /// The next stretch of authentic plaintext; `None` when that was all. After an error there is
    /// only [`OpenError::FailedBefore`].
    pub fn next_segment(&mut self) -> Result<Option<&[u8]>, OpenError> {
        let is_more = self.advance()?;
        self.taken = self.plaintext.len();
        Ok(is_more.then_some(&self.plaintext))
    }

    /// Opens the next segment if there is one; nothing of it is taken yet.
    fn advance(&mut self) -> Result<bool, OpenError> {
        if self.failed {
            return Err(OpenError::FailedBefore);
        }
        self.taken = 0;
        if !self.segments.remain() {
            self.plaintext.clear();
            return Ok(false);
        }
        // Set until the segment is found to be good, so that no way out leaves it unset.
        self.failed = true;
        // What was opened before is overwritten: a buffer that was emptied would be filled with zeros first.
        let opened = self.open_next();
        if opened.is_err() {
            // It may hold what was read and is no plaintext.
            self.plaintext.clear();
        }
        opened?;
        self.failed = false;
        Ok(true)
    }

    fn open_next(&mut self) -> Result<(), OpenError> {
        let expected_bytes = sealed_bytes(self.segments.plaintext_bytes);
        let segment = self.segments.next;
        let before = HEADER_BYTES as u64 + segment * (super::SEGMENT_BYTES + TAG_BYTES) as u64;
        let wanted = self.segments.next_bytes() + TAG_BYTES;
        // One byte more than belongs there shows what stands behind the end.
        let probe = usize::from(self.segments.next_is_last());
        read_up_to(&mut self.input, wanted + probe, &mut self.plaintext)
            .map_err(|source| OpenError::Read { source })?;
        let found = self.plaintext.len();
        if found < wanted {
            let found_bytes = before + found as u64;
            return Err(OpenError::Truncated {
                expected_bytes,
                found_bytes,
            });
        }
        if found > wanted {
            return Err(OpenError::TrailingBytes { expected_bytes });
        }
        self.segments
            .open_from(0, &mut self.plaintext)
            .map_err(|_| OpenError::SegmentNotAuthentic { segment })
    }
}

/// The plaintext as a stream. An [`OpenError`] comes as [`io::ErrorKind::InvalidData`] with itself
/// inside.
impl<R: Read> Read for Opener<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.plaintext.len() && !out.is_empty() {
            self.advance()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        let untaken = &self.plaintext[self.taken..];
        let length = untaken.len().min(out.len());
        out[..length].copy_from_slice(&untaken[..length]);
        self.taken += length;
        Ok(length)
    }
}
