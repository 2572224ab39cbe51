//! Accepted answers that are computed again, drawn where nobody could know of it.
//!
//! Devices that agree on a wrong answer are in no doubt. So of the tasks that were settled a share is
//! computed again, by the job's terms. Which they are follows from the block in which the chain
//! was seen to have counted their batch, and from the next two ([`quern_verdict::seed`]): that was not known when the
//! verdicts were written, and anybody can draw the same. They are computed one at a time, when the referee has nothing
//! else to do. What a job was computed from is kept until its last draw is done, also when it is closed.
//!
//! Who agreed on another answer than comes out gets nothing from this masternode for a day, and a note
//! beside the job's log has both answers and the digests of the receipts. Of a job with a group of several they are
//! accused too: where others compute the same, the chain takes a part of their bonds. Nothing that was paid moves.
//! The sealed result that comes out is kept, and the owner is told of it, who puts it in the place of the other.
//!
//! Of a job that another masternode [coordinates](super::elsewhere) those drawn tasks are computed here that fall to
//! this one, by the same draw; all else is the same.
//!
//! A restart forgets what was drawn and not computed: of closed jobs the key is gone by then. And where
//! blocks were finalised that this masternode did not see, it takes the first that it saw to be the one
//! in which the batch was counted.

use super::{
    Core, Effect, KeptResult, Note, Seat, Tick,
    elsewhere::Elsewhere,
    job::{ActiveJob, Lengths},
    name_of,
    referee::{NoReferee, Purpose, Truth, placed},
};
use quern_primitives::{
    ids::{BlockNumber, DeviceId, Digest, JobId, TaskIndex},
    receipt::Exit,
    verdict::{Finding, Verdict},
};
use quern_verdict::{SEED_BLOCKS, is_re_executed};
use std::collections::{BTreeMap, VecDeque};

/// Tasks that wait to be computed again, at most; what is drawn beyond them is not checked.
const CHOSEN_MAX: usize = 1_024;

/// Tasks that wait for their owners' uploads, at most.
const LACKING_MAX: usize = 1_024;

/// Those of one job, at most, so that an owner who uploads nothing takes the room of no other.
const LACKING_OF_A_JOB_MAX: usize = 64;

/// Blocks whose draw is waited for, at most. With more the chain has not answered for a minute, and the
/// first are not drawn.
const UNDRAWN_MAX: usize = 32;

/// How many blocks that is waited for which a draw follows from; what was counted is then not drawn. About ten
/// minutes, twice as long as the chain is asked.
const SEED_WAIT_BLOCKS: BlockNumber = 100;

/// A settled task that may be computed again.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) job: JobId,
    verdict: Verdict,
    time_ms: u64,
    /// Whether another masternode coordinated the job.
    is_elsewhere: bool,
}

/// What was settled of a job with one look at the chain.
pub(super) struct Settled {
    pub(super) job: JobId,
    pub(super) verdicts: Vec<Verdict>,
    /// Of a thousand of them so many are computed again, by the job's terms.
    pub(super) permille: u16,
    pub(super) time_ms: u64,
    /// Of a job that another masternode coordinates, which of the drawn tasks fall to this one; else all do.
    pub(super) seat: Option<Seat>,
}

impl Settled {
    /// Whether a task is drawn, and falls to this masternode.
    fn has(&self, seed: &Digest, verdict: &Verdict) -> bool {
        let (job, task) = (&self.job, verdict.task);
        is_re_executed(seed, job, task, verdict.ground, self.permille)
            && self.seat.is_none_or(|seat| seat.has(seed, job, task))
    }
}

/// Settled tasks, from the batch that has them until they are checked.
#[derive(Default)]
pub(super) struct Samples {
    /// What is not drawn, by the block in which it was seen to be counted.
    undrawn: BTreeMap<BlockNumber, Vec<Settled>>,
    /// Of these, the blocks for which it was asked what draws follow from, and at which block.
    asked: BTreeMap<BlockNumber, BlockNumber>,
    /// What was drawn, in the order in which it is computed.
    pub(super) chosen: VecDeque<Sample>,
    /// What was drawn of jobs that others coordinate, and waits for its owner's upload.
    pub(super) lacking: VecDeque<Sample>,
    /// What is being computed.
    checking: Option<Sample>,
    /// Jobs that others coordinate and of which something was settled.
    pub(super) elsewhere: BTreeMap<JobId, Elsewhere>,
    /// Closed jobs whose data are kept for it, with how much was written of each.
    pub(super) closed: BTreeMap<JobId, Lengths>,
}

