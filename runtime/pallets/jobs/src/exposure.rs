//! What masternodes have settled and can still lose, held to their bonds. The rule is in
//! `quern_job_rules::exposure`.

use crate::{Config, Error, Exposures, Operators, Pallet};
use frame_support::traits::Get;
use quern_job_rules::exposure;
use quern_primitives::{AccountId, Amount, batch::Exposure};

impl<T: Config> Pallet<T> {
    /// What a masternode has settled that is not final, and what was taken of its bond meanwhile.
    pub fn exposure_of(account: &AccountId) -> Exposure {
        Exposures::<T>::get(account)
    }

    /// So much was taken of a masternode's bond because it lied. What it has open stays open, and it settles
    /// nothing more until its bond covers that again.
    ///
    /// No call: who may slash, and for what, is for others to say. Reads and writes one item.
    pub fn note_slash(account: &AccountId, amount: Amount) {
        let exposure = Exposures::<T>::get(account);
        if exposure.open > 0 {
            Exposures::<T>::insert(account, exposure::slashed(&exposure, amount));
        }
    }

    /// A masternode settles a batch that spends so much, if its bond covers that too.
    pub(crate) fn open_exposure(by: &AccountId, spent: Amount) -> Result<(), Error<T>> {
        let exposure = Exposures::<T>::get(by);
        let bond = exposure::Bond {
            bonded: T::Operators::bonded(by),
            per_exposure: T::Params::get().bond_per_exposure(),
        };
        let settled = exposure::settled(&exposure, &bond, spent)?;
        Self::keep_exposure(by, settled);
        Ok(())
    }

    /// A batch of a masternode that spent so much is final or struck.
    pub(crate) fn close_exposure(by: &AccountId, spent: Amount) {
        let over = exposure::over(&Exposures::<T>::get(by), spent);
        Self::keep_exposure(by, over);
    }

    /// Keeps what is open, or forgets who has nothing open.
    fn keep_exposure(account: &AccountId, exposure: Exposure) {
        match exposure.open {
            0 => Exposures::<T>::remove(account),
            _ => Exposures::<T>::insert(account, exposure),
        }
    }
}
