//! Jobs' logs, told to anybody who asks.
//!
//! Whoever asks pays nothing, and an answer may be a megabyte from the disk. So over one connection one is
//! read at a time, and few in all.

use super::{Api, Audience};
use jsonrpsee::{ConnectionId, Extensions};
use quern_jobs_api::{ApiError, Blob, LOG_PAGE_BLOCKS_MAX, LOG_PAGE_BYTES_MAX, LogPage};
use quern_primitives::{
    JobId,
    job::{JobEnd, JobState},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Logs that are read at a time.
const READERS_MAX: usize = 8;

/// The connections over which a log is being read. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Readers(Arc<Mutex<BTreeSet<usize>>>);

/// A place among those that read.
struct Reader {
    readers: Readers,
    connection: usize,
}

impl Readers {
    fn place(&self, connection: usize) -> Result<Reader, ApiError> {
        let mut reading = self.lock();
        if reading.len() >= READERS_MAX || !reading.insert(connection) {
            return Err(ApiError::Busy);
        }
        drop(reading);
        Ok(Reader {
            readers: self.clone(),
            connection,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        // A panic while the lock was held leaves a set that is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.lock().remove(&self.connection);
    }
}

/// Whether nobody computes anything of a job any more, here or elsewhere.
fn is_over(state: &JobState) -> bool {
    !state.goes_on() && state.end() != Some(JobEnd::BatchStruck)
}

/// A page of a job's log.
pub(super) async fn page(
    api: &Api,
    over: &Extensions,
    job: JobId,
    from: u64,
) -> Result<LogPage, ApiError> {
    let connection = over.get::<ConnectionId>().map_or(0, |id| id.0);
    let place = api.readers.place(connection)?;
    api.outcome(job, Audience::Anybody, move |outcome, log, shared| {
        // It is somebody's until the log is read, whether or not anybody waits for that still.
        let _place = place;
        let is_over = shared.job(job).is_some_and(|job| is_over(&job.state));
        let total = outcome.told(is_over);
        let most = total.saturating_sub(from).min(LOG_PAGE_BLOCKS_MAX as u64);
        let blocks = log.page(from, most, LOG_PAGE_BYTES_MAX);
        let blocks = blocks.map_err(|_| ApiError::Storage)?.into_iter();
        Ok(LogPage {
            blocks: blocks.map(Blob).collect(),
            total,
        })
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::AccountId;

    #[test]
    fn over_one_connection_one_log_is_read_at_a_time_and_few_in_all() {
        let readers = Readers::default();
        let first = readers.place(0).unwrap();
        assert_eq!(readers.place(0).err(), Some(ApiError::Busy));
        drop(first);
        let places = (0..READERS_MAX).map(|connection| readers.place(connection));
        let places: Vec<_> = places.map(Result::unwrap).collect();
        assert_eq!(readers.place(READERS_MAX).err(), Some(ApiError::Busy));
        drop(places);
        assert!(readers.place(READERS_MAX).is_ok());
    }

    #[test]
    fn a_job_that_another_masternode_goes_on_with_is_not_over() {
        let coordinator = AccountId::new([1; 32]);
        assert!(!is_over(&JobState::Running { coordinator }));
        assert!(is_over(&JobState::Expired));
        let completed = |end| is_over(&JobState::Completed { end });
        assert!(completed(JobEnd::AllSettled));
        assert!(!completed(JobEnd::BatchStruck));
    }
}