impl Samples {
    /// The chain was seen to have counted verdicts of a job at a block.
    pub(super) fn settled(&mut self, block: BlockNumber, settled: Settled) {
        self.undrawn.entry(block).or_default().push(settled);
        while self.undrawn.len() > UNDRAWN_MAX {
            if let Some((first, _)) = self.undrawn.pop_first() {
                self.asked.remove(&first);
            }
        }
    }

    /// The blocks for which that is to be read which draws follow from, once each, when this one is finalised. What
    /// waits for one that never came is forgotten.
    fn wanted(&mut self, block: BlockNumber) -> Vec<BlockNumber> {
        let is_late = |asked: BlockNumber| asked.saturating_add(SEED_WAIT_BLOCKS) < block;
        let late = self.asked.extract_if(.., |_, asked| is_late(*asked));
        for (counted, _) in late {
            self.undrawn.remove(&counted);
        }
        let last = block.checked_sub(SEED_BLOCKS);
        let ready = last
            .into_iter()
            .flat_map(|last| self.undrawn.range(..=last));
        let ready = ready.map(|(counted, _)| *counted);
        let fresh: Vec<_> = ready.filter(|it| !self.asked.contains_key(it)).collect();
        self.asked
            .extend(fresh.iter().map(|counted| (*counted, block)));
        fresh
    }

    /// It is known what draws of what was counted in a block follow from: draws.
    fn draw(&mut self, counted: BlockNumber, seed: &Digest) {
        self.asked.remove(&counted);
        let settled = self.undrawn.remove(&counted).unwrap_or_default();
        for mut settled in settled {
            let verdicts = std::mem::take(&mut settled.verdicts).into_iter();
            let drawn = verdicts.filter(|verdict| settled.has(seed, verdict));
            let samples = drawn.map(|verdict| Sample {
                job: settled.job,
                verdict,
                time_ms: settled.time_ms,
                is_elsewhere: settled.seat.is_some(),
            });
            let room = CHOSEN_MAX.saturating_sub(self.chosen.len());
            self.chosen.extend(samples.take(room));
        }
    }

    /// What is computed next, from now on.
    fn start(&mut self) -> Option<&Sample> {
        if self.checking.is_none() {
            self.checking = self.chosen.pop_front();
            return self.checking.as_ref();
        }
        None
    }

    /// What is being computed is computed later, before all else.
    fn put_off(&mut self) -> Option<(JobId, TaskIndex)> {
        let sample = self.checking.take()?;
        let name = (sample.job, sample.verdict.task);
        self.chosen.push_front(sample);
        Some(name)
    }

    /// What was being computed, if it was this task.
    fn take(&mut self, job: JobId, task: TaskIndex) -> Option<Sample> {
        let is_meant = |it: &mut Sample| it.job == job && it.verdict.task == task;
        self.checking.take_if(is_meant)
    }

    /// Has a task wait for its owner's upload; gives it back if there is no room.
    pub(super) fn wait_for_upload(&mut self, sample: Sample) -> Option<Sample> {
        let of_it = self.lacking.iter().filter(|it| it.job == sample.job);
        let has_room = of_it.count() < LACKING_OF_A_JOB_MAX && self.lacking.len() < LACKING_MAX;
        if !has_room {
            return Some(sample);
        }
        self.lacking.push_back(sample);
        None
    }

    /// Whether the data of a job are needed.
    fn needs(&self, job: JobId) -> bool {
        let mut undrawn = self.undrawn.values().flatten();
        let mut samples = self.samples();
        undrawn.any(|it| it.job == job) || samples.any(|it| it.job == job)
    }

    /// All that was drawn and is not computed.
    fn samples(&self) -> impl Iterator<Item = &Sample> {
        let waiting = self.chosen.iter().chain(&self.lacking);
        waiting.chain(&self.checking)
    }

    /// Closed jobs whose data are not needed any more, once each.
    fn spent(&mut self) -> Vec<JobId> {
        let closed = self.closed.keys().copied();
        let spent: Vec<_> = closed.filter(|job| !self.needs(*job)).collect();
        for job in &spent {
            self.closed.remove(job);
        }
        spent
    }

