//! A part as it is uploaded.

use crate::{
    Content,
    bucket::PART_BYTES,
    content::Hasher,
    disk::{DiskError, blocking},
};
use bytes::Bytes;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The pieces of a part, as they are uploaded, and what they are together.
pub(super) struct Pieces {
    file: Arc<File>,
    path: PathBuf,
    hasher: Hasher,
}

impl Pieces {
    pub(super) async fn open(part: &Path) -> Result<Self, DiskError> {
        let path = part.to_owned();
        let opened = path.clone();
        let file = blocking(&path, move || {
            File::open(&opened).map_err(DiskError::of(&opened))
        })
        .await?;
        Ok(Self {
            file: Arc::new(file),
            path,
            hasher: Hasher::default(),
        })
    }

    /// The next piece; of no bytes at the end.
    pub(super) async fn next(&mut self) -> Result<Bytes, DiskError> {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        let mut hasher = std::mem::take(&mut self.hasher);
        let (piece, hasher) = blocking(&self.path, move || {
            let mut piece = Vec::with_capacity(PART_BYTES);
            let read = (&*file).take(PART_BYTES as u64).read_to_end(&mut piece);
            read.map_err(DiskError::of(&path))?;
            hasher.update(&piece);
            Ok((Bytes::from(piece), hasher))
        })
        .await?;
        self.hasher = hasher;
        Ok(piece)
    }

    /// What the pieces were together.
    pub(super) fn finish(self) -> Content {
        self.hasher.finish()
    }
}
