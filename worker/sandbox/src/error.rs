//! What can be wrong with a program, an engine or a run. Every message says how to mend it.

use crate::limits::LimitTooHigh;
use std::error::Error as StdError;

/// A fault of the engine underneath, in its own words.
pub type EngineFault = Box<dyn StdError + Send + Sync + 'static>;

/// Why bytes are no program that the grid runs.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It does not begin as WebAssembly does.
    #[error("this is no WebAssembly module but {looks_like}: {}", looks_like.mend())]
    NotWebAssembly {
        /// What it seems to be.
        looks_like: LooksLike,
    },
    /// It is a component, the packaging that came after modules.
    #[error(
        "this is a WebAssembly component, and the grid runs plain modules: build it for \
         wasm32-wasip1 (WASI preview 1) instead of wasm32-wasip2"
    )]
    Component,
    /// It is longer than a program may be.
    #[error(
        "the program has {bytes} bytes, but may have at most {max}: strip debug information, or read bulky data from the input"
    )]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// [`PROGRAM_BYTES_MAX`](crate::PROGRAM_BYTES_MAX).
        max: usize,
    },
    /// It has more of something than a program may have.
    #[error(
        "the program has {count} {what}, but may have at most {max}: build it smaller, or cut it into several programs"
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        count: u64,
        /// How many it may have.
        max: u64,
    },
    /// It needs more memory to start than any task may have.
    #[error(
        "the program asks for {asked} bytes of memory at its start, but a task may have at most {max}: declare less, and let it grow while it runs"
    )]
    MemoryTooLarge {
        /// What it declares.
        asked: u64,
        /// What a task may have.
        max: u64,
    },
    /// Its memory is addressed with 64 bits.
    #[error(
        "the program's memory has 64-bit addresses: build it for a 32-bit target such as wasm32-wasip1"
    )]
    Memory64,
    /// It imports something the grid does not offer.
    #[error(
        "the program imports {kind} `{module}.{name}`, which the grid does not offer: {}",
        missing_mend(module, available)
    )]
    MissingImport {
        /// `function`, `memory`, `table`, `global` or `tag`.
        kind: &'static str,
        /// The module it imports from.
        module: String,
        /// The name in that module.
        name: String,
        /// The functions of `wasi_snapshot_preview1`, all that is offered.
        available: Vec<&'static str>,
    },
    /// It imports a function under a type that it does not have.
    #[error(
        "the program imports `{name}` as {found}, but it is {expected}: build it with a WASI preview 1 toolchain"
    )]
    ImportSignature {
        /// The function, in `wasi_snapshot_preview1`.
        name: &'static str,
        /// The type it has.
        expected: String,
        /// The type it is imported under.
        found: String,
    },
    /// There is nothing to start.
    #[error(
        "the program exports no function `_start`{}: build a command with a main function",
        if *.reactor { " (it is a reactor, a library)" } else { "" }
    )]
    NoStart {
        /// Whether it exports `_initialize`, as libraries do.
        reactor: bool,
    },
    /// Its `_start` takes or returns something.
    #[error(
        "the program's `_start` is {found}, but must be () -> (): export the function that the toolchain makes around main"
    )]
    StartSignature {
        /// The type it has.
        found: String,
    },
    /// It calls the host but does not let it see its memory.
    #[error(
        "the program imports WASI functions but exports no memory named `memory`: export it (linker option --export-memory)"
    )]
    NoMemory,
    /// It exports a name that the sandbox uses for itself.
    #[error("the program exports `{name}`, a name the sandbox uses for itself: choose another")]
    ReservedExport {
        /// The name.
        name: String,
    },
    /// It is broken, or uses an extension of WebAssembly that is not on.
    #[error(
        "the program is not valid at byte {offset}: build it again for wasm32-wasip1, without \
         threads, exceptions, tail calls or garbage collection"
    )]
    Invalid {
        /// Where.
        offset: usize,
        /// What, in the parser's words.
        source: wasmparser::BinaryReaderError,
    },
    /// The engine could not compile it.
    #[error("the engine cannot compile the program: report it together with the program")]
    Compile(#[source] EngineFault),
}

impl From<wasmparser::BinaryReaderError> for ProgramError {
    fn from(source: wasmparser::BinaryReaderError) -> Self {
        ProgramError::Invalid {
            offset: source.offset(),
            source,
        }
    }
}

/// What bytes that are no module seem to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksLike {
    /// No bytes at all.
    Nothing,
    /// WebAssembly's text format.
    Text,
    /// A program for a real machine.
    Executable,
    /// A script.
    Script,
    /// An archive or a compressed file.
    Archive,
    /// Something else.
    Unknown,
}

impl LooksLike {
    fn mend(self) -> &'static str {
        match self {
            LooksLike::Nothing => "check the path, and whether the build wrote it",
            LooksLike::Text => "assemble it first, with wat2wasm or wasm-tools parse",
            LooksLike::Executable => "build it for the target wasm32-wasip1",
            LooksLike::Script => "compile it, or its interpreter, for the target wasm32-wasip1",
            LooksLike::Archive => "unpack it and give the .wasm file inside",
            LooksLike::Unknown => "give the .wasm file that a build for wasm32-wasip1 makes",
        }
    }
}

impl std::fmt::Display for LooksLike {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LooksLike::Nothing => "empty",
            LooksLike::Text => "its text format",
            LooksLike::Executable => "an executable for a real machine",
            LooksLike::Script => "a script",
            LooksLike::Archive => "an archive",
            LooksLike::Unknown => "something else",
        })
    }
}

fn missing_mend(module: &str, available: &[&str]) -> String {
    match module {
        "wasi_unstable" => "build it with a toolchain that targets wasi_snapshot_preview1".into(),
        "wasi_snapshot_preview1" => format!("there are {}", available.join(", ")),
        "env" => "link the library that defines it, or leave its use out; there are only the \
                  functions of wasi_snapshot_preview1"
            .into(),
        _ => "there are only the functions of wasi_snapshot_preview1".into(),
    }
}

/// Why an engine could not be made on this machine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pinned class runs on another kind of processor.
    #[error(
        "the pinned class needs an x86-64 processor and this machine's is {found}: offer the portable class on it"
    )]
    WrongProcessor {
        /// This machine's.
        found: &'static str,
    },
    /// The processor lacks features of the pinned class.
    #[error("the pinned class needs processor features that this machine lacks ({}): offer the portable class on it", missing.join(", "))]
    MissingFeatures {
        /// The features it lacks.
        missing: Vec<&'static str>,
    },
    /// The engine did not start.
    #[error(
        "the engine did not start: make sure this process may reserve {address_space_bytes} bytes \
         of address space (ulimit -v unlimited)"
    )]
    Start {
        /// What it reserves.
        address_space_bytes: u64,
        /// What it says.
        source: EngineFault,
    },
}

/// Why a run came to no outcome. It is always this machine's fault, never an answer: hand the task
/// back, or run it again.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A limit that no task may have.
    #[error(transparent)]
    Limit(#[from] LimitTooHigh),
    /// All places of this engine are taken.
    #[error("this engine already has its {max} runs going: wait for one to end")]
    Busy {
        /// [`RUNS_MAX`](crate::RUNS_MAX).
        max: u32,
    },
    /// The program's calls took more of the machine's stack than they were counted for.
    #[error(
        "the program's calls took more of this machine's stack than they were counted for: hand the task back"
    )]
    MachineStack,
    /// The machine or the engine failed, for instance because memory ran out.
    #[error("this machine could not run the program: hand the task back")]
    Machine(#[source] EngineFault),
}
