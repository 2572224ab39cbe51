//! Jobs that other masternodes coordinate: what of them is computed again here.
//!
//! Who coordinates a job computes all again that is drawn of it, and nobody would know if it did not. So each drawn
//! task falls to one more member of the job's group, which computes it as the coordinator should: the draw is the
//! same, over the verdicts that its copy of the log has of what the chain has counted, and whom a task falls to
//! follows from the same hash. What comes out is noted beside that copy, and the owner asks every member.
//!
//! The owner's upload may come here later than to the coordinator. A task whose input is not here waits for it until
//! the job goes on no more, for then nothing is taken from its owner; it is tried once more, and if it is still not
//! here it is given up, and counted.

use super::{
    Core, Effect,
    job::{ActiveJob, Lengths},
    samples::{Sample, Samples, Settled},
};
use quern_primitives::{
    ids::{BlockNumber, Digest, JobId, TaskIndex},
    job::Job,
    verdict::Verdict,
};
use quern_verdict::re_executed_by;

/// A place among those members of a job's group that have a say and do not coordinate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The place, from 0.
    pub place: u32,
    /// How many they are.
    pub of: u32,
}

impl Seat {
    /// Whether a drawn task falls to who has this place.
    pub(super) fn has(&self, seed: &Digest, job: &JobId, task: TaskIndex) -> bool {
        re_executed_by(seed, job, task, self.of) == Some(self.place)
    }
}

/// News of a job of whose group this masternode is and that another one coordinates.
#[derive(Clone, Debug)]
pub enum News {
    /// The chain has counted a batch of it, and the copy of its log has the verdicts.
    Counted(Box<CountedBatch>),
    /// It goes on no more: nothing is taken from its owner from now on.
    Settled,
    /// The chain has closed it.
    Closed,
    /// This masternode goes on with it. So many notes stand beside the logs of those before.
    TakenOver {
        /// How many.
        notes: u64,
    },
}

/// A batch that the chain has counted, as the copy of its log has it.
#[derive(Clone, Debug)]
pub struct CountedBatch {
    /// The job as the chain has it.
    pub job: Job,
    /// The block that counted it.
    pub block: BlockNumber,
    /// Its verdicts.
    pub verdicts: Vec<Verdict>,
    /// Which of the drawn tasks fall to this masternode.
    pub seat: Seat,
    /// How many notes of the job are on disk.
    pub notes: u64,
}

/// What is known of such a job.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Elsewhere {
    /// What this masternode has written of it: notes, and no log.
    pub(super) lengths: Lengths,
    /// Whether its owner may still upload.
    goes_on: bool,
}

impl Core {
    /// There is news of a job that another masternode coordinates.
    pub(super) fn elsewhere(&mut self, id: JobId, news: News, out: &mut Vec<Effect>) {
        match news {
            News::Counted(counted) => self.counted_elsewhere(id, *counted),
            News::Settled => {
                let samples = &mut self.referee.samples;
                if let Some(known) = samples.elsewhere.get_mut(&id) {
                    known.goes_on = false;
                }
                samples.try_again(id);
            }
            News::Closed => {
                let samples = &mut self.referee.samples;
                let known = samples.elsewhere.remove(&id).unwrap_or_default();
                // It is there already where this masternode coordinated the job before.
                let closed = samples.closed.entry(id).or_default();
                closed.notes = closed.notes.max(known.lengths.notes);
                for sample in samples.take_lacking(id) {
                    self.lacks(sample);
                }
                self.drop_spent(out);
            }
            News::TakenOver { notes } => {
                let known = self.referee.samples.elsewhere.entry(id).or_default();
                known.lengths.notes = known.lengths.notes.max(notes);
            }
        }
    }

    fn counted_elsewhere(&mut self, id: JobId, counted: CountedBatch) {
        let CountedBatch {
            job,
            block,
            verdicts,
            seat,
            notes,
        } = counted;
        let permille = job.terms.re_execution_permille;
        if !self.settings.re_executes || permille == 0 || self.jobs.contains_key(&id) {
            return;
        }
        let samples = &mut self.referee.samples;
        // Some may be on their way to the disk, of when this masternode coordinated the job.
        let written = samples.closed.get(&id).map_or(0, |closed| closed.notes);
        let known = samples.elsewhere.entry(id).or_default();
        known.lengths.notes = known.lengths.notes.max(notes).max(written);
        known.goes_on = job.state.goes_on();
        let settled = Settled {
            job: id,
            verdicts,
            permille,
            time_ms: self
                .settings
                .recomputing_ms(job.submission.fuel_per_task_max),
            seat: Some(seat),
        };
        samples.settled(block, settled);
    }

    /// What a drawn task needs is not here. It waits while it may come and there is room; then it is given up.
    pub(super) fn lacks(&mut self, sample: Sample) {
        let samples = &mut self.referee.samples;
        let known = samples.elsewhere.get(&sample.job);
        let may_come = known.is_some_and(|known| known.goes_on);
        if may_come && samples.wait_for_upload(sample).is_none() {
            return;
        }
        let counts = &mut self.referee.counts;
        counts.unchecked = counts.unchecked.saturating_add(1);
        counts.not_uploaded = counts.not_uploaded.saturating_add(1);
    }
}

impl Samples {
    /// This masternode goes on with a job, behind what it has written of it.
    pub(super) fn taken_over(&mut self, id: JobId) -> Lengths {
        let known = self.elsewhere.remove(&id);
        self.try_again(id);
        known.unwrap_or_default().lengths
    }

    /// What waits for a job's upload is tried when its turn comes.
    fn try_again(&mut self, id: JobId) {
        let lacking = self.take_lacking(id);
        self.chosen.extend(lacking);
    }

    fn take_lacking(&mut self, id: JobId) -> Vec<Sample> {
        let lacking = std::mem::take(&mut self.lacking).into_iter();
        let (of_it, others): (Vec<_>, Vec<_>) = lacking.partition(|it| it.job == id);
        self.lacking = others.into();
        of_it
    }
}

impl ActiveJob {
    /// So much was written of the job before it began here.
    pub(super) fn behind(mut self, lengths: Lengths) -> Self {
        self.lengths = lengths;
        self
    }
}
