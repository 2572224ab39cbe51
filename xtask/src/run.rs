//! Running what was built: the demo, the tests, the measurements.

use std::{
    num::NonZero, os::unix::process::CommandExt, path::Path, process::Command,
    thread::available_parallelism,
};

use anyhow::{Context, Result};

use crate::{
    build::{self, What},
    cargo::{Cargo, run, run_until_it_says},
    fuzz,
    places::Places,
    setup,
    steps::Steps,
    weights,
};

/// Where the programs of the workspace are; read by whoever starts them as processes.
const BINARIES: &str = "QUERN_BIN_DIR";
/// Where the programs of the sandbox are.
const PROGRAMS: &str = "QUERN_PROGRAMS_DIR";
/// How long the build took, in seconds; the demo's report tells it.
const BUILD_SECONDS: &str = "QUERN_BUILD_SECONDS";

/// How many tests of one program run at once; read by Rust's test harness, which else takes as many
/// as there are processors.
const TEST_THREADS: &str = "RUST_TEST_THREADS";
/// As many whole grids as run side by side, see `tests/end-to-end/src/turn.rs`. They wait most of
/// their time, so fewer processors are enough for them.
const TEST_THREADS_MIN: usize = 3;

/// How often the long test of kills kills, and by which seed; read by
/// `tests/end-to-end/tests/grids/kills.rs`.
const KILLS: &str = "QUERN_KILLS";
const KILLS_SEED: &str = "QUERN_KILLS_SEED";

/// Its name.
const KILLS_TEST: &str = "kills::a_hundred_kills_at_random_lose_nothing_and_pay_nothing_twice";

/// How many cases each property is tried on by `--nightly`; the default is 256.
const NIGHTLY_CASES: &str = "4096";

/// Builds, then shows the main job.
pub(crate) fn demo(
    places: &Places,
    steps: &mut Steps,
    keep: bool,
    passed_on: &[String],
) -> Result<()> {
    let built = build::all(places, steps, What::Programs)?;
    let mut demo = program(places, "quern-demo");
    demo.env(BUILD_SECONDS, format!("{:.1}", built.took.as_secs_f64()));
    if keep {
        demo.arg("--keep");
    }
    become_it(demo.args(passed_on))
}

/// Builds, then measures.
pub(crate) fn bench(places: &Places, steps: &mut Steps, passed_on: &[String]) -> Result<()> {
    build::all(places, steps, What::Programs)?;
    become_it(program(places, "quern-bench").args(passed_on))
}

/// Builds, then runs every test.
pub(crate) fn tests(places: &Places, steps: &mut Steps, nightly: bool) -> Result<()> {
    let built = build::all(places, steps, What::ProgramsAndTests)?;
    setup::c_for_the_sandbox(places, steps)?;
    steps.part("Run the tests", || {
        workspace_tests(places, &built.cargo, nightly)
    });
    if nightly {
        steps.part("Run the pallets' benchmarks, once each", || {
            weights::run_once(places, &built.cargo)
        });
        steps.part("Fuzz every target, ten minutes each", || {
            fuzz::every(places, &built.cargo, fuzz::NIGHTLY_SECONDS)
        });
        // Nothing else builds it. How it ended is among the steps.
        let _ = build::workspace(&built.cargo, steps, What::Installed);
    }
    steps.conclude()
}

/// Builds, then runs the one test that kills a grid's parts.
pub(crate) fn kills(
    places: &Places,
    steps: &mut Steps,
    count: u64,
    seed: Option<u64>,
) -> Result<()> {
    let built = build::all(places, steps, What::Programs)?;
    let title = format!("Kill the parts of a grid {count} times (about three seconds each)");
    steps.step(&title, || {
        let mut test = built.cargo.locked("test");
        test.args(["--workspace", "--test", "grids"]).args([
            "--",
            "--exact",
            KILLS_TEST,
            "--include-ignored",
        ]);
        test.env(KILLS, count.to_string());
        if let Some(seed) = seed {
            test.env(KILLS_SEED, seed.to_string());
        }
        with_paths(places, &mut test);
        run(
            &mut test,
            "the logs' folder stands above, and the seed by which it may happen again",
        )
    })
}

/// `cargo test` over the workspace: unit tests, properties, whole programs, examples in the
/// documentation.
fn workspace_tests(places: &Places, cargo: &Cargo, nightly: bool) -> Result<()> {
    let mut test = tests_of(places, cargo);
    if nightly {
        test.env("PROPTEST_CASES", NIGHTLY_CASES)
            .args(["--", "--include-ignored"]);
    }
    run(&mut test, TESTS_FAILED)
}

/// The same; `then` is done when everything is compiled and the first test begins, for then cargo
/// lets others into the target folder.
pub(crate) fn workspace_tests_and(
    places: &Places,
    cargo: &Cargo,
    then: impl FnOnce(),
) -> Result<()> {
    let mut test = tests_of(places, cargo);
    run_until_it_says(&mut test, TESTS_FAILED, "Running", then)
}

const TESTS_FAILED: &str =
    "the names of the failed tests stand above, with their own words before them";

fn tests_of(places: &Places, cargo: &Cargo) -> Command {
    let mut test = cargo.locked("test");
    // A failing test of one crate must not hide those of the next.
    test.args(["--workspace", "--no-fail-fast"]);
    let processors = available_parallelism().map_or(1, NonZero::get);
    if processors < TEST_THREADS_MIN && std::env::var_os(TEST_THREADS).is_none() {
        test.env(TEST_THREADS, TEST_THREADS_MIN.to_string());
    }
    with_paths(places, &mut test);
    test
}

fn program(places: &Places, name: &str) -> Command {
    let mut command = Command::new(places.binaries().join(name));
    command.current_dir(&places.root);
    with_paths(places, &mut command);
    command
}

fn with_paths(places: &Places, command: &mut Command) {
    command
        .env(BINARIES, places.binaries())
        .env(PROGRAMS, places.programs());
}

/// Turns this process into the program, so that it alone hears an interrupt and stops what it
/// started in its own order.
fn become_it(command: &mut Command) -> Result<()> {
    println!();
    let error = command.exec();
    let name = Path::new(command.get_program()).display().to_string();
    Err(error).with_context(|| format!("{name} cannot be started; is it built and executable?"))
}
