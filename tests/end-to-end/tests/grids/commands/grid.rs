//! How devices stand, what explains it, and what a job is told before it is paid.

use super::{HOLDER, copying, submitted};
use anyhow::{Context as _, ensure};
use jsonrpsee::{core::client::ClientT as _, rpc_params, ws_client::WsClientBuilder};
use quern_end_to_end::{Bench, Owner, Quern, says};
use quern_grid::lottery::{Calendar, Draw, Lot, day_of};
use quern_ledger::Bond;
use quern_local_grid::{OWNER, development_account, find_program};
use quern_masternode::{lottery_winners, lottery_winners_of};
use quern_primitives::{
    DeviceId, JobId, amount::BYTECHIP, device::Device, job::Agreement, limits::DAY_BLOCKS,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

/// Where a node keeps the randomness of BABE's epoch, as the auditors' guide names it.
const RANDOMNESS: &str = "0x1cb6f36e027abb2091cfb5110ab5087f7a414cb008e0e61e46722aa60abdd672";

/// Where it keeps that of the next epoch, `Babe.NextRandomness`.
const NEXT_RANDOMNESS: &str = "0x1cb6f36e027abb2091cfb5110ab5087f7ce678799d3eff024253b90e84927cc6";

/// By so many other numbers it is drawn at the most until somebody wins: of about forty one does.
const SEEDS: u32 = 4_096;

/// Writes the specification of a development chain that begins with randomness, so that what is read of
/// it can be told from what is not there. Other chains have none in their first eight minutes. Returns
/// where it is.
pub(crate) fn seeded(folder: &Path, seed: [u8; 32]) -> anyhow::Result<String> {
    let exported = Command::new(find_program(None, "quern-node")?)
        .args(["export-chain-spec", "--chain", "dev", "--raw"])
        .output()?;
    let status = exported.status;
    ensure!(status.success(), "exporting the chain ended with {status}");
    let mut spec: Value = serde_json::from_slice(&exported.stdout)?;
    let state = spec["genesis"]["raw"]["top"].as_object_mut();
    let state = state.context("the chain is not raw")?;
    let seed = format!("0x{}", hex::encode(seed));
    for key in [RANDOMNESS, NEXT_RANDOMNESS] {
        state.insert(key.to_owned(), json!(seed));
    }
    let path = folder.join("chain.json");
    fs::write(&path, serde_json::to_vec(&spec)?)?;
    Ok(path.display().to_string())
}

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

/// A day of the lottery takes as long as a day. What is read at its first block is read here at another,
/// and a day that is to come is drawn from it.
pub(super) async fn drawn_later(bench: &Bench) -> anyhow::Result<()> {
    let state = bench.chain.at_finalised().await?;
    let block = state.block();
    let seed = state.lottery_seed().await?;
    ensure!(seed != [0; 32], "no randomness is read");
    let node = WsClientBuilder::default().build(bench.grid.node_url());
    let hash = format!("0x{}", hex::encode(block.hash));
    let asked = rpc_params![RANDOMNESS, hash];
    let stored: Option<String> = node.await?.request("state_getStorage", asked).await?;
    let read = format!("0x{}", hex::encode(seed));
    ensure!(
        stored.as_ref() == Some(&read),
        "{read} is read, and the chain holds {stored:?}"
    );

    let day = day_of(block.number) + 1;
    let draw = Draw::new(seed, day);
    let (mut registered, mut drew) = (Vec::new(), Vec::new());
    let draws = |id: DeviceId, device: Device| {
        let last_task = device.last_task;
        registered.push(id);
        drew.extend(draw.lot(&id, last_task).map(|lot| (id, last_task, lot)));
    };
    state.each_device(draws).await?;
    let worker = bench.grid.workers.first().context("there is no worker")?;
    ensure!(registered.contains(&worker.device), "it is not registered");
    let known = state.device(worker.device).await?;
    let last_task = known.context("the chain lost the device")?.device.last_task;
    let of_worker = drew.iter().find(|(id, ..)| *id == worker.device);
    let (_, read, lot) = of_worker.context("a device that had a task does not draw")?;
    ensure!(
        *read == last_task && (1..=block.number).contains(read),
        "it had its last task in block {last_task}, not in {read}"
    );
    let hours = f64::from(day * DAY_BLOCKS - last_task) / 1_800.0;
    ensure!(
        (lot.hours - hours).abs() < 1e-9 && lot.chance > 0.0 && (0.0..1.0).contains(&lot.drawn),
        "it draws otherwise: {lot:?}"
    );
    // What a masternode draws at a day's first block it draws here. The worker seldom wins, so it is drawn
    // once more, by the first number by which it does.
    let expected = |draw: Draw| -> BTreeSet<_> {
        let wins = |(id, last_task, _): &(DeviceId, u32, Lot)| {
            let lot = draw.lot(id, *last_task);
            lot.is_some_and(|lot| lot.wins()).then_some(*id)
        };
        drew.iter().filter_map(wins).collect()
    };
    let (winners, theirs) = (
        lottery_winners(&state, day, Calendar::default()).await?,
        expected(draw),
    );
    ensure!(winners == theirs, "{winners:?}, not {theirs:?}");
    let by_number = |number: u32| {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        Draw::new(seed, day)
    };
    let mut draws = (0..SEEDS).map(by_number);
    let draw = draws.find(|draw| !expected(*draw).is_empty());
    let draw = draw.context("nobody wins by any number")?;
    let (winners, theirs) = (lottery_winners_of(&state, draw).await?, expected(draw));
    ensure!(winners == theirs, "{winners:?}, not {theirs:?}");
    let seed = [0; 32];
    let other = Draw::new(seed, day).lot(&worker.device, last_task);
    let other = other.context("it does not draw")?;
    ensure!(other.drawn != lot.drawn, "it is not drawn from the seed");
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
        .refuses(
            1,
            &["does not know the device"],
            &["explain", "device", &nobody],
        )
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
    let elsewhere = ["--replication", "1", "--region", "asia-pacific"];
    quern
        .refuses(
            1,
            &["meets what is asked for"],
            &[&plan[..], &elsewhere].concat(),
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
    // One account of one may collude, so only who assumes that it does not gets a promise.
    let quote = with("quote", &["--wrong-at-most", "1%", "--colluders", "0"]);
    let quoted = quern.does(&quote).await?;
    says(&quoted, &json!({ "replicas": 1, "wrong_at_most": 0.01 }))?;
    says(&quoted["confidence"], &json!({ "wrong_and_final": 0.0 }))?;
    let quote = with("quote", &["--wrong-at-most", "1%"]);
    let words = ["no agreement keeps", "c = 1, n = 1", "accept that much"];
    quern.refuses(1, &words, &quote).await?;
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
    handed_in(bench, &submit).await
}

/// A job that nobody could compute takes nothing of its owner, who does nothing else meanwhile. One that
/// names a largest failure probability is on the chain with the agreement that was found for it.
async fn handed_in(bench: &Bench, submit_elsewhere: &[&str]) -> anyhow::Result<()> {
    let (quern, owner) = (Quern::new(bench, HOLDER)?, Owner::new(bench, HOLDER)?);
    let list = ["job", "list"];
    let (wallet, jobs) = (owner.wallet().await?, quern.does(&list).await?);
    let words = ["no connected device", "--anyway"];
    quern.refuses(1, &words, submit_elsewhere).await?;
    ensure!(owner.wallet().await? == wallet, "money went");
    let listed = quern.does(&list).await?;
    ensure!(listed == jobs, "there are other jobs: {listed}");

    let probability = ["--failure-probability-max", "60%"];
    let name = submitted(&quern, bench, "probable", &probability).await?;
    let job: JobId = serde_json::from_value(json!(name))?;
    let known = bench.job(job).await?;
    ensure!(
        known.submission.agreement == Agreement::Single,
        "another agreement is on the chain: {:?}",
        known.submission.agreement
    );
    let shown = quern.over(&name).await?;
    says(&shown, &json!({ "job": name, "settled_tasks": 1 }))?;
    let listed = quern.does(&list).await?;
    ensure!(
        listed
            .as_array()
            .is_some_and(|jobs| jobs.iter().any(|it| it["job"] == *name)),
        "it is not among {listed}"
    );
    Ok(())
}
