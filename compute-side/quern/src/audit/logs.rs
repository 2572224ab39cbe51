//! The log of a job, from a file or from a masternode, block by block. Nothing of it is believed here.

use crate::units::counted;
use anyhow::Context as _;
use quern_joblog::{LogFault, SignedBlock, file::Reader};
use quern_owner::{FetchLogError, LogPart, Masternode, fetch_copied_log, fetch_log};
use quern_primitives::{GenesisHash, JobId, ids::NodeKey};
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
#[derive(Clone)]
pub(super) enum LogSource {
    /// A file as `quern-joblog` writes it.
    File(PathBuf),
    /// The masternode that wrote it.
    Masternode(Arc<Masternode>),
    /// Another one of the job's group, which keeps a copy of what the member at this place wrote.
    Copy(Arc<Masternode>, u8),
}

/// A log that somebody tells, and how many blocks it has as that one says.
pub(super) struct Told {
    pub(super) source: LogSource,
    /// Whose name is in its first block.
    pub(super) first: Box<SignedBlock>,
    pub(super) total: u64,
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

/// Nobody has a log of a job.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLogError {
    /// None of the job's coordinators signed the log in a file.
    #[error(
        "the log in {path} is of none of the coordinators that settled batches of job {job}; leave it out"
    )]
    Nobodys {
        /// The file.
        path: PathBuf,
        /// The job.
        job: JobId,
    },
    /// The chain's masternodes do not have it.
    #[error(
        "of {} that can be reached none has a log of job {job}; name one with --masternode, or give a file with --log", counted(*asked, "masternode")
    )]
    Nowhere {
        /// The job.
        job: JobId,
        /// How many were asked.
        asked: usize,
    },
}

impl Told {
    fn of(source: LogSource, part: LogPart) -> Option<Self> {
        let first = Box::new(part.blocks.into_iter().next()?);
        let total = part.total;
        Some(Self {
            source,
            first,
            total,
        })
    }

    /// Whether this key signed its first block.
    pub(super) fn is_by(&self, node: &NodeKey, genesis: &GenesisHash) -> bool {
        self.first.header.is_signed_by(node, genesis)
    }
}

/// The logs of a job that these masternodes wrote, and what went wrong last with one that was asked.
pub(super) async fn own_logs(
    masternodes: &[Arc<Masternode>],
    job: JobId,
) -> (Vec<Told>, Option<FetchLogError>) {
    let (mut logs, mut last_error) = (Vec::new(), None);
    for masternode in masternodes {
        match fetch_log(masternode.client(), job, 0).await {
            Ok(part) => logs.extend(Told::of(LogSource::Masternode(masternode.clone()), part)),
            Err(error) => last_error = Some(error),
        }
    }
    (logs, last_error)
}

/// The longest of the copies that these masternodes keep of the log of the member with this key, at this place.
pub(super) async fn longest_copy(
    masternodes: &[Arc<Masternode>],
    job: JobId,
    (place, node): (u8, NodeKey),
    genesis: &GenesisHash,
) -> Option<Told> {
    let mut longest: Option<Told> = None;
    for masternode in masternodes {
        // Who does not have it says so, and who sends something else has nothing either.
        let part = fetch_copied_log(masternode.client(), job, place, 0)
            .await
            .ok();
        let source = LogSource::Copy(masternode.clone(), place);
        let told = part.and_then(|part| Told::of(source, part));
        let most = longest.as_ref().map_or(0, |it| it.total);
        longest = told
            .filter(|told| told.is_by(&node, genesis) && told.total > most)
            .or(longest);
    }
    longest
}

impl LogSource {
    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::File(path) => format!("the file {}", path.display()),
            Self::Masternode(masternode) => format!("the masternode at {}", masternode.url()),
            Self::Copy(masternode, _) => {
                format!("the copy of the masternode at {}", masternode.url())
            }
        }
    }

    /// Whether all of the log is there, as who wrote it says, or who has it as a file.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self, Self::Copy(..))
    }

    /// Reads it from its beginning.
    pub(super) fn open(&self, genesis: GenesisHash, job: JobId) -> anyhow::Result<LogReader<'_>> {
        Ok(match self {
            Self::File(path) => LogReader::File(Box::new(LogFile::open(path, genesis, job)?)),
            Self::Masternode(masternode) => LogReader::fetching(masternode, job, None),
            Self::Copy(masternode, place) => LogReader::fetching(masternode, job, Some(*place)),
        })
    }
}

/// A log that is read.
pub(super) enum LogReader<'a> {
    File(Box<LogFile>),
    Masternode {
        masternode: &'a Masternode,
        job: JobId,
        /// Of whose log it is a copy, if it is one.
        place: Option<u8>,
        from: u64,
        fetched: VecDeque<SignedBlock>,
    },
}

impl<'a> LogReader<'a> {
    fn fetching(masternode: &'a Masternode, job: JobId, place: Option<u8>) -> Self {
        Self::Masternode {
            masternode,
            job,
            place,
            from: 0,
            fetched: VecDeque::new(),
        }
    }
}

impl LogReader<'_> {
    /// What comes next.
    pub(super) async fn next(&mut self) -> anyhow::Result<Next> {
        match self {
            Self::File(file) => file.next(),
            Self::Masternode {
                masternode,
                job,
                place,
                from,
                fetched,
            } => {
                if fetched.is_empty() {
                    let client = masternode.client();
                    let part = match place {
                        None => fetch_log(client, *job, *from).await,
                        Some(place) => fetch_copied_log(client, *job, *place, *from).await,
                    };
                    match part {
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
