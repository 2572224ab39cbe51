//! Reading an archive, of which nothing is believed.

use super::{
    ArchivePath, Changed, ENTRY_BYTES_MAX, Entry, EntryFault, EntryKind, HEADER_BYTES, MAGIC,
    OrderFault, PathFault, SUM_BYTES, VERSION, encoder::stretch_of, order::Order,
};
use crate::reading::read_up_to;
use codec::{Decode, DecodeAll};
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// Why something is no archive.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The archive could not be read.
    #[error("the archive could not be read; see to its source and restore anew")]
    Read {
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// The bytes do not begin like an archive.
    #[error("this is no archive of quern; check that it is the one you mean")]
    NotArchive,
    /// An archive of a format that this program does not know.
    #[error("the archive has version {found}, this program knows 1; update it")]
    UnknownVersion {
        /// The version behind the letters.
        found: u8,
    },
    /// The bytes end too early.
    #[error("the archive ends after {found_bytes} bytes, where more belong; fetch the rest")]
    Truncated {
        /// Bytes that came.
        found_bytes: u64,
    },
    /// An entry is longer than any that is allowed.
    #[error("an entry has {found} bytes, and at most {ENTRY_BYTES_MAX} are allowed; refuse it")]
    EntryTooLong {
        /// Its length.
        found: u32,
    },
    /// An entry's bytes are not those of its fields.
    #[error("an entry cannot be read; refuse the archive")]
    Malformed {
        /// What is wrong with them.
        #[source]
        source: codec::Error,
    },
    /// An entry is neither a folder nor a file.
    #[error("an entry has kind {found}, which is neither a folder nor a file; refuse the archive")]
    UnknownKind {
        /// The kind.
        found: u8,
    },
    /// A path is none.
    #[error("an entry's path is none; refuse the archive")]
    Path {
        /// What is wrong with it.
        #[source]
        source: PathFault,
    },
    /// A field of an entry is none.
    #[error("the entry of {path} is none; refuse the archive")]
    Entry {
        /// The entry.
        path: ArchivePath,
        /// What is wrong with it.
        #[source]
        source: EntryFault,
    },
    /// A folder has content.
    #[error("{path} is a folder and has {found} bytes of content; refuse the archive")]
    FolderWithContent {
        /// The entry.
        path: ArchivePath,
        /// Its bytes.
        found: u64,
    },
    /// An entry is not at its place.
    #[error("{path} cannot follow the entry before it; refuse the archive")]
    Order {
        /// The entry.
        path: ArchivePath,
        /// What is wrong with its place.
        #[source]
        source: OrderFault,
    },
    /// The sum at the end is another than that of the bytes before it.
    #[error("the archive was altered: its sum is another; fetch it anew")]
    OtherSum,
    /// There are bytes behind the end.
    #[error("the archive goes on behind its end; fetch it anew")]
    TrailingBytes,
    /// Reading went on after an error.
    #[error("reading the archive failed before; start anew")]
    FailedBefore,
}

/// What an archive has, once all of it was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveFacts {
    /// Its entries.
    pub entries: u64,
    /// Bytes of all contents together.
    pub content_bytes: u64,
}

/// Reads an archive to its end and checks all of it.
pub fn check(archive: impl Read) -> Result<ArchiveFacts, DecodeError> {
    let mut decoder = Decoder::new(archive)?;
    let mut facts = ArchiveFacts::default();
    while let Some(entry) = decoder.next_entry()? {
        facts.entries = facts.entries.saturating_add(1);
        facts.content_bytes = facts.content_bytes.saturating_add(entry.bytes());
    }
    Ok(facts)
}

/// Where a decoder is.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Within,
    Ended,
    Failed,
}

/// Reads an archive entry by entry. Holds one entry and a stretch of content.
///
/// Each entry it gives is good by itself and at its place, but only [`Decoder::next_entry`]'s `None`
/// says that the sum is right and that it was all.
#[derive(Debug)]
pub struct Decoder<R> {
    input: R,
    sum: Sha256,
    order: Order,
    /// Bytes of the current file's content that were not read yet.
    left: u64,
    /// Bytes read so far.
    passed: u64,
    buffer: Vec<u8>,
    state: State,
}

impl<R: Read> Decoder<R> {
    /// Reads the letters and the version.
    pub fn new(input: R) -> Result<Self, DecodeError> {
        let mut decoder = Self {
            input,
            sum: Sha256::new(),
            order: Order::default(),
            left: 0,
            passed: 0,
            buffer: Vec::new(),
            state: State::Within,
        };
        let header = decoder.take::<HEADER_BYTES>()?;
        let Some(([version], _)) = header
            .strip_prefix(&MAGIC)
            .and_then(|rest| rest.split_first_chunk())
        else {
            return Err(DecodeError::NotArchive);
        };
        if *version != VERSION {
            return Err(DecodeError::UnknownVersion { found: *version });
        }
        decoder.sum.update(header);
        Ok(decoder)
    }

