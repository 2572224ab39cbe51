//! Whole things in a bucket that speaks S3, an object each, by `object_store`: the only module that knows of it, with
//! those below.
//!
//! | module | what it does |
//! | --- | --- |
//! | `errors` | what a bucket did not do |
//! | `line` | HTTP, and a limit on all that comes back |
//! | `pieces` | a part as it is uploaded, hashed on the way |
//! | `tls` | connections, and whom to believe that they are the server |
//! | `uploads` | which uploads were begun and not ended, which `object_store` does not ask |
//!
//! What is kept is uploaded in parts of [`PART_BYTES`], so it is visible when it is complete and not before; what is no
//! longer than one goes in one request, which is as whole. Each part is signed with its hash, so a server that keeps to
//! S3 takes no other bytes. Where the answer to the last request is lost, and it is told the next time that there is no
//! such upload, the object is looked at: it has its chunk root beside it. An upload that breaks off is aborted.

mod errors;
mod line;
mod pieces;
mod tls;
mod uploads;

pub use errors::{Asked, BucketError};
pub(crate) use line::{Line, content_range, may_pass};
pub use tls::{Roots, RootsError};
pub use uploads::{UPLOADS_MAX, Upload, UploadsError, read_uploads};

use crate::{
    BucketConfig, Content, Name,
    store::{Below, Found, Store, StoreError},
};
use async_trait::async_trait;
use bytes::Bytes;
use errors::{LIST_WAIT, failed};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    Attribute, Attributes, BackoffConfig, Error, GetOptions, GetRange, MultipartId, ObjectMeta,
    ObjectStore as _, ObjectStoreExt as _, PutMultipartOptions, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    multipart::{MultipartStore as _, PartId},
    path::Path as ObjectPath,
};
use pieces::Pieces;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tracing::{debug, warn};

/// Bytes of each part of an upload but the last one.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// Objects below a depot's prefix, at most. A list with more is no list of a depot.
pub const OBJECTS_MAX: u64 = 64 * 1024 * 1024;

/// Under which name an object's chunk root is beside it.
const ROOT: &str = "quern-root";

/// How long a bucket that fails is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often the same is asked again.
    pub retries: usize,
    /// How long to wait before the first time; it doubles from then on, with some chance in it.
    pub first_wait: Duration,
    /// How long to wait at most.
    pub longest_wait: Duration,
    /// How long after the first question nothing is asked again.
    pub until: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            retries: 10,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(15),
            until: Duration::from_secs(180),
        }
    }
}

/// A bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    store: AmazonS3,
    line: Line,
    config: BucketConfig,
    /// What is being uploaded, and by how many.
    uploading: Arc<Mutex<BTreeMap<Name, usize>>>,
}

