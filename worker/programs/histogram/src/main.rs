//! Counts the words of standard input.

use std::io::{self, Write};
use std::process::ExitCode;

use quern_histogram::{HistogramError, MergeError, Options, USAGE, histogram, merge_stream};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        let written = writeln!(io::stdout(), "{USAGE}");
        return if written.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(error) => return complain(&error, 2),
    };
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    let outcome = if options.is_merge {
        merge_stream(input, output)
    } else {
        histogram(input, output, &options).map_err(MergeError::Histogram)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(
            error @ MergeError::Histogram(
                HistogramError::Read { .. } | HistogramError::Write { .. },
            ),
        ) => complain(&error, 1),
        Err(error) => complain(&error, 2),
    }
}

fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    // Nothing better can be done when even the complaint cannot be written.
    let _ = writeln!(io::stderr(), "histogram: {error}");
    ExitCode::from(code)
}
