//! The depot: parts, room and checks around what keeps whole things.

mod erasing;
mod errors;

pub use erasing::{Swept, TIDY_EVERY};
pub use errors::{AppendError, GetError, KeepError, ListError, PutError};

use crate::{
    Config, Content, DiskError, ITEM_BYTES_MAX, Name, StoreError,
    bucket::Bucket,
    folder::Folder,
    locks::Locks,
    parts::Parts,
    room::{NoRoom, Room},
    store::{Below, Store},
};
use bytes::{Bytes, BytesMut};
use futures::{
    Stream, StreamExt as _, TryStreamExt as _, pin_mut,
    stream::{self, BoxStream},
};
use quern_primitives::JobId;
use std::{ops::Range, sync::Arc};
use tracing::{info, warn};

/// Bytes of a piece that is appended, at most.
pub const PIECE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Things of one job that are listed, at most: results of every replica of every task, and what they are computed from.
pub const LISTED_MAX: usize = 2 * 1024 * 1024;

/// What happened to a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// More is to come; so many bytes are here.
    Partly(u64),
    /// As many bytes as the thing may have are here, unchecked.
    Whole,
    /// The thing has its name already, and the piece was not looked at. It has so many bytes.
    Kept(u64),
}

/// Bytes by their name. Clones are of the same depot.
#[derive(Clone, Debug)]
pub struct Depot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Box<dyn Store>,
    parts: Parts,
    room: Room,
    locks: Locks,
}

impl Depot {
    /// Opens a depot, and counts what is there. Two depots must not have one folder, or one bucket with one prefix.
    ///
    /// What is whole in the folder of a depot over a bucket is brought to the bucket first: a depot over that folder
    /// alone put it there.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be read, or what is in the folder cannot be brought to the bucket.
    pub async fn open(config: Config) -> Result<Self, StoreError> {
        let (folder, store, room): (Folder, Box<dyn Store>, Room) = match config {
            Config::Folder { folder, most_bytes } => {
                let folder = Folder::open(folder).await?;
                let room = Room::new(most_bytes, most_bytes);
                (folder.clone(), Box::new(folder), room)
            }
            Config::Bucket {
                folder,
                bucket,
                most_bytes,
                parts_most_bytes,
            } => {
                let folder = Folder::open(folder).await?;
                let bucket = Bucket::new(*bucket)?;
                let brought = folder.hand_on_to(&bucket).await?;
                if brought > 0 {
                    info!(
                        brought,
                        "what was in the depot's folder is in its bucket now"
                    );
                }
                let room = Room::new(most_bytes, parts_most_bytes);
                (folder, Box::new(bucket), room)
            }
        };
        let depot = Self(Arc::new(Inner {
            store,
            parts: Parts::of(folder.into_path()),
            room,
            locks: Locks::default(),
        }));
        depot.count().await?;
        Ok(depot)
    }

    async fn count(&self) -> Result<(), StoreError> {
        let inner = &self.0;
        let mut strange: u64 = 0;
        let mut listed = inner.store.list(Below::All);
        while let Some(found) = listed.try_next().await? {
            match found.name {
                Some(name) => inner.room.found(&name, found.bytes),
                None => strange = strange.saturating_add(1),
            }
        }
        for (name, bytes) in inner.parts.found().await? {
            inner.room.found_part(name, bytes);
        }
        if strange > 0 {
            warn!(
                strange,
                "there are things in the depot that it did not put there"
            );
        }
        self.tidy_if_possible().await;
        Ok(())
    }

    /// Bytes that everything takes, in blocks of the disk.
    pub fn bytes(&self) -> u64 {
        self.0.room.bytes()
    }

    /// Appends a piece that begins at byte `at` to something that may have `limit` bytes. Of several pieces for one
    /// place only the first is taken. Nothing that has come so has a name before it is [kept](Self::keep).
    ///
    /// There must be room for all of an input, though none is kept for it; of a result, for what is here.
    ///
    /// # Errors
    ///
    /// If it is not the next piece, does not fit, or cannot be written.
    pub async fn append(
        &self,
        name: Name,
        at: u64,
        limit: u64,
        piece: Bytes,
    ) -> Result<Received, AppendError> {
        let inner = &self.0;
        let _alone = inner.locks.lock(name).await;
        let mut held = inner.parts.length(&name).await.map_err(StoreError::from)?;
        if held.is_none()
            && let Some(bytes) = inner.store.head(&name).await?
        {
            return Ok(Received::Kept(bytes));
        }
        let limit = limit.min(ITEM_BYTES_MAX);
        if held.is_some_and(|held| held > limit) {
            // No piece can mend what is longer than the whole.
            inner.drop_part(&name).await.map_err(StoreError::from)?;
            held = None;
        }
        let held = held.unwrap_or(0);
        if at != held {
            return Err(AppendError::OutOfOrder {
                name,
                expected: held,
            });
        }
        let length = held.saturating_add(piece.len() as u64);
        if length > limit || piece.len() > PIECE_BYTES_MAX {
            return Err(AppendError::TooLong { name, limit });
        }
        inner.write(name, held, length, limit, piece).await?;
        Ok(match length == limit {
            true => Received::Whole,
            false => Received::Partly(length),
        })
    }

