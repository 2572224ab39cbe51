//! One piece: a module in the sandbox, or a command in a cell. What is run, with what and up to which
//! limits, is all in the task file, so that it comes out alike on every machine.

mod command;
mod module;

pub use quern_cell::Helper;

use crate::{
    consent::Consent,
    disk::{Folder, measured},
    inputs::InputError,
    limits::SAID_CHARS_MAX,
};
use command::Commands;
use module::Runs;
use quern_cell::{CommandError, Ending, RunError as CellError};
use quern_sandbox::{EngineError, Exit, InvocationError, ProgramError, RunError};
use quern_swarm_file::{ValidatedTaskFile, Work, WorkItem};
use quern_swarm_rules::Output;
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Why nothing can be computed here.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The task runs commands, and nobody allowed that.
    #[error(
        "this task runs a command on your machine, and nobody said yes to it; read it with `quern swarm show`, then join by hand or say --run-commands with the file's SHA-256"
    )]
    NoConsent,
    /// The machine gives no cell.
    #[error("this machine gives no cell in which a command may run: {}", found)]
    NoCell {
        /// What was tried, and what is missing.
        found: quern_cell::Found,
    },
    /// The command is none that a cell runs.
    #[error("the task's command cannot be run")]
    Command(#[from] CommandError),
    /// The inputs are not there.
    #[error(transparent)]
    Inputs(#[from] InputError),
    /// There is no sandbox.
    #[error("modules cannot be run")]
    Engine(#[from] EngineError),
    /// The module is none that the sandbox runs.
    #[error("the task's module is no program that can be run; ask for another task file")]
    Program(#[from] ProgramError),
    /// The module cannot be given what the task file says.
    #[error("the task's module cannot be started")]
    Invocation(#[from] InvocationError),
}

/// Why a piece did not come out.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The module did not end well.
    #[error("the module {0}")]
    Module(Exit),
    /// The command did not end well.
    #[error("the command ended with {ending:?}; it said: {}", said(diagnostics))]
    Command {
        /// How.
        ending: Ending,
        /// The end of what it wrote to standard error.
        diagnostics: Vec<u8>,
    },
    /// The sandbox failed.
    #[error("the sandbox failed: {0}")]
    Sandbox(#[source] RunError),
    /// The cell failed.
    #[error("the cell failed: {0}")]
    Cell(#[source] CellError),
    /// What came out could not be put aside, or read again.
    #[error("what came out cannot be kept: {0}")]
    Output(#[from] io::Error),
    /// The module cannot be given what belongs to the piece.
    #[error("the module cannot be started: {0}")]
    Invocation(#[from] InvocationError),
    /// The command cannot be given what belongs to the piece.
    #[error("the command cannot be started: {0}")]
    Given(#[from] CommandError),
}

/// What becomes of a run.
#[derive(Debug)]
pub(crate) enum Ran {
    /// A piece.
    Made(Output),
    /// None.
    Failed(Trouble),
    /// It was ended from here.
    Stopped,
}

/// What computes pieces. It blocks, and several may run at a time.
#[derive(Debug)]
pub(crate) enum Worker {
    Module(Runs),
    Command(Commands),
}

impl Worker {
    /// Gets everything ready. It reads the inputs, and compiles a module, so it takes a while.
    pub(crate) fn prepare(
        task: &ValidatedTaskFile,
        beside: &Path,
        consent: Option<Consent>,
        helper: Option<&Helper>,
    ) -> Result<Self, PrepareError> {
        match &task.file().work {
            Work::Module(module) => Ok(Self::Module(Runs::of(task, module, beside)?)),
            Work::Command(command) => {
                let is_allowed = consent.is_some_and(|it| it.is_for(task));
                let helper = helper.filter(|_| is_allowed);
                let helper = helper.ok_or(PrepareError::NoConsent)?;
                Ok(Self::Command(Commands::of(task, command, beside, helper)?))
            }
        }
    }

    /// Computes a piece into a file.
    pub(crate) fn run(&self, item: &WorkItem, into: &Path, stop: &Stop) -> Ran {
        let run = match self {
            Self::Module(runs) => runs.run(item, into, stop),
            Self::Command(commands) => commands.run(item, into, stop),
        };
        match run {
            Ok(true) => match measured(into, u32::MAX) {
                Ok(Some(output)) => Ran::Made(output),
                Ok(None) => Ran::Failed(Trouble::Output(io::ErrorKind::FileTooLarge.into())),
                Err(error) => Ran::Failed(Trouble::Output(error)),
            },
            Ok(false) => Ran::Stopped,
            Err(trouble) => Ran::Failed(trouble),
        }
    }

    /// Has the task's check command say whether two results of a piece are the same; none if it was ended
    /// from here. Of a module bytes decide, and nothing is asked.
    pub(crate) fn compare(
        &self,
        one: &Path,
        other: &Path,
        (folder, stop): (&Folder, &Stop),
    ) -> Result<Option<bool>, Trouble> {
        match self {
            Self::Module(_) => Ok(Some(false)),
            Self::Command(commands) => commands.compare(one, other, (folder, stop)),
        }
    }
}

/// Ends a run from elsewhere. All clones are one; once it is stopped it stays so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    module: quern_sandbox::Cancel,
    command: Arc<Mutex<Cell>>,
}

#[derive(Debug, Default)]
struct Cell {
    is_stopped: bool,
    running: Option<quern_cell::Cancel>,
}

impl Stop {
    /// Ends the run.
    pub(crate) fn stop(&self) {
        self.module.cancel();
        let mut cell = self.lock();
        cell.is_stopped = true;
        if let Some(running) = cell.running.take() {
            running.cancel();
        }
    }

    /// What ends a module.
    fn module(&self) -> &quern_sandbox::Cancel {
        &self.module
    }

    /// This is what is to be ended.
    fn is_for(&self, running: quern_cell::Cancel) {
        let mut cell = self.lock();
        match cell.is_stopped {
            true => running.cancel(),
            false => cell.running = Some(running),
        }
    }

    fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// What it holds is whole even if a thread panicked while it had the lock.
    fn lock(&self) -> MutexGuard<'_, Cell> {
        self.command.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stranger's last words, so that a terminal can show them.
fn said(diagnostics: &[u8]) -> String {
    let text = String::from_utf8_lossy(diagnostics);
    let last = text.trim().lines().last().unwrap_or("nothing");
    let short: String = last.chars().take(SAID_CHARS_MAX).collect();
    quern_swarm_file::shown(&short)
}
