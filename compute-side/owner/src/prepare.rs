//! From a draft to a folder with everything that is submitted and uploaded.

use crate::{
    folder::{FolderError, JobFolder},
    input::{CutInput, Input, InputError, ShardReader, cores},
    private::at,
};
use quern_primitives::{
    AccountId, Amount, BlockNumber, Digest, GenesisHash, JobId, ProgramHash, SealingKey, TaskIndex,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees, Submission, job_id},
};
use quern_shards::{
    context::ShardContext,
    keys::{JobKey, SealingSecret, ShardKey, wrap},
    manifest::{Assembly, Manifest, ShardEntry},
    rand_core::CryptoRng,
    seal::{SealError, SealSalt, seal_into},
};
use sha2::{Digest as _, Sha256};
use std::{num::NonZeroUsize, path::Path};

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
    /// The input does not become shards.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A shard or the manifest cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The job's folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Cuts and seals a job into a new folder below `jobs`, on all cores. `progress` hears how many plaintext
/// bytes of how many are sealed. An input that changes meanwhile is refused, and what was made of it goes.
pub fn prepare(
    jobs: &Path,
    genesis: GenesisHash,
    owner: &AccountId,
    draft: &Draft,
    progress: impl FnMut(u64, u64),
) -> Result<JobFolder, PrepareError> {
    let place = (jobs, genesis, owner);
    prepare_with(&mut rand::rng(), cores(), place, draft, progress)
}

/// The same with whatever chance and on however many threads; the job hangs on the former alone.
fn prepare_with(
    rng: &mut impl CryptoRng,
    threads: NonZeroUsize,
    (jobs, genesis, owner): (&Path, GenesisHash, &AccountId),
    draft: &Draft,
    progress: impl FnMut(u64, u64),
) -> Result<JobFolder, PrepareError> {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    let input = CutInput::of(&draft.input)?;
    let job = job_id(&genesis, owner, &salt);
    let folder = JobFolder::begin(jobs, job)?;
    let preparation = Preparation {
        folder: &folder,
        draft,
        input: &input,
        genesis,
        job,
        salt,
        program: ProgramHash(Sha256::digest(&draft.program).into()),
    };
    if let Err(error) = preparation.fill(rng, threads, progress) {
        // Nothing of it can be used: the job's name follows from a salt that nobody has any more.
        folder.discard();
        return Err(error);
    }
    Ok(folder.finish(jobs)?)
}

/// A job whose folder is being filled.
struct Preparation<'a> {
    folder: &'a JobFolder,
    draft: &'a Draft,
    input: &'a CutInput,
    genesis: GenesisHash,
    job: JobId,
    salt: [u8; 16],
    program: ProgramHash,
}

/// What is drawn to seal one shard.
struct ShardSecrets {
    key: ShardKey,
    salt: SealSalt,
}

impl Preparation<'_> {
    fn fill(
        &self,
        rng: &mut impl CryptoRng,
        threads: NonZeroUsize,
        progress: impl FnMut(u64, u64),
    ) -> Result<(), PrepareError> {
        let (folder, terms) = (self.folder, &self.draft.terms);
        let key = JobKey::random(rng);
        folder.put_key(&key)?;
        let (secrets, mut shards) = self.draw(&key, rng);
        self.seal_shards(threads, &secrets, &mut shards, progress)?;

        let mut manifest = Manifest::new(self.job, self.program, shards);
        manifest.arguments.clone_from(&self.draft.arguments);
        let task_arguments = &self.draft.task_arguments;
        manifest.task_arguments.clone_from(task_arguments);
        manifest.assembly = self.draft.assembly.clone();
        let sealed = manifest.seal(self.genesis, &key, SealSalt::random(rng))?;
        folder.put("manifest", &sealed.bytes)?;
        folder.put("program.wasm", &self.draft.program)?;
        folder.put_submission(&Submission {
            salt: self.salt,
            program: self.program,
            manifest: sealed.digest,
            shards_root: manifest.shards_root(),
            key_commitment: key.commitment(&self.job),
            tasks: self.input.plan().count(),
            input_bytes: manifest.input_bytes(),
            fuel_per_task_max: terms.fuel_per_task_max,
            memory_bytes_max: terms.memory_bytes_max,
            result_bytes_max: terms.result_bytes_max,
            agreement: terms.agreement,
            referees: terms.referees,
            class: terms.class,
            preferences: terms.preferences,
            level: terms.level,
            deadline: terms.deadline,
            price_max: terms.price_max,
            owner_sealing_key: owner_sealing_key(folder, rng)?,
        })?;
        Ok(())
    }

    /// Draws what each shard needs, in their order and before any is sealed. Of what the manifest says of
    /// them only the roots are missing then.
    fn draw(
        &self,
        job_key: &JobKey,
        rng: &mut impl CryptoRng,
    ) -> (Vec<ShardSecrets>, Vec<ShardEntry>) {
        let lengths = self.input.plan().lengths();
        let drawn = (0..).zip(lengths).map(|(index, plaintext_bytes)| {
            let secrets = ShardSecrets {
                key: ShardKey::random(rng),
                salt: SealSalt::random(rng),
            };
            let entry = ShardEntry {
                plaintext_bytes: *plaintext_bytes,
                chunk_root: Digest::default(),
                key: wrap(job_key, &self.job, index, &secrets.key, rng),
            };
            (secrets, entry)
        });
        drawn.unzip()
    }

    /// Seals all shards into the folder, and adds their roots to what the manifest says of them.
    fn seal_shards(
        &self,
        threads: NonZeroUsize,
        secrets: &[ShardSecrets],
        shards: &mut [ShardEntry],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), PrepareError> {
        let total_bytes = self.input.plan().input_bytes();
        let mut sealed_input_bytes = 0;
        self.input.each_shard(
            threads,
            |index, shard| self.seal_shard(index, &secrets[index as usize], shard),
            |index, chunk_root| {
                let entry = &mut shards[index as usize];
                entry.chunk_root = chunk_root;
                sealed_input_bytes += u64::from(entry.plaintext_bytes);
                progress(sealed_input_bytes, total_bytes);
            },
        )
    }

    fn seal_shard(
        &self,
        index: TaskIndex,
        secrets: &ShardSecrets,
        shard: ShardReader<'_>,
    ) -> Result<Digest, PrepareError> {
        let context = ShardContext {
            genesis: self.genesis,
            job: self.job,
            program: self.program,
            index,
            count: self.input.plan().count(),
            plaintext_bytes: shard.bytes().into(),
        };
        let input = shard.path().to_owned();
        let (path, file) = self.folder.create(&format!("shards/{index}"))?;
        let sealed = seal_into(&secrets.key, secrets.salt, &context, shard, &file);
        let sealed = sealed.map_err(|error| match error {
            SealError::OtherLength { .. } => InputError::Changed { path: input }.into(),
            SealError::Read { source } => {
                let path = input;
                InputError::Read { path, source }.into()
            }
            SealError::Write { source } => at(&path)(source).into(),
            too_long => PrepareError::Seal(too_long),
        })?;
        file.sync_all().map_err(at(&path))?;
        Ok(sealed.chunk_root)
    }
}

/// A sealing key of the owner's for this job alone, kept beside the job's key.
fn owner_sealing_key(
    folder: &JobFolder,
    rng: &mut impl CryptoRng,
) -> Result<SealingKey, FolderError> {
    let secret = SealingSecret::random(rng);
    folder.put(
        "sealing.key",
        hex::encode(&secret.to_bytes()[..]).as_bytes(),
    )?;
    Ok(secret.public())
}

#[cfg(test)]
mod tests;
