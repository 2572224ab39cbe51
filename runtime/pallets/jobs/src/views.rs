//! What others ask of jobs. Reads only.

use crate::{
    Batches, Config, CurrentPrices, Jobs, JobsCoordinatedBy, JobsOf, Pallet, SettledTasks, Totals,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::Get;
use quern_job_rules::quote::{self, QuoteError};
use quern_primitives::{
    AccountId, JobId,
    batch::BatchRecord,
    ids::BatchSequence,
    job::{Escrow, Job, Prices, Submission},
    limits::JOBS_PER_PAGE_MAX,
    view::Quote,
};

impl<T: Config> Pallet<T> {
    /// What a submission would cost at most if it were submitted now. Its `price_max` plays no
    /// part.
    pub fn quote(submission: &Submission) -> Result<Quote, QuoteError> {
        let (prices, params) = (CurrentPrices::<T>::get(), T::Params::get());
        quote::quote(submission, &prices, &params, Self::now())
    }

    /// The prices for jobs submitted now.
    pub fn prices() -> Prices {
        CurrentPrices::<T>::get()
    }

    /// A job, open or over.
    pub fn job(job: &JobId) -> Option<Job> {
        Jobs::<T>::get(job)
    }

    /// An owner's jobs, open or over, in a fixed but meaningless order, at most `limit` and at most
    /// [`JOBS_PER_PAGE_MAX`]. The next page starts after the last job of this one.
    pub fn jobs_of(owner: &AccountId, start_after: Option<JobId>, limit: u32) -> Vec<(JobId, Job)> {
        let ids = match start_after {
            Some(last) => {
                JobsOf::<T>::iter_key_prefix_from(owner, JobsOf::<T>::hashed_key_for(owner, last))
            }
            None => JobsOf::<T>::iter_key_prefix(owner),
        };
        page::<T>(ids, limit)
    }

    /// A coordinator's open jobs, in pages as those of [`Self::jobs_of`]. A masternode asks for all of
    /// them, at the start and at every block.
    pub fn jobs_coordinated_by(
        coordinator: &AccountId,
        start_after: Option<JobId>,
        limit: u32,
    ) -> Vec<(JobId, Job)> {
        let ids = match start_after {
            Some(last) => JobsCoordinatedBy::<T>::iter_key_prefix_from(
                coordinator,
                JobsCoordinatedBy::<T>::hashed_key_for(coordinator, last),
            ),
            None => JobsCoordinatedBy::<T>::iter_key_prefix(coordinator),
        };
        page::<T>(ids, limit)
    }

    /// The settled tasks of an open job, one bit a task, least significant bit of each byte first.
    /// Empty before the first batch and once the job is over.
    pub fn settled_tasks(job: &JobId) -> Vec<u8> {
        SettledTasks::<T>::get(job).into_inner()
    }

    /// A settled batch.
    pub fn batch(job: &JobId, sequence: BatchSequence) -> Option<BatchRecord> {
        Batches::<T>::get(job, sequence)
    }

    /// The money of all jobs together, since the chain began; `held` is what is in escrow now.
    pub fn totals() -> Escrow {
        Totals::<T>::get()
    }
}

/// The first of these jobs, as many as are asked for and as one answer may have.
fn page<T: Config>(ids: impl Iterator<Item = JobId>, limit: u32) -> Vec<(JobId, Job)> {
    ids.take(limit.min(JOBS_PER_PAGE_MAX) as usize)
        .filter_map(|id| Some((id, Jobs::<T>::get(id)?)))
        .collect()
}
