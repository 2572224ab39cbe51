//! Measures what Quern claims, each value beside a reference: the real programs as processes of
//! their own on loopback, and the sandbox beside native code.

mod dispatch;
mod overhead;
mod report;
mod sandboxed;
mod usage;
mod world;

use anyhow::Context as _;
use clap::Parser;
use report::{Row, say};
use std::path::PathBuf;
use world::World;

/// Measures, prints a table and writes `report.json`.
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
}

const NAMES: [&str; 5] = [
    dispatch::DISPATCH,
    dispatch::SETTLED,
    sandboxed::PINNED,
    sandboxed::PORTABLE,
    overhead::NAME,
];

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = std::path::absolute(&arguments.folder)?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("cannot clear the folder of the last run")?;
    }
    std::fs::create_dir_all(&folder)?;

    let mut rows = Vec::new();
    if arguments.wants(sandboxed::PINNED) || arguments.wants(sandboxed::PORTABLE) {
        let quick = arguments.quick;
        rows.extend(tokio::task::spawn_blocking(move || sandboxed::measure(quick)).await??);
    }
    let of_grid = [dispatch::DISPATCH, dispatch::SETTLED, overhead::NAME];
    if of_grid.iter().any(|name| arguments.wants(name)) {
        let world = World::start(&folder)
            .await
            .with_context(|| format!("no grid; its logs are in {}", folder.display()))?;
        let measured = tokio::select! {
            measured = on_grid(&world, &arguments) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        world.grid.stop().await;
        rows.extend(measured?);
    }

    rows.retain(|row| arguments.wants(row.name));
    rows.sort_by_key(|row| NAMES.iter().position(|name| *name == row.name));
    report::print(&rows);
    let path = folder.join("report.json");
    report::write(&path, &rows)?;
    say(&format!("\nreport: {}", path.display()));
    Ok(())
}

async fn on_grid(world: &World, arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    if arguments.wants(overhead::NAME) {
        rows.push(overhead::measure(world, arguments.quick).await?);
    }
    if arguments.wants(dispatch::DISPATCH) || arguments.wants(dispatch::SETTLED) {
        rows.extend(dispatch::measure(world, arguments.quick).await?);
    }
    Ok(rows)
}
