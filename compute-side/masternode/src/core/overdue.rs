//! Devices that are silent, replicas that take long, and tasks that need nobody any more.

use super::{Core, Effect, ReleaseCause, Tick, watch::Lapse};
use quern_grid::Flag;
use quern_primitives::ids::{DeviceId, JobId, TaskIndex};
use quern_protocol::{DiscardReason, Progress, ReplicaId};

/// How often silence and overtime are looked for, in milliseconds.
const CHECK_MS: u64 = 500;

impl Core {
    /// Takes back what silent devices hold and what ran over its time.
    pub(super) fn release_overdue(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if now < self.next_check {
            return;
        }
        self.next_check = now.plus_ms(CHECK_MS);
        for device in self.devices.silent(now) {
            self.benchmark_broken_off(now, device);
            let Some(known) = self.devices.remove(&device) else {
                continue;
            };
            if known.connected {
                out.push(Effect::Dismiss { device });
            }
            let silent = [(Flag::Disconnected, true)];
            self.scheduler.fleet.set_flags(known.number, silent);
            self.scheduler.changed(now);
            // No verdict names it for what others have done before it was taken to be silent.
            for _ in 0..known.overtaken {
                self.stalled(now, device);
            }
            for id in known.in_hand {
                self.release_at(now, id, device, ReleaseCause::Late, out);
            }
            self.lay_by(now, &device);
        }
        for (id, device, lapse) in self.lapsed(now) {
            match lapse {
                Lapse::None => {}
                Lapse::Delayed => self.devices.ask_again(device, now),
                Lapse::Stale => self.rescue(now, id, out),
                // The others have had their time.
                Lapse::Over if self.waits_to_reveal(id) => {
                    self.ask_to_reveal(now, id.job, id.task);
                }
                // It was asked just now, with another of its task.
                Lapse::Over if !self.is_over(now, id) => {}
                Lapse::Over => {
                    self.devices
                        .take_from(&device, id, DiscardReason::NotAssigned);
                    self.release_at(now, id, device, ReleaseCause::Late, out);
                }
            }
        }
        self.decide_certain(now, out);
        self.weigh_inputs(now, out);
    }

    /// What a device was asked about and does not name it has lost: it is taken back, and given out anew.
    pub(super) fn take_unnamed(
        &mut self,
        now: Tick,
        device: DeviceId,
        named: &[Progress],
        out: &mut Vec<Effect>,
    ) {
        let in_hand = self.devices.get(&device).map(|known| &known.in_hand);
        let in_hand = in_hand.into_iter().flatten().copied();
        let unnamed = in_hand.filter(|id| named.iter().all(|told| told.id != *id));
        for id in unnamed.collect::<Vec<_>>() {
            let active = self.jobs.get_mut(&id.job);
            if active.is_some_and(|active| active.unnamed(id, &device, now)) {
                self.devices
                    .take_from(&device, id, DiscardReason::NotAssigned);
                self.release_at(now, id, device, ReleaseCause::Forgotten, out);
            }
        }
    }

    /// The replicas whose time to be looked at has come.
    fn lapsed(&mut self, now: Tick) -> Vec<(ReplicaId, DeviceId, Lapse)> {
        let mut lapsed = Vec::new();
        self.jobs.refresh(&self.settings);
        for id in self.jobs.due(now) {
            if let Some(job) = self.jobs.get_mut(&id) {
                lapsed.extend(std::iter::from_fn(|| job.look(now)));
            }
        }
        lapsed
    }

    /// Whether a device has committed itself to a replica and waits to be asked for it.
    fn waits_to_reveal(&self, id: ReplicaId) -> bool {
        let job = self.jobs.get(&id.job);
        job.is_some_and(|job| job.waits_to_reveal(id.task, id.replica))
    }

    /// Whether the time of a replica that is out has passed.
    fn is_over(&self, now: Tick, id: ReplicaId) -> bool {
        let job = self.jobs.get(&id.job);
        let holding = job.and_then(|job| job.holding(id.task, id.replica));
        holding.is_some_and(|holding| holding.watch.until <= now)
    }

    /// Opens one more replica of a task whose device is stale, if it needs one.
    fn rescue(&mut self, now: Tick, id: ReplicaId, out: &mut Vec<Effect>) {
        let Some(replica) = self.scheduler.dispatch.rescue(id.job, id.task, now) else {
            return;
        };
        let added = ReplicaId { replica, ..id };
        if self.add_replica(added, out) {
            self.waking.opened(1);
        }
    }

    /// Takes jobs near their deadline out of the queue.
    pub(super) fn stop_overdue_jobs(&mut self) {
        for (id, job) in self.jobs.iter() {
            if !job.takes_work(self.block, self.settings.deadline_margin_blocks) {
                self.scheduler.dispatch.remove_job(*id);
            }
        }
    }

    /// A task has its verdict: whoever still holds a replica of it should drop it.
    pub(super) fn drop_task(&mut self, id: JobId, task: TaskIndex) {
        let Some(active) = self.jobs.get_mut(&id) else {
            return;
        };
        for (replica, holding) in active.let_all_go(task) {
            let id = ReplicaId {
                job: id,
                task,
                replica,
            };
            self.devices
                .take_from(&holding.device, id, DiscardReason::Decided);
        }
    }
}
