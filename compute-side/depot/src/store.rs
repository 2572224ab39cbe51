//! What lies under a depot: whole things by their name.

use crate::{Content, Name, bucket::BucketError, disk::DiskError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use quern_primitives::JobId;
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

    /// All that is there, of a job or of all.
    fn list(&self, job: Option<JobId>) -> BoxStream<'static, Result<Found, StoreError>>;

    /// Removes what is left of things that never became whole, and that nobody goes on with. Says of how many.
    async fn tidy(&self) -> Result<u64, StoreError>;
}
