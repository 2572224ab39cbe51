//! Building the workspace's programs and the sandbox's.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

use crate::{
    cargo::{Cargo, run},
    places::Places,
    setup,
    steps::{Steps, spelled},
};

/// The target of the sandbox's programs: WASI preview 1, as its hosts understand it.
const SANDBOX_TARGET: &str = "wasm32-wasip1";

/// The programs that people install, as cargo is asked for them: everything is optimised, and that
/// takes long. Demo, tests and measurements run those of the other profile.
const INSTALLED: [&str; 9] = [
    "--release",
    "--bin",
    "quern",
    "--bin",
    "quern-masternode",
    "--bin",
    "quern-node",
    "--bin",
    "quern-worker",
];

/// What a build leaves behind.
pub(crate) struct Built {
    pub(crate) cargo: Cargo,
    /// Time from the start of the task to the last program built.
    pub(crate) took: Duration,
}

/// Sets the machine up and builds every program.
pub(crate) fn all(places: &Places, steps: &mut Steps, what: What) -> Result<Built> {
    let cargo = setup::all(places, steps)?;
    workspace(&cargo, steps, what)?;
    programs(places, &cargo, steps)?;
    let took = steps.elapsed();
    let folder = match what {
        What::Programs | What::ProgramsAndTests => places.binaries(),
        What::Installed => places.installed(),
    };
    println!(
        "    all built after {}: {}",
        spelled(took),
        folder.display()
    );
    Ok(Built { cargo, took })
}

/// What of the workspace is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Its programs.
    Programs,
    /// Its programs and tests, side by side, so that no core waits for the last program.
    ProgramsAndTests,
    /// The programs that people install, as they should be installed.
    Installed,
}

/// Builds the workspace.
pub(crate) fn workspace(cargo: &Cargo, steps: &mut Steps, what: What) -> Result<()> {
    let (name, targets): (_, &[&str]) = match what {
        What::Programs => ("Build every program", &["--bins"]),
        What::ProgramsAndTests if cargo.looks() => {
            ("Build, lints, documentation", &["--all-targets"])
        }
        What::ProgramsAndTests => ("Build every program and test", &["--all-targets"]),
        What::Installed => ("Build the programs to install", &INSTALLED),
    };
    let first = match what {
        What::Programs | What::ProgramsAndTests => "45 minutes at most on two cores",
        What::Installed => "longer than for the tests",
    };
    steps.step(&format!("{name} (the first time {first})"), || {
        run(
            cargo
                .locked("build")
                // What each crate took is told in target/cargo-timings.
                .args(["--timings", "--workspace"])
                .args(targets),
            "the first error above is the one to mend",
        )
    })
}

/// Builds the sandbox's programs and puts them where people and tests look for them.
pub(crate) fn programs(places: &Places, cargo: &Cargo, steps: &mut Steps) -> Result<()> {
    steps.step("Build the sandbox's programs", || {
        let mut build = cargo.locked("build");
        build.args(["--target", SANDBOX_TARGET]);
        build.args(["--config", &without_folders(places)?]);
        for program in &places.sandboxed {
            build.args(["--package", &program.package, "--bin", &program.binary]);
        }
        run(
            &mut build,
            "the compiler's first error above is the one to mend",
        )?;

        let folder = places.programs();
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made; see who owns it", folder.display()))?;
        for program in &places.sandboxed {
            let file = format!("{}.wasm", program.binary);
            let from = places.target.join(SANDBOX_TARGET).join("debug").join(&file);
            let to = folder.join(&file);
            put(&from, &to)?;
            println!("    {}", to.display());
        }
        Ok(())
    })
}

/// The compiler's flags that keep this machine's folders out of a program. A job names its program
/// by digest; with the folders that panic messages would carry, every machine would build a
/// program of another digest.
fn without_folders(places: &Places) -> Result<String> {
    let library = setup::sysroot(places)?;
    let flags = [(&places.root, "/quern"), (&library, "/rust")]
        .map(|(folder, name)| format!("\"--remap-path-prefix={}={name}\"", folder.display()));
    Ok(format!(
        "target.{SANDBOX_TARGET}.rustflags=[{}]",
        flags.join(", ")
    ))
}

/// Copies a file that was built, leaving an equal one untouched.
pub(crate) fn put(from: &Path, to: &Path) -> Result<()> {
    let new =
        fs::read(from).with_context(|| format!("{} was built but is not there", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    // By renaming: whoever runs the old program meanwhile keeps it whole.
    let half_done = to.with_extension("new");
    fs::copy(from, &half_done)
        .and_then(|_| fs::rename(&half_done, to))
        .with_context(|| format!("{} cannot be written; see who owns it", to.display()))
}
