//! What devices have committed themselves to and not revealed.

use super::{ActiveJob, Holding, OpenTask, Place, Pledge, Task};
use crate::core::{Tick, Ticket, watch::Watch};
use quern_primitives::{
    ids::{DeviceId, GenesisHash, ReplicaIndex, TaskIndex},
    job::Agreement,
    log::{Commitment, SignedCommitment},
    receipt::Receipt,
};
use quern_protocol::DiscardReason;

/// Milliseconds that a device has to reveal, once it is asked: enough to come back after a masternode or
/// its own machine has started again.
const REVEAL_MS: u64 = 30_000;

/// So much longer than a device may take for a replica, in milliseconds, others are waited for that have not
/// committed themselves.
const GRACE_MS: u64 = 1_000;

/// Nor is anybody waited for longer than this, in milliseconds: ten minutes. Whoever keeps what it does not
/// reveal can keep only so much.
const WAIT_MS_MAX: u64 = 10 * 60_000;

/// Accounts that compute a task of an adaptive job whose first device is not believed.
const UNBELIEVED: usize = 2;

/// What a commitment is to the job.
pub(in crate::core) enum Pledging {
    New,
    /// It was taken before, and its device is asked to reveal, or not yet.
    Again {
        is_asked: bool,
    },
    /// What it is to was reported, with this entry.
    Reported(Place),
}

impl ActiveJob {
    /// Whether a commitment is what it should be. A device commits itself once for a replica.
    pub(in crate::core) fn admit_commitment(
        &self,
        signed: &SignedCommitment,
        device: DeviceId,
        genesis: &GenesisHash,
    ) -> Result<Pledging, DiscardReason> {
        let said = &signed.payload;
        if let Some(place) = self.reported_with(said.task, said.replica, &device) {
            return Ok(Pledging::Reported(place));
        }
        if self.plan.is_none() || self.failed.is_some() {
            return Err(DiscardReason::JobOver);
        }
        match self.tasks.get(said.task as usize) {
            Some(Task::Open(_)) => {}
            Some(Task::Closed(_)) => return Err(DiscardReason::Decided),
            Some(Task::Untouched) | None => return Err(DiscardReason::NotAssigned),
        }
        let holding = self
            .holding(said.task, said.replica)
            .filter(|holding| holding.device == device)
            .ok_or(DiscardReason::NotAssigned)?;
        if let Some(pledge) = holding.pledge {
            let is_asked = pledge.is_asked;
            return match pledge.commitment == said.commitment {
                true => Ok(Pledging::Again { is_asked }),
                false => Err(DiscardReason::Invalid),
            };
        }
        let is_meant = said.job == self.id
            && said.device == device
            && said.log_position == holding.log_position;
        match is_meant && signed.is_signed_by(&device, genesis) {
            true if holding.is_shown => Ok(Pledging::New),
            true => Err(DiscardReason::NotShown),
            false => Err(DiscardReason::Invalid),
        }
    }

    /// A device's commitment was taken, with this entry. The device may compute something else; when the
    /// others have had their time it is asked whatever they do. None is taken before its device has shown that it has
    /// the shard, so of what the log says it was shown too.
    pub(in crate::core) fn committed(&mut self, ticket: Ticket, said: &Commitment, now: Tick) {
        let (task, replica) = (said.task, said.replica);
        let holding = self.held.get_mut(&(task, replica));
        let Some(holding) = holding.filter(|it| it.device == said.device) else {
            return;
        };
        let time_ms = holding.watch.until.since(now).saturating_add(GRACE_MS);
        holding.is_shown = true;
        holding.pledge = Some(Pledge {
            commitment: said.commitment,
            ticket,
            is_asked: false,
        });
        self.rewatch(
            task,
            replica,
            Watch::only_over(now, time_ms.min(WAIT_MS_MAX)),
        );
    }

