//! Drawing the masternodes of a job, of which the first coordinates.
//!
//! A job submitted in one block is drawn for in the next, from that block's parent's randomness: the
//! output of a verifiable random function that its author could not choose and that nobody else
//! knew when the job was submitted. Each job has a draw of its own, by its id.
//!
//! The lanes of its tasks follow from the hash of the block before the one in which it was drawn, and from that one's
//! randomness, which the next block is the first to know and notes.

use crate::{Awaiting, Config, DrawnLately, Event, Groups, Jobs, JobsCoordinatedBy, Pallet};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
    BoundedVec,
    traits::{Randomness, SortedMembers},
};
use quern_job_rules::life::{self, Transition};
use quern_primitives::{AccountId, BlockNumber, JobId, lanes};
use sp_runtime::traits::{Saturating, UniqueSaturatedInto};

/// Sets these draws apart from all others that use the chain's randomness.
const DRAW: &[u8] = b"quern/coordinator/1";

/// The same for the lanes of the jobs that were drawn.
const LANES: &[u8] = b"quern/lanes/1";

/// A number and the first block in which it could be known.
pub(crate) type Drawn = (u128, BlockNumber);

impl<T: Config> Pallet<T> {
    /// Draws a group of this size for each job that awaits its coordinator, and says how many awaited.
    /// Jobs wait on while there is no masternode, or no randomness fresh enough.
    pub(crate) fn draw_coordinators(size: u8, random: impl Fn(&JobId) -> Option<Drawn>) -> u32 {
        let awaiting = Awaiting::<T>::get();
        let Ok(looked_at) = u32::try_from(awaiting.len()) else {
            return 0;
        };
        if looked_at == 0 {
            return 0;
        }
        let masternodes = T::Masternodes::sorted_members();
        let waits = |job: &JobId| Self::draw_of(*job, &masternodes, size, random(job)).is_none();
        let (still_awaiting, drawn): (Vec<(JobId, AccountId)>, Vec<_>) =
            awaiting.into_iter().partition(|(job, _)| waits(job));
        if !drawn.is_empty() {
            Awaiting::<T>::put(BoundedVec::truncate_from(still_awaiting));
            let drawn = drawn.into_iter().map(|(job, _)| job);
            DrawnLately::<T>::put(BoundedVec::truncate_from(drawn.collect()));
        }
        looked_at
    }

    /// Notes what the lanes of the jobs follow from that were drawn in the block before, and says how many
    /// they were. A job may be over since.
    pub(crate) fn seed_lanes(random: impl FnOnce() -> Option<[u8; 32]>) -> u32 {
        let drawn = DrawnLately::<T>::get();
        if drawn.is_empty() {
            return 0;
        }
        // Without it nothing is drawn either, and what was drawn waits on.
        let Some(random) = random() else {
            return 0;
        };
        DrawnLately::<T>::kill();
        let before = frame_system::Pallet::<T>::block_number().saturating_sub(2u32.into());
        let before: [u8; 32] = frame_system::Pallet::<T>::block_hash(before).into();
        for id in &drawn {
            Groups::<T>::mutate_extant(id, |group| {
                group.lane_seed = Some(lanes::seed(&before, &random, id));
            });
        }
        u32::try_from(drawn.len()).unwrap_or(u32::MAX)
    }

    /// The randomness for the lanes of what was drawn in the block before, if there is any.
    pub(crate) fn random_of_lanes() -> Option<[u8; 32]> {
        let (random, _) = T::Randomness::random(LANES);
        random.map(Into::into)
    }

    /// The chain's randomness for a job, if there is any.
    pub(crate) fn random(job: &JobId) -> Option<Drawn> {
        let (seed, known_since) = T::Randomness::random(&(DRAW, job).encode());
        let seed: [u8; 32] = seed?.into();
        let (number, _) = seed.split_first_chunk::<16>()?;
        Some((
            u128::from_le_bytes(*number),
            known_since.unique_saturated_into(),
        ))
    }

    /// Gives a job its group, and so its coordinator; none if the job has to wait on.
    fn draw_of(
        id: JobId,
        masternodes: &[AccountId],
        size: u8,
        random: Option<Drawn>,
    ) -> Option<()> {
        let job = Jobs::<T>::get(id)?;
        let (number, known_since) = random?;
        // The owner chooses the id, so the number must not have been known to the owner then.
        if known_since < job.submitted_at {
            return None;
        }
        let group = Self::draw_group(number, masternodes, size)?;
        let coordinator = group.coordinator()?.account.clone();
        let drawn = life::Event::Drawn {
            coordinator: coordinator.clone(),
        };
        let Transition { job, .. } = life::apply(&job, Self::now(), drawn).ok()?;
        Jobs::<T>::insert(id, job);
        Groups::<T>::insert(id, group);
        JobsCoordinatedBy::<T>::insert(&coordinator, id, ());
        Self::deposit_event(Event::CoordinatorDrawn {
            job: id,
            coordinator,
        });
        Some(())
    }
}
