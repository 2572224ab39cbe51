//! Runs a command of the shell as a process that can reach nothing: no network, no file but the system's
//! programs and what it is given, no other process. It gets time, memory, room and output up to limits,
//! and when it is over nothing of it is left.
//!
//! ```no_run
//! use quern_cell::{Command, Helper, Limits, probe};
//! use std::{fs::File, num::NonZeroU32};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A program of ours whose `main` is `quern_cell::inside()` where it is started so.
//! let helper = Helper {
//!     program: std::env::current_exe()?,
//!     arguments: vec!["swarm-cell".into()],
//! };
//! let found = probe(&helper);
//! println!("{found}");
//! let limits = Limits {
//!     seconds: NonZeroU32::MIN,
//!     memory_bytes: 1 << 30,
//!     disk_bytes: 1 << 20,
//!     output_bytes: 1 << 20,
//!     processes: 64,
//! };
//! let command = Command::new("sort words | uniq -c", limits)?
//!     .with_inputs([("/srv/words.txt", "words")])?;
//! if let Some(cells) = found.cells {
//!     let outcome = cells.run(&command, File::create("counts")?)?;
//!     println!("{:?}", outcome.ending);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What a command finds
//!
//! `/bin/sh -c` with its text; arguments as `$1` and so on; the variables it is given, and `PATH`,
//! `HOME`, `TMPDIR`, `LANG=C.UTF-8`, `TZ=UTC`; an empty standard input. It begins in an empty work folder
//! with its inputs in it, read-only. There and in the folder for temporary files it may write.
//!
//! # How it is built
//!
//! No line is unsafe. What would have to be done between fork and exec is done by processes that are the
//! same program again, each with one thread, which are told by their standard input who they are:
//!
//! | process | where | what it does |
//! | --- | --- | --- |
//! | guard | outside | keeps the time, takes the output, ends the cell; ends with whoever started it |
//! | first | inside, number 1 of its names | makes the room, looks at memory, processes and disk |
//! | last | inside | limits itself, by landlock and seccomp too, and becomes the shell |
//!
//! The socket between two of them is also how each sees that the other is gone, so nothing outlives
//! whoever is killed.
//!
//! # What is not held
//!
//! Caches, timing, the processor's own flaws, and how much of the machine's processor and disk is taken
//! within the limits. The kernel's own memory, for pipes and sockets, has no limit but open files times
//! processes. A kernel with a hole in what a cell may still call is a hole in the cell.

mod command;
mod error;
mod inside;
mod kind;
mod limits;
mod message;
mod outcome;
mod probe;
mod run;

pub use command::{Command, CommandError, FIXED_VARIABLES};
pub use error::RunError;
pub use inside::inside;
pub use kind::Kind;
pub use limits::{
    ARGUMENTS_MAX, BYTES_MAX, DIAGNOSTICS_BYTES_MAX, DISK_BYTES_MIN, ENVIRONMENT_MAX, INPUTS_MAX,
    LimitOutside, Limits, MEMORY_BYTES_MIN, OPEN_FILES_MAX, PATH_BYTES_MAX, PATH_PARTS_MAX,
    PROCESSES_MAX, PROCESSES_USUAL, SECONDS_MAX, SHELL_BYTES_MAX, WORDS_BYTES_MAX,
};
pub use message::Step;
pub use outcome::{Ending, Outcome};
pub use probe::{Found, Missing, ProbeError, probe, probe_one};
pub use run::{Cancel, Cells, Helper, Running};
