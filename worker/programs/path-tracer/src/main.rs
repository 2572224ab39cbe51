//! Reads a task on standard input, writes its pixels to standard output.
//!
//! Exit code 0 when all pixels are written; 2 when the input or the arguments are at fault, with
//! one line on standard error that says what to change; 1 when input or output break.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use quern_path_tracer::bundle::BUNDLE_BYTES_MAX;
use quern_path_tracer::program::{self, USAGE};
use quern_path_tracer::tile::REQUEST_BYTES;

/// One byte more than any valid input has: enough to see that an input is too long.
const INPUT_BYTES_MAX: u64 = (BUNDLE_BYTES_MAX + REQUEST_BYTES + 1) as u64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return report(writeln!(io::stdout(), "{USAGE}"));
    }
    let mut input = Vec::new();
    if let Err(error) = io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX)
        .read_to_end(&mut input)
    {
        return report(Err(error));
    }
    match program::run(&arguments, &input) {
        Ok(pixels) => {
            let mut output = io::stdout().lock();
            report(output.write_all(&pixels).and_then(|()| output.flush()))
        }
        Err(error) => {
            // Nothing better can be done when even the complaint cannot be written.
            let _ = writeln!(io::stderr(), "path-tracer: {error}");
            ExitCode::from(2)
        }
    }
}

fn report(outcome: io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "path-tracer: cannot read or write: {error}");
            ExitCode::FAILURE
        }
    }
}
