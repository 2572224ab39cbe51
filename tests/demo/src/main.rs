//! The main job, shown: a picture computed by a local grid of real processes, compared, paid and
//! settled on its chain, with one worker that lies.

mod picture;
mod report;
mod show;

use anyhow::{Context as _, ensure};
use clap::Parser;
use picture::Picture;
use quern_jobs_api::{JobStatus, JobsApiClient as _, Phase};
use quern_ledger::{Account, Chain};
use quern_local_grid::{LocalGrid, OWNER, Plan, Process, Record, development_account};
use quern_owner::{
    Coordinator, Draft, Input, JobFolder, Terms, collect, prepare, submit, verify_batch,
    verify_file, verify_price,
};
use quern_primitives::{
    Amount, BlockNumber, JobId,
    amount::BYTECHIP,
    device::Class,
    job::{Agreement, ByteLevel, Job},
    verdict::{Finding, ReceiptFile},
};
use quern_shards::manifest::Assembly;
use report::{Report, Seconds};
use sha2::{Digest as _, Sha256};
use show::Show;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

/// The worker that lies, counted from zero.
const LIAR: usize = 3;

/// How a program that was interrupted ends.
const INTERRUPTED: u8 = 130;

/// Blocks the job may take: twenty minutes.
const DEADLINE_BLOCKS: BlockNumber = 600;

