//! From an archive to a folder.

use super::{ENTRIES_MAX, within};
use quern_shards::archive::{ArchiveFacts, DecodeError, Decoder, Entry, EntryKind};
use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT, fchmod,
        futimens, mkdirat, openat, renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};
use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// What becomes of what has the name of an entry already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and restoring ends with an error.
    Kept,
    /// A file, or what else is no folder, gives way to a file; into a folder its entries are restored,
    /// beside what is in it.
    Replaced,
}

/// Why a folder is not restored, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something cannot be written.
    #[error("cannot restore {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An entry's name is taken.
    #[error(
        "{path} is there already; restore into another folder, or say that what exists is to be replaced"
    )]
    AlreadyThere {
        /// What is there.
        path: PathBuf,
    },
    /// What has the name of a folder is none.
    #[error("{path} is to be a folder and is something else; move it away, then restore anew")]
    NotFolder {
        /// What is there.
        path: PathBuf,
    },
    /// What has the name of a file is a folder.
    #[error("{path} is to be a file and is a folder; move it away, then restore anew")]
    IsFolder {
        /// What is there.
        path: PathBuf,
    },
    /// The archive has too much in it.
    #[error(
        "the archive has more than {max} files and folders, which no folder that was packed has; refuse it"
    )]
    TooMany {
        /// How many are restored together.
        max: u64,
    },
    /// What came is no archive, or not whole.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Restores an archive into a folder, which is made for its owner alone if it is not there.
///
/// A file gets its name when it is whole, and a folder its mode and time when all in it is there. After
/// an error there is a part of what was packed; only `Ok` says that it is all, as it was, and on disk.
pub fn restore(
    archive: impl Read,
    into: &Path,
    existing: Existing,
) -> Result<ArchiveFacts, RestoreError> {
    restore_up_to(ENTRIES_MAX, archive, into, existing)
}

pub(super) fn restore_up_to(
    max: u64,
    archive: impl Read,
    into: &Path,
    existing: Existing,
) -> Result<ArchiveFacts, RestoreError> {
    // What is no archive makes no folder.
    let mut decoder = Decoder::new(archive)?;
    let mut restoring = Restoring::begin(into, existing)?;
    let mut facts = ArchiveFacts::default();
    while let Some(entry) = decoder.next_entry()? {
        facts.entries = facts.entries.saturating_add(1);
        if facts.entries > max {
            return Err(RestoreError::TooMany { max });
        }
        if let EntryKind::File { bytes } = entry.kind {
            facts.content_bytes = facts.content_bytes.saturating_add(bytes);
        }
        restoring.entry(entry, &mut decoder)?;
    }
    restoring.finish()?;
    Ok(facts)
}

/// A folder that is being restored.
struct Restoring<'a> {
    root: &'a Path,
    existing: Existing,
    /// The folder that is restored into; nothing of it is changed.
    base: File,
    /// Those below it that the last entry is in, from the uppermost down.
    levels: Vec<Level>,
}

struct Level {
    folder: File,
    entry: Entry,
}

/// Where one entry is made: an open folder, and the one name in it.
struct Place<'a> {
    folder: &'a File,
    name: &'a str,
    /// To be told.
    path: PathBuf,
}

impl<'a> Restoring<'a> {
    fn begin(root: &'a Path, existing: Existing) -> Result<Self, RestoreError> {
        let cannot = write(root);
        let made = DirBuilder::new().mode(0o700).create(root);
        let base = match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(root),
        };
        let base = base.map_err(cannot)?;
        if !base.metadata().map_err(write(root))?.is_dir() {
            let path = root.to_owned();
            return Err(RestoreError::NotFolder { path });
        }
        Ok(Self {
            root,
            existing,
            base,
            levels: Vec::new(),
        })
    }

    fn entry(
        &mut self,
        entry: Entry,
        decoder: &mut Decoder<impl Read>,
    ) -> Result<(), RestoreError> {
        // The decoder gives no entry whose folder did not come before, and none that belongs before
        // another; so what is deeper than this one's folder is complete.
        let Some((name, parents)) = entry.path.parts().split_last() else {
            return Ok(());
        };
        self.leave_to(parents.len())?;
        let place = Place {
            folder: self.levels.last().map_or(&self.base, |it| &it.folder),
            name,
            path: within(self.root, entry.path.parts()),
        };
        match entry.kind {
            EntryKind::Folder => {
                let folder = place.make_folder(self.existing)?;
                self.levels.push(Level { folder, entry });
            }
            EntryKind::File { .. } => place.make_file(self.existing, &entry, decoder)?,
        }
        Ok(())
    }

    /// Leaves the folders that are deeper, the deepest first.
    fn leave_to(&mut self, depth: usize) -> Result<(), RestoreError> {
        while self.levels.len() > depth {
            let Some(Level { folder, entry }) = self.levels.pop() else {
                break;
            };
            let path = within(self.root, entry.path.parts());
            put_mode_and_time(&folder, &entry).map_err(write(&path))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), RestoreError> {
        self.leave_to(0)?;
        sync(&self.base).map_err(write(self.root))
    }
}