    /// How much was written of a job that is closed, if anything of it is kept, or that another masternode
    /// coordinates.
    pub(super) fn lengths(&mut self, job: JobId) -> Option<&mut Lengths> {
        let elsewhere = self.elsewhere.get_mut(&job);
        let elsewhere = elsewhere.map(|it| &mut it.lengths);
        elsewhere.or_else(|| self.closed.get_mut(&job))
    }

    /// How many tasks wait to be computed again, or are.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.samples().count()).unwrap_or(u32::MAX)
    }
}

impl Core {
    /// The chain was seen to have counted verdicts of a job at the last block.
    pub(super) fn counted(&mut self, id: JobId, verdicts: Vec<Verdict>) {
        let Some(active) = self.jobs.get(&id) else {
            return;
        };
        let permille = active.job.terms.re_execution_permille;
        if !self.settings.re_executes || permille == 0 || verdicts.is_empty() {
            return;
        }
        let settled = Settled {
            job: id,
            verdicts,
            permille,
            time_ms: self.recomputing_ms(active),
            seat: None,
        };
        self.referee.samples.settled(self.block, settled);
    }

    /// A block was finalised: what was counted before it can be drawn.
    pub(super) fn want_seeds(&mut self, out: &mut Vec<Effect>) {
        let wanted = self.referee.samples.wanted(self.block);
        out.extend(wanted.into_iter().map(|block| Effect::ReadSeed { block }));
        self.drop_spent(out);
    }

    /// It was read what draws of what was counted in a block follow from.
    pub(super) fn draw_samples(
        &mut self,
        block: BlockNumber,
        seed: &Digest,
        out: &mut Vec<Effect>,
    ) {
        self.referee.samples.draw(block, seed);
        self.drop_spent(out);
    }

    /// A job is closed: what it was computed from goes, now or when all that
    /// is drawn of it is computed.
    pub(super) fn close_samples(&mut self, active: &ActiveJob, out: &mut Vec<Effect>) {
        let closed = &mut self.referee.samples.closed;
        closed.insert(active.id, active.lengths);
        self.drop_spent(out);
    }

    /// Whether an accepted answer of a job may still be found to be wrong here: something of it may be settled
    /// yet, or waits to be drawn, or is drawn and not computed.
    pub fn may_be_contradicted(&self, id: JobId) -> bool {
        let goes_on = self.jobs.get(&id).is_some_and(|active| {
            let is_drawn = active.job.terms.re_execution_permille > 0;
            self.settings.re_executes && is_drawn && active.job.state.goes_on()
        });
        goes_on || self.referee.samples.needs(id)
    }

    pub(super) fn drop_spent(&mut self, out: &mut Vec<Effect>) {
        let spent = self.referee.samples.spent().into_iter();
        out.extend(spent.map(|job| Effect::DropInputs { job }));
    }

    /// Has the next drawn task computed again, if the referee is idle.
    pub(super) fn start_check(&mut self, out: &mut Vec<Effect>) {
        if !self.referee.is_idle() {
            return;
        }
        if let Some(sample) = self.referee.samples.start() {
            out.push(Effect::Recompute {
                job: sample.job,
                task: sample.verdict.task,
                purpose: Purpose::Check,
                accepted: Some(sample.verdict.answer),
                time_ms: sample.time_ms,
            });
        }
    }

    /// Somebody waits for the referee: what is only checked comes later.
    pub(super) fn put_check_off(&mut self, out: &mut Vec<Effect>) {
        if let Some((job, task)) = self.referee.samples.put_off() {
            out.push(Effect::StopRecomputing { job, task });
        }
    }

    /// A settled task was computed again, or could not be.
    pub(super) fn checked(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        outcome: Result<Truth, NoReferee>,
        out: &mut Vec<Effect>,
    ) {
        let Some(sample) = self.referee.samples.take(id, task) else {
            return;
        };
        let counts = &mut self.referee.counts;
        match outcome {
            Ok(truth) if truth.answer() == sample.verdict.answer => {
                counts.confirmed = counts.confirmed.saturating_add(1);
            }
            Ok(truth) => {
                counts.contradicted = counts.contradicted.saturating_add(1);
                self.contradicted(now, &sample.verdict, truth, out);
            }
            Err(NoReferee::Data) if sample.is_elsewhere => self.lacks(sample),
            Err(_) => counts.unchecked = counts.unchecked.saturating_add(1),
        }
        self.drop_spent(out);
    }

