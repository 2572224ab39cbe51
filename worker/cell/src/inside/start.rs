//! How a process of a cell starts the next.

use crate::message::{At, Orders, Refusal, Step, send};
use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
};

/// The running program's own file, wherever it is by now.
pub(super) const OURSELVES: &str = "/proc/self/exe";

/// A process that was started, and the socket to it.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) socket: UnixStream,
}

/// The same program with the same arguments.
pub(super) fn ourselves() -> Command {
    let mut command = Command::new(OURSELVES);
    command.args(std::env::args_os().skip(1)).env_clear();
    command
}

/// Starts a process with a socket as its standard input, and tells it what to do.
pub(super) fn start(mut command: Command, orders: &Orders, step: Step) -> Result<Started, Refusal> {
    let (socket, theirs) = UnixStream::pair().at(Step::Process)?;
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let child = command.spawn().at(step)?;
    // A copy of its end of the socket is in `command`; the process must have the only one.
    drop(command);
    // If it has ended already, what it said or did not say tells more than that it cannot be told.
    let _ = send(&socket, orders);
    Ok(Started { child, socket })
}
