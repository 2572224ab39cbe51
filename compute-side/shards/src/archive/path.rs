//! Paths in an archive. They are below the folder that is packed or restored, and stay there.

use std::fmt;

/// The most parts of a path.
pub const PATH_PARTS_MAX: usize = 64;

/// The most bytes of one part.
pub const PATH_PART_BYTES_MAX: usize = 255;

/// The most bytes of a path: those of its parts, and one between each two.
pub const PATH_BYTES_MAX: usize = 4096;

/// Why a path is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// It has no parts.
    #[error("it names nothing")]
    Empty,
    /// It has too many parts.
    #[error("it has {parts} parts, and at most {PATH_PARTS_MAX} are allowed; move it further up")]
    TooDeep {
        /// How many it has.
        parts: usize,
    },
    /// It has too many bytes.
    #[error("it has {bytes} bytes, and at most {PATH_BYTES_MAX} are allowed; shorten it")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// A part has no bytes.
    #[error("a part of it is empty")]
    PartEmpty,
    /// A part has too many bytes.
    #[error("a part has {bytes} bytes, and at most {PATH_PART_BYTES_MAX} are allowed; shorten it")]
    PartTooLong {
        /// How many it has.
        bytes: usize,
    },
    /// A part is `.` or `..`.
    #[error("it leaves its folder or goes in circles; leave out `.` and `..`")]
    Escapes,
    /// A part holds what separates parts somewhere, or ends texts.
    #[error("a part of it holds `/`, `\\` or a zero byte; rename it")]
    Separator,
    /// A part is no UTF-8.
    #[error("a part of it is no UTF-8; rename it")]
    NotUtf8,
}

/// A path below some folder. Ordered by its parts, one after the other, by their bytes; so a folder
/// is before what is in it, and nothing else is between.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchivePath(Vec<String>);

impl ArchivePath {
    /// Puts a path together from the bytes of its parts.
    pub fn of<P: AsRef<[u8]>>(parts: &[P]) -> Result<Self, PathFault> {
        if parts.is_empty() {
            return Err(PathFault::Empty);
        }
        if parts.len() > PATH_PARTS_MAX {
            let parts = parts.len();
            return Err(PathFault::TooDeep { parts });
        }
        let checked: Result<Vec<_>, _> = parts.iter().map(|part| name(part.as_ref())).collect();
        let checked = checked?;
        // Each part is bounded, and so is their number.
        let bytes = checked.iter().map(String::len).sum::<usize>() + checked.len() - 1;
        if bytes > PATH_BYTES_MAX {
            return Err(PathFault::TooLong { bytes });
        }
        Ok(Self(checked))
    }

    /// Its parts, from the uppermost folder down. There is at least one.
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

/// Joined by `/`; what is not seen or would change a terminal is escaped.
impl fmt::Display for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.join("/").escape_debug())
    }
}

fn name(part: &[u8]) -> Result<String, PathFault> {
    let bytes = part.len();
    match part {
        [] => return Err(PathFault::PartEmpty),
        b"." | b".." => return Err(PathFault::Escapes),
        _ if bytes > PATH_PART_BYTES_MAX => return Err(PathFault::PartTooLong { bytes }),
        _ if part.iter().any(|byte| b"/\\\0".contains(byte)) => return Err(PathFault::Separator),
        _ => {}
    }
    let text = std::str::from_utf8(part).map_err(|_| PathFault::NotUtf8)?;
    Ok(text.to_owned())
}
