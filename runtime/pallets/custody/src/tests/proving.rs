//! How holders are paid for periods that the group certified.

use super::*;
use crate::Event;
use quern_primitives::{batch::Words, custody::Proved};

fn prove(by: &AccountId, proved: Proved, certificates: Words) -> DispatchResultWithPostInfo {
    Custody::prove(signed(by), proved, certificates)
}

/// Has the first two of the group certify that these have proved what they hold.
fn certified(id: ContractId, period: u32, places: &[Place]) -> DispatchResultWithPostInfo {
    let done = proved(id, period, places);
    let certificates = words(&done, &[0, 1]);
    prove(&member(&id, 0), done, certificates)
}

#[test]
fn a_period_pays_holders_those_who_certified_it_and_the_treasury() {
    on_new_chain(|| {
        let id = opened();
        let places = [taken(id, 2, 0), taken(id, 1, 0), taken(id, 2, 1)];
        period(1);
        free_of_charge(certified(id, 1, &places));
        let (of_two, of_one) = (parts(price(2)), parts(price(1)));
        assert_eq!(free(&account_of(0)), ENDOWMENT + of_two.0 + of_one.0);
        assert_eq!(free(&account_of(1)), ENDOWMENT + of_two.0);
        let holders = 2 * of_two.0 + of_one.0;
        // What does not divide by two is the treasury's.
        let each = (2 * of_two.1 + of_one.1) / 2;
        for place in 0..2 {
            assert_eq!(free(&member(&id, place)), ENDOWMENT + each);
        }
        assert_eq!(free(&member(&id, 2)), ENDOWMENT, "who did not certify");
        let spent = 2 * price(2) + price(1);
        let treasury = spent - holders - 2 * each;
        assert_eq!(free(&TreasuryAccount::get()), treasury);
        let money = escrow(id);
        assert_eq!((money.paid, money.network), (holders, spent - holders));
        assert_eq!(money.held, DEPOSIT - spent);
        assert_eq!(Custody::escrow_of(&OWNER), DEPOSIT - spent);
        let event = Event::PeriodPaid {
            contract: id,
            period: 1,
            holdings: 3,
            holders,
            operators: 2 * each,
            treasury,
        };
        assert_eq!(events().last(), Some(&event));
    });
}

#[test]
fn a_period_of_a_piece_is_paid_once_and_who_is_paid_keeps_nobody_from_it() {
    on_new_chain(|| {
        let id = opened();
        let (first, second) = (taken(id, 2, 0), taken(id, 2, 1));
        period(1);
        free_of_charge(certified(id, 1, &[first]));
        let before = free(&account_of(0));
        free_of_charge(certified(id, 1, &[first, second]));
        assert_eq!(free(&account_of(0)), before);
        assert_eq!(free(&account_of(1)), ENDOWMENT + parts(price(2)).0);
        refused(certified(id, 1, &[first, second]), Refusal::NothingToPay);
    });
}

#[test]
fn what_is_to_come_too_far_back_or_not_held_is_not_paid() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        refused(certified(id, 0, &[place]), Refusal::NothingToPay);
        refused(certified(id, 1, &[place]), Refusal::NothingToPay);
        period(1);
        free_of_charge(certified(id, 1, &[place]));
        refused(certified(id, 2, &[place]), Refusal::NothingToPay);
        let stranger = Place { piece: 1, ..place };
        refused(certified(id, 1, &[stranger]), Refusal::NothingToPay);
        // Period 2 is 64 back now, and period 3 is not.
        period(66);
        refused(certified(id, 2, &[place]), Refusal::NothingToPay);
        free_of_charge(certified(id, 3, &[place]));
        refused(certified(id, PERIODS + 1, &[place]), Refusal::NothingToPay);
        free_of_charge(certified(id, PERIODS, &[place]));
    });
}

#[test]
fn a_period_needs_the_certificates_of_more_than_half_of_the_group() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        let done = proved(id, 1, &[place]);
        let by = member(&id, 0);
        let with = |places: &[u8]| prove(&by, done.clone(), words(&done, places));
        refused(with(&[]), Refusal::TooFewCertificates);
        refused(with(&[0]), Refusal::TooFewCertificates);
        refused(with(&[1, 0]), Refusal::CertificatesUnsorted);
        refused(with(&[1, 1]), Refusal::CertificatesUnsorted);
        refused(with(&[1, 3]), Refusal::CertificateOfNobody);
        let mut forged = words(&done, &[0, 2]);
        forged[1].1.0[0] ^= 1;
        refused(
            prove(&by, done.clone(), forged),
            Refusal::CertificateNotSigned,
        );
        // What they signed of another period.
        let other = words(&proved(id, 2, &[place]), &[0, 2]);
        refused(
            prove(&by, done.clone(), other),
            Refusal::CertificateNotSigned,
        );
        free_of_charge(with(&[1, 2]));
    });
}

#[test]
fn only_a_member_of_the_group_that_is_a_masternode_has_holders_paid() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        let done = proved(id, 1, &[place]);
        let by = |account: &AccountId| prove(account, done.clone(), words(&done, &[0, 1]));
        for account in [OWNER, STRANGER, account_of(0)] {
            refused(by(&account), Refusal::NotMember);
        }
        let gone = member(&id, 0);
        let left: Vec<_> = MASTERNODES.into_iter().filter(|it| *it != gone).collect();
        MasternodeList::set(&left);
        refused(by(&gone), Refusal::NotMember);
        free_of_charge(by(&member(&id, 2)));
    });
}

#[test]
fn nobody_is_paid_before_there_is_a_group() {
    on_new_chain(|| {
        assert!(Custody::open(signed(&OWNER), offer(0), TERMS, DEPOSIT).is_ok());
        let id = id_of(&OWNER, 0);
        let done = proved(id, 1, &[place(id, 0, 0)]);
        let certificates = words(&done, &[0]);
        let by = &MASTERNODES[0];
        refused(
            prove(by, done.clone(), certificates.clone()),
            Refusal::GroupNotDrawn,
        );
        let nowhere = Proved {
            contract: id_of(&OWNER, 1),
            ..done
        };
        refused(prove(by, nowhere, certificates), Refusal::NoSuchContract);
    });
}

#[test]
fn holders_are_named_in_order_and_each_once() {
    on_new_chain(|| {
        let id = opened();
        let places = [taken(id, 1, 0), taken(id, 2, 0)];
        period(1);
        let sorted = proved(id, 1, &places);
        let mut reversed = sorted.clone();
        reversed.holders.as_mut().reverse();
        let mut twice = sorted.clone();
        twice.holders.try_push(sorted.holders[1]).unwrap();
        for wrong in [reversed, twice] {
            let certificates = words(&wrong, &[0, 1]);
            refused(
                prove(&member(&id, 0), wrong, certificates),
                Refusal::HoldersUnsorted,
            );
        }
    });
}

#[test]
fn an_owner_whose_own_device_holds_a_piece_pays_itself() {
    on_new_chain(|| {
        let id = opened();
        Registered::insert(device(0), OWNER);
        let place = place(id, 2, 0);
        let mut own = consent(&place, 0);
        own.account = OWNER;
        for_a_fee(Custody::hold(signed(&OWNER), signed_by(0, own), path(2)));
        period(1);
        let before = free(&OWNER);
        free_of_charge(certified(id, 1, &[place]));
        assert_eq!(free(&OWNER), before + parts(price(2)).0);
        assert_eq!(escrow(id).held, DEPOSIT - price(2));
    });
}
