//! The files of a job: sealed manifest, program, sealed shards, and results too large for the store. A thin room over a
//! depot, which keeps them in a folder or in a bucket, as the operator says, counts what they take, and gives nothing
//! its name before it was checked. Here is what their names mean to a masternode. Small shards are kept in memory too,
//! and how often tasks were begun in files of their own.
//!
//! All that waits for a disk or a bucket is `async`, and nothing here blocks a thread of the runtime. What writes has to
//! come to its end, whatever becomes of who asked for it: it is called from a task or a thread of its own. With a bucket
//! each question whether something is here is one over the network, so who asks often remembers, as
//! [`JobContext`](crate::context::JobContext) does.

mod attempts;
mod small;

pub(crate) use quern_depot::{Content, GetError, Item, KeepError, Received, StoreError};

use attempts::Attempts;
use bytes::{Bytes, BytesMut};
use futures::{TryStreamExt as _, future, stream};
use quern_depot::{
    AppendError, Config, Depot, DiskError, ITEM_BYTES_MAX, ListError, Name, PutError,
};
use quern_jobs_api::{ApiError, PIECE_BYTES_MAX};
use quern_primitives::{DeviceId, Digest, JobId, TaskIndex, ids::ReplicaIndex};
use small::Small;
use std::{
    collections::BTreeSet, convert::Infallible, error::Error, io, ops::Range, path::Path,
    sync::Arc, time::Duration,
};

/// In which folder of the masternode's own the depot has its files.
pub(crate) const JOBS: &str = "jobs";

/// In which one the notes of tasks that were begun are.
const ATTEMPTS: &str = "attempts";

/// How often is looked for what must not be here any more.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// The files of all jobs. Clones are of the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    depot: Depot,
    attempts: Arc<Attempts>,
    small: Arc<Small>,
}

