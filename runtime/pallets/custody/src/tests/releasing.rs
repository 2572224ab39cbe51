//! How pieces are given up.

use super::*;
use crate::{Event, Wishes};

fn release(by: &AccountId, place: &Place) -> DispatchResultWithPostInfo {
    Custody::release(signed(by), *place)
}

#[test]
fn a_holder_or_the_owner_gives_a_piece_up_with_notice() {
    for by in [OWNER, account_of(0)] {
        on_new_chain(|| {
            let id = opened();
            let place = taken(id, 2, 0);
            period(1);
            for_a_fee(release(&by, &place));
            // The two whole periods behind this one.
            assert_eq!(Custody::holding(&place).unwrap().until, Some(4));
            assert_eq!(escrow(id).reserved, 3 * price(2));
            let event = Event::PieceReleased { place, until: 4 };
            assert_eq!(events().last(), Some(&event));
            refused(release(&by, &place), Refusal::ReleasedAlready);
            // It is held, answered for and paid until then.
            period(3);
            for_a_fee(challenge(&OWNER, &place));
            assert_eq!(answer_all(&place, 0), 4);
            assert_eq!(escrow(id).reserved, 2 * price(2));
        });
    }
}

#[test]
fn a_stranger_gives_nothing_up() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        for by in [STRANGER, account_of(1), OTHER_OWNER] {
            refused(release(&by, &place), Refusal::NotEntitled);
        }
        let nobody = Place { piece: 1, ..place };
        refused(release(&OWNER, &nobody), Refusal::NoSuchHolding);
        period(PERIODS + 1);
        refused(release(&OWNER, &place), Refusal::ContractEnding);
    });
}

#[test]
fn it_takes_more_than_half_of_the_group_to_give_a_piece_up() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        let [first, second, third] = [0, 1, 2].map(|it| member(&id, it));
        free_of_charge(release(&first, &place));
        let by = first.clone();
        assert_eq!(events().last(), Some(&Event::ReleaseWished { place, by }));
        assert_eq!(Custody::holding(&place).unwrap().until, None);
        refused(release(&first, &place), Refusal::WishedAlready);
        free_of_charge(release(&third, &place));
        assert_eq!(Custody::holding(&place).unwrap().until, Some(3));
        assert_eq!(Custody::holders(&id, 2), 0);
        assert!(!Wishes::<Test>::contains_key(place));
        refused(release(&second, &place), Refusal::ReleasedAlready);
    });
}

#[test]
fn what_members_wanted_in_an_earlier_period_counts_no_more() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        free_of_charge(release(&member(&id, 0), &place));
        period(1);
        free_of_charge(release(&member(&id, 1), &place));
        assert_eq!(Custody::holding(&place).unwrap().until, None);
        free_of_charge(release(&member(&id, 0), &place));
        assert_eq!(Custody::holding(&place).unwrap().until, Some(4));
    });
}

#[test]
fn who_is_no_masternode_any_more_has_no_say() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        let gone = member(&id, 1);
        let left: Vec<_> = MASTERNODES.into_iter().filter(|it| *it != gone).collect();
        MasternodeList::set(&left);
        refused(release(&gone, &place), Refusal::NotEntitled);
        free_of_charge(release(&member(&id, 0), &place));
    });
}

#[test]
fn a_miss_ends_what_members_wanted() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        period(1);
        for_a_fee(challenge(&OWNER, &place));
        free_of_charge(release(&member(&id, 0), &place));
        pass(TERMS.answer_blocks + 1);
        free_of_charge(miss(&place));
        assert!(!Wishes::<Test>::contains_key(place));
        assert_eq!(Custody::holders(&id, 2), 0);
    });
}

#[test]
fn a_piece_that_is_given_up_and_missed_is_counted_less_once() {
    on_new_chain(|| {
        let id = opened();
        let places = [taken(id, 2, 0), taken(id, 2, 1)];
        period(1);
        for_a_fee(release(&OWNER, &places[0]));
        for_a_fee(challenge(&OWNER, &places[0]));
        pass(TERMS.answer_blocks + 1);
        free_of_charge(miss(&places[0]));
        assert_eq!(Custody::holders(&id, 2), 1);
        assert_eq!(Custody::holding(&places[0]).unwrap().until, Some(1));
    });
}
