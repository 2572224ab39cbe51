//! The files beside the task file, and the room that a swarm takes.

use crate::limits::{BESIDE_BYTES, MODULE_INPUT_BYTES_MAX, STRETCH_BYTES};
use bytes::Bytes;
use quern_primitives::Digest;
use quern_swarm_file::{InputFile, ValidatedTaskFile};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Why the files beside a task file are not those that it names.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// One cannot be read.
    #[error("cannot read {}, which belongs beside the task file", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// One is another file.
    #[error(
        "{} is not the file that the task file names: it has {found_bytes} bytes and SHA-256 {found}, and must have {bytes} and {expected}; get it from whom you have the task file",
        path.display()
    )]
    Other {
        /// Where it is.
        path: PathBuf,
        /// Bytes that it must have.
        bytes: u64,
        /// Bytes that it has, up to one more than it must.
        found_bytes: u64,
        /// The digest that it must have.
        expected: Digest,
        /// The digest of those bytes.
        found: Digest,
    },
    /// They are more than a module can be given.
    #[error(
        "the inputs have {bytes} bytes together, and a module is given {MODULE_INPUT_BYTES_MAX} at most; ask for a task of a command"
    )]
    Long {
        /// Bytes of all of them.
        bytes: u64,
    },
}

/// Finds the inputs of a task beside its file, and sees that they are those that it names.
///
/// # Errors
///
/// If one is not there, or is another.
pub fn find(
    task: &ValidatedTaskFile,
    beside: &Path,
) -> Result<Vec<(PathBuf, PathBuf)>, InputError> {
    let inputs = task.file().inputs.iter();
    inputs
        .map(|input| {
            let path = beside.join(input.path.to_path());
            read(input, &path, |_| {})?;
            let path =
                std::path::absolute(&path).map_err(|source| InputError::Read { path, source })?;
            Ok((path, input.path.to_path()))
        })
        .collect()
}

/// The inputs of a module, one behind the other.
///
/// # Errors
///
/// If one is not there or is another, or all are too long.
pub fn joined(task: &ValidatedTaskFile, beside: &Path) -> Result<Bytes, InputError> {
    let inputs = &task.file().inputs;
    let bytes = inputs
        .iter()
        .map(|it| it.bytes)
        .fold(0, u64::saturating_add);
    if bytes > MODULE_INPUT_BYTES_MAX {
        return Err(InputError::Long { bytes });
    }
    let mut joined = Vec::new();
    for input in inputs {
        let path = beside.join(input.path.to_path());
        read(input, &path, |bytes| joined.extend_from_slice(bytes))?;
    }
    Ok(joined.into())
}

/// A file beside the task file that is held in memory.
///
/// # Errors
///
/// If it is not there, or is another.
pub fn whole(input: &InputFile, beside: &Path) -> Result<Vec<u8>, InputError> {
    let mut whole = Vec::new();
    let path = beside.join(input.path.to_path());
    read(input, &path, |bytes| whole.extend_from_slice(bytes))?;
    Ok(whole)
}

/// Bytes on the disk that a swarm may take: its pieces, as long as they may be, and the files that they
/// make.
pub fn room(task: &ValidatedTaskFile) -> u64 {
    let file = task.file();
    let pieces = u64::from(file.pieces.get()).saturating_mul(file.piece_bytes_max.get().into());
    pieces.saturating_mul(2).saturating_add(BESIDE_BYTES)
}

/// Reads a file to its end, or to a byte more than it should have.
fn read(input: &InputFile, path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), InputError> {
    let unread = |source| InputError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unread)?;
    let mut file = file.take(input.bytes.saturating_add(1));
    let (mut hash, mut found_bytes) = (Sha256::new(), 0u64);
    let mut stretch = vec![0; STRETCH_BYTES];
    loop {
        let read = match file.read(&mut stretch) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(unread(source)),
        };
        let bytes = stretch.get(..read).unwrap_or_default();
        hash.update(bytes);
        take(bytes);
        found_bytes = found_bytes.saturating_add(read as u64);
    }
    let found = Digest(hash.finalize().into());
    match found_bytes == input.bytes && found == input.sha256 {
        true => Ok(()),
        false => Err(InputError::Other {
            path: path.to_owned(),
            bytes: input.bytes,
            found_bytes,
            expected: input.sha256,
            found,
        }),
    }
}
