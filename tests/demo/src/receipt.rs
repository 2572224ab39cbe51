//! One receipt, checked as anyone could: by `quern verify`.

use crate::{quern, show::Show};
use anyhow::{Context as _, ensure};
use quern_jobs_api::JobsApiClient as _;
use quern_local_grid::LocalGrid;
use quern_owner::Coordinator;
use quern_primitives::{
    JobId,
    verdict::{Finding, ReceiptFile},
};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// How long checking may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Saves the receipt of a wrong answer, has it checked and shows what was found. Fails if the
/// receipt does not hold.
pub(crate) async fn show(
    grid: &LocalGrid,
    coordinator: &Coordinator,
    folder: &Path,
    job: JobId,
    show: &Show,
) -> anyhow::Result<()> {
    let file = wrong_receipt(coordinator, job).await?;
    let path = folder.join("receipt.json");
    std::fs::write(&path, serde_json::to_string_pretty(&file)?)?;
    let quern = quern()?;
    show.whole(&format!(
        "verify       {} verify {} --node {}",
        quern.display(),
        path.display(),
        grid.node_url()
    ));
    let ran = Command::new(quern)
        .arg("verify")
        .arg(&path)
        .args(["--node", grid.node_url()])
        // It needs nothing of anybody's home.
        .arg("--home")
        .arg(folder.join("home"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ran = tokio::time::timeout(PATIENCE, ran)
        .await
        .context("`quern verify` does not end")?
        .context("cannot start `quern verify`")?;
    for line in String::from_utf8_lossy(&ran.stdout).lines() {
        show.line(&format!("             {line}"));
    }
    ensure!(
        ran.status.success(),
        "`quern verify` says that a receipt of the grid does not hold: {}",
        String::from_utf8_lossy(&ran.stderr).trim()
    );
    Ok(())
}

/// The receipt of a wrong answer if there is one, else of the first replica.
async fn wrong_receipt(coordinator: &Coordinator, job: JobId) -> anyhow::Result<ReceiptFile> {
    let client = coordinator.client();
    let mut first = None;
    for settled in client.receipts(job, 0).await? {
        let Some(replica) = settled.replicas.first() else {
            continue;
        };
        let file = client.receipt(job, settled.task, *replica).await?;
        let mut found = file.verdict.replicas.iter();
        if let Some(wrong) = found.find(|found| found.finding == Finding::Incorrect) {
            return Ok(client.receipt(job, settled.task, wrong.replica).await?);
        }
        first.get_or_insert(file);
    }
    first.context("the job has no receipt")
}
