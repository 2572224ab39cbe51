//! What others ask of custody. Reads only.

use crate::{
    CONTRACTS_PER_PAGE_MAX, Challenges, Config, Contracts, ContractsOf, Groups,
    HOLDINGS_PER_PAGE_MAX, HeldBy, Holders, Holdings, Lengths, Misses, Pallet, Refused, TotalPutUp,
    Totals, holdings::key,
};
use alloc::vec::Vec;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest,
    custody::{Challenge, Contract, Escrow, Held, Holding, Miss, Place},
    group::Group,
    ids::{ContractId, Period, PieceIndex},
};

impl<T: Config> Pallet<T> {
    /// An open contract.
    pub fn contract(id: &ContractId) -> Option<Contract> {
        Contracts::<T>::get(id)
    }

    /// An owner's open contracts, in a fixed but meaningless order, at most `limit` and at most
    /// [`CONTRACTS_PER_PAGE_MAX`]. The next page starts after the last contract of this one.
    pub fn contracts_of(
        owner: &AccountId,
        start_after: Option<ContractId>,
        limit: u32,
    ) -> Vec<(ContractId, Contract)> {
        let ids = match start_after {
            Some(last) => ContractsOf::<T>::iter_key_prefix_from(
                owner,
                ContractsOf::<T>::hashed_key_for(owner, last),
            ),
            None => ContractsOf::<T>::iter_key_prefix(owner),
        };
        ids.take(limit.min(CONTRACTS_PER_PAGE_MAX) as usize)
            .filter_map(|id| Some((id, Contracts::<T>::get(id)?)))
            .collect()
    }

    /// A contract's group; none before it is drawn and once the contract is closed.
    pub fn group(id: &ContractId) -> Option<Group> {
        Groups::<T>::get(id)
    }

    /// The pieces of an open contract that are others than it says.
    pub fn refused(id: &ContractId) -> Vec<PieceIndex> {
        Refused::<T>::get(id).into_inner()
    }

    /// A holding, of an open contract or of one that is closed.
    pub fn holding(place: &Place) -> Option<Holding> {
        Holdings::<T>::get(key(place))
    }

    /// How many devices hold a piece, without those that gave it up or lost it.
    pub fn holders(id: &ContractId, piece: PieceIndex) -> u8 {
        Holders::<T>::get(id, piece)
    }

    /// A contract's holdings in a fixed but meaningless order, at most `limit` and at most
    /// [`HOLDINGS_PER_PAGE_MAX`]. The next page starts after the last of this one.
    pub fn holdings_of(
        id: &ContractId,
        start_after: Option<Held>,
        limit: u32,
    ) -> Vec<(Held, Holding)> {
        let all = match start_after {
            Some(Held { piece, device }) => Holdings::<T>::iter_prefix_from(
                (id,),
                Holdings::<T>::hashed_key_for((id, piece, device)),
            ),
            None => Holdings::<T>::iter_prefix((id,)),
        };
        all.take(limit.min(HOLDINGS_PER_PAGE_MAX) as usize)
            .map(|((piece, device), holding)| (Held { piece, device }, holding))
            .collect()
    }

    /// What a device holds, or held and is not forgotten, in pages as those of [`Self::holdings_of`].
    pub fn held_by(
        device: &DeviceId,
        start_after: Option<(ContractId, PieceIndex)>,
        limit: u32,
    ) -> Vec<(Place, Holding)> {
        let keys = match start_after {
            Some(last) => {
                HeldBy::<T>::iter_key_prefix_from(device, HeldBy::<T>::hashed_key_for(device, last))
            }
            None => HeldBy::<T>::iter_key_prefix(device),
        };
        keys.take(limit.min(HOLDINGS_PER_PAGE_MAX) as usize)
            .filter_map(|(contract, piece)| {
                let place = Place {
                    contract,
                    piece,
                    holder: *device,
                };
                Some((place, Self::holding(&place)?))
            })
            .collect()
    }

    /// The challenge of a holding that waits for its answer.
    pub fn challenge_of(place: &Place) -> Option<Challenge> {
        Challenges::<T>::get(place)
    }

    /// What a device missed since it was last reviewed, oldest first.
    pub fn misses_of(device: &DeviceId) -> Vec<Miss> {
        Misses::<T>::get(device).into_inner()
    }

    /// The last period of so many blocks of which it is known what challenges follow from, and that. None if
    /// no open contract has such periods, or none has begun since one was opened.
    pub fn randomness_of(period_blocks: BlockNumber) -> Option<(Period, Digest)> {
        let lengths = Lengths::<T>::get();
        let mut lengths = lengths.iter();
        lengths.find(|it| it.blocks == period_blocks)?.known
    }

    /// The money of all contracts together, since the chain began; held and reserved is what is so now.
    pub fn totals() -> Escrow {
        Totals::<T>::get()
    }

    /// The bonds of all open challenges together.
    pub fn total_put_up() -> Amount {
        TotalPutUp::<T>::get()
    }
}
