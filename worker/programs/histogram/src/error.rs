//! What can go wrong.

use std::fmt;
use std::io;

use crate::table::{DISTINCT_WORDS_MAX, WORD_BYTES_MAX, WORDS_BYTES_MAX};

/// Why a text cannot be counted.
#[derive(Debug)]
#[non_exhaustive]
pub enum HistogramError {
    /// The text cannot be read.
    Read {
        /// Why not.
        source: io::Error,
    },
    /// The counts cannot be written.
    Write {
        /// Why not.
        source: io::Error,
    },
    /// A word has more than [`WORD_BYTES_MAX`] bytes.
    WordTooLong,
    /// More than [`DISTINCT_WORDS_MAX`] different words.
    TooManyWords,
    /// The different words have more than [`WORDS_BYTES_MAX`] bytes together.
    TooManyBytes,
    /// A word's count passes 2^64 - 1.
    CountTooLarge,
}

/// Why outputs cannot be added up.
#[derive(Debug)]
#[non_exhaustive]
pub enum MergeError {
    /// A line is not `COUNT WORD` with a count above zero.
    BadLine {
        /// The line, counted from 1 over all parts.
        line: u64,
    },
    /// The last line of a part does not end: the part was cut short.
    Unfinished {
        /// The line, counted from 1 over all parts.
        line: u64,
    },
    /// The sum breaks a limit, or cannot be read or written.
    Histogram(HistogramError),
}

/// Why the program's arguments are not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// An option that the program does not know.
    UnknownOption {
        /// As given.
        option: String,
    },
    /// `--min-length` without a number.
    MissingLength,
    /// `--min-length` with something that is no number.
    BadLength {
        /// As given.
        value: String,
    },
    /// `--merge` beside options that only counting has.
    MergeWithOptions,
}

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { source } => write!(f, "cannot read the text: {source}"),
            Self::Write { source } => write!(f, "cannot write the counts: {source}"),
            Self::WordTooLong => write!(
                f,
                "a word has more than {WORD_BYTES_MAX} bytes: is this a text? put blanks into it"
            ),
            Self::TooManyWords => write!(
                f,
                "more than {DISTINCT_WORDS_MAX} different words: count smaller pieces and merge"
            ),
            Self::TooManyBytes => write!(
                f,
                "the different words pass {WORDS_BYTES_MAX} bytes: count smaller pieces and merge"
            ),
            Self::CountTooLarge => {
                write!(f, "a word's count passes 64 bits: merge fewer parts")
            }
        }
    }
}

impl std::error::Error for HistogramError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source } | Self::Write { source } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLine { line } => write!(
                f,
                "line {line} is not `COUNT WORD`: merge only what the histogram program wrote"
            ),
            Self::Unfinished { line } => {
                write!(
                    f,
                    "line {line} does not end: a part was cut short, fetch it again"
                )
            }
            Self::Histogram(source) => source.fmt(f),
        }
    }
}

impl std::error::Error for MergeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Histogram(source) => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption { option } => write!(
                f,
                "unknown option `{option}`: use --ignore-case, --min-length N or --merge"
            ),
            Self::MissingLength => write!(f, "--min-length needs a number of bytes"),
            Self::BadLength { value } => {
                write!(
                    f,
                    "bad value `{value}` for --min-length: give a number of bytes"
                )
            }
            Self::MergeWithOptions => {
                write!(
                    f,
                    "--merge stands alone: give the other options when counting"
                )
            }
        }
    }
}

impl std::error::Error for ArgumentError {}
