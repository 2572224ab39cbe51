//! How a command ended.

use codec::{Decode, Encode};

/// What one run of a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Bytes of its standard output in the file that was given: never more than its limit. They are a
    /// result only if it ended with [`Ending::Success`].
    pub output_bytes: u64,
    /// The end of what it wrote to standard error, at most
    /// [`DIAGNOSTICS_BYTES_MAX`](crate::DIAGNOSTICS_BYTES_MAX) bytes.
    pub diagnostics: Vec<u8>,
    /// The most bytes of memory that its processes were seen to have together.
    pub memory_bytes: u64,
}

/// How a command ended. Whatever its ending, no process of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ending {
    /// The shell left with exit code 0.
    Success,
    /// The shell left with another exit code. A process that is refused memory, a further process or
    /// room on the disk sees an error, and may end so.
    Code(i32),
    /// The shell was ended by this signal.
    Signal(i32),
    /// Its seconds were over.
    TimeLimit,
    /// Its processes had more memory together than they may.
    MemoryLimit,
    /// There was no room left on its disk.
    DiskLimit,
    /// It had more processes than it may. Where the kernel can count them by themselves a further one is
    /// refused instead.
    ProcessLimit,
    /// It wrote more to standard output than it may.
    OutputLimit,
    /// It was cancelled.
    Cancelled,
}