impl Bucket {
    /// The bucket. Nothing is asked of it yet.
    pub(crate) fn new(config: BucketConfig) -> Result<Self, BucketError> {
        let line = Line::new(config.roots.clone());
        let Patience {
            retries,
            first_wait,
            longest_wait,
            until,
        } = config.patience;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: first_wait,
                max_backoff: longest_wait,
                base: 2.,
            },
            max_retries: retries,
            retry_timeout: until,
        };
        let mut builder = AmazonS3Builder::new()
            .with_endpoint(&config.address.endpoint)
            .with_bucket_name(&config.address.bucket)
            .with_region(&config.region)
            .with_access_key_id(config.keys.id.as_str())
            .with_secret_access_key(config.keys.secret.as_str())
            .with_virtual_hosted_style_request(false)
            .with_allow_http(config.address.is_plain)
            // An answer that names a key nobody asked to erase makes the client of object_store panic.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(line.clone());
        if let Some(session) = &config.keys.session {
            builder = builder.with_token(session.as_str());
        }
        let store = builder
            .build()
            .map_err(|error| BucketError::Settings(error.into()))?;
        Ok(Self {
            store,
            line,
            config,
            uploading: Arc::default(),
        })
    }

    fn path(&self, name: &Name) -> ObjectPath {
        ObjectPath::from(self.config.address.key(&name.key()))
    }

    fn failed(&self, asked: Asked) -> impl FnOnce(Error) -> StoreError {
        let address = self.config.address.clone();
        move |error| failed(&address, asked, error).into()
    }

    /// Uploads a part that fits into one request.
    async fn put(&self, name: &Name, part: &Path, content: &Content) -> Result<(), StoreError> {
        let mut pieces = Pieces::open(part).await?;
        let piece = pieces.next().await?;
        if pieces.next().await?.is_empty() && pieces.finish() == *content {
            let options = PutOptions {
                attributes: beside(content),
                ..PutOptions::default()
            };
            let path = self.path(name);
            let put = self.store.put_opts(&path, piece.into(), options).await;
            return put.map(drop).map_err(self.failed(Asked::Keep));
        }
        Err(StoreError::Changed { name: *name })
    }

    /// Uploads a part in several requests.
    async fn put_in_parts(
        &self,
        name: &Name,
        part: &Path,
        content: &Content,
    ) -> Result<(), StoreError> {
        let path = self.path(name);
        let options = PutMultipartOptions {
            attributes: beside(content),
            ..PutMultipartOptions::default()
        };
        let begun = self.store.create_multipart_opts(&path, options);
        let upload = begun.await.map_err(self.failed(Asked::Keep))?;
        let done = match self.put_parts(&path, &upload, part).await {
            Err(error) => Err(error),
            Ok((_, found)) if found != *content => Err(StoreError::Changed { name: *name }),
            Ok((parts, _)) => self.complete(name, &upload, parts, content).await,
        };
        if done.is_err() {
            let aborted = self.store.abort_multipart(&path, &upload).await;
            if let Err(error) = aborted.or_else(not_there) {
                debug!(%name, %error, "an upload that broke off is not aborted yet");
            }
        }
        done
    }

    async fn put_parts(
        &self,
        path: &ObjectPath,
        upload: &MultipartId,
        part: &Path,
    ) -> Result<(Vec<PartId>, Content), StoreError> {
        let mut pieces = Pieces::open(part).await?;
        let mut parts = Vec::new();
        loop {
            let piece = pieces.next().await?;
            if piece.is_empty() {
                return Ok((parts, pieces.finish()));
            }
            let put = self.store.put_part(path, upload, parts.len(), piece.into());
            parts.push(put.await.map_err(self.failed(Asked::Keep))?);
        }
    }

    /// Completes an upload. What counts is that the object is there; the answer may have been lost.
    async fn complete(
        &self,
        name: &Name,
        upload: &MultipartId,
        parts: Vec<PartId>,
        content: &Content,
    ) -> Result<(), StoreError> {
        let path = self.path(name);
        let completed = self.store.complete_multipart(&path, upload, parts).await;
        let is_there = self.is_there(&path, content).await;
        match (completed, is_there) {
            (_, Ok(true)) => Ok(()),
            (Err(error), _) | (Ok(_), Err(error)) => Err(self.failed(Asked::Keep)(error)),
            (Ok(_), Ok(false)) => Err(BucketError::Other { name: *name }.into()),
        }
    }

    /// Whether an object of that length is there, with that root beside it.
    async fn is_there(&self, path: &ObjectPath, content: &Content) -> Result<bool, Error> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.store.get_opts(path, options).await {
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
            Ok(found) => {
                let root = found.attributes.get(&Attribute::Metadata(ROOT.into()));
                let is_root = root.is_some_and(|root| **root == hex::encode(content.root.0));
                Ok(found.meta.size == content.bytes && is_root)
            }
        }
    }

    fn uploading(&self) -> MutexGuard<'_, BTreeMap<Name, usize>> {
        lock(&self.uploading)
    }

    /// Begins to be uploading something, until what is returned goes.
    fn begin(&self, name: Name) -> Uploading {
        *self.uploading().entry(name).or_default() += 1;
        Uploading {
            name,
            all: Arc::clone(&self.uploading),
        }
    }

    /// Aborts an upload if it is of something that a depot keeps and nobody is uploading it here.
    async fn abort(&self, upload: &Upload) -> Result<bool, BucketError> {
        let below = self.config.address.below(&upload.key);
        let Some(name) = below.and_then(Name::of_key) else {
            return Ok(false);
        };
        // Whoever uploads said so before the upload was begun, and this was listed later.
        if self.uploading().contains_key(&name) {
            return Ok(false);
        }
        let path = self.path(&name);
        let aborted = self.store.abort_multipart(&path, &upload.id).await;
        match aborted.or_else(not_there) {
            Ok(()) => Ok(true),
            Err(error) => Err(failed(&self.config.address, Asked::Erase, error)),
        }
    }
}

