//! What a bucket did not do.

use crate::{
    Name, StoreError,
    bucket::{OBJECTS_MAX, UploadsError, line::status_of, uploads::ListError},
    config::Address,
};
use http::StatusCode;
use object_store::Error;
use std::{fmt, time::Duration};

/// How long the next object of a list may take, whatever is asked for it.
pub(super) const LIST_WAIT: Duration = Duration::from_secs(600);

/// What was asked of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To keep something.
    Keep,
    /// To give something, or to say how long it is.
    Give,
    /// To erase something.
    Erase,
    /// To say what is there.
    List,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Give => "give",
            Self::Erase => "erase",
            Self::List => "list",
        })
    }
}

/// What a bucket did not do. Sources are errors of the client that asked.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It cannot be asked at all.
    #[error("a bucket cannot be asked with these settings; look at [depot]")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is not there.
    #[error("there is no bucket {address}; make it, or mend the depot's url")]
    Nowhere {
        /// Where it was looked for.
        address: Address,
        /// What its server says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The keys do not open it.
    #[error(
        "the bucket refuses to {asked}; the keys have to be of an account that may read, write, list and erase below its \
         prefix, and this machine's clock has to be right"
    )]
    Refused {
        /// What was asked.
        asked: Asked,
        /// What its server says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It did something else than was asked, or nothing, however often it was asked.
    #[error(
        "the bucket does not {asked} what it is asked to; nothing is lost here, try again when it is well"
    )]
    Failed {
        /// What was asked.
        asked: Asked,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It says that something is complete, and has something else.
    #[error("the bucket says that it keeps {name}, and has not all of it; see to that bucket")]
    Other {
        /// What it was to keep.
        name: Name,
    },
    /// A list goes on and on.
    #[error("the bucket lists more than {OBJECTS_MAX} objects, or nothing more for {} seconds; see to its prefix", LIST_WAIT.as_secs())]
    List,
    /// It does not tell which uploads were begun.
    #[error(
        "the bucket does not tell which uploads were begun and not ended; let a rule of its own abort those of a day ago"
    )]
    Uploads(#[from] UploadsError),
}

/// What an error of the client means.
pub(super) fn failed(address: &Address, asked: Asked, error: Error) -> BucketError {
    let is_refused = matches!(
        error,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. }
    );
    match status_of(&error) {
        _ if is_refused => refused(asked, error.into()),
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => refused(asked, error.into()),
        Some(StatusCode::NOT_FOUND) => BucketError::Nowhere {
            address: address.clone(),
            source: error.into(),
        },
        _ => BucketError::Failed {
            asked,
            source: error.into(),
        },
    }
}

fn refused(asked: Asked, source: Box<dyn std::error::Error + Send + Sync>) -> BucketError {
    BucketError::Refused { asked, source }
}

impl From<ListError> for StoreError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Answer(error) => BucketError::Uploads(error).into(),
            ListError::Asking(error) => BucketError::Failed {
                asked: Asked::List,
                source: error,
            }
            .into(),
        }
    }
}
