//! Words and their counts.
//!
//! An open-addressing table over words that lie one after the other in one buffer. The hash has no
//! random seed, as nothing in the grid may, and the order of the slots is never seen: what is
//! written is sorted.

use std::io::{self, Write};

use crate::error::HistogramError;

/// The most bytes of a word.
pub const WORD_BYTES_MAX: usize = 1 << 20;
/// The most different words.
pub const DISTINCT_WORDS_MAX: usize = 1 << 24;
/// The most bytes of all different words together.
pub const WORDS_BYTES_MAX: usize = 1 << 28;

/// In place of the number of an entry.
const FREE: u32 = u32::MAX;
/// A power of two.
const SLOTS_MIN: usize = 1 << 10;

/// Counts of words.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// All words, one after the other.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Numbers of entries, at the first free place from their hash on. At most half are taken.
    slots: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u64,
    /// The first eight bytes, which decide most comparisons: padded with zeros, the first highest.
    prefix: u64,
    start: u32,
    length: u32,
    hash: u32,
}

impl Table {
    /// Adds to the count of a word, which is not empty.
    pub(crate) fn add(&mut self, word: &[u8], count: u64) -> Result<(), HistogramError> {
        if self.entries.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = hash(word);
        let mut place = self.place(hash);
        while let Some(entry) = self
            .slots
            .get(place)
            .and_then(|i| self.entries.get(*i as usize))
        {
            if entry.hash == hash && word_of(&self.bytes, entry) == word {
                return self.add_at(place, count);
            }
            place = self.place_after(place);
        }
        self.insert(place, word, hash, count)
    }

    /// Writes `COUNT WORD` lines, sorted by the bytes of the words.
    pub(crate) fn write_sorted(&mut self, writer: &mut impl Write) -> io::Result<()> {
        let bytes = &self.bytes;
        self.entries.sort_unstable_by(|a, b| {
            let by_prefix = a.prefix.cmp(&b.prefix);
            by_prefix.then_with(|| word_of(bytes, a).cmp(word_of(bytes, b)))
        });
        // The slots point to where the entries were.
        self.slots.clear();
        for entry in &self.entries {
            write!(writer, "{} ", entry.count)?;
            writer.write_all(word_of(bytes, entry))?;
            writer.write_all(b"\n")?;
        }
        Ok(())
    }

    fn add_at(&mut self, place: usize, count: u64) -> Result<(), HistogramError> {
        let index = self.slots.get(place).map_or(FREE, |index| *index);
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.count = entry
                .count
                .checked_add(count)
                .ok_or(HistogramError::CountTooLarge)?;
        }
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "the limits are below 2^32")]
    fn insert(
        &mut self,
        place: usize,
        word: &[u8],
        hash: u32,
        count: u64,
    ) -> Result<(), HistogramError> {
        if word.len() > WORD_BYTES_MAX {
            return Err(HistogramError::WordTooLong);
        }
        if self.entries.len() >= DISTINCT_WORDS_MAX {
            return Err(HistogramError::TooManyWords);
        }
        if self.bytes.len() + word.len() > WORDS_BYTES_MAX {
            return Err(HistogramError::TooManyBytes);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = self.entries.len() as u32;
        }
        let (start, length) = (self.bytes.len() as u32, word.len() as u32);
        self.entries.push(Entry {
            count,
            prefix: prefix(word),
            start,
            length,
            hash,
        });
        self.bytes.extend_from_slice(word);
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "the limits are below 2^32")]
    fn grow(&mut self) {
        let count = (self.slots.len() * 2).max(SLOTS_MIN);
        self.slots.clear();
        self.slots.resize(count, FREE);
        for (index, entry) in self.entries.iter().enumerate() {
            let mut place = entry.hash as usize & (count - 1);
            while self.slots.get(place).is_some_and(|slot| *slot != FREE) {
                place = (place + 1) & (count - 1);
            }
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = index as u32;
            }
        }
    }

    fn place(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn place_after(&self, place: usize) -> usize {
        (place + 1) & (self.slots.len() - 1)
    }
}

fn word_of<'a>(bytes: &'a [u8], entry: &Entry) -> &'a [u8] {
    let start = entry.start as usize;
    bytes
        .get(start..start + entry.length as usize)
        .unwrap_or_default()
}

/// The first eight bytes as a number that sorts as they do. A short word is padded with zeros, so
/// it may tie with one that has zero bytes; the words themselves then decide.
fn prefix(word: &[u8]) -> u64 {
    let mut padded = [0; 8];
    for (to, from) in padded.iter_mut().zip(word) {
        *to = *from;
    }
    u64::from_be_bytes(padded)
}

/// A hash of a word: multiplied and folded, eight bytes at a time.
fn hash(word: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, value: u64| {
        let product = u128::from(state ^ value) * u128::from(FACTOR);
        ((product >> 64) ^ (product & u128::from(u64::MAX))) as u64
    };
    let (blocks, rest) = word.as_chunks::<8>();
    let state = blocks
        .iter()
        .fold(word.len() as u64 ^ FACTOR, |state, block| {
            fold(state, u64::from_le_bytes(*block))
        });
    let state = fold(fold(state, prefix(rest)), FACTOR);
    (state >> 32) as u32
}
