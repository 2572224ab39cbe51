//! A coordinator that leaves out an answer that it acknowledged: the worker notices by itself, shows the chain
//! the coordinator's word, and gets its part of the bond. Where the coordinator is honest no worker claims
//! anything.

use super::lying::{Before, TASKS, batch, handed_in, lying, settled, words};
use anyhow::{Context as _, ensure};
use quern_end_to_end::{Bench, Owner, Quern, case, run, says};
use quern_ledger::Call;
use quern_local_grid::{OPERATOR, WORKERS, find_program};
use quern_primitives::{JobId, batch::BatchState, job::Agreement};
use quern_worker::acknowledgements::read;
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The account that puts up the bonds of all workers: none of theirs, and nobody's owner.
const CLAIMANT: &str = "//Eve";

/// The window in which a batch can be disputed, in blocks of two seconds. Workers look six times in it.
const WINDOW: &str = "120";

/// How tasks are judged.
const THREE: Agreement = Agreement::Majority { replicas: 3 };

/// Pause between two looks at something that takes its time.
const PAUSE: Duration = Duration::from_millis(300);

#[test]
fn a_worker_that_was_left_out_notices_it_by_itself_and_convicts_the_coordinator() {
    run(async {
        let folder = tempfile::tempdir()?;
        let liar = lying(folder.path(), "keep-back")?;
        let worker = claiming(folder.path())?;
        let bench = Bench::start_as(|plan| {
            plan.workers = vec![Some(worker); 3];
            plan.masternode_program = Some(liar);
            plan.settle_wait_seconds = 1;
        })
        .await?;
        let name = "a worker claims what was left out";
        let outcome = case(name, claimed(&bench)).await;
        bench.conclude(outcome).await
    });
}

#[test]
fn a_worker_that_was_left_out_and_is_let_in_no_more_convicts_the_coordinator_all_the_same() {
    run(async {
        let folder = tempfile::tempdir()?;
        let liar = lying(folder.path(), "keep-back")?;
        let worker = claiming(folder.path())?;
        let mut bench = Bench::start_as(|plan| {
            plan.workers = vec![Some(worker); 3];
            plan.masternode_program = Some(liar);
            plan.settle_wait_seconds = 1;
        })
        .await?;
        let name = "a worker whose device was retired claims what was left out";
        let outcome = case(name, claimed_after_all(&mut bench)).await;
        bench.conclude(outcome).await
    });
}

/// A program that is the worker, with a key for claims beside its settings.
fn claiming(folder: &Path) -> anyhow::Result<PathBuf> {
    let program = find_program(None, "quern-worker")?;
    let path = folder.join("worker");
    fs::write(
        &path,
        format!(
            "#!/bin/sh\numask 077\nfor last; do :; done\n\
             printf %s '{CLAIMANT}' > \"$(dirname \"$last\")/claims.key\"\n\
             exec {program:?} \"$@\"\n"
        ),
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

async fn claimed(bench: &Bench) -> anyhow::Result<()> {
    window(bench).await?;
    let before = Before::of(bench, CLAIMANT).await?;
    let (job, _) = settled(bench, THREE).await?;
    convicted(bench, &before, job).await
}

/// All workers are stopped when all they did is acknowledged, before anything is settled; when they come back their
/// devices are retired, and the masternode lets none of them in.
async fn claimed_after_all(bench: &mut Bench) -> anyhow::Result<()> {
    window(bench).await?;
    let before = Before::of(bench, CLAIMANT).await?;
    let job = handed_in(bench, THREE).await?;
    for words in words(bench) {
        while !fs::exists(&words)? || read(Path::new(&words))?.len() < TASKS as usize {
            tokio::time::sleep(PAUSE).await;
        }
    }
    for worker in &mut bench.grid.workers {
        worker.part.stop().await;
    }
    for (account, worker) in WORKERS.iter().zip(&bench.grid.workers) {
        let owner = Owner::new(bench, account)?;
        owner.call(&Call::RetireDevice(worker.device)).await?;
    }
    for worker in &mut bench.grid.workers {
        worker.part.restart()?;
    }
    convicted(bench, &before, job).await?;
    let devices = Quern::new(bench, CLAIMANT)?
        .does(&["grid", "devices"])
        .await?;
    let devices = devices.as_array().context("there is no list")?;
    ensure!(
        devices.iter().all(|device| device["connected"] == false),
        "a device is let in: {devices:?}"
    );
    Ok(())
}

async fn window(bench: &Bench) -> anyhow::Result<()> {
    let council = Quern::new(bench, OPERATOR)?;
    let set = ["council", "propose", "set-parameter", "window", WINDOW];
    let made = council.does(&set).await?;
    says(&made, &json!({ "done": "made" }))
}

/// A worker shows what was left out, and has its part of the coordinator's bond. Nobody does anything but the workers.
async fn convicted(bench: &Bench, before: &Before, job: JobId) -> anyhow::Result<()> {
    let name = job.to_string();
    let quern = Quern::new(bench, CLAIMANT)?;
    let proved = loop {
        let proved = quern.does(&["dispute", "proved", &name]).await?;
        if proved["proved"][0].is_object() {
            break proved;
        }
        tokio::time::sleep(PAUSE).await;
    };
    let offence = "acknowledged work is not in the task's verdict";
    says(
        &proved["proved"][0],
        &json!({ "place": "receipt", "offence": offence }),
    )?;

    // The worker's account for claims has its part of the bond.
    before.convicted(bench).await?;

    // The batch stands: the owner has what it paid for.
    let record = batch(bench, job).await?.context("there is no batch")?;
    ensure!(
        !matches!(record.state, BatchState::Struck { .. }),
        "a batch that is right for its owner fell"
    );

    // The worker has written down what it did: one of them, once.
    while written(bench)?.is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    let written = written(bench)?;
    ensure!(
        written.lines().count() == 1 && written.contains("\"deed\":\"proved\""),
        "the workers have written down: {written}"
    );
    bench.conserves_money().await
}

/// What all workers have written down of claims.
fn written(bench: &Bench) -> anyhow::Result<String> {
    let mut all = String::new();
    for number in 0..=bench.grid.workers.len() {
        let own = bench.grid.folder().join(format!("worker-{number}"));
        let journal = own.join("data").join("claims").join("journal");
        if journal.exists() {
            all.push_str(&fs::read_to_string(journal)?);
        }
    }
    Ok(all)
}

/// Fails if any worker has claimed something or told of it, or anything is disputed.
pub(super) async fn nothing_is_claimed(bench: &Bench) -> anyhow::Result<()> {
    let written = written(bench)?;
    ensure!(written.is_empty(), "a worker claims: {written}");
    let open = bench.chain.at_finalised().await?.disputes(None).await?;
    ensure!(open.is_empty(), "something is disputed: {open:?}");
    Ok(())
}
