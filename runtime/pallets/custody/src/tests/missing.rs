//! What follows for who does not answer.

use super::*;
use crate::{Event, MISSES_KEPT_MAX, WeightInfo};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use quern_primitives::{
    custody::{Miss, Step},
    limits::REVIEW_PERIOD_BLOCKS,
};

/// A device that holds all pieces of a contract, in the period in which it holds them first.
fn holder() -> (ContractId, [Place; 3]) {
    let id = opened();
    let places = [0, 1, 2].map(|piece| taken(id, piece, 0));
    period(1);
    (id, places)
}

/// Has a challenge be opened and its time pass.
fn lose(place: &Place) {
    for_a_fee(challenge(&OWNER, place));
    pass(TERMS.answer_blocks + 1);
    free_of_charge(miss(place));
}

fn last_step() -> (Step, u128) {
    match events().pop() {
        Some(Event::ChallengeMissed { step, slash, .. }) => (step, slash),
        other => panic!("{other:?}"),
    }
}

fn last_miss(place: &Place) -> Miss {
    *Custody::misses_of(&place.holder).last().unwrap()
}

#[test]
fn who_does_not_answer_holds_the_piece_no_more_and_the_bond_goes_back() {
    on_new_chain(|| {
        let (id, [_, _, place]) = holder();
        let (rich, reserved) = (free(&OWNER), escrow(id).reserved);
        lose(&place);
        assert_eq!(free(&OWNER), rich);
        assert_eq!(Custody::put_up_by(&OWNER), 0);
        let holding = Custody::holding(&place).unwrap();
        assert_eq!(holding.until, Some(1));
        assert_eq!(Custody::holders(&id, 2), 0);
        // What was reserved is there for the next holder.
        let freed = u128::from(PERIODS) * price(2);
        assert_eq!(escrow(id).reserved, reserved - freed);
        taken(id, 2, 1);
        assert_eq!(last_miss(&place).step, Step::Warning);
    });
}

#[test]
fn who_misses_again_and_again_is_warned_contained_and_then_pays() {
    on_new_chain(|| {
        let (id, places) = holder();
        lose(&places[0]);
        assert_eq!(last_step(), (Step::Warning, 0));
        assert!(!Custody::is_contained(&device(0)));
        pass(1);
        lose(&places[1]);
        assert_eq!(last_step(), (Step::Containment, 0));
        assert!(Custody::is_contained(&device(0)));
        assert_eq!(Bonds::get(account_of(0)), BOND);
        // It gets nothing more.
        let word = signed_by(0, consent(&place(id, 0, 0), 0));
        let more = Custody::hold(signed(&OWNER), word, path(0));
        refused(more, Refusal::DeviceContained);
        pass(1);
        let rich = free(&OWNER);
        lose(&places[2]);
        assert_eq!(last_step(), (Step::Penalty, 1_001));
        assert_eq!(Bonds::get(account_of(0)), BOND - 1_001);
        assert_eq!(free(&OWNER), rich + 500);
        assert_eq!(Burnt::get(), 501);
    });
}

#[test]
fn a_device_that_is_off_for_an_hour_is_warned_once() {
    on_new_chain(|| {
        let (_, places) = holder();
        for place in &places {
            for_a_fee(challenge(&OWNER, place));
        }
        pass(TERMS.answer_blocks + 1);
        for (place, step) in places.iter().zip([Step::Warning, Step::Known, Step::Known]) {
            free_of_charge(miss(place));
            assert_eq!(last_step(), (step, 0));
        }
    });
}

#[test]
fn the_chain_itself_says_what_is_missed_where_a_block_has_room() {
    on_new_chain(|| {
        let (_, places) = holder();
        for place in &places {
            for_a_fee(challenge(&OWNER, place));
        }
        clock_to(25);
        idle();
        assert!(Custody::misses_of(&device(0)).is_empty(), "it is not over");
        clock_to(26);
        // Room for two of them.
        let weights = <() as WeightInfo>::look_for_due().saturating_add(<() as WeightInfo>::miss());
        Custody::on_idle(System::block_number(), weights.saturating_mul(2));
        assert_eq!(Custody::misses_of(&device(0)).len(), 2);
        Custody::on_idle(System::block_number(), Weight::zero());
        assert_eq!(Custody::misses_of(&device(0)).len(), 2);
        idle();
        assert_eq!(Custody::misses_of(&device(0)).len(), 3);
        assert!(places.iter().all(|it| Custody::challenge_of(it).is_none()));
    });
}

#[test]
fn a_miss_that_cannot_be_said_keeps_no_other_waiting() {
    on_new_chain(|| {
        let (_, places) = holder();
        for place in &places[..2] {
            lose(place);
            pass(1);
        }
        for_a_fee(challenge(&OWNER, &places[2]));
        // A register that takes nothing of a bond.
        pass(TERMS.answer_blocks + 1);
        let bond = Bonds::get(account_of(0));
        IsStuck::set(&true);
        idle();
        assert!(Custody::challenge_of(&places[2]).is_some());
        assert_noop!(
            plain(miss(&places[2])),
            DispatchError::Other("the register takes nothing")
        );
        // It is left to the call.
        IsStuck::set(&false);
        idle();
        assert!(Custody::challenge_of(&places[2]).is_some());
        free_of_charge(miss(&places[2]));
        assert_eq!(Bonds::get(account_of(0)), bond - 1_001);
    });
}

