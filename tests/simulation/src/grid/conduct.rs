//! What became of each device, by the verdicts in the jobs' logs alone; and after how many of them one that
//! means harm must be out.

use super::world::World;
use quern_grid::faults::out::tasks_until_waiting;
use quern_masternode::core::{Entry, unjudged_max};
use quern_primitives::{
    amount::Amount,
    ids::{JobId, TaskIndex},
    receipt::Exit,
    verdict::{Finding, Verdict},
};
use std::collections::{BTreeSet, VecDeque};

/// Tasks that a selective device answers honestly, so that it has a name to lose: before so many in a row no
/// device is believed alone.
pub(super) const SEASONED: u32 = 10;

/// At how many of a thousand tasks a selective device lies from then on.
pub(super) const LYING_PERMILLE: u32 = 750;

/// Faults in a row after which a device gets nothing for a while.
const IN_A_ROW: u32 = 3;

/// Tasks that are looked back on, and the faults among them that are borne.
const WINDOW: usize = 20;
const BORNE: usize = 10;

/// A way to mean harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Makes every answer up.
    Random,
    /// Computes nothing, and gives one answer of its own to every task.
    Lazy,
    /// Commits itself to what another device committed itself to.
    Copying,
    /// Is honest for ten tasks, and then lies at three of four.
    Selective,
    /// Says nothing while it has a task, and answers when others have it.
    Late,
    /// Takes tasks and goes, and comes back without them.
    Silent,
    /// Commits itself to one answer and reveals another.
    TwoFaced,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Random,
        Self::Lazy,
        Self::Copying,
        Self::Selective,
        Self::Late,
        Self::Silent,
        Self::TwoFaced,
    ];

    /// The verdicts on a device of this kind after which it is out, but for a doubt of at most so much: the
    /// tasks by which it makes itself a name, and then as many as
    /// [the grid's rules need](tasks_until_waiting). None if no number can be named.
    pub fn tasks_until_out(self, doubt: f64) -> Option<u32> {
        let (honest, share) = match self {
            Self::Selective => (SEASONED, f64::from(LYING_PERMILLE) / 1_000.0),
            Self::Random
            | Self::Lazy
            | Self::Copying
            | Self::Late
            | Self::Silent
            | Self::TwoFaced => (0, 1.0),
        };
        tasks_until_waiting(share, doubt)?.checked_add(honest)
    }
}

/// What became of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// In which way it meant harm, if in one of these.
    pub way: Option<Way>,
    /// Replicas that it was given.
    pub given: u32,
    /// Its answers that were accepted.
    pub accepted: u32,
    /// Those that were wrong.
    pub incorrect: u32,
    /// Tasks on which it failed.
    pub failed: u32,
    /// Tasks with which it was late.
    pub delayed: u32,
    /// With which of its verdicts it was out for the first time: it was the third fault in a row, or the
    /// eleventh among the last twenty.
    pub out_after: Option<u32>,
    /// How many verdicts are on tasks that it was given before it was out for the first time: those, and
    /// the ones on what it had answered or held at that moment.
    pub given_before: u32,
    /// What verdicts have it paid for tasks of which its answer was not accepted.
    pub paid_for_faults: Amount,
}

impl Conduct {
    /// The verdicts that name it.
    pub fn judged(&self) -> u32 {
        self.accepted + self.incorrect + self.failed + self.delayed
    }

    /// How many tasks it may have been given before it was out, if it was out with so many verdicts at the
    /// most: those but for the last, and as many as it may have without a verdict.
    pub fn given_before_max(&self, tasks_until_out: u32) -> u32 {
        let unjudged = u32::try_from(unjudged_max(self.accepted as usize)).unwrap_or(u32::MAX);
        tasks_until_out.saturating_sub(1).saturating_add(unjudged)
    }

    /// A verdict names it, with this pay.
    fn is_found(&mut self, found: Finding, pay: Amount) {
        match found {
            Finding::Accepted => self.accepted += 1,
            Finding::Incorrect => self.incorrect += 1,
            Finding::Failed => self.failed += 1,
            Finding::Delayed => self.delayed += 1,
        }
        if found != Finding::Accepted {
            self.paid_for_faults += pay;
        }
    }
}

