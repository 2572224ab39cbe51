//! Everything a change has to pass.

use anyhow::{Result, bail};
use std::{
    num::NonZero,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    build::{self, What},
    cargo::{Cargo, run, run_beside},
    fuzz,
    places::Places,
    run::workspace_tests_and,
    setup, stand_ins,
    steps::{Steps, spelled},
    wrapper,
};

/// How long all of it may take with nothing built before, on two cores.
const COLD_MAX: Duration = Duration::from_secs(45 * 60);

/// What of that passes before this program's clock begins: cargo compiles it first.
const BEFORE: Duration = Duration::from_secs(30);

/// Cheap parts first, and a failed part does not hide what the next one would say.
pub(crate) fn all(places: &Places, steps: &mut Steps) -> Result<()> {
    let is_cold = holds_cold(places);
    let cargo = setup::all(places, steps)?;
    setup::c_for_the_sandbox(places, steps)?;
    // Wherever something of the workspace is built for this machine, lest it be built twice.
    let looking = cargo.looking(wrapper::install(places)?);
    steps.part("Formatting", || formatting(&cargo));
    steps.part("House rules: floors, licences, sources, duplicates", || {
        house(&looking)
    });
    // Without programs there is nothing to test, but the lints of the rest still have a word.
    let built = build::workspace(&looking, steps, What::ProgramsAndTests);
    let is_built = built.is_ok() && build::programs(places, &cargo, steps).is_ok();
    // Tests of whole grids mostly wait for blocks; what is looked at beside them has the processor
    // meanwhile.
    let beside = thread::scope(|scope| {
        let (begun, begins) = mpsc::sync_channel::<()>(1);
        let cargo = &cargo;
        let look = scope.spawn(move || {
            // An error says that there are no tests to begin.
            let _ = begins.recv();
            [
                timed(|| lints_of_benchmarks(places, cargo).and(stand_ins::lints(places, cargo))),
                timed(|| fuzz::beside(places, cargo)),
            ]
        });
        if is_built {
            steps.part("Tests", || {
                workspace_tests_and(places, &looking, || {
                    let _ = begun.send(());
                })
            });
        }
        drop(begun);
        look.join()
    });
    let Ok([(looked, lints), (fuzzed, found)]) = beside else {
        bail!("the thread that looks at the lints of the rest and fuzzes ended");
    };
    steps.done_beside(
        "Lints of the pallets' benchmarks and of stand-ins, beside the tests",
        looked,
        lints,
    );
    let title = format!(
        "Fuzz targets, {} s each, beside the tests",
        fuzz::ci_seconds()
    );
    steps.done_beside(&title, fuzzed, found);
    if is_cold {
        let took = steps.elapsed() + BEFORE;
        steps.done_beside(&title_of_cold(took), took, Ok(()));
    }
    steps.conclude()
}

/// Whether it is told how far the limit is kept: by a machine that does nothing else, on as many cores as
/// it is meant for, when nothing was built before. This program itself always was.
fn holds_cold(places: &Places) -> bool {
    let is_alone = std::env::var_os("CI").is_some_and(|it| it == "true");
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    is_alone && cores >= 2 && !places.binaries().join("quern-node").exists()
}

/// What stands beside the time of a first run. A slow machine is no fault of a change, so one that takes
/// too long is told aloud and has not failed.
fn title_of_cold(took: Duration) -> String {
    let most = spelled(COLD_MAX);
    match took <= COLD_MAX {
        true => format!("All of it from nothing, of {most} at most"),
        false => format!(
            "All of it from nothing: MORE THAN THE {most} THAT IT MAY TAKE; target/cargo-timings says \
             where they went"
        ),
    }
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

/// The pallets and the runtime once more, with the benchmarks of their calls, which nothing else
/// here compiles. The runtime's Wasm is not built a second time for them.
fn lints_of_benchmarks(places: &Places, cargo: &Cargo) -> Result<()> {
    let mut clippy = cargo.locked("clippy");
    clippy.env("SKIP_WASM_BUILD", "1");
    for pallet in &places.pallets {
        clippy.args(["--package", &format!("quern-{pallet}")]);
    }
    run_beside(
        clippy
            .args(["--package", "quern-runtime", "--all-targets"])
            // It turns on that of the pallets.
            .args(["--features", "quern-runtime/runtime-benchmarks"])
            .args(["--", "-D", "warnings"]),
        "each lint above says what it wants",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_run_that_takes_too_long_is_told_aloud() {
        let said = |took| title_of_cold(took).contains("MORE THAN");
        assert!(!said(COLD_MAX));
        assert!(said(COLD_MAX + Duration::from_secs(1)));
    }
}
