//! What a hostile or careless shell's events, in any order, can do: nothing.

use super::{Draws, thing};
use crate::{
    Effect, Event, Held, Moving, PeerId, QuestionId, Refusal, RequestId, SourceKind, SpanSet, Tick,
    limits::{QUESTIONS_MAX, SOURCES_MAX, SPANS_UNDER_WAY_MAX, WANTED_MAX},
};

fn any_event(draws: &mut Draws) -> Event {
    let name = draws.below(20);
    let it = thing(name as u8, 1 + name * 5);
    let other = thing(1, 1 + draws.below(100));
    let peer = PeerId([draws.below(80) as u8; 32]);
    let request = RequestId(draws.below(300));
    let question = QuestionId(draws.below(300));
    let root = it.root();
    let held = draws.one_in(2).then(|| Held {
        thing: it,
        spans: SpanSet::all(if draws.one_in(5) { &other } else { &it }),
    });
    match draws.below(14) {
        0 => Event::PeerCame {
            peer,
            kind: SourceKind::Owner,
        },
        1 => Event::PeerLeft { peer },
        2 => Event::Wanted {
            thing: it,
            written: SpanSet::none(&other),
        },
        3 => Event::Unwanted { root },
        4 => Event::Told {
            peer,
            root,
            spans: Some(SpanSet::all(&it)),
        },
        5 => Event::Moved {
            request,
            bytes: draws.below(u64::MAX),
        },
        6 | 7 => Event::Arrived {
            request,
            proof_holds: !draws.one_in(10),
        },
        8 => Event::Refused {
            request,
            refusal: Refusal::Busy {
                ms: draws.below(1 << 32) as u32,
            },
        },
        9 => Event::Refused {
            request,
            refusal: Refusal::No,
        },
        10 => Event::Broke { request },
        11 => Event::AskedHoldings {
            peer,
            question,
            thing: it,
            held,
        },
        12 => Event::AskedSpans {
            peer,
            question,
            root,
            first: draws.below(1 << 32) as u32,
            count: draws.below(300) as u32,
            held,
        },
        _ => Event::Sent {
            question,
            bytes: draws.below(u64::MAX),
        },
    }
}

#[test]
fn no_order_of_events_breaks_a_limit() {
    for seed in 0..30 {
        let mut draws = Draws(seed);
        let mut moving = Moving::new(seed);
        let mut now = 0;
        let mut open = std::collections::BTreeSet::new();
        for _ in 0..3_000 {
            now += draws.below(500);
            for effect in moving.step(Tick(now), any_event(&mut draws)) {
                if let Effect::AskSpans { request, .. } = effect {
                    assert!(open.insert(request), "a request's name is used twice");
                }
            }
            assert!(moving.spans_under_way() <= SPANS_UNDER_WAY_MAX);
            assert!(moving.questions_under_way() <= QUESTIONS_MAX);
            assert!(moving.next_wakeup().is_none_or(|at| at > Tick(now)));
        }
        assert!(!open.is_empty());
    }
}

#[test]
fn what_is_wanted_beyond_the_most_is_declined() {
    let mut moving = Moving::new(1);
    for name in 0..WANTED_MAX as u8 + 1 {
        let it = thing(name, 3);
        let written = SpanSet::none(&it);
        let effects = moving.step(Tick(0), Event::Wanted { thing: it, written });
        let declined = effects.contains(&Effect::Decline { root: it.root() });
        assert_eq!(declined, usize::from(name) == WANTED_MAX);
    }
}

#[test]
fn what_is_written_already_is_finished_at_once() {
    let mut moving = Moving::new(1);
    let it = thing(1, 3);
    let written = SpanSet::all(&it);
    let effects = moving.step(Tick(0), Event::Wanted { thing: it, written });
    assert_eq!(effects, [Effect::Finish { root: it.root() }]);
}

#[test]
fn sources_beyond_the_most_take_the_place_of_those_that_have_nothing() {
    let mut moving = Moving::new(1);
    let it = thing(1, 30);
    moving.step(
        Tick(0),
        Event::Wanted {
            thing: it,
            written: SpanSet::none(&it),
        },
    );
    for at in 0..SOURCES_MAX as u8 {
        let peer = PeerId([at; 32]);
        moving.step(
            Tick(0),
            Event::PeerCame {
                peer,
                kind: SourceKind::Device,
            },
        );
        let spans = (at > 0).then(|| SpanSet::all(&it));
        moving.step(
            Tick(1),
            Event::Told {
                peer,
                root: it.root(),
                spans,
            },
        );
    }
    let comes = |moving: &mut Moving, peer: u8| {
        let event = Event::PeerCame {
            peer: PeerId([peer; 32]),
            kind: SourceKind::Device,
        };
        !moving.step(Tick(2), event).is_empty()
    };
    assert!(
        comes(&mut moving, 200),
        "the one that has nothing makes room"
    );
    let told = Event::Told {
        peer: PeerId([200; 32]),
        root: it.root(),
        spans: Some(SpanSet::all(&it)),
    };
    moving.step(Tick(3), told);
    assert_eq!(moving.held_by_nobody(&it.root()), Some(0));
}