#[async_trait]
impl Store for Bucket {
    async fn keep(&self, name: &Name, part: &Path, content: &Content) -> Result<(), StoreError> {
        let _uploading = self.begin(*name);
        match content.bytes <= PART_BYTES as u64 {
            true => self.put(name, part, content).await,
            false => self.put_in_parts(name, part, content).await,
        }
    }

    async fn head(&self, name: &Name) -> Result<Option<u64>, StoreError> {
        match self.store.head(&self.path(name)).await {
            Ok(ObjectMeta { size, .. }) => Ok(Some(size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(Asked::Give)(error)),
        }
    }

    async fn get(
        &self,
        name: &Name,
        range: Range<u64>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let error = match self.store.get_opts(&self.path(name), options).await {
            Ok(found) => {
                let address = self.config.address.clone();
                let wrong = move |error| failed(&address, Asked::Give, error).into();
                return Ok(Some(found.into_stream().map_err(wrong).boxed()));
            }
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => error,
        };
        // Servers refuse a range behind the end.
        match self.head(name).await {
            Ok(Some(bytes)) if bytes <= range.start => Ok(Some(stream::empty().boxed())),
            _ => Err(self.failed(Asked::Give)(error)),
        }
    }

    async fn remove(&self, name: &Name) -> Result<(), StoreError> {
        let removed = self.store.delete(&self.path(name)).await;
        removed
            .or_else(not_there)
            .map_err(self.failed(Asked::Erase))
    }

    fn list(&self, below: Below) -> BoxStream<'static, Result<Found, StoreError>> {
        let address = self.config.address.clone();
        let prefix = match below.key() {
            Some(key) => Some(address.key(&key)),
            None => address.prefix.clone(),
        };
        let listed = self.store.list(prefix.map(ObjectPath::from).as_ref());
        let counted = stream::try_unfold((listed, 0_u64), |(mut listed, count)| async move {
            let next = tokio::time::timeout(LIST_WAIT, listed.next()).await;
            match next.map_err(|_| None)? {
                None => Ok(None),
                Some(_) if count == OBJECTS_MAX => Err(None),
                Some(Err(error)) => Err(Some(error)),
                Some(Ok(object)) => Ok(Some((object, (listed, count.saturating_add(1))))),
            }
        });
        let here = address.clone();
        let found = move |object: ObjectMeta| Found {
            name: here.below(object.location.as_ref()).and_then(Name::of_key),
            bytes: object.size,
        };
        let wrong = move |error: Option<Error>| match error {
            Some(error) => failed(&address, Asked::List, error).into(),
            None => BucketError::List.into(),
        };
        counted.map_ok(found).map_err(wrong).boxed()
    }

    async fn tidy(&self) -> Result<u64, StoreError> {
        let mut aborted: u64 = 0;
        loop {
            let found = uploads::list(&self.line, &self.config).await?;
            let mut now: u64 = 0;
            for upload in &found.uploads {
                if self.abort(upload).await? {
                    now = now.saturating_add(1);
                }
            }
            aborted = aborted.saturating_add(now);
            // What is behind the end of a list is in the next one only if something went from this one.
            if now == 0 || !found.is_cut {
                if found.is_cut {
                    warn!(
                        "the bucket lists many uploads that are not the depot's; its own may be behind them"
                    );
                }
                return Ok(aborted);
            }
        }
    }
}

/// Says, when it goes, that one fewer uploads something.
struct Uploading {
    name: Name,
    all: Arc<Mutex<BTreeMap<Name, usize>>>,
}

impl Drop for Uploading {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if let Some(count) = all.get_mut(&self.name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.name);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is put beside an object.
fn beside(content: &Content) -> Attributes {
    let root = hex::encode(content.root.0);
    [(Attribute::Metadata(ROOT.into()), root)]
        .into_iter()
        .collect()
}

/// What is not there need not be erased.
fn not_there(error: Error) -> Result<(), Error> {
    match error {
        Error::NotFound { .. } => Ok(()),
        error => Err(error),
    }
}
