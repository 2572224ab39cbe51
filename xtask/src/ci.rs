//! Everything a change has to pass.

use anyhow::Result;

use crate::{
    build::{self, What},
    cargo::{Cargo, run},
    places::Places,
    run::workspace_tests,
    setup,
    steps::Steps,
};

/// Cheap parts first, and a failed part does not hide what the next one would say.
pub(crate) fn all(places: &Places, steps: &mut Steps) -> Result<()> {
    let cargo = setup::all(places, steps)?;
    setup::c_for_the_sandbox(places, steps)?;
    steps.part("Formatting", || formatting(&cargo));
    steps.part("House rules: floors, licences, sources, duplicates", || {
        house(&cargo)
    });
    // Without programs there is nothing to test, but lints and documentation still have a word.
    let built = build::workspace(&cargo, steps, What::ProgramsAndTests);
    if built.is_ok() && build::programs(places, &cargo, steps).is_ok() {
        steps.part("Tests", || workspace_tests(places, &cargo, false));
    }
    steps.part("Lints", || lints(&cargo));
    steps.part("Documentation", || documentation(&cargo));
    steps.conclude()
}

fn formatting(cargo: &Cargo) -> Result<()> {
    run(
        cargo.plain("fmt").args(["--all", "--", "--check"]),
        "run `cargo fmt --all`",
    )
}

/// The workspace is selected and one test target of it named: only that is built, with the
/// features everything else is built with.
fn house(cargo: &Cargo) -> Result<()> {
    run(
        cargo
            .locked("test")
            .args(["--workspace", "--test", "house"]),
        "each rule above says what it holds and what to do",
    )
}

/// The benchmarks of the pallets' calls are looked at too, for nothing else here compiles them. The
/// runtime's Wasm is not built a second time for them.
fn lints(cargo: &Cargo) -> Result<()> {
    run(
        cargo
            .locked("clippy")
            .env("SKIP_WASM_BUILD", "1")
            .env("SKIP_FRAME_STORAGE_ACCESS_TEST_RUNTIME_WASM_BUILD", "1")
            .args(["--workspace", "--all-targets"])
            .args(["--features", "quern-node/runtime-benchmarks"])
            .args(["--", "-D", "warnings"]),
        "each lint above says what it wants",
    )
}

fn documentation(cargo: &Cargo) -> Result<()> {
    run(
        cargo
            .locked("doc")
            .args(["--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
        "each warning above says what it wants",
    )
}
