//! Counters in what we compile, so that libFuzzer sees where an input leads.
//!
//! The compiler puts them in if it is asked with each call. A flag for all crates (`RUSTFLAGS`) would
//! have every dependency compiled once more. So cargo calls a copy of this program in the compiler's
//! place for members of the workspace, as in [`crate::wrapper`], and keeps what that makes apart from
//! what is built otherwise; dependencies are those of any other build. They have no counters: what is
//! looked for is in our decoders.

use std::{ffi::OsString, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    places::Places,
    wrapper::{exit_code, install_as, is_for_here},
};

/// The name by which this program knows that it is called in the compiler's place.
const NAME: &str = "compile-and-count";

/// What cargo-fuzz asks the compiler for, but for AddressSanitizer, which needs a nightly compiler:
/// a counter for each edge and its place, and a call at each comparison with both sides.
const COUNTERS: [&str; 6] = [
    "passes=sancov-module",
    "llvm-args=-sanitizer-coverage-level=4",
    "llvm-args=-sanitizer-coverage-inline-8bit-counters",
    "llvm-args=-sanitizer-coverage-pc-table",
    "llvm-args=-sanitizer-coverage-trace-compares",
    // The tables of several objects of one crate do not join.
    "codegen-units=1",
];

/// Puts a copy of this program where cargo can call it, and returns its path.
pub(crate) fn install(places: &Places) -> Result<PathBuf> {
    install_as(places, NAME, include_str!("coverage.rs"))
}

/// A call in the compiler's place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    compiler: OsString,
    arguments: Vec<OsString>,
}

impl Call {
    /// Reads the words this program was started with. None, if it goes to another name.
    pub(crate) fn heard(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let called = PathBuf::from(words.next()?);
        if called.file_name()? != NAME {
            return None;
        }
        Some(Self {
            compiler: words.next()?,
            arguments: words.collect(),
        })
    }

    /// Compiles, with counters where they can be read.
    pub(crate) fn carry_out(self) -> Result<u8> {
        let more = counters(&self.arguments);
        exit_code(
            Command::new(&self.compiler)
                .args(&self.arguments)
                .args(more),
        )
    }
}

/// What is asked for beside these arguments: nothing of what the compiler itself runs, which is not
/// linked with libFuzzer.
fn counters(arguments: &[OsString]) -> Vec<&'static str> {
    let words: Vec<String> = arguments
        .iter()
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    let has = |wanted: &str| words.iter().any(|it| it == wanted);
    if !is_for_here(&words) || has("proc-macro") || has("build_script_build") {
        return Vec::new();
    }
    COUNTERS.into_iter().flat_map(|flag| ["-C", flag]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_call_is_known_by_the_name_it_goes_to() {
        let call = |line: &str| Call::heard(words(line).into_iter());
        assert_eq!(
            call("/t/looks/0f/compile-and-count rustc -vV"),
            Some(Call {
                compiler: OsString::from("rustc"),
                arguments: words("-vV"),
            })
        );
        assert_eq!(call("/t/looks/0f/compile-and-look rustc -vV"), None);
    }

    #[test]
    fn counters_are_in_what_is_linked_with_libfuzzer_alone() {
        let asked = |line: &str| counters(&words(line)).len();
        assert_eq!(
            asked("--crate-name quern_grid src/lib.rs --crate-type lib"),
            12
        );
        assert_eq!(
            asked("--crate-name quern_fuzz src/main.rs --crate-type bin"),
            12
        );
        for line in [
            "-vV",
            "- --crate-name ___ --print=file-names --crate-type bin",
            "--crate-name build_script_build build.rs --crate-type bin",
            "--crate-name ours src/lib.rs --crate-type proc-macro",
            "--crate-name quern_runtime src/lib.rs --target wasm32v1-none",
        ] {
            assert_eq!(asked(line), 0, "{line}");
        }
    }
}
