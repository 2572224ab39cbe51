//! How much of the disk the files of all jobs take, and how much they may take.
//!
//! Every file counts with what is there of it, in blocks of the disk. Nothing is set aside for what is
//! still to come: who begins uploads and does not end them, or sends a byte now and then, takes no
//! room from others but for the blocks that were written. What came stays until the job ends, unless
//! it turns out wrong.
//!
//! An upload is taken further only if all that it may become would find room. So of several that do
//! not all fit, the one that was taken further last can be ended, unless results come before it; the
//! others go on when there is room. Of a result nobody knows how long it becomes: it is taken as long
//! as what comes finds room.
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

/// Bytes of a block of the disk, as file systems have them: the least that a file takes, so that many
/// small files do not take more than is counted.
pub(super) const BLOCK_BYTES: u64 = 4_096;

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
    /// What is there of what is being received, by the file it is received into.
    parts: BTreeMap<PathBuf, u64>,
    /// What is checked, of each job.
    kept: BTreeMap<JobId, Kept>,
}

/// Bytes that a job's checked files take.
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

    /// Takes room for a part that is `bytes` long from now on, if all of the `may_become` bytes that
    /// it may have in the end would find room now.
    pub(super) fn take(
        &self,
        part: PathBuf,
        bytes: u64,
        may_become: u64,
        need: Need,
    ) -> Result<(), ApiError> {
        let bytes_max = match need {
            Need::Input => self.bytes_max - self.bytes_max / RESULTS_SHARE,
            Need::Result => self.bytes_max,
        };
        let mut taken = self.taken();
        let before = taken.parts.get(&part).copied().unwrap_or(0);
        let missing = on_disk(may_become).saturating_sub(before);
        if missing > 0 && taken.bytes.saturating_add(missing) > bytes_max {
            return Err(ApiError::NoRoom { bytes: missing });
        }
        taken.count(part, on_disk(bytes));
        Ok(())
    }

    /// Counts a part that was found at the start, whether there is room for it or not.
    pub(super) fn found_part(&self, part: PathBuf, bytes: u64) {
        self.taken().count(part, on_disk(bytes));
    }

    /// Counts a checked file that was found at the start.
    pub(super) fn found(&self, job: JobId, need: Need, bytes: u64) {
        let bytes = on_disk(bytes);
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
            let freed = kept.results.min(on_disk(bytes));
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
    /// Counts a part with so many bytes of the disk from now on.
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

/// Bytes that a file of so many bytes takes of the disk.
fn on_disk(bytes: u64) -> u64 {
    bytes
        .max(1)
        .checked_next_multiple_of(BLOCK_BYTES)
        .unwrap_or(u64::MAX)
}
