//! A machine that fetches, and scripted sources, in virtual time. Whatever must hold at every step is
//! asserted here.

use super::{
    Draws,
    script::{Manner, Script},
};
use crate::{
    Effect, Event, Moving, PeerId, Refusal, RequestId, SpanSet, Thing, Tick,
    limits::{SHUNNED_MS, SPANS_PER_SOURCE_MAX, SPANS_UNDER_WAY_MAX},
};
use quern_primitives::{ids::Digest, limits::QUESTIONS_PER_PEER_MAX};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What stands before a span in this world.
const HEAD: u64 = 200;
const CHUNK: u64 = 16 * 1024;

#[derive(Debug)]
struct Asked {
    request: RequestId,
    root: Digest,
    next: u32,
    end: u32,
    /// Bytes of the next span that have not been sent.
    left: Option<u64>,
}

#[derive(Debug)]
struct Played {
    script: Script,
    is_here: bool,
    queue: VecDeque<Asked>,
    is_sending: bool,
    free_at_us: u64,
    sent_spans: u32,
    questions: u64,
    /// Changes when it leaves, so that what it had sent before is lost.
    life: u64,
}

#[derive(Debug)]
enum Happening {
    Told {
        peer: PeerId,
        root: Digest,
        life: u64,
    },
    Question {
        peer: PeerId,
        asked: Asked,
        life: u64,
    },
    Chunk {
        peer: PeerId,
        request: RequestId,
        bytes: u64,
        life: u64,
    },
    Deliver {
        peer: PeerId,
        request: RequestId,
        bytes: u64,
        ends: Option<bool>,
        life: u64,
    },
    Refusal {
        request: RequestId,
        refusal: Option<Refusal>,
        life: u64,
        peer: PeerId,
    },
    Leaves(PeerId),
    Comes(PeerId),
}

/// A request that the machine has under way.
#[derive(Debug)]
struct Open {
    peer: PeerId,
    root: Digest,
    next: u32,
    end: u32,
    partial_bytes: u64,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) moving: Moving,
    pub(super) things: BTreeMap<Digest, Thing>,
    /// What is on the disk, and what is noted of it.
    pub(super) disk: BTreeMap<Digest, SpanSet>,
    pub(super) noted: BTreeMap<Digest, SpanSet>,
    pub(super) finished: BTreeMap<Digest, u64>,
    pub(super) moved: Vec<(u64, u64)>,
    /// Everything over the line, both ways, with what questions are reckoned to be.
    pub(super) line_bytes: u64,
    /// Of each source, the bytes that came and the bytes that were written.
    pub(super) came: BTreeMap<PeerId, (u64, u64)>,
    pub(super) trace: Vec<(u64, Effect)>,
    pub(super) steps: u64,
    /// Bytes that came before a break, and were lost with it, by source.
    pub(super) lost: BTreeMap<PeerId, u64>,
    sources: BTreeMap<PeerId, Played>,
    open: BTreeMap<RequestId, Open>,
    shunned: BTreeMap<PeerId, u64>,
    just_checked: Option<(RequestId, Digest, u32)>,
    just_from: PeerId,
    ahead: BTreeMap<(u64, u64), Happening>,
    count: u64,
    draws: Draws,
    seed: u64,
    /// Effects until the machine breaks.
    breaks_after: Option<u64>,
}

impl World {
    pub(super) fn new(seed: u64, things: &[Thing], scripts: Vec<Script>) -> Self {
        let mut world = Self {
            now: 0,
            moving: Moving::new(seed),
            things: things.iter().map(|it| (it.root(), *it)).collect(),
            disk: things
                .iter()
                .map(|it| (it.root(), SpanSet::none(it)))
                .collect(),
            noted: things
                .iter()
                .map(|it| (it.root(), SpanSet::none(it)))
                .collect(),
            finished: BTreeMap::new(),
            moved: vec![],
            line_bytes: 0,
            came: BTreeMap::new(),
            trace: vec![],
            steps: 0,
            lost: BTreeMap::new(),
            sources: BTreeMap::new(),
            open: BTreeMap::new(),
            shunned: BTreeMap::new(),
            just_checked: None,
            just_from: PeerId([0; 32]),
            ahead: BTreeMap::new(),
            count: 0,
            draws: Draws(seed),
            seed,
            breaks_after: None,
        };
        for (at, script) in (0..).zip(scripts) {
            let peer = PeerId([at; 32]);
            world.sources.insert(
                peer,
                Played {
                    script,
                    is_here: false,
                    queue: VecDeque::new(),
                    is_sending: false,
                    free_at_us: 0,
                    sent_spans: 0,
                    questions: 0,
                    life: 0,
                },
            );
        }
        world
    }

