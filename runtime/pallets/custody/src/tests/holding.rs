//! How devices take pieces.

use super::*;
use crate::{Event, Holders};
use frame_support::assert_noop;
use quern_primitives::{
    custody::{HoldConsent, ShortProof, Terms},
    ids::Digest,
};

fn hold(by: &AccountId, number: u8, consent: HoldConsent) -> DispatchResultWithPostInfo {
    let path = path(consent.entry.piece);
    Custody::hold(signed(by), signed_by(number, consent), path)
}

#[test]
fn a_device_that_takes_a_piece_has_its_pay_reserved_to_the_end() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        let holding = Custody::holding(&place).unwrap();
        assert_eq!(holding.account, account_of(0));
        assert_eq!((holding.since, holding.until), (1, None));
        assert_eq!(holding.price, price(2));
        let all = u128::from(PERIODS) * price(2);
        assert_eq!(escrow(id).reserved, all);
        assert_eq!(Custody::totals().reserved, all);
        assert_eq!(Custody::holders(&id, 2), 1);
        let event = Event::PieceTaken {
            place,
            account: account_of(0),
            since: 1,
            price: price(2),
        };
        assert_eq!(events().last(), Some(&event));
    });
}

#[test]
fn the_owner_or_a_member_of_the_group_says_which_device_takes_a_piece() {
    on_new_chain(|| {
        let id = opened();
        let (first, second) = (place(id, 0, 0), place(id, 0, 1));
        refused(
            hold(&account_of(0), 0, consent(&first, 0)),
            Refusal::NotEntitled,
        );
        for_a_fee(hold(&OWNER, 0, consent(&first, 0)));
        free_of_charge(hold(&member(&id, 1), 1, consent(&second, 1)));
    });
}

#[test]
fn what_a_device_did_not_sign_is_not_taken() {
    on_new_chain(|| {
        let id = opened();
        let place = place(id, 1, 0);
        let true_consent = consent(&place, 0);
        // Another device's word.
        refused(
            hold(&OWNER, 1, true_consent.clone()),
            Refusal::ConsentNotSigned,
        );
        // On other terms.
        let other = HoldConsent {
            terms: Terms {
                slash: 1,
                ..true_consent.terms
            },
            ..true_consent.clone()
        };
        refused(hold(&OWNER, 0, other), Refusal::ConsentNotSigned);
        // From another period on.
        let other = HoldConsent {
            since: 2,
            ..true_consent.clone()
        };
        refused(hold(&OWNER, 0, other), Refusal::WrongSince);
        // For another account.
        let other = HoldConsent {
            account: account_of(1),
            ..true_consent.clone()
        };
        refused(hold(&OWNER, 0, other), Refusal::NotDevicesAccount);
        // Changed after it was signed.
        let mut word = signed_by(0, true_consent.clone());
        word.signature.0[0] ^= 1;
        let changed = Custody::hold(signed(&OWNER), word, path(1));
        refused(changed, Refusal::ConsentNotSigned);
        for_a_fee(hold(&OWNER, 0, true_consent));
    });
}

#[test]
fn what_is_none_of_the_contracts_pieces_is_not_taken() {
    on_new_chain(|| {
        let id = opened();
        let place = place(id, 1, 0);
        let mut other = consent(&place, 0);
        other.entry.chunk_root = Digest([1; 32]);
        refused(hold(&OWNER, 0, other), Refusal::EntryNotInContract);
        let mut other = consent(&place, 0);
        other.entry.version = 2;
        refused(hold(&OWNER, 0, other), Refusal::EntryVersion);
        let mut other = consent(&place, 0);
        other.entry.bytes = 0;
        refused(hold(&OWNER, 0, other), Refusal::EntryBytes);
        let mut other = consent(&place, 0);
        other.entry.audit_depth = 17;
        refused(hold(&OWNER, 0, other), Refusal::EntryAudits);
        let word = signed_by(0, consent(&place, 0));
        let longer = ShortProof {
            count: 4,
            ..path(1)
        };
        refused(
            Custody::hold(signed(&OWNER), word, longer),
            Refusal::EntryNotInContract,
        );
    });
}

