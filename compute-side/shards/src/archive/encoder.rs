//! Making an archive.

use super::{
    ArchivePath, CONTENT_STRETCH_BYTES, ENTRY_BYTES_MAX, Entry, EntryFault, MAGIC, OrderFault,
    VERSION, order::Order,
};
use crate::reading::read_up_to;
use codec::Encode;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Why an archive was not made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The archive could not be written.
    #[error("the archive could not be written; see to the destination and pack anew")]
    Write {
        /// What the destination said.
        #[source]
        source: io::Error,
    },
    /// A content could not be read.
    #[error("{path} could not be read; see to it and pack anew")]
    Read {
        /// The entry.
        path: ArchivePath,
        /// What its source said.
        #[source]
        source: io::Error,
    },
    /// A content is not as long as its entry says.
    #[error("{path} had {expected} bytes and {found} came; it changed, pack anew")]
    OtherLength {
        /// The entry.
        path: ArchivePath,
        /// Bytes in the entry; none for a folder.
        expected: u64,
        /// Bytes that came, or at least so many.
        found: u64,
    },
    /// A field of an entry is none.
    #[error("{path} cannot be packed")]
    Entry {
        /// The entry.
        path: ArchivePath,
        /// What is wrong with it.
        #[source]
        source: EntryFault,
    },
    /// An entry is not at its place.
    #[error("{path} cannot follow the entry before it")]
    Order {
        /// The entry.
        path: ArchivePath,
        /// What is wrong with its place.
        #[source]
        source: OrderFault,
    },
    /// Packing went on after an error.
    #[error("packing failed before; start anew")]
    FailedBefore,
}

/// Writes an archive as its entries come, in their order. Holds one stretch of content.
///
/// Dropped without [`Encoder::finish`], or after an error, it leaves a truncated archive behind.
#[derive(Debug)]
pub struct Encoder<W> {
    out: W,
    sum: Sha256,
    order: Order,
    stretch: Vec<u8>,
    failed: bool,
}

impl<W: Write> Encoder<W> {
    /// Starts an archive: writes its letters and version.
    pub fn new(out: W) -> Result<Self, EncodeError> {
        let mut encoder = Self {
            out,
            sum: Sha256::new(),
            order: Order::default(),
            stretch: Vec::new(),
            failed: false,
        };
        encoder.put(&MAGIC)?;
        encoder.put(&[VERSION])?;
        Ok(encoder)
    }

    /// Adds an entry with its content, which is [`io::empty`] for a folder.
    pub fn add(&mut self, entry: &Entry, content: impl Read) -> Result<(), EncodeError> {
        if self.failed {
            return Err(EncodeError::FailedBefore);
        }
        // Set until the entry is whole, so that no way out leaves it unset.
        self.failed = true;
        self.add_entry(entry)?;
        self.add_content(entry, content)?;
        self.failed = false;
        Ok(())
    }

    /// Ends the archive. Gives back the destination.
    pub fn finish(mut self) -> Result<W, EncodeError> {
        if self.failed {
            return Err(EncodeError::FailedBefore);
        }
        self.put(&0u32.to_le_bytes())?;
        let sum = std::mem::take(&mut self.sum).finalize();
        let write = |source| EncodeError::Write { source };
        self.out.write_all(&sum).map_err(write)?;
        self.out.flush().map_err(write)?;
        Ok(self.out)
    }

    fn add_entry(&mut self, entry: &Entry) -> Result<(), EncodeError> {
        entry.check_fields().map_err(|source| EncodeError::Entry {
            path: entry.path.clone(),
            source,
        })?;
        self.order
            .admit(entry)
            .map_err(|source| EncodeError::Order {
                path: entry.path.clone(),
                source,
            })?;
        let encoded = encode(entry);
        debug_assert!(encoded.len() <= ENTRY_BYTES_MAX, "a path is bounded");
        // It is bounded far below 2^32.
        self.put(&(encoded.len() as u32).to_le_bytes())?;
        self.put(&encoded)
    }

    fn add_content(&mut self, entry: &Entry, mut content: impl Read) -> Result<(), EncodeError> {
        let expected = entry.bytes();
        let mut passed = 0u64;
        let mut stretch = std::mem::take(&mut self.stretch);
        loop {
            let wanted = stretch_of(expected - passed);
            // Behind the last byte one more shows that the content goes on.
            let probe = usize::from(wanted == 0);
            read_up_to(&mut content, wanted + probe, &mut stretch).map_err(|source| {
                EncodeError::Read {
                    path: entry.path.clone(),
                    source,
                }
            })?;
            if stretch.len() != wanted {
                return Err(EncodeError::OtherLength {
                    path: entry.path.clone(),
                    expected,
                    found: passed.saturating_add(stretch.len() as u64),
                });
            }
            if wanted == 0 {
                break;
            }
            self.put(&stretch)?;
            passed += wanted as u64;
        }
        self.stretch = stretch;
        Ok(())
    }

    /// Writes what the sum is over.
    fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.sum.update(bytes);
        self.out
            .write_all(bytes)
            .map_err(|source| EncodeError::Write { source })
    }
}

fn encode(entry: &Entry) -> Vec<u8> {
    let fields = (
        entry.kind.code(),
        entry.path.parts(),
        entry.mode,
        entry.changed.seconds,
        entry.changed.nanoseconds,
        entry.bytes(),
    );
    fields.encode()
}

impl Entry {
    /// Bytes that the entry adds to an archive, its content among them.
    pub fn bytes_in_archive(&self) -> u64 {
        let length = size_of::<u32>() + encode(self).len();
        self.bytes().saturating_add(length as u64)
    }
}

/// How much of what is left is read at once.
pub(super) fn stretch_of(left: u64) -> usize {
    usize::try_from(left).map_or(CONTENT_STRETCH_BYTES, |left| {
        left.min(CONTENT_STRETCH_BYTES)
    })
}
