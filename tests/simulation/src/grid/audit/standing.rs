//! What a masternode must hold against a device: faults that its verdicts found, and what the chain told
//! it.
//!
//! It is computed from the jobs' logs and the chain's words alone, and where more than one count is
//! possible the one is taken that is best for the device: what is found with it is against the rules
//! however a masternode counts.

use super::Audit;
use quern_grid::Tick;
use quern_job_rules::tasks;
use quern_primitives::{
    device::{Device, History},
    ids::{BlockNumber, JobId, TaskIndex},
    receipt::Exit,
    verdict::{Finding, Verdict},
};
use std::collections::BTreeSet;

/// Faults in a row after which a device waits.
const IN_A_ROW: u32 = 3;

/// The first wait, in milliseconds: ten minutes. Each further one is twice as long, up to a day.
const WAIT_MS: u64 = 10 * 60_000;
const WAIT_MS_MAX: u64 = 24 * 60 * 60_000;

/// A device's faults, as far as the masternode knows of them in this life of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Whether it has said hello: of others a masternode remembers nothing.
    is_known: bool,
    /// Whether a task of it has ended in this life.
    has_ended_one: bool,
    /// Faults since its last accepted answer.
    in_a_row: u32,
    /// The beginning of time if it has not to wait.
    waits_until: Tick,
    last_review: BlockNumber,
    /// Accepted answers in the jobs' logs.
    accepted: u32,
    /// Those of them of which the masternode knows that the chain has counted them.
    settled: u32,
    /// What the chain told last, if it was that the device is in quarantine.
    quarantine: Option<Quarantine>,
    /// Whether it was ever found at fault.
    pub(super) was_blamed: bool,
}

/// A device in quarantine, as the chain told it.
#[derive(Clone, Copy, Debug)]
struct Quarantine {
    /// Tasks with a fault, of those that the chain remembers.
    faulty: u32,
    /// Accepted answers that were known to be counted when it was told.
    settled: u32,
}

impl Standing {
    /// Of a device that was at fault in another life of the masternode.
    pub(super) fn blamed() -> Self {
        Self {
            was_blamed: true,
            ..Self::default()
        }
    }

    /// A task of it ended with a verdict on a result.
    pub(super) fn ends(&mut self, now: Tick, is_fault: bool) {
        self.has_ended_one = true;
        if !is_fault {
            self.accepted += 1;
            self.in_a_row = 0;
            self.waits_until = Tick::default();
            return;
        }
        self.was_blamed = true;
        if self.is_known {
            self.has_fault(now);
        }
    }

    fn has_fault(&mut self, now: Tick) {
        self.in_a_row += 1;
        if let Some(further) = self.in_a_row.checked_sub(IN_A_ROW) {
            let wait_ms = WAIT_MS.saturating_mul(1 << further.min(10));
            self.waits_until = now.plus_ms(wait_ms.min(WAIT_MS_MAX));
        }
    }

    /// The masternode knows that one more of its accepted answers is counted on the chain.
    pub(super) fn counts_one(&mut self) {
        self.settled += 1;
    }

    /// The device says hello, and this is what the chain says of it.
    pub(super) fn says_hello(&mut self, now: Tick, device: &Device) {
        let is_first = !std::mem::replace(&mut self.is_known, true);
        self.hears(device);
        // What is not settled yet may have come after the chain's last task, and been accepted.
        if is_first && !self.has_ended_one && self.accepted == self.settled {
            for _ in 0..faults_at_the_end(&device.history) {
                self.has_fault(now);
            }
        }
    }

    /// The chain says this of the device.
    pub(super) fn hears(&mut self, device: &Device) {
        if self.last_review < device.last_review {
            self.in_a_row = 0;
            self.waits_until = Tick::default();
        }
        self.last_review = device.last_review;
        let faulty = device.history.faulty_tasks();
        self.was_blamed |= faulty > 0;
        let settled = self.settled;
        let quarantine = Quarantine { faulty, settled };
        self.quarantine = device.is_quarantined().then_some(quarantine);
    }

    /// The device is retired: nothing of it need be remembered.
    pub(super) fn retires(&mut self) {
        self.is_known = false;
        self.in_a_row = 0;
        self.waits_until = Tick::default();
        self.quarantine = None;
    }

    /// What was before, which only the logs tell, was another life of the masternode.
    pub(super) fn begins_anew(&mut self) {
        self.has_ended_one = false;
    }

    /// Whether it is in quarantine, also if each answer that was accepted since the chain told of it has
    /// displaced a fault.
    pub(super) fn is_quarantined(&self) -> bool {
        self.quarantine.is_some_and(|told| {
            let accepted_since = self.accepted.saturating_sub(told.settled);
            told.faulty.saturating_sub(accepted_since) * 2 > History::TASKS
        })
    }

    /// Faults in a row, if the device has to wait for them now.
    pub(super) fn waits(&self, now: Tick) -> Option<u32> {
        (now < self.waits_until).then_some(self.in_a_row)
    }

    /// Whether its last task was a fault.
    pub(super) fn is_on_probation(&self) -> bool {
        self.in_a_row > 0
    }
}

impl Audit {
    /// Takes note of what a verdict finds of devices; nothing if the program is at fault.
    pub(super) fn blame(&mut self, job: JobId, verdict: &Verdict) {
        if verdict.answer.exit != Exit::Success {
            return;
        }
        let books = self.jobs.entry(job).or_default();
        for found in &verdict.replicas {
            let is_fault = found.finding != Finding::Accepted;
            if is_fault {
                books.blamed.push((verdict.task, found.device));
            } else {
                let accepted = books.accepted.entry(verdict.task).or_default();
                accepted.push(found.device);
                self.stalls.remove(&found.device);
            }
            let standing = self.standings.entry(found.device).or_default();
            standing.ends(self.now, is_fault);
        }
    }

    /// A job is over: faults in it that the chain did not count are forgotten when it is asked again.
    pub(in crate::grid) fn forgive_uncounted(&mut self, job: &JobId) {
        let Some(books) = self.jobs.get(job) else {
            return;
        };
        let counted = books.settles.iter().take(books.counted);
        let valid = counted.filter_map(|set| tasks::validate(set, TaskIndex::MAX).ok());
        let valid: Vec<_> = valid.collect();
        let counted: BTreeSet<TaskIndex> = valid.iter().flat_map(|tasks| tasks.iter()).collect();
        let uncounted = books
            .blamed
            .iter()
            .filter(|(task, _)| !counted.contains(task));
        for (_, device) in uncounted {
            let standing = self.standings.entry(*device).or_default();
            standing.in_a_row = 0;
            standing.waits_until = Tick::default();
        }
    }
}

/// How many of the last tasks were faults, up to the newest that was none.
fn faults_at_the_end(history: &History) -> u32 {
    let any = history.failed | history.delayed | history.incorrect;
    any.trailing_ones().min(History::TASKS)
}
