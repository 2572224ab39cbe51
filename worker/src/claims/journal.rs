//! What was claimed or told, and the evidence for it, below the data folder: `claims/journal`, a line of JSON
//! each, and a file of evidence for each claim, as `quern dispute file` takes it.

use super::Claim;
use codec::Encode as _;
use quern_primitives::{
    Amount, Digest, GenesisHash, JobId, TaskIndex, amount::as_string, ids::BatchSequence,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// Lines that are kept: the last.
const LINES_MAX: usize = 1_024;

/// Files of evidence that are kept at a time.
const FILES_MAX: usize = 256;

/// Bytes of a line are fewer.
const LINE_BYTES_MAX: u64 = 512;

const DAY_S: u64 = 24 * 3_600;

/// The version of evidence's files.
const EVIDENCE_VERSION: u8 = 1;

/// What was done about work that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The chain was shown the proof, and the coordinator is convicted.
    Proved,
    /// The chain asks the coordinator, and a bond is at stake.
    Asked,
    /// The owner was told, and nothing sent.
    Told,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When, in seconds since the beginning of 1970.
    pub at_s: u64,
    /// What was done.
    pub deed: Deed,
    /// The job.
    pub job: JobId,
    /// The batch.
    pub batch: BatchSequence,
    /// The task.
    pub task: TaskIndex,
    /// The receipt that was acknowledged.
    pub receipt: Digest,
    /// What was put up for it.
    #[serde(with = "as_string")]
    pub bond: Amount,
}

/// Why the journal or evidence cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file.
    #[error("cannot use {path}; make sure the worker may write there")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There are as many as there may be.
    #[error(
        "there are {FILES_MAX} files of evidence in {folder} already; remove those that are of no more use"
    )]
    Full {
        /// The folder.
        folder: PathBuf,
    },
}

/// Evidence as `quern dispute file` reads it; `docs/format.md` describes it.
#[derive(Serialize)]
struct EvidenceFile {
    version: u8,
    genesis: GenesisHash,
    job: JobId,
    batch: BatchSequence,
    summary: &'static str,
    evidence: String,
}

/// The journal and its folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    lines: Vec<Line>,
}

