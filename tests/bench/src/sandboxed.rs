//! What the sandbox costs: the path tracer as a WebAssembly program with fuel on, against the very
//! same code compiled for this machine, on one thread, in turns.

use crate::{
    report::{Bar, Row, say, title},
    usage,
};
use anyhow::{Context as _, ensure};
use quern_masternode::benchmark_module;
use quern_path_tracer::{
    bundle, program,
    tile::{self, Frame, Tile, TileRequest},
};
use quern_sandbox::{Cancel, Class, Engine, Exit, Invocation, Limits, Outcome, Program};
use std::{path::Path, time::Duration};

pub(crate) const PINNED: &str = "sandbox_vs_native";
pub(crate) const PORTABLE: &str = "sandbox_portable_vs_native";
pub(crate) const BENCHMARK: &str = "benchmark_fuel_vs_task_fuel";

/// What a device must reach in the pinned class.
const RATIO_MAX: f64 = 1.3;

/// What a device seems to compute in a time by the benchmark, of what it computes of a task: with less it
/// seems slower than it is, gets too long for its tasks, and seldom a backup.
const BENCHMARK_RATIO_MIN: f64 = 0.7;

const FUEL: u64 = 1_000_000_000_000;

/// A tile in the middle of the demo's picture.
const TILE: Tile = Tile {
    x: 576,
    y: 315,
    width: 128,
    height: 90,
};

/// Renders one tile in turns, and takes the fastest of each: what disturbs a run only slows it.
pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    title("The sandbox against the same code native, one thread");
    let (samples, rounds) = if quick { (4, 2) } else { (16, 5) };
    let input = input(samples)?;
    let bytes = path_tracer()?;
    let compile = |class| -> anyhow::Result<Program> { Ok(Engine::new(class)?.compile(&bytes)?) };
    let (pinned, portable) = (compile(Class::Pinned)?, compile(Class::Portable)?);
    let benchmark = Engine::new(Class::Pinned)?.compile(&benchmark_module()?)?;
    let mut fastest = [Duration::MAX; 3];
    let (mut task_rate, mut benchmark_rate) = (0.0, 0.0);
    for round in 1..=rounds {
        let (native_pixels, native) = timed(|| Ok(program::run([""; 0], &input)?))?;
        let mut times = [native, Duration::MAX, Duration::MAX];
        for (place, program) in [(1, &pinned), (2, &portable)] {
            let (outcome, time) = timed(|| in_sandbox(program, &input))?;
            ensure!(
                outcome.output == native_pixels,
                "the sandbox renders other pixels than the native program"
            );
            times[place] = time;
            if place == 1 {
                task_rate = rate(&outcome, time).max(task_rate);
            }
        }
        let (outcome, time) = timed(|| in_sandbox(&benchmark, &[round; 16]))?;
        benchmark_rate = rate(&outcome, time).max(benchmark_rate);
        for (fastest, time) in fastest.iter_mut().zip(times) {
            *fastest = time.min(*fastest);
        }
        let [native, pinned, portable] = times.map(|time| time.as_secs_f64());
        say(&format!(
            "round {round}: native {native:.3} s, pinned {pinned:.3} s ({:.3}), portable {portable:.3} s ({:.3}); \
             the benchmark {:.3} s",
            pinned / native,
            portable / native,
            time.as_secs_f64()
        ));
    }
    let [native, pinned, portable] = fastest.map(|time| time.as_secs_f64());
    let reference = ("the same code native, one thread, same run", native);
    Ok(vec![
        Row::new(PINNED, (pinned, "s"), reference).with_bar(Bar::RatioAtMost(RATIO_MAX)),
        Row::new(PORTABLE, (portable, "s"), reference),
        Row::new(
            BENCHMARK,
            (benchmark_rate, "fuel/ms"),
            ("the demo's picture in the same class", task_rate),
        )
        .with_bar(Bar::RatioAtLeast(BENCHMARK_RATIO_MIN)),
    ])
}

/// A result, and the time this thread was on a processor for it. Other programs that want the
/// processor do not count.
fn timed<T>(run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Duration)> {
    let clock = || usage::this_thread().context("this system does not tell a thread's time");
    let start = clock()?;
    let result = run()?;
    Ok((result, clock()?.saturating_sub(start)))
}

/// Fuel in a millisecond.
fn rate(outcome: &Outcome, time: Duration) -> f64 {
    outcome.fuel_used as f64 / time.as_secs_f64() / 1_000.0
}

fn in_sandbox(program: &Program, input: &[u8]) -> anyhow::Result<Outcome> {
    let limits = Limits {
        fuel: FUEL,
        ..Limits::default()
    };
    let invocation = Invocation::new(input.to_vec(), [0; 32]);
    let outcome = program.run(&invocation, &limits, &Cancel::new())?;
    ensure!(
        outcome.exit == Exit::Success,
        "the program ended with {:?}",
        outcome.exit
    );
    Ok(outcome)
}

fn input(samples: u32) -> anyhow::Result<Vec<u8>> {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/scene/quern.scene");
    let bundle =
        bundle::pack(&scene).with_context(|| format!("cannot pack {}", scene.display()))?;
    let frame = Frame {
        width: 1280,
        height: 720,
        samples,
        seed: 2018,
    };
    Ok(tile::tile_input(&bundle, &TileRequest::new(frame, TILE)?))
}

fn path_tracer() -> anyhow::Result<Vec<u8>> {
    let folder = std::env::var_os("QUERN_PROGRAMS_DIR")
        .map_or_else(|| "target/programs".into(), std::path::PathBuf::from);
    let path = folder.join("path-tracer.wasm");
    std::fs::read(&path).with_context(|| {
        format!(
            "cannot read {}; build it with `cargo xtask programs`",
            path.display()
        )
    })
}
