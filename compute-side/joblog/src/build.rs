//! The coordinator's side: entries in, signed blocks out.

use crate::{block::SignedBlock, entry::Entry, replay::Replay};
use alloc::vec::Vec;
use codec::Encode;
use core::mem;
use quern_primitives::{
    ids::{Digest, GenesisHash, JobId},
    limits::{LOG_BLOCK_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX},
    log::Header,
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

/// What came of appending an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The entry's position.
    pub position: u64,
    /// The block that had to be cut before, because the entry did not fit into it.
    pub cut: Option<SignedBlock>,
}

/// A log that grows.
#[derive(Clone)]
pub struct LogBuilder {
    genesis: GenesisHash,
    job: JobId,
    key: NodeSecret,
    index: u64,
    previous: Digest,
    time_ms: u64,
    first: u64,
    entries: Vec<Entry>,
    leaves: Vec<Digest>,
    bytes: usize,
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
            time_ms: 0,
            first: 0,
            entries: Vec::new(),
            leaves: Vec::new(),
            bytes: 0,
        }
    }

    /// Goes on with a log that was replayed: after a restart, or in another coordinator's place.
    pub fn resume(replay: &Replay, key: NodeSecret) -> Self {
        Self {
            index: replay.next_index(),
            previous: replay.head(),
            time_ms: replay.time_ms(),
            first: replay.next_position(),
            ..Self::new(replay.genesis(), replay.job(), key)
        }
    }

    /// The position that the next entry gets.
    pub fn next_position(&self) -> u64 {
        // A log of 2^64 entries is never written.
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// Appends an entry. If the block that is open has no room for it, that is cut first.
    pub fn append(&mut self, entry: Entry, time_ms: u64) -> Result<Appended, EntryTooLarge> {
        let encoded = entry.encode();
        let bytes = encoded.len();
        if bytes > LOG_BLOCK_BYTES_MAX as usize {
            return Err(EntryTooLarge { bytes });
        }
        let is_full = self.entries.len() >= LOG_ENTRIES_PER_BLOCK_MAX as usize
            || self.bytes.saturating_add(bytes) > LOG_BLOCK_BYTES_MAX as usize;
        let cut = is_full.then(|| self.cut(time_ms)).flatten();
        let position = self.next_position();
        // No more entries than a block may have.
        let place = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
        self.leaves.push(merkle::leaf(place, &encoded));
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push(entry);
        Ok(Appended { position, cut })
    }

    /// Signs what was appended as a block; `None` if nothing was. A clock that went back is not
    /// believed.
    pub fn cut(&mut self, time_ms: u64) -> Option<SignedBlock> {
        if self.entries.is_empty() {
            return None;
        }
        let first = self.first;
        self.first = self.next_position();
        self.time_ms = self.time_ms.max(time_ms);
        let entries = mem::take(&mut self.entries);
        let tree = Tree::from_leaves(mem::take(&mut self.leaves));
        let header = Header {
            job: self.job,
            index: self.index,
            previous: self.previous,
            time_ms: self.time_ms,
            first,
            count: tree.count(),
            bytes: u32::try_from(mem::take(&mut self.bytes)).unwrap_or(u32::MAX),
            entries_root: tree.root(),
        };
        self.index = self.index.saturating_add(1);
        self.previous = header.hash(&self.genesis);
        Some(SignedBlock {
            header: self.key.sign(header, &self.genesis),
            entries,
        })
    }
}