/// Renders a picture on a grid of this machine.
#[derive(Parser)]
struct Arguments {
    /// Leave the grid running; `quern dev down --folder target/demo/grid` ends it.
    #[arg(long)]
    keep: bool,
    /// Where picture, report and logs go.
    #[arg(long, default_value = "target/demo")]
    folder: PathBuf,
    /// Samples of each pixel; more take longer and leave less noise.
    #[arg(long, default_value_t = picture::SAMPLES)]
    samples: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let show = Show::new();
    let build = std::env::var("QUERN_BUILD_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let folder = std::path::absolute(&arguments.folder)?;
    clear(&folder)?;
    let picture = Picture::load(arguments.samples)?;

    show.title(
        "A grid of this machine: one validator, one masternode, four workers; one of them lies",
    );
    let started = Instant::now();
    let grid = start_grid(&folder, &show).await?;
    let grid_ready = started.elapsed();
    tokio::select! {
        done = main_job(&grid, &folder, &picture, &show) => {
            let mut report = done?;
            report.seconds.build = build;
            report.seconds.grid_ready = grid_ready.as_secs_f64();
            report.write(&folder.join("report.json"))?;
            show.line(&format!("report       {}", folder.join("report.json").display()));
            check(&report)?;
        }
        () = told_to_stop() => {
            show.line("told to stop; stopping the grid");
            grid.stop().await;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    if arguments.keep {
        let record = grid.leave_running()?;
        show.line(&format!(
            "the grid keeps running: node {}, Jobs API {}",
            record.node_url, record.jobs_api
        ));
        show.line(&format!(
            "end it with  quern dev down --folder {}",
            folder.join("grid").display()
        ));
    } else {
        grid.stop().await;
        show.line("the grid is stopped; no process is left behind");
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes room for a new demo; refuses what is no demo's folder, or has a grid that still runs.
fn clear(folder: &Path) -> anyhow::Result<()> {
    let grid = folder.join("grid");
    if let Ok(record) = Record::read(&grid) {
        ensure!(
            !record.processes.iter().any(Process::is_running),
            "the grid of an earlier demo still runs in {0}; end it with `quern dev down --folder {0}`",
            grid.display()
        );
    }
    if folder.exists() {
        let empty = std::fs::read_dir(folder)?.next().is_none();
        ensure!(
            empty || grid.is_dir(),
            "{} holds something else than a demo; name another folder",
            folder.display()
        );
        std::fs::remove_dir_all(folder).context("cannot clear the demo's folder")?;
    }
    Ok(std::fs::create_dir_all(folder)?)
}

/// Until the terminal or another process asks this one to stop.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without it there is still the terminal.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = terminate.recv() => (),
    }
}

/// What the main job must have come to, whoever looks.
fn check(report: &Report) -> anyhow::Result<()> {
    ensure!(
        report.result_sha256 == report.reference_sha256,
        "the grid's picture is not the reference picture"
    );
    ensure!(
        report.settled_tasks == report.tasks,
        "not every tile was settled"
    );
    ensure!(
        report.liar_paid == "0" && report.liar_faults_on_chain > 0,
        "the liar was not caught"
    );
    Ok(())
}

async fn start_grid(folder: &Path, show: &Show) -> anyhow::Result<LocalGrid> {
    let liar = programs_folder()?.join("quern-lying-worker");
    ensure!(
        liar.is_file(),
        "there is no {}; build it with `cargo xtask build`",
        liar.display()
    );
    let mut plan = Plan::new(folder.join("grid"));
    plan.workers[LIAR] = Some(liar);
    Ok(LocalGrid::start(&plan, |step| show.line(step)).await?)
}

fn programs_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("QUERN_BIN_DIR") {
        return Ok(folder.into());
    }
    let program = std::env::current_exe()?;
    Ok(program
        .parent()
        .context("this program has no folder")?
        .to_owned())
}

fn path_tracer() -> anyhow::Result<Vec<u8>> {
    let folder = std::env::var_os("QUERN_PROGRAMS_DIR")
        .map_or_else(|| "target/programs".into(), PathBuf::from);
    let path = folder.join("path-tracer.wasm");
    std::fs::read(&path).with_context(|| {
        format!(
            "cannot read {}; build it with `cargo xtask programs`",
            path.display()
        )
    })
}

/// Hands the picture in, waits until it is paid, and tells the whole story.
async fn main_job(
    grid: &LocalGrid,
    folder: &Path,
    picture: &Picture,
    show: &Show,
) -> anyhow::Result<Report> {
    let chain = grid.chain().await?;
    let owner = development_account(OWNER)?;
    let before = wallets(&chain, grid).await?;
    let owner_before = chain.at_finalised().await?.wallet(&owner.id()).await?;

    show.title(&format!(
        "The job: {} tiles of one picture, three replicas each",
        picture.tiles().len()
    ));
    let job_started = Instant::now();
    let (job_folder, escrow) = hand_in(&chain, &owner, folder, picture, show).await?;
    let job = job_folder.job();
    let coordinator = Coordinator::of(&chain, job).await?;
    let bar = show.bytes("uploading sealed shards");
    coordinator
        .upload(&job_folder, |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
        })
        .await?;
    bar.finish_and_clear();
    let status = follow(&coordinator, show).await?;
    let job_seconds = job_started.elapsed();
    let closed = wait_closed(&chain, job).await?;
    let settled_seconds = job_started.elapsed();
    show.line(&format!(
        "computed in {:.1} s, settled after {:.1} s",
        job_seconds.as_secs_f64(),
        settled_seconds.as_secs_f64()
    ));

    let mut pixels = Vec::new();
    collect(
        &coordinator,
        chain.genesis(),
        &job_folder,
        &mut pixels,
        |_, _| {},
    )
    .await?;
    let png = folder.join("quern.png");
    let image = picture.assemble(&pixels)?;
    picture.save(&image, &png)?;
    let bar = show.spinner("rendering the same picture in one process, to compare");
    let reference = {
        let picture = picture.clone();
        tokio::task::spawn_blocking(move || picture.reference()).await??
    };
    bar.finish_and_clear();

    let after = wallets(&chain, grid).await?;
    let owner_after = chain.at_finalised().await?.wallet(&owner.id()).await?;
    let paid: Vec<Amount> = before
        .iter()
        .zip(&after)
        .map(|(before, after)| after - before)
        .collect();
    let result_sha256 = hex::encode(Sha256::digest(&image));
    let reference_sha256 = hex::encode(Sha256::digest(&reference));
    let liar = &grid.workers[LIAR];
    let record = chain
        .at_finalised()
        .await?
        .device(liar.device)
        .await?
        .context("the liar's device is gone")?
        .device
        .record;

    show.title("What came of it");
    show.line(&format!("picture      {}", png.display()));
    show.comparison(&result_sha256, &reference_sha256);
    show.payments(grid, &paid, LIAR);
    show.line(&format!(
        "caught       worker {} gave {} wrong answers; all are on its record on the chain",
        LIAR + 1,
        record.incorrect
    ));
    show_settlements(&chain, &closed, job, show).await?;
    show_receipt(&chain, &coordinator, folder, job, show).await?;
    conservation(&chain, &closed, owner_before.free, owner_after.free, show).await?;

    Ok(Report {
        tasks: status.tasks,
        replicas: status.replicas,
        settled_tasks: closed.settled_tasks,
        batches: closed.next_batch,
        escrow: escrow.to_string(),
        paid_workers: closed.escrow.paid.to_string(),
        network_share: closed.escrow.network.to_string(),
        refunded: closed.escrow.refunded.to_string(),
        liar_account: liar.account.to_string(),
        liar_paid: paid[LIAR].to_string(),
        liar_faults_on_chain: record.incorrect,
        result_sha256,
        reference_sha256,
        seconds: Seconds {
            build: None,
            grid_ready: 0.0,
            job: job_seconds.as_secs_f64(),
            settled: settled_seconds.as_secs_f64(),
        },
    })
}

async fn hand_in(
    chain: &Chain,
    owner: &Account,
    folder: &Path,
    picture: &Picture,
    show: &Show,
) -> anyhow::Result<(JobFolder, Amount)> {
    let state = chain.at_finalised().await?;
    let shards = picture.write_inputs(&folder.join("input"))?;
    let draft = Draft {
        program: path_tracer()?,
        input: Input::Prepared(shards),
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: Terms {
            agreement: Agreement::Majority { replicas: 3 },
            class: Class::Pinned,
            level: ByteLevel::Balanced,
            fuel_per_task_max: picture::FUEL_PER_TASK_MAX,
            memory_bytes_max: 512 * 1024 * 1024,
            result_bytes_max: 1024 * 1024,
            deadline: state.block().number + DEADLINE_BLOCKS,
            price_max: 1_000_000 * BYTECHIP,
        },
    };
    let jobs = folder.join("jobs");
    std::fs::create_dir_all(&jobs)?;
    let bar = show.bytes("cutting and sealing");
    let job_folder = prepare(
        &jobs,
        chain.genesis(),
        &owner.id(),
        &draft,
        |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        },
    )?;
    bar.finish_and_clear();
    let quote = state
        .quote(&job_folder.submission()?)
        .await?
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    show.quote(&quote);
    let submitted = submit(chain, owner, &job_folder)
        .await?
        .context("the job was on the chain before")?;
    show.line(&format!(
        "submitted    job {} in block {}",
        job_folder.job(),
        submitted.block.number
    ));
    Ok((job_folder, quote.total))
}

