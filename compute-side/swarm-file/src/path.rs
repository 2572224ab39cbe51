//! Paths of files that a task file names. They are below a folder of the peer's choice, and stay there.

use crate::{
    limits::{PATH_PART_BYTES_MAX, PATH_PARTS_MAX},
    text::{Line, TextFault},
};
use std::{fmt, path::PathBuf, str::FromStr};

/// Why a path is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// It has no parts.
    #[error("it names nothing")]
    Empty,
    /// It has too many parts.
    #[error("it has more than {PATH_PARTS_MAX} parts")]
    Deep,
    /// A part is `.` or `..`.
    #[error("it leaves its folder or goes in circles; leave out `.` and `..`")]
    Leaves,
    /// A part holds what separates parts.
    #[error("a part of it holds `/` or `\\`")]
    Separator,
    /// A part is no name.
    #[error("a part of it is no name: {0}")]
    Part(TextFault),
}

/// A path below some folder: 1 to [`PATH_PARTS_MAX`] names.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelativePath(String);

impl RelativePath {
    /// Puts a path together from its parts.
    ///
    /// # Errors
    ///
    /// If a part is none, or there are none or too many.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, PathFault> {
        let mut path = String::new();
        for (at, part) in parts.into_iter().enumerate() {
            if at >= PATH_PARTS_MAX {
                return Err(PathFault::Deep);
            }
            let part = checked(part)?;
            if at > 0 {
                path.push('/');
            }
            path.push_str(part.as_str());
        }
        match path.is_empty() {
            true => Err(PathFault::Empty),
            false => Ok(Self(path)),
        }
    }

    /// The parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The parts with `/` between them.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, to be joined to a folder's. Links that are in that folder are not its business: who
    /// makes files there makes the folder.
    pub fn to_path(&self) -> PathBuf {
        self.parts().collect()
    }

    /// Whether one is the other, or a folder above it.
    pub fn begins(&self, other: &Self) -> bool {
        let mut others = other.parts();
        self.parts().all(|part| others.next() == Some(part))
    }
}

fn checked(part: &[u8]) -> Result<Line<PATH_PART_BYTES_MAX>, PathFault> {
    if part == b"." || part == b".." {
        return Err(PathFault::Leaves);
    }
    if part.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return Err(PathFault::Separator);
    }
    Line::read(part).map_err(PathFault::Part)
}

/// The places of two paths of which one is the other or a folder above it, if there are such: both
/// cannot be files. The smaller place comes first.
pub(crate) fn clash<'a>(
    paths: impl IntoIterator<Item = &'a RelativePath>,
) -> Option<(usize, usize)> {
    let mut order: Vec<(usize, &RelativePath)> = paths.into_iter().enumerate().collect();
    // By parts: as texts "a-b" would come between "a" and "a/b".
    order.sort_by(|(_, one), (_, other)| one.parts().cmp(other.parts()));
    // All that a path begins stand right behind it.
    let neighbours = order.iter().zip(order.iter().skip(1));
    let mut clashing = neighbours.filter(|((_, one), (_, other))| one.begins(other));
    clashing
        .next()
        .map(|((one, _), (other, _))| (*one.min(other), *one.max(other)))
}

impl FromStr for RelativePath {
    type Err = PathFault;

