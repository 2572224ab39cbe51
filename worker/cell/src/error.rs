//! Why a command did not run in a cell. Every message says what to do.

use crate::message::{Refusal, Step};
use std::{io, path::PathBuf, process::ExitStatus};

/// Why there is no outcome. It says nothing about the command.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The helper could not be started.
    #[error(
        "the program that makes a cell cannot be started: check that it is there and may be run"
    )]
    Start(#[source] io::Error),
    /// What the helper says could not be read.
    #[error("what the cell says cannot be read: run the command again")]
    Listen(#[source] io::Error),
    /// The helper ended without a word.
    #[error(
        "the cell ended without a word ({status}): check that nobody ended it, that the machine has \
         memory, and that the helper calls `quern_cell::inside`"
    )]
    Lost {
        /// How it ended.
        status: ExitStatus,
    },
    /// An input cannot be read from inside.
    #[error(
        "input {} cannot be read in the cell: it must be a file that others may read{}",
        path.display(),
        " if the superuser runs the cell, and must not be removed meanwhile"
    )]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("the command's output cannot be written: make room where it goes")]
    Output(#[source] io::Error),
    /// `bwrap` does not make such a cell.
    #[error(
        "bwrap makes no cell here: install bubblewrap 0.8 or later, or allow it namespaces of users; \
         it said: {}",
        String::from_utf8_lossy(said).trim()
    )]
    Bubblewrap {
        /// What it said to people.
        said: Vec<u8>,
        /// What the system says.
        source: io::Error,
    },
    /// The machine does not give what this kind of cell needs.
    #[error("the cell cannot {}: {}", words(*step).0, words(*step).1)]
    Refused {
        /// What could not be done.
        step: Step,
        /// What the system says.
        source: io::Error,
    },
}

impl RunError {
    pub(crate) fn refused(refusal: Refusal, said: Vec<u8>, inputs: &[PathBuf]) -> Self {
        let Refusal { step, number } = refusal;
        let source = io::Error::from_raw_os_error(number);
        let path = match step {
            Step::Input(index) => usize::try_from(index)
                .ok()
                .and_then(|index| inputs.get(index)),
            _ => None,
        };
        match (step, path) {
            (_, Some(path)) => Self::Input {
                path: path.clone(),
                source,
            },
            (Step::Output, _) => Self::Output(source),
            (Step::Bubblewrap, _) => Self::Bubblewrap { said, source },
            _ => Self::Refused { step, source },
        }
    }
}

/// What could not be done, and what helps.
fn words(step: Step) -> (&'static str, &'static str) {
    match step {
        Step::Orders => (
            "read what it is to do",
            "run helper and caller from one version",
        ),
        Step::Namespaces => (
            "get namespaces of its own",
            "allow users to make them (user.max_user_namespaces, and what the distribution adds to it), \
             or do not run it in a container that forbids them",
        ),
        Step::User => (
            "become a user of its own",
            "allow it to map users, or run it as another user",
        ),
        Step::Root => (
            "make a root of its own",
            "allow mounts in namespaces of users",
        ),
        Step::System => (
            "show the system's programs",
            "allow mounts in namespaces of users, and have /dev/null and its like",
        ),
        Step::Proc => (
            "mount a /proc of its own",
            "run it where nothing is mounted over parts of /proc, which containers do",
        ),
        Step::Folders => (
            "make folders to write in",
            "make room, and have a temporary folder",
        ),
        Step::Input(_) => ("show an input", "name a file that others may read"),
        Step::Capabilities => (
            "give up its power",
            "report it with the version of the kernel",
        ),
        Step::Resources => ("set limits", "raise those that are set for whoever runs it"),
        Step::Landlock => (
            "restrict files by landlock",
            "use a kernel from 6.2 on in which landlock is on (lsm=landlock)",
        ),
        Step::Seccomp => (
            "refuse system calls by seccomp",
            "use a kernel with seccomp filters on x86-64, aarch64 or riscv64",
        ),
        Step::Process => (
            "start a process of its own",
            "raise the limit on processes, check that the machine has memory, and, if the superuser \
             runs it, that others may run the program",
        ),
        Step::Bubblewrap => ("start bwrap", "install bubblewrap"),
        Step::Shell => (
            "start the shell",
            "have /bin/sh, and give more than 16 MiB of memory",
        ),
        Step::Look => ("look at its processes", "raise the limit on open files"),
        Step::Output => ("write the output", "make room where it goes"),
        Step::End => (
            "end all processes",
            "end those that are left by hand, and report it",
        ),
    }
}
