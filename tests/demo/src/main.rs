//! The main job, shown: a picture computed by a local grid of real processes, compared, paid and
//! settled on its chain, with one worker that lies.

mod outcome;
mod picture;
mod receipt;
mod report;
mod show;

use anyhow::{Context as _, ensure};
use clap::Parser;
use picture::Picture;
use quern_jobs_api::{JobStatus, Phase, counted, grouped};
use quern_ledger::{Account, Chain};
use quern_local_grid::{
    LocalGrid, OWNER, Plan, Process, Record, development_account, find_program, told_to_stop,
};
use quern_owner::{Coordinator, Draft, Input, JobFolder, Terms, collect, prepare, submit};
use quern_primitives::{
    Amount, BlockNumber, JobId,
    amount::BYTECHIP,
    device::Class,
    job::{Agreement, ByteLevel, Job, Preferences, Referees},
};
use quern_shards::manifest::Assembly;
use report::{Report, Seconds};
use sha2::{Digest as _, Sha256};
use show::{SILENCE, Show};
use std::{
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    time::Instant,
};

/// The worker that lies, counted from zero.
const LIAR: usize = 3;

/// Accounts that compute each tile.
const REPLICAS: u8 = 3;

/// How a program that was interrupted ends.
const INTERRUPTED: u8 = 130;

/// Blocks the job may take: twenty minutes.
const DEADLINE_BLOCKS: BlockNumber = 600;

/// Renders a picture on a grid of this machine.
#[derive(Parser)]
struct Arguments {
    /// Leave the grid running; the last line says how to end it.
    #[arg(long)]
    keep: bool,
    /// Where picture, report and logs go.
    #[arg(long, default_value = "target/demo")]
    folder: PathBuf,
    /// Samples of each pixel; more take longer and leave less noise.
    #[arg(long, default_value_t = picture::SAMPLES)]
    samples: u32,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(demo(&arguments));
    // A rendering that nobody waits for any more is not waited for.
    runtime.shutdown_background();
    ended
}

