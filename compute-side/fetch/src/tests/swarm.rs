//! Machines that all run these rules: one has everything, the others fetch it from it and from each
//! other.

use super::thing;
use crate::{
    Allowance, Effect, Event, Held, Moving, PeerId, QuestionId, RequestId, SourceKind, SpanSet,
    Thing, Tick,
};
use std::collections::BTreeMap;

/// What is on its way: from whom, to whom, and what it is there.
type Way = BTreeMap<(u64, u64), (usize, Event)>;

struct Swarm {
    machines: Vec<Moving>,
    it: Thing,
    written: Vec<SpanSet>,
    way: Way,
    now: u64,
    count: u64,
    /// By question: who asked, by which request, and who is asked.
    questions: BTreeMap<u64, (usize, Option<RequestId>, usize)>,
    /// By asker and request: the question.
    names: BTreeMap<(usize, RequestId), u64>,
    /// When each machine's line out is free again, in microseconds.
    free_at_us: Vec<u64>,
    bytes_per_s: u64,
    /// Bytes that each has sent.
    sent: Vec<u64>,
}

const LATENCY_MS: u64 = 10;

fn peer(machine: usize) -> PeerId {
    PeerId([machine as u8; 32])
}

impl Swarm {
    /// The first has everything.
    fn new(machines: usize, it: Thing, bytes_per_s: u64) -> Self {
        let mut written = vec![SpanSet::none(&it); machines];
        written[0] = SpanSet::all(&it);
        Self {
            machines: (0..machines)
                .map(|at| Moving::new(at as u64 * 977))
                .collect(),
            it,
            written,
            way: Way::new(),
            now: 0,
            count: 0,
            questions: BTreeMap::new(),
            names: BTreeMap::new(),
            free_at_us: vec![0; machines],
            bytes_per_s,
            sent: vec![0; machines],
        }
    }

    fn run(&mut self, until: u64) {
        let all = 0..self.machines.len();
        for at in all.clone() {
            if at > 0 {
                let written = self.written[at];
                self.step(
                    at,
                    Event::Wanted {
                        thing: self.it,
                        written,
                    },
                );
            }
            for other in all.clone().filter(|other| *other != at) {
                let kind = if other == 0 {
                    SourceKind::Masternode
                } else {
                    SourceKind::Device
                };
                self.step(
                    at,
                    Event::PeerCame {
                        peer: peer(other),
                        kind,
                    },
                );
            }
        }
        while !self.written.iter().all(SpanSet::is_whole) {
            let wakes = self.machines.iter().map(Moving::next_wakeup).zip(0..);
            let wake = wakes
                .filter_map(|(at, machine)| Some((at?.0, machine)))
                .min();
            let next = self.way.keys().next().copied();
            match (next, wake) {
                (Some((at, count)), wake) if wake.is_none_or(|(woken, _)| at <= woken) => {
                    self.now = at;
                    let (machine, event) = self.way.remove(&(at, count)).unwrap();
                    self.step(machine, event);
                }
                (_, Some((at, machine))) => {
                    self.now = at;
                    self.step(machine, Event::Woke);
                }
                (_, None) => panic!("nothing happens any more"),
            }
            assert!(self.now < until, "it takes too long");
        }
    }

    fn later(&mut self, ms: u64, machine: usize, event: Event) {
        self.count += 1;
        self.way
            .insert((self.now + ms, self.count), (machine, event));
    }

    fn ask(&mut self, from: usize, to: PeerId, request: Option<RequestId>) -> QuestionId {
        self.count += 1;
        self.questions
            .insert(self.count, (from, request, to.0[0].into()));
        if let Some(request) = request {
            self.names.insert((from, request), self.count);
        }
        QuestionId(self.count)
    }

    fn held(&self, machine: usize) -> Option<Held> {
        (machine == 0).then(|| Held {
            thing: self.it,
            spans: SpanSet::all(&self.it),
        })
    }