    fn rewatch(&mut self, task: TaskIndex, replica: ReplicaIndex, watch: Watch) {
        if let Some(holding) = self.held.get_mut(&(task, replica)) {
            self.watched.remove(&(holding.watch.next, task, replica));
            self.watched.insert((watch.next, task, replica));
            holding.watch = watch;
        }
    }

    fn held_of(&self, task: TaskIndex) -> impl Iterator<Item = (ReplicaIndex, &Holding)> {
        let held = self.held.range((task, 0)..=(task, ReplicaIndex::MAX));
        held.map(|((_, replica), holding)| (*replica, holding))
    }

    /// Whether a device waits to be asked to reveal a replica.
    pub(in crate::core) fn waits_to_reveal(&self, task: TaskIndex, replica: ReplicaIndex) -> bool {
        let holding = self.holding(task, replica);
        holding.is_some_and(Holding::waits_to_reveal)
    }

    /// The tasks of which a device waits to be asked.
    pub(in crate::core) fn with_waiting(&self) -> Vec<TaskIndex> {
        let waiting = self.held.iter().filter(|(_, it)| it.waits_to_reveal());
        let mut tasks: Vec<_> = waiting.map(|((task, _), _)| *task).collect();
        tasks.dedup();
        tasks
    }

    /// Whether as many devices have committed themselves, and that is on disk, as the task's case waits
    /// for. Those that have revealed count among them.
    pub(in crate::core) fn has_enough(&self, task: TaskIndex, persisted: Ticket) -> bool {
        let Some(open) = self.open(task) else {
            return false;
        };
        let is_pledged = |it: &Pledge| it.ticket <= persisted;
        let held = self.held_of(task).filter_map(|(_, it)| it.pledge);
        let pledged = held.filter(is_pledged).count();
        pledged > 0 && open.reported.len().saturating_add(pledged) >= self.wanted(open)
    }

    /// So many devices are to commit themselves before any is asked: as many as the agreement asks for.
    /// Once answers differ it is everybody who has the task, for what they say decides.
    fn wanted(&self, open: &OpenTask) -> usize {
        if open.believed.is_some() {
            return 1;
        }
        if open.case.is_divided() {
            return open.case.replicas().into();
        }
        match self.job.submission.agreement {
            Agreement::Adaptive => UNBELIEVED,
            agreement => agreement.replicas().into(),
        }
    }

    /// Those who have committed themselves to what comes out of a task are asked to reveal it from now
    /// on; who was asked before is left out.
    pub(in crate::core) fn ask_to_reveal(
        &mut self,
        task: TaskIndex,
        now: Tick,
    ) -> Vec<(ReplicaIndex, DeviceId)> {
        let waiting = self.held_of(task).filter(|(_, it)| it.waits_to_reveal());
        let asked: Vec<_> = waiting.map(|(replica, it)| (replica, it.device)).collect();
        for (replica, _) in &asked {
            let holding = self.held.get_mut(&(task, *replica));
            if let Some(pledge) = holding.and_then(|it| it.pledge.as_mut()) {
                pledge.is_asked = true;
            }
            self.rewatch(task, *replica, Watch::only_over(now, REVEAL_MS));
        }
        asked
    }
}

impl Holding {
    /// Whether its device has committed itself and is not asked to reveal.
    pub(in crate::core) fn waits_to_reveal(&self) -> bool {
        self.pledge.is_some_and(|pledge| !pledge.is_asked)
    }

    /// Whether a report may be taken whose receipt holds: it opens what its device committed itself to, or no device
    /// does so, and the device has shown that it has the shard.
    pub(super) fn takes(&self, receipt: &Receipt, commits: bool) -> Result<(), DiscardReason> {
        let opens = match self.pledge {
            Some(pledge) => pledge.commitment == receipt.commitment(),
            None => !commits,
        };
        match (opens, self.is_shown) {
            (false, _) => Err(DiscardReason::Invalid),
            (true, false) => Err(DiscardReason::NotShown),
            (true, true) => Ok(()),
        }
    }
}
