//! The second ancestors of blocks: those that the next one may name, and the way that they make.
//!
//! Which block a header skips to follows from its index ([`Header::skipped_to`]), so both grow by one
//! header at a time, and neither is longer than a few headers for each doubling of the log.

use alloc::vec::Vec;
use quern_primitives::{
    ids::{Digest, GenesisHash},
    log::Header,
};

/// Blocks that the next may name: an index has at most 64 parts, and there is the first block.
pub const ANCESTORS_MAX: usize = 65;

/// The last block of a log, the one that it skips to, the one that this skips to, and so on: the next
/// block names one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestors {
    /// Indices and hashes, lowest first; never more than [`ANCESTORS_MAX`].
    blocks: Vec<(u64, Digest)>,
}

impl Ancestors {
    /// Those of a log that ends with a header, if it follows. Reads the few older headers that it takes,
    /// highest first.
    pub fn behind<E>(
        header: &Header,
        genesis: &GenesisHash,
        mut older: impl FnMut(u64) -> Result<Header, E>,
    ) -> Result<Self, E> {
        let mut blocks = alloc::vec![(header.index, header.hash(genesis))];
        let (mut index, mut skip) = (header.index, header.skip);
        while index > 0 {
            index = Header::skipped_to(index);
            blocks.push((index, skip));
            if index > 0 {
                skip = older(index)?.skip;
            }
        }
        blocks.reverse();
        Ok(Self { blocks })
    }

    /// What the next header must name as its `skip`; none before the first.
    pub fn skip(&self) -> Option<Digest> {
        let (last, _) = self.blocks.last()?;
        let index = Header::skipped_to(last.checked_add(1)?);
        let mut blocks = self.blocks.iter().rev();
        blocks.find(|(at, _)| *at == index).map(|(_, hash)| *hash)
    }

    /// The log goes on with a block of this index and hash.
    pub fn push(&mut self, index: u64, hash: Digest) {
        let skip = Header::skipped_to(index);
        drop_above(&mut self.blocks, skip, |(at, _)| *at);
        self.blocks.push((index, hash));
    }
}

/// The way from the last block of a log down to one that it began with, a header for each step.
///
/// The way down from the next block is that header and then a part of the way down from this one, so a
/// reader that sees a log once keeps the way from wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    to: u64,
    /// Lowest first, the target's own not among them.
    headers: Vec<Header>,
}

impl Way {
    /// To the block of this index, which is the last that was seen.
    pub fn to(index: u64) -> Self {
        Self {
            to: index,
            headers: Vec::new(),
        }
    }

    /// Takes the header of the next block. One that is not the next is passed over.
    pub fn take(&mut self, header: &Header) {
        let last = self.headers.last().map_or(self.to, |last| last.index);
        if last.checked_add(1) != Some(header.index) {
            return;
        }
        let skip = Header::skipped_to(header.index);
        if skip >= self.to {
            drop_above(&mut self.headers, skip, |header| header.index);
        }
        self.headers.push(*header);
    }

    /// The headers of the way, lowest first; the target's own is not among them.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }
}

/// Drops from the end what has a higher index.
fn drop_above<T>(blocks: &mut Vec<T>, index: u64, of: impl Fn(&T) -> u64) {
    let above = blocks.iter().rev().take_while(|block| of(block) > index);
    let kept = blocks.len().saturating_sub(above.count());
    blocks.truncate(kept);
}
