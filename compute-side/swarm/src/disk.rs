//! The swarm's folder. A piece is whole in it, or not there.
//!
//! | in it | what it is |
//! | --- | --- |
//! | `task` | the task file |
//! | `key` | the secret seed of this peer's key |
//! | `lock` | held as long as a peer runs |
//! | `pieces/N`, `pieces/N.made` | a piece's bytes, and who made it, signed |
//! | `said` | what this peer found of others' pieces, signed |
//! | `coming/` | what is being computed or brought here; emptied at the start |
//! | `output/`, `merged` | the files that the pieces make, and of which pieces |
//! | `status.json` | what the peer that runs tells of itself |
//!
//! What is written is written beside its place, synced, and moved. A break between a piece and who made it
//! leaves two that do not fit each other, and both go at the next start.

mod load;
mod merge;
mod writer;

pub use load::Held;
pub(crate) use load::{forget, measured};
pub(crate) use writer::{Order, Written, writing};

use codec::Encode as _;
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::{PieceIndex, ValidatedTaskFile};
use quern_swarm_rules::message::{Made, Statement};
use rustix::fs::statvfs;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Why a swarm's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Something in it cannot be read or written.
    #[error("cannot {doing} {}; see that the disk has room and that it is yours", path.display())]
    File {
        /// What was to be done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another peer runs in it.
    #[error("another peer runs in {}; end it, or name another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It is another swarm's.
    #[error("{} is the folder of another swarm; name another", path.display())]
    OtherTask {
        /// The folder.
        path: PathBuf,
    },
    /// There is no room.
    #[error(
        "the swarm may take {needed} more bytes, and the disk of {} has {free}; make room, or name a folder on another disk",
        path.display()
    )]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// Bytes that pieces and output may still take.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// The key in it is none.
    #[error("{} is no key; remove it to go on under another name", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
}

/// A swarm's folder, which nobody else uses.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Names for what is on its way.
    next_coming: AtomicU64,
    _lock: File,
}

