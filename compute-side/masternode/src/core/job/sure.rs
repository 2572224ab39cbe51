//! Tasks whose answer is sure, in the order in which the rest of them is waited for.

use crate::core::Tick;
use quern_primitives::ids::TaskIndex;
use std::collections::{BTreeMap, BTreeSet};

/// Tasks whose answer is sure although not every replica was heard.
#[derive(Default)]
pub(in crate::core) struct Certain {
    /// Since when the rest is waited for.
    since: BTreeMap<TaskIndex, Tick>,
    /// Those of which no device has a replica, by since when.
    idle: BTreeSet<(Tick, TaskIndex)>,
}

impl Certain {
    /// The rest of a task is waited for from now on, if it was not before.
    pub(in crate::core) fn begin(&mut self, task: TaskIndex, now: Tick, is_out: bool) {
        self.since.entry(task).or_insert(now);
        self.set_out(task, is_out);
    }

    /// The rest of a task is not waited for any more.
    pub(in crate::core) fn end(&mut self, task: TaskIndex) {
        if let Some(since) = self.since.remove(&task) {
            self.idle.remove(&(since, task));
        }
    }

    /// Says whether a device has a replica of a task, which need not be among these.
    pub(super) fn set_out(&mut self, task: TaskIndex, is_out: bool) {
        let Some(since) = self.since.get(&task) else {
            return;
        };
        match is_out {
            true => self.idle.remove(&(*since, task)),
            false => self.idle.insert((*since, task)),
        };
    }

    pub(in crate::core) fn contains(&self, task: TaskIndex) -> bool {
        self.since.contains_key(&task)
    }

    /// All of them.
    pub(in crate::core) fn tasks(&self) -> impl Iterator<Item = TaskIndex> {
        self.since.keys().copied()
    }

    /// Since when the rest of a task is waited for, if no device has a replica of it.
    pub(in crate::core) fn idle_since(&self, task: TaskIndex) -> Option<Tick> {
        let since = *self.since.get(&task)?;
        self.idle.contains(&(since, task)).then_some(since)
    }

    /// Those of which no device has a replica, with since when the rest is waited for; those that wait
    /// longest first.
    pub(in crate::core) fn idle(&self) -> impl Iterator<Item = (Tick, TaskIndex)> {
        self.idle.iter().copied()
    }

    /// What is kept in order is what running over all finds.
    #[cfg(test)]
    pub(super) fn check(&self, is_out: impl Fn(TaskIndex) -> bool) {
        let idle = self.since.iter().filter(|(task, _)| !is_out(**task));
        let idle: BTreeSet<_> = idle.map(|(task, since)| (*since, *task)).collect();
        assert_eq!(self.idle, idle);
    }
}
