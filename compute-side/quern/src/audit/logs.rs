//! The log of a job, from a file or from a masternode, block by block. Nothing of it is believed here.

use anyhow::Context as _;
use quern_joblog::{LogFault, SignedBlock, file::Reader};
use quern_owner::{FetchLogError, Masternode, fetch_log};
use quern_primitives::{GenesisHash, JobId};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes of a file that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where a log comes from.
pub(super) enum LogSource {
    /// A file as `quern-joblog` writes it.
    File(PathBuf),
    /// A masternode that has it.
    Masternode(Arc<Masternode>),
}

/// What comes next of a log.
#[derive(Debug)]
pub(super) enum Next {
    /// A block.
    Block(Box<SignedBlock>),
    /// What is no block.
    Broken(LogFault),
    /// Nothing more.
    End,
}

/// Nobody has the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLogError {
    /// The chain's masternodes do not have it.
    #[error(
        "none of the {asked} masternodes that can be reached has a log of job {job}; name one with --masternode, or give a file with --log"
    )]
    Nowhere {
        /// The job.
        job: JobId,
        /// How many were asked.
        asked: usize,
    },
}

impl LogSource {
    /// The masternode among these whose log of a job is the longest.
    pub(super) async fn longest(
        masternodes: &[Arc<Masternode>],
        job: JobId,
    ) -> anyhow::Result<Self> {
        let asked = masternodes.len();
        let (mut longest, mut last_error) = (None, None);
        let mut most = 0;
        for masternode in masternodes {
            match fetch_log(masternode.client(), job, 0).await {
                Ok(part) if part.total > most => {
                    most = part.total;
                    longest = Some(masternode);
                }
                // One that lies about the log's beginning is asked as well, if no other has more.
                Err(FetchLogError::Log(_)) if longest.is_none() => longest = Some(masternode),
                Ok(_) | Err(FetchLogError::Log(_)) => {}
                Err(error) => last_error = Some(error),
            }
        }
        match (longest, last_error) {
            (Some(masternode), _) => Ok(Self::Masternode(masternode.clone())),
            (None, None) => Err(NoLogError::Nowhere { job, asked }.into()),
            (None, Some(error)) => {
                let error = anyhow::Error::from(error);
                Err(error.context(NoLogError::Nowhere { job, asked }))
            }
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::File(path) => format!("the file {}", path.display()),
            Self::Masternode(masternode) => format!("the masternode at {}", masternode.url()),
        }
    }

    /// Reads it from its beginning.
    pub(super) fn open(&self, genesis: GenesisHash, job: JobId) -> anyhow::Result<LogReader<'_>> {
        Ok(match self {
            Self::File(path) => LogReader::File(Box::new(LogFile::open(path, genesis, job)?)),
            Self::Masternode(masternode) => LogReader::Masternode {
                masternode,
                job,
                from: 0,
                fetched: VecDeque::new(),
            },
        })
    }
}

/// A log that is read.
pub(super) enum LogReader<'a> {
    File(Box<LogFile>),
    Masternode {
        masternode: &'a Masternode,
        job: JobId,
        from: u64,
        fetched: VecDeque<SignedBlock>,
    },
}

impl LogReader<'_> {
    /// What comes next.
    pub(super) async fn next(&mut self) -> anyhow::Result<Next> {
        match self {
            Self::File(file) => file.next(),
            Self::Masternode {
                masternode,
                job,
                from,
                fetched,
            } => {
                if fetched.is_empty() {
                    match fetch_log(masternode.client(), *job, *from).await {
                        Ok(part) => {
                            *from = from.saturating_add(part.blocks.len() as u64);
                            fetched.extend(part.blocks);
                        }
                        Err(FetchLogError::Log(fault)) => return Ok(Next::Broken(fault)),
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(match fetched.pop_front() {
                    Some(block) => Next::Block(Box::new(block)),
                    None => Next::End,
                })
            }
        }
    }
}

/// A file of a log.
pub(super) struct LogFile {
    reader: Reader<Vec<u8>, Chunks>,
    failed: Failed,
    path: PathBuf,
    genesis: GenesisHash,
    job: JobId,
}

/// Why a file could not be read any further.
type Failed = Arc<Mutex<Option<io::Error>>>;

/// A file in pieces. It ends where it cannot be read.
struct Chunks {
    file: File,
    failed: Failed,
}

impl Iterator for Chunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = Vec::new();
        let mut some = (&mut self.file).take(CHUNK_BYTES as u64);
        match some.read_to_end(&mut chunk) {
            Ok(0) => None,
            Ok(_) => Some(chunk),
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                *failed = Some(error);
                None
            }
        }
    }
}

