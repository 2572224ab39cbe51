//! Numbers and layouts of WASI preview 1, as far as this room answers with them.

/// The error numbers that programs are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errno {
    /// No such open file.
    BadFile = 8,
    /// A pointer outside the program's memory.
    Fault = 21,
    /// An argument that means nothing.
    Invalid = 28,
    /// Not a directory.
    NotDirectory = 54,
    /// Not a socket.
    NotSocket = 57,
    /// Not offered here.
    NotSupported = 58,
    /// A stream without places to go to.
    NotSeekable = 70,
}

impl Errno {
    pub(crate) fn code(self) -> u16 {
        self as u16
    }
}

/// `filetype`: neither a terminal nor a file; libraries then write in full buffers.
pub(crate) const FILE_UNKNOWN: u8 = 0;
/// `filetype`: a file with a size and places to go to.
pub(crate) const FILE_REGULAR: u8 = 4;

/// `rights` of standard input: read, seek, set flags, tell, advise, ask for its state, poll.
pub(crate) const RIGHTS_INPUT: u64 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 21 | 1 << 27;
/// `rights` of standard output and error: sync, set flags, write, ask for its state, poll.
pub(crate) const RIGHTS_OUTPUT: u64 = 1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 21 | 1 << 27;

pub(crate) const FDSTAT_BYTES: usize = 24;
pub(crate) const FILESTAT_BYTES: usize = 64;
pub(crate) const IOVEC_BYTES: u32 = 8;
pub(crate) const SUBSCRIPTION_BYTES: u32 = 48;
pub(crate) const EVENT_BYTES: usize = 32;

pub(crate) const CLOCK_REALTIME: u32 = 0;
pub(crate) const CLOCK_THREAD_CPU: u32 = 3;

pub(crate) const WHENCE_SET: u32 = 0;
pub(crate) const WHENCE_CURRENT: u32 = 1;
pub(crate) const WHENCE_END: u32 = 2;

pub(crate) const EVENT_CLOCK: u8 = 0;
pub(crate) const EVENT_READ: u8 = 1;
pub(crate) const EVENT_WRITE: u8 = 2;
/// `subclockflags`: the timeout is a time, not a span.
pub(crate) const CLOCK_ABSOLUTE: u16 = 1;

/// Puts `bytes` into a fixed layout at `at`; the layouts here are constants, so a field that does
/// not fit is a slip of this room and is left out rather than cause a panic.
pub(crate) fn put<const N: usize>(layout: &mut [u8; N], at: usize, bytes: &[u8]) {
    if let Some(field) = layout.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}
