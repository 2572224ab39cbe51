//! How much of the disk, and of the bucket, the things of all jobs take, and how much they may take.
//!
//! Every thing counts with what is there of it, in blocks of the disk. Nothing is set aside for what is still to come:
//! who begins uploads and does not end them takes no room from others but for the blocks that were written.
//!
//! A part is taken further only if all that it may become would find room now. Of a result nobody knows how long it
//! becomes: it is taken as long as what comes finds room.
//!
//! The count is kept in memory and made anew at each start. Where a crash makes it wrong, it is right again then.

use crate::{Item, Name, store::Below};
use quern_primitives::{JobId, TaskIndex};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One part in so many of the room is for results alone. Otherwise uploads could fill it, and no job that was taken
/// could be ended.
const RESULTS_SHARE: u64 = 4;

/// Bytes of a block of the disk, as file systems have them: the least that a thing counts, so that many small ones do
/// not take more than is counted.
pub(crate) const BLOCK_BYTES: u64 = 4_096;

/// There is no room for so many bytes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    pub(crate) missing_bytes: u64,
}

/// The room for the things of all jobs.
#[derive(Debug)]
pub(crate) struct Room {
    most_bytes: u64,
    parts_most_bytes: u64,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    kept_bytes: u64,
    part_bytes: u64,
    parts: BTreeMap<Name, u64>,
    /// What each job's whole things take, inputs and results.
    jobs: BTreeMap<JobId, u64>,
    /// Tasks of which a result has come, in part or as a whole, until everything of their job was erased.
    results: BTreeMap<JobId, BTreeSet<TaskIndex>>,
}

impl Room {
    /// An empty room of so many bytes for all, of which parts may take so many.
    pub(crate) fn new(most_bytes: u64, parts_most_bytes: u64) -> Self {
        Self {
            most_bytes,
            parts_most_bytes,
            taken: Mutex::default(),
        }
    }

    /// Takes room for a part that has `bytes` from now on, if all of the `may_become` bytes that it may have in the
    /// end would find room now.
    pub(crate) fn take(&self, name: Name, bytes: u64, may_become: u64) -> Result<(), NoRoom> {
        let most_bytes = match name.item.is_input() {
            true => self.most_bytes - self.most_bytes / RESULTS_SHARE,
            false => self.most_bytes,
        };
        let mut taken = self.taken();
        let before = taken.parts.get(&name).copied().unwrap_or(0);
        let missing_bytes = on_disk(may_become).saturating_sub(before);
        let parts = taken.part_bytes.saturating_add(missing_bytes);
        let all = parts.saturating_add(taken.kept_bytes);
        if missing_bytes > 0 && (all > most_bytes || parts > self.parts_most_bytes) {
            return Err(NoRoom { missing_bytes });
        }
        taken.note(&name);
        taken.count_part(name, on_disk(bytes));
        Ok(())
    }

    /// A part has so many bytes, whether there is room for them or not: one that was found at the start, or was not
    /// written as far as it was to be.
    pub(crate) fn found_part(&self, name: Name, bytes: u64) {
        let mut taken = self.taken();
        taken.note(&name);
        taken.count_part(name, on_disk(bytes));
    }

    /// A whole thing was found at the start.
    pub(crate) fn found(&self, name: &Name, bytes: u64) {
        let mut taken = self.taken();
        taken.note(name);
        taken.count_kept(name.job, on_disk(bytes));
    }

    /// A part became whole.
    pub(crate) fn keep(&self, name: &Name, bytes: u64) {
        let mut taken = self.taken();
        taken.drop_part(name);
        taken.count_kept(name.job, on_disk(bytes));
    }

    /// A part is erased.
    pub(crate) fn drop_part(&self, name: &Name) {
        self.taken().drop_part(name);
    }

    /// A whole thing of so many bytes is erased.
    pub(crate) fn drop_kept(&self, job: JobId, bytes: u64) {
        let mut taken = self.taken();
        let Some(of_job) = taken.jobs.get_mut(&job) else {
            return;
        };
        // What was never counted is not counted off: it would make room that is not there.
        let freed = on_disk(bytes).min(*of_job);
        *of_job -= freed;
        if *of_job == 0 {
            taken.jobs.remove(&job);
        }
        taken.kept_bytes = taken.kept_bytes.saturating_sub(freed);
    }

    /// The parts that there are.
    pub(crate) fn parts(&self, below: Below) -> Vec<Name> {
        let taken = self.taken();
        let first = match below {
            Below::All => None,
            Below::Job(job) | Below::Results(job, _) => Some(Name {
                job,
                item: Item::Manifest,
            }),
        };
        // The first item of a job is its manifest.
        let names = match first {
            None => taken.parts.range(..),
            Some(first) => taken.parts.range(first..),
        };
        let names = names.map(|(name, _)| *name);
        let of_job = names.take_while(|name| first.is_none_or(|first| name.job == first.job));
        of_job.filter(|name| below.has(name)).collect()
    }

    /// Whether a result of a task may be here, as a whole or in part. If not, none is.
    pub(crate) fn may_have_results(&self, job: JobId, task: TaskIndex) -> bool {
        let taken = self.taken();
        let tasks = taken.results.get(&job);
        tasks.is_some_and(|tasks| tasks.contains(&task))
    }

