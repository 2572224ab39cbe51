//! What an owner does with a contract, and its end.

use crate::{
    Awaiting, Config, Contracts, ContractsOf, Error, Event, FinalityClock, Groups,
    OPEN_CONTRACTS_PER_OWNER_MAX, OpenContracts, Pallet, Refused, Remains,
};
use frame_support::{
    ensure,
    pallet_prelude::{DispatchResult, Get},
    traits::Contains,
};
use frame_system::pallet_prelude::BlockNumberFor;
use quern_custody_rules::life;
use quern_primitives::{
    AccountId, Amount, BlockNumber, GenesisHash,
    custody::{Contract, Escrow, Offer, Terms, contract_id},
    ids::ContractId,
};
use sp_runtime::traits::{UniqueSaturatedInto, Zero};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_open(
        owner: AccountId,
        offer: Offer,
        terms: Terms,
        deposit: Amount,
    ) -> DispatchResult {
        ensure!(!T::Bans::contains(&owner), Error::<T>::OwnerBanned);
        ensure!(terms == T::CurrentTerms::get(), Error::<T>::TermsChanged);
        let contract = life::open(owner.clone(), offer, terms, deposit, Self::clock())
            .map_err(Error::<T>::from)?;
        let id = contract_id(&Self::genesis_hash(), &owner, &offer.salt);
        let is_known = Contracts::<T>::contains_key(id) || Remains::<T>::contains_key(id);
        ensure!(!is_known, Error::<T>::ContractExists);
        let open = OpenContracts::<T>::get(&owner).saturating_add(1);
        ensure!(
            open <= OPEN_CONTRACTS_PER_OWNER_MAX,
            Error::<T>::TooManyContracts
        );
        Self::await_group(id, &owner)?;
        Self::use_length(terms.period_blocks)?;
        Self::hold_escrow(&owner, deposit)?;
        OpenContracts::<T>::insert(&owner, open);
        ContractsOf::<T>::insert(&owner, id, ());
        Self::deposit_event(Event::ContractOpened {
            contract: id,
            owner,
            deposit,
            ends: contract.ends,
        });
        Self::keep(id, &Escrow::default(), contract)
    }

    pub(crate) fn do_renew(
        by: &AccountId,
        id: ContractId,
        periods: u32,
        deposit: Amount,
    ) -> DispatchResult {
        let contract = Self::existing(&id)?;
        let renewed = life::renew(&contract, by, periods, deposit, Self::clock())
            .map_err(Error::<T>::from)?;
        Self::hold_escrow(by, deposit)?;
        Self::deposit_event(Event::ContractRenewed {
            contract: id,
            deposit,
            ends: renewed.ends,
        });
        Self::keep(id, &contract.escrow, renewed)
    }

    pub(crate) fn do_end(by: &AccountId, id: ContractId) -> DispatchResult {
        let contract = Self::existing(&id)?;
        let ended = life::end(&contract, by, Self::clock()).map_err(Error::<T>::from)?;
        Self::deposit_event(Event::ContractEnded {
            contract: id,
            ends: ended.ends,
        });
        Self::keep(id, &contract.escrow, ended)
    }

    pub(crate) fn do_close(id: ContractId) -> DispatchResult {
        let contract = Self::existing(&id)?;
        let closed = life::close(&contract, Self::clock());
        let (closed, refunded) = closed.map_err(Error::<T>::from)?;
        Self::release_escrow(&closed.owner, refunded)?;
        Self::count(&contract.escrow, &closed.escrow)?;
        Self::drop_contract(id, &closed);
        Self::deposit_event(Event::ContractClosed {
            contract: id,
            refunded,
        });
        Ok(())
    }

    /// Takes a contract from all that is kept of open ones. What was held of it stays, to be forgotten piece by
    /// piece: there may be a million of them.
    fn drop_contract(id: ContractId, closed: &Contract) {
        Contracts::<T>::remove(id);
        ContractsOf::<T>::remove(&closed.owner, id);
        OpenContracts::<T>::mutate_exists(&closed.owner, |open| {
            *open = open
                .and_then(|count| count.checked_sub(1))
                .filter(|left| *left > 0);
        });
        if Groups::<T>::take(id).is_none() {
            Awaiting::<T>::mutate(|awaiting| awaiting.retain(|waiting| waiting.contract != id));
        }
        Refused::<T>::remove(id);
        Self::leave_length(closed.terms.period_blocks);
        if closed.holdings > 0 {
            Remains::<T>::insert(id, closed.holdings);
        }
    }

    pub(crate) fn existing(id: &ContractId) -> Result<Contract, Error<T>> {
        Contracts::<T>::get(id).ok_or(Error::NoSuchContract)
    }

    /// The height of the chain's clock of finality, by which everything here goes but the draw of groups and
    /// what challenges follow from.
    pub(crate) fn clock() -> BlockNumber {
        T::Clock::height()
    }

    /// The present block's height. The runtime's heights fit.
    pub(crate) fn block() -> BlockNumber {
        frame_system::Pallet::<T>::block_number().unique_saturated_into()
    }

    /// The hash of the chain's first block; the only block hash that is kept for good.
    pub(crate) fn genesis_hash() -> GenesisHash {
        GenesisHash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).into())
    }
}
