//! How much of the disk the files of all jobs take, and how much they may take.
//!
//! What is checked counts with its length. What is still being received counts with all that it may
//! become, from its first piece on: an upload that was begun can be ended. Only of a result nobody
//! knows how long it becomes, so it counts as it comes.
//!
//! The count is kept in memory and made anew from the files at each start. Where a crash or a race
//! between an upload and the end of its job makes it wrong, it is right again then.

use quern_jobs_api::ApiError;
use quern_primitives::JobId;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One part in so many of the room is for results alone. Otherwise uploads could fill the disk, and
/// no job that was taken could be ended.
const RESULTS_SHARE: u64 = 4;

/// Who needs room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// An owner, for what a job is computed from.
    Input,
    /// A device, for what it computed.
    Result,
}

/// The room for the files of all jobs.
#[derive(Debug)]
pub(super) struct Room {
    bytes_max: u64,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The sum of all below.
    bytes: u64,
    /// What is being received, by the file it is received into.
    parts: BTreeMap<PathBuf, u64>,
    /// What is checked, of each job.
    kept: BTreeMap<JobId, Kept>,
}

/// Bytes of a job's checked files.
#[derive(Debug, Default)]
struct Kept {
    inputs: u64,
    results: u64,
}

impl Kept {
    fn of(&mut self, need: Need) -> &mut u64 {
        match need {
            Need::Input => &mut self.inputs,
            Need::Result => &mut self.results,
        }
    }
}

impl Room {
    /// An empty room of so many bytes.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            taken: Mutex::default(),
        }
    }

    /// Makes room for a part that may become `bytes` long; there is room already if that was asked
    /// for before.
    pub(super) fn reserve(&self, part: PathBuf, bytes: u64, need: Need) -> Result<(), ApiError> {
        let bytes_max = match need {
            Need::Input => self.bytes_max - self.bytes_max / RESULTS_SHARE,
            Need::Result => self.bytes_max,
        };
        let mut taken = self.taken();
        let before = taken.parts.get(&part).copied().unwrap_or(0);
        let more = bytes.saturating_sub(before);
        if more > 0 && taken.bytes.saturating_add(more) > bytes_max {
            return Err(ApiError::NoRoom { bytes: more });
        }
        taken.count(part, bytes);
        Ok(())
    }

    /// Counts a part that was found at the start, whether there is room for it or not.
    pub(super) fn found_part(&self, part: PathBuf, bytes: u64) {
        self.taken().count(part, bytes);
    }

    /// Counts a checked file that was found at the start.
    pub(super) fn found(&self, job: JobId, need: Need, bytes: u64) {
        let mut taken = self.taken();
        taken.bytes = taken.bytes.saturating_add(bytes);
        *taken.kept.entry(job).or_default().of(need) += bytes;
    }

    /// A part was checked and is kept, so many bytes long.
    pub(super) fn keep(&self, part: &Path, job: JobId, need: Need, bytes: u64) {
        self.drop_part(part);
        self.found(job, need, bytes);
    }

    /// A part is erased.
    pub(super) fn drop_part(&self, part: &Path) {
        let mut taken = self.taken();
        let freed = taken.parts.remove(part).unwrap_or(0);
        taken.bytes = taken.bytes.saturating_sub(freed);
    }

    /// A kept result of so many bytes is erased.
    pub(super) fn drop_result(&self, job: JobId, bytes: u64) {
        let mut taken = self.taken();
        if let Some(kept) = taken.kept.get_mut(&job) {
            let freed = kept.results.min(bytes);
            kept.results -= freed;
            taken.bytes = taken.bytes.saturating_sub(freed);
        }
    }

    /// A job's inputs are erased, those being received too; its results, in this folder, are not.
    pub(super) fn drop_inputs(&self, job: JobId, folder: &Path, results: &Path) {
        let mut taken = self.taken();
        taken.drop_parts(|part| part.starts_with(folder) && !part.starts_with(results));
        if let Some(kept) = taken.kept.get_mut(&job) {
            let freed = std::mem::take(&mut kept.inputs);
            taken.bytes = taken.bytes.saturating_sub(freed);
        }
    }

    /// Everything of a job, in this folder, is erased.
    pub(super) fn drop_job(&self, job: JobId, folder: &Path) {
        let mut taken = self.taken();
        taken.drop_parts(|part| part.starts_with(folder));
        if let Some(kept) = taken.kept.remove(&job) {
            let freed = kept.inputs.saturating_add(kept.results);
            taken.bytes = taken.bytes.saturating_sub(freed);
        }
    }

    /// Bytes that are taken.
    pub(super) fn bytes(&self) -> u64 {
        self.taken().bytes
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Counts a part with so many bytes from now on.
    fn count(&mut self, part: PathBuf, bytes: u64) {
        let before = self.parts.insert(part, bytes).unwrap_or(0);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(bytes);
    }

    fn drop_parts(&mut self, is_dropped: impl Fn(&Path) -> bool) {
        let mut freed: u64 = 0;
        self.parts.retain(|part, bytes| {
            let stays = !is_dropped(part);
            if !stays {
                freed = freed.saturating_add(*bytes);
            }
            stays
        });
        self.bytes = self.bytes.saturating_sub(freed);
    }
}
