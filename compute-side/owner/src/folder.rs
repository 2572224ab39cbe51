//! The folder of a job on its owner's machine.
//!
//! | file | what it is |
//! | --- | --- |
//! | `job.key` | the job's key, in hexadecimal; whoever has it can read the job |
//! | `submission` | what is submitted, as the chain encodes it |
//! | `manifest` | the sealed manifest |
//! | `program.wasm` | the program |
//! | `shards/N` | the sealed shards; removed when the coordinator has them |
//! | `shards.kept` | says, by being there, that they are not removed |
//! | `results/N` | the results that are here, opened, until the output is whole |
//! | `assembled` | the whole output, until it is where it goes elsewhere |
//! | `replaced/N` | accepted results that were found to be wrong, where others are in their place |
//! | `wrong-at-most` | how likely a wrong and final answer may be, and how many accounts were assumed to collude, if the owner said so |
//! | `group` | the job's masternodes, as the chain last named them |
//!
//! A folder is made under another name and gets its own when it is whole.

use crate::private::{PrivateFolder, at};
use codec::{Decode, DecodeAll, Encode};
use quern_jobs_api::OwnerToken;
use quern_primitives::{
    AccountId, Digest, GenesisHash, JobId, TaskIndex, group::Group, job::Submission,
};
use quern_shards::{
    keys::{Delegation, JobKey},
    manifest::{self, OpenManifestError, ValidatedManifest},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The file with the job's key.
const KEY: &str = "job.key";

/// The file with what is submitted.
const SUBMISSION: &str = "submission";

/// The folder of sealed shards.
const SHARDS: &str = "shards";

/// The folder of results.
const RESULTS: &str = "results";

/// The file with the whole output.
const ASSEMBLED: &str = "assembled";

/// The folder of results in whose place others are.
const REPLACED: &str = "replaced";

/// The file with the job's masternodes.
const GROUP: &str = "group";

/// The file with what the owner accepts of wrong answers.
const WRONG_AT_MOST: &str = "wrong-at-most";

/// The file that says that shards stay.
const KEPT: &str = "shards.kept";

/// Why a job's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such job here.
    #[error("{path} holds no job; only the machine that submitted a job has its key")]
    NoJob {
        /// The folder.
        path: PathBuf,
    },
    /// There is no such store here.
    #[error("{path} holds no store; only the machine that made a store has its key")]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The manifest does not open.
    #[error("the job's manifest cannot be opened")]
    Manifest(#[from] OpenManifestError),
}

/// What a job's owner accepts of wrong answers. The chain is told the agreement that follows from it, and not this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AcceptedWrong {
    /// With what probability an answer to a task may be wrong and final.
    pub at_most: f64,
    /// How many accounts are assumed to collude, if the owner said so.
    pub colluders: Option<u32>,
}

/// The folder of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFolder {
    folder: PrivateFolder,
    job: JobId,
}

impl JobFolder {
    /// The folder of a job that was prepared below `jobs`.
    pub fn find(jobs: &Path, job: JobId) -> Result<Self, FolderError> {
        let folder = PrivateFolder::find(jobs, job.0, SUBMISSION)
            .map_err(|path| FolderError::NoJob { path })?;
        Ok(Self { folder, job })
    }

    /// A new folder that is not whole yet.
    pub(crate) fn begin(jobs: &Path, job: JobId) -> Result<Self, FolderError> {
        let folder = PrivateFolder::begin(jobs, job.0, SHARDS)?;
        Ok(Self { folder, job })
    }

    /// The folder is whole: it gets its own name.
    pub(crate) fn finish(self, jobs: &Path) -> Result<Self, FolderError> {
        let Self { folder, job } = self;
        let folder = folder.finish(jobs, job.0)?;
        Ok(Self { folder, job })
    }

    /// Removes a folder that will never be whole, as far as that goes.
    pub(crate) fn discard(self) {
        self.folder.discard();
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.path().join("program.wasm")
    }

    /// The sealed manifest.
    pub fn manifest_file(&self) -> PathBuf {
        self.path().join("manifest")
    }

    /// A sealed shard.
    pub fn shard(&self, task: TaskIndex) -> PathBuf {
        self.path().join(SHARDS).join(task.to_string())
    }

    /// Where the results are that are here.
    pub fn results(&self) -> PathBuf {
        self.path().join(RESULTS)
    }

    /// Where the whole output is on its way elsewhere.
    pub fn assembled(&self) -> PathBuf {
        self.path().join(ASSEMBLED)
    }

