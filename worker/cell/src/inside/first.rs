//! The first process inside: makes the room, starts the shell, and looks after it. Where the cell has
//! names of its own the kernel ends all others with it.

use super::{
    TEMPORARY,
    last::folders,
    look::{self, Disk, Whose},
    room, scratch,
    start::{Started, ourselves, start},
    user,
};
use crate::{
    kind::Kind,
    limits::LOOK_MILLISECONDS,
    message::{At, Orders, Refusal, Role, Seen, Step, Word, receive, send},
    outcome::Ending,
};
use nix::sched::{CloneFlags, unshare};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{
        Pid, PidfdFlags, Signal, WaitStatus, getpid, pidfd_open, set_child_subreaper,
        set_parent_process_death_signal,
    },
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixStream},
    path::Path,
    process::ExitCode,
};

pub(super) fn run(above: &UnixStream, mut orders: Orders) -> ExitCode {
    let word = match settle(&orders).and_then(|()| start_shell(above, &mut orders)) {
        Ok(shell) => watch(above, &orders, shell),
        Err(refusal) => Ok(Word::Refused(refusal)),
    };
    // It is said before others are ended, which may take longer than the command's time is.
    let said = word.is_ok_and(|word| send(above, &word).is_ok());
    let is_clear = orders.kind.has_names() || look::end_all().is_ok();
    if let (false, Some(scratch)) = (said, &orders.scratch) {
        // The guard is gone, whose this would be.
        scratch::remove(Path::new(OsStr::from_bytes(scratch)));
    }
    match said && is_clear {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Makes the room and becomes the one that the command will be.
fn settle(orders: &Orders) -> Result<(), Refusal> {
    match orders.kind {
        Kind::Full => {
            set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Process)?;
            unshare(CloneFlags::CLONE_NEWNS).at(Step::Namespaces)?;
            room::make(orders)?;
            if let Some(id) = orders.own_id {
                user::become_own(id)?;
                // To be another user has undone it.
                set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Process)?;
            }
            // In these names of users it is nobody who made the room, so it can change nothing of it.
            user::enter_users(user::INSIDE, CloneFlags::empty())?;
        }
        Kind::Bubblewrap => {}
        Kind::WithoutNamespaces => {
            set_child_subreaper(Some(getpid())).at(Step::Process)?;
            if let Some(id) = orders.own_id {
                user::become_own(id)?;
            }
            link_inputs(orders)?;
        }
    }
    user::give_up_power()?;
    user::hide()?;
    let (_, work) = folders(orders);
    for (index, input) in (0..).zip(&orders.command.inputs) {
        let path = work.join(OsStr::from_bytes(&input.at));
        let file = File::open(path).at(Step::Input(index))?;
        if !file.metadata().at(Step::Input(index))?.is_file() {
            return Err(Refusal {
                step: Step::Input(index),
                number: libc::EINVAL,
            });
        }
    }
    Ok(())
}

/// Without a root of its own, links stand for the inputs.
fn link_inputs(orders: &Orders) -> Result<(), Refusal> {
    let (_, work) = folders(orders);
    fs::create_dir(&work).at(Step::Folders)?;
    for (index, input) in (0..).zip(&orders.command.inputs) {
        let at = work.join(OsStr::from_bytes(&input.at));
        let made = at.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| symlink(OsStr::from_bytes(&input.from), &at))
            .at(Step::Input(index))?;
    }
    Ok(())
}

/// Starts the process that becomes the shell, and waits until it has.
fn start_shell(above: &UnixStream, orders: &mut Orders) -> Result<Pid, Refusal> {
    orders.role = Role::Last;
    let Started { child, socket } = start(ourselves(), orders, Step::Process)?;
    // Its end of the socket closes as it becomes the shell.
    if let Some(word) = receive::<Word>(&socket).at(Step::Process)? {
        return Err(match word {
            Word::Refused(refusal) => refusal,
            Word::Runs | Word::Ended(_) => lost(),
        });
    }
    send(above, &Word::Runs).at(Step::Process)?;
    Pid::from_raw(child.id().cast_signed()).ok_or(lost())
}

fn lost() -> Refusal {
    Refusal {
        step: Step::Process,
        number: libc::ECHILD,
    }
}

/// Looks after the shell until it ends, or has to.
fn watch(above: &UnixStream, orders: &Orders, shell: Pid) -> Result<Word, Refusal> {
    let limits = &orders.command.limits;
    let whose = match orders.kind.has_names() {
        true => Whose::AllButUs,
        false => Whose::OurDescendants,
    };
    let scratch = orders
        .scratch
        .as_ref()
        .map(|it| Path::new(OsStr::from_bytes(it)));
    let disk = match scratch {
        None => Disk::Own(TEMPORARY, room::files_max(limits.disk_bytes)),
        Some(folder) => Disk::Among(folder, limits.disk_bytes),
    };
    let process = pidfd_open(shell, PidfdFlags::empty()).at(Step::Look)?;
    let mut most = 0;
    loop {
        let mut waited_for = [
            PollFd::new(above, PollFlags::IN),
            PollFd::new(&process, PollFlags::IN),
        ];
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: (LOOK_MILLISECONDS * 1_000_000).cast_signed(),
        };
        match poll(&mut waited_for, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).at(Step::Look),
        }
        if waited_for
            .first()
            .is_some_and(|it| !it.revents().is_empty())
        {
            // The guard has nothing more to say: it is gone.
            return Ok(Word::Refused(lost()));
        }
        let ended = look::reap(Some(shell)).awaited;
        let sum = look::sum(whose).at(Step::Look)?;
        most = most.max(sum.memory_bytes);
        let ending = if disk.is_full().at(Step::Look)? {
            Some(Ending::DiskLimit)
        } else if let Some(status) = ended {
            Some(ending_of(status))
        } else if sum.memory_bytes > limits.memory_bytes {
            Some(Ending::MemoryLimit)
        } else if sum.tasks > limits.processes.into() {
            Some(Ending::ProcessLimit)
        } else {
            None
        };
        if let Some(ending) = ending {
            return Ok(Word::Ended(Seen {
                ending,
                memory_bytes: most,
            }));
        }
    }
}

fn ending_of(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Ending::Success,
        (Some(code), _) => Ending::Code(code),
        (None, signal) => Ending::Signal(signal.unwrap_or(0)),
    }
}
