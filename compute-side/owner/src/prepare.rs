//! From a draft to a folder with everything that is submitted and uploaded.

use crate::folder::{FolderError, JobFolder};
use quern_primitives::{
    AccountId, Amount, BlockNumber, GenesisHash, ProgramHash, SealingKey,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees, Submission, job_id},
};
use quern_shards::{
    context::ShardContext,
    cut::{CutError, CutPlan, Split},
    keys::{JobKey, SealingSecret, ShardKey, wrap},
    manifest::{Assembly, Manifest, ShardEntry},
    seal::{self, SealError, SealSalt},
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// What the tasks work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, cut into shards.
    File {
        /// The file.
        path: PathBuf,
        /// Where it may be cut.
        split: Split,
        /// Bytes of a shard.
        shard_bytes: u32,
    },
    /// Files that are shards already, in task order.
    Prepared(Vec<PathBuf>),
}

/// A job as its owner means it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The program's bytes.
    pub program: Vec<u8>,
    /// What the tasks work on.
    pub input: Input,
    /// Arguments of every task.
    pub arguments: Vec<Vec<u8>>,
    /// Further arguments of each task, in task order; empty if there are none.
    pub task_arguments: Vec<Vec<Vec<u8>>>,
    /// How results become one.
    pub assembly: Assembly,
    /// The limits, agreement and price.
    pub terms: Terms,
}

/// What an owner asks for beside the work itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How many devices must agree.
    pub agreement: Agreement,
    /// How many masternodes have to compute a task on which they do not.
    pub referees: Referees,
    /// Which machines may be compared.
    pub class: Class,
    /// What is asked of the devices beside it.
    pub preferences: Preferences,
    /// Price and priority.
    pub level: ByteLevel,
    /// Fuel one task may use.
    pub fuel_per_task_max: u64,
    /// Memory one task may use.
    pub memory_bytes_max: u64,
    /// Bytes one task's result may have.
    pub result_bytes_max: u32,
    /// The last block in which the job may be settled.
    pub deadline: BlockNumber,
    /// The most the job may cost.
    pub price_max: Amount,
}

/// Why a job cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The input cannot be cut.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// The input cannot be opened.
    #[error("cannot read the input {path}")]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A shard or the manifest cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The job's folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Cuts and seals a job into a new folder below `jobs`. `progress` hears how many plaintext bytes of
/// how many are sealed.
pub fn prepare(
    jobs: &Path,
    genesis: GenesisHash,
    owner: &AccountId,
    draft: &Draft,
    mut progress: impl FnMut(u64, u64),
) -> Result<JobFolder, PrepareError> {
    let salt: [u8; 16] = rand::random();
    let job = job_id(&genesis, owner, &salt);
    let program = ProgramHash(Sha256::digest(&draft.program).into());
    let key = JobKey::random(&mut rand::rng());
    let plan = plan(&draft.input)?;
    let folder = JobFolder::begin(jobs, job)?;
    folder.put_key(&key)?;

    let (mut shards, mut sealed_input_bytes) = (Vec::new(), 0);
    let mut seal_piece = |index: u32, piece: &[u8]| -> Result<(), PrepareError> {
        let context = ShardContext {
            genesis,
            job,
            program,
            index,
            count: plan.count(),
            plaintext_bytes: piece.len() as u64,
        };
        shards.push(seal_shard(&folder, &key, &context, piece)?);
        sealed_input_bytes += piece.len() as u64;
        progress(sealed_input_bytes, plan.input_bytes());
        Ok(())
    };
    match &draft.input {
        Input::File { path, .. } => {
            for (index, piece) in (0..).zip(plan.pieces(open(path)?)) {
                seal_piece(index, &piece?)?;
            }
        }
        Input::Prepared(paths) => {
            for (index, path) in (0..).zip(paths) {
                seal_piece(index, &read(path)?)?;
            }
        }
    }

    let mut manifest = Manifest::new(job, program, shards);
    manifest.arguments.clone_from(&draft.arguments);
    manifest.task_arguments.clone_from(&draft.task_arguments);
    manifest.assembly = draft.assembly.clone();
    let sealed = manifest.seal(genesis, &key, SealSalt::random(&mut rand::rng()))?;
    folder.put("manifest", &sealed.bytes)?;
    folder.put("program.wasm", &draft.program)?;
    folder.put_submission(&Submission {
        salt,
        program,
        manifest: sealed.digest,
        shards_root: manifest.shards_root(),
        key_commitment: key.commitment(&job),
        tasks: plan.count(),
        input_bytes: manifest.input_bytes(),
        fuel_per_task_max: draft.terms.fuel_per_task_max,
        memory_bytes_max: draft.terms.memory_bytes_max,
        result_bytes_max: draft.terms.result_bytes_max,
        agreement: draft.terms.agreement,
        referees: draft.terms.referees,
        class: draft.terms.class,
        preferences: draft.terms.preferences,
        level: draft.terms.level,
        deadline: draft.terms.deadline,
        price_max: draft.terms.price_max,
        owner_sealing_key: owner_sealing_key(&folder)?,
    })?;
    Ok(folder.finish(jobs)?)
}

/// The lengths of the shards that an input makes.
fn plan(input: &Input) -> Result<CutPlan, PrepareError> {
    match input {
        Input::File {
            path,
            split,
            shard_bytes,
        } => Ok(CutPlan::scan(open(path)?, *split, *shard_bytes)?),
        Input::Prepared(paths) => {
            let length = |path: &PathBuf| {
                fs::metadata(path)
                    .map(|facts| facts.len())
                    .map_err(|source| PrepareError::Input {
                        path: path.clone(),
                        source,
                    })
            };
            let lengths: Vec<_> = paths.iter().map(length).collect::<Result<_, _>>()?;
            Ok(CutPlan::of_lengths(lengths)?)
        }
    }
}

fn open(path: &Path) -> Result<impl Read, PrepareError> {
    let input = |source| PrepareError::Input {
        path: path.to_owned(),
        source,
    };
    Ok(BufReader::new(File::open(path).map_err(input)?))
}

fn read(path: &Path) -> Result<Vec<u8>, PrepareError> {
    fs::read(path).map_err(|source| PrepareError::Input {
        path: path.to_owned(),
        source,
    })
}

fn seal_shard(
    folder: &JobFolder,
    job_key: &JobKey,
    context: &ShardContext,
    piece: &[u8],
) -> Result<ShardEntry, PrepareError> {
    let rng = &mut rand::rng();
    let key = ShardKey::random(rng);
    let sealed = seal::seal(&key, SealSalt::random(rng), context, piece)?;
    folder.put(&format!("shards/{}", context.index), &sealed.bytes)?;
    Ok(ShardEntry {
        // A piece has at most SHARD_BYTES_MAX bytes, or sealing it had failed.
        plaintext_bytes: u32::try_from(piece.len()).unwrap_or(u32::MAX),
        chunk_root: sealed.chunk_root,
        key: wrap(job_key, &context.job, context.index, &key, rng),
    })
}

/// A sealing key of the owner's for this job alone, kept beside the job's key.
fn owner_sealing_key(folder: &JobFolder) -> Result<SealingKey, FolderError> {
    let secret = SealingSecret::random(&mut rand::rng());
    folder.put(
        "sealing.key",
        hex::encode(&secret.to_bytes()[..]).as_bytes(),
    )?;
    Ok(secret.public())
}
