//! From a folder to an archive.

use super::{ENTRIES_MAX, within};
use crate::input::Facts;
use quern_shards::archive::{
    ArchivePath, Changed, EMPTY_ARCHIVE_BYTES, EncodeError, Encoder, Entry, EntryKind, MODE_MAX,
    PathFault,
};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use std::{
    fmt,
    fs::{File, Metadata},
    io::{self, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Why a folder is not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Something in it cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is something in it that no archive holds.
    #[error(
        "{path} is {what}, and only files and folders are packed; move it out of the folder, or put a file in its place"
    )]
    Special {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        what: Special,
    },
    /// A path in it is none for an archive.
    #[error("{path} cannot be packed")]
    Path {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with its path.
        source: PathFault,
    },
    /// It has too much in it.
    #[error("the folder has more than {max} files and folders; pack parts of it one by one")]
    TooMany {
        /// How many are packed together.
        max: u64,
    },
    /// It changed while it was packed.
    #[error("{path} changed while it was packed; wait until nothing writes to it, then pack anew")]
    Changed {
        /// What of it changed.
        path: PathBuf,
    },
    /// The archive was not made.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What is neither a file nor a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A symbolic link, wherever it leads.
    Link,
    /// A disk, terminal or the like.
    Device,
    /// A socket.
    Socket,
    /// A named pipe.
    Pipe,
    /// What this program does not know.
    Unknown,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "a symbolic link",
            Self::Device => "a device",
            Self::Socket => "a socket",
            Self::Pipe => "a named pipe",
            Self::Unknown => "neither a file nor a folder",
        })
    }
}

/// What there is in a folder, and how long its archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderFacts {
    /// Files and folders in it, at every depth.
    pub entries: u64,
    /// Bytes of all files together.
    pub content_bytes: u64,
    /// Bytes of the archive.
    pub archive_bytes: u64,
}

/// A folder in which all can be packed, as far as one can see without reading its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedFolder {
    path: PathBuf,
    facts: FolderFacts,
}

impl SurveyedFolder {
    /// Walks a folder through. What cannot be packed is named here, before anything is sent anywhere.
    pub fn survey(folder: &Path) -> Result<Self, PackError> {
        Self::survey_up_to(ENTRIES_MAX, folder)
    }

    pub(super) fn survey_up_to(max: u64, folder: &Path) -> Result<Self, PackError> {
        let mut seen = Seen::default();
        let mut walk = Walk::below(folder, max)?;
        while let Some((entry, _)) = walk.next_entry()? {
            seen.add(&entry);
        }
        let path = folder.to_owned();
        let facts = seen.facts();
        Ok(Self { path, facts })
    }

    /// What there is.
    pub fn facts(&self) -> FolderFacts {
        self.facts
    }

    /// Walks the folder again and writes its archive. The same folder gives the same bytes, and as many
    /// as the survey says; one that changed since then is an error, and so is one that changes meanwhile.
    /// After an error the destination has a beginning of an archive.
    pub fn pack_into<W: Write>(&self, sink: W) -> Result<W, PackError> {
        let changed = |path: &Path| PackError::Changed { path: path.into() };
        let mut encoder = Encoder::new(sink)?;
        let mut seen = Seen::default();
        let mut walk = Walk::below(&self.path, ENTRIES_MAX)?;
        while let Some((entry, found)) = walk.next_entry()? {
            seen.add(&entry);
            let added = match entry.kind {
                EntryKind::Folder => encoder.add(&entry, io::empty()),
                EntryKind::File { .. } => encoder.add(&entry, &found.file),
            };
            added.map_err(|error| match error {
                EncodeError::OtherLength { .. } => changed(&found.path),
                EncodeError::Read { source, .. } => read(&found.path)(source),
                other => other.into(),
            })?;
            if entry.kind != EntryKind::Folder {
                found.check()?;
            }
        }
        if seen.facts() != self.facts {
            return Err(changed(&self.path));
        }
        Ok(encoder.finish()?)
    }
}

fn read(path: &Path) -> impl FnOnce(io::Error) -> PackError + '_ {
    move |source| PackError::Read {
        path: path.to_owned(),
        source,
    }
}

/// What a walk has seen so far.
#[derive(Default)]
struct Seen {
    entries: u64,
    content_bytes: u64,
    entries_bytes: u64,
}

impl Seen {
    fn add(&mut self, entry: &Entry) {
        let content_bytes = match entry.kind {
            EntryKind::Folder => 0,
            EntryKind::File { bytes } => bytes,
        };
        self.entries = self.entries.saturating_add(1);
        self.content_bytes = self.content_bytes.saturating_add(content_bytes);
        self.entries_bytes = self.entries_bytes.saturating_add(entry.bytes_in_archive());
    }

    fn facts(&self) -> FolderFacts {
        FolderFacts {
            entries: self.entries,
            content_bytes: self.content_bytes,
            archive_bytes: self.entries_bytes.saturating_add(EMPTY_ARCHIVE_BYTES),
        }
    }
}

