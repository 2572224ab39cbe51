//! Files of a swarm on this machine: the task file, and what lies beside it.

use quern_primitives::Digest;
use quern_swarm_file::{
    InputFile, Other, RelativePath, TaskFileError, ValidatedTaskFile, limits::TASK_FILE_BYTES_MAX,
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Bytes of a file that are hashed at a time.
const STRETCH_BYTES: usize = 256 * 1024;

/// Why a file of a swarm is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwarmFileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no task file.
    #[error("{} is no task file", path.display())]
    NoTask {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TaskFileError,
    },
}

/// Reads a task file. Of one that is too long not more is read than shows it.
pub(super) fn read(path: &Path) -> Result<ValidatedTaskFile, SwarmFileError> {
    let most = TASK_FILE_BYTES_MAX as u64;
    let bytes = read_at_most(path, most.saturating_add(1))?;
    ValidatedTaskFile::decode(&bytes).map_err(|source| SwarmFileError::NoTask {
        path: path.to_owned(),
        source,
    })
}

/// Reads a file, or as much of it.
pub(super) fn read_at_most(path: &Path, bytes_max: u64) -> Result<Vec<u8>, SwarmFileError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max).read_to_end(&mut bytes))
        .map_err(|source| unread(path, source))?;
    Ok(bytes)
}

/// What a task file says of a file that lies beside it, in this folder.
pub(super) fn beside(folder: &Path, path: RelativePath) -> Result<InputFile, SwarmFileError> {
    let place = folder.join(path.to_path());
    let (bytes, sha256) = digest(&place).map_err(|source| unread(&place, source))?;
    Ok(InputFile {
        path,
        bytes,
        sha256,
        other: Other::default(),
    })
}

/// The length and the SHA-256 of a file, a stretch at a time.
fn digest(path: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(path)?;
    let (mut hash, mut length) = (Sha256::new(), 0u64);
    let mut stretch = vec![0; STRETCH_BYTES];
    loop {
        let read = match file.read(&mut stretch) {
            Ok(0) => return Ok((length, Digest(hash.finalize().into()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&stretch[..read]);
        length = length.saturating_add(read as u64);
    }
}

fn unread(path: &Path, source: io::Error) -> SwarmFileError {
    SwarmFileError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beside_the_task_file_is_told_by_its_length_and_digest() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![7; STRETCH_BYTES + 1];
        std::fs::create_dir(folder.path().join("words")).unwrap();
        std::fs::write(folder.path().join("words/all"), &bytes).unwrap();
        let told = beside(folder.path(), "words/all".parse().unwrap()).unwrap();
        assert_eq!(told.bytes, bytes.len() as u64);
        assert_eq!(told.sha256, Digest(Sha256::digest(&bytes).into()));
        let missing = beside(folder.path(), "words/none".parse().unwrap()).unwrap_err();
        assert!(missing.to_string().ends_with("words/none"), "{missing}");
    }

    #[test]
    fn what_is_no_task_file_is_refused_with_the_reason_behind_it() {
        let there = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(there.path(), b"d6:piecesi0e7:versioni1ee").unwrap();
        let error = anyhow::Error::from(read(there.path()).unwrap_err());
        let said: Vec<_> = error.chain().map(ToString::to_string).collect();
        assert!(said[0].ends_with("is no task file"), "{said:?}");
        assert_eq!(said[1], "`pieces` is 0, and must be from 1 to 1048576");
        std::fs::write(there.path(), vec![b'd'; TASK_FILE_BYTES_MAX + 9]).unwrap();
        let refused = read(there.path()).unwrap_err();
        assert!(matches!(
            refused,
            SwarmFileError::NoTask {
                source: TaskFileError::Long { .. },
                ..
            }
        ));
    }
}
