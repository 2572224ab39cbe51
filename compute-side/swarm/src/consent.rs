//! Whether a task file's command may run here. It runs only where somebody said yes to this very file; the
//! yes is kept beside the swarm's folder, with the file's digest.

use quern_primitives::Digest;
use quern_swarm_file::{ValidatedTaskFile, Work};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// That somebody said yes to the commands of one task file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent(Digest);

/// Why there is no consent.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// It was said of another file.
    #[error(
        "{said} is the SHA-256 of another task file, and this one's is {task}: read what this one runs with `quern swarm show` before you allow it"
    )]
    Another {
        /// What was said.
        said: Digest,
        /// The file that is there.
        task: Digest,
    },
    /// It could not be kept, or what was kept cannot be read.
    #[error("cannot use {}", path.display())]
    File {
        /// Where it is kept.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Whether a task runs commands of the shell on the machine of whoever computes.
pub fn is_needed(task: &ValidatedTaskFile) -> bool {
    matches!(task.file().work, Work::Command(_))
}

impl Consent {
    /// What was said before, if it was said of this task file.
    ///
    /// # Errors
    ///
    /// If what is kept cannot be read.
    pub fn kept(folder: &Path, task: &ValidatedTaskFile) -> Result<Option<Self>, ConsentError> {
        let path = place(folder);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let kept = text.trim() == hex::encode(task.digest().0);
                Ok(kept.then(|| Self(task.digest())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ConsentError::File { path, source }),
        }
    }

    /// Somebody says yes to the task file with this digest; keeps that beside the swarm's folder.
    ///
    /// # Errors
    ///
    /// If it is another file's digest, or cannot be kept.
    pub fn give(
        folder: &Path,
        task: &ValidatedTaskFile,
        said: Digest,
    ) -> Result<Self, ConsentError> {
        let digest = task.digest();
        if said != digest {
            let task = digest;
            return Err(ConsentError::Another { said, task });
        }
        let path = place(folder);
        let above = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(above)
            .and_then(|()| fs::write(&path, format!("{}\n", hex::encode(digest.0))))
            .map_err(|source| ConsentError::File { path, source })?;
        Ok(Self(digest))
    }

    /// Whether it is for this task file.
    pub fn is_for(&self, task: &ValidatedTaskFile) -> bool {
        self.0 == task.digest()
    }
}

/// Where the yes for a swarm's folder is kept.
fn place(folder: &Path) -> PathBuf {
    // Without a slash at its end.
    let folder: PathBuf = folder.components().collect();
    let mut path = OsString::from(folder);
    path.push(".yes");
    path.into()
}
