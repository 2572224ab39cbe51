//! The processes of a cell. They are all the program of whoever runs it, started again, and told by
//! their standard input which of them they are.

mod bubblewrap;
mod files;
mod first;
mod guard;
mod last;
mod look;
mod refused;
mod room;
mod scratch;
mod start;
mod user;

use crate::message::{Orders, Role, receive};
use std::{
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
};

/// The folder for temporary files in a cell with a root of its own. It is where `HOME` is too.
const TEMPORARY: &str = "/tmp";

/// The work folder in a cell with a root of its own.
const WORK: &str = "/tmp/work";

/// What a program does that was started as a [`Helper`](crate::Helper). It must be called before the
/// program has a second thread, and its value must be what `main` returns.
///
/// It says nothing to people: what cannot be done is told to whoever started the cell.
pub fn inside() -> ExitCode {
    match take_orders() {
        Some((above, orders)) => match orders.role {
            Role::Guard => guard::run(&above, orders),
            Role::First => first::run(&above, orders),
            Role::Last => last::run(&above, &orders),
        },
        None => ExitCode::FAILURE,
    }
}

/// Closes what was left open for this process by accident, and reads what it is to do.
fn take_orders() -> Option<(UnixStream, Orders)> {
    close_all_but_the_first_three();
    let above = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    let above = UnixStream::from(above);
    let orders = receive(&above).ok()??;
    Some((above, orders))
}

fn close_all_but_the_first_three() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers: Vec<i32> = open
        .filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    // The folder that was read is among them, and closed by now.
    for number in numbers {
        let _ = nix::unistd::close(number);
    }
}
