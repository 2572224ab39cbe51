//! Adding up counts that were made apart.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use crate::error::{HistogramError, MergeError};
use crate::is_blank;
use crate::table::{Table, WORD_BYTES_MAX};

/// The most bytes of a line: a count of 64 bits, a space, a word and the line's end.
const LINE_BYTES_MAX: usize = 20 + 1 + WORD_BYTES_MAX + 1;

/// Adds up outputs of [`crate::histogram`]: what it would have written for all their texts
/// together, if these were cut at blanks.
///
/// # Errors
/// When a part is no such output, or the sum breaks a limit.
pub fn merge<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Result<Vec<u8>, MergeError> {
    let mut merger = Merger::default();
    for part in parts {
        merger.push(part.as_ref())?;
    }
    let mut merged = Vec::new();
    merger.finish(&mut merged)?;
    Ok(merged)
}

/// Adds up outputs that come one after the other from one reader.
///
/// # Errors
/// When reading or writing fails, a line is no line of an output, or the sum breaks a limit.
pub fn merge_stream(reader: impl Read, writer: impl Write) -> Result<(), MergeError> {
    let mut merger = Merger::default();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte over the limit is enough to see that a line passes it.
        let mut limited = reader.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        let read = limited.read_until(b'\n', &mut line);
        let count =
            read.map_err(|source| MergeError::Histogram(HistogramError::Read { source }))?;
        if count == 0 {
            return merger.finish(writer);
        }
        if count > LINE_BYTES_MAX {
            return Err(MergeError::Histogram(HistogramError::WordTooLong));
        }
        merger.push(&line)?;
    }
}

/// Adds up outputs one by one.
#[derive(Debug, Default)]
pub struct Merger {
    table: Table,
    lines: u64,
}

impl Merger {
    /// Adds an output, or some whole lines of one.
    ///
    /// # Errors
    /// When it is none, or the sum breaks a limit; the lines before the faulty one stay added.
    pub fn push(&mut self, part: &[u8]) -> Result<(), MergeError> {
        for line in part.split_inclusive(|b| *b == b'\n') {
            self.lines += 1;
            let Some(line) = line.strip_suffix(b"\n") else {
                return Err(MergeError::Unfinished { line: self.lines });
            };
            let (word, count) = parse(line).ok_or(MergeError::BadLine { line: self.lines })?;
            self.table.add(word, count).map_err(MergeError::Histogram)?;
        }
        Ok(())
    }

    /// Writes the sum, sorted by the bytes of the words.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self, writer: impl Write) -> Result<(), MergeError> {
        let mut writer = BufWriter::new(writer);
        let written = self
            .table
            .write_sorted(&mut writer)
            .and_then(|()| writer.flush());
        written.map_err(|source| MergeError::Histogram(HistogramError::Write { source }))
    }
}

/// The word and count of a line without its end.
fn parse(line: &[u8]) -> Option<(&[u8], u64)> {
    let space = line.iter().position(|b| *b == b' ')?;
    let (digits, word) = (line.get(..space)?, line.get(space + 1..)?);
    let is_number = digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0");
    let count = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_word = !word.is_empty() && !word.iter().any(|b| is_blank(*b));
    (is_number && is_word).then_some((word, count))
}
