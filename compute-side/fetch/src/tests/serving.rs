//! What others are answered, and that no asker gets more than its share.

use super::{Draws, burst, most_over, thing};
use crate::{
    Allowance, Effect, Event, Held, Moving, PeerId, QuestionId, Refusal, SourceKind, SpanSet,
    Thing, Tick,
    limits::{PART_BYTES_MAX, QUESTIONS_MAX, SENDING_MS_MAX},
};
use quern_primitives::limits::{BUSY_MS_MAX, QUESTIONS_PER_PEER_MAX};
use std::collections::{BTreeMap, BTreeSet};

fn peer(at: u8) -> PeerId {
    PeerId([at; 32])
}

fn whole(it: Thing) -> Option<Held> {
    Some(Held {
        thing: it,
        spans: SpanSet::all(&it),
    })
}

/// A machine with so many peers.
fn with_peers(count: u8) -> Moving {
    let mut moving = Moving::new(1);
    for at in 0..count {
        let kind = SourceKind::Device;
        moving.step(
            Tick(0),
            Event::PeerCame {
                peer: peer(at),
                kind,
            },
        );
    }
    moving
}

fn asks(at: u8, question: u64, it: Thing, first: u32, count: u32) -> Event {
    Event::AskedSpans {
        peer: peer(at),
        question: QuestionId(question),
        root: it.root(),
        first,
        count,
        held: whole(it),
    }
}

fn refused(question: u64, refusal: Refusal) -> Effect {
    Effect::Refuse {
        question: QuestionId(question),
        refusal,
    }
}

fn send(question: u64, it: Thing, span: u32, is_last: bool) -> Effect {
    Effect::Send {
        question: QuestionId(question),
        root: it.root(),
        span,
        is_last,
    }
}

fn sent(question: u64) -> Event {
    Event::Sent {
        question: QuestionId(question),
        bytes: 262_144 + 200,
    }
}

#[test]
fn spans_are_sent_one_behind_the_other_and_questions_in_their_order() {
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    assert_eq!(
        moving.step(Tick(1), asks(0, 1, it, 3, 2)),
        [send(1, it, 3, false)]
    );
    assert_eq!(moving.step(Tick(1), asks(0, 2, it, 9, 1)), []);
    assert_eq!(moving.step(Tick(2), sent(1)), [send(1, it, 4, true)]);
    assert_eq!(moving.step(Tick(3), sent(1)), [send(2, it, 9, true)]);
    assert_eq!(moving.step(Tick(4), sent(2)), []);
    assert_eq!(moving.questions_under_way(), 0);
    assert_eq!(moving.next_wakeup(), None);
}

#[test]
fn the_fifth_question_of_a_peer_and_the_seventeenth_of_all_hear_that_we_are_busy() {
    let (it, mut moving) = (thing(1, 20), with_peers(6));
    let mut busy = vec![];
    for at in 0..6 {
        for nth in 0..6 {
            let question = u64::from(at) * 10 + nth;
            let effects = moving.step(Tick(1), asks(at, question, it, 0, 8));
            let is_busy = |it: &Effect| {
                matches!(
                    it,
                    Effect::Refuse {
                        refusal: Refusal::Busy { ms: 200..=10_000 },
                        ..
                    }
                )
            };
            if effects.iter().any(is_busy) {
                busy.push(question);
            }
            assert!(moving.questions_under_way() <= QUESTIONS_MAX);
        }
    }
    let taken = |it: &u64| !busy.contains(it) && it % 10 < 6 && *it < 60;
    let taken: Vec<u64> = (0..60).filter(taken).collect();
    let first_four =
        (0..4).flat_map(|at| (0..u64::from(QUESTIONS_PER_PEER_MAX)).map(move |it| at * 10 + it));
    assert_eq!(taken, first_four.collect::<Vec<_>>());
}

