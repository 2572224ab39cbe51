use super::*;

#[test]
fn who_holds_computes_nothing_until_it_may_begin() {
    let mut one = One::of(TASK, &[1], vec![]);
    one.rules = one.rules.holding();
    let begun = |effects: &[Effect]| {
        effects
            .iter()
            .any(|it| matches!(it, Effect::Compute { .. }))
    };
    assert!(!one.rules.has_caught_up());
    assert!(!begun(&one.meets(1)));
    assert!(one.rules.has_caught_up());
    one.hears(1, Message::Have(made(3, 1, 2)));
    assert!(one.rules.has_caught_up());
    assert!(!begun(&one.step(Event::Woke)));
    assert!(begun(&one.step(Event::Begin)));
}

#[test]
fn who_hears_that_a_neighbour_has_a_piece_has_not_caught_up_before_it_knows_who_made_it() {
    let mut one = One::of(TASK, &[1], vec![]);
    one.step(Event::Joined {
        peer: id(1),
        opened: true,
    });
    one.hears(1, hello());
    assert!(!one.rules.has_caught_up(), "it has not said what it has");
    one.hears(1, Message::Bitfield(vec![0b1000, 0]));
    assert!(!one.rules.has_caught_up());
    one.hears(1, Message::Heard(vec![Word::Made(made(3, 1, 2))]));
    assert!(one.rules.has_caught_up());
}

#[test]
fn a_piece_is_announced_when_it_is_on_the_disk_and_the_next_is_begun_before() {
    let mut one = One::among(&[1]);
    let first = one.computes().unwrap();
    let effects = one.ends(1);
    let next = one.computes().unwrap();
    assert_ne!(first, next);
    let store = effects.iter().position(|it| {
        matches!(it, Effect::Store { made, bytes: Bytes::Computed } if made.payload.piece == first)
    });
    let begin = effects
        .iter()
        .position(|it| matches!(it, Effect::Compute { piece, why: Why::New } if *piece == next));
    assert!(store.unwrap() < begin.unwrap());
    let has_said = |effects: &[Effect]| {
        let said = said(effects, 1);
        said.iter()
            .any(|it| matches!(it, Message::Have(word) if word.payload.piece == first))
    };
    assert!(!has_said(&effects));
    assert!(!one.rules.serves(first, &root(1)));
    let effects = one.step(Event::Stored { piece: first });
    assert!(has_said(&effects));
    assert!(one.rules.serves(first, &root(1)));
    assert!(!one.rules.serves(first, &root(2)));
}

#[test]
fn what_is_begun_is_claimed_and_the_claim_renewed() {
    let mut one = One::among(&[1]);
    let piece = one.computes().unwrap();
    let claims = |effects: &[Effect]| -> Vec<Claimed> {
        let said = said(effects, 1).into_iter().filter_map(|it| match it {
            Message::Claim(word) => Some(word.payload),
            _ => None,
        });
        said.collect()
    };
    let ttl_ms = 30_000;
    let effects = one.later(ttl_ms * 2 / 3 - 1);
    assert_eq!(claims(&effects), []);
    let renewed = claims(&one.later(1));
    assert_eq!(renewed.len(), 1);
    assert_eq!(renewed[0].piece, piece);
    assert_eq!(u64::from(renewed[0].ttl_ms), ttl_ms);
    // A newcomer hears of it too.
    assert_eq!(
        claims(&{
            let mut effects = one.meets(2);
            effects.retain(|it| matches!(it, Effect::Send(peer, _) if *peer == id(2)));
            effects.iter_mut().for_each(|it| {
                if let Effect::Send(peer, _) = it {
                    *peer = id(1);
                }
            });
            effects
        }),
        renewed
    );
}

/// The peer of some whose weight for a piece is greater, or smaller, than that of number 0.
fn rival(piece: u32, is_heavier: bool) -> u8 {
    let weight = |peer: u8| crate::weight::Weights::of(&TASK.digest, &id(peer)).at(piece);
    let mut others = 1..=u8::MAX;
    others
        .find(|it| (weight(*it) > weight(0)) == is_heavier)
        .unwrap()
}

#[test]
fn of_two_at_one_piece_the_lighter_lets_go_if_it_has_hardly_begun() {
    for (is_heavier, after_ms, lets_go) in
        [(true, 4_000, true), (true, 6_000, false), (false, 0, false)]
    {
        let mut one = One::among(&[9]);
        let piece = one.computes().unwrap();
        let rival = rival(piece, is_heavier);
        one.later(after_ms);
        let heard = Message::Heard(vec![Word::Claim(claim(piece, 1, rival))]);
        let effects = one.hears(9, heard);
        assert_eq!(effects.contains(&Effect::Abandon(piece)), lets_go);
        assert_eq!(one.computes() != Some(piece), lets_go);
    }
}

