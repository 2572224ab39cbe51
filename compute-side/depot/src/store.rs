//! What lies under a depot: whole things by their name.

use crate::{Content, Item, Name, bucket::BucketError, disk::DiskError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use quern_primitives::{JobId, TaskIndex};
use std::{fmt, ops::Range, path::Path};

/// What a folder or a bucket did not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk of this machine.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The bucket.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The bytes of a part were others when they were read again.
    #[error(
        "{name} changed on this disk between its check and its upload; see to that disk, and have it uploaded again"
    )]
    Changed {
        /// What it was to be.
        name: Name,
    },
}

/// Where something is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Below {
    /// Everywhere.
    All,
    /// Among the things of a job.
    Job(JobId),
    /// Among the results of one of its tasks.
    Results(JobId, TaskIndex),
}

impl Below {
    /// What the keys of all that is there begin with, up to a `/`; none if it is everything.
    pub(crate) fn key(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Job(job) => Some(hex::encode(job.0)),
            Self::Results(job, task) => Some(format!("{}/results/{task}", hex::encode(job.0))),
        }
    }

    /// Whether something is there.
    pub(crate) fn has(&self, name: &Name) -> bool {
        match (self, name.item) {
            (Self::All, _) => true,
            (Self::Job(job), _) => name.job == *job,
            (Self::Results(job, of), Item::Result(task, ..)) => (name.job, task) == (*job, *of),
            (Self::Results(..), _) => false,
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name; none if it has a key that no name has, and is nobody's.
    pub(crate) name: Option<Name>,
    pub(crate) bytes: u64,
}

/// Whole things by their name. Nothing here counts them or knows whether somebody may have them.
#[async_trait]
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Gives the bytes of a part their name: whole, or not at all. They are safe when this returns. What had the name
    /// before is written over. The part may be there still, or not.
    async fn keep(&self, name: &Name, part: &Path, content: &Content) -> Result<(), StoreError>;

    /// How many bytes have that name.
    async fn head(&self, name: &Name) -> Result<Option<u64>, StoreError>;

    /// Some bytes of what has that name, or fewer where it ends before; none where nothing has it. Who calls counts
    /// them.
    async fn get(
        &self,
        name: &Name,
        range: Range<u64>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError>;

    /// Erases what has that name, if it is there.
    async fn remove(&self, name: &Name) -> Result<(), StoreError>;

    /// All that is there.
    fn list(&self, below: Below) -> BoxStream<'static, Result<Found, StoreError>>;

    /// Removes what is left of things that never became whole, and that nobody goes on with. Says of how many.
    async fn tidy(&self) -> Result<u64, StoreError>;
}
