//! The masternodes of a contract: who certifies what holders proved, and has a say in who holds what.
//!
//! A contract that is opened in one block is drawn for in the next, as a job is: from randomness that its owner,
//! who chooses its name, could not know.

use crate::{
    Awaiting, CONTRACTS_AWAITING_PER_OWNER_MAX, Config, Error, Event, Groups, Operators, Pallet,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec,
    dispatch::Pays,
    ensure,
    pallet_prelude::DispatchResult,
    traits::{Randomness, SortedMembers},
};
use quern_job_rules::group;
use quern_primitives::{
    AccountId, BlockNumber,
    batch::Words,
    custody::Proved,
    group::{Group, Member},
    ids::ContractId,
    payload::{NodeSignature, SignedPayload},
};
use scale_info::TypeInfo;
use sp_core::ed25519;
use sp_runtime::traits::UniqueSaturatedInto;

/// Sets these draws apart from all others that use the chain's randomness.
const DRAW: &[u8] = b"quern/custody-group/1";

/// A number and the first block in which it could be known.
pub(crate) type Drawn = (u128, BlockNumber);

/// A contract that waits for its group.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Waiting {
    /// The contract.
    pub contract: ContractId,
    /// Its owner, of whom only so many contracts may wait.
    pub owner: AccountId,
    /// The block in which it was opened.
    pub opened_in: BlockNumber,
}

impl<T: Config> Pallet<T> {
    /// Has a contract wait for its group.
    pub(crate) fn await_group(contract: ContractId, owner: &AccountId) -> DispatchResult {
        let mut awaiting = Awaiting::<T>::get();
        let own = awaiting.iter().filter(|other| other.owner == *owner);
        ensure!(
            own.count() < CONTRACTS_AWAITING_PER_OWNER_MAX as usize,
            Error::<T>::TooManyOwnAwaiting
        );
        let waiting = Waiting {
            contract,
            owner: owner.clone(),
            opened_in: Self::block(),
        };
        awaiting
            .try_push(waiting)
            .map_err(|_| Error::<T>::TooManyAwaiting)?;
        Awaiting::<T>::put(awaiting);
        Ok(())
    }

    /// Draws a group of this size for each contract that waits for one, and says how many waited. They wait on
    /// while there is no masternode, or no randomness fresh enough.
    pub(crate) fn draw_groups(size: u8, random: impl Fn(&ContractId) -> Option<Drawn>) -> u32 {
        let mut awaiting = Awaiting::<T>::get();
        let waited = awaiting.len();
        if waited == 0 {
            return 0;
        }
        let masternodes = T::Masternodes::sorted_members();
        awaiting.retain(|waiting| {
            let number = random(&waiting.contract);
            Self::draw_of(waiting, &masternodes, size, number).is_none()
        });
        if awaiting.len() < waited {
            Awaiting::<T>::put(awaiting);
        }
        u32::try_from(waited).unwrap_or(u32::MAX)
    }

    /// The chain's randomness for a contract, if there is any.
    pub(crate) fn random(contract: &ContractId) -> Option<Drawn> {
        let (seed, known_since) = T::Randomness::random(&(DRAW, contract).encode());
        let seed: [u8; 32] = seed?.into();
        let (number, _) = seed.split_first_chunk::<16>()?;
        Some((
            u128::from_le_bytes(*number),
            known_since.unique_saturated_into(),
        ))
    }

    /// Gives a contract its group; none if it has to wait on.
    fn draw_of(
        waiting: &Waiting,
        masternodes: &[AccountId],
        size: u8,
        random: Option<Drawn>,
    ) -> Option<()> {
        let (number, known_since) = random?;
        // The owner chooses the id, so the number must not have been known to the owner then.
        if known_since < waiting.opened_in {
            return None;
        }
        let drawn = group::draw(number, masternodes, size);
        // Who has no key published could certify nothing, and is left out.
        let members = drawn.into_iter().filter_map(|account| {
            let node = T::Operators::network_key(&account)?;
            Some(Member {
                account,
                node,
                is_out: false,
            })
        });
        let members: Vec<_> = members.collect();
        let coordinator = members.first()?.account.clone();
        let group = Group {
            members: BoundedVec::truncate_from(members),
            turn: 0,
            since: Self::clock(),
            lane_seed: None,
        };
        let contract = waiting.contract;
        Groups::<T>::insert(contract, group);
        Self::deposit_event(Event::GroupDrawn {
            contract,
            coordinator,
        });
        Some(())
    }

    /// A contract's group, and the place in it of an account that has a say.
    pub(crate) fn member(id: &ContractId, by: &AccountId) -> Result<(Group, u8), Error<T>> {
        let group = Groups::<T>::get(id).ok_or(Error::GroupNotDrawn)?;
        let has_say = |place: &u8| {
            let member = group.member(*place);
            member.is_some_and(|member| !member.is_out) && T::Masternodes::contains(by)
        };
        let place = group.place_of(by).filter(has_say);
        let place = place.ok_or(Error::NotMember)?;
        Ok((group, place))
    }

    /// Whether an account has a say in a contract's group.
    pub(crate) fn is_member(id: &ContractId, by: &AccountId) -> bool {
        Self::member(id, by).is_ok()
    }

    /// Whether an account pays for what it did for a contract: a member of its group does not.
    pub(crate) fn fee_of(id: &ContractId, by: &AccountId) -> Pays {
        match Self::is_member(id, by) {
            true => Pays::No,
            false => Pays::Yes,
        }
    }

    /// Checks that more than half of a contract's group certified who proved what.
    pub(crate) fn check_certificates(
        group: &Group,
        proved: &Proved,
        certificates: &Words,
    ) -> Result<(), Error<T>> {
        let digest = proved.signing_digest(&Self::genesis_hash());
        let is_signed = |member: &Member, signature: &NodeSignature| {
            !member.node.is_small_order()
                && sp_io::crypto::ed25519_verify(
                    &ed25519::Signature::from_raw(signature.0),
                    &digest,
                    &ed25519::Public::from_raw(member.node.0),
                )
        };
        group::check_certificates(group, certificates, is_signed).map_err(Error::from)
    }
}