#[test]
fn no_more_devices_hold_a_piece_than_the_owner_pays_for() {
    on_new_chain(|| {
        let id = opened();
        for number in 0..2 {
            taken(id, 0, number);
        }
        let third = consent(&place(id, 0, 2), 2);
        refused(hold(&OWNER, 2, third.clone()), Refusal::PieceTaken);
        // One gives it up: another may take it at once, though the first holds it for the notice.
        let first = place(id, 0, 0);
        for_a_fee(Custody::release(signed(&account_of(0)), first));
        assert_eq!(Holders::<Test>::get(id, 0), 1);
        for_a_fee(hold(&OWNER, 2, third));
        assert_eq!(Custody::holdings_of(&id, None, 9).len(), 3);
    });
}

#[test]
fn a_device_takes_a_piece_once_and_what_it_signed_once_gives_it_nothing_back() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 0, 0);
        let old = consent(&place, 0);
        refused(hold(&OWNER, 0, old.clone()), Refusal::HoldingExists);
        for_a_fee(Custody::release(signed(&account_of(0)), place));
        period(67);
        // Somebody kept the consent.
        refused(hold(&OWNER, 0, old.clone()), Refusal::NoPeriodLeft);
        free_of_charge(forget(&place));
        refused(hold(&OWNER, 0, old), Refusal::NoPeriodLeft);
    });
}

#[test]
fn a_device_that_was_forgotten_takes_the_piece_again_with_a_new_signature_alone() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 0, 0);
        let old = consent(&place, 0);
        for_a_fee(Custody::release(signed(&account_of(0)), place));
        // Held until period 3: both periods are proved, so that there is nothing to wait for.
        for number in 1..=2 {
            period(number);
            let done = proved(id, number, &[place]);
            let certificates = words(&done, &[0, 1]);
            let by = member(&id, 0);
            free_of_charge(Custody::prove(signed(&by), done, certificates));
        }
        period(3);
        free_of_charge(forget(&place));
        refused(hold(&OWNER, 0, old), Refusal::WrongSince);
        for_a_fee(hold(&OWNER, 0, consent(&place, 0)));
    });
}

#[test]
fn who_is_not_registered_or_may_be_given_nothing_takes_nothing() {
    on_new_chain(|| {
        let id = opened();
        let word = consent(&place(id, 0, 0), 0);
        Unfit::set(&vec![device(0)]);
        refused(hold(&OWNER, 0, word.clone()), Refusal::DeviceUnfit);
        Unfit::set(&vec![]);
        Registered::remove(device(0));
        refused(hold(&OWNER, 0, word.clone()), Refusal::NotDevicesAccount);
        Registered::insert(device(0), account_of(0));
        for_a_fee(hold(&OWNER, 0, word));
    });
}

#[test]
fn nobody_takes_a_piece_for_which_there_is_no_money() {
    on_new_chain(|| {
        let all = u128::from(PERIODS) * price(2);
        let opened = Custody::open(signed(&OWNER), offer(0), TERMS, all - 1);
        assert!(opened.is_ok());
        let id = id_of(&OWNER, 0);
        let word = consent(&place(id, 2, 0), 0);
        refused(hold(&OWNER, 0, word.clone()), Refusal::NotCovered);
        assert!(Custody::renew(signed(&OWNER), id, 0, 1).is_ok());
        for_a_fee(hold(&OWNER, 0, word));
        // And the end is not put off further than there is money for.
        assert_noop!(
            Custody::renew(signed(&OWNER), id, 1, price(2) - 1),
            Refusal::NotCovered
        );
        assert!(Custody::renew(signed(&OWNER), id, 1, price(2)).is_ok());
    });
}

#[test]
fn nothing_is_taken_of_a_contract_that_is_not_there_or_nearly_over() {
    on_new_chain(|| {
        let word = consent(&place(id_of(&OWNER, 7), 0, 0), 0);
        refused(hold(&OWNER, 0, word), Refusal::NoSuchContract);
        let id = opened();
        period(PERIODS);
        let word = consent(&place(id, 0, 0), 0);
        refused(hold(&OWNER, 0, word), Refusal::NoPeriodLeft);
    });
}
