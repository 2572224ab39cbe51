//! What has come of things that are not whole: a file each, on this machine, whatever lies under the depot. A thing has
//! to be checked before it has a name, and an upload that breaks goes on from the file's length.

use crate::{
    Content, Name,
    disk::{self, DiskError, blocking},
};
use bytes::Bytes;
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The folder with all parts.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    folder: PathBuf,
}

impl Parts {
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(name.part_key())
    }

    /// All parts with their lengths.
    pub(crate) async fn found(&self) -> Result<Vec<(Name, u64)>, DiskError> {
        let folder = self.folder.clone();
        blocking(&self.folder, move || {
            let mut parts = Vec::new();
            disk::each_file(&folder, &mut |key, bytes| {
                parts.extend(Name::of_part_key(key).map(|name| (name, bytes)));
            })?;
            Ok(parts)
        })
        .await
    }

    /// Bytes that have come; none where nothing has been begun.
    pub(crate) async fn length(&self, name: &Name) -> Result<Option<u64>, DiskError> {
        let path = self.path(name);
        blocking(&self.folder, move || disk::length(&path)).await
    }

    /// Writes behind the `held` bytes that are there. What is written of a piece that does not fit on the disk is cut
    /// off again.
    pub(crate) async fn append(
        &self,
        name: &Name,
        held: u64,
        piece: Bytes,
    ) -> Result<(), DiskError> {
        let path = self.path(name);
        blocking(&self.folder, move || append(&path, held, &piece)).await
    }

    /// What has come.
    pub(crate) async fn content(&self, name: &Name) -> Result<Content, DiskError> {
        let path = self.path(name);
        blocking(&self.folder, move || {
            let file = File::open(&path).map_err(DiskError::of(&path))?;
            Content::read(file).map_err(DiskError::of(&path))
        })
        .await
    }

    /// The bytes that have come, of a thing that fits into memory.
    pub(crate) async fn read(&self, name: &Name) -> Result<Vec<u8>, DiskError> {
        let path = self.path(name);
        blocking(&self.folder, move || {
            fs::read(&path).map_err(DiskError::of(&path))
        })
        .await
    }

    /// Erases what has come.
    pub(crate) async fn remove(&self, name: &Name) -> Result<(), DiskError> {
        let (path, folder) = (self.path(name), self.folder.clone());
        blocking(&self.folder, move || disk::remove(&path, &folder)).await
    }
}

fn append(path: &Path, held: u64, piece: &[u8]) -> Result<(), DiskError> {
    let mut file = disk::open_in_folder(path, |path| {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
    })?;
    file.write_all(piece).map_err(|error| {
        // If this fails as well the part is longer than was said, and goes on from there.
        let _ = file.set_len(held);
        DiskError::of(path)(error)
    })
}
