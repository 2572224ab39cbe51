//! When what runs should be finished, of tasks that an idle device may compute once more.
//!
//! What is asked here does not depend on the device: whether a task has all its backups, as many replicas
//! as it may have, or a trusted device is asked about it. Nothing of such a task stands among the ends, so
//! that it keeps no other from being found where many run. And tasks of as many backups stand together, for
//! who has one on its way is seldom in need of another.

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
    pub(super) fn backups_before_next(&self, backups_max: u8, has_trusted: bool) -> Option<u8> {
        let may_grow = self.replicas.len() < usize::from(REPLICAS_PER_TASK_MAX);
        // Whoever is idle is not to confirm what a trusted device is asked about. Where there is none, and
        // a device failed on it whereas nobody has answered, there is nothing to confirm.
        let is_in_question = self.is_reserved || self.is_answered || has_trusted;
        let is_asked_about = self.doubted.is_some() && is_in_question;
        let has_room = may_grow && self.backups < backups_max && !is_asked_about;
        has_room.then_some(self.backups)
    }
}

impl JobQueue {
    /// Puts what runs of a task where it belongs among the ends, or takes it out of them, after the number
    /// of its backups or replicas may have changed, or it came in doubt, or was answered.
    pub(super) fn note_ends(&mut self, task: TaskIndex) {
        let Some(state) = self.known.tasks.get_mut(&task) else {
            return;
        };
        let has_trusted = !self.known.trusted.is_empty();
        let backups = state.backups_before_next(self.backups_max, has_trusted);
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

    /// A task has an answer.
    pub(super) fn answers(&mut self, task: TaskIndex) {
        if let Some(state) = self.known.tasks.get_mut(&task) {
            state.is_answered = true;
        }
        self.note_ends(task);
    }

    /// Puts all tasks in doubt where they belong among the ends, after trusted devices may have come or gone.
    pub(super) fn note_ends_in_doubt(&mut self, had_trusted: bool) {
        if had_trusted == self.known.trusted.is_empty() {
            let doubted: Vec<_> = self.doubted.iter().copied().collect();
            doubted.into_iter().for_each(|task| self.note_ends(task));
        }
    }
}
