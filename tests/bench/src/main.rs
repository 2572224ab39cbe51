//! Measures what Quern claims, each value beside a reference: the real programs as processes of
//! their own on loopback, and the sandbox beside native code.

mod answering;
mod bare;
mod devices;
mod dispatch;
mod fetching;
mod known;
mod lag;
mod makespan;
mod near_end;
mod overhead;
mod ranking;
mod report;
mod sandboxed;
mod sealing;
mod settling;
mod usage;
mod verifying;
mod waiting;
mod world;

use anyhow::Context as _;
use clap::Parser;
use quern_local_grid::told_to_stop;
use report::{Row, say};
use settling::Settling;
use std::{
    path::{Path, PathBuf},
    pin::{Pin, pin},
    process::ExitCode,
};
use world::World;

/// How a program that was interrupted ends.
const INTERRUPTED: u8 = 130;

/// Measures, prints a table and writes `report.json`. Fails when a value misses its bar.
#[derive(Parser)]
struct Arguments {
    /// Measure only this; may be given more than once.
    #[arg(long, value_name = "NAME", value_parser = NAMES)]
    only: Vec<String>,
    /// Fewer tasks and rounds: shows that everything works, the values are coarser.
    #[arg(long)]
    quick: bool,
    /// Where report and logs go.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Prepare a job of this file, and say how much memory that took. This program calls itself so.
    #[arg(long, value_name = "FILE", hide = true)]
    prepare_alone: Option<PathBuf>,
    /// Serve what is in this folder, and say where. This program calls itself so.
    #[arg(long, value_name = "DIR", hide = true, requires = "serve_seed")]
    serve_content: Option<PathBuf>,
    /// The seed of the key of who serves.
    #[arg(long, value_name = "NUMBER", hide = true)]
    serve_seed: Option<u8>,
}

