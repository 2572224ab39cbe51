//! Owners who hand in one small job after the other, however often they have to ask.

use super::insisting::insisting;
use anyhow::{Context as _, bail, ensure};
use quern_end_to_end::{Dice, adds_up, terms, wasm};
use quern_jobs_api::Phase;
use quern_ledger::{Account, Chain};
use quern_local_grid::development_account;
use quern_owner::{Coordinator, Draft, Input, JobFolder, collect, prepare, submit};
use quern_primitives::{
    AccountId,
    job::{Agreement, Job, JobEnd, JobState},
};
use quern_shards::{cut::Split, manifest::Assembly};
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

/// Bytes of a task's input: a line.
const LINE_BYTES: u32 = 4;

/// Blocks that a job may take, which is half an hour.
const JOB_BLOCKS: u32 = 900;

/// What a task counts down from: some hundredths of a second.
const SHORT: u32 = 30_000_000;

/// The same of a long one: more than a second on most machines, so that its answer is kept on disk.
const LONG: u32 = 600_000_000;

/// Tasks of a long job; a short one has up to [`TASKS_MAX`].
const LONG_TASKS: u64 = 3;

/// Tasks of a short job, at most, and half of it at the least.
const TASKS_MAX: u64 = 12;

/// One of so many jobs is long.
const LONG_ONE_IN: u64 = 5;

/// A job that was handed in, and what its result must be.
#[derive(Clone)]
pub(super) struct Handed {
    pub(super) folder: JobFolder,
    pub(super) lines: String,
}

impl Handed {
    pub(super) fn tasks(&self) -> u32 {
        self.lines.lines().count() as u32
    }
}

/// An owner.
pub(super) struct Owner<'a> {
    account: Account,
    id: AccountId,
    chain: &'a Chain,
    folder: PathBuf,
    dice: Dice,
}

impl<'a> Owner<'a> {
    /// An owner whose jobs follow from the seed and from who it is.
    pub(super) fn new(
        name: &str,
        chain: &'a Chain,
        folder: &Path,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let account = development_account(name)?;
        let folder = folder.join(format!("jobs{}", name.replace('/', "_")));
        fs::create_dir_all(&folder)?;
        let of_name = name.bytes().fold(seed, |sum, byte| {
            sum.rotate_left(8).wrapping_add(u64::from(byte))
        });
        Ok(Self {
            id: account.id(),
            account,
            chain,
            folder,
            dice: Dice::new(of_name),
        })
    }

    /// Hands in jobs until it is over, the next when the last one is decided. Their ends are not waited
    /// for: while the last is settled the next is computed.
    pub(super) async fn flow(mut self, is_over: &Cell<bool>) -> anyhow::Result<Vec<Handed>> {
        let mut handed = Vec::new();
        while !is_over.get() {
            let (draft, lines) = self.draft(handed.len())?;
            let folder = self.seal(draft).await?;
            let job = Handed { folder, lines };
            let name = format!("job {} of {}", handed.len(), self.id);
            self.decided(&job).await.context(name)?;
            handed.push(job);
        }
        Ok(handed)
    }

    /// The next job, and what its result must be.
    fn draft(&mut self, number: usize) -> anyhow::Result<(Draft, String)> {
        let is_long = self.dice.below(LONG_ONE_IN) == 0;
        let (tasks, from) = match is_long {
            true => (LONG_TASKS, LONG),
            false => (TASKS_MAX - self.dice.below(TASKS_MAX / 2), SHORT),
        };
        let first = self.dice.below(900 - tasks);
        let lines: String = (0..tasks)
            .map(|task| format!("{:03}\n", first + task))
            .collect();
        let path = self.folder.join(format!("lines-{number}"));
        fs::write(&path, &lines)?;
        // The deadline is not known here.
        let mut terms = terms(0);
        terms.agreement = match self.dice.below(5) {
            0 => Agreement::Single,
            1 => Agreement::Majority { replicas: 3 },
            _ => Agreement::Unanimous,
        };
        terms.fuel_per_task_max = 10_000_000_000;
        let draft = Draft {
            program: wasm::assemble(&wasm::counts_and_copies(from))?,
            input: Input::File {
                path,
                split: Split::Lines,
                shard_bytes: LINE_BYTES,
            },
            arguments: vec![],
            task_arguments: vec![],
            assembly: Assembly::Concatenate,
            terms,
        };
        Ok((draft, lines))
    }

