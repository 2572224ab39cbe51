//! What a depot did not do.

use crate::{
    Content, Name, StoreError,
    depot::{LISTED_MAX, PIECE_BYTES_MAX},
};
use quern_primitives::JobId;

/// Why a piece is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It does not begin where what is here ends.
    #[error("the next piece of {name} has to begin at byte {expected}")]
    OutOfOrder {
        /// Of what it is.
        name: Name,
        /// Where it has to begin.
        expected: u64,
    },
    /// It goes beyond the end.
    #[error("a piece of {name} ends behind byte {limit}, or has more than {PIECE_BYTES_MAX}")]
    TooLong {
        /// Of what it is.
        name: Name,
        /// How many bytes the thing may have.
        limit: u64,
    },
    /// The depot is full.
    #[error(
        "the depot has no room for {missing_bytes} bytes more of {name}; wait until jobs end, or raise most_bytes"
    )]
    NoRoom {
        /// Of what the piece is.
        name: Name,
        /// How many bytes are missing.
        missing_bytes: u64,
    },
    /// It cannot be written, or nobody knows whether it has to be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why something does not get its name.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Nothing has come of it.
    #[error("nothing of {name} is here; it has to be uploaded first")]
    Nothing {
        /// What is to be kept.
        name: Name,
    },
    /// Other bytes have come.
    #[error(
        "what came as {name} is not what it has to be, in length or content; it was dropped, have it uploaded again"
    )]
    Wrong {
        /// What is to be kept.
        name: Name,
        /// What came.
        came: Content,
    },
    /// It cannot be kept now. What came is still here.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a stream is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// It does not fit, or comes while somebody else uploads the same.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It has other bytes.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// It broke.
    #[error("what was to be kept did not come to its end")]
    Source(#[source] E),
}

/// Why something is not read.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Nothing has that name.
    #[error("{name} is not here, or not checked yet")]
    Missing {
        /// What was asked for.
        name: Name,
    },
    /// It ends before.
    #[error(
        "{name} has nothing from byte {from} on, and was asked for up to {end}; ask for no more than it has, or see to \
         what keeps it"
    )]
    Short {
        /// What was asked for.
        name: Name,
        /// From which byte on nothing came.
        from: u64,
        /// Up to which byte it was asked for.
        end: u64,
    },
    /// More came than was asked for.
    #[error("for {name} more bytes came than were asked for; see to the bucket")]
    Long {
        /// What was asked for.
        name: Name,
    },
    /// It is not what was kept.
    #[error(
        "{name} is not what was kept under that name; see to what keeps it, and have it made again"
    )]
    Altered {
        /// What was asked for.
        name: Name,
    },
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no list of a job.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It has too much.
    #[error(
        "job {job} has more than {LISTED_MAX} things, which no job has; see to what keeps them"
    )]
    TooMany {
        /// Whose they are.
        job: JobId,
    },
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