async fn demo(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let show = Show::new();
    let build = std::env::var("QUERN_BUILD_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let folder = std::path::absolute(&arguments.folder)?;
    clear(&folder)?;
    let picture = Picture::load(arguments.samples)?;

    show.title("One validator, one masternode, four workers, one of which lies");
    let mut stop = pin!(told_to_stop());
    let started = Instant::now();
    let Some(grid) = start_grid(&folder, &show, stop.as_mut()).await? else {
        show.line("told to stop; what had started is ended");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let grid_ready = started.elapsed();
    let done = tokio::select! {
        done = main_job(&grid, &folder, &picture, &show) => done,
        () = &mut stop => {
            show.line("told to stop; stopping the grid");
            grid.stop().await;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let reported = done.and_then(|mut report| {
        report.seconds.build = build;
        report.seconds.grid_ready = grid_ready.as_secs_f64();
        report.write(&folder.join("report.json"))?;
        show.whole(&format!(
            "report       {}",
            folder.join("report.json").display()
        ));
        check(&report)
    });
    if let Err(error) = reported {
        grid.stop().await;
        return Err(error);
    }
    if arguments.keep {
        let record = grid.leave_running()?;
        show.line(&format!(
            "the grid keeps running: node {}, Jobs API {}",
            record.node_url, record.jobs_api
        ));
        show.whole(&format!(
            "look around with  {} --node {} grid watch",
            quern()?.display(),
            record.node_url
        ));
        show.whole(&format!(
            "end it with  {} dev down --folder {}",
            quern()?.display(),
            folder.join("grid").display()
        ));
    } else {
        grid.stop().await;
        show.line("the grid is stopped; no process is left behind");
    }
    Ok(ExitCode::SUCCESS)
}

/// Where `quern` is, so that a command can be typed as it is told, in any folder.
pub(crate) fn quern() -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(find_program(None, "quern")?)?)
}

/// Makes room for a new demo; refuses what is no demo's folder, or has a grid that still runs.
fn clear(folder: &Path) -> anyhow::Result<()> {
    let grid = folder.join("grid");
    if let Ok(record) = Record::read(&grid) {
        ensure!(
            !record.processes.iter().any(Process::is_running),
            "the grid of an earlier demo still runs; end it with `{} dev down --folder {}`",
            quern()?.display(),
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
    // One that was given out again, or backed up, is finished more often.
    let fewest = report.tasks.saturating_mul(REPLICAS.into());
    ensure!(
        report.replicas >= fewest,
        "{} replicas are finished of {} tiles: fewer than {REPLICAS} each",
        report.replicas,
        report.tasks
    );
    ensure!(
        report.liar_paid == "0" && report.liar_faults_on_chain > 0,
        "the liar was not caught"
    );
    ensure!(
        report.honest_faults_on_chain == 0,
        "an honest device has a wrong answer on its record"
    );
    Ok(())
}

/// Starts the grid; none if `stop` resolves first.
async fn start_grid(
    folder: &Path,
    show: &Show,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Option<LocalGrid>> {
    let mut plan = Plan::new(folder.join("grid"));
    plan.workers[LIAR] = Some(find_program(None, "quern-lying-worker")?);
    let starting = LocalGrid::start_unless(&plan, |step| show.line(step), stop);
    let starting = show.while_it_lasts("still starting the grid", false, starting);
    Ok(starting.await?)
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
    let before = outcome::wallets(&chain, grid).await?;
    let owner_before = chain.at_finalised().await?.wallet(&owner.id()).await?;

    show.title(&format!(
        "The job: {} of one picture, {REPLICAS} replicas each",
        counted(picture.tiles().len(), "tile")
    ));
    let job_started = Instant::now();
    let job_folder = hand_in(&chain, &owner, folder, picture, show).await?;
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
    let closed = wait_closed(&chain, job);
    let closed = show.during("waiting until the chain has paid every batch", closed);
    let closed = closed.await?;
    let settled_seconds = job_started.elapsed();
    show.line(&format!(
        "computed in {:.1} s, settled after {:.1} s",
        job_seconds.as_secs_f64(),
        settled_seconds.as_secs_f64()
    ));

    let mut pixels = Vec::new();
    let genesis = chain.genesis();
    let collected = collect(&coordinator, genesis, &job_folder, &mut pixels, |_, _| {});
    let fetching = show.during("fetching the tiles from the coordinator", collected);
    fetching.await?;
    let png = folder.join("quern.png");
    let image = picture.assemble(&pixels)?;
    picture.save(&image, &png)?;
    let rendered = {
        let picture = picture.clone();
        tokio::task::spawn_blocking(move || picture.reference())
    };
    let rendered = show.during(
        "rendering the same picture in one process, to compare",
        rendered,
    );
    let reference = rendered.await??;

    let outcomes = outcome::read(&chain, grid, &before).await?;
    let owner_after = chain.at_finalised().await?.wallet(&owner.id()).await?;
    let result_sha256 = hex::encode(Sha256::digest(&image));
    let reference_sha256 = hex::encode(Sha256::digest(&reference));

    show.title("What came of it");
    show.whole(&format!("picture      {}", png.display()));
    show.comparison(&result_sha256, &reference_sha256);
    show.payments(&outcomes);
    show.caught(&outcomes);
    show_settlements(&chain, &closed, job, show).await?;
    receipt::show(grid, &coordinator, folder, job, show).await?;
    conservation(&chain, &closed, owner_before.free, owner_after.free, show).await?;

    let liar = &outcomes[LIAR];
    let honest = outcomes.iter().filter(|it| it.number != liar.number);
    Ok(Report {
        tasks: status.tasks,
        replicas: status.replicas,
        settled_tasks: closed.settled_tasks,
        batches: closed.next_batch,
        escrow: closed.escrow.deposited.to_string(),
        paid_workers: closed.escrow.paid.to_string(),
        network_share: closed.escrow.network.to_string(),
        refunded: closed.escrow.refunded.to_string(),
        liar_account: liar.account.to_string(),
        liar_paid: liar.paid.to_string(),
        liar_faults_on_chain: liar.record.incorrect,
        honest_faults_on_chain: honest.map(|it| it.record.incorrect).sum(),
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
) -> anyhow::Result<JobFolder> {
    let state = chain.at_finalised().await?;
    let shards = picture.write_inputs(&folder.join("input"))?;
    let draft = Draft {
        program: path_tracer()?,
        input: Input::Prepared(shards),
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: Terms {
            agreement: Agreement::Majority { replicas: REPLICAS },
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
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
    Ok(job_folder)
}

/// Shows the job's progress until every task is decided.
async fn follow(coordinator: &Coordinator, show: &Show) -> anyhow::Result<JobStatus> {
    let mut updates = coordinator.watch().await?;
    let bar = show.tasks();
    // Where there is no bar, some lines say how far it is.
    let (mut told, mut told_at) = (0, Instant::now());
    while let Some(status) = updates.next().await {
        let status = status?;
        bar.set_length(status.tasks.into());
        bar.set_position(status.decided.into());
        let details = format!(
            "{}, {} wrong, {}",
            counted(status.replicas, "replica"),
            grouped(status.incorrect),
            counted(status.devices, "device")
        );
        let is_news = status.decided >= told + status.tasks.div_ceil(8);
        if bar.is_hidden() && (is_news || told_at.elapsed() >= SILENCE) {
            (told, told_at) = (status.decided, Instant::now());
            show.line(&format!(
                "computed     {} of {}: {details}",
                grouped(status.decided),
                counted(status.tasks, "tile")
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

/// Tells of each batch what it settled, and the transaction that did.
async fn show_settlements(
    chain: &Chain,
    closed: &Job,
    job: JobId,
    show: &Show,
) -> anyhow::Result<()> {
    let state = chain.at_finalised().await?;
    for sequence in 0..closed.next_batch {
        let batch = state
            .batch(job, sequence)
            .await?
            .context("the chain lost a batch")?;
        let settled_in = chain.at_height(batch.settled_at).await?;
        let transaction = settled_in
            .settlement_of(job, sequence)
            .await?
            .context("a batch was settled by no transaction")?;
        show.batch(sequence, &batch, &transaction.hash);
    }
    Ok(())
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
