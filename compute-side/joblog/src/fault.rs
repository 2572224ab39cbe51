//! What can be wrong with a log.

use alloc::boxed::Box;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use quern_primitives::{
    ids::{GenesisHash, JobId, NodeKey},
    limits::{LOG_BLOCK_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX},
    log::{Header, SignedHeader},
};
use scale_info::TypeInfo;

/// Two blocks that one masternode signed and no log of a job has both: two for one place, or one that names
/// another ancestor at the other's place than that.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Fork {
    /// The index of the first.
    pub place: u64,
    /// The one.
    pub first: SignedHeader,
    /// Another of that index, or one that should follow the first, or skip to it, and does not.
    pub second: SignedHeader,
}

impl Fork {
    /// Whether it proves that `node` signed two blocks for one place, on the chain with this genesis.
    pub fn holds(&self, node: &NodeKey, genesis: &GenesisHash) -> bool {
        self.are_apart(genesis)
            && self.first.is_signed_by(node, genesis)
            && self.second.is_signed_by(node, genesis)
    }

    /// Whether no log has both, whoever signed them. A block says by `previous` and `skip` which blocks stand at
    /// two places before it, and by `first` how many entries do.
    pub fn are_apart(&self, genesis: &GenesisHash) -> bool {
        let (first, second) = (&self.first.payload, &self.second.payload);
        if first.job != second.job || first.index != self.place {
            return false;
        }
        if second.index == self.place {
            return first != second;
        }
        if second.index < self.place {
            return false;
        }
        let end = first.first.checked_add(first.count.into());
        let is_next = self.place.checked_add(1) == Some(second.index);
        let is_skipped_to = Header::skipped_to(second.index) == self.place;
        let hash = first.hash(genesis);
        let follows = second.previous == hash && end == Some(second.first);
        let skips = second.skip == hash && end.is_some_and(|end| end <= second.first);
        (is_next && !follows) || (is_skipped_to && !skips)
    }
}

/// Why a block or a file does not continue a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFault {
    /// It does not begin as a file of a log does.
    NotALog,
    /// Bytes are missing at the end.
    Truncated,
    /// There are bytes behind the end.
    Trailing,
    /// A block in a file claims to be longer than any is.
    TooLong {
        /// Its bytes, as it says.
        bytes: u32,
    },
    /// The bytes of an entry mean nothing.
    Malformed {
        /// The block.
        index: u64,
    },
    /// It is of another chain.
    OtherChain,
    /// It is of another job.
    OtherJob {
        /// Which.
        job: JobId,
    },
    /// The job's coordinator did not sign it.
    WrongSigner {
        /// The block.
        index: u64,
    },
    /// Blocks are missing before it.
    Gap {
        /// The index that should follow.
        expected: u64,
        /// The index that it has.
        index: u64,
    },
    /// The blocks are there, and not in order.
    Reordered {
        /// The index that should follow.
        expected: u64,
        /// The index that came instead.
        index: u64,
    },
    /// It was there before.
    Repeated {
        /// The block.
        index: u64,
    },
    /// It is another block for a place that has one, signed by the same masternode.
    Forked(Box<Fork>),
    /// It has the right index and follows another block.
    Unlinked {
        /// The block.
        index: u64,
    },
    /// It follows the block before, and names another second ancestor than the log has.
    Skipped {
        /// The block.
        index: u64,
    },
    /// Its positions do not follow.
    Positions {
        /// The block.
        index: u64,
        /// The position its first entry should have.
        expected: u64,
    },
    /// It was made before the block that it follows.
    TimeBackwards {
        /// The block.
        index: u64,
    },
    /// It has no entry.
    Empty {
        /// The block.
        index: u64,
    },
    /// It has more entries or bytes than a block may have.
    TooLarge {
        /// The block.
        index: u64,
    },
    /// Its entries are not those that were signed.
    EntriesChanged {
        /// The block.
        index: u64,
    },
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALog => f.write_str("this is no file of a job's log; export it again"),
            Self::Truncated => f.write_str("the log ends too early; fetch the rest of it"),
            Self::Trailing => f.write_str("bytes follow the log's end; cut them off"),
            Self::TooLong { bytes } => write!(
                f,
                "a block of {bytes} bytes is longer than any; export the log again"
            ),
            Self::Malformed { index } => {
                write!(
                    f,
                    "an entry of block {index} cannot be read; fetch it again"
                )
            }
            Self::OtherChain => f.write_str("the log is of another chain; look for this one's"),
            Self::OtherJob { job } => write!(f, "the log is of job {job}; look for the right one"),
            Self::WrongSigner { index } => write!(
                f,
                "the coordinator did not sign block {index}; fetch it from the coordinator"
            ),
            Self::Gap { expected, index } => write!(
                f,
                "block {index} came where block {expected} should be; fetch what is missing"
            ),
            Self::Reordered { expected, index } => write!(
                f,
                "block {index} comes before block {expected}; sort the blocks by index"
            ),
            Self::Repeated { index } => write!(f, "block {index} is there already; leave it out"),
            Self::Forked(fork) => write!(
                f,
                "the coordinator signed two blocks for place {}; dispute it",
                fork.place
            ),
            Self::Unlinked { index } => write!(
                f,
                "block {index} follows another block than the one here; compare the blocks before it"
            ),
            Self::Skipped { index } => write!(
                f,
                "block {index} skips to another block than the log has there; dispute it"
            ),
            Self::Positions { index, expected } => write!(
                f,
                "block {index} does not begin at position {expected}; do not certify it"
            ),
            Self::TimeBackwards { index } => write!(
                f,
                "block {index} is older than the one before; do not certify it"
            ),
            Self::Empty { index } => write!(f, "block {index} has no entry; do not certify it"),
            Self::TooLarge { index } => write!(
                f,
                "block {index} has more than {LOG_ENTRIES_PER_BLOCK_MAX} entries or \
                 {LOG_BLOCK_BYTES_MAX} bytes; do not certify it"
            ),
            Self::EntriesChanged { index } => write!(
                f,
                "the entries of block {index} are not those that were signed; fetch it again"
            ),
        }
    }
}

impl core::error::Error for LogFault {}
