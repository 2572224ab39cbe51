//! What a command may take, and every bound of this room.

use codec::{Decode, Encode};
use std::num::NonZeroU32;

/// Bytes of the text that the shell is given. The system takes 128 KiB as one argument of a process.
pub const SHELL_BYTES_MAX: usize = 65_536;

/// Arguments behind the shell's text.
pub const ARGUMENTS_MAX: usize = 16;

/// Variables of a command's environment, without those that every cell has.
pub const ENVIRONMENT_MAX: usize = 64;

/// Bytes of arguments and environment together.
pub const WORDS_BYTES_MAX: usize = 65_536;

/// Files that a command may read.
pub const INPUTS_MAX: usize = 4_097;

/// Bytes of a path of such a file, either of the two.
pub const PATH_BYTES_MAX: usize = 4_095;

/// Parts of the path under which a command finds a file.
pub const PATH_PARTS_MAX: usize = 64;

/// Bytes of standard error that are kept: the last ones.
pub const DIAGNOSTICS_BYTES_MAX: usize = 64 * 1024;

/// Bytes of memory below which no shell starts.
pub const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Bytes on the disk below which nothing can be put aside.
pub const DISK_BYTES_MIN: u64 = 64 * 1024;

/// Bytes of memory, on the disk, or of output that a command may be given: 1 TiB.
pub const BYTES_MAX: u64 = 1 << 40;

/// Seconds that a command may be given: a day.
pub const SECONDS_MAX: u32 = 24 * 3_600;

/// Processes and threads that a command may be given.
pub const PROCESSES_MAX: u32 = 4_096;

/// Processes and threads that are enough for most commands.
pub const PROCESSES_USUAL: u32 = 256;

/// Processes and threads that whoever runs a cell may start while it runs, and whom the kernel does not
/// tell from the cell's: where it has no names of its own, and is no user of its own.
pub(crate) const PROCESSES_OF_OTHERS: u64 = 256;

/// Files that one process may have open.
pub const OPEN_FILES_MAX: u64 = 256;

/// Bytes of what the parts of a cell tell each other at once.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long the parts of a cell may take until the shell runs.
pub(crate) const SETUP_SECONDS_MAX: u64 = 60;

/// How long ending all processes of a cell may take. What is left then goes on, so it is long.
pub(crate) const ENDING_SECONDS_MAX: u64 = 600;

/// How often memory, processes and the disk are looked at.
pub(crate) const LOOK_MILLISECONDS: u64 = 50;

/// Files in a command's folders, where they are on a disk of others and have to be counted.
pub(crate) const ENTRIES_MAX: usize = 65_536;

/// What one run of a command may take, all of its processes together unless it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// Seconds.
    pub seconds: NonZeroU32,
    /// Bytes of memory. Each process may have as many bytes of address space, and all of them together
    /// as many of memory.
    pub memory_bytes: u64,
    /// Bytes of what it puts aside in its work folder and in the one for temporary files. But in a cell
    /// without namespaces they take memory too, which is counted there only while a process maps it.
    pub disk_bytes: u64,
    /// Bytes of standard output.
    pub output_bytes: u64,
    /// Processes and threads.
    pub processes: u32,
}

/// A limit that no command may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a limit of {asked} {name} is outside of {min} to {max}: change it")]
pub struct LimitOutside {
    /// Which limit, with its unit.
    pub name: &'static str,
    /// What was asked for.
    pub asked: u64,
    /// The least there may be.
    pub min: u64,
    /// The most there may be.
    pub max: u64,
}

impl Limits {
    /// Says whether a command may be given these limits.
    ///
    /// # Errors
    ///
    /// If one is outside of what it may be.
    pub fn check(&self) -> Result<(), LimitOutside> {
        let bounds = [
            ("seconds", self.seconds.get().into(), 1, SECONDS_MAX.into()),
            (
                "bytes of memory",
                self.memory_bytes,
                MEMORY_BYTES_MIN,
                BYTES_MAX,
            ),
            (
                "bytes on the disk",
                self.disk_bytes,
                DISK_BYTES_MIN,
                BYTES_MAX,
            ),
            ("bytes of output", self.output_bytes, 0, BYTES_MAX),
            ("processes", self.processes.into(), 1, PROCESSES_MAX.into()),
        ];
        for (name, asked, min, max) in bounds {
            if !(min..=max).contains(&asked) {
                return Err(LimitOutside {
                    name,
                    asked,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_no_command_may_be_given_is_named_with_its_bounds() {
        let good = Limits {
            seconds: NonZeroU32::MIN,
            memory_bytes: MEMORY_BYTES_MIN,
            disk_bytes: DISK_BYTES_MIN,
            output_bytes: 0,
            processes: 1,
        };
        good.check().unwrap();
        let bad = [
            Limits {
                seconds: NonZeroU32::MAX,
                ..good
            },
            Limits {
                memory_bytes: MEMORY_BYTES_MIN - 1,
                ..good
            },
            Limits {
                disk_bytes: BYTES_MAX + 1,
                ..good
            },
            Limits {
                output_bytes: u64::MAX,
                ..good
            },
            Limits {
                processes: 0,
                ..good
            },
        ];
        let names = bad.map(|limits| limits.check().unwrap_err().name);
        assert_eq!(
            names,
            [
                "seconds",
                "bytes of memory",
                "bytes on the disk",
                "bytes of output",
                "processes"
            ]
        );
    }
}