/// Shows the job's progress until every task is decided.
async fn follow(coordinator: &Coordinator, show: &Show) -> anyhow::Result<JobStatus> {
    let mut updates = coordinator.watch().await?;
    let bar = show.tasks();
    // Where there is no bar, some lines say how far it is.
    let mut told = 0;
    while let Some(status) = updates.next().await {
        let status = status?;
        bar.set_length(status.tasks.into());
        bar.set_position(status.decided.into());
        let details = format!(
            "{} replicas, {} wrong, {} devices",
            status.replicas, status.incorrect, status.devices
        );
        if bar.is_hidden() && status.decided >= told + status.tasks.div_ceil(8) {
            told = status.decided;
            show.line(&format!(
                "computed     {} of {} tiles: {details}",
                status.decided, status.tasks
            ));
        }
        bar.set_message(details);
        if matches!(status.phase, Phase::Settling | Phase::Closed) {
            bar.finish_and_clear();
            return Ok(status);
        }
    }
    anyhow::bail!("the masternode stopped telling how far the job is")
}

async fn wait_closed(chain: &Chain, job: JobId) -> anyhow::Result<Job> {
    let mut blocks = chain.finalised().await?;
    loop {
        let known = chain
            .at_finalised()
            .await?
            .job(job)
            .await?
            .context("the job is not on the chain")?;
        if !known.state.is_open() {
            return Ok(known);
        }
        blocks.next().await?;
    }
}