    fn step(&mut self, at: usize, event: Event) {
        for effect in self.machines[at].step(Tick(self.now), event) {
            self.carry_out(at, effect);
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::AskHoldings { peer: of, .. } => {
                let question = self.ask(at, of, None);
                let to = of.0[0].into();
                let held = self.held(to);
                let asked = Event::AskedHoldings {
                    peer: peer(at),
                    question,
                    thing: self.it,
                    held,
                };
                self.later(LATENCY_MS, to, asked);
            }
            Effect::AskSpans {
                request,
                peer: of,
                root,
                first,
                count,
            } => {
                let question = self.ask(at, of, Some(request));
                let to = of.0[0].into();
                let held = self.held(to);
                let asked = Event::AskedSpans {
                    peer: peer(at),
                    question,
                    root,
                    first,
                    count,
                    held,
                };
                self.later(LATENCY_MS, to, asked);
            }
            Effect::Drop { request } => {
                let question = self.names.remove(&(at, request)).unwrap();
                let (_, _, of) = self.questions.remove(&question).unwrap();
                let question = QuestionId(question);
                self.later(LATENCY_MS, of, Event::Withdrawn { question });
            }
            Effect::Note { written, .. } => self.written[at] = written,
            Effect::Write { .. } | Effect::Finish { .. } => {}
            Effect::TellHoldings { question, spans } => {
                let (asker, _, of) = self.questions[&question.0];
                let told = Event::Told {
                    peer: peer(of),
                    root: self.it.root(),
                    spans: Some(spans),
                };
                self.later(LATENCY_MS, asker, told);
            }
            Effect::Refuse { question, refusal } => {
                let Some((asker, request, of)) = self.questions.remove(&question.0) else {
                    return;
                };
                let event = match request {
                    Some(request) => Event::Refused { request, refusal },
                    None => Event::Told {
                        peer: peer(of),
                        root: self.it.root(),
                        spans: None,
                    },
                };
                self.later(LATENCY_MS, asker, event);
            }
            Effect::Send { question, span, .. } => self.send(at, question, span),
            Effect::Close { .. } | Effect::Decline { .. } => panic!("{effect:?}"),
        }
    }

    fn send(&mut self, at: usize, question: QuestionId, span: u32) {
        assert!(self.written[at].has(span), "it sends what it does not have");
        let bytes = self.it.span_bytes(span) + 200;
        self.sent[at] += bytes;
        let begins = self.free_at_us[at].max(self.now * 1_000);
        self.free_at_us[at] = begins + bytes * 1_000_000 / self.bytes_per_s;
        let [begins, ends] = [begins, self.free_at_us[at]].map(|us| us / 1_000 - self.now);
        self.later(ends, at, Event::Sent { question, bytes });
        let asked = self.questions.get(&question.0).copied();
        if let Some((asker, Some(request), _)) = asked {
            let parts = 8;
            for part in 1..=parts {
                let after = begins + (ends - begins) * part / parts + LATENCY_MS;
                let bytes = bytes * part / parts - bytes * (part - 1) / parts;
                self.later(after, asker, Event::Moved { request, bytes });
            }
            let proof_holds = true;
            self.later(
                ends + LATENCY_MS,
                asker,
                Event::Arrived {
                    request,
                    proof_holds,
                },
            );
        }
    }
}

#[test]
fn devices_that_fetch_the_same_fetch_it_from_each_other() {
    let it = thing(1, 64);
    let mut swarm = Swarm::new(9, it, 2_000_000);
    swarm.run(600_000);
    // Alone the first would have to send it eight times.
    let alone_ms = 8 * it.bytes() * 1_000 / 2_000_000;
    assert!(swarm.now * 2 < alone_ms, "{} of {alone_ms} ms", swarm.now);
    assert!(swarm.sent[0] < 4 * it.bytes(), "{:?}", swarm.sent);
}

#[test]
fn a_rate_of_whoever_serves_holds_and_all_get_everything() {
    let it = thing(1, 16);
    let mut swarm = Swarm::new(4, it, 50_000_000);
    let allowance = Allowance {
        up_bytes_per_s: Some(1_000_000),
        ..Allowance::default()
    };
    for machine in 0..4 {
        swarm.step(machine, Event::Allowed(allowance));
    }
    swarm.run(600_000);
    for sent in &swarm.sent {
        assert!(
            *sent <= 300_000 + swarm.now * 1_000,
            "{sent} in {} ms",
            swarm.now
        );
    }
}
