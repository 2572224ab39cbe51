//! The replicas of a job that are out: who holds each, and when it is looked at.

use super::{ActiveJob, Certain, Holding};
use crate::core::{ReleaseCause, Tick, input::ACCOUNTS_MAX, watch::Lapse};
use quern_primitives::ids::{DeviceId, ReplicaIndex, TaskIndex};
use quern_protocol::{ReplicaId, Stage};
use quern_verdict::Testimony;

impl ActiveJob {
    /// Devices that hold a replica now.
    pub(in crate::core) fn devices(&self) -> u32 {
        self.holders.len() as u32
    }

    pub(in crate::core) fn is_held_by(&self, task: TaskIndex, device: &DeviceId) -> bool {
        self.held
            .range((task, 0)..=(task, ReplicaIndex::MAX))
            .any(|(_, holding)| holding.device == *device)
    }

    pub(in crate::core) fn holding(
        &self,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> Option<&Holding> {
        self.held.get(&(task, replica))
    }

    /// Devices that have a replica of a task and have not even committed themselves to an answer, each with
    /// whether it is too slow for it, or stuck.
    pub(in crate::core) fn unanswered(&self, task: TaskIndex, now: Tick) -> Vec<(DeviceId, bool)> {
        let held = self.held.range((task, 0)..=(task, ReplicaIndex::MAX));
        let held = held.map(|(_, holding)| holding);
        let unanswered = held.filter(|holding| holding.pledge.is_none());
        unanswered
            .map(|holding| (holding.device, holding.watch.is_too_slow(now)))
            .collect()
    }

    /// What a device holds of the job; however much others hold, that costs one look for the device.
    pub(in crate::core) fn held_by(&self, device: &DeviceId) -> Vec<ReplicaId> {
        let held = self.holders.get(device).into_iter().flatten();
        held.map(|(task, replica)| ReplicaId {
            job: self.id,
            task: *task,
            replica: *replica,
        })
        .collect()
    }

    pub(in crate::core) fn assigned(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        holding: Holding,
    ) {
        if self.open_or_new(task).is_some() {
            self.let_go(task, replica);
            self.watched.insert((holding.watch.next, task, replica));
            let holder = self.holders.entry(holding.device).or_default();
            holder.insert((task, replica));
            self.held.insert((task, replica), holding);
            self.certain.set_out(task, true);
        }
    }

    /// Forgets who holds a replica.
    pub(in crate::core) fn let_go(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
    ) -> Option<Holding> {
        let holding = self.held.remove(&(task, replica))?;
        self.watched.remove(&(holding.watch.next, task, replica));
        if let Some(held) = self.holders.get_mut(&holding.device) {
            held.remove(&(task, replica));
            if held.is_empty() {
                self.holders.remove(&holding.device);
            }
        }
        let is_out = self.is_out(task);
        self.certain.set_out(task, is_out);
        Some(holding)
    }

    /// Forgets who holds the replicas of a task, and says who held which.
    pub(in crate::core) fn let_all_go(&mut self, task: TaskIndex) -> Vec<(ReplicaIndex, Holding)> {
        let held: Vec<_> = self
            .held
            .range((task, 0)..=(task, ReplicaIndex::MAX))
            .map(|((_, replica), _)| *replica)
            .collect();
        held.into_iter()
            .filter_map(|replica| Some((replica, self.let_go(task, replica)?)))
            .collect()
    }

    /// Forgets who holds anything, and waits for nobody any more: the job cannot be settled.
    pub(super) fn let_everything_go(&mut self) {
        self.held.clear();
        self.holders.clear();
        self.watched.clear();
        self.certain = Certain::default();
    }

    /// What is kept of holders is what running over all that is held finds.
    #[cfg(test)]
    pub(in crate::core) fn check_held(&self) {
        use std::collections::{BTreeMap, BTreeSet};
        let mut holders = BTreeMap::<_, BTreeSet<_>>::new();
        for (replica, holding) in &self.held {
            let holder = holders.entry(holding.device).or_default();
            holder.insert(*replica);
        }
        assert_eq!(self.holders, holders);
        self.certain.check(|task| self.is_out(task));
    }

    /// When a replica that is out is to be looked at next.
    pub(in crate::core) fn next_look(&self) -> Option<Tick> {
        self.watched.first().map(|(next, ..)| *next)
    }

    /// A replica whose time to be looked at has come, with what is found. It is looked at again
    /// later, unless its time is over.
    pub(in crate::core) fn look(&mut self, now: Tick) -> Option<(ReplicaId, DeviceId, Lapse)> {
        let (next, task, replica) = self.watched.first().copied().filter(|it| it.0 <= now)?;
        self.watched.remove(&(next, task, replica));
        let holding = self.held.get_mut(&(task, replica))?;
        let found = holding.watch.look(now);
        if found != Lapse::Over {
            self.watched.insert((holding.watch.next, task, replica));
        }
        let id = ReplicaId {
            job: self.id,
            task,
            replica,
        };
        Some((id, holding.device, found))
    }

    /// The device of a replica has shown that it has the shard.
    pub(in crate::core) fn set_shown(&mut self, id: ReplicaId) {
        if let Some(holding) = self.held.get_mut(&(id.task, id.replica)) {
            holding.is_shown = true;
        }
    }

    /// The device of a replica tells that it goes on. It fetches until it has shown that it has the shard.
    pub(in crate::core) fn progressed(
        &mut self,
        id: ReplicaId,
        device: &DeviceId,
        stage: Stage,
        now: Tick,
    ) {
        let key = (id.task, id.replica);
        let Some(holding) = self.held.get_mut(&key).filter(|it| it.device == *device) else {
            return;
        };
        self.watched
            .remove(&(holding.watch.next, id.task, id.replica));
        let stage = match holding.is_shown {
            true => stage,
            false => Stage::Fetching,
        };
        holding.watch.progressed(stage, now);
        self.watched
            .insert((holding.watch.next, id.task, id.replica));
    }

    /// The device of a replica tells what it has in hand and does not name it. Says whether it has lost it. What it
    /// has committed itself to is not in its hand.
    pub(in crate::core) fn unnamed(&mut self, id: ReplicaId, device: &DeviceId, now: Tick) -> bool {
        let holding = self.held.get_mut(&(id.task, id.replica));
        let holding = holding.filter(|it| it.device == *device && it.pledge.is_none());
        holding.is_some_and(|holding| holding.watch.unnamed(now))
    }

    pub(in crate::core) fn released(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        cause: ReleaseCause,
    ) {
        let Some(holding) = self.let_go(task, replica) else {
            return;
        };
        if let Some(open) = self.open_mut(task) {
            // It was that device that is believed, and not the next.
            if open.believed == Some(replica) {
                open.believed = None;
            }
            if cause.excludes() {
                open.excluded
                    .push((holding.device, holding.account.clone()));
            }
            open.is_doubted |= cause.is_failure();
            if let ReleaseCause::BadInput { trusted } = cause {
                open.is_unopened_by_trusted |= trusted;
                if open.unopened.len() < ACCOUNTS_MAX {
                    open.unopened.insert(holding.account.clone());
                }
                self.unopened.insert(task);
            }
        }
        let testimony = match cause {
            ReleaseCause::Late => Testimony::Late,
            ReleaseCause::Failed | ReleaseCause::BadInput { .. } => Testimony::Failed,
            ReleaseCause::HandedBack
            | ReleaseCause::Forgotten
            | ReleaseCause::Barred
            | ReleaseCause::HandedBackOften
            | ReleaseCause::Withheld => return,
        };
        if let Some(open) = self.open_mut(task) {
            open.case
                .hear(replica, holding.device, holding.account, testimony);
        }
    }
}
