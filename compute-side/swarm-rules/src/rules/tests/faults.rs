use super::*;

#[test]
fn whatever_breaks_a_rule_ends_the_connection_and_says_which() {
    let hello_of = |task: u8, slots| {
        Message::Hello(Hello {
            task: Digest([task; 32]),
            version: VERSION,
            slots,
        })
    };
    let mut long = made(0, 1, 1);
    long.payload.bytes = 1_001;
    let mut altered = made(0, 1, 1);
    altered.payload.root = root(2);
    let mut endless = claim(0, 1, 1).payload;
    endless.ttl_ms = 600_001;
    let mut sixth = claim(0, 1, 1).payload;
    sixth.slot = 1;
    let cases = [
        (hello_of(7, 1), Fault::HelloAgain),
        (
            Message::Bitfield(vec![0; 3]),
            Fault::BitfieldLength {
                bytes: 3,
                expected: 2,
            },
        ),
        (Message::Bitfield(vec![0, 4]), Fault::BitfieldSpare),
        (Message::Bitfield(vec![0; 2]), Fault::BitfieldAgain),
        (
            Message::Have(made(10, 1, 1)),
            Fault::NoSuchPiece { piece: 10 },
        ),
        (
            Message::Have(long),
            Fault::PieceLong {
                bytes: 1_001,
                max: 1_000,
            },
        ),
        (Message::Have(altered), Fault::Signature),
        (Message::Heard(vec![Word::Made(altered)]), Fault::Signature),
        (Message::Claim(claim(0, 1, 2)), Fault::NotItsOwn),
        (
            Message::Checked(checked(0, (1, 1), true, 2)),
            Fault::NotItsOwn,
        ),
        (Message::Claim(key(1).sign(sixth, &GENESIS)), Fault::Claims),
        (
            Message::Claim(key(1).sign(endless, &GENESIS)),
            Fault::ClaimTime { ttl_ms: 600_001 },
        ),
        (Message::Peers(vec![b"/nowhere".to_vec()]), Fault::Address),
    ];
    for (message, fault) in cases {
        let mut one = One::among(&[1]);
        assert_eq!(dropped(&one.hears(1, message)), Some(fault));
    }
    for (first, fault) in [
        (hello_of(8, 1), Fault::OtherTask),
        (hello_of(7, 0), Fault::Slots { slots: 0 }),
        (hello_of(7, 65), Fault::Slots { slots: 65 }),
        (Message::Heard(vec![]), Fault::NoHello),
    ] {
        let mut one = One::among(&[]);
        one.step(Event::Joined {
            peer: id(1),
            opened: true,
        });
        assert_eq!(dropped(&one.hears(1, first)), Some(fault));
    }
}

#[test]
fn a_word_for_another_task_is_nobody_s_word() {
    let word = key(1).sign(made(0, 1, 1).payload, &GenesisHash([8; 32]));
    let mut one = One::among(&[1]);
    assert_eq!(
        dropped(&one.hears(1, Message::Have(word))),
        Some(Fault::Signature)
    );
}

#[test]
fn bytes_that_are_not_the_piece_end_the_connection_and_nothing_is_stored() {
    for (fault, expected) in [
        (FetchFault::Wrong, Some(Fault::PieceWrong)),
        (FetchFault::Longer, Some(Fault::PieceLonger)),
        (FetchFault::Gone, None),
    ] {
        let mut one = One::among(&[1]);
        let effects = one.hears(1, Message::Have(made(3, 1, 1)));
        assert!(effects.contains(&Effect::Fetch {
            made: made(3, 1, 1),
            from: id(1),
        }));
        let effects = one.step(Event::FetchFailed {
            piece: 3,
            from: id(1),
            fault,
        });
        assert_eq!(dropped(&effects), expected);
        assert!(!effects.iter().any(|it| matches!(it, Effect::Store { .. })));
    }
}

#[test]
fn there_are_thirty_neighbours_at_most() {
    let mut one = One::among(&[]);
    for peer in 1..=30 {
        assert_eq!(dropped(&one.meets(peer)), None);
    }
    assert_eq!(dropped(&one.meets(31)), Some(Fault::Full));
}

#[test]
fn a_million_announcements_are_a_bit_each() {
    let mut one = One::among(&[1, 2]);
    for _ in 0..1_000 {
        let effects = one.hears(1, Message::Have(made(3, 1, 1)));
        assert_eq!(dropped(&effects), None);
    }
    assert_eq!(one.rules.pieces.get(3).unwrap().makers.len(), 1);
    // As many makers of one piece as anybody likes are three.
    for by in 2..40 {
        one.hears(1, Message::Heard(vec![Word::Made(made(3, by, by))]));
    }
    assert_eq!(one.rules.pieces.get(3).unwrap().makers.len(), 3);
}
