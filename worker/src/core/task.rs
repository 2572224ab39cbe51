//! Tasks in hand and reports on their way.

use super::{Finished, Sealed, Tick};
use crate::limits::REPEAT_MS;
use quern_primitives::{ids::DeviceId, receipt::Receipt};
use quern_protocol::{Progress, ReplicaId, Report, limits::REPORTS_MAX};
use std::collections::BTreeMap;

/// A task in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: ReplicaId,
    /// Whose it is.
    pub(super) masternode: DeviceId,
    /// Memory that it may need.
    pub(super) memory_bytes: u64,
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

/// A report that is not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) masternode: DeviceId,
    pub(super) finished: Finished,
    /// When it could be sent first.
    pub(super) made_at: Tick,
    /// When it was last sent, over the connection that stands.
    sent_at: Option<Tick>,
    /// Its result is inside the report, or was delivered over the connection that stands.
    is_delivered: bool,
}

impl Outgoing {
    pub(super) fn new(masternode: DeviceId, finished: Finished, now: Tick) -> Self {
        let is_delivered = matches!(finished.sealed, Sealed::Here(_));
        Self {
            masternode,
            finished,
            made_at: now,
            sent_at: None,
            is_delivered,
        }
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.is_delivered
    }

    pub(super) fn set_delivered(&mut self, now: Tick) {
        self.is_delivered = true;
        self.made_at = now;
    }

    /// Whether it can be sent and was not yet.
    pub(super) fn is_new(&self) -> bool {
        self.is_delivered && self.sent_at.is_none()
    }

    /// The connection has ended: whether anything of it arrived is not known.
    pub(super) fn set_unsent(&mut self) {
        self.sent_at = None;
        self.is_delivered = matches!(self.finished.sealed, Sealed::Here(_));
    }

    /// When it is to be sent, or sent again; `None` before it is delivered.
    pub(super) fn due_at(&self) -> Option<Tick> {
        self.is_delivered.then(|| match self.sent_at {
            None => self.made_at,
            Some(sent_at) => sent_at.after(REPEAT_MS),
        })
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

/// Whether a task is at another stage than a masternode was told. One it was not told of it takes to
/// be fetched.
pub(super) fn has_moved(tasks: &[Task], masternode: &DeviceId, told: &[Progress]) -> bool {
    progress(tasks, masternode).any(|now| {
        let last = told.iter().find(|told| told.id == now.id);
        now.stage != last.map_or(quern_protocol::Stage::Fetching, |last| last.stage)
    })
}

/// The reports for the next exchange with a masternode, marked as sent.
pub(super) fn take_reports(
    outgoing: &mut BTreeMap<ReplicaId, Outgoing>,
    masternode: &DeviceId,
    now: Tick,
) -> Vec<Report> {
    outgoing
        .values_mut()
        .filter(|report| report.masternode == *masternode)
        .filter(|report| report.due_at().is_some_and(|due_at| due_at <= now))
        .take(REPORTS_MAX)
        .map(|report| {
            report.sent_at = Some(now);
            report.finished.report()
        })
        .collect()
}
