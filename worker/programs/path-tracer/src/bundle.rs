//! A scene and all its files in one piece of bytes.
//!
//! A task has one input, so the scene file travels together with its meshes and textures:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `QRNBNDL1` |
//! | 4 | number of files, the scene file first |
//! | 2 + n | for each file: the length of its name, and the name |
//! | 4 + n | then the length of its content, and the content |
//!
//! Numbers are little-endian. Names are relative paths with `/`, without `..`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::scene::{Reference, file_references};

/// The first bytes of a bundle: what it is, and which version.
pub const BUNDLE_MAGIC: [u8; 8] = *b"QRNBNDL1";
/// The most files in a bundle.
pub const BUNDLE_FILES_MAX: usize = 256;
/// The most bytes of a bundle.
pub const BUNDLE_BYTES_MAX: usize = 64 << 20;
/// The most bytes of a file's name.
pub const FILE_NAME_BYTES_MAX: usize = 200;

/// The files of a scene, in memory. The first is the scene file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle<'a> {
    files: Vec<(&'a str, &'a [u8])>,
}

/// Why bytes are no bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// The first bytes are not [`BUNDLE_MAGIC`].
    NotABundle,
    /// More than [`BUNDLE_BYTES_MAX`] bytes.
    TooManyBytes {
        /// How many there are.
        bytes: usize,
    },
    /// No file at all, or more than [`BUNDLE_FILES_MAX`].
    BadFileCount {
        /// How many files the bundle announces.
        files: usize,
    },
    /// The bytes end inside a file.
    Truncated {
        /// The file's place, from 0.
        file: usize,
    },
    /// Bytes are left after the last file.
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// A name is empty, too long, absolute, or holds something other than letters, digits and
    /// `. _ - /`, or a component `..`.
    BadName {
        /// The file's place, from 0.
        file: usize,
    },
    /// Two files have one name.
    RepeatedName {
        /// The name.
        name: String,
    },
}

/// Why a scene on disk cannot be packed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PackError {
    /// A file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The scene file's own path has no name that can go into a bundle.
    BadSceneName {
        /// The path.
        path: PathBuf,
    },
    /// The files make no valid bundle.
    Bundle(BundleError),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABundle => {
                write!(
                    f,
                    "not a scene bundle: pack the scene file with `bundle::pack` first"
                )
            }
            Self::TooManyBytes { bytes } => {
                write!(
                    f,
                    "a bundle of {bytes} bytes: shrink the scene below {BUNDLE_BYTES_MAX}"
                )
            }
            Self::BadFileCount { files } => {
                write!(
                    f,
                    "a bundle of {files} files: give it 1 to {BUNDLE_FILES_MAX}"
                )
            }
            Self::Truncated { file } => {
                write!(f, "bundle ends inside file {file}: send all of its bytes")
            }
            Self::TrailingBytes { bytes } => {
                write!(f, "{bytes} bytes after the bundle's last file: remove them")
            }
            Self::BadName { file } => write!(
                f,
                "file {file} has a bad name: use letters, digits and `._-/`, relative, without \
                 `..`, at most {FILE_NAME_BYTES_MAX} bytes"
            ),
            Self::RepeatedName { name } => {
                write!(f, "two files are called `{name}`: rename one")
            }
        }
    }
}

impl std::error::Error for BundleError {}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => {
                write!(
                    f,
                    "cannot read {}: check the name in the scene file",
                    path.display()
                )
            }
            Self::BadSceneName { path } => write!(
                f,
                "{} has no plain file name: use letters, digits and `._-`",
                path.display()
            ),
            Self::Bundle(_) => write!(f, "the scene's files make no bundle"),
        }
    }
}

impl std::error::Error for PackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Bundle(source) => Some(source),
            Self::BadSceneName { .. } => None,
        }
    }
}