    /// Removes the whole output from here, once it is elsewhere.
    pub fn drop_assembled(&self) -> Result<(), FolderError> {
        self.folder.remove_file(ASSEMBLED)
    }

    /// The result of a task, if it is here: opened and checked.
    pub fn result(&self, task: TaskIndex) -> PathBuf {
        self.results().join(task.to_string())
    }

    /// Where the result of a task is that was accepted, if another one was put in its place.
    pub fn replaced(&self, task: TaskIndex) -> PathBuf {
        self.path().join(REPLACED).join(task.to_string())
    }

    /// What is or was submitted.
    pub fn submission(&self) -> Result<Submission, FolderError> {
        self.folder.read(SUBMISSION, decoded)
    }

    /// The job's key.
    pub fn key(&self) -> Result<JobKey, FolderError> {
        let bytes = self.folder.key(KEY)?;
        Ok(JobKey::from_bytes(*bytes))
    }

    /// What shows a masternode that the job is of who has this folder. It follows from the job's key.
    pub fn owner_token(
        &self,
        genesis: GenesisHash,
        masternode: AccountId,
    ) -> Result<OwnerToken, FolderError> {
        let purpose = Delegation {
            genesis,
            job: self.job,
            masternode,
        };
        let token = self.key()?.owner_token(&purpose);
        Ok(OwnerToken(Digest(token.to_bytes())))
    }

    /// The manifest, opened and checked.
    pub fn manifest(&self, genesis: GenesisHash) -> Result<ValidatedManifest, FolderError> {
        let path = self.manifest_file();
        let sealed = fs::read(&path).map_err(at(&path))?;
        Ok(manifest::open(
            genesis,
            self.job,
            &self.submission()?,
            &self.key()?,
            &sealed,
        )?)
    }

    /// From now on the sealed shards stay when the coordinator has them.
    pub fn keep_uploads(&self) -> Result<(), FolderError> {
        self.folder.put(KEPT, &[])
    }

    /// Remembers what the owner accepts of wrong answers, so that the result can be held to it.
    pub fn put_accepted_wrong(&self, accepted: &AcceptedWrong) -> Result<(), FolderError> {
        let AcceptedWrong { at_most, colluders } = accepted;
        let colluders = colluders.map(|colluders| format!(" {colluders}"));
        let text = format!("{at_most}{}\n", colluders.unwrap_or_default());
        self.folder.put_whole(WRONG_AT_MOST, text.as_bytes())
    }

    /// What the owner accepts of wrong answers, if it said so.
    pub fn accepted_wrong(&self) -> Result<Option<AcceptedWrong>, FolderError> {
        self.folder.read_if_there(WRONG_AT_MOST, |bytes| {
            let mut words = std::str::from_utf8(bytes).ok()?.split_whitespace();
            let accepted = AcceptedWrong {
                at_most: words.next()?.parse().ok()?,
                colluders: words.next().map(str::parse).transpose().ok()?,
            };
            let is_sound = (0.0..=1.0).contains(&accepted.at_most) && words.next().is_none();
            is_sound.then_some(accepted)
        })
    }

    /// Removes the sealed shards, which the coordinator has, unless they are to be kept; key and program
    /// stay.
    pub fn drop_uploads(&self) -> Result<(), FolderError> {
        match self.path().join(KEPT).is_file() {
            true => Ok(()),
            false => self.folder.remove_folder(SHARDS),
        }
    }

