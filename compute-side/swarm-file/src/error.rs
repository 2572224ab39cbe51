//! Why bytes are no task file. Every error names the field that is wrong.

use crate::{
    address::{AddressFault, UrlFault},
    bencode::{BencodeError, Kind},
    limits::TASK_FILE_BYTES_MAX,
    path::PathFault,
    text::TextFault,
};
use std::fmt;

/// A field of a task file: a key of its dictionary, an entry of a list there, a key within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    name: &'static str,
    entry: Option<usize>,
    part: Option<&'static str>,
}

impl Field {
    /// The file's own dictionary.
    pub const FILE: Self = Self::of("the file");

    /// A key.
    pub const fn of(name: &'static str) -> Self {
        Self {
            name,
            entry: None,
            part: None,
        }
    }

    /// An entry of the list under a key, counted from zero.
    pub const fn entry(name: &'static str, entry: usize) -> Self {
        Self {
            name,
            entry: Some(entry),
            part: None,
        }
    }

    /// A key within this.
    pub const fn part(self, part: &'static str) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(entry) = self.entry {
            write!(f, "[{entry}]")?;
        }
        match self.part {
            Some(part) => write!(f, ".{part}"),
            None => Ok(()),
        }
    }
}

/// Why bytes are no task file, or what is said makes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskFileError {
    /// It is too long.
    #[error(
        "the task file has {bytes} bytes, and at most {TASK_FILE_BYTES_MAX} are allowed; have a long module lie beside it"
    )]
    Long {
        /// How many it has.
        bytes: usize,
    },
    /// It is not bencoded, or not in the one form that it must have.
    #[error("the task file is not bencoded as it must be")]
    Bencode(#[from] BencodeError),
    /// It is of another version.
    #[error("the task file has version {found}, and this program knows 1; take a newer program")]
    Version {
        /// Its version.
        found: i128,
    },
    /// A field is not there.
    #[error("`{field}` is missing")]
    Missing {
        /// Which.
        field: Field,
    },
    /// A field is of another kind.
    #[error("`{field}` is {found}, and must be {expected}")]
    Kind {
        /// Which.
        field: Field,
        /// What it is.
        found: Kind,
        /// What it must be.
        expected: Kind,
    },
    /// A number is too small or too large.
    #[error("`{field}` is {found}, and must be from {min} to {max}")]
    Range {
        /// Which.
        field: Field,
        /// The number.
        found: i128,
        /// The smallest that it may be.
        min: i128,
        /// The largest that it may be.
        max: i128,
    },
    /// Bytes are too few or too many.
    #[error("`{field}` has {bytes} bytes, and must have from {min} to {max}")]
    Bytes {
        /// Which.
        field: Field,
        /// How many it has.
        bytes: usize,
        /// The fewest that it may have.
        min: usize,
        /// The most that it may have.
        max: usize,
    },
    /// A list is longer than it may be.
    #[error("`{field}` has more than the {max} entries that it may have")]
    Many {
        /// Which.
        field: Field,
        /// How many it may have.
        max: usize,
    },
    /// A list that is there is empty.
    #[error("`{field}` is empty; leave it out, or fill it")]
    Empty {
        /// Which.
        field: Field,
    },
    /// There are too many keys that this program does not know.
    #[error("`{field}` has more than {max} unknown keys")]
    Unknown {
        /// Of what.
        field: Field,
        /// How many there may be.
        max: usize,
    },
    /// A key that the format knows is among those that it does not know.
    #[error("an unknown key has a name that the format knows; give it another")]
    Known,
    /// A text is none.
    #[error("`{field}` is no text as it must be: {fault}")]
    Text {
        /// Which.
        field: Field,
        /// Why.
        fault: TextFault,
    },
    /// A path is none.
    #[error("`{field}` is no path of a file: {fault}")]
    Path {
        /// Which.
        field: Field,
        /// Why.
        fault: PathFault,
    },
    /// Two paths cannot be of two files.
    #[error(
        "`{one}` and `{other}` are the same, or one is a folder above the other; name files apart"
    )]
    Clash {
        /// One.
        one: Field,
        /// The other.
        other: Field,
    },
    /// An address of a peer is none.
    #[error("`{field}` is no address of a peer: {fault}")]
    Address {
        /// Which.
        field: Field,
        /// Why.
        fault: AddressFault,
    },
    /// A tracker's URL is none.
    #[error("`{field}` is no URL of a tracker: {fault}")]
    Url {
        /// Which.
        field: Field,
        /// Why.
        fault: UrlFault,
    },
    /// The files are not made of all pieces, or of more.
    #[error("`files` have {parts} parts together, and `pieces` are {pieces}; they must be as many")]
    Parts {
        /// How many parts the files have.
        parts: u64,
        /// How many pieces there are.
        pieces: u32,
    },
    /// Of two fields exactly one must be there.
    #[error("there must be `{one}` or `{other}`, and not both")]
    OneOf {
        /// One.
        one: Field,
        /// The other.
        other: Field,
    },
    /// A field makes no sense beside another.
    #[error("`{field}` cannot be where `{beside}` is: {why}")]
    Beside {
        /// Which.
        field: Field,
        /// Beside what.
        beside: Field,
        /// Why.
        why: &'static str,
    },
}
