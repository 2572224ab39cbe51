//! How devices take pieces, give them up, and are forgotten.

use crate::{
    Config, Contracts, Error, Event, HeldBy, Holders, Holdings, Pallet, Refused, Remains,
    Standings, Wishes, Workers,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    dispatch::Pays,
    ensure,
    pallet_prelude::{DispatchError, DispatchResult},
};
use quern_custody_rules::{
    holding::{self, Facts},
    mismatch::mismatch,
    pay::period_at,
    proof,
};
use quern_primitives::{
    AccountId, DeviceId,
    custody::{Contract, HoldConsent, Holding, PieceEntry, Place, ShortProof},
    ids::{ContractId, Period, PieceIndex},
    merkle::SpanProof,
    payload::{Signed, SignedPayload},
};
use scale_info::TypeInfo;
use sp_core::ed25519;
use sp_runtime::ArithmeticError;

/// Which members of a group want a holding given up.
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
pub struct Wish {
    /// The period in which they said so. In a later one they begin anew.
    pub period: Period,
    /// Bit `i` says whether the member at place `i` did.
    pub voices: u8,
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_hold(
        by: &AccountId,
        signed: &Signed<HoldConsent>,
        path: &ShortProof,
    ) -> Result<Pays, DispatchError> {
        let consent = &signed.payload;
        let (id, piece) = (consent.contract, consent.entry.piece);
        let contract = Self::existing(&id)?;
        // Or a stranger's device could take what is left of a piece as soon as one has shown its entry.
        ensure!(
            *by == contract.owner || Self::is_member(&id, by),
            Error::<T>::NotEntitled
        );
        let place = Place {
            contract: id,
            piece,
            holder: consent.device,
        };
        ensure!(
            T::Workers::account_of(&place.holder).as_ref() == Some(&consent.account),
            Error::<T>::NotDevicesAccount
        );
        ensure!(T::Workers::may_hold(&place.holder), Error::<T>::DeviceUnfit);
        let is_refused = Refused::<T>::get(id).binary_search(&piece).is_ok();
        ensure!(!is_refused, Error::<T>::PieceRefused);
        let facts = Facts {
            standing: Standings::<T>::get(place.holder),
            holders: Holders::<T>::get(id, piece),
            is_known: Holdings::<T>::contains_key(key(&place)),
        };
        let is_signed = |consent: &HoldConsent| Self::is_signed(consent, signed);
        let taken = holding::hold(&contract, consent, path, &facts, Self::clock(), is_signed);
        let (after, holding) = taken.map_err(Error::<T>::from)?;
        Holders::<T>::insert(id, piece, facts.holders.saturating_add(1));
        HeldBy::<T>::insert(place.holder, (id, piece), ());
        Self::deposit_event(Event::PieceTaken {
            place,
            account: holding.account.clone(),
            since: holding.since,
            price: holding.price,
        });
        Self::put_holding(&place, holding);
        Self::keep(id, &contract.escrow, after)?;
        Ok(Self::fee_of(&id, by))
    }

    /// Whether the device itself signed its consent, for this chain.
    fn is_signed(consent: &HoldConsent, signed: &Signed<HoldConsent>) -> bool {
        let device = &consent.device;
        !device.is_small_order()
            && sp_io::crypto::ed25519_verify(
                &ed25519::Signature::from_raw(signed.signature.0),
                &consent.signing_digest(&Self::genesis_hash()),
                &ed25519::Public::from_raw(device.0),
            )
    }

    pub(crate) fn do_refuse(
        by: &AccountId,
        id: ContractId,
        entry: &PieceEntry,
        path: &ShortProof,
        (span, shown): (&SpanProof, &[u8]),
    ) -> Result<Pays, DispatchError> {
        let offer = Self::existing(&id)?.offer;
        let piece = entry.piece;
        // What costs no hashing is looked at first, and what costs most last.
        let mut refused = Refused::<T>::get(id);
        let Err(place) = refused.binary_search(&piece) else {
            return Err(Error::<T>::PieceRefused.into());
        };
        let added = refused.try_insert(place, piece);
        added.map_err(|_| Error::<T>::TooManyRefused)?;
        let root = &offer.pieces_root;
        proof::check(path, piece, offer.pieces, root, &entry.encode())
            .map_err(|_| Error::<T>::EntryNotInContract)?;
        mismatch(entry, span, shown).map_err(Error::<T>::from)?;
        Refused::<T>::insert(id, refused);
        Self::deposit_event(Event::PieceRefused {
            contract: id,
            piece,
        });
        Ok(Self::fee_of(&id, by))
    }