impl Folder {
    /// Opens the folder of a swarm, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// If it is in use, another swarm's, or cannot be written.
    pub fn open(path: &Path, task: &ValidatedTaskFile) -> Result<Self, DiskError> {
        for folder in [path.to_owned(), path.join("pieces")] {
            fs::create_dir_all(&folder).map_err(unable("make", &folder))?;
        }
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(unable("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(DiskError::InUse { path });
            }
            Err(TryLockError::Error(source)) => return Err(unable("lock", &lock_path)(source)),
        }
        let folder = Self {
            path: path.to_owned(),
            next_coming: AtomicU64::new(0),
            _lock: lock,
        };
        folder.is_of(task)?;
        let coming = path.join("coming");
        // What was told of a life before is not so any more.
        forget(&status_of(path));
        match fs::remove_dir_all(&coming) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(unable("empty", &coming)(source));
            }
            _ => fs::create_dir(&coming).map_err(unable("make", &coming))?,
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret seed of this peer's key, drawn at the first time.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is none.
    pub fn key_seed(&self, draw: impl FnOnce() -> [u8; 32]) -> Result<[u8; 32], DiskError> {
        let path = self.path.join("key");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| DiskError::Key { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let seed = draw();
                self.put("key", &seed)?;
                Ok(seed)
            }
            Err(source) => Err(unable("read", &path)(source)),
        }
    }

    /// Sees that the disk has room for what the swarm may still take.
    ///
    /// # Errors
    ///
    /// If it has not, or does not say.
    pub fn has_room(&self, needed: u64, held: u64) -> Result<(), DiskError> {
        let told = statvfs(&self.path)
            .map_err(|error| unable("ask for room in", &self.path)(error.into()))?;
        let free = told.f_bavail.saturating_mul(told.f_frsize);
        let needed = needed.saturating_sub(held);
        match needed <= free {
            true => Ok(()),
            false => Err(DiskError::NoRoom {
                path: self.path.clone(),
                needed,
                free,
            }),
        }
    }

    /// Where a piece is.
    pub fn piece(&self, piece: PieceIndex) -> PathBuf {
        piece_of(&self.path, piece)
    }

    /// A place for something on its way, which nothing else has.
    pub fn coming(&self) -> PathBuf {
        let name = self.next_coming.fetch_add(1, Ordering::Relaxed);
        self.path.join("coming").join(name.to_string())
    }

    /// Writes down what was found of another's piece. When it returns that is on the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn keep(&self, word: &Signed<Statement>) -> Result<(), DiskError> {
        let path = self.path.join("said");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(unable("open", &path))?;
        file.write_all(&word.encode())
            .and_then(|()| file.sync_data())
            .map_err(unable("write", &path))
    }

    /// Writes down how it stands. That is for people, and lost if the machine stops just now.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn tell(&self, status: &[u8]) -> Result<(), DiskError> {
        let (path, part) = (status_of(&self.path), self.path.join("status.json.part"));
        fs::write(&part, status)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(unable("write", &path))
    }

    /// Whether something was written down of how it stands.
    pub(crate) fn has_status(&self) -> bool {
        status_of(&self.path).is_file()
    }

    /// Puts a piece in its place that is in another of this folder, with who made it.
    fn store(&self, from: &Path, made: &Signed<Made>) -> Result<(), DiskError> {
        let path = self.piece(made.payload.piece);
        File::open(from)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(from, &path))
            .map_err(unable("write", &path))?;
        self.name_maker(made)
    }

    /// Says of a piece that is there who made it.
    fn name_maker(&self, made: &Signed<Made>) -> Result<(), DiskError> {
        let path = made_of(&self.path, made.payload.piece);
        put(&path, &made.encode()).map_err(unable("write", &path))
    }

    /// Removes a piece.
    fn discard(&self, piece: PieceIndex) -> Result<(), DiskError> {
        for path in [made_of(&self.path, piece), self.piece(piece)] {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(unable("remove", &path)(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sees that it is this swarm's, or makes it so.
    fn is_of(&self, task: &ValidatedTaskFile) -> Result<(), DiskError> {
        let path = self.path.join("task");
        match fs::read(&path) {
            Ok(bytes) if bytes == task.bytes() => Ok(()),
            Ok(_) => Err(DiskError::OtherTask {
                path: self.path.clone(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.put("task", task.bytes()),
            Err(source) => Err(unable("read", &path)(source)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let path = self.path.join(name);
        put(&path, bytes).map_err(unable("write", &path))
    }
}

/// Whether a peer runs in a folder.
///
/// # Errors
///
/// If that cannot be seen.
pub fn is_in_use(folder: &Path) -> io::Result<bool> {
    let lock = match File::open(folder.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// How many pieces are in a folder, as far as that is seen without reading them.
pub fn count_pieces(folder: &Path, task: &ValidatedTaskFile) -> u32 {
    let pieces = 0..task.file().pieces.get();
    let is_there = |piece: &PieceIndex| {
        made_of(folder, *piece).is_file() && piece_of(folder, *piece).is_file()
    };
    pieces
        .filter(is_there)
        .fold(0, |count, _| count.saturating_add(1))
}

/// The folder of the files that the pieces make, if it is there.
pub fn output_of(folder: &Path) -> Option<PathBuf> {
    Some(folder.join("output")).filter(|it| it.is_dir())
}

/// Whether the pieces of a folder were put together.
pub fn is_merged(folder: &Path) -> bool {
    folder.join(merge::MERGED).is_file()
}

/// Where a peer writes down how it stands.
pub(crate) fn status_of(folder: &Path) -> PathBuf {
    folder.join("status.json")
}

fn piece_of(folder: &Path, piece: PieceIndex) -> PathBuf {
    folder.join("pieces").join(piece.to_string())
}

fn made_of(folder: &Path, piece: PieceIndex) -> PathBuf {
    folder.join("pieces").join(format!("{piece}.made"))
}

/// Writes a file beside its place, syncs it, and moves it there. Only its owner may read it.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    sync_folder_of(path)
}

/// What was moved in a file's folder is there from now on.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The error of what was to be done with a file.
fn unable(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError::File {
        doing,
        path,
        source,
    }
}

/// What says of which pieces an output was put together: a digest over their roots.
fn digest_of<'a>(roots: impl Iterator<Item = &'a Digest>) -> Digest {
    quern_shards::chunks::shards_root(roots)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
