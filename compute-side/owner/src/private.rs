//! A folder that its owner alone reads.

use crate::folder::FolderError;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A folder of which nobody else reads a file. It is made under another name and gets its own when it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
}

impl PrivateFolder {
    /// The folder at this path, made if it is not there.
    pub(crate) fn made(path: &Path) -> Result<Self, FolderError> {
        let folder = Self {
            path: path.to_owned(),
        };
        folder.make_folder("")?;
        Ok(folder)
    }

    /// The folder of that name below `parent`, if it is whole: if it has that file.
    pub(crate) fn find(parent: &Path, name: [u8; 32], file: &str) -> Result<Self, PathBuf> {
        let path = parent.join(hex::encode(name));
        match path.join(file).is_file() {
            true => Ok(Self { path }),
            false => Err(path),
        }
    }

    /// A new folder that is not whole yet, with a folder in it.
    pub(crate) fn begin(parent: &Path, name: [u8; 32], within: &str) -> Result<Self, FolderError> {
        let path = parent.join(format!("{}.part", hex::encode(name)));
        let folder = Self { path };
        folder.make_folder(within)?;
        Ok(folder)
    }

    /// It is whole: it gets its own name.
    pub(crate) fn finish(self, parent: &Path, name: [u8; 32]) -> Result<Self, FolderError> {
        let path = parent.join(hex::encode(name));
        fs::rename(&self.path, &path).map_err(at(&path))?;
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(at(parent))?;
        Ok(Self { path })
    }

    /// Removes a folder that will never be whole, as far as that goes.
    pub(crate) fn discard(self) {
        let _ = fs::remove_dir_all(&self.path);
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it, if it is not there.
    pub(crate) fn make_folder(&self, name: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(at(&path))
    }

    /// An empty file, and where it is.
    pub(crate) fn create(&self, name: &str) -> Result<(PathBuf, File), FolderError> {
        let path = self.path.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        Ok((path, file))
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let (path, mut file) = self.create(name)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(at(&path))
    }

    /// Writes a file that has its name only when it is whole and on disk.
    pub(crate) fn put_whole(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        // Two programs of the owner may write the same.
        let part = format!("{name}.{}.part", std::process::id());
        self.put(&part, bytes)?;
        let path = self.path.join(name);
        fs::rename(self.path.join(part), &path).map_err(at(&path))
    }

    /// Writes a key, in hexadecimal.
    pub(crate) fn put_key(&self, name: &str, key: &[u8; 32]) -> Result<(), FolderError> {
        self.put(name, Zeroizing::new(hex::encode(key)).as_bytes())
    }

    /// A key that was written so.
    pub(crate) fn key(&self, name: &str) -> Result<Zeroizing<[u8; 32]>, FolderError> {
        let path = self.path.join(name);
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(at(&path))?);
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut bytes[..])
            .map_err(|_| FolderError::Damaged { path })?;
        Ok(bytes)
    }

    /// A whole file, decoded.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        decode: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, FolderError> {
        let path = self.path.join(name);
        let bytes = fs::read(&path).map_err(at(&path))?;
        decode(&bytes).ok_or(FolderError::Damaged { path })
    }

    /// The same of a file that need not be there.
    pub(crate) fn read_if_there<T>(
        &self,
        name: &str,
        decode: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, FolderError> {
        let path = self.path.join(name);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(at(&path))?,
        };
        decode(&bytes)
            .map(Some)
            .ok_or(FolderError::Damaged { path })
    }

    /// Removes a folder of it, if it is there.
    pub(crate) fn remove_folder(&self, name: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes a file of it, if it is there.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
    move |source| FolderError::File {
        path: path.to_owned(),
        source,
    }
}