/// A device's last tasks, newest last: whether each was a fault.
#[derive(Default)]
struct Lately(VecDeque<bool>);

impl Lately {
    /// One more has ended. Whether the device is out.
    fn ends(&mut self, is_fault: bool) -> bool {
        self.0.push_back(is_fault);
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
        let row = self.0.iter().rev().take_while(|fault| **fault).count();
        let faults = self.0.iter().filter(|fault| **fault).count();
        row >= IN_A_ROW as usize || faults > BORNE
    }
}

/// A device while the logs are read.
#[derive(Default)]
struct Read {
    conduct: Conduct,
    lately: Lately,
    /// What it was given before it was out.
    given: BTreeSet<(JobId, TaskIndex)>,
}

impl Read {
    fn is_given(&mut self, job: JobId, task: TaskIndex) {
        self.conduct.given += 1;
        if self.conduct.out_after.is_none() {
            self.given.insert((job, task));
        }
    }

    fn is_judged(&mut self, job: JobId, task: TaskIndex, found: Finding, pay: Amount) {
        self.conduct.is_found(found, pay);
        self.conduct.given_before += u32::from(self.given.remove(&(job, task)));
        let is_out = self.lately.ends(found != Finding::Accepted);
        if is_out && self.conduct.out_after.is_none() {
            self.conduct.out_after = Some(self.conduct.judged());
        }
    }
}

impl World<'_> {
    /// What became of each device, in the order of their numbers. Of several jobs one counts after the other.
    pub(super) fn conduct(&self) -> Vec<Conduct> {
        let read = |way| Read {
            conduct: Conduct {
                way,
                ..Conduct::default()
            },
            ..Read::default()
        };
        let ways = self.machines.iter().map(|machine| machine.way());
        let mut devices: Vec<Read> = ways.map(read).collect();
        let entries = self
            .disk
            .logs()
            .flat_map(|(job, log)| log.iter().map(move |entry| (job, entry)));
        for (job, entry) in entries {
            match entry {
                Entry::Assigned { task, device, .. } => {
                    let number = self.names.device(device) as usize;
                    if let Some(device) = devices.get_mut(number) {
                        device.is_given(job, *task);
                    }
                }
                Entry::Judged { verdict } => self.read_verdict(job, verdict, &mut devices),
                _ => {}
            }
        }
        devices.into_iter().map(|device| device.conduct).collect()
    }

    /// If the program fails, nothing is remembered of the devices.
    fn read_verdict(&self, job: JobId, verdict: &Verdict, devices: &mut [Read]) {
        if verdict.answer.exit != Exit::Success {
            return;
        }
        for found in &verdict.replicas {
            let number = self.names.device(&found.device) as usize;
            if let Some(device) = devices.get_mut(number) {
                device.is_judged(job, verdict.task, found.finding, found.pay);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn out_after(faults: impl IntoIterator<Item = bool>) -> Option<usize> {
        let mut lately = Lately::default();
        let mut ends = faults.into_iter().map(|fault| lately.ends(fault));
        ends.position(|is_out| is_out).map(|place| place + 1)
    }

    #[test]
    fn three_faults_in_a_row_or_more_than_half_of_the_last_tasks_put_a_device_out() {
        assert_eq!(out_after([true; 3]), Some(3));
        assert_eq!(out_after([true, true, false, true, true, true]), Some(6));
        assert_eq!(out_after([false; 40]), None);
        let every_second = (0..40).map(|task| task % 2 == 0);
        assert_eq!(out_after(every_second), None);
        // Two of three: the eleventh comes with the sixteenth task.
        let two_of_three = (0..40).map(|task| task % 3 != 2);
        assert_eq!(out_after(two_of_three), Some(16));
    }

    #[test]
    fn whoever_is_always_at_fault_is_out_with_the_third_verdict_and_the_selective_later() {
        for way in Way::ALL {
            let tasks = way.tasks_until_out(1e-9).unwrap();
            match way {
                Way::Selective => assert!((20..200).contains(&tasks), "{tasks}"),
                _ => assert_eq!(tasks, IN_A_ROW),
            }
        }
    }
}
