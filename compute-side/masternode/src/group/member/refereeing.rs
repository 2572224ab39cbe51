//! Tasks that a member computes for who coordinates the job, because devices differ on them.
//!
//! Only the coordinator has any computed, and only those of which the member's own copy of the log shows
//! that they wait for a referee: a device that knew early what comes out need not compute it.

use super::{Members, Part, lock};
use crate::{
    core::{Purpose, REFEREE_REPLICA, Truth, name_of},
    daemon::Errand,
    vault::Item,
};
use codec::Encode as _;
use quern_jobs_api::{
    Blob, GroupError, PIECE_BYTES_MAX, REFEREE_MS_MAX, RefereeRequest, Refereeing,
};
use quern_primitives::{
    JobId, TaskIndex,
    payload::{NodeSignature, Signature as _, SignedPayload as _},
};
use quern_protocol::Output;
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

/// The tasks that are computed for coordinators, or were.
#[derive(Default)]
pub(super) struct Refereeings(Mutex<BTreeMap<(JobId, TaskIndex), Kept>>);

/// One of them.
struct Kept {
    /// When it was asked about last.
    asked: Instant,
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

impl Refereeings {
    /// How far a task is, if it was begun. Why nothing came of it is told once; then it may be begun again.
    fn look(&self, job: JobId, task: TaskIndex, now: Instant) -> Option<Progress> {
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

    /// Begins with a task that is not there yet, and tells how to stop it.
    fn begin(&self, job: JobId, task: TaskIndex, now: Instant) -> Result<Cancel, GroupError> {
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
    fn end(
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
type Progress = Result<Option<Arc<Truth>>, GroupError>;

impl Members {
    /// Computes a task for who coordinates its job, and tells how far that is.
    pub(crate) async fn referee(
        &self,
        request: RefereeRequest,
        signature: &[u8],
    ) -> Result<Refereeing, GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let RefereeRequest { job, task, .. } = request;
        let part = self.part(job).await?;
        self.check_request(&part, &request, signature)?;
        if let Some(told) = self.refereeings.look(job, task, Instant::now()) {
            return Ok(refereeing(told?.as_deref()));
        }
        if !self.room.is_on() {
            return Err(GroupError::ComputesNothing);
        }
        self.check_awaited(&part, &request).await?;
        self.shared.context(job).ok_or(GroupError::KeyMissing)?;
        let has = |item| self.shared.vault.has(job, item);
        if !(has(Item::Shard(task)) && has(Item::Program)) {
            return Err(GroupError::InputMissing);
        }
        let cancel = self.refereeings.begin(job, task, Instant::now())?;
        let errand = Errand {
            job,
            task,
            purpose: Purpose::Referee,
            time_ms: request.time_ms.min(REFEREE_MS_MAX),
            cancel: cancel.clone(),
        };
        let (shared, room, refereeings) = (
            self.shared.clone(),
            self.room.clone(),
            self.refereeings.clone(),
        );
        tracing::info!(%job, task, by = %part.coordinator.account, "devices differ on a task; it is computed here");
        tokio::spawn(async move {
            let outcome = room.compute(&shared, errand).await;
            let outcome = outcome.map(Arc::new).map_err(|error| {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(%job, task, error, "a task is not computed here");
                error
            });
            refereeings.end(job, task, &cancel, outcome);
        });
        Ok(Refereeing::Computing)
    }

    /// The sealed result of a task that was computed so, from a byte on.
    pub(crate) async fn refereed(
        &self,
        request: RefereeRequest,
        signature: &[u8],
        offset: u64,
    ) -> Result<Vec<u8>, GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let RefereeRequest { job, task, .. } = request;
        let part = self.part(job).await?;
        self.check_request(&part, &request, signature)?;
        let told = self.refereeings.look(job, task, Instant::now());
        let told = told.ok_or(GroupError::NotAwaited)??;
        let truth = told.ok_or(GroupError::NotAwaited)?;
        match &truth.output {
            Output::Inline(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(bytes.get(from..).unwrap_or_default().to_vec())
            }
            Output::Delivered { .. } => {
                let (shared, name) = (self.shared.clone(), name_of(&self.shared.node.public()));
                let item = Item::Result(task, REFEREE_REPLICA, name);
                let read = tokio::task::spawn_blocking(move || {
                    shared.vault.read(job, item, offset, PIECE_BYTES_MAX)
                });
                let read = read.await.map_err(|_| GroupError::Storage)?;
                read.map_err(|_| GroupError::Storage)
            }
        }
    }

    /// That the coordinator has signed a request, to this member.
    fn check_request(
        &self,
        part: &Part,
        request: &RefereeRequest,
        signature: &[u8],
    ) -> Result<(), GroupError> {
        let digest = request.signing_digest(&self.shared.genesis);
        let signature = signature.try_into().map(NodeSignature);
        let is_signed = signature.is_ok_and(|it| it.holds(&digest, &part.coordinator.node));
        match is_signed && request.referee == self.shared.node.public() {
            true => Ok(()),
            false => Err(GroupError::NotAsked),
        }
    }

    /// That the copy of the log shows that a task waits for a referee.
    async fn check_awaited(&self, part: &Part, request: &RefereeRequest) -> Result<(), GroupError> {
        let follower = self.follower(request.job, part.turn);
        let mut follower = follower.lock().await;
        let follower = self.opened(&mut follower, request.job, part).await?;
        self.check(follower, request.job, part).await?;
        let checked = follower.checked.as_ref();
        match checked.is_some_and(|checked| checked.recheck.awaits_referee(request.task)) {
            true => Ok(()),
            false => Err(GroupError::NotAwaited),
        }
    }
}

/// As it is told to the coordinator.
fn refereeing(truth: Option<&Truth>) -> Refereeing {
    let Some(truth) = truth else {
        return Refereeing::Computing;
    };
    Refereeing::Computed {
        report: Blob(truth.report.encode()),
        output_root: truth.output_root,
        bytes: match &truth.output {
            Output::Inline(bytes) => bytes.len() as u64,
            Output::Delivered { bytes } => *bytes,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([1; 32]);

    #[test]
    fn what_nobody_asks_about_is_stopped_and_makes_room() {
        let (refereeings, now) = (Refereeings::default(), Instant::now());
        let cancels: Vec<Cancel> = (0..KEPT_MAX as TaskIndex)
            .map(|task| refereeings.begin(JOB, task, now).unwrap())
            .collect();
        let soon = now + GIVEN_UP_AFTER / 2;
        let more = KEPT_MAX as TaskIndex;
        let full = refereeings.begin(JOB, more, soon);
        assert_eq!(full.err(), Some(GroupError::Busy));
        // One of them is asked about.
        assert_eq!(refereeings.look(JOB, 7, soon), Some(Ok(None)));
        let late = now + GIVEN_UP_AFTER;
        assert!(refereeings.begin(JOB, more, late).is_ok());
        let stopped = cancels.iter().filter(|cancel| cancel.is_cancelled());
        assert_eq!(stopped.count(), KEPT_MAX - 1);
        assert_eq!(refereeings.look(JOB, 7, late), Some(Ok(None)));
        assert_eq!(refereeings.look(JOB, 8, late), None);
    }

    #[test]
    fn why_nothing_came_of_a_task_is_told_once_and_then_it_may_be_begun_again() {
        let (refereeings, now) = (Refereeings::default(), Instant::now());
        let cancel = refereeings.begin(JOB, 3, now).unwrap();
        refereeings.end(JOB, 3, &cancel, Err("no room".into()));
        let why = "no room".to_owned();
        let told = Some(Err(GroupError::NotComputed { why }));
        assert_eq!(refereeings.look(JOB, 3, now), told);
        assert_eq!(refereeings.look(JOB, 3, now), None);
        // What was stopped says nothing of the one that was begun instead.
        let first = refereeings.begin(JOB, 3, now).unwrap();
        let second = refereeings.begin(JOB, 3, now).unwrap();
        assert!(first.is_cancelled() && !second.is_cancelled());
        refereeings.end(JOB, 3, &first, Err("late".into()));
        assert_eq!(refereeings.look(JOB, 3, now), Some(Ok(None)));
    }
}
