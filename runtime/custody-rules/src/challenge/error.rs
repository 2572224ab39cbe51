//! Why a challenge is not opened, a part of an answer not taken, or nothing missed.

use crate::proof::ProofError;
use core::fmt;
use quern_primitives::ids::{BlockNumber, Period};

/// Why a challenge is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Who asks is neither the owner nor a member of the group with a say.
    NotEntitled,
    /// The piece is not held in this period.
    NotHeld {
        /// The first period in which it is.
        since: Period,
        /// The first in which it is not any more.
        until: Period,
    },
    /// One is open.
    AlreadyOpen,
    /// The holder has answered one in this period, and would be asked for the same again.
    AlreadyProved,
    /// There is no number left for it, or no block in which it would be due.
    TooMany,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEntitled => {
                f.write_str("only the contract's owner and members of its group may challenge")
            }
            Self::NotHeld { since, until } => write!(
                f,
                "the piece is held from period {since} until {until}; challenge it then"
            ),
            Self::AlreadyOpen => f.write_str("a challenge is open already; wait for its end"),
            Self::AlreadyProved => f.write_str(
                "the holder has answered on the chain in this period; challenge it in the next",
            ),
            Self::TooMany => f.write_str("no further challenge can be kept"),
        }
    }
}

impl core::error::Error for OpenError {}

/// Why a part of an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// It is too late.
    Late {
        /// The last block in which it was not.
        due: BlockNumber,
    },
    /// The answer has no such part.
    NoSuchPart {
        /// How many parts it has.
        parts: usize,
    },
    /// This part is answered.
    AlreadyAnswered,
    /// The part has more or fewer chunks than were asked for.
    Chunks {
        /// How many were asked for.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// One chunk is shown twice.
    Repeated {
        /// Which.
        index: u32,
    },
    /// A chunk is too long or too short for its place.
    Bytes {
        /// Which chunk.
        index: u32,
        /// Bytes that belong there.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// A chunk is not the one that was asked for.
    Proof {
        /// Which was asked for.
        index: u32,
        /// What is wrong.
        source: ProofError,
    },
    /// Contract, holding and challenge do not fit each other; nothing changes.
    Unfit,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { due } => write!(f, "block {due} was the last for an answer"),
            Self::NoSuchPart { parts } => {
                write!(
                    f,
                    "the answer has {parts} parts, counted from 0; send one of these"
                )
            }
            Self::AlreadyAnswered => f.write_str("this part is answered; send another"),
            Self::Chunks { expected, found } => write!(
                f,
                "the part has {found} chunks; send the {expected} that were asked for"
            ),
            Self::Repeated { index } => write!(
                f,
                "chunk {index} is there twice; send each chunk that was asked for once"
            ),
            Self::Bytes {
                index,
                expected,
                found,
            } => write!(
                f,
                "chunk {index} has {found} bytes; send the {expected} that it has in the piece"
            ),
            Self::Proof { index, .. } => write!(
                f,
                "what is shown is not chunk {index} of the piece; send that with its path"
            ),
            Self::Unfit => f.write_str("the challenge does not fit what is held; report this"),
        }
    }
}

impl core::error::Error for AnswerError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Proof { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why nothing is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissError {
    /// It may still be answered.
    TooEarly {
        /// The last block in which it may.
        due: BlockNumber,
    },
    /// Contract, holding and challenge do not fit each other; nothing changes.
    Unfit,
}

impl fmt::Display for MissError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooEarly { due } => write!(
                f,
                "the challenge may be answered until block {due}; wait for the next"
            ),
            Self::Unfit => f.write_str("the challenge does not fit what is held; report this"),
        }
    }
}

impl core::error::Error for MissError {}