/// What each worker's account can spend.
async fn wallets(chain: &Chain, grid: &LocalGrid) -> anyhow::Result<Vec<Amount>> {
    let state = chain.at_finalised().await?;
    let mut free = Vec::new();
    for worker in &grid.workers {
        free.push(state.wallet(&worker.account).await?.free);
    }
    Ok(free)
}

/// Tells of each batch what it settled, and the transaction that did.
async fn show_settlements(
    chain: &Chain,
    closed: &Job,
    job: JobId,
    show: &Show,
) -> anyhow::Result<()> {
    let state = chain.at_finalised().await?;
    let mut block = None;
    let mut settling = Vec::new().into_iter();
    for sequence in 0..closed.next_batch {
        let batch = state
            .batch(job, sequence)
            .await?
            .context("the chain lost a batch")?;
        if block.replace(batch.settled_at) != Some(batch.settled_at) {
            let settled_in = chain.at_height(batch.settled_at).await?;
            let mut settled = settled_in.transactions().await?;
            settled.retain(|it| it.pallet == "Jobs" && it.call == "settle");
            settling = settled.into_iter();
        }
        let transaction = settling
            .next()
            .context("a batch was settled by no transaction")?;
        show.batch(sequence, &batch, &transaction.hash);
    }
    Ok(())
}

/// Saves a receipt of the liar's and checks it as anyone could.
async fn show_receipt(
    chain: &Chain,
    coordinator: &Coordinator,
    folder: &Path,
    job: JobId,
    show: &Show,
) -> anyhow::Result<()> {
    let file = wrong_receipt(coordinator, job).await?;
    let path = folder.join("receipt.json");
    std::fs::write(&path, serde_json::to_string_pretty(&file)?)?;
    let state = chain.at_finalised().await?;
    let settled = state.batch(job, file.batch).await?;
    let known = state.job(job).await?;
    let mut checks = verify_file(&file);
    checks.push(verify_batch(&file, settled.as_ref()));
    checks.push(verify_price(&file, known.as_ref()));
    show.line(&format!("verify       {}", path.display()));
    show.checks(&checks);
    ensure!(
        checks.iter().all(|check| check.holds),
        "a receipt of the grid does not hold"
    );
    Ok(())
}

/// The receipt of a wrong answer if there is one, else of the first replica.
async fn wrong_receipt(coordinator: &Coordinator, job: JobId) -> anyhow::Result<ReceiptFile> {
    let mut last = None;
    for result in coordinator.client().results(job, 0).await? {
        let file = coordinator
            .client()
            .receipt(job, result.task, result.replica)
            .await?;
        let wrong = file
            .verdict
            .replicas
            .iter()
            .find(|found| found.finding == Finding::Incorrect);
        if let Some(wrong) = wrong {
            return Ok(coordinator
                .client()
                .receipt(job, result.task, wrong.replica)
                .await?);
        }
        last.get_or_insert(file);
    }
    last.context("the job has no result")
}

async fn conservation(
    chain: &Chain,
    job: &Job,
    owner_before: Amount,
    owner_after: Amount,
    show: &Show,
) -> anyhow::Result<()> {
    let escrow = &job.escrow;
    let totals = chain.at_finalised().await?.totals().await?;
    show.conservation(escrow, &totals);
    ensure!(
        escrow.paid + escrow.network + escrow.refunded == escrow.deposited,
        "the job's money does not add up"
    );
    ensure!(
        totals.conserves_money(),
        "the chain's money does not add up"
    );
    ensure!(
        owner_before - owner_after == escrow.deposited - escrow.refunded,
        "the owner lost more than the job cost"
    );
    Ok(())
}
