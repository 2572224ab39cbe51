//! Answers that nobody has judged.
//!
//! What a device holds is bounded, and what it has answered would not be: one that answers at once, without
//! computing, could have a replica of each task of a job before others have answered any of these. Each
//! such answer that is wrong costs another replica, and minutes where a trusted device is to be heard. So a
//! device gets nothing more while it has [`ANSWERS_MIN`] answers without a verdict, those counted that it
//! holds and has not given. For each answer that was accepted since one was found incorrect it may have
//! [`FOR_EACH_ACCEPTED`] more, up to [`ANSWERS_MAX`].
//!
//! An honest device seldom comes there. Where one answer decides, it has its verdict when it comes. Where the
//! others who compute the same are slow, an answer counts for ten minutes and no longer: so whoever finishes
//! a task in 20 seconds or more is never kept waiting, and after some hundred accepted answers nobody is who
//! takes 0.6 seconds or more. A trusted device has no such bound: what is in doubt waits for it.
//!
//! That is counted from the jobs' logs, also after a restart, from which on the ten minutes count anew.

#[cfg(test)]
mod model;

use super::{Core, Entry, Tick, device::Known};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    receipt::Exit,
    verdict::Finding,
};
use quern_protocol::limits::TASKS_IN_HAND_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// With so many answers without a verdict a device gets nothing more, if none was accepted.
pub(super) const ANSWERS_MIN: usize = 32;

/// So many more it may have for each that was accepted since one was found incorrect.
const FOR_EACH_ACCEPTED: usize = 4;

/// So many it may have at the most.
pub(super) const ANSWERS_MAX: usize = 1_024;

/// How long an answer counts that nobody judges, in milliseconds: ten minutes.
const COUNTS_MS: u64 = 10 * 60_000;

/// A task of a job.
type OfJob = (JobId, TaskIndex);

/// What devices have answered. Of those that are not remembered nothing is known here but what the logs
/// named at the last start; and of each at most [`ANSWERS_MAX`] answers, and what it held besides, or what
/// one that is trusted answers in ten minutes. Of those that are away and have no answer without a verdict
/// nothing [stands here](super::kept).
#[derive(Default)]
pub(super) struct Answers {
    of: BTreeMap<DeviceId, Answered>,
    /// Until when each answer without a verdict counts, the next to end first.
    ends: BTreeSet<(Tick, DeviceId, OfJob)>,
    /// Whose answers to each task have no verdict.
    by_task: BTreeSet<(OfJob, DeviceId)>,
    /// Devices that may have been kept waiting, and may have one answer more now.
    freed: BTreeSet<DeviceId>,
    /// Devices that have no answer without a verdict any more.
    idle: BTreeSet<DeviceId>,
}

/// What a device has answered.
#[derive(Default)]
struct Answered {
    /// How many answers were accepted since one was found incorrect.
    accepted: usize,
    /// Those without a verdict, with until when each counts.
    unjudged: BTreeMap<OfJob, Tick>,
}

/// How many answers a device may have without a verdict, those counted that it holds and has not given, if
/// so many were accepted since one was found incorrect. With [how many verdicts put a device
/// out](quern_grid::faults::out) it says on how many tasks it can do harm until then.
pub fn unjudged_max(accepted: usize) -> usize {
    let more = accepted.saturating_mul(FOR_EACH_ACCEPTED);
    ANSWERS_MIN.saturating_add(more).min(ANSWERS_MAX)
}

impl Answered {
    /// How many it may have without a verdict.
    fn most(&self) -> usize {
        unjudged_max(self.accepted)
    }

    /// Whether it may have been kept from work, whatever it holds.
    fn may_wait(&self) -> bool {
        self.unjudged.len().saturating_add(TASKS_IN_HAND_MAX) >= self.most()
    }
}

impl Answers {
    /// Takes note of an entry of a job's log.
    pub(super) fn note(&mut self, now: Tick, job: JobId, entry: &Entry) {
        match entry {
            // One that is committed to counts from then on: whoever has not computed it has it as cheap.
            Entry::Committed { commitment } => {
                let said = &commitment.payload;
                self.add(now, said.device, (job, said.task));
            }
            Entry::Revealed { receipt, .. } => {
                let payload = &receipt.payload;
                self.add(now, payload.device, (job, payload.task));
            }
            Entry::Released { task, device, .. } => self.remove(*device, (job, *task)),
            Entry::Judged { verdict } if verdict.answer.exit == Exit::Success => {
                let task = (job, verdict.task);
                for found in &verdict.replicas {
                    self.judged(found.device, task, found.finding);
                }
                // Whoever else has committed itself to it is not heard any more.
                self.forget_tasks(task, task);
            }
            // The job ends: the program fails, or a task of it cannot be decided.
            Entry::Judged { .. } => self.forget_job(job),
            Entry::Ended { end } if end.task().is_some() => self.forget_job(job),
            Entry::Opened { .. }
            | Entry::Queued { .. }
            | Entry::Assigned { .. }
            | Entry::Added { .. }
            | Entry::Batched { .. }
            | Entry::Refereed { .. }
            | Entry::Ended { .. } => {}
        }
    }

