//! What a peer tells of itself. It writes that down while it runs; of one that does not run it is read from
//! the pieces in its folder.

use crate::{disk, limits::STATUS_BYTES_MAX};
use quern_primitives::Digest;
use quern_swarm_file::{PieceIndex, ValidatedTaskFile};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// How it stands with one peer of a swarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The swarm: the task file's digest.
    pub swarm: Digest,
    /// Whether the peer runs.
    pub is_running: bool,
    /// Where others can dial it, with its name at the end.
    pub addresses: Vec<String>,
    /// Pieces of the task.
    pub pieces: u32,
    /// Pieces that are here.
    pub stored: u32,
    /// Pieces that were computed here since it was started because nobody had them.
    pub computed: u64,
    /// Pieces that were computed here since then to see whether others made them right.
    pub checked: u64,
    /// Pieces that are being computed.
    pub computing: Vec<PieceIndex>,
    /// Pieces that were found damaged on the disk when it was started.
    pub damaged: u32,
    /// Peers that it is connected with.
    pub neighbours: u32,
    /// Peers that were disconnected since then because they broke a rule.
    pub dropped: u64,
    /// Why the last piece that could not be computed, or brought here, was not.
    pub trouble: Option<String>,
    /// Where the files are that the pieces make, if they are put together.
    pub output: Option<PathBuf>,
}

/// Why it is not known how it stands.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What of it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What a peer wrote down of itself is nothing that one writes.
    #[error("{} is nothing that a peer writes down; start the peer again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There is no such folder.
    #[error("{} is no swarm's folder; `quern swarm join` makes one", path.display())]
    NoFolder {
        /// Where it should be.
        path: PathBuf,
    },
}

/// How it stands with the peer of this folder. Pieces of one that does not run are counted and not checked;
/// that is done when it is started.
///
/// # Errors
///
/// If there is no such folder, or it cannot be read.
pub fn look(folder: &Path, task: &ValidatedTaskFile) -> Result<Status, StatusError> {
    if !folder.is_dir() {
        let path = folder.to_owned();
        return Err(StatusError::NoFolder { path });
    }
    let is_running = disk::is_in_use(folder).map_err(|source| StatusError::Read {
        path: folder.to_owned(),
        source,
    })?;
    let written = read(folder)?.filter(|it| is_running && it.swarm == task.digest());
    Ok(match written {
        Some(status) => status,
        None => Status {
            stored: disk::count_pieces(folder, task),
            output: disk::output_of(folder).filter(|_| disk::is_merged(folder)),
            is_running,
            ..Status::of(task)
        },
    })
}

impl Status {
    /// That of a peer of which nothing is known.
    pub(crate) fn of(task: &ValidatedTaskFile) -> Self {
        Self {
            swarm: task.digest(),
            is_running: true,
            addresses: Vec::new(),
            pieces: task.file().pieces.get(),
            stored: 0,
            computed: 0,
            checked: 0,
            computing: Vec::new(),
            damaged: 0,
            neighbours: 0,
            dropped: 0,
            trouble: None,
            output: None,
        }
    }
}

fn read(folder: &Path) -> Result<Option<Status>, StatusError> {
    let path = disk::status_of(folder);
    let mut bytes = Vec::new();
    let read =
        File::open(&path).and_then(|file| file.take(STATUS_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StatusError::Read { path, source }),
    }
    let status = serde_json::from_slice(&bytes);
    status
        .map(Some)
        .map_err(|source| StatusError::Unreadable { path, source })
}
