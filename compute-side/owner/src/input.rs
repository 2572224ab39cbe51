//! A job's input as it is sealed: cut first, and then read by as many threads as are given, each a shard
//! at a time and at a place of its own.
//!
//! Threads share nothing but the list of places and which shard is next, so nothing that is made of the
//! shards depends on how many threads there are. What they read is held to what the file was when it was
//! cut: an input that changes in between makes no job.

use quern_primitives::{TaskIndex, limits};
use quern_shards::cut::{CutError, CutPlan, Split};
use std::{
    fs::{File, Metadata},
    io::{self, Read},
    num::NonZeroUsize,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
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

impl Input {
    /// The most bytes that an input may have that is cut so; none of files that are shards already.
    pub fn bytes_max(&self) -> Option<u64> {
        match self {
            Self::Prepared(_) => None,
            Self::File {
                split: Split::None, ..
            } => Some(limits::SHARD_BYTES_MAX.into()),
            Self::File { shard_bytes, .. } => {
                let shards = u64::from(limits::TASKS_PER_JOB_MAX);
                let shard_bytes = (*shard_bytes).clamp(1, limits::SHARD_BYTES_MAX);
                Some(shards.saturating_mul(shard_bytes.into()))
            }
        }
    }
}

/// Why an input does not become shards.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be cut.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// A file cannot be read.
    #[error("cannot read the input {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it was when it was cut.
    #[error(
        "the input {path} changed while it was read; wait until nothing writes to it, then prepare the job anew"
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no thread.
    #[error(
        "no thread can be started to read the input; end other programs and prepare the job anew"
    )]
    Thread {
        /// What the system says.
        source: io::Error,
    },
}

/// As many threads as there are cores for this program.
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// An input and where it is cut.
#[derive(Debug)]
pub struct CutInput {
    plan: CutPlan,
    files: Files,
}

#[derive(Debug)]
enum Files {
    /// One file, and where each shard starts in it.
    One(InputFile, Vec<u64>),
    /// A file for each shard, and how it was when its length was asked for.
    Each(Vec<(PathBuf, Facts)>),
}

impl CutInput {
    /// Plans the cuts. Of a file that may be cut anywhere nothing is read, of one that is cut behind
    /// lines what is before each cut.
    pub fn of(input: &Input) -> Result<Self, InputError> {
        match input {
            Input::File {
                path,
                split,
                shard_bytes,
            } => {
                let file = InputFile::open(path)?;
                let plan = CutPlan::find(&file.file, *split, *shard_bytes);
                file.check()?;
                let plan = plan?;
                let starts = plan.lengths().iter().scan(0, |next, length| {
                    let start = *next;
                    *next += u64::from(*length);
                    Some(start)
                });
                let starts = starts.collect();
                let files = Files::One(file, starts);
                Ok(Self { plan, files })
            }
            Input::Prepared(paths) => {
                let files: Vec<_> = paths
                    .iter()
                    .map(|path| Ok((path.clone(), InputFile::open(path)?.facts)))
                    .collect::<Result<_, InputError>>()?;
                let plan = CutPlan::of_lengths(files.iter().map(|(_, facts)| facts.bytes))?;
                let files = Files::Each(files);
                Ok(Self { plan, files })
            }
        }
    }

    /// The lengths of the shards.
    pub fn plan(&self) -> &CutPlan {
        &self.plan
    }