    /// An answer was accepted and settled, and another one comes out.
    fn contradicted(&mut self, now: Tick, verdict: &Verdict, truth: Truth, out: &mut Vec<Effect>) {
        let gave = verdict.replicas.iter();
        let gave = gave.filter(|found| found.finding == Finding::Accepted);
        let receipts: Vec<(DeviceId, Digest)> = gave
            .filter_map(|found| Some((found.device, found.receipt?)))
            .collect();
        for (device, _) in &receipts {
            self.pauses.contradicted(now, *device);
            self.devices.look_again(*device);
        }
        let Truth {
            report,
            node,
            output_root,
            output,
            ..
        } = truth;
        let (sealed, output) = placed(output);
        // Of a program that fails there is nothing that the owner could use.
        let has_result = report.payload.answer.exit == Exit::Success && output.bytes() > 0;
        let note = Note::Contradicted {
            task: verdict.task,
            accepted: verdict.answer,
            report,
            node,
            kept: has_result.then_some(KeptResult {
                output_root,
                output,
            }),
            receipts,
        };
        let sealed = sealed.filter(|_| has_result);
        let sealed = sealed.map(|bytes| (name_of(&node), bytes));
        self.note(verdict.job, note, sealed, out);
        if let Some(active) = self.jobs.get_mut(&verdict.job) {
            active.counters.contradicted = active.counters.contradicted.saturating_add(1);
        }
        out.push(Effect::Changed { job: verdict.job });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([5; 32]);

    #[test]
    fn what_a_draw_follows_from_is_wanted_once_and_only_when_its_blocks_are_finalised() {
        let mut samples = Samples::default();
        let settled = || Settled {
            job: JOB,
            verdicts: vec![],
            permille: 1_000,
            time_ms: 1,
            seat: None,
        };
        samples.settled(7, settled());
        assert_eq!(samples.wanted(7), [] as [BlockNumber; 0]);
        assert_eq!(samples.wanted(8), [] as [BlockNumber; 0]);
        assert_eq!(samples.wanted(9), [7]);
        assert_eq!(samples.wanted(10), [] as [BlockNumber; 0]);
        samples.closed.insert(JOB, Lengths::default());
        assert!(samples.spent().is_empty(), "it is not drawn");
        samples.draw(7, &Digest([0; 32]));
        assert_eq!(samples.spent(), [JOB]);
        assert!(samples.spent().is_empty());
    }

    #[test]
    fn a_closed_job_is_kept_for_some_blocks_only_if_what_its_draw_follows_from_never_comes() {
        let mut samples = Samples::default();
        let settled = Settled {
            job: JOB,
            verdicts: vec![],
            permille: 1_000,
            time_ms: 1,
            seat: None,
        };
        samples.settled(7, settled);
        samples.closed.insert(JOB, Lengths::default());
        // However long the chain stands still before it is asked.
        let asked = 5_000;
        assert_eq!(samples.wanted(asked), [7]);
        samples.wanted(asked + SEED_WAIT_BLOCKS);
        assert_eq!(samples.spent(), [] as [JobId; 0]);
        samples.wanted(asked + SEED_WAIT_BLOCKS + 1);
        assert_eq!(samples.spent(), [JOB]);
        assert!(samples.asked.is_empty() && samples.undrawn.is_empty());
        samples.draw(7, &Digest([0; 32]));
        assert_eq!(samples.waiting(), 0, "it comes too late");
    }

    #[test]
    fn no_more_blocks_are_remembered_than_the_limit() {
        let mut samples = Samples::default();
        for block in 0..2 * UNDRAWN_MAX as BlockNumber {
            let settled = Settled {
                job: JOB,
                verdicts: vec![],
                permille: 1_000,
                time_ms: 1,
                seat: None,
            };
            samples.settled(block, settled);
            samples.wanted(block);
        }
        assert_eq!(samples.undrawn.len(), UNDRAWN_MAX);
        assert!(samples.asked.len() <= UNDRAWN_MAX);
    }
}
