//! What holds of every fetch, over many seeds.

use super::{
    Draws, SPAN, burst, most_over,
    script::{Manner, Script},
    thing,
    world::World,
};
use crate::{Allowance, Effect, Event, PeerId, SourceKind, SpanSet, Thing, limits::PART_BYTES_MAX};
use quern_primitives::ids::Digest;
use std::collections::BTreeMap;

const MB: u64 = 1_000_000;
const HOUR_MS: u64 = 3_600_000;

fn has_all(things: &[Thing]) -> BTreeMap<Digest, SpanSet> {
    things
        .iter()
        .map(|it| (it.root(), SpanSet::all(it)))
        .collect()
}

fn source(manner: Manner, bytes_per_s: u64, latency_ms: u64, things: &[Thing]) -> Script {
    Script {
        kind: SourceKind::Device,
        manner,
        bytes_per_s,
        latency_ms,
        has: has_all(things),
        churn_ms: None,
    }
}

fn any_manner(draws: &mut Draws) -> Manner {
    match draws.below(9) {
        0 => Manner::Lies {
            after: draws.below(20) as u32,
        },
        1 => Manner::Stalls {
            after: draws.below(20) as u32,
        },
        2 => Manner::Trickles {
            after: draws.below(9) as u32,
        },
        3 => Manner::IsBusy {
            ms: draws.below(100_000) as u32,
        },
        4 => Manner::Denies,
        5 => Manner::Breaks {
            one_in: 1 + draws.below(30),
        },
        _ => Manner::Honest,
    }
}

fn any_world(seed: u64) -> World {
    let mut draws = Draws(seed ^ 0xabcd);
    let things: Vec<Thing> = (0..1 + draws.below(4))
        .map(|name| thing(name as u8 + 1, 1 + draws.below(140)))
        .collect();
    let mut scripts = vec![];
    for _ in 0..draws.below(8) {
        let manner = any_manner(&mut draws);
        let speed = [50_000, 300_000, 2 * MB, 20 * MB, 100 * MB][draws.below(5) as usize];
        let mut script = source(manner, speed, draws.below(400), &things);
        if draws.one_in(2) {
            for (root, spans) in &mut script.has {
                let it = things.iter().find(|it| it.root() == *root).unwrap();
                *spans = SpanSet::none(it);
                (0..it.spans())
                    .filter(|_| draws.one_in(2))
                    .for_each(|span| spans.insert(span));
            }
        }
        if draws.one_in(3) {
            script.churn_ms = Some((500 + draws.below(20_000), 500 + draws.below(5_000)));
        }
        scripts.push(script);
    }
    // At least one that is honest, has everything and comes back if it goes.
    let mut honest = source(Manner::Honest, MB, draws.below(200), &things);
    if draws.one_in(3) {
        honest.churn_ms = Some((3_000, 1_000));
    }
    scripts.push(honest);
    World::new(seed, &things, scripts)
}