#[test]
fn strangers_get_nothing_nor_does_who_asks_for_what_is_not_there() {
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    let no = |question| vec![refused(question, Refusal::No)];
    assert_eq!(moving.step(Tick(1), asks(9, 1, it, 0, 1)), no(1));
    for (question, (first, count)) in (2..).zip([
        (20, 1),
        (19, 2),
        (0, 0),
        (0, 9),
        (u32::MAX, 8),
        (u32::MAX, u32::MAX),
    ]) {
        let effects = moving.step(Tick(1), asks(0, question, it, first, count));
        assert_eq!(effects, no(question), "{first}, {count}");
    }
    let mut unheld = asks(0, 30, it, 0, 1);
    if let Event::AskedSpans { held, .. } = &mut unheld {
        *held = None;
    }
    assert_eq!(moving.step(Tick(1), unheld), no(30));
    let holdings = |peer, held| Event::AskedHoldings {
        peer,
        question: QuestionId(40),
        thing: it,
        held,
    };
    assert_eq!(moving.step(Tick(1), holdings(peer(9), whole(it))), no(40));
    assert_eq!(moving.step(Tick(1), holdings(peer(0), None)), no(40));
    let longer = Thing::new(it.root(), it.bytes() + 1);
    let other_length = holdings(peer(0), longer.and_then(whole));
    assert_eq!(moving.step(Tick(1), other_length), no(40));
    let spans = SpanSet::all(&it);
    let question = QuestionId(40);
    assert_eq!(
        moving.step(Tick(1), holdings(peer(0), whole(it))),
        [Effect::TellHoldings { question, spans }]
    );
}

#[test]
fn what_is_being_fetched_is_served_as_far_as_it_is_written() {
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    let mut written = SpanSet::none(&it);
    written.insert(7);
    moving.step(Tick(1), Event::Wanted { thing: it, written });
    let asked = |question, first| Event::AskedSpans {
        peer: peer(0),
        question: QuestionId(question),
        root: it.root(),
        first,
        count: 1,
        held: None,
    };
    assert_eq!(moving.step(Tick(1), asked(1, 7)), [send(1, it, 7, true)]);
    assert_eq!(moving.step(Tick(1), asked(2, 8)), [refused(2, Refusal::No)]);
}

#[test]
fn who_does_not_take_a_span_is_closed_and_its_place_is_free() {
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    moving.step(Tick(1), asks(0, 1, it, 0, 2));
    moving.step(Tick(1), asks(0, 2, it, 5, 1));
    let late = Tick(1 + SENDING_MS_MAX);
    assert_eq!(moving.next_wakeup(), Some(late));
    let question = QuestionId(1);
    let effects = moving.step(late, Event::Woke);
    assert_eq!(effects, [Effect::Close { question }, send(2, it, 5, true)]);
    assert_eq!(moving.step(late, sent(1)), [], "too late");
}

#[test]
fn a_peer_that_leaves_takes_its_questions_with_it() {
    let (it, mut moving) = (thing(1, 20), with_peers(2));
    moving.step(Tick(1), asks(0, 1, it, 0, 2));
    moving.step(Tick(1), asks(1, 2, it, 0, 2));
    moving.step(Tick(2), Event::PeerLeft { peer: peer(0) });
    assert_eq!(moving.questions_under_way(), 1);
    moving.step(
        Tick(2),
        Event::Withdrawn {
            question: QuestionId(2),
        },
    );
    assert_eq!(moving.questions_under_way(), 0);
}

#[test]
fn a_cap_that_is_used_up_makes_us_busy_for_long() {
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    let allowance = Allowance {
        left_bytes: Some(2 * PART_BYTES_MAX - 1),
        ..Allowance::default()
    };
    moving.step(Tick(0), Event::Allowed(allowance));
    assert_eq!(
        moving.step(Tick(1), asks(0, 1, it, 0, 3)),
        [send(1, it, 0, false)]
    );
    let busy = refused(1, Refusal::Busy { ms: BUSY_MS_MAX });
    let all_went = Event::Sent {
        question: QuestionId(1),
        bytes: PART_BYTES_MAX,
    };
    assert_eq!(moving.step(Tick(2), all_went), [busy]);
    let busy = refused(2, Refusal::Busy { ms: BUSY_MS_MAX });
    assert_eq!(moving.step(Tick(3), asks(0, 2, it, 0, 1)), [busy]);
}

