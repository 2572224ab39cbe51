//! The record of a grid that was left running, so that another run of the program finds and ends
//! it. A process is ended only if it is still the one that was started: its id and its start time
//! must both match.

use crate::{LocalGrid, Part};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const FILE: &str = "grid.json";

/// How long recorded processes may take to end after they were asked to.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is none.
    #[error("no grid runs in {folder}; start one with `quern dev up`")]
    None {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot use the grid's record {path}")]
    File {
        /// The record.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is none.
    #[error("{path} is not the record of a grid; remove it if no grid runs")]
    Foreign {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// A grid that runs by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The WebSocket of the validator.
    pub node_url: String,
    /// The URL of the masternode's Jobs API.
    pub jobs_api: String,
    /// Its processes, in the order in which they are ended.
    pub processes: Vec<Process>,
}

/// A process of a recorded grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The part's name.
    pub name: String,
    /// Its process id.
    pub id: u32,
    /// When it was started, in clock ticks after the machine was; no two processes of one id share
    /// it.
    pub started: u64,
    /// Its log.
    pub log: PathBuf,
}

impl Process {
    /// Whether this very process still runs.
    pub fn is_running(&self) -> bool {
        start_time(self.id) == Some(self.started)
    }

    fn signal(&self, signal: Signal) {
        if let (true, Ok(id)) = (self.is_running(), i32::try_from(self.id)) {
            // An error says that it has ended.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Record {
    pub(crate) fn of(grid: &LocalGrid) -> Result<Self, RecordError> {
        let workers = grid.workers.iter().map(|worker| &worker.part);
        let parts = workers.chain(&grid.masternode).chain([&grid.node]);
        Ok(Self {
            node_url: grid.node_url().to_owned(),
            jobs_api: grid.jobs_api().to_owned(),
            processes: parts.filter_map(process_of).collect(),
        })
    }

    /// Reads the record of the grid in a folder.
    pub fn read(folder: &Path) -> Result<Self, RecordError> {
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RecordError::None {
                    folder: folder.to_owned(),
                });
            }
            read => read.map_err(|source| RecordError::File {
                path: path.clone(),
                source,
            })?,
        };
        serde_json::from_slice(&bytes).map_err(|source| RecordError::Foreign { path, source })
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), RecordError> {
        let path = folder.join(FILE);
        let failed = |source| RecordError::File {
            path: path.clone(),
            source,
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        fs::write(&path, text).map_err(failed)
    }
}

/// Ends the grid that was left running in a folder. Returns how many processes there were to end.
pub async fn stop_recorded(folder: &Path) -> Result<usize, RecordError> {
    let record = Record::read(folder)?;
    let running = record
        .processes
        .iter()
        .filter(|process| process.is_running())
        .count();
    for process in &record.processes {
        process.signal(Signal::SIGTERM);
        let asked = Instant::now();
        while process.is_running() && asked.elapsed() < STOP_GRACE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        process.signal(Signal::SIGKILL);
    }
    forget(folder);
    Ok(running)
}

pub(crate) fn forget(folder: &Path) {
    // A record of ended processes does no harm.
    let _ = fs::remove_file(folder.join(FILE));
}

fn process_of(part: &Part) -> Option<Process> {
    let id = part.id()?;
    Some(Process {
        name: part.name().to_owned(),
        id,
        started: start_time(id)?,
        log: part.log().to_owned(),
    })
}

/// A process's start time from the kernel's process table; `None` if it does not run or is a zombie.
fn start_time(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the fields behind it are separated by blanks.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let state = fields.first()?;
    (*state != "Z").then_some(())?;
    fields.get(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_is_running_and_another_of_its_id_is_not() {
        let id = std::process::id();
        let started = start_time(id).unwrap_or_default();
        let process = |started| Process {
            name: "test".into(),
            id,
            started,
            log: PathBuf::new(),
        };
        assert!(process(started).is_running());
        assert!(!process(started + 1).is_running());
    }

    #[test]
    fn a_folder_without_a_grid_says_how_to_start_one() {
        let error = Record::read(Path::new("/nowhere/at/all"))
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("quern dev up")));
    }
}
