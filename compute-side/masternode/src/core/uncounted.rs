//! What this masternode found of devices and the chain has not counted.
//!
//! The chain remembers a device's last tasks once the batch that names it is final. A verdict waits
//! for that for minutes; and if its job ends before it is settled, or its batch is struck, it puts no
//! fault on anybody. So what is known of a device is what the chain says, with this
//! on top.

#[cfg(test)]
mod model;

use super::{Core, Entry};
use quern_primitives::{
    batch::Batch,
    device::{History, RecordChange},
    ids::{BatchSequence, DeviceId, JobId},
    receipt::Exit,
    verdict::Finding,
    view::DeviceView,
};
use std::collections::BTreeMap;

/// By device and job, what verdicts say of it that no counted batch has: never more than these verdicts
/// name devices.
#[derive(Default)]
pub(super) struct Uncounted(BTreeMap<(DeviceId, JobId), RecordChange>);

impl Uncounted {
    /// Takes note of an entry of a job's log, of which the batches before `pending_from` are final.
    pub(super) fn note(&mut self, job: JobId, pending_from: BatchSequence, entry: &Entry) {
        match entry {
            // If the program fails, nothing is remembered of the devices.
            Entry::Judged { verdict } if verdict.answer.exit == Exit::Success => {
                for found in &verdict.replicas {
                    let change = self.0.entry((found.device, job)).or_default();
                    let count = match found.finding {
                        Finding::Accepted => &mut change.accepted,
                        Finding::Incorrect => &mut change.incorrect,
                        Finding::Failed => &mut change.failed,
                        Finding::Delayed => &mut change.delayed,
                    };
                    *count = count.saturating_add(1);
                }
            }
            Entry::Batched { batch } if batch.sequence < pending_from => self.counted(job, batch),
            _ => {}
        }
    }

    /// A batch is final: the chain has counted it.
    pub(super) fn counted(&mut self, job: JobId, batch: &Batch) {
        for told in batch.devices.iter() {
            let key = (told.device, job);
            let Some(change) = self.0.get_mut(&key) else {
                continue;
            };
            change.accepted = change.accepted.saturating_sub(told.change.accepted);
            change.failed = change.failed.saturating_sub(told.change.failed);
            change.delayed = change.delayed.saturating_sub(told.change.delayed);
            change.incorrect = change.incorrect.saturating_sub(told.change.incorrect);
            if change.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// The job is over: what is not counted of it never will be.
    pub(super) fn forget(&mut self, job: JobId) {
        self.0.retain(|(_, known), _| *known != job);
    }

    /// Of a device, what each job has.
    pub(super) fn of(&self, device: DeviceId) -> impl Iterator<Item = &RecordChange> {
        let jobs = (device, JobId([0; 32]))..=(device, JobId([u8::MAX; 32]));
        self.0.range(jobs).map(|(_, change)| change)
    }
}

impl Core {
    /// A device's last tasks as the chain will have them once it has counted what it has not, in the
    /// order in which it counts a batch's. If the chain has counted some of them since the last block that
    /// is known here, these would count twice: what is remembered here then stays, if anything is.
    pub(super) fn history_of(&self, view: &DeviceView) -> History {
        let mut history = view.device.history;
        if self.block < view.device.last_task {
            return self.scheduler.remembered(&view.id).unwrap_or(history);
        }
        let uncounted = self.uncounted.of(view.id);
        uncounted.for_each(|change| history.add(change));
        history
    }
}
