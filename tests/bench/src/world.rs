//! The grid that is measured: a validator, a masternode and two workers, each a process of its own.

use crate::report::say;
use anyhow::{Context as _, ensure};
use quern_jobs_api::{ApiError, JobStatus};
use quern_ledger::{Account, Chain};
use quern_local_grid::{LocalGrid, OWNER, Plan, development_account};
use quern_owner::{ApiFailure, Coordinator, Draft, Input, JobFolder, Terms, prepare, submit};
use quern_primitives::{
    BlockNumber, JobId,
    amount::BYTECHIP,
    device::Class,
    job::{Agreement, ByteLevel, Job, JobEnd, Preferences, Referees},
};
use quern_shards::{cut::Split, manifest::Assembly};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often a job's progress is looked at: what is timed by it is at most that much too long.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Blocks a job may take: twenty minutes.
const DEADLINE_BLOCKS: BlockNumber = 600;

/// How long a verdict waits for others to fill its batch: as long as a masternode waits unless it is told.
pub(crate) const SETTLE_WAIT: Duration = Duration::from_secs(6);

/// Bytes of a shard of such a job.
const SHARD_BYTES: u32 = 16;

/// A program that does nothing.
const NOTHING: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// What a job has to compute.
pub(crate) struct Load {
    pub(crate) program: Vec<u8>,
    pub(crate) fuel_per_task_max: u64,
    pub(crate) tasks: u32,
}

pub(crate) struct World {
    pub(crate) grid: LocalGrid,
    pub(crate) chain: Chain,
    owner: Account,
    folder: PathBuf,
}

impl World {
    /// Starts it; `None` if `stop` resolves first.
    pub(crate) async fn start(
        folder: &Path,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Option<Self>> {
        let mut plan = Plan::new(folder.join("grid"));
        plan.workers.truncate(2);
        plan.settle_wait_seconds = u32::try_from(SETTLE_WAIT.as_secs())?;
        let Some(grid) = LocalGrid::start_unless(&plan, say, stop).await? else {
            return Ok(None);
        };
        let chain = grid.chain().await?;
        Ok(Some(Self {
            grid,
            chain,
            owner: development_account(OWNER)?,
            folder: folder.to_owned(),
        }))
    }

    /// Where reports, logs and the grid's data are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The processes, by name.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let workers = self.grid.workers.iter().map(|worker| &worker.part);
        let parts = workers
            .chain(&self.grid.masternode)
            .chain([&self.grid.node]);
        let ours = parts.filter_map(|part| Some((part.name().to_owned(), part.id()?)));
        ours.chain([("this program".to_owned(), std::process::id())])
            .collect()
    }

    /// A job of so many tasks that do nothing, ready to be submitted.
    pub(crate) async fn nothing(&self, tasks: u32) -> anyhow::Result<JobFolder> {
        self.prepare(Load {
            program: nothing()?,
            fuel_per_task_max: 1_000_000,
            tasks,
        })
        .await
    }

    /// A job, ready to be submitted.
    pub(crate) async fn prepare(&self, load: Load) -> anyhow::Result<JobFolder> {
        let Load {
            program,
            fuel_per_task_max,
            tasks,
        } = load;
        let input = self.folder.join("input");
        std::fs::write(&input, vec![b'q'; (tasks * SHARD_BYTES) as usize])?;
        let block = self.chain.at_finalised().await?.block().number;
        let draft = Draft {
            program,
            input: Input::File {
                path: input,
                split: Split::Bytes,
                shard_bytes: SHARD_BYTES,
            },
            arguments: vec![],
            task_arguments: vec![],
            assembly: Assembly::Concatenate,
            terms: Terms {
                agreement: Agreement::Single,
                referees: Referees::One,
                class: Class::Pinned,
                preferences: Preferences::default(),
                level: ByteLevel::Balanced,
                fuel_per_task_max,
                memory_bytes_max: 1024 * 1024,
                result_bytes_max: 1024,
                deadline: block + DEADLINE_BLOCKS,
                price_max: 1_000_000 * BYTECHIP,
            },
        };
        let jobs = self.folder.join("jobs");
        std::fs::create_dir_all(&jobs)?;
        let owner = self.owner.id();
        let genesis = self.chain.genesis();
        Ok(
            tokio::task::spawn_blocking(move || prepare(&jobs, genesis, &owner, &draft, |_, _| {}))
                .await??,
        )
    }

    pub(crate) async fn submit(&self, folder: &JobFolder) -> anyhow::Result<()> {
        submit(&self.chain, &self.owner, folder)
            .await?
            .context("the job was submitted before")?;
        Ok(())
    }

    /// Waits until nothing more of the job is settled, as a finalised block says. That its batches are
    /// final comes a window later, and nothing waits for it.
    pub(crate) async fn settled(&self, job: JobId) -> anyhow::Result<Job> {
        let mut blocks = self.chain.finalised().await?;
        loop {
            let state = self.chain.at_finalised().await?;
            let known = state.job(job).await?.context("the chain lost the job")?;
            if !known.state.goes_on() {
                ensure!(
                    known.state.end() == Some(JobEnd::AllSettled),
                    "the job ended as {:?}",
                    known.state
                );
                return Ok(known);
            }
            blocks.next().await?;
        }
    }
}

pub(crate) fn nothing() -> anyhow::Result<Vec<u8>> {
    Ok(wat::parse_str(NOTHING)?)
}

/// Looks at a job's progress until `done` says that it has seen enough. It hears when each look ended.
pub(crate) async fn look(
    coordinator: &Coordinator,
    mut done: impl FnMut(Instant, &JobStatus) -> bool,
) -> anyhow::Result<()> {
    loop {
        match coordinator.status().await {
            Ok(status) if done(Instant::now(), &status) => return Ok(()),
            // It learns of the job from the block after the one that the owner has seen.
            Ok(_) | Err(ApiFailure::Refused(ApiError::NotCoordinator)) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
