//! Challenges, and what is shown.

use super::*;
use crate::{DueChallenges, Event, Lengths};
use frame_support::{assert_noop, assert_ok};
use quern_custody_rules::drawn;
use quern_primitives::custody::Terms;

fn held() -> (ContractId, Place) {
    let id = opened();
    let place = taken(id, 2, 0);
    period(1);
    (id, place)
}

#[test]
fn whoever_challenges_puts_up_a_bond() {
    on_new_chain(|| {
        let (id, place) = held();
        for_a_fee(challenge(&OWNER, &place));
        assert_eq!(Custody::put_up_by(&OWNER), TERMS.challenge_bond);
        assert_eq!(Custody::total_put_up(), TERMS.challenge_bond);
        let open = Custody::challenge_of(&place).unwrap();
        assert_eq!((open.period, open.opened_at, open.due), (1, 10, 25));
        let contract = Custody::contract(&id).unwrap();
        assert_eq!(contract.challenges, 1);
        let event = Event::ChallengeOpened {
            place,
            opener: OWNER,
            period: 1,
            due: 25,
        };
        assert_eq!(events().last(), Some(&event));
        // It costs a member of the group no fee.
        let other = taken(id, 1, 1);
        period(2);
        free_of_charge(challenge(&member(&id, 0), &other));
    });
}

#[test]
fn who_shows_all_that_is_asked_for_is_paid_and_gets_the_bond() {
    on_new_chain(|| {
        let (id, place) = held();
        for_a_fee(challenge(&OWNER, &place));
        let rich = free(&account_of(0));
        for part in [3, 0, 2] {
            assert_ok!(answer(&place, 0, part));
            assert_eq!(events().last(), Some(&Event::PartShown { place, part }));
            assert_noop!(answer(&place, 0, part), Refusal::PartShown);
        }
        assert_eq!(free(&account_of(0)), rich);
        assert_ok!(answer(&place, 0, 1));
        let paid = parts(price(2)).0;
        let bond = TERMS.challenge_bond;
        assert_eq!(free(&account_of(0)), rich + paid + bond);
        // Nobody of the group has certified it.
        let treasury = price(2) - paid;
        assert_eq!(free(&TreasuryAccount::get()), treasury);
        assert_eq!(Custody::put_up_by(&OWNER), 0);
        assert_eq!(Custody::challenge_of(&place), None);
        let event = Event::ChallengeAnswered {
            place,
            paid,
            treasury,
            bond,
        };
        assert_eq!(events().last(), Some(&event));
        // The group cannot pay the same period again, nor ask for the same again.
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0, 1]);
        let by = member(&id, 0);
        let again = Custody::prove(signed(&by), done, certificates);
        refused(again, Refusal::NothingToPay);
        refused(challenge(&OWNER, &place), Refusal::AlreadyProved);
        period(2);
        for_a_fee(challenge(&OWNER, &place));
    });
}

#[test]
fn whoever_brings_the_chunks_the_holder_s_account_is_paid() {
    on_new_chain(|| {
        let (_, place) = held();
        for_a_fee(challenge(&OWNER, &place));
        let open = Custody::challenge_of(&place).unwrap();
        let (rich, others) = (free(&account_of(0)), free(&account_of(1)));
        for part in 0..4 {
            let shown = PIECES[2].answer(&open, part).unwrap();
            assert_ok!(Custody::answer(signed(&account_of(1)), place, shown));
        }
        let paid = parts(price(2)).0;
        assert_eq!(free(&account_of(0)), rich + paid + TERMS.challenge_bond);
        assert_eq!(free(&account_of(1)), others);
    });
}

#[test]
fn a_period_that_was_paid_before_is_not_paid_again_by_an_answer() {
    on_new_chain(|| {
        let (id, place) = held();
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0, 1]);
        let by = member(&id, 0);
        free_of_charge(Custody::prove(signed(&by), done, certificates));
        let (rich, held) = (free(&account_of(0)), escrow(id).held);
        for_a_fee(challenge(&OWNER, &place));
        assert_eq!(answer_all(&place, 0), 4);
        assert_eq!(free(&account_of(0)), rich + TERMS.challenge_bond);
        assert_eq!(escrow(id).held, held);
    });
}

