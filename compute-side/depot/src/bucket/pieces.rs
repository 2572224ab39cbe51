//! A file as it is uploaded.

use crate::{
    Content,
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

/// The pieces of a file, as they are uploaded, and what they are together.
pub(crate) struct Pieces {
    file: Arc<File>,
    path: PathBuf,
    piece_bytes: usize,
    hasher: Hasher,
}

impl Pieces {
    pub(crate) async fn open(part: &Path, piece_bytes: usize) -> Result<Self, DiskError> {
        let path = part.to_owned();
        let opened = path.clone();
        let file = blocking(&path, move || {
            File::open(&opened).map_err(DiskError::of(&opened))
        })
        .await?;
        Ok(Self {
            file: Arc::new(file),
            path,
            piece_bytes,
            hasher: Hasher::default(),
        })
    }

    /// The next piece; of no bytes at the end.
    pub(crate) async fn next(&mut self) -> Result<Bytes, DiskError> {
        let (file, path, most) = (Arc::clone(&self.file), self.path.clone(), self.piece_bytes);
        let mut hasher = std::mem::take(&mut self.hasher);
        let (piece, hasher) = blocking(&self.path, move || {
            let mut piece = Vec::with_capacity(most);
            let read = (&*file).take(most as u64).read_to_end(&mut piece);
            read.map_err(DiskError::of(&path))?;
            hasher.update(&piece);
            Ok((Bytes::from(piece), hasher))
        })
        .await?;
        self.hasher = hasher;
        Ok(piece)
    }

    /// What the pieces were together.
    pub(crate) fn finish(self) -> Content {
        self.hasher.finish()
    }
}
