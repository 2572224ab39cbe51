//! The machine: what happens, and what is to be done.

use crate::{
    Allowance, SourceKind, SpanSet, Thing, Tick, fetching::Fetching, line::Line, serving::Serving,
};
use quern_primitives::ids::Digest;

/// Somebody whom we are connected to: a network key, or for a URL what the shell makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 32]);

/// A request of ours for spans. None is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A question of somebody else, named by the shell. None is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// Why something is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not there, or not for the one who asks.
    No,
    /// Not now, but perhaps after so long.
    Busy {
        /// Milliseconds.
        ms: u32,
    },
}

/// What the machine's disk has of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The thing.
    pub thing: Thing,
    /// Its spans that are there, and checked.
    pub spans: SpanSet,
}

impl Held {
    pub(crate) fn is_sound(&self) -> bool {
        self.spans.count() == self.thing.spans()
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The machine's owner lets so much go over the line from now on. Told at the start, when a setting
    /// changes and when a month is over; before it nothing is a bound.
    Allowed(Allowance),
    /// Somebody is here whom the chain admits. Nobody else is told of.
    PeerCame {
        /// Who.
        peer: PeerId,
        /// What it is as a source.
        kind: SourceKind,
    },
    /// Somebody is gone, and all streams with it.
    PeerLeft {
        /// Who.
        peer: PeerId,
    },
    /// A thing is to be fetched.
    Wanted {
        /// The thing.
        thing: Thing,
        /// What of it is written already: the last [`Effect::Note`] before a break, else nothing.
        written: SpanSet,
    },
    /// A thing is not to be fetched any more, or could not be written.
    Unwanted {
        /// Its name.
        root: Digest,
    },
    /// A source answered [`Effect::AskHoldings`].
    Told {
        /// Who.
        peer: PeerId,
        /// Of which thing.
        root: Digest,
        /// What it has. Nothing if it said no, or if its bitmap is none for this thing.
        spans: Option<SpanSet>,
    },
    /// Bytes of an answer came. All of them are told of before the span is that they end.
    Moved {
        /// Of which request.
        request: RequestId,
        /// How many, since this was last told.
        bytes: u64,
    },
    /// The next span of a request came whole.
    Arrived {
        /// Of which request.
        request: RequestId,
        /// Whether its head was that of the span which was to come, of its length, and its proof leads to
        /// the thing's name.
        proof_holds: bool,
    },
    /// A source ended a request before all of it came.
    Refused {
        /// Which.
        request: RequestId,
        /// What it said.
        refusal: Refusal,
    },
    /// A stream ended or failed before all of it came, and nobody said why.
    Broke {
        /// Which request's.
        request: RequestId,
    },
    /// A peer asks what we have of a thing.
    AskedHoldings {
        /// Who.
        peer: PeerId,
        /// Its question.
        question: QuestionId,
        /// The thing, in the length that the peer says it has.
        thing: Thing,
        /// What the disk has under this name, beside what is being fetched.
        held: Option<Held>,
    },
    /// A peer asks for spans.
    AskedSpans {
        /// Who.
        peer: PeerId,
        /// Its question.
        question: QuestionId,
        /// The thing's name.
        root: Digest,
        /// The first span.
        first: u32,
        /// How many.
        count: u32,
        /// What the disk has under this name, beside what is being fetched.
        held: Option<Held>,
    },
    /// A span was handed whole to the stream, which took it.
    Sent {
        /// Whose question.
        question: QuestionId,
        /// Its bytes with its head.
        bytes: u64,
    },
    /// The asker ended its question, its stream failed, or the span could not be read.
    Withdrawn {
        /// Which.
        question: QuestionId,
    },
    /// It is as late as [`Moving::next_wakeup`] said.
    Woke,
}

/// What is to be done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a source what it has of a thing.
    AskHoldings {
        /// Whom.
        peer: PeerId,
        /// The thing's name.
        root: Digest,
        /// The thing's length.
        bytes: u64,
    },
    /// Ask a source for spans.
    AskSpans {
        /// How the answer is named in events.
        request: RequestId,
        /// Whom.
        peer: PeerId,
        /// The thing's name.
        root: Digest,
        /// The first span.
        first: u32,
        /// How many.
        count: u32,
    },
    /// End a request's stream, and read no more of it.
    Drop {
        /// Which.
        request: RequestId,
    },
    /// Write the span that just arrived to its place.
    Write {
        /// By which request it came.
        request: RequestId,
        /// The thing's name.
        root: Digest,
        /// Which span.
        span: u32,
    },
    /// Write down which spans are written: what is to be told with [`Event::Wanted`] after a break.
    Note {
        /// The thing's name.
        root: Digest,
        /// All of them.
        written: SpanSet,
    },
    /// All of a thing is written.
    Finish {
        /// Its name.
        root: Digest,
    },
    /// So many things are wanted already that this one cannot be.
    Decline {
        /// Its name.
        root: Digest,
    },
    /// Tell what we have.
    TellHoldings {
        /// Whose question.
        question: QuestionId,
        /// What we have.
        spans: SpanSet,
    },
    /// Send a span with its head, then tell [`Event::Sent`].
    Send {
        /// Whose question.
        question: QuestionId,
        /// The thing's name.
        root: Digest,
        /// Which span.
        span: u32,
        /// Whether the answer ends with it.
        is_last: bool,
    },
    /// Say no and end the answer, whatever of it was sent before.
    Refuse {
        /// Whose question.
        question: QuestionId,
        /// Why.
        refusal: Refusal,
    },
    /// End an answer without a word: the asker does not take it.
    Close {
        /// Whose question.
        question: QuestionId,
    },
}