    fn from_str(text: &str) -> Result<Self, PathFault> {
        match text.is_empty() {
            true => Err(PathFault::Empty),
            false => Self::of(text.split('/').map(str::as_bytes)),
        }
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    fn path(text: &str) -> RelativePath {
        text.parse().unwrap()
    }

    #[test]
    fn paths_that_leave_their_folder_are_refused() {
        let long = "x".repeat(256);
        let deep = vec!["a"; 17].join("/");
        let cases: [(&str, PathFault); 17] = [
            ("", PathFault::Empty),
            ("..", PathFault::Leaves),
            (".", PathFault::Leaves),
            ("a/../b", PathFault::Leaves),
            ("a/./b", PathFault::Leaves),
            ("a/..", PathFault::Leaves),
            ("/etc/passwd", PathFault::Part(TextFault::Empty)),
            ("a//b", PathFault::Part(TextFault::Empty)),
            ("a/", PathFault::Part(TextFault::Empty)),
            ("/", PathFault::Part(TextFault::Empty)),
            ("..\\x", PathFault::Separator),
            ("C:\\x", PathFault::Separator),
            ("a\0", PathFault::Part(TextFault::Hidden { code: 0 })),
            ("a\nb", PathFault::Part(TextFault::Hidden { code: 10 })),
            (
                "a\u{202e}b",
                PathFault::Part(TextFault::Hidden { code: 0x202e }),
            ),
            (
                &long,
                PathFault::Part(TextFault::Long {
                    bytes: 256,
                    max: 255,
                }),
            ),
            (&deep, PathFault::Deep),
        ];
        for (text, fault) in cases {
            assert_eq!(text.parse::<RelativePath>(), Err(fault), "{text:?}");
        }
        assert_eq!(RelativePath::of([&b"a/b"[..]]), Err(PathFault::Separator));
        let none: [&[u8]; 0] = [];
        assert_eq!(RelativePath::of(none), Err(PathFault::Empty));
        for text in ["a", "...", "..a", "a/.b", "ä ö/$x", &"x".repeat(255)] {
            assert_eq!(path(text).as_str(), text);
        }
        assert!(vec!["a"; 16].join("/").parse::<RelativePath>().is_ok());
    }

    #[test]
    fn a_file_is_not_above_another() {
        let clash_of = |texts: &[&str]| {
            let paths: Vec<RelativePath> = texts.iter().map(|it| path(it)).collect();
            clash(&paths)
        };
        assert_eq!(clash_of(&["a", "b", "a-b", "ab/c", "ab/d"]), None);
        assert_eq!(clash_of(&["a/b", "x", "a-b", "a"]), Some((0, 3)));
        assert_eq!(clash_of(&["x", "x"]), Some((0, 1)));
        assert_eq!(clash_of(&["a", "c", "a/b/c", "c"]), Some((0, 2)));
        assert_eq!(clash_of(&["b", "b/c", "d"]), Some((0, 1)));
    }

    fn any_path() -> impl Strategy<Value = RelativePath> {
        proptest::collection::vec("[ab.-]{1,2}", 1..4).prop_filter_map("dots", |parts| {
            RelativePath::of(parts.iter().map(String::as_bytes)).ok()
        })
    }

    proptest! {
        #[test]
        fn whatever_passes_stays_below_its_folder(text in "[ab./\\\\:~ ]{0,12}") {
            if let Ok(path) = text.parse::<RelativePath>() {
                let joined = Path::new("folder").join(path.to_path());
                let rest = joined.strip_prefix("folder").unwrap();
                prop_assert!(rest.components().all(|it| matches!(it, Component::Normal(_))));
                prop_assert_eq!(rest.to_str(), Some(text.as_str()));
                prop_assert_eq!(RelativePath::of(path.parts().map(str::as_bytes)), Ok(path.clone()));
            }
        }

        #[test]
        fn a_clash_is_found_as_by_comparing_each_with_each(
            paths in proptest::collection::vec(any_path(), 0..12),
        ) {
            let starts = |one: &RelativePath, other: &RelativePath| {
                format!("{other}/").starts_with(&format!("{one}/"))
            };
            let clashing = |at: usize, other: usize| {
                starts(&paths[at], &paths[other]) || starts(&paths[other], &paths[at])
            };
            let exists = (0..paths.len()).any(|at| (0..at).any(|it| clashing(it, at)));
            let found = clash(&paths);
            prop_assert_eq!(found.is_some(), exists);
            if let Some((one, other)) = found {
                prop_assert!(one < other && clashing(one, other));
            }
        }
    }
}
