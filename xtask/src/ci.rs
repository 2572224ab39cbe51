//! Everything a change has to pass.

use anyhow::{Result, bail};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    build::{self, What},
    cargo::{Cargo, run, run_beside},
    places::Places,
    run::workspace_tests_and,
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
    let is_built = built.is_ok() && build::programs(places, &cargo, steps).is_ok();
    // Tests of whole grids mostly wait for blocks; what is looked at beside them has the processor
    // meanwhile.
    let beside = thread::scope(|scope| {
        let (begun, begins) = mpsc::sync_channel::<()>(1);
        let cargo = &cargo;
        let looks = scope.spawn(move || {
            // An error says that there are no tests to begin.
            let _ = begins.recv();
            let lints = timed(|| lints(cargo));
            (lints, timed(|| documentation(cargo)))
        });
        if is_built {
            steps.part("Tests", || {
                workspace_tests_and(places, cargo, || {
                    let _ = begun.send(());
                })
            });
        }
        drop(begun);
        looks.join()
    });
    let Ok(((lints_took, lints), (docs_took, docs))) = beside else {
        bail!("the thread that looks at lints and documentation ended");
    };
    steps.done_beside("Lints, beside the tests", lints_took, lints);
    steps.done_beside("Documentation, beside the tests", docs_took, docs);
    steps.conclude()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let outcome = work();
    (began.elapsed(), outcome)
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
    run_beside(
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
    run_beside(
        cargo
            .locked("doc")
            .env("SKIP_WASM_BUILD", "1")
            .env("SKIP_FRAME_STORAGE_ACCESS_TEST_RUNTIME_WASM_BUILD", "1")
            .args(["--workspace", "--no-deps"])
            // As for the lints: what they have looked at of the dependencies serves here too.
            .args(["--features", "quern-node/runtime-benchmarks"])
            .env("RUSTDOCFLAGS", "-D warnings"),
        "each warning above says what it wants",
    )
}
