//! The coordinator's side: entries in, signed blocks out.

use crate::{
    block::{BLOCK_BYTES_MAX, SIGNED_HEADER_BYTES, SignedBlock},
    entry::Entry,
    replay::Replay,
    way::Ancestors,
};
use alloc::vec::Vec;
use codec::Encode;
use core::mem;
use quern_primitives::{
    ids::{Digest, GenesisHash, JobId},
    limits::{LOG_BLOCK_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX},
    log::{Header, SignedHeader},
    merkle::{self, Tree},
    payload::NodeSecret,
};

/// An entry that fits into no block, whatever else is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryTooLarge {
    /// Its bytes.
    pub bytes: usize,
}

impl core::fmt::Display for EntryTooLarge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "an entry of {} bytes fits into no block; make it at most {LOG_BLOCK_BYTES_MAX}",
            self.bytes
        )
    }
}

impl core::error::Error for EntryTooLarge {}

/// A block that was cut: its header, and what of it is written and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The header and its coordinator's signature.
    pub header: SignedHeader,
    /// The block's bytes, the header's before those of its entries.
    pub bytes: Vec<u8>,
    /// The entries.
    pub entries: Vec<Entry>,
}

impl From<Cut> for SignedBlock {
    fn from(cut: Cut) -> Self {
        Self {
            header: cut.header,
            entries: cut.entries,
        }
    }
}

/// What came of appending an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The entry's position.
    pub position: u64,
    /// The block that had to be cut before, because the entry did not fit into it.
    pub cut: Option<Cut>,
}

/// A log that grows. Each entry is encoded once, when it is appended, and hashed from there.
#[derive(Clone)]
pub struct LogBuilder {
    genesis: GenesisHash,
    job: JobId,
    key: NodeSecret,
    index: u64,
    previous: Digest,
    ancestors: Ancestors,
    time_ms: u64,
    first: u64,
    entries: Vec<Entry>,
    leaves: Vec<Digest>,
    /// The block that is open: room for its header, and the entries.
    bytes: Vec<u8>,
}

impl LogBuilder {
    /// A log that begins.
    pub fn new(genesis: GenesisHash, job: JobId, key: NodeSecret) -> Self {
        Self {
            genesis,
            job,
            key,
            index: 0,
            previous: Header::opening(&genesis, &job),
            ancestors: Ancestors::default(),
            time_ms: 0,
            first: 0,
            entries: Vec::new(),
            leaves: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Goes on with a log that was replayed: after a restart, or in another coordinator's place.
    pub fn resume(replay: &Replay, key: NodeSecret) -> Self {
        Self {
            index: replay.next_index(),
            previous: replay.head(),
            ancestors: replay.ancestors().clone(),
            time_ms: replay.time_ms(),
            first: replay.next_position(),
            ..Self::new(replay.genesis(), replay.job(), key)
        }
    }

    /// Goes on behind a block of which only the header is at hand: the last one that was written. Reads
    /// some older headers by their index; fails if one cannot be read.
    pub fn behind<E>(
        header: &Header,
        genesis: GenesisHash,
        key: NodeSecret,
        older: impl FnMut(u64) -> Result<Header, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            index: header.index.saturating_add(1),
            previous: header.hash(&genesis),
            ancestors: Ancestors::behind(header, &genesis, older)?,
            time_ms: header.time_ms,
            first: header.first.saturating_add(header.count.into()),
            ..Self::new(genesis, header.job, key)
        })
    }

    /// The position that the next entry gets.
    pub fn next_position(&self) -> u64 {
        // A log of 2^64 entries is never written.
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// Whether nothing waits to be cut.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends an entry. If the block that is open has no room for it, that is cut first.
    pub fn append(&mut self, entry: Entry, time_ms: u64) -> Result<Appended, EntryTooLarge> {
        if self.bytes.is_empty() {
            // The header is signed when the block is cut, and comes first.
            self.bytes.resize(SIGNED_HEADER_BYTES, 0);
        }
        let before = self.bytes.len();
        entry.encode_to(&mut self.bytes);
        let after = self.bytes.len();
        let bytes = after.saturating_sub(before);
        if bytes > LOG_BLOCK_BYTES_MAX as usize {
            self.bytes.truncate(before);
            return Err(EntryTooLarge { bytes });
        }
        let is_full =
            self.entries.len() >= LOG_ENTRIES_PER_BLOCK_MAX as usize || after > BLOCK_BYTES_MAX;
        let cut = match is_full {
            true => {
                let encoded = self.bytes.split_off(before);
                let cut = self.cut_bytes(time_ms);
                self.bytes.resize(SIGNED_HEADER_BYTES, 0);
                self.bytes.extend(encoded);
                cut
            }
            false => None,
        };
        let position = self.next_position();
        // No more entries than a block may have.
        let place = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
        let start = self.bytes.len().saturating_sub(bytes);
        let encoded = self.bytes.get(start..).unwrap_or_default();
        self.leaves.push(merkle::leaf(place, encoded));
        self.entries.push(entry);
        Ok(Appended { position, cut })
    }

    /// Signs what was appended as a block; `None` if nothing was. A clock that went back is not
    /// believed.
    pub fn cut(&mut self, time_ms: u64) -> Option<SignedBlock> {
        self.cut_bytes(time_ms).map(SignedBlock::from)
    }

    /// The same, with the block's bytes.
    pub fn cut_bytes(&mut self, time_ms: u64) -> Option<Cut> {
        if self.entries.is_empty() {
            return None;
        }
        let first = self.first;
        self.first = self.next_position();
        self.time_ms = self.time_ms.max(time_ms);
        let entries = mem::take(&mut self.entries);
        let mut bytes = mem::take(&mut self.bytes);
        let tree = Tree::from_leaves(mem::take(&mut self.leaves));
        let length = bytes.len().saturating_sub(SIGNED_HEADER_BYTES);
        let header = Header {
            job: self.job,
            index: self.index,
            previous: self.previous,
            skip: self.ancestors.skip().unwrap_or(self.previous),
            time_ms: self.time_ms,
            first,
            count: tree.count(),
            bytes: u32::try_from(length).unwrap_or(u32::MAX),
            entries_root: tree.root(),
        };
        self.previous = header.hash(&self.genesis);
        self.ancestors.push(self.index, self.previous);
        self.index = self.index.saturating_add(1);
        let header = self.key.sign(header, &self.genesis);
        let encoded = header.encode();
        for (byte, signed) in bytes.iter_mut().zip(encoded) {
            *byte = signed;
        }
        Some(Cut {
            header,
            bytes,
            entries,
        })
    }
}
