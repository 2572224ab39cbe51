//! Files: what folder and parts have in common, and what can be wrong with a disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What a disk did not do.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Nothing more can be written.
    #[error(
        "there is no space for {}; make some, or let the depot take less of it with most_bytes",
        path.display()
    )]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else.
    #[error("{} can be neither read nor written as it has to be; see to that disk", path.display())]
    Other {
        /// What was to be read or written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl DiskError {
    pub(crate) fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path, source },
            _ => Self::Other { path, source },
        }
    }
}

/// Does what waits for the disk where that holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
) -> Result<T, DiskError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The runtime ends.
        Err(error) => Err(DiskError::of(path)(error.into())),
    }
}

/// Bytes of a file, if it is there.
pub(crate) fn length(path: &Path) -> Result<Option<u64>, DiskError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        facts => Ok(Some(facts.map_err(DiskError::of(path))?.len())),
    }
}

/// Erases a file, if it is there, and the folders above it that are empty then, up to one.
pub(crate) fn remove(path: &Path, below: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.map_err(DiskError::of(path))?,
    }
    for folder in path.ancestors().skip(1).take_while(|it| *it != below) {
        if fs::remove_dir(folder).is_err() {
            // Something is in it.
            break;
        }
    }
    Ok(())
}

/// Makes the folder of a file, and opens the file. Who empties folders meanwhile makes it try again.
pub(crate) fn open_in_folder<T>(
    path: &Path,
    open: impl Fn(&Path) -> io::Result<T>,
) -> Result<T, DiskError> {
    const TRIES: usize = 8;
    let mut tries = 0;
    loop {
        tries += 1;
        let opened = match path.parent() {
            Some(folder) => fs::create_dir_all(folder).and_then(|()| open(path)),
            None => open(path),
        };
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
            opened => return opened.map_err(DiskError::of(path)),
        }
    }
}

/// Makes a file's name safe.
pub(crate) fn sync_folder(path: &Path) -> Result<(), DiskError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(DiskError::of(folder))
}

/// Calls with the key and length of each file below a folder, as deep as names are.
pub(crate) fn each_file(folder: &Path, seen: &mut impl FnMut(&str, u64)) -> Result<(), DiskError> {
    // JOB/results/TASK/NAME
    const DEPTH: usize = 4;
    each_file_below(folder, "", DEPTH, seen)
}

fn each_file_below(
    folder: &Path,
    key: &str,
    depth: usize,
    seen: &mut impl FnMut(&str, u64),
) -> Result<(), DiskError> {
    let entries = match fs::read_dir(folder) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(());
        }
        entries => entries.map_err(DiskError::of(folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(DiskError::of(folder))?;
        let path = entry.path();
        let name = entry.file_name();
        // A name that is no text is none of ours.
        let Some(name) = name.to_str() else { continue };
        let key = match key {
            "" => name.to_owned(),
            key => format!("{key}/{name}"),
        };
        // Links are not followed.
        let facts = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            facts => facts.map_err(DiskError::of(&path))?,
        };
        if facts.is_dir() && depth > 1 {
            each_file_below(&path, &key, depth - 1, seen)?;
        } else if facts.is_file() {
            seen(&key, facts.len());
        }
    }
    Ok(())
}
