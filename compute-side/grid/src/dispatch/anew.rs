//! Whose devices are found anew after a ranking, and when.
//!
//! To find a job's devices, all that are ranked are looked at. So a ranking leaves every job with the
//! devices of an earlier one, and they are found anew when somebody asks for something of the job, once
//! for each ranking. Where so many devices are ranked that this takes long, jobs take turns, and one
//! whose turn has not come is asked with what is known from before.
//!
//! That says how fast its devices are and how many accounts they are of. Whether a device may have
//! anything does not hang on it: what the device has and its bond covers, what its account touched and
//! what it lost before are those of now, and the caller asks for no device that gets nothing. Only where
//! there are capacity pools does it say in whose queue a device looks and whether it takes part, by its
//! rank; and ranks of two rankings do not compare. There no device is asked with pools from before, and
//! turns are not waited for.

use super::{Asker, Dispatch, Given, JobTerms, Withheld, job::JobQueue};
use crate::{Policy, Tick, pools::Target};
use quern_primitives::ids::JobId;

/// Ranked devices that are looked at for each millisecond that passes, at the most: about a quarter of
/// one core's time.
const DEVICES_PER_MS: u32 = 40_000;

/// From which ranking a job's devices are, and when it had its turn to have them found; none if it had none
/// yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    ranking: u64,
    at: Option<Tick>,
}

/// The rankings so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rankings {
    count: u64,
    /// From one job's turn to the next one's, in milliseconds.
    turn_ms: u64,
    last_turn: Option<Tick>,
}

impl Rankings {
    /// Found in the last ranking, and without a turn so far: the first is in the next one, as soon as the last
    /// turn of all is over.
    pub(super) fn last(&self) -> Found {
        self.found(None)
    }

    fn found(&self, at: Option<Tick>) -> Found {
        Found {
            ranking: self.count,
            at,
        }
    }

    /// Whether it is the turn of a job whose devices were found then, of so many jobs. Each waits for as
    /// long as all take. So within that time others have one turn each at the most, one is left, and a job
    /// that is asked all the time waits for less than twice as long.
    fn is_turn_of(&self, found: Found, jobs: usize, now: Tick) -> bool {
        let round_ms = self.turn_ms.saturating_mul(jobs as u64);
        let is_over = |turn: Option<Tick>, ms| turn.is_none_or(|at| now.since(at) >= ms);
        is_over(self.last_turn, self.turn_ms) && is_over(found.at, round_ms)
    }
}

/// Finds jobs' devices anew.
struct Finding<'a, F> {
    rankings: &'a mut Rankings,
    /// How many are queued.
    jobs: usize,
    takes_turns: bool,
    now: Tick,
    find: F,
}

impl<F: FnMut(&JobTerms) -> Option<(Target, u32)>> Finding<'_, F> {
    /// Unless they are from the last ranking, or others' turn comes before.
    fn catch_up(&mut self, job: &mut JobQueue) {
        if self.rankings.count == job.found.ranking {
            return;
        }
        let is_turn = self.rankings.is_turn_of(job.found, self.jobs, self.now);
        if self.takes_turns && !is_turn {
            return;
        }
        if let Some((target, accounts)) = (self.find)(&job.terms) {
            job.retarget(target, accounts);
            job.found = self.rankings.found(Some(self.now));
            self.rankings.last_turn = Some(self.now);
        }
    }
}

impl Dispatch {
    /// So many devices were ranked. Jobs keep what they have from an earlier ranking until somebody asks
    /// for something of them.
    pub fn ranked(&mut self, devices: u32) {
        self.rankings.count += 1;
        self.rankings.turn_ms = u64::from(devices / DEVICES_PER_MS);
    }

    /// Whether a job's pools are those of the last ranking.
    pub fn is_up_to_date(&self, id: JobId) -> bool {
        let job = self.jobs.get(&id);
        job.is_some_and(|job| job.found.ranking == self.rankings.count)
    }

    /// Somebody wants to know how a job stands: its pools are found in the last ranking, as if a device
    /// asked. `find` gives a job's pools there, and how many accounts have a device in its target subset.
    pub fn catch_up(
        &mut self,
        id: JobId,
        now: Tick,
        find: impl FnMut(&JobTerms) -> Option<(Target, u32)>,
    ) {
        let mut finding = Finding {
            rankings: &mut self.rankings,
            jobs: self.jobs.len(),
            takes_turns: self.tuning.policy == Policy::OneQueue,
            now,
            find,
        };
        if let Some(job) = self.jobs.get_mut(&id) {
            finding.catch_up(job);
        }
    }

    /// Gives the next replica to a device that asks, or says why it gets none. `find` gives a job's pools
    /// in the last ranking, and how many accounts have a device in its target subset; where it gives
    /// none, the pools stay those that they were. It is called for jobs that are asked, once for each
    /// ranking: those that have something for devices like this one, as far as no job before them gives
    /// it something.
    pub fn take_anew(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        find: impl FnMut(&JobTerms) -> Option<(Target, u32)>,
    ) -> Result<Given, Withheld> {
        self.take_unless(asker, now, |_| false, find)
    }

    /// The same for a device that is barred from some jobs, and gets nothing of these.
    pub fn take_unless(
        &mut self,
        asker: &Asker<'_>,
        now: Tick,
        is_barred: impl Fn(JobId) -> bool,
        find: impl FnMut(&JobTerms) -> Option<(Target, u32)>,
    ) -> Result<Given, Withheld> {
        let Self {
            tuning,
            jobs,
            order,
            rankings,
            ..
        } = self;
        let mut finding = Finding {
            rankings,
            jobs: jobs.len(),
            takes_turns: tuning.policy == Policy::OneQueue,
            now,
            find,
        };
        let (mut why, mut is_behind) = (Withheld::NoJob, false);
        for id in order.values() {
            let Some(job) = jobs.get_mut(id) else {
                continue;
            };
            if !is_barred(*id) {
                if job.has_open_for(asker) {
                    finding.catch_up(job);
                }
                match job.take(asker, now, tuning, is_behind) {
                    Ok(given) => return Ok(given),
                    // The first job that has something open says most.
                    Err(reason) if matches!(why, Withheld::NoJob | Withheld::NothingOpen) => {
                        why = reason
                    }
                    Err(_) => {}
                }
            }
            is_behind |= job.is_served(now, tuning);
        }
        if tuning.backs_up {
            for id in order.values().filter(|id| !is_barred(**id)) {
                let Some(job) = jobs.get_mut(id) else {
                    continue;
                };
                if job.is_near_end_for(asker) {
                    finding.catch_up(job);
                }
                match job.back_up(asker, now, tuning) {
                    Ok(given) => return Ok(given),
                    Err(reason) if why == Withheld::NothingOpen => why = reason,
                    Err(_) => {}
                }
            }
        }
        Err(why)
    }
}
