//! An input that is elsewhere, fetched into a file.
//!
//! An input is read several times and at several places: where it is cut, where its first task is tried, and where it is
//! sealed, by as many threads as there are. So it comes into a file first, and whoever cuts it cuts that file.
//!
//! | file | what it is |
//! | --- | --- |
//! | `NAME.lock` | locked by the program that fetches or reads the input |
//! | `NAME.version` | of which version the bytes are |
//! | `NAME.part` | what has come |
//! | `NAME` | all of it |
//!
//! What broke off goes on where it broke if the same version is still there, and what is all here is not fetched again;
//! so a quote and the job that follows it fetch once. What nobody needed for a day goes.

use crate::{
    folder::FolderError,
    private::{PrivateFolder, at},
};
use futures::TryStreamExt as _;
use quern_depot::{Place, Source, SourceError};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::io::{AsyncWriteExt as _, BufWriter};

/// How long an input stays that nobody needs.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Bytes that are written at a time.
const WRITE_BYTES: usize = 1024 * 1024;

/// How often a lock is taken that somebody removes meanwhile.
const LOCK_TRIES: usize = 8;

/// What ends the name of the file by which an input is locked.
const LOCK: &str = ".lock";

/// Why an input is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchInputError {
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is longer than what may come of it. Nothing was fetched.
    #[error(
        "{place} has {bytes} bytes, and an input that is cut so has at most {most}; split it by lines or bytes, take \
         larger shards, or make several jobs of it"
    )]
    TooLong {
        /// Where it is.
        place: Place,
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        most: u64,
    },
    /// It does not fit on this disk. Nothing of it was fetched now.
    #[error("{place} has {missing} bytes more, and there is room for {free} at {}; make some", folder.display())]
    NoRoom {
        /// Where it is.
        place: Place,
        /// How many have still to come.
        missing: u64,
        /// How many may.
        free: u64,
        /// Where they would be.
        folder: PathBuf,
    },
    /// Another program has it.
    #[error("another command of yours fetches or reads {place} now; wait until it is done")]
    Busy {
        /// Where it is.
        place: Place,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// An input that is here. As long as this is, no other program fetches or removes it.
#[derive(Debug)]
pub struct FetchedInput {
    files: Files,
    _lock: File,
}

impl FetchedInput {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.files.path("")
    }

    /// Removes it: it is in a job now.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(self) -> Result<(), FolderError> {
        self.files.remove()
    }
}

/// Fetches an input into a folder of such, which is made if it is not there: what of it is not here yet. One that has
/// more than `most_bytes` is refused before anything comes. `progress` hears how many bytes of how many are here.
///
/// # Errors
///
/// If it is too long, does not come, changes meanwhile, or does not fit here. What came stays, and is gone on with the next
/// time, unless it changed.
pub async fn fetch_input(
    inputs: &Path,
    source: &Source,
    most_bytes: u64,
    mut progress: impl FnMut(u64, u64),
) -> Result<FetchedInput, FetchInputError> {
    let place = || source.place().clone();
    let bytes = source.bytes();
    if bytes > most_bytes {
        return Err(FetchInputError::TooLong {
            place: place(),
            bytes,
            most: most_bytes,
        });
    }
    let files = Files {
        folder: PrivateFolder::made(inputs)?,
        name: name_of(source.place()),
    };
    files.forget_old_ones()?;
    let lock = files.lock()?;
    let lock = lock.ok_or_else(|| FetchInputError::Busy { place: place() })?;
    let held = files.held(source)?;
    progress(held.unwrap_or(bytes), bytes);
    if let Some(held) = held {
        let (missing, free) = (bytes.saturating_sub(held), files.free_bytes()?);
        if missing > free {
            return Err(FetchInputError::NoRoom {
                place: place(),
                missing,
                free,
                folder: inputs.to_owned(),
            });
        }
        let fetched = files.fetch(source, held, &mut progress).await;
        if let Err(FetchInputError::Source(SourceError::Changed { .. })) = fetched {
            // Some of it may be of the one version and some of the other.
            files.remove()?;
        }
        fetched?;
    }
    Ok(FetchedInput { files, _lock: lock })
}

/// What an input's files are called. The place's own text may be what opens it.
fn name_of(place: &Place) -> String {
    hex::encode(Sha256::digest(place.exact().as_bytes()))
}