    fn add(&mut self, now: Tick, device: DeviceId, task: OfJob) {
        self.remove(device, task);
        let until = now.plus_ms(COUNTS_MS);
        let answered = self.of.entry(device).or_default();
        answered.unjudged.insert(task, until);
        self.ends.insert((until, device, task));
        self.by_task.insert((task, device));
    }

    fn judged(&mut self, device: DeviceId, task: OfJob, finding: Finding) {
        self.remove(device, task);
        // One that was forgotten stays forgotten.
        let Some(answered) = self.of.get_mut(&device) else {
            return;
        };
        match finding {
            Finding::Accepted => {
                // It may have more, also if this answer counted no more.
                if answered.may_wait() {
                    self.freed.insert(device);
                }
                answered.accepted = answered.accepted.saturating_add(1);
            }
            Finding::Incorrect => answered.accepted = 0,
            // It has not answered.
            Finding::Failed | Finding::Delayed => {}
        }
        if answered.unjudged.is_empty() {
            self.idle.insert(device);
        }
    }

    /// An answer counts no more.
    fn remove(&mut self, device: DeviceId, task: OfJob) {
        let Some(answered) = self.of.get_mut(&device) else {
            return;
        };
        let may_wait = answered.may_wait();
        if let Some(until) = answered.unjudged.remove(&task) {
            self.ends.remove(&(until, device, task));
            self.by_task.remove(&(task, device));
            if may_wait {
                self.freed.insert(device);
            }
            if answered.unjudged.is_empty() {
                // A map that was emptied keeps memory for eleven.
                answered.unjudged = BTreeMap::new();
                self.idle.insert(device);
            }
        }
    }

    /// Lays a device by that has no answer without a verdict. Returns how many were accepted since one was
    /// found incorrect, if it has answered.
    pub(super) fn lay_by(&mut self, device: &DeviceId) -> Option<usize> {
        let answered = self.of.get(device)?;
        if !answered.unjudged.is_empty() {
            return None;
        }
        self.of.remove(device).map(|answered| answered.accepted)
    }

    /// Takes a device back that was laid by.
    pub(super) fn take_back(&mut self, device: DeviceId, accepted: usize) {
        self.of.entry(device).or_default().accepted = accepted;
    }

    /// The job is over: nobody judges what was answered of it.
    pub(super) fn forget_job(&mut self, job: JobId) {
        self.forget_tasks((job, TaskIndex::MIN), (job, TaskIndex::MAX));
    }

    /// Nobody judges any more what was answered to these tasks.
    fn forget_tasks(&mut self, first: OfJob, last: OfJob) {
        let all = (first, DeviceId([u8::MIN; 32]))..=(last, DeviceId([u8::MAX; 32]));
        let left: Vec<_> = self.by_task.range(all).copied().collect();
        for (task, device) in left {
            self.remove(device, task);
        }
    }

    /// A device is forgotten itself.
    pub(super) fn forget(&mut self, device: &DeviceId) {
        let answered = self.of.remove(device);
        for (task, until) in answered.into_iter().flat_map(|it| it.unjudged) {
            self.ends.remove(&(until, *device, task));
            self.by_task.remove(&(task, *device));
        }
    }

    /// How many answers of a device have no verdict, if it gets nothing more for that while it holds so
    /// many tasks.
    fn too_many(&self, device: &DeviceId, in_hand: usize) -> Option<usize> {
        let answered = self.of.get(device)?;
        let unjudged = answered.unjudged.len();
        (unjudged.saturating_add(in_hand) >= answered.most()).then_some(unjudged)
    }

    /// When the next answer of a device counts no more.
    pub(super) fn next_end_of(&self, device: &DeviceId) -> Option<Tick> {
        self.of.get(device)?.unjudged.values().min().copied()
    }

    /// When the next answer counts no more.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.ends.first().map(|(until, ..)| *until)
    }

    /// Devices that may have been kept waiting and are not any more.
    fn take_freed(&mut self, now: Tick) -> BTreeSet<DeviceId> {
        while let Some((_, device, task)) = self.ends.first().copied().filter(|it| it.0 <= now) {
            self.remove(device, task);
        }
        std::mem::take(&mut self.freed)
    }

    /// Devices that may have been left without an answer that has no verdict.
    fn take_idle(&mut self) -> BTreeSet<DeviceId> {
        std::mem::take(&mut self.idle)
    }
}

#[cfg(test)]
impl Answers {
    /// How many answers of a device were accepted since one was found incorrect, if that stands here.
    pub(super) fn accepted(&self, device: &DeviceId) -> Option<usize> {
        self.of.get(device).map(|answered| answered.accepted)
    }
}

impl Core {
    /// How many answers of a device have no verdict, if it gets nothing more for that.
    pub(super) fn awaits_verdicts(&self, device: &DeviceId, known: &Known) -> Option<usize> {
        let too_many = self.answers.too_many(device, known.in_hand.len());
        too_many.filter(|_| !known.telemetry.profile().is_trusted)
    }