    /// Seals a job into a folder of its own.
    async fn seal(&self, mut draft: Draft) -> anyhow::Result<JobFolder> {
        let now = insisting("asking for the last block", async || {
            anyhow::Ok(self.chain.at_finalised().await?.block().number)
        });
        draft.terms.deadline = now.await? + JOB_BLOCKS;
        let genesis = self.chain.genesis();
        Ok(prepare(&self.folder, genesis, &self.id, &draft, |_, _| {})?)
    }

    /// Submits and uploads a job, as far as that is not done.
    async fn hand_in(&self, job: &Handed) -> anyhow::Result<()> {
        submit(self.chain, &self.account, &job.folder).await?;
        if !known(self.chain, job).await?.state.goes_on() {
            // It was uploaded, and nobody came to say so.
            return Ok(());
        }
        let coordinator = Coordinator::of(self.chain, job.folder.job()).await?;
        coordinator.upload(&job.folder, |_| {}).await?;
        let status = coordinator.status().await?;
        ensure!(status.tasks == job.tasks(), "the job has other tasks");
        Ok(())
    }

    /// Hands a job in, and waits until every task has its verdict.
    async fn decided(&self, job: &Handed) -> anyhow::Result<()> {
        let (chain, id) = (self.chain, job.folder.job());
        insisting("handing a job in", async || self.hand_in(job).await).await?;
        insisting("waiting for verdicts", async || {
            let known = chain.at_finalised().await?.job(id).await?;
            match known {
                Some(job) if !job.state.goes_on() => return anyhow::Ok(()),
                Some(_) => {}
                // A validator that was killed has forgotten the block with it.
                None => self.hand_in(job).await?,
            }
            let status = Coordinator::of(chain, id).await?.status().await?;
            let is_decided = matches!(status.phase, Phase::Settling | Phase::Closed);
            ensure!(is_decided, "it stands so: {status:?}");
            anyhow::Ok(())
        })
        .await
    }
}

/// The job as the chain knows it.
pub(super) async fn known(chain: &Chain, job: &Handed) -> anyhow::Result<Job> {
    let known = chain.at_finalised().await?.job(job.folder.job()).await?;
    known.context("the chain does not know the job")
}

/// Waits until all jobs are over. Fails unless each was settled to its last task, has the right result,
/// and an escrow that went where it should.
pub(super) async fn all_end(chain: &Chain, jobs: &[Handed]) -> anyhow::Result<()> {
    for job in jobs {
        let id = job.folder.job();
        ends(chain, job)
            .await
            .with_context(|| format!("job {id}"))?;
    }
    Ok(())
}

async fn ends(chain: &Chain, job: &Handed) -> anyhow::Result<()> {
    let ended = insisting("waiting for its end", async || {
        let known = known(chain, job).await?;
        ensure!(!known.state.is_open(), "it is {:?}", known.state);
        anyhow::Ok(known)
    });
    let ended = ended.await?;
    match ended.state {
        JobState::Completed {
            end: JobEnd::AllSettled,
        } => {}
        other => bail!("it ended as {other:?}"),
    }
    ensure!(
        ended.settled_tasks == job.tasks(),
        "{} tasks are settled",
        ended.settled_tasks
    );
    adds_up(&ended.escrow)?;
    let result = insisting("fetching its result", async || {
        let coordinator = Coordinator::of(chain, job.folder.job()).await?;
        let mut result = Vec::new();
        collect(
            &coordinator,
            chain.genesis(),
            &job.folder,
            &mut result,
            |_, _| {},
        )
        .await?;
        anyhow::Ok(result)
    });
    ensure!(
        result.await? == job.lines.as_bytes(),
        "its result is another one"
    );
    Ok(())
}