    /// The tasks whose result is here.
    pub(crate) fn tasks_with_result(&self) -> Result<BTreeSet<TaskIndex>, FolderError> {
        let path = self.results();
        let files = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            files => files.map_err(at(&path))?,
        };
        let mut tasks = BTreeSet::new();
        for file in files {
            let name = file.map_err(at(&path))?.file_name();
            // What was being written when the program went down has another kind of name.
            tasks.extend(
                name.to_str()
                    .and_then(|name| name.parse::<TaskIndex>().ok()),
            );
        }
        Ok(tasks)
    }

    /// Keeps the opened result of a task; it has its name only when it is whole and on disk.
    pub(crate) fn put_result(&self, task: TaskIndex, bytes: &[u8]) -> Result<(), FolderError> {
        self.put_of_task(RESULTS, task, bytes)
    }

    /// Keeps a result that was accepted and is to be replaced.
    pub(crate) fn put_replaced(&self, task: TaskIndex, bytes: &[u8]) -> Result<(), FolderError> {
        self.put_of_task(REPLACED, task, bytes)
    }

    fn put_of_task(&self, within: &str, task: TaskIndex, bytes: &[u8]) -> Result<(), FolderError> {
        self.folder.make_folder(within)?;
        self.folder.put_whole(&of_task(within, task), bytes)
    }

    /// The opened result of a task, if it is here.
    pub(crate) fn read_result(&self, task: TaskIndex) -> Result<Option<Vec<u8>>, FolderError> {
        self.folder
            .read_if_there(&of_task(RESULTS, task), |bytes| Some(bytes.to_vec()))
    }

    /// The result of a task that was accepted, if another one was put in its place.
    pub(crate) fn read_replaced(&self, task: TaskIndex) -> Result<Option<Vec<u8>>, FolderError> {
        self.folder
            .read_if_there(&of_task(REPLACED, task), |bytes| Some(bytes.to_vec()))
    }

    /// Remembers the job's masternodes: the chain forgets them with the job's end.
    pub(crate) fn put_group(&self, group: &Group) -> Result<(), FolderError> {
        self.folder.put_whole(GROUP, &group.encode())
    }

    /// The job's masternodes, as they were last remembered.
    pub(crate) fn group(&self) -> Result<Option<Group>, FolderError> {
        self.folder.read_if_there(GROUP, decoded)
    }

    /// Removes the results, once the output is whole.
    pub fn drop_results(&self) -> Result<(), FolderError> {
        self.folder.remove_folder(RESULTS)
    }

    pub(crate) fn put_key(&self, key: &JobKey) -> Result<(), FolderError> {
        self.folder.put_key(KEY, key.expose())
    }

    pub(crate) fn put_submission(&self, submission: &Submission) -> Result<(), FolderError> {
        self.folder.put(SUBMISSION, &submission.encode())
    }

    /// Writes a file that only its owner reads.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        self.folder.put(name, bytes)
    }

    /// An empty file that only its owner reads, and where it is.
    pub(crate) fn create(&self, name: &str) -> Result<(PathBuf, File), FolderError> {
        self.folder.create(name)
    }
}

fn of_task(within: &str, task: TaskIndex) -> String {
    format!("{within}/{task}")
}

fn decoded<T: Decode>(mut bytes: &[u8]) -> Option<T> {
    T::decode_all(&mut bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_removed_unless_they_are_to_be_kept() {
        let jobs = tempfile::tempdir().unwrap();
        for (number, is_kept) in [(1, false), (2, true)] {
            let folder = JobFolder::begin(jobs.path(), JobId([number; 32])).unwrap();
            folder.put("shards/0", b"sealed").unwrap();
            if is_kept {
                folder.keep_uploads().unwrap();
            }
            folder.drop_uploads().unwrap();
            assert_eq!(folder.shard(0).is_file(), is_kept);
        }
    }

    #[test]
    fn what_the_owner_accepts_of_wrong_answers_reads_back_as_it_was_written() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = JobFolder::begin(jobs.path(), JobId([1; 32])).unwrap();
        assert_eq!(folder.accepted_wrong().unwrap(), None);
        for (at_most, colluders) in [(0.1, None), (1e-300, Some(u32::MAX)), (0.0, Some(0))] {
            let accepted = AcceptedWrong { at_most, colluders };
            folder.put_accepted_wrong(&accepted).unwrap();
            assert_eq!(folder.accepted_wrong().unwrap(), Some(accepted));
        }
        for text in ["", "x", "0.1 x", "0.1 2 3", "1.5", "-1", "NaN", "0.1 -1"] {
            folder.put(WRONG_AT_MOST, text.as_bytes()).unwrap();
            let read = folder.accepted_wrong();
            assert!(matches!(read, Err(FolderError::Damaged { .. })), "{text}");
        }
    }

    #[test]
    fn the_token_follows_from_the_key_in_the_folder_and_is_another_for_each_masternode() {
        let jobs = tempfile::tempdir().unwrap();
        let (job, genesis) = (JobId([1; 32]), GenesisHash([2; 32]));
        let folder = JobFolder::begin(jobs.path(), job).unwrap();
        let key = JobKey::from_bytes([3; 32]);
        folder.put_key(&key).unwrap();
        let masternode = AccountId::new([4; 32]);
        let token = folder.owner_token(genesis, masternode.clone()).unwrap();
        let purpose = Delegation {
            genesis,
            job,
            masternode,
        };
        assert_eq!(token.0.0, key.owner_token(&purpose).to_bytes());
        let other = folder.owner_token(genesis, AccountId::new([5; 32]));
        assert_ne!(other.unwrap().0, token.0);
    }
}