impl Place<'_> {
    fn make_folder(&self, existing: Existing) -> Result<File, RestoreError> {
        let is_new = match mkdirat(self.folder, self.name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) if existing == Existing::Replaced => false,
            Err(Errno::EXIST) => return Err(self.already_there()),
            Err(error) => return Err(self.cannot(error)),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match openat(self.folder, self.name, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let path = self.path.clone();
                return Err(RestoreError::NotFolder { path });
            }
            Err(error) => return Err(self.cannot(error)),
        };
        if !is_new {
            // It may be closed to writing, until it gets the mode that was packed. Whoever may not
            // change that is told when something is to be written.
            let _ = fchmod(&folder, Mode::RWXU);
        }
        Ok(folder.into())
    }

    fn make_file(
        &self,
        existing: Existing,
        entry: &Entry,
        decoder: &mut Decoder<impl Read>,
    ) -> Result<(), RestoreError> {
        self.check_name(existing)?;
        let part = format!(".{:016x}.part", rand::random::<u64>());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(self.folder, &part, flags | OFlags::NOFOLLOW, mode)
            .map_err(|error| self.cannot(error))?;
        let done = self
            .fill(file.into(), entry, decoder)
            .and_then(|()| self.give_name(&part, existing));
        if done.is_err() {
            // As far as that goes: what is told is why the file is not there.
            let _ = unlinkat(self.folder, &part, AtFlags::empty());
        }
        done
    }

    /// Whether a file may get the name. Asked before all of it is written; what comes in between is
    /// noticed when it gets it.
    fn check_name(&self, existing: Existing) -> Result<(), RestoreError> {
        let stat = match statat(self.folder, self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.cannot(error)),
        };
        if existing == Existing::Kept {
            return Err(self.already_there());
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Err(self.is_folder()),
            _ => Ok(()),
        }
    }

    fn fill(
        &self,
        mut file: File,
        entry: &Entry,
        decoder: &mut Decoder<impl Read>,
    ) -> Result<(), RestoreError> {
        while let Some(stretch) = decoder.next_content()? {
            file.write_all(stretch).map_err(write(&self.path))?;
        }
        put_mode_and_time(&file, entry).map_err(write(&self.path))
    }

    /// Gives a file its name. A link that has it is replaced, and not followed.
    fn give_name(&self, part: &str, existing: Existing) -> Result<(), RestoreError> {
        let (folder, name) = (self.folder, self.name);
        let named = match existing {
            Existing::Replaced => renameat(folder, part, folder, name),
            Existing::Kept => {
                match renameat_with(folder, part, folder, name, RenameFlags::NOREPLACE) {
                    // A file system that cannot: the name was free when it was asked for.
                    Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                        renameat(folder, part, folder, name)
                    }
                    named => named,
                }
            }
        };
        match named {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if existing == Existing::Kept => Err(self.already_there()),
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => Err(self.is_folder()),
            Err(error) => Err(self.cannot(error)),
        }
    }

    fn cannot(&self, error: Errno) -> RestoreError {
        write(&self.path)(error.into())
    }

    fn already_there(&self) -> RestoreError {
        let path = self.path.clone();
        RestoreError::AlreadyThere { path }
    }

    fn is_folder(&self) -> RestoreError {
        let path = self.path.clone();
        RestoreError::IsFolder { path }
    }
}

fn write(path: &Path) -> impl FnOnce(io::Error) -> RestoreError + '_ {
    move |source| RestoreError::Write {
        path: path.to_owned(),
        source,
    }
}

/// The time comes last, for whatever else is done to a file may change it.
fn put_mode_and_time(file: &File, entry: &Entry) -> io::Result<()> {
    fchmod(file, Mode::from_raw_mode(entry.mode.into()))?;
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: entry.changed.seconds,
            tv_nsec: entry.changed.nanoseconds.into(),
        },
    };
    Ok(futimens(file, &times)?)
}

/// All that was written is on disk behind this. Once for all of it: to ask for each of many small files
/// takes far longer than to write them.
#[cfg(target_os = "linux")]
fn sync(folder: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

/// All that any program wrote is on disk behind this.
#[cfg(not(target_os = "linux"))]
fn sync(_: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}
