//! The grid as a person watches it.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern};
use quern_local_grid::OWNER;

/// What a program writes that draws on the whole terminal, and when it gives it back as it was.
const ENTERS: &str = "\u{1b}[?1049h";
const LEAVES: &str = "\u{1b}[?1049l";

/// Letters of a device's name that are shown where there is little room.
const SHORT: usize = 12;

/// On a terminal the grid is drawn, and again with each key, until one quits.
pub(super) async fn watched(bench: &Bench) -> anyhow::Result<()> {
    let worker = bench.grid.workers.first().context("there is no worker")?;
    let device: String = worker.device.to_string().chars().take(SHORT).collect();
    let quern = Quern::new(bench, OWNER)?;
    let mut terminal = quern.on_terminal(&["grid", "watch"])?;
    terminal.shows(ENTERS).await?;
    terminal.shows(&device).await?;
    // The tabulator marks the other panel.
    terminal.shows("devices ◂").await?;
    terminal.press("\t").await?;
    terminal.shows("jobs ◂").await?;
    terminal.press("q").await?;
    let (code, shown) = terminal.ends().await?;
    ensure!(code == 0, "it ended with {code}: {shown:?}");
    let (_, after) = shown.rsplit_once(ENTERS).context("it drew nothing")?;
    ensure!(
        after.contains(LEAVES),
        "the terminal is not given back: {shown:?}"
    );
    Ok(())
}
