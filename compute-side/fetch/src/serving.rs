//! What others are answered.

use crate::{
    Effect, Held, PeerId, QuestionId, Refusal, Tick,
    limits::{
        BUSY_MS_MIN, FILLED_MS, HEAD_BYTES_MAX, HOLDINGS_BYTES_MAX, LINE_WAIT_MS_MAX, PEERS_MAX,
        QUESTIONS_MAX, SENDING_MS_MAX, TURN_MS_MAX,
    },
    line::{Line, Way},
    source::Speed,
    spans::{SpanSet, Thing},
};
use quern_primitives::limits::{
    BUSY_MS_MAX, QUESTIONS_PER_PEER_MAX, SPAN_BYTES, SPANS_PER_QUESTION_MAX,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A question for spans that is being answered, or waits for its turn.
#[derive(Debug)]
struct Question {
    peer: PeerId,
    thing: Thing,
    next: u32,
    end: u32,
    sending: Option<Sending>,
    /// Since when the line has no room for its next span.
    waits_since: Option<Tick>,
}

/// A span that is being sent.
#[derive(Clone, Copy, Debug)]
struct Sending {
    since: Tick,
    taken_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Serving {
    peers: BTreeSet<PeerId>,
    questions: BTreeMap<QuestionId, Question>,
    /// All questions, in the order in which they have their turns.
    turns: VecDeque<QuestionId>,
    speed: Speed,
    line_ready_at: Option<Tick>,
}

impl Serving {
    pub(crate) fn under_way(&self) -> usize {
        self.questions.len()
    }

    pub(crate) fn came(&mut self, peer: PeerId) {
        if self.peers.len() < PEERS_MAX {
            self.peers.insert(peer);
        }
    }

    pub(crate) fn left(&mut self, peer: &PeerId, line: &mut Line) {
        self.peers.remove(peer);
        let theirs = self.questions.iter().filter(|(_, it)| it.peer == *peer);
        let theirs: Vec<QuestionId> = theirs.map(|(id, _)| *id).collect();
        for id in theirs {
            self.withdrawn(id, line);
        }
    }

    /// What we have of a thing is told at once; it is not under way.
    pub(crate) fn asked_holdings(
        &self,
        now: Tick,
        (peer, question): (&PeerId, QuestionId),
        held: Option<Held>,
        line: &mut Line,
        out: &mut Vec<Effect>,
    ) {
        let refusal = match held.filter(|it| it.is_sound() && !it.spans.is_empty()) {
            Some(_) if !self.peers.contains(peer) => Refusal::No,
            Some(_) if line.is_spent(HOLDINGS_BYTES_MAX) => Refusal::Busy { ms: BUSY_MS_MAX },
            Some(_) if !line.fits(now, 0, HOLDINGS_BYTES_MAX) => Refusal::Busy {
                ms: wait_ms(now, line, HOLDINGS_BYTES_MAX),
            },
            Some(held) => {
                line.take(now, Way::Up, HOLDINGS_BYTES_MAX);
                line.moved(Way::Up, HOLDINGS_BYTES_MAX);
                out.push(Effect::TellHoldings {
                    question,
                    spans: held.spans,
                });
                return;
            }
            None => Refusal::No,
        };
        out.push(Effect::Refuse { question, refusal });
    }

    pub(crate) fn asked_spans(
        &mut self,
        (peer, question): (PeerId, QuestionId),
        (first, count): (u32, u32),
        held: Option<Held>,
        line: &Line,
        out: &mut Vec<Effect>,
    ) {
        if self.questions.contains_key(&question) {
            return;
        }
        let end = first.saturating_add(count);
        let is_sound = (1..=SPANS_PER_QUESTION_MAX).contains(&count) && end - first == count;
        let has_all = |spans: &SpanSet| is_sound && (first..end).all(|span| spans.has(span));
        let held = held.filter(|it| it.is_sound() && has_all(&it.spans));
        let refusal = match held {
            Some(_) if !self.peers.contains(&peer) => Refusal::No,
            Some(held) if line.is_spent(part_bytes(&held.thing, first)) => {
                Refusal::Busy { ms: BUSY_MS_MAX }
            }
            Some(_) if self.is_full_for(&peer) => Refusal::Busy {
                ms: self.turn_ms(&peer),
            },
            Some(held) => {
                let thing = held.thing;
                let accepted = Question {
                    peer,
                    thing,
                    next: first,
                    end,
                    sending: None,
                    waits_since: None,
                };
                self.questions.insert(question, accepted);
                self.turns.push_back(question);
                return;
            }
            None => Refusal::No,
        };
        out.push(Effect::Refuse { question, refusal });
    }

    /// A span went out whole, in so many bytes with its head.
    pub(crate) fn sent(&mut self, now: Tick, id: QuestionId, bytes: u64, line: &mut Line) {
        let Some(question) = self.questions.get_mut(&id) else {
            return;
        };
        let Some(sending) = question.sending.take() else {
            return;
        };
        let bytes = bytes.min(sending.taken_bytes);
        line.moved(Way::Up, bytes);
        line.give_back(now, Way::Up, sending.taken_bytes - bytes);
        self.speed.add(bytes, now.since(sending.since));
        question.next += 1;
        if question.next >= question.end {
            self.forget(id);
        }
    }

    /// A question is over before it was answered to its end. How much of the span that was being sent went
    /// out nobody knows, so all of it counts.
    pub(crate) fn withdrawn(&mut self, id: QuestionId, line: &mut Line) {
        let Some(question) = self.questions.get(&id) else {
            return;
        };
        if let Some(sending) = question.sending {
            line.moved(Way::Up, sending.taken_bytes);
        }
        self.forget(id);
    }

    /// Ends what is not taken from us, and begins to send what can be sent.
    pub(crate) fn send_all(&mut self, now: Tick, line: &mut Line, out: &mut Vec<Effect>) {
        let late = self.questions.iter().filter(|(_, it)| {
            let sending = it.sending;
            sending.is_some_and(|it| now.since(it.since) >= SENDING_MS_MAX)
        });
        let late: Vec<QuestionId> = late.map(|(id, _)| *id).collect();
        for question in late {
            self.withdrawn(question, line);
            out.push(Effect::Close { question });
        }
        self.line_ready_at = None;
        // A peer is sent one span at a time, in the order of its questions: whoever breaks off then has
        // one span begun and not several.
        let sending = self.questions.values().filter(|it| it.sending.is_some());
        let mut served: BTreeSet<PeerId> = sending.map(|it| it.peer).collect();
        for id in self.turns.clone() {
            let Some(peer) = self.questions.get(&id).map(|it| it.peer) else {
                continue;
            };
            if served.insert(peer) {
                self.send_next(now, id, line, out);
            }
        }
    }

    fn send_next(&mut self, now: Tick, id: QuestionId, line: &mut Line, out: &mut Vec<Effect>) {
        let Some(question) = self.questions.get_mut(&id) else {
            return;
        };
        let bytes = part_bytes(&question.thing, question.next);
        if !line.fits(now, 0, bytes) {
            let since = *question.waits_since.get_or_insert(now);
            let given_up_at = since.plus_ms(LINE_WAIT_MS_MAX);
            let ready_at = line.fits_at(now, 0, bytes).unwrap_or(given_up_at);
            if line.is_spent(bytes) || ready_at > given_up_at || now >= given_up_at {
                let ms = wait_ms(now, line, bytes);
                self.forget(id);
                out.push(Effect::Refuse {
                    question: id,
                    refusal: Refusal::Busy { ms },
                });
            } else {
                let sooner = self.line_ready_at.map_or(ready_at, |at| at.min(ready_at));
                self.line_ready_at = Some(sooner);
            }
            return;
        }
        line.take(now, Way::Up, bytes);
        question.waits_since = None;
        question.sending = Some(Sending {
            since: now,
            taken_bytes: bytes,
        });
        out.push(Effect::Send {
            question: id,
            root: question.thing.root(),
            span: question.next,
            is_last: question.next + 1 == question.end,
        });
        self.take_turn(id);
    }

    /// Who had a turn comes behind all others, with all of its questions in their order.
    fn take_turn(&mut self, id: QuestionId) {
        let Some(peer) = self.questions.get(&id).map(|it| it.peer) else {
            return;
        };
        let of_peer = |id: &QuestionId| self.questions.get(id).is_some_and(|it| it.peer == peer);
        let (theirs, others): (Vec<_>, Vec<_>) = self.turns.iter().partition(|id| of_peer(id));
        self.turns = others.into_iter().chain(theirs).copied().collect();
    }

    pub(crate) fn next_wakeup(&self, now: Tick) -> Option<Tick> {
        let sending = self.questions.values().filter_map(|it| it.sending);
        let late = sending.map(|it| it.since.plus_ms(SENDING_MS_MAX));
        late.chain(self.line_ready_at).filter(|at| *at > now).min()
    }

    fn forget(&mut self, id: QuestionId) {
        self.questions.remove(&id);
        self.turns.retain(|it| *it != id);
    }

    fn is_full_for(&self, peer: &PeerId) -> bool {
        self.questions.len() >= QUESTIONS_MAX
            || self.of(peer).count() >= QUESTIONS_PER_PEER_MAX as usize
    }

    fn of(&self, peer: &PeerId) -> impl Iterator<Item = &Question> {
        self.questions.values().filter(move |it| it.peer == *peer)
    }

    /// After how long a question is likely to be over: one of the peer's own, or else any.
    fn turn_ms(&self, peer: &PeerId) -> u32 {
        let own = self.of(peer).map(|it| it.end - it.next).min();
        let any = self.questions.values().map(|it| it.end - it.next).min();
        let spans = u64::from(own.or(any).unwrap_or(1));
        let ms = self.speed.bytes_per_s().map_or(FILLED_MS, |speed| {
            spans * u64::from(SPAN_BYTES) * 1_000 / speed.max(1)
        });
        u32::try_from(ms.clamp(BUSY_MS_MIN, TURN_MS_MAX)).unwrap_or(BUSY_MS_MAX)
    }
}

fn part_bytes(thing: &Thing, span: u32) -> u64 {
    thing.span_bytes(span).saturating_add(HEAD_BYTES_MAX)
}

/// How long somebody is to wait until the line has room.
fn wait_ms(now: Tick, line: &Line, bytes: u64) -> u32 {
    let ms = if line.is_spent(bytes) {
        u64::from(BUSY_MS_MAX)
    } else {
        line.fits_at(now, 0, bytes)
            .map_or(LINE_WAIT_MS_MAX, |at| at.since(now))
    };
    u32::try_from(ms.max(BUSY_MS_MIN))
        .unwrap_or(BUSY_MS_MAX)
        .min(BUSY_MS_MAX)
}
