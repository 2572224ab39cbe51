//! Small shards in memory: opening a file takes longer than all else that a masternode does to hand one out.
//!
//! What is here was checked, and is on disk too; what is not is read from there, as after a restart.

use quern_primitives::{JobId, TaskIndex};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes of a shard that is kept in memory, at most.
pub(super) const SHARD_BYTES_MAX: usize = 1024;

/// Bytes of all of them, with what each takes beside its own: 16 MiB. Further ones are only on disk.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a shard takes beside its bytes.
const BESIDE_BYTES: usize = 64;

/// The small shards of all jobs.
#[derive(Debug, Default)]
pub(super) struct Small(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    jobs: HashMap<JobId, BTreeMap<TaskIndex, Box<[u8]>>>,
    bytes: usize,
}

fn taken(shard: &[u8]) -> usize {
    shard.len() + BESIDE_BYTES
}

impl Small {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic while the lock was held leaves at worst a count that is too high.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a shard, if it is small and there is room.
    pub(super) fn keep(&self, job: JobId, task: TaskIndex, shard: &[u8]) {
        let mut kept = self.kept();
        if shard.len() > SHARD_BYTES_MAX || kept.bytes + taken(shard) > BYTES_MAX {
            return;
        }
        let of_job = kept.jobs.entry(job).or_default();
        let before = of_job.insert(task, shard.into());
        kept.bytes += taken(shard);
        kept.bytes -= before.as_deref().map_or(0, taken);
    }

    /// A shard of so many bytes.
    pub(super) fn get(&self, job: &JobId, task: TaskIndex, bytes: usize) -> Option<Vec<u8>> {
        let kept = self.kept();
        let shard = kept.jobs.get(job)?.get(&task)?;
        (shard.len() == bytes).then(|| shard.to_vec())
    }

    /// A job's shards are needed no more.
    pub(super) fn forget(&self, job: &JobId) {
        let mut kept = self.kept();
        let gone = kept.jobs.remove(job).unwrap_or_default();
        kept.bytes -= gone.values().map(|shard| taken(shard)).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([1; 32]);
    const OTHER: JobId = JobId([2; 32]);

    #[test]
    fn a_small_shard_is_here_until_its_job_is_over() {
        let small = Small::default();
        small.keep(JOB, 3, b"abc");
        small.keep(OTHER, 3, b"other");
        assert_eq!(small.get(&JOB, 3, 3).as_deref(), Some(&b"abc"[..]));
        assert_eq!(small.get(&JOB, 3, 4), None, "another length");
        assert_eq!(small.get(&JOB, 4, 3), None, "another task");
        small.keep(JOB, 3, b"abcd");
        assert_eq!(small.get(&JOB, 3, 4).as_deref(), Some(&b"abcd"[..]));
        small.forget(&JOB);
        assert_eq!(small.get(&JOB, 3, 4), None);
        assert_eq!(small.get(&OTHER, 3, 5).as_deref(), Some(&b"other"[..]));
        small.forget(&OTHER);
        assert_eq!(small.kept().bytes, 0);
    }

    #[test]
    fn large_ones_and_more_than_there_is_room_for_stay_on_disk() {
        let small = Small::default();
        small.keep(JOB, 0, &[0; SHARD_BYTES_MAX + 1]);
        assert_eq!(small.get(&JOB, 0, SHARD_BYTES_MAX + 1), None);
        let shard = [7; SHARD_BYTES_MAX];
        let room = u32::try_from(BYTES_MAX / taken(&shard)).unwrap_or(u32::MAX);
        (0..room + 9).for_each(|task| small.keep(JOB, task, &shard));
        assert!(small.get(&JOB, room - 1, SHARD_BYTES_MAX).is_some());
        assert_eq!(small.get(&JOB, room, SHARD_BYTES_MAX), None);
        assert!(small.kept().bytes <= BYTES_MAX);
        small.forget(&JOB);
        small.keep(OTHER, 0, &shard);
        assert!(small.get(&OTHER, 0, SHARD_BYTES_MAX).is_some());
    }
}
