//! The referee: tasks that are computed again, because devices differ on them.
//!
//! A case of which the judge says that it wants a referee is not decided by votes: two who lie alike
//! must not outvote an honest device. So its task is computed once more by somebody who has no part in
//! it, and what comes out decides, whatever was said: another masternode of the job's group, and in a group
//! of one the coordinator itself. Of a job that asks for three referees three others compute it, and what two
//! of them say decides; here they are spoken of as one, for they have one word. The verdict's ground says so.
//! It is asked once for a case, and before a case is given up that no number of replicas could decide, or
//! whose input is said to open nowhere.
//!
//! That the program fails ends the job, and nobody is at fault for it. So it is asked also where devices
//! agree on that: of one such task of a job at a time, for the first that is confirmed ends them all. Nor is
//! it believed of the referee alone: unless a device said the same, its word is written and the case goes on
//! as without it.
//!
//! Its word is waited for as long as a replica of the job may take, and so much longer as the settings
//! have it, but not beyond the last blocks of the job, in which what is decided must be settled. If it
//! cannot be had, or is out for longer, that is written down, and the judge goes on without: replicas are
//! added, or the job ends. A restart asks again what was asked and not written.

use super::{
    Core, Effect, Entry, Note, OutputPlace, RefereeWord, Tick, job::ActiveJob, name_of,
    samples::Samples,
};
use codec::{Decode, Encode};
use quern_jobs_api::Recomputations;
use quern_primitives::{
    ids::{DeviceId, Digest, JobId, NodeKey, ReplicaIndex, TaskIndex},
    limits::REPLICAS_PER_TASK_MAX,
    log::{RefereeStatement, RefereeStatements, SignedRefereeReport},
    receipt::{Answer, Exit},
};
use quern_protocol::Output;
use quern_verdict::Hearing;
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

/// In the place of a replica's number, in the name of a result that the referee sealed.
pub const REFEREE_REPLICA: ReplicaIndex = ReplicaIndex::MAX;

// No device's result has that name.
const _: () = assert!(REPLICAS_PER_TASK_MAX < REFEREE_REPLICA);

/// Why a task is computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Devices differ on it. The result is kept, for it may be nobody else's.
    Referee,
    /// Its accepted answer is checked, when there is nothing else to compute again. The result is kept only
    /// where another answer comes out.
    Check,
}

/// What comes out of a task, as who computed it again found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The answer, as a device would have to give it, on the word of who computed it.
    pub report: SignedRefereeReport,
    /// The network key that signs it. The result is sealed under this [name](super::name_of).
    pub node: NodeKey,
    /// The chunk root of the sealed result.
    pub output_root: Digest,
    /// The sealed result, where it is kept.
    pub output: Output,
    /// What others say who computed it for the same job, if that asks for several.
    pub others: Vec<RefereeStatement>,
}

impl Truth {
    /// The answer.
    pub fn answer(&self) -> Answer {
        self.report.payload.answer
    }

    /// As the log has it.
    fn word(&self) -> RefereeWord {
        let (report, node) = (self.report, self.node);
        if self.others.is_empty() {
            return RefereeWord::Computed { report, node };
        }
        let own = RefereeStatement { report, node };
        let statements = iter::once(own).chain(self.others.iter().copied());
        // No more are asked than there is room for.
        let statements = RefereeStatements::truncate_from(statements.collect());
        RefereeWord::Several { statements }
    }
}

/// A sealed result that is still to be written, if it is, and where it is then.
pub(super) fn placed(output: Output) -> (Option<Vec<u8>>, OutputPlace) {
    match output {
        Output::Inline(bytes) => {
            let place = OutputPlace::Inline {
                bytes: bytes.len() as u64,
            };
            (Some(bytes), place)
        }
        Output::Delivered { bytes } => (None, OutputPlace::File { bytes }),
    }
}

