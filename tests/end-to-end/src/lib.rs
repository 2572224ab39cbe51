//! The real programs together: what the end-to-end tests share.
//!
//! Each test starts a grid of its own, of separate processes on loopback, and keeps its folder with
//! all logs when it fails. Everything is waited for with a deadline.

use anyhow::Context as _;
use quern_jobs_api::{JobStatus, Phase};
use quern_ledger::{Account, Chain};
use quern_local_grid::{LocalGrid, OWNER, Plan, development_account};
use quern_owner::{Coordinator, Draft, Input, JobFolder, Terms, collect, prepare, submit};
use quern_path_tracer::{
    bundle, render_reference,
    tile::{self, Frame, TileRequest},
};
use quern_primitives::{
    BlockNumber, JobId,
    amount::BYTECHIP,
    device::Class,
    job::{Agreement, ByteLevel, Job},
};
use quern_shards::manifest::Assembly;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// How long a whole test may take.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// A grid and the folder it lives in.
pub struct Bench {
    /// The grid.
    pub grid: LocalGrid,
    /// A connection to its chain.
    pub chain: Chain,
    /// The owner whose jobs are handed in.
    pub owner: Account,
    folder: TempDir,
}

impl Bench {
    /// Starts a grid with so many honest workers.
    pub async fn start(workers: usize) -> anyhow::Result<Self> {
        Self::start_with(|plan| plan.workers = vec![None; workers]).await
    }

    /// Starts a grid as planned.
    pub async fn start_with(change: impl FnOnce(&mut Plan)) -> anyhow::Result<Self> {
        let mut folder = tempfile::Builder::new().prefix("quern-test-").tempdir()?;
        folder.disable_cleanup(true);
        let mut plan = Plan::new(folder.path().join("grid"));
        plan.settle_wait_seconds = 2;
        change(&mut plan);
        let grid = LocalGrid::start(&plan, |_| {})
            .await
            .with_context(|| format!("logs are in {}", folder.path().display()))?;
        let chain = grid.chain().await?;
        Ok(Self {
            grid,
            chain,
            owner: development_account(OWNER)?,
            folder,
        })
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the grid; the test passed, so its folder goes.
    pub async fn stop(mut self) {
        self.grid.stop().await;
        self.folder.disable_cleanup(false);
    }

    /// Prepares and submits a job.
    pub async fn hand_in(&self, draft: &Draft) -> anyhow::Result<JobFolder> {
        let jobs = self.folder().join("jobs");
        std::fs::create_dir_all(&jobs)?;
        let folder = prepare(
            &jobs,
            self.chain.genesis(),
            &self.owner.id(),
            draft,
            |_, _| {},
        )?;
        submit(&self.chain, &self.owner, &folder)
            .await?
            .context("the job was there before")?;
        Ok(folder)
    }

    /// Finds the job's coordinator and uploads all of it.
    pub async fn upload(&self, folder: &JobFolder) -> anyhow::Result<Coordinator> {
        let coordinator = Coordinator::of(&self.chain, folder.job()).await?;
        coordinator.upload(folder, |_| {}).await?;
        Ok(coordinator)
    }

    /// Waits until so many tasks are decided.
    pub async fn decided(&self, job: JobId, tasks: u32) -> anyhow::Result<JobStatus> {
        loop {
            // The masternode may be down at the moment, which is what some tests are about.
            if let Ok(coordinator) = Coordinator::of(&self.chain, job).await
                && let Ok(status) = coordinator.status().await
                && (status.decided >= tasks || status.phase == Phase::Closed)
            {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the chain has closed the job.
    pub async fn closed(&self, job: JobId) -> anyhow::Result<Job> {
        loop {
            let state = self.chain.at_finalised().await?;
            let known = state.job(job).await?.context("the chain lost the job")?;
            if !known.state.is_open() {
                return Ok(known);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The job's result, checked and opened.
    pub async fn result(&self, folder: &JobFolder) -> anyhow::Result<Vec<u8>> {
        let coordinator = Coordinator::of(&self.chain, folder.job()).await?;
        let mut result = Vec::new();
        collect(
            &coordinator,
            self.chain.genesis(),
            folder,
            &mut result,
            |_, _| {},
        )
        .await?;
        Ok(result)
    }

    /// The block so many blocks from now.
    pub async fn deadline(&self, blocks: BlockNumber) -> anyhow::Result<BlockNumber> {
        Ok(self.chain.at_finalised().await?.block().number + blocks)
    }
}

/// The usual terms of a test's job.
pub fn terms(deadline: BlockNumber) -> Terms {
    Terms {
        agreement: Agreement::Majority { replicas: 3 },
        class: Class::Pinned,
        level: ByteLevel::Balanced,
        fuel_per_task_max: 50_000_000_000,
        memory_bytes_max: 256 * 1024 * 1024,
        result_bytes_max: 16 * 1024 * 1024,
        deadline,
        price_max: 1_000_000 * BYTECHIP,
    }
}

/// A program of this repository, built for the sandbox.
pub fn program(name: &str) -> anyhow::Result<Vec<u8>> {
    let folder = std::env::var_os("QUERN_PROGRAMS_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/programs"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).with_context(|| {
        format!(
            "cannot read {}; build it with `cargo xtask programs`",
            path.display()
        )
    })
}

/// A small picture: its draft, and the pixels its result must have.
pub fn small_picture(folder: &Path, deadline: BlockNumber) -> anyhow::Result<(Draft, Vec<u8>)> {
    let frame = Frame {
        width: 160,
        height: 96,
        samples: 16,
        seed: 7,
    };
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/scene/quern.scene");
    let bundle = bundle::pack(&scene)?;
    let (mut shards, mut expected) = (Vec::new(), Vec::new());
    let whole = render_reference(&bundle, frame)?;
    for (number, tile) in tile::tiles(frame.width, frame.height, 32, 24)
        .into_iter()
        .enumerate()
    {
        let path = folder.join(format!("tile-{number}"));
        std::fs::write(
            &path,
            tile::tile_input(&bundle, &TileRequest::new(frame, tile)?),
        )?;
        shards.push(path);
        for row in tile.y..tile.y + tile.height {
            let start = 3 * (row * frame.width + tile.x) as usize;
            expected.extend_from_slice(&whole[start..start + 3 * tile.width as usize]);
        }
    }
    let draft = Draft {
        program: program("path-tracer")?,
        input: Input::Prepared(shards),
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: terms(deadline),
    };
    Ok((draft, expected))
}