#[test]
fn a_penalty_is_never_above_the_bond() {
    on_new_chain(|| {
        let (_, places) = holder();
        Bonds::insert(account_of(0), 7);
        Burnt::set(&(BOND - 7));
        for place in &places {
            lose(place);
            pass(1);
        }
        assert_eq!(last_miss(&places[2]).slash, 7);
        assert_eq!(Bonds::get(account_of(0)), 0);
    });
}

#[test]
fn nobody_gets_a_part_of_what_they_lose_themselves() {
    on_new_chain(|| {
        let id = opened();
        Registered::insert(device(0), OWNER);
        let bond = Bonds::take(account_of(0));
        Bonds::insert(OWNER, bond);
        let places = [0, 1, 2].map(|piece| {
            let place = place(id, piece, 0);
            let mut own = consent(&place, 0);
            own.account = OWNER;
            let word = signed_by(0, own);
            for_a_fee(Custody::hold(signed(&OWNER), word, path(piece)));
            place
        });
        period(1);
        let rich = free(&OWNER);
        for place in &places {
            lose(place);
            pass(1);
        }
        assert_eq!(free(&OWNER), rich);
        assert_eq!((Bonds::get(&OWNER), Burnt::get()), (BOND - 1_001, 1_001));
    });
}

#[test]
fn what_was_missed_is_there_to_see_until_the_device_is_reviewed() {
    on_new_chain(|| {
        let (_, places) = holder();
        for_a_fee(challenge(&OWNER, &places[2]));
        let open = Custody::challenge_of(&places[2]).unwrap();
        assert_ok!(answer(&places[2], 0, 1));
        clock_to(26);
        free_of_charge(miss(&places[2]));
        let seen = last_miss(&places[2]);
        assert_eq!((seen.place, seen.seed), (places[2], open.seed));
        assert_eq!(seen.chunk_root, PIECES[2].tree.root());
        assert_eq!(seen.bytes, PIECES[2].bytes.len() as u64);
        assert_eq!((seen.period, seen.opened_at, seen.due), (1, 10, 25));
        assert_eq!(seen.answered, 0b10);
        // Who is only warned has nothing to have reviewed.
        let review = |by: &AccountId| Custody::review(signed(by), device(0));
        assert_noop!(review(&account_of(0)), Refusal::NotContained);
        pass(1);
        lose(&places[1]);
        let from = Clock::get() + REVIEW_PERIOD_BLOCKS;
        clock_to(from - 1);
        assert_noop!(review(&account_of(0)), Refusal::MissedLately);
        clock_to(from);
        assert_noop!(review(&OWNER), Refusal::NotDevicesAccount);
        assert_eq!(Custody::misses_of(&device(0)).len(), 2);
        assert_ok!(review(&account_of(0)));
        assert!(Custody::misses_of(&device(0)).is_empty());
        assert_eq!(Custody::standing(&device(0)), Default::default());
        let event = Event::DeviceReviewed { device: device(0) };
        assert_eq!(events().last(), Some(&event));
    });
}

#[test]
fn what_something_followed_from_is_kept_when_more_is_missed_than_there_is_room_for() {
    on_new_chain(|| {
        let (_, places) = holder();
        lose(&places[0]);
        let (first, mut known) = (last_miss(&places[0]), last_miss(&places[0]));
        known.step = Step::Known;
        for number in 0..MISSES_KEPT_MAX {
            known.period = 100 + number;
            Custody::remember(&device(0), known);
        }
        let kept = Custody::misses_of(&device(0));
        assert_eq!(kept.len(), MISSES_KEPT_MAX as usize);
        assert_eq!(kept[0], first, "the warning stays");
        assert_eq!(kept[1].period, 101, "the oldest of the others went");
        // Where something followed from each, the oldest goes.
        let mut penalty = first;
        penalty.step = Step::Penalty;
        for _ in 0..=MISSES_KEPT_MAX {
            Custody::remember(&device(0), penalty);
        }
        let kept = Custody::misses_of(&device(0));
        assert_eq!(kept.len(), MISSES_KEPT_MAX as usize);
        assert!(kept.iter().all(|it| *it == penalty));
    });
}

#[test]
fn nothing_is_missed_that_was_not_asked_for() {
    on_new_chain(|| {
        let (id, places) = holder();
        refused(miss(&places[0]), Refusal::NotChallenged);
        refused(miss(&place(id, 0, 1)), Refusal::NoSuchHolding);
        refused(
            miss(&place(id_of(&OWNER, 9), 0, 0)),
            Refusal::NoSuchContract,
        );
        for_a_fee(challenge(&OWNER, &places[0]));
        refused(miss(&places[0]), Refusal::AnswerAwaited);
        pass(TERMS.answer_blocks);
        refused(miss(&places[0]), Refusal::AnswerAwaited);
        pass(1);
        free_of_charge(miss(&places[0]));
        refused(miss(&places[0]), Refusal::NotChallenged);
    });
}

#[test]
fn what_was_paid_before_a_miss_stays_paid() {
    on_new_chain(|| {
        let (id, [_, _, place]) = holder();
        for_a_fee(challenge(&OWNER, &place));
        // The group certifies the same period meanwhile.
        let done = proved(id, 1, &[place]);
        let certificates = words(&done, &[0, 1]);
        let by = member(&id, 0);
        free_of_charge(Custody::prove(signed(&by), done, certificates));
        let rich = free(&account_of(0));
        pass(TERMS.answer_blocks + 1);
        free_of_charge(miss(&place));
        assert_eq!(free(&account_of(0)), rich);
        assert_eq!(Custody::holding(&place).unwrap().until, Some(2));
        // Nothing of it is left to be paid.
        free_of_charge(forget(&place));
    });
}
