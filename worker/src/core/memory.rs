//! How much memory one task may have, as the machine's owner says.
//!
//! Masternodes are told with how the machine is, and give no task that may need more. One that comes all
//! the same, because it was on its way when the owner took memory back, is given back before anything of
//! it is fetched, and so are those that wait. The one that runs was begun while it was allowed, and may
//! end; the sandbox holds each to what it said beforehand that it may need.

use super::{
    Core,
    event::{Effect, Notice},
    task::{self, Task},
};
use quern_protocol::{HandBackReason, ReplicaId};

impl Core {
    pub(super) fn on_allowed(&mut self, memory_bytes_max: u64) {
        if memory_bytes_max != self.settings.memory_bytes_max {
            self.offer.note_other_part();
        }
        self.settings.memory_bytes_max = memory_bytes_max;
        self.told_too_large = None;
        let running = task::running(&self.tasks);
        let is_given = |task: &Task| task.waits(running) && task.memory_bytes > memory_bytes_max;
        let given: Vec<(ReplicaId, u64)> = self
            .tasks
            .iter()
            .filter(|task| is_given(task))
            .map(|task| (task.id, task.memory_bytes))
            .collect();
        for (id, memory_bytes) in given {
            self.tell_too_large(id, memory_bytes);
        }
        self.give_back(HandBackReason::NoRoom, is_given);
    }

    pub(super) fn is_too_large(&self, memory_bytes: u64) -> bool {
        memory_bytes > self.settings.memory_bytes_max
    }

    /// Tells the owner of a task that is too large, once for all tasks of a job in a row: they are
    /// alike, and may be many.
    pub(super) fn tell_too_large(&mut self, id: ReplicaId, memory_bytes: u64) {
        if self.told_too_large == Some(id.job) {
            return;
        }
        self.told_too_large = Some(id.job);
        let memory_bytes_max = self.settings.memory_bytes_max;
        self.effects.push(Effect::Tell(Notice::TooLarge {
            id,
            memory_bytes,
            memory_bytes_max,
        }));
    }
}
