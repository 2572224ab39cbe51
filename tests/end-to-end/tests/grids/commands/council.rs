//! What the council decides, by motions of its members.

use super::{copying, submitted};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_local_grid::{OPERATOR, OWNER, development_account};
use serde_json::{Value, json};
use std::time::Duration;

/// Who gets the council's second seat.
const SECOND: &str = "//Bob";

/// Who has no seat.
const STRANGER: &str = "//Eve//stash";

/// How long to wait before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A council of one decides at once; one of two when both have voted.
pub(super) async fn decides(bench: &Bench) -> anyhow::Result<()> {
    let (first, second) = (Quern::new(bench, OPERATOR)?, Quern::new(bench, SECOND)?);
    let stranger = Quern::new(bench, STRANGER)?;
    let worker = bench.grid.workers.first().context("there is no worker")?;
    let device = worker.device.to_string();
    let verify = ["council", "propose", "verify-device", &device];
    stranger
        .refuses(1, &["no member of the council", "--account"], &verify)
        .await?;

    // The chain refuses what was decided, and nothing is done.
    let unverify = ["council", "propose", "unverify-device", &device];
    first
        .refuses(1, &["nothing is done", "Roster.NotVerified"], &unverify)
        .await?;
    // A parameter is set within its bounds, and what is beyond them is not even proposed.
    let set = |value| ["council", "propose", "set-parameter", "re-execution", value];
    first
        .refuses(1, &["re-execution", "between 1 ‰ and 1000 ‰"], &set("1001"))
        .await?;
    let made = first.does(&set("90")).await?;
    says(
        &made,
        &json!({ "done": "made", "words": "set re-execution to 90 ‰" }),
    )?;
    let shown = first.does(&["params"]).await?;
    says(
        &shown["params"][2],
        &json!({ "name": "re-execution", "value": "90", "most": "1000" }),
    )?;
    let seat = ["council", "propose", "add-member", SECOND];
    let made = first.does(&seat).await?;
    says(&made, &json!({ "done": "made", "open": null }))?;
    let council = first.does(&["council", "show"]).await?;
    says(&council, &json!({ "majority": 2, "motions": [] }))?;
    let bob = development_account(SECOND)?.id().to_string();
    let members = council["members"].as_array().context("no members")?;
    ensure!(
        members.len() == 2 && members.contains(&json!(bob)),
        "other members: {council}"
    );

    let open = first.does(&verify).await?;
    says(&open, &json!({ "done": "proposed" }))?;
    says(&open["open"], &json!({ "threshold": 2, "decided": false }))?;
    let number = open["open"]["number"].to_string();
    first
        .refuses(1, &["proposed already", &number], &verify)
        .await?;
    let yes = ["council", "vote", &number, "yes"];
    let voted = first.does(&yes).await?;
    says(
        &voted,
        &json!({ "done": "voted", "motion": open["motion"] }),
    )?;
    says(&voted["open"], &json!({ "decided": false }))?;
    first.refuses(1, &["voted so"], &yes).await?;
    let close = ["council", "close", &number];
    stranger
        .refuses(1, &["is not decided", "1 more"], &close)
        .await?;
    let voted = second.does(&yes).await?;
    says(&voted["open"], &json!({ "decided": true }))?;
    ensure!(!is_verified(&first, &device).await?, "it is verified early");
    // Whoever closes it pays for that, and needs no seat.
    let closed = stranger.does(&close).await?;
    let words = format!("verify device {device}");
    says(&closed, &json!({ "done": "made", "words": words }))?;
    ensure!(is_verified(&first, &device).await?, "it is not verified");
    stranger
        .refuses(1, &["no motion", "council show"], &close)
        .await?;

    let open = second.does(&unverify).await?;
    let number = open["open"]["number"].to_string();
    let voted = second.does(&["council", "vote", &number, "no"]).await?;
    says(&voted["open"], &json!({ "decided": true }))?;
    let closed = second.does(&["council", "close", &number]).await?;
    says(&closed, &json!({ "done": "rejected" }))?;
    ensure!(is_verified(&first, &device).await?, "it is not verified");
    let council = first.does(&["council", "show"]).await?;
    says(&council, &json!({ "motions": [] }))
}