/// Why there is no referee's word on a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum NoReferee {
    /// The masternode computes nothing itself.
    None,
    /// What the task needs is not here, or does not open, compile or fit.
    Data,
    /// This machine cannot run the task: it is of another class, or failed.
    Machine,
    /// It took too long, or the job is about to end.
    Late,
    /// No other masternode of the group could be had, or could compute it, or fewer than have to say the same.
    Nobody,
    /// Several computed it, and no two of them say the same.
    Split,
}

/// Tasks of a job of which devices say that the program fails on them.
#[derive(Default)]
struct Failing {
    /// The one of which the referee's word is waited for.
    asked: Option<TaskIndex>,
    /// Those of which it is asked when there is its word on that one, and the job goes on.
    waiting: BTreeSet<TaskIndex>,
}

/// The tasks that are computed again.
#[derive(Default)]
pub(super) struct Referee {
    /// Until when its word is waited for.
    asked: BTreeMap<(JobId, TaskIndex), Tick>,
    /// The same, the next to be given up first.
    due: BTreeSet<(Tick, JobId, TaskIndex)>,
    failing: BTreeMap<JobId, Failing>,
    /// How many tasks are computed here for other masternodes that wait for it.
    for_others: u32,
    pub(super) samples: Samples,
    pub(super) counts: Recomputations,
}

impl Referee {
    fn ask(&mut self, job: JobId, task: TaskIndex, until: Tick) {
        self.asked.insert((job, task), until);
        self.due.insert((until, job, task));
    }

    /// Until when the referee's word on a task is waited for, if it is.
    pub(super) fn until(&self, job: JobId, task: TaskIndex) -> Option<Tick> {
        self.asked.get(&(job, task)).copied()
    }

    /// Whether it will be asked of a task when its turn comes.
    pub(super) fn will_be_asked(&self, job: JobId, task: TaskIndex) -> bool {
        let failing = self.failing.get(&job);
        failing.is_some_and(|failing| failing.waiting.contains(&task))
    }

    /// Whether it may be asked now of a task on which the program is said to fail. If not, its turn comes.
    fn may_ask_failing(&mut self, job: JobId, task: TaskIndex) -> bool {
        let failing = self.failing.entry(job).or_default();
        if failing.asked.is_some_and(|asked| asked != task) {
            failing.waiting.insert(task);
            return false;
        }
        failing.asked = Some(task);
        failing.waiting.remove(&task);
        true
    }

    /// A task is not to be asked of because the program is said to fail on it, or not any more.
    fn end_failing(&mut self, job: JobId, task: TaskIndex) {
        let Some(failing) = self.failing.get_mut(&job) else {
            return;
        };
        failing.waiting.remove(&task);
        failing.asked = failing.asked.filter(|asked| *asked != task);
        if failing.asked.is_none() && failing.waiting.is_empty() {
            self.failing.remove(&job);
        }
    }

    /// A task whose turn has come, once.
    fn take_turn(&mut self) -> Option<(JobId, TaskIndex)> {
        let mut free = self.failing.iter_mut().filter(|(_, it)| it.asked.is_none());
        let (job, task) = free.find_map(|(job, it)| Some((*job, it.waiting.pop_first()?)))?;
        self.end_failing(job, task);
        Some((job, task))
    }

    /// Whether nobody waits for it.
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.for_others == 0
    }

    /// How many tasks wait for it.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.asked.len()).unwrap_or(u32::MAX)
    }

    /// Its word on a task is not waited for any more. False if it was not.
    fn end(&mut self, job: JobId, task: TaskIndex) -> bool {
        self.end_failing(job, task);
        let Some(until) = self.asked.remove(&(job, task)) else {
            return false;
        };
        self.due.remove(&(until, job, task))
    }

    /// The tasks of a job of which its word is waited for.
    fn of_job(&self, job: JobId) -> Vec<TaskIndex> {
        let tasks = (job, 0)..=(job, TaskIndex::MAX);
        let asked = self.asked.range(tasks);
        asked.map(|((_, task), _)| *task).collect()
    }

    /// When the next wait is given up.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.due.first().map(|(until, ..)| *until)
    }

    /// A task whose wait is over.
    fn overdue(&self, now: Tick) -> Option<(JobId, TaskIndex)> {
        let (until, job, task) = self.due.first().copied()?;
        (until <= now).then_some((job, task))
    }
}

