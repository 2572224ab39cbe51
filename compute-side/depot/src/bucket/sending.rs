//! A file that becomes an object: whole, or not at all.

use crate::{Content, bucket::pieces::Pieces, disk::DiskError};
use object_store::{
    Attribute, Attributes, Error, GetOptions, MultipartId, ObjectStore as _, PutMultipartOptions,
    PutOptions,
    aws::AmazonS3,
    multipart::{MultipartStore as _, PartId},
    path::Path as ObjectPath,
};
use std::path::Path;
use tracing::debug;

/// Under which name an object's chunk root is beside it.
const ROOT: &str = "quern-root";

/// A file, and the object that it is to be.
pub(crate) struct Sending<'a> {
    pub(crate) store: &'a AmazonS3,
    pub(crate) path: &'a ObjectPath,
    pub(crate) file: &'a Path,
    /// What the file has to be.
    pub(crate) content: &'a Content,
    /// Bytes of each part of an upload but the last one. A file that has no more goes in one request.
    pub(crate) part_bytes: usize,
}

/// Why a file is no object.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It cannot be read.
    Disk(DiskError),
    /// It is another file than it has to be.
    Changed,
    /// The bucket says that it is complete, and has something else.
    Other,
    /// What the client says.
    Client(Error),
}

impl From<DiskError> for SendError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl Sending<'_> {
    /// Uploads it. `sent` hears how many bytes the bucket has taken.
    pub(crate) async fn send(&self, sent: &mut (dyn FnMut(u64) + Send)) -> Result<(), SendError> {
        match self.content.bytes <= self.part_bytes as u64 {
            true => self.send_at_once(sent).await,
            false => self.send_in_parts(sent).await,
        }
    }

    async fn send_at_once(&self, sent: &mut (dyn FnMut(u64) + Send)) -> Result<(), SendError> {
        let mut pieces = Pieces::open(self.file, self.part_bytes).await?;
        let piece = pieces.next().await?;
        if pieces.next().await?.is_empty() && pieces.finish() == *self.content {
            let options = PutOptions {
                attributes: self.beside(),
                ..PutOptions::default()
            };
            let put = self.store.put_opts(self.path, piece.into(), options);
            put.await?;
            sent(self.content.bytes);
            return Ok(());
        }
        Err(SendError::Changed)
    }

    async fn send_in_parts(&self, sent: &mut (dyn FnMut(u64) + Send)) -> Result<(), SendError> {
        let options = PutMultipartOptions {
            attributes: self.beside(),
            ..PutMultipartOptions::default()
        };
        let begun = self.store.create_multipart_opts(self.path, options);
        let upload = begun.await?;
        let done = match self.send_parts(&upload, sent).await {
            Err(error) => Err(error),
            Ok((_, found)) if found != *self.content => Err(SendError::Changed),
            Ok((parts, _)) => self.complete(&upload, parts).await,
        };
        if done.is_err() {
            abort(self.store, self.path, &upload).await;
        }
        done
    }

    async fn send_parts(
        &self,
        upload: &MultipartId,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(Vec<PartId>, Content), SendError> {
        let mut pieces = Pieces::open(self.file, self.part_bytes).await?;
        let (mut parts, mut bytes) = (Vec::new(), 0_u64);
        loop {
            let piece = pieces.next().await?;
            if piece.is_empty() {
                return Ok((parts, pieces.finish()));
            }
            bytes = bytes.saturating_add(piece.len() as u64);
            if bytes > self.content.bytes {
                return Err(SendError::Changed);
            }
            let number = parts.len();
            let put = self.store.put_part(self.path, upload, number, piece.into());
            parts.push(put.await?);
            sent(bytes);
        }
    }

    /// Completes an upload. What counts is that the object is there; the answer may have been lost.
    async fn complete(&self, upload: &MultipartId, parts: Vec<PartId>) -> Result<(), SendError> {
        let completed = self.store.complete_multipart(self.path, upload, parts);
        let completed = completed.await;
        match (completed, self.is_there().await) {
            (_, Ok(true)) => Ok(()),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error.into()),
            (Ok(_), Ok(false)) => Err(SendError::Other),
        }
    }

    /// Whether an object of that length is there, with that root beside it.
    async fn is_there(&self) -> Result<bool, Error> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.store.get_opts(self.path, options).await {
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
            Ok(found) => {
                let root = found.attributes.get(&Attribute::Metadata(ROOT.into()));
                let is_root = root.is_some_and(|root| **root == hex::encode(self.content.root.0));
                Ok(found.meta.size == self.content.bytes && is_root)
            }
        }
    }

    /// What is put beside the object.
    fn beside(&self) -> Attributes {
        let root = hex::encode(self.content.root.0);
        [(Attribute::Metadata(ROOT.into()), root)]
            .into_iter()
            .collect()
    }
}

/// Aborts an upload, as far as that goes: what stays is visible to nobody, and the bucket's own rules abort it later.
pub(crate) async fn abort(store: &AmazonS3, path: &ObjectPath, upload: &MultipartId) {
    let aborted = store.abort_multipart(path, upload).await;
    if let Err(error) = aborted.or_else(not_there) {
        debug!(%path, %error, "an upload that broke off is not aborted yet");
    }
}

/// What is not there need not be erased.
pub(crate) fn not_there(error: Error) -> Result<(), Error> {
    match error {
        Error::NotFound { .. } => Ok(()),
        error => Err(error),
    }
}
