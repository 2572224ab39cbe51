//! Jobs' logs, told to anybody who asks.
//!
//! Whoever asks pays nothing, and an answer may be a megabyte from the disk. So over one connection one is
//! read at a time, and few in all.

use super::{Api, Audience};
use crate::store::StoreError;
use jsonrpsee::{ConnectionId, Extensions};
use quern_joblog::SignedBlock;
use quern_jobs_api::{ApiError, Blob, LOG_PAGE_BLOCKS_MAX, LOG_PAGE_BYTES_MAX, LogPage};
use quern_ledger::ChainError;
use quern_primitives::{
    JobId, TaskIndex,
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

/// Of a copy, what may be told to anybody.
#[derive(Debug)]
enum Telling {
    /// All of it: the job is over.
    Whole,
    /// What speaks of these tasks alone, which are settled. What is not is computed, maybe again by who goes on
    /// with the job, and a device could copy what others answered.
    Settled(BTreeSet<TaskIndex>),
}

impl Telling {
    /// By what the chain says of a job now; none of one that it does not know.
    async fn of(api: &Api, job: JobId) -> Result<Option<Self>, ChainError> {
        let state = api.shared.chain.at_finalised().await?;
        let Some(known) = state.job(job).await? else {
            return Ok(None);
        };
        Ok(Some(match is_over(&known.state) {
            true => Self::Whole,
            false => Self::Settled(state.settled_tasks(job).await?),
        }))
    }

    /// The first of these blocks, up to one that is not to be told.
    fn first(&self, page: Vec<Vec<u8>>) -> Vec<Blob> {
        let told = page.into_iter().take_while(|block| self.tells(block));
        told.map(Blob).collect()
    }

    fn tells(&self, block: &[u8]) -> bool {
        let Self::Settled(settled) = self else {
            return true;
        };
        // It was read before it was kept.
        SignedBlock::read(block).is_ok_and(|block| {
            let mut tasks = block.entries.iter().filter_map(|entry| entry.task());
            tasks.all(|task| settled.contains(&task))
        })
    }
}

/// A page of the copy of a log that the member at a place of the job's group writes, or wrote.
pub(super) async fn copied_page(
    api: &Api,
    over: &Extensions,
    (job, place): (JobId, u8),
    from: u64,
) -> Result<LogPage, ApiError> {
    let connection = over.get::<ConnectionId>().map_or(0, |id| id.0);
    let reader = api.readers.place(connection)?;
    if api.shared.job(job).is_none() {
        return Err(ApiError::NotCoordinator);
    }
    let telling = Telling::of(api, job).await;
    let telling = telling.map_err(|_| ApiError::Starting)?;
    let telling = telling.ok_or(ApiError::NotCoordinator)?;
    api.blocking(move |shared| {
        // It is somebody's until the log is read, whether or not anybody waits for that still.
        let _reader = reader;
        let read = || {
            let copy = shared.store.followed(job, place)?;
            let page = copy.page(from, LOG_PAGE_BLOCKS_MAX, LOG_PAGE_BYTES_MAX)?;
            Ok((page, copy.length()?))
        };
        let (page, total) = read().map_err(|_: StoreError| ApiError::Storage)?;
        Ok(LogPage {
            blocks: telling.first(page),
            total,
        })
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_joblog::{End, Entry, LogBuilder, ReleaseCause};
    use quern_primitives::{AccountId, DeviceId, GenesisHash, payload::NodeSecret};

    /// A log of a block for each of these entries.
    fn blocks(entries: &[Entry]) -> Vec<Vec<u8>> {
        let node = NodeSecret::from_seed(&[3; 32]);
        let mut log = LogBuilder::new(GenesisHash([1; 32]), JobId([2; 32]), node);
        let block = |entry: &Entry| {
            log.append(entry.clone(), 5).unwrap();
            log.cut(5).unwrap().to_bytes()
        };
        entries.iter().map(block).collect()
    }

    #[test]
    fn of_a_copy_nothing_is_told_of_a_task_that_is_not_settled_until_the_job_is_over() {
        let of_task = |task| Entry::Released {
            task,
            replica: 0,
            device: DeviceId([7; 32]),
            cause: ReleaseCause::Late,
        };
        let blocks = blocks(&[
            Entry::Queued { first: 0, tasks: 9 },
            of_task(1),
            of_task(2),
            of_task(1),
            Entry::Ended { end: End::Done },
        ]);
        let told = |telling: Telling, from: usize| telling.first(blocks[from..].to_vec()).len();
        let settled = |tasks: &[TaskIndex]| Telling::Settled(tasks.iter().copied().collect());
        assert_eq!(told(settled(&[]), 0), 1);
        assert_eq!(told(settled(&[1]), 0), 2);
        assert_eq!(told(settled(&[1]), 2), 0);
        assert_eq!(told(settled(&[1]), 3), 2, "it speaks of settled tasks");
        assert_eq!(told(settled(&[1, 2]), 0), 5);
        assert_eq!(told(Telling::Whole, 0), 5);
        assert!(settled(&[1]).first(vec![vec![1, 2, 3]]).is_empty());
    }

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
