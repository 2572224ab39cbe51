//! Bytes moved in each calendar month.
//!
//! The clock may jump, forwards and back. So each month has a count of its own, and the last few
//! that were counted in are kept: bytes counted in a wrong month are not held against the right one,
//! and a clock that comes back finds the month as it was left.

use super::clock::Month;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Months that are kept.
const MONTHS_MAX: usize = 6;

/// Bytes of the file: a line of at most 30 for each month.
const FILE_BYTES_MAX: u64 = 4_096;

/// Bytes moved, by month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataUsed {
    /// The month counted in last is the last.
    months: Vec<(Month, u64)>,
}

impl DataUsed {
    /// Bytes moved in a month.
    pub fn in_month(&self, month: Month) -> u64 {
        self.months
            .iter()
            .find(|(known, _)| *known == month)
            .map_or(0, |(_, bytes)| *bytes)
    }

    /// Counts bytes that were moved in a month.
    pub fn add(&mut self, month: Month, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let sum = self.in_month(month).saturating_add(bytes);
        self.months.retain(|(known, _)| *known != month);
        if self.months.len() >= MONTHS_MAX {
            self.months.remove(0);
        }
        self.months.push((month, sum));
    }

    fn to_text(&self) -> String {
        self.months
            .iter()
            .map(|(month, bytes)| format!("{month} = {bytes}\n"))
            .collect()
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut used = Self::default();
        for line in text.lines() {
            let (month, bytes) = line.split_once(" = ")?;
            used.add(month.parse().ok()?, bytes.parse().ok()?);
        }
        Some(used)
    }
}

/// Why the count cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum DataUsedError {
    /// The file cannot be read.
    #[error("cannot read {path}, the count of the data moved; let the worker read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{path} is no count of the data moved; remove it to count from zero")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {path}, the count of the data moved; let the worker write there")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Keeps the count in a small file, which is there whole or not at all.
#[derive(Clone, Debug)]
pub struct DataUsedFile {
    path: PathBuf,
}

impl DataUsedFile {
    /// The file at a path; it need not be there yet, its folder must.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads the count; nothing if there is no file.
    pub fn load(&self) -> Result<DataUsed, DataUsedError> {
        let path = || self.path.clone();
        let read = |source| DataUsedError::Read {
            path: path(),
            source,
        };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(DataUsed::default());
            }
            Err(error) => return Err(read(error)),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(read)?;
        std::str::from_utf8(&bytes)
            .ok()
            .and_then(DataUsed::from_text)
            .ok_or_else(|| DataUsedError::Damaged { path: path() })
    }

    /// Writes the count. When this returns it is on disk.
    pub fn keep(&self, used: &DataUsed) -> Result<(), DataUsedError> {
        self.write(used.to_text().as_bytes())
            .map_err(|source| DataUsedError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        let unfinished = self.path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.path)?;
        sync_folder(&self.path)
    }
}

/// What was moved into a folder is there for good when the folder is on disk.
#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_file: &Path) -> io::Result<()> {
    Ok(())
}
