//! Folders on a real disk, as archives and back.
//!
//! What an archive may hold is said in `quern_shards::archive`; here folders are walked and made. Both
//! ways hold the folder that they are in open and name what is in it by one name alone, which is followed
//! through no link. So nothing is packed that is outside the folder, and nothing is restored outside it:
//! not if the archive is made to, and not if somebody puts a link where a folder was.
//!
//! Both hold one open folder for each level, and of each of these, when packing, the names in it.

mod pack;
mod restore;

pub use pack::{FolderFacts, PackError, Special, SurveyedFolder};
pub use restore::{Existing, RestoreError, restore};

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

/// The most files and folders that are packed or restored together. The archive's length bounds what they
/// hold, but an empty one takes more of a disk than of an archive.
pub const ENTRIES_MAX: u64 = 4_000_000;

/// Where an entry of these parts is, to be told.
fn within<P: AsRef<[u8]>>(folder: &Path, parts: &[P]) -> PathBuf {
    let parts = parts.iter().map(|part| OsStr::from_bytes(part.as_ref()));
    folder.iter().chain(parts).collect()
}

#[cfg(test)]
mod tests;
