use super::*;

/// A peer with all pieces of a task of three but the first, as these made them.
fn with_two(trusted: &[u8], second: Signed<Made>, third: Signed<Made>) -> One {
    One::of(Task { pieces: 3, ..TASK }, trusted, vec![second, third])
}

#[test]
fn who_trusts_all_merges_as_soon_as_all_is_here() {
    let mut one = with_two(&[1], made(1, 1, 1), made(2, 1, 1));
    one.step(Event::Woke);
    let effects = one.ends(1);
    assert!(!effects.contains(&Effect::Merge), "it is not on the disk");
    let effects = one.step(Event::Stored { piece: 0 });
    assert!(effects.contains(&Effect::Merge));
    assert!(!one.later(60_000).contains(&Effect::Merge), "once");
    assert!(one.rules.progress().is_merged);
}

#[test]
fn a_strangers_piece_is_computed_here_before_its_pieces_are_merged() {
    let mut one = with_two(&[], made(1, 1, 1), made(2, 1, 1));
    one.meets(1);
    one.ends(1);
    let effects = one.step(Event::Stored { piece: 0 });
    assert!(!effects.contains(&Effect::Merge));
    assert!(matches!(one.computes(), Some(1 | 2)));
    let effects = one.ends(1);
    assert_eq!(one.rules.standing(&id(1)), Standing::Vouched);
    assert!(effects.contains(&Effect::Merge));
    let keep = effects
        .iter()
        .position(|it| matches!(it, Effect::Keep(word) if word.payload.holds));
    let tell = effects
        .iter()
        .position(|it| matches!(it, Effect::Send(_, Message::Checked(_))));
    assert!(
        keep.unwrap() < tell.unwrap(),
        "it is kept before it is said"
    );
}

#[test]
fn whose_piece_comes_out_otherwise_is_out_and_its_pieces_are_missing_again() {
    let mut one = with_two(&[], made(1, 1, 1), made(2, 1, 1));
    one.meets(1);
    one.ends(1);
    one.step(Event::Stored { piece: 0 });
    let wrong = one.computes().unwrap();
    let other = 3 - wrong;
    let effects = one.ends(9);
    assert_eq!(one.rules.standing(&id(1)), Standing::Caught);
    assert!(effects.contains(&Effect::Discard(wrong)) && effects.contains(&Effect::Discard(other)));
    assert_eq!(dropped(&effects), Some(Fault::Lied));
    assert_eq!(one.computes(), Some(other));
    let effects = one.step(Event::Joined {
        peer: id(1),
        opened: false,
    });
    assert_eq!(dropped(&effects), Some(Fault::Lied));
}

#[test]
fn whoever_is_vouched_for_vouches_for_others_whatever_comes_first() {
    let words = [
        Message::Heard(vec![Word::Made(made(1, 1, 2))]),
        Message::Heard(vec![Word::Checked(checked(1, (1, 2), true, 1))]),
        Message::Heard(vec![Word::Checked(checked(2, (1, 3), true, 2))]),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut one = One::of(TASK, &[1], vec![]);
        one.meets(8);
        for at in order {
            one.hears(8, words[at].clone());
        }
        assert_eq!(one.rules.standing(&id(2)), Standing::Vouched);
        assert_eq!(one.rules.standing(&id(3)), Standing::Vouched);
    }
    let mut one = One::of(TASK, &[], vec![]);
    one.meets(8);
    words
        .iter()
        .for_each(|word| drop(one.hears(8, word.clone())));
    assert_eq!(one.rules.standing(&id(3)), Standing::Stranger);
}

#[test]
fn one_that_is_vouched_for_convicts_nobody_and_two_do() {
    let mut one = One::of(TASK, &[1, 2], vec![]);
    one.meets(8);
    one.hears(8, Message::Heard(vec![Word::Made(made(4, 6, 3))]));
    one.hears(
        8,
        Message::Heard(vec![Word::Checked(checked(4, (6, 3), false, 1))]),
    );
    assert_eq!(one.rules.standing(&id(3)), Standing::Stranger);
    one.ends(1);
    assert_eq!(one.computes(), Some(4), "it is computed here");
    one.hears(
        8,
        Message::Heard(vec![Word::Checked(checked(4, (6, 3), false, 2))]),
    );
    assert_eq!(one.rules.standing(&id(3)), Standing::Accused);
    // What a key never signed is nothing to accuse it of.
    for by in [1, 2] {
        let statement = checked(5, (6, 4), false, by);
        one.hears(8, Message::Heard(vec![Word::Checked(statement)]));
    }
    assert_eq!(one.rules.standing(&id(4)), Standing::Stranger);
}