const NAMES: [&str; 37] = [
    ranking::SORT,
    ranking::RANK,
    ranking::QUEUED,
    ranking::AFRESH,
    ranking::POOLS,
    ranking::SCHEDULE,
    known::KNOWN,
    known::CONNECTED,
    waiting::EXCHANGE,
    waiting::RANKED,
    near_end::IDLE,
    makespan::BOUND,
    makespan::REAL_CORE,
    makespan::SIMPLER,
    makespan::LIFELIKE,
    makespan::LIFELIKE_SIMPLER,
    makespan::NO_FAULTS,
    makespan::MANY_FAULTS,
    makespan::FIRM,
    makespan::OPINIONS,
    dispatch::DISPATCH,
    dispatch::BARE,
    dispatch::SETTLED,
    settling::SETTLED,
    settling::BYTES,
    settling::WEIGHT,
    verifying::NAME,
    lag::NAME,
    sandboxed::PINNED,
    sandboxed::PORTABLE,
    sandboxed::BENCHMARK,
    sealing::SEAL,
    sealing::OPEN,
    sealing::PEAK,
    fetching::NAME,
    answering::NAME,
    overhead::NAME,
];

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(input) = &arguments.prepare_alone {
        return sealing::prepare_alone(input);
    }
    if let (Some(folder), Some(seed)) = (arguments.serve_content.clone(), arguments.serve_seed) {
        return tokio::task::spawn_blocking(move || fetching::serve(&folder, seed)).await?;
    }
    let folder = std::path::absolute(&arguments.folder)?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("cannot clear the folder of the last run")?;
    }
    std::fs::create_dir_all(&folder)?;

    let mut rows = Vec::new();
    if arguments.wants(known::KNOWN) || arguments.wants(known::CONNECTED) {
        rows.extend(known::measure(arguments.quick)?);
    }
    if arguments.wants(waiting::EXCHANGE) || arguments.wants(waiting::RANKED) {
        rows.extend(waiting::measure(arguments.quick)?);
    }
    if arguments.wants(near_end::IDLE) {
        rows.push(near_end::measure(arguments.quick)?);
    }
    let of_ranking = [
        ranking::SORT,
        ranking::RANK,
        ranking::QUEUED,
        ranking::AFRESH,
        ranking::POOLS,
        ranking::SCHEDULE,
    ];
    if of_ranking.iter().any(|name| arguments.wants(name)) {
        rows.extend(ranking::measure(arguments.quick)?);
    }
    let of_makespan = [
        makespan::BOUND,
        makespan::REAL_CORE,
        makespan::SIMPLER,
        makespan::LIFELIKE,
        makespan::LIFELIKE_SIMPLER,
        makespan::NO_FAULTS,
        makespan::MANY_FAULTS,
        makespan::FIRM,
        makespan::OPINIONS,
    ];
    if of_makespan.iter().any(|name| arguments.wants(name)) {
        let wants = |name: &str| arguments.wants(name);
        rows.extend(makespan::measure(arguments.quick, wants)?);
    }
    let of_sandbox = [sandboxed::PINNED, sandboxed::PORTABLE, sandboxed::BENCHMARK];
    if of_sandbox.iter().any(|name| arguments.wants(name)) {
        let quick = arguments.quick;
        rows.extend(tokio::task::spawn_blocking(move || sandboxed::measure(quick)).await??);
    }
    if arguments.wants(verifying::NAME) {
        rows.push(tokio::task::spawn_blocking(verifying::measure).await??);
    }
    rows.extend(of_sealing(&arguments, &folder).await?);
    if arguments.wants(fetching::NAME) {
        let (quick, folder) = (arguments.quick, folder.clone());
        let measured = tokio::task::spawn_blocking(move || fetching::measure(&folder, quick));
        rows.push(measured.await??);
    }
    if arguments.wants(answering::NAME) {
        let (quick, folder) = (arguments.quick, folder.clone());
        let measured = tokio::task::spawn_blocking(move || answering::measure(&folder, quick));
        rows.push(measured.await??);
    }
    let mut stop = pin!(told_to_stop());
    let Some(on_chain) = with_processes(&arguments, &folder, stop.as_mut()).await? else {
        say("told to stop; what had started is ended");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    rows.extend(on_chain);

    rows.retain(|row| arguments.wants(row.name));
    rows.sort_by_key(|row| NAMES.iter().position(|name| *name == row.name));
    report::print(&rows);
    let path = folder.join("report.json");
    report::write(&path, &rows)?;
    say(&format!("\nreport: {}", path.display()));
    let missed = rows.iter().filter(|row| row.misses_its_bar());
    let missed: Vec<_> = missed.map(|row| row.name).collect();
    if missed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("missed its bar: {}", missed.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// Sealing and opening, and the memory that preparing takes.
async fn of_sealing(arguments: &Arguments, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let wants_speed = arguments.wants(sealing::SEAL) || arguments.wants(sealing::OPEN);
    let wants_peak = arguments.wants(sealing::PEAK);
    let (quick, folder) = (arguments.quick, folder.to_owned());
    let measured = tokio::task::spawn_blocking(move || {
        let mut rows = Vec::new();
        if wants_speed {
            rows.extend(sealing::measure(&folder, quick)?);
        }
        if wants_peak {
            rows.push(sealing::peak(&folder, quick)?);
        }
        anyhow::Ok(rows)
    });
    measured.await?
}

/// What needs processes of their own, which are gone when this returns; `None` if `stop` resolves first.
async fn with_processes(
    arguments: &Arguments,
    folder: &Path,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Option<Vec<Row>>> {
    let no_grid = || format!("no grid; its logs are in {}", folder.display());
    let wants_any = |names: &[&str]| names.iter().any(|name| arguments.wants(name));
    let mut rows = Vec::new();
    if wants_any(&settling::NAMES) {
        let settling = Settling::start(folder, arguments.quick, stop.as_mut()).await;
        let Some(settling) = settling.with_context(no_grid)? else {
            return Ok(None);
        };
        let measured = unless(stop.as_mut(), settling.measure()).await;
        settling.grid.stop().await;
        let Some(measured) = measured else {
            return Ok(None);
        };
        rows.extend(measured?);
    }
    if wants_any(&dispatch::NAMES) || wants_any(&[overhead::NAME, lag::NAME]) {
        let world = World::start(folder, stop.as_mut()).await;
        let Some(world) = world.with_context(no_grid)? else {
            return Ok(None);
        };
        let measured = unless(stop, on_grid(&world, arguments)).await;
        world.grid.stop().await;
        let Some(measured) = measured else {
            return Ok(None);
        };
        rows.extend(measured?);
    }
    Ok(Some(rows))
}

/// What comes of it, unless `stop` resolves first.
async fn unless<T>(
    stop: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = stop => None,
    }
}

async fn on_grid(world: &World, arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    if arguments.wants(overhead::NAME) {
        rows.push(overhead::measure(world, arguments.quick).await?);
    }
    if dispatch::NAMES.iter().any(|name| arguments.wants(name)) {
        rows.extend(dispatch::measure(world, arguments.quick).await?);
    }
    if arguments.wants(lag::NAME) {
        rows.push(lag::measure(world, arguments.quick).await?);
    }
    Ok(rows)
}