#[test]
fn small_pieces_are_shown_in_fewer_parts() {
    on_new_chain(|| {
        let id = opened();
        let places = [taken(id, 0, 0), taken(id, 1, 0)];
        period(1);
        for (place, expected) in places.iter().zip([1, 2]) {
            for_a_fee(challenge(&OWNER, place));
            let open = Custody::challenge_of(place).unwrap();
            assert_eq!(answer_all(place, 0), expected);
            assert_eq!(Custody::challenge_of(place), None);
            let again = PIECES[place.piece as usize].answer(&open, 0).unwrap();
            let again = Custody::answer(signed(&account_of(0)), *place, again);
            assert_noop!(again, Refusal::NotChallenged);
        }
    });
}

#[test]
fn what_is_not_asked_for_shows_nothing() {
    on_new_chain(|| {
        let (_, place) = held();
        for_a_fee(challenge(&OWNER, &place));
        let open = Custody::challenge_of(&place).unwrap();
        let right = PIECES[2].answer(&open, 0).unwrap();
        let show = |it| Custody::answer(signed(&account_of(0)), place, it);
        let mut wrong = right.clone();
        wrong.part = 4;
        assert_noop!(show(wrong), Refusal::NoSuchPart);
        let mut wrong = right.clone();
        wrong.chunks.pop();
        assert_noop!(show(wrong), Refusal::WrongChunks);
        let mut wrong = right.clone();
        wrong.chunks[1] = wrong.chunks[0].clone();
        assert_noop!(show(wrong), Refusal::ChunkRepeated);
        let mut wrong = right.clone();
        wrong.chunks[0].bytes.pop();
        assert_noop!(show(wrong), Refusal::ChunkLength);
        let mut wrong = right.clone();
        wrong.chunks[7].bytes[0] ^= 1;
        assert_noop!(show(wrong), Refusal::ChunkNotInPiece);
        // Of another piece, as long and at the same places.
        let other = Kept::patterned(9, PIECES[2].bytes.len());
        let wrong = other.answer(&open, 0).unwrap();
        assert_noop!(show(wrong), Refusal::ChunkNotInPiece);
        assert_ok!(show(right));
    });
}

#[test]
fn an_answer_comes_in_the_last_block_or_not_at_all() {
    on_new_chain(|| {
        let (_, place) = held();
        for_a_fee(challenge(&OWNER, &place));
        clock_to(25);
        for part in 0..3 {
            assert_ok!(answer(&place, 0, part));
        }
        refused(miss(&place), Refusal::AnswerAwaited);
        let last = PIECES[2].answer(&Custody::challenge_of(&place).unwrap(), 3);
        clock_to(26);
        let late = Custody::answer(signed(&account_of(0)), place, last.unwrap());
        assert_noop!(late, Refusal::AnswerLate);
    });
}

#[test]
fn only_owner_and_group_challenge_and_only_what_is_held_now() {
    on_new_chain(|| {
        let id = opened();
        let place = taken(id, 2, 0);
        // A piece is held from the next period on.
        refused(challenge(&OWNER, &place), Refusal::NotHeldNow);
        period(1);
        refused(challenge(&STRANGER, &place), Refusal::NotEntitled);
        refused(challenge(&account_of(0), &place), Refusal::NotEntitled);
        let nobody = Place { piece: 1, ..place };
        refused(challenge(&OWNER, &nobody), Refusal::NoSuchHolding);
        for_a_fee(challenge(&OWNER, &place));
        refused(challenge(&member(&id, 0), &place), Refusal::ChallengeOpen);
        answer_all(&place, 0);
        for_a_fee(Custody::release(signed(&OWNER), place));
        period(3);
        for_a_fee(challenge(&OWNER, &place));
        answer_all(&place, 0);
        // Released in period 1, it is held for the two periods behind that.
        period(4);
        refused(challenge(&OWNER, &place), Refusal::NotHeldNow);
    });
}

