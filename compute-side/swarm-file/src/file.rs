//! What a task file says.

use crate::{
    address::{PeerAddress, TrackerUrl},
    encode,
    error::TaskFileError,
    layout::Layout,
    limits::{COMMAND_BYTES_MAX, NAME_BYTES_MAX, TASK_FILE_BYTES_MAX},
    other::Other,
    path::RelativePath,
    text::{Line, Text},
};
use quern_primitives::{Amount, Digest, GenesisHash, JobId, limits::ARGUMENT_BYTES_MAX};
use sha2::{Digest as _, Sha256};
use std::num::NonZeroU32;

/// What a task file says, before anything is known of it as a whole. [`TaskFile::validate`] makes of it a
/// [`ValidatedTaskFile`], which peers work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFile {
    /// What people call it.
    pub name: Line<NAME_BYTES_MAX>,
    /// What computes a piece.
    pub work: Work,
    /// How many pieces there are.
    pub pieces: NonZeroU32,
    /// Bytes that a piece may have. One that has more is none.
    pub piece_bytes_max: NonZeroU32,
    /// The files that the pieces make.
    pub files: Vec<OutputFile>,
    /// The files that a work item may read. Everybody who joins has them beside the task file.
    pub inputs: Vec<InputFile>,
    /// When two results of one piece are the same.
    pub check: Check,
    /// Peers to begin with.
    pub bootstrap: Vec<PeerAddress>,
    /// Trackers to ask.
    pub trackers: Vec<TrackerUrl>,
    /// What is paid for the pieces, if anything is.
    pub bounty: Option<Bounty>,
    /// What this program does not know of it.
    pub other: Other,
}

/// What computes a piece: its standard output is the piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A command of the shell.
    Command(Command),
    /// A WebAssembly module.
    Module(Module),
}

/// A command of the shell. It runs on nobody's machine who has not said yes to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What `/bin/sh -c` is given.
    pub shell: Text<COMMAND_BYTES_MAX>,
    /// What it may take for a piece.
    pub limits: CommandLimits,
    /// What this program does not know of it.
    pub other: Other,
}

/// What a command may take for a piece, its children included. Whoever takes more is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLimits {
    /// Seconds.
    pub seconds: NonZeroU32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of what it puts aside in its own folder and in `/tmp`.
    pub disk_bytes: u64,
}

/// A WebAssembly module, as jobs have it. Its standard input is the input files, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The module.
    pub wasm: Wasm,
    /// Its arguments.
    pub arguments: Vec<Argument>,
    /// What it may take for a piece.
    pub limits: ModuleLimits,
    /// What this program does not know of it.
    pub other: Other,
}

/// An argument of a module.
pub type Argument = Text<{ ARGUMENT_BYTES_MAX as usize }>;

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wasm {
    /// In the task file.
    Inside(Vec<u8>),
    /// Beside it, like an input file.
    Beside(InputFile),
}

/// What a module may take for a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Fuel, as the sandbox counts it.
    pub fuel: u64,
    /// Bytes of linear memory.
    pub memory_bytes: u64,
}

/// When two results of one piece are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// When their bytes are.
    Exact,
    /// When this command of the shell, which gets both, ends with success.
    By(Text<COMMAND_BYTES_MAX>),
}

/// A file that pieces make: in order, the first `parts` of those that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Where it is put, below the folder of the output.
    pub path: RelativePath,
    /// How many pieces it has.
    pub parts: NonZeroU32,
    /// What this program does not know of it.
    pub other: Other,
}

/// A file that lies beside the task file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is, from the task file's folder on; for a work item from its own.
    pub path: RelativePath,
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// What this program does not know of it.
    pub other: Other,
}

/// What is paid for the pieces: a job in escrow on a chain, whose tasks they are. A job's name follows
/// from its owner and a salt, so it is known before the task file is, whose digest the job names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounty {
    /// The chain.
    pub genesis: GenesisHash,
    /// The job.
    pub job: JobId,
    /// What is paid for all pieces together.
    pub amount: Amount,
    /// What this program does not know of it.
    pub other: Other,
}

/// A task file that keeps every limit, with its bytes as they came: these are what is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedTaskFile {
    file: TaskFile,
    layout: Layout,
    bytes: Vec<u8>,
    digest: Digest,
}

impl TaskFile {
    /// Holds the file to every limit, and writes it.
    ///
    /// # Errors
    ///
    /// If something in it is not as it must be. There is one set of rules, that of reading: what is
    /// written is read again, and must be the same.
    pub fn validate(&self) -> Result<ValidatedTaskFile, TaskFileError> {
        let valid = ValidatedTaskFile::decode(&encode::task_file(self))?;
        match valid.file == *self {
            true => Ok(valid),
            false => Err(TaskFileError::Known),
        }
    }
}

impl ValidatedTaskFile {
    /// Reads a task file.
    ///
    /// # Errors
    ///
    /// If the bytes are none. The error names the field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, TaskFileError> {
        if bytes.len() > TASK_FILE_BYTES_MAX {
            let bytes = bytes.len();
            return Err(TaskFileError::Long { bytes });
        }
        let (file, layout) = crate::decode::task_file(bytes)?;
        Ok(Self {
            file,
            layout,
            bytes: bytes.to_vec(),
            digest: Digest(Sha256::digest(bytes).into()),
        })
    }

    /// What it says.
    pub fn file(&self) -> &TaskFile {
        &self.file
    }

    /// Which pieces make which file.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of its bytes: the swarm's name.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