impl LogFile {
    fn open(path: &Path, genesis: GenesisHash, job: JobId) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let failed = Failed::default();
        let chunks = Chunks {
            file: File::open(path).with_context(cannot)?,
            failed: failed.clone(),
        };
        let reader = Reader::new(chunks).map_err(|fault| match take(&failed) {
            Some(error) => anyhow::Error::from(error),
            None => anyhow::Error::from(fault),
        });
        let reader = reader.with_context(cannot)?;
        Ok(Self {
            reader,
            failed,
            path: path.to_owned(),
            genesis,
            job,
        })
    }

    fn next(&mut self) -> anyhow::Result<Next> {
        if self.reader.genesis() != self.genesis {
            return Ok(Next::Broken(LogFault::OtherChain));
        }
        if self.reader.job() != self.job {
            let job = self.reader.job();
            return Ok(Next::Broken(LogFault::OtherJob { job }));
        }
        let read = match self.reader.next_block() {
            Ok(None) => Ok(Next::End),
            Ok(Some(bytes)) => SignedBlock::read(bytes).map(|block| Next::Block(Box::new(block))),
            Err(fault) => Err(fault),
        };
        match (read, take(&self.failed)) {
            (_, Some(error)) => {
                Err(error).with_context(|| format!("cannot read {}", self.path.display()))
            }
            (Ok(next), None) => Ok(next),
            (Err(fault), None) => Ok(Next::Broken(fault)),
        }
    }
}

fn take(failed: &Failed) -> Option<io::Error> {
    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
    failed.take()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use quern_joblog::{Entry, LogBuilder, file};
    use quern_primitives::payload::NodeSecret;

    const HERE: GenesisHash = GenesisHash([1; 32]);
    const JOB: JobId = JobId([2; 32]);

    fn blocks(count: u32) -> Vec<SignedBlock> {
        let mut log = LogBuilder::new(HERE, JOB, NodeSecret::from_seed(&[3; 32]));
        let block = |first| {
            log.append(Entry::Queued { first, tasks: 1 }, 5).unwrap();
            log.cut(5).unwrap()
        };
        (0..count).map(block).collect()
    }

    fn reader(bytes: &[u8]) -> (tempfile::TempDir, LogFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, bytes).unwrap();
        let file = LogFile::open(&path, HERE, JOB).unwrap();
        (folder, file)
    }

    #[test]
    fn a_file_is_read_block_by_block_to_its_end() {
        let blocks = blocks(3);
        let (_folder, mut file) = reader(&file::write(&HERE, &JOB, &blocks));
        for expected in &blocks {
            let Next::Block(block) = file.next().unwrap() else {
                panic!("there is a block");
            };
            assert_eq!(*block, *expected);
        }
        assert!(matches!(file.next().unwrap(), Next::End));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_a_fault_of_the_log() {
        let whole = file::write(&HERE, &JOB, &blocks(2));
        let (_folder, mut cut) = reader(&whole[..whole.len() - 7]);
        assert!(matches!(cut.next().unwrap(), Next::Block(_)));
        assert!(matches!(
            cut.next().unwrap(),
            Next::Broken(LogFault::Truncated)
        ));
        let other = JobId([9; 32]);
        let (_folder, mut other) = reader(&file::write(&HERE, &other, &[]));
        assert!(matches!(
            other.next().unwrap(),
            Next::Broken(LogFault::OtherJob { .. })
        ));
        let elsewhere = GenesisHash([9; 32]);
        let (_folder, mut elsewhere) = reader(&file::write(&elsewhere, &JOB, &[]));
        assert!(matches!(
            elsewhere.next().unwrap(),
            Next::Broken(LogFault::OtherChain)
        ));
    }

    #[test]
    fn what_is_no_log_at_all_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, b"something else").unwrap();
        assert!(LogFile::open(&path, HERE, JOB).is_err());
        assert!(LogFile::open(&folder.path().join("none"), HERE, JOB).is_err());
    }
}
