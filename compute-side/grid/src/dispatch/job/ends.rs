//! When what runs should be finished, of tasks that an idle device may compute once more.
//!
//! What is asked here does not depend on the device: whether a task has all its backups, as many replicas
//! as it may have, or is in doubt. Nothing of such a task stands among the ends, so that it keeps no other
//! from being found where many run. And tasks of as many backups stand together, for who has one on its
//! way is seldom in need of another.

use super::{JobQueue, TaskState};
use crate::Tick;
use quern_primitives::{
    ids::{ReplicaIndex, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
};
use std::ops::RangeInclusive;

/// A replica that runs: how many backups its task has, when it should be finished, and which it is.
pub(super) type End = (u8, Tick, TaskIndex, ReplicaIndex);

/// All replicas of a task.
pub(super) fn of_task(task: TaskIndex) -> RangeInclusive<(TaskIndex, ReplicaIndex)> {
    (task, ReplicaIndex::MIN)..=(task, ReplicaIndex::MAX)
}

impl TaskState {
    /// How many backups it has, if it may have one more.
    pub(super) fn backups_before_next(&self, backups_max: u8) -> Option<u8> {
        let may_grow = self.replicas.len() < usize::from(REPLICAS_PER_TASK_MAX);
        // Whoever is idle is not to confirm what a trusted device is asked about.
        let has_room = may_grow && self.backups < backups_max && self.doubted.is_none();
        has_room.then_some(self.backups)
    }
}

impl JobQueue {
    /// Puts what runs of a task where it belongs among the ends, or takes it out of them, after the number
    /// of its backups or replicas may have changed, or it came in doubt.
    pub(super) fn note_ends(&mut self, task: TaskIndex) {
        let Some(state) = self.known.tasks.get_mut(&task) else {
            return;
        };
        let backups = state.backups_before_next(self.backups_max);
        let before = std::mem::replace(&mut state.among_ends, backups);
        if before == backups {
            return;
        }
        for ((_, replica), it) in self.running.range(of_task(task)) {
            if let Some(backups) = before {
                self.ends.remove(&(backups, it.end, task, *replica));
            }
            if let Some(backups) = backups {
                self.ends.insert((backups, it.end, task, *replica));
            }
        }
    }
}