    /// Everything of a job was erased.
    pub(crate) fn forget_results(&self, job: JobId) {
        self.taken().results.remove(&job);
    }

    /// Bytes that are taken.
    pub(crate) fn bytes(&self) -> u64 {
        let taken = self.taken();
        taken.kept_bytes.saturating_add(taken.part_bytes)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Notes that something of a task's results is here.
    fn note(&mut self, name: &Name) {
        if let Item::Result(task, ..) = name.item {
            self.results.entry(name.job).or_default().insert(task);
        }
    }

    fn count_part(&mut self, name: Name, bytes: u64) {
        let before = self.parts.insert(name, bytes).unwrap_or(0);
        self.part_bytes = self.part_bytes.saturating_sub(before).saturating_add(bytes);
    }

    fn drop_part(&mut self, name: &Name) {
        let freed = self.parts.remove(name).unwrap_or(0);
        self.part_bytes = self.part_bytes.saturating_sub(freed);
    }

    fn count_kept(&mut self, job: JobId, bytes: u64) {
        let of_job = self.jobs.entry(job).or_default();
        *of_job = of_job.saturating_add(bytes);
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
    }
}

/// Bytes that a thing of so many bytes counts.
pub(crate) fn on_disk(bytes: u64) -> u64 {
    bytes
        .max(1)
        .checked_next_multiple_of(BLOCK_BYTES)
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::DeviceId;

    fn shard(task: u32) -> Name {
        Name {
            job: JobId([1; 32]),
            item: Item::Shard(task),
        }
    }

    fn result(task: u32) -> Name {
        Name {
            job: JobId([1; 32]),
            item: Item::Result(task, 0, DeviceId([2; 32])),
        }
    }

    fn blocks(count: u64) -> u64 {
        count * BLOCK_BYTES
    }

    #[test]
    fn a_quarter_is_for_results_alone() {
        let room = Room::new(blocks(120), blocks(120));
        assert_eq!(room.take(shard(0), blocks(90), blocks(90)), Ok(()));
        let refused = Err(NoRoom {
            missing_bytes: blocks(1),
        });
        assert_eq!(room.take(shard(1), 1, 1), refused);
        assert_eq!(room.take(result(0), blocks(30), blocks(30)), Ok(()));
        assert_eq!(room.take(result(1), 1, 1), refused);
        assert_eq!(room.bytes(), blocks(120));
    }

    #[test]
    fn parts_have_their_own_limit_where_what_is_whole_lies_elsewhere() {
        let room = Room::new(blocks(1_000), blocks(4));
        assert_eq!(room.take(shard(0), blocks(3), blocks(3)), Ok(()));
        let refused = room.take(shard(1), 1, blocks(2));
        assert_eq!(
            refused,
            Err(NoRoom {
                missing_bytes: blocks(2)
            })
        );
        room.keep(&shard(0), blocks(3));
        assert_eq!(room.take(shard(1), 1, blocks(2)), Ok(()));
        assert_eq!(room.bytes(), blocks(4));
        assert_eq!(room.parts(Below::All), [shard(1)]);
    }

    #[test]
    fn what_is_begun_and_not_ended_counts_with_what_is_there() {
        let room = Room::new(blocks(120), blocks(120));
        for task in 0..20 {
            assert_eq!(room.take(shard(task), 1, blocks(70)), Ok(()));
        }
        assert_eq!(room.bytes(), blocks(20));
        room.drop_part(&shard(0));
        room.drop_part(&shard(0));
        assert_eq!(room.bytes(), blocks(19));
    }

    #[test]
    fn what_was_not_counted_makes_no_room_when_it_goes() {
        let room = Room::new(blocks(120), blocks(120));
        room.found(&shard(0), 5);
        room.drop_kept(JobId([2; 32]), blocks(9));
        room.drop_kept(JobId([1; 32]), blocks(9));
        room.drop_kept(JobId([1; 32]), blocks(9));
        assert_eq!(room.bytes(), 0);
    }

    #[test]
    fn parts_are_found_by_their_job_and_by_their_task() {
        let room = Room::new(blocks(120), blocks(120));
        let other = Name {
            job: JobId([2; 32]),
            item: Item::Program,
        };
        for name in [shard(3), result(3), result(4), other] {
            room.found_part(name, 1);
        }
        let job = JobId([1; 32]);
        assert_eq!(
            room.parts(Below::Job(job)),
            [shard(3), result(3), result(4)]
        );
        assert_eq!(room.parts(Below::Results(job, 4)), [result(4)]);
        assert_eq!(room.parts(Below::Job(JobId([0; 32]))), []);
        assert_eq!(room.parts(Below::All).len(), 4);
    }

    #[test]
    fn of_a_task_that_had_no_result_nothing_has_to_be_looked_for() {
        let room = Room::new(blocks(120), blocks(120));
        let job = JobId([1; 32]);
        room.found_part(result(3), 1);
        room.found(&result(4), 1);
        let has = |room: &Room| [2, 3, 4].map(|task| room.may_have_results(job, task));
        assert_eq!(has(&room), [false, true, true]);
        room.forget_results(job);
        assert_eq!(has(&room), [false; 3]);
    }
}
