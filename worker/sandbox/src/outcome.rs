//! How a run ended.

use quern_primitives::receipt::Exit as SettledExit;

/// What one run of a program came to. Program, invocation, limits, class and engine decide all of
/// it, unless [`Exit::settled`] is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// Fuel it used; never more than its limit.
    pub fuel_used: u64,
    /// What it wrote to standard output before it ended. A result only if it ended with
    /// [`Exit::Success`].
    pub output: Vec<u8>,
    /// The end of what it wrote to standard error, at most
    /// [`DIAGNOSTICS_BYTES_MAX`](crate::DIAGNOSTICS_BYTES_MAX) bytes.
    pub diagnostics: Vec<u8>,
    /// Bytes of linear memory it had at the end, which is the most it ever had.
    pub memory_bytes: u64,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// It returned, or left with exit code 0.
    Success,
    /// It left with another exit code.
    Code(i32),
    /// It did something undefined or gave up.
    Trap(TrapKind),
    /// It would have used more fuel than its limit.
    OutOfFuel,
    /// It asks for more memory at its start than its limit, or it was refused memory while it ran
    /// and trapped after that. A program whose `memory.grow` is refused sees -1, as on any machine
    /// without memory to spare, and may cope with it; most trap.
    MemoryLimit,
    /// It wrote more to standard output than its limit.
    OutputLimit,
    /// This machine's wall time ran out. It says nothing about the program.
    WallTime,
    /// It was cancelled on this machine. It says nothing about the program.
    Cancelled,
}

/// Why a program trapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrapKind {
    /// It reached code it marks as unreachable: a panic, an abort, a failed assertion.
    Unreachable,
    /// It read or wrote outside its memory.
    MemoryOutOfBounds,
    /// It used a place outside a table.
    TableOutOfBounds,
    /// It called through a function pointer that is null.
    NullFunction,
    /// It called through a function pointer of another type.
    WrongSignature,
    /// It divided an integer by zero.
    DivisionByZero,
    /// An integer division overflowed.
    IntegerOverflow,
    /// It converted a float that no integer stands for.
    BadConversion,
    /// Its calls nested too deep: [`STACK_BYTES`](crate::STACK_BYTES) were used up. The bytes are
    /// counted from each function's parameters, local variables and operands, not measured on the
    /// machine, so that every machine traps at the same call.
    StackOverflow,
}

impl Exit {
    /// The exit as a receipt states it; `None` for an exit that is this machine's and not the
    /// program's, which must never become anyone's answer.
    pub fn settled(self) -> Option<SettledExit> {
        match self {
            Exit::Success => Some(SettledExit::Success),
            Exit::Code(code) => Some(SettledExit::Code(code)),
            Exit::Trap(_) => Some(SettledExit::Trap),
            Exit::OutOfFuel => Some(SettledExit::OutOfFuel),
            Exit::MemoryLimit => Some(SettledExit::OutOfMemory),
            Exit::OutputLimit => Some(SettledExit::OutputTooLong),
            Exit::WallTime | Exit::Cancelled => None,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Success => f.write_str("ended well"),
            Exit::Code(code) => write!(f, "left with exit code {code}"),
            Exit::Trap(kind) => write!(f, "trapped: {kind}"),
            Exit::OutOfFuel => f.write_str("used up its fuel"),
            Exit::MemoryLimit => f.write_str("asked for more memory than its limit"),
            Exit::OutputLimit => f.write_str("wrote more than its limit"),
            Exit::WallTime => f.write_str("took longer than this machine waits"),
            Exit::Cancelled => f.write_str("was cancelled"),
        }
    }
}

impl std::fmt::Display for TrapKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TrapKind::Unreachable => "a panic, an abort or other unreachable code",
            TrapKind::MemoryOutOfBounds => "memory access out of bounds",
            TrapKind::TableOutOfBounds => "table access out of bounds",
            TrapKind::NullFunction => "call of a null function pointer",
            TrapKind::WrongSignature => "call of a function pointer of another type",
            TrapKind::DivisionByZero => "integer division by zero",
            TrapKind::IntegerOverflow => "integer overflow",
            TrapKind::BadConversion => "conversion of a float that fits no integer",
            TrapKind::StackOverflow => "calls nested too deep",
        })
    }
}
