//! What the calls do: load, ask the rules, move the money, store.

use crate::{
    Awaiting, Batches, Config, CurrentPrices, Error, Event, Groups, Jobs, JobsCoordinatedBy,
    JobsOf, OpenJobs, Pallet, SettledTasks, WeightInfo,
};
use frame_support::{
    dispatch::Pays,
    ensure,
    pallet_prelude::{DispatchResult, Get, Weight},
    traits::{Contains, SortedMembers},
};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_job_rules::{
    life::{self, Transition},
    quote, settlement, tasks,
};
use quern_primitives::{
    AccountId, BlockNumber, GenesisHash, JobId,
    batch::{Certified, CertifiedEnd},
    group::Group,
    job::{Job, JobState, Submission, job_id},
    limits::{JOBS_AWAITING_PER_OWNER_MAX, OPEN_JOBS_PER_OWNER_MAX},
};
use sp_runtime::{
    DispatchError,
    traits::{UniqueSaturatedInto, Zero},
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_submit(owner: AccountId, submission: Submission) -> DispatchResult {
        ensure!(!T::Bans::contains(&owner), Error::<T>::OwnerBanned);
        let (prices, params, now) = (CurrentPrices::<T>::get(), T::Params::get(), Self::now());
        let quote = quote::accept(&submission, &prices, &params, now).map_err(Error::<T>::from)?;
        let id = job_id(&Self::genesis_hash(), &owner, &submission.salt);
        ensure!(!Jobs::<T>::contains_key(id), Error::<T>::JobExists);
        let open_jobs = OpenJobs::<T>::get(&owner).saturating_add(1);
        ensure!(
            open_jobs <= OPEN_JOBS_PER_OWNER_MAX,
            Error::<T>::TooManyOpenJobs
        );
        let mut awaiting = Awaiting::<T>::get();
        let own = awaiting.iter().filter(|(_, other)| *other == owner);
        ensure!(
            own.count() < JOBS_AWAITING_PER_OWNER_MAX as usize,
            Error::<T>::TooManyOwnAwaiting
        );
        awaiting
            .try_push((id, owner.clone()))
            .map_err(|_| Error::<T>::TooManyAwaiting)?;
        Self::hold_escrow(&owner, quote.total)?;

        Awaiting::<T>::put(awaiting);
        OpenJobs::<T>::insert(&owner, open_jobs);
        JobsOf::<T>::insert(&owner, id, ());
        let job = life::open(
            owner.clone(),
            submission,
            prices,
            params.terms(),
            &quote,
            now,
        );
        Jobs::<T>::insert(id, job);
        Self::deposit_event(Event::JobSubmitted {
            job: id,
            owner,
            escrow: quote.total,
        });
        Ok(())
    }

    pub(crate) fn do_settle(by: AccountId, certified: &Certified) -> DispatchResult {
        let batch = &certified.batch;
        let (id, now) = (batch.job, Self::now());
        let job = Self::existing(id)?;
        let mut settled = SettledTasks::<T>::get(id);
        let valid =
            settlement::validate(&job, &settled, batch, &by, now).map_err(Error::<T>::from)?;
        ensure!(
            T::Masternodes::contains(&by),
            Error::<T>::CoordinatorRemoved
        );
        let transition = life::apply(&job, now, valid.event(&by)).map_err(Error::<T>::from)?;
        let group = Groups::<T>::get(id).ok_or(Error::<T>::NotDrawn)?;
        Self::check_certified(&group, certified)?;
        let split = valid.split();
        Self::open_exposure(&by, split.spent())?;

        let since = T::Finalised::get();
        Groups::<T>::insert(id, Group { since, ..group });
        let due = Self::due_now(&id, &job);
        Self::keep_pending(id, certified, &valid, &by, due)?;
        let head = (certified.index, certified.head);
        Batches::<T>::insert(id, batch.sequence, valid.record(head, now, due));
        settled.bounded_resize(tasks::bitmap_bytes(job.submission.tasks) as usize, 0);
        valid.tasks().add_to(settled.as_mut());
        SettledTasks::<T>::insert(id, settled);
        Self::deposit_event(Event::BatchSettled {
            job: id,
            sequence: batch.sequence,
            tasks: valid.tasks().count(),
            spent: split.spent(),
            workers: split.workers(),
            operators: split.operators(),
            treasury: split.treasury(),
            due,
        });
        Self::commit(id, &job, transition)
    }

    pub(crate) fn do_close_failed(by: AccountId, end: &CertifiedEnd) -> DispatchResult {
        let id = end.job;
        let job = Self::existing(id)?;
        let settled = SettledTasks::<T>::get(id);
        let event = life::Event::Failed {
            by: &by,
            task: end.task,
            why: end.why,
            settled: &settled,
        };
        let transition = life::apply(&job, Self::now(), event).map_err(Error::<T>::from)?;
        ensure!(
            T::Masternodes::contains(&by),
            Error::<T>::CoordinatorRemoved
        );
        let group = Groups::<T>::get(id).ok_or(Error::<T>::NotDrawn)?;
        let certificate = end.certificate(job.next_batch);
        Self::check_certificates(&group, certificate, &end.certificates)?;
        Self::commit(id, &job, transition)
    }

    /// Whether the fee is paid: a job that never got as far as a coordinator has paid nothing for
    /// the blocks it took, and submitting and cancelling for ever must cost something.
    pub(crate) fn do_cancel(by: AccountId, id: JobId) -> Result<Pays, DispatchError> {
        let job = Self::existing(id)?;
        let event = life::Event::Cancelled {
            by: &by,
            grace_blocks: T::SettleGrace::get(),
        };
        let transition = life::apply(&job, Self::now(), event).map_err(Error::<T>::from)?;
        if let JobState::Cancelling { until, .. } = transition.job.state {
            Self::deposit_event(Event::JobCancelled { job: id, until });
        }
        let pays = match job.state {
            JobState::Submitted => Pays::Yes,
            _ => Pays::No,
        };
        Self::commit(id, &job, transition)?;
        Ok(pays)
    }

    pub(crate) fn do_refund(id: JobId) -> DispatchResult {
        let job = Self::existing(id)?;
        let transition =
            life::apply(&job, Self::now(), life::Event::Refunded).map_err(Error::<T>::from)?;
        Self::commit(id, &job, transition)
    }

    /// What settling this batch costs at most: it grows with payees, devices and certificates, not with
    /// tasks.
    pub(crate) fn settle_weight(certified: &Certified) -> Weight {
        // The lists are bounded far below what would not fit.
        let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        T::WeightInfo::settle(
            length(certified.batch.payouts.len()),
            length(certified.batch.devices.len()),
            length(certified.certificates.len()),
        )
    }

    /// What ending a job as failed costs at most: it grows with certificates.
    pub(crate) fn close_failed_weight(end: &CertifiedEnd) -> Weight {
        // The list is bounded far below what would not fit.
        let count = u32::try_from(end.certificates.len()).unwrap_or(u32::MAX);
        T::WeightInfo::close_failed(count)
    }

    /// The present block's height. The runtime's heights fit.
    pub(crate) fn now() -> BlockNumber {
        frame_system::Pallet::<T>::block_number().unique_saturated_into()
    }

    /// The hash of the chain's first block; the only block hash that is kept for good.
    pub(crate) fn genesis_hash() -> GenesisHash {
        GenesisHash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).into())
    }

    pub(crate) fn existing(id: JobId) -> Result<Job, Error<T>> {
        Jobs::<T>::get(id).ok_or(Error::NoSuchJob)
    }

    /// Stores what the rules made of the job `before`, and moves the treasury's and the owner's money;
    /// what workers and coordinator get is paid by who knows them.
    pub(crate) fn commit(id: JobId, before: &Job, transition: Transition) -> DispatchResult {
        let Transition { job, moves, end } = transition;
        Self::pay(&job.owner, &T::TreasuryAccount::get(), moves.treasury)?;
        Self::release_escrow(&job.owner, moves.owner)?;
        Self::count_moves(&moves)?;
        if let Some(end) = end {
            Self::forget_open(id, before);
            Self::deposit_event(Event::JobEnded {
                job: id,
                end,
                refunded: moves.owner,
            });
        } else if let JobState::Settling { end, .. } = job.state
            && (before.state.goes_on() || moves.owner > 0)
        {
            Self::deposit_event(Event::JobSettling {
                job: id,
                end,
                refunded: moves.owner,
            });
        }
        Jobs::<T>::insert(id, job);
        Ok(())
    }

    /// Takes a job that is over from all that lists open ones.
    fn forget_open(id: JobId, before: &Job) {
        match before.state.coordinator() {
            Some(coordinator) => JobsCoordinatedBy::<T>::remove(coordinator, id),
            None => Awaiting::<T>::mutate(|awaiting| awaiting.retain(|(other, _)| *other != id)),
        }
        SettledTasks::<T>::remove(id);
        Groups::<T>::remove(id);
        OpenJobs::<T>::mutate_exists(&before.owner, |open_jobs| {
            *open_jobs = open_jobs
                .and_then(|count| count.checked_sub(1))
                .filter(|left| *left > 0);
        });
    }
}