/// The account of the only worker, which is connected and idle, is banned and let in again. What the
/// council does needs both its members by now.
pub(super) async fn bans(bench: &Bench) -> anyhow::Result<()> {
    let quern = Quern::new(bench, OWNER)?;
    let worker = bench.grid.workers.first().context("there is no worker")?;
    let (device, account) = (worker.device.to_string(), worker.account.to_string());
    let explain = ["explain", "device", &device];
    decided(bench, ["ban", &account]).await?;
    let shown = quern.does(&["device", "show", &device]).await?;
    says(&shown, &json!({ "banned": true }))?;
    // The masternode looks its devices up every half minute.
    let is_ban = |reason: &Value| reason["rule"] == "banned";
    loop {
        let told = quern.does(&explain).await?;
        let mut reasons = told["reasons"].as_array().into_iter().flatten();
        if told["state"]["connected"] == false && reasons.any(is_ban) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let listed = quern.does(&["grid", "devices"]).await?;
    let gone = json!({ "device": device, "connected": false });
    says(&listed[0], &gone)?;
    let look = quern.does(&["grid", "watch"]).await?;
    says(&look["grid"], &json!({ "devices": 0 }))?;

    let copying = copying(bench, "barred")?;
    let copying: Vec<_> = copying.iter().map(String::as_str).collect();
    let submit = ["job", "submit", "--yes", "--split", "none", "--single"];
    let submit = [&submit[..], &copying[..]].concat();
    let nobody = ["no device is connected", "--anyway"];
    quern.refuses(1, &nobody, &submit).await?;
    let job = submitted(&quern, bench, "barred", &["--single", "--anyway"]).await?;
    let waits = json!({ "tasks": 1, "waiting": 1, "running": 0, "replicas": 0 });
    let explained = quern.does(&["explain", "job", &job]).await?;
    says(&explained["status"], &waits)?;

    decided(bench, ["lift-ban", &account]).await?;
    let (code, told) = quern.tells(&["job", "watch", &job]).await?;
    let end = told.last().context("nothing is told")?;
    ensure!(code == 0, "watching ended with {code}: {told:?}");
    says(end, &json!({ "job": job, "end": "all_settled" }))?;
    let told = quern.does(&explain).await?;
    let banned = told["reasons"]
        .as_array()
        .is_some_and(|reasons| reasons.iter().any(is_ban));
    ensure!(told["state"]["connected"] == true && !banned, "{told}");
    Ok(())
}

/// What both members voted for, which may be closed. Returns its number.
async fn proposed(bench: &Bench, decision: [&str; 2]) -> anyhow::Result<String> {
    let (first, second) = (Quern::new(bench, OPERATOR)?, Quern::new(bench, SECOND)?);
    let propose = [&["council", "propose"][..], &decision].concat();
    let open = first.does(&propose).await?;
    let number = open["open"]["number"].to_string();
    let yes = ["council", "vote", &number, "yes"];
    tokio::try_join!(first.does(&yes), second.does(&yes))?;
    Ok(number)
}

async fn decided(bench: &Bench, decision: [&str; 2]) -> anyhow::Result<()> {
    let number = proposed(bench, decision).await?;
    let council = Quern::new(bench, OPERATOR)?;
    let closed = council.does(&["council", "close", &number]).await?;
    says(&closed, &json!({ "done": "made" }))
}

async fn is_verified(quern: &Quern, device: &str) -> anyhow::Result<bool> {
    let shown = quern.does(&["device", "show", device]).await?;
    Ok(shown["verified"] == Value::Bool(true))
}
