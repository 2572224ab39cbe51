//! Makes itself small and becomes the shell.

use super::{TEMPORARY, WORK, files, look, refused, user};
use crate::{
    limits::{OPEN_FILES_MAX, PROCESSES_OF_OTHERS},
    message::{At, Orders, Refusal, Step, Word, send},
};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, nice, setrlimit, setsid, umask};
use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// How far the command's priority is below that of whoever runs it.
const YIELDING: i32 = 10;

/// The shell, which every system has there.
const SHELL: &str = "/bin/sh";

/// Where programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// Comes back only if the shell could not be started.
pub(super) fn run(above: &UnixStream, orders: &Orders) -> ExitCode {
    let refusal = match make_small(orders) {
        Ok(()) => {
            let error: Result<(), _> = Err(shell(orders).exec());
            error.at(Step::Shell).err()
        }
        Err(refusal) => Some(refusal),
    };
    if let Some(refusal) = refusal {
        let _ = send(above, &Word::Refused(refusal));
    }
    ExitCode::FAILURE
}

/// Where the command's folders are: that for temporary files, and that in which it begins.
pub(super) fn folders(orders: &Orders) -> (PathBuf, PathBuf) {
    match &orders.scratch {
        None => (PathBuf::from(TEMPORARY), PathBuf::from(WORK)),
        Some(scratch) => {
            let scratch = Path::new(OsStr::from_bytes(scratch));
            (scratch.to_owned(), scratch.join("work"))
        }
    }
}

fn shell(orders: &Orders) -> Command {
    let words = |bytes: &Vec<u8>| OsStr::from_bytes(bytes).to_owned();
    let command = &orders.command;
    let (temporary, _) = folders(orders);
    let mut shell = Command::new(SHELL);
    shell
        .arg("-c")
        .arg(words(&command.shell))
        .arg("sh")
        .args(command.arguments.iter().map(words))
        .env_clear()
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (words(name), words(value))),
        )
        .env("PATH", PATH)
        .env("HOME", &temporary)
        .env("TMPDIR", &temporary)
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    shell
}

fn make_small(orders: &Orders) -> Result<(), Refusal> {
    // Away from the terminal and the group of whoever runs the cell.
    setsid().at(Step::Process)?;
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    std::env::set_current_dir(folders(orders).1).at(Step::Folders)?;
    // What looks after the command comes first, however many processes that has.
    nice(YIELDING).at(Step::Process)?;
    limit_resources(orders).at(Step::Resources)?;
    user::give_up_power()?;
    let are_signals_held = files::holds_signals();
    files::restrict(orders)?;
    refused::refuse(orders.kind, are_signals_held)
}

fn limit_resources(orders: &Orders) -> std::io::Result<()> {
    let limits = &orders.command.limits;
    let cores = std::thread::available_parallelism()?.get();
    let cpu_seconds = u64::from(limits.seconds.get()).saturating_mul(cores as u64);
    // The first process of the cell is of the same user, and counted.
    let mut processes = u64::from(limits.processes) + 1;
    if !orders.kind.has_names() && orders.own_id.is_none() {
        // So is all else that this user runs, and may start meanwhile. Who has more than it may itself is
        // ended at the next look.
        processes += look::tasks_of_user(geteuid().as_raw())? + PROCESSES_OF_OTHERS;
    }
    for (resource, most) in [
        (Resource::As, limits.memory_bytes),
        (Resource::Nproc, processes),
        (Resource::Cpu, cpu_seconds.saturating_add(1)),
        (Resource::Fsize, limits.disk_bytes),
        (Resource::Nofile, OPEN_FILES_MAX),
        (Resource::Core, 0),
        (Resource::Memlock, 64 * 1024),
        (Resource::Msgqueue, 0),
    ] {
        let most = getrlimit(resource)
            .maximum
            .map_or(most, |now| now.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}