/// Fetching and serving over one line.
#[derive(Debug)]
pub struct Moving {
    now: Tick,
    line: Line,
    fetching: Fetching,
    serving: Serving,
}

impl Moving {
    /// Nothing is wanted, nobody is here. The seed says with which span of a thing to begin; it should
    /// differ between machines.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Tick::default(),
            line: Line::default(),
            fetching: Fetching::new(seed),
            serving: Serving::default(),
        }
    }

    /// What follows from an event.
    pub fn step(&mut self, now: Tick, event: Event) -> Vec<Effect> {
        let now = now.max(self.now);
        self.now = now;
        let mut out = Vec::new();
        if let Event::Moved { request, bytes } = event {
            self.fetching.moved(now, request, bytes, &mut self.line);
            return out;
        }
        self.take_in(now, event, &mut out);
        self.fetching.end_silence(now, &mut self.line, &mut out);
        self.serving.send_all(now, &mut self.line, &mut out);
        self.fetching.ask_all(now, &mut self.line, &mut out);
        out
    }

    /// When to wake it if nothing happens before: always later than the last step.
    pub fn next_wakeup(&self) -> Option<Tick> {
        let fetching = self.fetching.next_wakeup(self.now);
        let serving = self.serving.next_wakeup(self.now);
        fetching.into_iter().chain(serving).min()
    }

    /// Spans of a wanted thing that are missing and that no source has. For them more sources are to be
    /// looked for. Nothing if it is not wanted.
    pub fn held_by_nobody(&self, root: &Digest) -> Option<u32> {
        self.fetching.held_by_nobody(root)
    }

    /// Spans that are under way to us.
    pub fn spans_under_way(&self) -> u32 {
        self.fetching.spans_under_way()
    }

    /// Questions of others that are being answered.
    pub fn questions_under_way(&self) -> usize {
        self.serving.under_way()
    }

    fn take_in(&mut self, now: Tick, event: Event, out: &mut Vec<Effect>) {
        let Self {
            line,
            fetching,
            serving,
            ..
        } = self;
        match event {
            Event::Allowed(allowance) => line.allow(now, allowance),
            Event::PeerCame { peer, kind } => {
                fetching.came(now, peer, kind);
                serving.came(peer);
            }
            Event::PeerLeft { peer } => {
                fetching.left(now, &peer, line);
                serving.left(&peer, line);
            }
            Event::Wanted { thing, written } => fetching.want(thing, written, out),
            Event::Unwanted { root } => fetching.unwant(now, &root, line, out),
            Event::Told { peer, root, spans } => fetching.told(&peer, &root, spans),
            Event::Moved { .. } | Event::Woke => {}
            Event::Arrived {
                request,
                proof_holds,
            } => fetching.arrived(now, request, proof_holds, line, out),
            Event::Refused { request, refusal } => fetching.refused(now, request, refusal, line),
            Event::Broke { request } => fetching.broke(now, request, line),
            Event::AskedHoldings {
                peer,
                question,
                thing,
                held,
            } => {
                let held = self.held(&thing.root(), held);
                let held = held.filter(|held| held.thing == thing);
                let asker = (&peer, question);
                self.serving
                    .asked_holdings(now, asker, held, &mut self.line, out);
            }
            Event::AskedSpans {
                peer,
                question,
                root,
                first,
                count,
                held,
            } => {
                let held = self.held(&root, held);
                let asked = (first, count);
                self.serving
                    .asked_spans((peer, question), asked, held, &self.line, out);
            }
            Event::Sent { question, bytes } => serving.sent(now, question, bytes, line),
            Event::Withdrawn { question } => serving.withdrawn(question, line),
        }
    }

    /// What we have of a thing: all that the disk has, or what is written of one that is being fetched.
    fn held(&self, root: &Digest, held: Option<Held>) -> Option<Held> {
        held.or_else(|| {
            let (thing, spans) = self.fetching.written(root)?;
            Some(Held { thing, spans })
        })
    }
}
