//! Tries cells on a machine, and is the helper of the tests.
//!
//! `quern-try-cell` says which kind of cell the machine gives, and what is missing for a better one.
//! `quern-try-cell KIND SECONDS COMMAND` runs a command in a cell of that kind, `full`, `bubblewrap` or
//! `without`, and writes its output to standard output.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it speaks to people"
)]

use quern_cell::{Cells, Command, Helper, Kind, Limits, PROCESSES_USUAL, inside, probe};
use std::{error::Error, fs::File, os::fd::AsFd, process::ExitCode};

/// How the program is started as a part of a cell.
const INSIDE: &str = "inside";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == [INSIDE] {
        return inside();
    }
    match try_cell(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_cell(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let helper = Helper {
        program: std::env::current_exe()?,
        arguments: vec![INSIDE.into()],
    };
    let [kind, seconds, shell] = arguments else {
        println!("{}", probe(&helper));
        return Ok(());
    };
    let kind = match kind.as_str() {
        "full" => Kind::Full,
        "bubblewrap" => Kind::Bubblewrap,
        "without" => Kind::WithoutNamespaces,
        _ => return Err("the kind is full, bubblewrap or without".into()),
    };
    let limits = Limits {
        seconds: seconds.parse()?,
        memory_bytes: 1 << 30,
        disk_bytes: 1 << 26,
        output_bytes: 1 << 30,
        processes: PROCESSES_USUAL,
    };
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let command = Command::new(shell.as_str(), limits)?;
    let outcome = Cells::new(kind, helper).run(&command, output)?;
    eprint!("{}", String::from_utf8_lossy(&outcome.diagnostics));
    eprintln!("{:?}", outcome.ending);
    Ok(())
}