impl<'a> Bundle<'a> {
    /// A bundle of these files, the scene file first.
    ///
    /// # Errors
    /// When names or counts are outside the limits of this module.
    pub fn from_files(
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, BundleError> {
        let files: Vec<_> = files.into_iter().take(BUNDLE_FILES_MAX + 1).collect();
        if files.is_empty() || files.len() > BUNDLE_FILES_MAX {
            return Err(BundleError::BadFileCount { files: files.len() });
        }
        for (place, (name, _)) in files.iter().enumerate() {
            if !is_plain_name(name) {
                return Err(BundleError::BadName { file: place });
            }
            if files.iter().take(place).any(|(earlier, _)| earlier == name) {
                return Err(BundleError::RepeatedName {
                    name: (*name).to_owned(),
                });
            }
        }
        let bundle = Self { files };
        match bundle.byte_count() {
            bytes if bytes > BUNDLE_BYTES_MAX => Err(BundleError::TooManyBytes { bytes }),
            _ => Ok(bundle),
        }
    }

    /// Reads a bundle from bytes, without copying its files.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooManyBytes { bytes: bytes.len() });
        }
        let mut rest = bytes
            .strip_prefix(&BUNDLE_MAGIC)
            .ok_or(BundleError::NotABundle)?;
        let count = take_u32(&mut rest).ok_or(BundleError::Truncated { file: 0 })? as usize;
        if !(1..=BUNDLE_FILES_MAX).contains(&count) {
            return Err(BundleError::BadFileCount { files: count });
        }
        let mut files = Vec::with_capacity(count);
        for file in 0..count {
            let truncated = BundleError::Truncated { file };
            let (name, content) = take_file(&mut rest).ok_or(truncated)?;
            let name = std::str::from_utf8(name).map_err(|_| BundleError::BadName { file })?;
            files.push((name, content));
        }
        if !rest.is_empty() {
            return Err(BundleError::TrailingBytes { bytes: rest.len() });
        }
        Self::from_files(files)
    }

    /// Writes the bundle: what [`Bundle::parse`] reads.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "`from_files` bounds every length"
    )]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_count());
        bytes.extend_from_slice(&BUNDLE_MAGIC);
        bytes.extend_from_slice(&(self.files.len() as u32).to_le_bytes());
        for (name, content) in &self.files {
            bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
            bytes.extend_from_slice(content);
        }
        bytes
    }

    /// The name and content of the scene file.
    #[must_use]
    pub fn scene(&self) -> (&'a str, &'a [u8]) {
        self.files.first().copied().unwrap_or(("", &[]))
    }

    /// The content of the file with this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&'a [u8]> {
        self.files
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, content)| *content)
    }

    fn byte_count(&self) -> usize {
        let file = |(name, content): &(&str, &[u8])| 6 + name.len() + content.len();
        BUNDLE_MAGIC.len() + 4 + self.files.iter().map(file).sum::<usize>()
    }
}

/// Reads a scene file and every file it refers to, which are looked for beside it, and packs them.
///
/// Whether the files make sense is not asked here, but by [`crate::Scene::load`].
///
/// # Errors
/// When a file cannot be read, or the files break a limit of this module.
pub fn pack(scene_file: &Path) -> Result<Vec<u8>, PackError> {
    let folder = scene_file.parent().unwrap_or(Path::new(""));
    let scene_name = scene_file.file_name().and_then(|name| name.to_str());
    let scene_name = scene_name.filter(|name| is_plain_name(name));
    let bad_name = || PackError::BadSceneName {
        path: scene_file.to_path_buf(),
    };
    let scene_name = scene_name.ok_or_else(bad_name)?.to_owned();
    let mut files = vec![(scene_name, read(scene_file)?)];
    // Included files come right after those that are known, and may refer to further ones; what
    // is not scene text refers to none.
    let mut texts = vec![0];
    while let Some((_, content)) = texts.pop().and_then(|place: usize| files.get(place)) {
        let text = String::from_utf8_lossy(content).into_owned();
        for Reference {
            name,
            is_scene_text,
        } in file_references(&text)
        {
            if files.len() > BUNDLE_FILES_MAX || files.iter().any(|(known, _)| known == name) {
                continue;
            }
            let file = files.len();
            if !is_plain_name(name) {
                return Err(PackError::Bundle(BundleError::BadName { file }));
            }
            files.push((name.to_owned(), read(&folder.join(name))?));
            if is_scene_text {
                texts.push(file);
            }
        }
    }
    let borrowed = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()));
    Bundle::from_files(borrowed)
        .map(|bundle| bundle.to_bytes())
        .map_err(PackError::Bundle)
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    std::fs::read(path).map_err(|source| PackError::Unreadable {
        path: path.to_path_buf(),
        source,
    })
}

fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    (1..=FILE_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != ".." && part != ".")
}

fn take_file<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let name_bytes = u16::from_le_bytes(*rest.split_first_chunk()?.0);
    *rest = rest.get(2..)?;
    let name = take(rest, usize::from(name_bytes))?;
    let content_bytes = take_u32(rest)?;
    Some((name, take(rest, content_bytes as usize)?))
}

/// Takes a little-endian number from the front of the bytes.
pub(crate) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (front, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(front)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
