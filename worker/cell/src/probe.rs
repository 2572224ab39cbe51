//! Which cells a machine gives, found out by trying.

use crate::{
    command::Command,
    error::RunError,
    kind::Kind,
    limits::Limits,
    outcome::{Ending, Outcome},
    run::{Cells, Helper},
};
use std::{error::Error, fmt, fs::File, num::NonZeroU32};

/// What a machine gives.
#[derive(Debug)]
pub struct Found {
    /// The strongest kind of cell; none if commands cannot be run.
    pub cells: Option<Cells>,
    /// The stronger kinds, and why they are not to be had.
    pub missing: Vec<Missing>,
}

/// A kind of cell that a machine does not give.
#[derive(Debug)]
pub struct Missing {
    /// The kind.
    pub kind: Kind,
    /// Why not.
    pub error: ProbeError,
}

/// Why a kind of cell is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing runs in it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A command that does nothing does not end well in it.
    #[error("a command that does nothing ended with {:?}: see whether /bin/sh works", .0.ending)]
    Ended(Outcome),
    /// There is no place for output.
    #[error("/dev/null cannot be opened: the system needs one")]
    Null(#[source] std::io::Error),
}

/// Tries the kinds of cells, the strongest first, by running a command that does nothing.
pub fn probe(helper: &Helper) -> Found {
    let mut missing = Vec::new();
    for kind in Kind::ALL {
        let cells = Cells::new(kind, helper.clone());
        match probe_one(&cells) {
            Ok(()) => {
                return Found {
                    cells: Some(cells),
                    missing,
                };
            }
            Err(error) => missing.push(Missing { kind, error }),
        }
    }
    Found {
        cells: None,
        missing,
    }
}

/// Tries cells of one kind.
///
/// # Errors
///
/// If the machine does not give them. It says what it lacks.
pub fn probe_one(cells: &Cells) -> Result<(), ProbeError> {
    let limits = Limits {
        seconds: NonZeroU32::MIN.saturating_add(9),
        memory_bytes: 256 * 1024 * 1024,
        disk_bytes: 1024 * 1024,
        output_bytes: 0,
        processes: 8,
    };
    let nothing = Command {
        shell: b":".to_vec(),
        arguments: Vec::new(),
        environment: Vec::new(),
        inputs: Vec::new(),
        limits,
    };
    let output = File::options()
        .write(true)
        .open("/dev/null")
        .map_err(ProbeError::Null)?;
    let outcome = cells.run(&nothing, output)?;
    match outcome.ending {
        Ending::Success => Ok(()),
        _ => Err(ProbeError::Ended(outcome)),
    }
}

impl fmt::Display for Found {
    /// The kind on the first line, and then for each that is missing a line that says why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cells {
            Some(cells) => write!(f, "{}", cells.kind())?,
            None => f.write_str("none")?,
        }
        for Missing { kind, error } in &self.missing {
            write!(f, "\nnot {kind}: {error}")?;
            let mut cause = error.source();
            while let Some(it) = cause {
                write!(f, " ({it})")?;
                cause = it.source();
            }
        }
        Ok(())
    }
}
