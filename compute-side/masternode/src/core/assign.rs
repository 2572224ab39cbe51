//! Handing replicas out.

use super::{
    Core, Effect, Entry, PlannedAssignment, Tick, device::Known, job::Holding, watch::Watch,
};
use quern_primitives::ids::DeviceId;
use quern_protocol::ReplicaId;

impl Core {
    /// Gives up to `room` replicas to a device.
    pub(super) fn assign(
        &mut self,
        now: Tick,
        device: DeviceId,
        room: usize,
        out: &mut Vec<Effect>,
    ) -> Vec<PlannedAssignment> {
        let mut assignments = Vec::new();
        if self.pauses.until(&device, now).is_some() {
            return assignments;
        }
        while assignments.len() < room {
            let Some(known) = self.devices.get(&device) else {
                break;
            };
            let awaits = self.awaits_verdicts(&device, known).is_some();
            if awaits || known.telemetry.is_benchmarked(now) {
                break;
            }
            let (number, account, at) = (known.number, known.account.clone(), known.seen_at);
            if known.in_hand.len() >= usize::from(self.in_hand_max(now, &device)) {
                break;
            }
            let backlog_ms = self.backlog_ms(now, known);
            let (pauses, jobs) = (&self.pauses, &self.jobs);
            let is_barred = |job| {
                let written = jobs.get(&job).map(|active| active.written);
                pauses.is_unjudged(&device, job, now) || written.is_some_and(|it| it.is_past(at))
            };
            let given = self.scheduler.take(number, backlog_ms, now, is_barred);
            let Ok(given) = given else {
                break;
            };
            let id = given.id;
            if given.is_backup && !self.add_replica(id, out) {
                self.scheduler.release(id, false, now);
                break;
            }
            let Some(submission) = self.jobs.get(&id.job).map(|it| &it.job.submission) else {
                break;
            };
            let engine = self.settings.engines.of(submission.class);
            let time_ms = self.settings.computing_ms(submission.fuel_per_task_max);
            let replica_ms = self.settings.replica_ms(submission);
            let entry = Entry::Assigned {
                task: id.task,
                replica: id.replica,
                device,
                account: account.clone(),
                engine,
                at,
                lanes: given.lanes,
            };
            let (_, log_position) = self.append(id.job, entry, None, out);
            let (takes_ms, line_ms) = (given.expected_ms, given.line_ms);
            // What it holds is computed while this one comes, but a line may be the slower of the two.
            let fetched_and_done_ms = line_ms.saturating_add(takes_ms);
            let tuning = &self.settings.tuning;
            let timeouts = tuning.timeouts(backlog_ms, fetched_and_done_ms, replica_ms);
            let holding = Holding {
                device,
                account,
                engine,
                log_position,
                watch: Watch::start(now, backlog_ms, takes_ms, timeouts).over_a_line(line_ms),
                is_shown: false,
                pledge: None,
            };
            if let Some(active) = self.jobs.get_mut(&id.job) {
                active.written.at = active.written.at.max(at);
                active.assigned(id.task, id.replica, holding);
            }
            if let Some(known) = self.devices.get_mut(&device) {
                known.in_hand.push(id);
            }
            self.weigh_trust(now, id, device, out);
            assignments.push(PlannedAssignment {
                id,
                log_position,
                time_ms,
            });
            out.push(Effect::Changed { job: id.job });
        }
        assignments
    }

    /// Tasks that a device may hold now. One that was never measured, though it is to be, holds one at a time:
    /// with two it would never be free for a benchmark while there is work, and nobody would know how long it
    /// takes.
    pub(super) fn in_hand_max(&self, now: Tick, device: &DeviceId) -> u8 {
        let Some(known) = self.devices.get(device) else {
            return 0;
        };
        let fleet = &self.scheduler.fleet;
        let most = fleet.in_hand_max(known.number, now);
        let is_unmeasured = self.challenges.are_made()
            && fleet.speed(known.number) == 0
            && self.is_benchmark_due(now, device);
        if is_unmeasured { most.min(1) } else { most }
    }

    /// How long a device will still compute what it holds, in milliseconds.
    pub(super) fn backlog_ms(&self, now: Tick, known: &Known) -> u64 {
        let ends = known.in_hand.iter().filter_map(|id| {
            let holding = self.jobs.get(&id.job)?.holding(id.task, id.replica)?;
            Some(holding.watch.expected.since(now))
        });
        ends.max().unwrap_or(0)
    }

    /// Writes down that a task has one more replica. False if it is not the one that is meant.
    pub(super) fn add_replica(&mut self, id: ReplicaId, out: &mut Vec<Effect>) -> bool {
        let Some(active) = self.jobs.get_mut(&id.job) else {
            return false;
        };
        if active.add_replicas(id.task, 1) != [id.replica] {
            return false;
        }
        let entry = Entry::Added {
            task: id.task,
            replicas: 1,
        };
        self.append(id.job, entry, None, out);
        true
    }
}
