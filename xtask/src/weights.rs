//! What the pallets' calls cost: measuring it, and trying the benchmarks that do.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use crate::{
    cargo::{Cargo, run},
    places::Places,
    setup,
    steps::Steps,
};

/// At how many values of each parameter a call is measured, and how often at each.
const STEPS: &str = "50";
const REPEATS: &str = "20";

/// Measures the calls of the named pallets, or of all, and writes `weights.rs` of each.
pub(crate) fn measure(places: &Places, steps: &mut Steps, named: &[String]) -> Result<()> {
    let unknown: Vec<&str> = named
        .iter()
        .map(String::as_str)
        .filter(|it| !known(places, it))
        .collect();
    ensure!(
        unknown.is_empty(),
        "no pallet {} below runtime/pallets; there are {}",
        unknown.join(", "),
        places.pallets.join(", ")
    );
    let cargo = setup::all(places, steps)?;
    let target = folder(places);
    steps.step(
        "Build the node with its benchmarks (the first time 35 minutes on two cores)",
        || build_node(&cargo, &target),
    )?;
    for pallet in places
        .pallets
        .iter()
        .filter(|it| named.is_empty() || named.contains(*it))
    {
        let output = places
            .root
            .join("runtime/pallets")
            .join(pallet)
            .join("src/weights.rs");
        steps.step(&format!("Measure {pallet}"), || {
            run(
                Command::new(target.join("release/quern-node"))
                    .current_dir(&places.root)
                    .args(["benchmark", "pallet", "--chain", "dev"])
                    .args([
                        "--genesis-builder",
                        "spec-runtime",
                        "--genesis-builder-preset",
                        "dev",
                    ])
                    .args(["--pallet", &format!("quern_{pallet}"), "--extrinsic", "*"])
                    .args(["--steps", STEPS, "--repeat", REPEATS])
                    .args(["--template", "xtask/weights-template.hbs"])
                    .arg("--output")
                    .arg(&output),
                "the benchmark it names must pass before it can be measured",
            )
        })?;
    }
    Ok(())
}

/// Runs each benchmark once on the chain that its pallet's tests are made on: it fails where a call
/// does not do what the benchmark says it does. With them run the pallets' other tests.
pub(crate) fn run_once(places: &Places, cargo: &Cargo) -> Result<()> {
    let mut test = cargo.locked("test");
    for pallet in &places.pallets {
        test.args(["--package", &format!("quern-{pallet}")])
            .args(["--features", &format!("quern-{pallet}/runtime-benchmarks")]);
    }
    run(
        test.args(["--lib", "--no-fail-fast", "--target-dir"])
            .arg(folder(places)),
        "the names of the failed benchmarks stand above, with their own words before them",
    )
}

/// Where the benchmarks are built, apart from everything else: the feature reaches down into the SDK,
/// and in the shared folder it would rebuild the whole tree now and again at the next ordinary build.
fn folder(places: &Places) -> PathBuf {
    places.target.join("benchmarks")
}

fn known(places: &Places, pallet: &str) -> bool {
    places.pallets.iter().any(|it| it == pallet)
}

fn build_node(cargo: &Cargo, target: &Path) -> Result<()> {
    run(
        cargo
            .locked("build")
            // A runtime of the SDK's own, for measurements that are not made here. It cannot be
            // built from within another workspace.
            .env("SKIP_FRAME_STORAGE_ACCESS_TEST_RUNTIME_WASM_BUILD", "1")
            // As operators have it: what a call costs is what it costs them.
            .args([
                "--release",
                "--package",
                "quern-node",
                "--bin",
                "quern-node",
            ])
            .args(["--features", "runtime-benchmarks", "--target-dir"])
            .arg(target),
        "the compiler's first error above is the one to mend",
    )
}