#[test]
fn everything_that_somebody_honest_has_arrives_whatever_the_others_do() {
    for seed in 0..200 {
        let mut world = any_world(seed);
        world.start();
        world.run(2 * HOUR_MS);
        assert_eq!(world.finished.len(), world.things.len(), "seed {seed}");
        assert!(world.disk.values().all(SpanSet::is_whole));
        assert_eq!(world.moving.spans_under_way(), 0);
        assert_eq!(world.moving.next_wakeup(), None, "nothing is left to do");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let [one, other] = [0; 2].map(|_| {
            let mut world = any_world(seed);
            world.start();
            world.run(HOUR_MS);
            world.trace
        });
        assert!(!one.is_empty());
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn who_lies_costs_one_span_and_is_not_asked_for_an_hour() {
    for seed in 0..50 {
        let things = [thing(1, 120)];
        let mut scripts: Vec<Script> = (0..6)
            .map(|after| source(Manner::Lies { after }, 50 * MB, 5, &things))
            .collect();
        scripts.push(source(Manner::Honest, MB, 20, &things));
        let mut world = World::new(seed, &things, scripts);
        world.start();
        world.run(HOUR_MS);
        let (written, liars) = (world.finished[&things[0].root()], 0..6);
        for liar in liars {
            let (came, useful) = world.came[&PeerId([liar; 32])];
            assert!(
                came - useful <= PART_BYTES_MAX,
                "{came} came, {useful} of use"
            );
        }
        // The honest one brings all that the liars did not, at its own speed.
        let alone = things[0].bytes() * 1_000 / MB;
        assert!(written <= alone * 5 / 4 + 1_000, "{written} of {alone} ms");
    }
}

#[test]
fn a_liar_that_comes_again_after_an_hour_is_asked_again() {
    let things = [thing(1, 3)];
    let liar = source(Manner::Lies { after: 0 }, MB, 5, &things);
    let mut world = World::new(1, &things, vec![liar]);
    world.start();
    world.run(HOUR_MS / 2);
    let asked = |world: &World| {
        let asks = world.trace.iter();
        asks.filter(|(_, it)| matches!(it, Effect::AskSpans { .. }))
            .count()
    };
    assert_eq!(asked(&world), 1);
    world.run(HOUR_MS + 60_000);
    assert_eq!(asked(&world), 2);
}

#[test]
fn who_is_silent_is_left_alone_for_longer_each_time() {
    let things = [thing(1, 10)];
    let silent = source(Manner::Stalls { after: 0 }, MB, 5, &things);
    let mut world = World::new(1, &things, vec![silent]);
    world.start();
    world.run(60_000);
    let asks: Vec<u64> = world
        .trace
        .iter()
        .filter(|(_, it)| matches!(it, Effect::AskSpans { .. }))
        .map(|(at, effect)| match effect {
            Effect::AskSpans { count: 1, .. } => *at,
            other => panic!("more than one: {other:?}"),
        })
        .collect();
    let pauses: Vec<u64> = asks.windows(2).map(|it| it[1] - it[0]).collect();
    assert_eq!(pauses, [2_000, 4_000, 6_000, 10_000, 18_000]);
}

#[test]
fn who_sends_a_byte_now_and_then_after_quick_spans_keeps_nothing_for_long() {
    for after in [0, 1, 2, 5, 40] {
        let things = [thing(1, 100)];
        let scripts = vec![
            source(Manner::Trickles { after }, 50 * MB, 5, &things),
            source(Manner::Honest, MB, 20, &things),
        ];
        let mut world = World::new(1, &things, scripts);
        world.start();
        world.run(HOUR_MS);
        let (took, alone) = (
            world.finished[&things[0].root()],
            things[0].bytes() * 1_000 / MB,
        );
        assert!(
            took <= alone * 5 / 4 + 1_000,
            "{after}: {took} of {alone} ms"
        );
    }
}

#[test]
fn whoever_is_always_busy_or_never_has_what_it_said_is_asked_seldom() {
    for manner in [Manner::AlwaysBusy, Manner::Denies] {
        let things = [thing(1, 100)];
        let mut world = World::new(1, &things, vec![source(manner, MB, 0, &things)]);
        world.start();
        world.run(100_000);
        assert!(world.finished.is_empty());
        assert!(
            world.line_bytes <= 501 * 64 + 21 * 192,
            "{manner:?}: {}",
            world.line_bytes
        );
        assert!(world.trace.len() > 20, "it is asked again");
    }
}

/// Time that a fetch took, and the time in which all sources together send as much.
fn took(seed: u64, thing: Thing, speeds: &[u64], latency_ms: u64) -> (u64, u64) {
    let scripts = speeds
        .iter()
        .map(|speed| source(Manner::Honest, *speed, latency_ms, &[thing]))
        .collect();
    let mut world = World::new(seed, &[thing], scripts);
    world.start();
    world.run(10 * HOUR_MS);
    let best = thing.bytes() * 1_000 / speeds.iter().sum::<u64>();
    // What is asked of two comes twice in part, and of no source more than its last span.
    let came: u64 = world
        .came
        .values()
        .map(|(came, written)| came - written)
        .sum();
    let most = speeds.len() as u64 * PART_BYTES_MAX;
    assert!(came <= most, "{came} of {most} bytes came for nothing");
    (world.finished[&thing.root()], best)
}

#[test]
fn honest_sources_of_all_speeds_are_used_nearly_to_the_full() {
    let mut draws = Draws(7);
    for seed in 0..100 {
        let speeds: Vec<u64> = (0..2 + draws.below(5))
            .map(|_| [200_000, 500_000, MB, 3 * MB, 10 * MB, 30 * MB][draws.below(6) as usize])
            .collect();
        let latency = draws.below(60);
        let (took, best) = took(seed, thing(1, 129), &speeds, latency);
        assert!(
            took <= best * 5 / 4 + 1_000,
            "{took} of {best} ms: {speeds:?} {latency}"
        );
    }
}

#[test]
fn a_long_round_trip_keeps_no_line_empty() {
    let (took, best) = took(1, thing(1, 512), &[20 * MB], 250);
    assert!(took <= best * 5 / 4 + 4_000, "{took} of {best} ms");
}

#[test]
fn a_rate_and_a_cap_are_kept_to_the_byte() {
    for seed in 0..60 {
        let mut draws = Draws(seed ^ 0x77);
        let mut world = any_world(seed);
        let rate = 20_000 + draws.below(3 * MB);
        let cap = draws.one_in(2).then(|| draws.below(40 * MB));
        let allowance = Allowance {
            down_bytes_per_s: Some(rate),
            up_bytes_per_s: None,
            left_bytes: cap,
        };
        world.step(Event::Allowed(allowance));
        world.start();
        world.run(6 * HOUR_MS);
        let cap = cap.unwrap_or(u64::MAX);
        assert!(world.line_bytes <= cap, "{} of {cap}", world.line_bytes);
        let mut sum = 0;
        for (at, bytes) in &world.moved {
            sum += bytes;
            assert!(sum <= burst(rate) + rate * at / 1_000, "seed {seed}");
        }
        // In any stretch of time there is the burst, and what was under way when it began.
        let over = most_over(rate, &world.moved);
        assert!(
            over <= burst(rate) + rate.max(PART_BYTES_MAX),
            "seed {seed}: {over}"
        );
        let things: u64 = world
            .things
            .values()
            .map(|it| it.bytes() + u64::from(it.spans()) * 400)
            .sum();
        if cap == u64::MAX {
            assert_eq!(world.finished.len(), world.things.len(), "seed {seed}");
        }
        let is_done = world.finished.len() == world.things.len();
        assert!(
            is_done || world.line_bytes + 40 * PART_BYTES_MAX > cap.min(things),
            "seed {seed}"
        );
    }
}

#[test]
fn a_cap_that_is_lifted_lets_what_waited_go_on() {
    let things = [thing(1, 20)];
    let honest = source(Manner::Honest, MB, 5, &things);
    let mut world = World::new(1, &things, vec![honest]);
    let mut allowance = Allowance {
        left_bytes: Some(3 * MB),
        ..Allowance::default()
    };
    world.step(Event::Allowed(allowance));
    world.start();
    world.run(HOUR_MS);
    assert!(world.finished.is_empty());
    assert!(world.line_bytes > 2 * MB && world.line_bytes <= 3 * MB);
    allowance.left_bytes = Some(300 * MB);
    world.now += 1;
    world.step(Event::Allowed(allowance));
    world.run(2 * HOUR_MS);
    assert_eq!(world.finished.len(), 1);
}

#[test]
fn a_break_at_any_effect_costs_each_source_one_span_at_the_most() {
    let mut most_lost = 0;
    for seed in 0..60 {
        for effects in [1, 2, 3, 5, 8, 13, 40, 41, 100, 101, 150, 200] {
            let things = [thing(1, 40), thing(2, 9)];
            let scripts = [300_000, 2 * MB, 30 * MB]
                .map(|speed| source(Manner::Honest, speed, seed % 40, &things));
            let mut world = World::new(seed, &things, scripts.to_vec());
            world.break_after(effects + seed % 3);
            world.start();
            world.run(HOUR_MS);
            assert_eq!(world.finished.len(), 2, "seed {seed}, {effects}");
            assert!(world.lost.values().all(|lost| *lost <= PART_BYTES_MAX));
            most_lost = most_lost.max(world.lost.values().sum());
        }
    }
    assert!(
        most_lost > SPAN,
        "all breaks came when nothing was under way"
    );
}

#[test]
fn what_was_noted_is_not_asked_for_again() {
    let things = [thing(1, 40)];
    let scripts = vec![source(Manner::Honest, MB, 5, &things)];
    let mut world = World::new(1, &things, scripts);
    let mut written = SpanSet::none(&things[0]);
    (0..40)
        .filter(|span| span % 3 != 1)
        .for_each(|span| written.insert(span));
    world.noted.insert(things[0].root(), written);
    world.disk.insert(things[0].root(), written);
    world.start();
    world.run(HOUR_MS);
    let asked: u32 = world
        .trace
        .iter()
        .filter_map(|(_, it)| match it {
            Effect::AskSpans { count, .. } => Some(*count),
            _ => None,
        })
        .sum();
    assert_eq!(asked, 13);
    assert_eq!(world.came[&PeerId([0; 32])].1, 13 * (SPAN + 200));
}

#[test]
fn the_rarest_span_is_asked_for_first() {
    let it = thing(1, 30);
    let mut most = SpanSet::all(&it);
    most = SpanSet::from_bitmap(&it, &{
        let mut bitmap = most.to_bitmap();
        bitmap[2] &= !1;
        bitmap
    })
    .unwrap();
    let partial = |spans: SpanSet| Script {
        has: [(it.root(), spans)].into(),
        ..source(Manner::Honest, MB, 5, &[])
    };
    for seed in 0..20 {
        let scripts = vec![partial(most), partial(most), partial(SpanSet::all(&it))];
        let mut world = World::new(seed, &[it], scripts);
        world.start();
        world.run(200);
        let first = world.trace.iter().find_map(|(_, effect)| match effect {
            Effect::AskSpans { peer, first, .. } if peer.0[0] == 2 => Some(*first),
            _ => None,
        });
        // When all three have told, the one span that only the last has is taken of it at once.
        assert_eq!(first, Some(16), "seed {seed}");
    }
}

#[test]
fn the_last_span_comes_from_the_faster_of_two_and_the_other_is_dropped() {
    let it = thing(1, 16);
    let (slow, fast) = (
        source(Manner::Honest, 60_000, 5, &[it]),
        source(Manner::Honest, 10 * MB, 5, &[it]),
    );
    let mut world = World::new(1, &[it], vec![slow, fast]);
    world.start();
    world.run(HOUR_MS);
    let took = world.finished[&it.root()];
    assert!(
        took < 1_000,
        "{took} ms: the slow one takes four seconds for one span"
    );
    assert!(
        world
            .trace
            .iter()
            .any(|(_, it)| matches!(it, Effect::Drop { .. }))
    );
    assert_eq!(world.moving.next_wakeup(), None);
}

#[test]
fn where_the_line_has_no_room_for_all_those_that_are_nearer_come_first() {
    let it = thing(1, 40);
    let kinds = [
        SourceKind::Url,
        SourceKind::Owner,
        SourceKind::Masternode,
        SourceKind::Device,
    ];
    let scripts = kinds.map(|kind| Script {
        kind,
        ..source(Manner::Honest, 2 * MB, 10, &[it])
    });
    let mut world = World::new(1, &[it], scripts.to_vec());
    let allowance = Allowance {
        down_bytes_per_s: Some(MB),
        ..Allowance::default()
    };
    world.step(Event::Allowed(allowance));
    world.start();
    world.run(HOUR_MS);
    let came = [0, 1, 2, 3].map(|at| world.came.get(&PeerId([at; 32])).map_or(0, |it| it.0));
    assert!(came[3] > 30 * SPAN, "{came:?}");
}

#[test]
fn no_span_is_asked_of_two_while_there_is_one_that_nobody_is_asked_for() {
    let it = thing(1, 40);
    let slow = source(Manner::Honest, 60_000, 5, &[it]);
    let asks = |world: &World| -> Vec<(u8, u32)> {
        let asks = world.trace.iter().filter_map(|(_, effect)| match effect {
            Effect::AskSpans { peer, first, .. } => Some((peer.0[0], *first)),
            _ => None,
        });
        asks.collect()
    };
    let mut alone = World::new(1, &[it], vec![slow.clone()]);
    alone.start();
    alone.run(2_000);
    let first = asks(&alone)[0].1;
    // Another one, far away and quick, has just the span that the slow one was asked for.
    let mut quick = source(Manner::Honest, 10 * MB, 100, &[it]);
    let mut has = SpanSet::none(&it);
    has.insert(first);
    quick.has.insert(it.root(), has);
    let mut world = World::new(1, &[it], vec![slow, quick]);
    world.start();
    world.run(2_000);
    assert_eq!(asks(&world), [(0, first)]);
}
