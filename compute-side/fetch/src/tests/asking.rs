//! What is asked of whom, step by step.

use super::{SPAN, thing};
use crate::{
    Effect, Event, Moving, PeerId, Refusal, RequestId, SourceKind, SpanSet, Thing, Tick,
    wanted::Wanted,
};

fn set(it: &Thing, spans: impl IntoIterator<Item = u32>) -> SpanSet {
    let mut set = SpanSet::none(it);
    spans.into_iter().for_each(|span| set.insert(span));
    set
}

/// A machine that has asked its one source for one span.
fn asking(it: Thing) -> (Moving, RequestId) {
    let (mut moving, peer) = (Moving::new(1), PeerId([1; 32]));
    let written = SpanSet::none(&it);
    moving.step(Tick(0), Event::Wanted { thing: it, written });
    let kind = SourceKind::Device;
    moving.step(Tick(0), Event::PeerCame { peer, kind });
    let told = Event::Told {
        peer,
        root: it.root(),
        spans: Some(SpanSet::all(&it)),
    };
    let effects = moving.step(Tick(0), told);
    match effects[..] {
        [
            Effect::AskSpans {
                request, count: 1, ..
            },
        ] => (moving, request),
        _ => panic!("{effects:?}"),
    }
}

/// When it asks again, if it is woken when it wants to be.
fn asks_again_at(moving: &mut Moving) -> Option<u64> {
    for _ in 0..10 {
        let at = moving.next_wakeup()?;
        let effects = moving.step(at, Event::Woke);
        if effects
            .iter()
            .any(|it| matches!(it, Effect::AskSpans { .. }))
        {
            return Some(at.0);
        }
    }
    None
}

#[test]
fn who_is_busy_is_left_alone_for_as_long_as_it_says_and_a_minute_at_the_most() {
    for (said, rests) in [(0, 200), (5_000, 5_000), (u32::MAX, 60_000)] {
        let (mut moving, request) = asking(thing(1, 9));
        let refusal = Refusal::Busy { ms: said };
        let effects = moving.step(Tick(7), Event::Refused { request, refusal });
        assert_eq!(effects, []);
        assert_eq!(asks_again_at(&mut moving), Some(7 + rests));
    }
}

#[test]
fn after_a_stream_broke_its_source_is_left_alone_for_a_second() {
    let (mut moving, request) = asking(thing(1, 9));
    assert_eq!(moving.step(Tick(7), Event::Broke { request }), []);
    assert_eq!(asks_again_at(&mut moving), Some(1_007));
}

#[test]
fn who_says_no_is_asked_what_it_has_before_it_is_asked_for_anything() {
    let it = thing(1, 9);
    let (mut moving, request) = asking(it);
    let refusal = Refusal::No;
    let effects = moving.step(Tick(7), Event::Refused { request, refusal });
    assert_eq!(effects, []);
    assert_eq!(moving.held_by_nobody(&it.root()), Some(9));
    assert_eq!(moving.next_wakeup(), Some(Tick(5_007)));
    let asked = Effect::AskHoldings {
        peer: PeerId([1; 32]),
        root: it.root(),
        bytes: it.bytes(),
    };
    assert_eq!(moving.step(Tick(5_007), Event::Woke), [asked]);
}

#[test]
fn a_source_that_leaves_is_waited_for_no_longer() {
    let it = thing(1, 1);
    let (mut moving, _) = asking(it);
    let (peer, other) = (PeerId([1; 32]), PeerId([2; 32]));
    let kind = SourceKind::Device;
    moving.step(Tick(1), Event::PeerCame { peer: other, kind });
    let told = Event::Told {
        peer: other,
        root: it.root(),
        spans: Some(SpanSet::all(&it)),
    };
    moving.step(Tick(2), told);
    assert_eq!(
        moving.spans_under_way(),
        2,
        "the last span is asked of both"
    );
    assert_eq!(moving.step(Tick(3), Event::PeerLeft { peer }), []);
    assert_eq!(moving.spans_under_way(), 1);
    assert_eq!(moving.held_by_nobody(&it.root()), Some(0));
}

#[test]
fn what_is_not_wanted_any_more_is_dropped_and_nothing_is_left_to_do() {
    let it = thing(1, 9);
    let (mut moving, request) = asking(it);
    let effects = moving.step(Tick(1), Event::Unwanted { root: it.root() });
    assert_eq!(effects, [Effect::Drop { request }]);
    assert_eq!(moving.next_wakeup(), None);
    assert_eq!(moving.spans_under_way(), 0);
    let late = Event::Arrived {
        request,
        proof_holds: true,
    };
    assert_eq!(moving.step(Tick(2), late), []);
}

#[test]
fn a_run_of_spans_is_as_rare_as_its_first_in_all_its_length() {
    let it = Thing::new(thing(1, 1).root(), 20 * SPAN).unwrap();
    let mut wanted = Wanted::new(it, SpanSet::none(&it), 3);
    let all = SpanSet::all(&it);
    // Three have all but 4, 5, 6 and 9, which one has; of the rest two have 5 too.
    let few = set(&it, (0..20).filter(|span| ![4, 5, 6, 9].contains(span)));
    let five = set(&it, [5]);
    wanted.recount([&all, &few, &few, &five].into_iter());
    let mut rarest = vec![];
    for _ in 0..3 {
        let run = wanted.pick(&all, 8).unwrap();
        wanted.ask(run.clone());
        rarest.push(run);
    }
    rarest.sort_by_key(|run| run.start);
    assert_eq!(rarest, [4..5, 6..7, 9..10]);
    assert_eq!(
        wanted.pick(&all, 8),
        Some(5..6),
        "then the one that two have"
    );
    assert_eq!(
        wanted.pick(&few, 8).map(|run| run.end - run.start <= 8),
        Some(true)
    );
    wanted.unask(6..7);
    assert_eq!(
        wanted.pick(&all, 8),
        Some(6..7),
        "what did not come is open again"
    );
}
