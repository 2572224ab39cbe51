//! Starting cargo and other programs, and what to say when they fail.
//!
//! Every build selects the whole workspace (`--workspace`, narrowed by target where only one is
//! wanted). Cargo unifies the features of a dependency over the selected packages: with
//! `--package` the same dependency would be built a second time with fewer features, and this
//! workspace's dependencies take most of a quarter of an hour. `tests/house` holds the other half
//! of that bargain: no dev-dependency turns on a feature that the programs lack.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::places::{Places, cargo_program};

/// How to start cargo on this machine; made by the set-up.
pub(crate) struct Cargo {
    root: PathBuf,
    /// The vendored protoc with its include folder, where the machine has none of its own.
    /// Elsewhere PROTOC stays unset: build scripts watch it, and setting it would rebuild
    /// everything that a plain `cargo build` has built.
    protoc: Option<Protoc>,
}

/// A protoc that is not on the PATH.
pub(crate) struct Protoc {
    pub(crate) program: PathBuf,
    pub(crate) include: PathBuf,
}

impl Cargo {
    pub(crate) fn new(places: &Places, protoc: Option<Protoc>) -> Self {
        Self {
            root: places.root.clone(),
            protoc,
        }
    }

    /// `cargo SUBCOMMAND --locked`, in the workspace.
    pub(crate) fn locked(&self, subcommand: &str) -> Command {
        let mut command = self.plain(subcommand);
        command.arg("--locked");
        command
    }

    /// `cargo SUBCOMMAND`, in the workspace.
    pub(crate) fn plain(&self, subcommand: &str) -> Command {
        let mut command = Command::new(cargo_program());
        command
            .arg(subcommand)
            .current_dir(&self.root)
            .stdin(Stdio::null());
        // `cargo run` told us about ourselves. Build scripts that watch these variables must not
        // see them, or they would run again whenever somebody builds without us.
        for name in variables_about_ourselves(std::env::vars_os().map(|(name, _)| name)) {
            command.env_remove(name);
        }
        if let Some(protoc) = &self.protoc {
            command
                .env("PROTOC", &protoc.program)
                .env("PROTOC_INCLUDE", &protoc.include);
        }
        command
    }
}

/// Runs a program to its end with its output shown.
pub(crate) fn run(command: &mut Command, mend: &str) -> Result<()> {
    let spoken = spoken(command);
    let status = command
        .status()
        .with_context(|| format!("`{spoken}` cannot be started; {mend}"))?;
    if !status.success() {
        bail!("`{spoken}` failed ({status}); {mend}");
    }
    Ok(())
}

/// The command as a person would type it.
pub(crate) fn spoken(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let mut words = vec![
        program
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    ];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

fn variables_about_ourselves(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    const NAMES: [&str; 3] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    names
        .filter(|name| {
            let name = name.to_string_lossy();
            NAMES.contains(&name.as_ref()) || PREFIXES.iter().any(|it| name.starts_with(it))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_person_are_left_alone() {
        let names = [
            "CARGO_PKG_NAME",
            "CARGO_TARGET_DIR",
            "OUT_DIR",
            "PATH",
            "CARGO_MANIFEST_DIR",
        ];
        assert_eq!(
            variables_about_ourselves(names.iter().map(OsString::from)),
            ["CARGO_PKG_NAME", "OUT_DIR", "CARGO_MANIFEST_DIR"]
        );
    }

    #[test]
    fn a_failing_program_is_named_with_what_to_do() {
        let error =
            run(Command::new("false").arg("--at-once"), "do better").map_err(|it| it.to_string());
        assert_eq!(
            error,
            Err("`false --at-once` failed (exit status: 1); do better".to_owned())
        );
    }
}
