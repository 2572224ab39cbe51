//! The program's arguments.

use crate::error::ArgumentError;

/// How the program is called.
pub const USAGE: &str = "\
usage: histogram [--ignore-case] [--min-length N]
       histogram --merge

Counts the words of standard input and writes `COUNT WORD` lines, sorted by bytes. With --merge,
reads such lines and adds them up.";

/// How words are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether A to Z count as a to z.
    pub is_case_ignored: bool,
    /// Shorter words are left out.
    pub length_bytes_min: usize,
    /// Whether the input is outputs to be added up, rather than a text.
    pub is_merge: bool,
}

impl Options {
    /// Reads the program's arguments, without its name.
    ///
    /// # Errors
    /// When one of them is not understood.
    pub fn parse<S: AsRef<str>>(
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self, ArgumentError> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_ref() {
                "--ignore-case" => options.is_case_ignored = true,
                "--merge" => options.is_merge = true,
                "--min-length" => {
                    let value = arguments.next().ok_or(ArgumentError::MissingLength)?;
                    let value = value.as_ref();
                    let bad = |_| ArgumentError::BadLength {
                        value: excerpt(value),
                    };
                    options.length_bytes_min = value.parse().map_err(bad)?;
                }
                option => {
                    return Err(ArgumentError::UnknownOption {
                        option: excerpt(option),
                    });
                }
            }
        }
        if options.is_merge && (options.is_case_ignored || options.length_bytes_min > 0) {
            return Err(ArgumentError::MergeWithOptions);
        }
        Ok(options)
    }
}

/// As much of an argument as an error message should carry.
fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
