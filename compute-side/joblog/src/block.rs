//! Blocks as bytes, and the proof of one entry.
//!
//! A block is its signed header and then its entries, one behind the other. How many entries and how
//! many bytes there are is in the header, so that nothing is read before its size is known to be
//! allowed. An entry's leaf is hashed from the bytes as they came; nothing is encoded again to be
//! checked.

use crate::{entry::Entry, fault::LogFault};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use quern_primitives::{
    ids::{GenesisHash, NodeKey},
    limits::{LOG_BLOCK_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX},
    log::SignedHeader,
    merkle::{self, Proof, Tree},
};
use scale_info::TypeInfo;

/// Bytes of a signed header.
pub const SIGNED_HEADER_BYTES: usize = 224;

/// Bytes of the longest block.
pub const BLOCK_BYTES_MAX: usize = SIGNED_HEADER_BYTES + LOG_BLOCK_BYTES_MAX as usize;

/// A block: what was signed, and the entries that hang on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBlock {
    /// The header and its coordinator's signature.
    pub header: SignedHeader,
    /// The entries.
    pub entries: Vec<Entry>,
}

impl SignedBlock {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.encode();
        self.entries
            .iter()
            .for_each(|entry| entry.encode_to(&mut bytes));
        bytes
    }

    /// Reads a block whose entries are those that its header names. Whether it was signed, and what it
    /// follows, is [`crate::Replay`]'s to say.
    pub fn read(bytes: &[u8]) -> Result<Self, LogFault> {
        let (header, entries) = read_header(bytes)?;
        let entries = read_entries(&header, entries)?;
        Ok(Self { header, entries })
    }

    /// The entries with their positions, as far as these can be counted: in a block that was followed,
    /// all of them.
    pub fn positions(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let first = self.header.payload.first;
        let placed = (0u64..).zip(&self.entries);
        placed.map_while(move |(place, entry)| Some((first.checked_add(place)?, entry)))
    }

    /// The proof of the entry at a position of the log, if this block has it.
    pub fn prove(&self, position: u64) -> Option<EntryProof> {
        let place = position.checked_sub(self.header.payload.first)?;
        let entry = self.entries.get(usize::try_from(place).ok()?)?.clone();
        let tree = Tree::new(self.entries.iter().map(Encode::encode));
        let proof = tree.proof(u32::try_from(place).ok()?)?;
        Some(EntryProof {
            header: self.header,
            entry,
            proof,
        })
    }
}

/// Whose network key a block says that it is signed with, if that is what it begins with: the first block of
/// each masternode that writes a log does. It is a claim like any other.
pub fn writer_of(block: &[u8]) -> Option<NodeKey> {
    let mut entries = block.get(SIGNED_HEADER_BYTES..)?;
    match Entry::decode(&mut entries) {
        Ok(Entry::Opened { node, .. }) => Some(node),
        _ => None,
    }
}

/// The header, and the bytes that follow it.
pub(crate) fn read_header(bytes: &[u8]) -> Result<(SignedHeader, &[u8]), LogFault> {
    let (mut header, entries) = bytes
        .split_at_checked(SIGNED_HEADER_BYTES)
        .ok_or(LogFault::Truncated)?;
    // Every 224 bytes are a header; what they say is checked by who reads them.
    let header = SignedHeader::decode(&mut header).map_err(|_| LogFault::Truncated)?;
    Ok((header, entries))
}

/// The entries of a block, if they are those of its header.
pub(crate) fn read_entries(header: &SignedHeader, bytes: &[u8]) -> Result<Vec<Entry>, LogFault> {
    let header = &header.payload;
    let index = header.index;
    if header.count == 0 {
        return Err(LogFault::Empty { index });
    }
    if header.count > LOG_ENTRIES_PER_BLOCK_MAX || header.bytes > LOG_BLOCK_BYTES_MAX {
        return Err(LogFault::TooLarge { index });
    }
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if length < header.bytes {
        return Err(LogFault::Truncated);
    }
    if length > header.bytes {
        return Err(LogFault::Trailing);
    }
    let mut rest = bytes;
    // An entry has a byte at least, so bytes that are here bound what is set aside.
    let mut entries = Vec::with_capacity(bytes.len().min(header.count as usize));
    let mut leaves = Vec::with_capacity(bytes.len().min(header.count as usize));
    for place in 0..header.count {
        let before = rest;
        let entry = Entry::decode(&mut rest).map_err(|_| LogFault::Malformed { index })?;
        let used = before.len().saturating_sub(rest.len());
        leaves.push(merkle::leaf(place, before.get(..used).unwrap_or(before)));
        entries.push(entry);
    }
    if !rest.is_empty() {
        return Err(LogFault::Malformed { index });
    }
    if Tree::from_leaves(leaves).root() != header.entries_root {
        return Err(LogFault::EntriesChanged { index });
    }
    Ok(entries)
}

/// That an entry stands at one position of a job's log, without the rest of the log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct EntryProof {
    /// The header of the block that has it.
    pub header: SignedHeader,
    /// The entry.
    pub entry: Entry,
    /// That it is among the block's entries.
    pub proof: Proof,
}

impl EntryProof {
    /// The entry's position, if `node` signed the block and the block has the entry there.
    pub fn position(&self, node: &NodeKey, genesis: &GenesisHash) -> Option<u64> {
        let header = &self.header.payload;
        let stands = self.proof.count == header.count
            && self.header.is_signed_by(node, genesis)
            && self
                .entry
                .using_encoded(|entry| self.proof.holds(&header.entries_root, entry));
        stands
            .then(|| header.first.checked_add(self.proof.index.into()))
            .flatten()
    }
}
