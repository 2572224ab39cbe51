//! The roster as session manager: which masternodes validate next.
//!
//! At the end of every session the session pallet asks for the set of the session after the next.
//! The answer is every masternode that has session keys. Two answers are withheld, which leaves the
//! set as it is:
//!
//! - **an unchanged set**, because naming it again would make finality start a new authority set in
//!   every session for nothing (rotated keys the session pallet notices by itself);
//! - **an empty set**, because a chain without validators can never plan another. A set without
//!   masternodes in it goes on until a masternode has keys.

use crate::{Config, Pallet};
use alloc::vec::Vec;
use frame_support::traits::{ValidatorRegistration, ValidatorSet};
use quern_primitives::AccountId;
use sp_staking::SessionIndex;

impl<T: Config> Pallet<T> {
    /// The masternodes that have session keys, ascending: who validates, once planned.
    pub fn eligible_validators() -> Vec<AccountId> {
        let mut masternodes = Self::masternodes();
        masternodes.retain(T::Session::is_registered);
        masternodes
    }
}

impl<T: Config> pallet_session::SessionManager<AccountId> for Pallet<T> {
    fn new_session(_new_index: SessionIndex) -> Option<Vec<AccountId>> {
        let eligible = Self::eligible_validators();
        // While a session is planned, the validators are those of the session that starts now, and
        // they are what the session pallet falls back upon.
        (!eligible.is_empty() && eligible != T::Session::validators()).then_some(eligible)
    }

    fn start_session(_start_index: SessionIndex) {}

    fn end_session(_end_index: SessionIndex) {}
}