impl ActiveJob {
    /// The referee's word on a task is on its way to the disk.
    pub(super) fn refereed(&mut self, task: TaskIndex, answer: Answer, referee: DeviceId) {
        if let Some(open) = self.open_mut(task) {
            open.case.hear_referee(answer);
            open.referee = Some(referee);
        }
    }

    /// There is no referee's word on a task, and none will come.
    pub(super) fn unrefereed(&mut self, task: TaskIndex) {
        if let Some(open) = self.open_mut(task) {
            open.case.no_referee();
            open.is_unrefereed = true;
        }
    }

    /// Whether a task would end the job because the program fails on it, if no referee could be had.
    fn is_failing(&self, task: TaskIndex) -> bool {
        self.open(task).is_some_and(|open| {
            let mut case = open.case.clone();
            case.no_referee();
            match case.hearing(0) {
                Hearing::Decided(decision) => decision.answer.exit != Exit::Success,
                _ => false,
            }
        })
    }

    /// Whether the judge decides of a task, also after a restart.
    fn is_judging(&self, task: TaskIndex) -> bool {
        self.failed.is_none() && self.open(task).is_some()
    }
}

impl Core {
    /// Has a task computed again, unless it is already. If the program is said to fail on it, and on
    /// another one of the job that is being computed again, its turn comes after that.
    pub(super) fn ask_referee(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        out: &mut Vec<Effect>,
    ) {
        if self.referee.until(id, task).is_some() {
            return;
        }
        let Some(active) = self.jobs.get(&id) else {
            return;
        };
        if active.is_closing(self.block, self.settings.deadline_margin_blocks) {
            return self.unrefereed(now, id, task, NoReferee::Late, out);
        }
        let time_ms = self.recomputing_ms(active);
        if active.is_failing(task) {
            if !self.referee.may_ask_failing(id, task) {
                out.push(Effect::Changed { job: id });
                return;
            }
        } else {
            // It was said to fail, and its answers differ now.
            self.referee.end_failing(id, task);
        }
        // What devices wait for comes before what only is checked.
        self.put_check_off(out);
        self.referee.ask(id, task, now.plus_ms(time_ms));
        out.push(Effect::Recompute {
            job: id,
            task,
            purpose: Purpose::Referee,
            accepted: None,
            time_ms,
        });
        out.push(Effect::Changed { job: id });
    }

    /// A task is computed here for another masternode, or is not any more. Devices wait for that too.
    pub(super) fn refereeing(&mut self, begins: bool, out: &mut Vec<Effect>) {
        let for_others = &mut self.referee.for_others;
        *for_others = match begins {
            true => for_others.saturating_add(1),
            false => for_others.saturating_sub(1),
        };
        if begins {
            self.put_check_off(out);
        }
    }

    /// How long a task of a job may take that is computed again, until its turn comes included.
    pub(super) fn recomputing_ms(&self, active: &ActiveJob) -> u64 {
        let fuel_max = active.job.submission.fuel_per_task_max;
        self.settings.recomputing_ms(fuel_max)
    }

    /// A task was computed again, or could not be. What nobody waits for any more changes nothing.
    pub(super) fn recomputed(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        outcome: Result<Truth, NoReferee>,
        out: &mut Vec<Effect>,
    ) {
        if !self.referee.end(id, task) {
            return self.checked(now, id, task, outcome, out);
        }
        match outcome {
            Ok(truth) => self.refereed(now, id, task, truth, out),
            Err(why) => self.unrefereed(now, id, task, why, out),
        }
    }