    /// The next entry; what was not read of the content of the one before is passed over. `None` when
    /// that was all and the archive is good. After an error there is only
    /// [`DecodeError::FailedBefore`].
    pub fn next_entry(&mut self) -> Result<Option<Entry>, DecodeError> {
        while self.next_content()?.is_some() {}
        if self.state == State::Ended {
            return Ok(None);
        }
        // Set until the entry is found to be good, so that no way out leaves it unset.
        self.state = State::Failed;
        let entry = self.read_entry()?;
        self.left = entry.as_ref().map_or(0, Entry::bytes);
        self.state = entry.as_ref().map_or(State::Ended, |_| State::Within);
        Ok(entry)
    }

    /// The next stretch of the content of the entry that came last; `None` when that was all of it.
    pub fn next_content(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        if self.state == State::Failed {
            return Err(DecodeError::FailedBefore);
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.state = State::Failed;
        let wanted = stretch_of(self.left);
        self.fill(wanted)?;
        self.sum.update(&self.buffer);
        self.left -= wanted as u64;
        self.state = State::Within;
        Ok(Some(&self.buffer))
    }

    fn read_entry(&mut self) -> Result<Option<Entry>, DecodeError> {
        let length = self.take::<4>()?;
        self.sum.update(length);
        let found = u32::from_le_bytes(length);
        if found == 0 {
            return self.read_end().map(|()| None);
        }
        let wanted = usize::try_from(found)
            .ok()
            .filter(|length| *length <= ENTRY_BYTES_MAX)
            .ok_or(DecodeError::EntryTooLong { found })?;
        self.fill(wanted)?;
        self.sum.update(&self.buffer);
        let entry = read_fields(&self.buffer)?;
        self.order
            .admit(&entry)
            .map_err(|source| DecodeError::Order {
                path: entry.path.clone(),
                source,
            })?;
        Ok(Some(entry))
    }

    fn read_end(&mut self) -> Result<(), DecodeError> {
        let found = self.take::<SUM_BYTES>()?;
        if std::mem::take(&mut self.sum).finalize()[..] != found {
            return Err(DecodeError::OtherSum);
        }
        read_up_to(&mut self.input, 1, &mut self.buffer)
            .map_err(|source| DecodeError::Read { source })?;
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }

    /// The next bytes, of a number that is known.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.fill(N)?;
        let found_bytes = self.passed;
        let bytes = self.buffer.first_chunk().copied();
        bytes.ok_or(DecodeError::Truncated { found_bytes })
    }

    /// Reads so many bytes into the buffer, and nothing else.
    fn fill(&mut self, wanted: usize) -> Result<(), DecodeError> {
        read_up_to(&mut self.input, wanted, &mut self.buffer)
            .map_err(|source| DecodeError::Read { source })?;
        self.passed = self.passed.saturating_add(self.buffer.len() as u64);
        if self.buffer.len() < wanted {
            let found_bytes = self.passed;
            return Err(DecodeError::Truncated { found_bytes });
        }
        Ok(())
    }
}

/// An entry's fields as they stand.
#[derive(Decode)]
struct Fields {
    kind: u8,
    path: Vec<Vec<u8>>,
    mode: u16,
    seconds: i64,
    nanoseconds: u32,
    bytes: u64,
}

fn read_fields(encoded: &[u8]) -> Result<Entry, DecodeError> {
    let fields = Fields::decode_all(&mut &encoded[..])
        .map_err(|source| DecodeError::Malformed { source })?;
    let path = ArchivePath::of(&fields.path).map_err(|source| DecodeError::Path { source })?;
    let found = fields.bytes;
    let kind = match fields.kind {
        EntryKind::FOLDER if found != 0 => {
            return Err(DecodeError::FolderWithContent { path, found });
        }
        EntryKind::FOLDER => EntryKind::Folder,
        EntryKind::FILE => EntryKind::File { bytes: found },
        found => return Err(DecodeError::UnknownKind { found }),
    };
    let entry = Entry {
        path,
        kind,
        mode: fields.mode,
        changed: Changed {
            seconds: fields.seconds,
            nanoseconds: fields.nanoseconds,
        },
    };
    match entry.check_fields() {
        Ok(()) => Ok(entry),
        Err(source) => Err(DecodeError::Entry {
            path: entry.path,
            source,
        }),
    }
}
