//! Fetching content by its name: what is asked, and what stands before the bytes.
//!
//! # The flow
//!
//! Whoever wants something opens a stream for each question, and the other side ends it with its answer.
//!
//! ```text
//! who wants something                        who may have it
//!   │ Question::Have { root, bytes }           │
//!   ├─────────────────────────────────────────►│
//!   │◄────────────── Holdings::Spans(bitmap) ──┤  or Busy, or No
//!   │                                          │
//!   │ Question::Spans { root, first, count 2 } │
//!   ├─────────────────────────────────────────►│
//!   │◄──────────── Head::Span, then its bytes ─┤
//!   │◄──────────── Head::Span, then its bytes ─┤  or Busy, or No, which end the answer
//! ```
//!
//! Each message has its length before it, as those of [`crate::PROTOCOL`]. A span's bytes have none: the
//! head says how many they are, so they go from a file into the stream without being copied into a
//! message. The asker knows by itself how many they must be.
//!
//! Spans come in the order in which they were asked for. A peer that does not get all of them asks for the
//! rest, of somebody else or later.
//!
//! # Limits
//!
//! See [`limits`] for the bytes of a message, [`shared`] for all else.

use crate::limits;
use codec::{Decode, DecodeAll, Encode};
use quern_primitives::{ids::Digest, limits as shared};

/// The protocol's name and version, as negotiated between peers.
pub const PROTOCOL: &str = "/quern/fetch/1";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Question {
    /// What the other side has of a thing.
    Have {
        /// The thing's chunk root.
        root: Digest,
        /// Its length: 1 to [`THING_BYTES_MAX`].
        bytes: u64,
    },
    /// Spans of a thing.
    Spans {
        /// The thing's chunk root.
        root: Digest,
        /// The first span.
        first: u32,
        /// How many: 1 to [`shared::SPANS_PER_QUESTION_MAX`].
        count: u8,
    },
}

/// Bytes of the longest thing.
pub const THING_BYTES_MAX: u64 = shared::SPANS_MAX as u64 * shared::SPAN_BYTES as u64;

/// The answer to [`Question::Have`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Holdings {
    /// These: a bit a span, the first in the lowest bit of the first byte. The asker knows how many bytes
    /// there must be, and that no bit is behind the last span.
    Spans(Vec<u8>),
    /// Not now, but perhaps after so long.
    Busy {
        /// Milliseconds.
        ms: u32,
    },
    /// Nothing, or not for who asks.
    No,
}

/// What stands before each span of the answer to [`Question::Spans`], or ends it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Head {
    /// The next span. As many bytes follow as it says.
    Span {
        /// Which.
        span: u32,
        /// Its bytes: 1 to [`shared::SPAN_BYTES`].
        bytes: u32,
        /// The proof that it is there: the siblings of its inner node, from below. How many chunks the
        /// thing has is not said, for the asker knows it and would have to believe nobody else.
        siblings: Vec<Digest>,
    },
    /// Not now, but perhaps after so long.
    Busy {
        /// Milliseconds.
        ms: u32,
    },
    /// It is not there, or not for who asks.
    No,
}

/// Why bytes from a peer are no message of [`PROTOCOL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchDecodeError {
    /// More bytes than a message may have.
    #[error(
        "a message of {bytes} bytes is over the limit of {}",
        limits::FETCH_MESSAGE_BYTES_MAX
    )]
    TooLarge {
        /// The message's length.
        bytes: usize,
    },
    /// Not the encoding of a message of this version.
    #[error("not a message of {PROTOCOL}; the peer may run another version")]
    Malformed,
    /// A field is nothing, where something must be asked for or follow.
    #[error("{field} is zero; it is at least one")]
    Zero {
        /// Which field.
        field: &'static str,
    },
    /// A collection or field in it breaks its limit.
    #[error("{field} holds {found}, over the limit of {limit}")]
    OverLimit {
        /// Which field.
        field: &'static str,
        /// How much it holds.
        found: u64,
        /// How much it may hold.
        limit: u64,
    },
}

/// A message of [`PROTOCOL`]: its fields can be held against their limits.
pub trait FetchMessage: Encode + Decode {
    /// Checks every collection and number in the message.
    fn check(&self) -> Result<(), FetchDecodeError>;
}

/// Encodes a message for the wire. The encoding of a message that passes [`FetchMessage::check`] is never
/// longer than [`limits::FETCH_MESSAGE_BYTES_MAX`].
pub fn encode<M: FetchMessage>(message: &M) -> Vec<u8> {
    message.encode()
}

/// Decodes and checks a peer's bytes.
pub fn decode<M: FetchMessage>(bytes: &[u8]) -> Result<M, FetchDecodeError> {
    if bytes.len() > limits::FETCH_MESSAGE_BYTES_MAX {
        return Err(FetchDecodeError::TooLarge { bytes: bytes.len() });
    }
    let message = M::decode_all(&mut &bytes[..]).map_err(|_| FetchDecodeError::Malformed)?;
    message.check()?;
    Ok(message)
}

impl FetchMessage for Question {
    fn check(&self) -> Result<(), FetchDecodeError> {
        match *self {
            Self::Have { bytes, .. } => within("have.bytes", bytes, THING_BYTES_MAX),
            Self::Spans { first, count, .. } => {
                let most = shared::SPANS_PER_QUESTION_MAX.into();
                within("spans.count", count.into(), most)?;
                let end = u64::from(first) + u64::from(count);
                within("spans.end", end, shared::SPANS_MAX.into())
            }
        }
    }
}

impl FetchMessage for Holdings {
    fn check(&self) -> Result<(), FetchDecodeError> {
        match self {
            Self::Spans(bitmap) => {
                let most = u64::from(shared::SPANS_MAX / 8);
                within("holdings.spans", bitmap.len() as u64, most)
            }
            Self::Busy { ms } => busy(*ms),
            Self::No => Ok(()),
        }
    }
}

impl FetchMessage for Head {
    fn check(&self) -> Result<(), FetchDecodeError> {
        match self {
            Self::Span {
                span,
                bytes,
                siblings,
            } => {
                let last = shared::SPANS_MAX - 1;
                over("head.span", u64::from(*span), last.into())?;
                within("head.bytes", u64::from(*bytes), shared::SPAN_BYTES.into())?;
                let most = shared::SPAN_PROOF_HASHES_MAX;
                over("head.siblings", siblings.len() as u64, most.into())
            }
            Self::Busy { ms } => busy(*ms),
            Self::No => Ok(()),
        }
    }
}

fn busy(ms: u32) -> Result<(), FetchDecodeError> {
    over("busy.ms", ms.into(), shared::BUSY_MS_MAX.into())
}

fn within(field: &'static str, found: u64, limit: u64) -> Result<(), FetchDecodeError> {
    if found == 0 {
        return Err(FetchDecodeError::Zero { field });
    }
    over(field, found, limit)
}

fn over(field: &'static str, found: u64, limit: u64) -> Result<(), FetchDecodeError> {
    if found > limit {
        return Err(FetchDecodeError::OverLimit {
            field,
            found,
            limit,
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