impl Journal {
    /// Reads the journal of a data folder; lines that are none are passed over.
    pub fn open(data: &Path) -> Result<Self, JournalError> {
        let folder = data.join("claims");
        let path = folder.join("journal");
        let text = match File::open(&path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                let most = LINES_MAX as u64 * LINE_BYTES_MAX;
                file.take(most).read_to_end(&mut bytes).map_err(at(&path))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(&path)(error)),
        };
        let lines = text.lines();
        let lines = lines.filter_map(|line| serde_json::from_str(line).ok());
        Ok(Self {
            folder,
            lines: lines.take(LINES_MAX).collect(),
        })
    }

    /// Its lines, the oldest first.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The folder with the evidence.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was put up in the day before a time, and may be lost.
    pub fn put_up(&self, now_s: u64) -> Amount {
        self.asked_since(now_s.saturating_sub(DAY_S))
            .fold(0, |sum: Amount, line| sum.saturating_add(line.bond))
    }

    /// The jobs of which something was asked in the two days before a time: a dispute over it may be open.
    pub fn asked_jobs(&self, now_s: u64) -> BTreeSet<JobId> {
        let since = now_s.saturating_sub(2 * DAY_S);
        self.asked_since(since).map(|line| line.job).collect()
    }

    fn asked_since(&self, since: u64) -> impl Iterator<Item = &Line> {
        let lines = self.lines.iter();
        lines.filter(move |it| it.deed == Deed::Asked && it.at_s >= since)
    }

    /// Whether this receipt was claimed before, whatever came of it: a coordinator that was asked has
    /// answered or lost, and a second bond would be for nothing.
    pub fn has_claimed(&self, claim: &Claim) -> bool {
        let receipt = claim.kept.word.payload.receipt;
        self.lines.iter().any(|line| {
            line.deed != Deed::Told
                && line.receipt == receipt
                && line.job == claim.batch.job
                && line.batch == claim.batch.sequence
        })
    }

    /// Writes down what was done about a claim.
    pub fn note(
        &mut self,
        now_s: u64,
        deed: Deed,
        claim: &Claim,
        bond: Amount,
    ) -> Result<(), JournalError> {
        let word = &claim.kept.word.payload;
        self.lines.push(Line {
            at_s: now_s,
            deed,
            job: word.job,
            batch: claim.batch.sequence,
            task: word.task,
            receipt: word.receipt,
            bond,
        });
        let spent = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..spent);
        let mut text = Vec::new();
        for line in &self.lines {
            // All of it can be written as JSON.
            if let Ok(line) = serde_json::to_vec(line) {
                text.extend(line);
                text.push(b'\n');
            }
        }
        self.write("journal", &text).map(drop)
    }

    /// Writes the evidence for a claim to a file, and says where.
    pub fn evidence(&self, genesis: GenesisHash, claim: &Claim) -> Result<PathBuf, JournalError> {
        let word = &claim.kept.word.payload;
        let job = hex::encode(&word.job.0[..8]);
        let name = format!(
            "{job}-batch-{}-task-{}-{}.json",
            claim.batch.sequence, word.task, word.replica
        );
        if !self.folder.join(&name).exists() {
            let files = fs::read_dir(&self.folder).map_or(0, Iterator::count);
            if files > FILES_MAX {
                let folder = self.folder.clone();
                return Err(JournalError::Full { folder });
            }
        }
        let file = EvidenceFile {
            version: EVIDENCE_VERSION,
            genesis,
            job: word.job,
            batch: claim.batch.sequence,
            summary: "acknowledged work is not in the task's verdict",
            evidence: format!("0x{}", hex::encode(claim.evidence().encode())),
        };
        let text = serde_json::to_vec_pretty(&file);
        let text = text.map_err(|error| at(&self.folder.join(&name))(error.into()))?;
        self.write(&name, &text)
    }

    /// Writes a file whole, in the place of the one that is there.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, JournalError> {
        let path = self.folder.join(name);
        let unfinished = self.folder.join(format!("{name}.unfinished"));
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| File::create(&unfinished))
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(at(&path))?;
        Ok(path)
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    |source| JournalError::File { path, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::claims::tests::{claim, proven};

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn what_was_put_up_counts_for_a_day_and_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.note(NOW, Deed::Asked, &claim(1), 5).unwrap();
        journal.note(NOW + 60, Deed::Told, &claim(2), 7).unwrap();
        journal.note(NOW + 90, Deed::Proved, &proven(3), 9).unwrap();
        let later = NOW + DAY_S / 2;
        journal.note(later, Deed::Asked, &claim(4), 5).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.lines().len(), 4);
        assert_eq!(journal.put_up(later), 10, "what was proved is not at stake");
        assert_eq!(journal.put_up(NOW + DAY_S + 1), 5);
        assert_eq!(journal.put_up(NOW + 2 * DAY_S), 0);
        let jobs: Vec<_> = journal.asked_jobs(NOW + 2 * DAY_S).into_iter().collect();
        assert_eq!(jobs, [claim(1).batch.job]);
    }

    #[test]
    fn what_was_claimed_is_not_claimed_again_and_what_was_told_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.note(NOW, Deed::Asked, &claim(1), 5).unwrap();
        journal.note(NOW, Deed::Told, &claim(2), 0).unwrap();
        let claimed = [1, 2, 3].map(|task| journal.has_claimed(&claim(task)));
        assert_eq!(claimed, [true, false, false]);
        let mut of_another = claim(1);
        of_another.batch.sequence += 1;
        assert!(!journal.has_claimed(&of_another), "the other was struck");
    }

    #[test]
    fn no_more_lines_are_kept_than_the_limit_and_torn_ones_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.note(NOW, Deed::Told, &claim(1), 0).unwrap();
        let line = journal.lines[0].clone();
        journal.lines = vec![line; LINES_MAX];
        journal.note(NOW, Deed::Asked, &claim(2), 5).unwrap();
        let path = folder.path().join("claims").join("journal");
        let mut text = fs::read(&path).unwrap();
        assert!(text.len() as u64 <= LINES_MAX as u64 * LINE_BYTES_MAX);
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.lines().len(), LINES_MAX);
        assert_eq!(journal.lines().last().unwrap().deed, Deed::Asked);
        text.truncate(text.len() - 5);
        fs::write(&path, text).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.lines().len(), LINES_MAX - 1);
    }

    /// The other half is in `quern`, which reads such a file.
    #[test]
    fn evidence_is_written_as_disputes_are_filed_from() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let genesis = GenesisHash([9; 32]);
        let path = journal.evidence(genesis, &proven(3)).unwrap();
        let text = fs::read(&path).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let keys = file.as_object().unwrap().keys().cloned();
        let mut keys: Vec<String> = keys.collect();
        keys.sort_unstable();
        let expected = ["batch", "evidence", "genesis", "job", "summary", "version"];
        assert_eq!(keys, expected);
        let encoded = hex::encode(proven(3).evidence().encode());
        assert_eq!(file["evidence"], format!("0x{encoded}"));
        assert_eq!(file["version"], 1);
        assert_eq!(file["genesis"], genesis.to_string());
        // The same claim has the same file.
        assert_eq!(journal.evidence(genesis, &proven(3)).unwrap(), path);
    }
}
