//! Whole things in a folder of this machine, a file each.
//!
//! It is written with the standard library. `object_store` has a folder too, `LocalFileSystem`; it was weighed and left
//! out, because it writes what it is given into a file of its own, where a part that is there already only has to be
//! renamed, and because its feature `fs` brings a second `nix`.

use crate::{
    Content, Name,
    disk::{self, DiskError, blocking},
    store::{Below, Found, Store, StoreError},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes read at a time.
const READ_BYTES: u64 = 256 * 1024;

/// A folder. Parts may lie in it too; they are none of its things.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    folder: PathBuf,
}

impl Folder {
    /// The folder, made if it is not there.
    pub(crate) async fn open(folder: PathBuf) -> Result<Self, DiskError> {
        let path = folder.clone();
        blocking(&folder, move || {
            fs::create_dir_all(&path).map_err(DiskError::of(&path))
        })
        .await?;
        Ok(Self { folder })
    }

    /// Gives all that has a name to another store, and erases it here. Says how much it was.
    pub(crate) async fn hand_on_to(&self, other: &dyn Store) -> Result<u64, StoreError> {
        let mut handed: u64 = 0;
        let mut listed = self.list(Below::All);
        while let Some(found) = listed.try_next().await? {
            let Some(name) = found.name else { continue };
            let (path, opened) = (self.path(&name), self.path(&name));
            let content = blocking(&path, move || {
                let file = File::open(&opened).map_err(DiskError::of(&opened))?;
                Content::read(file).map_err(DiskError::of(&opened))
            });
            other.keep(&name, &path, &content.await?).await?;
            self.remove(&name).await?;
            handed = handed.saturating_add(1);
        }
        Ok(handed)
    }

    /// Where it is.
    pub(crate) fn into_path(self) -> PathBuf {
        self.folder
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(name.key())
    }
}

#[async_trait]
impl Store for Folder {
    async fn keep(&self, name: &Name, part: &Path, _: &Content) -> Result<(), StoreError> {
        let (path, part) = (self.path(name), part.to_owned());
        blocking(&self.folder, move || {
            File::open(&part)
                .and_then(|file| file.sync_all())
                .map_err(DiskError::of(&part))?;
            disk::open_in_folder(&path, |path| fs::rename(&part, path))?;
            disk::sync_folder(&path)
        })
        .await?;
        Ok(())
    }

    async fn head(&self, name: &Name) -> Result<Option<u64>, StoreError> {
        let path = self.path(name);
        Ok(blocking(&self.folder, move || disk::length(&path)).await?)
    }

    async fn get(
        &self,
        name: &Name,
        range: Range<u64>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        let path = self.path(name);
        let opened = path.clone();
        let file = blocking(&path, move || match File::open(&opened) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some).map_err(DiskError::of(&opened)),
        })
        .await?;
        Ok(file.map(|file| read(Arc::new(file), path, range).boxed()))
    }

    async fn remove(&self, name: &Name) -> Result<(), StoreError> {
        let (path, folder) = (self.path(name), self.folder.clone());
        Ok(blocking(&self.folder, move || disk::remove(&path, &folder)).await?)
    }

    fn list(&self, below: Below) -> BoxStream<'static, Result<Found, StoreError>> {
        let folder = self.folder.clone();
        match below.key() {
            Some(key) => list(folder, key).boxed(),
            None => jobs(folder.clone())
                .map_ok(move |job| list(folder.clone(), job))
                .try_flatten()
                .boxed(),
        }
    }

    async fn tidy(&self) -> Result<u64, StoreError> {
        // What is not whole is a part, and goes on.
        Ok(0)
    }
}

/// What may be the folder of a job.
fn jobs(folder: PathBuf) -> impl Stream<Item = Result<String, StoreError>> + Send + 'static {
    let listed = async move {
        let below = folder.clone();
        let names = blocking(&folder, move || {
            let entries = fs::read_dir(&below).map_err(DiskError::of(&below))?;
            let mut names = Vec::new();
            for entry in entries {
                let name = entry.map_err(DiskError::of(&below))?.file_name();
                names.extend(name.into_string().ok());
            }
            Ok(names)
        })
        .await?;
        Ok::<_, StoreError>(stream::iter(names.into_iter().map(Ok)))
    };
    stream::once(listed).try_flatten()
}

/// The files below a key, without parts. Of something else than a folder of a job: what is in there, without a name.
fn list(
    folder: PathBuf,
    below: String,
) -> impl Stream<Item = Result<Found, StoreError>> + Send + 'static {
    let listed = async move {
        let found = blocking(&folder.clone(), move || {
            let mut found = Vec::new();
            disk::each_file(&folder.join(&below), &mut |key, bytes| {
                let key = format!("{below}/{key}");
                if Name::of_part_key(&key).is_none() {
                    let name = Name::of_key(&key);
                    found.push(Found { name, bytes });
                }
            })?;
            Ok(found)
        })
        .await?;
        Ok::<_, StoreError>(stream::iter(found.into_iter().map(Ok)))
    };
    stream::once(listed).try_flatten()
}

/// Reads a range of a file, or as much of it as there is.
fn read(
    file: Arc<File>,
    path: PathBuf,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    stream::try_unfold(range, move |range| {
        let (file, path) = (Arc::clone(&file), path.clone());
        async move {
            let length = range.end.saturating_sub(range.start).min(READ_BYTES);
            if length == 0 {
                return Ok(None);
            }
            let at = range.start;
            let read = blocking(&path.clone(), move || {
                let mut buffer = vec![0; usize::try_from(length).unwrap_or_default()];
                let read = read_once(&file, &mut buffer, at).map_err(DiskError::of(&path))?;
                buffer.truncate(read);
                Ok(Bytes::from(buffer))
            })
            .await?;
            let next = at.saturating_add(read.len() as u64)..range.end;
            Ok((!read.is_empty()).then_some((read, next)))
        }
    })
}

fn read_once(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
