//! An owner who does what `quern` does, without `quern` to keep them from mistakes.

use crate::{Bench, program};
use anyhow::{Context as _, bail, ensure};
use quern_ledger::{Account, Call, Settled, SubmitError};
use quern_local_grid::development_account;
use quern_owner::{Coordinator, Draft, Input, JobFolder, Terms, collect, prepare, submit};
use quern_path_tracer::{
    bundle, render_reference,
    tile::{self, Frame, TileRequest},
};
use quern_primitives::{
    AccountId, BlockNumber,
    amount::BYTECHIP,
    device::Class,
    job::{Agreement, ByteLevel, Job, Preferences, Referees, Submission},
    view::WalletView,
};
use quern_shards::manifest::Assembly;
use std::path::Path;

/// An owner on a grid.
#[derive(Clone)]
pub struct Owner<'a> {
    bench: &'a Bench,
    account: Account,
}

impl<'a> Owner<'a> {
    /// A development account as owner.
    pub fn new(bench: &'a Bench, account: &str) -> anyhow::Result<Self> {
        Ok(Self {
            bench,
            account: development_account(account)?,
        })
    }

    /// The account.
    pub fn id(&self) -> AccountId {
        self.account.id()
    }

    /// Its money.
    pub async fn wallet(&self) -> anyhow::Result<WalletView> {
        self.bench.wallet(&self.id()).await
    }

    /// Seals a job.
    pub fn prepare(&self, draft: &Draft) -> anyhow::Result<JobFolder> {
        let jobs = self.bench.folder().join("jobs");
        std::fs::create_dir_all(&jobs)?;
        let genesis = self.bench.chain.genesis();
        Ok(prepare(&jobs, genesis, &self.id(), draft, |_, _| {})?)
    }

    /// Seals a job and submits it.
    pub async fn hand_in(&self, draft: &Draft) -> anyhow::Result<JobFolder> {
        let folder = self.prepare(draft)?;
        submit(&self.bench.chain, &self.account, &folder)
            .await?
            .context("the job was there before")?;
        Ok(folder)
    }

    /// Submits whatever it is, with no question asked before.
    pub async fn force(&self, submission: Submission) -> Result<Settled, SubmitError> {
        self.call(&Call::SubmitJob(Box::new(submission))).await
    }

    /// Signs and sends a call.
    pub async fn call(&self, call: &Call) -> Result<Settled, SubmitError> {
        self.bench.chain.submit(&self.account, call).await
    }

    /// Finds the job's coordinator and uploads all of it.
    pub async fn upload(&self, folder: &JobFolder) -> anyhow::Result<Coordinator> {
        let coordinator = self.coordinator(folder).await?;
        coordinator.upload(folder, |_| {}).await?;
        Ok(coordinator)
    }

    /// The job's coordinator.
    pub async fn coordinator(&self, folder: &JobFolder) -> anyhow::Result<Coordinator> {
        Ok(Coordinator::of(&self.bench.chain, folder.job()).await?)
    }

    /// Hands a job in and waits until it is over.
    pub async fn through(&self, draft: &Draft) -> anyhow::Result<(JobFolder, Job)> {
        let folder = self.hand_in(draft).await?;
        self.upload(&folder).await?;
        let ended = self.bench.closed(folder.job()).await?;
        Ok((folder, ended))
    }

    /// The job's result, checked and opened.
    pub async fn result(&self, folder: &JobFolder) -> anyhow::Result<Vec<u8>> {
        let coordinator = self.coordinator(folder).await?;
        let (genesis, mut result) = (self.bench.chain.genesis(), Vec::new());
        collect(&coordinator, genesis, folder, &mut result, |_, _| {}).await?;
        Ok(result)
    }
}

/// Fails unless the chain refused a call with this error and told what to do.
pub fn refused(outcome: Result<Settled, SubmitError>, expected: &str) -> anyhow::Result<()> {
    match outcome {
        Err(SubmitError::Refused { error, docs, .. }) => {
            ensure!(error == expected, "refused as {error}, not as {expected}");
            ensure!(
                docs.contains(';'),
                "{error} does not say what to do: {docs}"
            );
            Ok(())
        }
        other => bail!("expected {expected}, not {other:?}"),
    }
}

/// The usual terms of a test's job.
pub fn terms(deadline: BlockNumber) -> Terms {
    Terms {
        agreement: Agreement::Majority { replicas: 3 },
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        fuel_per_task_max: 45_000_000_000,
        memory_bytes_max: 256 * 1024 * 1024,
        result_bytes_max: 16 * 1024 * 1024,
        deadline,
        price_max: 1_000_000 * BYTECHIP,
    }
}

/// Samples of each pixel of the small picture. So many that four quick processors need some seconds
/// for it, in which parts of a grid can be killed.
const SAMPLES: u32 = 256;

/// A small picture: its draft, and the pixels its result must have.
pub fn small_picture(folder: &Path, deadline: BlockNumber) -> anyhow::Result<(Draft, Vec<u8>)> {
    let frame = Frame {
        width: 160,
        height: 96,
        samples: SAMPLES,
        seed: 7,
    };
    let scene = crate::repository().join("tests/demo/scene/quern.scene");
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
        program: std::fs::read(program("path-tracer")?)?,
        input: Input::Prepared(shards),
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: terms(deadline),
    };
    Ok((draft, expected))
}