/// Why the jobs' files are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The depot.
    #[error("the jobs' files cannot be read")]
    Depot(#[from] StoreError),
    /// The notes of tasks that were begun.
    #[error("the notes of tasks that were begun cannot be read; see to the disk of data_dir")]
    Attempts(#[source] io::Error),
}

/// Why something of a job is not erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    /// It is in the depot.
    #[error(transparent)]
    Depot(#[from] StoreError),
    /// It is a note of tasks that were begun.
    #[error("the notes of tasks that were begun cannot be erased; see to the disk of data_dir")]
    Attempts(#[source] io::Error),
}

/// Why it is not known what a result is.
#[derive(Debug, thiserror::Error)]
enum DeliveredError {
    #[error(transparent)]
    Read(#[from] GetError),
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl Vault {
    /// The vault of a masternode with this folder of its own, over a depot. What is there is counted.
    pub(crate) async fn open(data_dir: &Path, depot: Config) -> Result<Self, OpenError> {
        let (folder, jobs) = (data_dir.join(ATTEMPTS), data_dir.join(JOBS));
        let attempts = waited(move || Attempts::open(folder, &jobs)).await;
        Ok(Self {
            attempts: Arc::new(attempts.map_err(OpenError::Attempts)?),
            depot: Depot::open(depot).await?,
            small: Arc::default(),
        })
    }

    /// Bytes that the files of all jobs take, in whole blocks of a disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.depot.bytes()
    }

    /// Bytes of an item that is here and checked; none if it is not.
    pub(crate) async fn length(&self, job: JobId, item: Item) -> Result<Option<u64>, StoreError> {
        self.depot.head(Name { job, item }).await
    }

    /// Bytes held of an item: what was received, or all of it once it is checked.
    pub(crate) async fn held(&self, job: JobId, item: Item) -> Result<u64, StoreError> {
        let received = self.received_bytes(job, item).await?;
        match received {
            Some(bytes) => Ok(bytes),
            None => Ok(self.length(job, item).await?.unwrap_or(0)),
        }
    }

    /// Bytes that were received of an item that is not checked; none where nothing has been.
    pub(crate) async fn received_bytes(
        &self,
        job: JobId,
        item: Item,
    ) -> Result<Option<u64>, DiskError> {
        self.depot.received(Name { job, item }).await
    }

    /// Tasks of a job whose shards have begun to come.
    pub(crate) fn begun_shards(&self, job: JobId) -> BTreeSet<TaskIndex> {
        shards(self.depot.begun(job))
    }

    /// Tasks of a job whose shards are here and checked. Asks once, however many they are.
    pub(crate) async fn kept_shards(&self, job: JobId) -> Result<BTreeSet<TaskIndex>, ListError> {
        Ok(shards(self.depot.list(job).await?))
    }

    /// Appends a piece that starts at `offset` to an item of `total` bytes. Of several pieces for one place only the
    /// first is taken. There must be room for all of the item, though none is kept for it; or of a result, whose
    /// `total` is only what it may have at most, for all that is here.
    pub(crate) async fn append(
        &self,
        job: JobId,
        item: Item,
        offset: u64,
        total: u64,
        piece: Bytes,
    ) -> Result<Received, ApiError> {
        if piece.len() > PIECE_BYTES_MAX {
            return Err(ApiError::TooLong { limit: total });
        }
        let name = Name { job, item };
        let appended = self.depot.append(name, offset, total, piece).await;
        appended.map_err(|error| match error {
            AppendError::OutOfOrder { expected, .. } => ApiError::OutOfOrder { expected },
            AppendError::TooLong { limit, .. } => ApiError::TooLong { limit },
            AppendError::NoRoom { missing_bytes, .. } => ApiError::NoRoom {
                bytes: missing_bytes,
            },
            AppendError::Store(error) => not_stored(job, &error),
        })
    }

    /// The received bytes of an item that is small enough to be held in memory.
    pub(crate) async fn received(&self, job: JobId, item: Item) -> Result<Vec<u8>, DiskError> {
        self.depot.read_received(Name { job, item }).await
    }

    /// What was received gets its name if it is this, and is safe when this returns. It may be said twice. What is
    /// something else is dropped.
    pub(crate) async fn keep(
        &self,
        job: JobId,
        item: Item,
        content: Content,
    ) -> Result<(), KeepError> {
        self.depot.keep(Name { job, item }, content).await
    }

    /// Keeps an item whose bytes are at hand, unless it is here.
    pub(crate) async fn put(
        &self,
        job: JobId,
        item: Item,
        bytes: Bytes,
    ) -> Result<(), PutError<Infallible>> {
        let (name, content) = (Name { job, item }, Content::of(&bytes));
        let all = stream::once(future::ready(Ok(bytes)));
        self.depot.put(name, content, all).await
    }

    /// A result that its device says it has delivered in so many bytes: its chunk root, if they are all here. It is
    /// kept from then on, until it is erased. Reads all of it.
    pub(crate) async fn delivered(&self, job: JobId, item: Item, bytes: u64) -> Option<Digest> {
        let root = self.keep_delivered(Name { job, item }, bytes).await;
        root.unwrap_or_else(|error| {
            let error = &error as &dyn Error;
            tracing::warn!(%job, error, "cannot keep a result; its device says again that it is here");
            None
        })
    }

    async fn keep_delivered(
        &self,
        name: Name,
        bytes: u64,
    ) -> Result<Option<Digest>, DeliveredError> {
        let disk = |error: DiskError| GetError::from(StoreError::from(error));
        if let Some(held) = self.depot.received(name).await.map_err(disk)? {
            if held != bytes {
                return Ok(None);
            }
            // Nothing if it got its name meanwhile, because its device said so twice at a time.
            let content = self.depot.content_received(name).await.map_err(disk)?;
            if let Some(content) = content {
                self.depot.keep(name, content).await?;
                return Ok((content.bytes == bytes).then_some(content.root));
            }
        }
        // The masternode may have gone down before the report was on disk.
        match self.depot.head(name).await.map_err(GetError::from)? {
            Some(held) if held == bytes => Ok(Some(self.depot.content(name).await?.root)),
            _ => Ok(None),
        }
    }

    /// The item turned out wrong: what was received is dropped.
    pub(crate) async fn drop_received(&self, job: JobId, item: Item) {
        if let Err(error) = self.depot.drop_received(Name { job, item }).await {
            // It is refused again when it is next checked.
            let error = &error as &dyn Error;
            tracing::warn!(%job, error, "what was refused of a job is not erased");
        }
    }

    /// These bytes of an item that is here and checked: all of them, or an error.
    pub(crate) async fn read(
        &self,
        job: JobId,
        item: Item,
        range: Range<u64>,
    ) -> Result<Vec<u8>, GetError> {
        let mut pieces = self.depot.get(Name { job, item }, range).await?;
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    /// Whether a shard is small enough to be [remembered](Self::remember).
    pub(crate) fn is_small(shard: &[u8]) -> bool {
        shard.len() <= small::SHARD_BYTES_MAX
    }

    /// A whole shard that was checked and [kept](Vault::keep): in memory too, if it is small.
    pub(crate) fn remember(&self, job: JobId, task: TaskIndex, shard: &[u8]) {
        self.small.keep(job, task, shard);
    }

    /// All of an item that has so many bytes. One that has fewer is an error; what is behind them is not looked at.
    pub(crate) async fn read_exactly(
        &self,
        job: JobId,
        item: Item,
        bytes: u64,
    ) -> Result<Vec<u8>, GetError> {
        if let Item::Shard(task) = item
            && let Ok(bytes) = usize::try_from(bytes)
            && let Some(shard) = self.small.get(&job, task, bytes)
        {
            return Ok(shard);
        }
        self.read(job, item, 0..bytes).await
    }

    /// All of an item whose length is not known. Whoever asks holds it to what it has to be.
    pub(crate) async fn read_all(&self, job: JobId, item: Item) -> Result<Vec<u8>, GetError> {
        let name = Name { job, item };
        match self.depot.head(name).await? {
            None => Err(GetError::Missing { name }),
            Some(bytes) if bytes > ITEM_BYTES_MAX => Err(GetError::Altered { name }),
            Some(bytes) => self.read(job, item, 0..bytes).await,
        }
    }

    /// Whether results of a task may be here. If not, none is. Nothing is asked for that.
    pub(crate) fn may_have_results(&self, job: JobId, task: TaskIndex) -> bool {
        self.depot.may_have_results(job, task)
    }

    /// Erases the results of a task, except one.
    pub(crate) async fn keep_result(
        &self,
        job: JobId,
        task: TaskIndex,
        kept: Option<(ReplicaIndex, DeviceId)>,
    ) -> Result<(), StoreError> {
        let kept = kept.map(|(replica, device)| Item::Result(task, replica, device));
        let is_erased = |name: &Name| Some(name.item) != kept;
        self.depot.erase_results((job, task), is_erased).await?;
        Ok(())
    }

    /// Notes that a task begins to be computed here, and says how often it did before without coming to an end. What
    /// is noted outlives the masternode, if not the machine's power. Waits for the disk, as who computes may.
    pub(crate) fn begin_attempt(&self, job: JobId, task: TaskIndex) -> io::Result<u64> {
        self.attempts.begin(job, task)
    }

    /// A task that was computed here has come to an end, whatever came of it. Waits for the disk.
    pub(crate) fn end_attempt(&self, job: JobId, task: TaskIndex) -> io::Result<()> {
        self.attempts.end(job, task)
    }

    /// Erases what devices needed to compute a job: manifest, program and shards.
    pub(crate) async fn erase_inputs(&self, job: JobId) -> Result<(), EraseError> {
        self.erase_of(job, |item| item.is_input()).await
    }

    /// Erases everything of a job.
    pub(crate) async fn erase(&self, job: JobId) -> Result<(), EraseError> {
        self.erase_of(job, |_| true).await
    }

    async fn erase_of(
        &self,
        job: JobId,
        is_erased: impl Fn(&Item) -> bool,
    ) -> Result<(), EraseError> {
        self.small.forget(&job);
        self.depot.erase(job, |name| is_erased(&name.item)).await?;
        let attempts = Arc::clone(&self.attempts);
        let erased = waited(move || attempts.erase(job)).await;
        erased.map_err(EraseError::Attempts)
    }

    /// Erases, now and every hour for ever, what must not be here any more, and in a bucket what is left of uploads
    /// that broke off. Asks of each item when it is its turn.
    pub(crate) async fn tend(&self, may_be: impl Fn(JobId, Item) -> bool) {
        let sweeps = async {
            loop {
                self.sweep(&may_be).await;
                tokio::time::sleep(SWEEP_EVERY).await;
            }
        };
        // The depot tidies when it is opened, and every hour.
        tokio::join!(sweeps, self.depot.tend());
    }

    async fn sweep(&self, may_be: impl Fn(JobId, Item) -> bool) {
        match self.depot.sweep(|name| may_be(name.job, name.item)).await {
            Ok(swept) if swept.erased > 0 => {
                let items = swept.erased;
                tracing::info!(items, "items that nothing needs any more were erased");
            }
            Ok(_) => {}
            Err(error) => {
                let error = &error as &dyn Error;
                tracing::warn!(
                    error,
                    "items that nothing needs any more are not all erased; trying again in an hour"
                );
            }
        }
    }
}

/// Does what waits for the disk where that holds nobody up.
async fn waited<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    // An error says that the runtime ends.
    done.unwrap_or_else(|error| Err(error.into()))
}

/// What owners are told where something of a job can be neither read nor written; why, the operator is.
pub(crate) fn not_stored(job: JobId, error: &(dyn Error + 'static)) -> ApiError {
    tracing::warn!(%job, error, "cannot read or write a job's files");
    ApiError::Storage
}

/// Those of a job's things that are shards.
fn shards(names: Vec<Name>) -> BTreeSet<TaskIndex> {
    let shard = |name: Name| match name.item {
        Item::Shard(task) => Some(task),
        _ => None,
    };
    names.into_iter().filter_map(shard).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod bucket_tests;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