/// The files of an input.
#[derive(Debug)]
struct Files {
    folder: PrivateFolder,
    name: String,
}

impl Files {
    fn called(&self, end: &str) -> String {
        format!("{}{end}", self.name)
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.path().join(self.called(end))
    }

    /// How many bytes are here of an input as it is now, if not all are. What is here of another version goes.
    fn held(&self, source: &Source) -> Result<Option<u64>, FolderError> {
        let version = source.version();
        let known = self
            .folder
            .read_if_there(&self.called(".version"), |bytes| Some(bytes.to_vec()))?;
        let (whole, part) = (length(&self.path(""))?, length(&self.path(".part"))?);
        let is_of_version = known.is_some_and(|known| known == version.as_bytes());
        let is_sound = whole.is_none_or(|bytes| bytes == source.bytes())
            && part.is_none_or(|bytes| bytes <= source.bytes());
        if is_of_version && is_sound {
            return Ok(match whole {
                Some(_) => None,
                None => Some(part.unwrap_or(0)),
            });
        }
        self.remove()?;
        let file = self.called(".version");
        self.folder.put_whole(&file, version.as_bytes())?;
        Ok(Some(0))
    }

    /// Bytes that still go into the folder.
    fn free_bytes(&self) -> Result<u64, FolderError> {
        let path = self.folder.path();
        let found = rustix::fs::statvfs(path).map_err(|error| at(path)(error.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Fetches all from a byte on. It has its name when it is whole, on disk, and still the same where it came from.
    async fn fetch(
        &self,
        source: &Source,
        from: u64,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), FetchInputError> {
        let path = self.path(".part");
        let part = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .await
            .map_err(at(&path))?;
        let mut part = BufWriter::with_capacity(WRITE_BYTES, part);
        let mut held = from;
        let mut read = source.read(from..source.bytes());
        let came = loop {
            let piece = match read.try_next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            part.write_all(&piece).await.map_err(at(&path))?;
            held = held.saturating_add(piece.len() as u64);
            progress(held, source.bytes());
        };
        // What came before it broke is gone on from.
        part.flush().await.map_err(at(&path))?;
        came?;
        part.into_inner().sync_all().await.map_err(at(&path))?;
        source.is_unchanged().await?;
        let whole = self.path("");
        fs::rename(&path, &whole).map_err(at(&whole))?;
        Ok(())
    }

    /// Locks the input; none if another program has it locked.
    fn lock(&self) -> Result<Option<File>, FolderError> {
        let path = self.path(LOCK);
        for _ in 0..LOCK_TRIES {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(at(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
            }
            // A lock that was removed meanwhile keeps nobody out.
            let locked = file.metadata().map_err(at(&path))?;
            if fs::metadata(&path).is_ok_and(|there| there.ino() == locked.ino()) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// Removes all but the lock.
    fn remove(&self) -> Result<(), FolderError> {
        for end in ["", ".part", ".version"] {
            self.folder.remove_file(&self.called(end))?;
        }
        Ok(())
    }

    /// Removes other inputs that nobody has locked and that nothing came of for a day.
    fn forget_old_ones(&self) -> Result<(), FolderError> {
        let path = self.folder.path();
        for entry in fs::read_dir(path).map_err(at(path))? {
            let name = entry.map_err(at(path))?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(LOCK));
            let Some(name) = name.filter(|name| *name != self.name) else {
                continue;
            };
            let other = Self {
                folder: self.folder.clone(),
                name: name.to_owned(),
            };
            if other.is_old()
                && let Some(_lock) = other.lock()?
            {
                other.remove()?;
                other.folder.remove_file(&other.called(LOCK))?;
            }
        }
        Ok(())
    }

    fn is_old(&self) -> bool {
        let is_new = |end| {
            let changed = fs::metadata(self.path(end)).and_then(|it| it.modified());
            changed.is_ok_and(|at| {
                SystemTime::now()
                    .duration_since(at)
                    .is_ok_and(|age| age < KEPT_FOR)
            })
        };
        !["", ".part", ".version"].into_iter().any(is_new)
    }
}

fn length(path: &Path) -> Result<Option<u64>, FolderError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(Some(found.map_err(at(path))?.len())),
    }
}

#[cfg(test)]
mod tests;
