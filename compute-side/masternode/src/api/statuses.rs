//! How far jobs are, on the way from the task that owns the core to whoever wants to know.
//!
//! Anybody may ask, or watch a job, and pays nothing; and there may be thousands who do. So the status of
//! a job is asked for once and told to all, for as long as [`STATUS_AGE_MAX`]; the core is asked for one
//! status at a time; and between those it is left alone for so many times what they took that most of its
//! time is never theirs.

use quern_jobs_api::{ApiError, JobStatus, STATUS_AGE_MAX};
use quern_primitives::JobId;
use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Mutex as Turns, Semaphore, SemaphorePermit, oneshot},
    time::{Duration, Instant, sleep},
};

/// Of those who ask once, so many may wait at a time. Who watches waits beside them: there are never
/// more watchers than there may be subscriptions.
const WAITING_MAX: usize = 1_024;

/// Statuses that are kept to be told again.
const KEPT_MAX: usize = 1_024;

/// The core is left alone for so many times what statuses took: they have a tenth of its time.
const PAUSES: u32 = 9;

/// Pauses are put together until they are as long as this, for a timer knows no shorter ones.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// What the core says of a job, which it may not know, and how long it took.
pub(super) type Told = (Option<Box<JobStatus>>, Duration);

/// Where statuses are asked for. Clones are the same.
#[derive(Clone)]
pub(super) struct Statuses {
    /// Whose turn it is, and for how long the core is still to be left alone.
    turns: Arc<Turns<Duration>>,
    kept: Arc<Mutex<BTreeMap<JobId, Kept>>>,
    /// A permit for each that may wait of those who ask once.
    room: Arc<Semaphore>,
    /// How long a status is told again.
    age_max: Duration,
}

struct Kept {
    /// Before it was asked for: it is no older.
    since: Instant,
    status: Arc<JobStatus>,
}

impl Default for Statuses {
    fn default() -> Self {
        Self {
            turns: Arc::default(),
            kept: Arc::default(),
            room: Arc::new(Semaphore::new(WAITING_MAX)),
            age_max: STATUS_AGE_MAX,
        }
    }
}

