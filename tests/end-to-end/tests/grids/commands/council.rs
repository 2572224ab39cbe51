//! What the council decides, by motions of its members.

use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Quern, says};
use quern_local_grid::{OPERATOR, development_account};
use serde_json::{Value, json};

/// Who gets the council's second seat.
const SECOND: &str = "//Bob";

/// Who has no seat.
const STRANGER: &str = "//Eve//stash";

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

async fn is_verified(quern: &Quern, device: &str) -> anyhow::Result<bool> {
    let shown = quern.does(&["device", "show", device]).await?;
    Ok(shown["verified"] == Value::Bool(true))
}