    /// Looks at the exchanges again of devices that waited for verdicts.
    pub(super) fn end_answers(&mut self, now: Tick) {
        for device in self.answers.take_freed(now) {
            self.devices.look_again(device);
        }
        for device in self.answers.take_idle() {
            self.lay_by(now, &device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([1; 32]);
    const JOB: JobId = JobId([7; 32]);

    /// Answers so many tasks from the first one named.
    fn answer(answers: &mut Answers, now: Tick, first: TaskIndex, count: usize) {
        for task in (first..).take(count) {
            answers.add(now, DEVICE, (JOB, task));
        }
    }

    fn judge(answers: &mut Answers, first: TaskIndex, count: usize, finding: Finding) {
        for task in (first..).take(count) {
            answers.judged(DEVICE, (JOB, task), finding);
        }
    }

    #[test]
    fn a_device_may_have_more_the_more_were_accepted_and_no_more_than_the_most() {
        let mut answers = Answers::default();
        answer(&mut answers, Tick(0), 0, ANSWERS_MIN - 1);
        assert_eq!(answers.too_many(&DEVICE, 0), None);
        assert_eq!(answers.too_many(&DEVICE, 1), Some(31));
        answer(&mut answers, Tick(0), 31, 1);
        assert_eq!(answers.too_many(&DEVICE, 0), Some(32));
        judge(&mut answers, 0, 2, Finding::Accepted);
        assert_eq!(answers.take_freed(Tick(0)), BTreeSet::from([DEVICE]));
        answer(&mut answers, Tick(0), 100, 9);
        assert_eq!(answers.too_many(&DEVICE, 0), None);
        answer(&mut answers, Tick(0), 109, 1);
        assert_eq!(answers.too_many(&DEVICE, 0), Some(40));
        judge(&mut answers, 2, 1, Finding::Incorrect);
        assert_eq!(answers.too_many(&DEVICE, 0), Some(39), "as at first");
        answer(&mut answers, Tick(0), 1_000, ANSWERS_MAX);
        judge(&mut answers, 1_000, ANSWERS_MAX, Finding::Accepted);
        answer(&mut answers, Tick(0), 9_000, ANSWERS_MAX - 39);
        assert_eq!(answers.too_many(&DEVICE, 0), Some(ANSWERS_MAX));
    }

    #[test]
    fn who_was_laid_by_and_taken_back_may_have_as_many_as_before() {
        let mut answers = Answers::default();
        answer(&mut answers, Tick(0), 0, 3);
        judge(&mut answers, 0, 2, Finding::Accepted);
        assert_eq!(answers.lay_by(&DEVICE), None, "one has no verdict");
        assert!(answers.take_idle().is_empty());
        judge(&mut answers, 2, 1, Finding::Accepted);
        assert_eq!(answers.take_idle(), BTreeSet::from([DEVICE]));
        assert_eq!(answers.lay_by(&DEVICE), Some(3));
        assert!(answers.of.is_empty());
        assert_eq!(answers.lay_by(&DEVICE), None);
        answers.take_back(DEVICE, 3);
        answer(&mut answers, Tick(0), 10, 43);
        assert_eq!(answers.too_many(&DEVICE, 0), None);
        assert_eq!(answers.too_many(&DEVICE, 1), Some(43));
    }

    #[test]
    fn whoever_takes_twenty_seconds_for_a_task_is_never_kept_waiting() {
        let mut answers = Answers::default();
        for task in 0..1_000 {
            let now = Tick(u64::from(task) * 20_000);
            answers.take_freed(now);
            let in_hand = TASKS_IN_HAND_MAX - 1;
            assert_eq!(answers.too_many(&DEVICE, in_hand), None, "{task}");
            answer(&mut answers, now, task, 1);
        }
    }

    #[test]
    fn what_counts_no_more_frees_its_device_and_what_is_forgotten_does_not_come_back() {
        let mut answers = Answers::default();
        answer(&mut answers, Tick(5), 0, ANSWERS_MIN);
        assert_eq!(answers.next_wakeup(), Some(Tick(5 + COUNTS_MS)));
        assert_eq!(answers.next_end_of(&DEVICE), answers.next_wakeup());
        assert!(answers.take_freed(Tick(4 + COUNTS_MS)).is_empty());
        assert_eq!(answers.take_freed(Tick(5 + COUNTS_MS)).len(), 1);
        assert_eq!(answers.next_wakeup(), None);
        answer(&mut answers, Tick(5), 100, ANSWERS_MIN);
        judge(&mut answers, 0, 1, Finding::Accepted);
        assert_eq!(answers.take_freed(Tick(5)).len(), 1, "judged late");
        answers.forget_job(JOB);
        answer(&mut answers, Tick(5), 0, ANSWERS_MIN);
        answers.forget_job(JOB);
        assert_eq!(answers.too_many(&DEVICE, 2), None);
        answer(&mut answers, Tick(5), 0, 3);
        answers.forget(&DEVICE);
        judge(&mut answers, 0, 3, Finding::Accepted);
        assert!(answers.of.is_empty() && answers.ends.is_empty() && answers.by_task.is_empty());
    }
}
