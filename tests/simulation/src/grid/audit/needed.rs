//! What must be there before a task is given: its shard, and a device with the memory for it. And which
//! tasks are open.

use super::{Audit, Names, Violation, Work};
use crate::grid::asks::{Facts, MIB};
use quern_masternode::core::Tick;
use quern_primitives::ids::{DeviceId, JobId, TaskIndex};

impl Audit {
    /// The masternode's clock in this step, which never goes back.
    pub(in crate::grid) fn now(&self) -> Tick {
        self.now
    }

    /// What the chain says of a device.
    pub(in crate::grid) fn facts(&self, device: &DeviceId) -> Option<&Facts> {
        self.devices.get(device)
    }

    /// Whether a device failed on a task, or answers of it differ.
    pub(in crate::grid) fn is_doubted(&self, job: &JobId, task: TaskIndex) -> bool {
        let books = self.jobs.get(job);
        books.is_some_and(|books| books.doubted.contains_key(&task))
    }

    /// A job has so many tasks, and no shard of it is there yet.
    pub(in crate::grid) fn await_shards(&mut self, job: JobId, tasks: TaskIndex) {
        self.awaited.insert(job, (0..tasks).collect());
    }

    /// Shards of a job are on disk.
    pub(in crate::grid) fn store(&mut self, job: &JobId, shards: &[TaskIndex]) {
        self.last_stored.insert(*job, self.now);
        if let Some(awaited) = self.awaited.get_mut(job) {
            for task in shards {
                awaited.remove(task);
            }
        }
    }

    /// A task is given when its shard is there, and to a device that lets it have the memory it may need,
    /// as far as the device has told.
    pub(super) fn check_needed(
        &self,
        names: &Names,
        work: &Work,
        task: TaskIndex,
        device: &DeviceId,
    ) -> Result<(), Violation> {
        let (job, number) = (names.job(&work.id), names.device(device));
        let awaited = self.awaited.get(&work.id);
        if awaited.is_some_and(|awaited| awaited.contains(&task)) {
            return Err(Violation::ShardMissing {
                job,
                task,
                device: number,
            });
        }
        let needed_mib = work.submission.memory_bytes_max.div_ceil(MIB);
        let allowed_mib = self.allowed_mib.get(device);
        if allowed_mib.is_some_and(|allowed| *allowed < needed_mib) {
            return Err(Violation::Unasked {
                job,
                task,
                device: number,
                asked: "more memory",
            });
        }
        Ok(())
    }

    /// Tasks of a job of which nobody computes anything, whose end is not decided and of which not all
    /// replicas are answered that its owner asked for.
    pub(in crate::grid) fn idle_tasks(&self, work: &Work) -> impl Iterator<Item = TaskIndex> {
        let books = self.jobs.get(&work.id);
        let is_idle = books.is_none_or(|books| books.held.is_empty());
        let replicas = usize::from(work.submission.agreement.replicas());
        let tasks = if is_idle { work.submission.tasks } else { 0 };
        (0..tasks).filter(move |task| {
            books.is_none_or(|books| {
                let is_over = books.ended.contains_key(task);
                !is_over && books.accounts(*task).count() < replicas
            })
        })
    }
}
