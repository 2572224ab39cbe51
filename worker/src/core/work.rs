//! Tasks: taken, prepared, run, reported, forgotten.

use super::{
    Core, Tick,
    event::{Effect, Fault, Finished, Notice},
    task::{Outgoing, Stage, Task},
};
use crate::limits::{HAND_BACKS_MAX, UNACKNOWLEDGED_MAX};
use quern_primitives::{ids::DeviceId, log::Acknowledgements};
use quern_protocol::{
    Assignment, Discard, HandBack, HandBackReason, Held, ReplicaId, Work, limits::TASKS_IN_HAND_MAX,
};

impl Core {
    pub(super) fn on_work(&mut self, now: Tick, masternode: DeviceId, work: Work) {
        let words = work.acknowledged.iter().flat_map(Acknowledgements::each);
        self.on_acknowledged(now, masternode, words.collect());
        for id in work.reveals {
            let report = self.outgoing.get_mut(&id);
            if let Some(report) = report.filter(|report| report.masternode == masternode) {
                report.ask(now);
            }
        }
        for discard in work.discard {
            self.on_discard(masternode, discard);
        }
        for assignment in work.assignments {
            self.on_assignment(masternode, assignment);
        }
        if let Some(benchmark) = work.benchmark {
            self.on_benchmark(masternode, benchmark);
        }
    }

    /// Drops a report, if this masternode is the one it is for.
    pub(super) fn forget(&mut self, masternode: &DeviceId, id: &ReplicaId) -> bool {
        if self
            .outgoing
            .get(id)
            .is_none_or(|outgoing| outgoing.masternode != *masternode)
        {
            return false;
        }
        self.outgoing.remove(id);
        self.tasks.retain(|task| task.id != *id);
        self.effects.push(Effect::Forget { id: *id });
        true
    }

    fn on_discard(&mut self, masternode: DeviceId, Discard { id, reason }: Discard) {
        let was_reported = self.forget(&masternode, &id);
        let in_hand = self.tasks.len();
        self.tasks
            .retain(|task| task.id != id || task.masternode != masternode);
        let was_in_hand = self.tasks.len() < in_hand;
        if was_in_hand {
            self.effects.push(Effect::Abandon { id });
        }
        if was_reported || was_in_hand {
            self.effects
                .push(Effect::Tell(Notice::Discarded { id, reason }));
        }
    }

    fn on_assignment(&mut self, masternode: DeviceId, assignment: Assignment) {
        let id = assignment.id;
        if self.outgoing.contains_key(&id) || self.task_mut(&id).is_some() {
            // Given twice: it is in hand, or its report is on its way.
            return;
        }
        let memory_bytes = assignment.limits.memory_bytes;
        let is_runnable = self
            .settings
            .engines
            .iter()
            .any(|(class, _)| *class == assignment.class);
        let refused = if self.takes_none() {
            Some(HandBackReason::Stopping)
        } else if self.is_too_large(memory_bytes) {
            self.tell_too_large(id, memory_bytes);
            Some(HandBackReason::NoRoom)
        } else if self.tasks.len() >= TASKS_IN_HAND_MAX || !is_runnable {
            Some(HandBackReason::NoRoom)
        } else {
            None
        };
        match refused {
            Some(reason) => self.hand_back(masternode, HandBack { id, reason }),
            None => {
                self.tasks.push(Task {
                    id,
                    masternode,
                    memory_bytes,
                    held: None,
                    stage: Stage::Fetching,
                });
                let assignment = Box::new(assignment);
                self.effects.push(Effect::Prepare {
                    masternode,
                    assignment,
                });
            }
        }
    }

    /// Puts a task that is ready into the sandbox's queue.
    pub(super) fn on_prepared(&mut self, held: Held) {
        let id = held.id;
        let is_fetched = |task: &Task| task.id == id && task.stage == Stage::Fetching;
        // Behind those that are in the queue already, which may have been assigned later.
        if let Some(place) = self.tasks.iter().position(is_fetched) {
            let mut task = self.tasks.remove(place);
            task.stage = Stage::Queued;
            task.held = Some(held);
            self.tasks.push(task);
            self.effects.push(Effect::Run { id });
        }
    }

    pub(super) fn on_ran(&mut self, now: Tick, finished: Finished) {
        let id = finished.id();
        // A run that was abandoned may end before it hears of it.
        let Some(task) = self
            .task_mut(&id)
            .filter(|task| task.stage == Stage::Queued)
        else {
            self.effects.push(Effect::Forget { id });
            return;
        };
        let outgoing = Outgoing::new(task.masternode, finished, now);
        if outgoing.is_delivered() {
            self.tasks.retain(|task| task.id != id);
        } else {
            task.stage = Stage::Delivering;
            if self.offer.may_deliver() {
                self.effects.push(Effect::Deliver { id });
            }
        }
        self.outgoing.insert(id, outgoing);
    }

    pub(super) fn on_delivered(&mut self, now: Tick, id: ReplicaId) {
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.set_delivered(now);
            self.tasks.retain(|task| task.id != id);
        }
    }

    /// A task, or the delivery of its result, came to nothing.
    pub(super) fn on_failed(&mut self, id: ReplicaId, fault: Fault) {
        let task = self
            .tasks
            .iter()
            .find(|task| task.id == id)
            .map(|task| task.masternode);
        let report = self.outgoing.get(&id).map(|outgoing| outgoing.masternode);
        let Some(masternode) = task.or(report) else {
            return;
        };
        self.tasks.retain(|task| task.id != id);
        if self.outgoing.remove(&id).is_some() {
            self.effects.push(Effect::Forget { id });
        }
        self.effects.push(Effect::Abandon { id });
        self.effects
            .push(Effect::Tell(Notice::NotDone { id, fault }));
        if let Some(reason) = fault.hand_back_reason() {
            self.hand_back(masternode, HandBack { id, reason });
        }
    }

    pub(super) fn hand_back(&mut self, masternode: DeviceId, hand_back: HandBack) {
        // Before the hello it need not be said: the hello does not name the replica.
        if let Some(session) = self.sessions.get_mut(&masternode)
            && session.was_greeted()
            && session.hand_backs.len() < HAND_BACKS_MAX
        {
            session.hand_backs.push(hand_back);
        }
    }

    fn task_mut(&mut self, id: &ReplicaId) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == *id)
    }

    /// Whether nothing new is begun, because the worker stops or its machine is held back.
    pub(super) fn takes_none(&self) -> bool {
        self.stopping.is_some() || self.offer.is_withheld()
    }

    /// How many more tasks there is room for.
    pub(super) fn room(&self) -> u8 {
        let is_once_taken = self.settings.once
            && (!self.tasks.is_empty() || !self.outgoing.is_empty() || self.acknowledged > 0);
        if self.takes_none() || self.outgoing.len() >= UNACKNOWLEDGED_MAX || is_once_taken {
            return 0;
        }
        let most = if self.settings.once {
            1
        } else {
            TASKS_IN_HAND_MAX
        };
        u8::try_from(most.saturating_sub(self.tasks.len())).unwrap_or(u8::MAX)
    }
}