    /// Has each shard read by `work`, on so many threads, and tells `done` on this one what came of it;
    /// in any order. After the first error no further shard is begun. What changed while it was read is
    /// an error, whatever `work` made of it.
    pub fn each_shard<T: Send, E: Send + From<InputError>>(
        &self,
        threads: NonZeroUsize,
        work: impl Fn(TaskIndex, ShardReader<'_>) -> Result<T, E> + Sync,
        mut done: impl FnMut(TaskIndex, T),
    ) -> Result<(), E> {
        let (next, work) = (&AtomicU32::new(0), &work);
        thread::scope(|scope| {
            let (tell, told) = sync_channel(threads.get());
            for _ in 0..threads.get().min(self.plan.lengths().len()) {
                let tell = tell.clone();
                thread::Builder::new()
                    .spawn_scoped(scope, move || self.take_turns(next, work, &tell))
                    .map_err(|source| InputError::Thread { source })?;
            }
            // The last thread to end closes the channel. An error closes it at the other end.
            drop(tell);
            for (index, outcome) in told {
                done(index, outcome?);
            }
            Ok(())
        })
    }

    /// What one thread does: the next shard, until there is none or nobody listens.
    fn take_turns<T, E: From<InputError>>(
        &self,
        next: &AtomicU32,
        work: &impl Fn(TaskIndex, ShardReader<'_>) -> Result<T, E>,
        tell: &SyncSender<(TaskIndex, Result<T, E>)>,
    ) {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= self.plan.count() {
                return;
            }
            let outcome = self.with_shard(index, work);
            let failed = outcome.is_err();
            if tell.send((index, outcome)).is_err() || failed {
                return;
            }
        }
    }

    fn with_shard<T, E: From<InputError>>(
        &self,
        index: TaskIndex,
        work: &impl Fn(TaskIndex, ShardReader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // There is a length for each shard, and a place for each length.
        let place = index as usize;
        let bytes = self.plan.lengths()[place];
        match &self.files {
            Files::One(file, starts) => {
                let is_last = index.saturating_add(1) == self.plan.count();
                let reader = ShardReader {
                    file,
                    bytes,
                    at: starts[place],
                    // What is behind the last shard would be seen, if there were anything.
                    left: if is_last { u64::MAX } else { bytes.into() },
                };
                file.unless_it_changes(|| work(index, reader))
            }
            Files::Each(files) => {
                let (path, facts) = &files[place];
                let file = InputFile {
                    facts: *facts,
                    ..InputFile::open(path)?
                };
                file.check()?;
                let reader = ShardReader {
                    file: &file,
                    bytes,
                    at: 0,
                    left: u64::MAX,
                };
                file.unless_it_changes(|| work(index, reader))
            }
        }
    }
}

/// Reads one shard's plaintext out of its file. Where the file ends with the shard it is read to the
/// file's end, so whoever expects the shard's bytes alone notices if there are more.
#[derive(Debug)]
pub struct ShardReader<'a> {
    file: &'a InputFile,
    bytes: u32,
    at: u64,
    left: u64,
}

impl ShardReader<'_> {
    /// How many bytes the shard has, by the plan.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl Read for ShardReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        let (out, _) = out.split_at_mut(most);
        let read = self.file.file.read_at(out, self.at)?;
        self.at = self.at.saturating_add(read as u64);
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// A file of the input, and how it was when it was cut.
#[derive(Debug)]
struct InputFile {
    path: PathBuf,
    file: File,
    facts: Facts,
}

/// By what a file that was written to is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    bytes: u64,
    changed_seconds: i64,
    changed_nanoseconds: i64,
}

impl From<&Metadata> for Facts {
    fn from(found: &Metadata) -> Self {
        Self {
            bytes: found.len(),
            changed_seconds: found.mtime(),
            changed_nanoseconds: found.mtime_nsec(),
        }
    }
}

impl InputFile {
    fn open(path: &Path) -> Result<Self, InputError> {
        let cannot = |source| InputError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(cannot)?;
        let found = file.metadata().map_err(cannot)?;
        if found.is_dir() {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            facts: (&found).into(),
        })
    }

    /// That the file is as it was when it was cut.
    fn check(&self) -> Result<(), InputError> {
        let found = self.file.metadata().map_err(|source| InputError::Read {
            path: self.path.clone(),
            source,
        })?;
        match self.facts == Facts::from(&found) {
            true => Ok(()),
            false => Err(InputError::Changed {
                path: self.path.clone(),
            }),
        }
    }

    /// What comes of reading it, unless it is another file behind.
    fn unless_it_changes<T, E: From<InputError>>(
        &self,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let outcome = read();
        self.check()?;
        outcome
    }
}

#[cfg(test)]
mod tests;