    /// Bytes that have come of something that has no name yet; none where nothing has been begun.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub async fn received(&self, name: Name) -> Result<Option<u64>, DiskError> {
        self.0.parts.length(&name).await
    }

    /// What has come in part of a job, and has no name yet, in order.
    pub fn begun(&self, job: JobId) -> Vec<Name> {
        self.0.room.parts(Below::Job(job))
    }

    /// The bytes that have come of something that has no name yet, where somebody has to look at them before it gets
    /// one, as at manifest and program.
    ///
    /// # Errors
    ///
    /// If nothing has come, or the disk cannot be read.
    pub async fn read_received(&self, name: Name) -> Result<Vec<u8>, DiskError> {
        self.0.parts.read(&name).await
    }

    /// What has come of something that has no name yet, in one pass over it; none where nothing has been begun.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub async fn content_received(&self, name: Name) -> Result<Option<Content>, DiskError> {
        let _alone = self.0.locks.lock(name).await;
        match self.0.parts.length(&name).await? {
            None => Ok(None),
            Some(_) => Ok(Some(self.0.parts.content(&name).await?)),
        }
    }

    /// Drops what has come of something that has no name yet.
    ///
    /// # Errors
    ///
    /// If the disk cannot be written.
    pub async fn drop_received(&self, name: Name) -> Result<(), DiskError> {
        let _alone = self.0.locks.lock(name).await;
        self.0.drop_part(&name).await
    }

    /// Gives what has come its name, if it is what it has to be. It is safe when this returns, and may be said twice.
    /// Where it turns out to be something else it is dropped. Who gives up waiting does not know whether it has its name,
    /// and says it again.
    ///
    /// # Errors
    ///
    /// If nothing has come, if it is something else, or if it cannot be kept now: then it stays as it came, and this
    /// may be called again.
    pub async fn keep(&self, name: Name, content: Content) -> Result<(), KeepError> {
        let inner = &self.0;
        let _alone = inner.locks.lock(name).await;
        let held = inner.parts.length(&name).await.map_err(StoreError::from)?;
        if held.is_none() {
            return match inner.store.head(&name).await? {
                Some(_) => Ok(()),
                None => Err(KeepError::Nothing { name }),
            };
        }
        let came = inner.parts.content(&name).await.map_err(StoreError::from)?;
        if came != content {
            inner.drop_part(&name).await.map_err(StoreError::from)?;
            return Err(KeepError::Wrong { name, came });
        }
        let part = inner.parts.path(&name);
        let replaced = inner.store.head(&name).await?;
        inner.store.keep(&name, &part, &content).await?;
        if let Some(bytes) = replaced {
            // A crash came between the name and the end of the part.
            inner.room.drop_kept(name.job, bytes);
        }
        inner.room.keep(&name, content.bytes);
        if let Err(error) = inner.parts.remove(&name).await {
            // It has its name; what stays is found and counted at the next start.
            warn!(%name, %error, "a part that became whole is not erased");
        }
        Ok(())
    }

    /// Keeps all of a stream: whole and checked, or not at all.
    ///
    /// # Errors
    ///
    /// If it breaks, does not fit, has other bytes, or cannot be kept.
    pub async fn put<E>(
        &self,
        name: Name,
        content: Content,
        bytes: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), PutError<E>> {
        let put = self.put_part(name, content, bytes).await;
        if put.is_err()
            && let Err(error) = self.drop_received(name).await
        {
            warn!(%name, %error, "what came of something that is not kept is not erased");
        }
        put
    }

    async fn put_part<E>(
        &self,
        name: Name,
        content: Content,
        bytes: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), PutError<E>> {
        let dropped = self.drop_received(name).await;
        dropped.map_err(|error| AppendError::Store(error.into()))?;
        let mut at: u64 = 0;
        // An empty thing has a file too.
        let first = stream::once(async { Ok(Bytes::new()) });
        let bytes = first.chain(bytes.map_err(PutError::Source));
        pin_mut!(bytes);
        while let Some(mut piece) = bytes.try_next().await? {
            loop {
                let next = piece.split_to(piece.len().min(PIECE_BYTES_MAX));
                let length = next.len() as u64;
                if let Received::Kept(_) = self.append(name, at, content.bytes, next).await? {
                    return Ok(());
                }
                at = at.saturating_add(length);
                if piece.is_empty() {
                    break;
                }
            }
        }
        Ok(self.keep(name, content).await?)
    }

    /// Bytes of something that has a name; none if nothing has.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be read.
    pub async fn head(&self, name: Name) -> Result<Option<u64>, StoreError> {
        self.0.store.head(&name).await
    }

    /// Some bytes of something that has a name: all of the range, or an error instead of the first that is missing. A
    /// bucket that breaks off is asked for the rest, as long as it has the same object.
    ///
    /// They are not checked, for a part of something proves nothing. Whoever can hold them to a proof does; whoever
    /// needs all of something has [`whole`](Self::whole).
    ///
    /// # Errors
    ///
    /// If nothing has that name, or it cannot be read. What is found out later is an error in the stream.
    pub async fn get(
        &self,
        name: Name,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, GetError>>, GetError> {
        if range.is_empty() {
            // No server of S3 gives nothing.
            return match self.head(name).await? {
                Some(bytes) if bytes >= range.end => Ok(stream::empty().boxed()),
                Some(from) => Err(GetError::Short {
                    name,
                    from,
                    end: range.end,
                }),
                None => Err(GetError::Missing { name }),
            };
        }
        let got = self.0.store.get(&name, range.clone()).await?;
        let bytes = got.ok_or(GetError::Missing { name })?;
        Ok(exactly(name, range, bytes).boxed())
    }

    /// All bytes of something that has a name, held to what they have to be. They are in memory.
    ///
    /// # Errors
    ///
    /// If nothing has that name, if it has other bytes, or if it cannot be read.
    pub async fn whole(&self, name: Name, content: Content) -> Result<Bytes, GetError> {
        if content.bytes > ITEM_BYTES_MAX {
            return Err(GetError::Altered { name });
        }
        // A thing that is longer is another one.
        match self.head(name).await? {
            None => return Err(GetError::Missing { name }),
            Some(bytes) if bytes != content.bytes => return Err(GetError::Altered { name }),
            Some(_) => {}
        }
        let mut bytes = self.get(name, 0..content.bytes).await?;
        let mut all = BytesMut::new();
        while let Some(more) = bytes.try_next().await? {
            all.extend_from_slice(&more);
        }
        let all = all.freeze();
        match Content::of(&all) == content {
            true => Ok(all),
            false => Err(GetError::Altered { name }),
        }
    }

    /// What something that has a name is, in one pass over it.
    ///
    /// # Errors
    ///
    /// If nothing has that name, or it cannot be read.
    pub async fn content(&self, name: Name) -> Result<Content, GetError> {
        let bytes = self.head(name).await?.ok_or(GetError::Missing { name })?;
        let mut stream = self.get(name, 0..bytes).await?;
        let mut hasher = crate::content::Hasher::default();
        while let Some(more) = stream.try_next().await? {
            hasher.update(&more);
        }
        Ok(hasher.finish())
    }

    /// What has a name of a job, in order.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be read, or has more than a job can have.
    pub async fn list(&self, job: JobId) -> Result<Vec<Name>, ListError> {
        let mut names = Vec::new();
        let mut listed = self.0.store.list(Below::Job(job));
        while let Some(found) = listed.try_next().await? {
            let Some(name) = found.name.filter(|name| name.job == job) else {
                continue;
            };
            if names.len() == LISTED_MAX {
                return Err(ListError::TooMany { job });
            }
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

impl Inner {
    /// Writes a piece, with room for it.
    async fn write(
        &self,
        name: Name,
        held: u64,
        length: u64,
        limit: u64,
        piece: Bytes,
    ) -> Result<(), AppendError> {
        let may_become = match name.item.is_input() {
            true => limit,
            false => length,
        };
        let taken = self.room.take(name, length, may_become);
        taken.map_err(|NoRoom { missing_bytes }| AppendError::NoRoom {
            name,
            missing_bytes,
        })?;
        if let Err(error) = self.parts.append(&name, held, piece).await {
            match self.parts.length(&name).await {
                Ok(Some(bytes)) => self.room.found_part(name, bytes),
                Ok(None) => self.room.drop_part(&name),
                // It counts as if it were there.
                Err(_) => {}
            }
            return Err(StoreError::from(error).into());
        }
        Ok(())
    }

    async fn drop_part(&self, name: &Name) -> Result<(), DiskError> {
        self.parts.remove(name).await?;
        self.room.drop_part(name);
        Ok(())
    }

    async fn remove(&self, name: &Name, bytes: u64) -> Result<(), StoreError> {
        self.store.remove(name).await?;
        self.room.drop_kept(name.job, bytes);
        Ok(())
    }
}

/// All of a range, or an error where something is missing or too much.
fn exactly(
    name: Name,
    range: Range<u64>,
    bytes: BoxStream<'static, Result<Bytes, StoreError>>,
) -> impl Stream<Item = Result<Bytes, GetError>> + Send + 'static {
    stream::try_unfold((bytes, range), move |(mut bytes, range)| async move {
        match bytes.try_next().await? {
            None if range.is_empty() => Ok(None),
            None => Err(GetError::Short {
                name,
                from: range.start,
                end: range.end,
            }),
            Some(more) => {
                let next = range.start.saturating_add(more.len() as u64);
                match next > range.end {
                    true => Err(GetError::Long { name }),
                    false => Ok(Some((more, (bytes, next..range.end)))),
                }
            }
        }
    })
}