    pub(crate) fn do_release(by: AccountId, place: &Place) -> Result<Pays, DispatchError> {
        let (contract, holding) = Self::held(place)?;
        let (id, now) = (place.contract, Self::clock());
        let is_party = by == holding.account || by == contract.owner;
        let group = match is_party {
            true => None,
            false => Self::member(&id, &by).ok(),
        };
        let released = holding::release(&contract, &holding, &by, group.is_some(), now);
        let (after, released) = released.map_err(Error::<T>::from)?;
        if let Some((group, member)) = &group {
            let voices = Self::wish(place, *member, period_at(&contract.terms, now))?;
            if voices < group.needed() {
                Self::deposit_event(Event::ReleaseWished { place: *place, by });
                return Ok(Pays::No);
            }
        }
        Self::deposit_event(Event::PieceReleased {
            place: *place,
            until: released.until.unwrap_or(after.ends),
        });
        Self::end_holding(place, &holding, released);
        Self::keep(id, &contract.escrow, after)?;
        Ok(match group {
            Some(_) => Pays::No,
            None => Pays::Yes,
        })
    }

    /// Notes that the member at a place of the group wants a piece given up, and says how many do.
    fn wish(place: &Place, member: u8, period: Period) -> Result<usize, Error<T>> {
        let wish = Wishes::<T>::get(place).filter(|wish| wish.period == period);
        let before = wish.map_or(0, |wish| wish.voices);
        let voices = before | 1u8.checked_shl(member.into()).unwrap_or(0);
        ensure!(voices != before, Error::WishedAlready);
        Wishes::<T>::insert(place, Wish { period, voices });
        // At most eight.
        Ok(voices.count_ones() as usize)
    }

    pub(crate) fn do_forget(place: &Place) -> DispatchResult {
        let id = place.contract;
        let holding = Holdings::<T>::get(key(place)).ok_or(Error::<T>::NoSuchHolding)?;
        match Contracts::<T>::get(id) {
            Some(contract) => {
                let forgotten = holding::forget(&contract, &holding, Self::clock());
                let after = forgotten.map_err(Error::<T>::from)?;
                Self::keep(id, &contract.escrow, after)?;
            }
            // Nothing is paid of a contract that is closed.
            None => Self::forget_remains(&id)?,
        }
        Holdings::<T>::remove(key(place));
        HeldBy::<T>::remove(place.holder, (id, place.piece));
        Wishes::<T>::remove(place);
        if holding.until.is_none() {
            Self::one_holder_less(&id, place.piece);
        }
        Self::deposit_event(Event::HoldingForgotten { place: *place });
        Ok(())
    }

    fn forget_remains(id: &ContractId) -> DispatchResult {
        let left = Remains::<T>::get(id).and_then(|left| left.checked_sub(1));
        match left.ok_or(ArithmeticError::Underflow)? {
            0 => Remains::<T>::remove(id),
            left => Remains::<T>::insert(id, left),
        }
        Ok(())
    }

    /// A holding, and the open contract that it is of.
    pub(crate) fn held(place: &Place) -> Result<(Contract, Holding), Error<T>> {
        let contract = Self::existing(&place.contract)?;
        let holding = Holdings::<T>::get(key(place)).ok_or(Error::NoSuchHolding)?;
        Ok((contract, holding))
    }

    pub(crate) fn put_holding(place: &Place, holding: Holding) {
        Holdings::<T>::insert(key(place), holding);
    }

    /// Stores a holding that ends sooner than it did.
    pub(crate) fn end_holding(place: &Place, before: &Holding, after: Holding) {
        if before.until.is_none() {
            Self::one_holder_less(&place.contract, place.piece);
        }
        Wishes::<T>::remove(place);
        Self::put_holding(place, after);
    }

    fn one_holder_less(id: &ContractId, piece: PieceIndex) {
        Holders::<T>::mutate_exists(id, piece, |holders| {
            *holders = holders
                .and_then(|count| count.checked_sub(1))
                .filter(|left| *left > 0);
        });
    }
}

/// Where a holding is kept.
pub(crate) fn key(place: &Place) -> (ContractId, PieceIndex, DeviceId) {
    (place.contract, place.piece, place.holder)
}
