//! Tasks in hand and reports on their way.

use super::{Finished, Sealed, Tick};
use crate::limits::REPEAT_MS;
use quern_primitives::{ids::DeviceId, log::SignedCommitment, receipt::Receipt};
use quern_protocol::{
    Held, Progress, ReplicaId, Report,
    limits::{COMMITMENTS_MAX, REPORTS_MAX},
};
use std::collections::BTreeMap;

/// A task in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: ReplicaId,
    /// Whose it is.
    pub(super) masternode: DeviceId,
    /// Memory that it may need.
    pub(super) memory_bytes: u64,
    /// What shows that its shard is here, once it is.
    pub(super) held: Option<Held>,
    pub(super) stage: Stage,
}

impl Task {
    /// Whether it only waits, if this is the one that runs.
    pub(super) fn waits(&self, running: Option<ReplicaId>) -> bool {
        match self.stage {
            Stage::Fetching => true,
            Stage::Queued => Some(self.id) != running,
            Stage::Delivering => false,
        }
    }
}

/// Where a task in hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its program and shard are being fetched.
    Fetching,
    /// In the sandbox's queue; the first of them runs.
    Queued,
    /// Its result is being delivered.
    Delivering,
}

/// A report that is not acknowledged. What there is to say of it is first its commitment, if it has one,
/// and the report itself once that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) masternode: DeviceId,
    pub(super) finished: Finished,
    /// When what there is to say could be said first.
    pub(super) made_at: Tick,
    /// When it was last said, over the connection that stands.
    sent_at: Option<Tick>,
    /// Its result is inside the report, or was delivered over the connection that stands.
    is_delivered: bool,
    /// It may be reported: there is no commitment, or it was asked for over the connection that stands.
    is_asked: bool,
}

impl Outgoing {
    pub(super) fn new(masternode: DeviceId, finished: Finished, now: Tick) -> Self {
        let is_delivered = matches!(finished.sealed, Sealed::Here(_));
        let is_asked = finished.commitment.is_none();
        Self {
            masternode,
            finished,
            made_at: now,
            sent_at: None,
            is_delivered,
            is_asked,
        }
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.is_delivered
    }

    pub(super) fn set_delivered(&mut self, now: Tick) {
        self.is_delivered = true;
        self.made_at = now;
    }

    /// Whether something can be said of it and was not yet.
    pub(super) fn is_new(&self) -> bool {
        self.is_delivered && self.sent_at.is_none()
    }

    /// The connection has ended: whether anything of it arrived is not known. All is said anew.
    pub(super) fn set_unsent(&mut self) {
        self.sent_at = None;
        self.is_delivered = matches!(self.finished.sealed, Sealed::Here(_));
        self.is_asked = self.finished.commitment.is_none();
    }

    /// Whether its commitment was sent, and the report was not asked for.
    pub(super) fn waits(&self) -> bool {
        !self.is_asked && self.sent_at.is_some()
    }

    /// It is to be reported.
    pub(super) fn ask(&mut self, now: Tick) {
        if !self.is_asked {
            self.is_asked = true;
            self.sent_at = None;
            self.made_at = now;
        }
    }

    /// When something is to be sent of it, or sent again; `None` before it is delivered, and while it
    /// waits.
    pub(super) fn due_at(&self) -> Option<Tick> {
        match self.sent_at {
            _ if !self.is_delivered || self.waits() => None,
            None => Some(self.made_at),
            Some(sent_at) => Some(sent_at.after(REPEAT_MS)),
        }
    }
}

/// The replica that a receipt is about.
pub(super) fn replica_of(receipt: &Receipt) -> ReplicaId {
    ReplicaId {
        job: receipt.job,
        task: receipt.task,
        replica: receipt.replica,
    }
}

/// The task that runs: the first in the sandbox's queue.
pub(super) fn running(tasks: &[Task]) -> Option<ReplicaId> {
    tasks
        .iter()
        .find(|task| task.stage == Stage::Queued)
        .map(|task| task.id)
}

/// What a masternode is told about its tasks in hand.
pub(super) fn progress(tasks: &[Task], masternode: &DeviceId) -> impl Iterator<Item = Progress> {
    let running = running(tasks);
    tasks
        .iter()
        .filter(move |task| task.masternode == *masternode)
        .map(move |task| Progress {
            id: task.id,
            stage: match task.stage {
                Stage::Fetching => quern_protocol::Stage::Fetching,
                Stage::Queued if running == Some(task.id) => quern_protocol::Stage::Running,
                Stage::Queued => quern_protocol::Stage::Ready,
                Stage::Delivering => quern_protocol::Stage::Delivering,
            },
        })
}

/// What shows a masternode that the shards of its tasks in hand are here.
pub(super) fn held(tasks: &[Task], masternode: &DeviceId) -> impl Iterator<Item = Held> {
    let own = tasks
        .iter()
        .filter(move |task| task.masternode == *masternode);
    own.filter_map(|task| task.held)
}

/// Whether a task is at another stage than a masternode was told. One it was not told of it takes to
/// be fetched.
pub(super) fn has_moved(tasks: &[Task], masternode: &DeviceId, told: &[Progress]) -> bool {
    progress(tasks, masternode).any(|now| {
        let last = told.iter().find(|told| told.id == now.id);
        now.stage != last.map_or(quern_protocol::Stage::Fetching, |last| last.stage)
    })
}

/// What is due to be said to a masternode of what it is to be told.
fn due<'a>(
    outgoing: &'a mut BTreeMap<ReplicaId, Outgoing>,
    masternode: &'a DeviceId,
    now: Tick,
) -> impl Iterator<Item = &'a mut Outgoing> {
    outgoing
        .values_mut()
        .filter(move |report| report.masternode == *masternode)
        .filter(move |report| report.due_at().is_some_and(|due_at| due_at <= now))
}

/// The commitments for the next exchange with a masternode, marked as sent. If the worker cannot wait,
/// what they are to is reported in the same breath.
pub(super) fn take_commitments(
    outgoing: &mut BTreeMap<ReplicaId, Outgoing>,
    masternode: &DeviceId,
    now: Tick,
    cannot_wait: bool,
) -> Vec<(Held, SignedCommitment)> {
    due(outgoing, masternode, now)
        .filter(|report| !report.is_asked)
        .take(COMMITMENTS_MAX)
        .filter_map(|report| {
            report.sent_at = Some(now);
            if cannot_wait {
                report.ask(now);
            }
            Some((report.finished.held(), report.finished.commitment?))
        })
        .collect()
}

/// The reports for the next exchange with a masternode, marked as sent.
pub(super) fn take_reports(
    outgoing: &mut BTreeMap<ReplicaId, Outgoing>,
    masternode: &DeviceId,
    now: Tick,
) -> Vec<(Held, Report)> {
    due(outgoing, masternode, now)
        .filter(|report| report.is_asked)
        .take(REPORTS_MAX)
        .map(|report| {
            report.sent_at = Some(now);
            (report.finished.held(), report.finished.report())
        })
        .collect()
}
