//! Challenges on the chain: opened, answered in parts, missed.
//!
//! Challenges are kept in the order of the heights of the clock of finality up to which they may be answered.
//! The chain itself says of those behind it that they are missed, as far as a block has room. One of which it
//! cannot is taken out of that order, so that nothing else waits behind it, and left to the call.

use crate::{
    Challenges, Config, DueChallenges, Error, Event, Pallet, Standings, WeightInfo, Workers,
};
use frame_support::{
    dispatch::Pays,
    pallet_prelude::{DispatchError, DispatchResult, Weight},
    storage::with_storage_layer,
    weights::WeightMeter,
};
use quern_custody_rules::{
    challenge::{self, Answered, Missed, Opener, Passed},
    steps::Penalty,
};
use quern_primitives::{
    AccountId, BlockNumber,
    custody::{Answer, Challenge, Contract, Place},
};
use sp_runtime::ArithmeticError;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_challenge(by: AccountId, place: &Place) -> Result<Pays, DispatchError> {
        let (contract, holding) = Self::held(place)?;
        let randomness = Self::randomness_now(&contract.terms)?;
        let opener = Opener {
            account: &by,
            is_member: Self::is_member(&place.contract, &by),
        };
        let pays = Self::fee_of(&place.contract, &by);
        let now = Self::clock();
        let opened = challenge::open(&contract, &holding, place, &randomness, opener, now);
        let (after, holding, challenge) = opened.map_err(Error::<T>::from)?;
        Self::put_up(&by, challenge.bond)?;
        Self::deposit_event(Event::ChallengeOpened {
            place: *place,
            opener: by,
            period: challenge.period,
            due: challenge.due,
        });
        DueChallenges::<T>::insert(key_of(challenge.due), place, ());
        Challenges::<T>::insert(place, challenge);
        Self::put_holding(place, holding);
        Self::keep(place.contract, &contract.escrow, after)?;
        Ok(pays)
    }

    pub(crate) fn do_answer(place: &Place, answer: &Answer) -> DispatchResult {
        let (contract, holding) = Self::held(place)?;
        let open = Challenges::<T>::get(place).ok_or(Error::<T>::NotChallenged)?;
        let answered = challenge::answer(&contract, &holding, &open, answer, Self::clock());
        match answered.map_err(Error::<T>::from)? {
            Answered::Part(open) => {
                Challenges::<T>::insert(place, open);
                Self::deposit_event(Event::PartShown {
                    place: *place,
                    part: answer.part,
                });
                Ok(())
            }
            Answered::Whole(passed) => Self::pass(place, &contract, &open, *passed),
        }
    }

    /// Pays the holder that has shown all that it was asked for.
    fn pass(
        place: &Place,
        contract: &Contract,
        open: &Challenge,
        passed: Passed,
    ) -> DispatchResult {
        let Passed {
            contract: after,
            holding,
            split,
            bond,
        } = passed;
        Self::drop_challenge(place, open);
        Self::give_bond(&open.opener, &holding.account, bond)?;
        Self::pay(&after.owner, &holding.account, split.holder)?;
        // Nobody of the group has certified it.
        let treasury = split.operators.checked_add(split.treasury);
        let treasury = treasury.ok_or(ArithmeticError::Overflow)?;
        Self::pay_treasury(&after.owner, treasury)?;
        Self::deposit_event(Event::ChallengeAnswered {
            place: *place,
            paid: split.holder,
            treasury,
            bond,
        });
        Self::put_holding(place, holding);
        Self::keep(place.contract, &contract.escrow, after)
    }

    pub(crate) fn do_miss(place: &Place) -> DispatchResult {
        let (contract, holding) = Self::held(place)?;
        let open = Challenges::<T>::get(place).ok_or(Error::<T>::NotChallenged)?;
        let standing = Standings::<T>::get(place.holder);
        let bonded = T::Workers::bonded(&holding.account);
        let now = Self::clock();
        let missed = challenge::miss(&contract, &holding, place, &open, &standing, bonded, now);
        let Missed {
            contract: after,
            holding: ended,
            standing,
            bond,
            penalty,
            evidence,
        } = missed.map_err(Error::<T>::from)?;
        Self::drop_challenge(place, &open);
        Self::return_bond(&open.opener, bond)?;
        Self::punish(&ended.account, place, penalty, &open.opener)?;
        Self::deposit_event(Event::ChallengeMissed {
            place: *place,
            step: evidence.step,
            slash: evidence.slash,
        });
        Standings::<T>::insert(place.holder, standing);
        Self::remember(&place.holder, evidence);
        Self::end_holding(place, &holding, ended);
        Self::keep(place.contract, &contract.escrow, after)
    }

    /// Takes a penalty from the bond of a holder's account. Nobody gets a part of what they lose themselves.
    fn punish(
        account: &AccountId,
        place: &Place,
        penalty: Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        let slash = penalty.slash();
        let penalty = match winner == account {
            true => Penalty {
                winner: 0,
                burnt: slash,
            },
            false => penalty,
        };
        match slash {
            0 => Ok(()),
            _ => T::Workers::slash(account, &place.holder, &penalty, winner),
        }
    }

    fn drop_challenge(place: &Place, open: &Challenge) {
        Challenges::<T>::remove(place);
        DueChallenges::<T>::remove(key_of(open.due), place);
    }

    /// Says of challenges whose time is over that they are missed, as far as there is room, and says how much
    /// of it was used.
    pub(crate) fn miss_due(room: Weight) -> Weight {
        let mut meter = WeightMeter::with_limit(room);
        let clock = Self::clock();
        while meter.try_consume(T::WeightInfo::look_for_due()).is_ok() {
            let Some((due, place)) = DueChallenges::<T>::iter_keys().next() else {
                break;
            };
            let is_over = BlockNumber::from_be_bytes(due) < clock;
            if !is_over || meter.try_consume(T::WeightInfo::miss()).is_err() {
                break;
            }
            // The invariants say that each can be missed; one that cannot must not keep others waiting.
            if with_storage_layer(|| Self::do_miss(&place)).is_err() {
                DueChallenges::<T>::remove(due, place);
            }
        }
        meter.consumed()
    }
}

/// Where challenges are kept that may be answered up to this height.
pub(crate) fn key_of(due: BlockNumber) -> [u8; 4] {
    due.to_be_bytes()
}
