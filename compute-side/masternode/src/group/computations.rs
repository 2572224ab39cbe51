//! Tasks that are computed here because another masternode of their job's group asked for it, and what came of
//! them, until nobody asks about them any more.

use crate::{core::Truth, locks::lock};
use quern_jobs_api::GroupError;
use quern_primitives::{JobId, TaskIndex};
use quern_sandbox::Cancel;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Tasks that are computed at a time, or whose result is kept to be fetched.
const KEPT_MAX: usize = 64;

/// What is computed, and was not asked about for so long, is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);

/// What was computed, and was not asked about for so long, is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// The tasks that are computed for others, or were.
#[derive(Default)]
pub(super) struct Computations(Mutex<BTreeMap<(JobId, TaskIndex), Kept>>);

/// One of them.
struct Kept {
    /// When it was asked about last.
    asked: Instant,
    /// Until when whoever asked waits for it.
    until: Instant,
    cancel: Cancel,
    /// What came of it, or why nothing did; none while it is computed.
    outcome: Option<Result<Arc<Truth>, String>>,
}

impl Kept {
    fn is_over(&self, now: Instant) -> bool {
        let patience = match self.outcome {
            None => GIVEN_UP_AFTER,
            Some(_) => FORGOTTEN_AFTER,
        };
        now.saturating_duration_since(self.asked) >= patience
    }
}

impl Computations {
    /// How far a task is, if it was begun. Why nothing came of it is told once; then it may be begun again.
    pub(super) fn look(&self, job: JobId, task: TaskIndex, now: Instant) -> Option<Progress> {
        let mut kept = lock(&self.0);
        let it = kept.get_mut(&(job, task))?;
        it.asked = now;
        let told = match &it.outcome {
            None => Ok(None),
            Some(Ok(truth)) => Ok(Some(truth.clone())),
            Some(Err(why)) => Err(GroupError::NotComputed { why: why.clone() }),
        };
        if told.is_err() {
            kept.remove(&(job, task));
        }
        Some(told)
    }

    /// Whether a task is computed now, and whoever asked still waits for it.
    pub(super) fn is_awaited(&self, job: JobId, task: TaskIndex, now: Instant) -> bool {
        let kept = lock(&self.0);
        kept.get(&(job, task))
            .is_some_and(|it| it.outcome.is_none() && now < it.until)
    }

    /// Begins with a task that is not there yet, which is waited for so long, and tells how to stop it.
    pub(super) fn begin(
        &self,
        job: JobId,
        task: TaskIndex,
        (now, until): (Instant, Instant),
    ) -> Result<Cancel, GroupError> {
        let mut kept = lock(&self.0);
        kept.retain(|_, it| {
            let is_over = it.is_over(now);
            if is_over {
                it.cancel.cancel();
            }
            !is_over
        });
        if kept.len() >= KEPT_MAX {
            return Err(GroupError::Busy);
        }
        let cancel = Cancel::new();
        let it = Kept {
            asked: now,
            until,
            cancel: cancel.clone(),
            outcome: None,
        };
        // Who asked first is stopped, if two asked at a time.
        if let Some(before) = kept.insert((job, task), it) {
            before.cancel.cancel();
        }
        Ok(cancel)
    }

    /// This came of a task, unless it was stopped.
    pub(super) fn end(
        &self,
        job: JobId,
        task: TaskIndex,
        cancel: &Cancel,
        outcome: Result<Arc<Truth>, String>,
    ) {
        if !cancel.is_cancelled()
            && let Some(it) = lock(&self.0).get_mut(&(job, task))
        {
            it.outcome = Some(outcome);
        }
    }
}

/// None while it is computed.
pub(super) type Progress = Result<Option<Arc<Truth>>, GroupError>;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([1; 32]);

    #[test]
    fn what_nobody_asks_about_is_stopped_and_makes_room() {
        let (computations, now) = (Computations::default(), Instant::now());
        let cancels: Vec<Cancel> = (0..KEPT_MAX as TaskIndex)
            .map(|task| computations.begin(JOB, task, (now, now)).unwrap())
            .collect();
        let soon = now + GIVEN_UP_AFTER / 2;
        let more = KEPT_MAX as TaskIndex;
        let full = computations.begin(JOB, more, (soon, soon));
        assert_eq!(full.err(), Some(GroupError::Busy));
        // One of them is asked about.
        assert_eq!(computations.look(JOB, 7, soon), Some(Ok(None)));
        let late = now + GIVEN_UP_AFTER;
        assert!(computations.begin(JOB, more, (late, late)).is_ok());
        let stopped = cancels.iter().filter(|cancel| cancel.is_cancelled());
        assert_eq!(stopped.count(), KEPT_MAX - 1);
        assert_eq!(computations.look(JOB, 7, late), Some(Ok(None)));
        assert_eq!(computations.look(JOB, 8, late), None);
    }

    #[test]
    fn why_nothing_came_of_a_task_is_told_once_and_then_it_may_be_begun_again() {
        let (computations, now) = (Computations::default(), Instant::now());
        let until = now + Duration::from_secs(1);
        let cancel = computations.begin(JOB, 3, (now, until)).unwrap();
        let is_awaited = |task, now| computations.is_awaited(JOB, task, now);
        assert!(is_awaited(3, now) && !is_awaited(4, now));
        assert!(!is_awaited(3, until), "nobody waits any more");
        computations.end(JOB, 3, &cancel, Err("no room".into()));
        assert!(!is_awaited(3, now));
        let why = "no room".to_owned();
        let told = Some(Err(GroupError::NotComputed { why }));
        assert_eq!(computations.look(JOB, 3, now), told);
        assert_eq!(computations.look(JOB, 3, now), None);
        // What was stopped says nothing of the one that was begun instead.
        let first = computations.begin(JOB, 3, (now, until)).unwrap();
        let second = computations.begin(JOB, 3, (now, until)).unwrap();
        assert!(first.is_cancelled() && !second.is_cancelled());
        computations.end(JOB, 3, &first, Err("late".into()));
        assert_eq!(computations.look(JOB, 3, now), Some(Ok(None)));
    }
}
