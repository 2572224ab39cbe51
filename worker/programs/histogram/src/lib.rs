//! A word histogram over any text.
//!
//! Counts the words of what it reads and writes one line for each, sorted by bytes:
//!
//! ```
//! use quern_histogram::{Options, histogram, merge};
//!
//! let mut counts = Vec::new();
//! histogram(&b"to be or\nnot to be"[..], &mut counts, &Options::default())?;
//! assert_eq!(counts, b"2 be\n1 not\n1 or\n2 to\n");
//!
//! // Pieces of a text, counted apart and put together, give what the whole gives.
//! let (mut first, mut second) = (Vec::new(), Vec::new());
//! histogram(&b"to be or\n"[..], &mut first, &Options::default())?;
//! histogram(&b"not to be"[..], &mut second, &Options::default())?;
//! assert_eq!(merge([&first, &second])?, counts);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is a word
//!
//! A word is a run, as long as possible, of bytes that are not blanks. Blanks are space, tab, line
//! feed, vertical tab, form feed and carriage return, which is what `[[:space:]]` is in the C
//! locale. Nothing else is looked at: the text need not be UTF-8, punctuation belongs to the word
//! it stands at, and a zero byte is a byte like others. So the output is that of
//!
//! ```text
//! tr -s '[:space:]' '\n' | LC_ALL=C sort | uniq -c
//! ```
//!
//! without the padding before the counts and the empty line that blanks at the start leave there.
//! A word's count does not depend on how the text is cut, as long as it is cut at blanks.
//!
//! # The program
//!
//! `histogram [--ignore-case] [--min-length N]` counts standard input; `histogram --merge` reads
//! outputs of itself, one after the other, and adds them up. `--ignore-case` writes the letters A
//! to Z small (other alphabets are left alone: they depend on an encoding); `--min-length N` leaves
//! out words of fewer than N bytes. Faulty arguments or input end it with code 2 and one line on
//! standard error; broken input or output with code 1.
//!
//! Memory grows with the number of different words, not with the text: see the limits below.

mod error;
mod merge;
mod options;
mod table;

use std::io::{BufWriter, Read, Write};

pub use error::{ArgumentError, HistogramError, MergeError};
pub use merge::{Merger, merge, merge_stream};
pub use options::{Options, USAGE};
pub use table::{DISTINCT_WORDS_MAX, WORD_BYTES_MAX, WORDS_BYTES_MAX};

use table::Table;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Counts the words of `reader` and writes `COUNT WORD` lines, sorted by the bytes of the words.
///
/// # Errors
/// When reading or writing fails, or the words break one of the limits [`WORD_BYTES_MAX`],
/// [`DISTINCT_WORDS_MAX`] and [`WORDS_BYTES_MAX`].
pub fn histogram(
    mut reader: impl Read,
    writer: impl Write,
    options: &Options,
) -> Result<(), HistogramError> {
    let mut counter = Counter::new(*options);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(HistogramError::Read { source }),
        };
        match chunk.get(..count) {
            None | Some([]) => break,
            Some(bytes) => counter.push(bytes)?,
        }
    }
    counter.finish(writer)
}

/// Counts words of a text that comes in pieces, cut anywhere.
#[derive(Debug)]
pub struct Counter {
    table: Table,
    options: Options,
    /// The start of a word that goes on in the next piece.
    begun: Vec<u8>,
    /// Room for a word in small letters.
    lowered: Vec<u8>,
}

impl Counter {
    /// A counter that has counted nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            table: Table::default(),
            options,
            begun: Vec::new(),
            lowered: Vec::new(),
        }
    }

    /// Counts the words of the next piece.
    ///
    /// # Errors
    /// When the words break a limit; what was counted before stays counted.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), HistogramError> {
        let mut rest = piece;
        if !self.begun.is_empty() {
            let end = rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len());
            let (word_end, after) = rest.split_at(end);
            if self.begun.len() + word_end.len() > WORD_BYTES_MAX {
                return Err(HistogramError::WordTooLong);
            }
            self.begun.extend_from_slice(word_end);
            if after.is_empty() {
                return Ok(());
            }
            let mut word = std::mem::take(&mut self.begun);
            self.count(&word)?;
            word.clear();
            self.begun = word;
            rest = after;
        }
        let last_begins = rest
            .iter()
            .rposition(|b| is_blank(*b))
            .map_or(0, |blank| blank + 1);
        let (whole, begun) = rest.split_at(last_begins);
        for word in whole
            .split(|b| is_blank(*b))
            .filter(|word| !word.is_empty())
        {
            self.count(word)?;
        }
        if begun.len() > WORD_BYTES_MAX {
            return Err(HistogramError::WordTooLong);
        }
        self.begun.extend_from_slice(begun);
        Ok(())
    }

    /// Counts the last word and writes all counts.
    ///
    /// # Errors
    /// When writing fails or the last word breaks a limit.
    pub fn finish(mut self, writer: impl Write) -> Result<(), HistogramError> {
        let last = std::mem::take(&mut self.begun);
        if !last.is_empty() {
            self.count(&last)?;
        }
        let mut writer = BufWriter::new(writer);
        let written = self
            .table
            .write_sorted(&mut writer)
            .and_then(|()| writer.flush());
        written.map_err(|source| HistogramError::Write { source })
    }

    fn count(&mut self, word: &[u8]) -> Result<(), HistogramError> {
        if word.len() < self.options.length_bytes_min {
            return Ok(());
        }
        if !self.options.is_case_ignored {
            return self.table.add(word, 1);
        }
        self.lowered.clear();
        self.lowered.extend(word.iter().map(u8::to_ascii_lowercase));
        self.table.add(&self.lowered, 1)
    }
}

/// Whether a byte separates words. (The standard library's notion of white space lacks the
/// vertical tab, which `tr` has.)
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests;