#[test]
fn who_accuses_wrongly_is_out_and_the_accused_is_not() {
    let mut one = One::of(TASK, &[1, 2], vec![]);
    one.meets(8);
    one.hears(8, Message::Heard(vec![Word::Made(made(4, 6, 3))]));
    for by in [1, 2] {
        let statement = checked(4, (6, 3), false, by);
        one.hears(8, Message::Heard(vec![Word::Checked(statement)]));
    }
    assert_eq!(one.rules.standing(&id(3)), Standing::Accused);
    // The piece is missing again, and computed here sooner or later: it holds.
    for _ in 0..10 {
        let number = if one.computes() == Some(4) { 6 } else { 1 };
        one.ends(number);
    }
    assert_eq!(one.rules.standing(&id(1)), Standing::Caught);
    assert_eq!(one.rules.standing(&id(2)), Standing::Caught);
    assert!(!one.rules.standing(&id(3)).is_out());
}

#[test]
fn two_results_of_one_piece_under_one_key_are_a_lie() {
    let mut one = One::among(&[1, 2]);
    one.hears(1, Message::Have(made(3, 1, 1)));
    let effects = one.hears(2, Message::Heard(vec![Word::Made(made(3, 2, 1))]));
    assert_eq!(one.rules.standing(&id(1)), Standing::Caught);
    assert_eq!(dropped(&effects), Some(Fault::Lied));
}

#[test]
fn who_repeats_anothers_root_is_not_vouched_for() {
    let mut one = with_two(&[], made(1, 1, 1), made(2, 1, 1));
    one.meets(2);
    for piece in [1, 2] {
        one.hears(2, Message::Heard(vec![Word::Made(made(piece, 1, 2))]));
    }
    one.ends(1);
    one.step(Event::Stored { piece: 0 });
    one.ends(1);
    assert_eq!(one.rules.standing(&id(1)), Standing::Vouched);
    assert_eq!(one.rules.standing(&id(2)), Standing::Stranger);
}

#[test]
fn where_a_command_says_what_is_the_same_it_is_asked_and_obeyed() {
    for same in [true, false] {
        let task = Task {
            pieces: 3,
            is_exact: false,
            ..TASK
        };
        let mut one = One::of(task, &[], vec![made(1, 1, 1), made(2, 1, 1)]);
        one.meets(1);
        one.ends(1);
        one.step(Event::Stored { piece: 0 });
        let piece = one.computes().unwrap();
        let effects = one.ends(9);
        let compare = Effect::Compare {
            piece,
            root: root(1),
        };
        assert!(effects.contains(&compare));
        assert_eq!(one.rules.standing(&id(1)), Standing::Stranger);
        let effects = one.step(Event::Compared {
            piece,
            root: root(1),
            same,
        });
        let expected = if same {
            Standing::Vouched
        } else {
            Standing::Caught
        };
        assert_eq!(one.rules.standing(&id(1)), expected);
        let stores = effects.iter().any(|it| {
            matches!(it, Effect::Store { made, bytes: Bytes::Computed } if made.payload.by == id(0))
        });
        assert_eq!(
            stores, !same,
            "what came out here takes the place of what lied"
        );
    }
}

#[test]
fn an_owner_s_machines_check_nothing() {
    let mut one = with_two(&[1, 2], made(1, 1, 1), made(2, 1, 2));
    one.meets(1);
    one.ends(1);
    one.step(Event::Stored { piece: 0 });
    assert_eq!(one.computes(), None);
    let trusted: BTreeSet<Standing> = [1, 2].map(|it| one.rules.standing(&id(it))).into();
    assert_eq!(trusted, BTreeSet::from([Standing::Trusted]));
}
