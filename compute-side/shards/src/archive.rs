//! A folder as one stream: packed before it is cut and sealed, and checked before it is restored.
//!
//! Pure: entries and contents are arguments. Whoever packs walks the folder, and whoever restores
//! makes the files; here is said what may be in an archive and what not. So nobody who restores has
//! to ask whether a path leaves the folder: there is no [`ArchivePath`] that does.
//!
//! Entries are sorted by path, so what is wrong with one (it is there twice, its folder is not there
//! or is a file) shows by the entry before it, and an archive of any number of entries is made and
//! checked in the memory of one and of a stretch of content.
//!
//! The sum at the end tells mistakes, not who wrote the archive: that is the seal's part.

mod decoder;
mod encoder;
mod order;
mod path;

pub use decoder::{ArchiveFacts, DecodeError, Decoder, check};
pub use encoder::{EncodeError, Encoder};
pub use order::OrderFault;
pub use path::{ArchivePath, PATH_BYTES_MAX, PATH_PART_BYTES_MAX, PATH_PARTS_MAX, PathFault};

/// Content bytes that are read and written at once.
pub const CONTENT_STRETCH_BYTES: usize = 64 * 1024;

/// The most bytes of an encoded entry: its path with up to two bytes of length for each part and
/// for their number, where [`PATH_BYTES_MAX`] has one for all parts but the first, and the fields
/// of fixed length.
pub const ENTRY_BYTES_MAX: usize = PATH_BYTES_MAX + PATH_PARTS_MAX + 1 + 2 + FIXED_BYTES;

/// Kind, mode, seconds, nanoseconds, bytes.
const FIXED_BYTES: usize = 1 + 2 + 8 + 4 + 8;

/// The lower nine bits, which say who may read, write and execute.
pub const MODE_MAX: u16 = 0o777;

const MAGIC: [u8; 4] = *b"QRNA";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 1;
const SUM_BYTES: usize = 32;

/// Bytes of an archive without entries: letters and version, the zero behind the last entry, the sum.
pub const EMPTY_ARCHIVE_BYTES: u64 = (HEADER_BYTES + size_of::<u32>() + SUM_BYTES) as u64;

/// One file or folder of an archive. The folder that was packed has no entry of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, below the folder that was packed.
    pub path: ArchivePath,
    /// What it is.
    pub kind: EntryKind,
    /// Who may read, write and execute it: at most [`MODE_MAX`].
    pub mode: u16,
    /// When it was changed last.
    pub changed: Changed,
}

/// What an entry is. There is nothing else: no link, device, socket or pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Bytes of its content.
        bytes: u64,
    },
}

/// A time, from the beginning of 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Whole seconds, rounded down; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds behind them, less than 1,000,000,000.
    pub nanoseconds: u32,
}

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Why the fields of an entry beside its path are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// The mode has other bits than the lower nine.
    #[error("its mode {found:o} has more than the lower nine bits; leave the others out")]
    Mode {
        /// The mode.
        found: u16,
    },
    /// A second or more of nanoseconds.
    #[error("its time has {found} nanoseconds, which is a second or more; carry it over")]
    Nanoseconds {
        /// The nanoseconds.
        found: u32,
    },
}

impl Entry {
    fn is_folder(&self) -> bool {
        self.kind == EntryKind::Folder
    }

    /// Bytes of content behind the entry.
    fn bytes(&self) -> u64 {
        match self.kind {
            EntryKind::Folder => 0,
            EntryKind::File { bytes } => bytes,
        }
    }

    fn check_fields(&self) -> Result<(), EntryFault> {
        if self.mode > MODE_MAX {
            return Err(EntryFault::Mode { found: self.mode });
        }
        let found = self.changed.nanoseconds;
        if found >= NANOSECONDS_PER_SECOND {
            return Err(EntryFault::Nanoseconds { found });
        }
        Ok(())
    }
}

impl EntryKind {
    const FOLDER: u8 = 0;
    const FILE: u8 = 1;

    fn code(self) -> u8 {
        match self {
            Self::Folder => Self::FOLDER,
            Self::File { .. } => Self::FILE,
        }
    }
}

#[cfg(test)]
mod tests;