#[test]
fn for_strangers_half_of_the_time_of_a_piece_is_given_up_and_no_more() {
    let mut one = One::among(&[9]);
    let mut number = 0;
    let mut claimed_by_heavier = |one: &mut One, rival: u8| {
        one.later(3_000);
        let piece = one.computes().unwrap();
        number += 1;
        let mut word = claim(piece, number, rival).payload;
        word.slot = number as u8;
        let word = key(rival).sign(word, &GENESIS);
        one.hears(9, Message::Heard(vec![Word::Claim(word)]));
        one.computes() != Some(piece)
    };
    let weight = |peer: u8, piece| crate::weight::Weights::of(&TASK.digest, &id(peer)).at(piece);
    // One that is heavier for nearly everything.
    let heavy = (1..=u8::MAX).max_by_key(|it| {
        (0..10)
            .filter(|piece| weight(*it, *piece) > weight(0, *piece))
            .count()
    });
    let heavy = heavy.unwrap();
    let lets_go: Vec<bool> = (0..4)
        .map(|_| claimed_by_heavier(&mut one, heavy))
        .collect();
    assert_eq!(lets_go.iter().filter(|it| **it).count(), 1, "{lets_go:?}");
}

#[test]
fn a_stranger_s_claims_bar_only_while_there_is_something_else() {
    let mut one = One::among(&[1]);
    let mine = one.computes().unwrap();
    for piece in (0..10).filter(|it| *it != mine) {
        let mut word = claim(piece, u64::from(piece) + 1, 2).payload;
        word.slot = piece as u8;
        one.hears(
            1,
            Message::Heard(vec![Word::Claim(key(2).sign(word, &GENESIS))]),
        );
    }
    one.ends(1);
    assert!(
        one.computes().is_some(),
        "it goes on with what is only claimed"
    );
}

#[test]
fn what_is_only_hearsay_is_computed_after_two_times_of_a_piece() {
    let mut one = One::of(Task { pieces: 1, ..TASK }, &[2], vec![]);
    one.rules.slots = 0;
    one.step(Event::Joined {
        peer: id(1),
        opened: true,
    });
    one.hears(1, hello());
    one.hears(1, Message::Heard(vec![Word::Made(made(0, 1, 2))]));
    one.rules.slots = 1;
    one.later(19_000);
    assert_eq!(one.computes(), None);
    one.later(1_000);
    assert_eq!(one.computes(), Some(0));
}

#[test]
fn a_peer_that_starts_again_has_what_was_on_its_disk() {
    let held = vec![made(3, 1, 0), made(4, 2, 5)];
    let mut one = One::of(TASK, &[], held);
    let effects = one.step(Event::Joined {
        peer: id(1),
        opened: true,
    });
    let bits = Message::Bitfield(vec![0b1_1000, 0]);
    assert_eq!(said(&effects, 1)[1], bits);
    assert!(one.rules.serves(3, &root(1)) && one.rules.serves(4, &root(2)));
    assert!(!matches!(one.computes(), Some(3 | 4)));
}

#[test]
fn what_was_lost_on_its_way_is_said_again() {
    let mut teller = One::of(TASK, &[], vec![made(3, 1, 0)]);
    let mut asker = One::among(&[]);
    asker.rules.keys = key(8);
    teller.meets(1);
    asker.meets(2);
    // The bitfield of the first said that it has nothing: its announcement was lost.
    let sums = said(&teller.later(2_000), 1);
    let sums = sums
        .into_iter()
        .find(|it| matches!(it, Message::Compare(_)));
    let wanted = said(&asker.hears(2, sums.unwrap()), 2);
    let [wanted @ Message::Resend(_)] = wanted.as_slice() else {
        panic!("it is asked again: {wanted:?}");
    };
    let answer = said(&teller.hears(1, wanted.clone()), 1);
    assert!(answer.contains(&Message::Bitfield(vec![0b1000, 0])));
    assert!(answer.contains(&Message::Heard(vec![Word::Made(made(3, 1, 0))])));
    // Who asks again at once waits.
    assert_eq!(said(&teller.hears(1, wanted.clone()), 1), []);
}

#[test]
fn a_piece_that_could_not_be_computed_rests() {
    let mut one = One::of(Task { pieces: 1, ..TASK }, &[], vec![]);
    one.step(Event::Woke);
    let output = None;
    one.step(Event::Computed { piece: 0, output });
    assert_eq!(one.computes(), None);
    one.later(4_000);
    assert_eq!(one.computes(), None);
    one.later(1_000);
    assert_eq!(one.computes(), Some(0));
}
