//! What others ask of disputes. Reads only.

use crate::{Config, Convictions, Disputes, DisputesOf, Pallet, Sums, TotalHeld};
use alloc::vec::Vec;
use quern_dispute_rules::{
    Sum,
    open::{ConvictionView, DISPUTES_PER_PAGE_MAX, Dispute, DisputeId, DisputeView},
    ruling::Place,
};
use quern_primitives::{Amount, JobId};

impl<T: Config> Pallet<T> {
    /// An open dispute.
    pub fn dispute_of(id: DisputeId) -> Option<DisputeView> {
        Some(Self::view(id, Disputes::<T>::get(id)?))
    }

    /// The open disputes of all jobs, in a fixed but meaningless order, at most `limit` and at most
    /// [`DISPUTES_PER_PAGE_MAX`]. The next page starts after the last dispute of this one.
    pub fn disputes(start_after: Option<DisputeId>, limit: u32) -> Vec<DisputeView> {
        let all = match start_after {
            Some(last) => Disputes::<T>::iter_from(Disputes::<T>::hashed_key_for(last)),
            None => Disputes::<T>::iter(),
        };
        all.take(limit.min(DISPUTES_PER_PAGE_MAX) as usize)
            .map(|(id, dispute)| Self::view(id, dispute))
            .collect()
    }

    /// The open disputes of a job, in pages as those of [`Self::disputes`].
    pub fn disputes_of(
        job: &JobId,
        start_after: Option<DisputeId>,
        limit: u32,
    ) -> Vec<DisputeView> {
        let ids = match start_after {
            Some(last) => DisputesOf::<T>::iter_key_prefix_from(
                job,
                DisputesOf::<T>::hashed_key_for(job, last),
            ),
            None => DisputesOf::<T>::iter_key_prefix(job),
        };
        ids.take(limit.min(DISPUTES_PER_PAGE_MAX) as usize)
            .filter_map(Self::dispute_of)
            .collect()
    }

    /// What was proved of a job, in pages as those of [`Self::disputes`].
    pub fn convictions_of(
        job: &JobId,
        start_after: Option<Place>,
        limit: u32,
    ) -> Vec<ConvictionView> {
        let all = match start_after {
            Some(last) => {
                Convictions::<T>::iter_prefix_from(job, Convictions::<T>::hashed_key_for(job, last))
            }
            None => Convictions::<T>::iter_prefix(job),
        };
        all.take(limit.min(DISPUTES_PER_PAGE_MAX) as usize)
            .map(|(place, offence)| ConvictionView { place, offence })
            .collect()
    }

    /// The bonds of all open disputes together.
    pub fn total_held() -> Amount {
        TotalHeld::<T>::get()
    }

    fn view(id: DisputeId, dispute: Dispute) -> DisputeView {
        DisputeView {
            id,
            dispute,
            verdicts: Sums::<T>::get(id).as_ref().map_or(0, Sum::verdicts),
        }
    }
}
