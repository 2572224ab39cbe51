//! Whoever runs a command in a cell.

use crate::{
    command::Command,
    error::RunError,
    kind::Kind,
    message::{Orders, Report, Role, receive, send},
    outcome::Outcome,
};
use std::{
    ffi::OsString,
    fs::File,
    io,
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStringExt, net::UnixStream},
    },
    path::PathBuf,
    process::{Child, Command as Process, Stdio},
    sync::Arc,
};

/// How a program is started that calls [`inside`](crate::inside()) and does nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// The program. If the cell is run by the superuser, others must be allowed to run it.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Cells of one kind.
#[derive(Clone, Debug)]
pub struct Cells {
    kind: Kind,
    helper: Helper,
}

/// A command that runs. Whoever drops it ends it, and whoever is killed does too.
#[derive(Debug)]
pub struct Running {
    guard: Child,
    socket: Arc<UnixStream>,
    inputs: Vec<PathBuf>,
}

/// Ends a command, from any thread.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<UnixStream>);

impl Cells {
    /// Cells of this kind, which [`probe`](crate::probe()) has found.
    pub fn new(kind: Kind, helper: Helper) -> Self {
        Self { kind, helper }
    }

    /// Their kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Starts a command. What it writes to standard output is written to `output`, from where that
    /// stands.
    ///
    /// # Errors
    ///
    /// If the helper cannot be started. What goes wrong in it is told by [`Running::wait`].
    pub fn start(&self, command: &Command, output: File) -> Result<Running, RunError> {
        let (socket, theirs) = UnixStream::pair().map_err(RunError::Start)?;
        let scratch = (!self.kind.has_names()).then(std::env::temp_dir);
        let orders = Orders {
            role: Role::Guard,
            kind: self.kind,
            command: command.clone(),
            own_id: None,
            scratch: scratch.map(|it| it.into_os_string().into_vec()),
        };
        let mut helper = Process::new(&self.helper.program);
        helper
            .args(&self.helper.arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(output)
            .stderr(Stdio::null());
        let guard = helper.spawn().map_err(RunError::Start)?;
        // The other end of the socket is the guard's alone, so that its end is seen.
        drop(helper);
        let path = |bytes: &Vec<u8>| PathBuf::from(OsString::from_vec(bytes.clone()));
        let running = Running {
            guard,
            socket: Arc::new(socket),
            inputs: command.inputs.iter().map(|it| path(&it.from)).collect(),
        };
        match send(&running.socket, &orders) {
            // It has ended already. How is told when it is waited for.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(running),
            other => other.map(|()| running).map_err(RunError::Start),
        }
    }

    /// Runs a command to its end. It blocks the thread.
    ///
    /// # Errors
    ///
    /// As [`Cells::start`] and [`Running::wait`].
    pub fn run(&self, command: &Command, output: File) -> Result<Outcome, RunError> {
        self.start(command, output)?.wait()
    }
}

impl Running {
    /// The number of the process outside that the cell ends with.
    pub fn guard_id(&self) -> u32 {
        self.guard.id()
    }

    /// What ends the command early. It may outlive the command, and does nothing then.
    pub fn cancel(&self) -> Cancel {
        Cancel(Arc::clone(&self.socket))
    }

    /// Waits for the command's end. It blocks the thread. No process of the command is left then.
    ///
    /// # Errors
    ///
    /// If the command did not run, or not in a cell that holds. It is this machine's fault, or that of
    /// whoever named an input that is none; it says nothing about the command.
    pub fn wait(mut self) -> Result<Outcome, RunError> {
        let report = receive(&self.socket).map_err(RunError::Listen)?;
        let status = self.guard.wait().map_err(RunError::Listen)?;
        match report.ok_or(RunError::Lost { status })? {
            Report::Ended {
                seen,
                output_bytes,
                diagnostics,
            } => Ok(Outcome {
                ending: seen.ending,
                output_bytes,
                diagnostics,
                memory_bytes: seen.memory_bytes,
            }),
            Report::Refused(refusal, said) => Err(RunError::refused(refusal, said, &self.inputs)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        // It ends all that is left, and then itself.
        let _ = self.guard.wait();
    }
}

impl Cancel {
    /// Ends the command. Its outcome is [`Ending::Cancelled`](crate::Ending::Cancelled) unless it had
    /// ended before.
    pub fn cancel(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