/// Something in the folder that was opened, and how it was then.
pub(super) struct Found {
    path: PathBuf,
    file: File,
    facts: Facts,
}

impl Found {
    fn of(path: PathBuf, file: File) -> Result<(Self, Metadata), PackError> {
        let about = file.metadata().map_err(read(&path))?;
        let facts = (&about).into();
        Ok((Self { path, file, facts }, about))
    }

    /// That it is still as it was.
    fn check(&self) -> Result<(), PackError> {
        let about = self.file.metadata().map_err(read(&self.path))?;
        match self.facts == Facts::from(&about) {
            true => Ok(()),
            false => Err(PackError::Changed {
                path: self.path.clone(),
            }),
        }
    }

    /// The names in this folder, the last first.
    fn names(&self, names_max: u64) -> Result<Option<Vec<Vec<u8>>>, PackError> {
        let cannot = |error: rustix::io::Errno| read(&self.path)(error.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() as u64 >= names_max {
                return Ok(None);
            }
            names.push(name.to_vec());
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Some(names))
    }
}

/// Goes through a folder in the order of archives: each folder before what is in it, and names by their
/// bytes.
struct Walk {
    root: PathBuf,
    /// The folder that is walked, and below it those that the walk is in.
    levels: Vec<Level>,
    /// Where the walk is below the root.
    parts: Vec<Vec<u8>>,
    /// Entries that may still come, and those whose names are known.
    left: u64,
    max: u64,
}

struct Level {
    folder: Found,
    /// Names that were not looked at yet, the last first.
    names: Vec<Vec<u8>>,
}

impl Walk {
    fn below(root: &Path, max: u64) -> Result<Self, PackError> {
        let opened = File::open(root).map_err(read(root))?;
        let (folder, about) = Found::of(root.to_owned(), opened)?;
        if !about.is_dir() {
            return Err(read(root)(io::ErrorKind::NotADirectory.into()));
        }
        let mut walk = Self {
            root: root.to_owned(),
            levels: Vec::new(),
            parts: Vec::new(),
            left: max,
            max,
        };
        walk.enter(folder)?;
        Ok(walk)
    }

    /// The next entry, opened; `None` when that was all.
    fn next_entry(&mut self) -> Result<Option<(Entry, Found)>, PackError> {
        loop {
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let Some(name) = level.names.pop() else {
                level.folder.check()?;
                self.levels.pop();
                self.parts.pop();
                continue;
            };
            self.parts.push(name.clone());
            let path = within(&self.root, &self.parts);
            let archived = ArchivePath::of(&self.parts).map_err(|source| PackError::Path {
                path: path.clone(),
                source,
            })?;
            let (found, about) = open(&level.folder.file, &name, path)?;
            let entry = entry(archived, &about);
            if about.is_dir() {
                let again = found.file.try_clone().map_err(read(&found.path))?;
                let (folder, _) = Found::of(found.path.clone(), again)?;
                self.enter(folder)?;
            } else {
                self.parts.pop();
            }
            return Ok(Some((entry, found)));
        }
    }

    fn enter(&mut self, folder: Found) -> Result<(), PackError> {
        let max = self.max;
        let names = folder.names(self.left)?.ok_or(PackError::TooMany { max })?;
        self.left = self.left.saturating_sub(names.len() as u64);
        self.levels.push(Level { folder, names });
        Ok(())
    }
}

fn entry(path: ArchivePath, about: &Metadata) -> Entry {
    let kind = match about.is_dir() {
        true => EntryKind::Folder,
        false => EntryKind::File { bytes: about.len() },
    };
    Entry {
        path,
        kind,
        // Only nine bits are left.
        mode: (about.mode() & u32::from(MODE_MAX)) as u16,
        changed: Changed {
            seconds: about.mtime(),
            // Less than a second of them.
            nanoseconds: u32::try_from(about.mtime_nsec()).unwrap_or_default(),
        },
    }
}

/// Opens what has this name in the folder, if it is a file or a folder. It is looked at first, for to
/// open a device may do something; and again behind, for it may be another then.
pub(super) fn open(
    folder: &File,
    name: &[u8],
    path: PathBuf,
) -> Result<(Found, Metadata), PackError> {
    let cannot = |error: rustix::io::Errno| read(&path)(error.into());
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(cannot)?;
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Directory => None,
        FileType::Symlink => Some(Special::Link),
        FileType::CharacterDevice | FileType::BlockDevice => Some(Special::Device),
        FileType::Socket => Some(Special::Socket),
        FileType::Fifo => Some(Special::Pipe),
        _ => Some(Special::Unknown),
    };
    if let Some(what) = what {
        return Err(PackError::Special { path, what });
    }
    // A pipe that was put there meanwhile does not hold this up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(folder, name, flags, Mode::empty()).map_err(cannot)?;
    let (found, about) = Found::of(path, opened.into())?;
    if !about.is_file() && !about.is_dir() {
        return Err(PackError::Changed { path: found.path });
    }
    Ok((found, about))
}
