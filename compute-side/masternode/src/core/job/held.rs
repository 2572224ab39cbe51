//! The replicas of a job that are out: who holds each, and when it is looked at.

use super::{ActiveJob, Holding};
use crate::core::{ReleaseCause, Tick, input::ACCOUNTS_MAX, watch::Lapse};
use quern_primitives::ids::{DeviceId, ReplicaIndex, TaskIndex};
use quern_protocol::{ReplicaId, Stage};
use quern_verdict::Testimony;

impl ActiveJob {
    /// Devices that hold a replica now.
    pub(in crate::core) fn devices(&self) -> u32 {
        let mut devices: Vec<_> = self.held.values().map(|holding| holding.device).collect();
        devices.sort_unstable();
        devices.dedup();
        devices.len() as u32
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

    pub(in crate::core) fn held_by(&self, device: &DeviceId) -> Vec<ReplicaId> {
        self.held_where(|holding| holding.device == *device)
            .map(|(id, _)| id)
            .collect()
    }

    fn held_where(
        &self,
        wanted: impl Fn(&Holding) -> bool,
    ) -> impl Iterator<Item = (ReplicaId, DeviceId)> {
        self.held
            .iter()
            .filter(move |(_, holding)| wanted(holding))
            .map(|((task, replica), holding)| {
                (
                    ReplicaId {
                        job: self.id,
                        task: *task,
                        replica: *replica,
                    },
                    holding.device,
                )
            })
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
            self.held.insert((task, replica), holding);
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

    pub(super) fn let_everything_go(&mut self) {
        self.held.clear();
        self.watched.clear();
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

    /// The device of a replica tells that it goes on.
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
        holding.watch.progressed(stage, now);
        self.watched
            .insert((holding.watch.next, id.task, id.replica));
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
