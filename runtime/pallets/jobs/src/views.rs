//! What others ask of jobs. Reads only.

use crate::{
    Batches, Config, CurrentPrices, Groups, Jobs, JobsCoordinatedBy, JobsOf, Pallet, Pending,
    PendingOf, SettledTasks, Totals,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::Get;
use quern_job_rules::{
    operators::OperatorPay,
    quote::{self, QuoteError},
};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    batch::{BatchRecord, PendingBatch},
    ids::BatchSequence,
    job::{Escrow, Job, Prices, Submission},
    limits::{JOBS_PER_PAGE_MAX, PENDING_BATCHES_PER_ANSWER_MAX},
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

    /// The pending batches of a job in their order, and when each is due; at most
    /// [`PENDING_BATCHES_PER_JOB_MAX`](quern_primitives::limits::PENDING_BATCHES_PER_JOB_MAX).
    pub fn pending_of(job: &JobId) -> Vec<(BatchSequence, BlockNumber)> {
        PendingOf::<T>::get(job).into_inner()
    }

    /// What is kept of a batch while it is pending.
    pub fn pending_batch(job: &JobId, sequence: BatchSequence) -> Option<PendingBatch> {
        Pending::<T>::get(job, sequence)
    }

    /// What an account will get of batches that are not final yet, as worker or for its masternode, and
    /// whether that is all: no more than [`PENDING_BATCHES_PER_ANSWER_MAX`] of them are looked at.
    pub fn pending_to(account: &AccountId) -> (Amount, bool) {
        let mut batches = Pending::<T>::iter();
        let looked_at = batches
            .by_ref()
            .take(PENDING_BATCHES_PER_ANSWER_MAX as usize);
        let sum = looked_at.fold(Amount::MIN, |sum, (job, _, batch)| {
            sum.saturating_add(part_of::<T>(account, &job, &batch))
        });
        (sum, batches.next().is_none())
    }

    /// The money of all jobs together, since the chain began; `held` and `pending` are what is in
    /// escrow now.
    pub fn totals() -> Escrow {
        Totals::<T>::get()
    }
}

/// What an account gets of a batch of a job, as things stand.
fn part_of<T: Config>(account: &AccountId, job: &JobId, batch: &PendingBatch) -> Amount {
    let payouts = &batch.payouts;
    let place = payouts.binary_search_by(|payout| payout.account.cmp(account));
    let payout = place.ok().and_then(|place| payouts.get(place));
    let group = Groups::<T>::get(job);
    let operators = group.and_then(|group| Some(OperatorPay::of(&group, batch)?.to(account)));
    let earned = payout.map_or(0, |payout| payout.amount);
    earned.saturating_add(operators.unwrap_or(0))
}

/// The first of these jobs, as many as are asked for and as one answer may have.
fn page<T: Config>(ids: impl Iterator<Item = JobId>, limit: u32) -> Vec<(JobId, Job)> {
    ids.take(limit.min(JOBS_PER_PAGE_MAX) as usize)
        .filter_map(|id| Some((id, Jobs::<T>::get(id)?)))
        .collect()
}
