//! Where the grid's programs are.

use std::path::{Path, PathBuf};

/// The variable that says where the programs are, if not beside the running one.
const PROGRAMS_VARIABLE: &str = "QUERN_BIN_DIR";

/// A program is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// The running program's own place is unknown.
    #[error(
        "cannot tell where this program is; set QUERN_BIN_DIR to the folder of Quern's programs"
    )]
    Unknown(#[source] std::io::Error),
    /// The program is not there.
    #[error(
        "there is no {name} in {folder}; build it with `cargo xtask build`, or set QUERN_BIN_DIR"
    )]
    Missing {
        /// The program.
        name: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
}

/// The grid's programs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The validator.
    pub node: PathBuf,
    /// The masternode.
    pub masternode: PathBuf,
    /// The shipped worker.
    pub worker: PathBuf,
}

impl Programs {
    /// Finds the programs in a folder: the given one, else that of `QUERN_BIN_DIR`, else the running
    /// program's own (a test's own is one above).
    pub fn find(folder: Option<&Path>) -> Result<Self, ProgramsError> {
        Ok(Self {
            node: find_program(folder, "quern-node")?,
            masternode: find_program(folder, "quern-masternode")?,
            worker: find_program(folder, "quern-worker")?,
        })
    }
}

/// Finds one of Quern's programs, where [`Programs::find`] does.
pub fn find_program(folder: Option<&Path>, name: &'static str) -> Result<PathBuf, ProgramsError> {
    let folder = match (folder, std::env::var_os(PROGRAMS_VARIABLE)) {
        (Some(folder), _) => folder.to_owned(),
        (None, Some(folder)) => folder.into(),
        (None, None) => beside_this_program()?,
    };
    let path = folder.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(ProgramsError::Missing { name, folder }),
    }
}

fn beside_this_program() -> Result<PathBuf, ProgramsError> {
    let program = std::env::current_exe().map_err(ProgramsError::Unknown)?;
    let folder = program.parent().unwrap_or(Path::new("."));
    // Cargo puts tests into `deps`, one below the programs.
    Ok(match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().unwrap_or(folder).to_owned(),
        _ => folder.to_owned(),
    })
}
