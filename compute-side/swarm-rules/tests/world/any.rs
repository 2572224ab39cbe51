//! Whatever happens in whatever order: nothing panics, and nothing grows without end.

use crate::world::{Sham, TASK, address_of};
use proptest::prelude::*;
use quern_primitives::Digest;
use quern_swarm_rules::{
    Effect, Event, FetchFault, Keys, Output, PeerId, Rules, Setup, Task, Tick,
    message::{BUCKETS, Claimed, Hello, Made, Message, Resend, Statement, Sums, Word},
};
use std::collections::BTreeSet;

const PIECES: u32 = 20;

fn sham(number: u8) -> Sham {
    Sham::new(5, number.into())
}

fn id(number: u8) -> PeerId {
    Keys::id(&sham(number))
}

fn any_peer() -> impl Strategy<Value = u8> {
    0u8..6
}

fn any_piece() -> impl Strategy<Value = u32> {
    0..PIECES + 2
}

fn any_root() -> impl Strategy<Value = Digest> {
    (0u8..3).prop_map(|it| Digest([it; 32]))
}

fn any_word() -> impl Strategy<Value = Word> {
    prop_oneof![
        (any_piece(), any_root(), any_peer(), 0u32..1_200).prop_map(|(piece, root, by, bytes)| {
            let by_id = id(by);
            Word::Made(sham(by).sign_word(Made {
                piece,
                bytes,
                root,
                by: by_id,
            }))
        }),
        (any_piece(), any_peer(), 0u8..70, 0u64..9, 0u32..2_000_000).prop_map(
            |(piece, by, slot, number, ttl_ms)| {
                let by_id = id(by);
                Word::Claim(sham(by).sign_word(Claimed {
                    piece,
                    slot,
                    number,
                    ttl_ms,
                    by: by_id,
                }))
            }
        ),
        (
            any_piece(),
            any_root(),
            any_peer(),
            any_peer(),
            any::<bool>()
        )
            .prop_map(|(piece, root, of, by, holds)| {
                let (of, by_id) = (id(of), id(by));
                Word::Checked(sham(by).sign_word(Statement {
                    piece,
                    root,
                    of,
                    holds,
                    by: by_id,
                }))
            }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let bits = proptest::collection::vec(any::<u8>(), 2..4);
    prop_oneof![
        4 => (0u8..9, any::<bool>()).prop_map(|(slots, is_task)| Message::Hello(Hello {
            task: if is_task { TASK } else { Digest([0; 32]) },
            version: 1,
            slots,
        })),
        2 => bits.clone().prop_map(Message::Bitfield),
        6 => any_word().prop_map(|word| match word {
            Word::Made(word) => Message::Have(word),
            Word::Claim(word) => Message::Claim(word),
            Word::Checked(word) => Message::Checked(word),
        }),
        6 => proptest::collection::vec(any_word(), 0..6).prop_map(Message::Heard),
        1 => any::<u64>().prop_map(|it| Message::Compare(Sums {
            has: it,
            made: it,
            claims: [it as u32; BUCKETS],
            statements: [it as u32; BUCKETS],
        })),
        1 => (any::<bool>(), bits, any::<u16>()).prop_map(|(bitfield, bits, wanted)| {
            Message::Resend(Resend { bitfield, made_but: Some(bits), claims: wanted, statements: wanted })
        }),
        1 => any_peer().prop_map(|it| {
            Message::Peers(vec![address_of(&id(it)).as_str().as_bytes().to_vec()])
        }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let output = proptest::option::of((0u32..1_200, any_root()));
    let output = output.prop_map(|it| it.map(|(bytes, root)| Output { bytes, root }));
    prop_oneof![
        2 => (any_peer(), any::<bool>()).prop_map(|(peer, opened)| Event::Joined { peer: id(peer), opened }),
        1 => any_peer().prop_map(|it| Event::Left(id(it))),
        1 => any_peer().prop_map(|it| Event::Found(address_of(&id(it)))),
        1 => any_peer().prop_map(|it| Event::DialFailed(id(it))),
        12 => (any_peer(), any_message()).prop_map(|(peer, it)| Event::Said(id(peer), it)),
        4 => (any_piece(), output).prop_map(|(piece, output)| Event::Computed { piece, output }),
        1 => (any_piece(), any_root(), any::<bool>())
            .prop_map(|(piece, root, same)| Event::Compared { piece, root, same }),
        2 => (any_piece(), any_peer()).prop_map(|(piece, from)| Event::Fetched { piece, from: id(from) }),
        1 => (any_piece(), any_peer(), 0usize..3).prop_map(|(piece, from, at)| Event::FetchFailed {
            piece,
            from: id(from),
            fault: [FetchFault::Gone, FetchFault::Wrong, FetchFault::Longer][at],
        }),
        3 => any_piece().prop_map(|piece| Event::Stored { piece }),
        1 => Just(Event::Woke),
    ]
}

proptest! {
    #[test]
    fn any_events_in_any_order_leave_it_sound(
        events in proptest::collection::vec((0u64..4_000, any_event()), 1..120),
        is_exact in any::<bool>(), slots in 0u8..4, seed in any::<u64>(),
    ) {
        let setup = || Setup {
            task: Task { digest: TASK, pieces: PIECES, piece_bytes_max: 1_000, is_exact },
            slots,
            trusted: BTreeSet::from([id(1)]),
            first_number: 1,
            seed,
            held: vec![],
            said: vec![],
        };
        let mut rules = Rules::new(sham(0), setup());
        let mut again = Rules::new(sham(0), setup());
        let mut now = 0;
        let mut working = BTreeSet::new();
        for (ms, event) in events {
            now += ms;
            if let Event::Computed { piece, .. } = &event {
                working.remove(piece);
            }
            let effects = rules.step(Tick(now), event.clone());
            prop_assert_eq!(&effects, &again.step(Tick(now), event), "the same seed, other effects");
            prop_assert!(rules.next_wakeup().is_none_or(|it| it.0 > now), "it would never sleep");
            for effect in effects {
                match effect {
                    Effect::Compute { piece, .. } => {
                        prop_assert!(piece < PIECES && working.insert(piece));
                        prop_assert!(working.len() <= usize::from(slots), "more than it may");
                    }
                    Effect::Abandon(piece) => prop_assert!(working.remove(&piece)),
                    Effect::Store { made, .. } => prop_assert!(!rules.standing(&made.payload.by).is_out()),
                    Effect::Send(_, message) => {
                        let bytes = codec::Encode::encode(&message);
                        prop_assert_eq!(Message::decode(&bytes), Ok(message));
                    }
                    _ => {}
                }
            }
        }
    }
}