#[test]
fn who_has_not_the_bond_challenges_nobody() {
    on_new_chain(|| {
        let (_, place) = held();
        let all = free(&OWNER);
        let to_stranger = Balances::transfer_allow_death(signed(&OWNER), STRANGER, all - 50);
        assert_ok!(to_stranger);
        // One unit has to stay on the account.
        refused(challenge(&OWNER, &place), Refusal::BondTooSmall);
        let back = Balances::transfer_allow_death(signed(&STRANGER), OWNER, 1);
        assert_ok!(back);
        for_a_fee(challenge(&OWNER, &place));
    });
}

#[test]
fn what_is_asked_for_follows_from_the_first_block_of_the_period() {
    on_new_chain(|| {
        let (_, place) = held();
        let (known_of, randomness) = Custody::randomness_of(TERMS.period_blocks).unwrap();
        assert_eq!(known_of, 1);
        // Later blocks of the period change nothing.
        pass(5);
        for_a_fee(challenge(&OWNER, &place));
        let open = Custody::challenge_of(&place).unwrap();
        assert_eq!(open.seed, drawn::seed(&randomness, &place, 1));
        answer_all(&place, 0);
        // The clock enters a period in a block; only the next knows what that adds.
        Clock::set(&20);
        refused(challenge(&OWNER, &place), Refusal::PeriodJustBegun);
        next_block();
        for_a_fee(challenge(&OWNER, &place));
        let (period, other) = Custody::randomness_of(TERMS.period_blocks).unwrap();
        assert_eq!(period, 2);
        assert_ne!(other, randomness);
    });
}

#[test]
fn while_the_chain_has_no_fresh_randomness_nobody_is_challenged() {
    on_new_chain(|| {
        let (_, place) = held();
        Seed::set(&None);
        period(2);
        refused(challenge(&OWNER, &place), Refusal::PeriodJustBegun);
        // Whoever knew this before the period began could have kept only what is asked for.
        Seed::set(&Some(1));
        SeedAge::set(&2);
        next_block();
        refused(challenge(&OWNER, &place), Refusal::PeriodJustBegun);
        SeedAge::set(&1);
        next_block();
        for_a_fee(challenge(&OWNER, &place));
    });
}

#[test]
fn contracts_with_periods_of_another_length_have_another_randomness() {
    on_new_chain(|| {
        let _ = opened();
        TermsOfNow::set(&Terms {
            period_blocks: 14,
            ..TERMS
        });
        assert_ok!(Custody::open(
            signed(&OTHER_OWNER),
            offer(0),
            TermsOfNow::get(),
            DEPOSIT
        ));
        pass(12);
        pass(2);
        let known: Vec<_> = Lengths::<Test>::get()
            .iter()
            .map(|length| (length.blocks, length.contracts, length.known.unwrap().0))
            .collect();
        assert_eq!(known, [(10, 1, 1), (14, 1, 1)]);
        let of = |blocks| Custody::randomness_of(blocks).unwrap().1;
        assert_ne!(of(10), of(14));
        assert_eq!(Custody::randomness_of(11), None);
    });
}

#[test]
fn challenges_are_kept_in_the_order_in_which_they_are_due() {
    on_new_chain(|| {
        let id = opened();
        let places = [taken(id, 2, 0), taken(id, 1, 1), taken(id, 0, 2)];
        period(1);
        for place in &places {
            for_a_fee(challenge(&OWNER, place));
            pass(3);
        }
        let due = DueChallenges::<Test>::iter_keys();
        let due: Vec<_> = due
            .map(|(due, place)| (u32::from_be_bytes(due), place))
            .collect();
        let expected = [(25, places[0]), (28, places[1]), (31, places[2])];
        assert_eq!(due, expected);
    });
}
