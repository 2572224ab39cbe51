//! How devices stand, what explains it, and what a job is told before it is paid.

use super::copying;
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_ledger::Bond;
use quern_local_grid::{OWNER, development_account};
use quern_primitives::amount::BYTECHIP;
use serde_json::json;
use std::time::Duration;

/// How the grid's only device stands, as everybody may ask.
pub(super) async fn drawn(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let drawn = quern.does(&["grid", "lottery"]).await?;
    let nobody = json!({ "day": 0, "block": 0, "won_until": 43_200, "seed": null, "devices": [] });
    says(&drawn, &nobody)?;
    let date = drawn["date"].as_str().context("no date")?;
    let again = quern.does(&["grid", "lottery", "--day", date]).await?;
    ensure!(again == drawn, "it is drawn otherwise: {again}");
    for (day, part) in [("2001-01-01", "began on"), ("9001-01-01", "is to come")] {
        quern
            .refuses(1, &[part, day], &["grid", "lottery", "--day", day])
            .await?;
    }
    quern
        .refuses(
            2,
            &["is no day", "2026-10-05"],
            &["grid", "lottery", "--day", "today"],
        )
        .await?;

    // What masternode and command read of the chain's storage.
    let state = bench.chain.at_finalised().await?;
    let worker = bench.grid.workers.first().context("there is no worker")?;
    let mut owners = Vec::new();
    state
        .each_device(|id, device| owners.push((id, device.account)))
        .await?;
    let owned = (worker.device, worker.account.clone());
    ensure!(
        owners.contains(&owned),
        "the device is not among {owners:?}"
    );
    let bond = Bond {
        active: 1_000 * BYTECHIP,
        devices: 1,
    };
    ensure!(
        state.bond_of(&worker.account).await? == bond,
        "another bond"
    );
    let nobody = development_account("//Nobody")?.id();
    let none = state.bond_of(&nobody).await?;
    ensure!(none == Bond::default(), "a bond of nobody: {none:?}");
    Ok(())
}

pub(super) async fn scheduled(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let worker = bench.grid.workers.first().context("there is no worker")?;
    let (device, account) = (worker.device.to_string(), worker.account.to_string());
    // It is ranked soon after it said hello.
    let listed = loop {
        let listed = quern.does(&["grid", "devices"]).await?;
        if listed[0]["byte_rank"] == 1 {
            break listed;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let state = json!({ "device": device, "account": account, "connected": true, "ranked": 1 });
    says(&listed[0], &state)?;

    // There is no terminal, so it is shown once.
    let look = quern.does(&["grid", "watch"]).await?;
    says(
        &look["grid"],
        &json!({ "devices": 1, "accounts": 1, "ranked": 1 }),
    )?;
    let url = look["masternode"].as_str().context("no masternode")?;
    let named = ["grid", "devices", "--masternode", url, "--most", "1"];
    says(&quern.does(&named).await?[0], &state)?;
    quern
        .refuses(
            1,
            &["ws://127.0.0.1:1", "cannot be reached"],
            &["grid", "watch", "--masternode", "ws://127.0.0.1:1"],
        )
        .await?;

    let owned = quern.does(&["device", "list", "--owner", &account]).await?;
    says(&owned[0], &json!({ "id": device }))?;
    let seen = json!({ "masternode": url, "connected_to": 1, "byte_rank": 1 });
    says(&owned[0]["grid"], &seen)?;
    let shown = quern.does(&["device", "show", &device]).await?;
    says(&shown["grid"], &seen)?;
    let parts = shown["grid"]["parts"].as_object().context("no parts")?;
    ensure!(parts.len() == 6, "the score has other parts: {shown}");
    let explained = quern.does(&["explain", "device", &device]).await?;
    says(&explained["state"], &state)?;
    let nobody = "ff".repeat(32);
    quern
        .refuses(1, &["knows the device"], &["explain", "device", &nobody])
        .await?;

    let plan = ["plan", "--live", "--tasks", "10"];
    let planned = quern
        .does(&[&plan[..], &["--replication", "1"]].concat())
        .await?;
    says(&planned, &json!({ "devices": 1, "replicas": 10 }))?;
    says(
        &planned["live"],
        &json!({ "masternode": url, "masternodes": 1 }),
    )?;
    quern
        .refuses(
            1,
            &["out of reach"],
            &[&plan[..], &["--confidence", "99.9999%"]].concat(),
        )
        .await?;

    let copying = copying(bench, "asking")?;
    let copying: Vec<_> = copying.iter().map(String::as_str).collect();
    let with = |command: &'static str, more: &[&'static str]| {
        let start: [&str; 4] = ["job", command, "--split", "none"];
        [&start[..], &copying[..], more].concat()
    };
    let quote = with("quote", &["--failure-probability-max", "60%"]);
    let quoted = quern.does(&quote).await?;
    says(&quoted, &json!({ "replicas": 1 }))?;
    says(&quoted["certainty"], &json!({ "replicas": 1 }))?;
    let quote = with("quote", &["--failure-probability-max", "1e-9"]);
    quern
        .refuses(1, &["out of reach", "--replicas"], &quote)
        .await?;
    let quote = with("quote", &["--region", "asia-pacific"]);
    let quoted = quern.does(&quote).await?;
    says(
        &quoted["preferences"],
        &json!({ "regions": ["asia_pacific"] }),
    )?;
    let none = json!({ "devices": 0, "of": 1, "masternodes": 1, "lack": "matches" });
    says(&quoted["matching"], &none)?;
    let quoted = quern.does(&with("quote", &["--single"])).await?;
    says(&quoted["matching"], &json!({ "devices": 1, "lack": null }))?;
    let submit = with("submit", &["--yes", "--region", "asia-pacific"]);
    quern
        .refuses(1, &["no connected device", "--anyway"], &submit)
        .await
}