    fn refereed(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        truth: Truth,
        out: &mut Vec<Effect>,
    ) {
        let active = self.jobs.get(&id);
        if !active.is_some_and(|active| active.is_judging(task)) {
            return;
        }
        let word = truth.word();
        // As whoever reads the log finds it.
        let Some(said) = word.truth() else {
            return self.unrefereed(now, id, task, NoReferee::Split, out);
        };
        let (answer, referee) = (said.report.payload.answer, name_of(&said.node));
        let Truth {
            output_root,
            output,
            ..
        } = truth;
        let (output, place) = placed(output);
        // Before the entry, for whoever finds that on disk looks for the result.
        let note = Note::Sealed {
            task,
            output_root,
            output: place,
        };
        let sealed = output.map(|bytes| (referee, bytes));
        self.note(id, note, sealed, out);
        self.append(id, Entry::Refereed { task, word }, None, out);
        let counts = &mut self.referee.counts;
        counts.refereed = counts.refereed.saturating_add(1);
        if let Some(active) = self.jobs.get_mut(&id) {
            active.refereed(task, answer, referee);
        }
        self.judge(now, id, task, out);
        // Others may try what the referee could open.
        self.weigh_input(now, id, task, out);
    }

    fn unrefereed(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        why: NoReferee,
        out: &mut Vec<Effect>,
    ) {
        let active = self.jobs.get(&id);
        if !active.is_some_and(|active| active.is_judging(task)) {
            return;
        }
        self.note(id, Note::Unrefereed { task, why }, None, out);
        let word = RefereeWord::None;
        self.append(id, Entry::Refereed { task, word }, None, out);
        let counts = &mut self.referee.counts;
        counts.unrefereed = counts.unrefereed.saturating_add(1);
        if let Some(active) = self.jobs.get_mut(&id) {
            active.unrefereed(task);
        }
        out.push(Effect::Changed { job: id });
        self.judge(now, id, task, out);
        self.weigh_input(now, id, task, out);
    }

    /// Asks the judge again where the program is said to fail and the referee is free for the job.
    pub(super) fn ask_in_turn(&mut self, now: Tick, out: &mut Vec<Effect>) {
        while let Some((id, task)) = self.referee.take_turn() {
            self.judge(now, id, task, out);
        }
    }

    /// Goes on without the referee where its word is out for too long.
    pub(super) fn end_referee_waits(&mut self, now: Tick, out: &mut Vec<Effect>) {
        while let Some((id, task)) = self.referee.overdue(now) {
            self.stop_recomputing(id, task, out);
            self.unrefereed(now, id, task, NoReferee::Late, out);
        }
    }

    /// Goes on without the referee in jobs that are about to end, so that what is decided is still settled.
    pub(super) fn end_waits_of_closing_jobs(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let margin = self.settings.deadline_margin_blocks;
        let is_closing = |(id, _): &(JobId, TaskIndex)| {
            let active = self.jobs.get(id);
            active.is_some_and(|active| active.is_closing(self.block, margin))
        };
        let asked = self.referee.asked.keys().copied();
        let closing: Vec<_> = asked.filter(is_closing).collect();
        for (id, task) in closing {
            self.stop_recomputing(id, task, out);
            self.unrefereed(now, id, task, NoReferee::Late, out);
        }
    }

    /// A task has its end: what the referee would say of it changes nothing.
    pub(super) fn stop_recomputing(&mut self, id: JobId, task: TaskIndex, out: &mut Vec<Effect>) {
        if self.referee.end(id, task) {
            out.push(Effect::StopRecomputing { job: id, task });
        }
    }

    /// So has every task of a job.
    pub(super) fn stop_recomputing_all(&mut self, id: JobId, out: &mut Vec<Effect>) {
        for task in self.referee.of_job(id) {
            self.stop_recomputing(id, task, out);
        }
        self.referee.failing.remove(&id);
    }
}
