//! What a run may use, and every bound this room puts on a program.

use quern_primitives::limits::{
    PROGRAM_BYTES_MAX as CHAIN_PROGRAM_BYTES_MAX, RESULT_BYTES_MAX, TASK_FUEL_MAX,
    TASK_MEMORY_BYTES_MAX,
};
use std::time::Duration;

/// Bytes of one page of WebAssembly memory.
pub const PAGE_BYTES: u64 = 64 * 1024;

/// Bytes of a program, as the chain allows them.
pub const PROGRAM_BYTES_MAX: usize = CHAIN_PROGRAM_BYTES_MAX as usize;

/// Functions a program defines. Large Go programs have some tens of thousands.
pub const FUNCTIONS_MAX: u32 = 100_000;

/// Bytes of one function's code. The time to compile a function grows faster than its size; the
/// main loop of a large interpreter has about a tenth of this.
pub const FUNCTION_BYTES_MAX: usize = 1024 * 1024;

/// Local variables of all functions together. A few bytes can declare thousands, and each costs
/// time to compile.
pub const LOCALS_MAX: u64 = 4_000_000;

/// Function types a program declares.
pub const TYPES_MAX: u32 = 20_000;

/// Values that a function or block leaves. Compilers leave one, or a few; a call of two bytes that left a thousand would
/// have whoever checks a function of a million bytes keep a billion values.
pub const RESULTS_MAX: u32 = 16;

/// Imports a program declares; one function may be imported more than once.
pub const IMPORTS_MAX: u32 = 1_000;

/// Exports a program declares.
pub const EXPORTS_MAX: u32 = 10_000;

/// Global variables a program declares.
pub const GLOBALS_MAX: u32 = 10_000;

/// Tables a program declares.
pub const TABLES_MAX: u32 = 4;

/// Elements of one table; a program has one for each function whose address it takes.
pub const TABLE_ELEMENTS_MAX: u32 = 131_072;

/// Segments of each kind, data and elements.
pub const SEGMENTS_MAX: u32 = 100_000;

/// Bytes of call stack that a program may use, counted as [`StackOverflow`](crate::TrapKind::StackOverflow)
/// describes.
pub const STACK_BYTES: u32 = 1024 * 1024;

/// Bytes of standard error that are kept: the last ones.
pub const DIAGNOSTICS_BYTES_MAX: usize = 16 * 1024;

/// Variables of a program's environment.
pub const ENVIRONMENT_MAX: usize = 256;

/// Bytes of a program's environment, names and values together.
pub const ENVIRONMENT_BYTES_MAX: usize = 64 * 1024;

/// Runs that one engine can have going at the same time. Each holds 4 GiB of address space, not
/// of memory.
pub const RUNS_MAX: u32 = 32;

/// What one run may use. Everything but the wall time decides the outcome, so devices that are
/// to be compared must be given the same limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel, as [`crate::prices`] counts it.
    pub fuel: u64,
    /// Bytes of linear memory, what the program starts with included.
    pub memory_bytes_max: u64,
    /// Bytes the program may write to standard output.
    pub output_bytes_max: u64,
    /// How long this machine waits, the rests of a [`Pace`](crate::Pace) left out. It decides nothing
    /// about the task, only that this machine gives up.
    pub wall_time: Duration,
}

impl Default for Limits {
    /// A thousandth of the most fuel a task may have, 1 GiB of memory, the longest result, and an
    /// hour.
    fn default() -> Self {
        Limits {
            fuel: TASK_FUEL_MAX / 1_000,
            memory_bytes_max: 1024 * 1024 * 1024,
            output_bytes_max: RESULT_BYTES_MAX.into(),
            wall_time: Duration::from_secs(3_600),
        }
    }
}

/// A limit that no task may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit of {name} is {asked}, but a task may have at most {max}: lower it")]
pub struct LimitTooHigh {
    /// Which limit, with its unit.
    pub name: &'static str,
    /// What was asked for.
    pub asked: u64,
    /// What a task may have.
    pub max: u64,
}

impl Limits {
    /// Says whether a task may have these limits.
    pub fn check(&self) -> Result<(), LimitTooHigh> {
        let bounds = [
            ("fuel", self.fuel, TASK_FUEL_MAX),
            ("memory bytes", self.memory_bytes_max, TASK_MEMORY_BYTES_MAX),
            (
                "output bytes",
                self.output_bytes_max,
                RESULT_BYTES_MAX.into(),
            ),
        ];
        for (name, asked, max) in bounds {
            if asked > max {
                return Err(LimitTooHigh { name, asked, max });
            }
        }
        Ok(())
    }
}
