//! What peers say to each other, and how it is read.
//!
//! # The flow
//!
//! Each of two peers that are connected says `Hello` first and what it has second. From then on it says
//! what is new, and twice in the time of a piece what its knowledge adds up to, so that what was lost is
//! asked for again.
//!
//! ```text
//!   Hello, Bitfield                 who I am and what I have
//!   Claim                           I compute this now
//!   Have                            I have this now, and who made it
//!   Checked                         I computed this too, and it is as it should be, or not
//!   Heard { Made, Claim, Checked }  what others said, passed on once
//!   Compare ──► Resend              what I know adds up to this ──► not here: say that again
//!   Peers                           where others are
//! ```
//!
//! A piece comes over a short stream of its own: [`Fetch`], answered by [`Chunk`]s.
//!
//! # Limits
//!
//! Each kind of message has its own in [`limits`], and one that is longer is refused before it is read.
//! SCALE has one encoding for each value.

mod fetch;
mod read;
mod words;

pub use fetch::{Chunk, Fetch};
pub use read::DecodeError;
pub use words::{Claimed, Made, PeerId, Statement, Word};

use crate::limits;
use codec::{Decode, Encode};
use quern_primitives::{Digest, payload::Signed};

/// The protocol's name and version, as negotiated between peers.
pub const PROTOCOL: &str = "/quern/swarm/1";

/// The same of the streams over which pieces come: a [`Fetch`], and [`Chunk`]s in answer.
pub const PIECE_PROTOCOL: &str = "/quern/swarm-piece/1";

/// The version that a [`Hello`] names. A later one may say more behind the same first messages.
pub const VERSION: u16 = 1;

/// What peers say over the stream between them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// First, once.
    Hello(Hello),
    /// What I have: a bit for each piece, the first in the lowest bit of the first byte; exactly as long
    /// as the task, spare bits zero. Second, and then only when it is asked for.
    Bitfield(Vec<u8>),
    /// I have this now.
    Have(Signed<Made>),
    /// I compute this now.
    Claim(Signed<Claimed>),
    /// I computed this too.
    Checked(Signed<Statement>),
    /// What others said.
    Heard(Vec<Word>),
    /// What I know adds up to this.
    Compare(Sums),
    /// Say that again.
    Resend(Resend),
    /// Where others are: addresses as task files have them, with the peer's name at their end.
    Peers(Vec<Vec<u8>>),
}

/// How a peer introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// The task file's digest. Another task ends the connection.
    pub task: Digest,
    /// The version that it speaks.
    pub version: u16,
    /// How many pieces it computes at a time.
    pub slots: u8,
}

/// How many small sums claims and statements have: by their pieces.
pub const BUCKETS: usize = 16;

/// What a peer's knowledge adds up to. Each part is the exclusive or of a number for each thing that is
/// known, so that it says whether two know the same and nothing else. A peer that makes up sums is asked,
/// or asks, for what it knows already, and gains nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sums {
    /// Of the pieces that it has.
    pub has: u64,
    /// Of the pieces of which it knows a maker.
    pub made: u64,
    /// Of the claims that hold, by piece.
    pub claims: [u32; BUCKETS],
    /// Of the statements, by piece.
    pub statements: [u32; BUCKETS],
}

/// What is to be said again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Resend {
    /// The bitfield.
    pub bitfield: bool,
    /// Makers of pieces, but for these: a bitfield of the pieces of which a maker is known already.
    pub made_but: Option<Vec<u8>>,
    /// Claims of the pieces in these of the sums, a bit for each.
    pub claims: u16,
    /// Statements of the same kind.
    pub statements: u16,
}

impl Message {
    /// Reads a peer's bytes, and holds them to every limit that does not depend on the task.
    ///
    /// # Errors
    ///
    /// If they are no message, or too long for what they are.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let kind = bytes.first().ok_or(DecodeError::Malformed)?;
        read::decode(bytes, Self::bytes_max(*kind).ok_or(DecodeError::Malformed)?)
    }

    /// How long a message may be, by its first byte. Whoever reads a stream asks before it reads on.
    pub fn bytes_max(kind: u8) -> Option<usize> {
        // In the order of the variants.
        [
            limits::HELLO_BYTES_MAX,
            limits::BITS_BYTES_MAX,
            limits::WORD_BYTES_MAX,
            limits::WORD_BYTES_MAX,
            limits::WORD_BYTES_MAX,
            limits::HEARD_BYTES_MAX,
            limits::COMPARE_BYTES_MAX,
            limits::BITS_BYTES_MAX,
            limits::PEERS_BYTES_MAX,
        ]
        .get(usize::from(kind))
        .copied()
    }
}

impl read::Limited for Message {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Heard(words) => {
                read::at_most("heard", words.len(), limits::WORDS_PER_MESSAGE_MAX)
            }
            Self::Peers(peers) => {
                read::at_most("peers", peers.len(), limits::ADDRESSES_PER_MESSAGE_MAX)?;
                let most = quern_swarm_file::limits::PEER_ADDRESS_BYTES_MAX;
                let mut lengths = peers.iter().map(Vec::len);
                lengths.try_for_each(|length| read::at_most("peers.address", length, most))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
