//! What challenges follow from: the randomness of the first block of each period.
//!
//! Contracts whose periods are as long have the same first blocks, so one randomness is kept for each length
//! that an open contract has. A period begins in the block in which the clock of finality enters it. What the
//! author of that block adds to the chain's randomness is known when the next block begins, and noted then.
//! While the chain has no randomness, or none that is fresh, the next block with some is taken.

use crate::{Config, Error, Lengths, Pallet};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::Randomness;
use quern_custody_rules::pay::period_at;
use quern_primitives::{BlockNumber, Digest, custody::Terms, ids::Period};
use scale_info::TypeInfo;
use sp_runtime::traits::UniqueSaturatedInto;

/// Sets this apart from all else that uses the chain's randomness.
const SUBJECT: &[u8] = b"quern/custody-period/1";

/// A length that periods of open contracts have.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct PeriodLength {
    /// Blocks of a period.
    pub blocks: BlockNumber,
    /// Open contracts that have it.
    pub contracts: u32,
    /// The last period of which the randomness is known, and that.
    pub known: Option<(Period, Digest)>,
}

impl PeriodLength {
    /// The period that a height of the clock is in, as [`period_at`] says it of terms.
    pub(crate) fn period(&self, clock: BlockNumber) -> Period {
        clock.checked_div(self.blocks).unwrap_or_default()
    }

    /// Whether a period has begun of which nothing is known.
    fn is_behind(&self, clock: BlockNumber) -> bool {
        let present = self.period(clock);
        self.known.is_none_or(|(period, _)| period != present)
    }
}

impl<T: Config> Pallet<T> {
    /// Notes the randomness of the periods that began in the block before, and says how many lengths were
    /// looked at.
    pub(crate) fn begin_periods(random: impl FnOnce() -> Option<Digest>) -> u32 {
        let mut lengths = Lengths::<T>::get();
        let looked_at = u32::try_from(lengths.len()).unwrap_or(u32::MAX);
        let clock = Self::clock();
        if !lengths.iter().any(|length| length.is_behind(clock)) {
            return looked_at;
        }
        let Some(randomness) = random() else {
            return looked_at;
        };
        for length in lengths.iter_mut().filter(|it| it.is_behind(clock)) {
            length.known = Some((length.period(clock), randomness));
        }
        Lengths::<T>::put(lengths);
        looked_at
    }

    /// The chain's randomness of the block before, if there is any. Nobody knew it before that block, at whose
    /// end every period had begun that has now.
    pub(crate) fn fresh_randomness() -> Option<Digest> {
        let (seed, known_since) = T::Randomness::random(SUBJECT);
        let known_since: BlockNumber = known_since.unique_saturated_into();
        let is_fresh = known_since >= Self::block().saturating_sub(1);
        let seed: [u8; 32] = seed.filter(|_| is_fresh)?.into();
        Some(Digest(seed))
    }

    /// What challenges follow from that are opened now.
    pub(crate) fn randomness_now(terms: &Terms) -> Result<Digest, Error<T>> {
        let present = period_at(terms, Self::clock());
        match Self::randomness_of(terms.period_blocks) {
            Some((period, randomness)) if period == present => Ok(randomness),
            _ => Err(Error::PeriodJustBegun),
        }
    }

    /// A contract is opened whose periods are so long.
    pub(crate) fn use_length(blocks: BlockNumber) -> Result<(), Error<T>> {
        let mut lengths = Lengths::<T>::get();
        match lengths.binary_search_by_key(&blocks, |length| length.blocks) {
            Ok(place) => {
                if let Some(length) = lengths.get_mut(place) {
                    length.contracts = length.contracts.saturating_add(1);
                }
            }
            Err(place) => {
                let length = PeriodLength {
                    blocks,
                    contracts: 1,
                    known: None,
                };
                let added = lengths.try_insert(place, length);
                added.map_err(|_| Error::TooManyLengths)?;
            }
        }
        Lengths::<T>::put(lengths);
        Ok(())
    }

    /// A contract is closed whose periods are so long.
    pub(crate) fn leave_length(blocks: BlockNumber) {
        Lengths::<T>::mutate(|lengths| {
            if let Some(length) = lengths.iter_mut().find(|length| length.blocks == blocks) {
                length.contracts = length.contracts.saturating_sub(1);
            }
            lengths.retain(|length| length.contracts > 0);
        });
    }
}