    pub(super) fn start(&mut self) {
        self.want_all();
        let peers: Vec<PeerId> = self.sources.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.comes(peer));
    }

    fn want_all(&mut self) {
        for thing in self.things.values().copied().collect::<Vec<_>>() {
            if !self.finished.contains_key(&thing.root()) {
                let written = self.noted[&thing.root()];
                self.step(Event::Wanted { thing, written });
            }
        }
    }

    /// The machine stops in the middle of carrying out effects, and starts again.
    pub(super) fn break_after(&mut self, effects: u64) {
        self.breaks_after = Some(effects);
    }

    fn restart(&mut self) {
        self.breaks_after = None;
        for open in std::mem::take(&mut self.open).into_values() {
            *self.lost.entry(open.peer).or_default() += open.partial_bytes;
        }
        self.just_checked = None;
        self.shunned.clear();
        for source in self.sources.values_mut() {
            source.queue.clear();
            source.life += 1;
            source.is_sending = false;
        }
        self.moving = Moving::new(self.seed);
        self.disk.clone_from(&self.noted);
        let here: Vec<_> = self.sources.iter().filter(|(_, it)| it.is_here).collect();
        let here: Vec<PeerId> = here.into_iter().map(|(peer, _)| *peer).collect();
        self.want_all();
        for peer in here {
            let kind = self.sources[&peer].script.kind;
            self.step(Event::PeerCame { peer, kind });
        }
    }

    fn comes(&mut self, peer: PeerId) {
        let source = self.sources.get_mut(&peer).unwrap();
        source.is_here = true;
        if let Some((here, _)) = source.script.churn_ms {
            let drawn = self.draws.below(here);
            self.later(here / 2 + drawn, Happening::Leaves(peer));
        }
        let kind = self.sources[&peer].script.kind;
        self.step(Event::PeerCame { peer, kind });
    }

    fn leaves(&mut self, peer: PeerId) {
        let source = self.sources.get_mut(&peer).unwrap();
        source.is_here = false;
        source.queue.clear();
        source.life += 1;
        source.is_sending = false;
        let (_, away) = source.script.churn_ms.unwrap();
        self.later(away, Happening::Comes(peer));
        self.open.retain(|_, open| open.peer != peer);
        self.step(Event::PeerLeft { peer });
    }

    fn later(&mut self, ms: u64, happening: Happening) {
        self.count += 1;
        self.ahead.insert((self.now + ms, self.count), happening);
    }

    /// Goes on until everything is there, nothing happens any more, or the time is over.
    pub(super) fn run(&mut self, until: u64) {
        while self.finished.len() < self.things.len() {
            let woken = self.moving.next_wakeup().map(|at| at.0);
            let next = self.ahead.keys().next().copied();
            let at = next.map(|(at, _)| at).into_iter().chain(woken).min();
            let Some(at) = at.filter(|at| *at <= until) else {
                return;
            };
            self.now = at;
            match next.filter(|(time, _)| *time == at) {
                Some(key) => {
                    let happening = self.ahead.remove(&key).unwrap();
                    self.happens(happening);
                }
                None => self.step(Event::Woke),
            }
        }
    }

    fn happens(&mut self, happening: Happening) {
        let is_alive = |peer: &PeerId, life: u64| self.sources[peer].life == life;
        match happening {
            Happening::Leaves(peer) => self.leaves(peer),
            Happening::Comes(peer) => self.comes(peer),
            Happening::Told { peer, root, life } => {
                if is_alive(&peer, life) {
                    let spans = self.sources[&peer].script.has.get(&root).copied();
                    self.step(Event::Told { peer, root, spans });
                }
            }
            Happening::Question { peer, asked, life } => {
                if is_alive(&peer, life) {
                    self.is_asked(peer, asked);
                }
            }
            Happening::Chunk {
                peer,
                request,
                bytes,
                life,
            } => {
                if is_alive(&peer, life) {
                    self.has_sent(peer, request, bytes);
                }
            }
            Happening::Deliver {
                peer,
                request,
                bytes,
                ends,
                life,
            } => {
                if is_alive(&peer, life) {
                    self.receives(peer, request, bytes, ends);
                }
            }
            Happening::Refusal {
                request,
                refusal,
                life,
                peer,
            } => {
                if is_alive(&peer, life) && self.open.remove(&request).is_some() {
                    self.step(match refusal {
                        Some(refusal) => Event::Refused { request, refusal },
                        None => Event::Broke { request },
                    });
                }
            }
        }
    }

    fn is_asked(&mut self, peer: PeerId, asked: Asked) {
        let source = self.sources.get_mut(&peer).unwrap();
        source.questions += 1;
        let has = source.script.has[&asked.root];
        assert!(
            (asked.next..asked.end).all(|span| has.has(span)),
            "it does not have it"
        );
        let refusal = match source.script.manner {
            Manner::IsBusy { ms } if source.questions % 2 == 1 => Some(Refusal::Busy { ms }),
            Manner::AlwaysBusy => Some(Refusal::Busy { ms: 0 }),
            Manner::Denies => Some(Refusal::No),
            _ => None,
        };
        if let Some(refusal) = refusal {
            let (ms, life) = (source.script.latency_ms, source.life);
            let request = asked.request;
            self.later(
                ms,
                Happening::Refusal {
                    request,
                    refusal: Some(refusal),
                    life,
                    peer,
                },
            );
            return;
        }
        source.queue.push_back(asked);
        self.sends(peer);
    }

    /// A source begins with its next few bytes.
    fn sends(&mut self, peer: PeerId) {
        let source = self.sources.get_mut(&peer).unwrap();
        let Some(asked) = source.queue.front_mut().filter(|_| !source.is_sending) else {
            return;
        };
        let span_bytes = self.things[&asked.root].span_bytes(asked.next);
        let left = asked.left.get_or_insert(span_bytes + HEAD);
        let mut bytes = CHUNK.min(*left);
        let mut us = bytes * 1_000_000 / source.script.bytes_per_s;
        match source.script.manner {
            Manner::Stalls { after } if source.sent_spans >= after => return,
            Manner::Trickles { after } if source.sent_spans >= after => {
                (bytes, us) = (1, 1_900_000)
            }
            _ => {}
        }
        source.is_sending = true;
        source.free_at_us = source.free_at_us.max(self.now * 1_000) + us;
        let ms = (source.free_at_us / 1_000).saturating_sub(self.now);
        let (request, life) = (asked.request, source.life);
        self.later(
            ms,
            Happening::Chunk {
                peer,
                request,
                bytes,
                life,
            },
        );
    }

    fn has_sent(&mut self, peer: PeerId, request: RequestId, bytes: u64) {
        let source = self.sources.get_mut(&peer).unwrap();
        source.is_sending = false;
        let (life, latency) = (source.life, source.script.latency_ms);
        let first = source.queue.front_mut().filter(|it| it.request == request);
        let Some(asked) = first else {
            return self.sends(peer);
        };
        let left = asked.left.unwrap() - bytes;
        asked.left = Some(left);
        let mut ends = None;
        let mut is_over = false;
        if left == 0 {
            let lies = matches!(source.script.manner, Manner::Lies { after } if source.sent_spans >= after);
            ends = Some(!lies);
            source.sent_spans += 1;
            asked.left = None;
            asked.next += 1;
            is_over = asked.next == asked.end;
        }
        let breaks = matches!(source.script.manner, Manner::Breaks { one_in } if left == 0 && self.draws.one_in(one_in));
        if is_over || breaks {
            source.queue.pop_front();
        }
        self.later(
            latency,
            Happening::Deliver {
                peer,
                request,
                bytes,
                ends,
                life,
            },
        );
        if breaks && !is_over {
            self.later(
                latency,
                Happening::Refusal {
                    request,
                    refusal: None,
                    life,
                    peer,
                },
            );
        }
        self.sends(peer);
    }

    fn receives(&mut self, peer: PeerId, request: RequestId, bytes: u64, ends: Option<bool>) {
        let Some(open) = self.open.get_mut(&request) else {
            return;
        };
        open.partial_bytes += bytes;
        self.moved.push((self.now, bytes));
        self.line_bytes += bytes;
        self.came.entry(peer).or_default().0 += bytes;
        self.step(Event::Moved { request, bytes });
        let Some(proof_holds) = ends else { return };
        let Some(open) = self.open.get_mut(&request) else {
            return;
        };
        open.partial_bytes = 0;
        self.just_from = peer;
        self.just_checked = proof_holds.then_some((request, open.root, open.next));
        open.next += 1;
        if open.next == open.end {
            self.open.remove(&request);
        }
        if !proof_holds {
            self.shunned.insert(peer, self.now);
        }
        self.step(Event::Arrived {
            request,
            proof_holds,
        });
        self.just_checked = None;
    }

    pub(super) fn step(&mut self, event: Event) {
        self.steps += 1;
        let effects = self.moving.step(Tick(self.now), event);
        for effect in effects {
            self.trace.push((self.now, effect));
            self.carry_out(effect);
            if let Some(left) = &mut self.breaks_after {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.restart();
                    return;
                }
            }
        }
        let woken = self.moving.next_wakeup();
        assert!(
            woken.is_none_or(|at| at.0 > self.now),
            "it would never sleep"
        );
        self.assert_bounds();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::AskHoldings { peer, root, .. } => {
                self.line_bytes += 64 + 128;
                let source = &self.sources[&peer];
                assert!(source.is_here);
                let (ms, life) = (source.script.latency_ms * 2, source.life);
                self.later(ms, Happening::Told { peer, root, life });
            }
            Effect::AskSpans {
                request,
                peer,
                root,
                first,
                count,
            } => {
                self.line_bytes += 64;
                let end = first + count;
                let until = self.shunned.get(&peer).map_or(0, |at| at + SHUNNED_MS);
                assert!(until <= self.now, "a liar is asked");
                let source = &self.sources[&peer];
                assert!(source.is_here);
                let (ms, life) = (source.script.latency_ms, source.life);
                let asked = Asked {
                    request,
                    root,
                    next: first,
                    end,
                    left: None,
                };
                self.later(ms, Happening::Question { peer, asked, life });
                let open = Open {
                    peer,
                    root,
                    next: first,
                    end,
                    partial_bytes: 0,
                };
                self.open.insert(request, open);
            }
            Effect::Drop { request } => {
                // One that has just ended of itself is gone already where it lied.
                if let Some(open) = self.open.remove(&request) {
                    let source = self.sources.get_mut(&open.peer).unwrap();
                    source.queue.retain(|it| it.request != request);
                }
            }
            Effect::Write {
                request,
                root,
                span,
            } => {
                assert_eq!(self.just_checked, Some((request, root, span)), "unchecked");
                let disk = self.disk.get_mut(&root).unwrap();
                assert!(!disk.has(span), "written twice");
                disk.insert(span);
            }
            Effect::Note { root, written } => {
                assert_eq!(self.disk[&root], written, "noted what is not written");
                self.noted.insert(root, written);
                let (_, _, span) = self.just_checked.unwrap();
                let bytes = self.things[&root].span_bytes(span) + HEAD;
                self.came.entry(self.just_from).or_default().1 += bytes;
            }
            Effect::Finish { root } => {
                assert!(self.disk[&root].is_whole());
                assert!(
                    self.finished.insert(root, self.now).is_none(),
                    "finished twice"
                );
            }
            other => panic!("not in this world: {other:?}"),
        }
    }

    fn assert_bounds(&self) {
        let mut requests: BTreeMap<PeerId, u32> = BTreeMap::new();
        let mut spans: BTreeMap<PeerId, u32> = BTreeMap::new();
        let mut asked: BTreeMap<(Digest, u32), u32> = BTreeMap::new();
        let mut of_whom: BTreeSet<(PeerId, Digest, u32)> = BTreeSet::new();
        for open in self.open.values() {
            *requests.entry(open.peer).or_default() += 1;
            *spans.entry(open.peer).or_default() += open.end - open.next;
            let written = &self.disk[&open.root];
            assert!(
                !written.has(open.next),
                "what is written already is waited for"
            );
            for span in open.next..open.end {
                *asked.entry((open.root, span)).or_default() += 1;
                assert!(
                    of_whom.insert((open.peer, open.root, span)),
                    "asked twice of one"
                );
            }
        }
        assert!(requests.values().all(|it| *it <= QUESTIONS_PER_PEER_MAX));
        assert!(spans.values().all(|it| *it <= SPANS_PER_SOURCE_MAX));
        assert!(spans.values().sum::<u32>() <= SPANS_UNDER_WAY_MAX);
        assert!(asked.values().all(|it| *it <= 2), "asked of more than two");
        assert_eq!(spans.values().sum::<u32>(), self.moving.spans_under_way());
    }
}
