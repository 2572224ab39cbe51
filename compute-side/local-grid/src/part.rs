//! One process of the grid.

use crate::PATIENCE;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// How long a process may take to end after it was asked to.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How long one look at whether a process is ready may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Lines of a log shown with an error.
const LINES_SHOWN: usize = 12;

/// Why a process does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// It does not start.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It ended although it should run.
    #[error("{name} ended with {status}; the end of {log}:\n{end}")]
    Ended {
        /// The part.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        end: String,
    },
    /// It did not become ready in time.
    #[error("{name} was not ready after {seconds} s; the end of {log}:\n{end}")]
    Late {
        /// The part.
        name: String,
        /// How long was waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        end: String,
    },
}

/// One process of the grid. It ends when this is dropped, unless it was left running.
#[derive(Debug)]
pub struct Part {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
    leave_running: bool,
}

impl Part {
    /// Starts a program, with its log appended to a file.
    pub fn start(
        name: &str,
        program: &Path,
        arguments: Vec<String>,
        log: PathBuf,
    ) -> Result<Self, PartError> {
        let mut part = Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments,
            log,
            child: None,
            leave_running: false,
        };
        part.spawn()?;
        Ok(part)
    }

    /// Starts the same program with the same arguments again, after it ended.
    pub fn restart(&mut self) -> Result<(), PartError> {
        self.spawn()
    }

    fn spawn(&mut self) -> Result<(), PartError> {
        let failed = |source| PartError::Start {
            program: self.program.clone(),
            source,
        };
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(failed)?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // In a group of its own, so that Ctrl-C reaches the program that can stop it in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        self.child = Some(child);
        Ok(())
    }

    /// The part's name, such as `worker 2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Ends it at once, as a power cut would.
    pub async fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // An error says that it has ended.
            let _ = child.kill().await;
        }
        self.child = None;
    }

    /// Asks it to end, without waiting.
    pub fn request_stop(&self) {
        if let Some(id) = self.id().and_then(|id| i32::try_from(id).ok()) {
            // An error says that it has ended.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
    }

    /// Asks it to end and waits; ends it the hard way when it does not.
    pub async fn stop(&mut self) -> Option<ExitStatus> {
        self.request_stop();
        let child = self.child.as_mut()?;
        let status = match tokio::time::timeout(STOP_GRACE, child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                tracing::warn!(part = self.name, "does not stop and is ended");
                self.kill().await;
                None
            }
        };
        self.child = None;
        status
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self, patience: Duration) -> Result<ExitStatus, PartError> {
        let late = self.late(patience);
        let Some(child) = &mut self.child else {
            return Err(late);
        };
        match tokio::time::timeout(patience, child.wait()).await {
            Ok(Ok(status)) => {
                self.child = None;
                Ok(status)
            }
            _ => Err(late),
        }
    }

    /// Fails if it has ended by itself, with the end of its log.
    pub fn goes_on(&mut self) -> Result<(), PartError> {
        let ended = self.child.as_mut();
        let ended = ended.and_then(|child| child.try_wait().ok().flatten());
        let Some(status) = ended else {
            return Ok(());
        };
        Err(PartError::Ended {
            name: self.name.clone(),
            status,
            log: self.log.clone(),
            end: self.last_lines(),
        })
    }

    /// Waits until `ready` says so, as long as the process runs and patience lasts.
    pub async fn wait_until<T>(
        &mut self,
        mut ready: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T, PartError> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            if let Ok(Some(answer)) = tokio::time::timeout(ATTEMPT, ready()).await {
                return Ok(answer);
            }
            self.goes_on()?;
            if started.elapsed() > PATIENCE {
                return Err(self.late(PATIENCE));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    pub(crate) fn leave_running(&mut self) {
        self.leave_running = true;
    }

    fn late(&self, patience: Duration) -> PartError {
        PartError::Late {
            name: self.name.clone(),
            seconds: patience.as_secs(),
            log: self.log.clone(),
            end: self.last_lines(),
        }
    }

    fn last_lines(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.leave_running {
            return;
        }
        if let Some(child) = &mut self.child {
            // An error says that it has ended.
            let _ = child.start_kill();
        }
    }
}
