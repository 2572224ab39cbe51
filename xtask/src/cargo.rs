//! Starting cargo and other programs, and what to say when they fail.
//!
//! Every build selects the whole workspace (`--workspace`, narrowed by target where only one is
//! wanted). Cargo unifies the features of a dependency over the selected packages: with
//! `--package` the same dependency would be built a second time with fewer features, and the
//! dependencies take most of a build's time. `tests/house` holds the other half of that bargain: no
//! dev-dependency turns on a feature that the programs lack. Only what is done with the pallets'
//! benchmarks names their packages: of a build it can use little anyway.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::places::{Places, cargo_program};

/// How to start cargo on this machine; made by the set-up.
#[derive(Clone)]
pub(crate) struct Cargo {
    root: PathBuf,
    /// The vendored protoc with its include folder, where the machine has none of its own.
    /// Elsewhere PROTOC stays unset: build scripts watch it, and setting it would rebuild
    /// everything that a plain `cargo build` has built.
    protoc: Option<Protoc>,
    /// What is called in the compiler's place for members of the workspace.
    wrapper: Option<PathBuf>,
}

/// A protoc that is not on the PATH.
#[derive(Clone)]
pub(crate) struct Protoc {
    pub(crate) program: PathBuf,
    pub(crate) include: PathBuf,
}

impl Cargo {
    pub(crate) fn new(places: &Places, protoc: Option<Protoc>) -> Self {
        Self {
            root: places.root.clone(),
            protoc,
            wrapper: None,
        }
    }

    /// The same cargo, but what it compiles of the workspace is looked at as well, see
    /// [`crate::wrapper`].
    pub(crate) fn looking(&self, wrapper: PathBuf) -> Self {
        Self {
            wrapper: Some(wrapper),
            ..self.clone()
        }
    }

    /// Whether what is compiled is looked at as well.
    pub(crate) fn looks(&self) -> bool {
        self.wrapper.is_some()
    }

    /// `cargo SUBCOMMAND --locked`, in the workspace.
    pub(crate) fn locked(&self, subcommand: &str) -> Command {
        let mut command = self.plain(subcommand);
        command.arg("--locked");
        if let Some(wrapper) = &self.wrapper {
            // No variable says it: tests would inherit that, and dependencies' build scripts may
            // watch it. One that the person has set would go before this.
            let wrapper = format!("build.rustc-workspace-wrapper=\"{}\"", wrapper.display());
            command
                .args(["--config", &wrapper])
                .env_remove("RUSTC_WORKSPACE_WRAPPER");
        }
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

/// Runs a program to its end with its output shown, and does something else once it has said this for
/// the first time, at the beginning of a line among what it says of itself.
pub(crate) fn run_until_it_says(
    command: &mut Command,
    mend: &str,
    words: &str,
    then: impl FnOnce(),
) -> Result<()> {
    let spoken = spoken(command);
    let mut running = command
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{spoken}` cannot be started; {mend}"))?;
    let mut then = Some(then);
    let said = running.stderr.take().into_iter();
    for line in said.flat_map(|said| BufReader::new(said).split(b'\n')) {
        let line = line.with_context(|| format!("`{spoken}` cannot be heard"))?;
        // It is for people, and lossless only where it is text.
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        if line.trim_start().starts_with(words)
            && let Some(then) = then.take()
        {
            then();
        }
    }
    let status = running
        .wait()
        .with_context(|| format!("`{spoken}` cannot be waited for"))?;
    if !status.success() {
        bail!("`{spoken}` failed ({status}); {mend}");
    }
    Ok(())
}

/// The same program beside others that matter more: it gets the processor when they leave it.
pub(crate) fn modest(command: &Command) -> Command {
    let mut modest = Command::new("nice");
    modest
        .args(["-n", "19"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        modest.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => modest.env(name, value),
            None => modest.env_remove(name),
        };
    }
    modest
}

/// Runs a program to its end beside others that matter more, see [`modest`]; its output is shown when it
/// has ended.
pub(crate) fn run_beside(command: &Command, mend: &str) -> Result<()> {
    let spoken = spoken(command);
    let ended = modest(command)
        .output()
        .with_context(|| format!("`{spoken}` cannot be started; {mend}"))?;
    // Both are for people, and lossless only where they are text.
    print!("{}", String::from_utf8_lossy(&ended.stdout));
    eprint!("{}", String::from_utf8_lossy(&ended.stderr));
    if !ended.status.success() {
        bail!("`{spoken}` failed ({}); {mend}", ended.status);
    }
    Ok(())
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
#[allow(clippy::unwrap_used)]
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
    fn what_is_to_follow_a_programs_words_follows_them_once() {
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "echo '  Running a; Running b' >&2; echo Running c >&2",
        ]);
        let mut times = 0;
        run_until_it_says(&mut shell, "speak", "Running", || times += 1).unwrap();
        assert_eq!(times, 1);
        let mut binary = Command::new("sh");
        binary.args(["-c", "printf '\\377\\n' >&2; echo Running on >&2"]);
        run_until_it_says(&mut binary, "speak", "Running", || times += 1).unwrap();
        assert_eq!(times, 2);
        let mut silent = Command::new("true");
        run_until_it_says(&mut silent, "speak", "Running", || times += 1).unwrap();
        assert_eq!(times, 2);
        let mut failing = Command::new("false");
        assert!(run_until_it_says(&mut failing, "speak", "Running", || ()).is_err());
    }

    #[test]
    fn what_runs_beside_others_fails_as_it_would_alone() {
        assert!(run_beside(&Command::new("true"), "do better").is_ok());
        assert!(run_beside(&Command::new("false"), "do better").is_err());
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
