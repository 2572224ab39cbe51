//! What is told of a job's tasks before anything is paid.

use super::{TEXT, copying};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_local_grid::{OWNER, find_program};
use serde_json::{Value, json};
use std::{fs, process::Stdio};
use tokio::process::Command;

/// Both tasks of a job that copies two lines, with a chain and without one.
pub(super) async fn tried(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let copying = copying(bench, "tried")?;
    let copying: Vec<_> = copying.iter().map(String::as_str).collect();
    let with = |more: &[&'static str]| {
        let start: [&str; 6] = ["job", "try", "--split", "lines", "--shard-size", "4"];
        [&start[..], &copying[..], more].concat()
    };
    let result = bench.folder().join("tried.result");
    let path = result.display().to_string();
    let all = [&with(&["--all"])[..], &["--output", &path]].concat();
    let answer = quern.does(&all).await?;
    says(
        &answer,
        &json!({ "tasks": 2, "error": null, "output": path, "output_bytes": TEXT.len() }),
    )?;
    let tasks = answer["tried"].as_array().context("nothing is tried")?;
    ensure!(tasks.len() == 2, "others are tried: {answer}");
    for (place, task) in tasks.iter().enumerate() {
        says(
            task,
            &json!({ "task": place, "shard_bytes": 4, "exit": "success", "output_bytes": 4 }),
        )?;
    }
    ensure!(fs::read_to_string(&result)? == TEXT, "another result");
    let fuel = &answer["fuel_per_task_max"];
    says(
        &answer["offer"],
        &json!({ "tasks": 2, "fuel_per_task_max": fuel }),
    )?;
    ensure!(answer["offer"]["total"].is_string(), "no price: {answer}");

    let last = quern.does(&with(&["--shard", "1"])).await?;
    says(&last["tried"][0], &json!({ "task": 1, "exit": "success" }))?;
    let kept = fs::read_to_string(quern.home().join("trial.result"))?;
    ensure!(kept == "two\n", "another result: {kept}");
    quern
        .refuses(1, &["no shard 2"], &with(&["--shard", "2"]))
        .await?;
    let starved = with(&["--shard", "1", "--fuel", "10"]);
    let words = ["task 1 used up 10 units of fuel", "--fuel"];
    quern.refuses(1, &words, &starved).await?;

    // What a task takes is told where no chain is.
    let alone = Command::new(find_program(None, "quern")?)
        .args(["--json", "--node", "ws://127.0.0.1:1", "--home"])
        .arg(quern.home())
        .args(&all)
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(alone.status.success(), "{alone:?}");
    let alone: Value = serde_json::from_slice(&alone.stdout)?;
    says(
        &alone,
        &json!({ "error": null, "offer": null, "fuel_per_task_max": fuel }),
    )?;
    let why = alone["offer_unknown"].as_str().unwrap_or_default();
    ensure!(why.contains("no node answers"), "{alone}");
    for (here, there) in tasks
        .iter()
        .zip(alone["tried"].as_array().into_iter().flatten())
    {
        ensure!(here["fuel"] == there["fuel"], "{here} and {there} differ");
    }
    Ok(())
}