impl Statuses {
    /// A place among those who ask once.
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.room.try_acquire().map_err(|_| ApiError::Busy)
    }

    /// How far a job is, or was [`STATUS_AGE_MAX`] ago at the longest; none if the core does not know it.
    /// `put` asks the core, once it is the job's turn; nothing comes of it if the masternode stops.
    pub(super) async fn ask(
        &self,
        job: JobId,
        put: impl Future<Output = Option<Told>> + Send + 'static,
    ) -> Result<Option<Arc<JobStatus>>, ApiError> {
        if let Some(status) = self.kept(job) {
            return Ok(Some(status));
        }
        let mut turn = self.turns.clone().lock_owned().await;
        if let Some(status) = self.kept(job) {
            return Ok(Some(status));
        }
        let (answer, answered) = oneshot::channel();
        let (statuses, since) = (self.clone(), Instant::now());
        // Once it is put, whoever asked may go: it takes the core's time all the same.
        tokio::spawn(async move {
            if let Some((status, took)) = put.await {
                let status: Option<Arc<JobStatus>> = status.map(Arc::from);
                if let Some(status) = &status {
                    statuses.keep(job, since, status.clone());
                }
                drop(answer.send(status));
                if let Some(pause) = pause_after(took, &mut turn) {
                    sleep(pause).await;
                }
            }
            drop(turn);
        });
        answered.await.map_err(|_| ApiError::Starting)
    }

    /// The status of a job that is young enough to be told again.
    fn kept(&self, job: JobId) -> Option<Arc<JobStatus>> {
        let kept = self.lock();
        let kept = kept.get(&job).filter(|it| self.is_young(it))?;
        Some(kept.status.clone())
    }

    fn keep(&self, job: JobId, since: Instant, status: Arc<JobStatus>) {
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, it| self.is_young(it));
        }
        // Where more jobs than this are asked for all the time, those beyond are asked for each time.
        if kept.len() < KEPT_MAX || kept.contains_key(&job) {
            kept.insert(job, Kept { since, status });
        }
    }

    fn is_young(&self, kept: &Kept) -> bool {
        kept.since.elapsed() < self.age_max
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Kept>> {
        // A panic while the lock was held leaves a map that is still whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how long the core is left alone after a status that took so long, with the pauses that are `owed`;
/// none if it is too short yet for a timer, and is owed on.
fn pause_after(took: Duration, owed: &mut Duration) -> Option<Duration> {
    *owed = owed.saturating_add(took.saturating_mul(PAUSES));
    (*owed >= PAUSE_MIN).then(|| mem::take(owed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_jobs_api::Phase;
    use std::{
        future::{pending, ready},
        sync::atomic::{AtomicUsize, Ordering},
    };

    fn job(n: u8) -> JobId {
        JobId([n; 32])
    }

    fn status(job: JobId) -> Box<JobStatus> {
        Box::new(JobStatus {
            job,
            phase: Phase::Computing,
            tasks: 1,
            not_uploaded: 0,
            waiting: 1,
            running: 0,
            decided: 0,
            settled: 0,
            replicas: 0,
            incorrect: 0,
            refereed: 0,
            voted: 0,
            contradicted: 0,
            fuel: 0,
            spent: 0,
            devices: 0,
            waiting_for: None,
            impasse: None,
        })
    }

    async fn told(n: u8, took_ms: u64) -> Option<Told> {
        Some((Some(status(job(n))), Duration::from_millis(took_ms)))
    }

    /// Statuses that are told again for so long.
    fn kept_for(age_max: Duration) -> Statuses {
        Statuses {
            age_max,
            ..Statuses::default()
        }
    }

    #[tokio::test]
    async fn the_core_is_asked_once_for_all_who_want_the_status_of_a_job() {
        let statuses = kept_for(Duration::MAX);
        let asked = Arc::new(AtomicUsize::new(0));
        let watchers: Vec<_> = (0..2_048)
            .map(|_| {
                let (statuses, asked) = (statuses.clone(), asked.clone());
                tokio::spawn(async move {
                    let put = async move {
                        asked.fetch_add(1, Ordering::Relaxed);
                        told(1, 0).await
                    };
                    statuses.ask(job(1), put).await.unwrap().unwrap()
                })
            })
            .collect();
        for watcher in watchers {
            assert_eq!(watcher.await.unwrap().job, job(1));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_status_is_told_again_until_it_is_too_old_and_only_of_its_job() {
        let statuses = kept_for(Duration::MAX);
        let first = statuses.ask(job(1), told(1, 0)).await.unwrap().unwrap();
        let again = statuses.ask(job(1), pending()).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = statuses.ask(job(2), told(2, 0)).await.unwrap().unwrap();
        assert_eq!(other.job, job(2));
        // Any is too old now.
        let statuses = Statuses {
            age_max: Duration::ZERO,
            ..statuses
        };
        let later = statuses.ask(job(1), told(1, 0)).await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&first, &later));
    }

    /// Else who watches would be told one from before a change, and would not look again.
    #[tokio::test]
    async fn a_status_is_as_old_as_the_question() {
        let age_max = Duration::from_millis(1);
        let statuses = kept_for(age_max);
        let slow = async move {
            sleep(age_max).await;
            told(1, 0).await
        };
        let first = statuses.ask(job(1), slow).await.unwrap().unwrap();
        let later = statuses.ask(job(1), told(1, 0)).await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&first, &later));
    }

    #[tokio::test]
    async fn what_the_core_does_not_know_is_asked_for_each_time() {
        let statuses = Statuses::default();
        let unknown = || ready(Some((None, Duration::ZERO)));
        assert_eq!(statuses.ask(job(1), unknown()).await, Ok(None));
        let known = statuses.ask(job(1), told(1, 0)).await.unwrap();
        assert_eq!(known.unwrap().job, job(1));
        assert_eq!(
            statuses.ask(job(2), ready(None)).await,
            Err(ApiError::Starting)
        );
    }

    #[tokio::test]
    async fn after_long_answers_or_many_short_ones_the_core_is_left_alone() {
        let statuses = Statuses::default();
        // Of nine milliseconds it is not left alone yet, but these are owed; of eighteen it is.
        for (n, owed_ms) in [(1, 9), (2, 0), (3, 9)] {
            statuses.ask(job(n), told(n, 1)).await.unwrap();
            let owed = *statuses.turns.lock().await;
            assert_eq!(owed, Duration::from_millis(owed_ms));
        }
        // It took an hour. Whoever asked is told at once, and the core is left alone for nine.
        const HOUR_MS: u64 = 3_600_000;
        statuses.ask(job(4), told(4, HOUR_MS)).await.unwrap();
        assert!(statuses.turns.try_lock().is_err());
        let (mut owed, hour) = (Duration::ZERO, Duration::from_millis(HOUR_MS));
        assert_eq!(pause_after(hour, &mut owed), Some(9 * hour));
        assert_eq!(pause_after(Duration::ZERO, &mut owed), None);
    }

    #[tokio::test]
    async fn one_status_at_a_time_is_asked_for_although_who_asked_is_gone() {
        let statuses = kept_for(Duration::MAX);
        let (answer, answered) = oneshot::channel::<()>();
        let put = async move {
            let _ = answered.await;
            told(1, 0).await
        };
        let asked = {
            let statuses = statuses.clone();
            tokio::spawn(async move { statuses.ask(job(1), put).await })
        };
        while statuses.turns.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        asked.abort();
        assert!(asked.await.is_err());
        assert!(statuses.turns.try_lock().is_err());
        answer.send(()).unwrap();
        // It is told to whoever asks next.
        let next = statuses.ask(job(1), pending()).await.unwrap();
        assert_eq!(next.unwrap().job, job(1));
    }

    #[test]
    fn only_so_many_who_ask_once_wait() {
        let statuses = Statuses::default();
        let places: Vec<_> = (0..WAITING_MAX)
            .map(|_| statuses.place().unwrap())
            .collect();
        assert_eq!(statuses.place().err(), Some(ApiError::Busy));
        drop(places);
        assert!(statuses.place().is_ok());
    }

    #[test]
    fn however_many_jobs_there_are_only_so_many_statuses_are_kept() {
        let lasting = kept_for(Duration::MAX);
        // The same, of which each is too old.
        let old = Statuses {
            age_max: Duration::ZERO,
            ..lasting.clone()
        };
        let id = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_le_bytes());
            JobId(id)
        };
        let keep = |statuses: &Statuses, n| {
            statuses.keep(id(n), Instant::now(), Arc::from(status(id(n))));
        };
        (0..=KEPT_MAX).for_each(|n| keep(&lasting, n));
        assert_eq!(lasting.lock().len(), KEPT_MAX);
        assert!(lasting.kept(id(0)).is_some());
        assert!(lasting.kept(id(KEPT_MAX)).is_none(), "there is no room");
        assert!(old.kept(id(0)).is_none(), "it is too old");
        keep(&old, KEPT_MAX);
        assert_eq!(old.lock().len(), 1);
        assert!(lasting.kept(id(KEPT_MAX)).is_some());
    }
}