#[test]
fn an_answer_waits_a_second_for_the_line_and_no_longer() {
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    let slow = |rate| {
        Event::Allowed(Allowance {
            up_bytes_per_s: Some(rate),
            ..Allowance::default()
        })
    };
    moving.step(Tick(0), slow(300_000));
    assert_eq!(
        moving.step(Tick(0), asks(0, 1, it, 0, 2)),
        [send(1, it, 0, false)]
    );
    let part = Event::Sent {
        question: QuestionId(1),
        bytes: PART_BYTES_MAX,
    };
    assert_eq!(moving.step(Tick(0), part), []);
    let wait = (PART_BYTES_MAX * 1_000).div_ceil(300_000);
    assert_eq!(moving.next_wakeup(), Some(Tick(wait)));
    assert_eq!(moving.step(Tick(wait), Event::Woke), [send(1, it, 1, true)]);
    let (it, mut moving) = (thing(1, 20), with_peers(1));
    moving.step(Tick(0), slow(100_000));
    moving.step(Tick(0), asks(0, 1, it, 0, 2));
    let ms = u32::try_from((PART_BYTES_MAX * 1_000).div_ceil(100_000)).unwrap();
    assert_eq!(
        moving.step(Tick(0), part_of(1)),
        [refused(1, Refusal::Busy { ms })]
    );
}

fn part_of(question: u64) -> Event {
    Event::Sent {
        question: QuestionId(question),
        bytes: PART_BYTES_MAX,
    }
}

#[test]
fn under_a_rate_everybody_has_a_turn() {
    let (it, mut moving) = (thing(1, 100), with_peers(4));
    let allowance = Allowance {
        up_bytes_per_s: Some(1_000_000),
        ..Allowance::default()
    };
    moving.step(Tick(0), Event::Allowed(allowance));
    // The first asks for four times as much as the others.
    let mut served: BTreeMap<PeerId, u32> = BTreeMap::new();
    let mut moved = vec![];
    let mut draws = Draws(5);
    let mut asked: BTreeMap<u64, PeerId> = BTreeMap::new();
    let mut open: BTreeSet<u64> = BTreeSet::new();
    let mut sending: BTreeSet<u64> = BTreeSet::new();
    let (mut now, mut next) = (0, 0);
    while now < 200_000 {
        now += 10;
        let mut effects = vec![];
        for at in 0..4 {
            let most = if at == 0 { 4 } else { 1 };
            let theirs = open.iter().filter(|it| asked[*it] == peer(at)).count();
            if theirs < most {
                next += 1;
                asked.insert(next, peer(at));
                open.insert(next);
                effects
                    .extend(moving.step(Tick(now), asks(at, next, it, draws.below(90) as u32, 8)));
            }
        }
        for question in std::mem::take(&mut sending) {
            effects.extend(moving.step(Tick(now), part_of(question)));
        }
        effects.extend(moving.step(Tick(now), Event::Woke));
        for effect in effects {
            match effect {
                Effect::Send {
                    question, is_last, ..
                } => {
                    sending.insert(question.0);
                    moved.push((now, PART_BYTES_MAX));
                    *served.entry(asked[&question.0]).or_default() += 1;
                    if is_last {
                        open.remove(&question.0);
                    }
                }
                Effect::Refuse { question, .. } => {
                    open.remove(&question.0);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(most_over(1_000_000, &moved) <= burst(1_000_000));
    let (least, most) = (
        served.values().min().unwrap(),
        served.values().max().unwrap(),
    );
    assert!(*least * 5 >= *most * 4, "{served:?}");
    let bytes: u64 = moved.iter().map(|it| it.1).sum();
    assert!(bytes >= 190_000_000, "{bytes}: the line is used");
}

#[test]
fn where_the_line_has_room_for_one_at_a_time_peers_alternate() {
    let (it, mut moving) = (thing(1, 20), with_peers(2));
    let allowance = Allowance {
        up_bytes_per_s: Some(600_000),
        ..Allowance::default()
    };
    moving.step(Tick(0), Event::Allowed(allowance));
    let mut effects = moving.step(Tick(0), asks(0, 1, it, 0, 3));
    effects.extend(moving.step(Tick(0), asks(1, 2, it, 0, 3)));
    let mut order = vec![];
    for now in 0..2_000 {
        for effect in std::mem::take(&mut effects) {
            match effect {
                Effect::Send { question, .. } => {
                    order.push(question.0);
                    effects.extend(moving.step(Tick(now), part_of(question.0)));
                }
                other => panic!("{other:?}"),
            }
        }
        effects.extend(moving.step(Tick(now), Event::Woke));
    }
    // The second question came behind the first, which had gone to the end before.
    assert_eq!(order, [1, 1, 2, 1, 2]);
}
